//! Interoperability: OpenSSL signatures verify here, and signatures made here verify with other libraries.

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{Backend, KeyAlgorithm, PrivateKey, PublicKey};

use crate::common::{self, bytes, private, public, text};

#[test]
fn openssl_rsa_signatures_with_any_salt_verify() {
    for key in ["rsa2048", "rsa2049", "rsa2050", "rsa4096"] {
        let public = public(&format!("{key}.pub.pem"));
        assert_eq!(public, private(&format!("{key}.pem")).public_key());
        for salt in ["0", "32", "max"] {
            let mut signature = bytes(&format!("{key}.salt-{salt}.sig"));
            assert!(
                public.verify(&bytes("text"), &signature),
                "{key}, salt {salt}"
            );
            assert!(
                !public.verify(b"another message", &signature),
                "{key}, salt {salt}"
            );
            for at in [0, 100, signature.len() - 1] {
                signature[at] ^= 1;
                assert!(
                    !public.verify(&bytes("text"), &signature),
                    "{key}, salt {salt}, byte {at}"
                );
                signature[at] ^= 1;
            }
        }
    }
}

#[test]
fn fingerprint_is_that_of_openssl() {
    // openssl pkey -pubin -in rsa2048.pub.pem -outform DER | openssl sha256
    assert_eq!(
        public("rsa2048.pub.pem").fingerprint(),
        "79a7ff266a5b18345bf8a4a607a3a1a47fdff10c3d7a1b17ef12efd1ed8a7ff1"
    );
}

#[test]
fn rsa_signature_with_a_leading_zero_byte_verifies() {
    let public = public("rsa2048.pub.pem");
    assert!(public.verify(&bytes("text"), &bytes("rsa2048.zero.sig")));
}

/// This weak key accepts one signature for every message unless verification is strict.
#[test]
fn ed25519_is_verified_strictly() {
    let identity = [&[1], [0; 31].as_slice()].concat();
    let der = [&common::der(&text("ed25519.pub.pem"))[..12], &identity].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        BASE64_STANDARD.encode(der)
    );
    let public = PublicKey::from_pem(&pem).unwrap();
    let signature = [identity, vec![0; 32]].concat();
    assert!(!public.verify(b"any message", &signature));
}

#[test]
fn openssl_ed25519_signature_verifies_and_matches() {
    let signature = bytes("ed25519.sig");
    let public = public("ed25519.pub.pem");
    assert!(public.verify(&bytes("text"), &signature));
    assert!(!public.verify(b"another message", &signature));
    // Ed25519 signatures are deterministic, so every library makes the same.
    for backend in Backend::ALL {
        let key = private("ed25519.pem").with_backend(*backend).unwrap();
        assert_eq!(
            key.sign(&bytes("text")).unwrap().as_bytes(),
            signature,
            "{backend:?}"
        );
    }
}

#[test]
fn signatures_of_the_wrong_length_do_not_verify() {
    for (key, length) in [("rsa2048.pub.pem", 256), ("ed25519.pub.pem", 64)] {
        let public = public(key);
        for length in [0, 1, 63, 64, length - 1, length, length + 1, 1000] {
            for fill in [0, 0xff] {
                assert!(
                    !public.verify(b"text", &vec![fill; length]),
                    "{key}, {length} bytes of {fill}"
                );
            }
        }
    }
}

#[test]
fn signatures_do_not_verify_with_another_algorithm() {
    assert!(!public("rsa2048.pub.pem").verify(&bytes("text"), &bytes("ed25519.sig")));
    assert!(!public("ed25519.pub.pem").verify(&bytes("text"), &bytes("rsa2048.salt-32.sig")));
    assert!(!public("rsa4096.pub.pem").verify(&bytes("text"), &bytes("rsa2048.salt-32.sig")));
}

/// Verifies signatures of every backend with the other libraries and this crate.
#[test]
fn all_libraries_verify_signatures_of_all_backends() {
    for name in ["rsa2048", "rsa4096"] {
        let key = private(&format!("{name}.pem"));
        for backend in Backend::ALL {
            let key = key.with_backend(*backend).unwrap();
            assert_eq!(key.backend(), *backend);
            let signature = key.sign(b"a message").unwrap();
            assert!(
                key.public_key().verify(b"a message", signature.as_bytes()),
                "{name}, {backend:?}"
            );
            // These only accept a salt of 32 bytes.
            let public = common::der(&text(&format!("{name}.pkcs1.pub.pem")));
            assert_eq!(
                others::rsa(&public, b"a message", signature.as_bytes()),
                Ok(()),
                "{name}, {backend:?}"
            );
            let again = key.sign(b"a message").unwrap();
            assert_ne!(signature, again, "the salt is random: {backend:?}");
        }
    }
    for backend in Backend::ALL {
        let key = private("ed25519.pem").with_backend(*backend).unwrap();
        let signature = key.sign(b"a message").unwrap();
        let public = common::der(&text("ed25519.pub.pem"));
        assert_eq!(
            others::ed25519(
                &public[public.len() - 32..],
                b"a message",
                signature.as_bytes()
            ),
            Ok(())
        );
    }
}

mod others {
    use rsa::signature::Verifier;

    type Outcome = Result<(), &'static str>;

    pub(super) fn rsa(public: &[u8], text: &[u8], signature: &[u8]) -> Outcome {
        #[cfg(feature = "aws-lc-rs")]
        {
            use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
            let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public);
            key.verify(text, signature).map_err(|_| "aws-lc-rs")?;
        }
        #[cfg(feature = "ring")]
        {
            use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
            let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public);
            key.verify(text, signature).map_err(|_| "ring")?;
        }
        let key =
            rsa::pkcs1::DecodeRsaPublicKey::from_pkcs1_der(public).map_err(|_| "rsa's key")?;
        let signature = rsa::pss::Signature::try_from(signature).map_err(|_| "rsa's signature")?;
        rsa::pss::VerifyingKey::<rsa::sha2::Sha256>::new(key)
            .verify(text, &signature)
            .map_err(|_| "rsa")
    }

    pub(super) fn ed25519(public: &[u8], text: &[u8], signature: &[u8]) -> Outcome {
        #[cfg(feature = "aws-lc-rs")]
        {
            use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
            UnparsedPublicKey::new(&ED25519, public)
                .verify(text, signature)
                .map_err(|_| "aws-lc-rs")?;
        }
        #[cfg(feature = "ring")]
        {
            use ring::signature::{ED25519, UnparsedPublicKey};
            UnparsedPublicKey::new(&ED25519, public)
                .verify(text, signature)
                .map_err(|_| "ring")?;
        }
        let key = ed25519_dalek::VerifyingKey::try_from(public).map_err(|_| "dalek's key")?;
        let signature =
            ed25519_dalek::Signature::from_slice(signature).map_err(|_| "dalek's signature")?;
        key.verify(text, &signature).map_err(|_| "dalek")
    }
}

#[test]
fn first_backend_is_the_default() {
    let key = private("ed25519.pem");
    assert_eq!(key.backend(), Backend::default());
    #[cfg(feature = "aws-lc-rs")]
    assert_eq!(key.backend(), Backend::AwsLcRs);
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    assert_eq!(key.backend(), Backend::Ring);
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    assert_eq!(key.backend(), Backend::RustCrypto);
}

/// ring accepts only RSA keys of even sizes.
#[cfg(feature = "ring")]
#[test]
fn key_rejected_by_one_backend_uses_the_next() {
    use kalshi_auth::KeyError;

    let key = private("rsa2049.pem");
    assert_ne!(key.backend(), Backend::Ring);
    assert!(
        key.public_key()
            .verify(b"a message", key.sign(b"a message").unwrap().as_bytes())
    );

    let error = key.with_backend(Backend::Ring).unwrap_err();
    assert!(
        matches!(
            error,
            KeyError::Backend {
                backend: Backend::Ring,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("sign with another backend"),
        "{error}"
    );
}

#[test]
fn generated_key_signs_and_round_trips() {
    let ed25519 = PrivateKey::generate_ed25519().unwrap();
    assert_eq!(ed25519.algorithm(), KeyAlgorithm::Ed25519);
    let keys = [
        ed25519,
        // Without AWS-LC these take too long in an unoptimised build.
        #[cfg(feature = "aws-lc-rs")]
        PrivateKey::generate_rsa(2048).unwrap(),
        #[cfg(feature = "aws-lc-rs")]
        PrivateKey::generate_rsa(4096).unwrap(),
    ];
    for key in keys {
        let again = PrivateKey::from_pem(&key.to_pkcs8_pem()).unwrap();
        assert_eq!(key.public_key(), again.public_key());
        assert!(
            key.public_key()
                .verify(b"a message", again.sign(b"a message").unwrap().as_bytes())
        );
    }
    #[cfg(feature = "aws-lc-rs")]
    for bits in [2048, 3072] {
        let rsa = PrivateKey::generate_rsa(bits).unwrap();
        assert_eq!(rsa.algorithm(), KeyAlgorithm::Rsa);
        assert_eq!(rsa.sign(b"a message").unwrap().as_bytes().len() * 8, bits);
    }
    let (a, b) = (
        PrivateKey::generate_ed25519().unwrap(),
        PrivateKey::generate_ed25519().unwrap(),
    );
    assert_ne!(a.public_key(), b.public_key());
}
