//! Cancels, amends and decreases orders.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use kalshi_core::rt::{
    self, Evidence,
    orders::{AmendTerms, ChangeVerdict, Finding, LastError, PreparedChange, Reading, inquire},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    Amendment, Decrease, InvalidOrder, OrderRef, OrderRules, Orders, UnknownChange,
    location::OrderLocation,
};
use crate::{
    ApiError, Client, Contracts, Dollars, Error, Operation, operation,
    types::{
        AmendOrderV2Response, CancelOrderV2Response, DecreaseOrderV2Request,
        DecreaseOrderV2Response, ExchangeIndex, Order, OrderStatus,
    },
};

/// The outcome of a change: a cancel, an amendment or a decrease.
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome has to be reconciled"]
#[non_exhaustive]
pub enum ChangeOutcome<T> {
    /// The exchange made the change.
    Done(T),
    /// The order had already ended: filled, cancelled or expired. The order shows its fills.
    AlreadyGone(Box<Order>),
    /// The change was not made: the exchange did not find the order under the market, subaccount and shard of the request, but the order
    /// still rests, under these or under others. Its fields show which. An [`OrderRef`] made from this order has the right ones.
    ///
    /// If the order is under others, two reads at least half a second apart show that, because an order does not move. They may be out of date
    /// in all else: the order may have ended since. If it is under those of the request, reads were up to date with the response.
    NotApplied(Box<Order>),
    /// The exchange rejected the change, and the order is unchanged. If the exchange did not find the order, reads that are up to date show
    /// that no such order exists: see [what proves an outcome](crate::orders#what-proves-an-outcome).
    Rejected(ApiError),
    /// The change may have been made, or the exchange did not find the order and nothing is proven yet. [`UnknownChange::reconcile`]
    /// determines the outcome.
    Unknown(Box<UnknownChange>),
}

/// A change of an order, returned by [`Orders::cancel`], [`Orders::amend`] or [`Orders::decrease`].
///
/// Awaiting it sends it and returns a [`ChangeOutcome`]. Before that, `confirm_timeout` can set how long to look for the order if the exchange
/// responds that it does not exist.
pub type ChangeRequest<T> = kalshi_core::orders::ChangeRequest<ChangeOutcome<T>>;

/// Minimum time between the two reads that show that an order rests elsewhere. Reads were seen to lag by 360 ms.
const ELSEWHERE_INTERVAL: Duration = Duration::from_millis(500);

/// The operation of a decrease to zero. That is a cancel, so it has priority over other writes.
static DECREASE_TO_ZERO: LazyLock<Operation> =
    LazyLock::new(|| operation::DECREASE_ORDER_V2.clone().priority());

/// # Changing and cancelling an order
impl Orders {
    /// Cancels an order and returns the outcome. A cancel goes ahead of all other writes that wait for tokens.
    ///
    /// # Errors
    ///
    /// The request returns an error if it was certainly not processed: see [`place`](Self::place).
    pub fn cancel(&self, order: impl Into<OrderRef>) -> ChangeRequest<CancelOrderV2Response> {
        let key = order.into();
        let mut request = self.client.cancel_order_v2().order_id(&key.order_id);
        if let Some(ticker) = &key.market_ticker {
            request = request.market_ticker(ticker);
        }
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        if let Some(index) = key.exchange_index {
            request = request.exchange_index(ExchangeIndex(index));
        }
        let prepared = request.into_request().map(|request| {
            PreparedChange::cancel(
                &key.order_id,
                request,
                |response: &CancelOrderV2Response| (&response.order_id, response.reduced_by),
            )
        });
        self.client
            .change(key, operation::CANCEL_ORDER_V2, prepared)
    }

    /// Changes the price, the size and the expiry of an order and returns the outcome.
    ///
    /// The order keeps its place in the queue if its price stays the same and its size does not grow. The market must be known, from the
    /// reference to the order or from a generated request.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, order: kalshi_sdk::types::Order) -> Result<(), kalshi_sdk::Error> {
    /// use kalshi_sdk::{Dollars, OutcomeSide, orders::Amendment};
    ///
    /// // The order buys NO; its new price is 41 cents for NO.
    /// let amendment = Amendment::buy(OutcomeSide::No, Dollars::from_cents(41), 10);
    /// let outcome = client.orders().amend(&order, amendment).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The request returns an error if it was certainly not processed: see [`place`](Self::place).
    pub fn amend(
        &self,
        order: impl Into<OrderRef>,
        amendment: impl Into<Amendment>,
    ) -> ChangeRequest<AmendOrderV2Response> {
        self.amend_with(order, amendment, &OrderRules::default())
    }

    /// Changes an order after checking its new price against the price grid of `rules`. An order keeps its group, so the group of `rules`
    /// is ignored.
    ///
    /// # Errors
    ///
    /// The request returns an error if the price is not on the grid, and for the reasons of [`amend`](Self::amend).
    pub fn amend_with(
        &self,
        order: impl Into<OrderRef>,
        amendment: impl Into<Amendment>,
        rules: &OrderRules,
    ) -> ChangeRequest<AmendOrderV2Response> {
        let mut key = order.into();
        let prepared = self.client.prepare_amend(&mut key, amendment.into(), rules);
        self.client.change(key, operation::AMEND_ORDER_V2, prepared)
    }

    /// Removes contracts from an order and returns the outcome. The order keeps its place in the queue. A decrease to zero is a cancel and
    /// goes ahead of other writes that wait for tokens.
    ///
    /// # Errors
    ///
    /// The request returns an error if it was certainly not processed: see [`place`](Self::place).
    pub fn decrease(
        &self,
        order: impl Into<OrderRef>,
        decrease: Decrease,
    ) -> ChangeRequest<DecreaseOrderV2Response> {
        let key = order.into();
        let operation = match decrease {
            Decrease::To(Contracts::ZERO) => &DECREASE_TO_ZERO,
            _ => operation::DECREASE_ORDER_V2,
        };
        let prepared = self.client.prepare_decrease(&key, decrease);
        self.client.change(key, operation, prepared)
    }
}

impl Client {
    fn prepare_amend(
        &self,
        key: &mut OrderRef,
        amendment: Amendment,
        rules: &OrderRules,
    ) -> Result<PreparedChange<AmendOrderV2Response>, Error> {
        let invalid =
            |error: InvalidOrder| rt::invalid(operation::AMEND_ORDER_V2, error.to_string());
        let now = self.earliest_time();
        let outcome_price = amendment.outcome_price();
        let change = amendment.into_request(key, now).map_err(invalid)?;
        // The exchange routes an amendment by its body, in which a generated request may name another market and shard.
        key.market_ticker = Some(change.ticker.clone());
        key.exchange_index = change.exchange_index.as_ref().map(|index| index.0);
        if change.price <= Dollars::ZERO || change.price >= Dollars::ONE {
            return Err(invalid(InvalidOrder::Price(change.price)));
        }
        if let Some(grid) = rules.grid() {
            grid.check(change.price).map_err(|error| {
                let error = outcome_price.map_or(error, |price| price.in_terms(error));
                invalid(InvalidOrder::OffGrid(error))
            })?;
        }
        if change.count <= Contracts::ZERO {
            return Err(invalid(InvalidOrder::Count(change.count)));
        }
        let terms = AmendTerms::from(&change);
        let mut request = self.amend_order_v2().order_id(&key.order_id).body(change);
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        let request = request.into_request()?;
        Ok(PreparedChange::amend(&key.order_id, request, terms))
    }

    fn prepare_decrease(
        &self,
        key: &OrderRef,
        decrease: Decrease,
    ) -> Result<PreparedChange<DecreaseOrderV2Response>, Error> {
        let (reduce_by, reduce_to) = decrease
            .counts()
            .map_err(|message| rt::invalid(operation::DECREASE_ORDER_V2, message))?;
        let change = DecreaseOrderV2Request {
            exchange_index: key.exchange_index.map(ExchangeIndex),
            market_ticker: key.market_ticker.clone(),
            reduce_by,
            reduce_to,
        };
        let mut request = self
            .decrease_order_v2()
            .order_id(&key.order_id)
            .body(change);
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        let request = request.into_request()?;
        Ok(PreparedChange::decrease(
            &key.order_id,
            request,
            reduce_to,
            |response: &DecreaseOrderV2Response| (&response.order_id, response.remaining_count),
        ))
    }

    fn change<T: DeserializeOwned + Send + 'static>(
        &self,
        key: OrderRef,
        operation: &'static Operation,
        prepared: Result<PreparedChange<T>, Error>,
    ) -> ChangeRequest<T> {
        let client = self.clone();
        ChangeRequest::new(operation, move |confirm| async move {
            let (verdict, wanted, evidence) = prepared?.send(&client.core, operation).await?;
            let error = match verdict {
                ChangeVerdict::Done(response) => return Ok(ChangeOutcome::Done(response)),
                ChangeVerdict::Rejected(rejection) => {
                    return Ok(ChangeOutcome::Rejected(rejection));
                }
                ChangeVerdict::NotFound(rejection, error) => {
                    let changes = [(&key, rejection)];
                    let mut proved = client.prove(&changes, &evidence, confirm).await;
                    if let Some(outcome) = proved.pop().flatten() {
                        return Ok(outcome);
                    }
                    error
                }
                ChangeVerdict::Unknown(error) => error,
            };
            let unknown = client.unknown_change(&key, wanted, Arc::new(error), &evidence);
            Ok(ChangeOutcome::Unknown(unknown))
        })
    }

    /// Looks for the orders of changes that the exchange rejected because it did not find the order. Returns the outcome of each change, or
    /// `None` if it is not proven within `timeout`.
    pub(super) async fn prove<T>(
        &self,
        changes: &[(&OrderRef, ApiError)],
        evidence: &Evidence,
        timeout: Duration,
    ) -> Vec<Option<ChangeOutcome<T>>> {
        let last_error = LastError::default();
        let last = &last_error;
        let locations = Mutex::new(vec![None::<OrderLocation>; changes.len()]);
        // Time at which each order was first read elsewhere.
        let elsewhere = Mutex::new(HashMap::new());
        let is_repeated = |index: usize, begun: Instant| {
            let mut seen = elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
            let first = *seen.entry(index).or_insert_with(Instant::now);
            begun.saturating_duration_since(first) >= ELSEWHERE_INTERVAL
        };
        let is_repeated = &is_repeated;
        let known = || locations.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &known;
        let look = |client: Client, is_fresh: bool| async move {
            let begun = Instant::now();
            let open: Vec<usize> = (0..changes.len())
                .filter(|index| known()[*index].is_none())
                .collect();
            let keys: Vec<_> = open.iter().map(|index| changes[*index].0).collect();
            let report = |index: usize, location: OrderLocation| {
                let is_proof = match location {
                    OrderLocation::Ended(_) => true,
                    // An order does not move, but reads that lag may show one that has ended.
                    OrderLocation::Elsewhere(_) => is_repeated(open[index], begun),
                    OrderLocation::Here(_) | OrderLocation::NotFound => false,
                };
                if is_proof || is_fresh {
                    known()[open[index]] = Some(location);
                }
            };
            client.locate_all(&keys, is_fresh, last, report).await?;
            let is_complete = known().iter().all(Option::is_some);
            Ok(if is_complete {
                Reading::Conclusive(())
            } else {
                Reading::Tentative(())
            })
        };
        let inquiry = inquire(self, evidence.ended(), timeout, last, look);
        let (Finding::Conclusive(()) | Finding::Fresh(()) | Finding::TimedOut(_)) = inquiry.await;
        let seen = std::mem::take(&mut *known());
        let outcome =
            |((_, rejection), location): (&(&OrderRef, ApiError), Option<OrderLocation>)| {
                Some(match location? {
                    OrderLocation::Ended(order) => ChangeOutcome::AlreadyGone(Box::new(order)),
                    OrderLocation::Elsewhere(order) => ChangeOutcome::NotApplied(Box::new(order)),
                    OrderLocation::Here(order) if order.status == OrderStatus::Resting => {
                        ChangeOutcome::NotApplied(Box::new(order))
                    }
                    // An unknown status proves nothing.
                    OrderLocation::Here(_) => return None,
                    OrderLocation::NotFound => ChangeOutcome::Rejected(rejection.clone()),
                })
            };
        changes.iter().zip(seen).map(outcome).collect()
    }
}
