//! Private keys: reading, generating, signing.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rsa::pkcs8::SecretDocument;
use rsa::rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use crate::der::{PrivateKeyMaterial, check_bits};
use crate::signing_key::{self, SigningKey};
use crate::{
    Backend, KeyAlgorithm, KeyError, PublicKey, Signature, SignerError, format, key_file, pem,
};

/// The message that every key signs when it is loaded. The signed string of a request never begins with a letter.
const SELF_TEST_TEXT: &[u8] = b"kalshi-auth self-test";

/// The private half of an API key: RSA of 2048 to 4096 bits, or Ed25519.
///
/// Parsed once and cheap to clone. `Debug` shows only the algorithm.
///
/// Keys are read from PEM: PKCS#8 (plain, or encrypted with PBES2), or PKCS#1 for RSA, under either label. Line breaks
/// may be `\n`, `\r\n`, or a literal backslash followed by `n`, as is common in environment variables. Quotes, white space
/// and other content may surround the PEM, and the whole may be encoded in base64.
///
/// A key is tested when it is loaded: it signs a fixed message, and its public half verifies the signature.
///
/// The work of loading a key is bounded. The input may have at most 64 KiB, and a file must be read within 5 s.
/// The encryption of a key may use at most 5,000,000 iterations of PBKDF2, or scrypt with N·r·p up to 4,194,304
/// and 256 MiB of memory.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    pkcs8: SecretDocument,
    public: PublicKey,
    backend: Backend,
    signing: SigningKey,
}

impl PrivateKey {
    /// Reads an unencrypted key.
    ///
    /// # Errors
    /// Returns an error if `pem` does not contain a usable key. The error names what it contains instead.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::read(pem, None)
    }

    /// Reads an encrypted key. The passphrase is ignored if the key is not encrypted.
    ///
    /// # Errors
    /// Returns an error if the passphrase is wrong, or in the cases of [`from_pem`](Self::from_pem).
    pub fn from_pem_with_passphrase(pem: &str, passphrase: &str) -> Result<Self, KeyError> {
        Self::read(pem, Some(passphrase))
    }

    /// Reads an unencrypted key from a PEM file.
    ///
    /// Symbolic links are followed, and pipes are read until they are closed. This blocks for at most 5 s;
    /// after a timeout, a thread keeps waiting for the file. On Unix, a `tracing` warning is logged if other
    /// users may read the file.
    ///
    /// # Errors
    /// Returns an error if the file is missing, unreadable, larger than 64 KiB, not UTF-8 or not read within 5 s, or in
    /// the cases of [`from_pem`](Self::from_pem). Errors show the path unless it may be a secret.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path.as_ref(), None)
    }

    /// Reads an encrypted key from a PEM file.
    ///
    /// # Errors
    /// Returns an error if the passphrase is wrong, or in the cases of [`from_file`](Self::from_file).
    pub fn from_file_with_passphrase(
        path: impl AsRef<Path>,
        passphrase: &str,
    ) -> Result<Self, KeyError> {
        Self::read_file(path.as_ref(), Some(passphrase))
    }

    /// Generates an Ed25519 key, for tests and mock servers.
    ///
    /// # Errors
    /// Returns an error if the system's random number generator fails.
    pub fn generate_ed25519() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        OsRng
            .try_fill_bytes(seed.as_mut_slice())
            .map_err(|error| KeyError::Generate(error.into()))?;
        Self::new(
            &PrivateKeyMaterial::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)),
            None,
        )
    }

    /// Generates an RSA key of `bits` bits (2048 to 4096), for tests and mock servers.
    ///
    /// Without the feature `aws-lc-rs` this takes seconds in an unoptimised build, and half a minute for 4096 bits.
    ///
    /// # Errors
    /// Returns an error if `bits` is out of range or the system's random number generator fails.
    pub fn generate_rsa(bits: usize) -> Result<Self, KeyError> {
        check_bits(bits)?;
        Self::new(&signing_key::generate_rsa(bits)?, None)
    }

    pub(crate) fn read(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let private = PrivateKeyMaterial::from_pem(text, passphrase)?;
        if private.has_small_exponent() {
            tracing::warn!(
                "the public exponent of this RSA key is less than 65537; create a new key with the usual exponent"
            );
        }
        Self::new(&private, None)
    }

    pub(crate) fn read_file(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let bytes = key_file::read(path)?;
        if let Some(error) = format::unsupported_format(&bytes) {
            return Err(error);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotUtf8 {
            path: key_file::displayable(path),
        })?;
        Self::read(text, passphrase)
    }

    fn new(private: &PrivateKeyMaterial, backend: Option<Backend>) -> Result<Self, KeyError> {
        let pkcs8 = private.to_pkcs8()?;
        let public = PublicKey::new(private.public())?;
        let (backend, signing) = match backend {
            Some(backend) => (
                backend,
                SigningKey::new(backend, private, pkcs8.as_bytes())?,
            ),
            None => SigningKey::preferred(private, pkcs8.as_bytes()),
        };
        let is_verified = signing
            .sign(SELF_TEST_TEXT)
            .is_some_and(|signature| public.verify(SELF_TEST_TEXT, &signature));
        if !is_verified {
            return Err(KeyError::SelfTestFailed);
        }
        Ok(Self(Arc::new(Inner {
            pkcs8,
            public,
            backend,
            signing,
        })))
    }

    /// Returns the same key with `backend` as its signing library. For comparisons and tests.
    ///
    /// # Errors
    /// Returns an error if the backend rejects this key.
    pub fn with_backend(&self, backend: Backend) -> Result<Self, KeyError> {
        Self::new(
            &PrivateKeyMaterial::from_pkcs8(self.0.pkcs8.as_bytes())?,
            Some(backend),
        )
    }

    /// Returns the library that signs: the default [`Backend`], or the next one if the default rejects this key. In
    /// that case a `tracing` warning is logged when the key is loaded.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    /// Returns the algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.public.algorithm()
    }

    /// Returns the public half, which is registered with the exchange.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.public.clone()
    }

    /// Signs `text`, which is built by [`signing_text`](crate::signing_text).
    ///
    /// RSA signatures of the same message differ, because their salt is random.
    ///
    /// # Errors
    /// Returns an error if the signing library fails, for example if no random numbers are available.
    pub fn sign(&self, text: &[u8]) -> Result<Signature, SignerError> {
        self.0
            .signing
            .sign(text)
            .map(Signature::new)
            .ok_or(SignerError::Backend {
                backend: self.0.backend,
            })
    }

    /// Returns the key as unencrypted PKCS#8 PEM.
    ///
    /// Anyone who reads this string can trade on your account. Write it only to files that no one else may read, and
    /// never to logs. It is wiped from memory when dropped; copies of it are not.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        pem::write("PRIVATE KEY", self.0.pkcs8.as_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
