//! The innermost middleware: counts what goes over the wire, whatever the middleware around it does.

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

/// The attempts of one request. They count from their start, as one that is dropped halfway may have arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Start of the request.
    started: Instant,
    /// Attempts started.
    begun: AtomicU32,
    /// Attempts that may have arrived.
    arrived: AtomicU32,
    /// Generation of the connections of the last attempt.
    generation: AtomicU64,
    /// Attempts that may have been processed: arrived, and not known to have been rejected before that.
    processed: AtomicU32,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            begun: AtomicU32::default(),
            arrived: AtomicU32::default(),
            generation: AtomicU64::default(),
            processed: AtomicU32::default(),
        }
    }
}

impl Attempts {
    /// Time since the start of the request.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Counts an attempt that starts, and returns the number of all.
    pub(crate) fn begin(&self) -> u32 {
        self.0.begun.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn begun(&self) -> u32 {
        self.0.begun.load(Relaxed)
    }

    /// Generation of the connections of the last attempt.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Relaxed)
    }

    pub(crate) fn set_generation(&self, generation: u64) {
        self.0.generation.store(generation, Relaxed);
    }

    /// Records that an attempt was rejected before it was processed.
    pub(crate) fn was_rejected(&self) {
        _ = self
            .0
            .processed
            .fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
    }

    /// Returns `true` if an attempt may have arrived at the exchange.
    pub(crate) fn any_arrived(&self) -> bool {
        self.0.arrived.load(Relaxed) > 0
    }

    /// Attempts that the exchange may have processed.
    pub(crate) fn processed(&self) -> u32 {
        self.0.processed.load(Relaxed)
    }
}

/// Counts each attempt in the [`Attempts`] of its request, and fails a request that was redirected.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The HTTP client is the user's, and may follow redirects.
    pub(crate) is_users_client: bool,
}

/// Marks a response that came over the wire, and was not made by a middleware.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromWire;

/// A middleware sends a request without its extensions, so that its attempts would not be counted.
#[derive(Debug, thiserror::Error)]
#[error(
    "a middleware did not pass the request's extensions on; nothing was sent: pass them to `Next::run` unchanged"
)]
struct NoExtensions;

/// The HTTP client followed a redirect, and so may have carried a signature to another host.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client given to `http_client` followed a redirect, which may carry signatures to another host; build it with \
     redirect(reqwest::redirect::Policy::none())"
)]
struct FollowedRedirect;

impl Middleware for Wire {
    // As `async_trait` would have it, without a second copy of the request in the future.
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        request: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        let Some(attempts) = extensions.get::<Attempts>().cloned() else {
            return Box::pin(ready(Err(Error::middleware(NoExtensions))));
        };
        // Only a client of the user's follows redirects.
        let url = self.is_users_client.then(|| request.url().clone());
        // Sends nothing until it is polled.
        let sending = next.run(request, extensions);
        Box::pin(async move {
            attempts.0.arrived.fetch_add(1, Relaxed);
            attempts.0.processed.fetch_add(1, Relaxed);
            let mut result = sending.await;
            match &mut result {
                Err(Error::Reqwest(error)) if error.is_connect() || error.is_builder() => {
                    // With a client that follows redirects, it may be the second request that was not sent.
                    if !self.is_users_client {
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
            result
        })
    }
}
