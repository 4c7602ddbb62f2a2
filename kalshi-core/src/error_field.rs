//! Finds errors in responses with a success status.

use std::{borrow::Cow, fmt, sync::LazyLock};

use memchr::memmem::Finder;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

use crate::api_error::is_set;

/// Returns `true` if a body contains an `error`. The exchange has rejected orders with such a body and a success status.
pub(crate) fn has_error(body: &[u8]) -> bool {
    static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
    // The search rules out nearly every response, so few bodies are parsed twice.
    ERROR.find(body).is_some()
        && serde_json::from_slice::<HasError>(body).is_ok_and(|HasError(has_error)| has_error)
}

/// Deserializes from an object: `true` if any of its fields `error` is set.
struct HasError(bool);

impl<'de> Deserialize<'de> for HasError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = HasError;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HasError, A::Error> {
                let mut has_error = false;
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if name == "error" {
                        has_error |= is_error(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(HasError(has_error))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Returns `true` for a string or an object that is set.
fn is_error(raw: &RawValue) -> bool {
    match serde_json::from_str(raw.get()) {
        Ok(error @ (Value::String(_) | Value::Object(_))) => is_set(&error),
        Ok(_) => false,
        // It is JSON with a number or a depth that a `Value` cannot hold.
        Err(_) => raw.get().starts_with('{'),
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
        assert!(!has_error(
            br#"{"error":{"code":"","message":"","details":null}}"#
        ));
        assert!(!has_error(br#"{"error":[1]}"#) && !has_error(br#"{"error":{"code":"#));
    }

    #[test]
    fn error_with_any_value_is_found() {
        assert!(has_error(br#"{"error":{"code":"","message":"no"}}"#));
        assert!(has_error(br#"{"error":{"unknown":[1]}}"#));
        assert!(has_error(br#"{"error":{"code":"x","at":1e999}}"#));
        for first in ["null", r#""""#, r#"{"code":"y"}"#] {
            let twice = format!(r#"{{"error":{first},"a":[1],"error":{{"code":"x"}}}}"#);
            assert!(has_error(twice.as_bytes()), "{twice}");
            let twice = format!(r#"{{"error":{{"code":"x"}},"a":[1],"error":{first}}}"#);
            assert!(has_error(twice.as_bytes()), "{twice}");
        }
    }
}
