//! Parses arbitrary text as a key and as a key id: `cargo fuzz run pem fuzz/corpus/pem kalshi-auth/tests/keys`.
//!
//! No input may cause a panic or unbounded work, and the signature of every parsed key must verify with its public key. A passphrase and a
//! zero byte may precede the text; without them the passphrase is that of the test keys.
#![no_main]

use kalshi_auth::{Credentials, PrivateKey, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (passphrase, text) = input.split_once('\0').unwrap_or(("correct horse", input));
    for key in [
        PrivateKey::from_pem(text),
        PrivateKey::from_pem_with_passphrase(text, passphrase),
    ]
    .into_iter()
    .flatten()
    {
        let signature = key.sign(b"text").expect("a key that was loaded signs");
        assert!(key.public_key().verify(b"text", signature.as_bytes()));
        let _ = Credentials::new(text, key);
    }
    let _ = PublicKey::from_pem(text);
});
