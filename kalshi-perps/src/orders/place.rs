//! Places orders and resolves conflicts over their client order ids.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use kalshi_core::rt::{
    self,
    orders::{
        Conflict, Explanation, Finding, LastError, OrderMatch, PlaceVerdict, Reading, inquire,
        is_duplicate, send_order,
    },
};

use super::{
    OrderOutcome, Orders, PlacedOrder, Rejection, Subaccounts, UnknownOrder,
    search::{Search, compare},
    unknown_order::SentOrder,
};
use crate::{
    ApiError, Client, Error, operation,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// # Placing orders
impl Orders {
    /// Places an order and returns its outcome. Accepts a [`NewOrder`](super::NewOrder), a generated [`CreateMarginOrderRequest`], or its
    /// builder. The ticker must be set.
    ///
    /// An order with an empty client order id gets a random UUID, the same in all attempts. The order is sent again only if the exchange
    /// certainly did not process it. An invalid order is not sent: see [`InvalidOrder`](super::InvalidOrder).
    ///
    /// # Errors
    ///
    /// Returns an error if the order was certainly not processed: it is invalid, could not be signed or sent, or was rate limited. The same
    /// order fails again if [`is_invalid_request`](Error::is_invalid_request) or [`is_auth`](Error::is_auth) is `true`; otherwise it may be
    /// placed again later.
    pub async fn place<O>(&self, order: O) -> Result<OrderOutcome, Error>
    where
        O: TryInto<CreateMarginOrderRequest, Error: fmt::Display>,
    {
        let client = &self.client;
        let invalid = |message| rt::invalid(operation::CREATE_MARGIN_ORDER, message);
        let order = order
            .try_into()
            .map_err(|error| invalid(error.to_string()))?;
        client
            .check_order(&order)
            .map_err(|error| invalid(error.to_string()))?;
        let given = order.client_order_id.clone();
        let order = SentOrder::new(&client.core, Some(given), |id| CreateMarginOrderRequest {
            client_order_id: id,
            ..order
        });
        client.send_order(order, false).await
    }
}

impl Client {
    /// Sends an order. `earlier` is `true` if it was sent before and may have been placed.
    pub(super) async fn send_order(
        &self,
        order: SentOrder,
        earlier: bool,
    ) -> Result<OrderOutcome, Error> {
        let body = order.request.clone();
        let request = self.create_margin_order().body(body).into_request();
        let operation = operation::CREATE_MARGIN_ORDER;
        let sent = send_order(&self.core, operation, request, earlier, &order).await?;
        Ok(match sent {
            (PlaceVerdict::Placed(response), _) => OrderOutcome::Placed(PlacedOrder {
                fill_count: response.fill_count,
                remaining_count: response.remaining_count,
                average_fill_price: response.average_fill_price,
                average_fee_paid: response.average_fee_paid,
                ..PlacedOrder::new(&order.request, response.order_id)
            }),
            (PlaceVerdict::Rejected(error), _) => {
                OrderOutcome::Rejected(Rejection::new(error, None))
            }
            (PlaceVerdict::Unknown(error), ended) => {
                let unknown = UnknownOrder::new(self, order, error, ended);
                OrderOutcome::Unknown(Box::new(unknown))
            }
            (PlaceVerdict::Conflict { error, may_be_ours }, ended) => {
                let unknown = UnknownOrder::new(self, order, error, ended);
                self.resolve_conflict(unknown, may_be_ours).await
            }
        })
    }

    /// Searches for the order that has the client order id, for at most the client's `lookup_timeout`: in the market and subaccount of the
    /// order, and in every fourth attempt in all markets and subaccounts.
    async fn resolve_conflict(&self, unknown: UnknownOrder, may_be_ours: bool) -> OrderOutcome {
        let (sent, order, error) = (&unknown, &unknown.order, &unknown.error);
        let is_taken = |error: &ApiError| is_duplicate(error) && error.is_from_exchange();
        let conflict = Conflict {
            is_taken: error.api().is_some_and(is_taken),
            may_be_ours,
            is_id_generated: order.is_id_generated,
        };
        // An id that was just generated can be taken only if an earlier attempt placed the order.
        let is_credible = conflict.is_taken && (may_be_ours || !order.is_id_generated);
        let (last_error, looks) = (LastError::default(), AtomicU32::new(0));
        let candidates = Mutex::new(Vec::new());
        let (last, looks) = (&last_error, &looks);
        let remember = |found: &[MarginOrder]| {
            *candidates.lock().unwrap_or_else(PoisonError::into_inner) = found.to_vec();
        };
        let remember = &remember;
        let look = |client: Client, _| async move {
            // The list of all orders may be long, so it is read less often.
            let is_everywhere = looks.fetch_add(1, Relaxed) % 4 == 1;
            let search = match is_everywhere {
                true => Search::new(&order.request.client_order_id, None, Subaccounts::All),
                false => Search::for_request(&order.request),
            };
            let mut found = client.search(search, last).await?;
            let order_match = |found: &MarginOrder| compare(&order.request, found);
            // An order does not show its subaccount, and it may have been listed since the last search of its own subaccount.
            if is_everywhere
                && found
                    .iter()
                    .any(|found| order_match(found) == OrderMatch::AsSent)
            {
                remember(&found);
                found = client
                    .search(Search::for_request(&order.request), last)
                    .await?;
            }
            let rows: Vec<&MarginOrder> = found.iter().collect();
            // Lists lag, so that they are never complete.
            let resolved = match conflict.explain(&rows, order_match, false) {
                Explanation::NotListed => {
                    if !found.is_empty() {
                        remember(&found);
                    }
                    None
                }
                Explanation::Ours(shown) if order.predates_execution(shown) => {
                    remember(&found);
                    None
                }
                Explanation::Ours(found) => {
                    let placed = PlacedOrder::found(&order.request, found);
                    Some(if order.is_id_generated {
                        OrderOutcome::Placed(placed)
                    } else {
                        OrderOutcome::AlreadyExists(placed)
                    })
                }
                Explanation::Other(_) | Explanation::Ambiguous => {
                    let unknown = Box::new(sent.clone().with_candidates(found));
                    Some(match is_credible {
                        true => OrderOutcome::Unlisted(unknown),
                        false => OrderOutcome::Unknown(unknown),
                    })
                }
            };
            Ok(resolved.map_or(Reading::Tentative(None), |outcome| {
                Reading::Conclusive(Some(outcome))
            }))
        };
        let timeout = rt::lookup_timeout(&self.core);
        let finding = inquire(self, unknown.ended, timeout, last, look).await;
        let seen = candidates
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match finding {
            Finding::Conclusive(Some(outcome)) => outcome,
            _ if is_credible => OrderOutcome::Unlisted(Box::new(unknown.with_candidates(seen))),
            _ => {
                let error = Arc::new(rt::after_lookup(error, timeout));
                OrderOutcome::Unknown(Box::new(unknown.with_candidates(seen).with_error(error)))
            }
        }
    }
}
