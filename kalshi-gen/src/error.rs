//! The one error of the generator: what is wrong, and where in the spec.

use std::fmt;

/// Why a spec could not be turned into Rust: one message, with the JSON path of the place it is about.
#[derive(Debug)]
pub struct Error {
    at: Option<String>,
    message: String,
}

impl Error {
    /// An error about the place `at`.
    #[doc(hidden)]
    #[must_use]
    pub fn at(at: &Place, message: impl Into<String>) -> Self {
        Self {
            at: Some(at.to_string()),
            message: message.into(),
        }
    }

    /// An error about the document as a whole.
    #[doc(hidden)]
    #[must_use]
    pub fn document(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: message.into(),
        }
    }

    /// The JSON path of the place the error is about, such as `$.paths["/markets"].get`, when it is about one.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
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

/// A place in the spec, as the JSON path that leads to it.
#[derive(Clone, Debug)]
pub struct Place(String);

impl Place {
    /// The place of `keys` below the root.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        keys.iter()
            .fold(Self("$".to_owned()), |place, key| place.join(key))
    }

    /// The place of the member `key` below this one.
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

    /// The place of the item `index` below this one.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_read_as_json_paths() {
        let place = Place::of(&["paths", "/a/{b}", "get", "parameters"])
            .item(0)
            .join("200");
        assert_eq!(
            place.to_string(),
            r#"$.paths["/a/{b}"].get.parameters[0].200"#
        );
    }
}
