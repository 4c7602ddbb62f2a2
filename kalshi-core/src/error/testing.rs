//! Errors constructed for tests.

use std::time::Duration;

use bytes::Bytes;
use kalshi_auth::{SignerError, SigningMiddlewareError};
use reqwest::StatusCode;

use super::{Endless, Error, Kind};
use crate::{
    api_error::{ApiError, ErrorResponse},
    decode_error,
    limits::RateLimitError,
    operation::Operation,
};

/// A failure for which a test constructs an [`Error`]. See [`Error::for_tests`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The parameters do not form a valid request, for this reason.
    Invalid(String),
    /// The operation needs credentials and the client has none.
    NoCredentials,
    /// The request could not be signed. Nothing was sent.
    Signing,
    /// A custom middleware failed with this message before it sent the request.
    Middleware(String),
    /// No connection could be established. Nothing was sent.
    NoConnection,
    /// The request was sent but no complete response arrived.
    NoResponse,
    /// This timeout expired after the request was sent.
    Timeout(Duration),
    /// The request was rate limited locally.
    RateLimit(RateLimitError),
    /// The exchange rejected the request with this status and code.
    Rejected(StatusCode, String),
    /// The response does not match the spec at this JSON path, such as `$.order.price`.
    Decode(String),
    /// The response body is longer than this limit of the client, in bytes.
    BodyTooLarge(usize),
    /// A list appears to be endless.
    EndlessList,
}

/// A simulated network failure, because errors of the HTTP library cannot be constructed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Simulated {
    #[error("no connection to the exchange")]
    NoConnection,
    #[error("incomplete response")]
    NoResponse,
    #[error("simulated failure of a signer")]
    Signer,
}

impl ApiError {
    /// Creates an error response with this status and code, for tests.
    #[must_use]
    pub fn for_tests(status: StatusCode, code: impl Into<String>) -> Self {
        let response = ErrorResponse {
            code: Some(code.into()),
            ..ErrorResponse::default()
        };
        Self::from_item(status, response)
    }
}

/// # Construction in tests
impl Error {
    /// Creates the error of a failed request of `operation`, for tests. Its predicates return the same values as those
    /// of a real error.
    ///
    /// ```
    /// # use kalshi_core::{Error, testing::Failure, operation::Operation};
    /// # fn example(operation: &'static Operation) {
    /// let error = Error::for_tests(operation, Failure::NoResponse);
    /// assert!(error.may_have_reached_exchange() && !error.was_not_processed());
    /// # }
    /// ```
    #[must_use]
    pub fn for_tests(operation: &'static Operation, failure: Failure) -> Self {
        let kind = match failure {
            Failure::Invalid(message) => Kind::Invalid(message),
            Failure::NoCredentials => Kind::NoCredentials,
            Failure::Signing => {
                let error = SignerError::Signer(Simulated::Signer.into());
                Kind::Signing(SigningMiddlewareError::Sign(error))
            }
            Failure::Middleware(message) => Kind::Middleware(message.into()),
            Failure::NoConnection => Kind::Simulated(Simulated::NoConnection),
            Failure::NoResponse => Kind::Simulated(Simulated::NoResponse),
            Failure::Timeout(timeout) => Kind::Timeout(timeout),
            Failure::RateLimit(error) => Kind::RateLimit(error),
            Failure::Rejected(status, code) => Kind::Api(ApiError::for_tests(status, code)),
            Failure::Decode(path) => {
                let source = decode_error::custom("invalid value");
                let (status, body) = (StatusCode::OK, Bytes::from_static(b"{}"));
                return Self::decode(operation, status, path, body, &source).arrived_for_tests();
            }
            Failure::BodyTooLarge(max) => Kind::BodyTooLarge {
                status: StatusCode::OK,
                max,
            },
            Failure::EndlessList => Kind::EndlessList(Endless::RepeatedCursor),
        };
        let was_sent = !matches!(
            kind,
            Kind::Invalid(_)
                | Kind::NoCredentials
                | Kind::RateLimit(_)
                | Kind::Signing(_)
                | Kind::Middleware(_)
                | Kind::Simulated(Simulated::NoConnection)
        );
        let error = Self::new(operation, kind);
        match was_sent {
            true => error.arrived_for_tests(),
            false => error,
        }
    }

    fn arrived_for_tests(mut self) -> Self {
        self.0.arrived = true;
        // With a 429, the exchange rejects a request before processing it.
        self.0.processed = u32::from(!self.is_rate_limited());
        self.0.attempts = 1;
        self
    }
}

#[cfg(test)]
mod tests {

    use std::error::Error as _;

    use reqwest::Method;

    use super::*;
    use crate::operation::Bucket;

    static OPERATION: Operation =
        Operation::new("GetThing", Method::GET, "/things/{id}", "", Bucket::Read);

    #[test]
    fn predicates_of_constructed_errors() {
        let wait = RateLimitError::Wait {
            needed: Duration::from_secs(2),
            max_wait: Duration::from_secs(1),
        };
        let error = |failure| Error::for_tests(&OPERATION, failure);
        // Reached the exchange, and was certainly not processed.
        for (failure, reached, not_processed) in [
            (Failure::Invalid("no price".to_owned()), false, true),
            (Failure::NoCredentials, false, true),
            (Failure::Signing, false, true),
            (Failure::Middleware("closed".to_owned()), false, true),
            (Failure::NoConnection, false, true),
            (Failure::NoResponse, true, false),
            (Failure::Timeout(Duration::from_secs(1)), true, false),
            (Failure::RateLimit(wait), false, true),
            (
                Failure::Rejected(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_requests".to_owned(),
                ),
                true,
                true,
            ),
            (
                Failure::Rejected(StatusCode::NOT_FOUND, "not_found".to_owned()),
                true,
                false,
            ),
            (Failure::Decode("$.order".to_owned()), true, false),
            (Failure::BodyTooLarge(1), true, false),
            (Failure::EndlessList, true, false),
        ] {
            let error = error(failure.clone());
            assert_eq!(
                (error.may_have_reached_exchange(), error.was_not_processed()),
                (reached, not_processed),
                "{failure:?}"
            );
            assert!(!error.to_string().is_empty());
        }
        assert!(error(Failure::Signing).is_auth() && error(Failure::Signing).source().is_some());
        assert!(error(Failure::NoConnection).is_connect());
        assert!(error(Failure::Timeout(Duration::ZERO)).is_timeout());
        assert!(error(Failure::NoCredentials).is_auth());
        assert!(error(Failure::Invalid(String::new())).is_invalid_request());
        assert!(error(Failure::BodyTooLarge(1)).is_body_too_large());
        assert!(error(Failure::EndlessList).is_endless_list());
        assert_eq!(
            error(Failure::Decode("$.order".to_owned())).decode_path(),
            Some("$.order")
        );
        assert_eq!(
            error(Failure::RateLimit(wait)).local_rate_limit(),
            Some(wait)
        );
        let rejected = error(Failure::Rejected(StatusCode::CONFLICT, "taken".to_owned()));
        assert_eq!(
            (rejected.status(), rejected.code()),
            (Some(StatusCode::CONFLICT), Some("taken"))
        );
    }
}
