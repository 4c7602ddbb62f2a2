//! Resolving an order that was rejected because its client order id is taken, perhaps by the order itself.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{self, Moment};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    OrderOutcome, PlacedOrder, Rejection,
    inquiry::LastError,
    outcome::is_duplicate,
    search::{Likeness, Search, compare},
    unknown_order::SentOrder,
};
use crate::{Client, Error, types::Order};

/// Pause between two searches.
const PAUSE: Duration = Duration::from_millis(250);

/// An order whose client order id is taken.
pub(super) struct Conflict {
    pub(super) order: SentOrder,
    pub(super) error: Arc<Error>,
    /// An attempt before the one that was rejected may have placed the order.
    pub(super) may_be_ours: bool,
}

impl Client {
    /// Looks up the orders that have the client order ids, for at most the client's `lookup_timeout`.
    pub(super) async fn resolve_conflicts(
        &self,
        conflicts: Vec<Conflict>,
        ended: Moment,
    ) -> Vec<OrderOutcome> {
        let timeout = rt::lookup_timeout(&self.core);
        let deadline = Instant::now() + timeout;
        let last_error = LastError::default();
        let mut outcomes: Vec<Option<OrderOutcome>> = conflicts.iter().map(|_| None).collect();
        let search = self.search_conflicts(&conflicts, &mut outcomes, ended, &last_error);
        _ = timeout_at(deadline, search).await;
        let unresolved = |(conflict, outcome): (Conflict, Option<OrderOutcome>)| {
            outcome.unwrap_or_else(|| {
                let error = rt::after_lookup(&conflict.error, timeout);
                self.unknown_order(conflict.order, Arc::new(error), ended)
            })
        };
        conflicts
            .into_iter()
            .zip(outcomes)
            .map(unresolved)
            .collect()
    }

    /// Searches until every conflict has an outcome.
    async fn search_conflicts(
        &self,
        conflicts: &[Conflict],
        outcomes: &mut [Option<OrderOutcome>],
        ended: Moment,
        last_error: &LastError,
    ) {
        let mut reader = self.clone();
        let mut round = 0;
        loop {
            let mut open: Vec<_> = conflicts
                .iter()
                .zip(outcomes.iter_mut())
                .filter(|(_, outcome)| outcome.is_none())
                .collect();
            let Some((first, _)) = open.first() else {
                return;
            };
            let ticker = first.order.request.ticker.clone();
            // One search for all orders of a market; then in the archive; then in all markets.
            let ids: Vec<_> = open
                .iter()
                .filter(|(conflict, _)| conflict.order.request.ticker == ticker || round >= 2)
                .map(|(conflict, _)| conflict.order.client_order_id().to_owned())
                .collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let search = Search {
                client_order_ids: &ids,
                ticker: (round < 2).then_some(ticker.as_str()),
                subaccount: None,
                // The order that has the id may be of any age.
                since_ms: None,
                archive: round > 0,
            };
            match reader.search(search, last_error).await {
                Ok(rows) => {
                    for (conflict, outcome) in &mut open {
                        let id = conflict.order.client_order_id();
                        let found = rows
                            .orders
                            .iter()
                            .filter(|order| order.client_order_id == id);
                        **outcome = conflict.judge(self, found.collect(), ended);
                    }
                    round += 1;
                }
                Err(error) => {
                    if error.is_decode() {
                        reader = self.on_new_connections();
                    }
                    last_error.set(error);
                }
            }
            if round > 2 {
                round = 0;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Conflict {
    /// The outcome by the orders that have the id, or `None` if the search must go on.
    fn judge(&self, client: &Client, found: Vec<&Order>, ended: Moment) -> Option<OrderOutcome> {
        let request = &self.order.request;
        let likeness = |order: &&Order| compare(request, order, None);
        let like = |wanted: Likeness| {
            found
                .iter()
                .copied()
                .filter(move |order| likeness(order) == wanted)
        };
        let candidates = || {
            let orders = found.iter().map(|order| (*order).clone()).collect();
            Some(client.unknown_order_among(self.order.clone(), self.error.clone(), ended, orders))
        };
        let mut as_sent = like(Likeness::AsSent);
        match (as_sent.next(), as_sent.next()) {
            (Some(order), None) if like(Likeness::Unclear).next().is_none() => {
                let placed = PlacedOrder::found(request, order.clone());
                return Some(if self.order.has_made_id {
                    OrderOutcome::Placed(placed)
                } else {
                    OrderOutcome::AlreadyExists(placed)
                });
            }
            (None, _) => {}
            _ => return candidates(),
        }
        match found.as_slice() {
            [] => None,
            [order] if likeness(order) == Likeness::Other => {
                let rejection = self.error.api().filter(|error| is_duplicate(error));
                match rejection {
                    // Ours may not be listed yet.
                    _ if self.may_be_ours => None,
                    Some(error) if !self.order.has_made_id => {
                        let rejection = Rejection::new(error.clone(), Some((*order).clone()));
                        Some(OrderOutcome::Rejected(rejection))
                    }
                    _ => candidates(),
                }
            }
            _ => candidates(),
        }
    }
}
