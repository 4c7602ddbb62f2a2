//! An API crate around the client of a single OpenAPI spec.
#![allow(warnings, reason = "the flags of the build around it may deny them")]

use kalshi_core::{ApiClient as _, CustomUrls};

mod generated {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/kalshi.rs"));
}

pub use generated::{Client, ClientBuilder, builder, types};
pub use kalshi_core::*;

pub mod operation {
    pub use kalshi_core::operation::*;

    pub use crate::generated::operations::*;
}

#[derive(Clone, Copy, Debug)]
pub enum Api {}

impl kalshi_core::Api for Api {
    type Client = Client;
    type Environment = Environment;
    type Credentials = Credentials;
}

#[derive(Clone, Debug, Default)]
pub struct Environment(Option<CustomUrls>);

impl Environment {
    pub fn custom(rest: &str) -> Result<Self, ConfigError> {
        CustomUrls::new(rest, None).map(Some).map(Self)
    }
}

impl kalshi_core::Environment for Environment {
    fn rest_url(&self) -> &str {
        match &self.0 {
            Some(urls) => urls.rest(),
            None => "https://localhost/trade-api/v2",
        }
    }

    fn websocket_url(&self) -> Option<&str> {
        None
    }
}

/// Checks that the marker and the table are from the same spec.
pub const OPERATIONS: usize = Client::OPERATIONS.len();
