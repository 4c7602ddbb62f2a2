//! The text that a request's signature covers.

use std::fmt::Write;

/// Returns the text to sign for one request: `timestamp_ms`, then `method` in upper case, then `path`, with nothing between them.
///
/// `path` is the path of the URL exactly as it is sent, percent-encoding untouched and with its prefix
/// (`/trade-api/v2/...`). Anything from the first `?` or `#` on is left out: the exchange responds with
/// 401 to a signature that covers the query.
///
/// ```
/// let text = kalshi_auth::signing_text(1_700_000_000_000, "get", "/trade-api/v2/markets?limit=5");
/// assert_eq!(text, "1700000000000GET/trade-api/v2/markets");
/// ```
#[must_use]
pub fn signing_text(timestamp_ms: u64, method: &str, path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    text_of_whole(timestamp_ms, method, &path[..end])
}

/// [`signing_text`] of the whole path, with its query.
pub(crate) fn text_of_whole(timestamp_ms: u64, method: &str, path: &str) -> String {
    // 13 digits until the year 2286.
    let mut text = String::with_capacity(13 + method.len() + path.len());
    // Writing to a string does not fail.
    _ = write!(text, "{timestamp_ms}");
    text.extend(method.chars().map(|letter| letter.to_ascii_uppercase()));
    text.push_str(path);
    text
}
