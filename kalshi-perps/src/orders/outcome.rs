//! Outcomes of placing an order.

use std::time::Duration;

use super::{Reconciliation, UnknownOrder};
use crate::{
    BookSide, ClientOrderId, Contracts, Dollars, OrderId, SubaccountNumber,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// The outcome of placing an order.
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome has to be reconciled"]
#[non_exhaustive]
pub enum OrderOutcome {
    /// The exchange has the order: resting, filled, or cancelled immediately as its time in force requires. [`PlacedOrder::state`] shows
    /// which.
    Placed(PlacedOrder),
    /// The exchange already has a matching order under the client order id that you set. A previous run of the program may have placed it,
    /// so do not place another one under a new id.
    AlreadyExists(PlacedOrder),
    /// The exchange has an order under the client order id, but the lists do not show which: they do not have it yet, or it was changed
    /// since, or it may be in another subaccount, or they have only one in another market or on the other side, which may not be the one.
    /// It is this order if an earlier attempt placed it, or else an older one with the same id.
    /// Do not place another one under a new id. [`UnknownOrder::candidates`] are the orders that have the id, and
    /// [`UnknownOrder::reconcile`] searches for one that the lists did not have yet.
    Unlisted(Box<UnknownOrder>),
    /// The exchange rejected the order.
    Rejected(Rejection),
    /// The order may have been placed. [`UnknownOrder::reconcile`] searches for it, and [`UnknownOrder::resend`] sends it
    /// again with the same client order id.
    Unknown(Box<UnknownOrder>),
}

impl OrderOutcome {
    /// Reconciles an unknown or unlisted outcome within `timeout`, and returns any other outcome unchanged.
    ///
    /// The outcome is also unchanged if the order is not found in time, because that does not prove that it was not placed. Use
    /// [`UnknownOrder::reconcile`] to see the candidates, the orders that it may be.
    pub async fn reconciled(self, timeout: Duration) -> Self {
        let (Self::Unknown(unknown) | Self::Unlisted(unknown)) = &self else {
            return self;
        };
        match unknown.reconcile(timeout).await {
            Reconciliation::Placed(placed) => Self::Placed(placed),
            Reconciliation::AlreadyExists(placed) => Self::AlreadyExists(placed),
            Reconciliation::Unknown(_) => self,
        }
    }
}

/// The rejection of an order: the exchange's error. [`existing`](kalshi_core::orders::Rejection::existing) is always `None`, because an order
/// whose client order id is taken is [`Unlisted`](OrderOutcome::Unlisted) or [`AlreadyExists`](OrderOutcome::AlreadyExists).
pub type Rejection = kalshi_core::orders::Rejection<MarginOrder>;

/// An order that the exchange accepted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacedOrder {
    /// The exchange's id of the order.
    pub order_id: OrderId,
    /// Ticker of the market.
    pub ticker: String,
    /// Side of the book: a bid buys, an ask sells.
    pub side: BookSide,
    /// Limit price of one contract, in dollars.
    pub price: Dollars,
    /// Number of contracts that the order is for, from which [`state`](Self::state) is derived: the count of the request, or the contracts
    /// filled and resting if the order was found resting. An order that was found ended keeps the count of the request, so it appears
    /// cancelled if it was decreased before. Later changes of the order do not update this count.
    pub count: Contracts,
    /// Subaccount of the order, 0 for the primary account. `None` if the request named none: the order is in the primary account, or in the
    /// subaccount that the key is restricted to.
    pub subaccount: Option<SubaccountNumber>,
    /// Client order id: the one that you set, or the one that [`Orders::place`](super::Orders::place) generated.
    pub client_order_id: ClientOrderId,
    /// Contracts filled: immediately, or by the time the order was found.
    pub fill_count: Contracts,
    /// Contracts that rest. Zero if the order was filled or cancelled.
    pub remaining_count: Contracts,
    /// Average price of the immediate fills, in dollars. `None` if nothing was filled immediately, or if the order was found by its id.
    pub average_fill_price: Option<Dollars>,
    /// Average fee per contract of the immediate fills, in dollars. `None` if nothing was filled immediately, or if the order was found by
    /// its id.
    pub average_fee_paid: Option<Dollars>,
    /// The order as it was when it was found by its id, or `None` if the exchange's response said that it was placed.
    pub order: Option<Box<MarginOrder>>,
}

impl PlacedOrder {
    /// Returns the placed order of a request, from the order that was found by its client order id.
    pub(super) fn found(request: &CreateMarginOrderRequest, order: &MarginOrder) -> Self {
        let total = order.fill_count.checked_add(order.remaining_count);
        let total = total.filter(|_| order.remaining_count > Contracts::ZERO);
        Self {
            count: total.unwrap_or(request.count),
            fill_count: order.fill_count,
            remaining_count: order.remaining_count,
            order: Some(Box::new(order.clone())),
            ..Self::new(request, order.order_id.clone())
        }
    }

    /// Returns the placed order of a request, with its id on the exchange.
    pub(super) fn new(request: &CreateMarginOrderRequest, order_id: OrderId) -> Self {
        Self {
            order_id,
            ticker: request.ticker.clone().unwrap_or_default(),
            side: request.side,
            price: request.price,
            count: request.count,
            subaccount: request.subaccount,
            client_order_id: request.client_order_id.clone(),
            fill_count: Contracts::ZERO,
            remaining_count: Contracts::ZERO,
            average_fill_price: None,
            average_fee_paid: None,
            order: None,
        }
    }
}
