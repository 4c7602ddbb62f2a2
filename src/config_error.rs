//! Why a client could not be built.

use std::{error::Error as StdError, fmt};

use kalshi_auth::CredentialsError;

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
    /// The build has no TLS.
    NoTls,
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
            Self::NoTls => f.write_str(
                "https needs TLS: turn on the feature `aws-lc-rs` or `ring`, or give an `http_client` of your own",
            ),
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
            Self::Url { .. } | Self::NoTls | Self::Conflict(_) => None,
        }
    }
}

impl From<CredentialsError> for ConfigError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}
