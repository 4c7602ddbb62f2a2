//! Implements the runtime's `Api` trait for the Trade API.

use kalshi_core::{Api, Core, Credentials, Discovery, Operation};

use crate::{Client, Environment, discovery, operation};

/// Marker type of the Trade API. Programs see it only as a parameter of types that several APIs share.
#[derive(Clone, Copy, Debug)]
pub enum TradeApi {}

impl Api for TradeApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = Credentials;

    const USER_AGENT: &'static str = concat!("kalshi-sdk/", env!("CARGO_PKG_VERSION"));
    const OPERATIONS: &'static [Operation] = &operation::ALL;

    fn client(core: Core, environment: Environment) -> Client {
        Client::from_core(core, environment)
    }

    fn discover_limits(client: Client) -> Discovery {
        Box::pin(async move { discovery::discover(&client).await.map(drop) })
    }
}
