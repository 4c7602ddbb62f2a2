//! The clearing API, as the runtime knows it.

use kalshi_core::{Api, auth::BearerCredentials};

use crate::{Client, Environment};

/// Marker of the clearing API. Programs only meet it as the parameter of types that the APIs share.
#[derive(Clone, Copy, Debug)]
pub enum KlearApi {}

impl Api for KlearApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = BearerCredentials;
}
