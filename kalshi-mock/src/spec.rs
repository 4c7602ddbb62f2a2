//! The specs as reduced by the build script: parameters, body, response and a sample response of each operation.

use std::{collections::HashMap, sync::LazyLock};

use kalshi_sdk::{Operation, operation};
use serde::Deserialize;
use serde_json::{Map, Value};

#[cfg(feature = "klear")]
use crate::server::KLEAR_PREFIX;
use crate::{server::PREFIX, state::Instance};

static SPEC: LazyLock<Spec> = LazyLock::new(Spec::parse);

/// The specs of all APIs, parsed once per process.
#[derive(Default)]
pub(crate) struct Spec {
    endpoints: Vec<Endpoint>,
    /// Schemas by API and name.
    schemas: Map<String, Value>,
}

/// An API of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Trade,
    #[cfg(feature = "perps")]
    Perps,
    #[cfg(feature = "klear")]
    Klear,
}

impl Api {
    /// All APIs. The Trade API is first: it serves the paths that it shares with another one.
    pub(crate) const ALL: &[Self] = &[
        Self::Trade,
        #[cfg(feature = "perps")]
        Self::Perps,
        #[cfg(feature = "klear")]
        Self::Klear,
    ];

    /// Returns the prefix of the API's operations and schemas in the digest.
    fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            #[cfg(feature = "perps")]
            Self::Perps => "perps",
            #[cfg(feature = "klear")]
            Self::Klear => "klear",
        }
    }

    /// Returns the path prefix of the API.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Trade => PREFIX,
            #[cfg(feature = "perps")]
            Self::Perps => PREFIX,
            #[cfg(feature = "klear")]
            Self::Klear => KLEAR_PREFIX,
        }
    }

    pub(crate) fn operations(self) -> &'static [Operation] {
        match self {
            Self::Trade => &operation::ALL,
            #[cfg(feature = "perps")]
            Self::Perps => &kalshi_perps::operation::ALL,
            #[cfg(feature = "klear")]
            Self::Klear => &kalshi_klear::operation::ALL,
        }
    }

    /// Returns the exchange instance that the API serves.
    pub(crate) fn instance(self) -> Instance {
        match self {
            #[cfg(feature = "perps")]
            Self::Perps => Instance::Margined,
            _ => Instance::EventContract,
        }
    }

    /// Returns the operation with an id, from the first API that has it.
    pub(crate) fn find(id: &str) -> Option<&'static Operation> {
        Self::ALL
            .iter()
            .flat_map(|api| api.operations())
            .find(|operation| operation.id == id)
    }
}

/// One operation of an API.
pub(crate) struct Endpoint {
    pub(crate) api: Api,
    pub(crate) operation: &'static Operation,
    pub(crate) details: Details,
}

/// The parts of the spec of an operation that the exchange uses.
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
            // Unreachable: the build script wrote the file, and a test parses it.
            return Self::default();
        };
        let mut endpoints = Vec::new();
        for &api in Api::ALL {
            for operation in api.operations() {
                let name = format!("{}/{}", api.name(), operation.id);
                if let Some(details) = digest.operations.remove(&name) {
                    endpoints.push(Endpoint {
                        api,
                        operation,
                        details,
                    });
                }
            }
        }
        Self {
            endpoints,
            schemas: digest.schemas,
        }
    }

    pub(crate) fn get() -> &'static Self {
        &SPEC
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter()
    }
}

impl Endpoint {
    /// Returns the path of the operation on the server.
    pub(crate) fn path(&self) -> String {
        format!("{}{}", self.api.prefix(), self.operation.path)
    }

    /// Returns the HTTP status of a successful response.
    pub(crate) fn status(&self) -> u16 {
        self.details.status
    }

    /// Returns true if a request must have a body, even an empty object.
    ///
    /// The exchange requires one for every PUT and POST, including those that ignore it.
    pub(crate) fn has_request_body(&self) -> bool {
        self.details.body.is_some() || ["PUT", "POST"].contains(&self.operation.method.as_str())
    }

    /// Returns the schema of a successful response, or `None` if it has no body.
    pub(crate) fn response_schema(&self) -> Option<&Value> {
        self.details.response.as_ref()
    }

    /// Returns a sample response, or `None` if the operation has no response body. The sample of a list is its last page.
    pub(crate) fn sample(&self) -> Option<Value> {
        let mut sample = self.details.sample.clone()?;
        let cursor = self.operation.paging.map(|paging| paging.cursor_field);
        if let Some(cursor) = cursor.and_then(|name| sample.get_mut(name)) {
            *cursor = "".into();
        }
        Some(sample)
    }
}

/// Returns the name of the referenced schema, such as `trade/Market`, or `None` if `schema` is not a reference.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"]
        .as_str()
        .and_then(|text| text.strip_prefix("#/components/schemas/"))
}

/// Follows a reference, or returns the schema itself if it is not a reference.
pub(crate) fn resolve(schema: &Value) -> &Value {
    reference(schema)
        .and_then(|name| Spec::get().schemas.get(name))
        .unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_has_every_client_operation() {
        let spec = Spec::get();
        let operations = Api::ALL.iter().map(|api| api.operations().len());
        assert_eq!(spec.endpoints().count(), operations.sum::<usize>());
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
