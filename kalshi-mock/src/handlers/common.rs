//! Types and functions that handlers share.

use serde_json::{Map, Value};

use crate::{
    Rejection,
    call::Call,
    time::{Micros, SECOND},
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
    set(&mut sample, &given);
    sample
}

fn set(sample: &mut Value, given: &Map<String, Value>) {
    match sample {
        Value::Array(items) => items.iter_mut().for_each(|item| set(item, given)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let replacement = given.get(name).filter(|given| is_alike(given, value));
                match replacement {
                    Some(replacement) => *value = replacement.clone(),
                    None => set(value, given),
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
