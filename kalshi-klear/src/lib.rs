#![doc = include_str!("../README.md")]
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
pub use kalshi_core::{
    ApiError, ConfigError, Contracts, CustomRequest, CustomUrls, Decimal, Dollars, Error,
    ErrorResponse, Id, MoneyError, Operation, Response, RetryPolicy, Rounding, Secret,
    auth::BearerCredentials,
};
pub use kalshi_core::{auth, reqwest, reqwest_middleware};
#[doc(inline)]
pub use kalshi_core::{limits, pages};
