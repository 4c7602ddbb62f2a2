//! `Market`: a handle on a market of the exchange, for tests that set the scene.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use kalshi_sdk::{Contracts, Dollars, PriceLevel};

use crate::{
    shared::Shared,
    state::{self, MarketIndex, Outcome, Side, State, Step},
};

/// A market of the exchange.
///
/// What is done to it takes effect at once, so that calls can be chained:
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
    index: MarketIndex,
    ticker: String,
}

/// The order book of a market at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OrderBook {
    /// What is bid for YES, the best price first.
    pub bids: Vec<PriceLevel>,
    /// What YES is offered at, the best price first, at prices of YES.
    pub asks: Vec<PriceLevel>,
    /// The exchange's number of the action that last changed the book: the `clock` of snapshots and deltas. Changes of one action share it,
    /// and actions elsewhere are counted as well.
    pub clock: u64,
}

impl Market {
    pub(crate) fn of(shared: Arc<Shared>, ticker: &str) -> Self {
        let event = match ticker.rsplit_once('-') {
            Some((event, _)) if event.contains('-') => event,
            _ => ticker,
        };
        let index = shared.state().add_market_of(ticker, event);
        Self {
            shared,
            index,
            ticker: ticker.to_owned(),
        }
    }

    /// Its ticker.
    #[must_use]
    pub fn ticker(&self) -> &str {
        &self.ticker
    }

    /// The market maker bids for YES. At a price off the grid it bids at the next one below. It trades with users' orders that it meets;
    /// orders of its own give way.
    pub fn bid(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.act(|state, index| state.market_maker_order(index, Side::Bid, price, count.into()))
    }

    /// The market maker offers YES. At a price off the grid it asks the next one above. It trades with users' orders that it meets;
    /// orders of its own give way.
    pub fn ask(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.act(|state, index| state.market_maker_order(index, Side::Ask, price, count.into()))
    }

    /// Cancels the market maker's orders in this market.
    pub fn clear(&self) -> Self {
        self.act(State::clear_market_maker)
    }

    /// Puts it on a shard. This does nothing once a user has had an order in it.
    pub fn on_shard(&self, exchange_index: u32) -> Self {
        self.set_up(|market| market.shard = exchange_index)
    }

    /// Makes its makers pay fees too, or not. This does nothing once a user has had an order in it.
    pub fn maker_fees(&self, paid: bool) -> Self {
        self.set_up(|market| market.fees.of_makers = paid)
    }

    /// Sets its price grid: a name, and ranges from the first price to the last by a step.
    pub fn price_ranges(&self, structure: &str, ranges: &[(Dollars, Dollars, Dollars)]) -> Self {
        self.act(|state, index| {
            state.set_price_ranges(index, structure, ranges);
            state.emit_step(index, Step::GridChanged);
        })
    }

    /// Sets when it closes.
    pub fn closes_at(&self, time: DateTime<Utc>) -> Self {
        self.act(|state, index| state.set_close(index, time.timestamp_micros()))
    }

    /// Stops its trading: it becomes inactive, and orders with `cancel_order_on_pause` are cancelled.
    pub fn pause(&self) -> Self {
        self.act(|state, index| state.set_market_active(index, false))
    }

    /// Lets its trading go on.
    pub fn resume(&self) -> Self {
        self.act(|state, index| state.set_market_active(index, true))
    }

    /// Ends it: orders are cancelled, and positions are paid.
    pub fn settle(&self, outcome: Outcome) -> Self {
        self.act(|state, index| state.settle(index, outcome))
    }

    /// What is bid for YES, the best price first.
    #[must_use]
    pub fn bids(&self) -> Vec<PriceLevel> {
        self.levels(Side::Bid)
    }

    /// What YES is offered at, the best price first. The exchange's own order book calls that bids for NO.
    #[must_use]
    pub fn asks(&self) -> Vec<PriceLevel> {
        self.levels(Side::Ask)
    }

    /// The whole book at one moment.
    #[must_use]
    pub fn order_book(&self) -> OrderBook {
        let state = self.shared.state();
        let Some(market) = state.markets.get(self.index) else {
            return OrderBook::default();
        };
        let levels = |side| {
            let levels = state.levels(market, side).into_iter();
            levels.map(PriceLevel::from).collect()
        };
        OrderBook {
            bids: levels(Side::Bid),
            asks: levels(Side::Ask),
            clock: market.clock,
        }
    }

    fn levels(&self, side: Side) -> Vec<PriceLevel> {
        let state = self.shared.state();
        let levels = state
            .markets
            .get(self.index)
            .map(|market| state.levels(market, side));
        levels
            .unwrap_or_default()
            .into_iter()
            .map(PriceLevel::from)
            .collect()
    }

    /// Changes what money depends on.
    fn set_up(&self, change: impl FnOnce(&mut state::Market)) -> Self {
        self.act(|state, index| {
            let untouched = !state.ledger.is_touched(index);
            if let Some(market) = state.markets.get_mut(index).filter(|_| untouched) {
                change(market);
            }
        })
    }

    fn act(&self, act: impl FnOnce(&mut State, MarketIndex)) -> Self {
        act(&mut self.shared.state(), self.index);
        self.clone()
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Market").field(&self.ticker).finish()
    }
}
