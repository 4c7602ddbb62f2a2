//! Whether a spec is OpenAPI or AsyncAPI.

use serde_json::Value;

use crate::{error::Error, yaml};

/// Which kind of spec a text is; each root field tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Calls and responses: OpenAPI.
    Rest,
    /// Messages over a WebSocket: AsyncAPI.
    Streams,
}

impl Protocol {
    /// The root field of such a spec, with its version.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Rest => "openapi",
            Self::Streams => "asyncapi",
        }
    }

    /// The kind of the spec `text`; anything that is no spec of streams is to be one of calls.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not YAML.
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
