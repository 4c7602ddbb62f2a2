//! Signing that may be performed outside this process.

use std::pin::Pin;

use crate::{PrivateKey, Signature, SignerError};

/// A signer of requests: a [`PrivateKey`], or a key that stays in a key management service or a hardware module.
///
/// An RSA signer must return RSASSA-PSS signatures with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes. An Ed25519
/// signer must return plain Ed25519 signatures. Both sign `text` itself rather than a digest of it.
///
/// ```
/// use kalshi_auth::{SignerError, Signature, Signer};
///
/// struct Kms;
/// # impl Kms {
/// #     async fn call(&self, _text: &[u8]) -> std::io::Result<Vec<u8>> { Ok(vec![0; 256]) }
/// # }
///
/// impl Signer for Kms {
///     async fn sign(&self, text: &[u8]) -> Result<Signature, SignerError> {
///         let bytes = self.call(text).await.map_err(SignerError::signer)?;
///         Ok(Signature::new(bytes))
///     }
/// }
/// ```
pub trait Signer: Send + Sync + 'static {
    /// Signs `text`, the message built by [`signing_text`](crate::signing_text).
    ///
    /// # Errors
    /// Returns an error if signing fails. The request is then not sent.
    fn sign(&self, text: &[u8]) -> impl Future<Output = Result<Signature, SignerError>> + Send;
}

impl Signer for PrivateKey {
    async fn sign(&self, text: &[u8]) -> Result<Signature, SignerError> {
        Self::sign(self, text)
    }
}

/// An object-safe form of [`Signer`].
pub(crate) trait DynSigner: Send + Sync {
    fn sign_boxed<'a>(
        &'a self,
        text: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Signature, SignerError>> + Send + 'a>>;
}

impl<S: Signer> DynSigner for S {
    fn sign_boxed<'a>(
        &'a self,
        text: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Signature, SignerError>> + Send + 'a>> {
        Box::pin(self.sign(text))
    }
}
