//! Formatting of a spec's values in reports.

use std::collections::BTreeSet;

use serde_json::Value;

/// Returns a list of strings as a set.
pub(super) fn set<'a>(node: &'a Value, key: &str) -> BTreeSet<&'a str> {
    let list = node
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(Value::as_str).collect()
}

/// Formats a value, or `not set`.
pub(super) fn format_value(value: Option<&Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"))
}
