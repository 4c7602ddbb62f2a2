//! Helpers shared by the test modules.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{PrivateKey, PublicKey};

pub(crate) const PASSPHRASE: &str = "correct horse";
pub(crate) const KEY_ID: &str = "3f1c6a2e-key-id-of-the-tests";

/// The path of a file under `tests/keys`.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name)
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}

pub(crate) fn private(name: &str) -> PrivateKey {
    PrivateKey::from_pem(&text(name)).unwrap()
}

pub(crate) fn public(name: &str) -> PublicKey {
    PublicKey::from_pem(&text(name)).unwrap()
}

/// The bytes of the first PEM block.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    BASE64_STANDARD.decode(body).unwrap()
}

/// The messages of an error and of all its sources.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text
}
