//! Tests of a generated client for any spec. The API crates and the crates that `tests/it/compiled.rs` creates include this file.
//!
//! The crate that includes it describes its API in a module `target`:
//!
//! - the client's `Client`, `ClientBuilder`, `Environment`, `operation` and `types`;
//! - `SPEC`, its REST spec as a string; `tests/generated/calls.rs` is in its package folder;
//! - `environment`, the server at a base URL without a path, with the REST API at its usual path;
//! - `with_credentials`, a client builder with credentials, and `assert_authenticated` and `assert_anonymous`, which check a
//!   request for them. Those of an API whose requests are signed are in [`signed`].
#![allow(dead_code, unreachable_pub, reason = "each crate uses some of it")]

pub mod calls;
mod every_operation;
pub mod signed;

use kalshi_core::{RetryPolicy, limits::RateLimits};
use wiremock::MockServer;

use crate::target::{self, Client, ClientBuilder};

/// Returns a builder for the server, with credentials but without rate limits and retries.
pub fn builder(server: &MockServer) -> ClientBuilder {
    default_builder(server)
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
}

/// Returns a builder for the server, with credentials and the default rate limits and retries.
pub fn default_builder(server: &MockServer) -> ClientBuilder {
    let builder = Client::builder().environment(target::environment(&server.uri()));
    target::with_credentials(builder)
}

pub fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}
