//! What the contract says of each operation: its parameters, its body, its answer, a sample of that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use kalshi_sdk::{Operation, operation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Refusal, validate};

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

/// The contract, once for the process.
#[derive(Default)]
pub(crate) struct Contract {
    endpoints: HashMap<&'static str, Endpoint>,
    /// The schemas by name.
    pub(crate) schemas: Map<String, Value>,
}

/// One operation of the contract.
pub(crate) struct Endpoint {
    pub(crate) operation: &'static Operation,
    facts: Facts,
}

#[derive(Deserialize)]
struct Facts {
    parameters: Vec<Parameter>,
    body: Option<Value>,
    body_required: bool,
    status: u16,
    answer: Option<Value>,
    sample: Option<Value>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: String,
    #[serde(default)]
    required: bool,
    schema: Value,
}

/// Parameters of a call by name, as the contract types them.
pub(crate) type Parameters = BTreeMap<String, Value>;

impl Contract {
    fn read() -> Self {
        #[derive(Deserialize)]
        struct Digest {
            operations: HashMap<String, Facts>,
            schemas: Map<String, Value>,
        }
        let text = include_str!(concat!(env!("OUT_DIR"), "/contract.json"));
        let Ok(mut digest) = serde_json::from_str::<Digest>(text) else {
            // What the build script wrote; a test reads it.
            return Self::default();
        };
        let endpoints = operation::ALL.iter().filter_map(|operation| {
            let facts = digest.operations.remove(operation.id)?;
            Some((operation.id, Endpoint { operation, facts }))
        });
        Self {
            endpoints: endpoints.collect(),
            schemas: digest.schemas,
        }
    }

    pub(crate) fn get() -> &'static Self {
        &CONTRACT
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }
}

impl Endpoint {
    /// The status of a success.
    pub(crate) fn status(&self) -> u16 {
        self.facts.status
    }

    /// Whether a call carries a body, be it an empty object.
    ///
    /// The exchange wants one of every PUT and POST, also where it reads nothing from it.
    pub(crate) fn wants_body(&self) -> bool {
        self.facts.body.is_some() || ["PUT", "POST"].contains(&self.operation.method.as_str())
    }

    /// The schema of a success, if that has a body.
    pub(crate) fn answer_schema(&self) -> Option<&Value> {
        self.facts.answer.as_ref()
    }

    /// A sample answer: of one page, the last.
    pub(crate) fn sample(&self) -> Option<Value> {
        let mut sample = self.facts.sample.clone()?;
        let cursor = self.operation.paging.map(|paging| paging.cursor_member);
        if let Some(member) = cursor.and_then(|name| sample.get_mut(name)) {
            *member = "".into();
        }
        Some(sample)
    }

    /// The parameters of a call, typed and checked.
    pub(crate) fn parameters(
        &self,
        path: &[(String, String)],
        query: &[(String, String)],
    ) -> Result<Parameters, Refusal> {
        let mut typed = Parameters::new();
        for parameter in &self.facts.parameters {
            let given: Vec<&str> = match parameter.place.as_str() {
                "path" => values(path, &parameter.name),
                "query" => values(query, &parameter.name),
                _ => continue,
            };
            let Some(value) = validate::from_text(&parameter.schema, &given) else {
                if parameter.required {
                    return Err(Refusal::invalid(format!("{}: required", parameter.name)));
                }
                let default = &parameter.schema["default"];
                if !default.is_null() {
                    typed.insert(parameter.name.clone(), default.clone());
                }
                continue;
            };
            validate::check(&parameter.schema, &value, &parameter.name).map_err(|refusal| {
                match parameter.name.as_str() {
                    // The one that is recorded has words of its own.
                    "status" => Refusal::bad("bad_request", "invalid status filter"),
                    _ => refusal,
                }
            })?;
            typed.insert(parameter.name.clone(), value);
        }
        Ok(typed)
    }

    /// The body of a call, checked.
    pub(crate) fn body(&self, bytes: &[u8]) -> Result<Value, Refusal> {
        if !self.wants_body() {
            return Ok(Value::Null);
        }
        if bytes.is_empty() && !self.facts.body_required {
            return Ok(Map::new().into());
        }
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::invalid(format!("the body is no JSON: {error}")))?;
        if let Some(schema) = &self.facts.body {
            validate::check(schema, &body, "")?;
        }
        Ok(body)
    }
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    pairs
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_has_every_operation_of_the_client() {
        let contract = Contract::get();
        assert_eq!(contract.endpoints().count(), operation::ALL.len());
        for endpoint in contract.endpoints() {
            assert_eq!(
                endpoint.answer_schema().is_some(),
                endpoint.sample().is_some(),
                "{}",
                endpoint.operation
            );
        }
    }
}
