//! [`Market`], a handle to control a market.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use kalshi_sdk::{Contracts, Dollars, PriceLevel};

use crate::{
    Strike,
    shared::Shared,
    state::{self, MarketIndex, Settlement, Side, State, Step},
    time::to_micros,
};

/// A market of the exchange.
///
/// Methods take effect immediately and can be chained:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use kalshi_mock::MockExchange;
/// use kalshi_sdk::Dollars;
///
/// let exchange = MockExchange::start().await?;
/// exchange
///     .market("KXTEST-26")
///     .bid(Dollars::from_cents(40), 100)
///     .ask(Dollars::from_cents(45), 50);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Market {
    shared: Arc<Shared>,
    event: String,
    ticker: String,
}

/// A consistent snapshot of an order book.
///
/// With the Cargo feature `ws`, it converts to and from the books that `kalshi-sdk` and `kalshi-perps` keep:
///
#[cfg_attr(feature = "ws", doc = "```")]
#[cfg_attr(not(feature = "ws"), doc = "```ignore")]
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use kalshi_mock::MockExchange;
/// use kalshi_sdk::{Dollars, ws};
///
/// let exchange = MockExchange::start().await?;
/// let market = exchange.market("KXTEST-26-A").bid(Dollars::from_cents(40), 100);
/// let client = exchange.client()?;
/// let levels = client.get_market_orderbook().ticker(market.ticker()).send().await?.into_inner().orderbook_fp;
/// let book = ws::OrderBook::from_bids(&levels.yes_dollars, &levels.no_dollars);
/// assert_eq!(book, ws::OrderBook::from(&market.order_book()));
/// # Ok(()) }
/// ```
///
/// Books with the same levels are equal, regardless of the clock.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OrderBook {
    /// Bids for YES, best price first.
    pub bids: Vec<PriceLevel>,
    /// Asks for YES, best price first, at YES prices.
    pub asks: Vec<PriceLevel>,
    /// The `clock` of snapshots and deltas: the number of the action that last changed the book. All changes of one action share
    /// it, and actions on other markets count too.
    pub clock: u64,
}

impl PartialEq for OrderBook {
    fn eq(&self, other: &Self) -> bool {
        (&self.bids, &self.asks) == (&other.bids, &other.asks)
    }
}

impl OrderBook {
    pub(crate) fn new(state: &State, market: &state::Market) -> Self {
        let levels = |side| {
            let levels = state.levels(market, side).into_iter();
            levels.map(PriceLevel::from).collect()
        };
        Self {
            bids: levels(Side::Bid),
            asks: levels(Side::Ask),
            clock: market.clock,
        }
    }
}

impl Market {
    pub(crate) fn new(shared: Arc<Shared>, ticker: &str) -> Self {
        let event = match ticker.rsplit_once('-') {
            Some((event, _)) if event.contains('-') => event,
            _ => ticker,
        };
        shared.state().add_market_of(ticker, event);
        Self {
            shared,
            event: event.to_owned(),
            ticker: ticker.to_owned(),
        }
    }

    /// Returns the ticker of the market.
    #[must_use]
    pub fn ticker(&self) -> &str {
        &self.ticker
    }

    /// Places a YES bid of the market maker. A price off the grid is rounded down. The bid trades with users' orders that it
    /// crosses, and cancels the market maker's own orders that it crosses.
    pub fn bid(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_order(index, Side::Bid, price, count.into())
        })
    }

    /// Places a YES ask of the market maker. A price off the grid is rounded up. The ask trades with users' orders that it
    /// crosses, and cancels the market maker's own orders that it crosses.
    pub fn ask(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_order(index, Side::Ask, price, count.into())
        })
    }

    /// Cancels the market maker's orders in this market.
    pub fn clear(&self) -> Self {
        self.with_state(State::clear_market_maker)
    }

    /// Moves the market to a shard. Has no effect once a user has had an order in it.
    pub fn on_shard(&self, exchange_index: u32) -> Self {
        self.change_unused(|market| market.shard = exchange_index)
    }

    /// Sets whether makers pay fees. Has no effect once a user has had an order in it.
    pub fn maker_fees(&self, paid: bool) -> Self {
        self.change_unused(|market| market.fees.charges_makers = paid)
    }

    /// Sets `mutually_exclusive` of the market's event, which means that at most one of its markets settles to YES. Positions are
    /// not netted across markets.
    pub fn mutually_exclusive(&self, exclusive: bool) -> Self {
        self.with_state(|state, index| {
            let event = state.markets.get(index).map(|market| market.event.clone());
            if let Some(event) = event.and_then(|ticker| state.events.get_mut(&ticker)) {
                event.mutually_exclusive = exclusive;
            }
        })
    }

    /// Sets the strike, and the name of the YES outcome that follows from it.
    pub fn strike(&self, strike: Strike) -> Self {
        self.with_state(|state, index| {
            let now = state.now;
            if let Some(market) = state.markets.get_mut(index) {
                market.strike = strike;
                market.updated = now;
            }
        })
    }

    /// Sets the price grid: its name, and ranges of first price, last price and step.
    pub fn price_ranges(&self, structure: &str, ranges: &[(Dollars, Dollars, Dollars)]) -> Self {
        self.with_state(|state, index| {
            state.set_price_ranges(index, structure, ranges);
            state.emit_step(index, Step::GridChanged);
        })
    }

    /// Sets the time at which the market closes.
    pub fn closes_at(&self, time: DateTime<Utc>) -> Self {
        self.with_state(|state, index| state.set_close(index, time.timestamp_micros()))
    }

    /// Schedules a pause of trading in this market.
    pub fn schedule_pause(&self, from: DateTime<Utc>, length: Duration) -> Self {
        let from = from.timestamp_micros();
        let length = to_micros(length);
        self.with_state(|state, index| {
            state.schedule_market_pause(index, from, from.saturating_add(length))
        })
    }

    /// Schedules the settlement of the market, which does not have to be closed by then.
    pub fn settles_at(&self, time: DateTime<Utc>, outcome: Settlement) -> Self {
        self.with_state(|state, index| {
            state.schedule_settlement(index, time.timestamp_micros(), outcome)
        })
    }

    /// Stops trading: the market becomes inactive, and orders with `cancel_order_on_pause` are cancelled.
    pub fn pause(&self) -> Self {
        self.with_state(|state, index| state.set_market_active(index, false))
    }

    /// Resumes trading after [`pause`](Self::pause).
    pub fn resume(&self) -> Self {
        self.with_state(|state, index| state.set_market_active(index, true))
    }

    /// Closes the market, which cancels its orders.
    pub fn close(&self) -> Self {
        self.with_state(|state, index| state.set_close(index, state.now))
    }

    /// Buys YES for the market maker from users' asks up to a price, and cancels the market maker's own asks up to that price.
    /// The remainder is cancelled.
    pub fn buy(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_trade(index, Side::Bid, price, count.into())
        })
    }

    /// Sells YES for the market maker to users' bids down to a price, and cancels the market maker's own bids down to that
    /// price. The remainder is cancelled.
    pub fn sell(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_trade(index, Side::Ask, price, count.into())
        })
    }

    /// Settles the market: cancels its orders and pays out positions.
    pub fn settle(&self, outcome: Settlement) -> Self {
        self.with_state(|state, index| state.settle(index, outcome))
    }

    /// Returns the bids for YES, best price first.
    #[must_use]
    pub fn bids(&self) -> Vec<PriceLevel> {
        self.levels(Side::Bid)
    }

    /// Returns the asks for YES, best price first. The order book of the API shows them as bids for NO.
    #[must_use]
    pub fn asks(&self) -> Vec<PriceLevel> {
        self.levels(Side::Ask)
    }

    /// Returns a consistent snapshot of the book.
    #[must_use]
    pub fn order_book(&self) -> OrderBook {
        let state = self.shared.state();
        let Some((_, market)) = state.market(&self.ticker) else {
            return OrderBook::default();
        };
        OrderBook::new(&state, market)
    }

    /// Waits until the book satisfies a condition, for example until it contains a bot's quotes. Returns immediately if it already does.
    ///
    /// There is no timeout: use `tokio::time::timeout`. The expiration of an order is noticed when the clock is moved or at the
    /// next request, or immediately while a WebSocket connection is open.
    pub async fn wait_until(&self, mut condition: impl FnMut(&OrderBook) -> bool) -> OrderBook {
        loop {
            let changed = self.shared.book_changed.notified();
            tokio::pin!(changed);
            // From here on, no change is missed.
            changed.as_mut().enable();
            let book = self.order_book();
            if condition(&book) {
                return book;
            }
            changed.await;
        }
    }

    /// Returns true once a user has had an order in the market.
    pub(crate) fn has_user_holdings(&self) -> bool {
        let state = self.shared.state();
        let market = state.market(&self.ticker);
        market.is_some_and(|(index, _)| state.ledger.has_user_holdings(index))
    }

    fn levels(&self, side: Side) -> Vec<PriceLevel> {
        let state = self.shared.state();
        let levels = state
            .market(&self.ticker)
            .map(|(_, market)| state.levels(market, side));
        levels
            .unwrap_or_default()
            .into_iter()
            .map(PriceLevel::from)
            .collect()
    }

    /// Changes a setting that affects money, unless a user has had an order in the market.
    fn change_unused(&self, change: impl FnOnce(&mut state::Market)) -> Self {
        self.with_state(|state, index| {
            let is_unused = !state.ledger.has_user_holdings(index);
            if let Some(market) = state.markets.get_mut(index).filter(|_| is_unused) {
                change(market);
            }
        })
    }

    fn with_state(&self, change: impl FnOnce(&mut State, MarketIndex)) -> Self {
        let mut state = self.shared.state();
        // A reset may have removed the market.
        let index = state.add_market_of(&self.ticker, &self.event);
        change(&mut state, index);
        drop(state);
        self.clone()
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Market").field(&self.ticker).finish()
    }
}
