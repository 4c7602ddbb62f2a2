//! What a spec holds that generation ignores.

use std::fmt;

use crate::{error::JsonPath, names};

/// Something in a spec that generation ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The JSON path of what is ignored, such as `$.components.schemas.Market.titel`.
    pub path: String,
    /// What is ignored and why, without the path.
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
