//! Recorded requests, and signatures of future requests.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, Input, routes::Reply};
use crate::{MockExchange, spec::Spec, sync::lock};

/// Number of requests that are listed by default.
const LIMIT: usize = 100;

pub(super) fn list(exchange: &MockExchange, input: &Input) -> Reply {
    let (mut limit, mut operation) = (LIMIT, None);
    for (name, value) in &input.query {
        match name.as_str() {
            "limit" => {
                let parsed = value.parse();
                limit = parsed
                    .map_err(|_| ControlError::bad_request("limit must be a whole number"))?;
            }
            "operation" if !is_operation(value) => {
                return Err(ControlError::bad_request(format!("no operation {value}")));
            }
            "operation" => operation = Some(value),
            _ => {
                return Err(ControlError::bad_request(format!(
                    "unknown query parameter {name}"
                )));
            }
        }
    }
    let log = lock(&exchange.shared.log);
    let last = log.last(limit, |request| {
        operation.is_none_or(|operation| request.is(operation))
    });
    drop(log);
    let last: Vec<Value> = last.iter().map(|request| request.describe()).collect();
    Ok(json!({ "requests": last }))
}

/// Returns true if an operation has this id. A list of requests to one that does not exist would always be empty.
fn is_operation(id: &str) -> bool {
    let mut endpoints = Spec::get().endpoints();
    endpoints.any(|endpoint| endpoint.operation.id == id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToSign {
    method: String,
    path: String,
    key_id: Option<String>,
}

pub(super) fn sign(exchange: &MockExchange, input: &Input) -> Reply {
    let ToSign {
        method,
        path,
        key_id,
    } = input.body()?;
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| ControlError::bad_request("method must be an HTTP method"))?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "path must be the full path of the request as it is sent, such as /trade-api/v2/markets";
        return Err(ControlError::bad_request(message));
    }
    let id = key_id.unwrap_or_else(|| exchange.credentials().key_id().to_owned());
    let now_ms = u64::try_from(exchange.time().micros() / 1000).unwrap_or_default();
    // The query is not signed.
    let path = path.split('?').next().unwrap_or_default();
    let keys = &exchange.shared.keys;
    match keys.sign(&id, (method.as_str(), path), now_ms) {
        Some(Ok(signature)) => Ok(json!({ "headers": {
            "KALSHI-ACCESS-KEY": id,
            "KALSHI-ACCESS-TIMESTAMP": now_ms.to_string(),
            "KALSHI-ACCESS-SIGNATURE": signature,
        }})),
        Some(Err(error)) => Err(ControlError::internal(error.to_string())),
        None => Err(ControlError::not_found(format!(
            "no key {id}: the exchange signs only with keys that it generated"
        ))),
    }
}
