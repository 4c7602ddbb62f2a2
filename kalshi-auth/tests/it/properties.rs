//! Property tests: the signed string excludes the query, and no input makes a parser panic.

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{Credentials, PrivateKey, PublicKey, signing_text};
use proptest::prelude::*;
use rsa::pkcs8::der::Encode;
use rsa::pkcs8::pkcs5::pbes2::{
    EncryptionScheme, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams,
};
use rsa::pkcs8::{EncryptedPrivateKeyInfo, pkcs5};

use crate::common::{self, der, pem, text};

/// Returns `original` with some bytes changed, possibly truncated.
fn corrupt(
    mut original: Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(original.len());
        original[at] = *byte;
    }
    if let Some(cut) = cut {
        original.truncate(cut.index(original.len()));
    }
    original
}

proptest! {
    #[test]
    fn query_is_never_signed(
        timestamp_ms: u64,
        method in "[A-Za-z]{3,7}",
        path in "/[^?#]*",
        mark in "[?#]",
        rest in ".*",
    ) {
        let signed = signing_text(timestamp_ms, &method, &format!("{path}{mark}{rest}"));
        prop_assert_eq!(&signed, &signing_text(timestamp_ms, &method, &path));
        prop_assert_eq!(signed, format!("{timestamp_ms}{}{path}", method.to_uppercase()));
    }

    #[test]
    fn any_string_is_read_or_rejected(text in ".*", label in "(RSA |EC |ENCRYPTED |)(PRIVATE|PUBLIC) KEY", der: Vec<u8>) {
        for text in [&text, &format!("-----BEGIN {text}"), &format!("-----BEGIN {label}-----{text}"), &pem(&label, &der)] {
            let _ = PrivateKey::from_pem_with_passphrase(text, "x");
            let _ = PublicKey::from_pem(text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn changed_private_keys_are_read_or_rejected(
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        for (name, label) in
            [("rsa2048.pkcs1.pem", "RSA PRIVATE KEY"), ("rsa2048.pem", "PRIVATE KEY"), ("ed25519.pem", "PRIVATE KEY")]
        {
            let der = corrupt(der(&text(name)), &changes, cut);
            if let Ok(key) = PrivateKey::from_pem(&pem(label, &der))
                && let Ok(signature) = key.sign(b"text")
            {
                prop_assert!(key.public_key().verify(b"text", signature.as_bytes()));
            }
        }
    }

    #[test]
    fn changed_public_keys_and_signatures_do_not_panic(
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        signature_changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        for (name, signature) in [("rsa2048.pub.pem", "rsa2048.salt-max.sig"), ("ed25519.pub.pem", "ed25519.sig")] {
            let der = corrupt(der(&text(name)), &changes, cut);
            if let Ok(key) = PublicKey::from_pem(&pem("PUBLIC KEY", &der)) {
                let _ = key.verify(&common::bytes("text"), &corrupt(common::bytes(signature), &signature_changes, cut));
            }
        }
    }

    #[test]
    fn changed_pem_is_read_or_rejected(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        for name in ["rsa2048.pkcs1.pem", "ed25519.pem", "ed25519.pub.pem"] {
            let mut characters: Vec<char> = text(name).chars().collect();
            for (at, character) in &changes {
                let at = at.index(characters.len());
                characters[at] = *character;
            }
            let changed = String::from_iter(characters);
            let _ = PrivateKey::from_pem(&changed);
            let _ = PublicKey::from_pem(&changed);
        }
    }
}

/// Encrypts an Ed25519 key with very cheap parameters.
fn cheaply_encrypted(kdf: Kdf<'_>, passphrase: &str) -> Vec<u8> {
    let parameters = Parameters {
        kdf,
        encryption: EncryptionScheme::Aes128Cbc { iv: &[7; 16] },
    };
    let encrypted = parameters
        .encrypt(passphrase, &der(&text("ed25519.pem")))
        .unwrap();
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: pkcs5::EncryptionScheme::Pbes2(parameters),
        encrypted_data: &encrypted,
    };
    info.to_der().unwrap()
}

proptest! {
    /// The same properties as the fuzz targets `pem` and `der`.
    #[test]
    fn any_pem_and_der_is_read_or_rejected_with_any_passphrase(
        text in "[ -~\n]{0,200}",
        passphrase in ".{0,40}",
        der in prop::collection::vec(any::<u8>(), 0..300),
        label in "(RSA |EC |ENCRYPTED |OPENSSH |)(PRIVATE|PUBLIC) KEY",
    ) {
        let base64 = BASE64_STANDARD.encode(&der);
        let text_in_base64 = BASE64_STANDARD.encode(&text);
        for text in [&text, &text_in_base64, &base64, &pem(&label, &der), &pem(&label, text.as_bytes())] {
            let _ = PrivateKey::from_pem_with_passphrase(text, &passphrase);
            let _ = PrivateKey::from_pem(text);
            let _ = PublicKey::from_pem(text);
        }
    }

    #[test]
    fn changed_encrypted_keys_are_read_or_rejected(
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        passphrase in ".{0,20}",
        is_correct: bool,
        label in "(ENCRYPTED |RSA |)PRIVATE KEY",
    ) {
        let attempted_passphrase = if is_correct { passphrase.clone() } else { format!("{passphrase}x") };
        let scrypt = Kdf::Scrypt(ScryptParams {
            salt: b"saltsalt",
            cost_parameter: 2,
            block_size: 1,
            parallelization: 1,
            key_length: Some(16),
        });
        let pbkdf2 = Kdf::Pbkdf2(Pbkdf2Params {
            salt: b"saltsalt",
            iteration_count: 3,
            key_length: None,
            prf: Pbkdf2Prf::HmacWithSha256,
        });
        for kdf in [scrypt, pbkdf2] {
            let changed = corrupt(cheaply_encrypted(kdf, &passphrase), &changes, cut);
            let result = PrivateKey::from_pem_with_passphrase(&pem(&label, &changed), &attempted_passphrase);
            if changes.is_empty() && cut.is_none() {
                prop_assert_eq!(result.is_ok(), is_correct);
            }
            let _ = PrivateKey::from_pem_with_passphrase(&BASE64_STANDARD.encode(&changed), &attempted_passphrase);
            let _ = PublicKey::from_pem(&pem(&label, &changed));
        }
    }

    #[test]
    fn any_value_in_any_variable_is_read_or_rejected(
        id in ".{0,80}",
        key in ".{0,80}",
        path in "[^/]{0,80}",
        passphrase in ".{0,20}",
    ) {
        for skipped in ["PRIVATE_KEY", "PRIVATE_KEY_PATH"] {
            let _ = Credentials::from_lookup("", |name| match name {
                name if name == skipped => None,
                "API_KEY_ID" => Some((&id).into()),
                "PRIVATE_KEY" => Some((&key).into()),
                "PRIVATE_KEY_PATH" => Some((&path).into()),
                _ => Some((&passphrase).into()),
            });
        }
    }
}
