//! A client for the Trade API of the Kalshi exchange: every operation as a typed, signed method, and live order books.
//!
//! - [`Client`] has a method for each operation of the spec. [`Client::builder`] configures it.
//! - [`Client::orders`] places, changes and finds orders. A request that may have placed an order is never sent again, and each
//!   [`OrderOutcome`](orders::OrderOutcome) is placed, rejected or unknown.
//! - [`Client::websocket`] connects to the [WebSocket](ws), reconnects, and keeps order books.
//! - [`Error`] reports whether the exchange may have acted.
//! - [`Dollars`], [`Contracts`] and [`Decimal`] are exact.
//!
//! The [`guide`] has a page for each task. Begin with [getting started](guide::getting_started).
//!
//! ```no_run
//! use kalshi_sdk::{Client, Environment, types::MarketStatusQuery};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::builder().environment(Environment::Production).build()?;
//!     let page = client.get_markets().status(MarketStatusQuery::Open).limit(5).send().await?;
//!     for market in &page.markets {
//!         println!("{} {} / {}", market.ticker, market.yes_bid_dollars, market.yes_ask_dollars);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! | Task | Page of the guide | Types |
//! |---|---|---|
//! | Sign requests | [Keys](guide::keys) | [`Credentials`], [`PrivateKey`] |
//! | Trade | [Orders and outcomes](guide::orders_and_outcomes) | [`NewOrder`](orders::NewOrder), [`Orders`](orders::Orders), [`fees`], [`positions`] |
//! | Handle errors | [Errors and retries](guide::errors_and_retries) | [`Error`], [`ApiError`], [`RetryPolicy`] |
//! | Stay within rate limits | [Rate limits](guide::rate_limits) | [`RateLimits`](limits::RateLimits), [`RateLimiter`](limits::RateLimiter) |
//! | Read lists | [Pagination](guide::pagination) | [`Pages`](pages::Pages), [`Items`](pages::Items) |
//! | Follow markets and your orders | [WebSocket](guide::websocket) | [`Connection`](ws::Connection), [`BookStream`](ws::BookStream), [`Backfill`](ws::Backfill) |
//! | Test a program | [Testing](guide::testing) | [`kalshi_mock::MockExchange`](https://docs.rs/kalshi-mock), `testing` |
//! | Find an operation | [Operations](guide::operations) | [`operation::ALL`], [`types`] |
//! | Upgrade | [Compatibility](guide::compatibility) | |
//! | Make it fast | [Performance](guide::performance) | |
//!
//! The default [`Environment`] is the demo exchange, which trades play money. Perpetual futures and the clearing API have their own
//! crates, [`kalshi-perps`](https://docs.rs/kalshi-perps) and [`kalshi-klear`](https://docs.rs/kalshi-klear). This project is not
//! affiliated with Kalshi.
//!
//! [`types`] has the requests and responses of the operations, and [`builder`] the request builders that the methods of [`Client`] return.
//! [`auth`], [`reqwest`] and [`reqwest_middleware`] are re-exported because they appear in the interface of this crate: keys and signers,
//! proxies and HTTP clients, middleware.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod client;
mod discovery;
mod environment;
pub mod fees;
pub mod guide;
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
pub use kalshi_core::auth;
#[doc(inline)]
pub use kalshi_core::{
    ApiError, AuthFailure, BookSide, ClientOrderId, ClockCorrection, ConfigError, Contracts,
    Credentials, CustomRequest, Decimal, Dollars, Error, ErrorResponse, Id, JsonObject, MoneyError,
    Operation, OrderGroupId, OrderId, ParseValueError, PriceLevel, PrivateKey, Response,
    RetryPolicy, Rounding, Secret, SubaccountNumber, TradeId, UnixMillis, UnixSeconds,
    UnknownValue,
};
pub use kalshi_core::{reqwest, reqwest_middleware};
pub use outcome_side::OutcomeSide;

/// Version of the exchange's REST spec that this crate is generated from.
pub const SPEC_VERSION: &str = "3.34.0";

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
