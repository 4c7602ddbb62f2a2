//! The WebSocket API: an AsyncAPI 3 spec becomes message types, in the same stages as a REST spec.
//!
//! Each message from the server is represented as the response of an operation, and each command's parameters as a
//! request body. Open enums, exact decimal types and tolerant lists are therefore the same as for REST.

pub(crate) mod emit;
pub mod fixups;
pub(crate) mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::schemas::{inline_scalars, resolve};
use crate::{
    error::{Error, JsonPath},
    names,
    options::FixupMode,
    reserved, spec,
    warning::Warning,
};

/// A message that the server sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// The variant name, which is also the name of the body's type, such as `OrderbookDelta`.
    pub(crate) name: String,
    /// The `type` on the wire, such as `orderbook_delta`. Several messages may share one.
    pub(crate) kind: String,
    pub(crate) body: Body,
    /// A field of the body with a single possible value, which distinguishes this message from others of its type.
    pub(crate) discriminator: Option<(String, String)>,
    /// The required fields of the body. Among messages of one type, those with more required fields are tried first.
    pub(crate) required: Vec<String>,
    /// The type of the body's `ts_ms`, the time of the reported event. `None` if the body has no such field.
    pub(crate) timestamp: Option<Timestamp>,
    /// `true` if the body is boxed, which keeps a large, rare message from increasing the size of the enum.
    pub(crate) is_large: bool,
    pub(crate) description: String,
    /// The location in an operation's message list.
    pub(crate) location: JsonPath,
}

impl Message {
    /// Returns `true` if both become the same Rust, ignoring where they are listed.
    fn is_same(&self, other: &Self) -> bool {
        let location = other.location.clone();
        Self {
            location,
            ..self.clone()
        } == *other
    }
}

/// The maximum number of fields of an unboxed body, chosen so that a ticker is not boxed.
const MAX_UNBOXED_FIELDS: usize = 15;

/// The Rust type of a `ts_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timestamp {
    /// `i64`.
    Signed,
    /// Another integer: `i32`, `u32` or `u64`.
    Converted(&'static str),
}

impl Timestamp {
    fn from_schema(schema: &Value) -> Option<Self> {
        if schema["type"] != "integer" {
            return None;
        }
        Some(match schema["format"].as_str() {
            Some("int32") => Self::Converted("i32"),
            Some("uint32") => Self::Converted("u32"),
            Some("uint64") => Self::Converted("u64"),
            _ => Self::Signed,
        })
    }
}

/// The form of a message's `msg` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The message has no `msg`.
    None,
    /// An object of the message's own type.
    Object,
    /// A list of such objects.
    List,
}

/// The schemas of messages and of command parameters, by Rust type name.
#[derive(Default)]
struct Bodies {
    schemas: Map<String, Value>,
    /// The location of each schema, for error messages.
    locations: BTreeMap<String, JsonPath>,
}

impl Bodies {
    /// Inserts a schema, or returns `false` if the same schema already exists under that name.
    fn insert(&mut self, name: &str, schema: Value, location: &JsonPath) -> Result<bool, Error> {
        match self.schemas.get(name) {
            Some(other) if *other == schema => Ok(false),
            Some(_) => Err(self.name_conflict(name, location)),
            None => {
                self.schemas.insert(name.to_owned(), schema);
                self.locations.insert(name.to_owned(), location.clone());
                Ok(true)
            }
        }
    }

    fn name_conflict(&self, name: &str, location: &JsonPath) -> Error {
        let other = self.locations.get(name).map(ToString::to_string);
        let other = other.unwrap_or_default();
        Error::at(
            location,
            format!("has the same name in Rust, `{name}`, as {other}"),
        )
    }

    /// Adds the named schemas that the bodies refer to. A schema with the same name as a body is an error, because one
    /// of the two types would be lost.
    fn into_schemas(self, named: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let document = json!({ "components": { "schemas": named } });
        let used = spec::referenced_schemas(&document, self.schemas.values());
        for name in &used {
            let rust_name = names::pascal(name);
            if self.schemas.contains_key(&rust_name) {
                let location = JsonPath::new(&["components", "schemas", name]);
                return Err(self.name_conflict(&rust_name, &location));
            }
            if reserved::is_message(&rust_name) {
                return Err(Error::at(
                    &JsonPath::new(&["components", "schemas", name]),
                    format!("the name `{rust_name}` is reserved in the generated code"),
                ));
            }
        }
        let mut schemas = named_schemas(document);
        schemas.retain(|name, _| !self.schemas.contains_key(&names::pascal(name)));
        schemas.extend(self.schemas);
        Ok(schemas)
    }
}

fn named_schemas(mut document: Value) -> Map<String, Value> {
    match document["components"]["schemas"].take() {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

/// Returns the messages that the server sends, and the AsyncAPI spec, which must have its fixups applied, in the form
/// of an OpenAPI document with operations.
pub(crate) fn as_operations(mut document: Value) -> Result<(Vec<Message>, Value), Error> {
    inline_scalars(&mut document);
    resolve(&mut document)?;
    let mut bodies = Bodies::default();
    let mut paths = Map::new();
    let mut messages: Vec<Message> = Vec::new();
    for payload in operation_payloads(&document) {
        let (name, description, location) = (payload.name, payload.description, &payload.location);
        let properties = &spec::follow(&document, payload.schema)["properties"];
        if payload.is_sent_by_server {
            let Some(kind) = kind(&document, properties) else {
                // Reported as ignored, unless it is not a JSON frame, such as a ping.
                continue;
            };
            let message = Message {
                location: location.clone(),
                ..message(&document, &name, kind, description, properties)
            };
            let is_new = bodies.insert(
                &message.name,
                body(&document, &message, properties),
                location,
            )?;
            if !is_new {
                if !messages.iter().any(|other| other.is_same(&message)) {
                    return Err(bodies.name_conflict(&message.name, location));
                }
                continue;
            }
            let response = reference(&message.name);
            paths.insert(format!("/{}", message.name), json!({ "get": {
                "operationId": message.name, "responses": { "200": { "description": "", "content": { "application/json": { "schema": response } } } },
            } }));
            messages.push(message);
        } else if properties["params"].is_object() {
            let name = format!("{}Params", names::pascal(name.trim_end_matches("Command")));
            let params = copied(&document, &properties["params"]);
            bodies.insert(&name, params, location)?;
            paths.insert(format!("/{name}"), json!({ "post": {
                "operationId": name, "responses": { "200": { "description": "" } },
                "requestBody": { "content": { "application/json": { "schema": reference(&name) } } },
            } }));
        }
    }
    if messages.is_empty() {
        return Err(no_messages(&document));
    }
    messages.sort_by(|one, other| one.name.cmp(&other.name));
    let named = spec::schemas(&document).cloned().unwrap_or_default();
    let openapi = json!({
        "openapi": "3.0.0",
        "info": { "title": document["info"]["title"], "version": document["info"]["version"] },
        "paths": paths,
        "components": { "schemas": bodies.into_schemas(named)? },
    });
    Ok((messages, openapi))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The payload of one message of an operation.
struct Payload<'a> {
    /// The location of the message in the operation's list.
    location: JsonPath,
    is_sent_by_server: bool,
    name: String,
    description: String,
    schema: &'a Value,
}

/// Returns every message of every operation as `(is_sent_by_server, name, description, payload)`.
pub fn payloads(document: &Value) -> Vec<(bool, String, String, &Value)> {
    let payloads = operation_payloads(document).into_iter();
    payloads
        .map(|payload| {
            (
                payload.is_sent_by_server,
                payload.name,
                payload.description,
                payload.schema,
            )
        })
        .collect()
}

fn operation_payloads(document: &Value) -> Vec<Payload<'_>> {
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut found = Vec::new();
    for (id, operation) in operations.filter(|(id, _)| !id.starts_with("x-")) {
        let location = JsonPath::new(&["operations", id, "messages"]);
        let messages = operation["messages"].as_array().into_iter().flatten();
        for (index, message) in messages.enumerate() {
            let name = spec::reference(message).and_then(|text| text.rsplit('/').next());
            let message = spec::follow(document, message);
            if let (Some(name), Some(schema)) = (name, message.get("payload")) {
                found.push(Payload {
                    location: location.item(index),
                    is_sent_by_server: operation["action"] == "send",
                    name: name.to_owned(),
                    description: message["summary"].as_str().unwrap_or_default().to_owned(),
                    schema,
                });
            }
        }
    }
    found
}

/// Returns the constant `type` of a payload with these properties.
fn kind<'a>(document: &'a Value, properties: &'a Value) -> Option<&'a str> {
    let schema = spec::follow(document, &properties["type"]);
    match schema["enum"].as_array().map(Vec::as_slice) {
        Some([value]) => value.as_str(),
        _ => schema["x-const"].as_str(),
    }
}

/// Returns the server messages that cannot be decoded because no constant identifies them. Frames that are not JSON,
/// such as a ping, are not among them.
fn unidentified(resolved: &Value) -> impl Iterator<Item = Payload<'_>> {
    operation_payloads(resolved).into_iter().filter(|payload| {
        let schema = spec::follow(resolved, payload.schema);
        let is_text = ["string", "integer", "number", "boolean"]
            .iter()
            .any(|kind| schema["type"] == *kind);
        payload.is_sent_by_server && !is_text && kind(resolved, &schema["properties"]).is_none()
    })
}

const UNIDENTIFIED: &str = "the payload has no property `type` with a `const` or a single `enum` value, which \
                            identifies the message";

fn no_messages(resolved: &Value) -> Error {
    match unidentified(resolved).next() {
        Some(payload) => Error::at(
            &payload.location,
            format!("no message from the server can be decoded: {UNIDENTIFIED}"),
        ),
        None => Error::document(
            "no JSON messages from the server: no entry of `operations` with `action: send` has one",
        ),
    }
}

/// Returns a warning for each server message that is left out because nothing distinguishes it from others. Returns
/// none for a document that cannot be generated.
pub fn ignored_messages(document: &Value) -> Vec<Warning> {
    let mut document = document.clone();
    inline_scalars(&mut document);
    if resolve(&mut document).is_err() {
        return Vec::new();
    }
    unidentified(&document)
        .map(|payload| Warning::new(&payload.location, format!("ignored: {UNIDENTIFIED}")))
        .collect()
}

/// Returns for each message from the server that has a body whether it is boxed in the enum of all messages, by the name
/// of its variant.
///
/// # Errors
///
/// Returns an error if the document, which must be checked, cannot be generated.
pub fn boxed_messages(mut document: Value) -> Result<BTreeMap<String, bool>, Error> {
    fixups::apply(&mut document, FixupMode::Lenient)?;
    let (messages, _) = as_operations(document)?;
    let objects = messages
        .into_iter()
        .filter(|message| message.body == Body::Object);
    Ok(objects
        .map(|message| (message.name, message.is_large))
        .collect())
}

/// Returns the variant and type name of the message `name`: `SubscribedReply` for `subscribedResponse`.
pub(crate) fn message_name(name: &str) -> String {
    match name.strip_suffix("Response") {
        Some(stem) => names::pascal(&format!("{stem}Reply")),
        None => names::pascal(name),
    }
}

fn message(
    document: &Value,
    name: &str,
    kind: &str,
    description: String,
    properties: &Value,
) -> Message {
    let body = spec::follow(document, &properties["msg"]);
    let discriminator = body["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(field, schema)| Some((field.clone(), schema["x-const"].as_str()?.to_owned())));
    Message {
        name: message_name(name),
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
        timestamp: Timestamp::from_schema(&body["properties"]["ts_ms"]),
        is_large: body["properties"].as_object().is_some_and(|fields| {
            let is_object = |field: &Value| spec::follow(document, field)["type"] == "object";
            fields.len() > MAX_UNBOXED_FIELDS || fields.values().any(is_object)
        }),
        description,
        location: JsonPath::new(&["operations"]),
    }
}

/// Returns the schema of a message's body. A named schema is copied, because the body's type has the message's name.
fn body(document: &Value, message: &Message, properties: &Value) -> Value {
    let declared = &properties["msg"];
    let mut body = match message.body {
        Body::None => json!({ "type": "object", "properties": {} }),
        Body::Object => copied(document, declared),
        Body::List => copied(document, &spec::follow(document, declared)["items"]),
    };
    if body["description"].as_str().is_none_or(str::is_empty) {
        body["description"] = message.description.clone().into();
    }
    body
}

/// Returns a copy of the schema that `declared` refers to. A description at the reference takes precedence.
fn copied(document: &Value, declared: &Value) -> Value {
    let mut schema = spec::follow(document, declared).clone();
    let description = declared["description"].as_str();
    if let Some(text) = description.filter(|text| !text.is_empty()) {
        schema["description"] = text.into();
    }
    schema
}
