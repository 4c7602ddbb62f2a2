//! Credentials: the id of an API key and its signer.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use zeroize::Zeroizing;

use crate::signer::DynSigner;
use crate::{
    CredentialsError, KeyError, PrivateKey, SignedHeaders, Signer, SignerError, format,
    signing_text,
};

/// An API key: its id, and the private key or another [`Signer`] that signs for it.
///
/// Cheap to clone. `Debug` shows neither the id nor the key.
#[derive(Clone)]
pub struct Credentials {
    key_id: Arc<str>,
    key_header: HeaderValue,
    signer: SignerKind,
}

#[derive(Clone)]
enum SignerKind {
    Local(PrivateKey),
    Custom(Arc<dyn DynSigner>),
}

impl Credentials {
    /// Creates credentials that sign with a private key held in this process.
    ///
    /// # Errors
    /// Returns an error if `key_id` is empty, is a key itself, or cannot be sent as a header.
    pub fn new(key_id: impl Into<String>, key: PrivateKey) -> Result<Self, CredentialsError> {
        Self::build(key_id.into(), SignerKind::Local(key))
    }

    /// Creates credentials that sign with a custom [`Signer`], e.g. a key management service.
    ///
    /// # Errors
    /// Returns an error if `key_id` is empty, is a key itself, or cannot be sent as a header.
    pub fn with_signer(
        key_id: impl Into<String>,
        signer: impl Signer,
    ) -> Result<Self, CredentialsError> {
        Self::build(key_id.into(), SignerKind::Custom(Arc::new(signer)))
    }

    fn build(key_id: String, signer: SignerKind) -> Result<Self, CredentialsError> {
        // It may be a misplaced key, so it is wiped unless it is used.
        let key_id = Zeroizing::new(key_id);
        let mut key_header = key_id_header(&key_id)?;
        key_header.set_sensitive(true);
        Ok(Self {
            key_id: key_id.as_str().into(),
            key_header,
            signer,
        })
    }

    /// Reads credentials for the production exchange from the environment:
    ///
    /// - `KALSHI_API_KEY_ID`: the API key's id
    /// - `KALSHI_PRIVATE_KEY`: the private key's PEM (line breaks may be written `\n`, and the whole may be base64), or
    ///   else `KALSHI_PRIVATE_KEY_PATH`: the path of the file that holds it
    /// - `KALSHI_PRIVATE_KEY_PASSPHRASE`: its passphrase, if it has one
    ///
    /// An empty variable counts as unset. Quotes around the id, the PEM and the path are removed, because some
    /// loaders of `.env` files keep them. Errors show no value, except a path that cannot be a secret.
    ///
    /// # Errors
    /// Returns an error if a variable is missing, if both variables for the key are set, or if the key is unusable.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_lookup("KALSHI_", |name| std::env::var_os(name))
    }

    /// Reads credentials for the demo exchange. Works as [`from_env`](Self::from_env), with names that begin with
    /// `KALSHI_DEMO_` (`KALSHI_DEMO_API_KEY_ID`, `KALSHI_DEMO_PRIVATE_KEY`, ...).
    ///
    /// # Errors
    /// Returns an error in the cases of [`from_env`](Self::from_env).
    pub fn demo_from_env() -> Result<Self, CredentialsError> {
        Self::from_lookup("KALSHI_DEMO_", |name| std::env::var_os(name))
    }

    /// Reads credentials from variables whose names begin with `prefix` and whose values `lookup` returns. Works as
    /// [`from_env`](Self::from_env) otherwise.
    ///
    /// # Errors
    /// Returns an error in the cases of [`from_env`](Self::from_env).
    pub fn from_lookup(
        prefix: &str,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CredentialsError> {
        // Some parsers of env files leave the quotes of an empty value.
        let get = |name: &str| {
            lookup(name).filter(|value| !format::unquoted(value.as_encoded_bytes()).is_empty())
        };
        let id_variable = format!("{prefix}API_KEY_ID");
        let pem_variable = format!("{prefix}PRIVATE_KEY");
        let path_variable = format!("{prefix}PRIVATE_KEY_PATH");
        let passphrase_variable = format!("{prefix}PRIVATE_KEY_PASSPHRASE");

        let Some(key_id) = get(&id_variable) else {
            return Err(CredentialsError::KeyIdNotSet {
                variable: id_variable,
            });
        };
        let key_id = utf8_value(key_id, &id_variable)?;
        let key_id = format::unquoted_str(&key_id);
        // Checked before it is copied, because it may be a misplaced key.
        key_id_header(key_id)?;
        let pem = get(&pem_variable)
            .map(|value| utf8_value(value, &pem_variable))
            .transpose()?;
        let path = get(&path_variable);
        let passphrase = lookup(&passphrase_variable)
            .filter(|value| !value.is_empty())
            .map(|value| utf8_value(value, &passphrase_variable))
            .transpose()?;
        let passphrase = passphrase.as_ref().map(|passphrase| passphrase.as_str());

        let (variable, key) = match (pem, path) {
            (Some(pem), None) => (pem_variable, PrivateKey::read(&pem, passphrase)),
            (None, Some(path)) => {
                let key = PrivateKey::read_file(unquoted_path(&path), passphrase);
                drop(Zeroizing::new(path.into_encoded_bytes()));
                (path_variable, key)
            }
            (None, None) => {
                return Err(CredentialsError::KeyNotSet {
                    pem_variable,
                    path_variable,
                });
            }
            (Some(_), Some(_)) => {
                return Err(CredentialsError::BothKeysSet {
                    pem_variable,
                    path_variable,
                });
            }
        };
        let key = key.map_err(|source: KeyError| CredentialsError::Key { variable, source })?;
        Self::new(key_id, key)
    }

    /// Returns the API key's id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns the headers that sign one request, made at `timestamp_ms` (milliseconds since 1970).
    ///
    /// `path` is the path as sent, see [`signing_text`]. For a WebSocket, sign the handshake: method `GET`, path
    /// `/trade-api/ws/v2`.
    ///
    /// # Errors
    /// Returns an error if the signer fails.
    pub async fn headers(
        &self,
        timestamp_ms: u64,
        method: &str,
        path: &str,
    ) -> Result<SignedHeaders, SignerError> {
        let text = signing_text(timestamp_ms, method, path);
        let signature = match &self.signer {
            SignerKind::Local(key) => key.sign(text.as_bytes())?,
            SignerKind::Custom(signer) => signer.sign_boxed(text.as_bytes()).await?,
        };
        let mut signature =
            HeaderValue::try_from(signature.to_base64()).map_err(SignerError::signer)?;
        signature.set_sensitive(true);
        Ok(SignedHeaders {
            key: self.key_header.clone(),
            timestamp: timestamp_ms.into(),
            signature,
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signer = match &self.signer {
            SignerKind::Local(_) => "PrivateKey",
            SignerKind::Custom(_) => "Signer",
        };
        f.debug_struct("Credentials")
            .field("signer", &signer)
            .finish_non_exhaustive()
    }
}

/// Checks a key id and returns it as a header value.
fn key_id_header(key_id: &str) -> Result<HeaderValue, CredentialsError> {
    if key_id.is_empty() {
        return Err(CredentialsError::EmptyKeyId);
    }
    // A key must not be sent to anyone, not even to the exchange.
    if format::is_key_or_part(key_id.as_bytes()) {
        return Err(CredentialsError::KeyInsteadOfKeyId);
    }
    // Stricter than `HeaderValue`: HTTP trims outer spaces, so the exchange would receive another id.
    if !key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CredentialsError::InvalidKeyId);
    }
    HeaderValue::from_str(key_id).map_err(|_| CredentialsError::InvalidKeyId)
}

/// Removes quotes around a path. A path that is not UTF-8 is returned unchanged.
fn unquoted_path(path: &OsStr) -> &Path {
    match path.to_str() {
        Some(path) => Path::new(format::unquoted_str(path.trim())),
        None => Path::new(path),
    }
}

/// Returns the value of a variable as a string. It is wiped when dropped, because it may be a secret.
pub(crate) fn utf8_value(
    value: OsString,
    variable: &str,
) -> Result<Zeroizing<String>, CredentialsError> {
    match String::from_utf8(value.into_encoded_bytes()) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(CredentialsError::NotUtf8 {
                variable: variable.to_owned(),
            })
        }
    }
}
