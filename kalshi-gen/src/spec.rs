//! Navigation in a spec: operations, schemas and references.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    error::{Error, JsonPath},
    yaml,
};

/// The HTTP methods that a path may have.
pub const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Returns every operation of a checked document as `(path, method, operation)`.
pub fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let paths = document.get("paths").and_then(Value::as_object);
    paths.into_iter().flatten().flat_map(|(path, item)| {
        item.as_object()
            .into_iter()
            .flatten()
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .filter_map(move |(method, operation)| {
                Some((path.as_str(), method.as_str(), operation.as_object()?))
            })
    })
}

/// Returns the schemas of a document, by name.
pub fn schemas(document: &Value) -> Option<&Map<String, Value>> {
    document.pointer("/components/schemas")?.as_object()
}

/// Returns the target of a local reference such as `#/components/schemas/Market`.
pub fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

/// Returns the JSON schema of a body or a response of a published spec.
pub fn json_schema(node: &Value) -> Option<&Value> {
    let content = node.get("content")?.as_object()?;
    let (_, json) = content
        .iter()
        .find(|(media_type, _)| media_type.starts_with("application/json"))?;
    json.get("schema")
}

/// Returns the schema name in `#/components/schemas/NAME`.
pub fn schema_name(reference: &str) -> Option<&str> {
    let name = reference.strip_prefix("#/components/schemas/")?;
    // References into a schema are not supported.
    (!name.contains('/')).then_some(name)
}

/// Returns the reference of a schema, including one inside an `allOf` of one.
pub fn reference(schema: &Value) -> Option<&str> {
    let single = schema
        .get("allOf")
        .and_then(Value::as_array)
        .filter(|parts| parts.len() == 1);
    schema
        .get("$ref")
        .or_else(|| single?.first()?.get("$ref"))?
        .as_str()
}

/// Returns a field as a string.
pub fn str_field<'a>(node: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    node.get(key)?.as_str()
}

/// Follows references and `allOf`s of one to the schema itself. Bounded, since a checked document has no cycles.
pub fn follow<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..yaml::MAX_DEPTH {
        let single = schema
            .get("allOf")
            .and_then(Value::as_array)
            .filter(|parts| parts.len() == 1);
        let next = match (schema.get("$ref").and_then(Value::as_str), single) {
            (Some(reference), _) => resolve(document, reference),
            (None, Some(parts)) => parts.first(),
            (None, None) => None,
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// Returns the names of the schemas that some of the operations refer to, directly or through other components.
pub fn reachable(
    document: &Value,
    part: impl Fn(&Map<String, Value>) -> Option<&Value>,
) -> BTreeSet<String> {
    referenced_schemas(
        document,
        operations(document).filter_map(|(_, _, operation)| part(operation)),
    )
}

/// Returns the names of the schemas that nodes refer to, directly or through other components.
pub fn referenced_schemas<'a>(
    document: &'a Value,
    nodes: impl Iterator<Item = &'a Value>,
) -> BTreeSet<String> {
    fn references<'a>(node: &'a Value, found: &mut Vec<&'a str>) {
        match node {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut pending = Vec::new();
    nodes.for_each(|node| references(node, &mut pending));
    let mut seen = BTreeSet::new();
    while let Some(reference) = pending.pop() {
        if seen.insert(reference)
            && let Some(target) = resolve(document, reference)
        {
            references(target, &mut pending);
        }
    }
    seen.into_iter()
        .filter_map(schema_name)
        .map(str::to_owned)
        .collect()
}

/// Follows one `$ref` of a parameter, a body or a response.
pub fn dereference<'a>(
    document: &'a Value,
    node: &'a Value,
    location: &JsonPath,
) -> Result<&'a Value, Error> {
    match node.get("$ref") {
        None => Ok(node),
        Some(reference) => {
            let target = reference.as_str().and_then(|text| resolve(document, text));
            let target = target.ok_or_else(|| {
                Error::at(
                    location,
                    format!("refers to {reference}, which does not exist"),
                )
            })?;
            if target.get("$ref").is_some() {
                return Err(Error::at(
                    location,
                    format!("{reference} is itself a reference"),
                ));
            }
            Ok(target)
        }
    }
}
