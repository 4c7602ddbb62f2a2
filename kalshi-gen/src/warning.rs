//! Warnings about content of a spec that the generator ignores.

use std::fmt;

use crate::{error::JsonPath, names};

/// A warning about content of a spec that the generator ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The JSON path of the ignored content, such as `$.components.schemas.Market.titel`.
    pub path: String,
    /// The ignored content and the reason, without the path.
    pub message: String,
}

impl Warning {
    pub(crate) fn new(path: &JsonPath, message: impl Into<String>) -> Self {
        Self {
            path: path.to_string(),
            message: names::visible(&message.into(), false),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
