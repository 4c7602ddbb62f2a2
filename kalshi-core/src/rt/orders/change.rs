//! Sending a change of an order, and evaluating the response.

use reqwest::{Request, StatusCode};
use serde::de::DeserializeOwned;

use super::{Amended, Wanted, check_cancelled, check_decreased, is_not_found};
use crate::{
    api_error::ApiError,
    client::Core,
    error::Error,
    id::{ClientOrderId, OrderId},
    money::{Contracts, Dollars},
    operation::Operation,
    outcome::{Evidence, Outcome},
};

/// A change that is ready to be sent, with the expected state of the order after it.
pub struct PreparedChange<T> {
    request: Request,
    wanted: Wanted,
    about: ResponseCheck<T>,
}

/// Terms of an amendment.
pub struct AmendTerms {
    pub price: Dollars,
    pub count: Contracts,
    /// Unix time in seconds; 0 removes the expiry, `None` leaves it unchanged.
    pub expiry: Option<i64>,
    pub client_order_id: Option<ClientOrderId>,
    pub updated_client_order_id: Option<ClientOrderId>,
}

/// Returns an error message if a response is not about the change.
type ResponseCheck<T> = Box<dyn FnOnce(&T) -> Result<(), String> + Send>;

/// Outcome of a change according to its response.
pub enum ChangeVerdict<T> {
    /// The exchange made the change.
    Done(T),
    /// The exchange did not find the order. This is not proof of an outcome.
    NotFound(ApiError, Error),
    /// The exchange rejected the change.
    Rejected(ApiError),
    /// The change may have been made.
    Unknown(Error),
}

impl<T: DeserializeOwned + 'static> PreparedChange<T> {
    /// Prepares a cancel. `read` returns the order id of a response and the contracts removed from the order.
    pub fn cancel(
        order_id: &OrderId,
        request: Request,
        read: fn(&T) -> (&OrderId, Contracts),
    ) -> Self {
        let order_id = order_id.clone();
        Self {
            request,
            wanted: Wanted::Cancelled,
            about: Box::new(move |response| {
                let (found, reduced_by) = read(response);
                check_cancelled(&order_id, found, reduced_by)
            }),
        }
    }

    /// Prepares an amendment to these terms.
    pub fn amend(order_id: &OrderId, request: Request, terms: AmendTerms) -> Self
    where
        for<'a> Amended<'a>: From<&'a T>,
    {
        let order_id = order_id.clone();
        let updated = terms.updated_client_order_id.clone();
        let client_order_ids = [terms.client_order_id, terms.updated_client_order_id];
        Self {
            request,
            wanted: Wanted::Amended {
                price: terms.price,
                count: terms.count,
                expiry: terms.expiry,
                client_order_id: updated.filter(|id| !id.is_empty()),
            },
            about: Box::new(move |response| {
                Amended::from(response).check(&order_id, &client_order_ids, terms.count)
            }),
        }
    }

    /// Prepares a decrease, to `reduce_to` contracts if set. `read` returns the order id of a response and the contracts still resting.
    pub fn decrease(
        order_id: &OrderId,
        request: Request,
        reduce_to: Option<Contracts>,
        read: fn(&T) -> (&OrderId, Contracts),
    ) -> Self {
        let order_id = order_id.clone();
        let wanted = match reduce_to {
            Some(Contracts::ZERO) => Wanted::Cancelled,
            Some(count) => Wanted::Remaining(count),
            None => Wanted::Fewer,
        };
        Self {
            request,
            wanted,
            about: Box::new(move |response| {
                let (found, remaining) = read(response);
                check_decreased(&order_id, found, reduce_to, remaining)
            }),
        }
    }

    /// Sends the change. Returns an error only if the change was certainly not processed.
    pub async fn send(
        self,
        core: &Core,
        operation: &'static Operation,
    ) -> Result<(ChangeVerdict<T>, Wanted, Evidence), Error> {
        let write = core.write(operation, Ok(self.request), false).await;
        let evidence = write.evidence();
        let about = |status, response: &T| match status {
            StatusCode::OK => (self.about)(response),
            // The response to the order's creation has status 201, and all the fields that a change checks.
            status => Err(format!("the response has status {status} instead of 200")),
        };
        let verdict = match write.judge(about) {
            Outcome::Done(response) => ChangeVerdict::Done(response.into_inner()),
            Outcome::NotProcessed(error) => return Err(error),
            Outcome::Rejected(rejection, error) if is_not_found(&rejection) => {
                ChangeVerdict::NotFound(rejection, error)
            }
            Outcome::Rejected(rejection, _) => ChangeVerdict::Rejected(rejection),
            Outcome::Unknown(error) => ChangeVerdict::Unknown(error),
        };
        Ok((verdict, self.wanted, evidence))
    }
}
