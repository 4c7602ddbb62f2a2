//! Signing with the pure-Rust crates `rsa` and `ed25519-dalek`.

use rsa::pss::BlindedSigningKey;
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use rsa::signature::{RandomizedSigner, SignatureEncoding, Signer};

use crate::der::PrivateKeyMaterial;

pub(crate) enum Key {
    Rsa(BlindedSigningKey<Sha256>),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Key {
    pub(super) fn new(private: &PrivateKeyMaterial) -> Self {
        match private {
            PrivateKeyMaterial::Rsa(key) => Self::Rsa(BlindedSigningKey::new(key.clone())),
            PrivateKeyMaterial::Ed25519(key) => Self::Ed25519(key.clone()),
        }
    }

    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => Some(key.try_sign_with_rng(&mut OsRng, text).ok()?.to_vec()),
            Self::Ed25519(key) => Some(key.try_sign(text).ok()?.to_bytes().to_vec()),
        }
    }
}
