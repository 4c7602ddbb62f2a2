//! The clearing API, as the runtime knows it.

use kalshi_core::{Api, Core, Discovery, Operation, auth::BearerCredentials};

use crate::{Client, Environment, operation};

/// Marker of the clearing API. Programs only meet it as the parameter of types that the APIs share.
#[derive(Clone, Copy, Debug)]
pub enum KlearApi {}

impl Api for KlearApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = BearerCredentials;

    const USER_AGENT: &'static str = concat!("kalshi-klear/", env!("CARGO_PKG_VERSION"));
    const OPERATIONS: &'static [Operation] = &operation::ALL;

    fn client(core: Core, environment: Environment) -> Client {
        Client::from_core(core, environment)
    }

    /// The API does not report limits, so those that the client began with stay.
    fn discover_limits(_: Client) -> Discovery {
        Box::pin(async { Ok(()) })
    }
}
