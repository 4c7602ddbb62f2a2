//! The checks of a contract: what is no contract, and what the later stages cannot express, is refused with its place.

mod operations;
mod schemas;
pub(crate) mod streams;

use serde_json::{Map, Value};

use crate::error::{Error, Place};

/// Checks that a document is an OpenAPI 3.0 contract this generator can express.
pub(crate) fn check(document: &Value) -> Result<(), Error> {
    let Some(root) = document.as_object() else {
        return Err(Error::document(
            "not a contract: the document is no mapping (an error page or a truncated file?)",
        ));
    };
    if root.contains_key("swagger") {
        return Err(Error::document(
            "Swagger 2 is not supported; convert the contract to OpenAPI 3.0",
        ));
    }
    match root.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0.") => {}
        Some(version) => {
            return Err(Error::at(
                &Place::of(&["openapi"]),
                format!("OpenAPI {version} is not supported; kalshi-gen reads 3.0.x"),
            ));
        }
        None if root.contains_key("asyncapi") => {
            return Err(Error::document(
                "a contract of streams (`asyncapi`), where one of calls (`openapi`) is needed",
            ));
        }
        None => {
            return Err(Error::document(
                "not a contract: there is no text member `openapi`, nor `asyncapi`",
            ));
        }
    }
    info(document)?;
    schemas::check(document)?;
    operations::check(document)
}

/// The texts that every contract has.
fn info(document: &Value) -> Result<(), Error> {
    for key in ["title", "version"] {
        if document
            .pointer(&format!("/info/{key}"))
            .and_then(Value::as_str)
            .is_none()
        {
            return Err(Error::at(
                &Place::of(&["info", key]),
                "this text is missing",
            ));
        }
    }
    Ok(())
}

/// Refuses members that are there and are not of their kind.
fn of_kind(
    node: &Map<String, Value>,
    place: &Place,
    keys: &[&str],
    kind: &str,
    is: impl Fn(&Value) -> bool,
) -> Result<(), Error> {
    match keys
        .iter()
        .find(|key| node.get(**key).is_some_and(|value| !is(value)))
    {
        Some(key) => Err(Error::at(&place.join(key), format!("must be {kind}"))),
        None => Ok(()),
    }
}

/// A list of mappings of scheme to scopes.
fn is_security(node: &Value) -> bool {
    let requirement = |one: &Value| {
        one.as_object()
            .is_some_and(|schemes| schemes.values().all(Value::is_array))
    };
    node.as_array()
        .is_some_and(|list| list.iter().all(requirement))
}

fn object<'a>(node: &'a Value, place: &Place) -> Result<&'a Map<String, Value>, Error> {
    node.as_object()
        .ok_or_else(|| Error::at(place, "not a mapping"))
}

/// Names that become Rust identifiers: a letter or underscore first, then letters, digits and `_ - .`.
fn identifier(name: &str, place: &Place) -> Result<(), Error> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && chars.all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) && name.len() <= 128 {
        Ok(())
    } else {
        Err(Error::at(
            place,
            format!("{name:?} cannot be the name of something in Rust"),
        ))
    }
}
