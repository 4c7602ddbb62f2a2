//! One of the two specs: its elements by name, and the types that the SDK generates for its schemas.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

use kalshi_gen::{
    FixupMode, Protocol,
    internals::{
        asyncapi, compose,
        error::JsonPath,
        fixups, protocol, scalars,
        spec::{self, reference, resolve, schema_name, str_field},
    },
};

/// The JSON pointer of a document's messages.
pub(super) const MESSAGES: &str = "/components/messages";

/// The entries of a mapping, such as the messages of a channel, by name.
pub(super) type Entries<'a> = BTreeMap<&'a str, &'a Value>;

/// A spec, indexed for the comparison.
pub(super) struct SpecIndex {
    pub(super) document: Value,
    /// The scalar types that fixups assign to strings, by JSON path.
    scalar_types: BTreeMap<String, String>,
    sent: BTreeSet<String>,
    received: BTreeSet<String>,
    in_parameters: BTreeSet<String>,
    /// AsyncAPI schemas of scalars, which are inlined where they are referenced.
    inlined: BTreeSet<String>,
    /// The messages of the spec and the names of their payload schemas.
    messages: Vec<MessageUse>,
}

/// A message that an operation carries.
struct MessageUse {
    is_sent_by_server: bool,
    name: String,
    payload: Option<String>,
}

/// The type that the SDK generates for a schema, as far as needed to compare two of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A string, a number, a boolean or a scalar type of the SDK.
    Scalar(String),
    /// A schema with a name of its own.
    Named(String),
    Object,
    Enum,
    List(Box<Shape>),
    Map(Box<Shape>),
    OneOf(Vec<Shape>),
    Anything,
}

impl SpecIndex {
    pub(super) fn new(document: &Value) -> Self {
        let is_asyncapi = protocol::detect(document) == Protocol::Streams;
        let mut inlined = BTreeSet::new();
        let mut document = document.clone();
        if is_asyncapi {
            inlined = asyncapi::scalars(&document).keys().cloned().collect();
            asyncapi::convert(&mut document, "const");
            for key in ["servers", "channels", "operations"] {
                if let Some(Value::Object(entries)) = document.get_mut(key) {
                    entries.retain(|name, _| !name.starts_with("x-"));
                }
            }
        }
        let mut composed = document.clone();
        // Compositions that cannot be merged are compared unchanged.
        if spec::schemas(&document).is_some() && compose::merge_all_of(&mut composed, 0).is_ok() {
            document = composed;
        }
        let mut corrected = document.clone();
        // Lenient mode never fails.
        _ = if is_asyncapi {
            asyncapi::fixups::apply(&mut corrected, FixupMode::Lenient)
        } else {
            fixups::apply(&mut corrected, FixupMode::Lenient)
        };
        let mut scalar_types = BTreeMap::new();
        if let Some(schemas) = corrected.pointer("/components/schemas") {
            self::scalar_types(
                schemas,
                &JsonPath::new(&["components", "schemas"]),
                &mut scalar_types,
            );
        }
        let messages: Vec<_> = asyncapi::payloads(&document)
            .into_iter()
            .map(|(is_sent_by_server, name, _, payload)| MessageUse {
                is_sent_by_server,
                name,
                payload: reference(payload).and_then(schema_name).map(str::to_owned),
            })
            .collect();
        let referenced = |is_sent_by_server: bool| {
            let operations = document["operations"].as_object().into_iter().flatten();
            let operations = operations
                .filter(move |(_, operation)| (operation["action"] == "send") == is_sent_by_server)
                .filter_map(|(_, operation)| operation.get("messages"));
            spec::referenced_schemas(&document, operations)
        };
        let reachable = |key: &str| {
            let of_operations =
                spec::operations(&document).filter_map(|(_, _, operation)| operation.get(key));
            // A path may list parameters for all its operations.
            let paths = document["paths"].as_object().into_iter().flatten();
            let paths = paths.filter(|(path, _)| !path.starts_with("x-"));
            let of_paths = paths.filter_map(|(_, item)| item.get(key));
            spec::referenced_schemas(&document, of_operations.chain(of_paths))
        };
        let [sent, received, in_parameters] = if is_asyncapi {
            [referenced(false), referenced(true), BTreeSet::new()]
        } else {
            ["requestBody", "responses", "parameters"].map(reachable)
        };
        Self {
            sent,
            received,
            in_parameters,
            document,
            scalar_types,
            inlined,
            messages,
        }
    }

    pub(super) fn schemas(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = spec::schemas(&self.document).into_iter().flatten();
        all.map(|(name, schema)| (name.as_str(), schema))
    }

    pub(super) fn schema(&self, name: &str) -> Option<&Value> {
        spec::schemas(&self.document)?.get(name)
    }

    /// Returns the operations by id: path, method and operation.
    pub(super) fn operations(&self) -> BTreeMap<&str, (&str, &str, &Map<String, Value>)> {
        spec::operations(&self.document)
            .filter_map(|(path, method, node)| {
                Some((str_field(node, "operationId")?, (path, method, node)))
            })
            .collect()
    }

    /// Returns a schema after resolving its reference.
    pub(super) fn target<'a>(&'a self, node: &'a Value) -> &'a Value {
        spec::follow(&self.document, node)
    }

    /// Returns a part of an operation after resolving its reference.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let reference = node.get("$ref").and_then(Value::as_str);
        reference
            .and_then(|reference| resolve(&self.document, reference))
            .unwrap_or(node)
    }

    pub(super) fn is_sent(&self, name: &str) -> bool {
        self.sent.contains(name)
    }

    pub(super) fn is_received(&self, name: &str) -> bool {
        self.received.contains(name)
    }

    /// Returns `true` for an AsyncAPI schema without a type named after it.
    pub(super) fn has_no_type(&self, name: &str) -> bool {
        self.inlined.contains(name) || self.is_payload(name)
    }

    /// Returns `true` if the schema is the payload of a message.
    fn is_payload(&self, name: &str) -> bool {
        self.payloads().any(|payload| payload == name)
    }

    /// Returns the names of the schemas that are payloads of messages.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &str> {
        let messages = self.messages.iter();
        messages.filter_map(|message| message.payload.as_deref())
    }

    pub(super) fn is_sent_message(&self, name: &str) -> bool {
        self.has_message(name, false)
    }

    pub(super) fn is_received_message(&self, name: &str) -> bool {
        self.has_message(name, true)
    }

    fn has_message(&self, name: &str, is_sent_by_server: bool) -> bool {
        self.messages
            .iter()
            .any(|message| message.name == name && message.is_sent_by_server == is_sent_by_server)
    }

    /// Returns `true` if an operation refers to the schema, so that a type is generated.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.is_sent(name) || self.is_received(name) || self.in_parameters.contains(name)
    }

    /// Returns the shape of the schema at `path`, under the name of a field or a parameter.
    pub(super) fn shape(&self, node: &Value, name: &str, path: &JsonPath) -> Shape {
        let reference = reference(node);
        let scalar_type = self.scalar_types.get(&path.to_string()).or_else(|| {
            self.scalar_types.get(
                &JsonPath::new(&["components", "schemas", schema_name(reference?)?]).to_string(),
            )
        });
        if let Some(scalar_type) = scalar_type {
            return Shape::Scalar(scalar_name(scalar_type));
        }
        let scalar = |node: &Value| scalars::scalar(name, node.as_object()?);
        if let Some(target) = reference.and_then(schema_name) {
            let Some(schema) = self.schema(target) else {
                return Shape::Named(target.to_owned());
            };
            if let Some(kind) = scalar(schema) {
                return Shape::Scalar(scalar_name(kind));
            }
            if self.inlined.contains(target) {
                return self.shape(
                    schema,
                    name,
                    &JsonPath::new(&["components", "schemas", target]),
                );
            }
            // A named list or map is inlined where it is used. One that contains itself keeps its name.
            let own = format!("\"#/components/schemas/{target}\"");
            return match self.shape(
                schema,
                "",
                &JsonPath::new(&["components", "schemas", target]),
            ) {
                shape @ (Shape::List(_) | Shape::Map(_)) if !schema.to_string().contains(&own) => {
                    shape
                }
                _ => Shape::Named(target.to_owned()),
            };
        }
        if let Some(kind) = scalar(node) {
            return Shape::Scalar(scalar_name(kind));
        }
        let Some(object) = node.as_object() else {
            return Shape::Anything;
        };
        if let Some(parts) = object
            .get("oneOf")
            .or(object.get("anyOf"))
            .and_then(Value::as_array)
        {
            return Shape::OneOf(
                parts
                    .iter()
                    .map(|part| self.shape(part, name, path))
                    .collect(),
            );
        }
        let all_strings = |values: &[Value]| {
            values
                .iter()
                .all(|value| value.is_string() || value.is_null())
        };
        let kind = str_field(object, "type").unwrap_or_default();
        if object
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|values| all_strings(values))
            && ["", "string"].contains(&kind)
        {
            return Shape::Enum;
        }
        let inner = |key: &str, name: &str| {
            Box::new(match object.get(key) {
                Some(Value::Bool(_)) | None => Shape::Anything,
                Some(node) => self.shape(node, name, &path.join(key)),
            })
        };
        match kind {
            _ if object
                .get("properties")
                .and_then(Value::as_object)
                .is_some_and(|fields| !fields.is_empty()) =>
            {
                Shape::Object
            }
            "object" if object.get("additionalProperties") == Some(&Value::Bool(false)) => {
                Shape::Object
            }
            "object" => Shape::Map(inner("additionalProperties", name)),
            "array" => {
                let nested = object
                    .get("items")
                    .is_some_and(|items| items.get("items").is_some());
                Shape::List(inner("items", if nested { "" } else { name }))
            }
            "" => Shape::Anything,
            kind => Shape::Scalar(self::scalar(
                kind,
                str_field(object, "format").unwrap_or_default(),
            )),
        }
    }
}

/// Returns the entries of a mapping in the document, or nothing if it is absent.
pub(super) fn entries<'a>(spec_index: &'a SpecIndex, pointer: &str) -> Entries<'a> {
    let fields = spec_index
        .document
        .pointer(pointer)
        .and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    fields.map(|(name, node)| (name.as_str(), node)).collect()
}

/// Collects the scalar types that fixups assign to the schemas below a node.
fn scalar_types(node: &Value, path: &JsonPath, found: &mut BTreeMap<String, String>) {
    match node {
        Value::Object(fields) => {
            if let Some(scalar_type) = fields.get("x-kalshi-type").and_then(Value::as_str) {
                found.insert(path.to_string(), scalar_type.to_owned());
            }
            for (key, field) in fields {
                scalar_types(field, &path.join(key), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                scalar_types(item, &path.item(index), found);
            }
        }
        _ => {}
    }
}

/// Describes a scalar with the format that determines its type.
fn scalar(kind: &str, format: &str) -> String {
    match (kind, format) {
        ("string", "date-time") => "a time".to_owned(),
        ("string", "date") => "a date".to_owned(),
        ("string", _) => "a string".to_owned(),
        ("integer", "int32" | "uint32" | "uint64") => format!("an integer ({format})"),
        ("integer", _) => "an integer".to_owned(),
        ("number", "float") => "a number (float)".to_owned(),
        ("number", _) => "a number".to_owned(),
        ("boolean", _) => "a boolean".to_owned(),
        (kind, _) => kind.to_owned(),
    }
}

/// Describes a scalar type of the SDK.
fn scalar_name(kind: &str) -> String {
    match kind {
        scalars::DOLLARS => "dollars".to_owned(),
        scalars::CONTRACTS => "contracts".to_owned(),
        scalars::PRICE_LEVEL => "a price level".to_owned(),
        scalars::DECIMAL => "a number".to_owned(),
        scalars::DECIMAL_TEXT => "a number in a string".to_owned(),
        scalars::DOLLARS_OR_NONE => "dollars, or none".to_owned(),
        scalars::ID => "an id".to_owned(),
        scalars::SECRET => "a secret".to_owned(),
        scalars::API_ERROR => "an API error".to_owned(),
        kind => kind.to_owned(),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(name) => f.write_str(name),
            Self::Named(name) => write!(f, "`{name}`"),
            Self::Object => f.write_str("an inline object"),
            Self::Enum => f.write_str("an inline enum"),
            Self::List(inner) => write!(f, "a list of {}", plural(inner)),
            Self::Map(inner) => write!(f, "a map of {}", plural(inner)),
            Self::OneOf(parts) => {
                let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
                write!(f, "one of {}", parts.join(" and "))
            }
            Self::Anything => f.write_str("anything"),
        }
    }
}

/// Returns `strings` for `a string`.
fn plural(shape: &Shape) -> String {
    let name = shape.to_string();
    match (
        shape,
        name.strip_prefix("a ").or_else(|| name.strip_prefix("an ")),
    ) {
        (Shape::Scalar(_), Some(name)) => match name.split_once(" (") {
            Some((name, format)) => format!("{name}s ({format}"),
            None => format!("{name}s"),
        },
        (Shape::Object, _) => "inline objects".to_owned(),
        (Shape::Enum, _) => "inline enums".to_owned(),
        (Shape::List(inner), _) => format!("lists of {}", plural(inner)),
        (Shape::Map(inner), _) => format!("maps of {}", plural(inner)),
        _ => name,
    }
}
