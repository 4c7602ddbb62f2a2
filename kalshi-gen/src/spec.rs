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
    let paths = paths.into_iter().flatten();
    let paths = paths.filter(|(path, _)| !path.starts_with("x-"));
    paths.flat_map(|(path, item)| {
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

/// The keys of a schema that do not restrict its values.
const ANNOTATIONS: [&str; 11] = [
    "$comment",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "nullable",
    "readOnly",
    "title",
    "writeOnly",
];

/// Returns `true` for a part of an `allOf` that only annotates the others.
pub(crate) fn is_annotation(part: &Value) -> bool {
    part.as_object().is_some_and(|part| {
        part.keys()
            .all(|key| ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-"))
    })
}

/// Returns `true` for a schema that at most states its type and annotations, such as the `msg` of an envelope.
pub(crate) fn is_generic(schema: &Value) -> bool {
    schema.as_object().is_some_and(|schema| {
        schema
            .keys()
            .all(|key| key == "type" || ANNOTATIONS.contains(&key.as_str()))
    })
}

/// Returns the only part of an `allOf`, apart from annotations.
fn single_part(schema: &Value) -> Option<&Value> {
    let parts = schema.get("allOf")?.as_array()?;
    let mut parts = parts.iter().filter(|part| !is_annotation(part));
    parts.next().filter(|_| parts.next().is_none())
}

/// Returns the reference of a schema, including one inside an `allOf` of one.
pub fn reference(schema: &Value) -> Option<&str> {
    schema
        .get("$ref")
        .or_else(|| single_part(schema)?.get("$ref"))?
        .as_str()
}

/// Returns a field as a string.
pub fn str_field<'a>(node: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    node.get(key)?.as_str()
}

/// Follows references and `allOf`s of one to the schema itself. Bounded, since a checked document has no cycles.
pub fn follow<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..yaml::MAX_DEPTH {
        let next = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => resolve(document, reference),
            None => single_part(schema),
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

/// Follows the `$ref`s of a parameter, a body or a response.
pub fn dereference<'a>(
    document: &'a Value,
    mut node: &'a Value,
    location: &JsonPath,
) -> Result<&'a Value, Error> {
    for _ in 0..yaml::MAX_DEPTH {
        let Some(reference) = node.get("$ref") else {
            return Ok(node);
        };
        let target = reference.as_str().and_then(|text| resolve(document, text));
        node = target.ok_or_else(|| {
            Error::at(
                location,
                format!("refers to {reference}, which does not exist"),
            )
        })?;
    }
    Err(Error::at(
        location,
        "refers to itself, or the chain of references is too long",
    ))
}
