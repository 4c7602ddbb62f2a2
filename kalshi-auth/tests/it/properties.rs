//! Properties of every input: the signing text excludes the query, and no key text makes a parser panic.

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{PrivateKey, PublicKey, signing_text};
use proptest::prelude::*;

use crate::common::{self, der, text};

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        BASE64_STANDARD.encode(der)
    )
}

/// `original` with some bytes changed, and perhaps cut off.
fn mutated(
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
    fn the_query_is_never_signed(
        stamp: u64,
        method in "[A-Za-z]{3,7}",
        path in "/[^?#]*",
        mark in "[?#]",
        rest in ".*",
    ) {
        let signed = signing_text(stamp, &method, &format!("{path}{mark}{rest}"));
        prop_assert_eq!(&signed, &signing_text(stamp, &method, &path));
        prop_assert_eq!(signed, format!("{stamp}{}{path}", method.to_uppercase()));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*", label in "(RSA |EC |ENCRYPTED |)(PRIVATE|PUBLIC) KEY", der: Vec<u8>) {
        for text in [&text, &format!("-----BEGIN {text}"), &format!("-----BEGIN {label}-----{text}"), &pem(&label, &der)] {
            let _ = PrivateKey::from_pem_with_passphrase(text, "x");
            let _ = PublicKey::from_pem(text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn changed_private_keys_are_read_or_refused(
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        for (name, label) in
            [("rsa2048.pkcs1.pem", "RSA PRIVATE KEY"), ("rsa2048.pem", "PRIVATE KEY"), ("ed25519.pem", "PRIVATE KEY")]
        {
            let der = mutated(der(&text(name)), &changes, cut);
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
            let der = mutated(der(&text(name)), &changes, cut);
            if let Ok(key) = PublicKey::from_pem(&pem("PUBLIC KEY", &der)) {
                let _ = key.verify(&common::bytes("text"), &mutated(common::bytes(signature), &signature_changes, cut));
            }
        }
    }

    #[test]
    fn changed_pem_text_is_read_or_refused(
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
