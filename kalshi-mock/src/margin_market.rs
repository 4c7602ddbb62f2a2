//! [`MarginMarket`], a handle to control a margin market.

use std::{fmt, sync::Arc};

use kalshi_sdk::{Contracts, Dollars, PriceLevel};

use crate::{
    OrderBook,
    shared::Shared,
    state::{self, MarketIndex, Perp, Side, State},
};

/// A market of perpetual futures.
///
/// Methods take effect immediately and can be chained:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use kalshi_mock::MockExchange;
///
/// let exchange = MockExchange::start().await?;
/// exchange
///     .margin_market("KXTESTPERP")
///     .bid("6.3300".parse()?, 100)
///     .ask("6.3400".parse()?, 50)
///     .mark("6.3350".parse()?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MarginMarket {
    shared: Arc<Shared>,
    ticker: String,
}

impl MarginMarket {
    pub(crate) fn new(shared: Arc<Shared>, ticker: &str) -> Self {
        shared.state().margin().add_margin_market(ticker);
        Self {
            shared,
            ticker: ticker.to_owned(),
        }
    }

    /// Returns the ticker of the market.
    #[must_use]
    pub fn ticker(&self) -> &str {
        &self.ticker
    }

    /// Places a bid of the market maker. A price between ticks is rounded down. The bid trades with users' orders that it crosses,
    /// and cancels the market maker's own orders that it crosses.
    pub fn bid(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_order(index, Side::Bid, price, count.into())
        })
    }

    /// Places an ask of the market maker. A price between ticks is rounded up. The ask trades with users' orders that it crosses,
    /// and cancels the market maker's own orders that it crosses.
    pub fn ask(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_order(index, Side::Ask, price, count.into())
        })
    }

    /// Cancels the market maker's orders in this market.
    pub fn clear(&self) -> Self {
        self.with_state(State::clear_market_maker)
    }

    /// Buys for the market maker from users' asks up to a price, and cancels the market maker's own asks up to that price. The
    /// remainder is cancelled.
    pub fn buy(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_trade(index, Side::Bid, price, count.into())
        })
    }

    /// Sells for the market maker to users' bids down to a price, and cancels the market maker's own bids down to that price. The
    /// remainder is cancelled.
    pub fn sell(&self, price: Dollars, count: impl Into<Contracts>) -> Self {
        self.with_state(|state, index| {
            state.market_maker_trade(index, Side::Ask, price, count.into())
        })
    }

    /// Sets the mark price, up to a million dollars. Unless it is set, it is the middle of the book, or else the last price, or
    /// else the reference price.
    pub fn mark(&self, price: Dollars) -> Self {
        self.change_perp(|perp| perp.mark = Some(clamp_price(price)))
    }

    /// Sets the reference price, up to a million dollars: the price of the underlying per contract. The premium of the mark price
    /// over it is the funding rate.
    pub fn reference(&self, price: Dollars) -> Self {
        self.change_perp(|perp| perp.reference = clamp_price(price))
    }

    /// Sets the funding rate of future periods in millionths of the notional value. Long positions pay a positive rate. It is
    /// capped at 20,000 (2 percent), and rates below 100 (0.01 percent) become zero.
    pub fn funding_rate(&self, millionths: i32) -> Self {
        self.change_perp(|perp| perp.rate = Some(i64::from(millionths) * 1_000_000))
    }

    /// Sets the fees of makers and takers, in millionths of the notional value. Defaults to 200 and 1,200.
    pub fn fees(&self, maker: u32, taker: u32) -> Self {
        self.change_perp(|perp| {
            perp.maker_rate = i64::from(maker.min(1_000_000));
            perp.taker_rate = i64::from(taker.min(1_000_000));
        })
    }

    /// Sets the leverage, which is the notional value over the maintenance margin, in ten-thousandths. Has no effect once a user
    /// has had an order in the market.
    pub fn leverage(&self, ten_thousandths: u32) -> Self {
        self.with_state(|state, index| {
            let is_unused = !state.ledger.has_user_holdings(index);
            let market = state.markets.get_mut(index).filter(|_| is_unused);
            if let Some(perp) = market.and_then(|market| market.perp.as_mut()) {
                perp.leverage = i64::from(ten_thousandths.max(1));
            }
        })
    }

    /// Sets whether orders may be for fractions of a contract. Defaults to false.
    pub fn fractional(&self, allowed: bool) -> Self {
        self.change_perp(|perp| perp.fractional = allowed)
    }

    /// Sets the `market_version`. Orders that expect another one are rejected. Defaults to 1.
    pub fn version(&self, version: i32) -> Self {
        self.change_perp(|perp| perp.version = version)
    }

    /// Stops trading: the market becomes inactive, and orders with `cancel_order_on_pause` are cancelled.
    pub fn pause(&self) -> Self {
        self.with_state(|state, index| state.set_market_active(index, false))
    }

    /// Resumes trading after [`pause`](Self::pause).
    pub fn resume(&self) -> Self {
        self.with_state(|state, index| state.set_market_active(index, true))
    }

    /// Returns the bids, best price first.
    #[must_use]
    pub fn bids(&self) -> Vec<PriceLevel> {
        self.order_book().bids
    }

    /// Returns the asks, best price first.
    #[must_use]
    pub fn asks(&self) -> Vec<PriceLevel> {
        self.order_book().asks
    }

    /// Returns a consistent snapshot of the book. The margin API does not send its `clock`.
    #[must_use]
    pub fn order_book(&self) -> OrderBook {
        let mut guard = self.shared.state();
        let state = guard.margin();
        match state.market(&self.ticker) {
            Some((_, market)) => OrderBook::new(state, market),
            None => OrderBook::default(),
        }
    }

    /// Returns the mark price.
    #[must_use]
    pub fn mark_price(&self) -> Dollars {
        let mut guard = self.shared.state();
        let state = guard.margin();
        let market = state.market(&self.ticker);
        market.map_or(Dollars::ZERO, |(_, market)| state.mark(market))
    }

    /// Returns true once a user has had an order in the market.
    pub(crate) fn has_user_holdings(&self) -> bool {
        let mut guard = self.shared.state();
        let state = guard.margin();
        let market = state.market(&self.ticker);
        market.is_some_and(|(index, _)| state.ledger.has_user_holdings(index))
    }

    fn change_perp(&self, change: impl FnOnce(&mut Perp)) -> Self {
        self.with_state(|state, index| {
            let market = state.markets.get_mut(index);
            if let Some(perp) = market.and_then(|market| market.perp.as_mut()) {
                change(perp);
            }
        })
    }

    fn with_state(&self, change: impl FnOnce(&mut State, MarketIndex)) -> Self {
        let mut guard = self.shared.state();
        let state = guard.margin();
        // A reset may have removed the market.
        let index = state.add_margin_market(&self.ticker);
        change(state, index);
        drop(guard);
        self.clone()
    }
}

/// Returns the nearest valid price: above zero, and low enough that no arithmetic overflows.
fn clamp_price(price: Dollars) -> Dollars {
    price.clamp(Dollars::from_micros(state::TICK), state::MAX_PRICE)
}

impl fmt::Debug for MarginMarket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MarginMarket").field(&self.ticker).finish()
    }
}
