//! Implements the runtime's `Api` trait for the Trade API.

use kalshi_core::{Api, Credentials, Discovery};

use crate::{Client, Environment};

/// Marker type of the Trade API. Programs see it only as a parameter of types that several APIs share.
#[derive(Clone, Copy, Debug)]
pub enum TradeApi {}

impl Api for TradeApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = Credentials;

    fn discover_limits(client: Client) -> Discovery {
        Box::pin(async move { client.discover_limits().await.map(drop) })
    }
}
