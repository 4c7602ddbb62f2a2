//! Cancels, amends and decreases orders.

use std::sync::{Arc, LazyLock};

use kalshi_core::rt::{
    self, Moment, Outcome,
    orders::{AmendTerms, ChangeVerdict, Finding, LastError, PreparedChange, Reading, inquire},
};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::{Amendment, Decrease, OrderRef, Orders, Subaccounts, UnknownChange};
use crate::{
    ApiError, Client, Contracts, Error, Operation, operation,
    types::{
        AmendMarginOrderResponse, CancelMarginOrderResponse, DecreaseMarginOrderRequest,
        DecreaseMarginOrderResponse, MarginOrder,
    },
};

/// The outcome of a change: a cancel, an amendment or a decrease.
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome has to be reconciled"]
#[non_exhaustive]
pub enum ChangeOutcome<T> {
    /// The exchange made the change.
    Done(T),
    /// The exchange did not find the order, and a read shows that it has ended: it was filled or cancelled, or it expired.
    /// [`MarginOrder::state`] distinguishes a filled order from the others, given the size of the order.
    AlreadyGone(Box<MarginOrder>),
    /// The exchange rejected the change, and the order is unchanged.
    Rejected(ApiError),
    /// The change may have been made, or the exchange did not find the order and no read shows why. [`UnknownChange::reconcile`] continues
    /// to read the order.
    Unknown(Box<UnknownChange>),
}

/// A change of an order, returned by [`Orders::cancel`], [`Orders::amend`] or [`Orders::decrease`].
///
/// Awaiting it sends it and returns a [`ChangeOutcome`].
pub type ChangeRequest<T> = kalshi_core::orders::ChangeRequest<ChangeOutcome<T>>;

/// The outcome of [`Orders::cancel_all`].
#[derive(Clone, Debug)]
#[must_use = "an unknown outcome has to be handled"]
#[non_exhaustive]
pub enum CancelAllOutcome {
    /// The exchange accepted the request. It does not report which orders it cancels.
    Done,
    /// The exchange rejected the request.
    Rejected(ApiError),
    /// The orders may have been cancelled. The request can be sent again, but each one may also cancel orders that are placed within the
    /// next minute. A success status other than 204, which [`Error::status`] returns, is also unknown: it may belong to another write,
    /// because other writes return 200 with an empty object.
    Unknown(Arc<Error>),
}

/// The operation of a decrease to zero. That is a cancel, so it has priority over other writes.
static DECREASE_TO_ZERO: LazyLock<Operation> =
    LazyLock::new(|| operation::DECREASE_MARGIN_ORDER.clone().priority());

/// # Changing and cancelling orders
impl Orders {
    /// Cancels an order and returns the outcome. A cancel goes ahead of all other writes that wait for tokens.
    ///
    /// The order may be partly filled before the cancel takes effect. `reduced_by` is the number of contracts that the cancel removed.
    ///
    /// # Errors
    ///
    /// The request returns an error if it was certainly not processed: see [`place`](Self::place).
    pub fn cancel(&self, order: impl Into<OrderRef>) -> ChangeRequest<CancelMarginOrderResponse> {
        let key = order.into();
        let mut request = self.client.cancel_margin_order().order_id(&key.order_id);
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        let prepared = request.into_request().map(|request| {
            PreparedChange::cancel(
                &key.order_id,
                request,
                |response: &CancelMarginOrderResponse| (&response.order_id, response.reduced_by),
            )
        });
        self.client
            .change(key, operation::CANCEL_MARGIN_ORDER, prepared)
    }

    /// Cancels all orders of one subaccount or of all subaccounts and returns the outcome.
    ///
    /// The exchange may also cancel orders that are placed within the next minute.
    ///
    /// # Errors
    ///
    /// Returns an error if the request was certainly not processed: see [`place`](Self::place).
    pub async fn cancel_all(
        &self,
        subaccounts: impl Into<Subaccounts>,
    ) -> Result<CancelAllOutcome, Error> {
        let operation = operation::CANCEL_ALL_MARGIN_ORDERS;
        let request = self.client.cancel_all_margin_orders();
        let request = match subaccounts.into() {
            Subaccounts::All => request,
            Subaccounts::One(number) => request.subaccount(number),
        };
        let request = request.into_request();
        let write = rt::write_empty(&self.client.core, operation, request).await;
        let about = |status, (): &()| match status {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(format!("the response has status {status} instead of 204")),
        };
        match write.judge(about) {
            Outcome::Done(_) => Ok(CancelAllOutcome::Done),
            Outcome::NotProcessed(error) => Err(error),
            Outcome::Rejected(rejection, _) => Ok(CancelAllOutcome::Rejected(rejection)),
            Outcome::Unknown(error) => Ok(CancelAllOutcome::Unknown(Arc::new(error))),
        }
    }

    /// Changes the price, the size and the expiry of an order and returns the outcome.
    ///
    /// The order keeps its place in the queue if its price stays the same and its size does not grow. If the price changes, the response
    /// contains only the id of the order. The market must be known, from the reference to the order or from a generated request.
    ///
    /// An amendment can be sent again: the second one changes nothing unless the order was amended or decreased in between. An amendment
    /// that names the current client order id and sets a new one cannot be sent again, because the first one may already have replaced
    /// the id.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_perps::Client, placed: kalshi_perps::orders::PlacedOrder) -> Result<(), Box<dyn std::error::Error>> {
    /// use kalshi_perps::orders::Amendment;
    ///
    /// let amendment = Amendment::buy("6.2600".parse()?, 2);
    /// let outcome = client.orders().amend(&placed, amendment).await?;
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
    ) -> ChangeRequest<AmendMarginOrderResponse> {
        let mut key = order.into();
        let prepared = self.client.prepare_amend(&mut key, amendment.into());
        self.client
            .change(key, operation::AMEND_MARGIN_ORDER, prepared)
    }

    /// Removes contracts from an order and returns the outcome. The order keeps its place in the queue.
    ///
    /// A decrease [to a count](Decrease::To) can be sent again, though the exchange may reject it if the order already rests with no more
    /// than that count. A decrease [by a count](Decrease::By) cannot be sent again.
    ///
    /// # Errors
    ///
    /// The request returns an error if it was certainly not processed: see [`place`](Self::place).
    pub fn decrease(
        &self,
        order: impl Into<OrderRef>,
        decrease: Decrease,
    ) -> ChangeRequest<DecreaseMarginOrderResponse> {
        let key = order.into();
        let operation = match decrease {
            Decrease::To(Contracts::ZERO) => &DECREASE_TO_ZERO,
            _ => operation::DECREASE_MARGIN_ORDER,
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
    ) -> Result<PreparedChange<AmendMarginOrderResponse>, Error> {
        let now = Moment::now(&self.core).earliest_time(&self.core);
        let change = amendment
            .into_request(key, now)
            .map_err(|error| rt::invalid(operation::AMEND_MARGIN_ORDER, error.to_string()))?;
        // A generated amendment may name another market than the reference.
        key.ticker = change.ticker.clone().or(key.ticker.take());
        let terms = AmendTerms::from(&change);
        let mut request = self.amend_margin_order().order_id(&key.order_id);
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        let request = request.body(change).into_request()?;
        Ok(PreparedChange::amend(&key.order_id, request, terms))
    }

    fn prepare_decrease(
        &self,
        key: &OrderRef,
        decrease: Decrease,
    ) -> Result<PreparedChange<DecreaseMarginOrderResponse>, Error> {
        let (reduce_by, reduce_to) = decrease
            .counts()
            .map_err(|message| rt::invalid(operation::DECREASE_MARGIN_ORDER, message))?;
        let change = DecreaseMarginOrderRequest {
            reduce_by,
            reduce_to,
        };
        let mut request = self.decrease_margin_order().order_id(&key.order_id);
        if let Some(subaccount) = key.subaccount {
            request = request.subaccount(subaccount);
        }
        let request = request.body(change).into_request()?;
        Ok(PreparedChange::decrease(
            &key.order_id,
            request,
            reduce_to,
            |response: &DecreaseMarginOrderResponse| (&response.order_id, response.remaining_count),
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
            let ended = evidence.ended();
            let error = match verdict {
                ChangeVerdict::Done(response) => return Ok(ChangeOutcome::Done(response)),
                ChangeVerdict::Rejected(rejection) => {
                    return Ok(ChangeOutcome::Rejected(rejection));
                }
                ChangeVerdict::NotFound(_, error) => {
                    let last_error = LastError::default();
                    let order_id = &key.order_id;
                    let look = |client: Client, _| async move {
                        let order = client.read_order(order_id).await?;
                        let has_ended = order.remaining_count.is_zero();
                        Ok(Reading::new(order, has_ended))
                    };
                    let inquiry = inquire(&client, ended, confirm, &last_error, look);
                    if let Finding::Conclusive(order) = inquiry.await {
                        return Ok(ChangeOutcome::AlreadyGone(Box::new(order)));
                    }
                    error
                }
                ChangeVerdict::Unknown(error) => error,
            };
            let unknown = UnknownChange::new(&client, key, wanted, error, ended);
            Ok(ChangeOutcome::Unknown(Box::new(unknown)))
        })
    }
}
