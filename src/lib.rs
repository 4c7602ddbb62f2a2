#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api_error;
mod client;
mod config_error;
#[allow(
    dead_code,
    reason = "which of these the generated code calls is up to the contract"
)]
mod de;
mod discovery;
mod environment;
mod error;
mod excerpt;
pub mod fees;
pub(crate) mod generated;
mod id;
mod json_path;
pub mod limits;
mod money;
pub mod operation;
#[cfg(event_orders)]
pub mod orders;
pub mod pages;
mod retry;
mod secret;
mod server_time;
mod transport;
mod wire;
#[cfg(feature = "ws")]
pub mod ws;

pub use api_error::{ApiError, ErrorResponse};
pub use client::{Client, ClientBuilder};
pub use config_error::ConfigError;
pub use environment::Environment;
pub use error::Error;
pub use generated::{builder, types};
pub use id::Id;
pub use kalshi_auth as auth;
pub use kalshi_auth::{Credentials, PrivateKey};
pub use money::{Contracts, Dollars, MoneyError, PriceLevel};
pub use operation::Operation;
pub use progenitor_client::ResponseValue;
pub use reqwest;
pub use reqwest_middleware;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use server_time::ClockCorrection;
