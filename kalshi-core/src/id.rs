//! An id assigned by the exchange, stored without an allocation.

use std::{borrow::Borrow, fmt, hash, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

/// Length of a UUID in text form.
const UUID: usize = 36;

/// An id that the spec declares as a UUID, such as that of a market, an order or a trade.
///
/// It keeps the string as received and derefs to `str`. A string of a UUID's length is stored inline, so decoding one does not
/// allocate; any other is kept too, so that ids of a new format are not an error.
///
/// ```
/// # use kalshi_core::Id;
///
/// let id = Id::from("943fcfe7-68a7-48aa-84b0-9b5ed2d5b922");
/// assert_eq!(id, "943fcfe7-68a7-48aa-84b0-9b5ed2d5b922");
/// assert!(id.starts_with("943fcfe7"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Id(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// Every string of this length, so that equal ids have equal forms.
    Inline([u8; UUID]),
    Boxed(Box<str>),
}

impl Id {
    /// The id as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Made from a `str`.
            Form::Inline(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Form::Boxed(text) => text,
        }
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Self(match text.as_bytes().try_into() {
            Ok(bytes) => Form::Inline(bytes),
            Err(_) => Form::Boxed(text.into()),
        })
    }
}

impl From<&String> for Id {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&Self> for Id {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.as_str().to_owned()
    }
}

impl From<&Id> for String {
    fn from(id: &Id) -> Self {
        id.as_str().to_owned()
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        self
    }
}

impl hash::Hash for Id {
    /// Hashes like `str`, so that a map keyed by ids can be searched by `&str`.
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other)
    }
}

/// Ids and texts are compared as texts, on either side.
macro_rules! equals_text {
    ($($text:ty),+) => {$(
        impl PartialEq<$text> for Id {
            fn eq(&self, text: &$text) -> bool {
                self.as_str() == &text[..]
            }
        }

        impl PartialEq<Id> for $text {
            fn eq(&self, id: &Id) -> bool {
                id == self
            }
        }
    )+};
}

equals_text!(str, &str, String);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id as text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(text.into())
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::Id;

    /// Texts of every length around that of a UUID, of one and of several bytes a character.
    fn texts() -> impl Iterator<Item = String> {
        (0..80).flat_map(|length| ["7", " ", "é", "€"].map(|character| character.repeat(length)))
    }

    #[test]
    fn every_text_stays_what_it_is() {
        for text in texts() {
            let id = Id::from(&text);
            assert_eq!(id, text);
            assert_eq!(
                format!("{id} {id:?} {id:>90}"),
                format!("{text} {text:?} {text:>90}")
            );
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, serde_json::to_string(&text).unwrap());
            assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), id);
            assert_eq!(String::from(id), text);
        }
        serde_json::from_str::<Id>("7").unwrap_err();
    }

    #[test]
    fn maps_of_ids_are_asked_with_texts() {
        let hashed: HashMap<Id, String> = texts().map(|text| (Id::from(&text), text)).collect();
        let sorted: BTreeMap<Id, String> = texts().map(|text| (Id::from(&text), text)).collect();
        for text in texts() {
            assert_eq!(hashed.get(text.as_str()), Some(&text));
            assert_eq!(sorted.get(text.as_str()), Some(&text));
        }
    }

    #[test]
    fn an_id_is_little_larger_than_its_text() {
        assert_eq!(size_of::<Option<Id>>(), 40);
    }
}
