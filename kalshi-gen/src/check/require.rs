//! Requirements shared by several checks.

use serde_json::{Map, Value};

use crate::error::{Error, JsonPath};

/// Checks the title, version and description of a spec.
pub(super) fn check_info(document: &Value) -> Result<(), Error> {
    for key in ["title", "version"] {
        let message = match document.pointer(&format!("/info/{key}")) {
            Some(Value::String(_)) => continue,
            Some(Value::Number(_) | Value::Bool(_)) => "must be a string: quote it",
            _ => "this string is missing",
        };
        return Err(Error::at(&JsonPath::new(&["info", key]), message));
    }
    if let Some(info) = document.get("info").and_then(Value::as_object) {
        let location = JsonPath::new(&["info"]);
        require_kind(
            info,
            &location,
            &["description"],
            "a string",
            Value::is_string,
        )?;
    }
    Ok(())
}

/// Rejects fields that are present but not of the given kind.
pub(super) fn require_kind(
    node: &Map<String, Value>,
    location: &JsonPath,
    keys: &[&str],
    kind: &str,
    is_valid: impl Fn(&Value) -> bool,
) -> Result<(), Error> {
    match keys
        .iter()
        .find(|key| node.get(**key).is_some_and(|value| !is_valid(value)))
    {
        Some(key) => Err(Error::at(&location.join(key), format!("must be {kind}"))),
        None => Ok(()),
    }
}

/// Returns `true` for a list of mappings from scheme to scopes.
pub(super) fn is_security(node: &Value) -> bool {
    let requirement = |one: &Value| {
        one.as_object()
            .is_some_and(|schemes| schemes.values().all(Value::is_array))
    };
    node.as_array()
        .is_some_and(|list| list.iter().all(requirement))
}

pub(super) fn object<'a>(
    node: &'a Value,
    location: &JsonPath,
) -> Result<&'a Map<String, Value>, Error> {
    node.as_object()
        .ok_or_else(|| Error::at(location, "not a mapping"))
}

/// Checks a name that becomes a Rust identifier: an ASCII letter, then letters, digits, `_`, `-` and `.`.
pub(super) fn check_identifier(name: &str, location: &JsonPath) -> Result<(), Error> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && chars.all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) && name.len() <= 128 {
        Ok(())
    } else {
        Err(Error::at(
            location,
            format!("{name:?} cannot be a Rust identifier"),
        ))
    }
}
