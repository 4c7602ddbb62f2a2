//! Resolves orders that were rejected because their client order id is taken, possibly by the order itself.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{
        Conflict, Explanation, Freshness, LastError, MAX_TIMEOUT, check_connections, is_duplicate,
    },
};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    OrderOutcome, PlacedOrder, Rejection,
    search::{Ids, Rows, Search, compare},
    unknown_order::SentOrder,
};
use crate::{Client, Error, types::Order};

/// Pause between two searches.
const PAUSE: Duration = Duration::from_millis(250);

/// An order whose client order id is taken.
pub(super) struct ConflictingOrder {
    pub(super) order: SentOrder,
    pub(super) error: Arc<Error>,
    /// `true` if an attempt before the rejected one may have placed the order.
    pub(super) may_be_ours: bool,
}

/// Progress of resolving a conflict.
#[derive(Default)]
struct Progress {
    outcome: Option<OrderOutcome>,
    /// The orders with the id that were found last.
    seen: Vec<Order>,
}

impl Client {
    /// Looks up the orders that have the client order ids, for at most the client's `lookup_timeout`.
    pub(super) async fn resolve_conflicts(
        &self,
        conflicts: Vec<ConflictingOrder>,
        ended: Moment,
    ) -> Vec<OrderOutcome> {
        let timeout = rt::lookup_timeout(&self.core);
        let deadline = Instant::now() + timeout.min(MAX_TIMEOUT);
        let last_error = LastError::default();
        let mut progress: Vec<_> = conflicts.iter().map(|_| Progress::default()).collect();
        // With a timeout of zero, a fast response could still win the race.
        if !timeout.is_zero() {
            let search = self.search_conflicts(&conflicts, &mut progress, ended, &last_error);
            _ = timeout_at(deadline, search).await;
        }
        let unresolved = |(conflict, progress): (ConflictingOrder, Progress)| {
            progress.outcome.unwrap_or_else(|| {
                let error = Arc::new(rt::after_lookup(&conflict.error, timeout));
                self.unknown_order_among(conflict.order, error, ended, progress.seen)
            })
        };
        conflicts
            .into_iter()
            .zip(progress)
            .map(unresolved)
            .collect()
    }

    /// Searches until every conflict has an outcome: in turn among the live orders of a market, in its archive, and in all markets.
    async fn search_conflicts(
        &self,
        conflicts: &[ConflictingOrder],
        progress: &mut [Progress],
        ended: Moment,
        last_error: &LastError,
    ) {
        let mut reader = self.clone();
        let (mut round, mut is_fresh) = (Round::Live, false);
        let mut freshness = Freshness::new(self, ended);
        loop {
            let mut open: Vec<_> = conflicts
                .iter()
                .zip(progress.iter_mut())
                .filter(|(_, progress)| progress.outcome.is_none())
                .collect();
            let Some((first, _)) = open.first() else {
                return;
            };
            let ticker = first.order.request.ticker.clone();
            let is_everywhere = round == Round::Everywhere;
            open.retain(|(conflict, _)| is_everywhere || conflict.order.request.ticker == ticker);
            let ids: Vec<_> = open
                .iter()
                .map(|(conflict, _)| conflict.order.client_order_id.as_str())
                .collect();
            let search = Search {
                ids: Ids::Client(&ids),
                ticker: (!is_everywhere).then_some(ticker.as_str()),
                subaccount: None,
                // The order that has the id may be of any age.
                since_ms: None,
                archive: round != Round::Live,
                proves_absence: is_everywhere && is_fresh,
            };
            let mut judge = |rows: &Rows, is_complete: bool| {
                for (conflict, progress) in &mut open {
                    let id = conflict.order.client_order_id.as_str();
                    let found = rows
                        .orders
                        .iter()
                        .filter(|order| order.client_order_id == id);
                    let found: Vec<_> = found.collect();
                    if progress.outcome.is_none() {
                        if !found.is_empty() {
                            progress.seen = found.iter().copied().cloned().collect();
                        }
                        progress.outcome = conflict.judge(self, found, ended, is_complete);
                    }
                }
                open.iter().all(|(_, progress)| progress.outcome.is_some())
            };
            let rows = reader.search(search, last_error, |rows| judge(rows, false));
            match check_connections(&reader, rows).await {
                Ok(rows) => {
                    let is_complete = is_everywhere && is_fresh && rows.skipped.is_none();
                    judge(&rows, is_complete);
                }
                Err(error) => last_error.set(error),
            }
            // Also after an error, because other lists may be readable.
            round = round.next();
            if !freshness.is_draining() {
                sleep(PAUSE).await;
            }
            reader = rt::for_evidence(self);
            if !is_fresh {
                is_fresh = freshness.check(&reader, last_error).await;
            }
        }
    }
}

/// The lists that a search reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The live orders of the market.
    Live,
    /// The live orders and the archive of the market.
    Archive,
    /// The live orders and the archive of all markets.
    Everywhere,
}

impl Round {
    fn next(self) -> Self {
        match self {
            Self::Live => Self::Archive,
            Self::Archive => Self::Everywhere,
            Self::Everywhere => Self::Live,
        }
    }
}

impl ConflictingOrder {
    /// Returns the outcome that the orders with the id prove, or `None` if the search must continue. `is_complete` is `true` if reads were
    /// up to date, every list was searched, and every row decoded.
    fn judge(
        &self,
        client: &Client,
        found: Vec<&Order>,
        ended: Moment,
        is_complete: bool,
    ) -> Option<OrderOutcome> {
        let request = &self.order.request;
        let taken = self.error.api().filter(|error| is_duplicate(error));
        let conflict = Conflict {
            is_taken: taken.is_some(),
            may_be_ours: self.may_be_ours,
            is_id_generated: self.order.is_id_generated,
        };
        let order_match = |order: &Order| compare(request, order);
        match (conflict.explain(&found, order_match, is_complete), taken) {
            (Explanation::NotListed, _) => None,
            (Explanation::Ours(order), _) if self.order.predates_execution(order) => None,
            (Explanation::Ours(order), _) => {
                let placed = PlacedOrder::found(request, order.clone());
                Some(if self.order.is_id_generated {
                    OrderOutcome::Placed(placed)
                } else {
                    OrderOutcome::AlreadyExists(placed)
                })
            }
            (Explanation::Other(other), Some(error)) => {
                let rejection = Rejection::new(error.clone(), Some(other.clone()));
                Some(OrderOutcome::Rejected(rejection))
            }
            _ => {
                let orders = found.into_iter().cloned().collect();
                let order = self.order.clone();
                Some(client.unknown_order_among(order, self.error.clone(), ended, orders))
            }
        }
    }
}
