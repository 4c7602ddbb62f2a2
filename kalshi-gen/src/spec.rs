//! Navigation in a spec: its operations, its schemas, and what a reference points at.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    error::{Error, JsonPath},
    yaml,
};

/// The HTTP methods an OpenAPI path may have.
pub const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Every operation of a checked document: path, method, operation.
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

/// The schemas of a document, by name.
pub fn schemas(document: &Value) -> Option<&Map<String, Value>> {
    document.pointer("/components/schemas")?.as_object()
}

/// What a local reference such as `#/components/schemas/Market` points at.
pub fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

/// The JSON schema of a body or a response of a published spec.
pub fn json_schema(node: &Value) -> Option<&Value> {
    let content = node.get("content")?.as_object()?;
    let (_, json) = content
        .iter()
        .find(|(media_type, _)| media_type.starts_with("application/json"))?;
    json.get("schema")
}

/// The schema name in `#/components/schemas/NAME`.
pub fn schema_name(reference: &str) -> Option<&str> {
    let name = reference.strip_prefix("#/components/schemas/")?;
    // Not what stands inside of a schema.
    (!name.contains('/')).then_some(name)
}

/// What a schema refers to, also by an `allOf` of one.
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

/// A field as text.
pub fn text<'a>(node: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    node.get(key)?.as_str()
}

/// The schema behind references and an `allOf` of one; bounded, because a checked document has no circles.
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

/// The names of the schemas that a part of the operations leads to, also by way of other components.
pub fn reachable(
    document: &Value,
    part: impl Fn(&Map<String, Value>) -> Option<&Value>,
) -> BTreeSet<String> {
    behind(
        document,
        operations(document).filter_map(|(_, _, operation)| part(operation)),
    )
}

/// The names of the schemas that nodes lead to, also by way of other components.
pub fn behind<'a>(document: &'a Value, nodes: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    fn references<'a>(node: &'a Value, found: &mut Vec<&'a str>) {
        match node {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut open = Vec::new();
    nodes.for_each(|node| references(node, &mut open));
    let mut seen = BTreeSet::new();
    while let Some(reference) = open.pop() {
        if seen.insert(reference)
            && let Some(target) = resolve(document, reference)
        {
            references(target, &mut open);
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
    place: &JsonPath,
) -> Result<&'a Value, Error> {
    match node.get("$ref") {
        None => Ok(node),
        Some(reference) => {
            let target = reference.as_str().and_then(|text| resolve(document, text));
            let target = target.ok_or_else(|| {
                Error::at(
                    place,
                    format!("points at {reference}, which does not exist"),
                )
            })?;
            if target.get("$ref").is_some() {
                return Err(Error::at(
                    place,
                    format!("{reference} is itself a reference"),
                ));
            }
            Ok(target)
        }
    }
}
