//! Finds errors in responses with a success status.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::value::RawValue;

/// Returns `true` if a body contains an `error`. The exchange has rejected orders with such a body and a success status.
pub(crate) fn has_error(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Outer<'a> {
        #[serde(default, borrow)]
        error: Option<&'a RawValue>,
    }
    static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
    // The search rules out nearly every response, so few bodies are parsed twice.
    let mentions = ERROR.find(body).is_some();
    let error = || serde_json::from_slice::<Outer<'_>>(body).ok()?.error;
    match mentions
        .then(error)
        .flatten()
        .map(|raw| raw.get().as_bytes())
    {
        Some([b'"', rest @ ..]) => rest != b"\"",
        Some([b'{', rest @ ..]) => rest.trim_ascii_start() != b"}",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::has_error;

    #[test]
    fn error_in_a_success_response_is_found() {
        assert!(has_error(br#"{"error":{"code":"x"}}"#));
        assert!(has_error(br#" {"a":1,"error":"no"}"#));
        assert!(!has_error(br#"{"error":null,"orders":[]}"#));
        assert!(!has_error(br#"{"orders":[{"error":{"code":"x"}}]}"#));
        assert!(!has_error(br#"{"title":"\"error\""}"#));
        // Go encodes unset errors like this.
        assert!(!has_error(br#"{"order_id":"a","error":""}"#));
        assert!(!has_error(br#"{"order_id":"a","error":{}}"#));
        assert!(!has_error(br#"{"order_id":"a","error": { } }"#));
        assert!(!has_error(br#"{"error":[1]}"#) && !has_error(br#"{"error":{"code":"#));
    }
}
