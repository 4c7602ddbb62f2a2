//! Outcomes of the maker's requests. An unknown outcome of an order or a cancel is resolved before anything is sent again.

use std::time::Duration;

use kalshi_sdk::{
    ClientOrderId,
    orders::{
        ChangeOutcome, ChangeReconciliation, OrderOutcome, PlacedOrder, Reconciliation,
        UnknownChange, UnknownOrder,
    },
    types::{BatchCancelOrdersV2ResponseOrders, OrderStatus},
    ws::{BackfillError, BackfillRows},
};

use super::{super::group::GroupRequest, Error, Maker};

/// Timeout of resolving an unknown outcome.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(20);

/// The result of a request.
pub(crate) enum RequestOutcome {
    Placed(
        Vec<ClientOrderId>,
        Result<Vec<OrderOutcome>, kalshi_sdk::Error>,
    ),
    Cancelled(
        Vec<ClientOrderId>,
        Result<Vec<CancelOutcome>, kalshi_sdk::Error>,
    ),
    PlacementFound(Box<UnknownOrder>, Reconciliation),
    CancelFound(ClientOrderId, Box<UnknownChange>, ChangeReconciliation),
    Read(Result<BackfillRows, BackfillError>),
    Group(GroupRequest, Result<bool, kalshi_sdk::Error>),
}

type CancelOutcome = ChangeOutcome<BatchCancelOrdersV2ResponseOrders>;

impl Maker {
    pub(crate) fn finish_request(&mut self, outcome: RequestOutcome) -> Result<(), Error> {
        match outcome {
            RequestOutcome::Placed(ids, Ok(outcomes)) => {
                for (id, outcome) in ids.iter().zip(outcomes) {
                    self.finish_placement(id, outcome);
                }
            }
            // An error of the whole batch means that it was certainly not processed.
            RequestOutcome::Placed(ids, Err(error)) => {
                self.note(format!("no order was sent: {error}"));
                for id in &ids {
                    self.with_order(id, |_| false);
                }
            }
            RequestOutcome::Cancelled(ids, Ok(outcomes)) => {
                for (id, outcome) in ids.into_iter().zip(outcomes) {
                    self.finish_cancel(id, outcome);
                }
            }
            RequestOutcome::Cancelled(ids, Err(error)) => {
                self.note(format!("no order was cancelled: {error}"));
                for id in &ids {
                    self.release(id);
                }
            }
            RequestOutcome::PlacementFound(unknown, found) => match found {
                Reconciliation::Placed(placed) => self.add_placed(&placed),
                Reconciliation::NotFound => self.with_order(unknown.client_order_id(), |_| false),
                // The order may rest. Another one could double the position.
                _ => self.find_placement(unknown),
            },
            RequestOutcome::CancelFound(id, unknown, found) => match found {
                ChangeReconciliation::Done(_) | ChangeReconciliation::NotFound => {
                    self.with_order(&id, |_| false);
                }
                ChangeReconciliation::NotDone(order) | ChangeReconciliation::Unclear(order) => {
                    let is_resting = order.status == OrderStatus::Resting;
                    self.with_order(&id, |_| is_resting);
                    self.release(&id);
                }
                _ => self.find_cancel(id, unknown),
            },
            RequestOutcome::Read(Ok(rows)) => {
                self.is_reading = false;
                let missed = self.backfill.merge(rows);
                self.add_missed(&missed)?;
            }
            // Nothing was counted. The next decision reads again.
            RequestOutcome::Read(Err(error)) => {
                self.is_reading = false;
                self.note(error.to_string());
            }
            RequestOutcome::Group(request, result) => {
                if let Some(note) = self.group.finish(request, result) {
                    self.note(note);
                }
            }
        }
        Ok(())
    }

    fn finish_placement(&mut self, id: &str, outcome: OrderOutcome) {
        match outcome {
            OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => {
                self.add_placed(&placed);
            }
            // The order would have traded immediately, or the group was triggered.
            OrderOutcome::Rejected(_) => self.with_order(id, |_| false),
            OrderOutcome::Unknown(unknown) => {
                self.counts.unknown += 1;
                self.find_placement(unknown);
            }
            _ => {}
        }
    }

    /// Records an order that the exchange has. An order that has ended in the meantime is removed from the quotes.
    fn add_placed(&mut self, placed: &PlacedOrder) {
        self.with_order(&placed.client_order_id, |order| {
            order.is_busy = false;
            if order.order_id.is_none() {
                order.order_id = Some(placed.order_id.clone());
                order.remaining = placed.remaining_count;
            }
            !order.remaining.is_zero()
        });
    }

    fn finish_cancel(&mut self, id: ClientOrderId, outcome: CancelOutcome) {
        match outcome {
            ChangeOutcome::Done(_) | ChangeOutcome::AlreadyGone(_) => {
                self.with_order(&id, |_| false);
            }
            ChangeOutcome::Unknown(unknown) => {
                self.counts.unknown += 1;
                self.find_cancel(id, unknown);
            }
            // The order still rests. The next decision cancels it again.
            _ => self.release(&id),
        }
    }

    fn release(&mut self, id: &str) {
        self.with_order(id, |order| {
            order.is_busy = false;
            true
        });
    }

    fn find_placement(&mut self, unknown: Box<UnknownOrder>) {
        self.requests.spawn(async move {
            let found = unknown.reconcile(RECONCILE_TIMEOUT).await;
            RequestOutcome::PlacementFound(unknown, found)
        });
    }

    fn find_cancel(&mut self, id: ClientOrderId, unknown: Box<UnknownChange>) {
        self.requests.spawn(async move {
            let found = unknown.reconcile(RECONCILE_TIMEOUT).await;
            RequestOutcome::CancelFound(id, unknown, found)
        });
    }
}
