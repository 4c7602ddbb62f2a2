//! A free-form JSON object, kept as text and parsed on demand.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A JSON object whose fields are not defined by the spec.
///
/// It stores the JSON text as received and parses it on access, so that decoding a response does not build a map that may never be
/// read. Decoding checks that the text is a valid JSON object, nested no deeper than `serde_json` allows. If the field is null or
/// absent in a response, the object is empty.
///
/// ```
/// # use kalshi_core::JsonObject;
/// use serde_json::json;
///
/// let strike: JsonObject = r#"{ "team": "d3b1a7ea", "points": 7 }"#.parse()?;
/// assert_eq!(strike.get("team"), Some(json!("d3b1a7ea")));
/// assert_eq!(strike.get("player"), None);
///
/// #[derive(serde::Deserialize)]
/// struct Strike<'a> {
///     team: &'a str,
///     points: u32,
/// }
///
/// let Strike { team, points } = strike.deserialize()?;
/// assert_eq!((team, points), ("d3b1a7ea", 7));
///
/// let built = JsonObject::try_from(json!({ "points": 7, "team": "d3b1a7ea" }))?;
/// assert_eq!(built, strike);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct JsonObject(
    /// `None` for an empty object, which needs no allocation.
    Option<Box<str>>,
);

impl JsonObject {
    /// Returns the value of the field `key`, or `None` if the object has no such field. Every call parses the whole object; to read
    /// several fields, use [`deserialize`](Self::deserialize) or [`iter`](Self::iter).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.to_map().ok()?.remove(key)
    }

    /// Iterates over the fields and values in the order of `serde_json::Map`. If a name occurs several times, only the
    /// last field is returned.
    pub fn iter(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        self.to_map().unwrap_or_default().into_iter()
    }

    /// Deserializes the object as a `T`, which may borrow from it.
    ///
    /// # Errors
    ///
    /// Returns an error if the object does not deserialize as a `T`. Line and column refer to [`as_str`](Self::as_str).
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// Returns `true` if the object has no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// Parses the object. Fails only if it was built from a map that is nested too deep.
    fn to_map(&self) -> Result<Map<String, Value>, serde_json::Error> {
        match &self.0 {
            None => Ok(Map::new()),
            Some(text) => serde_json::from_str(text),
        }
    }
}

/// Accepts any map, but one that is nested deeper than `serde_json` parses (127 levels) can be neither read nor sent.
impl From<Map<String, Value>> for JsonObject {
    fn from(map: Map<String, Value>) -> Self {
        let is_empty = map.is_empty();
        Self((!is_empty).then(|| Value::Object(map).to_string().into()))
    }
}

/// Returns an error if the value is not an object.
impl TryFrom<Value> for JsonObject {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        serde_json::from_value(value)
    }
}

/// Returns an error if the text is not a JSON object.
impl TryFrom<&str> for JsonObject {
    type Error = serde_json::Error;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Returns an error if the text is not a JSON object.
impl FromStr for JsonObject {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str::<Object>(text)?;
        let text = text.trim_ascii();
        let content = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let is_empty = content.is_none_or(|content| content.trim_ascii().is_empty());
        Ok(Self((!is_empty).then(|| text.into())))
    }
}

/// Compares the parsed objects as [`Value`] does, so whitespace and the order of fields do not matter.
impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        let maps = || self.to_map().ok().zip(other.to_map().ok());
        self.0 == other.0 || maps().is_some_and(|(one, other)| one == other)
    }
}

impl Eq for JsonObject {}

impl fmt::Display for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the JSON text.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JsonObject {
    /// Serializes as a map, which every format supports.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map = self.to_map().map_err(serde::ser::Error::custom)?;
        map.serialize(serializer)
    }
}

/// The newtype name that makes serde_json pass the raw JSON of a value. Other deserializers ignore it and pass a map.
pub(crate) const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW_VALUE, TextOrMap)
    }
}

/// Visitor for [`RAW_VALUE`]. serde_json passes a map with the JSON text as its only value; other formats pass the object itself.
struct TextOrMap;

impl<'de> Visitor<'de> for TextOrMap {
    type Value = JsonObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<JsonObject, D::Error> {
        Map::deserialize(deserializer).map(JsonObject::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<JsonObject, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key()? {
            match key {
                Key::RawValue => return fields.next_value().map(|Text(object)| object),
                Key::Field(name) => _ = map.insert(name, fields.next_value()?),
            }
        }
        Ok(map.into())
    }
}

enum Key {
    RawValue,
    Field(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string key")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    RAW_VALUE => Key::RawValue,
                    name => Key::Field(name.to_owned()),
                })
            }
        }

        deserializer.deserialize_str(Name)
    }
}

/// An object deserialized from a string that contains its JSON text.
struct Text(JsonObject);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Json;

        impl Visitor<'_> for Json {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                text.parse().map(Text).map_err(|error: serde_json::Error| {
                    // serde_json would report the position within the object as one within the body.
                    let position = format!(" at line {} column {}", error.line(), error.column());
                    let message = error.to_string();
                    E::custom(message.strip_suffix(&position).unwrap_or(&message))
                })
            }
        }

        deserializer.deserialize_str(Json)
    }
}

/// Validates an object and discards it. Unlike [`IgnoredAny`](de::IgnoredAny), it fails wherever parsing into a `Value` fails: on
/// numbers out of range, invalid escapes and excessive nesting.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object, A::Error> {
                Any.visit_map(fields).map(|Any| Object)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Validates any value as [`Object`] does and discards it.
struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<FieldName, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Validates a field name and discards it. [`RAW_VALUE`] is an error because `serde_json::Value` cannot parse an
/// object with that name.
struct FieldName;

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self, E> {
        match name {
            RAW_VALUE => Err(E::custom("reserved field name")),
            _ => Ok(Self),
        }
    }
}

#[cfg(test)]
mod tests;
