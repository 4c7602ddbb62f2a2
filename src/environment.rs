//! Which exchange to talk to: the base URLs of production, demo and others.

use std::{fmt, net::IpAddr};

use reqwest::Url;

use crate::ConfigError;

/// An exchange and its addresses. Keys of production and demo are not interchangeable.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The real exchange, real money: `external-api.kalshi.com`.
    Production,
    /// The real exchange on the host shared with the web site: `api.elections.kalshi.com`.
    ProductionShared,
    /// The demo exchange, play money: `external-api.demo.kalshi.co`. The default, so that nothing trades real money by
    /// omission.
    #[default]
    Demo,
    /// The demo exchange on its shared host: `demo-api.kalshi.co`.
    DemoShared,
    /// Another exchange, such as a local one: see [`Environment::custom`].
    Custom {
        /// The base of the REST interface, such as `http://127.0.0.1:8080/trade-api/v2`.
        rest: Url,
        /// The address of the WebSocket interface, such as `ws://127.0.0.1:8080/trade-api/ws/v2`.
        websocket: Url,
    },
}

impl Environment {
    /// An exchange at addresses of its own.
    ///
    /// # Errors
    ///
    /// When an address is none, has another scheme than `https`/`http` or `wss`/`ws`, carries a user, a query or a fragment, or
    /// is plaintext to anything but this machine.
    pub fn custom(rest: &str, websocket: &str) -> Result<Self, ConfigError> {
        let environment = Self::Custom {
            rest: parse(rest)?,
            websocket: parse(websocket)?,
        };
        environment.check()?;
        Ok(environment)
    }

    /// The base of the REST interface, without a slash at its end.
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

    /// The address of the WebSocket interface.
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

    /// Whether the addresses may be used; those of [`Custom`](Self::Custom) can be put together without [`custom`](Self::custom).
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Custom { rest, websocket } => {
                check_url(rest, "https", "http")?;
                check_url(websocket, "wss", "ws")
            }
            _ => Ok(()),
        }
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
                out.field("rest", &shown(rest.as_str()))
                    .field("websocket", &shown(websocket.as_str()));
                return out.finish();
            }
        };
        f.write_str(name)
    }
}

fn parse(url: &str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|error| ConfigError::Url {
        url: shown(url),
        reason: error.to_string(),
    })
}

fn check_url(url: &Url, secure: &str, plain: &str) -> Result<(), ConfigError> {
    let fault = |reason: &str| {
        Err(ConfigError::Url {
            url: shown(url.as_str()),
            reason: reason.to_owned(),
        })
    };
    if !url.username().is_empty() || url.password().is_some() {
        return fault("an address must not carry a user or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fault("an address must not carry a query or a fragment");
    }
    if url.scheme() == secure {
        return Ok(());
    }
    if url.scheme() != plain {
        return fault(&format!(
            "the scheme must be {secure}, or {plain} to this machine"
        ));
    }
    if is_loopback(url) {
        Ok(())
    } else {
        fault(&format!("plaintext is for this machine only; use {secure}"))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// An address without what may be a password in it.
fn shown(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) => format!("..@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plaintext_goes_to_this_machine_only() {
        for host in ["127.0.0.1:8080", "localhost", "[::1]:99", "127.9.9.9"] {
            Environment::custom(&format!("http://{host}/v2"), &format!("ws://{host}/ws")).unwrap();
        }
        for host in [
            "example.com",
            "10.0.0.1",
            "localhost.example.com",
            "[::2]",
            "127.0.0.1.example.com",
        ] {
            let error =
                Environment::custom(&format!("http://{host}/v2"), "wss://example.com").unwrap_err();
            assert!(error.to_string().contains("use https"), "{error}");
        }
        let error = Environment::custom("https://user:hunter2@example.com", "wss://example.com")
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn all_servers_of_the_contract_can_be_chosen() {
        let contract = include_str!("../openapi.yaml");
        let servers: Vec<_> = contract
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- url: "))
            .collect();
        let ours = [
            Environment::Production,
            Environment::ProductionShared,
            Environment::Demo,
            Environment::DemoShared,
        ];
        assert_eq!(servers, ours.each_ref().map(Environment::rest_url));
    }
}
