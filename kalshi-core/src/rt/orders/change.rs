//! Sending a change of an order, and evaluating the response.

use reqwest::{Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::{
    api_error::ApiError,
    client::Core,
    error::Error,
    operation::Operation,
    outcome::{Evidence, Outcome},
};

/// A change that is ready to be sent, with the expected state of the order after it.
pub struct PreparedChange<T, W> {
    pub request: Request,
    pub wanted: W,
    pub about: ResponseCheck<T>,
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

impl<T: DeserializeOwned, W> PreparedChange<T, W> {
    /// Sends the change. Returns an error only if the change was certainly not processed.
    pub async fn send(
        self,
        core: &Core,
        operation: &'static Operation,
    ) -> Result<(ChangeVerdict<T>, W, Evidence), Error> {
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
            Outcome::Rejected(rejection, error) if rejection.status() == StatusCode::NOT_FOUND => {
                ChangeVerdict::NotFound(rejection, error)
            }
            Outcome::Rejected(rejection, _) => ChangeVerdict::Rejected(rejection),
            Outcome::Unknown(error) => ChangeVerdict::Unknown(error),
        };
        Ok((verdict, self.wanted, evidence))
    }
}
