//! Errors of building a client.

use std::error::Error as StdError;

use kalshi_auth::CredentialsError;

/// A client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A base URL cannot be used.
    #[error("the URL {url:?} cannot be used: {reason}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials cannot be used.
    #[error("the credentials cannot be used")]
    Credentials(#[from] CredentialsError),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[source] Box<dyn StdError + Send + Sync>),
    /// The URL needs TLS, and no TLS feature is enabled.
    #[error(
        "https needs TLS: enable the feature `aws-lc-rs` or `ring`, or set an `http_client` of your own"
    )]
    NoTls,
    /// This option was combined with an HTTP client of your own, which decides it itself.
    #[error("`{0}` cannot be combined with `http_client`: set it on your own client")]
    Conflict(&'static str),
}
