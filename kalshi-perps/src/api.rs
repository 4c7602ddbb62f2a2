//! Implements the runtime's `Api` trait for the perpetuals API.

use kalshi_core::{Api, Credentials, Discovery, limits::RateLimits};

use crate::{Client, Environment, discovery};

/// Marker type of the perpetuals API. Programs see it only as a parameter of types that several APIs share.
#[derive(Clone, Copy, Debug)]
pub enum PerpsApi {}

impl Api for PerpsApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = Credentials;

    fn default_limits() -> RateLimits {
        RateLimits::Account(discovery::basic())
    }

    fn discover_limits(client: Client) -> Discovery {
        Box::pin(async move { client.discover_limits().await.map(drop) })
    }
}
