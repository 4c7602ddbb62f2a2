//! Types and functions that handlers share.

use serde_json::{Map, Value};

use crate::{
    Rejection,
    call::Call,
    spec,
    time::{Micros, SECOND},
    validate,
};

/// The body of a successful response, or a rejection. The body is null if the operation has none.
pub(crate) type HandlerResult = Result<Value, Rejection>;

/// Age at which orders, trades and markets move from the live lists to the archive.
pub(super) const LIVE_WINDOW: Micros = 60 * 24 * 3600 * SECOND;

/// Returns the sample response of an operation, with the values of the request in the fields of the same names. So a filtered
/// list has an item that passes the filter, and a record has the requested id.
pub(super) fn echo(call: &Call<'_>) -> Value {
    let mut sample = call.endpoint.sample().unwrap_or(Value::Null);
    let body = call.body.as_object().into_iter().flatten();
    let mut given: Map<String, Value> = call
        .parameters
        .iter()
        .chain(body)
        // How a list is read is no field of its items.
        .filter(|(name, _)| !["cursor", "limit"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // A report is dated within the requested period.
    if let Some(start) = given.get("start_date").cloned() {
        given.insert("date".to_owned(), start);
    }
    let schema = call.endpoint.response_schema().unwrap_or(&Value::Null);
    set(schema, &mut sample, &given);
    sample
}

fn set(schema: &Value, sample: &mut Value, given: &Map<String, Value>) {
    let schema = spec::resolve(schema);
    match sample {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| set(&schema["items"], item, given)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let schema = &schema["properties"][name];
                let replacement = given.get(name).filter(|given| {
                    // A nested object can have a field of the same name and other values.
                    is_alike(given, value) && validate::check(schema, given, name).is_ok()
                });
                match replacement {
                    Some(replacement) => *value = replacement.clone(),
                    None => set(schema, value, given),
                }
            }
        }
        _ => {}
    }
}

/// Returns true if two values have the same JSON type.
fn is_alike(given: &Value, sample: &Value) -> bool {
    std::mem::discriminant(given) == std::mem::discriminant(sample)
}
