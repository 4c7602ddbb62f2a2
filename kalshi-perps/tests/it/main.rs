//! Integration tests of the client, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

// The files that are shared with the tests of kalshi-sdk import this name.
extern crate kalshi_perps as kalshi_sdk;

#[cfg(feature = "ws")]
mod book_rules;
#[cfg(feature = "ws")]
mod book_stream;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/books_oracle.rs"]
mod books_oracle;
#[cfg(feature = "ws")]
mod channels;
mod client;
mod common;
#[path = "../../../tests/it/shared/every_api.rs"]
mod every_api;
#[cfg(feature = "ws")]
mod frames;
#[path = "../../../kalshi-gen/tests/compiled/harness.rs"]
mod harness;
mod hostile;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/hostile_ws.rs"]
mod hostile_ws;
mod operations;
#[cfg(feature = "ws")]
mod order_book;
mod orders;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/recorded_frames.rs"]
mod recorded_frames;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/scripted_server.rs"]
#[allow(dead_code, reason = "the tests of kalshi-sdk use the rest")]
mod scripted_server;
mod snapshots;
mod target;
#[cfg(feature = "testing")]
mod testing;
#[cfg(feature = "ws")]
mod ws_target;
