//! Errors of building a client.

use std::{error::Error as StdError, fmt};

use kalshi_auth::CredentialsError;

/// A client could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A base URL cannot be used.
    Url {
        /// The URL, without a password.
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
    /// The URL needs TLS, and no TLS feature is enabled.
    NoTls,
    /// This option was combined with an HTTP client of your own, which decides it itself.
    Conflict(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, reason } => write!(f, "the URL {url:?} cannot be used: {reason}"),
            Self::Credentials(_) => f.write_str("the credentials cannot be used"),
            Self::Http(_) => f.write_str("the HTTP client could not be set up"),
            Self::Tls(_) => f.write_str("TLS could not be set up"),
            Self::NoTls => f.write_str(
                "https needs TLS: enable the feature `aws-lc-rs` or `ring`, or set an `http_client` of your own",
            ),
            Self::Conflict(option) => {
                write!(
                    f,
                    "`{option}` cannot be combined with `http_client`: set it on your own client"
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
            Self::Url { .. } | Self::NoTls | Self::Conflict(_) => None,
        }
    }
}

impl From<CredentialsError> for ConfigError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}
