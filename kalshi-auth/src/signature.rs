//! The bytes of a signature.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};

/// The bytes of a signature. `Debug` shows only their number.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Vec<u8>);

impl Signature {
    /// Wraps a signature made elsewhere, for example by a key management service. For an RSA key these are the bytes of
    /// the RSASSA-PSS signature, for an Ed25519 key the 64 bytes `R || S`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the raw signature bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Encodes the signature in standard base64 with padding, as the `KALSHI-ACCESS-SIGNATURE` header requires.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({} bytes)", self.0.len())
    }
}
