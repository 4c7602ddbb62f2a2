#![doc = include_str!("../README.md")]
//!
//! ## Where to find what
//!
//! | Task | Items |
//! |---|---|
//! | Start an exchange, create clients | [`MockExchange`], [`MockExchangeBuilder`], [`User`] |
//! | Quote, pause and settle markets | [`Market`], [`Settlement`] |
//! | Inject faults | [`Fault`], [`FaultRule`], [`WebSockets`] |
//! | Control the clock, schedule events | [`Time`], [`ScheduledEvent`] |
//! | Inspect requests and state | [`ReceivedRequest`], [`Snapshot`] |
//! | Read what is implemented and what differs from the exchange | [`guide::coverage`] |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
#[cfg(feature = "ws")]
mod books;
mod buckets;
mod call;
mod connection;
#[cfg_attr(
    not(feature = "perps"),
    allow(dead_code, reason = "the margin API uses the rest")
)]
mod control;
mod error;
mod exchange;
mod fault;
pub mod guide;
mod handlers;
mod header_timeout;
mod keys;
#[cfg(feature = "klear")]
mod klear;
mod legacy;
#[cfg(feature = "perps")]
mod margin_market;
mod market;
mod parse;
mod pipeline;
mod rejection;
mod requests;
mod schedule;
mod server;
mod shared;
mod snapshot;
mod spec;
#[cfg_attr(
    not(feature = "perps"),
    allow(dead_code, reason = "the margin API uses the rest")
)]
mod state;
mod sync;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod user;
mod validate;
mod websocket;

pub use error::StartError;
pub use exchange::{MockExchange, MockExchangeBuilder};
pub use fault::{Fault, FaultRule, ParseFaultError};
#[cfg(feature = "perps")]
pub use margin_market::MarginMarket;
pub use market::{Market, OrderBook};
pub use rejection::ErrorEnvelope;
pub use requests::ReceivedRequest;
pub use schedule::{ParseScheduleError, ScheduledEvent};
pub use snapshot::{
    BalanceSnapshot, MarketSnapshot, OrderSnapshot, PositionSnapshot, PriceRangeSnapshot, Snapshot,
    UserSnapshot,
};
pub use state::{Activity, Settlement, Strike};
pub use time::Time;
pub use user::{AddKeyError, KeyOptions, User};
pub use websocket::WebSockets;

pub(crate) use rejection::Rejection;
