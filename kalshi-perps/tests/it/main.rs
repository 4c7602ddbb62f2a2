//! Integration tests of the client, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod client;
#[path = "../../../tests/it/shared/every_api.rs"]
mod every_api;
#[path = "../../../kalshi-gen/tests/compiled/harness.rs"]
mod harness;
mod operations;
mod snapshots;
mod target;
