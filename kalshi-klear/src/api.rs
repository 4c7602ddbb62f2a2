//! Implements the runtime's `Api` trait for the clearing API.

use kalshi_core::{Api, auth::BearerCredentials};

use crate::{Client, Environment};

/// Marker type of the clearing API. Programs see it only as a parameter of types that several APIs share.
#[derive(Clone, Copy, Debug)]
pub enum KlearApi {}

impl Api for KlearApi {
    type Client = Client;
    type Environment = Environment;
    type Credentials = BearerCredentials;
}
