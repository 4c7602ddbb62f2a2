//! [`Snapshot`]: the state of the exchange at one moment.

use chrono::{DateTime, SecondsFormat, Utc};
use kalshi_sdk::{Contracts, Decimal, Dollars};
use serde::{Serialize, Serializer};

use crate::{
    OrderBook,
    shared::{Instances, Shared},
    state::{Market, MarketStatus, Side, State, Status},
    sync::lock,
    time::to_datetime,
};

/// The state of the exchange at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Time of the exchange.
    #[serde(serialize_with = "rfc3339")]
    pub now: DateTime<Utc>,
    /// True if the clock is stopped.
    pub clock_stopped: bool,
    /// False while the exchange is closed.
    pub exchange_active: bool,
    /// False while trading is paused, or the exchange is closed.
    pub trading_active: bool,
    /// Number of open WebSocket connections.
    pub connections: usize,
    /// Markets of events, in order of creation.
    pub markets: Vec<MarketSnapshot>,
    /// Margin markets, in order of creation.
    pub margin_markets: Vec<MarketSnapshot>,
    /// Users, in order of creation.
    pub users: Vec<UserSnapshot>,
}

/// A market and its book.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MarketSnapshot {
    /// Ticker of the market.
    pub ticker: String,
    /// Ticker of the event, or `None` for a margin market.
    pub event_ticker: Option<String>,
    /// True if at most one market of the event settles to YES.
    pub mutually_exclusive: bool,
    /// Number of the shard.
    pub exchange_index: u32,
    /// Title, which describes the market.
    pub title: String,
    /// Type of the strike, such as `greater`, or `None` without strike.
    pub strike_type: Option<&'static str>,
    /// Lowest value of the underlying for which YES wins, or `None` without such a bound.
    pub floor_strike: Option<Decimal>,
    /// Highest value of the underlying for which YES wins, or `None` without such a bound.
    pub cap_strike: Option<Decimal>,
    /// Name of the price grid; empty for a margin market.
    pub price_level_structure: String,
    /// Ranges of the price grid, in order; empty for a margin market.
    pub price_ranges: Vec<PriceRangeSnapshot>,
    /// Lifecycle state: `initialized`, `inactive`, `active`, `closed` or `finalized`.
    pub status: &'static str,
    /// Close time, or `None` for a margin market.
    #[serde(serialize_with = "optional_rfc3339")]
    pub closes_at: Option<DateTime<Utc>>,
    /// Dollars that a YES contract pays, or `None` until the market is settled.
    pub settlement_value: Option<Dollars>,
    /// Price of the last trade, or `None` before the first.
    pub last_price: Option<Dollars>,
    /// Mark price of a margin market, or `None` for a market of an event.
    pub mark_price: Option<Dollars>,
    /// Number of contracts traded since the market was created.
    pub volume: Contracts,
    /// Number of contracts that users and the market maker hold.
    pub open_interest: Contracts,
    /// The order book: resting orders of all users and of the market maker.
    pub book: OrderBook,
}

/// A range of prices that orders can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PriceRangeSnapshot {
    /// Lowest price of the range, in dollars.
    pub start: Dollars,
    /// Highest price of the range, in dollars.
    pub end: Dollars,
    /// Distance between neighbouring prices, in dollars.
    pub step: Dollars,
}

/// A user with its keys, money, positions and resting orders.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UserSnapshot {
    /// Id of the user, a UUID.
    pub user_id: String,
    /// Ids of the keys, sorted.
    pub key_ids: Vec<String>,
    /// Money by account and shard.
    pub balances: Vec<BalanceSnapshot>,
    /// Positions other than zero.
    pub positions: Vec<PositionSnapshot>,
    /// Resting orders, in order of creation.
    pub orders: Vec<OrderSnapshot>,
}

/// Money of a subaccount on one shard.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BalanceSnapshot {
    /// True on the margin exchange.
    pub margin: bool,
    /// Number of the subaccount; 0 is the primary account.
    pub subaccount: u8,
    /// Number of the shard.
    pub exchange_index: u32,
    /// All money, including what is reserved for resting orders.
    pub total: Dollars,
}

/// A position of a subaccount in one market.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PositionSnapshot {
    /// Ticker of the market.
    pub ticker: String,
    /// True on the margin exchange.
    pub margin: bool,
    /// Number of the subaccount; 0 is the primary account.
    pub subaccount: u8,
    /// Contracts of YES, or of NO if negative; long or short in a margin market.
    pub position: Contracts,
}

/// An order that rests in a book.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OrderSnapshot {
    /// Id that the exchange assigned to the order.
    pub order_id: String,
    /// The `client_order_id`, if the client sent one.
    pub client_order_id: Option<String>,
    /// Ticker of the market.
    pub ticker: String,
    /// True on the margin exchange.
    pub margin: bool,
    /// Number of the subaccount; 0 is the primary account.
    pub subaccount: u8,
    /// `bid` or `ask`, in the YES book.
    pub side: &'static str,
    /// Limit price: of YES, or in a margin market the price of the future.
    pub price: Dollars,
    /// Number of contracts that have been filled.
    pub filled: Contracts,
    /// Number of contracts that still rest in the book.
    pub remaining: Contracts,
}

impl Snapshot {
    pub(crate) fn new(shared: &Shared) -> Self {
        let mut guard = shared.state();
        let instances = guard.instances();
        let users = lock(&shared.users).clone();
        Self {
            now: to_datetime(instances.event.now),
            clock_stopped: shared.time.is_stopped(),
            exchange_active: instances.event.exchange_active,
            trading_active: instances.event.is_trading(),
            connections: shared.hub.connections(),
            markets: markets(&instances.event),
            #[cfg(feature = "perps")]
            margin_markets: markets(&instances.margin),
            #[cfg(not(feature = "perps"))]
            margin_markets: Vec::new(),
            users: users
                .iter()
                .map(|user| UserSnapshot::new(shared, instances, user.index))
                .collect(),
        }
    }
}

fn markets(state: &State) -> Vec<MarketSnapshot> {
    let markets = state.markets.iter();
    markets
        .map(|market| MarketSnapshot::new(state, market))
        .collect()
}

impl MarketSnapshot {
    pub(crate) fn new(state: &State, market: &Market) -> Self {
        let is_event = market.perp.is_none();
        let (floor_strike, cap_strike) = market.strike.bounds();
        let event = state.events.get(&market.event);
        let ranges = market.price_ranges.iter();
        Self {
            ticker: market.ticker.clone(),
            event_ticker: is_event.then(|| market.event.clone()),
            mutually_exclusive: event.is_some_and(|event| event.mutually_exclusive),
            exchange_index: market.shard,
            title: market.title.clone(),
            strike_type: market.strike.kind(),
            floor_strike,
            cap_strike,
            price_level_structure: market.price_level_structure.clone(),
            price_ranges: ranges
                .map(|range| PriceRangeSnapshot {
                    start: range.start,
                    end: range.end,
                    step: range.step,
                })
                .collect(),
            status: match market.status {
                MarketStatus::Initialized => "initialized",
                MarketStatus::Inactive => "inactive",
                MarketStatus::Active => "active",
                MarketStatus::Closed => "closed",
                MarketStatus::Finalized => "finalized",
            },
            closes_at: is_event.then(|| to_datetime(market.closes)),
            settlement_value: market.settled.map(|(_, value)| value),
            last_price: market.last_price,
            mark_price: (!is_event).then(|| state.mark(market)),
            volume: market.volume,
            open_interest: market.open_interest,
            book: OrderBook::new(state, market),
        }
    }
}

impl UserSnapshot {
    pub(crate) fn new(shared: &Shared, instances: &mut Instances, index: u32) -> Self {
        let keys = shared.keys.for_user(index);
        let mut snapshot = Self {
            user_id: instances.event.user(index).id.to_string(),
            key_ids: keys.into_iter().map(|(id, _)| id).collect(),
            balances: Vec::new(),
            positions: Vec::new(),
            orders: Vec::new(),
        };
        for (_, state) in instances.states() {
            snapshot.add(state, index);
        }
        snapshot
    }

    fn add(&mut self, state: &State, user: u32) {
        let margin = state.margin.is_some();
        for (subaccount, exchange_index, cash) in state.ledger.cash_of_user(user) {
            self.balances.push(BalanceSnapshot {
                margin,
                subaccount,
                exchange_index,
                total: Dollars::from_micros(cash.amount),
            });
        }
        let ticker = |index: usize| {
            let market = state.markets.get(index);
            market.map_or_else(String::new, |market| market.ticker.clone())
        };
        for (subaccount, market, holding) in state.ledger.holdings_of_user(user) {
            if holding.position != 0 && !holding.settled {
                self.positions.push(PositionSnapshot {
                    ticker: ticker(market),
                    margin,
                    subaccount,
                    position: Contracts::from_hundredths(holding.position),
                });
            }
        }
        let mut orders: Vec<_> = state
            .markets
            .iter()
            .flat_map(|market| market.book.orders())
            .filter_map(|id| state.orders.get(&id))
            .filter(|order| order.account.user == user && order.status == Status::Resting)
            .collect();
        orders.sort_by_key(|order| order.number);
        self.orders
            .extend(orders.into_iter().map(|order| OrderSnapshot {
                order_id: order.id.to_string(),
                client_order_id: order.client_order_id.clone(),
                ticker: ticker(order.market),
                margin,
                subaccount: order.account.subaccount,
                side: match order.side {
                    Side::Bid => "bid",
                    Side::Ask => "ask",
                },
                price: order.price,
                filled: order.filled,
                remaining: order.remaining,
            }));
    }
}

/// Serializes prices and counts as strings.
impl Serialize for OrderBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Level {
            price: Dollars,
            count: Contracts,
        }
        #[derive(Serialize)]
        struct Book {
            bids: Vec<Level>,
            asks: Vec<Level>,
            clock: u64,
        }
        let levels = |levels: &[kalshi_sdk::PriceLevel]| {
            let levels = levels.iter();
            levels
                .map(|level| Level {
                    price: level.price,
                    count: level.count,
                })
                .collect()
        };
        Book {
            bids: levels(&self.bids),
            asks: levels(&self.asks),
            clock: self.clock,
        }
        .serialize(serializer)
    }
}

fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn optional_rfc3339<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}
