//! The error of building a client.

use std::error::Error as StdError;

use kalshi_auth::CredentialsError;

/// An error in the configuration of a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A URL is invalid or not allowed.
    #[error("the URL {url:?} cannot be used: {reason}")]
    Url {
        /// The URL without user, password, query and fragment.
        url: String,
        /// The reason why the URL is rejected.
        reason: String,
    },
    /// The credentials are unusable.
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
        "https needs TLS: enable the feature `aws-lc-rs` or `ring`, or set a custom `http_client`"
    )]
    NoTls,
    /// This option was combined with a custom HTTP client, which must set it itself.
    #[error("`{0}` cannot be combined with `http_client`: set it on the custom HTTP client")]
    Conflict(&'static str),
}
