//! Requests to change orders, sent when awaited.

use std::{fmt, pin::Pin, time::Duration};

use crate::{error::Error, operation::Operation};

/// A request to change one or several orders. Awaiting it sends it and returns its outcome.
#[must_use = "a change does nothing until it is awaited"]
pub struct ChangeRequest<T> {
    operation: &'static Operation,
    confirm_timeout: Duration,
    run: Run<T>,
}

type Running<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Sends the change. The argument is the timeout for confirming its outcome.
type Run<T> = Box<dyn FnOnce(Duration) -> Running<T> + Send>;

/// Default timeout for confirming the state of an order that the exchange did not find.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

impl<T> ChangeRequest<T> {
    #[doc(hidden)]
    pub fn new<F>(
        operation: &'static Operation,
        run: impl FnOnce(Duration) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self {
            operation,
            confirm_timeout: CONFIRM_TIMEOUT,
            run: Box::new(|confirm_timeout| Box::pin(run(confirm_timeout))),
        }
    }

    /// Sets the timeout for reading an order to confirm its state if the exchange responds that it does not exist. In a batch, the timeout
    /// applies to all orders together. Defaults to 2 s; zero returns the outcome `Unknown` immediately.
    ///
    /// The exchange returns the same 404 for a cancelled, a filled and an unknown order. One read proves that an order has ended, and two
    /// at least half a second apart that it is in another market, subaccount or shard than the request named, though there it may have ended
    /// since. That an order rests where the request named it, or does not exist, is proven only once the API reports that its reads are up to
    /// date with the response, which takes more than a second; otherwise the outcome is `Unknown`. With an HTTP client of your own, that
    /// takes two more attempts, so set a longer timeout if a response takes more than about 50 ms.
    pub fn confirm_timeout(mut self, timeout: Duration) -> Self {
        self.confirm_timeout = timeout;
        self
    }
}

impl<T> IntoFuture for ChangeRequest<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Running<T>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self.confirm_timeout)
    }
}

impl<T> fmt::Debug for ChangeRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeRequest")
            .field("operation", &self.operation.id)
            .field("confirm_timeout", &self.confirm_timeout)
            .finish_non_exhaustive()
    }
}
