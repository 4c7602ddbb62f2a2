//! Test credentials for an API with signed requests, a fixed clock, and the check of a signature.

use std::sync::{Arc, OnceLock};

use kalshi_core::{
    Api, ClientBuilder, Credentials, PrivateKey,
    auth::{FixedClock, PublicKey, Verifier},
};
use wiremock::Request;

pub const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// Time used for signatures, in milliseconds since 1970.
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

pub fn with_credentials<A: Api<Credentials = Credentials>>(
    builder: ClientBuilder<A>,
) -> ClientBuilder<A> {
    builder
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .clock(Arc::new(FixedClock(NOW_MS)))
}

/// Verifies the three access headers of a request with the public key.
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
