//! Integration tests of the local exchange, in one binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod activity;
mod common;

#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "cli", unix))]
mod cli_control;
mod communications;
mod conformance;
mod every_operation;
mod faults;
#[cfg(feature = "klear")]
mod klear;
#[cfg(feature = "cli")]
mod languages;
mod lifecycle;
mod lists;
mod market_maker;
mod order_groups;
mod orders;
mod paused;
#[cfg(feature = "perps")]
mod perps_account;
#[cfg(feature = "perps")]
mod perps_every_operation;
#[cfg(feature = "perps")]
mod perps_markets;
#[cfg(feature = "perps")]
mod perps_orders;
#[cfg(feature = "perps")]
mod perps_triggers;
#[cfg(feature = "perps")]
mod perps_websocket;
mod pipeline;
mod portfolio;
#[cfg(feature = "tls")]
mod tls;
mod websocket;
mod websocket_channels;
mod websocket_faults;
mod websocket_samples;
