//! Signing libraries to choose from.

/// Signing library. The features of the crate decide which variants exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// AWS-LC, through `aws-lc-rs` (feature `aws-lc-rs`, on by default).
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// `ring` (feature `ring`). It does not wipe keys from memory when they are dropped. It rejects RSA keys of
    /// unusual sizes and with small exponents; `RustCrypto` signs with those.
    #[cfg(feature = "ring")]
    Ring,
    /// The `rsa` and `ed25519-dalek` crates: pure Rust, always available, slower. RSA is blinded against timing attacks.
    RustCrypto,
}

impl Backend {
    /// All backends of this build, the default first.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
        #[cfg(feature = "ring")]
        Self::Ring,
        Self::RustCrypto,
    ];
}

/// The first available of `AwsLcRs`, `Ring` and `RustCrypto`.
impl Default for Backend {
    fn default() -> Self {
        Self::ALL[0]
    }
}
