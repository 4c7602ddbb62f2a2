//! Changing orders that are there: cancel, amend, decrease.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    PlacedOrder,
    find::{Fault, Found, Look, READ_LAG, look},
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

/// Which order, and where it is. An id alone does not tell the shard: name the market, or the shard itself, where orders are not all on
/// the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderKey {
    /// The exchange's id of the order.
    pub order_id: String,
    /// The market it is in.
    pub market_ticker: Option<String>,
    /// The subaccount it is of; the primary one unless set.
    pub subaccount: Option<i64>,
    /// The shard it is on.
    pub exchange_index: Option<i64>,
}

impl OrderKey {
    /// The order of that id.
    #[must_use]
    pub fn new(order_id: impl Into<String>) -> Self {
        Self {
            order_id: order_id.into(),
            ..Self::default()
        }
    }

    /// The same, in that market.
    #[must_use]
    pub fn with_market(mut self, ticker: impl Into<String>) -> Self {
        self.market_ticker = Some(ticker.into());
        self
    }

    /// The same, of that subaccount.
    #[must_use]
    pub fn with_subaccount(mut self, subaccount: i64) -> Self {
        self.subaccount = Some(subaccount);
        self
    }

    /// The same, on that shard.
    #[must_use]
    pub fn with_exchange_index(mut self, exchange_index: i64) -> Self {
        self.exchange_index = Some(exchange_index);
        self
    }
}

impl From<&str> for OrderKey {
    fn from(order_id: &str) -> Self {
        Self::new(order_id)
    }
}

impl From<&PlacedOrder> for OrderKey {
    fn from(order: &PlacedOrder) -> Self {
        Self::new(&order.order_id)
    }
}

/// What became of a change.
#[derive(Clone, Debug)]
#[must_use = "an outcome that is not known must be found out"]
#[non_exhaustive]
pub enum ChangeOutcome<T> {
    /// The exchange did it.
    Done(T),
    /// There is no such order to change: it was filled, cancelled or has expired before, or never was. To a cancel that is as good.
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
    order_id: String,
    wanted: Wanted,
    error: Arc<Error>,
    failed: Instant,
    read_lag: Duration,
}

/// What an order looks like after the change.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    Cancelled,
    /// With this price for YES, and so many contracts filled and resting.
    Amended(Dollars, Contracts),
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
    /// It was not done by the time reads must have known of it; the order as it is.
    NotDone(Box<Order>),
    /// There is no such order.
    Gone,
    /// The order as it is does not tell: a decrease by a number of contracts, of we do not know how many.
    Unclear(Box<Order>),
    /// Still not known: the time was too short, or the exchange could not be asked, for which the error is.
    Unknown(Option<Arc<Error>>),
}

impl UnknownChange {
    /// The order it was to change.
    #[must_use]
    pub fn order_id(&self) -> &str {
        &self.order_id
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
        let found = look(deadline, self.failed + self.read_lag, &fault, || async {
            let order = self.client.order_by_id(&self.order_id).await?;
            Ok(match order {
                Some(order) if self.is_done(&order) => Look::Settled(Some(order)),
                order => Look::NotYet(order),
            })
        });
        match found.await {
            Found::Known(Some(order)) => ChangeReconciled::Done(Box::new(order)),
            Found::Stayed(Some(order)) if self.wanted == Wanted::Fewer => {
                ChangeReconciled::Unclear(Box::new(order))
            }
            Found::Stayed(Some(order)) => ChangeReconciled::NotDone(Box::new(order)),
            Found::Known(None) | Found::Stayed(None) => ChangeReconciled::Gone,
            Found::Unknown(error) => ChangeReconciled::Unknown(error.map(Arc::new)),
        }
    }

    fn is_done(&self, order: &Order) -> bool {
        let total = order.fill_count_fp.checked_add(order.remaining_count_fp);
        match self.wanted {
            Wanted::Cancelled => {
                matches!(order.status, OrderStatus::Canceled | OrderStatus::Executed)
            }
            Wanted::Amended(price, count) => {
                order.yes_price_dollars == price && total == Some(count)
            }
            Wanted::Remaining(count) => order.remaining_count_fp <= count,
            Wanted::Fewer => false,
        }
    }
}

impl std::fmt::Debug for UnknownChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnknownChange")
            .field("order_id", &self.order_id)
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
    }

    /// Changes price and size of an order, and tells what became of it.
    ///
    /// # Errors
    ///
    /// Only when nothing was processed: see [`place_order`](Self::place_order).
    pub async fn amend_order(
        &self,
        order: impl Into<OrderKey>,
        change: AmendOrderV2Request,
    ) -> Result<ChangeOutcome<AmendOrderV2Response>, Error> {
        let key = order.into();
        let wanted = Wanted::Amended(change.price, change.count);
        let mut call = self.amend_order_v2().order_id(&key.order_id).body(change);
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        self.changed(call.send().await, &key, wanted)
    }

    /// Takes contracts off an order, and tells what became of it. It keeps its place in the queue.
    ///
    /// # Errors
    ///
    /// Only when nothing was processed: see [`place_order`](Self::place_order).
    pub async fn decrease_order(
        &self,
        order: impl Into<OrderKey>,
        change: DecreaseOrderV2Request,
    ) -> Result<ChangeOutcome<DecreaseOrderV2Response>, Error> {
        let key = order.into();
        let wanted = change.reduce_to.map_or(Wanted::Fewer, Wanted::Remaining);
        let mut call = self
            .decrease_order_v2()
            .order_id(&key.order_id)
            .body(change);
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        self.changed(call.send().await, &key, wanted)
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
            return Err(Error::invalid(operation, "the batch is empty"));
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
        let invalid = |error: ConversionError| Error::invalid(operation, error.to_string());
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
                    return Ok(items
                        .into_iter()
                        .map(|item| cancelled(item, status))
                        .collect());
                }
                let message = format!(
                    "{} cancels were sent, and the answer tells of {}",
                    orders.len(),
                    items.len()
                );
                Verdict::Unknown(Error::unlike(operation, status, message))
            }
            Err(error) => Verdict::from(error),
        };
        match error {
            Verdict::NotDone(error) => Err(error),
            Verdict::Refused(refusal) => Ok(orders
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
            order_id: key.order_id.clone(),
            wanted,
            error,
            failed: Instant::now(),
            read_lag: READ_LAG,
        })
    }

    fn changed<T>(
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
            Verdict::Refused(refusal) if refusal.status() == reqwest::StatusCode::NOT_FOUND => {
                Ok(ChangeOutcome::AlreadyGone)
            }
            Verdict::Refused(refusal) => Ok(ChangeOutcome::Rejected(refusal)),
            Verdict::Unknown(error) => Ok(ChangeOutcome::Unknown(self.unsure(
                key,
                wanted,
                Arc::new(error),
            ))),
        }
    }
}

/// What became of one cancel of a batch.
fn cancelled(
    item: BatchCancelOrdersV2ResponseOrders,
    status: reqwest::StatusCode,
) -> ChangeOutcome<BatchCancelOrdersV2ResponseOrders> {
    match &item.error {
        None => ChangeOutcome::Done(item),
        Some(refusal) if refusal.code.as_deref() == Some("not_found") => ChangeOutcome::AlreadyGone,
        Some(refusal) => ChangeOutcome::Rejected(ApiError::of_item(status, refusal.clone())),
    }
}
