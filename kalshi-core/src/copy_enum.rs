//! Enums that are `Copy` although a value of the exchange that they do not list survives.

use std::{fmt, hash::Hash};

/// Longest value that an [`UnknownValue`] can hold, in bytes.
const MAX_LENGTH: usize = 31;

/// A value that was not in the spec when this version was built, as the exchange sent it. Only decoding makes one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownValue {
    /// Padded with zeros.
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

impl UnknownValue {
    /// Returns `None` for a value of more than 31 bytes.
    fn new(value: &str) -> Option<Self> {
        let mut bytes = [0; MAX_LENGTH];
        bytes
            .get_mut(..value.len())?
            .copy_from_slice(value.as_bytes());
        Some(Self {
            bytes,
            length: u8::try_from(value.len()).ok()?,
        })
    }

    /// Returns the value as the exchange sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes were copied from a `str`.
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl fmt::Debug for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A string that is not a value of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseValueError {
    value: String,
    known: &'static [&'static str],
}

impl ParseValueError {
    #[doc(hidden)]
    #[must_use]
    pub fn new(value: &str, known: &'static [&'static str]) -> Self {
        let value = value.chars().take(MAX_LENGTH).collect();
        Self { value, known }
    }
}

impl fmt::Display for ParseValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, known) = (&self.value, self.known.join("`, `"));
        write!(f, "{value:?} is not one of `{known}`")
    }
}

impl std::error::Error for ParseValueError {}

/// Decodes a value that may be unknown.
#[doc(hidden)]
pub fn deserialize<'de, D: serde::Deserializer<'de>, T>(
    deserializer: D,
    known: fn(&str) -> Option<T>,
    unknown: fn(UnknownValue) -> T,
) -> Result<T, D::Error> {
    struct Value<T>(fn(&str) -> Option<T>, fn(UnknownValue) -> T);

    impl<T> serde::de::Visitor<'_> for Value<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string of at most 31 bytes")
        }

        fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<T, E> {
            (self.0)(value)
                .or_else(|| UnknownValue::new(value).map(self.1))
                .ok_or_else(|| E::invalid_length(value.len(), &self))
        }
    }

    deserializer.deserialize_str(Value(known, unknown))
}

/// Defines an enum that is `Copy` and keeps values that it does not list.
#[doc(hidden)]
#[macro_export]
macro_rules! copy_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $value:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)+
            /// A value that was not in the spec when this version was built. It does not decode if it has more than 31 bytes.
            Unknown($crate::UnknownValue),
        }

        impl $name {
            /// The values of the spec.
            pub const VALUES: &'static [&'static str] = &[$($value),+];

            /// Returns the value as it is sent.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)+
                    Self::Unknown(value) => value.as_str(),
                }
            }

            fn known(value: &str) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::ParseValueError;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                Self::known(value).ok_or_else(|| $crate::ParseValueError::new(value, Self::VALUES))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::ParseValueError;

            fn try_from(value: &str) -> Result<Self, Self::Error> {
                value.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::ParseValueError;

            fn try_from(value: String) -> Result<Self, Self::Error> {
                value.parse()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::rt::copy_enum(deserializer, Self::known, Self::Unknown)
            }
        }
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::BookSide;

    #[test]
    fn unknown_values_survive_and_cannot_be_made_by_parsing() {
        for value in ["", "both", "ASK", "a value of thirty-one bytes, é"] {
            let json = serde_json::to_string(value).unwrap();
            let side: BookSide = serde_json::from_str(&json).unwrap();
            assert!(matches!(side, BookSide::Unknown(_)), "{value}");
            assert_eq!((side.as_str(), side.to_string().as_str()), (value, value));
            assert_eq!(serde_json::to_string(&side).unwrap(), json);
            let error = value.parse::<BookSide>().unwrap_err().to_string();
            assert_eq!(error, format!("{value:?} is not one of `bid`, `ask`"));
        }
        assert_ne!(
            serde_json::from_str::<BookSide>("\"\"").unwrap(),
            serde_json::from_str::<BookSide>("\"\\u0000\"").unwrap()
        );
        let error = serde_json::from_str::<BookSide>(&format!("\"{}\"", "7".repeat(32)));
        assert!(error.unwrap_err().to_string().contains("at most 31 bytes"));
        serde_json::from_str::<BookSide>("7").unwrap_err();
    }
}
