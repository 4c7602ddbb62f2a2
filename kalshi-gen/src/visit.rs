//! Traversal of all schemas of a normalised tree.

use serde_json::{Map, Value};

/// Calls `visitor` for every schema of the tree, innermost first. The string is the name of the field
/// that contains the schema.
pub(crate) fn for_each_schema(
    tree: &mut Value,
    visitor: &mut impl FnMut(&str, &mut Map<String, Value>),
) {
    fn walk(
        name: &str,
        schema: &mut Value,
        visitor: &mut impl FnMut(&str, &mut Map<String, Value>),
    ) {
        let Value::Object(node) = schema else { return };
        if let Some(Value::Object(properties)) = node.get_mut("properties") {
            for (name, property) in properties {
                walk(name, property, visitor);
            }
        }
        for key in ["items", "additionalProperties"] {
            if let Some(inner) = node.get_mut(key) {
                // The name describes the strings of a list or a map, but not lists in a list.
                let name = if inner.get("items").is_some() {
                    ""
                } else {
                    name
                };
                walk(name, inner, visitor);
            }
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for part in node
                .get_mut(key)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                walk(name, part, visitor);
            }
        }
        visitor(name, node);
    }
    if let Some(Value::Object(schemas)) = tree.pointer_mut("/components/schemas") {
        for schema in schemas.values_mut() {
            walk("", schema, visitor);
        }
    }
    for (name, schema) in operation_schemas(tree) {
        walk(&name, schema, visitor);
    }
}

/// Returns the schemas of parameters, bodies and responses, each with the name of its parameter or an empty string.
fn operation_schemas(tree: &mut Value) -> Vec<(String, &mut Value)> {
    let mut found = Vec::new();
    let items = tree.get_mut("paths").and_then(Value::as_object_mut);
    for operation in items
        .into_iter()
        .flat_map(|items| items.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
        .filter_map(Value::as_object_mut)
    {
        for (key, value) in operation {
            match (key.as_str(), value) {
                ("parameters", Value::Array(parameters)) => {
                    for parameter in parameters {
                        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                        found.extend(parameter.get_mut("schema").map(|schema| (name, schema)));
                    }
                }
                ("requestBody", body) => {
                    let schema = body.pointer_mut("/content/application~1json/schema");
                    found.extend(schema.map(|schema| (String::new(), schema)));
                }
                ("responses", Value::Object(responses)) => {
                    for response in responses.values_mut() {
                        let schema = response.pointer_mut("/content/application~1json/schema");
                        found.extend(schema.map(|schema| (String::new(), schema)));
                    }
                }
                _ => {}
            }
        }
    }
    found
}
