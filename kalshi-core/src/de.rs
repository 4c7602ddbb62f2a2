//! Lenient deserializers for null lists, unlisted enum values and empty times.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{IntoDeserializer, Visitor},
};

use crate::{Decimal, Dollars};

/// Deserializes a list or map that may be null.
pub fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Deserializes a map that may be null and whose values are lists or maps that may be null.
pub fn null_values_are_empty<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Ord + Deserialize<'de>,
    V: Default + Deserialize<'de>,
{
    let map: BTreeMap<K, Option<V>> = null_is_empty(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// Deserializes a list that may be null and whose items are lists or maps that may be null.
pub fn null_items_are_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    let list: Vec<Option<T>> = null_is_empty(deserializer)?;
    Ok(list.into_iter().map(Option::unwrap_or_default).collect())
}

/// Deserializes a string enum and keeps values that the spec does not list.
pub fn open_enum<'de, D, T>(
    deserializer: D,
    listed: fn(&str) -> Option<T>,
    unknown: fn(String) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Text<T>(fn(&str) -> Option<T>, fn(String) -> T, PhantomData<T>);

    impl<T> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            Ok((self.0)(text).unwrap_or_else(|| (self.1)(text.to_owned())))
        }
    }

    deserializer.deserialize_str(Text(listed, unknown, PhantomData))
}

/// Serializes a number as a string.
pub fn decimal_text<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// Serializes an optional number as a string or null.
pub fn optional_decimal_text<S: Serializer>(
    number: &Option<Decimal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}

/// The largest amount that an `i64` can hold in ten-thousandths of a dollar. The exchange sends it if there is no price.
const NO_PRICE: &str = "922337203685477.5807";

/// Deserializes a price. Null, an empty string, zero and the largest amount of an `i64` become `None`.
pub fn dollars_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Dollars>, D::Error> {
    struct Text;

    impl<'de> Visitor<'de> for Text {
        type Value = Option<Dollars>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a decimal string, an empty string or null")
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
            inner.deserialize_str(self)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "" | NO_PRICE => Ok(None),
                text => {
                    let price = Dollars::deserialize(text.into_deserializer())?;
                    Ok((!price.is_zero()).then_some(price))
                }
            }
        }
    }

    deserializer.deserialize_option(Text)
}

/// Times in RFC 3339.
pub mod time {
    use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
    use serde::{Deserializer, Serializer, de::Visitor};

    /// Serializes a time with as few decimal places as possible.
    ///
    /// # Errors
    ///
    /// Returns the error of the serializer.
    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    /// Deserializes a time.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not a string in RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = DateTime<Utc>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as 2026-01-02T03:04:05Z")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }

    pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
        in_utc(text.as_bytes()).or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()))
    }

    /// Parses `2026-01-02T03:04:05[.123456789]Z`, the only format that the exchange sends. Three times as fast
    /// as the general parser.
    fn in_utc(text: &[u8]) -> Option<DateTime<Utc>> {
        let (date_and_time, fraction) = text.split_first_chunk()?;
        #[rustfmt::skip]
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', min1, min2, b':', s1, s2] = date_and_time else {
            return None;
        };
        let fraction = match fraction {
            b"Z" => 0,
            [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
                number(digits)? * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?)
            }
            _ => return None,
        };
        let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
        let [hour, minute, second] = [[h1, h2], [min1, min2], [s1, s2]];
        let time =
            date.and_hms_nano_opt(number(&hour)?, number(&minute)?, number(&second)?, fraction)?;
        Some(time.and_utc())
    }

    fn number(digits: &[u8]) -> Option<u32> {
        digits.iter().try_fold(0, |value, byte| {
            byte.is_ascii_digit()
                .then(|| value * 10 + u32::from(byte - b'0'))
        })
    }
}

/// Times that may be null or absent. An empty string and times in year 1, which the exchange sends for "never", become `None`.
pub mod optional_time {
    use chrono::{DateTime, Datelike, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Cow, time};

    /// Serializes a time or null.
    ///
    /// # Errors
    ///
    /// Returns the error of the serializer.
    pub fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        struct Time<'a>(&'a DateTime<Utc>);

        impl Serialize for Time<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                time::serialize(self.0, serializer)
            }
        }

        time.as_ref().map(Time).serialize(serializer)
    }

    /// Deserializes a time, null or an empty string.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        match Option::<Text<'_>>::deserialize(deserializer)? {
            None => Ok(None),
            Some(Text(text)) if text.is_empty() => Ok(None),
            Some(Text(text)) => match time::parse(&text) {
                Some(time) => Ok(Some(time).filter(|time| time.naive_utc().year() > 1)),
                None => Err(serde::de::Error::custom(format_args!(
                    "{text:?} is not a time"
                ))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Dollars, dollars_or_none, time::parse};

    #[test]
    fn values_for_no_price_decode_as_none() {
        let decode = |json: &str| dollars_or_none(&mut serde_json::Deserializer::from_str(json));
        for json in [
            "null",
            r#""""#,
            r#""0.0000""#,
            r#""0""#,
            r#""922337203685477.5807""#,
        ] {
            assert_eq!(decode(json).unwrap(), None, "{json}");
        }
        assert_eq!(
            decode(r#""0.0001""#).unwrap(),
            Some(Dollars::from_micros(100))
        );
        for json in ["1", r#""x""#, r#"" ""#, r#""922337203685477.5806""#, "[]"] {
            assert!(decode(json).is_err(), "{json}");
        }
    }

    #[test]
    fn times_parse_as_in_chrono() {
        for text in [
            "2026-08-08T22:57:45.24318Z",
            "2026-08-08T22:57:45Z",
            "0001-01-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-08-08T24:00:00Z",
            "2026-08-08T22:57:60Z",
            "2026-08-08T22:57:45.123456789Z",
            "2026-08-08T22:57:45+02:00",
            "2026-08-08T22:57:45.Z",
            "2026-08-08 22:57:45Z",
            "2026-8-8T22:57:45Z",
            "",
        ] {
            let expected = chrono::DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|time| time.to_utc());
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
