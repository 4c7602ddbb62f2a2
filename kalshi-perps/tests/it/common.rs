//! Helpers shared by the tests: a faulty server, and a key.

#[allow(dead_code, reason = "the tests of kalshi-sdk use the rest")]
#[path = "../../../tests/it/common/exchange.rs"]
pub(crate) mod exchange;

use std::sync::OnceLock;

use kalshi_perps::{Environment, PrivateKey};

pub const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// Returns a key that is generated once per process.
pub fn key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate_ed25519().unwrap())
        .clone()
}

pub fn environment(base: &str) -> Environment {
    let websocket = base.replace("http://", "ws://");
    Environment::custom(
        &format!("{base}/trade-api/v2"),
        &format!("{websocket}/trade-api/ws/v2/margin"),
    )
    .unwrap()
}
