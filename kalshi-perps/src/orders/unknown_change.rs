//! Changes whose outcome is unknown, and how to find it out.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    Moment,
    orders::{Finding, LastError, Sight, Wanted, inquire},
};

use super::OrderRef;
use crate::{Client, Contracts, Error, types::MarginOrder};

/// A change that may have been done.
#[derive(Clone)]
pub struct UnknownChange {
    client: Client,
    key: OrderRef,
    wanted: Wanted,
    error: Arc<Error>,
    /// When the change was answered or given up.
    ended: Moment,
}

/// What [`UnknownChange::reconcile`] found out.
#[derive(Clone, Debug)]
#[must_use = "an unknown result must be followed up"]
#[non_exhaustive]
pub enum ChangeReconciliation {
    /// Nothing of the order rests any more: it was cancelled, by this request or another way, or executed, perhaps after an amendment or
    /// a decrease. [`MarginOrder::state`] tells a cancelled order from an executed one, given the number of contracts that it was for at
    /// the end, which the exchange does not report.
    Ended(Box<MarginOrder>),
    /// A read shows the order resting as the amendment or the decrease wanted it. It was done, unless the order was like that before, or
    /// fills brought it below the count of a decrease.
    AsWanted(Box<MarginOrder>),
    /// The order as it was seen last, which rests. That does not show whether the change was done, because the read may be out of date.
    Unclear(Box<MarginOrder>),
    /// No read showed the order, which proves nothing. Has the last error.
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

    /// Looks at the order until a read proves something, within `timeout`.
    ///
    /// Reads lag behind writes, so an order that seems to rest proves nothing about a cancel. A cancel, an amendment and a decrease to a
    /// count can also be sent again instead.
    pub async fn reconcile(&self, timeout: Duration) -> ChangeReconciliation {
        let last_error = LastError::default();
        let seen = Mutex::new(None);
        let (last, seen_last) = (&last_error, &seen);
        let look = |client: Client, _| async move {
            let order = client.read_order(&self.key.order_id).await?;
            if order.remaining_count.is_zero() || self.is_as_wanted(&order) {
                return Ok(Sight::Conclusive(Box::new(order)));
            }
            let order = Box::new(order);
            *seen_last.lock().unwrap_or_else(PoisonError::into_inner) = Some(order.clone());
            Ok(Sight::Tentative(order))
        };
        let inquiry = inquire(&self.client, self.ended, timeout, last, look);
        let order = match inquiry.await {
            Finding::Conclusive(order) | Finding::Fresh(order) => order,
            Finding::Open(error) => {
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
            ChangeReconciliation::AsWanted(order)
        }
    }

    /// Returns `true` if an order rests as an amendment or a decrease wanted it.
    fn is_as_wanted(&self, order: &MarginOrder) -> bool {
        order.remaining_count > Contracts::ZERO && self.wanted.is_shown_by(order)
    }
}

kalshi_core::unknown_change_methods!(UnknownChange, OrderRef);
