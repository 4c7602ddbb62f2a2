#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod client;
mod discovery;
mod environment;
pub mod fees;
pub mod limits;
pub mod operation;
pub mod orders;
mod outcome_side;
pub mod pages;
pub mod positions;
mod quotes;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ws")]
pub mod ws;

// After the modules with hand-written methods of `Client`, so that rustdoc lists those first.
pub(crate) mod generated;

pub use api::TradeApi;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::{
    ApiError, BookSide, ClientOrderId, ClockCorrection, ConfigError, Contracts, Credentials,
    CustomRequest, Decimal, Dollars, Error, ErrorResponse, Id, JsonObject, MoneyError, Operation,
    OrderGroupId, OrderId, ParseValueError, PriceLevel, PrivateKey, Response, RetryPolicy,
    Rounding, Secret, SubaccountNumber, TradeId, UnixMillis, UnixSeconds, UnknownValue,
};
pub use kalshi_core::{auth, reqwest, reqwest_middleware};
pub use outcome_side::OutcomeSide;
