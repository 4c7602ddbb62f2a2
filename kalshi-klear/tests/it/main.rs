//! Integration tests of the client, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

// The tests of every API crate, except for those of recorded responses: there are no recordings of this API.
#[path = "../../../tests/it/shared/absent_fields.rs"]
mod absent_fields;
#[path = "../../../kalshi-gen/tests/compiled/harness.rs"]
mod harness;
#[path = "../../../tests/it/shared/snapshots.rs"]
mod shared_snapshots;
#[path = "../../../tests/it/shared/table.rs"]
mod table;

mod amounts;
mod client;
mod operations;
mod pages;
mod secrets;
mod snapshots;
mod target;
