//! Changing orders that are there: cancel, amend, decrease.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt;
use reqwest::StatusCode;
use tokio::time::Instant;

use super::{
    InvalidOrder, OrderKey,
    find::{Fault, Found, Look, READ_LAG, later, look},
    place::Verdict,
};
use crate::{
    ApiError, Client, Contracts, Dollars, Error, ResponseValue, operation,
    types::{
        AmendOrderV2Request, AmendOrderV2Response, BatchCancelOrdersV2Request,
        BatchCancelOrdersV2RequestOrders, BatchCancelOrdersV2ResponseOrders, CancelOrderV2Response,
        DecreaseOrderV2Request, DecreaseOrderV2Response, ExchangeIndex, Order, OrderStatus,
        error::ConversionError,
    },
};

/// What became of a change.
#[derive(Clone, Debug)]
#[must_use = "an outcome that is not known must be found out"]
#[non_exhaustive]
pub enum ChangeOutcome<T> {
    /// The exchange did it.
    Done(T),
    /// There is no such order to change: it was filled, cancelled or has expired before, or never was. To a cancel that is as good.
    /// Where neither market nor shard were named, and so an order on another shard would not be found, the order was read to be
    /// sure.
    AlreadyGone,
    /// The exchange refused it; the order is as it was.
    Rejected(ApiError),
    /// It was sent, and may have been done.
    Unknown(Box<UnknownChange>),
}

/// A change of which it is not known whether the exchange did it.
#[derive(Clone)]
pub struct UnknownChange {
    client: Client,
    key: OrderKey,
    wanted: Wanted,
    error: Arc<Error>,
    failed: Instant,
    read_lag: Duration,
}

/// What an order looks like after the change.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    Cancelled,
    /// With this price for YES, so many contracts filled and resting, and this expiry in Unix seconds, 0 for none, if one was set.
    Amended(Dollars, Contracts, Option<i64>),
    /// With so many contracts resting at most.
    Remaining(Contracts),
    /// With so many fewer, of we do not know how many.
    Fewer,
}

/// What was found out about a change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChangeReconciled {
    /// It was done; the order as it is.
    Done(Box<Order>),
    /// It was not done by the time reads must have known of it, or cannot be any more, as of a cancel that came after the last fill;
    /// the order as it is.
    NotDone(Box<Order>),
    /// There is no such order.
    Gone,
    /// The order as it is does not tell: it was to be decreased by a number of contracts, of we do not know how many; or it has ended,
    /// and may have been changed before that; or its status is none that is known.
    Unclear(Box<Order>),
    /// Still not known: the time was too short, or the exchange could not be asked, for which the error is.
    Unknown(Option<Arc<Error>>),
}

impl UnknownChange {
    /// The order it was to change.
    #[must_use]
    pub fn order_id(&self) -> &str {
        &self.key.order_id
    }

    /// Why its outcome is not known.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The same with another time for which reads may lag behind writes; 10 s unless set.
    #[must_use]
    pub fn with_read_lag(mut self, read_lag: Duration) -> Self {
        self.read_lag = read_lag;
        self
    }

    /// Finds out whether the change was done, in `deadline` at most: reads the order until it is as wanted, or has not been after
    /// the time for which reads lag. Ask with more than that time.
    pub async fn reconcile(&self, deadline: Duration) -> ChangeReconciled {
        let fault = Fault::default();
        let found = look(
            deadline,
            later(self.failed, self.read_lag),
            &fault,
            || async {
                let order = self.client.order_by_key(&self.key, &fault).await?;
                Ok(match order {
                    // What has ended stays as it is.
                    Some(order) if self.is_done(&order) || has_ended(&order) => {
                        Look::Settled(Some(order))
                    }
                    order => Look::NotYet(order),
                })
            },
        );
        let order = match found.await {
            Found::Known(Some(order)) | Found::Stayed(Some(order)) => Box::new(order),
            Found::Known(None) | Found::Stayed(None) => return ChangeReconciled::Gone,
            Found::Unknown(error) => return ChangeReconciled::Unknown(error.map(Arc::new)),
        };
        let (rests, ended) = (order.status == OrderStatus::Resting, has_ended(&order));
        match self.wanted {
            _ if self.is_done(&order) => ChangeReconciled::Done(order),
            Wanted::Fewer => ChangeReconciled::Unclear(order),
            // It may have been changed, and have ended after that.
            Wanted::Amended(..) | Wanted::Remaining(_) if ended => ChangeReconciled::Unclear(order),
            // A status of tomorrow tells nothing.
            _ if !rests && !ended => ChangeReconciled::Unclear(order),
            _ => ChangeReconciled::NotDone(order),
        }
    }

    fn is_done(&self, order: &Order) -> bool {
        let total = order.fill_count_fp.checked_add(order.remaining_count_fp);
        let rests = order.status == OrderStatus::Resting;
        match self.wanted {
            Wanted::Cancelled => order.status == OrderStatus::Canceled,
            Wanted::Amended(price, count, expiry) => {
                let expires = order.expiration_time.map_or(0, |time| time.timestamp());
                rests
                    && order.yes_price_dollars == price
                    && total == Some(count)
                    && expiry.is_none_or(|expiry| expiry == expires)
            }
            Wanted::Remaining(count) => rests && order.remaining_count_fp <= count,
            Wanted::Fewer => false,
        }
    }
}

impl std::fmt::Debug for UnknownChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnknownChange")
            .field("order_id", &self.key.order_id)
            .field("wanted", &self.wanted)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Cancels an order, and tells what became of it. A cancel goes before everything else that waits for tokens of writes.
    ///
    /// # Errors
    ///
    /// Only when nothing was processed: see [`place_order`](Self::place_order).
    pub async fn cancel_order(
        &self,
        order: impl Into<OrderKey>,
    ) -> Result<ChangeOutcome<CancelOrderV2Response>, Error> {
        let key = order.into();
        let mut call = self.cancel_order_v2().order_id(&key.order_id);
        if let Some(ticker) = &key.market_ticker {
            call = call.market_ticker(ticker);
        }
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        if let Some(index) = key.exchange_index {
            call = call.exchange_index(ExchangeIndex(index));
        }
        self.changed(call.send().await, &key, Wanted::Cancelled)
            .await
    }

    /// Changes price and size of an order, and tells what became of it.
    ///
    /// # Errors
    ///
    /// Only when nothing was processed: see [`place_order`](Self::place_order).
    pub async fn amend_order(
        &self,
        order: impl Into<OrderKey>,
        mut change: AmendOrderV2Request,
    ) -> Result<ChangeOutcome<AmendOrderV2Response>, Error> {
        let key = order.into();
        let invalid = |message: String| rt::invalid(operation::AMEND_ORDER_V2, message);
        if change.price <= Dollars::ZERO || change.price >= Dollars::ONE {
            return Err(invalid(InvalidOrder::Price(change.price).to_string()));
        }
        if change.count <= Contracts::ZERO {
            return Err(invalid(InvalidOrder::Count(change.count).to_string()));
        }
        // Not in every version of the contract.
        let expiry = serde_json::to_value(&change)
            .ok()
            .and_then(|body| body.get("expiration_time")?.as_i64());
        let wanted = Wanted::Amended(change.price, change.count, expiry);
        change.exchange_index = change
            .exchange_index
            .or(key.exchange_index.map(ExchangeIndex));
        let mut call = self.amend_order_v2().order_id(&key.order_id).body(change);
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        self.changed(call.send().await, &key, wanted).await
    }

    /// Takes contracts off an order, and tells what became of it. It keeps its place in the queue.
    ///
    /// # Errors
    ///
    /// Only when nothing was processed: see [`place_order`](Self::place_order).
    pub async fn decrease_order(
        &self,
        order: impl Into<OrderKey>,
        mut change: DecreaseOrderV2Request,
    ) -> Result<ChangeOutcome<DecreaseOrderV2Response>, Error> {
        let key = order.into();
        if change.reduce_by.is_some() == change.reduce_to.is_some() {
            let message = "a decrease has one of `reduce_by` and `reduce_to`";
            return Err(rt::invalid(operation::DECREASE_ORDER_V2, message));
        }
        let wanted = change.reduce_to.map_or(Wanted::Fewer, Wanted::Remaining);
        change.exchange_index = change
            .exchange_index
            .or(key.exchange_index.map(ExchangeIndex));
        change.market_ticker = change.market_ticker.or_else(|| key.market_ticker.clone());
        let mut call = self
            .decrease_order_v2()
            .order_id(&key.order_id)
            .body(change);
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        self.changed(call.send().await, &key, wanted).await
    }

    /// Cancels several orders in one request, and tells what became of each, in their order.
    ///
    /// # Errors
    ///
    /// Only when none was processed: see [`place_order`](Self::place_order).
    pub async fn cancel_orders(
        &self,
        orders: &[OrderKey],
    ) -> Result<Vec<ChangeOutcome<BatchCancelOrdersV2ResponseOrders>>, Error> {
        let operation = operation::BATCH_CANCEL_ORDERS_V2;
        if orders.is_empty() {
            return Err(rt::invalid(operation, "the batch is empty"));
        }
        let items = orders.iter().map(|key| {
            let mut item = BatchCancelOrdersV2RequestOrders::builder().order_id(&key.order_id);
            if let Some(ticker) = &key.market_ticker {
                item = item.market_ticker(ticker);
            }
            if let Some(subaccount) = key.subaccount {
                item = item.subaccount(subaccount);
            }
            if let Some(index) = key.exchange_index {
                item = item.exchange_index(ExchangeIndex(index));
            }
            BatchCancelOrdersV2RequestOrders::try_from(item)
        });
        let invalid = |error: ConversionError| rt::invalid(operation, error.to_string());
        let items = items.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        let body: BatchCancelOrdersV2Request = BatchCancelOrdersV2Request::builder()
            .orders(items)
            .try_into()
            .map_err(invalid)?;
        let error = match self.batch_cancel_orders_v2().body(body).send().await {
            Ok(answer) => {
                let status = answer.status();
                let items = answer.into_inner().orders;
                if items.len() == orders.len() {
                    let outcomes = orders.iter().zip(items).map(|(key, item)| {
                        cancelled(key, item, status).unwrap_or_else(|| {
                            let message = "an item does not tell for sure what became of its order";
                            let error =
                                rt::unexpected_response(operation, status, message.to_owned());
                            ChangeOutcome::Unknown(self.unsure(
                                key,
                                Wanted::Cancelled,
                                Arc::new(error),
                            ))
                        })
                    });
                    return Ok(outcomes.collect());
                }
                let message = format!(
                    "{} cancels were sent, and the answer tells of {}",
                    orders.len(),
                    items.len()
                );
                Verdict::Unknown(rt::unexpected_response(operation, status, message))
            }
            Err(error) => Verdict::from(error),
        };
        match error {
            Verdict::NotDone(error) => Err(error),
            Verdict::Refused(refusal, _) => Ok(orders
                .iter()
                .map(|_| ChangeOutcome::Rejected(refusal.clone()))
                .collect()),
            Verdict::Unknown(error) => {
                let error = Arc::new(error);
                Ok(orders
                    .iter()
                    .map(|key| {
                        ChangeOutcome::Unknown(self.unsure(key, Wanted::Cancelled, error.clone()))
                    })
                    .collect())
            }
        }
    }

    fn unsure(&self, key: &OrderKey, wanted: Wanted, error: Arc<Error>) -> Box<UnknownChange> {
        Box::new(UnknownChange {
            client: self.clone(),
            key: key.clone(),
            wanted,
            error,
            failed: Instant::now(),
            read_lag: READ_LAG,
        })
    }

    async fn changed<T>(
        &self,
        result: Result<ResponseValue<T>, Error>,
        key: &OrderKey,
        wanted: Wanted,
    ) -> Result<ChangeOutcome<T>, Error> {
        let error = match result {
            Ok(answer) => return Ok(ChangeOutcome::Done(answer.into_inner())),
            Err(error) => error,
        };
        match Verdict::from(error) {
            Verdict::NotDone(error) => Err(error),
            Verdict::Refused(refusal, _) if is_gone(refusal.status(), refusal.code()) => {
                let routed = key.market_ticker.is_some() || key.exchange_index.is_some();
                let rests = !routed
                    && match self.order_by_key(key, &Fault::default()).await {
                        Ok(order) => order.is_some_and(|order| !has_ended(&order)),
                        Err(_) => true,
                    };
                Ok(if rests {
                    ChangeOutcome::Rejected(refusal)
                } else {
                    ChangeOutcome::AlreadyGone
                })
            }
            Verdict::Refused(refusal, _) => Ok(ChangeOutcome::Rejected(refusal)),
            Verdict::Unknown(error) => Ok(ChangeOutcome::Unknown(self.unsure(
                key,
                wanted,
                Arc::new(error),
            ))),
        }
    }
}

/// Whether an order has ended for good. One of a status that is not known has not for sure.
fn has_ended(order: &Order) -> bool {
    matches!(order.status, OrderStatus::Canceled | OrderStatus::Executed)
}

/// Whether a refusal says that there is no such order. An account that is not on a shard is another 404.
fn is_gone(status: StatusCode, code: Option<&str>) -> bool {
    status == StatusCode::NOT_FOUND && code.is_none_or(|code| code == "not_found")
}

/// What became of one cancel of a batch.
fn cancelled(
    key: &OrderKey,
    item: BatchCancelOrdersV2ResponseOrders,
    status: StatusCode,
) -> Option<ChangeOutcome<BatchCancelOrdersV2ResponseOrders>> {
    if !item.order_id.is_empty() && item.order_id != key.order_id {
        return None;
    }
    let routed = key.market_ticker.is_some() || key.exchange_index.is_some();
    match item.error.clone().filter(rt::is_set) {
        None => Some(ChangeOutcome::Done(item)),
        Some(refusal) if rt::is_fault(&refusal) => None,
        Some(refusal) if refusal.code.as_deref() == Some("not_found") && routed => {
            Some(ChangeOutcome::AlreadyGone)
        }
        Some(refusal) => Some(ChangeOutcome::Rejected(rt::item_error(status, refusal))),
    }
}
