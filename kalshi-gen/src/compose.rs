//! Composite schemas: flattens compositions into plain objects and inlines named lists and maps.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    error::{Error, JsonPath},
    spec::{is_annotation, is_generic, schema_name},
    visit::for_each_schema,
    yaml,
};

/// Simplifies unions and compositions that do not determine a type: removes unions whose alternatives only require
/// fields, and moves the annotations of an `allOf` to the schema itself.
pub(crate) fn simplify(tree: &mut Value) {
    for_each_schema(tree, &mut |_, node| {
        for key in ["oneOf", "anyOf"] {
            if only_requires_fields(node, key) {
                node.remove(key);
            }
        }
        lift_annotations(node);
    });
}

/// Returns `true` if the alternatives under `key` only require fields.
fn only_requires_fields(node: &Map<String, Value>, key: &str) -> bool {
    let is_object = node.get("type").and_then(Value::as_str) == Some("object")
        || node.contains_key("properties");
    let is_constraint = |part: &Value| {
        part.as_object().is_some_and(|part| {
            part.iter().all(|(key, value)| match key.as_str() {
                "required" | "description" | "title" => true,
                "type" => is_object && value == "object",
                _ => false,
            })
        })
    };
    let parts = node.get(key).and_then(Value::as_array);
    parts.is_some_and(|parts| parts.iter().all(is_constraint))
}

/// Returns `true` if a schema has alternatives under `key` that determine its type.
pub(crate) fn has_alternatives(node: &Map<String, Value>, key: &str) -> bool {
    node.contains_key(key) && !only_requires_fields(node, key)
}

/// Returns the parts of an `allOf` that [`merge_all_of`] merges, which must be objects, with their indices.
pub(crate) fn merged_parts(node: &Map<String, Value>) -> Vec<(usize, &Value)> {
    let parts = node.get("allOf").and_then(Value::as_array);
    let parts = parts.into_iter().flatten().enumerate();
    let parts: Vec<_> = parts.filter(|(_, part)| !is_annotation(part)).collect();
    match parts.as_slice() {
        [_] if !node.contains_key("properties") => Vec::new(),
        _ => parts,
    }
}

/// Moves the annotations of an `allOf` to the schema, and the other part if only one remains and it is not a reference.
fn lift_annotations(node: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = node.get("allOf") else {
        return;
    };
    let (annotations, mut parts): (Vec<_>, Vec<_>) = parts.iter().cloned().partition(is_annotation);
    if parts.is_empty() {
        return;
    }
    for annotation in annotations {
        for key in ["description", "nullable", "deprecated"] {
            if let Some(value) = annotation.get(key) {
                node.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
    match parts.as_mut_slice() {
        [Value::Object(part)] if !part.contains_key("$ref") && !node.contains_key("properties") => {
            node.remove("allOf");
            if let (Some(Value::Array(own)), Some(Value::Array(required))) =
                (node.get_mut("required"), part.get("required"))
            {
                own.extend(required.iter().cloned());
            }
            for (key, value) in std::mem::take(part) {
                node.entry(key).or_insert(value);
            }
        }
        _ => _ = node.insert("allOf".into(), Value::Array(parts)),
    }
}

/// Inlines named lists and maps where they are used, so that their nullability and presence are visible there.
pub(crate) fn inline_collections(tree: &mut Value) {
    let schemas = tree["components"]["schemas"].clone();
    let collection = |name: &str| {
        let schema = schemas.get(name)?;
        let map = schema
            .get("additionalProperties")
            .is_some_and(Value::is_object)
            && schema.get("properties").is_none();
        let list = schema.get("type").and_then(Value::as_str) == Some("array")
            && schema.get("x-kalshi-type").is_none();
        // A collection that contains itself must keep its name.
        let own = format!("\"#/components/schemas/{name}\"");
        ((list || map) && !schema.to_string().contains(&own)).then_some(schema)
    };
    // Nested collections take one pass for each level.
    for _ in 0..4 {
        for_each_schema(tree, &mut |_, node| {
            let single = node
                .get("allOf")
                .and_then(Value::as_array)
                .filter(|parts| parts.len() == 1);
            let reference = node
                .get("$ref")
                .or_else(|| single?.first()?.get("$ref"))
                .and_then(Value::as_str);
            if let Some(Value::Object(target)) =
                reference.and_then(schema_name).and_then(collection)
            {
                let overrides: Vec<_> = ["description", "nullable"]
                    .iter()
                    .filter_map(|key| Some((*key, node.get(*key)?.clone())))
                    .collect();
                *node = target.clone();
                node.extend(
                    overrides
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value)),
                );
            }
        });
    }
}

/// Inserts a field of a part into the fields of the parts before it. A field that both have is composed of both if they
/// are objects, and else is that of the later part, unless that one only repeats the type. Returns `true` if the field
/// is a composition.
fn insert(properties: &mut Map<String, Value>, name: String, property: Value) -> bool {
    let has_fields = |schema: &Value| schema.get("properties").is_some();
    let property = match properties.remove(&name) {
        Some(earlier) if earlier != property && has_fields(&earlier) && has_fields(&property) => {
            json!({ "allOf": [earlier, property] })
        }
        Some(Value::Object(mut earlier)) if is_less_specific(&property, &earlier) => {
            if let Value::Object(property) = property {
                for (key, value) in property {
                    earlier.entry(key).or_insert(value);
                }
            }
            Value::Object(earlier)
        }
        _ => property,
    };
    let is_composition = property.get("allOf").is_some();
    properties.insert(name, property);
    is_composition
}

/// Returns `true` if a schema only repeats the type of a schema that states more.
fn is_less_specific(schema: &Value, than: &Map<String, Value>) -> bool {
    let kinds = [schema.get("type"), than.get("type")];
    let is_same_kind = kinds.iter().any(Option::is_none) || kinds[0] == kinds[1];
    is_generic(schema) && is_same_kind && !is_generic(&Value::Object(than.clone()))
}

/// Merges objects composed of several parts into one object with all fields.
pub fn merge_all_of(tree: &mut Value, depth: usize) -> Result<(), Error> {
    let schemas = tree["components"]["schemas"].clone();
    let (mut invalid_field, mut has_nested) = (None, false);
    for_each_schema(tree, &mut |name, node| {
        let parts = match node.get("allOf") {
            Some(Value::Array(parts)) => parts.clone(),
            _ => return,
        };
        let is_single = parts.iter().filter(|part| !is_annotation(part)).count() == 1;
        if !node.contains_key("properties") && (is_single || parts.len() == 1) {
            return;
        }
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let mut pending: Vec<&Value> = parts.iter().rev().collect();
        let mut seen = BTreeSet::new();
        while let Some(part) = pending.pop() {
            let referenced = part
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(schema_name);
            if let Some(target) = referenced.and_then(|name| schemas.get(name)) {
                if seen.insert(referenced) {
                    pending.push(target);
                }
                continue;
            }
            pending.extend(
                part.get("allOf")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .rev(),
            );
            let object = matches!(
                part.get("type").and_then(Value::as_str),
                None | Some("object")
            );
            if !is_annotation(part)
                && (!object || part.get("oneOf").or(part.get("anyOf")).is_some())
            {
                invalid_field = Some(name.to_owned());
            }
            let part_properties = part
                .get("properties")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            for (name, property) in part_properties {
                has_nested |= insert(&mut properties, name, property);
            }
            required.extend(
                part.get("required")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
        }
        node.remove("allOf");
        if let Some(Value::Object(own)) = node.remove("properties") {
            for (name, property) in own {
                has_nested |= insert(&mut properties, name, property);
            }
        }
        required.extend(
            node.remove("required")
                .and_then(|list| list.as_array().cloned())
                .unwrap_or_default(),
        );
        node.insert("type".into(), json!("object"));
        node.insert("properties".into(), Value::Object(properties));
        node.insert("required".into(), Value::Array(required));
    });
    match invalid_field {
        // A merged field may itself be a composition. Each pass goes one level deeper.
        None if has_nested && depth < yaml::MAX_DEPTH => merge_all_of(tree, depth + 1),
        None => Ok(()),
        Some(property) => Err(Error::at(
            &JsonPath::new(&["components", "schemas"]),
            format!("an allOf (of field `{property}`) includes a schema that is not an object"),
        )),
    }
}
