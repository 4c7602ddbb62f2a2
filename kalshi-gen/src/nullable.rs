//! Nullability of named schemas: OpenAPI 3.0 states it at the schema, but in Rust the field that refers to it is an `Option`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    spec::{self, schema_name},
    visit::for_each_schema,
};

/// Marks the fields, items and values of maps whose schema is nullable, directly or through references.
pub(crate) fn propagate(tree: &mut Value) {
    let named = nullable_schemas(tree);
    for_each_schema(tree, &mut |_, node| {
        let (mut children, mut fields) = (Vec::new(), None);
        for (key, value) in node.iter_mut() {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => fields = Some(properties),
                ("items" | "additionalProperties", value) => children.push(value),
                _ => {}
            }
        }
        children.extend(fields.into_iter().flat_map(Map::values_mut));
        for child in children {
            if is_nullable(child, &named) {
                child["nullable"] = Value::Bool(true);
            }
        }
    });
}

/// Removes the nullability of the items of parameters, since a query cannot contain null.
pub(crate) fn clear_parameters(tree: &mut Value) {
    let paths = tree.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut);
    let operations = items
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations {
        let parameters = operation.get_mut("parameters");
        for parameter in parameters
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(Value::Object(items)) = parameter.pointer_mut("/schema/items") {
                items.remove("nullable");
            }
        }
    }
}

/// Returns the names of the schemas that accept null.
fn nullable_schemas(tree: &Value) -> BTreeSet<String> {
    let schemas = || spec::schemas(tree).into_iter().flatten();
    let mut found = BTreeSet::new();
    // Each pass follows one more reference.
    loop {
        let new: Vec<_> = schemas()
            .filter(|(name, schema)| !found.contains(*name) && is_nullable(schema, &found))
            .map(|(name, _)| name.clone())
            .collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

/// Returns `true` if a schema accepts null. `named` are the schemas known to be nullable.
fn is_nullable(schema: &Value, named: &BTreeSet<String>) -> bool {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    let reference = schema.get("$ref").and_then(Value::as_str);
    schema.get("nullable") == Some(&Value::Bool(true))
        || reference
            .and_then(schema_name)
            .is_some_and(|name| named.contains(name))
        || list("enum").is_some_and(|values| values.contains(&Value::Null))
        || ["oneOf", "anyOf"].into_iter().any(|key| {
            let mut parts = list(key).into_iter().flatten();
            parts.any(|part| is_nullable(part, named))
        })
        || list("allOf").is_some_and(|parts| parts.iter().all(|part| is_nullable(part, named)))
}
