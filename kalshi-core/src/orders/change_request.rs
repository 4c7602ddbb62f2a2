//! Changes of orders that are sent when they are awaited.

use std::{fmt, pin::Pin, time::Duration};

use crate::{error::Error, operation::Operation};

/// A change of one order or of several. Awaiting it sends it and returns what became of it.
#[must_use = "a change does nothing until it is awaited"]
pub struct ChangeRequest<T> {
    operation: &'static Operation,
    confirm: Duration,
    run: Run<T>,
}

type Running<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Sends the change. Takes the time to look for proof.
type Run<T> = Box<dyn FnOnce(Duration) -> Running<T> + Send>;

/// Longest wait for proof after the exchange did not find an order, unless set.
const CONFIRM: Duration = Duration::from_secs(2);

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
            confirm: CONFIRM,
            run: Box::new(|confirm| Box::pin(run(confirm))),
        }
    }

    /// Sets how long to look for proof if the exchange does not find an order: of a batch, for all its orders together. Defaults to
    /// 2 s; zero gives the outcome `Unknown` immediately.
    ///
    /// The exchange's 404 is the same for a cancelled, a filled and an unknown order. One read shows an order that has ended. An
    /// order that seems to rest, or to be nowhere, is proof only where the API tells that its reads are up to date with the response; the
    /// outcome is `Unknown` where it never does.
    pub fn confirm(mut self, timeout: Duration) -> Self {
        self.confirm = timeout;
        self
    }
}

impl<T> IntoFuture for ChangeRequest<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Running<T>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self.confirm)
    }
}

impl<T> fmt::Debug for ChangeRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeRequest")
            .field("operation", &self.operation.id)
            .field("confirm", &self.confirm)
            .finish_non_exhaustive()
    }
}
