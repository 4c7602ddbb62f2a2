//! Sending a change of an order, and what its response says.

use reqwest::{Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::{
    api_error::ApiError,
    client::Core,
    error::Error,
    operation::Operation,
    outcome::{Evidence, Outcome},
};

/// A change that is ready to be sent, and what the order is like after it.
pub struct PreparedChange<T, W> {
    pub request: Request,
    pub wanted: W,
    pub about: ResponseCheck<T>,
}

/// Returns what is wrong with a response that is not about the change.
type ResponseCheck<T> = Box<dyn FnOnce(&T) -> Result<(), String> + Send>;

/// What the response to a change says.
pub enum ChangeVerdict<T> {
    /// The exchange did it.
    Done(T),
    /// The exchange did not find the order, which proves nothing yet.
    NotFound(ApiError, Error),
    /// The exchange rejected it.
    Rejected(ApiError),
    /// It may have been done.
    Unknown(Error),
}

impl<T: DeserializeOwned, W> PreparedChange<T, W> {
    /// Sends the change. The error is that of a change that was certainly not processed.
    pub async fn send(
        self,
        core: &Core,
        operation: &'static Operation,
    ) -> Result<(ChangeVerdict<T>, W, Evidence), Error> {
        let write = core.write(operation, Ok(self.request), false).await;
        let evidence = write.evidence();
        let about = |status, response: &T| match status {
            StatusCode::OK => (self.about)(response),
            // That of the same order's create has 201, and as much of it as a change checks.
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
