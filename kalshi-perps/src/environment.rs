//! The exchanges of the perpetuals API and their URLs.

use kalshi_core::{ConfigError, CustomUrls};

/// Path of the REST API, on every host of the exchange.
const REST_PATH: &str = "/trade-api/v2";

/// An exchange and its URLs. Keys of production and demo are not interchangeable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The production exchange, with real money: `external-api.kalshi.com`.
    Production,
    /// The demo exchange, with play money: `external-api.demo.kalshi.co`. This is the default, so that nothing trades real money by
    /// accident.
    #[default]
    Demo,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom(CustomUrls),
}

impl Environment {
    /// An exchange at other URLs, whose REST API is at `/trade-api/v2`.
    ///
    /// # Errors
    ///
    /// Returns an error if the path of `rest` is another one, or if a URL is invalid, has a scheme other than `https`/`http` or
    /// `wss`/`ws`, contains a user, a query or a fragment, or is plaintext to a host that is not a loopback address.
    pub fn custom(rest: &str, websocket: &str) -> Result<Self, ConfigError> {
        CustomUrls::at(REST_PATH, rest, Some(websocket)).map(Self::Custom)
    }

    /// An exchange at other URLs, whose REST API may be at any path. Requests are signed with that path.
    ///
    /// # Errors
    ///
    /// Returns an error for the reasons of [`custom`](Self::custom), except for the path.
    pub fn custom_path(rest: &str, websocket: &str) -> Result<Self, ConfigError> {
        CustomUrls::new(rest, Some(websocket)).map(Self::Custom)
    }
}

impl kalshi_core::Environment for Environment {
    fn rest_url(&self) -> &str {
        match self {
            Self::Production => "https://external-api.kalshi.com/trade-api/v2",
            Self::Demo => "https://external-api.demo.kalshi.co/trade-api/v2",
            Self::Custom(urls) => urls.rest(),
        }
    }

    fn websocket_url(&self) -> Option<&str> {
        match self {
            Self::Production => {
                Some("wss://external-api-margin-ws.kalshi.com/trade-api/ws/v2/margin")
            }
            Self::Demo => {
                Some("wss://external-api-margin-ws.demo.kalshi.co/trade-api/ws/v2/margin")
            }
            Self::Custom(urls) => urls.websocket(),
        }
    }
}
