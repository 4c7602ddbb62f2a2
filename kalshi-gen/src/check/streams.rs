//! Validation of an AsyncAPI spec: channels, operations, messages and the references between them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    require::{identifier, info, object},
    schemas,
};
use crate::{
    asyncapi::{self, schemas::converted},
    error::{Error, JsonPath},
    names, reserved, spec,
};

/// Checks that a document is an AsyncAPI 3 spec that this generator can express.
pub(crate) fn check(document: &Value) -> Result<(), Error> {
    let version = document.get("asyncapi").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("3.")) {
        return Err(Error::document(
            "not an AsyncAPI 3 document: `asyncapi` is not `3.x`",
        ));
    }
    info(document)?;
    let root = JsonPath::new(&[]);
    for key in ["servers", "channels", "operations"] {
        if let Some(node) = document.get(key) {
            references(document, node, &root.join(key))?;
        }
    }
    for (name, channel) in members(document, "/channels", &root.join("channels"))? {
        self::channel(document, channel, &root.join("channels").join(name))?;
    }
    for (name, operation) in members(document, "/operations", &root.join("operations"))? {
        self::operation(operation, &root.join("operations").join(name))?;
    }
    let place = JsonPath::new(&["components", "messages"]);
    let mut rust_names = BTreeMap::new();
    for (name, message) in members(document, "/components/messages", &place)? {
        let place = place.join(name);
        message_name(name, &place)?;
        if let Some(other) = rust_names.insert(names::pascal(name), name) {
            return Err(Error::at(
                &place,
                format!("has the same name in Rust as `{other}`"),
            ));
        }
        self::message(document, message, &place)?;
    }
    let place = JsonPath::new(&["components", "schemas"]);
    let named = members(document, "/components/schemas", &place)?;
    for (name, schema) in &named {
        multi_format(schema, &place.join(name))?;
    }
    let named = named.into_iter();
    // Converted to OpenAPI 3.0, at the same JSON paths.
    let named: Map<_, _> = named
        .map(|(name, schema)| (name.clone(), converted(schema, "x-const")))
        .collect();
    schemas::check(&json!({ "components": { "schemas": named } }))
}

/// Returns the fields of a mapping, or nothing if it is absent.
fn members<'a>(
    document: &'a Value,
    pointer: &str,
    place: &JsonPath,
) -> Result<Vec<(&'a String, &'a Value)>, Error> {
    match document.pointer(pointer) {
        None => Ok(Vec::new()),
        Some(node) => Ok(object(node, place)?.iter().collect()),
    }
}

fn channel(document: &Value, node: &Value, place: &JsonPath) -> Result<(), Error> {
    let channel = object(node, place)?;
    if !channel.get("address").is_some_and(Value::is_string) {
        return Err(Error::at(
            &place.join("address"),
            "this string is missing: clients subscribe to a channel by its address",
        ));
    }
    let place = place.join("messages");
    let messages = members(node, "/messages", &place)?;
    if messages.is_empty() {
        return Err(Error::at(&place, "a channel must have messages"));
    }
    for (name, message) in messages {
        let place = place.join(name);
        message_name(name, &place)?;
        self::message(document, message, &place)?;
    }
    Ok(())
}

/// Checks that a message can have its name in Rust.
fn message_name(name: &str, place: &JsonPath) -> Result<(), Error> {
    identifier(name, place)?;
    let rust_name = asyncapi::message_name(name);
    if reserved::is_message(&rust_name) {
        return Err(Error::at(
            place,
            format!("the name `{rust_name}` is reserved in the generated code"),
        ));
    }
    Ok(())
}

/// Rejects fields that change what is sent and that the generator does not support.
fn unsupported(
    node: &Map<String, Value>,
    place: &JsonPath,
    keys: &[&str],
    what: &str,
) -> Result<(), Error> {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let mut keys = keys.iter();
    match keys.find(|key| node.get(**key).is_some_and(|value| !is_empty(value))) {
        Some(key) => Err(Error::at(
            &place.join(key),
            format!("is not supported: {what}"),
        )),
        None => Ok(()),
    }
}

/// Rejects schemas in a language other than AsyncAPI's.
fn multi_format(node: &Value, place: &JsonPath) -> Result<(), Error> {
    match node.as_object() {
        Some(schema) => unsupported(
            schema,
            place,
            &["schemaFormat", "schema"],
            "write the schema here as an AsyncAPI schema",
        ),
        None => Ok(()),
    }
}

fn operation(node: &Value, place: &JsonPath) -> Result<(), Error> {
    let fields = object(node, place)?;
    unsupported(fields, place, &["traits"], "inline them into the operation")?;
    unsupported(
        fields,
        place,
        &["reply"],
        "describe replies as a separate operation",
    )?;
    let action = node["action"].as_str().unwrap_or_default();
    if !["send", "receive"].contains(&action) {
        return Err(Error::at(
            &place.join("action"),
            "must be `send` or `receive`",
        ));
    }
    let channel = spec::reference(&node["channel"])
        .filter(|reference| reference.starts_with("#/channels/"))
        .ok_or_else(|| {
            Error::at(
                &place.join("channel"),
                "an operation must refer to its channel",
            )
        })?;
    let place = place.join("messages");
    let messages = node["messages"].as_array().map(Vec::as_slice);
    let Some(messages @ [_, ..]) = messages else {
        return Err(Error::at(&place, "an operation must have messages"));
    };
    for (index, message) in messages.iter().enumerate() {
        let of_channel = spec::reference(message)
            .and_then(|reference| reference.strip_prefix(channel)?.strip_prefix("/messages/"));
        if of_channel.is_none() {
            return Err(Error::at(
                &place.item(index),
                format!("is not a message of the operation's channel, {channel}"),
            ));
        }
    }
    Ok(())
}

fn message(document: &Value, node: &Value, place: &JsonPath) -> Result<(), Error> {
    object(node, place)?;
    if node.get("$ref").is_some() {
        references(document, node, place)?;
    }
    let message = spec::follow(document, node);
    if let Some(fields) = message.as_object() {
        unsupported(fields, place, &["traits"], "inline them into the message")?;
    }
    let payload = message
        .get("payload")
        .filter(|payload| payload.is_object())
        .ok_or_else(|| Error::at(place, "a message must have a payload"))?;
    if node.get("$ref").is_some() {
        return Ok(());
    }
    let place = place.join("payload");
    multi_format(payload, &place)?;
    schemas::check_schema(document, &converted(payload, "x-const"), &place)
}

/// Checks that all referenced elements exist.
fn references(document: &Value, node: &Value, place: &JsonPath) -> Result<(), Error> {
    match node {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref") {
                let target = reference
                    .as_str()
                    .and_then(|text| spec::resolve(document, text));
                if target.is_none() {
                    return Err(Error::at(
                        place,
                        format!("refers to {reference}, which does not exist"),
                    ));
                }
            }
            // Payloads are checked as schemas, and examples contain no references.
            members
                .iter()
                .filter(|(key, _)| !["payload", "headers", "examples"].contains(&key.as_str()))
                .try_for_each(|(key, value)| references(document, value, &place.join(key)))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| references(document, item, &place.item(index))),
        _ => Ok(()),
    }
}
