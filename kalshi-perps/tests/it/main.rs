//! Integration tests of the client, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../../../tests/it/shared/every_api.rs"]
mod every_api;
#[path = "../../../kalshi-gen/tests/compiled/harness.rs"]
mod harness;
mod operations;
mod snapshots;
mod target;
#[cfg(feature = "ws")]
mod book_rules;
#[cfg(feature = "ws")]
mod book_stream;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/books_oracle.rs"]
mod books_oracle;
#[cfg(feature = "ws")]
mod channels;
#[cfg(feature = "ws")]
mod frames;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/hostile_ws.rs"]
mod hostile_ws;
#[cfg(feature = "ws")]
mod order_book;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/recorded_frames.rs"]
mod recorded_frames;
#[cfg(feature = "ws")]
#[path = "../../../tests/it/scripted_server.rs"]
#[allow(dead_code, reason = "kalshi-sdk uses the rest")]
mod scripted_server;
#[cfg(feature = "ws")]
mod ws_target;
