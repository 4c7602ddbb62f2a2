//! A typed client for Kalshi's API of perpetual futures.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod environment;
pub mod operation;

pub(crate) mod generated;

pub use api::PerpsApi;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::{
    ApiError, BookSide, ClientOrderId, ClockCorrection, ConfigError, Contracts, Credentials,
    CustomRequest, CustomUrls, Decimal, Dollars, Error, ErrorResponse, Id, JsonObject, MoneyError,
    Operation, OrderGroupId, OrderId, ParseValueError, PriceLevel, PrivateKey, Response,
    RetryPolicy, Rounding, Secret, SubaccountNumber, TradeId, UnixMillis, UnixSeconds,
    UnknownValue,
};
pub use kalshi_core::{auth, reqwest, reqwest_middleware};
