//! The error type of the generator, with a message and a JSON path.

use std::fmt;

use crate::names;

/// An error that prevents code generation for a spec, with the JSON path of the location it concerns.
#[derive(Debug)]
pub struct Error {
    at: Option<String>,
    message: String,
}

impl Error {
    /// Creates an error about a JSON path.
    pub(crate) fn at(at: &JsonPath, message: impl Into<String>) -> Self {
        Self {
            at: Some(at.to_string()),
            message: visible(message.into()),
        }
    }

    /// Creates an error about the document as a whole.
    pub(crate) fn document(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: visible(message.into()),
        }
    }

    /// The JSON path of the location the error concerns, such as `$.paths["/markets"].get`, or `None` if it
    /// concerns the whole document.
    #[must_use]
    pub fn json_path(&self) -> Option<&str> {
        self.at.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{at}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}

/// Returns the message on one line, with characters that a terminal would interpret escaped.
fn visible(message: String) -> String {
    names::visible(&message, false)
}

/// A JSON path into a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(String);

impl JsonPath {
    /// Creates the path of `keys` below the root.
    #[must_use]
    pub fn new(keys: &[&str]) -> Self {
        keys.iter()
            .fold(Self("$".to_owned()), |path, key| path.join(key))
    }

    /// Returns the path of the field `key` below this one.
    #[must_use]
    pub fn join(&self, key: &str) -> Self {
        let plain = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-$".contains(c));
        Self(if plain {
            format!("{}.{key}", self.0)
        } else {
            format!("{}[{key:?}]", self.0)
        })
    }

    /// Returns the path of the item `index` below this one.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::JsonPath;

    #[test]
    fn paths_are_written_in_json_path_syntax() {
        let path = JsonPath::new(&["paths", "/a/{b}", "get", "parameters"])
            .item(0)
            .join("200");
        assert_eq!(
            path.to_string(),
            r#"$.paths["/a/{b}"].get.parameters[0].200"#
        );
    }
}
