//! Types and functions that handlers share.

use serde_json::{Map, Value};

use crate::{
    Rejection,
    call::Call,
    spec,
    time::{Micros, SECOND},
    validate,
};

/// Body of a successful response, or a rejection. The body is null if the response has no body.
pub(crate) type HandlerResult = Result<Value, Rejection>;

/// Age at which orders, trades and markets move from the live lists to the archive.
pub(super) const LIVE_WINDOW: Micros = 60 * 24 * 3600 * SECOND;

/// Returns the sample response of an operation. Fields take the values of request parameters with the same name, so that the
/// items of a list pass its filter and a record has the requested id.
pub(super) fn echo(call: &Call<'_>) -> Value {
    let mut sample = call.endpoint.sample().unwrap_or(Value::Null);
    let body = call.body.as_object().into_iter().flatten();
    let mut parameters: Map<String, Value> = call
        .parameters
        .iter()
        .chain(body)
        // Pagination parameters do not describe items.
        .filter(|(name, _)| !["cursor", "limit"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The date of a report must lie within the requested period.
    if let Some(start) = parameters.get("start_date").cloned() {
        parameters.insert("date".to_owned(), start);
    }
    let schema = call.endpoint.response_schema().unwrap_or(&Value::Null);
    fill_fields(schema, &mut sample, &parameters);
    sample
}

fn fill_fields(schema: &Value, sample: &mut Value, parameters: &Map<String, Value>) {
    let schema = spec::resolve(schema);
    match sample {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| fill_fields(&schema["items"], item, parameters)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let schema = &schema["properties"][name];
                let replacement = parameters.get(name).filter(|parameter| {
                    // A nested object can have a field with the same name but another type.
                    is_same_type(parameter, value)
                        && validate::check(schema, parameter, name).is_ok()
                });
                match replacement {
                    Some(replacement) => *value = replacement.clone(),
                    None => fill_fields(schema, value, parameters),
                }
            }
        }
        _ => {}
    }
}

/// Returns true if two values have the same JSON type.
fn is_same_type(parameter: &Value, sample: &Value) -> bool {
    std::mem::discriminant(parameter) == std::mem::discriminant(sample)
}
