//! What the maker holds in one market, counted from its fills.

use kalshi_sdk::{
    Contracts, Dollars,
    types::{self, BookSide},
    ws::messages,
};

/// A fill, delivered by the WebSocket or read by a backfill.
pub(crate) struct Fill {
    pub(crate) ticker: String,
    is_bid: bool,
    price: Dollars,
    count: Contracts,
    fee: Dollars,
}

impl From<&messages::Fill> for Fill {
    fn from(fill: &messages::Fill) -> Self {
        Self {
            ticker: fill.market_ticker.clone(),
            is_bid: fill.book_side == Some(messages::BookSide::Bid),
            price: fill.yes_price_dollars,
            count: fill.count_fp,
            fee: fill.fee_cost,
        }
    }
}

impl From<&types::Fill> for Fill {
    fn from(fill: &types::Fill) -> Self {
        Self {
            ticker: fill.ticker.clone(),
            is_bid: fill.book_side == Some(BookSide::Bid),
            price: fill.yes_price_dollars,
            count: fill.count_fp,
            fee: fill.fee_cost,
        }
    }
}

/// Contracts held, and what they cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// YES contracts, negative for NO.
    pub(crate) position: Contracts,
    /// Dollars received less dollars paid, fees included.
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

    /// Profit if the position were closed at a price of YES.
    pub(crate) fn profit(&self, price: Dollars) -> Dollars {
        Dollars::from_micros(self.cash.micros() + amount(price, self.position))
    }
}

/// Price times count in millionths of a dollar. Exact: prices have at most four decimals, and counts two.
fn amount(price: Dollars, count: Contracts) -> i64 {
    price.micros() * count.hundredths() / 100
}
