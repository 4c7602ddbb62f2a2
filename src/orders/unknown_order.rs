//! Orders with an unknown outcome, and their reconciliation.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{Finding, LastError, OrderMatch, Reading, inquire, is_duplicate},
};

use super::{
    OrderOutcome, PlacedOrder, Unresolved,
    search::{Search, compare},
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
    /// The client order id that you set was taken before: a matching order has it, which a previous run of the program may have placed.
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
        Self {
            client: client.clone(),
            error: Arc::new(error),
            candidates: Vec::new(),
            ended: Moment::now(&client.core),
            order,
        }
    }

    /// Determines within `timeout` whether the order was placed.
    ///
    /// Searches the account's orders of the market, and the archive, for the client order id, until the order appears or `GET
    /// /exchange/user_data_timestamp` proves that reads reflect everything up to the end of the request: the response, or the time at which
    /// the client stopped waiting for it. That takes a few seconds, sometimes more than ten. Fills do not contain the client order id, so
    /// they are not searched.
    ///
    /// `NotFound` assumes that the exchange does not begin to process a request after the client has stopped waiting for it, and that no
    /// amendment has changed the order's client order id since.
    ///
    /// With a key that is restricted to a subaccount, set that subaccount in the order: otherwise it cannot be distinguished from an order of
    /// the primary account, and the result is `Unknown`.
    pub async fn reconcile(&self, timeout: Duration) -> Reconciliation {
        let last_error = LastError::default();
        let (ids, last) = ([self.client_order_id()], &last_error);
        // If the exchange said that the id is taken, the order that has it may be of any age, and there must be one.
        let is_taken = self.error.api().is_some_and(is_duplicate);
        let look = |client: Client, is_fresh| async move {
            let since_ms = (!is_taken).then(|| self.order.began.earliest_ms(&client.core));
            let search = Search {
                client_order_ids: &ids,
                ticker: Some(&self.order.request.ticker),
                subaccount: self.order.request.subaccount,
                since_ms,
                archive: is_fresh || is_taken,
            };
            let mut rows = client.search(search, last).await?;
            rows.orders
                .retain(|order| compare(&self.order.request, order, since_ms) != OrderMatch::Other);
            let is_found = !rows.orders.is_empty();
            Ok(Reading::new(rows, is_found))
        };
        let rows = match inquire(&self.client, self.ended, timeout, last, look).await {
            Finding::Conclusive(rows) | Finding::Fresh(rows) => rows,
            Finding::TimedOut(error) => return Reconciliation::Unknown(Unresolved::after(error)),
        };
        let since_ms = Some(self.order.began.earliest_ms(&self.client.core));
        let request = &self.order.request;
        match (rows.orders.as_slice(), rows.skipped) {
            ([], None) if !is_taken => Reconciliation::NotFound,
            ([], None) => Reconciliation::Unknown(Unresolved::among(self.candidates.clone())),
            // The row that does not decode may be the order.
            ([], Some(error)) => Reconciliation::Unknown(Unresolved::after(Some(Arc::new(error)))),
            ([order], _) if compare(request, order, since_ms) == OrderMatch::AsSent => {
                Reconciliation::Placed(PlacedOrder::found(request, order.clone()))
            }
            ([order], _) if is_taken && compare(request, order, None) == OrderMatch::AsSent => {
                let placed = PlacedOrder::found(request, order.clone());
                match self.order.is_id_generated {
                    true => Reconciliation::Placed(placed),
                    false => Reconciliation::AlreadyExists(placed),
                }
            }
            _ => Reconciliation::Unknown(Unresolved::among(rows.orders)),
        }
    }

    /// Sends the same order again with the same client order id.
    ///
    /// The exchange never places two orders with one id, so if the first one was placed, this one is rejected as a duplicate. The matching
    /// engine decides, so the result does not depend on lagging reads. If the first one was not placed, this one is. Use `resend` if you
    /// still want the order at its price, and [`reconcile`](Self::reconcile) if you do not.
    ///
    /// Returns `Unknown` if this attempt proved nothing either, including when it was rejected for another reason.
    pub async fn resend(&self) -> OrderOutcome {
        let order = self.order.clone();
        match self.client.send_order(order, true).await {
            Ok(outcome) => outcome,
            Err(error) => OrderOutcome::Unknown(Box::new(Self {
                error: Arc::new(error),
                ..self.clone()
            })),
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
            client: self.clone(),
            order,
            error,
            candidates,
            ended,
        }))
    }
}
