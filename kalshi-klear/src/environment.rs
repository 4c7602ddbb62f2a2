//! The environments of the clearing API and their URLs.

use kalshi_core::{ConfigError, CustomUrls};

/// Path of the REST API on all hosts.
const REST_PATH: &str = "/klear-api/v1";

/// An environment and its URL. Credentials of production and demo are not interchangeable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The production environment, with real money: `api.klear.kalshi.com`.
    Production,
    /// The demo environment, with play money: `demo-api.kalshi.co`. This is the default, so that no program moves real money by accident.
    #[default]
    Demo,
    /// Another server, such as a local one: see [`Environment::custom`].
    Custom(CustomUrls),
}

impl Environment {
    /// Returns an environment with a custom URL and the REST API at `/klear-api/v1`.
    ///
    /// # Errors
    ///
    /// Returns an error if `rest` has another path, is invalid, has a scheme other than `https` or `http`, contains a user, a query or a
    /// fragment, or is plaintext to a host that is not a loopback address.
    pub fn custom(rest: &str) -> Result<Self, ConfigError> {
        CustomUrls::at(REST_PATH, rest, None).map(Self::Custom)
    }

    /// Returns an environment with a custom URL and the REST API at any path.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`custom`](Self::custom), except that `rest` may have any path.
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
