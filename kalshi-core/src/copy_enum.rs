//! `Copy` enums that preserve unlisted values.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

/// Maximum length of a value that is stored inline, in bytes.
const MAX_INLINE: usize = 30;

/// Maximum length of a value that decodes, in bytes.
const MAX_LENGTH: usize = 1_024;

/// Maximum number of values longer than [`MAX_INLINE`] per process. They are never freed, so this limits them to 256 KiB.
const MAX_LONG_VALUES: usize = 256;

/// An enum value that was not in the spec when this version was built. Created only by decoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownValue(Repr);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    /// A value of at most [`MAX_INLINE`] bytes, padded with zeros.
    Inline {
        bytes: [u8; MAX_INLINE],
        length: u8,
    },
    Long(&'static str),
}

impl UnknownValue {
    /// Returns `None` if the value is too long or too many long values exist.
    fn new(value: &str) -> Option<Self> {
        let mut bytes = [0; MAX_INLINE];
        Some(Self(match bytes.get_mut(..value.len()) {
            Some(inline) => {
                inline.copy_from_slice(value.as_bytes());
                let length = u8::try_from(value.len()).ok()?;
                Repr::Inline { bytes, length }
            }
            None => Repr::Long(interned(value)?),
        }))
    }

    /// Returns the value as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes were copied from a `str`.
            Repr::Inline { bytes, length } => bytes
                .get(..usize::from(*length))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
            Repr::Long(value) => value,
        }
    }
}

/// Returns the shared copy of a long value.
fn interned(value: &str) -> Option<&'static str> {
    static VALUES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut values = VALUES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = values.get(value) {
        return Some(known);
    }
    if value.len() > MAX_LENGTH || values.len() >= MAX_LONG_VALUES {
        return None;
    }
    let value: &'static str = Box::leak(value.into());
    values.insert(value);
    Some(value)
}

impl fmt::Debug for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The error of parsing a string that is not a value of the enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseValueError {
    value: String,
    known: &'static [&'static str],
}

impl ParseValueError {
    #[doc(hidden)]
    #[must_use]
    pub fn new(value: &str, known: &'static [&'static str]) -> Self {
        let value = value.chars().take(MAX_INLINE).collect();
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

/// Decodes a value that may be unlisted.
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
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<T, E> {
            (self.0)(value)
                .or_else(|| UnknownValue::new(value).map(self.1))
                .ok_or_else(|| E::custom("value too long, or too many unknown values"))
        }
    }

    deserializer.deserialize_str(Value(known, unknown))
}

/// Defines a `Copy` enum that preserves unlisted values.
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
            /// A value that was not in the spec when this version was built.
            Unknown($crate::UnknownValue),
        }

        impl $name {
            /// The values listed in the spec.
            pub const VALUES: &'static [&'static str] = &[$($value),+];

            /// Returns the value as sent to the exchange.
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
    fn unknown_values_round_trip_but_do_not_parse() {
        let long = "7".repeat(1_024);
        for value in ["", "both", "ASK", "a value of thirty-one bytes, é", &long] {
            let json = serde_json::to_string(value).unwrap();
            let side: BookSide = serde_json::from_str(&json).unwrap();
            assert!(matches!(side, BookSide::Unknown(_)), "{value}");
            assert_eq!((side.as_str(), side.to_string().as_str()), (value, value));
            assert_eq!(serde_json::to_string(&side).unwrap(), json);
            let error = value.parse::<BookSide>().unwrap_err().to_string();
            let start: String = value.chars().take(30).collect();
            assert_eq!(error, format!("{start:?} is not one of `bid`, `ask`"));
        }
        assert_ne!(
            serde_json::from_str::<BookSide>("\"\"").unwrap(),
            serde_json::from_str::<BookSide>("\"\\u0000\"").unwrap()
        );
        serde_json::from_str::<BookSide>("7").unwrap_err();
        assert!(size_of::<BookSide>() <= 40);
        long_values_are_shared_and_limited();
    }

    /// Called by the test above, because the table is shared by the whole process.
    fn long_values_are_shared_and_limited() {
        let side = |value: &str| {
            let json = serde_json::to_string(value).unwrap();
            serde_json::from_str::<BookSide>(&json)
        };
        let value = "a value of more than thirty bytes";
        let (one, other) = (side(value).unwrap(), side(value).unwrap());
        assert_eq!(one.as_str().as_ptr(), other.as_str().as_ptr());
        assert!(side(&"7".repeat(1_025)).is_err());
        let kept = (0..1_000).filter(|number| side(&format!("{number:>40}")).is_ok());
        assert!(kept.count() <= 256);
        // Values stored earlier still decode.
        assert_eq!(side(value).unwrap(), one);
    }
}
