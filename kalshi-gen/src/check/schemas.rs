//! Validation of schemas: types, references, compositions and the names of fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    keywords::is_inexpressible,
    require::{check_identifier, object, require_kind},
};
use crate::{
    compose::{has_alternatives, merged_parts},
    error::{Error, JsonPath},
    names, reserved,
    spec::{resolve, schema_name, schemas},
};

/// Checks all named schemas.
pub(super) fn check(document: &Value) -> Result<(), Error> {
    let components = JsonPath::new(&["components", "schemas"]);
    let Some(value) = document.pointer("/components/schemas") else {
        return Ok(());
    };
    let schemas = object(value, &components)?;
    let mut rust_names = BTreeMap::new();
    for (name, schema) in schemas {
        let location = components.join(name);
        check_identifier(name, &location)?;
        if reserved::is_type(&names::pascal(name)) {
            return Err(Error::at(
                &location,
                "this name is reserved in the generated code",
            ));
        }
        if let Some(other) = rust_names.insert(names::pascal(name), name) {
            return Err(Error::at(
                &location,
                format!("has the same name in Rust as `{other}`"),
            ));
        }
        check_schema(document, schema, &location)?;
        check_alias(document, name, &location)?;
    }
    Ok(())
}

/// Rejects a schema that refers to itself other than through a field, an item or a value of a map.
fn check_alias(document: &Value, name: &str, location: &JsonPath) -> Result<(), Error> {
    let named = |name: &str| schemas(document)?.get(name);
    let (mut seen, mut pending) = (BTreeSet::new(), Vec::from_iter(named(name)));
    while let Some(schema) = pending.pop() {
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(schema_name) {
            if target == name {
                return Err(Error::at(
                    location,
                    "refers to itself, so that a value would contain itself: remove the reference or put it in a field",
                ));
            }
            if seen.insert(target) {
                pending.extend(named(target));
            }
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            pending.extend(
                schema
                    .get(key)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten(),
            );
        }
    }
    Ok(())
}

/// Returns `true` if a part of an `allOf` is an object without alternatives, directly or through references.
fn is_object(document: &Value, part: &Value) -> bool {
    let (mut seen, mut pending) = (BTreeSet::new(), vec![part]);
    while let Some(part) = pending.pop() {
        if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
            if seen.insert(reference) {
                pending.extend(resolve(document, reference));
            }
            continue;
        }
        let Some(node) = part.as_object() else {
            return false;
        };
        let is_object = matches!(
            node.get("type").and_then(Value::as_str),
            None | Some("object")
        );
        if !is_object
            || ["enum", "items"].iter().any(|key| node.contains_key(*key))
            || ["oneOf", "anyOf"]
                .iter()
                .any(|key| has_alternatives(node, key))
        {
            return false;
        }
        pending.extend(
            node.get("allOf")
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
    true
}

/// Checks a schema and everything nested in it.
pub(super) fn check_schema(
    document: &Value,
    schema: &Value,
    location: &JsonPath,
) -> Result<(), Error> {
    const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];
    let node = object(schema, location)?;
    for key in node.keys() {
        if key == "x-kalshi-type" {
            return Err(Error::at(
                &location.join(key),
                "this field is reserved for the generator",
            ));
        }
        if is_inexpressible(key) {
            return Err(Error::at(
                &location.join(key),
                "this keyword cannot be expressed in Rust",
            ));
        }
    }
    require_kind(
        node,
        location,
        &["description", "format"],
        "a string",
        Value::is_string,
    )?;
    require_kind(
        node,
        location,
        &["nullable", "deprecated"],
        "true or false",
        Value::is_boolean,
    )?;
    if let Some(kind) = node.get("type") {
        let known = kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
        if !known {
            return Err(Error::at(
                &location.join("type"),
                format!("not an OpenAPI 3.0 type: {kind}"),
            ));
        }
    }
    if node.get("type").and_then(Value::as_str) == Some("array") && !node.contains_key("items") {
        return Err(Error::at(location, "an array must have `items`"));
    }
    if let Some(reference) = node.get("$ref") {
        let target = reference
            .as_str()
            .filter(|text| schema_name(text).is_some());
        match target.map(|text| resolve(document, text)) {
            Some(Some(_)) => {}
            Some(None) => {
                return Err(Error::at(
                    location,
                    format!("refers to {reference}, which does not exist"),
                ));
            }
            None => {
                return Err(Error::at(
                    location,
                    format!("{reference} does not refer to a schema of this document"),
                ));
            }
        }
    }
    if let Some(values) = node.get("enum") {
        let location = location.join("enum");
        let values = values
            .as_array()
            .ok_or_else(|| Error::at(&location, "not a list"))?;
        let is_string = match node.get("type") {
            Some(kind) => kind == "string",
            None => values.iter().any(Value::is_string),
        };
        let is_allowed = |value: &Value| value.is_string() || value.is_null();
        if is_string && let Some(index) = values.iter().position(|value| !is_allowed(value)) {
            return Err(Error::at(
                &location.item(index),
                "must be a string: quote it",
            ));
        }
    }
    let required = match node.get("required") {
        Some(value) => {
            let location = location.join("required");
            let list = value
                .as_array()
                .ok_or_else(|| Error::at(&location, "not a list"))?;
            list.iter()
                .map(|name| {
                    name.as_str()
                        .ok_or_else(|| Error::at(&location, format!("{name} is not a string")))
                })
                .collect::<Result<Vec<_>, _>>()?
        }
        None => Vec::new(),
    };
    if let Some(properties) = node.get("properties") {
        let location = location.join("properties");
        let properties = object(properties, &location)?;
        let mut rust_names = BTreeMap::new();
        for (name, property) in properties {
            let location = location.join(name);
            let rust_name = names::field(name);
            if !names::snake(name).contains(|c: char| c.is_ascii_alphanumeric())
                || !rust_name.is_ascii()
            {
                return Err(Error::at(
                    &location,
                    format!("{name:?} cannot be a Rust field name"),
                ));
            }
            if let Some(other) = rust_names.insert(rust_name, name) {
                return Err(Error::at(
                    &location,
                    format!("has the same name in Rust as `{other}`"),
                ));
            }
            check_schema(document, property, &location)?;
        }
        if let Some(name) = required
            .iter()
            .find(|name| !properties.contains_key(**name))
        {
            // Another part of an `allOf` may define the field.
            if !node.contains_key("allOf") {
                return Err(Error::at(
                    &location,
                    format!("`{name}` is required but not among the properties"),
                ));
            }
        }
    }
    let is_union = node.contains_key("oneOf") || node.contains_key("anyOf");
    if is_union && node.contains_key("discriminator") {
        return Err(Error::at(
            &location.join("discriminator"),
            "is not supported: the first variant that decodes is used; remove it if each variant requires a field that the others lack",
        ));
    }
    if has_alternatives(node, "oneOf") && has_alternatives(node, "anyOf") {
        return Err(Error::at(
            &location.join("anyOf"),
            "is not supported beside `oneOf`: use one of the two",
        ));
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(parts) = node.get(key) {
            let location = location.join(key);
            let parts = parts
                .as_array()
                .ok_or_else(|| Error::at(&location, "not a list"))?;
            if parts.is_empty() {
                return Err(Error::at(&location, "the list is empty"));
            }
            for (index, part) in parts.iter().enumerate() {
                check_schema(document, part, &location.item(index))?;
            }
        }
    }
    let mut merged = merged_parts(node).into_iter();
    if let Some((index, _)) = merged.find(|(_, part)| !is_object(document, part)) {
        return Err(Error::at(
            &location.join("allOf").item(index),
            "is not an object: only objects can be combined; write this as one schema",
        ));
    }
    if let Some(items) = node.get("items") {
        check_schema(document, items, &location.join("items"))?;
    }
    match node.get("additionalProperties") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(values) => check_schema(document, values, &location.join("additionalProperties")),
    }
}
