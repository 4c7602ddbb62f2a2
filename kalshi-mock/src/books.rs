//! Conversions between the books of the exchange and those of the SDKs.

use kalshi_sdk::{OutcomeSide, PriceLevel, ws};

use crate::OrderBook;

/// Drops the clock, which books of the SDK do not have.
impl From<&OrderBook> for ws::OrderBook {
    fn from(book: &OrderBook) -> Self {
        let as_bid = |ask: &PriceLevel| PriceLevel {
            price: ask.price.complement(),
            ..*ask
        };
        let no: Vec<PriceLevel> = book.asks.iter().map(as_bid).collect();
        Self::from_bids(&book.bids, &no)
    }
}

/// Sets the clock to 0, because books of the SDK have no clock.
impl From<&ws::OrderBook> for OrderBook {
    fn from(book: &ws::OrderBook) -> Self {
        Self {
            bids: book.bids(OutcomeSide::Yes).collect(),
            asks: book.asks(OutcomeSide::Yes).collect(),
            clock: 0,
        }
    }
}

/// Drops the clock, which books of the SDK do not have.
#[cfg(feature = "perps")]
impl From<&OrderBook> for kalshi_perps::ws::OrderBook {
    fn from(book: &OrderBook) -> Self {
        Self::from_levels(&book.bids, &book.asks)
    }
}

/// Sets the clock to 0, because books of the SDK have no clock.
#[cfg(feature = "perps")]
impl From<&kalshi_perps::ws::OrderBook> for OrderBook {
    fn from(book: &kalshi_perps::ws::OrderBook) -> Self {
        use kalshi_perps::BookSide;
        Self {
            bids: book.levels(BookSide::Bid).collect(),
            asks: book.levels(BookSide::Ask).collect(),
            clock: 0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kalshi_sdk::{Contracts, Dollars};

    use super::*;

    fn book() -> OrderBook {
        let level = |cents, count| PriceLevel {
            price: Dollars::from_cents(cents),
            count: Contracts::from(count),
        };
        OrderBook {
            bids: vec![level(40, 5), level(39, 1)],
            asks: vec![level(45, 2), level(60, 7)],
            clock: 8,
        }
    }

    #[test]
    fn sdk_book_has_asks_as_no_bids() {
        let book = book();
        let converted = ws::OrderBook::from(&book);
        let best = converted.best_bid(OutcomeSide::No).unwrap();
        assert_eq!(best.price, Dollars::from_cents(55));
        assert_eq!(best.count, Contracts::from(2));
        let back = OrderBook::from(&converted);
        assert_eq!((&back, back.clock), (&book, 0));
    }

    #[cfg(feature = "perps")]
    #[test]
    fn perps_sdk_book_has_the_same_sides() {
        let book = book();
        let converted = kalshi_perps::ws::OrderBook::from(&book);
        assert_eq!(converted.levels(kalshi_perps::BookSide::Ask).count(), 2);
        assert_eq!(OrderBook::from(&converted), book);
        assert_ne!(OrderBook::default(), book);
    }
}
