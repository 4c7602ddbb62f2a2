//! Support for tests of a generated client, independent of its spec. Included by the tests of kalshi-sdk and by the
//! crates that `tests/it/compiled.rs` creates. The including crate provides the client under the name `kalshi_sdk`, and
//! its spec and calls in its package folder.
#![allow(dead_code, unreachable_pub, reason = "each crate uses some of it")]

pub mod calls;
mod every_operation;

use std::sync::OnceLock;

use kalshi_sdk::{
    Client, ClientBuilder, Credentials, Environment, PrivateKey, RetryPolicy,
    auth::{PublicKey, Verifier},
    limits::RateLimits,
};
use wiremock::{MockServer, Request};

pub const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// The time used for signatures, in Unix milliseconds.
pub const NOW_MS: u64 = 1_790_000_000_123;

/// Returns a key that is generated once per test binary.
pub fn key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate_ed25519().unwrap())
        .clone()
}

pub fn public_key() -> PublicKey {
    key().public_key()
}

pub fn environment(base: &str) -> Environment {
    let websocket = base.replace("http://", "ws://");
    Environment::custom(
        &format!("{base}/trade-api/v2"),
        &format!("{websocket}/trade-api/ws/v2"),
    )
    .unwrap()
}

/// Returns a builder for the server, with credentials and a stopped clock, and without rate limits or retries.
pub fn builder(server: &MockServer) -> ClientBuilder {
    patient_builder(server)
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
}

/// Returns the same builder with the default rate limits and retries.
pub fn patient_builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .environment(environment(&server.uri()))
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .clock(std::sync::Arc::new(kalshi_sdk::auth::FixedClock(NOW_MS)))
}

pub fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

/// Checks the three signature headers of a request with the public key.
pub fn assert_signed(request: &Request) {
    let path = request.url.path();
    Verifier::new(KEY_ID, public_key())
        .verify(&request.headers, request.method.as_str(), path, NOW_MS)
        .unwrap_or_else(|error| panic!("{} {path}: {error}", request.method));
}

pub fn assert_unsigned(request: &Request) {
    for name in [
        "kalshi-access-key",
        "kalshi-access-signature",
        "kalshi-access-timestamp",
    ] {
        assert!(
            !request.headers.contains_key(name),
            "{name} is sent with {}",
            request.url.path()
        );
    }
}
