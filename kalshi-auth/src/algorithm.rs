//! Key algorithms supported by the exchange.

/// The algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA with RSASSA-PSS, SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
    Rsa,
    /// Ed25519 as in RFC 8032, without a prehash.
    Ed25519,
}
