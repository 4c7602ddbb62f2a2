//! The one error of all operations: what happened, and whether the exchange may have acted.

use std::{error::Error as StdError, fmt, time::Duration};

use kalshi_auth::{CredentialsError, SigningError};
use reqwest::StatusCode;
use serde_json::{Map, Value};

use crate::Operation;

/// How much of a body an error shows, in characters.
const EXCERPT: usize = 200;

/// Why a call did not give its answer.
///
/// What it is about is asked by predicates, so that new kinds of failure do not break a program:
///
/// | question | answer |
/// |---|---|
/// | may the exchange have acted on it? | [`may_have_reached_exchange`](Self::may_have_reached_exchange) |
/// | did the exchange refuse, and how? | [`api`](Self::api), [`status`](Self::status), [`code`](Self::code) |
/// | wait and try again? | [`is_rate_limited`](Self::is_rate_limited), [`is_timeout`](Self::is_timeout), [`is_connect`](Self::is_connect) |
/// | is the key wrong? | [`is_auth`](Self::is_auth) |
/// | has the exchange changed its answers? | [`is_decode`](Self::is_decode) |
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static Operation,
    kind: Kind,
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
        Self(Box::new(Inner { operation, kind }))
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
        let body = excerpt(body, source.line(), source.column());
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
    /// what the exchange did is then in the answer.
    #[must_use]
    pub fn may_have_reached_exchange(&self) -> bool {
        match &self.0.kind {
            Kind::Invalid(_) | Kind::NoCredentials | Kind::Signing(_) => false,
            Kind::Transport(error) => !(error.is_connect() || error.is_builder()),
            Kind::Middleware(_) | Kind::Api(_) | Kind::Decode(_) => true,
        }
    }

    /// Whether the time ran out: while connecting, or while waiting for the answer. In the second case the exchange may
    /// have acted, which [`may_have_reached_exchange`](Self::may_have_reached_exchange) tells.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(&self.0.kind, Kind::Transport(error) if error.is_timeout())
    }

    /// Whether no connection could be made: the name, the network, the TLS handshake or a proxy. Nothing was sent.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(&self.0.kind, Kind::Transport(error) if error.is_connect())
    }

    /// Whether the exchange answered 429: a token bucket was empty, and the call was not processed.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    /// Whether it is about keys: no credentials, a signature that could not be made, or 401 or 403 from the exchange. A wrong
    /// key, the key of another environment, an expired key and a clock that is off all look the same: 401.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match &self.0.kind {
            Kind::NoCredentials | Kind::Signing(_) => true,
            Kind::Api(error) => {
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&error.status)
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
        matches!(self.0.kind, Kind::Invalid(_))
    }

    /// The status of the answer, when there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.0.kind {
            Kind::Api(error) => Some(error.status),
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
            Kind::Transport(error) if error.is_connect() && error.is_timeout() => {
                f.write_str("the connection was not made in time; nothing was sent")
            }
            Kind::Transport(error) if error.is_connect() => {
                f.write_str("no connection to the exchange; nothing was sent")
            }
            Kind::Transport(error) if error.is_timeout() => {
                f.write_str("no answer in time; the exchange may have acted on it")
            }
            Kind::Transport(error) if error.is_builder() => f.write_str("the request could not be built"),
            Kind::Transport(_) => f.write_str("the exchange gave no whole answer; it may have acted on the request"),
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
            Kind::Api(_) | Kind::Invalid(_) | Kind::NoCredentials => None,
        }
    }
}

/// What the exchange said when it refused.
///
/// The exchange words its refusals in several ways (an object, an object below `error`, a text below `error` or `msg`, a
/// page of HTML, nothing); whichever it was, the status is always there, and the rest where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
    service: Option<String>,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// Reads the body of a refusal.
    pub(crate) fn read(
        status: StatusCode,
        headers: &reqwest::header::HeaderMap,
        body: &[u8],
    ) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            retry_after: headers
                .get(reqwest::header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs),
        };
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(members)) => error.read_members(&members),
            Ok(Value::String(text)) => error.message = Some(short(&text)),
            Ok(Value::Null) => {}
            _ => {
                let text = String::from_utf8_lossy(body);
                let html = text.trim_start().starts_with('<');
                let text = if html {
                    title(&text)
                } else {
                    Some(text.trim().to_owned())
                };
                error.message = text
                    .filter(|text| !text.is_empty())
                    .map(|text| short(&text));
            }
        }
        error
    }

    fn read_members(&mut self, members: &Map<String, Value>) {
        match members.get("error") {
            Some(Value::Object(inner)) => return self.read_members(inner),
            Some(Value::String(text)) => self.message = Some(short(text)),
            _ => {}
        }
        let text = |name: &str| match members.get(name) {
            Some(Value::String(text)) => Some(short(text)),
            Some(Value::Null) | None => None,
            Some(other) => Some(short(&other.to_string())),
        };
        self.code = text("code");
        self.message = text("message")
            .or_else(|| text("msg"))
            .or(self.message.take());
        self.details = text("details");
        self.service = text("service");
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The exchange's code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The exchange's words; of a page of HTML its title.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the exchange adds to them; an object is given as JSON.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// The part of the exchange that refused.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// How long to wait before another try, when the exchange says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the exchange answered {}", self.status)?;
        let parts = [&self.code, &self.message, &self.details]
            .into_iter()
            .flatten();
        for (index, part) in parts.enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            f.write_str(part)?;
        }
        if let Some(service) = &self.service {
            write!(f, " (service {service})")?;
        }
        match self.status {
            StatusCode::UNAUTHORIZED => f.write_str(
                "; a wrong key, a key of another environment, an expired key or a clock that is off look alike here",
            ),
            status if status.is_redirection() => f.write_str("; redirects are not followed: check the base URL"),
            _ => Ok(()),
        }
    }
}

impl StdError for ApiError {}

/// At most [`EXCERPT`] characters of a text, on one line.
fn short(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(EXCERPT).collect();
    if chars.next().is_some() {
        // The mark of the cut counts too.
        out.pop();
        out.push('\u{2026}');
    }
    out
}

/// The part of a body around a place, without what must not be shown.
fn excerpt(body: &[u8], line: usize, column: usize) -> String {
    let text = String::from_utf8_lossy(body);
    if text.contains("PRIVATE KEY") {
        return "(not shown: it holds a private key)".to_owned();
    }
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut start = (line_start + column)
        .saturating_sub(EXCERPT / 2)
        .min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    short(text.get(start..).unwrap_or_default())
}

/// The title of a page of HTML.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(page.get(start..end)?.trim().to_owned())
}

/// Why a client could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// An address cannot be used.
    Url {
        /// The address, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials cannot be used.
    Credentials(CredentialsError),
    /// The HTTP client could not be set up.
    Http(reqwest::Error),
    /// TLS could not be set up.
    Tls(Box<dyn StdError + Send + Sync>),
    /// An option was set that an HTTP client of your own decides for itself.
    Conflict(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, reason } => write!(f, "the address {url:?} cannot be used: {reason}"),
            Self::Credentials(_) => f.write_str("the credentials cannot be used"),
            Self::Http(_) => f.write_str("the HTTP client could not be set up"),
            Self::Tls(_) => f.write_str("TLS could not be set up"),
            Self::Conflict(option) => {
                write!(
                    f,
                    "`{option}` and `http_client` exclude each other: set it on your own client"
                )
            }
        }
    }
}

impl StdError for ConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Tls(error) => Some(error.as_ref()),
            Self::Url { .. } | Self::Conflict(_) => None,
        }
    }
}

impl From<CredentialsError> for ConfigError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> ApiError {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        ApiError::read(status, &reqwest::header::HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_envelope_is_understood() {
        let nested = read(
            409,
            r#"{"error":{"code":"quote_timed_out","service":"midland"}}"#,
        );
        assert_eq!(
            (nested.code(), nested.service(), nested.message()),
            (Some("quote_timed_out"), Some("midland"), None)
        );
        let flat = read(
            404,
            r#"{"code":"not_found","message":"not found","details":{"id":7}}"#,
        );
        assert_eq!(
            (flat.code(), flat.details()),
            (Some("not_found"), Some(r#"{"id":7}"#))
        );
        assert_eq!(
            read(429, r#"{"error":"too many requests"}"#).message(),
            Some("too many requests")
        );
        assert_eq!(
            read(400, r#"{"msg":"Parameter x"}"#).message(),
            Some("Parameter x")
        );
        let html = read(
            504,
            "<html><head><title>504 Gateway Timeout</title></head></html>",
        );
        assert_eq!(html.message(), Some("504 Gateway Timeout"));
        let empty = read(500, "");
        assert_eq!((empty.status().as_u16(), empty.message()), (500, None));
        assert_eq!(read(503, "busy").message(), Some("busy"));
        assert_eq!(
            read(400, r#"{"error":{"error":{"code":"x"}}}"#).code(),
            Some("x")
        );
    }

    #[test]
    fn excerpts_are_short_and_never_split_a_character() {
        let body = "\u{20ac}".repeat(1_000);
        for column in 0..900 {
            assert!(excerpt(body.as_bytes(), 1, column).chars().count() <= EXCERPT);
        }
        assert!(excerpt(b"\xff\xfe", 9, 9).chars().count() <= EXCERPT);
        assert!(!excerpt(b"-----BEGIN PRIVATE KEY-----abc", 1, 1).contains("abc"));
    }
}
