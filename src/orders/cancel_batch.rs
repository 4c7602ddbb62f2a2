//! Cancels several orders in one request.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Evidence, Outcome,
    orders::{Wanted, check_order_id, is_not_found},
};
use reqwest::StatusCode;

use super::{ChangeOutcome, OrderRef, Orders};
use crate::{
    ApiError, Client, Contracts, Error, operation,
    types::{
        BatchCancelOrdersV2Request, BatchCancelOrdersV2RequestOrders, BatchCancelOrdersV2Response,
        BatchCancelOrdersV2ResponseOrders, ExchangeIndex, error::ConversionError,
    },
};

/// The outcome of one cancel of a batch.
type CancelOutcome = ChangeOutcome<BatchCancelOrdersV2ResponseOrders>;

/// A batch of cancels, returned by [`Orders::cancel_batch`]. Awaiting it returns the outcome of each cancel, in the same order.
pub type CancelBatch = kalshi_core::orders::ChangeRequest<Vec<CancelOutcome>>;

/// # Cancelling several orders
impl Orders {
    /// Cancels several orders in one request and returns an outcome for each, in the same order. An empty batch is not sent.
    ///
    /// # Errors
    ///
    /// The request returns an error if no cancel was processed: see [`place`](Self::place).
    pub fn cancel_batch(
        &self,
        orders: impl IntoIterator<Item = impl Into<OrderRef>>,
    ) -> CancelBatch {
        let client = self.client.clone();
        let keys: Vec<OrderRef> = orders.into_iter().map(Into::into).collect();
        CancelBatch::new(
            operation::BATCH_CANCEL_ORDERS_V2,
            move |confirm| async move { client.send_cancels(&keys, confirm).await },
        )
    }
}

impl Client {
    async fn send_cancels(
        &self,
        keys: &[OrderRef],
        confirm: Duration,
    ) -> Result<Vec<CancelOutcome>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let client = self;
        let operation = operation::BATCH_CANCEL_ORDERS_V2;
        let body = body(keys).map_err(|error| rt::invalid(operation, error.to_string()))?;
        let request = client.batch_cancel_orders_v2().body(body).into_request();
        let write = rt::write(&client.core, operation, request, false).await;
        let evidence: Evidence = write.evidence();
        let about = |_, response: &BatchCancelOrdersV2Response| match response.orders.len() {
            found if found == keys.len() => Ok(()),
            found => Err(format!(
                "{} cancels were sent, but the response is about {found}",
                keys.len()
            )),
        };
        let unknown = |key: &OrderRef, error: Arc<Error>| {
            ChangeOutcome::Unknown(client.unknown_change(key, Wanted::Cancelled, error, &evidence))
        };
        let results: Vec<ItemResult> = match write.judge(about) {
            Outcome::NotProcessed(error) => return Err(error),
            Outcome::Done(response) => {
                let status = response.status();
                let items = response.into_inner().orders;
                // An item about another order shows that the response belongs to another request.
                let is_foreign = |(key, item): (&OrderRef, &BatchCancelOrdersV2ResponseOrders)| {
                    !item.order_id.is_empty() && item.order_id != key.order_id
                };
                let is_suspect = keys.iter().zip(&items).any(is_foreign);
                keys.iter()
                    .zip(items)
                    .map(|(key, item)| judge_item(key, item, status, is_suspect, &evidence))
                    .collect()
            }
            Outcome::Rejected(rejection, error) if is_not_found(&rejection) => {
                let error = Arc::new(error);
                let not_found = |_| ItemResult::NotFound(rejection.clone(), error.clone());
                keys.iter().map(not_found).collect()
            }
            Outcome::Rejected(rejection, _) => {
                let rejected = |_| ItemResult::Outcome(ChangeOutcome::Rejected(rejection.clone()));
                keys.iter().map(rejected).collect()
            }
            Outcome::Unknown(error) => {
                let error = Arc::new(error);
                keys.iter()
                    .map(|_| ItemResult::Unknown(error.clone()))
                    .collect()
            }
        };
        let not_found: Vec<_> = keys
            .iter()
            .zip(&results)
            .filter_map(|(key, result)| match result {
                ItemResult::NotFound(rejection, _) => Some((key, rejection.clone())),
                _ => None,
            })
            .collect();
        let mut proved = match not_found.as_slice() {
            [] => Vec::new(),
            changes => client.prove(changes, &evidence, confirm).await,
        }
        .into_iter();
        let outcome = |(key, result): (&OrderRef, ItemResult)| match result {
            ItemResult::Outcome(outcome) => outcome,
            ItemResult::Unknown(error) => unknown(key, error),
            ItemResult::NotFound(_, error) => proved
                .next()
                .flatten()
                .unwrap_or_else(|| unknown(key, error)),
        };
        Ok(keys.iter().zip(results).map(outcome).collect())
    }
}

/// The verdict on one cancel of a batch.
enum ItemResult {
    Outcome(CancelOutcome),
    /// The exchange did not find the order. That alone proves no outcome.
    NotFound(ApiError, Arc<Error>),
    Unknown(Arc<Error>),
}

fn judge_item(
    key: &OrderRef,
    item: BatchCancelOrdersV2ResponseOrders,
    status: StatusCode,
    is_suspect: bool,
    evidence: &Evidence,
) -> ItemResult {
    let unexpected =
        |message: String| ItemResult::Unknown(Arc::new(evidence.unexpected(status, message)));
    let Some(error) = item.error.clone().filter(rt::is_set) else {
        // Zero if the cancel failed.
        let reduced = match item.reduced_by {
            reduced if reduced > Contracts::ZERO => Ok(()),
            _ => Err("the cancel removed no contracts from the order".to_owned()),
        };
        let checked = check_order_id(&key.order_id, &item.order_id).and(reduced);
        return match checked {
            Ok(()) => ItemResult::Outcome(ChangeOutcome::Done(item)),
            Err(message) => unexpected(message),
        };
    };
    // A failed item may have no order id.
    let is_foreign = match item.order_id.as_str() {
        "" => is_suspect,
        order_id => order_id != key.order_id,
    };
    if is_foreign || !item.reduced_by.is_zero() {
        return unexpected("the response is about another order".to_owned());
    }
    match evidence.judge_item(status, error) {
        (error, Some(rejection)) if is_not_found(&rejection) => {
            ItemResult::NotFound(rejection, Arc::new(error))
        }
        (_, Some(rejection)) => ItemResult::Outcome(ChangeOutcome::Rejected(rejection)),
        (error, None) => ItemResult::Unknown(Arc::new(error)),
    }
}

fn body(keys: &[OrderRef]) -> Result<BatchCancelOrdersV2Request, ConversionError> {
    let items = keys.iter().map(|key| {
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
    let items = items.collect::<Result<Vec<_>, _>>()?;
    BatchCancelOrdersV2Request::builder()
        .orders(items)
        .try_into()
}
