//! Outcomes of placing an order.

use std::{fmt, time::Duration};

use kalshi_core::rt;
use reqwest::StatusCode;

use super::{Reconciliation, UnknownOutcome};
use crate::{
    ApiError, BookSide, ClientOrderId, Contracts, Dollars, OrderId, SubaccountNumber,
    types::{CreateOrderV2Request, Order},
};

/// The outcome of placing an order.
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome must be followed up"]
#[non_exhaustive]
pub enum OrderOutcome {
    /// The exchange has the order: resting, filled, or cancelled immediately as its time in force says.
    Placed(PlacedOrder),
    /// The exchange already has a matching order under the client order id that you set. A previous run of the program may have placed
    /// it, so do not place another one under a new id.
    AlreadyExists(PlacedOrder),
    /// The exchange rejected the order.
    Rejected(Rejection),
    /// The order may have been placed. [`UnknownOutcome::reconcile`] finds out.
    Unknown(Box<UnknownOutcome>),
    /// The order was not placed: reads that are up to date do not have it. Only [`reconciled`](Self::reconciled) returns this.
    NotPlaced,
}

impl OrderOutcome {
    /// Reconciles an unknown outcome within `timeout`; any other is returned as it is.
    ///
    /// An outcome that is not proven in time stays [`Unknown`](Self::Unknown). Use [`UnknownOutcome::reconcile`] to see the orders that
    /// may be it.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, order: kalshi_sdk::orders::NewOrder) -> Result<(), kalshi_sdk::Error> {
    /// use std::time::Duration;
    /// use kalshi_sdk::orders::OrderOutcome;
    ///
    /// match client.orders().place(order).await?.reconciled(Duration::from_secs(60)).await {
    ///     OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => println!("{} was placed", placed.order_id),
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
            Reconciliation::NotFound => Self::NotPlaced,
            Reconciliation::Unknown(_) => Self::Unknown(unknown),
        }
    }
}

/// A rejected order.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    error: ApiError,
    existing: Option<Box<Order>>,
}

impl Rejection {
    pub(crate) fn new(error: ApiError, existing: Option<Order>) -> Self {
        Self {
            error,
            existing: existing.map(Box::new),
        }
    }

    /// The exchange's error.
    #[must_use]
    pub fn error(&self) -> &ApiError {
        &self.error
    }

    /// The exchange's code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.error.code()
    }

    /// The order in another market, on the other side or of another subaccount that has the client order id already. `None` if the
    /// order was rejected for another reason.
    #[must_use]
    pub fn existing(&self) -> Option<&Order> {
        self.existing.as_deref()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match &self.existing {
            Some(order) => write!(
                f,
                "; the order {} in {} has this client order id: use another one",
                order.order_id, order.ticker
            ),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}

/// An order that the exchange has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacedOrder {
    /// The exchange's id.
    pub order_id: OrderId,
    /// The market.
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
    /// Mean price of the immediate fills, in dollars, as the exchange reports it. It appears to be the YES price, as in the request.
    /// `None` if nothing was filled immediately, or if the order was found by its id.
    pub average_fill_price: Option<Dollars>,
    /// Mean fee per contract of the immediate fills, in dollars. `None` if there were none, or the order was found by its id.
    pub average_fee_paid: Option<Dollars>,
    /// The order as it was when it was found by its id, or `None` if the exchange's response said that it was placed.
    pub order: Option<Box<Order>>,
}

impl PlacedOrder {
    /// An order that was found by its client order id.
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

    /// The order of a request, with its id on the exchange.
    pub(super) fn new(request: &CreateOrderV2Request, order_id: OrderId) -> Self {
        let shard = request.exchange_index.as_ref().map(|index| index.0);
        Self {
            order_id,
            ticker: request.ticker.clone(),
            side: request.side,
            price: request.price,
            subaccount: request.subaccount,
            // A negative index asks for routing.
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

/// The part of a response that says which order it is about.
pub(super) struct Identity<'a> {
    pub(super) order_id: &'a str,
    pub(super) client_order_id: Option<&'a str>,
    pub(super) fill_count: Contracts,
    pub(super) remaining_count: Contracts,
}

impl Identity<'_> {
    /// Returns what is wrong if the response cannot be about the request.
    pub(super) fn check(
        &self,
        status: StatusCode,
        request: &CreateOrderV2Request,
    ) -> Result<(), String> {
        if self.order_id.is_empty() {
            return Err("the order has no id".to_owned());
        }
        match self.client_order_id.filter(|id| !id.is_empty()) {
            Some(id) if Some(id) != request.client_order_id.as_deref() => {
                return Err(
                    "the response is about an order with another client order id".to_owned(),
                );
            }
            // The response to an amendment looks the same, but for the status.
            None if status != StatusCode::CREATED => {
                return Err(format!(
                    "the response names no client order id, and has status {status} instead of 201"
                ));
            }
            _ => {}
        }
        check_counts(self.fill_count, self.remaining_count, request.count)
    }
}

/// Checks the counts of a response against the count that was asked for.
pub(super) fn check_counts(
    filled: Contracts,
    remaining: Contracts,
    asked: Contracts,
) -> Result<(), String> {
    let total = filled.checked_add(remaining);
    if filled < Contracts::ZERO
        || remaining < Contracts::ZERO
        || total.is_none_or(|total| total > asked)
    {
        return Err(format!(
            "{filled} filled and {remaining} remaining contracts cannot be of an order for {asked}"
        ));
    }
    Ok(())
}

/// Returns `true` if the error may say that the client order id is taken, perhaps by this very order.
pub(super) fn is_conflict(error: &crate::Error) -> bool {
    error.api().is_some_and(|error| {
        error.status() == reqwest::StatusCode::CONFLICT
            && (error.code().is_none() || is_duplicate(error))
    })
}

/// Returns `true` if the exchange says that the client order id is taken.
pub(super) fn is_duplicate(error: &ApiError) -> bool {
    rt::bare_code(error) == "order_already_exists"
}
