//! Id types: one for each kind of id, cheap to clone and comparable with `&str`.

use std::{borrow::Borrow, convert::Infallible, fmt, hash, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

use crate::inline_text::InlineText;

/// Defines an id type.
macro_rules! id {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        ///
        /// Keeps the string as received and dereferences to `str`. Strings of up to 38 bytes, such as UUIDs, are stored inline.
        /// Clones of longer ones share the allocation.
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(InlineText);

        impl $name {
            /// Returns the id as a string.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(InlineText::new(text))
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                text.as_str().into()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                text.as_str().into()
            }
        }

        impl From<&Self> for $name {
            fn from(id: &Self) -> Self {
                id.clone()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl From<&$name> for String {
            fn from(id: &$name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.into())
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self
            }
        }

        impl hash::Hash for $name {
            /// Hashes like `str`, so that maps with id keys can be searched by `&str`.
            fn hash<H: hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other)
            }
        }

        equals_text!($name: str, &str, String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text).map(Self)
            }
        }
    };
}

/// Implements comparison with string types in both directions.
macro_rules! equals_text {
    ($name:ident: $($text:ty),+) => {$(
        impl PartialEq<$text> for $name {
            fn eq(&self, text: &$text) -> bool {
                self.as_str() == &text[..]
            }
        }

        impl PartialEq<$name> for $text {
            fn eq(&self, id: &$name) -> bool {
                id == self
            }
        }
    )+};
}

struct Text;

impl Visitor<'_> for Text {
    type Value = InlineText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id as a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<InlineText, E> {
        Ok(InlineText::new(text))
    }
}

id! {
    /// An id of a kind that has no type of its own, such as the id of a market or a user. Usually a UUID.
    ///
    /// ```
    /// # use kalshi_core::Id;
    ///
    /// let id = Id::from("943fcfe7-68a7-48aa-84b0-9b5ed2d5b922");
    /// assert_eq!(id, "943fcfe7-68a7-48aa-84b0-9b5ed2d5b922");
    /// assert!(id.starts_with("943fcfe7"));
    /// ```
    Id
}

id! {
    /// The id that the exchange assigns to an order.
    OrderId
}

id! {
    /// The client's own id of an order, unique among the client's orders. Empty if the order was placed without one. The exchange
    /// recommends letters, digits, `-` and `_`.
    ClientOrderId
}

impl ClientOrderId {
    /// Returns a random UUID. Save it before the order is sent, so that the order can be found after a crash or a lost response.
    #[must_use]
    pub fn random() -> Self {
        Self::from(uuid::Uuid::new_v4().to_string())
    }
}

id! {
    /// The id that the exchange assigns to a trade. A fill has the same id as the public trade that it is part of.
    TradeId
}

id! {
    /// The id that the exchange assigns to an order group.
    OrderGroupId
}

/// The number of a subaccount. 0 is the primary account.
///
/// ```
/// # use kalshi_core::SubaccountNumber;
///
/// assert_eq!(SubaccountNumber::default(), SubaccountNumber::PRIMARY);
/// assert_eq!(SubaccountNumber::from(3), 3);
/// assert_eq!(SubaccountNumber::from(3).to_string(), "3");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SubaccountNumber(i64);

impl SubaccountNumber {
    /// The primary account, number 0.
    pub const PRIMARY: Self = Self(0);

    /// Returns the number of the subaccount.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Implements conversion from and comparison with integer types.
macro_rules! from_integer {
    ($($integer:ty),+) => {$(
        impl From<$integer> for SubaccountNumber {
            fn from(number: $integer) -> Self {
                Self(i64::from(number))
            }
        }

        impl PartialEq<$integer> for SubaccountNumber {
            fn eq(&self, number: &$integer) -> bool {
                self.0 == i64::from(*number)
            }
        }

        impl PartialEq<SubaccountNumber> for $integer {
            fn eq(&self, number: &SubaccountNumber) -> bool {
                number == self
            }
        }
    )+};
}

from_integer!(i64, i32, u32, u8);

impl From<SubaccountNumber> for i64 {
    fn from(number: SubaccountNumber) -> Self {
        number.0
    }
}

impl FromStr for SubaccountNumber {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for SubaccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::{Id, OrderId};

    /// Strings of all lengths around the inline maximum, with characters of one to three bytes.
    fn texts() -> impl Iterator<Item = String> {
        (0..80)
            .flat_map(|length| ["7", " ", "\0", "é", "€"].map(|character| character.repeat(length)))
    }

    #[test]
    fn conversions_preserve_the_string() {
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
    fn maps_with_id_keys_can_be_searched_by_str() {
        let hashed: HashMap<Id, String> = texts().map(|text| (Id::from(&text), text)).collect();
        let sorted: BTreeMap<Id, String> = texts().map(|text| (Id::from(&text), text)).collect();
        for text in texts() {
            assert_eq!(hashed.get(text.as_str()), Some(&text));
            assert_eq!(sorted.get(text.as_str()), Some(&text));
        }
    }

    #[test]
    fn clone_of_a_long_id_shares_its_string() {
        let id = OrderId::from("7".repeat(1_000));
        assert_eq!(id.as_str().as_ptr(), id.clone().as_str().as_ptr());
    }

    #[test]
    fn id_fits_its_inline_capacity() {
        assert_eq!(size_of::<Option<Id>>(), 40);
    }
}
