//! The three APIs: their operation tables, and requests to any of their operations.

use clap::ValueEnum;
use kalshi_sdk::{CustomRequest, Operation, reqwest::Method};

use crate::{context::Context, failure::Failure};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    /// The Trade API: events, markets, orders, portfolio.
    Trade,
    /// The API of perpetual futures.
    Perps,
    /// The clearing API, for members.
    Klear,
}

impl Api {
    pub(crate) const ALL: [Self; 3] = [Self::Trade, Self::Perps, Self::Klear];

    /// Returns the name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Perps => "perps",
            Self::Klear => "klear",
        }
    }

    pub(crate) const fn operations(self) -> &'static [Operation] {
        match self {
            Self::Trade => &kalshi_sdk::operation::ALL,
            Self::Perps => &kalshi_perps::operation::ALL,
            Self::Klear => &kalshi_klear::operation::ALL,
        }
    }
}

/// A client of one of the APIs.
pub(crate) enum ApiClient {
    Trade(kalshi_sdk::Client),
    Perps(kalshi_perps::Client),
    Klear(kalshi_klear::Client),
}

impl ApiClient {
    /// Returns a client with credentials. They are optional unless `needs_key`.
    pub(crate) fn new(context: &Context, api: Api, needs_key: bool) -> Result<Self, Failure> {
        Ok(match (api, needs_key) {
            (Api::Trade, true) => Self::Trade(context.client()?),
            (Api::Trade, false) => Self::Trade(context.public_client()?),
            (Api::Perps, true) => Self::Perps(context.perps_client()?),
            (Api::Perps, false) => Self::Perps(context.public_perps_client()?),
            (Api::Klear, true) => Self::Klear(context.klear_client()?),
            (Api::Klear, false) => Self::Klear(context.public_klear_client()?),
        })
    }

    /// Returns a request to a path below the base URL of the API.
    pub(crate) fn request(&self, method: Method, path: String) -> CustomRequest {
        match self {
            Self::Trade(client) => client.request(method, path),
            Self::Perps(client) => client.request(method, path),
            Self::Klear(client) => client.request(method, path),
        }
    }
}
