//! Integration tests of the SDK, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod bounds;
mod cancel_lane;
mod client;
mod common;
mod custom_request;
mod environment;
mod error_sources;
#[path = "shared/every_api.rs"]
mod every_api;
mod fees;
#[path = "../../kalshi-gen/tests/compiled/harness.rs"]
mod harness;
mod hostile;
mod new_order;
mod operations;
mod order_evidence;
mod order_groups;
mod orders;
mod pages;
mod parameters;
mod positions;
mod price_grid;
mod properties;
mod quotes;
mod recorded;
mod request_lifecycle;
mod resting_orders;
mod snapshots;
mod spans;
mod target;
#[cfg(feature = "testing")]
mod testing;

#[cfg(feature = "ws")]
mod backfill;
#[cfg(feature = "ws")]
mod book_events;
#[cfg(feature = "ws")]
mod book_recovery;
#[cfg(feature = "ws")]
mod book_stream;
#[cfg(feature = "ws")]
mod books_oracle;
#[cfg(feature = "ws")]
mod books_rules;
#[cfg(feature = "ws")]
mod connection;
#[cfg(feature = "ws")]
mod frames;
#[cfg(feature = "ws")]
mod hostile_ws;
#[cfg(feature = "ws")]
mod order_book;
#[cfg(all(feature = "testing", feature = "ws"))]
mod own_order;
#[cfg(feature = "ws")]
mod reconnect;
#[cfg(feature = "ws")]
mod recorded_frames;
#[cfg(feature = "ws")]
mod scripted_server;
#[cfg(feature = "ws")]
mod stress;
#[cfg(feature = "ws")]
mod subscriptions;
#[cfg(feature = "ws")]
mod websocket;
#[cfg(feature = "ws")]
mod websocket_faults;
#[cfg(feature = "ws")]
mod ws_target;
