//! Orders with an unknown outcome, and their reconciliation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    self, Moment,
    orders::{
        Age, Finding, LastError, OrderMatch, Reading, SEARCH_MARGIN_MS, inquire, is_duplicate,
    },
};

use super::{
    OrderOutcome, PlacedOrder, Unresolved,
    search::{Ids, Rows, Search, compare},
};
use crate::{
    Client, Error,
    types::{CreateOrderV2Request, Order},
};

/// An order as it was sent.
pub(super) type SentOrder = rt::orders::SentOrder<CreateOrderV2Request>;

/// An order that may have been placed: no response arrived, or one that proves nothing. Contained in [`OrderOutcome::Unknown`].
///
/// [`reconcile`](Self::reconcile) looks the order up. [`resend`](Self::resend) sends it again under the same client order id, which cannot
/// place it twice. Do not place the order under another id until its outcome is known.
#[derive(Clone)]
pub struct UnknownOrder {
    client: Client,
    order: SentOrder,
    error: Arc<Error>,
    /// `true` if the exchange said to any attempt that the client order id is taken.
    is_taken: bool,
    candidates: Vec<Order>,
    /// Time at which the response to the request arrived or the client stopped waiting for it.
    ended: Moment,
}

/// The result of [`UnknownOrder::reconcile`]: whether an order with an unknown outcome was placed.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum Reconciliation {
    /// The exchange has the order.
    Placed(PlacedOrder),
    /// The client order id that you set was taken: a matching order has it, which a previous run of the program may have placed. It may be
    /// this one if the responses do not show the exchange's time.
    AlreadyExists(PlacedOrder),
    /// The order was not placed: it was absent once reads were up to date.
    NotFound,
    /// Neither is proven. Contains the last error or the matching orders, if any.
    Unknown(Unresolved),
}

impl UnknownOrder {
    /// Returns the outcome of an order that failed with `error`, for tests. [`reconcile`](Self::reconcile) and [`resend`](Self::resend) use
    /// `client`, for example a client of `kalshi-mock`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn for_tests(client: &Client, order: CreateOrderV2Request, error: Error) -> Self {
        let order = super::place::prepare(client, order);
        Self::new(client, order, Arc::new(error), Moment::now(&client.core))
    }

    /// Determines within `timeout` whether the order was placed.
    ///
    /// Searches the account's orders of the market, and the archive, for the client order id, until an order decides the outcome or `GET
    /// /exchange/user_data_timestamp` proves that reads reflect everything up to the end of the request: the response, or the time at which
    /// the client stopped waiting for it. That takes a few seconds, sometimes more than ten. Fills do not contain the client order id, so
    /// they are not searched.
    ///
    /// If you set the client order id, an earlier order may have it. `Placed` therefore requires that the order was certainly created after
    /// the request was sent, with a tolerance of five seconds; otherwise the order is a candidate of `Unknown`. So is an order with the id that
    /// does not match, unless it is certainly older than the request.
    ///
    /// `NotFound` assumes that the exchange does not begin to process a request after the client has stopped waiting for it, and that no
    /// amendment has changed the order's client order id since.
    ///
    /// With a key that is restricted to a subaccount, set that subaccount in the order: otherwise it cannot be distinguished from an order of
    /// the primary account, and the result is `Unknown`.
    pub async fn reconcile(&self, timeout: Duration) -> Reconciliation {
        let last_error = LastError::default();
        let seen = Mutex::new(Vec::new());
        let (ids, last, last_seen) = ([self.client_order_id()], &last_error, &seen);
        let look = |client: Client, is_fresh| async move {
            // If the exchange said that the id is taken, the order that has it may be of any age, and there must be one.
            let since_ms = (!self.is_taken).then(|| self.order.began.earliest_ms(&client.core));
            let search = Search {
                ids: Ids::Client(&ids),
                ticker: Some(&self.order.request.ticker),
                subaccount: self.order.request.subaccount,
                since_ms,
                archive: is_fresh || self.is_taken,
                proves_absence: is_fresh,
            };
            let order_match = |order: &Order| compare(&self.order.request, order);
            let relevant = |rows: &Rows| {
                let orders = rows.orders.iter().cloned();
                let (candidates, others): (Vec<_>, Vec<_>) = orders
                    .filter(|order| !self.is_older(order, since_ms))
                    .partition(|order| order_match(order) != OrderMatch::Other);
                // A different order with the id matters only if no order may be this one: it contradicts that the id is free.
                if candidates.is_empty() {
                    others
                } else {
                    candidates
                }
            };
            let see = |orders: &Vec<Order>| {
                let mut seen = last_seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.clone_from(orders);
            };
            // Called after each walk, whose orders are candidates even if the next one fails.
            let is_enough = |rows: &Rows| {
                let orders = relevant(rows);
                if !orders.is_empty() {
                    see(&orders);
                }
                orders
                    .iter()
                    .any(|order| order_match(order) != OrderMatch::Other)
            };
            let mut rows = client.search(search, last, is_enough).await?;
            rows.orders = relevant(&rows);
            see(&rows.orders);
            // More responses may show whether the order is older than the request, and more reads how it was executed.
            let is_conclusive = |order: &Order| match order_match(order) {
                OrderMatch::AsSent => {
                    !self.order.predates_execution(order)
                        && self.order.age(&client.core, order.created_time) != Age::Unclear
                }
                OrderMatch::Unclear => true,
                OrderMatch::Other => false,
            };
            let is_found = rows.orders.iter().any(is_conclusive);
            Ok(Reading::new(rows, is_found))
        };
        let rows = match inquire(&self.client, self.ended, timeout, last, look).await {
            Finding::Conclusive(rows) | Finding::Fresh(rows) => rows,
            Finding::TimedOut(error) => {
                let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
                return self.without_fresh_reads(seen, error);
            }
        };
        let request = &self.order.request;
        match (rows.orders.as_slice(), rows.skipped) {
            ([], None) if !self.is_taken => Reconciliation::NotFound,
            ([], None) => Reconciliation::Unknown(Unresolved::among(self.candidates.clone())),
            // The row that does not decode may be the order.
            ([], Some(error)) => Reconciliation::Unknown(Unresolved::after(Some(Arc::new(error)))),
            ([order], _) if self.is_shown_by(order) => {
                let placed = PlacedOrder::found(request, order.clone());
                match self.order.age(&self.client.core, order.created_time) {
                    Age::Newer => Reconciliation::Placed(placed),
                    _ if self.is_taken => Reconciliation::AlreadyExists(placed),
                    _ => Reconciliation::Unknown(Unresolved::among(rows.orders)),
                }
            }
            _ => Reconciliation::Unknown(Unresolved::among(rows.orders)),
        }
    }

    /// Returns the result after a timeout, given the orders that were last listed and the last error.
    fn without_fresh_reads(&self, seen: Vec<Order>, error: Option<Arc<Error>>) -> Reconciliation {
        let request = &self.order.request;
        match seen.as_slice() {
            [order] if self.is_taken && self.is_shown_by(order) => {
                Reconciliation::AlreadyExists(PlacedOrder::found(request, order.clone()))
            }
            _ => Reconciliation::Unknown(Unresolved::new(seen, error)),
        }
    }

    /// Returns `true` if a listed order has the terms of this one, and its fills if this one never rests.
    fn is_shown_by(&self, order: &Order) -> bool {
        compare(&self.order.request, order) == OrderMatch::AsSent
            && !self.order.predates_execution(order)
    }

    /// Returns `true` if a listed order is certainly older than this one, so that its id was free again, given the earliest time at which
    /// this one was sent, if the age counts. No other order can have an id that was generated here.
    fn is_older(&self, order: &Order, since_ms: Option<u64>) -> bool {
        let Some(created) = order.created_time.filter(|_| !self.order.is_id_generated) else {
            return false;
        };
        if compare(&self.order.request, order) == OrderMatch::Other {
            return self.order.age(&self.client.core, Some(created)) == Age::Older;
        }
        let created = u64::try_from(created.timestamp_millis()).unwrap_or_default();
        since_ms.is_some_and(|since_ms| created < since_ms.saturating_sub(SEARCH_MARGIN_MS))
    }

    /// Sends the same order again with the same client order id.
    ///
    /// The exchange never places two orders with one id, so if the first one was placed, this one is rejected as a duplicate. The matching
    /// engine decides, so the result does not depend on lagging reads. If the first one was not placed, this one is. Use `resend` if you
    /// still want the order at its price, and [`reconcile`](Self::reconcile) if you do not.
    ///
    /// Returns `Unknown` if this attempt proved nothing either, including when it was rejected for another reason. Its error is that of this
    /// attempt, and [`Error::was_not_processed`] is `false` even if nothing was sent, because the first attempt may have been processed.
    pub async fn resend(&self) -> OrderOutcome {
        match self.client.send_order(self.order.clone(), true).await {
            Ok(OrderOutcome::Unknown(mut unknown)) => {
                // What earlier attempts proved still holds.
                unknown.is_taken |= self.is_taken;
                if unknown.candidates.is_empty() {
                    unknown.candidates.clone_from(&self.candidates);
                }
                OrderOutcome::Unknown(unknown)
            }
            Ok(outcome) => outcome,
            // Does not happen: an order that was sent before is `Unknown` even if nothing was sent this time.
            Err(_) => OrderOutcome::Unknown(Box::new(self.clone())),
        }
    }

    fn new(client: &Client, order: SentOrder, error: Arc<Error>, ended: Moment) -> Self {
        Self {
            client: client.clone(),
            is_taken: error.api().is_some_and(is_duplicate),
            order,
            error,
            candidates: Vec::new(),
            ended,
        }
    }
}

kalshi_core::unknown_order_methods!(UnknownOrder, CreateOrderV2Request, Order);

impl Client {
    pub(super) fn unknown_order(
        &self,
        order: SentOrder,
        error: Arc<Error>,
        ended: Moment,
    ) -> OrderOutcome {
        self.unknown_order_among(order, error, ended, Vec::new())
    }

    pub(super) fn unknown_order_among(
        &self,
        order: SentOrder,
        error: Arc<Error>,
        ended: Moment,
        candidates: Vec<Order>,
    ) -> OrderOutcome {
        OrderOutcome::Unknown(Box::new(UnknownOrder {
            candidates,
            ..UnknownOrder::new(self, order, error, ended)
        }))
    }
}
