//! Private keys: reading, making, signing.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rsa::pkcs8::SecretDocument;
use rsa::rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use crate::der::{Private, check_bits};
use crate::signing_key::{self, SigningKey};
use crate::{Backend, KeyAlgorithm, KeyError, PublicKey, SignError, Signature, pem};

/// The private half of an API key: RSA of 2048 to 4096 bits, or Ed25519.
///
/// Parsed once and cheap to clone. `Debug` shows its kind only.
///
/// It is read from PEM: PKCS#8 (plain, or encrypted with PBES2), or PKCS#1 for RSA. Line breaks may be `\r\n` or
/// written as a backslash and an n, as they often are in environment variables, and white space may stand around.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    pkcs8: SecretDocument,
    public: PublicKey,
    backend: Backend,
    signing: SigningKey,
}

impl PrivateKey {
    /// Reads a key that is not encrypted.
    ///
    /// # Errors
    /// If `pem` holds no usable key; the error says what it holds instead.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::read(pem, None)
    }

    /// Reads an encrypted key. For a key that is not encrypted the passphrase plays no part.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and if the passphrase is wrong.
    pub fn from_pem_with_passphrase(pem: &str, passphrase: &str) -> Result<Self, KeyError> {
        Self::read(pem, Some(passphrase))
    }

    /// Reads a key that is not encrypted from a PEM file.
    ///
    /// On Unix, a file that others may read is reported with a `tracing` warning.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and if the file is missing, unreadable or no text.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path.as_ref(), None)
    }

    /// Reads an encrypted key from a PEM file.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file), and if the passphrase is wrong.
    pub fn from_file_with_passphrase(
        path: impl AsRef<Path>,
        passphrase: &str,
    ) -> Result<Self, KeyError> {
        Self::read_file(path.as_ref(), Some(passphrase))
    }

    /// Makes an Ed25519 key: for tests, first steps and local exchanges.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate_ed25519() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        OsRng
            .try_fill_bytes(seed.as_mut_slice())
            .map_err(|error| KeyError::Generate(error.into()))?;
        Self::new(
            &Private::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)),
            None,
        )
    }

    /// Makes an RSA key of `bits` bits (2048 to 4096): for tests, first steps and local exchanges.
    ///
    /// Without the feature `aws-lc-rs` this takes seconds in an unoptimised build, and half a minute for 4096 bits.
    ///
    /// # Errors
    /// If `bits` is out of range or the system gives no random numbers.
    pub fn generate_rsa(bits: usize) -> Result<Self, KeyError> {
        check_bits(bits)?;
        Self::new(&signing_key::generate_rsa(bits)?, None)
    }

    pub(crate) fn read(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        Self::new(&Private::from_pem(text, passphrase)?, None)
    }

    pub(crate) fn read_file(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        // The errors below show the path.
        if path.to_string_lossy().contains("-----BEGIN") {
            return Err(KeyError::PemInPlaceOfPath);
        }
        let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound => KeyError::FileNotFound { path, source },
                _ => KeyError::FileUnreadable { path, source },
            }
        })?;
        warn_if_open_to_others(path);
        let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotUtf8 {
            path: path.to_owned(),
        })?;
        Self::read(text, passphrase)
    }

    fn new(private: &Private, backend: Option<Backend>) -> Result<Self, KeyError> {
        let pkcs8 = private.to_pkcs8()?;
        let public = PublicKey::new(private.public())?;
        let (backend, signing) = match backend {
            Some(backend) => (
                backend,
                SigningKey::new(backend, private, pkcs8.as_bytes())?,
            ),
            None => SigningKey::preferred(private, pkcs8.as_bytes()),
        };
        Ok(Self(Arc::new(Inner {
            pkcs8,
            public,
            backend,
            signing,
        })))
    }

    /// The same key, signing with `backend`. For comparisons and tests.
    ///
    /// # Errors
    /// If that backend does not take this key.
    pub fn with_backend(&self, backend: Backend) -> Result<Self, KeyError> {
        Self::new(
            &Private::from_pkcs8(self.0.pkcs8.as_bytes())?,
            Some(backend),
        )
    }

    /// The library that signs: the default [`Backend`], or the next one if that does not take this key.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    /// The kind of this key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.public.algorithm()
    }

    /// The public half, as the exchange holds it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.public.clone()
    }

    /// Signs `text`, see [`signing_text`](crate::signing_text).
    ///
    /// An RSA signature of the same text differs each time, as its salt is random.
    ///
    /// # Errors
    /// If the signing library fails, e.g. for want of random numbers.
    pub fn sign(&self, text: &[u8]) -> Result<Signature, SignError> {
        self.0
            .signing
            .sign(text)
            .map(Signature::new)
            .ok_or(SignError::Backend {
                backend: self.0.backend,
            })
    }

    /// The key as unencrypted PKCS#8 PEM.
    ///
    /// Whoever reads this text can trade as you. Write it only to files that no one else may read, and never to logs.
    /// It is wiped from memory when dropped; copies made of it are not.
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

#[cfg(unix)]
fn warn_if_open_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = std::fs::metadata(path) else {
        return;
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!("other users may read the key file {path}; run `chmod 600 {path}`");
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_path: &Path) {}
