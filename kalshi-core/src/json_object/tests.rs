//! Tests of free-form objects with serde_json and other deserializers.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::de::value::MapDeserializer;
use serde_json::json;

use super::*;
use crate::{json_path, rt::null_is_empty};

#[derive(Debug, Deserialize)]
struct Market<T> {
    #[serde(rename = "strike")]
    _strike: T,
}

/// Decodes `value` as a field of type `T`, which must fail, and returns the JSON path and the message of the error.
fn failure<T: for<'de> Deserialize<'de>>(value: &str) -> (String, String) {
    let body = format!("{{\n\"strike\": {value}, \"ticker\": \"X\"}}");
    let error = serde_json::from_str::<Market<T>>(&body).err().unwrap();
    let path = json_path::of(body.as_bytes(), &error);
    let message = error.to_string();
    (path, message.split(" at line ").next().unwrap().to_owned())
}

#[test]
fn value_that_is_not_an_object_fails_as_a_map_does() {
    for value in [
        "7",
        "-1.5",
        "\"a\\nb\"",
        "true",
        "null",
        "[{}]",
        "[[1], 2]",
        "{]",
    ] {
        let as_map = failure::<Map<String, Value>>(value);
        assert_eq!(failure::<JsonObject>(value), as_map, "{value}");
        assert_eq!(as_map.0, "$.strike");
    }
}

#[test]
fn object_that_cannot_be_parsed_fails_when_it_is_decoded() {
    let nested = |levels| ["{\"a\":".repeat(levels), "}".repeat(levels)].join("1");
    assert!(nested(127).parse::<JsonObject>().is_ok());
    for value in [
        &nested(200),
        "{\"a\":[-1e999]}",
        "{\"a\":\"\\ud800\"}",
        "{\"\\ud800\":1}",
    ] {
        let (path, message) = failure::<JsonObject>(value);
        assert!(path.starts_with("$.strike"), "{path}");
        assert_eq!(message, failure::<Map<String, Value>>(value).1);
        assert!(value.parse::<JsonObject>().is_err());
    }
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert_eq!(
        failure::<JsonObject>(&format!("{{\"a\":{deep}}}")).1,
        "recursion limit exceeded"
    );
}

#[test]
fn null_and_blank_objects_are_empty() {
    #[derive(Deserialize)]
    struct Market {
        #[serde(default, deserialize_with = "null_is_empty")]
        strike: JsonObject,
        #[serde(default)]
        other: Option<JsonObject>,
    }
    for body in [
        "{}",
        r#"{"strike":null,"other":null}"#,
        r#"{"strike": { } }"#,
    ] {
        let market: Market = serde_json::from_str(body).unwrap();
        assert!(market.strike.is_empty() && market.other.is_none(), "{body}");
        assert_eq!(
            (market.strike.as_str(), market.strike.iter().count()),
            ("{}", 0)
        );
        assert_eq!(market.strike, JsonObject::default());
    }
    let market: Market = serde_json::from_str(r#"{"other":{"a": 1e2}}"#).unwrap();
    assert_eq!(market.other.unwrap().as_str(), r#"{"a": 1e2}"#);
}

#[test]
fn last_field_of_a_repeated_name_wins() {
    let object: JsonObject = r#"{"a":1,"b":2,"a":{"c":[null]}}"#.parse().unwrap();
    assert_eq!(object.get("a"), Some(json!({"c": [null]})));
    assert_eq!(object.iter().count(), 2);
    assert_eq!(object, r#"{"b":2,"a":{"c":[null]}}"#.parse().unwrap());
    assert_ne!(object, r#"{"b":2,"a":{"c":[0]}}"#.parse().unwrap());
}

#[test]
fn text_around_an_object_is_rejected() {
    for text in ["", " ", "{", "{} {}", "{}x", "[]", "7"] {
        assert!(text.parse::<JsonObject>().is_err(), "{text}");
        assert!(JsonObject::try_from(text).is_err(), "{text}");
    }
    assert_eq!(
        format!("{:?}", " {\"a\":1}\n".parse::<JsonObject>().unwrap()),
        r#"{"a":1}"#
    );
    assert!(JsonObject::try_from(json!([])).is_err());
}

/// Covers deserializers without raw JSON, such as serde's buffers for untagged enums and flattened fields.
#[test]
fn object_is_read_from_any_deserializer() {
    #[derive(Debug, Deserialize, Serialize, PartialEq)]
    #[serde(untagged)]
    enum Either {
        Number { n: u64 },
        Object { o: JsonObject },
    }
    #[derive(Debug, Deserialize, Serialize, PartialEq)]
    struct Flat {
        n: u64,
        #[serde(flatten)]
        rest: JsonObject,
    }
    let value = json!({"b": [1, {"$c": null}], "a": -1.5});
    let object = JsonObject::try_from(value.clone()).unwrap();
    let either: Either = serde_json::from_value(json!({ "o": value })).unwrap();
    assert_eq!(either, Either::Object { o: object.clone() });
    assert_eq!(
        serde_json::to_value(&either).unwrap(),
        json!({ "o": value })
    );

    let flat: Flat = serde_json::from_str(r#"{"n":1,"b":[1,{"$c":null}],"a":-1.5}"#).unwrap();
    assert_eq!(flat.rest, object);
    assert_eq!(
        serde_json::to_string(&flat)
            .unwrap()
            .parse::<JsonObject>()
            .unwrap()
            .get("a"),
        Some(json!(-1.5))
    );

    let fields = [("a", 1), ("b", 2)].into_iter();
    let fields = MapDeserializer::<_, serde_json::Error>::new(fields);
    assert_eq!(
        <JsonObject as Deserialize>::deserialize(fields)
            .unwrap()
            .as_str(),
        r#"{"a":1,"b":2}"#
    );
    let mut json = serde_json::Deserializer::from_str("{\"a\": 1}");
    assert_eq!(
        serde_path_to_error::deserialize::<_, JsonObject>(&mut json)
            .unwrap()
            .as_str(),
        "{\"a\": 1}"
    );
    assert!(serde_json::from_reader::<_, JsonObject>(&b"{\"a\": \"\\u00e9\"}"[..]).is_ok());
}

proptest! {
    #[test]
    fn object_equals_the_map_it_was_built_from(fields in prop::collection::btree_map("[ -~]{0,5}", prop::collection::vec(any::<i64>(), 0..4), 0..5), pretty in any::<bool>()) {
        let map: Map<String, Value> = fields.into_iter().map(|(name, numbers)| (name, numbers.into())).collect();
        let text = if pretty { serde_json::to_string_pretty(&map) } else { serde_json::to_string(&map) }.unwrap();
        let object: JsonObject = text.parse().unwrap();
        prop_assert_eq!(&object, &JsonObject::from(map.clone()));
        prop_assert_eq!(object.iter().collect::<Map<_, _>>(), map.clone());
        prop_assert_eq!(serde_json::to_value(&object).unwrap(), Value::Object(map.clone()));
        prop_assert_eq!(object.deserialize::<Map<_, _>>().unwrap(), map.clone());
        prop_assert_eq!(object.is_empty(), map.is_empty());
        prop_assert!(map.iter().all(|(name, value)| object.get(name).as_ref() == Some(value)));
    }
}

#[test]
fn reserved_name_of_a_field_is_an_error() {
    for text in [
        r#"{"$serde_json::private::RawValue":"x"}"#,
        r#"{"a":{"$serde_json::private::RawValue":"{}"}}"#,
        r#"{"a":[{"$serde_json::private::RawValue":1}]}"#,
    ] {
        text.parse::<JsonObject>().unwrap_err();
        serde_json::from_str::<JsonObject>(text).unwrap_err();
    }
}
