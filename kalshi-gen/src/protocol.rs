//! The protocol of a spec: OpenAPI or AsyncAPI.

use serde_json::Value;

use crate::{error::Error, yaml};

/// The protocol of a spec, identified by its root field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Requests and responses, described with OpenAPI.
    Rest,
    /// Messages over a WebSocket connection, described with AsyncAPI.
    Streams,
}

impl Protocol {
    /// Returns the root field that identifies such a spec and contains its version.
    #[must_use]
    pub fn root_field(self) -> &'static str {
        match self {
            Self::Rest => "openapi",
            Self::Streams => "asyncapi",
        }
    }

    /// Determines the protocol of a spec. A document that is not AsyncAPI is treated as OpenAPI.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not valid YAML.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        Ok(Self::from_document(&yaml::parse(text)?))
    }

    /// The protocol of a parsed document.
    pub(crate) fn from_document(document: &Value) -> Self {
        if document.get("asyncapi").is_some() {
            Self::Streams
        } else {
            Self::Rest
        }
    }
}
