//! Description of an API for the runtime.

use std::fmt;

use crate::{
    api_credentials::ApiCredentials,
    client::{Core, Discovery},
    limits::RateLimits,
    operation::Operation,
};

/// One of the exchange's APIs, as its crate describes it to the runtime.
///
/// API crates implement this for a marker type; programs see it only as the type parameter of
/// [`ClientBuilder`](crate::ClientBuilder).
pub trait Api: Sized + Send + Sync + 'static {
    /// The API's client, a newtype around [`Core`].
    type Client: Clone + Send + Sync + 'static;

    /// The hosts that serve the API.
    type Environment: Environment;

    /// The credentials that the API's requests carry.
    type Credentials: ApiCredentials;

    /// `User-Agent` of requests unless the program sets another, such as `kalshi-sdk/0.1.0`.
    const USER_AGENT: &'static str;

    /// Every operation of the API.
    const OPERATIONS: &'static [Operation];

    /// The rate limits of a client for which none are set: those of an account of the lowest tier.
    #[must_use]
    fn default_limits() -> RateLimits {
        RateLimits::default()
    }

    /// Makes the API's client.
    fn client(core: Core, environment: Self::Environment) -> Self::Client;

    /// Reads the account's limits from the exchange and applies them to the client's rate limiter. Called once before the
    /// first signed request of a client with [`RateLimits::Discovered`](crate::limits::RateLimits::Discovered).
    fn discover_limits(client: Self::Client) -> Discovery;
}

/// The hosts of an API, as its crate lists them.
pub trait Environment: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// Base URL of the REST API, without a trailing slash.
    fn rest_url(&self) -> &str;

    /// URL of the WebSocket API, or `None` if the API has none.
    fn websocket_url(&self) -> Option<&str>;
}
