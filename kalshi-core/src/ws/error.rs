//! Errors of WebSocket connections and their commands.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use kalshi_auth::{ClockError, SignerError};
use reqwest::StatusCode;

use crate::{api_error::ApiError, config_error::ConfigError, server_time};

type Source = Arc<dyn StdError + Send + Sync>;

/// Error of a WebSocket connection, or of a command on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The client has no credentials, but the handshake must be signed.
    NoCredentials,
    /// The client's configuration does not allow WebSocket connections.
    Config(Arc<ConfigError>),
    /// The handshake could not be signed.
    Signing(Source),
    /// No connection could be established.
    Connect(Source),
    /// The exchange rejected the handshake.
    Rejected {
        /// The exchange's error response.
        error: Box<ApiError>,
        /// Milliseconds by which this machine's clock is behind the exchange's, if that may be the cause. Negative if it is ahead.
        clock_behind_ms: Option<i64>,
    },
    /// The server did not upgrade the connection to WebSocket.
    Handshake(&'static str),
    /// The handshake did not finish in this time.
    HandshakeTimeout(Duration),
    /// The [`http_client`](crate::ClientBuilder::http_client) followed a redirect, which may have sent the signature to another host. The
    /// response is not used.
    Redirected,
    /// The connection broke, or the server violated the protocol.
    Broken(Source),
    /// A message was longer than this number of bytes. See [`max_message_bytes`](super::ConnectionBuilder::max_message_bytes).
    MessageTooLarge(usize),
    /// The server closed the connection.
    Closed {
        /// Code of the close frame, or 1005 if there was no code. `None` if the server sent a code that close frames must not use.
        code: Option<u16>,
        /// Reason in the close frame. Empty if it gave no reason.
        reason: String,
    },
    /// Nothing was received for this long, not even a ping.
    Idle(Duration),
    /// The server did not read what was sent to it: output was unsent for the
    /// [`idle_timeout`](super::ConnectionBuilder::idle_timeout), or too much of it was waiting.
    Unread,
    /// The exchange rejected a command.
    Command(CommandError),
    /// No reply to a command arrived in time. The outcome of the command is unknown.
    Timeout(Duration),
    /// The command is invalid, or the reply does not match it.
    Invalid(String),
    /// The connection broke before the reply to a command arrived, or was down when the command was sent. The outcome of a
    /// sent command is unknown.
    Disconnected,
    /// The connection has ended permanently.
    Ended,
}

impl ConnectionError {
    pub(super) fn signing(error: SignerError) -> Self {
        Self::Signing(Arc::new(error))
    }

    pub(super) fn clock(error: ClockError) -> Self {
        Self::Signing(Arc::new(error))
    }

    pub(super) fn connect(error: reqwest::Error) -> Self {
        Self::Connect(Arc::new(error.without_url()))
    }

    pub(super) fn broken(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::Broken(Arc::new(error))
    }

    /// Creates the error for a reply of a type that does not match the command.
    pub(super) fn unexpected_reply(kind: &str) -> Self {
        Self::Invalid(format!(
            "the exchange replied with `{kind}`, which is not a reply to this command"
        ))
    }

    /// Returns `true` if the exchange does not accept the key or the signature.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match self {
            Self::NoCredentials => true,
            Self::Rejected { error, .. } => {
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&error.status())
            }
            Self::Command(error) => error.code == 9,
            _ => false,
        }
    }

    /// Returns `true` if further attempts would fail the same way until the program or its key is changed: the client has no credentials,
    /// its configuration does not allow WebSocket connections, its HTTP client followed a redirect, a command or its reply is invalid,
    /// the connection has ended permanently, or the exchange does not accept the key.
    ///
    /// [`connect`](super::ConnectionBuilder::connect) never retries these errors. A connection that has been established once retries
    /// them like all others.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoCredentials
            | Self::Config(_)
            | Self::Invalid(_)
            | Self::Redirected
            | Self::Ended => true,
            Self::Rejected { error, .. } => {
                error.status() == StatusCode::UNAUTHORIZED
                    && error.is_from_exchange()
                    && !error.is_expired_timestamp()
            }
            _ => false,
        }
    }

    /// Returns the pause that the server requested.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { error, .. } => error.retry_after(),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => f.write_str("the handshake must be signed, but the client has no credentials; set them with `Client::builder().credentials(..)`"),
            Self::Config(_) => f.write_str("the client's configuration does not allow WebSocket connections"),
            Self::Signing(_) => f.write_str("the handshake could not be signed"),
            Self::Connect(_) => f.write_str("no connection could be established"),
            Self::Rejected {
                error,
                clock_behind_ms,
            } => {
                write!(f, "the exchange rejected the handshake: {error}")?;
                match clock_behind_ms {
                    Some(behind) => write!(
                        f,
                        "; this machine's clock is {}: correct it",
                        server_time::describe_skew(*behind)
                    ),
                    None => Ok(()),
                }
            }
            Self::Handshake(what) => write!(
                f,
                "the server did not upgrade the connection to WebSocket: {what}; check the URL"
            ),
            Self::HandshakeTimeout(time) => write!(f, "the handshake did not finish within {time:?}"),
            Self::Redirected => f.write_str(
                "the HTTP client given to `http_client` followed a redirect, which may carry signatures to another host; build it \
                 with redirect(reqwest::redirect::Policy::none())",
            ),
            Self::Broken(_) => f.write_str("the connection broke"),
            Self::MessageTooLarge(max) => write!(
                f,
                "a message was longer than {max} bytes; raise the limit with `max_message_bytes(..)` of the connection's builder"
            ),
            Self::Closed { code, reason } => {
                match code {
                    Some(code) => write!(f, "the connection was closed with code {code}")?,
                    None => f.write_str("the connection was closed with an unknown code")?,
                }
                match reason.is_empty() {
                    true => Ok(()),
                    false => write!(f, ": {reason}"),
                }
            }
            Self::Idle(time) => write!(f, "nothing was received for {time:?}, not even a ping"),
            Self::Unread => f.write_str("the server did not read what was sent to it"),
            Self::Command(error) => error.fmt(f),
            Self::Timeout(time) => write!(
                f,
                "no reply to the command within {time:?}; its outcome is unknown"
            ),
            Self::Invalid(what) => f.write_str(what),
            Self::Disconnected => f.write_str(
                "the connection broke before the reply to the command; its outcome is unknown",
            ),
            Self::Ended => f.write_str("the connection has ended; open another one"),
        }
    }
}

impl StdError for ConnectionError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Config(error) => Some(error.as_ref()),
            Self::Signing(error) | Self::Connect(error) | Self::Broken(error) => {
                Some(error.as_ref())
            }
            // `Display` shows the rejection itself.
            _ => None,
        }
    }
}

/// Error with which the exchange rejected a command or ended a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandError {
    /// The exchange's error code.
    pub code: i64,
    /// The exchange's message. Empty if it sent none.
    pub message: String,
    /// Markets that the error names. Empty if it names no market.
    pub market_tickers: Vec<String>,
}

impl CommandError {
    /// Creates an error with this code, without a message or markets.
    #[must_use]
    pub fn new(code: i64) -> Self {
        Self {
            code,
            message: String::new(),
            market_tickers: Vec::new(),
        }
    }

    /// Creates the error of a reply, which may name one market separately from the list.
    #[doc(hidden)]
    #[must_use]
    pub fn from_reply(
        code: i64,
        message: String,
        market_ticker: Option<String>,
        mut market_tickers: Vec<String>,
    ) -> Self {
        let market_ticker = market_ticker.filter(|ticker| !market_tickers.contains(ticker));
        market_tickers.extend(market_ticker);
        Self {
            code,
            message,
            market_tickers,
        }
    }

    /// Returns the meaning of the code according to the AsyncAPI spec, or `None` if it is not listed there.
    #[must_use]
    pub fn meaning(&self) -> Option<&'static str> {
        Some(match self.code {
            1 => "the command could not be processed",
            2 => "the command has no parameters",
            3 => "a channel is required",
            4 => "a subscription id is required",
            5 => "the command does not exist",
            7 => "the subscription does not exist",
            8 => "the channel does not exist",
            9 => "the channel requires authentication",
            10 => "the channel failed; subscribe again",
            11 => "a parameter is invalid",
            12 => "exactly one subscription id is required",
            13 => "the action does not exist",
            14 => "a market is required",
            15 => "an action is required",
            18 => "the exchange timed out; try again",
            19 => "`shard_factor` must be above 0",
            20 => "`shard_key` requires `shard_factor`",
            21 => "`shard_key` must be from 0 to below `shard_factor`",
            22 => "`shard_factor` must be at most 100",
            23 => "`match_ids` is required",
            24 => "an index is required",
            25 => "the messages were not read fast enough; subscribe again",
            26 => "the subscription would have too many markets; use another connection",
            27 => "commands were sent too fast; slow down",
            28 => "an underlying is required",
            _ => return None,
        })
    }

    /// Returns `true` if the error ends its subscription: the channel failed (10), or messages were not read fast enough (25).
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        [10, 25].contains(&self.code)
    }

    /// Returns `true` if the subscription that the error names no longer exists: the error is [terminal](Self::is_terminal), or the exchange
    /// does not know the subscription (7).
    #[must_use]
    pub fn ends_subscription(&self) -> bool {
        self.is_terminal() || self.code == 7
    }

    /// Returns `true` if the exchange's queue for the connection overflowed, because it was not read fast enough (25).
    #[must_use]
    pub fn is_overflow(&self) -> bool {
        self.code == 25
    }

    /// Returns `true` if the exchange has certainly not executed the command. It may have if it timed out (18) or failed (1).
    pub(super) fn is_rejection(&self) -> bool {
        !self.ends_subscription() && ![1, 18].contains(&self.code)
    }

    /// Returns `true` if the same command may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_terminal() || [1, 18, 27].contains(&self.code)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the exchange rejected the command with error {}",
            self.code
        )?;
        if let Some(meaning) = self.meaning() {
            write!(f, " ({meaning})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match self.market_tickers.is_empty() {
            true => Ok(()),
            false => write!(f, " [{}]", self.market_tickers.join(", ")),
        }
    }
}

impl StdError for CommandError {}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use reqwest::header::HeaderMap;

    use super::*;
    use crate::body;

    #[test]
    fn no_message_repeats_its_source() {
        let body = body::Body {
            bytes: r#"{"error":{"code":"authentication_error"}}"#.into(),
            is_complete: true,
        };
        let now = SystemTime::UNIX_EPOCH;
        let status = StatusCode::UNAUTHORIZED;
        let source = || -> Source { Arc::new(std::io::Error::other("no route")) };
        let second = Duration::from_secs(1);
        for error in [
            ConnectionError::NoCredentials,
            ConnectionError::Config(Arc::new(crate::ConfigError::NoTls)),
            ConnectionError::Signing(source()),
            ConnectionError::Connect(source()),
            ConnectionError::Rejected {
                error: Box::new(ApiError::read(status, &HeaderMap::new(), &body, now)),
                clock_behind_ms: Some(5_000),
            },
            ConnectionError::Handshake("status 200"),
            ConnectionError::HandshakeTimeout(second),
            ConnectionError::Redirected,
            ConnectionError::Broken(source()),
            ConnectionError::MessageTooLarge(1),
            ConnectionError::Closed {
                code: Some(1001),
                reason: "maintenance".to_owned(),
            },
            ConnectionError::Idle(second),
            ConnectionError::Unread,
            ConnectionError::Command(CommandError::new(9)),
            ConnectionError::Timeout(second),
            ConnectionError::Invalid("no channel".to_owned()),
            ConnectionError::Disconnected,
            ConnectionError::Ended,
        ] {
            crate::error::tests::assert_no_repetition(&error);
        }
    }

    #[test]
    fn no_close_code_is_permanent() {
        for code in [1000, 1001, 1002, 1005, 1008, 1010, 1011, 3000, 4000, 4999] {
            let closed = ConnectionError::Closed {
                code: Some(code),
                reason: String::new(),
            };
            assert!(!closed.is_permanent(), "{code}");
        }
    }

    #[test]
    fn only_a_rejected_key_is_permanent() {
        let rejected = |status: StatusCode, body: &'static str| {
            let body = body::Body {
                bytes: body.into(),
                is_complete: true,
            };
            let now = SystemTime::UNIX_EPOCH;
            ConnectionError::Rejected {
                error: Box::new(ApiError::read(status, &HeaderMap::new(), &body, now)),
                clock_behind_ms: None,
            }
        };
        let unknown_key = r#"{"error":{"code":"authentication_error","details":"NOT_FOUND"}}"#;
        let expired = r#"{"error":{"code":"header_timestamp_expired"}}"#;
        assert!(rejected(StatusCode::UNAUTHORIZED, unknown_key).is_permanent());
        for (status, body) in [
            (StatusCode::UNAUTHORIZED, expired),
            (StatusCode::UNAUTHORIZED, "<html>"),
            (StatusCode::FORBIDDEN, "<html>"),
            (StatusCode::NOT_FOUND, ""),
            (StatusCode::BAD_REQUEST, r#"{"code":"bad_request"}"#),
            (StatusCode::CONFLICT, ""),
            (StatusCode::SERVICE_UNAVAILABLE, ""),
        ] {
            assert!(!rejected(status, body).is_permanent(), "{status} {body}");
        }
    }
}
