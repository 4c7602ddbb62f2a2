//! Placing orders, one or many.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kalshi_core::rt;
use reqwest::StatusCode;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    OrderKey, OrderRules,
    find::{Fault, Found, Look, READ_LAG, Search, later, look},
};
use crate::{
    ApiError, Client, Contracts, Dollars, Error, operation,
    types::{self, BatchCreateOrdersV2Request, CreateOrderV2Request},
};

/// What became of an order.
#[derive(Clone, Debug)]
#[must_use = "an outcome that is not known must be found out"]
#[non_exhaustive]
pub enum OrderOutcome {
    /// The exchange has it: resting, filled, or cancelled at once as its time in force says.
    Placed(PlacedOrder),
    /// The exchange refused it.
    Rejected(ApiError),
    /// It was sent, and may have been executed: the time ran out, the connection broke, the exchange failed, or its answer does not
    /// decode.
    Unknown(Box<UnknownOutcome>),
}

/// An order that the exchange has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacedOrder {
    /// The exchange's id.
    pub order_id: String,
    /// The market it is in.
    pub ticker: String,
    /// The subaccount it was sent for, if one was named.
    pub subaccount: Option<i64>,
    /// The shard it was sent to, if one was named.
    pub exchange_index: Option<i64>,
    /// Your own id, given or made by [`Client::place_order`].
    pub client_order_id: String,
    /// Contracts filled: at once, or by the time it was found again.
    pub fill_count: Contracts,
    /// Contracts that rest; none of an order that was filled or cancelled.
    pub remaining_count: Contracts,
    /// Mean price of what was filled at once, if something was. Not told of an order that was found again.
    pub average_fill_price: Option<Dollars>,
    /// Mean fee a contract of what was filled at once, if something was. Not told of an order that was found again.
    pub average_fee_paid: Option<Dollars>,
    /// The order as it stood, of one that was found again.
    pub order: Option<Box<types::Order>>,
}

impl PlacedOrder {
    /// An order that was found again.
    fn found(request: &CreateOrderV2Request, order: types::Order) -> Self {
        Self {
            fill_count: order.fill_count_fp,
            remaining_count: order.remaining_count_fp,
            order: Some(Box::new(order.clone())),
            ..Self::of(request, order.order_id, Some(order.client_order_id))
        }
    }

    /// The order that was sent, with its id on the exchange.
    fn of(
        request: &CreateOrderV2Request,
        order_id: String,
        client_order_id: Option<String>,
    ) -> Self {
        let shard = request.exchange_index.as_ref().map(|index| index.0);
        Self {
            order_id,
            ticker: request.ticker.clone(),
            subaccount: request.subaccount,
            // Less than nothing asks to be routed, and is no shard.
            exchange_index: shard.filter(|shard| *shard >= 0),
            client_order_id: client_order_id
                .filter(|id| !id.is_empty())
                .or_else(|| request.client_order_id.clone())
                .unwrap_or_default(),
            fill_count: Contracts::ZERO,
            remaining_count: Contracts::ZERO,
            average_fill_price: None,
            average_fee_paid: None,
            order: None,
        }
    }
}

impl From<&PlacedOrder> for OrderKey {
    fn from(order: &PlacedOrder) -> Self {
        Self {
            order_id: order.order_id.clone(),
            market_ticker: Some(order.ticker.clone()),
            subaccount: order.subaccount,
            exchange_index: order.exchange_index,
        }
    }
}

/// An order of which it is not known whether the exchange has it.
#[derive(Clone)]
pub struct UnknownOutcome {
    client: Client,
    request: CreateOrderV2Request,
    client_order_id: String,
    error: Arc<Error>,
    sent_ms: u64,
    failed: Instant,
    read_lag: Duration,
}

/// What was found out about an order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reconciled {
    /// The exchange has it.
    Placed(PlacedOrder),
    /// The exchange does not have it: it was not there when reads must have known of it.
    NotFound,
    /// Still not known: the time was too short, or the exchange could not be asked, for which the error is.
    Unknown(Option<Arc<Error>>),
}

impl UnknownOutcome {
    /// The order as it was sent.
    #[must_use]
    pub fn request(&self) -> &CreateOrderV2Request {
        &self.request
    }

    /// The id by which it can be found.
    #[must_use]
    pub fn client_order_id(&self) -> &str {
        &self.client_order_id
    }

    /// Why its outcome is not known.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The same with another time for which reads may lag behind writes; 10 s unless set. An order that is not there after that
    /// time counts as not placed, so rather take it too long.
    #[must_use]
    pub fn with_read_lag(mut self, read_lag: Duration) -> Self {
        self.read_lag = read_lag;
        self
    }

    /// Finds out whether the exchange has the order, in `deadline` at most: looks for its client order id among the account's orders
    /// of the market, open ones and others, and in the archive, until it is there, or has not been there after the time for
    /// which reads lag. Ask with more than that time.
    ///
    /// The archive of fills cannot help: the exchange's fills do not carry the client's id.
    pub async fn reconcile(&self, deadline: Duration) -> Reconciled {
        let fault = Fault::default();
        let settles = later(self.failed, self.read_lag);
        let found = look(deadline, settles, &fault, || async {
            let search = Search {
                client_order_id: &self.client_order_id,
                ticker: &self.request.ticker,
                subaccount: self.request.subaccount,
                sent_ms: self.sent_ms,
                archive: Instant::now() >= settles,
            };
            let order = self.client.order_by_client_id(&search, &fault).await?;
            // An order of another side is one of before, to which the id was given as well.
            let order = order.filter(|order| {
                order
                    .book_side
                    .as_ref()
                    .is_none_or(|side| *side == self.request.side)
            });
            Ok(match order {
                Some(order) => Look::Settled(Some(order)),
                None => Look::NotYet(None),
            })
        });
        match found.await {
            Found::Known(Some(order)) | Found::Stayed(Some(order)) => {
                Reconciled::Placed(PlacedOrder::found(&self.request, order))
            }
            Found::Known(None) | Found::Stayed(None) => Reconciled::NotFound,
            Found::Unknown(error) => Reconciled::Unknown(error.map(Arc::new)),
        }
    }

    /// Whether an order is as this one was sent, with its price and its size.
    fn is_as_sent(&self, placed: &PlacedOrder) -> bool {
        placed.order.as_ref().is_some_and(|order| {
            order.yes_price_dollars == self.request.price
                && order.initial_count_fp == self.request.count
        })
    }
}

impl std::fmt::Debug for UnknownOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnknownOutcome")
            .field("client_order_id", &self.client_order_id)
            .field("ticker", &self.request.ticker)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// What an error says of a write that was to be done once.
pub(super) enum Verdict {
    /// Nothing was processed.
    NotDone(Error),
    /// The exchange refused it.
    Refused(ApiError, Error),
    Unknown(Error),
}

impl From<Error> for Verdict {
    fn from(error: Error) -> Self {
        if error.was_not_processed() {
            return Self::NotDone(error);
        }
        // A refusal of the last attempt says nothing of one before it that may have been processed, and one that comes with more
        // than a refusal is none for sure.
        let refused = error.api().filter(|refusal| {
            let status = refusal.status();
            let success = status.is_success() && !rt::has_more(refusal);
            let refused = status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
            (refused || success || status.is_redirection()) && rt::processed_attempts(&error) <= 1
        });
        match refused.cloned() {
            Some(refusal) => Self::Refused(refusal, error),
            None => Self::Unknown(error),
        }
    }
}

impl Client {
    /// Places an order, and tells what became of it.
    ///
    /// An order without a `client_order_id` gets one, a random UUID; it is the same in all attempts. Attempts are repeated only
    /// where the exchange certainly did not process them. What can be seen to be wrong is not sent: see
    /// [`OrderRules`], which also checks an order against the grid of its market.
    ///
    /// # Errors
    ///
    /// Only for an order that was certainly not processed: it is not valid, could not be signed or sent, or was refused for the
    /// rate limit (429). [`Error::may_have_reached_exchange`] is as always.
    pub async fn place_order(&self, order: CreateOrderV2Request) -> Result<OrderOutcome, Error> {
        self.place_order_by(order, &OrderRules::default()).await
    }

    /// The same, checked against more rules before it is sent.
    ///
    /// # Errors
    ///
    /// As [`place_order`](Self::place_order).
    pub async fn place_order_by(
        &self,
        mut order: CreateOrderV2Request,
        rules: &OrderRules,
    ) -> Result<OrderOutcome, Error> {
        let (id, made_here) = client_order_id(&mut order);
        let operation = operation::CREATE_ORDER_V2;
        self.check_order(&order, rules)
            .map_err(|error| rt::invalid(operation, error.to_string()))?;
        let sent_ms = self.now_ms();
        let error = match self.create_order_v2().body(order.clone()).send().await {
            Ok(answer) => {
                let answer = answer.into_inner();
                return Ok(OrderOutcome::Placed(PlacedOrder {
                    fill_count: answer.fill_count,
                    remaining_count: answer.remaining_count,
                    average_fill_price: answer.average_fill_price,
                    average_fee_paid: answer.average_fee_paid,
                    ..PlacedOrder::of(&order, answer.order_id, answer.client_order_id)
                }));
            }
            Err(error) => error,
        };
        // If the id is taken, then perhaps by this very order: it was made here, or there was a try before.
        let may_be_ours = made_here || error.attempts() > 1;
        match Verdict::from(error) {
            Verdict::NotDone(error) => Err(error),
            Verdict::Refused(refusal, error) if may_be_ours && is_taken(&refusal) => {
                let unknown = self.unknown(order, id, Arc::new(error), sent_ms);
                Ok(
                    match unknown.reconcile(READ_LAG + Duration::from_secs(5)).await {
                        Reconciled::Placed(placed) if made_here || unknown.is_as_sent(&placed) => {
                            OrderOutcome::Placed(placed)
                        }
                        // Somebody else's order of before.
                        Reconciled::Placed(_) => OrderOutcome::Rejected(refusal),
                        Reconciled::NotFound | Reconciled::Unknown(_) => {
                            OrderOutcome::Unknown(unknown)
                        }
                    },
                )
            }
            Verdict::Refused(refusal, _) => Ok(OrderOutcome::Rejected(refusal)),
            Verdict::Unknown(error) => Ok(OrderOutcome::Unknown(self.unknown(
                order,
                id,
                Arc::new(error),
                sent_ms,
            ))),
        }
    }

    /// Places several orders in one request, and tells what became of each, in their order. Each costs as much as a single one; how
    /// many fit is what the write bucket holds. Orders without a `client_order_id` get one.
    ///
    /// # Errors
    ///
    /// Only when none was processed: see [`place_order`](Self::place_order).
    pub async fn place_orders(
        &self,
        orders: Vec<CreateOrderV2Request>,
    ) -> Result<Vec<OrderOutcome>, Error> {
        self.place_orders_by(orders, |_| OrderRules::default())
            .await
    }

    /// The same, each order checked against more rules before they are sent.
    ///
    /// # Errors
    ///
    /// As [`place_orders`](Self::place_orders).
    pub async fn place_orders_by(
        &self,
        mut orders: Vec<CreateOrderV2Request>,
        rules: impl Fn(&CreateOrderV2Request) -> OrderRules,
    ) -> Result<Vec<OrderOutcome>, Error> {
        let operation = operation::BATCH_CREATE_ORDERS_V2;
        let ids: Vec<_> = orders
            .iter_mut()
            .map(|order| client_order_id(order).0)
            .collect();
        let mut seen = BTreeSet::new();
        for (index, (order, id)) in orders.iter().zip(&ids).enumerate() {
            let invalid =
                |message: String| rt::invalid(operation, format!("order {index}: {message}"));
            self.check_order(order, &rules(order))
                .map_err(|error| invalid(error.to_string()))?;
            if !seen.insert(id) {
                return Err(invalid(format!(
                    "the client order id `{id}` stands twice in the batch"
                )));
            }
        }
        if orders.is_empty() {
            return Err(rt::invalid(operation, "the batch is empty"));
        }
        let sent_ms = self.now_ms();
        let body: BatchCreateOrdersV2Request = BatchCreateOrdersV2Request::builder()
            .orders(orders.clone())
            .try_into()
            .map_err(|error: types::error::ConversionError| {
                rt::invalid(operation, error.to_string())
            })?;
        let orders = orders.into_iter().zip(ids);
        let unknown = |error: Error| {
            let error = Arc::new(error);
            move |(order, id)| {
                OrderOutcome::Unknown(self.unknown(order, id, error.clone(), sent_ms))
            }
        };
        let (items, status) = match self.batch_create_orders_v2().body(body).send().await {
            Ok(answer) => {
                let status = answer.status();
                (answer.into_inner().orders, status)
            }
            Err(error) => {
                return match Verdict::from(error) {
                    Verdict::NotDone(error) => Err(error),
                    Verdict::Refused(refusal, _) => Ok(orders
                        .map(|_| OrderOutcome::Rejected(refusal.clone()))
                        .collect()),
                    Verdict::Unknown(error) => Ok(orders.map(unknown(error)).collect()),
                };
            }
        };
        if items.len() != orders.len() {
            let message = format!(
                "{} orders were sent, and the answer tells of {}",
                orders.len(),
                items.len()
            );
            return Ok(orders
                .map(unknown(rt::unexpected_response(operation, status, message)))
                .collect());
        }
        let outcomes = orders.zip(items).map(|((order, id), item)| {
            match item_outcome(&order, &id, item, status) {
                Ok(outcome) => outcome,
                Err(message) => unknown(rt::unexpected_response(
                    operation,
                    status,
                    message.to_owned(),
                ))((order, id)),
            }
        });
        Ok(outcomes.collect())
    }

    fn unknown(
        &self,
        request: CreateOrderV2Request,
        client_order_id: String,
        error: Arc<Error>,
        sent_ms: u64,
    ) -> Box<UnknownOutcome> {
        Box::new(UnknownOutcome {
            client: self.clone(),
            request,
            client_order_id,
            error,
            sent_ms,
            failed: Instant::now(),
            read_lag: READ_LAG,
        })
    }
}

/// What an item of a batch tells of its order, or why it tells nothing for sure.
fn item_outcome(
    order: &CreateOrderV2Request,
    id: &str,
    item: types::BatchCreateOrdersV2ResponseOrders,
    status: StatusCode,
) -> Result<OrderOutcome, &'static str> {
    let order_id = item.order_id.filter(|id| !id.is_empty());
    let refusal = item.error.filter(rt::is_set);
    if item
        .client_order_id
        .as_ref()
        .is_some_and(|other| !other.is_empty() && other != id)
    {
        return Err("an item tells of another order than the one in its place");
    }
    match (order_id, refusal, item.fill_count, item.remaining_count) {
        (None, Some(refusal), _, _) if !rt::is_fault(&refusal) => {
            Ok(OrderOutcome::Rejected(rt::item_error(status, refusal)))
        }
        (Some(order_id), None, Some(fill_count), Some(remaining_count)) => {
            Ok(OrderOutcome::Placed(PlacedOrder {
                fill_count,
                remaining_count,
                average_fill_price: item.average_fill_price,
                average_fee_paid: item.average_fee_paid,
                ..PlacedOrder::of(order, order_id, item.client_order_id)
            }))
        }
        _ => Err("an item tells neither of an order alone nor of a refusal alone"),
    }
}

/// Whether a refusal says, or may say, that the client order id is taken.
fn is_taken(refusal: &ApiError) -> bool {
    let says = |code: &str| code.contains("exist") || code.contains("duplicate");
    refusal.status() == StatusCode::CONFLICT && refusal.code().is_none_or(says)
}

/// The client order id of an order, made if it has none; and whether it was.
fn client_order_id(order: &mut CreateOrderV2Request) -> (String, bool) {
    let given = order.client_order_id.clone().filter(|id| !id.is_empty());
    let made_here = given.is_none();
    let id = given.unwrap_or_else(|| Uuid::new_v4().to_string());
    order.client_order_id = Some(id.clone());
    (id, made_here)
}
