//! Signing with AWS-LC through `aws-lc-rs`.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};

use crate::der::PrivateKeyMaterial;

pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(super) fn new(private: &PrivateKeyMaterial, pkcs8: &[u8]) -> Result<Self, String> {
        match private {
            PrivateKeyMaterial::Rsa(_) => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa),
            // Only the public key is unchecked, and version 1 of PKCS#8 does not contain it.
            PrivateKeyMaterial::Ed25519(_) => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519)
            }
        }
        .map_err(|error| error.to_string())
    }

    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature)
                    .ok()?;
                Some(signature)
            }
            // Borrowed, because the buffer of a signature has the maximum length of any algorithm.
            Self::Ed25519(key) => match &key.try_sign(text) {
                Ok(signature) => Some(signature.as_ref().to_vec()),
                Err(_) => None,
            },
        }
    }
}

/// Generates an RSA key, or returns `None` if AWS-LC does not support the size `bits`.
pub(super) fn generate_rsa(bits: usize) -> Option<Pkcs8V1Der<'static>> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => return None,
    };
    RsaKeyPair::generate(size).ok()?.as_der().ok()
}
