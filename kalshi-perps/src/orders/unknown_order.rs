//! Orders whose outcome is unknown, and how to find it out.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{Finding, LastError, Likeness, Sight, inquire, is_duplicate},
};

use super::{
    OrderOutcome, PlacedOrder, Unresolved,
    search::{Search, compare},
};
use crate::{
    Client, Error,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// How long before the request an order may have been created, by clocks that nearly agree, and still have been placed by it.
const CREATION_MARGIN_MS: u64 = 5_000;

/// An order as it was sent.
pub(super) type SentOrder = rt::orders::SentOrder<CreateMarginOrderRequest>;

/// An order that may have been placed.
#[derive(Clone)]
pub struct UnknownOutcome {
    client: Client,
    pub(super) order: SentOrder,
    pub(super) error: Arc<Error>,
    candidates: Vec<MarginOrder>,
    /// When the write was answered or given up.
    pub(super) ended: Moment,
}

/// What [`UnknownOutcome::reconcile`] found out.
#[derive(Clone, Debug)]
#[must_use = "an unknown result must be followed up"]
#[non_exhaustive]
pub enum Reconciliation {
    /// The exchange has the order. With an id that you set, it may also be a matching one that was placed under the id less than 5 s
    /// before this one was sent, by clocks that nearly agree.
    Placed(PlacedOrder),
    /// The exchange has a matching order under the client order id that you set. It was created before this one was sent, and as ids never
    /// become free, this one was not placed; or it does not say when it was created, and may be this one.
    AlreadyExists(PlacedOrder),
    /// Neither is proved. In particular an order that no list shows may have been placed.
    Unknown(Unresolved),
}

impl UnknownOutcome {
    pub(super) fn new(client: &Client, order: SentOrder, error: Error, ended: Moment) -> Self {
        Self {
            client: client.clone(),
            order,
            error: Arc::new(error),
            candidates: Vec::new(),
            ended,
        }
    }

    /// The same with orders of which one may be this order.
    pub(super) fn among(self, candidates: Vec<MarginOrder>) -> Self {
        Self { candidates, ..self }
    }

    /// The same with another reason.
    pub(super) fn with_error(self, error: Arc<Error>) -> Self {
        Self { error, ..self }
    }

    /// Looks for the order by its client order id, within `timeout`: walks through the orders of its market and subaccount, again and
    /// again until one has the id.
    ///
    /// Lists lag behind writes, at times by more than a minute, so an order that is not found may have been placed all the same. Use
    /// [`resend`](Self::resend) if the outcome must be settled.
    pub async fn reconcile(&self, timeout: Duration) -> Reconciliation {
        let last_error = LastError::default();
        let last = &last_error;
        let request = &self.order.request;
        let look = |client: Client, _| async move {
            let mut search = Search::of(request);
            // An order that had the id before may be of any age.
            let is_taken = self.error.api().is_some_and(is_duplicate);
            search.since_ms = (!is_taken).then(|| self.order.began.earliest_ms(&client.core));
            let mut found = client.search(search, last).await?;
            found.retain(|order| compare(request, order) != Likeness::Other);
            let is_found = !found.is_empty();
            Ok(Sight::new(found, is_found))
        };
        let found = match inquire(&self.client, self.ended, timeout, last, look).await {
            Finding::Conclusive(found) | Finding::Fresh(found) => found,
            Finding::Open(error) => return Reconciliation::Unknown(Unresolved::after(error)),
        };
        match found.as_slice() {
            [order] if compare(request, order) == Likeness::AsSent => {
                let placed = PlacedOrder::found(request, order);
                if self.is_older(order) {
                    Reconciliation::AlreadyExists(placed)
                } else {
                    Reconciliation::Placed(placed)
                }
            }
            _ => Reconciliation::Unknown(Unresolved::among(found)),
        }
    }

    /// Returns `true` unless an order shows that it was created after this one was sent. No order is older than an id made here.
    fn is_older(&self, order: &MarginOrder) -> bool {
        let since_ms = self.order.began.earliest_ms(&self.client.core);
        let since_ms = since_ms.saturating_sub(CREATION_MARGIN_MS);
        let is_before = order.created_time.is_none_or(|created| {
            u64::try_from(created.timestamp_millis()).unwrap_or_default() < since_ms
        });
        is_before && !self.order.has_made_id
    }

    /// Sends the same order with the same client order id once more.
    ///
    /// The exchange never places two orders with one id, even after the first has ended. If the first one was placed, this one is
    /// rejected as a duplicate, and the outcome is [`Placed`](OrderOutcome::Placed) or [`AlreadyExists`](OrderOutcome::AlreadyExists)
    /// if the order is listed as it was sent, and otherwise [`Unlisted`](OrderOutcome::Unlisted). That settles at the matching engine what lagging
    /// reads cannot. If the first one was not placed, this one is, now: use it only when you still want the order at its price.
    ///
    /// Returns [`Unknown`](OrderOutcome::Unknown) if this attempt proved nothing either, also where it was rejected for another reason.
    pub async fn resend(&self) -> OrderOutcome {
        let order = self.order.clone();
        match self.client.send_order(order, true).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let unknown = self.clone().with_error(Arc::new(error));
                OrderOutcome::Unknown(Box::new(unknown))
            }
        }
    }
}

kalshi_core::unknown_order_methods!(UnknownOutcome, CreateMarginOrderRequest, MarginOrder);
