//! Integration tests of the perpetuals client, one binary with a module for each subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

// Files that are shared with the tests of kalshi-sdk use that name.
extern crate kalshi_perps as kalshi_sdk;

mod common;
mod hostile;
mod orders;
