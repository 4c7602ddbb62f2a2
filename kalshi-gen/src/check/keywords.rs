//! Which keywords a spec may hold: those that are expressed or explain, those that cannot be expressed, and unknown ones,
//! which are ignored with a warning.

use serde_json::{Map, Value};

use crate::{error::JsonPath, spec::METHODS, warning::Warning};

/// Keywords of a schema that generation reads, or that hold for the reader only.
const SCHEMA: [&str; 38] = [
    "$comment",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "deprecated",
    "description",
    "discriminator",
    "enum",
    "example",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
    "xml",
];

/// Keywords of OpenAPI 3.1 and JSON Schema, 2020-12 and before, that change what a schema accepts and have no Rust type here.
const INEXPRESSIBLE: [&str; 30] = [
    "$anchor",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$schema",
    "$vocabulary",
    "additionalItems",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "not",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

const PATH_ITEM: [&str; 4] = ["description", "parameters", "servers", "summary"];

const OPERATION: [&str; 12] = [
    "callbacks",
    "deprecated",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "servers",
    "summary",
    "tags",
];

const PARAMETER: [&str; 15] = [
    "$ref",
    "allowEmptyValue",
    "allowReserved",
    "content",
    "deprecated",
    "description",
    "example",
    "examples",
    "explode",
    "in",
    "name",
    "required",
    "schema",
    "style",
    "summary",
];

const BODY_OR_RESPONSE: [&str; 7] = [
    "$ref",
    "content",
    "description",
    "headers",
    "links",
    "required",
    "summary",
];

/// Keys of a path item that mean an operation, or one that stands elsewhere, which generation cannot read.
const UNREAD_OPERATIONS: [&str; 6] = [
    "$ref",
    "additionalOperations",
    "head",
    "options",
    "query",
    "trace",
];

/// Returns true if a schema with this keyword cannot be expressed in Rust.
pub(super) fn is_inexpressible(keyword: &str) -> bool {
    INEXPRESSIBLE.contains(&keyword)
}

/// Returns true if the key of a path item may hold an operation that would be lost.
pub(super) fn may_be_operation(key: &str, value: &Value) -> bool {
    UNREAD_OPERATIONS.contains(&key) || value.is_object()
}

/// A warning for each unknown key of a checked spec, in the order of the spec.
pub fn warnings(document: &Value) -> Vec<Warning> {
    let mut found = Found(Vec::new());
    let root = JsonPath::new(&[]);
    let components = document.get("components");
    let path = root.join("components");
    each(components, &path, "schemas", &mut |node, path| {
        found.schema(node, path);
    });
    each(components, &path, "parameters", &mut |node, path| {
        found.parameter(node, path);
    });
    for key in ["requestBodies", "responses"] {
        each(components, &path, key, &mut |node, path| {
            found.content(node, path);
        });
    }
    each(components, &path, "messages", &mut |node, path| {
        found.message(node, path);
    });
    each(Some(document), &root, "channels", &mut |node, path| {
        each(Some(node), path, "messages", &mut |node, path| {
            found.message(node, path);
        });
    });
    each(Some(document), &root, "paths", &mut |node, path| {
        found.path_item(node, path);
    });
    found.0
}

/// Calls `visit` for every value of the mapping under `key`.
fn each<'a>(
    node: Option<&'a Value>,
    path: &JsonPath,
    key: &str,
    visit: &mut impl FnMut(&'a Value, &JsonPath),
) {
    let fields = node
        .and_then(|node| node.get(key))
        .and_then(Value::as_object);
    for (name, value) in fields.into_iter().flatten() {
        visit(value, &path.join(key).join(name));
    }
}

struct Found(Vec<Warning>);

impl Found {
    fn unknown(&mut self, node: &Map<String, Value>, path: &JsonPath, known: &[&str]) {
        let unknown = node
            .iter()
            .filter(|(key, _)| !known.contains(&key.as_str()) && !key.starts_with("x-"));
        for (key, value) in unknown {
            let hint = if value.is_null() {
                "; a comma may have split an unquoted text in `{ }`: quote the text"
            } else {
                ""
            };
            self.0.push(Warning::new(
                &path.join(key),
                format!("ignored, as no version of OpenAPI or JSON Schema has this key{hint}"),
            ));
        }
    }

    fn schema(&mut self, node: &Value, path: &JsonPath) {
        let Some(schema) = node.as_object() else {
            return;
        };
        let known: Vec<&str> = SCHEMA.iter().chain(&INEXPRESSIBLE).copied().collect();
        self.unknown(schema, path, &known);
        each(Some(node), path, "properties", &mut |node, path| {
            self.schema(node, path);
        });
        for key in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(key) {
                self.schema(inner, &path.join(key));
            }
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let parts = schema.get(key).and_then(Value::as_array);
            for (index, part) in parts.into_iter().flatten().enumerate() {
                self.schema(part, &path.join(key).item(index));
            }
        }
    }

    fn message(&mut self, node: &Value, path: &JsonPath) {
        if let Some(payload) = node.get("payload") {
            self.schema(payload, &path.join("payload"));
        }
    }

    fn path_item(&mut self, node: &Value, path: &JsonPath) {
        let Some(item) = node.as_object() else {
            return;
        };
        let known: Vec<&str> = PATH_ITEM.iter().chain(&METHODS).copied().collect();
        self.unknown(item, path, &known);
        self.parameters(node, path);
        for method in METHODS {
            let (operation, path) = (&node[method], path.join(method));
            if let Some(fields) = operation.as_object() {
                self.unknown(fields, &path, &OPERATION);
            }
            self.parameters(operation, &path);
            if let Some(body) = operation.get("requestBody") {
                self.content(body, &path.join("requestBody"));
            }
            each(Some(operation), &path, "responses", &mut |node, path| {
                self.content(node, path);
            });
        }
    }

    fn parameters(&mut self, node: &Value, path: &JsonPath) {
        let list = node.get("parameters").and_then(Value::as_array);
        for (index, parameter) in list.into_iter().flatten().enumerate() {
            self.parameter(parameter, &path.join("parameters").item(index));
        }
    }

    fn parameter(&mut self, node: &Value, path: &JsonPath) {
        if let Some(parameter) = node.as_object() {
            self.unknown(parameter, path, &PARAMETER);
        }
        if let Some(schema) = node.get("schema") {
            self.schema(schema, &path.join("schema"));
        }
    }

    /// A request body or a response.
    fn content(&mut self, node: &Value, path: &JsonPath) {
        if let Some(fields) = node.as_object() {
            self.unknown(fields, path, &BODY_OR_RESPONSE);
        }
        each(Some(node), path, "content", &mut |media, path| {
            if let Some(schema) = media.get("schema") {
                self.schema(schema, &path.join("schema"));
            }
        });
    }
}
