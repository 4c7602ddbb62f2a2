//! The state of the exchange, which requests and time advance. It contains no HTTP, no JSON and no I/O.
//!
//! Its records are sides and accounts, books and orders, trades, quotes, markets and events. The operations on [`State`] use
//! them: matching, orders, communications, settlement and others.

mod account;
mod activity;
mod amend;
mod book;
mod communications;
mod event;
mod event_log;
mod fees;
mod groups;
mod initial_markets;
mod ledger;
mod margin;
mod market;
mod matching;
mod order;
mod orders;
#[cfg(test)]
mod properties;
mod quote;
mod settlement;
mod side;
mod strike;
mod trade;
mod transfers;
mod users;
mod versions;
mod walk;

use std::collections::{BTreeMap, HashMap, VecDeque};

use uuid::Uuid;

pub(crate) use account::Account;
pub use activity::Activity;
pub(crate) use amend::Amendment;
pub(crate) use event::{Event, LevelChange, PositionChange, Step};
pub(crate) use fees::Fees;
pub(crate) use groups::Group;
pub(crate) use ledger::{Holding, Ledger};
#[cfg_attr(
    not(feature = "perps"),
    allow(unused_imports, reason = "used by the margin API")
)]
pub(crate) use margin::{
    FUNDING_CAP, FUNDING_DEADBAND, INITIAL_TENTHS, MAX_PRICE, Margin, NewTrigger, Perp, SHARD,
    TICK, Trigger, TriggerPrices, nearest, next_funding, trigger_not_found,
};
pub(crate) use market::{Market, MarketStatus, PriceRange, Series, SeriesEvent};
pub(crate) use order::{MAX_COUNT, Order, SelfTrade, Status};
pub(crate) use orders::{NewOrder, Placed, TimeInForce};
pub(crate) use quote::{HIDDEN_USER, Quote, QuoteStatus, Quotes, Rfq};
pub(crate) use settlement::Payout;
pub use settlement::Settlement;
pub(crate) use side::{Side, cost};
pub use strike::Strike;
pub(crate) use trade::{Fill, Trade};
pub(crate) use transfers::{Deposit, Instance, ShardTransfer, SubaccountTransfer};
pub(crate) use users::User;
#[cfg(feature = "perps")]
pub(crate) use users::margin_limits;

use crate::time::Micros;

/// Shards by number: `exchange_index`.
pub(crate) type Shard = u32;
/// Index of a market in the list of all markets.
pub(crate) type MarketIndex = usize;

/// Maximum number of ended orders, of fills and of trades that are kept.
pub(crate) const MAX_RECORDS: usize = 50_000;

/// The state of the exchange.
pub(crate) struct State {
    pub(crate) now: Micros,
    random: fastrand::Rng,
    sequence: u64,
    timers: BTreeMap<(Micros, u64), Timer>,
    pub(crate) exchange_active: bool,
    /// False while trading is stopped. Scheduled pauses are in `pauses`.
    pub(crate) trading_active: bool,
    was_trading: bool,
    /// Scheduled pauses: start and end.
    pub(crate) pauses: Vec<(Micros, Micros)>,
    pub(crate) users: Vec<User>,
    pub(crate) series: BTreeMap<String, Series>,
    pub(crate) events: BTreeMap<String, SeriesEvent>,
    pub(crate) markets: Vec<Market>,
    tickers: HashMap<String, MarketIndex>,
    pub(crate) ledger: Ledger,
    pub(crate) orders: HashMap<Uuid, Order>,
    /// Orders by user and number, oldest first.
    listed: BTreeMap<(u32, u64), Uuid>,
    /// Ended orders, oldest first.
    ended: VecDeque<Uuid>,
    client_order_ids: HashMap<(u32, String), Uuid>,
    /// Ids that amendments have replaced, oldest first. They stay in `client_order_ids` until [`MAX_RECORDS`] newer ones were replaced.
    earlier_client_order_ids: VecDeque<(u32, String)>,
    pub(crate) groups: BTreeMap<Uuid, Group>,
    pub(crate) trades: BTreeMap<u64, Trade>,
    pub(crate) fills: BTreeMap<u64, Fill>,
    pub(crate) settlements: BTreeMap<u64, Payout>,
    pub(crate) rfqs: BTreeMap<u64, Rfq>,
    pub(crate) quotes: Quotes,
    pub(crate) deposits: BTreeMap<u64, Deposit>,
    pub(crate) subaccount_transfers: BTreeMap<u64, SubaccountTransfer>,
    pub(crate) shard_transfers: BTreeMap<u64, ShardTransfer>,
    /// State that only the margin exchange has, or `None` on the event exchange.
    pub(crate) margin: Option<Margin>,
    /// Fair values of the initial markets.
    walks: Vec<walk::Walk>,
    activity: Option<activity::Participants>,
    /// Users that are simulated participants.
    participants: std::ops::Range<u32>,
    /// Hash of all events, or `None` without simulated trading.
    event_log: Option<event_log::EventLog>,
    /// Number of resting orders by user.
    resting: HashMap<u32, usize>,
    /// The incoming order during matching.
    taker: Option<Uuid>,
    /// Number of actions and requests so far. The clock of a book is the number of the action that last changed it.
    actions: u64,
    /// True while a WebSocket connection is open. Without one, no events are recorded.
    pub(crate) has_connections: bool,
    /// True if an order book has changed since the last publication.
    pub(crate) book_changed: bool,
    /// Earlier states of orders and groups, for reads that lag.
    versions: versions::Versions,
    /// Events since the last publication.
    pub(crate) emitted: Vec<Event>,
}

/// An action that is scheduled for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Timer {
    ExpireOrder(Uuid),
    OpenMarket(MarketIndex),
    CloseMarket(MarketIndex),
    /// Pauses a market, or resumes it if true.
    SetMarketActive(MarketIndex, bool),
    SettleMarket(MarketIndex, Settlement),
    /// A step of the simulated trading.
    Activity,
    /// Settlement of the markets of a walk.
    SettleWalk(usize),
    Pause,
    ExecuteQuote(u64),
    Funding,
}

impl State {
    pub(crate) fn new(seed: u64, now: Micros) -> Self {
        Self {
            now,
            random: fastrand::Rng::with_seed(seed),
            sequence: 0,
            timers: BTreeMap::new(),
            exchange_active: true,
            trading_active: true,
            was_trading: true,
            pauses: Vec::new(),
            users: vec![User::market_maker()],
            series: BTreeMap::new(),
            events: BTreeMap::new(),
            markets: Vec::new(),
            tickers: HashMap::new(),
            ledger: Ledger::default(),
            orders: HashMap::new(),
            listed: BTreeMap::new(),
            ended: VecDeque::new(),
            client_order_ids: HashMap::new(),
            earlier_client_order_ids: VecDeque::new(),
            groups: BTreeMap::new(),
            trades: BTreeMap::new(),
            fills: BTreeMap::new(),
            settlements: BTreeMap::new(),
            rfqs: BTreeMap::new(),
            quotes: Quotes::default(),
            deposits: BTreeMap::new(),
            subaccount_transfers: BTreeMap::new(),
            shard_transfers: BTreeMap::new(),
            margin: None,
            walks: Vec::new(),
            activity: None,
            participants: 0..0,
            event_log: None,
            resting: HashMap::new(),
            taker: None,
            actions: 0,
            has_connections: false,
            book_changed: false,
            versions: versions::Versions::default(),
            emitted: Vec::new(),
        }
    }

    /// Advances to `now` and runs the actions that are due, each at its own time. If time moves backwards, no action runs.
    pub(crate) fn advance_to(&mut self, now: Micros) {
        if now < self.now {
            self.reschedule_activity(now);
        }
        while let Some(entry) = self.timers.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), timer) = entry.remove_entry();
            self.now = at.max(self.now);
            self.actions += 1;
            match timer {
                Timer::ExpireOrder(order) => {
                    self.cancel_with_reason(order, Some("ExpiryCancel"));
                }
                Timer::OpenMarket(market) => self.open(market),
                Timer::CloseMarket(market) => self.close(market),
                Timer::SetMarketActive(market, active) => self.set_market_active(market, active),
                Timer::SettleMarket(market, outcome) => self.settle(market, outcome),
                Timer::Activity => self.run_activity_step(now),
                Timer::SettleWalk(walk) => self.settle_walk(walk),
                Timer::Pause => self.cancel_on_pause(None),
                Timer::ExecuteQuote(quote) => self.execute_quote(quote),
                Timer::Funding => self.fund(now),
            }
        }
        let was_trading = self.was_trading;
        self.actions += 1;
        self.now = now;
        self.was_trading = self.is_trading();
        // Time may also have moved back into a pause.
        if was_trading && !self.was_trading {
            self.cancel_on_pause(None);
        }
    }

    /// Returns true if orders are accepted and matched.
    pub(crate) fn is_trading(&self) -> bool {
        let paused = self
            .pauses
            .iter()
            .any(|&(from, to)| (from..to).contains(&self.now));
        self.exchange_active && self.trading_active && !paused
    }

    /// Schedules a pause of trading, unless it has already ended.
    pub(crate) fn schedule_pause(&mut self, from: Micros, to: Micros) {
        if to > self.now.max(from) {
            self.pauses.push((from, to));
            self.set_timer(from, Timer::Pause);
        }
    }

    /// Schedules a pause of a market, unless it has already ended.
    pub(crate) fn schedule_market_pause(&mut self, index: MarketIndex, from: Micros, to: Micros) {
        if to > self.now.max(from) {
            self.set_timer(from, Timer::SetMarketActive(index, false));
            self.set_timer(to, Timer::SetMarketActive(index, true));
        }
    }

    /// Schedules the settlement of a market.
    pub(crate) fn schedule_settlement(
        &mut self,
        index: MarketIndex,
        at: Micros,
        outcome: Settlement,
    ) {
        self.set_timer(at, Timer::SettleMarket(index, outcome));
    }

    /// Opens or closes the whole exchange.
    pub(crate) fn set_active(&mut self, active: bool) {
        self.exchange_active = active;
        if !active {
            self.cancel_on_pause(None);
        }
    }

    /// Stops or resumes trading.
    pub(crate) fn set_trading(&mut self, active: bool) {
        self.trading_active = active;
        if !active {
            self.cancel_on_pause(None);
        }
    }

    /// Returns the number of actions and requests so far.
    pub(crate) fn actions(&self) -> u64 {
        self.actions
    }

    pub(crate) fn market(&self, ticker: &str) -> Option<(MarketIndex, &Market)> {
        let index = *self.tickers.get(ticker)?;
        Some((index, self.markets.get(index)?))
    }

    /// Returns the time of the next scheduled action.
    pub(crate) fn next_timer(&self) -> Option<Micros> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    fn set_timer(&mut self, time: Micros, timer: Timer) {
        let number = self.next_number();
        self.timers.insert((time, number), timer);
    }

    /// Returns the next sequence number.
    fn next_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn new_id(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Returns `bytes` random bytes in hexadecimal, as in communications ids.
    fn hexadecimal(&mut self, bytes: usize) -> String {
        (0..bytes)
            .map(|_| format!("{:02x}", self.random.u8(..)))
            .collect()
    }
}

/// Adds a row. Removes the oldest one if there are more than [`MAX_RECORDS`].
fn insert_bounded<T>(rows: &mut BTreeMap<u64, T>, number: u64, row: T) {
    rows.insert(number, row);
    if rows.len() > MAX_RECORDS {
        rows.pop_first();
    }
}
