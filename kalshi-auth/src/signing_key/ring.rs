//! Signing with the `ring` crate.

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};

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
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ed25519(key) => Some(key.sign(text).as_ref().to_vec()),
        }
    }
}
