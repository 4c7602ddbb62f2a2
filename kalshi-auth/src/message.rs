//! The string that a request's signature covers.

use std::fmt::Write;

/// Returns the string to sign for a request: `timestamp_ms`, `method` in upper case, and `path`, without separators.
///
/// `path` is the path of the URL exactly as it is sent, with unchanged percent-encoding and with its prefix
/// (`/trade-api/v2/...`). Anything from the first `?` or `#` is excluded: the exchange responds with 401 to a signature
/// that covers the query.
///
/// ```
/// let text = kalshi_auth::signing_text(1_700_000_000_000, "get", "/trade-api/v2/markets?limit=5");
/// assert_eq!(text, "1700000000000GET/trade-api/v2/markets");
/// ```
#[must_use]
pub fn signing_text(timestamp_ms: u64, method: &str, path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    signing_text_with_query(timestamp_ms, method, &path[..end])
}

/// Returns the [`signing_text`] for the whole path, including its query.
pub(crate) fn signing_text_with_query(timestamp_ms: u64, method: &str, path: &str) -> String {
    // 13 digits until the year 2286.
    let mut text = String::with_capacity(13 + method.len() + path.len());
    // Writing to a string cannot fail.
    _ = write!(text, "{timestamp_ms}");
    text.extend(method.chars().map(|letter| letter.to_ascii_uppercase()));
    text.push_str(path);
    text
}
