//! The spec, as the build script digested it: parameters, body, response and a sample response of each operation.

use std::{collections::HashMap, sync::LazyLock};

use kalshi_sdk::{Operation, operation};
use serde::Deserialize;
use serde_json::{Map, Value};

static SPEC: LazyLock<Spec> = LazyLock::new(Spec::parse);

/// The spec, parsed once per process.
#[derive(Default)]
pub(crate) struct Spec {
    endpoints: HashMap<&'static str, Endpoint>,
    /// Schemas by name.
    pub(crate) schemas: Map<String, Value>,
}

/// One operation of the spec.
pub(crate) struct Endpoint {
    pub(crate) operation: &'static Operation,
    pub(crate) details: Details,
}

/// What the spec says about an operation.
#[derive(Deserialize)]
pub(crate) struct Details {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Value>,
    pub(crate) body_required: bool,
    status: u16,
    response: Option<Value>,
    sample: Option<Value>,
}

/// A parameter of an operation.
#[derive(Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// `path`, `query` or `header`.
    #[serde(rename = "in")]
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) required: bool,
    pub(crate) schema: Value,
}

impl Spec {
    fn parse() -> Self {
        #[derive(Deserialize)]
        struct Digest {
            operations: HashMap<String, Details>,
            schemas: Map<String, Value>,
        }
        let text = include_str!(concat!(env!("OUT_DIR"), "/spec.json"));
        let Ok(mut digest) = serde_json::from_str::<Digest>(text) else {
            // Unreachable: the build script wrote it, and a test parses it.
            return Self::default();
        };
        let endpoints = operation::ALL.iter().filter_map(|operation| {
            let details = digest.operations.remove(operation.id)?;
            Some((operation.id, Endpoint { operation, details }))
        });
        Self {
            endpoints: endpoints.collect(),
            schemas: digest.schemas,
        }
    }

    pub(crate) fn get() -> &'static Self {
        &SPEC
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }
}

impl Endpoint {
    /// Returns the status of a success.
    pub(crate) fn status(&self) -> u16 {
        self.details.status
    }

    /// Returns true if a request must have a body, even an empty object.
    ///
    /// The exchange requires one for every PUT and POST, including those that ignore it.
    pub(crate) fn wants_body(&self) -> bool {
        self.details.body.is_some() || ["PUT", "POST"].contains(&self.operation.method.as_str())
    }

    /// Returns the schema of a successful response, or `None` if it has no body.
    pub(crate) fn response_schema(&self) -> Option<&Value> {
        self.details.response.as_ref()
    }

    /// Returns a sample response. Of a list, it is the last page.
    pub(crate) fn sample(&self) -> Option<Value> {
        let mut sample = self.details.sample.clone()?;
        let cursor = self.operation.paging.map(|paging| paging.cursor_field);
        if let Some(member) = cursor.and_then(|name| sample.get_mut(name)) {
            *member = "".into();
        }
        Some(sample)
    }
}

/// Follows the reference of a schema, if it has one.
pub(crate) fn resolve(schema: &Value) -> &Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|text| text.rsplit('/').next());
    name.and_then(|name| Spec::get().schemas.get(name))
        .unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_has_every_operation_of_the_client() {
        let spec = Spec::get();
        assert_eq!(spec.endpoints().count(), operation::ALL.len());
        for endpoint in spec.endpoints() {
            assert_eq!(
                endpoint.response_schema().is_some(),
                endpoint.sample().is_some(),
                "{}",
                endpoint.operation
            );
        }
    }
}
