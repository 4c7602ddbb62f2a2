//! Cryptography libraries available for signing.

/// A library that signs. The crate's features determine which variants exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// AWS-LC, through `aws-lc-rs` (feature `aws-lc-rs`, on by default).
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// `ring` (feature `ring`). It does not wipe keys from memory when they are dropped. It rejects RSA keys of unusual
    /// sizes or with small exponents, which `RustCrypto` accepts.
    #[cfg(feature = "ring")]
    Ring,
    /// The `rsa` and `ed25519-dalek` crates: pure Rust, always available, slower. RSA is
    /// blinded against timing attacks.
    RustCrypto,
}

impl Backend {
    /// All backends of this build, starting with the default.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
        #[cfg(feature = "ring")]
        Self::Ring,
        Self::RustCrypto,
    ];
}

/// Returns the first available of `AwsLcRs`, `Ring` and `RustCrypto`.
impl Default for Backend {
    fn default() -> Self {
        Self::ALL[0]
    }
}
