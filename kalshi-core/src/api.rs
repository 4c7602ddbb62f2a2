//! The traits by which an API crate describes its API to the runtime.

use std::fmt;

use crate::{
    api_credentials::ApiCredentials,
    client::{Core, Discovery},
    limits::RateLimits,
    operation::Operation,
};

/// An API of the exchange.
///
/// API crates implement this trait for a marker type. Applications see it only as the type parameter of
/// [`ClientBuilder`](crate::ClientBuilder).
pub trait Api: Sized + Send + Sync + 'static {
    /// The API's client, which generated code defines.
    type Client: ApiClient<Environment = Self::Environment>;

    /// The environments in which the API is available, and their hosts.
    type Environment: Environment;

    /// The credentials of the API's requests.
    type Credentials: ApiCredentials;

    /// The rate limits of a client for which none are set: those of an account of the lowest tier.
    #[must_use]
    fn default_limits() -> RateLimits {
        RateLimits::default()
    }

    /// Reads the account's limits from the exchange and applies them to the client's rate limiter. Called once before the
    /// first signed request of a client with [`RateLimits::Discovered`](crate::limits::RateLimits::Discovered).
    /// Does nothing unless the API reports limits.
    fn discover_limits(_client: Self::Client) -> Discovery {
        Box::pin(async { Ok(()) })
    }
}

/// An API's client: a newtype around [`Core`]. Generated code implements it.
pub trait ApiClient: Clone + Send + Sync + 'static {
    /// The hosts that serve the API.
    type Environment: Environment;

    /// `User-Agent` of requests unless the program sets another, such as `kalshi-sdk/0.1.0`.
    const USER_AGENT: &'static str;

    /// Every operation of the API.
    const OPERATIONS: &'static [Operation];

    /// Makes a client.
    fn from_core(core: Core, environment: Self::Environment) -> Self;

    /// The core of the client.
    fn core(&self) -> &Core;

    /// Returns the same client with another core.
    #[must_use]
    fn with_core(&self, core: Core) -> Self;
}

/// An environment of an API, such as production or demo, with its hosts.
pub trait Environment: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// Returns the base URL of the REST API, without a trailing slash.
    fn rest_url(&self) -> &str;

    /// Returns the URL of the WebSocket API, or `None` if there is none.
    fn websocket_url(&self) -> Option<&str>;
}
