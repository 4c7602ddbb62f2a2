//! Public keys: parsing, encoding and verification.

use std::fmt;

use ed25519_dalek::Signature as Ed25519Signature;
use rsa::RsaPublicKey;
use rsa::pkcs8::EncodePublicKey;
use rsa::pss;
use rsa::sha2::{Digest, Sha256};
use rsa::signature::hazmat::PrehashVerifier;
use rsa::traits::PublicKeyParts;

use crate::der::PublicKeyMaterial;
use crate::{KeyAlgorithm, KeyError, pem};

/// The length of a SHA-256 digest in bytes, which is also the usual length of the salt.
const DIGEST_LENGTH: usize = 32;

/// The public half of an API key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: PublicKeyMaterial,
    pem: String,
    /// SHA-256 of the DER.
    digest: [u8; DIGEST_LENGTH],
}

impl PublicKey {
    pub(crate) fn new(key: PublicKeyMaterial) -> Result<Self, KeyError> {
        let der = match &key {
            PublicKeyMaterial::Rsa(key) => key.to_public_key_der(),
            PublicKeyMaterial::Ed25519(key) => key.to_public_key_der(),
        };
        let der = der.map_err(|error| KeyError::Malformed {
            reason: "it cannot be encoded",
            source: Some(error.into()),
        })?;
        let pem = pem::write("PUBLIC KEY", der.as_bytes()).to_string();
        let digest = Sha256::digest(der.as_bytes()).into();
        Ok(Self { key, pem, digest })
    }

    /// Reads a public key from PEM: SubjectPublicKeyInfo, or PKCS#1 for RSA, under either label (`PUBLIC KEY`, `RSA
    /// PUBLIC KEY`). The PEM may be encoded in base64, and may have at most 64 KiB.
    ///
    /// # Errors
    /// Returns an error if `pem` does not contain a usable public key. The error names what it contains instead.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::new(PublicKeyMaterial::from_pem(pem)?)
    }

    /// Encodes the key as SubjectPublicKeyInfo in PEM, the format that the exchange accepts.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.pem.clone()
    }

    /// Returns the SHA-256 of the key as SubjectPublicKeyInfo, in hexadecimal, as
    /// `openssl pkey -pubout -outform DER | openssl sha256` prints it. It identifies a key without showing it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        use fmt::Write;

        self.digest.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Returns the algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.key {
            PublicKeyMaterial::Rsa(_) => KeyAlgorithm::Rsa,
            PublicKeyMaterial::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// Returns `true` if `signature` was made over `text` with the private half.
    ///
    /// RSA-PSS signatures may have a salt of any length, since the exchange accepts any length too.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            PublicKeyMaterial::Rsa(key) => verify_pss(key, text, signature),
            PublicKeyMaterial::Ed25519(key) => Ed25519Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

fn verify_pss(key: &RsaPublicKey, text: &[u8], signature: &[u8]) -> bool {
    let digest = Sha256::digest(text);
    let Ok(parsed) = pss::Signature::try_from(signature) else {
        return false;
    };
    let matches = |salt_length| {
        let verifier = pss::VerifyingKey::<Sha256>::new_with_salt_len(key.clone(), salt_length);
        verifier.verify_prehash(&digest, &parsed).is_ok()
    };
    matches(DIGEST_LENGTH)
        || salt_length(key, signature)
            .is_some_and(|length| length != DIGEST_LENGTH && matches(length))
}

/// Returns the length of the salt inside a signature. `pss::VerifyingKey`, which requires the length,
/// then verifies the signature.
fn salt_length(key: &RsaPublicKey, signature: &[u8]) -> Option<usize> {
    let number = rsa::BigUint::from_bytes_be(signature);
    if signature.len() != key.size() || number >= *key.n() {
        return None;
    }
    // RFC 8017, 9.1.2: the encoded message is DB (masked), H, 0xbc; DB is zeroes, 0x01, salt.
    let encoded = rsa::hazmat::rsa_encrypt(key, &number).ok()?.to_bytes_be();
    let masked_length = (key.n().bits() - 1)
        .div_ceil(8)
        .checked_sub(DIGEST_LENGTH + 1)?;
    // `to_bytes_be` drops leading zero bytes, which belong to DB.
    let leading_zeros = (masked_length + DIGEST_LENGTH + 1).checked_sub(encoded.len())?;
    let (masked, rest) = encoded.split_at_checked(masked_length.checked_sub(leading_zeros)?)?;
    let mask = mgf1(&rest[..DIGEST_LENGTH], masked_length);
    let spare_bits = 8 * (masked_length + DIGEST_LENGTH + 1) - (key.n().bits() - 1);

    let mut block = vec![0; leading_zeros];
    block.extend_from_slice(masked);
    for (byte, mask) in block.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    block[0] &= 0xff >> spare_bits;
    let separator = block.iter().position(|byte| *byte != 0)?;
    (block[separator] == 1).then(|| masked_length - separator - 1)
}

/// The mask generation function of RFC 8017, B.2.1, with SHA-256.
fn mgf1(seed: &[u8], length: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|counter| {
        Sha256::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes())
            .finalize()
    });
    blocks.flatten().take(length).collect()
}
