//! Parses arbitrary bytes as a PEM key with each label, and as bare base64, with any passphrase: `cargo fuzz run der`.
//!
//! No input may cause a panic or unbounded work, and the signature of every parsed key must verify with its public key.
#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{PrivateKey, PublicKey};
use libfuzzer_sys::fuzz_target;

const LABELS: [&str; 5] = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
];

fuzz_target!(|input: (&[u8], &str)| {
    let (der, passphrase) = input;
    let base64 = BASE64_STANDARD.encode(der);
    let in_pem =
        LABELS.map(|label| format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n"));
    for text in in_pem.iter().chain([&base64]) {
        if let Ok(key) = PrivateKey::from_pem_with_passphrase(text, passphrase) {
            let signature = key.sign(b"text").expect("a key that was loaded signs");
            assert!(key.public_key().verify(b"text", signature.as_bytes()));
        }
        let _ = PublicKey::from_pem(text);
    }
});
