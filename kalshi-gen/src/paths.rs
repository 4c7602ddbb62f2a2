//! The paths of a spec, normalised: one JSON body, one success response and one error response an operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    error::{Error, JsonPath},
    operations::PLURAL,
    spec::{self, dereference, follow},
};

/// The fields of a parameter that later stages read. All have been checked.
const READ_OF_PARAMETERS: [&str; 9] = [
    "deprecated",
    PLURAL,
    "description",
    "explode",
    "in",
    "name",
    "required",
    "schema",
    "style",
];

/// The paths of the tree: parameters resolved, one JSON body, one success response, one error response.
pub(crate) fn normalize(document: &Value) -> Result<Value, Error> {
    let error_answer = common_error(document);
    let mut paths = Map::new();
    for (path, method, operation) in spec::operations(document) {
        let place = JsonPath::new(&["paths", path, method]);
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
        // What the document says of security holds where an operation says nothing.
        if let (None, Some(security)) = (operation.get("security"), document.get("security")) {
            out.insert("security".into(), security.clone());
        }
        let own = operation.get("parameters").and_then(Value::as_array);
        let shared = document["paths"][path]
            .get("parameters")
            .and_then(Value::as_array);
        let mut parameters: Vec<Value> = Vec::new();
        for parameter in shared.into_iter().chain(own).flatten() {
            let mut resolved = dereference(document, parameter, &place)?.clone();
            // Examples and the like are for the reader, and of any form.
            if let Some(fields) = resolved.as_object_mut() {
                fields.retain(|key, _| READ_OF_PARAMETERS.contains(&key.as_str()));
                if !fields.get("deprecated").is_some_and(Value::is_boolean) {
                    fields.remove("deprecated");
                }
            }
            if let Some(reference) = parameter.get("$ref").and_then(Value::as_str) {
                resolved["x-component"] = json!(reference.rsplit('/').next());
            }
            // An operation's own parameter replaces the path's.
            parameters.retain(|other| {
                (&other["name"], &other["in"]) != (&resolved["name"], &resolved["in"])
            });
            parameters.push(resolved);
        }
        out.insert("parameters".into(), Value::Array(parameters));
        if let Some(body) = operation.get("requestBody") {
            let schema = spec::json_schema(dereference(document, body, &place)?).cloned();
            // A body that may be left out and says nothing is the `{}` that the client sends by itself.
            if let Some(schema) = schema.filter(|schema| !is_empty_object(document, schema)) {
                out.insert(
                    "requestBody".into(),
                    json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
                );
            }
        }
        let (status, success) = success(document, operation, &place)?;
        let mut answers = Map::from_iter([(status, success)]);
        if let Some(schema) = &error_answer {
            for range in ["4XX", "5XX"] {
                answers.insert(
                    range.into(),
                    json!({ "description": "", "content": { "application/json": { "schema": schema } } }),
                );
            }
        }
        out.insert("responses".into(), Value::Object(answers));
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = Value::Object(out);
    }
    Ok(Value::Object(paths))
}

/// An object without a single field, as the spec uses for calls that carry nothing.
pub fn is_empty_object(document: &Value, schema: &Value) -> bool {
    let schema = follow(document, schema);
    schema.get("type").and_then(Value::as_str) == Some("object")
        && schema
            .get("properties")
            .and_then(Value::as_object)
            .is_none_or(Map::is_empty)
        && matches!(
            schema.get("additionalProperties"),
            None | Some(Value::Bool(false))
        )
}

/// The one success response: its status and content.
pub fn success(
    document: &Value,
    operation: &Map<String, Value>,
    place: &JsonPath,
) -> Result<(String, Value), Error> {
    let place = place.join("responses");
    let mut found: Option<(String, Option<Value>)> = None;
    for (status, answer) in operation
        .get("responses")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if !status.starts_with('2') {
            continue;
        }
        let answer = dereference(document, answer, &place.join(status))?;
        let schema = spec::json_schema(answer).cloned();
        found = match found {
            Some((_, Some(first))) if schema.as_ref().is_some_and(|schema| *schema != first) => {
                return Err(Error::at(
                    &place,
                    "two success answers with different bodies",
                ));
            }
            // The first that carries something stands for all.
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
        None => Err(Error::at(&place, "there is no success answer (2xx)")),
    }
}

/// The schema most error responses of the spec have.
fn common_error(document: &Value) -> Option<Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (path, method, operation) in spec::operations(document) {
        let answers = operation.get("responses").and_then(Value::as_object);
        for (status, answer) in answers.into_iter().flatten() {
            let place = JsonPath::new(&["paths", path, method, "responses", status]);
            let answer = dereference(document, answer, &place).ok()?;
            let reference =
                spec::json_schema(answer).and_then(|schema| schema.get("$ref")?.as_str());
            if let (true, Some(reference)) = (status.starts_with(['4', '5']), reference) {
                *counts.entry(reference.to_owned()).or_default() += 1;
            }
        }
    }
    let (reference, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(json!({ "$ref": reference }))
}
