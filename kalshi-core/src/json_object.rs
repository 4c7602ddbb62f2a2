//! A free-form JSON object, kept as text and parsed on demand.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A JSON object whose fields the spec leaves open.
///
/// It keeps the JSON of the object as received and parses it on access, so that decoding a response does not build a map that may
/// never be read. Decoding checks that it is a valid JSON object, nested no deeper than `serde_json` allows. An object that is null or
/// absent in a response is empty.
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
    /// `None` if it is empty, which then takes no allocation.
    Option<Box<str>>,
);

impl JsonObject {
    /// The value of the field `key`, or `None` if the object has no such field. Parses the whole object: read several fields with
    /// [`deserialize`](Self::deserialize) or [`iter`](Self::iter).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.to_map().ok()?.remove(key)
    }

    /// The fields and their values, in the order of `serde_json::Map`. Of several fields with one name, only the last is returned.
    pub fn iter(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        self.to_map().unwrap_or_default().into_iter()
    }

    /// Deserializes the object as a `T`, which may borrow from it.
    ///
    /// # Errors
    ///
    /// Returns an error if the object is not a `T`. Its line and column are those in [`as_str`](Self::as_str).
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// Returns `true` if the object has no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// Fails only for a map that was nested too deep.
    fn to_map(&self) -> Result<Map<String, Value>, serde_json::Error> {
        match &self.0 {
            None => Ok(Map::new()),
            Some(text) => serde_json::from_str(text),
        }
    }
}

/// A map that is nested deeper than `serde_json` parses, which is 127 levels, can be neither read nor sent.
impl From<Map<String, Value>> for JsonObject {
    fn from(map: Map<String, Value>) -> Self {
        let is_empty = map.is_empty();
        Self((!is_empty).then(|| Value::Object(map).to_string().into()))
    }
}

/// Fails if the value is not an object.
impl TryFrom<Value> for JsonObject {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        serde_json::from_value(value)
    }
}

/// Fails if the text is not an object in JSON.
impl TryFrom<&str> for JsonObject {
    type Error = serde_json::Error;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Fails if the text is not an object in JSON.
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

/// Compares the parsed objects, as [`Value`] does: whitespace and the order of fields are ignored.
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
    /// As a map, which every serializer knows.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map = self.to_map().map_err(serde::ser::Error::custom)?;
        map.serialize(serializer)
    }
}

/// The newtype name that makes serde_json return the JSON of a value. Other deserializers return a map.
pub(crate) const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW_VALUE, TextOrMap)
    }
}

/// Reads what was asked for by the name [`RAW_VALUE`]: a map with the text as its only value, or else the object itself.
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

/// The object whose text is this string.
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
                    // serde_json would take the position in the object for that in the body.
                    let position = format!(" at line {} column {}", error.line(), error.column());
                    let message = error.to_string();
                    E::custom(message.strip_suffix(&position).unwrap_or(&message))
                })
            }
        }

        deserializer.deserialize_str(Json)
    }
}

/// Validates an object and discards it. Unlike [`IgnoredAny`](de::IgnoredAny), it fails on everything that parsing fails on: numbers
/// out of range, invalid escapes and too deep nesting.
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

/// Validates a value as [`Object`] does and discards it.
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

/// Validates the name of a field and discards it. [`RAW_VALUE`] is an error: `serde_json::Value` cannot parse such an object.
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
            RAW_VALUE => Err(E::custom("a field has a name that is reserved")),
            _ => Ok(Self),
        }
    }
}

#[cfg(test)]
mod tests;
