//! Own orders in an order book, and an estimate of the book without them.

use super::{
    book::{OrderBook, complement},
    messages,
};
use crate::{BookSide, Contracts, Dollars, OutcomeSide, orders::PlacedOrder, types};

/// Your own resting order as it appears in an order book: a bid for one outcome.
///
/// It converts from an order of the REST API and from a message of the channel `user_orders`. An order that is not resting, or whose side
/// is unknown, converts to one with zero `remaining`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnOrder {
    /// The outcome that the order bids for. Selling YES is bidding for NO.
    pub outcome: OutcomeSide,
    /// Limit price of that outcome, in dollars.
    pub price: Dollars,
    /// Number of contracts that rest.
    pub remaining: Contracts,
}

impl OwnOrder {
    /// Returns a bid for `remaining` contracts of an outcome, at a price of that outcome.
    #[must_use]
    pub const fn new(outcome: OutcomeSide, price: Dollars, remaining: Contracts) -> Self {
        Self {
            outcome,
            price,
            remaining,
        }
    }

    /// Converts an order from the terms of the YES book.
    fn on_yes_book(side: Option<BookSide>, yes_price: Dollars, remaining: Contracts) -> Self {
        match side {
            Some(BookSide::Bid) => Self::new(OutcomeSide::Yes, yes_price, remaining),
            Some(BookSide::Ask) => Self::new(OutcomeSide::No, complement(yes_price), remaining),
            _ => Self::new(OutcomeSide::Yes, yes_price, Contracts::ZERO),
        }
    }
}

impl From<&types::Order> for OwnOrder {
    fn from(order: &types::Order) -> Self {
        let side = order
            .book_side
            .or(order.outcome_side.and_then(OutcomeSide::book_side));
        let rests = order.status == types::OrderStatus::Resting;
        let (price, remaining) = (order.yes_price_dollars, order.remaining_count_fp);
        Self::on_yes_book(side.filter(|_| rests), price, remaining)
    }
}

/// Converts to the part that rested when the order was placed.
impl From<&PlacedOrder> for OwnOrder {
    fn from(order: &PlacedOrder) -> Self {
        Self::on_yes_book(Some(order.side), order.price, order.remaining_count)
    }
}

impl From<&messages::UserOrder> for OwnOrder {
    fn from(order: &messages::UserOrder) -> Self {
        let rests = order.status == types::OrderStatus::Resting;
        let (price, remaining) = (order.yes_price_dollars, order.remaining_count_fp);
        Self::on_yes_book(Some(order.book_side).filter(|_| rests), price, remaining)
    }
}

impl OrderBook {
    /// Returns an estimate of the book without your own orders: the bids of others.
    ///
    /// Pass your orders of this market only. The result is an estimate because book updates and orders arrive on different channels, in no
    /// defined order: an order may not be in the book yet, or may already be gone from it. No count falls below zero. To see which changes
    /// are your own, read `client_order_id` of [`BookEvent::Changed`](super::BookEvent::Changed).
    ///
    /// ```
    /// use kalshi_sdk::{OutcomeSide, ws::{OrderBook, OwnOrder}};
    ///
    /// let mut book = OrderBook::new();
    /// book.add(OutcomeSide::Yes, "0.41".parse()?, "10".parse()?)?;
    /// book.add(OutcomeSide::Yes, "0.40".parse()?, "75".parse()?)?;
    /// let own = [OwnOrder::new(OutcomeSide::Yes, "0.41".parse()?, "10".parse()?)];
    /// let others = book.without(own);
    /// assert_eq!(others.best_bid(OutcomeSide::Yes).unwrap().price, "0.40".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without(&self, own: impl IntoIterator<Item = impl Into<OwnOrder>>) -> Self {
        let mut others = self.clone();
        for order in own {
            let order = order.into();
            let here = others.count_at(order.outcome, order.price);
            let taken = order
                .remaining
                .hundredths()
                .clamp(0, here.hundredths().max(0));
            // Removes at most what the level has, and nothing from a level that does not exist.
            _ = others.add(
                order.outcome,
                order.price,
                Contracts::from_hundredths(-taken),
            );
        }
        others
    }
}
