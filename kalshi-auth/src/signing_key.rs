//! Private keys in the representations of the signing libraries.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod pure;
#[cfg(feature = "ring")]
mod ring;

use rsa::rand_core::OsRng;

use crate::der::PrivateKeyMaterial;
use crate::{Backend, KeyError};

/// A private key in the representation of one library.
pub(crate) enum SigningKey {
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs(aws_lc::Key),
    #[cfg(feature = "ring")]
    Ring(Box<ring::Key>),
    RustCrypto(Box<pure::Key>),
}

impl SigningKey {
    /// Converts `private` for `backend`. `pkcs8` is the DER encoding of the same key.
    pub(crate) fn new(
        backend: Backend,
        private: &PrivateKeyMaterial,
        #[cfg_attr(
            not(any(feature = "aws-lc-rs", feature = "ring")),
            expect(unused_variables)
        )]
        pkcs8: &[u8],
    ) -> Result<Self, KeyError> {
        #[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
        let rejected = |reason: String| KeyError::Backend { backend, reason };
        Ok(match backend {
            #[cfg(feature = "aws-lc-rs")]
            Backend::AwsLcRs => Self::AwsLcRs(aws_lc::Key::new(private, pkcs8).map_err(rejected)?),
            #[cfg(feature = "ring")]
            Backend::Ring => {
                Self::Ring(Box::new(ring::Key::new(private, pkcs8).map_err(rejected)?))
            }
            Backend::RustCrypto => Self::RustCrypto(Box::new(pure::Key::new(private))),
        })
    }

    /// Converts `private` for the first backend that accepts it. `RustCrypto`, the last one, accepts every key. Logs a
    /// warning if the default backend rejects the key.
    pub(crate) fn preferred(private: &PrivateKeyMaterial, pkcs8: &[u8]) -> (Backend, Self) {
        let mut rejection = None;
        let mut chosen = None;
        for backend in Backend::ALL {
            match Self::new(*backend, private, pkcs8) {
                Ok(key) => {
                    chosen = Some((*backend, key));
                    break;
                }
                Err(error) => rejection = rejection.or(Some(error)),
            }
        }
        let (backend, key) = chosen.unwrap_or_else(|| {
            (
                Backend::RustCrypto,
                Self::RustCrypto(Box::new(pure::Key::new(private))),
            )
        });
        if let Some(KeyError::Backend {
            backend: preferred,
            reason,
        }) = rejection
        {
            tracing::warn!(
                ?preferred,
                reason,
                ?backend,
                "the preferred library rejected this key; another one signs"
            );
        }
        (backend, key)
    }

    /// Signs `text`. Returns `None` if the library fails.
    pub(crate) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs(key) => key.sign(text),
            #[cfg(feature = "ring")]
            Self::Ring(key) => key.sign(text),
            Self::RustCrypto(key) => key.sign(text),
        }
    }
}

/// Generates an RSA key. AWS-LC is much faster but supports only the usual sizes.
pub(crate) fn generate_rsa(bits: usize) -> Result<PrivateKeyMaterial, KeyError> {
    #[cfg(feature = "aws-lc-rs")]
    if let Some(pkcs8) = aws_lc::generate_rsa(bits) {
        return PrivateKeyMaterial::from_pkcs8(pkcs8.as_ref());
    }
    let key = rsa::RsaPrivateKey::new(&mut OsRng, bits)
        .map_err(|error| KeyError::Generate(error.into()))?;
    Ok(PrivateKeyMaterial::Rsa(key))
}
