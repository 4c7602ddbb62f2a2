//! The exchanges of the Trade API and their URLs.

use kalshi_core::CustomUrls;

/// An exchange and its URLs. Keys of production and demo are not interchangeable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The production exchange, with real money: `external-api.kalshi.com`.
    Production,
    /// The production exchange on the host that the web site uses: `api.elections.kalshi.com`.
    ProductionShared,
    /// The demo exchange, with play money: `external-api.demo.kalshi.co`. This is the default, so that no program trades real money by
    /// accident.
    #[default]
    Demo,
    /// The demo exchange on the host that its web site uses: `demo-api.kalshi.co`.
    DemoShared,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom(CustomUrls),
}

kalshi_core::custom_environment!(Environment, "/trade-api/v2");

impl Environment {
    /// Returns the base URL of the REST API, without a trailing slash.
    #[must_use]
    pub fn rest_url(&self) -> &str {
        match self {
            Self::Production => "https://external-api.kalshi.com/trade-api/v2",
            Self::ProductionShared => "https://api.elections.kalshi.com/trade-api/v2",
            Self::Demo => "https://external-api.demo.kalshi.co/trade-api/v2",
            Self::DemoShared => "https://demo-api.kalshi.co/trade-api/v2",
            Self::Custom(urls) => urls.rest(),
        }
    }

    /// Returns the URL of the WebSocket.
    #[must_use]
    pub fn websocket_url(&self) -> &str {
        match self {
            Self::Production => "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
            Self::ProductionShared => "wss://api.elections.kalshi.com/trade-api/ws/v2",
            Self::Demo => "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
            Self::DemoShared => "wss://demo-api.kalshi.co/trade-api/ws/v2",
            Self::Custom(urls) => urls.websocket().unwrap_or_default(),
        }
    }
}

impl kalshi_core::Environment for Environment {
    fn rest_url(&self) -> &str {
        self.rest_url()
    }

    fn websocket_url(&self) -> Option<&str> {
        match self {
            Self::Custom(urls) => urls.websocket(),
            known => Some(known.websocket_url()),
        }
    }
}
