//! Values of a spec as a report shows them.

use std::collections::BTreeSet;

use serde_json::Value;

/// A list of texts as a set.
pub(super) fn set<'a>(node: &'a Value, key: &str) -> BTreeSet<&'a str> {
    let list = node
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(Value::as_str).collect()
}

/// A value, or that there is none.
pub(super) fn worded(value: Option<&Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"))
}
