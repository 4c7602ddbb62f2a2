//! The one error of all operations: what happened, and whether the exchange may have acted.

use std::{error::Error as StdError, fmt, time::Duration};

use kalshi_auth::SigningError;
use reqwest::StatusCode;

use crate::{
    ApiError, Operation,
    excerpt::{EXCERPT, WITHHELD, excerpt, holds_private_key, short},
    limits::NoTokens,
    server_time,
    wire::Attempts,
};

/// Why a call did not give its answer.
///
/// What it is about is asked by predicates, so that new kinds of failure do not break a program:
///
/// | question | answer |
/// |---|---|
/// | may the exchange have acted on it? | [`may_have_reached_exchange`](Self::may_have_reached_exchange) |
/// | did the exchange refuse, and how? | [`api`](Self::api), [`status`](Self::status), [`code`](Self::code) |
/// | may it be sent again as it is? | [`was_not_processed`](Self::was_not_processed) |
/// | what kind of fault? | [`is_rate_limited`](Self::is_rate_limited), [`is_timeout`](Self::is_timeout), [`is_connect`](Self::is_connect) |
/// | was it held back here? | [`held_back`](Self::held_back), [`would_wait`](Self::would_wait) |
/// | how often was it tried? | [`attempts`](Self::attempts), [`elapsed`](Self::elapsed) |
/// | is the clock wrong? | [`clock_behind_ms`](Self::clock_behind_ms) |
/// | is the key wrong? | [`is_auth`](Self::is_auth) |
/// | has the exchange changed its answers? | [`is_decode`](Self::is_decode) |
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static Operation,
    kind: Kind,
    /// An attempt may have arrived.
    arrived: bool,
    /// How many attempts may have been processed.
    processed: u32,
    /// How often it was sent, or tried to be.
    attempts: u32,
    elapsed: Duration,
    /// How far the clock is behind the exchange's, in milliseconds, where that may be the reason.
    clock_behind_ms: Option<i64>,
}

enum Kind {
    /// The call cannot be made into a request.
    Invalid(String),
    /// A private operation without credentials.
    NoCredentials,
    /// It could not be signed.
    Signing(SigningError),
    /// It could not be sent, or no answer came.
    Transport(reqwest::Error),
    /// The time for the whole call was over.
    Deadline(Duration),
    /// There were no tokens for it.
    NoTokens(NoTokens),
    /// A list handed out a cursor a second time.
    RepeatedCursor,
    /// A middleware of the user's failed.
    Middleware(Box<dyn StdError + Send + Sync>),
    /// The exchange refused.
    Api(ApiError),
    /// The answer is not what the contract says.
    Decode(DecodeError),
}

struct DecodeError {
    status: StatusCode,
    path: String,
    body: String,
    source: serde_json::Error,
}

impl Error {
    fn new(operation: &'static Operation, kind: Kind) -> Self {
        Self(Box::new(Inner {
            operation,
            kind,
            arrived: false,
            processed: 0,
            attempts: 0,
            elapsed: Duration::ZERO,
            clock_behind_ms: None,
        }))
    }

    /// Notes what is known of the attempts that were made.
    pub(crate) fn after(mut self, attempts: &Attempts) -> Self {
        self.0.arrived = attempts.any_arrived();
        self.0.processed = attempts.processed();
        self.0.attempts = attempts.begun();
        self.0.elapsed = attempts.elapsed();
        self
    }

    /// Notes that the clock is off, where that may be why a signature was refused.
    pub(crate) fn with_clock(mut self, behind_ms: Option<i64>) -> Self {
        if self.status() == Some(StatusCode::UNAUTHORIZED) {
            self.0.clock_behind_ms = behind_ms;
        }
        self
    }

    /// How many attempts the exchange may have processed.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn processed_attempts(&self) -> u32 {
        self.0.processed
    }

    /// An answer that decodes, and says something else than it can.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn unlike(
        operation: &'static Operation,
        status: StatusCode,
        message: String,
    ) -> Self {
        let source = <serde_json::Error as serde::de::Error>::custom(message);
        let mut error = Self::decode(operation, status, "$".to_owned(), b"", source);
        // There was an answer.
        (error.0.arrived, error.0.processed, error.0.attempts) = (true, 1, 1);
        error
    }

    pub(crate) fn no_tokens(operation: &'static Operation, error: NoTokens) -> Self {
        Self::new(operation, Kind::NoTokens(error))
    }

    pub(crate) fn repeated_cursor(operation: &'static Operation) -> Self {
        Self::new(operation, Kind::RepeatedCursor)
    }

    /// Whether the connection broke, or the answer did not come whole.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(&self.0.kind, Kind::Transport(error) if !error.is_builder() && !error.is_redirect())
    }

    pub(crate) fn deadline(operation: &'static Operation, timeout: Duration) -> Self {
        Self::new(operation, Kind::Deadline(timeout))
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
        // The URL may hold what a query carries; the operation says where it went.
        Self::new(operation, Kind::Transport(error.without_url()))
    }

    pub(crate) fn middleware(
        operation: &'static Operation,
        error: reqwest_middleware::Error,
    ) -> Self {
        match error {
            reqwest_middleware::Error::Reqwest(error) => Self::transport(operation, error),
            reqwest_middleware::Error::Middleware(error) => {
                match error.downcast::<SigningError>() {
                    Ok(error) => Self::new(operation, Kind::Signing(error)),
                    Err(error) => Self::new(operation, Kind::Middleware(error.into())),
                }
            }
        }
    }

    /// An answer that does not decode: `path` is the JSON path of what is wrong.
    pub(crate) fn decode(
        operation: &'static Operation,
        status: StatusCode,
        path: String,
        body: &[u8],
        source: serde_json::Error,
    ) -> Self {
        let message = source.to_string();
        let (body, message) = match holds_private_key(body) {
            true => (WITHHELD.to_owned(), WITHHELD.to_owned()),
            false => {
                // Both may quote the body, and share its allowance.
                let message = short(&message, EXCERPT / 2);
                let left = EXCERPT - message.chars().count();
                (excerpt(body, source.line(), source.column(), left), message)
            }
        };
        let source = <serde_json::Error as serde::de::Error>::custom(message);
        Self::new(
            operation,
            Kind::Decode(DecodeError {
                status,
                path,
                body,
                source,
            }),
        )
    }

    /// The operation that was called.
    #[must_use]
    pub fn operation(&self) -> &'static Operation {
        self.0.operation
    }

    /// Whether the exchange may have received the call, and so may have acted on it.
    ///
    /// `false` is certain: the request was never sent (a missing parameter, no credentials, a signature that could not
    /// be made, a connection that was not established). `true` means that it was sent, or that this cannot be excluded:
    /// for an order, look it up before you send another. An answer with a status, a refusal included, is also `true`;
    /// what the exchange did is then in the answer. Where a middleware sends a request several times, all attempts count.
    #[must_use]
    pub fn may_have_reached_exchange(&self) -> bool {
        self.0.arrived
    }

    /// Whether the exchange certainly did not process the call, so that it may be sent again as it is: it never arrived, or it
    /// was refused for an empty token bucket (429). All attempts count.
    #[must_use]
    pub fn was_not_processed(&self) -> bool {
        self.0.processed == 0
    }

    /// How often the call was sent, tries that made no connection included; 0 if it never came to that.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the call took until it failed, waits and pauses included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How far this machine's clock is from the exchange's, where that may be why a signature was refused: in milliseconds,
    /// positive when it is behind.
    #[must_use]
    pub fn clock_behind_ms(&self) -> Option<i64> {
        self.0.clock_behind_ms
    }

    /// How long the call would have had to wait for tokens of the client's own rate limiter, when that is longer than it may.
    /// Nothing was sent.
    #[must_use]
    pub fn would_wait(&self) -> Option<Duration> {
        match &self.0.kind {
            Kind::NoTokens(NoTokens::Wait(wait)) => Some(*wait),
            _ => None,
        }
    }

    /// Why the client's own rate limiter held the call back: the wait would be too long, or it costs more than its bucket ever
    /// holds. Nothing was sent.
    #[must_use]
    pub fn held_back(&self) -> Option<NoTokens> {
        match &self.0.kind {
            Kind::NoTokens(why) => Some(*why),
            _ => None,
        }
    }

    /// Whether a list handed out the same cursor twice, and so would never have ended.
    #[must_use]
    pub fn is_repeated_cursor(&self) -> bool {
        matches!(self.0.kind, Kind::RepeatedCursor)
    }

    /// Whether the time ran out: while connecting, or while waiting for the answer. In the second case the exchange may
    /// have acted, which [`may_have_reached_exchange`](Self::may_have_reached_exchange) tells.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &self.0.kind {
            Kind::Deadline(_) => true,
            Kind::Transport(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether no connection could be made: the name, the network, the TLS handshake or a proxy. Nothing was sent, unless a
    /// middleware of yours had sent the request before.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(&self.0.kind, Kind::Transport(error) if error.is_connect())
    }

    /// Whether the exchange answered 429: a token bucket was empty, and this attempt was not processed.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    /// Whether it is about keys and rights: no credentials, a signature that could not be made, 401, or 403. A wrong key,
    /// the key of another environment, an expired key and a clock that is off all look the same: 401. A key that is right
    /// and may not do this, for its scopes or the level of its account, is 403.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match &self.0.kind {
            Kind::NoCredentials | Kind::Signing(_) => true,
            Kind::Api(error) => {
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&error.status())
            }
            _ => false,
        }
    }

    /// Whether the exchange answered 404. Shortly after a write, its reads may not know of it yet.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether an answer came that is not what the contract says.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.0.kind, Kind::Decode(_))
    }

    /// Whether the call could not be made into a request, such as for a missing parameter.
    #[must_use]
    pub fn is_invalid_request(&self) -> bool {
        match &self.0.kind {
            Kind::Invalid(_) => true,
            Kind::Transport(error) => error.is_builder(),
            _ => false,
        }
    }

    /// The status of the answer, when there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.0.kind {
            Kind::Api(error) => Some(error.status()),
            Kind::Decode(error) => Some(error.status),
            Kind::Transport(error) => error.status(),
            _ => None,
        }
    }

    /// What the exchange said when it refused.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match &self.0.kind {
            Kind::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The exchange's code for the refusal, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.api()?.code()
    }

    /// The exchange's words for the refusal.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.api()?.message()
    }

    /// The exchange's details of the refusal.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.api()?.details()
    }

    /// The part of the exchange that refused.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.api()?.service()
    }

    /// The JSON path of what did not decode, such as `$.markets[3].yes_bid_dollars`.
    #[must_use]
    pub fn decode_path(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Decode(error) => Some(&error.path),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.operation.id)?;
        match &self.0.kind {
            Kind::Invalid(message) => f.write_str(message),
            Kind::NoCredentials => f.write_str(
                "this operation needs a signature, and the client has no credentials; give them to Client::builder()",
            ),
            Kind::Signing(_) => f.write_str("the request could not be signed"),
            Kind::Transport(error) if error.is_builder() => f.write_str("the request could not be built"),
            Kind::Transport(error) if error.is_connect() && error.is_timeout() => {
                f.write_str("the connection was not made in time")
            }
            Kind::Transport(error) if error.is_connect() => f.write_str("no connection to the exchange"),
            Kind::Transport(error) if error.is_timeout() => f.write_str("no answer in time"),
            Kind::Transport(_) => f.write_str("the exchange gave no whole answer"),
            Kind::Deadline(timeout) => write!(f, "not finished within {timeout:?}"),
            Kind::NoTokens(error) => error.fmt(f),
            Kind::RepeatedCursor => f.write_str("the exchange handed out the same cursor twice; the list would never end"),
            Kind::Middleware(_) => f.write_str("a middleware failed"),
            Kind::Api(error) => error.fmt(f),
            Kind::Decode(error) => write!(
                f,
                "the answer ({}) does not decode at {}: {}; body: {}",
                error.status.as_u16(),
                error.path,
                error.source,
                error.body
            ),
        }?;
        match &self.0.kind {
            Kind::Transport(_) | Kind::Deadline(_) | Kind::Middleware(_) if self.0.arrived => {
                f.write_str("; the exchange may have acted on it")
            }
            Kind::Transport(_) | Kind::Deadline(_) => f.write_str("; nothing was sent"),
            _ => Ok(()),
        }?;
        if let Some(behind) = self.0.clock_behind_ms {
            write!(f, "; your clock is {}", server_time::worded(behind))?;
        }
        match self.0.attempts {
            0 | 1 => Ok(()),
            attempts => write!(
                f,
                " ({attempts} attempts in {} ms)",
                self.0.elapsed.as_millis()
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("operation", &self.0.operation.id)
            .field("message", &self.to_string());
        let mut sources = Vec::new();
        let mut next = self.source();
        while let Some(source) = next {
            sources.push(source.to_string());
            next = source.source();
        }
        out.field("sources", &sources).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.kind {
            Kind::Signing(error) => Some(error),
            Kind::Transport(error) => Some(error),
            Kind::Middleware(error) => Some(error.as_ref()),
            Kind::Decode(error) => Some(&error.source),
            Kind::Api(error) => Some(error),
            Kind::Invalid(_)
            | Kind::NoCredentials
            | Kind::Deadline(_)
            | Kind::NoTokens(_)
            | Kind::RepeatedCursor => None,
        }
    }
}
