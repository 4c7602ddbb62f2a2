//! Why a stream, or a command on it, failed.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use kalshi_auth::{ClockError, SignError};
use reqwest::StatusCode;

use super::messages::ErrorReply;
use crate::{ApiError, ConfigError, server_time};

type Source = Arc<dyn StdError + Send + Sync>;

/// Why a stream, or a command on it, failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// The client has no credentials; streams want a signature.
    NoCredentials,
    /// The client cannot open streams as it was set up.
    Config(Arc<ConfigError>),
    /// The handshake could not be signed.
    Signing(Source),
    /// No connection could be made.
    Connect(Source),
    /// The exchange refused the handshake.
    Refused {
        /// What it said.
        error: Box<ApiError>,
        /// How far this machine's clock is behind the exchange's, in milliseconds, where that may be why.
        clock_behind_ms: Option<i64>,
    },
    /// The answer to the handshake is none.
    Handshake(&'static str),
    /// The connection broke, or the other end does not keep to the protocol.
    Broken(Source),
    /// The other end closed the connection.
    Closed {
        /// The code of the close frame; 1005 where there was none.
        code: u16,
        /// What it gave as the reason.
        reason: String,
    },
    /// Nothing came for that long, not even a ping.
    Silent(Duration),
    /// The exchange refused a command.
    Command(CommandError),
    /// A command was not answered in time. What became of it is not known.
    Timeout(Duration),
    /// A command cannot be made.
    Invalid(String),
    /// The connection broke before a command was answered. What became of it is not known.
    Disconnected,
    /// The stream has ended.
    Ended,
}

impl StreamError {
    pub(super) fn signing(error: SignError) -> Self {
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

    /// Whether the exchange does not accept the key or the signature.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match self {
            Self::NoCredentials => true,
            Self::Refused { error, .. } => {
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&error.status())
            }
            Self::Command(error) => error.code == 9,
            _ => false,
        }
    }

    /// Whether another connection would end the same way, so that none is made.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoCredentials | Self::Config(_) | Self::Signing(_) | Self::Ended => true,
            Self::Refused { error, .. } => {
                let status = error.status();
                let passes = [
                    StatusCode::REQUEST_TIMEOUT,
                    StatusCode::TOO_EARLY,
                    StatusCode::TOO_MANY_REQUESTS,
                ];
                !status.is_server_error() && !passes.contains(&status)
            }
            Self::Closed { code, .. } => {
                matches!(code, 1002 | 1003 | 1007..=1010 | 4000..=4999)
            }
            _ => false,
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => f.write_str("streams need credentials: give the client some"),
            Self::Config(_) => f.write_str("the client cannot open streams as it was set up"),
            Self::Signing(_) => f.write_str("the handshake could not be signed"),
            Self::Connect(_) => f.write_str("no connection could be made for the stream"),
            Self::Refused {
                error,
                clock_behind_ms,
            } => {
                write!(f, "the exchange refused the stream: {error}")?;
                match clock_behind_ms {
                    Some(behind) => write!(
                        f,
                        "; this machine's clock is {}: set it",
                        server_time::worded(*behind)
                    ),
                    None => Ok(()),
                }
            }
            Self::Handshake(what) => write!(
                f,
                "the answer to the handshake is none of a WebSocket: {what}; is the address right?"
            ),
            Self::Broken(_) => f.write_str("the connection broke"),
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the connection was closed with code {code}")
            }
            Self::Closed { code, reason } => {
                write!(f, "the connection was closed with code {code}: {reason}")
            }
            Self::Silent(time) => write!(f, "nothing came for {time:?}, not even a ping"),
            Self::Command(error) => error.fmt(f),
            Self::Timeout(time) => write!(
                f,
                "the command was not answered within {time:?}; what became of it is not known"
            ),
            Self::Invalid(what) => f.write_str(what),
            Self::Disconnected => f.write_str(
                "the connection broke before the command was answered; what became of it is not known",
            ),
            Self::Ended => f.write_str("the stream has ended: open another"),
        }
    }
}

impl StdError for StreamError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Config(error) => Some(error.as_ref()),
            Self::Signing(error) | Self::Connect(error) | Self::Broken(error) => {
                Some(error.as_ref())
            }
            Self::Refused { error, .. } => Some(error.as_ref()),
            Self::Command(error) => Some(error),
            _ => None,
        }
    }
}

/// A command that the exchange refused, or a subscription that it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandError {
    /// The exchange's number for it.
    pub code: i64,
    /// The exchange's words.
    pub message: String,
    /// The markets it is about, where it names any.
    pub market_tickers: Vec<String>,
}

impl CommandError {
    /// What the number means, by the list in `asyncapi.yaml`; none for one that is not listed there.
    #[must_use]
    pub fn meaning(&self) -> Option<&'static str> {
        Some(match self.code {
            1 => "the command could not be processed",
            2 => "the command has no parameters",
            3 => "no channel was named",
            4 => "no subscription was named",
            5 => "there is no such command",
            7 => "there is no such subscription",
            8 => "there is no such channel",
            9 => "the channel is for signed connections only",
            10 => "the channel failed: subscribe again",
            11 => "a parameter cannot be read",
            12 => "exactly one subscription must be named",
            13 => "there is no such action",
            14 => "a market must be named",
            15 => "no action was named",
            18 => "the exchange ran out of time: try again",
            19 => "`shard_factor` must be above 0",
            20 => "`shard_key` needs a `shard_factor`",
            21 => "`shard_key` must be from 0 to below `shard_factor`",
            22 => "`shard_factor` must be 100 at most",
            23 => "`match_ids` must be named",
            24 => "indices must be named",
            25 => "the messages were not read fast enough: subscribe again",
            26 => "the subscription would have too many markets: use another connection",
            27 => "commands came too fast: slow down",
            28 => "underlyings must be named",
            _ => return None,
        })
    }

    /// Whether it ends its subscription: a failed channel (10), or a reader that lags too far (25).
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        is_terminal(self.code)
    }

    /// Whether the same command may well succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_terminal() || [1, 18, 27].contains(&self.code)
    }
}

/// Whether an error ends its subscription: a channel error, or a buffer that overflowed.
pub(super) fn is_terminal(code: i64) -> bool {
    [10, 25].contains(&code)
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the exchange refused with error {}", self.code)?;
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

impl From<&ErrorReply> for CommandError {
    fn from(error: &ErrorReply) -> Self {
        let mut market_tickers = error.market_tickers.clone();
        if let Some(ticker) = &error.market_ticker
            && !market_tickers.contains(ticker)
        {
            market_tickers.push(ticker.clone());
        }
        Self {
            code: error.code,
            message: error.msg.clone(),
            market_tickers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_contract_has_a_meaning() {
        let contract = include_str!("../../asyncapi.yaml");
        let mut seen = 0;
        for line in contract.lines() {
            let Some(code) = line.trim().strip_prefix("- code: ") else {
                continue;
            };
            let error = CommandError {
                code: code.parse().unwrap_or(-1),
                message: String::new(),
                market_tickers: Vec::new(),
            };
            assert!(error.meaning().is_some(), "{error}");
            seen += 1;
        }
        assert_eq!(seen, 25);
    }

    #[test]
    fn close_codes_that_another_connection_would_meet_again_are_permanent() {
        let closed = |code| StreamError::Closed {
            code,
            reason: String::new(),
        };
        for code in [1002, 1003, 1007, 1008, 1009, 1010, 4000, 4999] {
            assert!(closed(code).is_permanent(), "{code}");
        }
        for code in [1000, 1001, 1005, 1006, 1011, 1012, 1013, 3000] {
            assert!(!closed(code).is_permanent(), "{code}");
        }
    }
}
