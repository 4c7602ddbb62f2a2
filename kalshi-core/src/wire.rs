//! The innermost middleware. It counts every attempt that is actually sent, even if the middleware around it repeats requests.

use std::{
    future::ready,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};
use tokio::time::Instant;

/// The attempts of one request. An attempt counts from its start, because it may arrive even if it is dropped halfway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Start of the request.
    started: Instant,
    /// Number of attempts started.
    count: AtomicU32,
    /// Number of attempts that may have arrived.
    arrived: AtomicU32,
    /// Generation of the connection pool that the last attempt used.
    generation: AtomicU64,
    /// Number of attempts that may have been processed: those that may have arrived, minus those known to
    /// be rejected before processing.
    processed: AtomicU32,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            count: AtomicU32::default(),
            arrived: AtomicU32::default(),
            generation: AtomicU64::default(),
            processed: AtomicU32::default(),
        }
    }
}

impl Attempts {
    /// Returns the time since the start of the request.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Counts a new attempt and returns the number of attempts so far.
    pub(crate) fn begin(&self) -> u32 {
        self.0.count.fetch_add(1, Relaxed) + 1
    }

    /// Returns the number of attempts started so far.
    pub(crate) fn count(&self) -> u32 {
        self.0.count.load(Relaxed)
    }

    /// Returns the generation of the connection pool that the last attempt used.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Relaxed)
    }

    pub(crate) fn set_generation(&self, generation: u64) {
        self.0.generation.store(generation, Relaxed);
    }

    /// Records that an attempt was rejected before it was processed.
    pub(crate) fn record_rejection(&self) {
        _ = self
            .0
            .processed
            .fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
    }

    /// Returns the number of attempts that may have arrived at the exchange.
    pub(crate) fn arrived(&self) -> u32 {
        self.0.arrived.load(Relaxed)
    }

    /// Returns the number of attempts that the exchange may have processed.
    pub(crate) fn processed(&self) -> u32 {
        self.0.processed.load(Relaxed)
    }
}

/// The innermost middleware. It sends the request, counts the attempt in the request's [`Attempts`], and fails requests that were
/// redirected to another URL.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The client of the stack. [`Next`] would move the request into another boxed future to send it with the same client.
    pub(crate) http: reqwest::Client,
    /// `true` for a custom HTTP client, which may follow redirects.
    pub(crate) is_custom_client: bool,
}

/// Marks a response from the network, as opposed to one created by a middleware.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromWire;

/// A middleware did not pass on the request's extensions, so the attempt could not be counted.
#[derive(Debug, thiserror::Error)]
#[error(
    "a middleware did not pass on the request's extensions; nothing was sent: pass them to `Next::run` unchanged"
)]
struct NoExtensions;

/// The HTTP client followed a redirect, which may have carried a signature to another host.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client given to `http_client` followed a redirect, which may carry signatures to another host; build it with \
     redirect(reqwest::redirect::Policy::none())"
)]
struct FollowedRedirect;

impl Middleware for Wire {
    // Written without `async_trait`, which would store a second copy of the request in the future.
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        request: Request,
        extensions: &'b mut Extensions,
        _: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        let Some(attempts) = extensions.get::<Attempts>().cloned() else {
            return Box::pin(ready(Err(Error::middleware(NoExtensions))));
        };
        // Only a custom client may follow redirects.
        let url = self.is_custom_client.then(|| request.url().clone());
        // Nothing is sent until the future is polled.
        let sending = self.http.execute(request);
        Box::pin(async move {
            attempts.0.arrived.fetch_add(1, Relaxed);
            attempts.0.processed.fetch_add(1, Relaxed);
            let mut result = sending.await;
            match &mut result {
                Err(error) if error.is_connect() || error.is_builder() => {
                    // If the client follows redirects, the original request may have been sent, and the error may be about the redirected one.
                    if !self.is_custom_client {
                        attempts.0.arrived.fetch_sub(1, Relaxed);
                        attempts.0.processed.fetch_sub(1, Relaxed);
                    }
                }
                Ok(response) if url.is_some_and(|url| url != *response.url()) => {
                    return Err(Error::middleware(FollowedRedirect));
                }
                Ok(response) => {
                    response.extensions_mut().insert(FromWire);
                }
                Err(_) => {}
            }
            result.map_err(Error::Reqwest)
        })
    }
}
