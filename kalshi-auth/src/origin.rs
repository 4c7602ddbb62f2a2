//! The one origin that credentials may be sent to.

use reqwest::Url;

use crate::SigningMiddlewareError;

/// Scheme, host and port of a URL, whose other parts are ignored.
#[derive(Debug, Clone)]
pub(crate) struct Origin(Url);

impl Origin {
    pub(crate) fn new(url: &Url) -> Self {
        Self(url.clone())
    }

    /// Returns an error for a URL of another origin. Compared in place: `Url::origin` copies the host.
    pub(crate) fn check(&self, url: &Url) -> Result<(), SigningMiddlewareError> {
        let is_same = url.scheme() == self.0.scheme()
            && url.host() == self.0.host()
            && url.port_or_known_default() == self.0.port_or_known_default();
        if is_same {
            return Ok(());
        }
        Err(SigningMiddlewareError::OtherOrigin {
            expected: self.0.origin().ascii_serialization(),
            found: url.origin().ascii_serialization(),
        })
    }
}
