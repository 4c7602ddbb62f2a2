//! The exchanges of the perpetuals API and their URLs.

use kalshi_core::CustomUrls;

/// An exchange and its URLs. Keys of production and demo are not interchangeable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The production exchange, with real money: `external-api.kalshi.com`.
    Production,
    /// The demo exchange, with play money: `external-api.demo.kalshi.co`. This is the default, so that no program trades real money by
    /// accident.
    #[default]
    Demo,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom(CustomUrls),
}

kalshi_core::custom_environment!(Environment, "/trade-api/v2");

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
