//! Changes with an unknown outcome, and their reconciliation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    Moment,
    orders::{Finding, LastError, Reading, Wanted, inquire},
};

use super::OrderRef;
use crate::{Client, Contracts, Error, types::MarginOrder};

/// A change that may have been made: no response arrived, or one that proves nothing. Contained in
/// [`ChangeOutcome::Unknown`](super::ChangeOutcome::Unknown).
///
/// [`reconcile`](Self::reconcile) reads the order to find out.
#[derive(Clone)]
pub struct UnknownChange {
    client: Client,
    key: OrderRef,
    wanted: Wanted,
    error: Arc<Error>,
    /// Time at which the response to the change arrived or the client stopped waiting for it.
    ended: Moment,
}

/// The result of [`UnknownChange::reconcile`]: what reads show after a change with an unknown outcome.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum ChangeReconciliation {
    /// The order has ended: it was cancelled, by this request or otherwise, or it was executed, possibly after an amendment or a decrease.
    /// [`MarginOrder::state`] distinguishes the two. It needs the final size of the order, which the exchange does not report.
    Ended(Box<MarginOrder>),
    /// A read shows the order resting as the amendment or the decrease requested. The change was made, unless the order was like that
    /// before, or fills reduced it to the count of a decrease.
    Applied(Box<MarginOrder>),
    /// The order as last read, which rests. That does not show whether the change was made, because the read may be out of date.
    Unclear(Box<MarginOrder>),
    /// No read returned the order, which proves nothing. Contains the last error, or `None` if no read failed before the timeout.
    Unknown(Option<Arc<Error>>),
}

impl UnknownChange {
    pub(super) fn new(
        client: &Client,
        key: OrderRef,
        wanted: Wanted,
        error: Error,
        ended: Moment,
    ) -> Self {
        Self {
            client: client.clone(),
            key,
            wanted,
            error: Arc::new(error),
            ended,
        }
    }

    /// Reads the order until a read proves the outcome, for at most `timeout`.
    ///
    /// Reads lag behind writes, so a read that shows the order resting does not prove that a cancel failed. A cancel, an amendment or a
    /// decrease to a count can be sent again instead.
    pub async fn reconcile(&self, timeout: Duration) -> ChangeReconciliation {
        let last_error = LastError::default();
        let seen = Mutex::new(None);
        let (last, last_seen) = (&last_error, &seen);
        let look = |client: Client, _| async move {
            let order = client.read_order(&self.key.order_id).await?;
            if order.remaining_count.is_zero() || self.is_as_requested(&order) {
                return Ok(Reading::Conclusive(Box::new(order)));
            }
            let order = Box::new(order);
            *last_seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(order.clone());
            Ok(Reading::Tentative(order))
        };
        let inquiry = inquire(&self.client, self.ended, timeout, last, look);
        let order = match inquiry.await {
            Finding::Conclusive(order) | Finding::Fresh(order) => order,
            Finding::TimedOut(error) => {
                let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
                return seen.map_or(
                    ChangeReconciliation::Unknown(error),
                    ChangeReconciliation::Unclear,
                );
            }
        };
        if order.remaining_count.is_zero() {
            ChangeReconciliation::Ended(order)
        } else {
            ChangeReconciliation::Applied(order)
        }
    }

    /// Returns `true` if an order rests as the amendment or the decrease requested.
    fn is_as_requested(&self, order: &MarginOrder) -> bool {
        order.remaining_count > Contracts::ZERO && self.wanted.is_met_by(order)
    }
}

kalshi_core::unknown_change_methods!(UnknownChange, OrderRef);
