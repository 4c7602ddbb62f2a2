//! Conversions between [`Decimal`] and integers, JSON, strings and `rust_decimal`.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Unexpected, Visitor},
    ser,
};
use serde_json::value::RawValue;

use super::Decimal;
use crate::{json_object::RAW_VALUE, money::MoneyError};

/// Mantissas below this bound have at most 15 digits, and so survive a round trip through `f64`.
const MAX_F64_MANTISSA: u128 = 10_u128.pow(15);

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl From<$integer> for Decimal {
            fn from(number: $integer) -> Self {
                Self { mantissa: number.into(), scale: 0 }
            }
        })*
    };
}

integers!(i32, u32, i64, u64);

impl TryFrom<&str> for Decimal {
    type Error = MoneyError;

    fn try_from(text: &str) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl TryFrom<String> for Decimal {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl Serialize for Decimal {
    /// Writes an integer or an `f64` if that is certain to produce the same digits. Writes other numbers as raw JSON,
    /// which only serde_json supports.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.scale == 0
            && let Ok(number) = i64::try_from(self.mantissa)
        {
            return serializer.serialize_i64(number);
        }
        if self.mantissa.unsigned_abs() < MAX_F64_MANTISSA {
            return serializer.serialize_f64(self.to_f64());
        }
        let text = RawValue::from_string(self.to_string()).map_err(ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Parses the digits of a JSON number. Formats other than JSON, and fields that serde buffers first (`flatten`, untagged
    /// enums), provide an `f64` instead. It becomes the shortest decimal that denotes it, which is the number as sent if that had
    /// at most 15 digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW_VALUE, Number)
    }
}

/// The key of the map as which serde_json passes a number to a buffer of serde if its feature `arbitrary_precision` is enabled. The value
/// is the number as a string.
const NUMBER: &str = "$serde_json::private::Number";

/// Visitor for [`RAW_VALUE`]. serde_json passes a map with the raw JSON as its only value; other formats pass a number or a string.
struct Number;

impl Number {
    fn parse<E: de::Error>(text: &str) -> Result<Decimal, E> {
        text.parse().map_err(|error| {
            let start: String = text.chars().take(40).collect();
            E::custom(format_args!("{start:?} is {error}"))
        })
    }
}

impl<'de> Visitor<'de> for Number {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Decimal, A::Error> {
        match fields.next_key::<Cow<'de, str>>()? {
            Some(name) if name == RAW_VALUE || name == NUMBER => {
                let Json(text) = fields.next_value()?;
                number_of_json(&text)
            }
            _ => Err(de::Error::invalid_type(Unexpected::Map, &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Decimal, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Decimal, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Decimal, E> {
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        Self::parse(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Self::parse(text)
    }
}

/// Parses a JSON number, or a JSON string that contains a number.
fn number_of_json<E: de::Error>(text: &str) -> Result<Decimal, E> {
    let unexpected = match text.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => return Number::parse(text),
        Some(b'"') => {
            let string: Cow<'_, str> = serde_json::from_str(text).map_err(E::custom)?;
            return Number::parse(&string);
        }
        Some(b'{') => Unexpected::Map,
        Some(b'[') => Unexpected::Seq,
        Some(b't') => Unexpected::Bool(true),
        Some(b'f') => Unexpected::Bool(false),
        _ => Unexpected::Unit,
    };
    Err(E::invalid_type(unexpected, &Number))
}

/// Raw JSON, borrowed from the input if possible.
struct Json<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
                Ok(Json(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
                Ok(Json(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(feature = "rust_decimal")]
impl TryFrom<Decimal> for rust_decimal::Decimal {
    type Error = MoneyError;

    /// Returns an error for a number with more than 28 digits or decimal places.
    fn try_from(number: Decimal) -> Result<Self, MoneyError> {
        Self::try_from_i128_with_scale(number.mantissa, number.scale)
            .map_err(|_| MoneyError::OutOfRange)
    }
}

#[cfg(feature = "rust_decimal")]
impl From<rust_decimal::Decimal> for Decimal {
    fn from(number: rust_decimal::Decimal) -> Self {
        // Cannot fail: a `rust_decimal` number has at most 29 digits and 28 decimal places.
        Self::new(number.mantissa(), number.scale()).unwrap_or_default()
    }
}
