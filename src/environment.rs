//! The exchanges of the Trade API and their URLs.

use std::fmt;

use kalshi_core::{ConfigError, check_endpoint, parse_endpoint, redacted};
use reqwest::Url;

/// Path of the REST API, on every host of the exchange.
const REST_PATH: &str = "/trade-api/v2";

/// An exchange and its URLs. Keys of production and demo are not interchangeable.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The production exchange, with real money: `external-api.kalshi.com`.
    Production,
    /// The production exchange on the host that the web site uses: `api.elections.kalshi.com`.
    ProductionShared,
    /// The demo exchange, with play money: `external-api.demo.kalshi.co`. This is the default, so that nothing trades real money by
    /// accident.
    #[default]
    Demo,
    /// The demo exchange on the host that its web site uses: `demo-api.kalshi.co`.
    DemoShared,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom {
        /// Base URL of the REST API, such as `http://127.0.0.1:8080/trade-api/v2`.
        rest: Url,
        /// URL of the WebSocket, such as `ws://127.0.0.1:8080/trade-api/ws/v2`.
        websocket: Url,
    },
}

impl Environment {
    /// An exchange at other URLs, whose REST API is at `/trade-api/v2`.
    ///
    /// # Errors
    ///
    /// Returns an error if the path of `rest` is another one, or if a URL is invalid, has a scheme other than `https`/`http` or
    /// `wss`/`ws`, contains a user, a query or a fragment, or is plaintext to a host that is not a loopback address.
    pub fn custom(rest: &str, websocket: &str) -> Result<Self, ConfigError> {
        let url = parse_endpoint(rest)?;
        if url.path().trim_end_matches('/') != REST_PATH {
            let mut right = url.clone();
            right.set_path(REST_PATH);
            return Err(ConfigError::Url {
                url: redacted(rest),
                reason: format!(
                    "the path of the REST API is {REST_PATH}; use {}, or `Environment::custom_path` for a host that has another",
                    redacted(right.as_str())
                ),
            });
        }
        Self::custom_path(rest, websocket)
    }

    /// An exchange at other URLs, whose REST API may be at any path. Requests are signed with that path.
    ///
    /// # Errors
    ///
    /// Returns an error for the reasons of [`custom`](Self::custom), except for the path.
    pub fn custom_path(rest: &str, websocket: &str) -> Result<Self, ConfigError> {
        let environment = Self::Custom {
            rest: parse_endpoint(rest)?,
            websocket: parse_endpoint(websocket)?,
        };
        environment.check()?;
        Ok(environment)
    }

    /// Base URL of the REST API, without a trailing slash.
    #[must_use]
    pub fn rest_url(&self) -> &str {
        match self {
            Self::Production => "https://external-api.kalshi.com/trade-api/v2",
            Self::ProductionShared => "https://api.elections.kalshi.com/trade-api/v2",
            Self::Demo => "https://external-api.demo.kalshi.co/trade-api/v2",
            Self::DemoShared => "https://demo-api.kalshi.co/trade-api/v2",
            Self::Custom { rest, .. } => rest.as_str().trim_end_matches('/'),
        }
    }

    /// URL of the WebSocket.
    #[must_use]
    pub fn websocket_url(&self) -> &str {
        match self {
            Self::Production => "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
            Self::ProductionShared => "wss://api.elections.kalshi.com/trade-api/ws/v2",
            Self::Demo => "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
            Self::DemoShared => "wss://demo-api.kalshi.co/trade-api/ws/v2",
            Self::Custom { websocket, .. } => websocket.as_str().trim_end_matches('/'),
        }
    }

    /// Checks the URLs; those of [`Custom`](Self::Custom) can be set without [`custom`](Self::custom).
    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Custom { rest, websocket } => {
                check_endpoint(rest, "https", "http")?;
                check_endpoint(websocket, "wss", "ws")
            }
            _ => Ok(()),
        }
    }
}

impl kalshi_core::Environment for Environment {
    fn rest_url(&self) -> &str {
        self.rest_url()
    }

    fn websocket_url(&self) -> Option<&str> {
        Some(self.websocket_url())
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Production => "Production",
            Self::ProductionShared => "ProductionShared",
            Self::Demo => "Demo",
            Self::DemoShared => "DemoShared",
            Self::Custom { rest, websocket } => {
                let mut out = f.debug_struct("Custom");
                out.field("rest", &redacted(rest.as_str()))
                    .field("websocket", &redacted(websocket.as_str()));
                return out.finish();
            }
        };
        f.write_str(name)
    }
}
