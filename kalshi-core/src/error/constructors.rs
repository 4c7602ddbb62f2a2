//! Constructors of [`Error`], and what the request path adds to it.

use std::time::Duration;

use bytes::Bytes;
use kalshi_auth::SigningMiddlewareError;
use reqwest::StatusCode;

use super::{Endless, Error, Inner, Kind};
use crate::{
    api_error::ApiError, custom_request::Route, decode_error::DecodeError, limits::RateLimitError,
    operation::Operation, wire::Attempts,
};

impl Error {
    pub(super) fn new(operation: &'static Operation, kind: Kind) -> Self {
        Self(Box::new(Inner {
            operation,
            route: None,
            kind,
            arrived: false,
            processed: 0,
            attempts: 0,
            elapsed: Duration::ZERO,
            clock_behind_ms: None,
            lookup_timeout: None,
        }))
    }

    /// Records the attempts that were made.
    pub(crate) fn after(mut self, attempts: &Attempts) -> Self {
        self.0.arrived = attempts.arrived() > 0;
        self.0.processed = attempts.processed();
        self.0.attempts = attempts.count();
        self.0.elapsed = attempts.elapsed();
        self
    }

    /// Records that the same write was sent before and may have been processed.
    pub(crate) fn after_earlier_write(mut self) -> Self {
        self.0.arrived = true;
        self.0.processed = self.0.processed.saturating_add(1);
        self
    }

    /// Returns the same rejection after a lookup that did not finish within `timeout`.
    pub(crate) fn after_lookup(&self, timeout: Duration) -> Self {
        let kind = match self.api() {
            Some(error) => Kind::Api(error.clone()),
            None => Kind::Timeout(timeout),
        };
        let Inner {
            operation,
            arrived,
            processed,
            attempts,
            elapsed,
            clock_behind_ms,
            ..
        } = *self.0;
        Self(Box::new(Inner {
            operation,
            route: None,
            kind,
            arrived,
            processed,
            attempts,
            elapsed,
            clock_behind_ms,
            lookup_timeout: Some(timeout),
        }))
    }

    /// Records the clock skew if it may have caused the rejection of a signature.
    pub(crate) fn with_clock(mut self, behind_ms: Option<i64>) -> Self {
        if self.api().is_some_and(ApiError::may_be_clock) {
            self.0.clock_behind_ms = behind_ms;
        }
        self
    }

    /// Names the method and path of a custom request.
    pub(crate) fn with_route(mut self, route: &Route) -> Self {
        self.0.route = Some(route.to_string().into());
        self
    }

    /// Returns the error for a response that decodes but contradicts itself or the request.
    pub(crate) fn unexpected_response(
        operation: &'static Operation,
        status: StatusCode,
        message: String,
    ) -> Self {
        let error = DecodeError::contradiction(status, message);
        let mut error = Self::new(operation, Kind::Decode(error));
        // A response arrived.
        (error.0.arrived, error.0.processed, error.0.attempts) = (true, 1, 1);
        error
    }

    pub(crate) fn rate_limit(operation: &'static Operation, error: RateLimitError) -> Self {
        Self::new(operation, Kind::RateLimit(error))
    }

    pub(crate) fn endless_list(operation: &'static Operation, reason: Endless) -> Self {
        Self::new(operation, Kind::EndlessList(reason))
    }

    pub(crate) fn body_too_large(
        operation: &'static Operation,
        status: StatusCode,
        max: usize,
    ) -> Self {
        Self::new(operation, Kind::BodyTooLarge { status, max })
    }

    pub(crate) fn timed_out(operation: &'static Operation, timeout: Duration) -> Self {
        Self::new(operation, Kind::Timeout(timeout))
    }

    pub(crate) fn invalid(operation: &'static Operation, message: impl Into<String>) -> Self {
        Self::new(operation, Kind::Invalid(message.into()))
    }

    pub(crate) fn no_credentials(operation: &'static Operation) -> Self {
        Self::new(operation, Kind::NoCredentials)
    }

    pub(crate) fn api_error(operation: &'static Operation, error: ApiError) -> Self {
        Self::new(operation, Kind::Api(error))
    }

    pub(crate) fn transport(operation: &'static Operation, error: reqwest::Error) -> Self {
        // The query may contain private data, and the operation already names the endpoint.
        Self::new(operation, Kind::Transport(error.without_url()))
    }

    pub(crate) fn middleware(
        operation: &'static Operation,
        error: reqwest_middleware::Error,
    ) -> Self {
        match error {
            reqwest_middleware::Error::Reqwest(error) => Self::transport(operation, error),
            reqwest_middleware::Error::Middleware(error) => {
                match error.downcast::<SigningMiddlewareError>() {
                    Ok(error) => Self::new(operation, Kind::Signing(error)),
                    Err(error) => Self::new(operation, Kind::Middleware(error.into())),
                }
            }
        }
    }

    /// Returns the error for a response that does not decode. `path` is the JSON path of the invalid value.
    pub(crate) fn decode(
        operation: &'static Operation,
        status: StatusCode,
        path: String,
        body: Bytes,
        source: &serde_json::Error,
    ) -> Self {
        let error = DecodeError::new(operation, status, path, body, source);
        Self::new(operation, Kind::Decode(error))
    }

    /// Returns the error for one row of a list whose page failed with `self`.
    pub(crate) fn for_row(&self, path: String, row: Bytes, source: &serde_json::Error) -> Self {
        let status = self.status().unwrap_or_default();
        let mut error = DecodeError::new(self.0.operation, status, path, row, source);
        error.is_row = true;
        Self(Box::new(Inner {
            route: self.0.route.clone(),
            kind: Kind::Decode(error),
            ..*self.0
        }))
    }
}
