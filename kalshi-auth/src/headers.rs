//! The three headers of a signed request.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header with the API key's id: `KALSHI-ACCESS-KEY`.
pub const ACCESS_KEY: HeaderName = HeaderName::from_static("kalshi-access-key");
/// Header with the signature in base64: `KALSHI-ACCESS-SIGNATURE`.
pub const ACCESS_SIGNATURE: HeaderName = HeaderName::from_static("kalshi-access-signature");
/// Header with the time of signing in milliseconds since 1970: `KALSHI-ACCESS-TIMESTAMP`.
pub const ACCESS_TIMESTAMP: HeaderName = HeaderName::from_static("kalshi-access-timestamp");

/// The three headers of one signed request, good for one method, path and timestamp.
///
/// Key id and signature are marked sensitive, so that `Debug` and HTTP/2 header compression leave them out.
#[derive(Debug, Clone)]
pub struct SignedHeaders {
    /// Value of [`ACCESS_KEY`].
    pub key: HeaderValue,
    /// Value of [`ACCESS_TIMESTAMP`].
    pub timestamp: HeaderValue,
    /// Value of [`ACCESS_SIGNATURE`].
    pub signature: HeaderValue,
}

impl SignedHeaders {
    /// Puts the headers into `map`, and replaces those that exist.
    pub fn insert_into(self, map: &mut HeaderMap) {
        map.insert(ACCESS_KEY, self.key);
        map.insert(ACCESS_TIMESTAMP, self.timestamp);
        map.insert(ACCESS_SIGNATURE, self.signature);
    }
}
