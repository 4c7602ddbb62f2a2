//! What the tests share: a local server, a key, a client.

pub(crate) mod calls;
pub(crate) mod exchange;

use std::sync::OnceLock;

use kalshi_sdk::{
    Client, ClientBuilder, Credentials, Environment, PrivateKey, RetryPolicy,
    auth::{PublicKey, Verifier},
    limits::RateLimits,
};
use wiremock::{MockServer, Request};

pub const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// A clock for signatures, in milliseconds since 1970.
pub const NOW_MS: u64 = 1_790_000_000_123;

/// A key made once a test binary.
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

/// A builder for the server, with credentials and a stopped clock: each call is sent at once, and once.
pub fn builder(server: &MockServer) -> ClientBuilder {
    patient_builder(server)
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
}

/// The same with the limits and retries that are unless set.
pub fn patient_builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .environment(environment(&server.uri()))
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .clock(std::sync::Arc::new(kalshi_sdk::auth::FixedClock(NOW_MS)))
}

pub fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

/// Checks the three headers of a request with the public key.
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

pub async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// Runs a test in a process of its own, because it measures the whole process or sets what is global to it. Returns `true` in that
/// process, where the test goes on; `name` is its path in this binary.
pub fn is_alone(name: &str) -> bool {
    const ALONE: &str = "KALSHI_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    false
}
