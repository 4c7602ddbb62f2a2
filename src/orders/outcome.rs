//! Outcomes of placing an order.

use std::time::Duration;

use super::{Reconciliation, UnknownOrder};
use crate::{
    BookSide, ClientOrderId, Contracts, Dollars, OrderId, SubaccountNumber,
    types::{CreateOrderV2Request, Order},
};

/// The outcome of placing an order.
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome has to be reconciled"]
#[non_exhaustive]
pub enum OrderOutcome {
    /// The exchange has the order: resting, filled, or cancelled immediately as its time in force requires.
    Placed(PlacedOrder),
    /// The exchange already has a matching order under the client order id that you set. A previous run of the program may have placed
    /// it, so do not place another one under a new id.
    AlreadyExists(PlacedOrder),
    /// The exchange rejected the order.
    Rejected(Rejection),
    /// The order may have been placed. [`UnknownOrder::reconcile`] determines whether it was.
    Unknown(Box<UnknownOrder>),
    /// The order was not placed: reads that are up to date do not contain it. Only [`reconciled`](Self::reconciled) returns this.
    NotPlaced,
}

impl OrderOutcome {
    /// Reconciles an unknown outcome within `timeout`, and returns any other outcome unchanged.
    ///
    /// An outcome that is not proven in time stays [`Unknown`](Self::Unknown). Use [`UnknownOrder::reconcile`] to see the candidates, the
    /// orders that it may be.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, order: kalshi_sdk::orders::NewOrder) -> Result<(), kalshi_sdk::Error> {
    /// use std::time::Duration;
    /// use kalshi_sdk::orders::OrderOutcome;
    ///
    /// match client.orders().place(order).await?.reconciled(Duration::from_secs(60)).await {
    ///     OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => {
    ///         println!("{} was placed", placed.order_id);
    ///     }
    ///     OrderOutcome::Rejected(_) | OrderOutcome::NotPlaced => println!("it was not placed"),
    ///     unknown => println!("still unknown: {unknown:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reconciled(self, timeout: Duration) -> Self {
        let Self::Unknown(unknown) = self else {
            return self;
        };
        match unknown.reconcile(timeout).await {
            Reconciliation::Placed(placed) => Self::Placed(placed),
            Reconciliation::AlreadyExists(placed) => Self::AlreadyExists(placed),
            Reconciliation::NotFound => Self::NotPlaced,
            Reconciliation::Unknown(_) => Self::Unknown(unknown),
        }
    }
}

/// The rejection of an order: the exchange's error, and the order that has the client order id if that is taken.
pub type Rejection = kalshi_core::orders::Rejection<Order>;

/// An order that the exchange accepted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacedOrder {
    /// The exchange's id of the order.
    pub order_id: OrderId,
    /// Ticker of the market.
    pub ticker: String,
    /// Side of the YES book: a bid buys YES or sells NO.
    pub side: BookSide,
    /// Limit price of YES, in dollars.
    pub price: Dollars,
    /// The subaccount, or `None` if the request named none and the order was not looked up.
    pub subaccount: Option<SubaccountNumber>,
    /// The shard, or `None` if the request named none and the order was not looked up: the exchange then finds it by the market.
    pub exchange_index: Option<i64>,
    /// Client order id: the one that you set, or the one that [`Orders::place`](super::Orders::place) generated.
    pub client_order_id: ClientOrderId,
    /// Contracts filled: immediately, or by the time the order was found.
    pub fill_count: Contracts,
    /// Contracts that rest. Zero if the order was filled or cancelled.
    pub remaining_count: Contracts,
    /// Average price of the immediate fills, in dollars, as the exchange reports it. It appears to be the YES price, as in the request.
    /// `None` if nothing was filled immediately, or if the order was found by its id.
    pub average_fill_price: Option<Dollars>,
    /// Average fee per contract of the immediate fills, in dollars. `None` if there were none, or the order was found by its id.
    pub average_fee_paid: Option<Dollars>,
    /// The order as it was when it was found by its id, or `None` if the exchange's response said that it was placed.
    pub order: Option<Box<Order>>,
}

impl PlacedOrder {
    /// Returns the placed order of a request, from the order that was found by its client order id.
    pub(super) fn found(request: &CreateOrderV2Request, order: Order) -> Self {
        Self {
            fill_count: order.fill_count_fp,
            remaining_count: order.remaining_count_fp,
            subaccount: order.subaccount_number.or(request.subaccount),
            exchange_index: order.exchange_index.map(|index| index.0),
            order: Some(Box::new(order.clone())),
            ..Self::new(request, order.order_id)
        }
    }

    /// Returns the placed order of a request, with its id on the exchange.
    pub(super) fn new(request: &CreateOrderV2Request, order_id: OrderId) -> Self {
        let shard = request.exchange_index.as_ref().map(|index| index.0);
        Self {
            order_id,
            ticker: request.ticker.clone(),
            side: request.side,
            price: request.price,
            subaccount: request.subaccount,
            // A negative index requests routing by the market.
            exchange_index: shard.filter(|shard| *shard >= 0),
            client_order_id: request.client_order_id.clone().unwrap_or_else(|| "".into()),
            fill_count: Contracts::ZERO,
            remaining_count: Contracts::ZERO,
            average_fill_price: None,
            average_fee_paid: None,
            order: None,
        }
    }
}
