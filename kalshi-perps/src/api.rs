//! The perpetuals API, as the runtime knows it.

use kalshi_core::{Api, Core, Credentials, Discovery, Operation, limits::RateLimits};

use crate::{Client, Environment, discovery, operation};

/// Marker of the perpetuals API. Programs only meet it as the parameter of types that the APIs share.
#[derive(Clone, Copy, Debug)]
pub enum PerpsApi {}

impl Api for PerpsApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = Credentials;

    const USER_AGENT: &'static str = concat!("kalshi-perps/", env!("CARGO_PKG_VERSION"));
    const OPERATIONS: &'static [Operation] = &operation::ALL;

    fn default_limits() -> RateLimits {
        RateLimits::Account(discovery::basic())
    }

    fn client(core: Core, environment: Environment) -> Client {
        Client::from_core(core, environment)
    }

    fn discover_limits(client: Client) -> Discovery {
        Box::pin(async move { discovery::discover(&client).await.map(drop) })
    }
}
