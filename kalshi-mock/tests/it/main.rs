//! Integration tests of the local exchange, in one binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

#[cfg(feature = "cli")]
mod cli;
mod communications;
mod conformance;
mod every_operation;
mod faults;
mod lifecycle;
mod lists;
mod market_maker;
mod order_groups;
mod orders;
mod pipeline;
mod portfolio;
mod websocket;
mod websocket_channels;
mod websocket_faults;
