//! The three headers of a signed request.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header with the API key id: `KALSHI-ACCESS-KEY`.
pub const ACCESS_KEY: HeaderName = HeaderName::from_static("kalshi-access-key");
/// The header with the signature in base64: `KALSHI-ACCESS-SIGNATURE`.
pub const ACCESS_SIGNATURE: HeaderName = HeaderName::from_static("kalshi-access-signature");
/// The header with the time of signing in Unix milliseconds: `KALSHI-ACCESS-TIMESTAMP`.
pub const ACCESS_TIMESTAMP: HeaderName = HeaderName::from_static("kalshi-access-timestamp");

/// The three headers of a signed request, valid for one method, path and timestamp.
///
/// The key id and the signature are marked as sensitive, so that `Debug` and HTTP/2 header compression omit them.
#[derive(Debug, Clone)]
pub struct SignedHeaders {
    /// The value of the [`ACCESS_KEY`] header.
    pub key: HeaderValue,
    /// The value of the [`ACCESS_TIMESTAMP`] header.
    pub timestamp: HeaderValue,
    /// The value of the [`ACCESS_SIGNATURE`] header.
    pub signature: HeaderValue,
}

impl SignedHeaders {
    /// Inserts the headers into `map`, replacing existing ones.
    pub fn insert_into(self, map: &mut HeaderMap) {
        map.insert(ACCESS_KEY, self.key);
        map.insert(ACCESS_TIMESTAMP, self.timestamp);
        map.insert(ACCESS_SIGNATURE, self.signature);
    }
}
