//! The exchanges of the clearing API and their URLs.

use kalshi_core::{ConfigError, CustomUrls};

/// Path of the REST API, on every host.
const REST_PATH: &str = "/klear-api/v1";

/// An exchange and its URL. Credentials of production and demo are not interchangeable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// Production, with real money: `api.klear.kalshi.com`.
    Production,
    /// The demo exchange, with play money: `demo-api.kalshi.co`. This is the default.
    #[default]
    Demo,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom(CustomUrls),
}

impl Environment {
    /// An exchange at another URL, whose REST API is at `/klear-api/v1`.
    ///
    /// # Errors
    ///
    /// Returns an error if the path is another one, or if the URL is invalid, has a scheme other than `https` or `http`, contains a
    /// user, a query or a fragment, or is plaintext to a host that is not a loopback address.
    pub fn custom(rest: &str) -> Result<Self, ConfigError> {
        CustomUrls::at(REST_PATH, rest, None).map(Self::Custom)
    }

    /// An exchange at another URL, whose REST API may be at any path.
    ///
    /// # Errors
    ///
    /// Returns an error for the reasons of [`custom`](Self::custom), except for the path.
    pub fn custom_path(rest: &str) -> Result<Self, ConfigError> {
        CustomUrls::new(rest, None).map(Self::Custom)
    }
}

impl kalshi_core::Environment for Environment {
    fn rest_url(&self) -> &str {
        match self {
            Self::Production => "https://api.klear.kalshi.com/klear-api/v1",
            Self::Demo => "https://demo-api.kalshi.co/klear-api/v1",
            Self::Custom(urls) => urls.rest(),
        }
    }

    fn websocket_url(&self) -> Option<&str> {
        None
    }
}
