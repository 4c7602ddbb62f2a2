//! Detection of integers that are Unix times, and of their unit.

use serde_json::{Map, Value};

use crate::spec::str_field;

/// The unit of a Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixTime {
    /// Whole seconds since the Unix epoch.
    Seconds,
    /// Whole milliseconds since the Unix epoch.
    Millis,
}

impl UnixTime {
    /// Returns the unit of an integer that is a Unix time according to its description, or else its name.
    pub(crate) fn from_schema(
        name: &str,
        schema: &Map<String, Value>,
        description: &str,
    ) -> Option<Self> {
        let is_long = matches!(str_field(schema, "format"), None | Some("int64"));
        if str_field(schema, "type") != Some("integer") || !is_long {
            return None;
        }
        let description = description.to_ascii_lowercase();
        match () {
            () if description.contains("unix millisecond") => Some(Self::Millis),
            () if description.contains("unix second") => Some(Self::Seconds),
            () if name.ends_with("_ts_ms") => Some(Self::Millis),
            () if description.contains("unix") && description.contains("millisecond") => {
                Some(Self::Millis)
            }
            () if description.contains("unix") || name.ends_with("_ts") => Some(Self::Seconds),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unit_comes_from_the_description_or_the_name() {
        let unit = |name: &str, description: &str| {
            let schema = Map::from_iter([("type".to_owned(), json!("integer"))]);
            UnixTime::from_schema(name, &schema, description)
        };
        for (name, description, expected) in [
            ("min_ts", "", Some(UnixTime::Seconds)),
            ("created_ts_ms", "", Some(UnixTime::Millis)),
            (
                "from",
                "Start, in Unix milliseconds; 24 hours if omitted.",
                Some(UnixTime::Millis),
            ),
            (
                "min_ts",
                "A unix timestamp in milliseconds.",
                Some(UnixTime::Millis),
            ),
            (
                "expiration_time",
                "When it ends, in Unix seconds.",
                Some(UnixTime::Seconds),
            ),
            (
                "last_sec",
                "Length in seconds of a window that ends now.",
                None,
            ),
            ("limit", "Rows per page.", None),
            ("counts", "", None),
        ] {
            assert_eq!(unit(name, description), expected, "{name}: {description}");
        }
        let text = Map::from_iter([("type".to_owned(), json!("string"))]);
        assert_eq!(
            UnixTime::from_schema("min_ts", &text, "In Unix seconds."),
            None
        );
    }
}
