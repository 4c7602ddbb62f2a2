//! Unknown keys and keywords without a value are ignored with a warning, anywhere in a spec.

use kalshi_gen::{Options, generate};
use serde_json::{Value, json};

use crate::generate::{error, with_schemas};

const FEE: &str = "$.components.schemas.Thing.properties.fee";

fn warnings(spec: &str) -> Vec<String> {
    let generated =
        generate(spec, &Options::new()).unwrap_or_else(|error| panic!("{error}\n{spec}"));
    generated
        .warnings
        .into_iter()
        .map(|warning| warning.path)
        .collect()
}

#[test]
fn string_split_by_a_comma_does_not_stop_generation() {
    let field = |text: &str| {
        with_schemas(&format!(
            "Thing: {{type: object, properties: {{fee: {{{text}}}}}}}"
        ))
    };
    let plain = generate(&field("type: integer, description: Fee"), &Options::new()).unwrap();
    for (text, keys) in [
        ("Fee, if, then.", &["if", "[\"then.\"]"][..]),
        ("Fee, deprecated", &["deprecated"]),
        ("Fee, enum", &["enum"]),
        ("Fee, required", &["required"]),
        ("Fee, format", &["format"]),
        ("Fee, not, contains, const", &["not", "contains"]),
        (
            "Fee, nullable, pattern, items, properties",
            &["items", "nullable", "pattern", "properties"],
        ),
        (
            "Fee, allOf, oneOf, anyOf, $ref, title",
            &["$ref", "allOf", "anyOf", "oneOf", "title"],
        ),
        (
            "Fee, additionalProperties, minimum, externalDocs",
            &["additionalProperties", "externalDocs", "minimum"],
        ),
    ] {
        if text.contains("const") {
            // Null is a valid value here.
            let error = error(&field(&format!("type: integer, description: {text}")));
            assert!(error.starts_with(&format!("{FEE}.const: ")), "{error}");
            continue;
        }
        let spec = field(&format!("type: integer, description: {text}"));
        let mut expected: Vec<_> = keys
            .iter()
            .map(|key| {
                if key.starts_with('[') {
                    format!("{FEE}{key}")
                } else {
                    format!("{FEE}.{key}")
                }
            })
            .collect();
        let mut found = warnings(&spec);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
        let generated = generate(&spec, &Options::new()).unwrap();
        assert_eq!(generated.rust, plain.rust, "{text}");
        assert!(
            generated
                .warnings
                .iter()
                .all(|warning| warning.message.contains("a comma may have split"))
        );
    }
    assert!(
        error(&field("type: integer, description: Fee, type")).contains("duplicate key `type`")
    );
    for fine in [
        "default: null",
        "example: null",
        "enum: [null, 1]",
        "example: {a: null}",
        "examples: [null]",
        "x-a: null",
    ] {
        assert_eq!(
            warnings(&field(&format!("type: integer, {fine}"))),
            [""; 0],
            "{fine}"
        );
    }
    // A method without an operation is an operation that was lost.
    let lost = with_schemas("Thing: {type: object}").replace("    get:\n", "    put:\n    get:\n");
    assert_eq!(error(&lost), "$.paths[\"/things/{id}\"].put: not a mapping");
}

/// Returns a spec with an object of every kind.
fn openapi() -> Value {
    let schema = json!({
        "type": "object", "externalDocs": { "url": "u" }, "discriminator": { "propertyName": "a" }, "xml": { "name": "x" },
        "default": { "free": null }, "example": { "free": null }, "x-more": { "free": null },
        "properties": {
            "free": { "type": "string" },
            "list": { "type": "array", "items": { "type": "string" } },
            "map": { "type": "object", "additionalProperties": { "type": "string" } },
            "all": { "allOf": [{ "type": "string" }] },
        },
    });
    let example = json!({ "value": { "free": null }, "summary": "s" });
    let header =
        json!({ "description": "d", "schema": { "type": "string" }, "examples": { "e": example } });
    let media = json!({
        "schema": { "$ref": "#/components/schemas/Thing" }, "examples": { "e": example },
        "encoding": { "a": { "contentType": "c", "headers": { "H": header } } },
    });
    let response = json!({
        "description": "ok", "headers": { "H": header }, "content": { "application/json": media },
        "links": { "l": { "operationId": "GetThing", "parameters": { "free": null }, "server": { "url": "u" } } },
    });
    let parameter = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" }, "examples": { "e": example } });
    json!({
        "openapi": "3.0.0",
        "info": { "title": "t", "version": "1", "contact": { "name": "n" }, "license": { "name": "n" } },
        "servers": [{ "url": "u", "variables": { "v": { "default": "d" } } }],
        "tags": [{ "name": "t", "externalDocs": { "url": "u" } }],
        "externalDocs": { "url": "u" },
        "paths": { "/things/{id}": {
            "servers": [{ "url": "u" }],
            "parameters": [parameter],
            "get": {
                "operationId": "GetThing", "externalDocs": { "url": "u" }, "servers": [{ "url": "u" }],
                "responses": { "200": response, "x-more": { "free": null } },
            },
            "post": {
                "operationId": "SendThing", "requestBody": { "content": { "application/json": media } },
                "responses": { "200": { "$ref": "#/components/responses/R" } },
            },
        } },
        "components": {
            "schemas": { "Thing": schema }, "responses": { "R": response }, "parameters": { "P": parameter },
            "requestBodies": { "B": { "content": { "application/json": media } } }, "headers": { "H": header },
            "examples": { "E": example },
            "links": { "L": { "operationRef": "o" } },
            "securitySchemes": { "S": { "type": "oauth2", "flows": { "implicit": { "authorizationUrl": "a", "scopes": { "free": "s" } } } } },
        },
    })
}

fn asyncapi() -> Value {
    let docs = json!({ "url": "u" });
    let message = json!({
        "name": "n", "tags": [{ "name": "t", "externalDocs": docs }], "externalDocs": docs,
        "correlationId": { "location": "l" }, "headers": { "type": "object", "properties": { "h": { "type": "string" } } },
        "examples": [{ "name": "e", "payload": { "free": null } }], "bindings": { "free": null },
        "payload": { "type": "object", "properties": {
            "type": { "type": "string", "const": "a" },
            "msg": { "type": "object", "properties": { "b": { "type": "string" } } },
        } },
    });
    json!({
        "asyncapi": "3.0.0",
        "info": { "title": "t", "version": "1", "contact": { "name": "n" }, "tags": [{ "name": "t" }], "externalDocs": docs },
        "servers": { "s": { "host": "h", "protocol": "wss", "variables": { "v": { "default": "d" } } } },
        "channels": { "c": {
            "address": "a", "messages": { "a": message }, "parameters": { "p": { "description": "d" } },
            "servers": [{ "$ref": "#/servers/s" }],
        } },
        "operations": { "o": {
            "action": "send", "channel": { "$ref": "#/channels/c" }, "messages": [{ "$ref": "#/channels/c/messages/a" }],
            "tags": [{ "name": "t" }],
        } },
        "components": { "messages": { "b": message }, "schemas": { "s": { "type": "object", "properties": { "b": { "type": "string" } } } } },
    })
}

/// Collects the JSON paths of objects whose keys are defined by the specification.
fn objects(node: &Value, path: &str, found: &mut Vec<String>) {
    const NAMES: [&str; 21] = [
        "paths",
        "properties",
        "schemas",
        "responses",
        "parameters",
        "requestBodies",
        "headers",
        "examples",
        "links",
        "securitySchemes",
        "content",
        "encoding",
        "variables",
        "channels",
        "operations",
        "messages",
        "servers",
        "flows",
        "e",
        "E",
        "x-more",
    ];
    const FREE: [&str; 8] = [
        "example",
        "default",
        "value",
        "x-more",
        "scopes",
        "bindings",
        "payload-of-example",
        "free",
    ];
    match node {
        Value::Object(fields) => {
            let key = path.rsplit('/').next().unwrap_or_default();
            let is_list_item = key.parse::<usize>().is_ok() && key.len() < 3;
            if is_list_item || !NAMES.contains(&key) || ["e", "E"].contains(&key) {
                found.push(path.to_owned());
            }
            for (key, value) in fields {
                let is_free = FREE.contains(&key.as_str())
                    && value.is_object()
                    && !path.ends_with("properties");
                let is_link = path.contains("/links/") && key == "parameters";
                let is_sample = path.contains("/examples/") && key == "payload";
                if !is_free && !is_link && !is_sample {
                    objects(value, &format!("{path}/{}", key.replace('/', "~1")), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn stray_keys_of_every_object_are_warnings() {
    for document in [openapi(), asyncapi()] {
        assert_eq!(warnings(&document.to_string()), [""; 0]);
        let mut locations = Vec::new();
        objects(&document, "", &mut locations);
        assert!(locations.len() > 25, "{locations:?}");
        for location in locations {
            let mut stray = document.clone();
            let object = stray
                .pointer_mut(&location)
                .unwrap()
                .as_object_mut()
                .unwrap();
            // The parser ignores keys beside a `$ref`, but a reader does not.
            object.insert("without value".to_owned(), Value::Null);
            object.insert("of many".to_owned(), json!("x"));
            let mut found = warnings(&stray.to_string());
            found.sort();
            let [one, other] = &found[..] else {
                panic!("{location}: {found:?}")
            };
            assert!(one.ends_with("[\"of many\"]"), "{location}: {one}");
            assert!(
                other.ends_with("[\"without value\"]"),
                "{location}: {other}"
            );
        }
    }
}

#[test]
fn names_without_a_value_are_warnings() {
    let mut document = openapi();
    document["components"]["headers"]["none"] = Value::Null;
    document["components"]["examples"]["none"] = Value::Null;
    document["externalDocs"] = Value::Null;
    document["info"]["contact"] = Value::Null;
    assert_eq!(
        warnings(&document.to_string()),
        [
            "$.externalDocs",
            "$.components.examples.none",
            "$.components.headers.none",
            "$.info.contact"
        ]
    );
}
