//! Values of a spec: lists of strings, variants of enums, and their format in reports.

use std::collections::{BTreeMap, BTreeSet};

use kalshi_gen::internals::enums;
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

/// Returns the Rust variant of each value of an enum. If two values have the same name, it depends on their order.
pub(super) fn variants(schema: &Value) -> BTreeMap<String, String> {
    let list = schema["enum"].as_array().into_iter().flatten();
    let mut seen = BTreeSet::new();
    let values: Vec<String> = list
        .filter_map(Value::as_str)
        .filter(|value| seen.insert(*value))
        .map(str::to_owned)
        .collect();
    let names = enums::variant_names(&values);
    values.into_iter().zip(names).collect()
}

/// Formats a value, or `not set`.
pub(super) fn format_value(value: Option<&Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"))
}
