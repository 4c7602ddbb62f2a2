//! Placing orders.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use kalshi_core::rt::{
    self, Outcome,
    orders::{
        Conflict, Explanation, Finding, Identity, LastError, Likeness, Sight, inquire, is_conflict,
        is_duplicate,
    },
};

use super::{
    OrderOutcome, Orders, PlacedOrder, Rejection, Subaccounts, UnknownOutcome,
    search::{Search, compare},
    unknown_order::SentOrder,
};
use crate::{
    Client, Error, operation,
    types::{CreateMarginOrderRequest, CreateMarginOrderResponse, MarginOrder},
};

impl Orders {
    /// Places an order and returns its outcome. Takes a [`NewOrder`](super::NewOrder), a generated [`CreateMarginOrderRequest`] or its
    /// builder, with a ticker.
    ///
    /// An order with an empty client order id gets a random UUID, the same in all attempts. The order is sent again only if the exchange
    /// certainly did not process it. An invalid order is not sent: see [`InvalidOrder`](super::InvalidOrder).
    ///
    /// # Errors
    ///
    /// Returns an error if the order was certainly not processed: it is invalid, could not be signed or sent, or was rate limited. The same
    /// order fails again if [`is_invalid_request`](Error::is_invalid_request) or [`is_auth`](Error::is_auth) is `true`; otherwise it may
    /// be placed again later.
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
        let order = SentOrder::new(client, order);
        client.send_order(order, false).await
    }
}

impl Client {
    /// Sends an order. With `earlier`, it has been sent before and may have been placed.
    pub(super) async fn send_order(
        &self,
        order: SentOrder,
        earlier: bool,
    ) -> Result<OrderOutcome, Error> {
        let body = order.request.clone();
        let request = self.create_margin_order().body(body).into_request();
        let write = rt::write(&self.core, operation::CREATE_MARGIN_ORDER, request, earlier).await;
        let evidence = write.evidence();
        let about = |status, response: &CreateMarginOrderResponse| {
            let identity = Identity {
                order_id: &response.order_id,
                client_order_id: response.client_order_id.as_deref(),
                fill_count: response.fill_count,
                remaining_count: response.remaining_count,
            };
            identity.check(status, &order.request.client_order_id, order.request.count)
        };
        let (error, may_be_ours) = match write.judge(about) {
            Outcome::Done(response) => {
                let response = response.into_inner();
                return Ok(OrderOutcome::Placed(PlacedOrder {
                    fill_count: response.fill_count,
                    remaining_count: response.remaining_count,
                    average_fill_price: response.average_fill_price,
                    average_fee_paid: response.average_fee_paid,
                    ..PlacedOrder::new(&order.request, response.order_id)
                }));
            }
            Outcome::NotProcessed(error) => return Err(error),
            Outcome::Rejected(_, error) if is_conflict(&error) => (error, evidence.has_earlier()),
            Outcome::Unknown(error) if is_conflict(&error) => (error, true),
            Outcome::Rejected(error, _) => {
                return Ok(OrderOutcome::Rejected(Rejection::new(error, None)));
            }
            Outcome::Unknown(error) => {
                let unknown = UnknownOutcome::new(self, order, error, evidence.ended());
                return Ok(OrderOutcome::Unknown(Box::new(unknown)));
            }
        };
        let unknown = UnknownOutcome::new(self, order, error, evidence.ended());
        Ok(self.resolve_conflict(unknown, may_be_ours).await)
    }

    /// Looks for the order that has the client order id, for at most the client's `lookup_timeout`: in turn in the market and subaccount
    /// of the order, and everywhere.
    async fn resolve_conflict(&self, unknown: UnknownOutcome, may_be_ours: bool) -> OrderOutcome {
        let (sent, order, error) = (&unknown, &unknown.order, &unknown.error);
        let taken = error
            .api()
            .filter(|error| is_duplicate(error) && error.is_from_exchange());
        let conflict = Conflict {
            is_taken: taken.is_some(),
            may_be_ours,
            has_made_id: order.has_made_id,
        };
        let (last_error, is_everywhere) = (LastError::default(), AtomicBool::new(true));
        let (last, is_everywhere) = (&last_error, &is_everywhere);
        let look = |client: Client, _| async move {
            let is_everywhere = !is_everywhere.fetch_xor(true, Relaxed);
            let search = match is_everywhere {
                true => Search::new(&order.request.client_order_id, None, Subaccounts::All),
                false => Search::of(&order.request),
            };
            let found = client.search(search, last).await?;
            let likeness = |found: &MarginOrder| match compare(&order.request, found) {
                // An order does not say its subaccount.
                Likeness::AsSent if is_everywhere => Likeness::Unclear,
                likeness => likeness,
            };
            let found: Vec<&MarginOrder> = found.iter().collect();
            let resolved = match (conflict.explain(&found, likeness, true), taken) {
                (Explanation::Open, _) => None,
                (Explanation::Ours(found), _) => {
                    let placed = PlacedOrder::found(&order.request, found);
                    Some(if order.has_made_id {
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
                    let candidates = found.into_iter().cloned().collect();
                    let unknown = sent.clone().among(candidates);
                    Some(OrderOutcome::Unknown(Box::new(unknown)))
                }
            };
            Ok(resolved.map_or(Sight::Tentative(None), |outcome| {
                Sight::Conclusive(Some(outcome))
            }))
        };
        let timeout = rt::lookup_timeout(&self.core);
        match inquire(self, unknown.ended, timeout, last, look).await {
            Finding::Conclusive(Some(outcome)) => outcome,
            // Without an earlier attempt no order can have an id that was just made.
            _ if conflict.is_taken && (may_be_ours || !order.has_made_id) => {
                OrderOutcome::Unlisted(Box::new(unknown))
            }
            _ => {
                let error = Arc::new(rt::after_lookup(error, timeout));
                OrderOutcome::Unknown(Box::new(unknown.with_error(error)))
            }
        }
    }
}
