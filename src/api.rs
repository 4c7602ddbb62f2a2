//! The Trade API, as the runtime knows it.

use kalshi_core::{Api, Credentials, Discovery};

use crate::{Client, Environment};

/// Marker of the Trade API. Programs only meet it as the parameter of types that the APIs share.
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
