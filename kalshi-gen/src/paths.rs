//! Normalisation of a spec's paths: each operation has one JSON body, one success response and one error response.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    error::{Error, JsonPath},
    operations::PLURAL,
    spec::{self, dereference},
};

/// The fields of a parameter that later stages read. The checks have validated all of them.
const PARAMETER_FIELDS: [&str; 10] = [
    "deprecated",
    PLURAL,
    "description",
    "explode",
    "in",
    "name",
    "required",
    "schema",
    "style",
    "x-token-cost",
];

/// Returns the normalised paths: parameters resolved, one JSON body, one success response and one error response.
pub(crate) fn normalize(document: &Value) -> Result<Value, Error> {
    let error_schema = common_error_schema(document);
    let mut paths = Map::new();
    for (path, method, operation) in spec::operations(document) {
        let location = JsonPath::new(&["paths", path, method]);
        let mut out = Map::new();
        for (key, value) in operation {
            if key.starts_with("x-")
                || [
                    "operationId",
                    "summary",
                    "description",
                    "tags",
                    "security",
                    "deprecated",
                ]
                .contains(&key.as_str())
            {
                out.insert(key.clone(), value.clone());
            }
        }
        // The document's security applies unless the operation has its own.
        if let (None, Some(security)) = (operation.get("security"), document.get("security")) {
            out.insert("security".into(), security.clone());
        }
        let own = operation.get("parameters").and_then(Value::as_array);
        let shared = document["paths"][path]
            .get("parameters")
            .and_then(Value::as_array);
        let mut parameters: Vec<Value> = Vec::new();
        for parameter in shared.into_iter().chain(own).flatten() {
            let mut resolved = dereference(document, parameter, &location)?.clone();
            // Examples and other descriptive fields are dropped, since they are not validated.
            if let Some(fields) = resolved.as_object_mut() {
                fields.retain(|key, _| PARAMETER_FIELDS.contains(&key.as_str()));
                if !fields.get("deprecated").is_some_and(Value::is_boolean) {
                    fields.remove("deprecated");
                }
            }
            if let Some(reference) = parameter.get("$ref").and_then(Value::as_str) {
                resolved["x-component"] = json!(reference.rsplit('/').next());
            }
            // An operation's parameter overrides the path's.
            parameters.retain(|other| {
                (&other["name"], &other["in"]) != (&resolved["name"], &resolved["in"])
            });
            parameters.push(resolved);
        }
        out.insert("parameters".into(), Value::Array(parameters));
        if let Some(body) = operation.get("requestBody") {
            let schema = spec::json_schema(dereference(document, body, &location)?).cloned();
            // The client sends `{}` by default, so a body without fields is dropped.
            if let Some(schema) = schema.filter(|schema| !is_empty_object(document, schema)) {
                out.insert(
                    "requestBody".into(),
                    json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
                );
            }
        }
        let (status, success) = success(document, operation, &location)?;
        let mut responses = Map::from_iter([(status, success)]);
        if let Some(schema) = &error_schema {
            for range in ["4XX", "5XX"] {
                responses.insert(
                    range.into(),
                    json!({ "description": "", "content": { "application/json": { "schema": schema } } }),
                );
            }
        }
        out.insert("responses".into(), Value::Object(responses));
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = Value::Object(out);
    }
    Ok(Value::Object(paths))
}

/// Returns `true` for an object without fields, which the spec uses for requests without content. It may be composed of
/// such objects.
pub fn is_empty_object(document: &Value, schema: &Value) -> bool {
    let (mut seen, mut pending) = (BTreeSet::new(), vec![schema]);
    let mut is_object = false;
    while let Some(part) = pending.pop() {
        if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
            if seen.insert(reference) {
                pending.extend(spec::resolve(document, reference));
            }
            continue;
        }
        let properties = part.get("properties").and_then(Value::as_object);
        let additional = part.get("additionalProperties");
        let kind = part.get("type").and_then(Value::as_str);
        if !properties.is_none_or(Map::is_empty)
            || !matches!(additional, None | Some(Value::Bool(false)))
            || !matches!(kind, None | Some("object"))
            || part.get("oneOf").or(part.get("anyOf")).is_some()
        {
            return false;
        }
        is_object |= kind == Some("object");
        let parts = part.get("allOf").and_then(Value::as_array);
        pending.extend(parts.into_iter().flatten());
    }
    is_object
}

/// Returns the status and content of the success response.
pub fn success(
    document: &Value,
    operation: &Map<String, Value>,
    location: &JsonPath,
) -> Result<(String, Value), Error> {
    let location = location.join("responses");
    let mut found: Option<(String, Option<Value>)> = None;
    for (status, response) in operation
        .get("responses")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if !status.starts_with('2') {
            continue;
        }
        let response = dereference(document, response, &location.join(status))?;
        let schema = spec::json_schema(response).cloned();
        found = match found {
            Some((_, Some(first))) if schema.as_ref().is_some_and(|schema| *schema != first) => {
                return Err(Error::at(
                    &location,
                    "two success responses with different bodies",
                ));
            }
            // The first response with a body represents them all.
            Some((first_status, first)) if schema.is_none() || first.is_some() => {
                Some((first_status, first))
            }
            _ => Some((status.clone(), schema)),
        };
    }
    match found {
        Some((status, Some(schema))) => Ok((
            status,
            json!({ "description": "", "content": { "application/json": { "schema": schema } } }),
        )),
        Some((status, None)) => Ok((status, json!({ "description": "" }))),
        None => Err(Error::at(&location, "there is no success response (2xx)")),
    }
}

/// Returns the schema that most error responses of the spec have.
fn common_error_schema(document: &Value) -> Option<Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (path, method, operation) in spec::operations(document) {
        let responses = operation.get("responses").and_then(Value::as_object);
        for (status, response) in responses.into_iter().flatten() {
            let location = JsonPath::new(&["paths", path, method, "responses", status]);
            let response = dereference(document, response, &location).ok()?;
            let reference =
                spec::json_schema(response).and_then(|schema| schema.get("$ref")?.as_str());
            if let (true, Some(reference)) = (status.starts_with(['4', '5']), reference) {
                *counts.entry(reference.to_owned()).or_default() += 1;
            }
        }
    }
    let (reference, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(json!({ "$ref": reference }))
}
