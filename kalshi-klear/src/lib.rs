#![doc = include_str!("../README.md")]
//!
//! ## Where to find what
//!
//! | Task | Items |
//! |---|---|
//! | Configure a client, send an operation | [`Client`], [`ClientBuilder`], [`Environment`], [`types`] |
//! | Authenticate | [`BearerCredentials`] |
//! | Handle errors | [`Error`], [`ApiError`], [`RetryPolicy`] |
//! | Stay within rate limits | [`limits`] |
//! | Read lists | [`pages`] |
//! | Find an operation | [`operation::ALL`] |
//!
//! Errors, retries and pagination work as in the [guide of `kalshi-sdk`](https://docs.rs/kalshi-sdk/latest/kalshi_sdk/guide/). [`auth`],
//! [`reqwest`] and [`reqwest_middleware`] are re-exported because they appear in the interface of this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod client;
mod environment;
pub mod operation;

// Declared after the hand-written modules, so that rustdoc lists their methods of `Client` first.
pub(crate) mod generated;

pub use api::KlearApi;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::auth;
#[doc(inline)]
pub use kalshi_core::{
    ApiError, ConfigError, Contracts, CustomRequest, CustomUrls, Decimal, Dollars, Error,
    ErrorResponse, Id, MoneyError, Operation, Response, RetryPolicy, Rounding, Secret,
    auth::BearerCredentials,
};
#[doc(inline)]
pub use kalshi_core::{limits, pages};
pub use kalshi_core::{reqwest, reqwest_middleware};
