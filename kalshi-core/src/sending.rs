//! The attempts of one request: rate limit, middleware, exchange and response body, as often as the retry policy and the timeout allow.

use std::{pin::pin, time::Duration};

use http::Extensions;
use kalshi_auth::{ClockOffset, Unsigned};
use reqwest::{
    Request,
    header::{ACCEPT, HeaderValue},
};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    api_error::ApiError,
    body,
    client::{Core, Shared},
    error::Error,
    limits::{self, Charge},
    operation::Operation,
    received::Received,
    retry,
    server_time::ClockCorrection,
    wire::{Attempts, FromWire},
};

/// Number of headers that are added to a request: `Accept`, three for the signature, and those of the HTTP client.
const HEADERS: usize = 6;

/// A request that is sent until it succeeds or may not be sent again.
pub(crate) struct Sending<'a> {
    pub(crate) core: &'a Core,
    pub(crate) operation: &'static Operation,
    pub(crate) request: &'a Request,
    pub(crate) charge: Charge<'a>,
    pub(crate) attempts: &'a Attempts,
}

/// What follows an attempt.
enum Next {
    Return(Result<Received, Error>),
    /// Sign again with a corrected timestamp.
    SignAgain(ClockOffset, Error),
    Retry(Duration, Error),
}

impl Sending<'_> {
    fn shared(&self) -> &Shared {
        &self.core.shared
    }

    fn timed_out(&self, limit: Duration) -> Error {
        Error::timed_out(self.operation, limit)
    }

    /// Sends the request within the client's timeout, which includes waits and retries. Each attempt takes tokens and is signed
    /// separately.
    pub(crate) async fn run(&self) -> Result<Received, Error> {
        let Self {
            core,
            operation,
            attempts,
            ..
        } = *self;
        let Shared {
            limiter,
            timeout,
            clock,
            ..
        } = &*core.shared;
        if operation.auth && !core.shared.has_credentials {
            return Err(Error::no_credentials(operation));
        }
        let deadline = end_of(*timeout);
        // The monotonic clock may stop while a laptop sleeps. A write from before the sleep must not be sent late.
        let wall_start = match retry::is_safe(operation) {
            true => None,
            false => clock.now_ms().ok(),
        };
        if operation.auth && !self.charge.operation.takes_priority && limiter.discovery().take() {
            core.discover_or_warn().await;
        }
        let max_wait = core.max_wait.unwrap_or(limits::MAX_WAIT);
        let (mut offset, mut before) = (None, None);
        loop {
            let permit = match timeout_at(deadline, limiter.take(&self.charge, max_wait)).await {
                Ok(Ok(permit)) => permit,
                // An earlier response of the exchange is more informative than the local limit.
                Ok(Err(error)) => {
                    return Err(before.unwrap_or_else(|| Error::rate_limit(operation, error)));
                }
                Err(_) => return Err(before.unwrap_or_else(|| self.timed_out(*timeout))),
            };
            if self.has_overslept(wall_start) {
                return Err(before.unwrap_or_else(|| self.timed_out(*timeout)));
            }
            let number = attempts.begin();
            let limit = core.retry.timeout_of(operation, number, attempts.elapsed());
            // Only the earlier of both timeouts is set, because a timer costs as much as a middleware.
            let end = limit.map_or(deadline, |limit| deadline.min(end_of(limit)));
            // A block, so that the pause below does not add to the size of the future.
            let next = {
                // Pinned in place because `timeout_at` would copy the future.
                let attempt = pin!(self.attempt(offset));
                let result = match timeout_at(end, attempt).await {
                    Ok(result) => result,
                    Err(_) if end == deadline => return Err(self.timed_out(*timeout)),
                    Err(_) => Err(self.timed_out(limit.unwrap_or(*timeout))),
                };
                match &result {
                    Ok(_) => permit.received(),
                    Err(_) => drop(permit),
                }
                self.next(number, offset, result)
            };
            let (pause, error) = match next {
                Next::Return(result) => return result,
                Next::SignAgain(correction, error) => {
                    offset = Some(correction);
                    (None, error)
                }
                Next::Retry(pause, error) => (Some(pause), error),
            };
            if let Some(pause) = pause {
                // Otherwise the timeout would hide the exchange's response.
                if pause >= deadline.saturating_duration_since(Instant::now()) {
                    return Err(error);
                }
                tracing::debug!(%error, pause_ms = pause.as_millis(), "retrying");
                sleep(pause).await;
            }
            before = Some(error);
        }
    }

    /// Returns `true` if the client's timeout has passed by the wall clock since the start of the request, in Unix milliseconds.
    fn has_overslept(&self, wall_start: Option<u64>) -> bool {
        let Some(start) = wall_start else {
            return false;
        };
        let passed = |now: u64| Duration::from_millis(now.saturating_sub(start));
        let now = self.shared().clock.now_ms();
        now.is_ok_and(|now| passed(now) > self.shared().timeout)
    }

    /// Decides what follows attempt `number`, which was signed with `offset`.
    fn next(
        &self,
        number: u32,
        offset: Option<ClockOffset>,
        result: Result<Received, Error>,
    ) -> Next {
        let Self {
            operation,
            attempts,
            ..
        } = *self;
        let Shared {
            limiter,
            clock,
            server_time,
            ..
        } = self.shared();
        let (date_offset, is_from_wire) = match &result {
            Ok(response) => (response.date_offset(), response.is_from_wire),
            Err(_) => (None, false),
        };
        let error = match result.and_then(|response| response.check(self.shared())) {
            Ok(response) => return Next::Return(Ok(response)),
            Err(error) => error,
        };
        if error.is_rate_limited() {
            limiter.rejected(&self.charge);
        }
        let is_safe = retry::is_safe(operation);
        let corrects = match self.shared().correction {
            ClockCorrection::Off => false,
            ClockCorrection::Reads => is_safe,
            ClockCorrection::All => true,
        };
        let now = clock.now_ms().ok();
        let behind = now.and_then(|now| server_time.skew_to_correct(now));
        let correction = match error.api() {
            // The date of the rejection is preferred: if it is wrong, the only consequence is another 401.
            Some(api) if api.is_expired_timestamp() => date_offset.or(behind),
            Some(api) if is_safe && api.may_be_clock() => behind,
            _ => None,
        };
        if let (Some(correction), None, true) = (correction, offset, corrects)
            && (is_safe || attempts.processed() <= 1)
        {
            // The exchange checks signatures before it processes anything.
            if is_from_wire {
                attempts.record_rejection();
            }
            let error = error.with_clock(Some(correction));
            return Next::SignAgain(ClockOffset(correction), error);
        }
        // A middleware may have sent several copies, of which an earlier one may have been processed.
        let retriable =
            retry::may_retry(operation, &error) && (is_safe || attempts.processed() == 0);
        let retry_after = error.api().and_then(ApiError::retry_after);
        let pause = retriable
            .then(|| {
                self.core
                    .retry
                    .pause(number, attempts.elapsed(), retry_after)
            })
            .flatten();
        match pause {
            Some(pause) => Next::Retry(pause, error),
            None => Next::Return(Err(error.with_clock(behind))),
        }
    }

    /// Returns what middleware knows about an attempt.
    fn extensions(&self, offset: Option<ClockOffset>) -> Extensions {
        let mut extensions = Extensions::new();
        if !self.operation.auth {
            extensions.insert(Unsigned);
        }
        if let Some(offset) = offset {
            extensions.insert(offset);
        }
        extensions.insert(self.operation);
        extensions.insert(self.attempts.clone());
        extensions
    }

    /// Returns the request for one attempt.
    fn copy(&self) -> Result<Request, Error> {
        // Request bodies are bytes, so cloning succeeds.
        let copy = self.request.try_clone();
        let mut copy =
            copy.ok_or_else(|| Error::invalid(self.operation, "cannot send a streaming body"))?;
        let json = HeaderValue::from_static("application/json");
        copy.headers_mut().reserve(HEADERS);
        copy.headers_mut().entry(ACCEPT).or_insert(json);
        Ok(copy)
    }

    /// Sends one attempt and reads the whole response.
    async fn attempt(&self, offset: Option<ClockOffset>) -> Result<Received, Error> {
        let Self {
            core,
            operation,
            attempts,
            ..
        } = *self;
        let Shared {
            clock,
            server_time,
            max_body_bytes,
            ..
        } = &*core.shared;
        let mut extensions = self.extensions(offset);
        let sent = clock.now_ms().ok();
        let connections = core.connections().map_err(|error| {
            Error::middleware(operation, reqwest_middleware::Error::middleware(error))
        })?;
        attempts.set_generation(connections.generation);
        let copy = self.copy()?;
        let arrived = attempts.arrived();
        let mut response = connections
            .stack
            .execute_with_extensions(copy, &mut extensions)
            .await
            .map_err(|error| Error::middleware(operation, error))?;
        let is_from_wire = response.extensions().get::<FromWire>().is_some();
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let received = clock.now_ms().ok();
        // A middleware that rebuilds a response drops its extensions but keeps the `Date`.
        let is_of_exchange = is_from_wire || attempts.arrived() > arrived;
        server_time.learn(operation.auth && is_of_exchange, &headers, sent, received);
        let max = match status.is_success() {
            true => *max_body_bytes,
            false => body::MAX_ERROR_BODY_BYTES,
        };
        let body::Body { bytes, is_complete } = body::read(&mut response, max)
            .await
            .map_err(|error| Error::transport(operation, error))?;
        if status.is_success() && !is_complete {
            return Err(Error::body_too_large(operation, status, max));
        }
        Ok(Received {
            operation,
            attempts: attempts.clone(),
            is_from_wire,
            sent_and_received: sent.zip(received),
            status,
            headers,
            body: bytes,
            is_complete,
        })
    }
}

/// Returns the end of a timeout that starts now.
fn end_of(timeout: Duration) -> Instant {
    /// Longer than a program runs. An `Instant` cannot hold the sum with `Duration::MAX`.
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + timeout.min(NEVER)
}
