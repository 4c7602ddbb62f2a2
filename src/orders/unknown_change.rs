//! Changes with an unknown outcome, and their reconciliation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    Evidence, Moment,
    orders::{Finding, LastError, Reading, Wanted, inquire},
};

use super::{
    OrderRef,
    location::{OrderLocation, has_ended},
};
use crate::{
    Client, Error,
    types::{Order, OrderStatus},
};

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

/// The result of [`UnknownChange::reconcile`]: whether a change with an unknown outcome was made.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum ChangeReconciliation {
    /// The order is in the requested state. The cause may be this change, another change or, for a decrease to a count, fills.
    Done(Box<Order>),
    /// The order is not as requested, and reads were up to date or the order has ended.
    NotDone(Box<Order>),
    /// No such order exists. Reads were up to date.
    NotFound,
    /// The order as last read, which does not show whether the change was made: it was to be decreased by a number of contracts, or it has
    /// ended and may have been changed before that, or its status is unknown, or reads were not up to date before the timeout.
    Unclear(Box<Order>),
    /// No read returned the order, and nothing is proven. Contains the last error, or `None` if no read failed before the timeout.
    Unknown(Option<Arc<Error>>),
}

impl UnknownChange {
    /// Determines within `timeout` whether the change was made. Reads the order until it has ended, or until reads reflect everything up to
    /// the response to the change or the time at which the client stopped waiting for it.
    pub async fn reconcile(&self, timeout: Duration) -> ChangeReconciliation {
        let last_error = LastError::default();
        let seen = Mutex::new(None);
        let (last, last_seen) = (&last_error, &seen);
        let look = |client: Client, is_fresh| async move {
            Ok(match client.locate(&self.key, is_fresh, last).await? {
                OrderLocation::Ended(order) => Reading::Conclusive(Some(order)),
                // It may look as requested because the read is older than another change.
                OrderLocation::Here(order) | OrderLocation::Elsewhere(order) => {
                    let mut seen = last_seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen = Some(Box::new(order.clone()));
                    Reading::Tentative(Some(order))
                }
                OrderLocation::NotFound => Reading::Tentative(None),
            })
        };
        let order = match inquire(&self.client, self.ended, timeout, last, look).await {
            Finding::Conclusive(Some(order)) | Finding::Fresh(Some(order)) => Box::new(order),
            Finding::Conclusive(None) | Finding::Fresh(None) => {
                return ChangeReconciliation::NotFound;
            }
            Finding::TimedOut(error) => {
                let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
                return seen.map_or(
                    ChangeReconciliation::Unknown(error),
                    ChangeReconciliation::Unclear,
                );
            }
        };
        let (rests, ended) = (order.status == OrderStatus::Resting, has_ended(&order));
        match &self.wanted {
            _ if self.is_done(&order) => ChangeReconciliation::Done(order),
            Wanted::Fewer => ChangeReconciliation::Unclear(order),
            // It may have been changed, and have ended after that.
            Wanted::Amended { .. } | Wanted::Remaining(_) if ended => {
                ChangeReconciliation::Unclear(order)
            }
            _ if !rests && !ended => ChangeReconciliation::Unclear(order),
            _ => ChangeReconciliation::NotDone(order),
        }
    }

    fn is_done(&self, order: &Order) -> bool {
        match &self.wanted {
            Wanted::Cancelled => order.status == OrderStatus::Canceled,
            wanted => order.status == OrderStatus::Resting && wanted.is_met_by(order),
        }
    }
}

kalshi_core::unknown_change_methods!(UnknownChange, OrderRef);

impl Client {
    pub(super) fn unknown_change(
        &self,
        key: &OrderRef,
        wanted: Wanted,
        error: Arc<Error>,
        evidence: &Evidence,
    ) -> Box<UnknownChange> {
        Box::new(UnknownChange {
            client: self.clone(),
            key: key.clone(),
            wanted,
            error,
            ended: evidence.ended(),
        })
    }
}
