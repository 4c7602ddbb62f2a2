//! The error type of all operations: what failed, and whether the exchange may have acted on the request.

mod constructors;
mod display;
#[cfg(feature = "testing")]
pub(crate) mod testing;

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use kalshi_auth::SigningMiddlewareError;
use reqwest::StatusCode;

use crate::{
    api_error::ApiError, decode_error::DecodeError, limits::RateLimitError, operation::Operation,
    outcome,
};

/// The error of an operation.
///
/// Use the predicates to find out what happened. They keep working when new kinds of failure are added.
///
/// | Question | Method |
/// |---|---|
/// | May the exchange have acted on the request? | [`may_have_reached_exchange`](Self::may_have_reached_exchange) |
/// | Did the exchange reject it, and why? | [`api`](Self::api), [`status`](Self::status), [`code`](Self::code) |
/// | May a write have taken effect? | [`may_have_taken_effect`](Self::may_have_taken_effect) |
/// | May the same request be sent again? | [`was_not_processed`](Self::was_not_processed) |
/// | What kind of failure is it? | [`is_rate_limited`](Self::is_rate_limited), [`is_timeout`](Self::is_timeout), [`is_connect`](Self::is_connect), [`is_body_too_large`](Self::is_body_too_large), [`is_endless_list`](Self::is_endless_list) |
/// | Why was an order rejected? | [`is_insufficient_funds`](Self::is_insufficient_funds), [`is_post_only_cross`](Self::is_post_only_cross), [`is_fill_or_kill_unfilled`](Self::is_fill_or_kill_unfilled), [`is_trading_paused`](Self::is_trading_paused) |
/// | Does the resource not exist? | [`is_not_found`](Self::is_not_found) |
/// | Is the request incomplete or invalid? | [`is_invalid_request`](Self::is_invalid_request) |
/// | Was it rate limited locally? | [`local_rate_limit`](Self::local_rate_limit) |
/// | How often was it sent? | [`attempts`](Self::attempts), [`elapsed`](Self::elapsed) |
/// | Is the clock wrong? | [`clock_behind_ms`](Self::clock_behind_ms) |
/// | Is the key wrong? | [`is_auth`](Self::is_auth) |
/// | Has the exchange changed its responses? | [`is_decode`](Self::is_decode), [`decode_path`](Self::decode_path), [`body`](Self::body) |
/// | Does the list continue after this error? | [`is_row`](Self::is_row) |
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static Operation,
    /// Method and path of a custom request, which shares its operation with others.
    route: Option<Box<str>>,
    kind: Kind,
    /// An attempt may have arrived.
    arrived: bool,
    /// Attempts that may have been processed.
    processed: u32,
    /// Attempts to send it.
    attempts: u32,
    elapsed: Duration,
    /// Milliseconds by which the local clock is behind the exchange's, if that may be the cause.
    clock_behind_ms: Option<i64>,
    /// Timeout of the lookup that followed, if it expired.
    lookup_timeout: Option<Duration>,
}

enum Kind {
    /// The parameters do not form a valid request.
    Invalid(String),
    /// The operation needs credentials, and the client has none.
    NoCredentials,
    /// The request could not be signed, or its origin is not that of the credentials.
    Signing(SigningMiddlewareError),
    /// The request could not be sent, or no complete response arrived.
    Transport(reqwest::Error),
    /// A timeout of the client expired.
    Timeout(Duration),
    /// The request was rate limited locally.
    RateLimit(RateLimitError),
    /// The body of a success is longer than the client's limit.
    BodyTooLarge { status: StatusCode, max: usize },
    /// A list appears to be endless.
    EndlessList(Endless),
    /// A custom middleware failed.
    Middleware(Box<dyn StdError + Send + Sync>),
    /// The exchange rejected the request.
    Api(ApiError),
    /// The response does not match the spec.
    Decode(DecodeError),
    #[cfg(feature = "testing")]
    Simulated(testing::Simulated),
}

/// The reason why a list appears to be endless.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endless {
    RepeatedCursor,
    /// This many consecutive pages had a cursor and no items.
    EmptyPages(u32),
}

/// # What happened
impl Error {
    /// Returns the name of the request in messages: the route of a custom request, or else the operation id.
    fn subject(&self) -> &str {
        self.0.route.as_deref().unwrap_or(self.0.operation.id)
    }

    /// Returns `true` if the connection broke or the response was incomplete.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(&self.0.kind, Kind::Transport(error) if !error.is_builder() && !error.is_redirect())
    }

    /// Returns the operation that failed. All [custom requests](crate::CustomRequest) with the same method share the operation
    /// `CustomRequest` with the path `/{path}`; the message of the error contains the actual path.
    #[must_use]
    pub fn operation(&self) -> &'static Operation {
        self.0.operation
    }

    /// Returns `true` if the exchange may have received the request, and thus may have acted on it.
    ///
    /// `false` means that the request was certainly not sent (a missing parameter, no credentials, a failure to sign, no
    /// connection). `true` means that it was sent, or that this cannot be ruled out: look up an order before you place
    /// another one. `true` is also returned after an error response, which says what the exchange did. If a middleware sends a
    /// request several times, all attempts count.
    #[must_use]
    pub fn may_have_reached_exchange(&self) -> bool {
        self.0.arrived
    }

    /// Returns `true` if the exchange certainly did not process the request, so that it may be sent again: it never arrived, or it
    /// was rejected with 429 (empty token bucket). All attempts count.
    #[must_use]
    pub fn was_not_processed(&self) -> bool {
        self.0.processed == 0
    }

    /// Returns `true` if a write may have taken effect: it may have been processed, and no response of the exchange proves that it was
    /// rejected. Read the state of the account before you send such a write again. All attempts count.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        let was_rejected = |api| outcome::is_rejection(api, self.0.processed > 1);
        !self.was_not_processed() && !self.api().is_some_and(was_rejected)
    }

    /// Returns the number of attempts, including those that established no connection. 0 if there was none.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the time from the start of the request to its failure, including all waits.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Returns how far the local clock is behind the exchange's in milliseconds, if that may be why a signature was rejected.
    /// Negative if it is ahead.
    #[must_use]
    pub fn clock_behind_ms(&self) -> Option<i64> {
        self.0.clock_behind_ms
    }

    /// Returns the error of the client's own rate limiter, or `None` if it did not stop the request. Nothing was sent.
    /// [`RateLimitError::wait`] is the time until enough tokens are available.
    #[must_use]
    pub fn local_rate_limit(&self) -> Option<RateLimitError> {
        match &self.0.kind {
            Kind::RateLimit(error) => Some(*error),
            _ => None,
        }
    }

    /// Returns `true` if a list appears to be endless: a cursor was repeated, or [`MAX_EMPTY_PAGES`](crate::pages::MAX_EMPTY_PAGES)
    /// consecutive pages had a cursor and no items.
    #[must_use]
    pub fn is_endless_list(&self) -> bool {
        matches!(self.0.kind, Kind::EndlessList(_))
    }

    /// Returns `true` if the response body was longer than [`max_body_bytes`](crate::ClientBuilder::max_body_bytes). The exchange
    /// may have acted on the request.
    #[must_use]
    pub fn is_body_too_large(&self) -> bool {
        matches!(self.0.kind, Kind::BodyTooLarge { .. })
    }

    /// Returns `true` if a timeout expired, either while connecting or while waiting for the response. In the latter case the
    /// exchange may have acted: see [`may_have_reached_exchange`](Self::may_have_reached_exchange).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &self.0.kind {
            Kind::Timeout(_) => true,
            Kind::Transport(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Returns `true` if no connection could be established: name resolution, network, TLS handshake or proxy
    /// failed. Nothing was sent, unless a custom middleware had sent the request before or a custom HTTP client
    /// was redirected: see [`was_not_processed`](Self::was_not_processed).
    #[must_use]
    pub fn is_connect(&self) -> bool {
        match &self.0.kind {
            Kind::Transport(error) => error.is_connect(),
            #[cfg(feature = "testing")]
            Kind::Simulated(error) => *error == testing::Simulated::NoConnection,
            _ => false,
        }
    }

    /// Returns `true` if the response was a 429. If it came from the exchange, this attempt was
    /// not processed: see [`was_not_processed`](Self::was_not_processed).
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    /// Returns `true` if the failure concerns keys or permissions: no credentials, a failure to sign, 401 or 403. The message of
    /// the error contains the cause of a 401. A valid key without the scope or account level for the operation gets a 403. A 403
    /// from a proxy does not count.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match &self.0.kind {
            Kind::NoCredentials | Kind::Signing(_) => true,
            Kind::Api(error) => match error.status() {
                StatusCode::UNAUTHORIZED => true,
                StatusCode::FORBIDDEN => error.is_from_exchange(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Returns `true` if the exchange rejected the request because trading is paused: see [`ApiError::is_trading_paused`].
    #[must_use]
    pub fn is_trading_paused(&self) -> bool {
        self.api().is_some_and(ApiError::is_trading_paused)
    }

    /// Returns `true` if the exchange rejected the request for insufficient funds: see [`ApiError::is_insufficient_funds`].
    #[must_use]
    pub fn is_insufficient_funds(&self) -> bool {
        self.api().is_some_and(ApiError::is_insufficient_funds)
    }

    /// Returns `true` if the exchange rejected a `post_only` order that would have traded immediately: see
    /// [`ApiError::is_post_only_cross`].
    #[must_use]
    pub fn is_post_only_cross(&self) -> bool {
        self.api().is_some_and(ApiError::is_post_only_cross)
    }

    /// Returns `true` if a fill-or-kill order could not be filled completely: see [`ApiError::is_fill_or_kill_unfilled`].
    #[must_use]
    pub fn is_fill_or_kill_unfilled(&self) -> bool {
        self.api().is_some_and(ApiError::is_fill_or_kill_unfilled)
    }

    /// Returns `true` if the exchange responded with 404. Reads lag behind writes, so a new resource may be missing at first.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Returns `true` if the response does not match the spec.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.0.kind, Kind::Decode(_))
    }

    /// Returns `true` if no request could be built, for example because a parameter is missing.
    #[must_use]
    pub fn is_invalid_request(&self) -> bool {
        match &self.0.kind {
            Kind::Invalid(_) => true,
            Kind::Transport(error) => error.is_builder(),
            _ => false,
        }
    }

    /// Returns the HTTP status of the response, or `None` if there was no response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.0.kind {
            Kind::Api(error) => Some(error.status()),
            Kind::Decode(error) => Some(error.status),
            Kind::BodyTooLarge { status, .. } => Some(*status),
            Kind::Transport(error) => error.status(),
            _ => None,
        }
    }

    /// Returns the error response, or `None` if there was none. It may come from a proxy, and a write may still have taken effect.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match &self.0.kind {
            Kind::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the exchange's error code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.api()?.code()
    }

    /// Returns the exchange's error message.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.api()?.message()
    }

    /// Returns the exchange's details of the error.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.api()?.details()
    }

    /// Returns the service of the exchange that sent the error response.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.api()?.service()
    }

    /// Returns the JSON path of the field that did not decode, such as `$.items[3].price`. Paths are truncated after 256
    /// characters or 128 levels.
    #[must_use]
    pub fn decode_path(&self) -> Option<&str> {
        Some(&self.decode_error()?.path)
    }

    /// Returns the body that did not decode, or the JSON of the row if the error is about a [row](Self::is_row). `Display` and
    /// `Debug` print only an excerpt.
    ///
    /// Returns `None` for other errors, if the response contains a secret, and if it decoded but contradicts the request.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.decode_error()?.body.as_deref()
    }

    /// Returns `true` if one row of a list did not decode. The stream that returned the error continues with the next row.
    #[must_use]
    pub fn is_row(&self) -> bool {
        self.decode_error().is_some_and(|error| error.is_row)
    }

    fn decode_error(&self) -> Option<&DecodeError> {
        match &self.0.kind {
            Kind::Decode(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the body that did not decode.
    pub(crate) fn shared_body(&self) -> Option<&Bytes> {
        self.decode_error()?.body.as_ref()
    }
}

#[cfg(test)]
pub(crate) mod tests;
