//! Orders with an unknown outcome, and their reconciliation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    self, Moment,
    orders::{Age, Finding, LastError, OrderMatch, Reading, inquire, is_duplicate},
};

use super::{
    OrderOutcome, PlacedOrder, Unresolved,
    search::{Search, compare},
};
use crate::{
    Client, Error,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// An order as it was sent.
pub(super) type SentOrder = rt::orders::SentOrder<CreateMarginOrderRequest>;

/// An order that may have been placed: no response arrived, or one that proves nothing, or its client order id is taken and the lists do
/// not show by which order. Contained in [`OrderOutcome::Unknown`] and [`OrderOutcome::Unlisted`].
///
/// [`reconcile`](Self::reconcile) searches for the order. [`resend`](Self::resend) sends it again under the same client order id, which
/// cannot place it twice. Do not place the order under another id until its outcome is known.
#[derive(Clone)]
pub struct UnknownOrder {
    client: Client,
    pub(super) order: SentOrder,
    pub(super) error: Arc<Error>,
    /// `true` if the exchange said to any attempt that the client order id is taken.
    is_taken: bool,
    candidates: Vec<MarginOrder>,
    /// Time at which the response to the request arrived or the client stopped waiting for it.
    pub(super) ended: Moment,
}

/// The result of [`UnknownOrder::reconcile`]: what the lists show about an order with an unknown outcome.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum Reconciliation {
    /// The exchange has the order. If you set the client order id, this may instead be a matching order that was placed under the same id
    /// up to five seconds before this one was sent, because creation times are compared with a tolerance for clock differences.
    Placed(PlacedOrder),
    /// The exchange has a matching order under the client order id that you set. If it was created before this one was sent, this one was
    /// not placed, because ids cannot be reused. If it has no creation time, or the id is taken and the clocks differ too much to tell, it
    /// may be this one.
    AlreadyExists(PlacedOrder),
    /// Neither is proven: an order that the lists do not contain may have been placed, or one that they contain may be older. Contains the
    /// last error or the matching orders, if any.
    Unknown(Unresolved),
}

impl UnknownOrder {
    pub(super) fn new(client: &Client, order: SentOrder, error: Error, ended: Moment) -> Self {
        Self {
            client: client.clone(),
            is_taken: error.api().is_some_and(is_duplicate),
            order,
            error: Arc::new(error),
            candidates: Vec::new(),
            ended,
        }
    }

    /// Sets the orders of which one may be this order.
    pub(super) fn with_candidates(self, candidates: Vec<MarginOrder>) -> Self {
        Self { candidates, ..self }
    }

    /// Replaces the error.
    pub(super) fn with_error(self, error: Arc<Error>) -> Self {
        Self { error, ..self }
    }

    /// Searches for the order by its client order id, for at most `timeout`: reads the orders of its market and subaccount repeatedly until
    /// one has the id.
    ///
    /// Lists lag behind writes, sometimes by more than a minute, so an order that is not found may still have been placed. Use
    /// [`resend`](Self::resend) if you need a definite outcome.
    pub async fn reconcile(&self, timeout: Duration) -> Reconciliation {
        let last_error = LastError::default();
        let seen = Mutex::new(Vec::new());
        let (last, last_seen) = (&last_error, &seen);
        let request = &self.order.request;
        let age = |order: &MarginOrder| self.order.age(&self.client.core, order.created_time);
        let look = |client: Client, _| async move {
            let mut search = Search::for_request(request);
            // If the id was taken, the order that has it may be of any age.
            search.since_ms = (!self.is_taken).then(|| self.order.began.earliest_ms(&client.core));
            let mut found = client.search(search, last).await?;
            found.retain(|order| compare(request, order) != OrderMatch::Other);
            // More responses may show whether the order is older than the request, and more reads how it was executed.
            let is_found = found.iter().any(|order| {
                compare(request, order) != OrderMatch::AsSent
                    || !self.order.predates_execution(order) && age(order) != Age::Unclear
            });
            let mut seen = last_seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.clone_from(&found);
            Ok(Reading::new(found, is_found))
        };
        let found = match inquire(&self.client, self.ended, timeout, last, look).await {
            Finding::Conclusive(found) | Finding::Fresh(found) => found,
            Finding::TimedOut(error) => {
                let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
                return match seen.as_slice() {
                    [] => Reconciliation::Unknown(Unresolved::after(error)),
                    [order]
                        if self.is_taken
                            && compare(request, order) == OrderMatch::AsSent
                            && !self.order.predates_execution(order) =>
                    {
                        Reconciliation::AlreadyExists(PlacedOrder::found(request, order))
                    }
                    _ => Reconciliation::Unknown(Unresolved::among(seen)),
                };
            }
        };
        match found.as_slice() {
            [order] if compare(request, order) == OrderMatch::AsSent => {
                let placed = PlacedOrder::found(request, order);
                match age(order) {
                    Age::Newer => Reconciliation::Placed(placed),
                    Age::Older | Age::Unclear => Reconciliation::AlreadyExists(placed),
                }
            }
            _ => Reconciliation::Unknown(Unresolved::among(found)),
        }
    }

    /// Sends the same order again with the same client order id.
    ///
    /// The exchange never places two orders with one id, even after the first has ended. If the first one was placed, this one is rejected
    /// as a duplicate, and the outcome is [`Placed`](OrderOutcome::Placed) or [`AlreadyExists`](OrderOutcome::AlreadyExists) if the order
    /// is listed as it was sent, and [`Unlisted`](OrderOutcome::Unlisted) otherwise. The matching engine decides, so the result does not
    /// depend on lagging reads. If the first one was not placed, this one is, so use `resend` only if you still want the order at its
    /// price.
    ///
    /// Returns [`Unknown`](OrderOutcome::Unknown) if this attempt proved nothing either, including when it was rejected for another reason.
    /// Its error is that of this attempt, and [`Error::was_not_processed`] is `false` even if nothing was sent, because the first attempt may
    /// have been processed.
    pub async fn resend(&self) -> OrderOutcome {
        match self.client.send_order(self.order.clone(), true).await {
            Ok(OrderOutcome::Unknown(unknown)) => {
                OrderOutcome::Unknown(Box::new(unknown.after(self)))
            }
            Ok(OrderOutcome::Unlisted(unknown)) => {
                OrderOutcome::Unlisted(Box::new(unknown.after(self)))
            }
            Ok(outcome) => outcome,
            // Does not happen: an order that was sent before is `Unknown` even if nothing was sent this time.
            Err(_) => OrderOutcome::Unknown(Box::new(self.clone())),
        }
    }

    /// Adds what earlier attempts proved, which still holds.
    fn after(mut self, earlier: &Self) -> Self {
        self.is_taken |= earlier.is_taken;
        if self.candidates.is_empty() {
            self.candidates.clone_from(&earlier.candidates);
        }
        self
    }
}

kalshi_core::unknown_order_methods!(UnknownOrder, CreateMarginOrderRequest, MarginOrder);
