//! The keys that a spec may contain: supported or descriptive keys, keywords that cannot be expressed in Rust, and
//! stray keys, which are ignored with a warning.

use serde_json::{Map, Value};

use crate::{compose::merged_parts, error::JsonPath, spec::METHODS, warning::Warning};

use self::Shape::{Any, Fields, ListOf, MapOf, Patterned};

/// Keywords of OpenAPI 3.1 and of JSON Schema (2020-12 and earlier) that change what a schema accepts and have
/// no Rust equivalent here.
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

/// Keys of a path item that define an operation, or refer to one elsewhere, that the generator does not read.
const UNSUPPORTED_OPERATIONS: [&str; 6] = [
    "$ref",
    "additionalOperations",
    "head",
    "options",
    "query",
    "trace",
];

/// Keys that may be null, because they contain values of the API rather than of the spec.
const NULLABLE_KEYS: [&str; 4] = ["const", "default", "example", "value"];

/// Returns `true` if a schema with this keyword cannot be expressed in Rust.
pub(super) fn is_inexpressible(keyword: &str) -> bool {
    INEXPRESSIBLE.contains(&keyword)
}

/// Returns `true` if the key of a path item may contain an operation that would be lost.
pub(super) fn may_be_operation(key: &str, value: &Value) -> bool {
    UNSUPPORTED_OPERATIONS.contains(&key) || value.is_object()
}

/// The permitted content at a location of a spec.
enum Shape {
    /// Anything: a string, a value of the API, or content that is not inspected.
    Any,
    /// An object with these keys, each with the shape of its value.
    Fields(&'static [(&'static str, &'static Shape)]),
    /// A list with items of one shape.
    ListOf(&'static Shape),
    /// An object whose keys are names.
    MapOf(&'static Shape),
    /// An object whose keys are names, such as paths, or begin with `x-`.
    Patterned(&'static Shape),
    /// An AsyncAPI schema. Schemas in another language (`schemaFormat`) are rejected elsewhere.
    Payload,
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $shape:expr;)*) => {
        $($(#[$doc])* static $name: Shape = $shape;)*
    };
}

/// Pairs each key with the shape of its value, `Any` by default.
macro_rules! fields {
    ($($key:literal $(=> $shape:expr)?),* $(,)?) => {
        Fields(&[$(($key, fields!(@ $($shape)?))),*])
    };
    (@ $shape:expr) => { &$shape };
    (@) => { &Any };
}

shapes! {
    OPENAPI = fields![
        "components" => COMPONENTS, "externalDocs" => EXTERNAL_DOCS, "info" => INFO, "jsonSchemaDialect", "openapi",
        "paths" => Patterned(&PATH_ITEM), "security", "servers" => ListOf(&SERVER), "tags" => ListOf(&TAG), "webhooks",
    ];
    INFO = fields![
        "contact" => CONTACT, "description", "externalDocs" => EXTERNAL_DOCS, "license" => LICENSE, "summary",
        "tags" => ListOf(&TAG), "termsOfService", "title", "version",
    ];
    CONTACT = fields!["email", "name", "url"];
    LICENSE = fields!["identifier", "name", "url"];
    SERVER = fields!["description", "name", "url", "variables" => MapOf(&SERVER_VARIABLE)];
    SERVER_VARIABLE = fields!["$ref", "default", "description", "enum", "examples"];
    TAG = fields!["$ref", "description", "externalDocs" => EXTERNAL_DOCS, "kind", "name", "parent", "summary"];
    EXTERNAL_DOCS = fields!["$ref", "description", "url"];
    COMPONENTS = fields![
        "callbacks", "examples" => MapOf(&EXAMPLE), "headers" => MapOf(&HEADER), "links" => MapOf(&LINK), "mediaTypes",
        "parameters" => MapOf(&PARAMETER), "pathItems" => MapOf(&PATH_ITEM), "requestBodies" => MapOf(&CONTENT),
        "responses" => MapOf(&CONTENT), "schemas" => MapOf(&SCHEMA), "securitySchemes" => MapOf(&SECURITY_SCHEME),
    ];
    PATH_ITEM = fields![
        "$ref", "additionalOperations", "delete" => OPERATION, "description", "get" => OPERATION, "head" => OPERATION,
        "options" => OPERATION, "parameters" => ListOf(&PARAMETER), "patch" => OPERATION, "post" => OPERATION,
        "put" => OPERATION, "query" => OPERATION, "servers" => ListOf(&SERVER), "summary", "trace" => OPERATION,
    ];
    OPERATION = fields![
        "callbacks" => MapOf(&CALLBACK), "deprecated", "description", "externalDocs" => EXTERNAL_DOCS, "operationId",
        "parameters" => ListOf(&PARAMETER), "requestBody" => CONTENT, "responses" => Patterned(&CONTENT), "security",
        "servers" => ListOf(&SERVER), "summary", "tags",
    ];
    /// Expressions that each map to a path item. The generator does not read them.
    CALLBACK = Any;
    PARAMETER = fields![
        "$ref", "allowEmptyValue", "allowReserved", "content" => MapOf(&MEDIA_TYPE), "deprecated", "description", "example",
        "examples" => MapOf(&EXAMPLE), "explode", "in", "name", "required", "schema" => SCHEMA, "style", "summary",
    ];
    HEADER = fields![
        "$ref", "allowEmptyValue", "allowReserved", "content" => MapOf(&MEDIA_TYPE), "deprecated", "description", "example",
        "examples" => MapOf(&EXAMPLE), "explode", "required", "schema" => SCHEMA, "style", "summary",
    ];
    /// A request body or a response.
    CONTENT = fields![
        "$ref", "content" => MapOf(&MEDIA_TYPE), "description", "headers" => MapOf(&HEADER), "links" => MapOf(&LINK),
        "required", "summary",
    ];
    MEDIA_TYPE = fields![
        "$ref", "encoding" => MapOf(&ENCODING), "example", "examples" => MapOf(&EXAMPLE), "itemEncoding", "itemSchema",
        "prefixEncoding", "schema" => SCHEMA,
    ];
    ENCODING = fields!["allowReserved", "contentType", "explode", "headers" => MapOf(&HEADER), "style"];
    EXAMPLE = fields!["$ref", "dataValue", "description", "externalValue", "serializedValue", "summary", "value"];
    LINK = fields![
        "$ref", "description", "operationId", "operationRef", "parameters", "requestBody", "server" => SERVER,
    ];
    SECURITY_SCHEME = fields![
        "$ref", "bearerFormat", "deprecated", "description", "flows" => FLOWS, "in", "name", "oauth2MetadataUrl",
        "openIdConnectUrl", "scheme", "scopes", "type",
    ];
    FLOWS = fields![
        "authorizationCode" => FLOW, "clientCredentials" => FLOW, "deviceAuthorization" => FLOW, "implicit" => FLOW,
        "password" => FLOW,
    ];
    FLOW = fields!["authorizationUrl", "availableScopes", "deviceAuthorizationUrl", "refreshUrl", "scopes", "tokenUrl"];
    SCHEMA = fields![
        "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$ref",
        "$schema", "$vocabulary", "additionalItems", "additionalProperties" => SCHEMA, "allOf" => ListOf(&SCHEMA),
        "anyOf" => ListOf(&SCHEMA), "const", "contains", "contentEncoding", "contentMediaType", "contentSchema", "default",
        "definitions", "dependencies", "dependentRequired", "dependentSchemas", "deprecated", "description",
        "discriminator" => DISCRIMINATOR, "else", "enum", "example", "examples", "exclusiveMaximum", "exclusiveMinimum",
        "externalDocs" => EXTERNAL_DOCS, "format", "if", "items" => SCHEMA, "maxContains", "maxItems", "maxLength",
        "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not",
        "nullable", "oneOf" => ListOf(&SCHEMA), "pattern", "patternProperties", "prefixItems",
        "properties" => MapOf(&SCHEMA), "propertyNames", "readOnly", "required", "then", "title", "type",
        "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "writeOnly", "xml" => XML,
    ];
    DISCRIMINATOR = fields!["defaultMapping", "mapping", "propertyName"];
    XML = fields!["attribute", "name", "namespace", "nodeType", "prefix", "wrapped"];

    ASYNCAPI = fields![
        "asyncapi", "channels" => Patterned(&CHANNEL), "components" => STREAM_COMPONENTS, "defaultContentType", "id",
        "info" => INFO, "operations" => Patterned(&STREAM_OPERATION), "servers" => Patterned(&STREAM_SERVER),
    ];
    STREAM_SERVER = fields![
        "$ref", "bindings", "description", "externalDocs" => EXTERNAL_DOCS, "host", "pathname", "protocol",
        "protocolVersion", "security", "summary", "tags" => ListOf(&TAG), "title",
        "variables" => MapOf(&SERVER_VARIABLE),
    ];
    CHANNEL = fields![
        "$ref", "address", "bindings", "description", "externalDocs" => EXTERNAL_DOCS, "messages" => MapOf(&MESSAGE),
        "parameters" => MapOf(&CHANNEL_PARAMETER), "servers" => ListOf(&REFERENCE), "summary", "tags" => ListOf(&TAG),
        "title",
    ];
    CHANNEL_PARAMETER = fields!["$ref", "default", "description", "enum", "examples", "location"];
    REFERENCE = fields!["$ref"];
    STREAM_OPERATION = fields![
        "$ref", "action", "bindings", "channel" => REFERENCE, "description", "externalDocs" => EXTERNAL_DOCS,
        "messages" => ListOf(&REFERENCE), "reply", "security", "summary", "tags" => ListOf(&TAG), "title", "traits",
    ];
    MESSAGE = fields![
        "$ref", "bindings", "contentType", "correlationId" => CORRELATION_ID, "description", "examples" => ListOf(&MESSAGE_EXAMPLE),
        "externalDocs" => EXTERNAL_DOCS, "headers" => PAYLOAD, "name", "payload" => PAYLOAD, "summary",
        "tags" => ListOf(&TAG), "title", "traits",
    ];
    MESSAGE_EXAMPLE = fields!["headers", "name", "payload", "summary"];
    CORRELATION_ID = fields!["$ref", "description", "location"];
    STREAM_COMPONENTS = fields![
        "channelBindings", "channels" => MapOf(&CHANNEL), "correlationIds" => MapOf(&CORRELATION_ID),
        "externalDocs" => MapOf(&EXTERNAL_DOCS), "messageBindings", "messageTraits", "messages" => MapOf(&MESSAGE),
        "operationBindings", "operationTraits", "operations" => MapOf(&STREAM_OPERATION),
        "parameters" => MapOf(&CHANNEL_PARAMETER), "replies", "replyAddresses", "schemas" => MapOf(&PAYLOAD),
        "securitySchemes" => MapOf(&SECURITY_SCHEME), "serverBindings", "serverVariables" => MapOf(&SERVER_VARIABLE),
        "servers" => MapOf(&STREAM_SERVER), "tags" => MapOf(&TAG),
    ];
    PAYLOAD = Shape::Payload;
}

/// Returns a warning for each stray key of a spec, and for each known key whose value is null.
pub fn warnings(document: &Value) -> Vec<Warning> {
    remove_stray(&mut document.clone())
}

/// Removes known keys whose value is null, and returns a warning for each ignored key.
pub(crate) fn remove_stray(document: &mut Value) -> Vec<Warning> {
    let shape = if document.get("asyncapi").is_some() {
        &ASYNCAPI
    } else {
        &OPENAPI
    };
    let mut warnings = Vec::new();
    visit(document, shape, &JsonPath::new(&[]), &mut warnings);
    warnings
}

fn visit(node: &mut Value, shape: &Shape, path: &JsonPath, warnings: &mut Vec<Warning>) {
    match (shape, node) {
        (Fields(known), Value::Object(fields)) => visit_fields(fields, known, path, warnings),
        (Shape::Payload, Value::Object(fields)) => {
            let Fields(known) = &SCHEMA else { return };
            if fields.contains_key("schemaFormat") {
                return;
            }
            visit_fields(fields, known, path, warnings);
        }
        (ListOf(shape), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                visit(item, shape, &path.item(index), warnings);
            }
        }
        (MapOf(shape), Value::Object(fields)) => visit_map(fields, shape, |_| true, path, warnings),
        (Patterned(shape), Value::Object(fields)) => {
            visit_map(
                fields,
                shape,
                |name| !name.starts_with("x-"),
                path,
                warnings,
            );
        }
        _ => {}
    }
}

/// Visits an object whose keys are names.
fn visit_map(
    fields: &mut Map<String, Value>,
    shape: &Shape,
    is_name: impl Fn(&str) -> bool,
    path: &JsonPath,
    warnings: &mut Vec<Warning>,
) {
    for (name, value) in fields.iter_mut().filter(|(name, _)| is_name(name)) {
        let path = path.join(name);
        if value.is_null() {
            let message = format!("ignored: this name has no value; {SPLIT_HINT}");
            warnings.push(Warning::new(&path, message));
        }
        visit(value, shape, &path, warnings);
    }
}

/// The likely cause of a key without a value.
const SPLIT_HINT: &str = "a comma may have split an unquoted string in `{ }`: quote it";

/// Visits an object with known keys.
fn visit_fields(
    fields: &mut Map<String, Value>,
    known: &[(&str, &Shape)],
    path: &JsonPath,
    warnings: &mut Vec<Warning>,
) {
    ignored_maps(fields, path, warnings);
    let shape_of = |key: &str| {
        known
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, shape)| *shape)
    };
    fields.retain(|key, value| {
        let known = shape_of(key).is_some();
        // A method without a value is an operation that was lost.
        let may_be_null = NULLABLE_KEYS.contains(&key.as_str()) || METHODS.contains(&key.as_str());
        let message = match (known, value.is_null()) {
            _ if key.starts_with("x-") => return true,
            (true, true) if !may_be_null => format!("ignored: this key has no value; {SPLIT_HINT}"),
            (true, _) => return true,
            (false, is_null) => {
                let hint = if is_null {
                    format!("; {SPLIT_HINT}")
                } else {
                    String::new()
                };
                format!(
                    "ignored: no version of OpenAPI, AsyncAPI or JSON Schema has this key{hint}"
                )
            }
        };
        warnings.push(Warning::new(&path.join(key), message));
        !known
    });
    for (key, value) in fields {
        if let Some(shape) = shape_of(key) {
            visit(value, shape, &path.join(key), warnings);
        }
    }
}

/// Warns of a map that is also an object with fields, which has only the fields in Rust.
fn ignored_maps(schema: &Map<String, Value>, path: &JsonPath, warnings: &mut Vec<Warning>) {
    const KEY: &str = "additionalProperties";
    let is_map = |schema: &Map<String, Value>| {
        let values = schema.get(KEY).and_then(Value::as_object);
        values.is_some_and(|values| !values.is_empty())
    };
    let has_fields = |schema: &Map<String, Value>| {
        let fields = schema.get("properties").and_then(Value::as_object);
        fields.is_some_and(|fields| !fields.is_empty())
    };
    let mut warn = |path: &JsonPath| {
        let message = "ignored: an object with fields cannot also be a map";
        warnings.push(Warning::new(&path.join(KEY), message));
    };
    let parts = merged_parts(schema);
    if is_map(schema) && (has_fields(schema) || !parts.is_empty()) {
        warn(path);
    }
    for (index, part) in parts {
        // A part with fields is reported like any other schema.
        let is_map = |part: &Map<String, Value>| is_map(part) && !has_fields(part);
        if part.as_object().is_some_and(is_map) {
            warn(&path.join("allOf").item(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, INEXPRESSIBLE, SCHEMA};

    #[test]
    fn keywords_that_cannot_be_expressed_are_known() {
        let Fields(known) = &SCHEMA else { return };
        for keyword in INEXPRESSIBLE {
            assert!(known.iter().any(|(key, _)| *key == keyword), "{keyword}");
        }
    }
}
