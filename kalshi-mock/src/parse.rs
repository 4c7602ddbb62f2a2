//! Parses the parameters and the body of a request by the types in the spec.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Rejection, rejection::ErrorEnvelope, spec::Endpoint, state::Instance, validate};

/// Parameters that the margin exchange is known to reject when they are missing.
const DATES: [&str; 2] = ["start_date", "end_date"];

/// Parameters of a request by name.
pub(crate) type Parameters = BTreeMap<String, Value>;

impl Endpoint {
    /// Parses and checks the parameters of a request.
    pub(crate) fn parameters(
        &self,
        path: &[(String, String)],
        query: &[(String, String)],
    ) -> Result<Parameters, Rejection> {
        let mut parameters = Parameters::new();
        for parameter in &self.details.parameters {
            let values: Vec<&str> = match parameter.location.as_str() {
                "path" => values_of(path, &parameter.name),
                "query" => values_of(query, &parameter.name),
                _ => continue,
            };
            let Some(value) = validate::parse_parameter(&parameter.schema, &values) else {
                if parameter.required && DATES.contains(&parameter.name.as_str()) {
                    // The margin exchange sends a different message.
                    return Err(self.missing_date(&parameter.name));
                }
                if parameter.required {
                    return Err(Rejection::invalid(format!("{}: required", parameter.name)));
                }
                let default = &parameter.schema["default"];
                if !default.is_null() {
                    parameters.insert(parameter.name.clone(), default.clone());
                }
                continue;
            };
            validate::check(&parameter.schema, &value, &parameter.name).map_err(|rejection| {
                match parameter.name.as_str() {
                    // The exchange sends a different message.
                    "status" => Rejection::bad_request("bad_request", "invalid status filter"),
                    "limit" => Rejection {
                        envelope: ErrorEnvelope::Message,
                        ..rejection
                    },
                    _ => rejection,
                }
            })?;
            parameters.insert(parameter.name.clone(), value);
        }
        Ok(parameters)
    }

    /// Returns the rejection of a request without a required date.
    fn missing_date(&self, name: &str) -> Rejection {
        let envelope = match self.api.instance() {
            Instance::Margined => ErrorEnvelope::Message,
            Instance::EventContract => ErrorEnvelope::Nested,
        };
        Rejection {
            envelope,
            ..Rejection::invalid(format!("Query argument {name} is required, but not found"))
        }
    }

    /// Parses and checks the body of a request.
    pub(crate) fn body(&self, bytes: &[u8]) -> Result<Value, Rejection> {
        if !self.has_request_body() {
            return Ok(Value::Null);
        }
        if bytes.is_empty() && !self.details.body_required {
            return Ok(Map::new().into());
        }
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| undecodable(format!("the body is not valid JSON: {error}")))?;
        if let Some(schema) = &self.details.body {
            validate::check(schema, &body, "").map_err(
                |rejection| match validate::is_wrong_type(&rejection) {
                    true => undecodable(rejection.details),
                    false => rejection,
                },
            )?;
        }
        Ok(body)
    }
}

/// Returns the rejection of a body that cannot be decoded.
fn undecodable(details: String) -> Rejection {
    Rejection {
        envelope: ErrorEnvelope::Flat,
        ..Rejection::bad_request("bad_request", details)
    }
}

fn values_of<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    pairs
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .collect()
}
