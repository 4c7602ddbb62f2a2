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
    /// Returns the unit of an integer that is a Unix time according to its name or description. Returns `None` for a unit
    /// that has no variant.
    #[must_use]
    pub fn from_schema(name: &str, schema: &Map<String, Value>, description: &str) -> Option<Self> {
        let is_long = matches!(str_field(schema, "format"), None | Some("int64"));
        if str_field(schema, "type") != Some("integer") || !is_long {
            return None;
        }
        let description = description.to_ascii_lowercase().replace('\n', " ");
        let contains = |texts: &[&str]| texts.iter().any(|text| description.contains(text));
        let ends_with = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let is_time = contains(&["unix"]) || ends_with(&["_ts", "_ts_ms"]);
        if !is_time || contains(&["microsecond", "nanosecond"]) || ends_with(&["_us", "_ns"]) {
            return None;
        }
        if ends_with(&["_ms"]) {
            return Some(Self::Millis);
        }
        // A sentence about another field, such as "For Unix milliseconds use min_ts_ms.", says nothing about this one.
        let sentences = description.split(';').flat_map(|part| part.split(". "));
        let mut own = sentences.filter(|sentence| !sentence.contains("_ms"));
        let unit = own.find(|sentence| sentence.contains("unix") || sentence.contains("second"));
        Some(match unit.unwrap_or_default() {
            unit if unit.contains("in seconds") || unit.contains("unix second") => Self::Seconds,
            unit if unit.contains("in milliseconds") => Self::Millis,
            unit if unit.contains("unix") && unit.contains("millisecond") => Self::Millis,
            _ => Self::Seconds,
        })
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
            (
                "min_ts",
                "Filter items after this Unix timestamp in seconds. For Unix milliseconds use min_ts_ms.",
                Some(UnixTime::Seconds),
            ),
            (
                "min_ts",
                "Filter items after this time. For Unix milliseconds use min_ts_ms.",
                Some(UnixTime::Seconds),
            ),
            (
                "expiration_time",
                "Unix timestamp in seconds.\nFractions of Unix milliseconds are cut off.",
                Some(UnixTime::Seconds),
            ),
            (
                "min_ts",
                "Keeps later items. A Unix timestamp in milliseconds.",
                Some(UnixTime::Millis),
            ),
            (
                "min_ts_ms",
                "Unix timestamp. For seconds use min_ts.",
                Some(UnixTime::Millis),
            ),
            ("created_ms", "A Unix timestamp.", Some(UnixTime::Millis)),
            ("timeout_ms", "In milliseconds.", None),
            ("min_ts_us", "", None),
            ("min_ts_us", "Unix timestamp in microseconds.", None),
            ("min_ts_ns", "A Unix timestamp.", None),
            ("min_ts", "Unix timestamp in microseconds.", None),
            ("time", "Unix nanoseconds.", None),
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
