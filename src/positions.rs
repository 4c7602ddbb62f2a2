//! Exact cost and value of positions.
//!
//! A position is a number of contracts: positive for YES, negative for NO, as in `position_fp` of `GET /portfolio/positions` and in
//! [`Fill::signed_count`](crate::types::Fill::signed_count). The cost of an order or a fill, which has a price and a count without a sign,
//! is [`Dollars::checked_mul`].
//!
//! # Netting
//!
//! A market has one position, because buying NO is selling YES on its one order book. A fill that buys NO first reduces a position in YES,
//! and only the rest becomes a position in NO; a fill that buys YES does the opposite. The position is therefore the sum of the signed
//! counts of all fills: buying 10 YES and then 4 NO leaves 6 YES.
//!
//! # Example
//!
//! ```no_run
//! # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
//! let positions = client.get_positions().by_market_position().collect_all(1_000).await?.into_vec();
//! if positions.is_empty() {
//!     return Ok(()); // An empty list of tickers is an error.
//! }
//! let tickers = positions.iter().map(|position| &position.ticker);
//! let markets = client.get_markets().tickers(tickers).limit(1_000).send().await?;
//! for position in &positions {
//!     let mut markets = markets.markets.iter();
//!     let Some(market) = markets.find(|market| market.ticker == position.ticker) else { continue };
//!     if let Some(mark) = market.mark(position.position_fp) {
//!         println!("{} {}: worth {mark:.2}", position.ticker, position.position_fp);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use crate::{BookSide, Contracts, Dollars, OutcomeSide, types};

impl types::GetBalanceResponse {
    /// Returns the value of the portfolio, which the exchange sends in cents. `None` if it is too large for [`Dollars`].
    #[must_use]
    pub fn portfolio_value_dollars(&self) -> Option<Dollars> {
        Dollars::checked_from_cents(self.portfolio_value)
    }
}

impl types::Settlement {
    /// Returns the total payout of the settlement, which the exchange sends in cents. `None` if it is too large for [`Dollars`].
    #[must_use]
    pub fn revenue_dollars(&self) -> Option<Dollars> {
        Dollars::checked_from_cents(self.revenue)
    }

    /// Returns the payout of one YES contract, which the exchange sends in cents. `None` if the exchange sent no value, or if it is too
    /// large for [`Dollars`].
    #[must_use]
    pub fn value_dollars(&self) -> Option<Dollars> {
        self.value.and_then(Dollars::checked_from_cents)
    }
}

/// Returns the cost of a position at a YES price, without fees: the price for each YES contract, one dollar minus the price for each NO
/// contract.
///
/// `None` if the price is not between 0 and 1 dollar, if the result is not a whole number of millionths of a dollar, or on overflow.
///
/// ```
/// use kalshi_sdk::{Contracts, Dollars, positions};
///
/// let price = Dollars::from_cents(56);
/// assert_eq!(positions::cost(Contracts::from(10), price), Some("5.60".parse()?));
/// assert_eq!(positions::cost(Contracts::from(-10), price), Some("4.40".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn cost(position: Contracts, yes_price: Dollars) -> Option<Dollars> {
    if yes_price < Dollars::ZERO || yes_price > Dollars::ONE {
        return None;
    }
    let price = match position < Contracts::ZERO {
        true => yes_price.checked_complement()?,
        false => yes_price,
    };
    price.checked_mul(position.checked_abs()?)
}

/// Returns the proceeds of closing a position at the best prices, without fees: YES is sold at the bid, NO at one dollar minus the ask.
///
/// No order can have a price of 0 or of 1 dollar: a market without a bid has a `yes_bid` of 0, and one without an ask a `yes_ask` of
/// 1 dollar or 0. Such a position cannot be closed and is worth 0. The best level may hold fewer contracts than the position; `sweep`
/// of `ws::OrderBook` considers the whole book.
///
/// Returns `None` in the same cases as [`cost`].
#[must_use]
pub fn mark(position: Contracts, yes_bid: Dollars, yes_ask: Dollars) -> Option<Dollars> {
    let price = match position < Contracts::ZERO {
        true if yes_ask.is_zero() => Dollars::ONE,
        true => yes_ask,
        false if yes_bid == Dollars::ONE => Dollars::ZERO,
        false => yes_bid,
    };
    cost(position, price)
}

/// Returns a count with the sign of its side.
fn signed(
    side: Option<BookSide>,
    outcome: Option<OutcomeSide>,
    count: Contracts,
) -> Option<Contracts> {
    match side.or(outcome.and_then(OutcomeSide::book_side))? {
        BookSide::Bid => Some(count),
        BookSide::Ask => count.checked_neg(),
        _ => None,
    }
}

/// Returns the outcome that is bought and its price. Selling an outcome is buying the other one.
fn bought(
    outcome: Option<OutcomeSide>,
    side: Option<BookSide>,
    yes_price: Dollars,
) -> Option<(OutcomeSide, Dollars)> {
    match side.or(outcome.and_then(OutcomeSide::book_side))? {
        BookSide::Bid => Some((OutcomeSide::Yes, yes_price)),
        BookSide::Ask => Some((OutcomeSide::No, yes_price.checked_complement()?)),
        _ => None,
    }
}

impl types::Order {
    /// Returns the outcome that the order buys and the price of that outcome. An order that sells YES buys NO at one dollar less the
    /// price. `None` if the exchange sent no side, or one that is unknown.
    #[must_use]
    pub fn bought(&self) -> Option<(OutcomeSide, Dollars)> {
        bought(self.outcome_side, self.book_side, self.yes_price_dollars)
    }
}

impl types::Fill {
    /// Returns the outcome that the fill bought and the price of that outcome: see [`Order::bought`](types::Order::bought).
    #[must_use]
    pub fn bought(&self) -> Option<(OutcomeSide, Dollars)> {
        bought(self.outcome_side, self.book_side, self.yes_price_dollars)
    }

    /// Returns the change of the position in the market: positive if the fill bought YES or sold NO, negative if it bought NO or sold
    /// YES. `None` if the exchange sent no side, or one that is unknown.
    #[must_use]
    pub fn signed_count(&self) -> Option<Contracts> {
        signed(self.book_side, self.outcome_side, self.count_fp)
    }
}

#[cfg(feature = "ws")]
impl crate::ws::messages::Fill {
    /// Returns the change of the position in the market: positive if the fill bought YES or sold NO, negative if it bought NO or sold
    /// YES. `None` if the exchange sent no side, or one that is unknown.
    #[must_use]
    pub fn signed_count(&self) -> Option<Contracts> {
        signed(self.book_side, self.outcome_side, self.count_fp)
    }
}
