//! The request path: credentials, timeout, then (rate limit, middleware, exchange, error parsing) for each attempt that the retry
//! policy allows, then decoding.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use bytes::Bytes;
use http::Extensions;
use kalshi_auth::{ClockOffset, Unsigned};
use reqwest::{Request, StatusCode, header::HeaderMap};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    api_error::ApiError,
    body,
    client::{Core, Shared},
    compact,
    custom_request::Route,
    decode_error,
    error::Error,
    error_field, json_path,
    limits::{self, Charge},
    operation::Operation,
    response::Response,
    retry,
    server_time::{self, ClockCorrection, ServerTime},
    wire::{Attempts, FromWire},
};

/// A response with its complete body.
pub(crate) struct Received {
    operation: &'static Operation,
    attempts: Attempts,
    /// `true` if the response came from the network, `false` if a middleware created it.
    is_from_wire: bool,
    /// Local times in Unix milliseconds at which the attempt was sent and the response headers arrived.
    sent_and_received: Option<(u64, u64)>,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// `false` if only the beginning of an error response was read.
    is_complete: bool,
}

impl Core {
    /// Sends a request and decodes the response.
    #[allow(
        clippy::manual_async_fn,
        reason = "the future of an `async fn` holds its parameters twice, and many requests may be in flight"
    )]
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> impl Future<Output = Result<Response<T>, Error>> {
        async move {
            let attempts = Attempts::default();
            match request {
                Ok(ref request) => {
                    let received = self.fetch(operation, request, &attempts, None);
                    received.await?.into_object()
                }
                Err(error) => Err(error),
            }
        }
    }

    /// Sends a request for a page, and returns the page and the length of the body.
    pub(crate) async fn call_page<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<(T, usize), Error> {
        let attempts = Attempts::default();
        let received = self.fetch(operation, &request?, &attempts, None).await?;
        let length = received.body.len();
        Ok((received.into_object::<T>()?.into_inner(), length))
    }

    /// Sends a request, counts its attempts in `attempts` and decodes the response.
    pub(crate) async fn call_counted<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
        attempts: &Attempts,
    ) -> Result<Response<T>, Error> {
        let received = self.fetch(operation, &request?, attempts, None).await?;
        received.into_object()
    }

    /// Sends a request and decodes a response that may be a list.
    pub(crate) async fn call_list<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<Response<T>, Error> {
        let attempts = Attempts::default();
        let received = self.fetch(operation, &request?, &attempts, None).await?;
        received.into_any()
    }

    /// Sends a request whose response has no body, and counts its attempts in `attempts`.
    pub(crate) async fn call_empty(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
        attempts: &Attempts,
    ) -> Result<Response<()>, Error> {
        let received = self.fetch(operation, &request?, attempts, None).await?;
        received.into_empty()
    }

    /// Sends a custom request and returns the response undecoded.
    pub(crate) async fn call_custom(
        &self,
        operation: &'static Operation,
        request: &Request,
        route: &Route,
    ) -> Result<Received, Error> {
        let attempts = Attempts::default();
        self.fetch(operation, request, &attempts, Some(route)).await
    }

    /// Sends a request inside a tracing span. Returns an error for any status other than success.
    async fn fetch(
        &self,
        operation: &'static Operation,
        request: &Request,
        attempts: &Attempts,
        route: Option<&Route>,
    ) -> Result<Received, Error> {
        let span = tracing::debug_span!(
            "kalshi",
            operation = operation.id,
            method = %operation.method,
            path = route.map_or(operation.path, |route| &route.path),
            status = Empty,
            duration_ms = Empty,
        );
        let charged = route.and_then(|route| route.operation).unwrap_or(operation);
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let charge = Charge {
            is_signed: operation.auth,
            tokens: route.and_then(|route| route.cost),
            cost_of_query: charged.cost_of_query(request.url().query()),
            ..Charge::new(charged, limits::items(charged, body))
        };
        let sending = pin!(self.with_timeout(operation, request, &charge, attempts));
        // Faster without a subscriber.
        if span.is_none() {
            return sending.await;
        }
        let started = Instant::now();
        async {
            let result = sending.await;
            let span = Span::current();
            let status = match &result {
                Ok(response) => Some(response.status),
                Err(error) => error.status(),
            };
            if let Some(status) = status {
                span.record("status", status.as_u16());
            }
            span.record(
                "duration_ms",
                u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            );
            tracing::trace!("finished");
            result
        }
        .instrument(span)
        .await
    }

    /// Sends a request within the client's timeout, which includes waits and retries.
    async fn with_timeout(
        &self,
        operation: &'static Operation,
        request: &Request,
        charge: &Charge<'_>,
        attempts: &Attempts,
    ) -> Result<Received, Error> {
        if operation.auth && !self.shared.has_credentials {
            return Err(Error::no_credentials(operation));
        }
        // Pinned in place because `timeout` would copy the future.
        let trying = pin!(self.send_with_retries(operation, request, charge, attempts));
        let limit = self.shared.timeout;
        let result = timeout(limit, trying)
            .await
            .unwrap_or_else(|_| Err(Error::timed_out(operation, limit)));
        match result {
            Ok(response) if self.reads_evidence => response.check_evidence(self.requires_cursor),
            Ok(response) => Ok(response),
            Err(error) => Err(error.after(attempts)),
        }
    }

    /// Sends a request as often as the retry policy allows. Each attempt takes tokens and is signed separately.
    async fn send_with_retries(
        &self,
        operation: &'static Operation,
        request: &Request,
        charge: &Charge<'_>,
        attempts: &Attempts,
    ) -> Result<Received, Error> {
        let Shared {
            limiter,
            server_time,
            ..
        } = &*self.shared;
        let is_safe = retry::is_safe(operation);
        let corrects = match self.shared.correction {
            ClockCorrection::Off => false,
            ClockCorrection::Reads => is_safe,
            ClockCorrection::All => true,
        };
        let wall_start = self.shared.clock.now_ms().ok();
        if operation.auth && !charge.operation.takes_priority && limiter.discovery().take() {
            self.discover_or_warn().await;
        }
        let max_wait = self.max_wait.unwrap_or(limits::MAX_WAIT);
        let (mut offset, mut before) = (None, None);
        loop {
            let permit = match limiter.take(charge, max_wait).await {
                Ok(permit) => permit,
                // An earlier response of the exchange is more informative than the local limit.
                Err(error) => {
                    return Err(before.unwrap_or_else(|| Error::rate_limit(operation, error)));
                }
            };
            // The monotonic clock may stop while a laptop sleeps. A write from before the sleep must not be sent late.
            if !is_safe && let Some(limit) = self.overslept(wall_start) {
                return Err(before.unwrap_or_else(|| Error::timed_out(operation, limit)));
            }
            let made = attempts.begin();
            let attempt = pin!(self.attempt(operation, request, offset, attempts));
            let result = match self.retry.timeout_of(operation, made) {
                Some(limit) => timeout(limit, attempt)
                    .await
                    .unwrap_or_else(|_| Err(Error::timed_out(operation, limit))),
                None => attempt.await,
            };
            let (date_offset, is_from_wire) = match &result {
                Ok(response) => (response.date_offset(), response.is_from_wire),
                Err(_) => (None, false),
            };
            match &result {
                Ok(_) => permit.received(),
                Err(_) => drop(permit),
            }
            let error = match result.and_then(|response| response.check(&self.shared)) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if error.is_rate_limited() {
                limiter.rejected(charge);
            }
            let now = self.shared.clock.now_ms().ok();
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
                offset = Some(ClockOffset(correction));
                before = Some(error.with_clock(Some(correction)));
                continue;
            }
            // A middleware may have sent several copies, of which an earlier one may have been processed.
            let retriable =
                retry::may_retry(operation, &error) && (is_safe || attempts.processed() == 0);
            let retry_after = error.api().and_then(ApiError::retry_after);
            let pause = retriable
                .then(|| self.retry.pause(made, attempts.elapsed(), retry_after))
                .flatten();
            let Some(pause) = pause else {
                return Err(error.with_clock(behind));
            };
            tracing::debug!(%error, pause_ms = pause.as_millis(), "retrying");
            before = Some(error);
            sleep(pause).await;
        }
    }

    /// Returns the timeout of the request if it has passed by the wall clock.
    fn overslept(&self, wall_start: Option<u64>) -> Option<Duration> {
        let limit = self.shared.timeout;
        let passed = self.shared.clock.now_ms().ok()?.saturating_sub(wall_start?);
        (Duration::from_millis(passed) > limit).then_some(limit)
    }

    /// Sends one attempt and reads the whole response.
    async fn attempt(
        &self,
        operation: &'static Operation,
        request: &Request,
        offset: Option<ClockOffset>,
        attempts: &Attempts,
    ) -> Result<Received, Error> {
        let mut extensions = Extensions::new();
        if !operation.auth {
            extensions.insert(Unsigned);
        }
        if let Some(offset) = offset {
            extensions.insert(offset);
        }
        extensions.insert(operation);
        extensions.insert(attempts.clone());
        let now = || self.shared.clock.now_ms().ok();
        let sent = now();
        let connections = self.connections().map_err(|error| {
            Error::middleware(operation, reqwest_middleware::Error::middleware(error))
        })?;
        attempts.set_generation(connections.generation);
        // Request bodies are bytes, so cloning succeeds.
        let Some(copy) = request.try_clone() else {
            let fault = "cannot send a streaming body";
            return Err(Error::invalid(operation, fault));
        };
        let arrived = attempts.arrived();
        let mut response = connections
            .stack
            .execute_with_extensions(copy, &mut extensions)
            .await
            .map_err(|error| Error::middleware(operation, error))?;
        let is_from_wire = response.extensions().get::<FromWire>().is_some();
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let received = now();
        // A middleware that rebuilds a response drops its extensions but keeps the `Date`.
        let is_of_exchange = is_from_wire || attempts.arrived() > arrived;
        let server_time = &self.shared.server_time;
        server_time.learn(operation.auth && is_of_exchange, &headers, sent, received);
        let max = match status.is_success() {
            true => self.shared.max_body_bytes,
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

impl Received {
    /// Returns the skew of the exchange's clock according to this response alone, in milliseconds. `None` unless the
    /// response is an error.
    fn date_offset(&self) -> Option<i64> {
        let (sent, received) = self.sent_and_received?;
        match self.status.is_success() {
            true => None,
            false => ServerTime::date_offset(&self.headers, sent, received),
        }
    }

    /// Returns an error if the response reports one, even with a success status.
    fn check(self, shared: &Shared) -> Result<Self, Error> {
        if self.status.is_success() && !error_field::has_error(&self.body) {
            return Ok(self);
        }
        let body = body::Body {
            bytes: self.body,
            is_complete: self.is_complete,
        };
        let mut error = ApiError::read(self.status, &self.headers, &body, shared.exchange_time());
        if !shared.signs {
            error = error.with_unsigned_api();
        }
        if self.is_from_wire && error.is_over_limit() {
            self.attempts.record_rejection();
        }
        Err(Error::api_error(self.operation, error).after(&self.attempts))
    }

    /// Returns an error if the response is no evidence of the current state: it came from a cache, or `requires_cursor` is set and it is
    /// a page without its list or cursor, which would decode as an empty last page.
    fn check_evidence(self, requires_cursor: bool) -> Result<Self, Error> {
        if server_time::is_cached(&self.headers) {
            return Err(self.unexpected("response from a cache"));
        }
        let Some(paging) = self.operation.paging.filter(|_| requires_cursor) else {
            return Ok(self);
        };
        let fields: BTreeMap<String, IgnoredAny> =
            serde_json::from_slice(&self.body).unwrap_or_default();
        let has = |name: &str| fields.contains_key(name);
        if paging.items_field.is_none_or(has) && has(paging.cursor_field) {
            Ok(self)
        } else {
            Err(self.unexpected("page without its list or cursor"))
        }
    }

    /// Decodes a response that must be an object.
    pub(crate) fn into_object<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        if self.body.trim_ascii_start().starts_with(b"[") {
            // Serde would deserialize a list into a struct by position.
            return Err(self.unexpected("expected an object, got a list"));
        }
        self.into_any()
    }

    /// Decodes an object or a list.
    pub(crate) fn into_any<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        let value = decode(&self)?;
        Ok(Response::from_parts(self.status, self.headers, value))
    }

    /// Checks that the body is empty or a JSON object. Anything else, such as an HTML page, is an error.
    pub(crate) fn into_empty(self) -> Result<Response<()>, Error> {
        let body = self.body.trim_ascii();
        let is_object =
            || body.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(body).is_ok();
        if !body.is_empty() && !is_object() {
            return Err(self.unexpected("expected no body"));
        }
        Ok(Response::from_parts(self.status, self.headers, ()))
    }

    /// Returns the body as text.
    pub(crate) fn into_text(self) -> Result<Response<String>, Error> {
        let Ok(text) = std::str::from_utf8(&self.body).map(str::to_owned) else {
            return Err(self.unexpected("expected UTF-8"));
        };
        Ok(Response::from_parts(self.status, self.headers, text))
    }

    /// Returns the error for a body of an unexpected kind.
    fn unexpected(&self, message: &str) -> Error {
        let (path, body) = ("$".to_owned(), self.body.clone());
        let error = decode_error::custom(message);
        Error::decode(self.operation, self.status, path, body, &error).after(&self.attempts)
    }
}

fn decode<T: DeserializeOwned>(response: &Received) -> Result<T, Error> {
    // Validating UTF-8 once is 1.4 times as fast as validating each string.
    let decoded = match std::str::from_utf8(&response.body) {
        Ok(text) => compact::from_str(text),
        Err(error) => Err(serde::de::Error::custom(error)),
    };
    decoded.map_err(|error| undecodable(response, error))
}

/// Returns the error for a response that does not decode. Finding the JSON path takes a second pass over the body.
fn undecodable(response: &Received, error: serde_json::Error) -> Error {
    let path = json_path::of(&response.body, &error);
    let body = response.body.clone();
    Error::decode(response.operation, response.status, path, body, &error).after(&response.attempts)
}
