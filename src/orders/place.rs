//! Placing orders, one or many.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::StatusCode;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    OrderRules,
    find::{Fault, Found, Look, READ_LAG, look},
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
    fn found(order: types::Order) -> Self {
        Self {
            order_id: order.order_id.clone(),
            client_order_id: order.client_order_id.clone(),
            fill_count: order.fill_count_fp,
            remaining_count: order.remaining_count_fp,
            average_fill_price: None,
            average_fee_paid: None,
            order: Some(Box::new(order)),
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
    sent: SystemTime,
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
        let found = look(deadline, self.failed + self.read_lag, &fault, || async {
            let order = self
                .client
                .order_by_client_id(
                    &self.client_order_id,
                    &self.request.ticker,
                    self.sent,
                    &fault,
                )
                .await?;
            Ok(match order {
                Some(order) => Look::Settled(Some(order)),
                None => Look::NotYet(None),
            })
        });
        match found.await {
            Found::Known(Some(order)) | Found::Stayed(Some(order)) => {
                Reconciled::Placed(PlacedOrder::found(order))
            }
            Found::Known(None) | Found::Stayed(None) => Reconciled::NotFound,
            Found::Unknown(error) => Reconciled::Unknown(error.map(Arc::new)),
        }
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
    Refused(ApiError),
    Unknown(Error),
}

impl From<Error> for Verdict {
    fn from(error: Error) -> Self {
        if error.was_not_processed() {
            return Self::NotDone(error);
        }
        // A refusal of the last attempt says nothing of one before it that may have been processed.
        let refused = error.api().filter(|refusal| {
            let status = refusal.status();
            let final_answer = (status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT)
                || status.is_success()
                || status.is_redirection();
            final_answer && error.processed_attempts() <= 1
        });
        match refused.cloned() {
            Some(refusal) => Self::Refused(refusal),
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
            .map_err(|error| Error::invalid(operation, error.to_string()))?;
        let sent = SystemTime::now();
        let error = match self.create_order_v2().body(order.clone()).send().await {
            Ok(answer) => {
                let answer = answer.into_inner();
                return Ok(OrderOutcome::Placed(PlacedOrder {
                    order_id: answer.order_id,
                    client_order_id: answer.client_order_id.unwrap_or(id),
                    fill_count: answer.fill_count,
                    remaining_count: answer.remaining_count,
                    average_fill_price: answer.average_fill_price,
                    average_fee_paid: answer.average_fee_paid,
                    order: None,
                }));
            }
            Err(error) => error,
        };
        // The id is taken. If it was made here, or there was a try before, then by this very order.
        let is_ours = made_here || error.attempts() > 1;
        match Verdict::from(error) {
            Verdict::NotDone(error) => Err(error),
            Verdict::Refused(refusal) if refusal.status() == StatusCode::CONFLICT && is_ours => {
                let error = Error::api_error(operation, refusal.clone());
                let unknown = self.unknown(order, id, Arc::new(error), sent);
                Ok(
                    match unknown.reconcile(READ_LAG + Duration::from_secs(5)).await {
                        Reconciled::Placed(placed) => OrderOutcome::Placed(placed),
                        Reconciled::NotFound => OrderOutcome::Rejected(refusal),
                        Reconciled::Unknown(_) => OrderOutcome::Unknown(unknown),
                    },
                )
            }
            Verdict::Refused(refusal) => Ok(OrderOutcome::Rejected(refusal)),
            Verdict::Unknown(error) => Ok(OrderOutcome::Unknown(self.unknown(
                order,
                id,
                Arc::new(error),
                sent,
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
        mut orders: Vec<CreateOrderV2Request>,
    ) -> Result<Vec<OrderOutcome>, Error> {
        let operation = operation::BATCH_CREATE_ORDERS_V2;
        let ids: Vec<_> = orders
            .iter_mut()
            .map(|order| client_order_id(order).0)
            .collect();
        for (index, (order, id)) in orders.iter().zip(&ids).enumerate() {
            let invalid =
                |message: String| Error::invalid(operation, format!("order {index}: {message}"));
            self.check_order(order, &OrderRules::default())
                .map_err(|error| invalid(error.to_string()))?;
            if ids.iter().take(index).any(|other| other == id) {
                return Err(invalid(format!(
                    "the client order id `{id}` stands twice in the batch"
                )));
            }
        }
        if orders.is_empty() {
            return Err(Error::invalid(operation, "the batch is empty"));
        }
        let sent = SystemTime::now();
        let body: BatchCreateOrdersV2Request = BatchCreateOrdersV2Request::builder()
            .orders(orders.clone())
            .try_into()
            .map_err(|error: crate::generated::types::error::ConversionError| {
                Error::invalid(operation, error.to_string())
            })?;
        let items = match self.batch_create_orders_v2().body(body).send().await {
            Ok(answer) => {
                let status = answer.status();
                let items = answer.into_inner().orders;
                if items.len() != orders.len() {
                    let message = format!(
                        "{} orders were sent, and the answer tells of {}",
                        orders.len(),
                        items.len()
                    );
                    let error = Arc::new(Error::unlike(operation, status, message));
                    return Ok(orders
                        .into_iter()
                        .zip(ids)
                        .map(|(order, id)| {
                            OrderOutcome::Unknown(self.unknown(order, id, error.clone(), sent))
                        })
                        .collect());
                }
                items
                    .into_iter()
                    .map(|item| (item, status))
                    .collect::<Vec<_>>()
            }
            Err(error) => {
                return match Verdict::from(error) {
                    Verdict::NotDone(error) => Err(error),
                    Verdict::Refused(refusal) => Ok(orders
                        .iter()
                        .map(|_| OrderOutcome::Rejected(refusal.clone()))
                        .collect()),
                    Verdict::Unknown(error) => {
                        let error = Arc::new(error);
                        Ok(orders
                            .into_iter()
                            .zip(ids)
                            .map(|(order, id)| {
                                OrderOutcome::Unknown(self.unknown(order, id, error.clone(), sent))
                            })
                            .collect())
                    }
                };
            }
        };
        let outcomes =
            orders
                .into_iter()
                .zip(ids)
                .zip(items)
                .map(|((order, id), (item, status))| {
                    match (
                        item.order_id,
                        item.fill_count,
                        item.remaining_count,
                        item.error,
                    ) {
                        (_, _, _, Some(refusal)) => {
                            OrderOutcome::Rejected(ApiError::of_item(status, refusal))
                        }
                        (Some(order_id), Some(fill_count), Some(remaining_count), None) => {
                            OrderOutcome::Placed(PlacedOrder {
                                order_id,
                                client_order_id: item.client_order_id.unwrap_or(id),
                                fill_count,
                                remaining_count,
                                average_fill_price: item.average_fill_price,
                                average_fee_paid: item.average_fee_paid,
                                order: None,
                            })
                        }
                        _ => {
                            let error = Error::unlike(
                                operation,
                                status,
                                "an item tells neither of an order nor of an error".to_owned(),
                            );
                            OrderOutcome::Unknown(self.unknown(order, id, Arc::new(error), sent))
                        }
                    }
                });
        Ok(outcomes.collect())
    }

    fn unknown(
        &self,
        request: CreateOrderV2Request,
        client_order_id: String,
        error: Arc<Error>,
        sent: SystemTime,
    ) -> Box<UnknownOutcome> {
        Box::new(UnknownOutcome {
            client: self.clone(),
            request,
            client_order_id,
            error,
            sent,
            failed: Instant::now(),
            read_lag: READ_LAG,
        })
    }
}

/// The client order id of an order, made if it has none; and whether it was.
fn client_order_id(order: &mut CreateOrderV2Request) -> (String, bool) {
    let given = order.client_order_id.clone().filter(|id| !id.is_empty());
    let made_here = given.is_none();
    let id = given.unwrap_or_else(|| Uuid::new_v4().to_string());
    order.client_order_id = Some(id.clone());
    (id, made_here)
}
