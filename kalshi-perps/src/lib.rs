#![doc = include_str!("../README.md")]
//!
//! ## Where to find what
//!
//! | Task | Items |
//! |---|---|
//! | Configure a client, send an operation | [`Client`], [`ClientBuilder`], [`Environment`], [`types`] |
//! | Place, change and find orders | [`Client::orders`], [`orders`] |
//! | Follow markets and your orders | [`Client::websocket`], [`ws`] |
//! | Handle errors | [`Error`], [`ApiError`], [`MarginRejection`], [`RetryPolicy`] |
//! | Stay within rate limits | [`limits`] |
//! | Read lists | [`pages`] |
//! | Find an operation | [`operation::ALL`] |
//!
//! Errors, retries, pagination and WebSocket connections work as in the
//! [guide of `kalshi-sdk`](https://docs.rs/kalshi-sdk/latest/kalshi_sdk/guide/). [`auth`], [`reqwest`] and [`reqwest_middleware`] are
//! re-exported because they appear in the interface of this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod api_error;
mod client;
mod discovery;
mod environment;
pub mod limits;
pub mod operation;
pub mod orders;
pub mod pages;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ws")]
pub mod ws;

pub(crate) mod generated;

pub use api::PerpsApi;
pub use api_error::MarginRejection;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::auth;
#[doc(inline)]
pub use kalshi_core::{
    ApiError, AuthFailure, BookSide, ClientOrderId, ClockCorrection, ConfigError, Contracts,
    Credentials, CustomRequest, CustomUrls, Decimal, Dollars, Error, ErrorResponse, Id, JsonObject,
    MoneyError, Operation, OrderGroupId, OrderId, ParseValueError, PriceLevel, PrivateKey,
    Response, RetryPolicy, Rounding, Secret, SubaccountNumber, TradeId, UnixMillis, UnixSeconds,
    UnknownValue,
};
pub use kalshi_core::{reqwest, reqwest_middleware};
