#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod client;
mod discovery;
mod environment;
pub mod fees;
pub(crate) mod generated;
pub mod limits;
pub mod operation;
pub mod orders;
pub mod pages;
#[cfg(feature = "ws")]
pub mod ws;

pub use api::TradeApi;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::{
    ApiError, ClockCorrection, ConfigError, Contracts, Credentials, Dollars, Error, ErrorResponse,
    Id, JsonObject, MoneyError, Operation, PriceLevel, PrivateKey, ResponseValue, RetryPolicy,
    Secret,
};
pub use kalshi_core::{auth, reqwest, reqwest_middleware};
