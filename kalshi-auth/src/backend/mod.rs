//! The libraries that can sign, behind one type.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod pure;
#[cfg(feature = "ring")]
mod ring;

use rsa::rand_core::OsRng;

use crate::KeyError;
use crate::der::Private;

/// A library that signs. Which ones there are depends on the crate's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// AWS-LC, through `aws-lc-rs` (feature `aws-lc-rs`, on by default).
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// `ring` (feature `ring`). It does not wipe keys from memory when they are dropped, and takes no RSA keys of
    /// unusual sizes; those are signed with by `RustCrypto`.
    #[cfg(feature = "ring")]
    Ring,
    /// The `rsa` and `ed25519-dalek` crates: all Rust, always there, slower. RSA is blinded against timing attacks.
    RustCrypto,
}

impl Backend {
    /// Every backend of this build, the default one first.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
        #[cfg(feature = "ring")]
        Self::Ring,
        Self::RustCrypto,
    ];
}

/// `AwsLcRs` if it is there, or else `Ring`, or else `RustCrypto`.
impl Default for Backend {
    fn default() -> Self {
        Self::ALL[0]
    }
}

/// A private key as one of the libraries holds it.
pub(crate) enum SigningKey {
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs(aws_lc::Key),
    #[cfg(feature = "ring")]
    Ring(Box<ring::Key>),
    RustCrypto(Box<pure::Key>),
}

impl SigningKey {
    /// `private` as `backend` holds it; `pkcs8` is its DER.
    pub(crate) fn new(
        backend: Backend,
        private: &Private,
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

    /// `private` as the first backend holds it that takes it. `RustCrypto`, the last, takes all.
    pub(crate) fn preferred(private: &Private, pkcs8: &[u8]) -> (Backend, Self) {
        let takes = |backend: &Backend| Some((*backend, Self::new(*backend, private, pkcs8).ok()?));
        let pure = || {
            (
                Backend::RustCrypto,
                Self::RustCrypto(Box::new(pure::Key::new(private))),
            )
        };
        Backend::ALL.iter().find_map(takes).unwrap_or_else(pure)
    }

    /// The bytes of a signature of `text`, or nothing if the library failed.
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

/// A new RSA key. AWS-LC makes the usual sizes much faster.
pub(crate) fn generate_rsa(bits: usize) -> Result<Private, KeyError> {
    #[cfg(feature = "aws-lc-rs")]
    if let Some(pkcs8) = aws_lc::generate_rsa(bits) {
        return Private::from_pkcs8(pkcs8.as_ref());
    }
    let key = rsa::RsaPrivateKey::new(&mut OsRng, bits)
        .map_err(|error| KeyError::Generate(error.into()))?;
    Ok(Private::Rsa(key))
}
