//! Position and cash of the maker in one market, counted from its fills.

use kalshi_sdk::{
    Contracts, Dollars,
    types::{self, BookSide},
    ws::messages,
};

use super::Error;

/// A fill from the WebSocket or from a backfill.
pub(crate) struct Fill {
    pub(crate) ticker: String,
    is_bid: bool,
    price: Dollars,
    count: Contracts,
    fee: Dollars,
}

impl TryFrom<&messages::Fill> for Fill {
    type Error = Error;

    fn try_from(fill: &messages::Fill) -> Result<Self, Error> {
        Ok(Self {
            ticker: fill.market_ticker.clone(),
            is_bid: match &fill.book_side {
                Some(messages::BookSide::Bid) => true,
                Some(messages::BookSide::Ask) => false,
                other => return Err(unknown_side(&fill.trade_id, other)),
            },
            price: fill.yes_price_dollars,
            count: fill.count_fp,
            fee: fill.fee_cost,
        })
    }
}

impl TryFrom<&types::Fill> for Fill {
    type Error = Error;

    fn try_from(fill: &types::Fill) -> Result<Self, Error> {
        Ok(Self {
            ticker: fill.ticker.clone(),
            is_bid: match &fill.book_side {
                Some(BookSide::Bid) => true,
                Some(BookSide::Ask) => false,
                other => return Err(unknown_side(&fill.trade_id, other)),
            },
            price: fill.yes_price_dollars,
            count: fill.count_fp,
            fee: fill.fee_cost,
        })
    }
}

/// Returns the error for a fill without a known side, which makes the position unknown.
fn unknown_side(trade_id: &str, side: &impl std::fmt::Debug) -> Error {
    format!("the fill of trade {trade_id} has no known book side: {side:?}").into()
}

/// The position, and the cash that it has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// YES contracts; negative for NO contracts.
    pub(crate) position: Contracts,
    /// Dollars received minus dollars paid, including fees.
    cash: Dollars,
}

impl Account {
    pub(crate) fn add(&mut self, fill: &Fill) {
        let sign = if fill.is_bid { 1 } else { -1 };
        let position = self.position.hundredths() + sign * fill.count.hundredths();
        self.position = Contracts::from_hundredths(position);
        let cost = sign * amount(fill.price, fill.count) + fill.fee.micros();
        self.cash = Dollars::from_micros(self.cash.micros() - cost);
    }

    /// Returns the profit if the position is closed at this YES price.
    pub(crate) fn profit(&self, price: Dollars) -> Dollars {
        Dollars::from_micros(self.cash.micros() + amount(price, self.position))
    }
}

/// Returns price times count in millionths of a dollar. The result is exact, because prices have at most four decimals and counts two.
fn amount(price: Dollars, count: Contracts) -> i64 {
    price.micros() * count.hundredths() / 100
}
