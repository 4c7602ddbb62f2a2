//! Places orders, singly and in batches.

use std::{collections::BTreeSet, fmt, sync::Arc};

use kalshi_core::rt::{
    self, Evidence, Moment, Outcome,
    orders::{Identity, PlaceVerdict, is_conflict, is_duplicate, send_order},
};
use reqwest::StatusCode;

use super::{
    OrderOutcome, OrderRules, Orders, PlacedOrder, Rejection, conflict::ConflictingOrder,
    unknown_order::SentOrder,
};
use crate::{
    Client, Error, OrderId, operation,
    types::{
        BatchCreateOrdersV2Request, BatchCreateOrdersV2Response, BatchCreateOrdersV2ResponseOrders,
        CreateOrderV2Request, error::ConversionError,
    },
};

/// # Placing orders
impl Orders {
    /// Places an order and returns its outcome. Accepts a [`NewOrder`](super::NewOrder), a generated [`CreateOrderV2Request`], or its
    /// builder.
    ///
    /// An order without a client order id gets a random UUID, the same in all attempts. The order is sent again only if the exchange
    /// certainly did not process it. An invalid order is not sent: see [`OrderRules`].
    ///
    /// # Errors
    ///
    /// Returns an error if the order was certainly not processed: it is invalid, could not be signed or sent, or was rate limited. The same
    /// order fails again if [`is_invalid_request`](Error::is_invalid_request) or [`is_auth`](Error::is_auth) is `true`; otherwise it may
    /// be placed again later.
    pub async fn place<O>(&self, order: O) -> Result<OrderOutcome, Error>
    where
        O: TryInto<CreateOrderV2Request, Error: fmt::Display>,
    {
        self.place_with(order, &OrderRules::default()).await
    }

    /// Places an order after checking it against additional rules, such as the price grid of its market.
    ///
    /// # Errors
    ///
    /// Returns an error if a rule is broken, and for the reasons of [`place`](Self::place).
    pub async fn place_with<O>(&self, order: O, rules: &OrderRules) -> Result<OrderOutcome, Error>
    where
        O: TryInto<CreateOrderV2Request, Error: fmt::Display>,
    {
        let client = &self.client;
        let invalid = |message| rt::invalid(operation::CREATE_ORDER_V2, message);
        let order = order
            .try_into()
            .map_err(|error| invalid(error.to_string()))?;
        let order = prepare(client, order);
        client
            .check_order(&order.request, rules)
            .map_err(|error| invalid(error.to_string()))?;
        client.send_order(order, false).await
    }

    /// Places several orders in one request and returns an outcome for each, in the same order. An empty batch is not sent.
    ///
    /// Accepts what [`place`](Self::place) accepts. Each order costs as many tokens as if it were sent alone, so the write bucket limits
    /// the size of a batch.
    ///
    /// # Errors
    ///
    /// Returns an error if none of the orders was processed: see [`place`](Self::place).
    pub async fn place_batch<O>(
        &self,
        orders: impl IntoIterator<Item = O>,
    ) -> Result<Vec<OrderOutcome>, Error>
    where
        O: TryInto<CreateOrderV2Request, Error: fmt::Display>,
    {
        self.place_batch_with(orders, |_| OrderRules::default())
            .await
    }

    /// Places several orders after checking each against more rules.
    ///
    /// # Errors
    ///
    /// Returns an error if a rule is broken, and for the reasons of [`place_batch`](Self::place_batch).
    pub async fn place_batch_with<O>(
        &self,
        orders: impl IntoIterator<Item = O>,
        rules: impl Fn(&CreateOrderV2Request) -> OrderRules,
    ) -> Result<Vec<OrderOutcome>, Error>
    where
        O: TryInto<CreateOrderV2Request, Error: fmt::Display>,
    {
        let mut checked: Vec<SentOrder> = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, order) in orders.into_iter().enumerate() {
            let invalid = |message: String| {
                let message = format!("order {index}: {message}");
                rt::invalid(operation::BATCH_CREATE_ORDERS_V2, message)
            };
            let order = order
                .try_into()
                .map_err(|error| invalid(error.to_string()))?;
            let order = prepare(&self.client, order);
            self.client
                .check_order(&order.request, &rules(&order.request))
                .map_err(|error| invalid(error.to_string()))?;
            if !seen.insert(order.client_order_id.as_str().to_owned()) {
                return Err(invalid(format!(
                    "duplicate client order id `{}` in the batch",
                    order.client_order_id.as_str()
                )));
            }
            checked.push(order);
        }
        if checked.is_empty() {
            return Ok(Vec::new());
        }
        self.client.send_batch(checked).await
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
        let request = self.create_order_v2().body(body).into_request();
        let operation = operation::CREATE_ORDER_V2;
        let sent = send_order(&self.core, operation, request, earlier, &order).await?;
        let (conflict, ended) = match sent {
            (PlaceVerdict::Placed(response), _) => {
                return Ok(OrderOutcome::Placed(PlacedOrder {
                    fill_count: response.fill_count,
                    remaining_count: response.remaining_count,
                    average_fill_price: response.average_fill_price,
                    average_fee_paid: response.average_fee_paid,
                    ..PlacedOrder::new(&order.request, response.order_id)
                }));
            }
            (PlaceVerdict::Rejected(error), _) => {
                return Ok(OrderOutcome::Rejected(Rejection::new(error, None)));
            }
            (PlaceVerdict::Unknown(error), ended) => {
                return Ok(self.unknown_order(order, Arc::new(error), ended));
            }
            (PlaceVerdict::Conflict { error, may_be_ours }, ended) => {
                let error = Arc::new(error);
                let conflict = ConflictingOrder {
                    order,
                    error,
                    may_be_ours,
                };
                (conflict, ended)
            }
        };
        let mut outcomes = self.resolve_conflicts(vec![conflict], ended).await;
        // `resolve_conflicts` returns one outcome for each conflict.
        outcomes
            .pop()
            .ok_or_else(|| rt::invalid(operation::CREATE_ORDER_V2, "no outcome"))
    }

    /// Sends checked orders in one request.
    async fn send_batch(&self, orders: Vec<SentOrder>) -> Result<Vec<OrderOutcome>, Error> {
        let operation = operation::BATCH_CREATE_ORDERS_V2;
        let body: Result<BatchCreateOrdersV2Request, ConversionError> =
            BatchCreateOrdersV2Request::builder()
                .orders(
                    orders
                        .iter()
                        .map(|order| order.request.clone())
                        .collect::<Vec<_>>(),
                )
                .try_into();
        let body = body.map_err(|error| rt::invalid(operation, error.to_string()))?;
        let request = self.batch_create_orders_v2().body(body).into_request();
        let write = rt::write(&self.core, operation, request, false).await;
        let evidence = write.evidence();
        let expected = orders.len();
        let about = |_, response: &BatchCreateOrdersV2Response| match response.orders.len() {
            found if found == expected => Ok(()),
            found => Err(format!(
                "{expected} orders were sent, but the response is about {found}"
            )),
        };
        let unknown = |error: Arc<Error>, order| {
            ItemResult::Outcome(self.unknown_order(order, error, evidence.ended()))
        };
        let results: Vec<ItemResult> = match write.judge(about) {
            Outcome::NotProcessed(error) => return Err(error),
            Outcome::Done(response) => judge_items(
                orders,
                response.status(),
                response.into_inner(),
                &evidence,
                unknown,
            ),
            Outcome::Rejected(_, error) | Outcome::Unknown(error) if is_conflict(&error) => {
                let error = Arc::new(error);
                let conflict = |order| {
                    ItemResult::Conflict(ConflictingOrder {
                        may_be_ours: true,
                        error: error.clone(),
                        order,
                    })
                };
                orders.into_iter().map(conflict).collect()
            }
            Outcome::Rejected(error, _) => {
                let rejected = |_| {
                    let rejection = Rejection::new(error.clone(), None);
                    ItemResult::Outcome(OrderOutcome::Rejected(rejection))
                };
                orders.into_iter().map(rejected).collect()
            }
            Outcome::Unknown(error) => {
                let error = Arc::new(error);
                orders
                    .into_iter()
                    .map(|order| unknown(error.clone(), order))
                    .collect()
            }
        };
        self.finish_batch(results, evidence.ended()).await
    }

    /// Resolves the conflicts of a batch together.
    async fn finish_batch(
        &self,
        results: Vec<ItemResult>,
        ended: Moment,
    ) -> Result<Vec<OrderOutcome>, Error> {
        let (mut outcomes, mut conflicts, mut at) = (Vec::new(), Vec::new(), Vec::new());
        for (index, result) in results.into_iter().enumerate() {
            match result {
                ItemResult::Outcome(outcome) => outcomes.push((index, outcome)),
                ItemResult::Conflict(conflict) => {
                    at.push(index);
                    conflicts.push(conflict);
                }
            }
        }
        if !conflicts.is_empty() {
            let resolved = self.resolve_conflicts(conflicts, ended).await;
            outcomes.extend(at.into_iter().zip(resolved));
            outcomes.sort_by_key(|(index, _)| *index);
        }
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

/// The verdict on one order of a batch.
enum ItemResult {
    Outcome(OrderOutcome),
    /// The client order id is taken. A lookup has to determine by which order.
    Conflict(ConflictingOrder),
}

/// Judges the items of a batch. An item whose client order id is not its order's shows that the response belongs to another request; then
/// only items that name their own order are trusted.
fn judge_items(
    orders: Vec<SentOrder>,
    status: StatusCode,
    response: BatchCreateOrdersV2Response,
    evidence: &Evidence,
    unknown: impl Fn(Arc<Error>, SentOrder) -> ItemResult,
) -> Vec<ItemResult> {
    let items = response.orders;
    let names = |order: &SentOrder, item: &BatchCreateOrdersV2ResponseOrders| {
        let id = item.client_order_id.as_deref().filter(|id| !id.is_empty());
        id.map(|id| id == order.client_order_id.as_str())
    };
    let is_suspect = orders
        .iter()
        .zip(&items)
        .any(|(order, item)| names(order, item) == Some(false));
    let duplicates = duplicates(&items);
    let judge = |(order, item): (SentOrder, BatchCreateOrdersV2ResponseOrders)| {
        let has_shared_id = item
            .order_id
            .as_ref()
            .is_some_and(|id| duplicates.contains(id));
        if has_shared_id || is_suspect && names(&order, &item) != Some(true) {
            let message = "the response is about other orders".to_owned();
            return unknown(Arc::new(evidence.unexpected(status, message)), order);
        }
        let order_id = item.order_id.clone().unwrap_or_else(|| "".into());
        let error = item.error.clone().filter(rt::is_set);
        let message = match (error, item.fill_count, item.remaining_count) {
            (Some(error), fill_count, remaining_count)
                if order_id.is_empty()
                    && fill_count.unwrap_or_default().is_zero()
                    && remaining_count.unwrap_or_default().is_zero() =>
            {
                return match evidence.judge_item(status, error) {
                    (error, _) if error.api().is_some_and(is_duplicate) => {
                        ItemResult::Conflict(ConflictingOrder {
                            may_be_ours: evidence.has_earlier(),
                            error: Arc::new(error),
                            order,
                        })
                    }
                    (_, Some(rejection)) => {
                        ItemResult::Outcome(OrderOutcome::Rejected(Rejection::new(rejection, None)))
                    }
                    (error, None) => unknown(Arc::new(error), order),
                };
            }
            (None, Some(fill_count), Some(remaining_count)) => {
                let identity = Identity {
                    order_id: &order_id,
                    client_order_id: item.client_order_id.as_deref(),
                    fill_count,
                    remaining_count,
                };
                match identity.check(&order) {
                    Ok(()) => {
                        return ItemResult::Outcome(OrderOutcome::Placed(PlacedOrder {
                            fill_count,
                            remaining_count,
                            average_fill_price: item.average_fill_price,
                            average_fee_paid: item.average_fee_paid,
                            ..PlacedOrder::new(&order.request, order_id)
                        }));
                    }
                    Err(message) => message,
                }
            }
            _ => "the item must contain exactly one of an order and an error".to_owned(),
        };
        unknown(Arc::new(evidence.unexpected(status, message)), order)
    };
    orders.into_iter().zip(items).map(judge).collect()
}

/// Returns the order ids that occur in more than one item.
fn duplicates(items: &[BatchCreateOrdersV2ResponseOrders]) -> BTreeSet<OrderId> {
    let mut seen = BTreeSet::new();
    items
        .iter()
        .filter_map(|item| item.order_id.clone().filter(|id| !id.is_empty()))
        .filter(|id| !seen.insert(id.clone()))
        .collect()
}

/// Prepares an order for sending.
pub(super) fn prepare(client: &Client, mut request: CreateOrderV2Request) -> SentOrder {
    SentOrder::new(&client.core, request.client_order_id.take(), |id| {
        request.client_order_id = Some(id);
        request
    })
}
