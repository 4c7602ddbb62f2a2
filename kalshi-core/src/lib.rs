//! The runtime of the generated clients for the Kalshi exchange's APIs.
//!
//! Applications use an API crate such as `kalshi-sdk`, which re-exports what they need. This crate contains no schema, operation or
//! path of a spec. API crates supply those through [`Api`], and their generated code calls the hidden module `rt`.
//!
//! - [`ClientBuilder`], [`Core`]: transport, signing, timeouts, retries and rate limits of a client.
//! - [`Error`], [`ApiError`], [`ConfigError`]: the errors of requests and of building a client.
//! - [`pages`]: paginated lists as streams.
//! - [`Dollars`], [`Contracts`], [`PriceLevel`]: exact amounts. [`Decimal`]: exact rates and ratios. [`ladder`]: one side of an order book.
//! - [`OrderId`], [`ClientOrderId`], [`TradeId`], [`OrderGroupId`], [`SubaccountNumber`], [`Id`]: ids. [`BookSide`]: bid or ask.
//! - [`orders`]: rejections and changes of orders, and their checks.
//! - `ws` (feature `ws`): WebSocket connections that reconnect and resubscribe.
//! - [`Api`], [`ApiClient`], [`ApiCredentials`], [`Environment`]: what an API crate implements. Applications see them only as bounds of
//!   generic types.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod api_credentials;
mod api_error;
mod body;
mod book_side;
mod client;
mod client_builder;
// Before `decimal`, so that rustdoc lists the arithmetic of amounts before the methods for rates.
mod money;

mod compact;
mod config_error;
mod copy_enum;
mod custom_request;
mod custom_urls;
mod de;
mod decimal;
mod decode_error;
mod discovery;
mod endpoint;
mod error;
mod error_field;
mod excerpt;
mod http_options;
mod id;
mod inline_text;
mod json_object;
mod json_path;
pub mod ladder;
pub mod limits;
pub mod operation;
pub mod orders;
mod outcome;
pub mod pages;
mod received;
mod request;
mod response;
mod retry;
mod rows;
#[doc(hidden)]
pub mod rt;
mod secret;
mod sending;
mod server_time;
#[cfg(test)]
mod test_client;
mod unix_time;
mod wire;
#[cfg(feature = "ws")]
pub mod ws;

/// The failures for which a test can construct an [`Error`]. Requires the feature `testing`.
#[cfg(feature = "testing")]
pub mod testing {
    pub use crate::error::testing::Failure;
}

pub use api::{Api, ApiClient, Environment};
pub use api_credentials::ApiCredentials;
pub use api_error::{ApiError, AuthFailure, ErrorResponse};
pub use book_side::BookSide;
pub use client::{Core, Discovery};
pub use client_builder::ClientBuilder;
pub use config_error::ConfigError;
pub use copy_enum::{ParseValueError, UnknownValue};
pub use custom_request::CustomRequest;
pub use custom_urls::CustomUrls;
pub use decimal::{Decimal, Rounding};
pub use error::Error;
pub use id::{ClientOrderId, Id, OrderGroupId, OrderId, SubaccountNumber, TradeId};
pub use json_object::JsonObject;
pub use kalshi_auth as auth;
pub use kalshi_auth::{Credentials, PrivateKey};
pub use money::{Contracts, Dollars, MoneyError, PriceLevel};
#[doc(inline)]
pub use operation::Operation;
pub use reqwest;
pub use reqwest_middleware;
pub use response::Response;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use server_time::ClockCorrection;
pub use unix_time::{UnixMillis, UnixSeconds};
