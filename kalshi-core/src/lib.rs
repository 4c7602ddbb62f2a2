//! The runtime under the generated clients of the Kalshi exchange's APIs.
//!
//! Programs use an API crate such as `kalshi-sdk`, which re-exports what they need from here. This crate knows no schema,
//! operation or path of a spec: an API crate supplies those through [`Api`], and its generated code calls the hidden
//! module `rt`.
//!
//! - [`ClientBuilder`], [`Core`]: a client's transport, signing, timeouts, retries and rate limits.
//! - [`Error`], [`ApiError`], [`ConfigError`]: what can go wrong.
//! - [`pages`]: paginated lists as streams.
//! - [`Dollars`], [`Contracts`], [`PriceLevel`]: exact money. [`ladder`]: one side of an order book.
//! - `ws` (feature `ws`): WebSocket connections that reconnect and resubscribe.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod api_error;
mod body;
mod client;
mod client_builder;
mod config_error;
mod custom_request;
mod de;
mod decode_error;
mod discovery;
mod endpoint;
mod error;
mod excerpt;
mod http_options;
mod id;
mod json_path;
pub mod ladder;
pub mod limits;
mod money;
pub mod operation;
mod outcome;
pub mod pages;
mod request;
mod response;
mod retry;
mod rows;
#[doc(hidden)]
pub mod rt;
mod secret;
mod server_time;
mod wire;
#[cfg(feature = "ws")]
pub mod ws;

pub use api::{Api, Environment};
pub use api_error::{ApiError, ErrorResponse};
pub use client::{Core, Discovery};
pub use client_builder::ClientBuilder;
pub use config_error::ConfigError;
pub use custom_request::CustomRequest;
pub use endpoint::{check_endpoint, parse_endpoint, redacted};
pub use error::Error;
pub use id::Id;
pub use kalshi_auth as auth;
pub use kalshi_auth::{Credentials, PrivateKey};
pub use money::{Contracts, Dollars, MoneyError, PriceLevel};
pub use operation::Operation;
pub use reqwest;
pub use reqwest_middleware;
pub use response::Response;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use server_time::ClockCorrection;
