//! Conversion of AsyncAPI schemas to OpenAPI 3.0, and inlining of scalar schemas.

use serde_json::{Map, Value};

use crate::spec;

/// Inlines schemas of plain strings and numbers where they are referenced: a ticker is a string and gets no type of its
/// own. A description at the reference takes precedence over that of the schema.
pub(super) fn inline_scalars(document: &mut Value) {
    fn walk(node: &mut Value, scalars: &Map<String, Value>) {
        match node {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, scalars)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| walk(field, scalars));
                let target = fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(spec::schema_name);
                if let Some(Value::Object(scalar)) = target.and_then(|name| scalars.get(name)) {
                    fields.remove("$ref");
                    for (key, value) in scalar {
                        fields.entry(key).or_insert_with(|| value.clone());
                    }
                }
            }
            _ => {}
        }
    }
    let scalars = scalars(document);
    walk(document, &scalars);
}

/// Returns the schemas of plain strings and numbers.
pub fn scalars(document: &Value) -> Map<String, Value> {
    let is_scalar = |schema: &Value| {
        ["string", "integer", "number", "boolean"]
            .iter()
            .any(|kind| schema["type"] == *kind)
            && schema.get("enum").is_none()
            && schema.get("const").is_none()
    };
    let schemas = spec::schemas(document).into_iter().flatten();
    schemas
        .filter(|(_, schema)| is_scalar(schema))
        .map(|(name, schema)| (name.clone(), schema.clone()))
        .collect()
}

/// Converts all schemas of a document to OpenAPI 3.0.
pub fn convert(document: &mut Value, constant: &str) {
    fn nodes(node: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
        let entries = node.and_then(Value::as_object_mut).into_iter();
        entries.flat_map(Map::values_mut)
    }
    let payloads = |messages: Option<&mut Value>| {
        nodes(messages)
            .filter_map(|message| message.get_mut("payload"))
            .for_each(|payload| *payload = converted(payload, constant));
    };
    nodes(document.pointer_mut("/components/schemas"))
        .for_each(|schema| *schema = converted(schema, constant));
    payloads(document.pointer_mut("/components/messages"));
    nodes(document.get_mut("channels")).for_each(|channel| payloads(channel.get_mut("messages")));
}

/// Converts a schema to OpenAPI 3.0: lists of types are resolved, and a single allowed value is stored
/// under the key `constant`.
pub(crate) fn converted(schema: &Value, constant: &str) -> Value {
    let Value::Object(fields) = schema else {
        return match schema {
            Value::Array(items) => items.iter().map(|item| converted(item, constant)).collect(),
            leaf => leaf.clone(),
        };
    };
    let mut out = Map::new();
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let properties = properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), converted(schema, constant)));
                out.insert(key.clone(), Value::Object(properties.collect()));
            }
            ("const", value) if value.is_string() => {
                out.insert(constant.to_owned(), value.clone());
            }
            ("type", Value::Array(types)) => {
                let kinds: Vec<_> = types.iter().filter(|kind| *kind != "null").collect();
                let kind = match kinds.as_slice() {
                    [kind] => (*kind).clone(),
                    // Not an OpenAPI 3.0 type; the checks report it.
                    _ => value.clone(),
                };
                out.insert(key.clone(), kind);
                let nullable = kinds.len() < types.len();
                out.insert("nullable".to_owned(), nullable.into());
            }
            _ => {
                out.insert(key.clone(), converted(value, constant));
            }
        }
    }
    out.into()
}
