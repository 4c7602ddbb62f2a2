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
    /// The API's client, defined by generated code.
    type Client: ApiClient<Environment = Self::Environment>;

    /// The environments in which the API is available, and their hosts.
    type Environment: Environment;

    /// The credentials of the API's requests.
    type Credentials: ApiCredentials;

    /// Returns the default rate limits: those of an account in the lowest tier.
    #[must_use]
    fn default_limits() -> RateLimits {
        RateLimits::default()
    }

    /// Reads the account's limits from the exchange and applies them to the client's rate limiter. Called before the first signed
    /// request of a client with [`RateLimits::Discovered`](crate::limits::RateLimits::Discovered), and once more if that request is
    /// dropped. The default implementation does nothing, for APIs that do not report limits.
    fn discover_limits(_client: Self::Client) -> Discovery {
        Box::pin(async { Ok(()) })
    }
}

/// An API's client, a newtype around [`Core`]. Implemented by generated code.
pub trait ApiClient: Clone + Send + Sync + 'static {
    /// The environments in which the API is available, and their hosts.
    type Environment: Environment;

    /// The default `User-Agent` header, such as `kalshi-sdk/0.1.0`.
    const USER_AGENT: &'static str;

    /// All operations of the API.
    const OPERATIONS: &'static [Operation];

    /// Creates a client for `environment`.
    fn from_core(core: Core, environment: Self::Environment) -> Self;

    /// Returns the core of the client.
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
