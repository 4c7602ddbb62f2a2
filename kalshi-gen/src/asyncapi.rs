//! The streams: an AsyncAPI 3 spec becomes types for its messages, by the stages that the REST spec goes through.
//!
//! Each message that the server sends is put as the response of an operation, and each command's parameters as a body, so that
//! open enums, exact money and tolerant lists are the same here as there.

pub(crate) mod emit;
pub mod fixups;
pub(crate) mod schemas;

use serde_json::{Map, Value, json};

use self::schemas::{converted, inline_scalars};
use crate::{error::Error, names, spec};

/// A message that the server sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// The variant, and the type of its body: `OrderbookDelta`.
    pub(crate) name: String,
    /// Its `type` on the wire: `orderbook_delta`. Several messages may share one.
    pub(crate) kind: String,
    pub(crate) body: Body,
    /// A field of the body that has one value only, which tells it from others of its type.
    pub(crate) discriminator: Option<(String, String)>,
    /// Fields that its body must have: the more, the earlier it is tried among those of its type.
    pub(crate) required: Vec<String>,
    /// Whether its body has `ts_ms`: when what it tells of happened.
    pub(crate) is_stamped: bool,
    /// Whether its body is so large that it is boxed, so that a message is no larger than those that come often.
    pub(crate) is_large: bool,
    pub(crate) words: String,
}

/// How many fields a body has at most that is not boxed: those of a ticker.
const MAX_UNBOXED_FIELDS: usize = 15;

/// What stands under `msg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// An object of the message's type.
    Object,
    /// A list of them.
    List,
}

/// The messages that the server sends, and a fixed AsyncAPI spec put as an OpenAPI document of operations.
pub(crate) fn as_operations(mut document: Value) -> Result<(Vec<Message>, Value), Error> {
    inline_scalars(&mut document);
    let mut schemas = Map::new();
    let named = document
        .pointer("/components/schemas")
        .and_then(Value::as_object);
    for (name, schema) in named.into_iter().flatten() {
        schemas.insert(name.clone(), converted(schema, "x-const"));
    }
    let mut paths = Map::new();
    let mut messages = Vec::new();
    for (sent_by_server, name, words, payload) in payloads(&document) {
        let payload = converted(spec::follow(&document, payload), "x-const");
        let properties = &payload["properties"];
        if sent_by_server {
            let Some(kind) = properties["type"]["x-const"].as_str() else {
                // A frame that is no JSON, such as a ping.
                continue;
            };
            let message = message(&document, &name, kind, words, properties);
            if messages
                .iter()
                .any(|other: &Message| other.name == message.name)
            {
                continue;
            }
            let answer = answer(&message, properties, &mut schemas);
            paths.insert(format!("/{}", message.name), json!({ "get": {
                "operationId": message.name, "responses": { "200": { "description": "", "content": { "application/json": { "schema": answer } } } },
            } }));
            messages.push(message);
        } else if properties["params"].is_object() {
            let name = format!("{}Params", names::pascal(name.trim_end_matches("Command")));
            schemas.insert(name.clone(), properties["params"].clone());
            paths.insert(format!("/{name}"), json!({ "post": {
                "operationId": name, "responses": { "200": { "description": "" } },
                "requestBody": { "content": { "application/json": { "schema": reference(&name) } } },
            } }));
        }
    }
    if messages.is_empty() {
        return Err(Error::document(
            "no message that the server sends: `operations` has none with `action: send`",
        ));
    }
    messages.sort_by(|one, other| one.name.cmp(&other.name));
    let openapi = json!({
        "openapi": "3.0.0",
        "info": { "title": document["info"]["title"], "version": document["info"]["version"] },
        "paths": paths,
        "components": { "schemas": schemas },
    });
    Ok((messages, openapi))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Every message of every operation: whether the server sends it, its name, its words, its payload.
pub fn payloads(document: &Value) -> Vec<(bool, String, String, &Value)> {
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut found = Vec::new();
    for operation in operations.map(|(_, operation)| operation) {
        let sent_by_server = operation["action"] == "send";
        for message in operation["messages"].as_array().into_iter().flatten() {
            let name = spec::reference(message).and_then(|text| text.rsplit('/').next());
            let message = spec::follow(document, message);
            if let (Some(name), Some(payload)) = (name, message.get("payload")) {
                let words = message["summary"].as_str().unwrap_or_default();
                found.push((sent_by_server, name.to_owned(), words.to_owned(), payload));
            }
        }
    }
    found
}

fn message(document: &Value, name: &str, kind: &str, words: String, properties: &Value) -> Message {
    let (stem, is_reply) = match name.strip_suffix("Response") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let body = &properties["msg"];
    let discriminator = body["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(member, schema)| {
            Some((member.clone(), schema["x-const"].as_str()?.to_owned()))
        });
    Message {
        name: names::pascal(&format!("{stem}{}", if is_reply { "Reply" } else { "" })),
        kind: kind.to_owned(),
        body: match body["type"].as_str() {
            Some("array") => Body::List,
            _ if body.is_object() => Body::Object,
            _ => Body::None,
        },
        discriminator,
        required: body["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect(),
        is_stamped: body["properties"]["ts_ms"]["type"] == "integer",
        is_large: body["properties"].as_object().is_some_and(|members| {
            let holds_more = |member: &Value| spec::follow(document, member)["type"] == "object";
            members.len() > MAX_UNBOXED_FIELDS || members.values().any(holds_more)
        }),
        words,
    }
}

/// The schema of a message's body, entered under the message's name.
fn answer(message: &Message, properties: &Value, schemas: &mut Map<String, Value>) -> Value {
    let mut body = properties["msg"].clone();
    if message.body == Body::List {
        body = body["items"].clone();
    }
    if message.body == Body::None {
        body = json!({ "type": "object", "properties": {} });
    }
    if body["description"].as_str().unwrap_or_default().is_empty() {
        body["description"] = message.words.clone().into();
    }
    schemas.insert(message.name.clone(), body);
    reference(&message.name)
}
