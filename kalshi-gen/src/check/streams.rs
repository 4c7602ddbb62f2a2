//! Validation of an AsyncAPI spec: channels, operations, messages and the references between them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    require::{check_identifier, check_info, object},
    schemas,
};
use crate::{
    asyncapi::{self, schemas::convert},
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
    check_info(document)?;
    // Schemas are checked in the form of OpenAPI 3.0, which has the same JSON paths.
    let document = &{
        let mut document = document.clone();
        convert(&mut document, "x-const");
        document
    };
    let root = JsonPath::new(&[]);
    for key in ["servers", "channels", "operations"] {
        if let Some(node) = document.get(key) {
            references(document, node, &root.join(key))?;
        }
    }
    for (name, channel) in extensible(document, "channels")? {
        self::channel(document, channel, &root.join("channels").join(name))?;
    }
    for (name, operation) in extensible(document, "operations")? {
        self::operation(operation, &root.join("operations").join(name))?;
    }
    let location = JsonPath::new(&["components", "messages"]);
    let mut rust_names = BTreeMap::new();
    for (name, message) in entries(document, "/components/messages", &location)? {
        let location = location.join(name);
        check_message_name(name, &location)?;
        if let Some(other) = rust_names.insert(names::pascal(name), name) {
            return Err(Error::at(
                &location,
                format!("has the same name in Rust as `{other}`"),
            ));
        }
        self::message(document, message, &location)?;
    }
    let location = JsonPath::new(&["components", "schemas"]);
    let named = entries(document, "/components/schemas", &location)?;
    for (name, schema) in named {
        reject_multi_format(schema, &location.join(name))?;
    }
    schemas::check(document)
}

/// Returns the fields of a mapping, or nothing if it is absent.
fn entries<'a>(
    document: &'a Value,
    pointer: &str,
    location: &JsonPath,
) -> Result<Vec<(&'a String, &'a Value)>, Error> {
    match document.pointer(pointer) {
        None => Ok(Vec::new()),
        Some(node) => Ok(object(node, location)?.iter().collect()),
    }
}

/// Returns the fields of a mapping of the document, or nothing if it is absent. A field that starts with `x-` is an
/// extension.
fn extensible<'a>(document: &'a Value, key: &str) -> Result<Vec<(&'a String, &'a Value)>, Error> {
    let mut fields = entries(document, &format!("/{key}"), &JsonPath::new(&[key]))?;
    fields.retain(|(name, _)| !name.starts_with("x-"));
    Ok(fields)
}

fn channel(document: &Value, node: &Value, location: &JsonPath) -> Result<(), Error> {
    let channel = object(node, location)?;
    if !channel.get("address").is_some_and(Value::is_string) {
        return Err(Error::at(
            &location.join("address"),
            "this string is missing: clients subscribe to a channel by its address",
        ));
    }
    let location = location.join("messages");
    let messages = entries(node, "/messages", &location)?;
    if messages.is_empty() {
        return Err(Error::at(&location, "a channel must have messages"));
    }
    for (name, message) in messages {
        let location = location.join(name);
        check_message_name(name, &location)?;
        self::message(document, message, &location)?;
    }
    Ok(())
}

/// Checks that a message can have its name in Rust.
fn check_message_name(name: &str, location: &JsonPath) -> Result<(), Error> {
    check_identifier(name, location)?;
    let rust_name = asyncapi::message_name(name);
    if reserved::is_message(&rust_name) {
        return Err(Error::at(
            location,
            format!("the name `{rust_name}` is reserved in the generated code"),
        ));
    }
    Ok(())
}

/// Rejects fields that change what is sent and that the generator does not support.
fn reject_unsupported(
    node: &Map<String, Value>,
    location: &JsonPath,
    keys: &[&str],
    instead: &str,
) -> Result<(), Error> {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let mut keys = keys.iter();
    match keys.find(|key| node.get(**key).is_some_and(|value| !is_empty(value))) {
        Some(key) => Err(Error::at(
            &location.join(key),
            format!("is not supported: {instead}"),
        )),
        None => Ok(()),
    }
}

/// Rejects schemas in a language other than AsyncAPI's.
fn reject_multi_format(node: &Value, location: &JsonPath) -> Result<(), Error> {
    match node.as_object() {
        Some(schema) => reject_unsupported(
            schema,
            location,
            &["schemaFormat", "schema"],
            "write the schema here as an AsyncAPI schema",
        ),
        None => Ok(()),
    }
}

fn operation(node: &Value, location: &JsonPath) -> Result<(), Error> {
    let fields = object(node, location)?;
    reject_unsupported(
        fields,
        location,
        &["traits"],
        "inline them into the operation",
    )?;
    reject_unsupported(
        fields,
        location,
        &["reply"],
        "describe replies as a separate operation",
    )?;
    let action = node["action"].as_str().unwrap_or_default();
    if !["send", "receive"].contains(&action) {
        return Err(Error::at(
            &location.join("action"),
            "must be `send` or `receive`",
        ));
    }
    let channel = spec::reference(&node["channel"])
        .filter(|reference| {
            let name = reference.strip_prefix("#/channels/");
            name.is_some_and(|name| !name.starts_with("x-"))
        })
        .ok_or_else(|| {
            Error::at(
                &location.join("channel"),
                "an operation must refer to its channel",
            )
        })?;
    let location = location.join("messages");
    let messages = node["messages"].as_array().map(Vec::as_slice);
    let Some(messages @ [_, ..]) = messages else {
        return Err(Error::at(&location, "an operation must have messages"));
    };
    for (index, message) in messages.iter().enumerate() {
        let of_channel = spec::reference(message)
            .and_then(|reference| reference.strip_prefix(channel)?.strip_prefix("/messages/"));
        if of_channel.is_none() {
            return Err(Error::at(
                &location.item(index),
                format!("is not a message of the operation's channel, {channel}"),
            ));
        }
    }
    Ok(())
}

fn message(document: &Value, node: &Value, location: &JsonPath) -> Result<(), Error> {
    object(node, location)?;
    if node.get("$ref").is_some() {
        references(document, node, location)?;
    }
    let message = spec::follow(document, node);
    if let Some(fields) = message.as_object() {
        reject_unsupported(
            fields,
            location,
            &["traits"],
            "inline them into the message",
        )?;
    }
    let payload = message
        .get("payload")
        .filter(|payload| payload.is_object())
        .ok_or_else(|| Error::at(location, "a message must have a payload"))?;
    if node.get("$ref").is_some() {
        return Ok(());
    }
    let location = location.join("payload");
    reject_multi_format(payload, &location)?;
    schemas::check_schema(document, payload, &location)
}

/// Checks that all referenced elements exist.
fn references(document: &Value, node: &Value, location: &JsonPath) -> Result<(), Error> {
    match node {
        Value::Object(entries) => {
            if let Some(reference) = entries.get("$ref") {
                let target = reference
                    .as_str()
                    .and_then(|text| spec::resolve(document, text));
                if target.is_none() {
                    return Err(Error::at(
                        location,
                        format!("refers to {reference}, which does not exist"),
                    ));
                }
            }
            // Payloads are checked as schemas, and examples contain no references.
            entries
                .iter()
                .filter(|(key, _)| !["payload", "headers", "examples"].contains(&key.as_str()))
                .try_for_each(|(key, value)| references(document, value, &location.join(key)))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| references(document, item, &location.item(index))),
        _ => Ok(()),
    }
}
