//! Conversion of AsyncAPI schemas to OpenAPI 3.0, and inlining of scalar schemas.

use serde_json::{Map, Value, json};

use crate::{compose, error::Error, spec};

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

/// Converts all schemas of a document to OpenAPI 3.0, and merges each `allOf` of objects.
pub(super) fn resolve(document: &mut Value) -> Result<(), Error> {
    convert(document, "x-const");
    let mut schemas = spec::schemas(document).cloned().unwrap_or_default();
    // Beside the named schemas, which they may refer to. No schema is named like a JSON pointer.
    let payloads = payload_pointers(document);
    for pointer in &payloads {
        let payload = document.pointer(pointer).cloned();
        schemas.insert(pointer.clone(), payload.unwrap_or_default());
    }
    let mut tree = json!({ "components": { "schemas": schemas } });
    compose::merge_all_of(&mut tree, 0)?;
    let mut merged = tree["components"]["schemas"].take();
    for pointer in &payloads {
        if let (Some(payload), Some(schemas)) =
            (document.pointer_mut(pointer), merged.as_object_mut())
        {
            *payload = schemas.remove(pointer).unwrap_or_default();
        }
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        *schemas = merged;
    }
    Ok(())
}

/// Returns the JSON pointers of the payloads of all messages.
fn payload_pointers(document: &Value) -> Vec<String> {
    let channels = document["channels"].as_object().into_iter().flatten();
    let channels = channels.map(|(name, _)| format!("/channels/{}/messages", escaped(name)));
    let lists = channels.chain(["/components/messages".to_owned()]);
    lists
        .flat_map(|list| {
            let messages = document.pointer(&list).and_then(Value::as_object);
            let messages = messages.into_iter().flatten();
            let with_payload = messages.filter(|(_, message)| message.get("payload").is_some());
            with_payload
                .map(|(name, _)| format!("{list}/{}/payload", escaped(name)))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Escapes a key for a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Converts a schema to OpenAPI 3.0: lists of types are resolved, an alternative that is null becomes `nullable`, and a
/// single allowed value is stored under the key `constant`.
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
    for key in ["anyOf", "oneOf"] {
        fold_null(&mut out, key);
    }
    out.into()
}

/// Replaces alternatives that are null by `nullable`. A single other alternative replaces the list.
fn fold_null(schema: &mut Map<String, Value>, key: &str) {
    let is_null = |part: &Value| part["type"] == "null" || part["type"] == json!(["null"]);
    let Some(Value::Array(parts)) = schema.get_mut(key) else {
        return;
    };
    let before = parts.len();
    if parts.iter().all(is_null) {
        return;
    }
    parts.retain(|part| !is_null(part));
    if parts.len() == before {
        return;
    }
    let only = (parts.len() == 1).then(|| parts.pop()).flatten();
    schema.insert("nullable".to_owned(), true.into());
    if let Some(only) = only {
        schema.remove(key);
        match only {
            Value::Object(fields) if !fields.contains_key("$ref") => {
                for (key, value) in fields {
                    schema.entry(key).or_insert(value);
                }
            }
            reference => {
                let all_of = schema.entry("allOf").or_insert_with(|| json!([]));
                all_of
                    .as_array_mut()
                    .into_iter()
                    .for_each(|parts| parts.push(reference.clone()));
            }
        }
    }
}
