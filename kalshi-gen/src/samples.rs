//! Sample requests and responses of every operation, derived from the spec, for tests and mock servers.

use serde_json::{Map, Value, json};

use crate::{
    asyncapi::Body,
    check,
    error::Error,
    names,
    operations::{self, Operation},
    options::{FixupMode, Options},
    scalars::{
        API_ERROR, CLIENT_ORDER_ID, CONTRACTS, DECIMAL, DECIMAL_TEXT, DOLLARS, DOLLARS_OR_NONE, ID,
        ORDER_GROUP_ID, ORDER_ID, PRICE_LEVEL, SECRET, SUBACCOUNT, TRADE_ID,
    },
    spec::{self, resolve, str_field},
    stages::{self, Rest},
    surface::{self, Setter},
    yaml,
};

/// The nesting depth from which optional fields are omitted from a sample.
const MAX_DEPTH: usize = 12;

/// Sample requests and responses of all operations of a spec.
pub struct Samples {
    spec: Value,
    tree: Value,
    fixups: FixupMode,
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples")
            .field("operations", &self.operations().len())
            .finish_non_exhaustive()
    }
}

/// A sample response body or frame.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The variant of the sample: `full`, `required only`, `null lists`, `unknown values` or `extra fields`.
    pub name: &'static str,
    /// The JSON body of the sample.
    pub body: Value,
}

/// An argument of a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Argument {
    /// The parameter's name in the spec.
    pub name: String,
    /// The location of the parameter in the request.
    pub location: ParameterLocation,
    /// A sample value of the parameter.
    pub value: Value,
}

/// The location of a parameter in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterLocation {
    /// A segment of the path.
    Path,
    /// The query string. A list repeats the parameter.
    Query,
    /// The query string, with lists joined by commas.
    CommaSeparatedQuery,
    /// A header of the request.
    Header,
}

/// The variants of a sample: which fields are omitted and which values are unusual.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Full,
    RequiredOnly,
    NullLists,
    UnknownValues,
    ExtraFields,
}

impl Samples {
    /// Prepares the samples of `spec`.
    ///
    /// # Errors
    ///
    /// Returns an error if the spec is invalid, or if it contains a construct that cannot be expressed.
    pub fn new(spec: &str, fixups: FixupMode) -> Result<Self, Error> {
        let spec = stages::checked_rest(yaml::parse(spec)?)?;
        let tree = stages::normalized_rest(spec.clone(), fixups, &[])?.tree;
        Ok(Self { spec, tree, fixups })
    }

    /// Returns sample frames for every message that the server of an AsyncAPI spec sends, as pairs of message name and
    /// sample. The sample variants are those of [`responses`](Self::responses).
    ///
    /// # Errors
    ///
    /// Returns an error if [`generate`](crate::generate) does.
    pub fn frames(spec: &str) -> Result<Vec<(String, Sample)>, Error> {
        let document = yaml::parse(spec)?;
        check::streams::check(&document)?;
        let (messages, normalized) = stages::normalized_streams(document, FixupMode::Lenient, &[])?;
        let samples = Self {
            spec: Value::Null,
            tree: normalized.tree,
            fixups: FixupMode::Lenient,
        };
        let mut frames = Vec::new();
        for message in &messages {
            for Sample { name, mut body } in samples.responses(&message.name) {
                if let Some((property, value)) = &message.discriminator {
                    body[property] = json!(value);
                }
                let mut frame = json!({ "type": message.kind, "id": 7, "sid": 8, "seq": 9, "sending_ts_ms": 1_790_000_000_000_i64 });
                match message.body {
                    Body::None => {}
                    Body::Object => frame["msg"] = body,
                    Body::List => frame["msg"] = json!([body]),
                }
                frames.push((message.name.clone(), Sample { name, body: frame }));
            }
        }
        Ok(frames)
    }

    /// Returns the spec after parsing and checks, before fixups and normalisation.
    #[must_use]
    pub fn spec(&self) -> &Value {
        &self.spec
    }

    /// Returns the ids of all operations.
    #[must_use]
    pub fn operations(&self) -> Vec<&str> {
        spec::operations(&self.tree)
            .filter_map(|(_, _, node)| str_field(node, "operationId"))
            .collect()
    }

    /// Returns the status of the operation's success response, or `None` for an unknown operation.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<u16> {
        let responses = self.operation(id)?.get("responses")?.as_object()?;
        let (status, _) = responses
            .iter()
            .find(|(status, _)| status.starts_with('2'))?;
        Some(status.parse().unwrap_or(200))
    }

    /// Returns sample responses. Empty if the operation's success response has no body.
    #[must_use]
    pub fn responses(&self, id: &str) -> Vec<Sample> {
        let Some(schema) = self.operation(id).and_then(operations::success_schema) else {
            return Vec::new();
        };
        [
            ("full", Variant::Full),
            ("required only", Variant::RequiredOnly),
            ("null lists", Variant::NullLists),
            ("unknown values", Variant::UnknownValues),
            ("extra fields", Variant::ExtraFields),
        ]
        .map(|(name, variant)| Sample {
            name,
            body: self.sample(schema, "", variant, 0),
        })
        .into()
    }

    /// Returns a sample value for every parameter of the operation.
    #[must_use]
    pub fn arguments(&self, id: &str) -> Vec<Argument> {
        let parameters = self
            .operation(id)
            .and_then(|node| node.get("parameters")?.as_array());
        parameters
            .into_iter()
            .flatten()
            .filter_map(|parameter| {
                let name = parameter.get("name")?.as_str()?;
                let schema = parameter.get("schema")?;
                let value = self.sample(schema, name, Variant::Full, 0);
                let (location, value) = match (parameter.get("in")?.as_str()?, value) {
                    // A value that only arrives intact if the path is encoded correctly.
                    ("path", Value::String(text)) => (
                        ParameterLocation::Path,
                        json!(format!("{text}-T73499.99/\u{e9} %")),
                    ),
                    ("path", value) => (ParameterLocation::Path, value),
                    ("header", value) => (ParameterLocation::Header, value),
                    (_, Value::Array(list))
                        if parameter.get("explode") == Some(&Value::Bool(false)) =>
                    {
                        (ParameterLocation::CommaSeparatedQuery, Value::Array(list))
                    }
                    (_, value) => (ParameterLocation::Query, value),
                };
                Some(Argument {
                    name: name.to_owned(),
                    location,
                    value,
                })
            })
            .collect()
    }

    /// Returns a sample body, or `None` if the operation has no body.
    #[must_use]
    pub fn body(&self, id: &str) -> Option<Value> {
        let schema = self
            .operation(id)?
            .get("requestBody")?
            .pointer("/content/application~1json/schema")?;
        Some(self.sample(schema, "", Variant::Full, 0))
    }

    /// Emits Rust code that calls every operation through its typed method, with arguments from a JSON object: a function
    /// `call(client, id, arguments)` that sends it, and a function `pages(client, id, arguments)` that reads and counts all pages
    /// of a paginated operation.
    ///
    /// # Errors
    ///
    /// Returns an error if [`generate`](crate::generate) does.
    pub fn calls(&self) -> Result<String, Error> {
        let options = Options::new().fixups(self.fixups);
        let Rest {
            refined,
            operations,
            ..
        } = stages::rest(self.spec.clone(), &options)?;
        let setters = |operation: &Operation| surface::setters(&refined, operation);
        let mut out = String::from(
            "/// Sends the operation `id` with all its arguments, through its typed method.\n\
             #[allow(deprecated)]\n\
             pub async fn call(client: &Client, id: &str, arguments: &Arguments) -> Result<serde_json::Value, Error> {\n    match id {\n",
        );
        for operation in &operations {
            let id = &operation.id;
            let method = names::snake(id);
            out.push_str(&format!("        {id:?} => {{\n            let response = client\n                .{method}()\n"));
            out.extend(setters(operation).iter().map(setter_call));
            out.push_str("                .send()\n                .await?;\n            Ok(serialized(&*response))\n        }\n");
        }
        out.push_str("        other => panic!(\"no operation {other}\"),\n    }\n}\n");
        out.push_str(
            "\n/// Reads all pages of the operation `id` and counts them.\n\
             #[allow(deprecated, unused_variables, clippy::unused_async)]\n\
             pub async fn pages(client: &Client, id: &str, arguments: &Arguments) -> Result<usize, Error> {\n    match id {\n",
        );
        for operation in operations
            .iter()
            .filter(|operation| operation.paging.is_some())
        {
            let id = &operation.id;
            let method = names::snake(id);
            out.push_str(&format!("        {id:?} => {{\n            let mut pages = client\n                .{method}()\n"));
            let setters = setters(operation);
            let setters = setters.iter();
            out.extend(
                setters
                    .filter(|setter| setter.parameter != "cursor")
                    .map(setter_call),
            );
            out.push_str("                .by_page();\n            let mut count = 0;\n            while next(&mut pages).await?.is_some() {\n                count += 1;\n            }\n            Ok(count)\n        }\n");
        }
        out.push_str("        other => panic!(\"no paginated operation {other}\"),\n    }\n}\n");
        Ok(out)
    }

    fn operation(&self, id: &str) -> Option<&Map<String, Value>> {
        spec::operations(&self.tree)
            .map(|(_, _, node)| node)
            .find(|node| str_field(node, "operationId") == Some(id))
    }

    fn sample(&self, schema: &Value, name: &str, variant: Variant, depth: usize) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return match spec::schema_name(reference) {
                Some(DOLLARS | DOLLARS_OR_NONE) => json!("0.5625"),
                Some(DECIMAL) => json!(0.5),
                Some(DECIMAL_TEXT) => json!("0.000125"),
                Some(CONTRACTS) => json!("12.50"),
                Some(PRICE_LEVEL) => json!(["0.5600", "100.00"]),
                Some(ID | ORDER_ID | CLIENT_ORDER_ID | TRADE_ID | ORDER_GROUP_ID) => {
                    json!("5f0c2a1e-7d43-4b8a-9c16-2e8f3d70b5a9")
                }
                Some(SUBACCOUNT) => json!(7),
                Some(SECRET) => json!("sample secret"),
                Some(API_ERROR) => {
                    json!({ "code": "sample_code", "message": "sample message", "details": "sample details", "service": "sample" })
                }
                _ => match resolve(&self.tree, reference) {
                    Some(target) => self.sample(target, name, variant, depth + 1),
                    None => Value::Null,
                },
            };
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            if let Some(part) = schema.get(key).and_then(|parts| parts.get(0)) {
                return self.sample(part, name, variant, depth);
            }
        }
        if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
            return match variant {
                Variant::UnknownValues => json!("a future value"),
                _ => first.clone(),
            };
        }
        let format = schema.get("format").and_then(Value::as_str);
        match (schema.get("type").and_then(Value::as_str), format) {
            (Some("string"), Some("date-time")) => json!("2026-01-02T03:04:05.678901Z"),
            (Some("string"), Some("date")) => json!("2026-01-02"),
            (Some("string"), _) => json!(format!("sample {name}").trim()),
            (Some("integer"), _) => json!(7),
            (Some("number"), _) => json!(0.5),
            (Some("boolean"), _) => json!(true),
            (Some("array"), _) => match schema.get("items") {
                Some(items) if depth < MAX_DEPTH => {
                    json!([self.sample(items, name, variant, depth + 1)])
                }
                _ => json!([]),
            },
            _ => self.object(schema, variant, depth),
        }
    }

    fn object(&self, schema: &Value, variant: Variant, depth: usize) -> Value {
        let mut out = Map::new();
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|list| list.iter().any(|other| other == name));
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                for (name, property) in properties {
                    let collection = is_collection(property);
                    // Fields that hold lists of lists are kept, so that the inner lists are null.
                    let holds_collections = property
                        .get("additionalProperties")
                        .is_some_and(is_collection);
                    let value = match variant {
                        Variant::NullLists if holds_collections => {
                            self.sample(property, name, variant, depth + 1)
                        }
                        Variant::RequiredOnly if collection || !is_required(name) => continue,
                        _ if depth >= MAX_DEPTH && !is_required(name) => continue,
                        Variant::NullLists if collection => Value::Null,
                        _ => self.sample(property, name, variant, depth + 1),
                    };
                    out.insert(name.clone(), value);
                }
                if variant == Variant::ExtraFields {
                    out.insert("future_field".into(), json!({ "a": [1, null, "b"] }));
                }
            }
            None => match schema.get("additionalProperties") {
                Some(Value::Bool(false)) if variant == Variant::ExtraFields => {
                    out.insert("future_field".into(), json!(1));
                }
                Some(Value::Bool(false)) => {}
                Some(values @ Value::Object(_))
                    if variant == Variant::NullLists && is_collection(values) =>
                {
                    out.insert("sample key".into(), Value::Null);
                }
                Some(values @ Value::Object(_)) if depth < MAX_DEPTH => {
                    out.insert(
                        "sample key".into(),
                        self.sample(values, "value", variant, depth + 1),
                    );
                }
                _ => {
                    out.insert("sample key".into(), json!({ "free": [1, "form"] }));
                }
            },
        }
        Value::Object(out)
    }
}

/// Returns a line that sets a parameter to the argument of its name.
fn setter_call(setter: &Setter) -> String {
    let Setter { name, value, .. } = setter;
    let parameter = setter.parameter.trim_end_matches('_');
    format!("                .{name}(arguments.get::<{value}>({parameter:?}))\n")
}

/// Returns `true` if a schema is a list or a map.
fn is_collection(schema: &Value) -> bool {
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => true,
        Some("object") => schema.get("properties").is_none(),
        _ => false,
    }
}
