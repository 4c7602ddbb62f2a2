//! AsyncAPI specs: constructs that cannot be expressed, and messages whose names or bodies are ambiguous.

use kalshi_gen::{Error, Options, generate};
use serde_json::{Value, json};

use crate::generate::compact_code;

fn payload(kind: &str, msg: Value) -> Value {
    json!({ "payload": { "type": "object", "properties": { "type": { "type": "string", "const": kind }, "msg": msg } } })
}

fn object() -> Value {
    json!({ "type": "object", "properties": { "a": { "type": "string" } } })
}

/// Returns a spec with one channel and the given messages from the server.
fn document(messages: Value) -> Value {
    let keys: Vec<_> = messages.as_object().unwrap().keys().cloned().collect();
    let listed: Vec<_> = keys
        .iter()
        .map(|key| json!({ "$ref": format!("#/channels/c/messages/{key}") }))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": { "title": "t", "version": "1" },
        "channels": { "c": { "address": "c", "messages": messages } },
        "operations": { "o": { "action": "send", "channel": { "$ref": "#/channels/c" }, "messages": listed } },
    })
}

fn error(document: &Value) -> String {
    let error: Error =
        generate(&document.to_string(), &Options::new()).expect_err(&document.to_string());
    assert!(error.json_path().is_some(), "{error}");
    error.to_string()
}

#[test]
fn specs_that_would_lose_a_message_are_rejected() {
    let plain = document(json!({ "note": payload("note", object()) }));
    generate(&plain.to_string(), &Options::new()).unwrap();
    for (pointer, key, value, expected) in [
        (
            "/channels/c/messages/note",
            "traits",
            json!([{ "name": "t" }]),
            "$.channels.c.messages.note.traits: is not supported",
        ),
        (
            "/operations/o",
            "traits",
            json!([{ "title": "t" }]),
            "$.operations.o.traits: is not supported",
        ),
        (
            "/operations/o",
            "reply",
            json!({ "channel": { "$ref": "#/channels/c" } }),
            "$.operations.o.reply: is not supported",
        ),
        (
            "/channels/c/messages/note",
            "payload",
            json!({ "schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": { "type": "record" } }),
            "$.channels.c.messages.note.payload.schemaFormat: is not supported",
        ),
        (
            "/channels/c/messages/note",
            "payload",
            json!({ "schema": { "type": "object" } }),
            "$.channels.c.messages.note.payload.schema: is not supported",
        ),
        (
            "",
            "components",
            json!({ "schemas": { "s": { "schemaFormat": "f", "schema": {} } } }),
            "$.components.schemas.s.schemaFormat: is not supported",
        ),
        (
            "",
            "components",
            json!({ "messages": { "other": { "traits": [{}], "payload": {} } } }),
            "$.components.messages.other.traits: is not supported",
        ),
    ] {
        let mut document = plain.clone();
        document.pointer_mut(pointer).unwrap()[key] = value;
        let error = error(&document);
        assert!(
            error.starts_with(expected),
            "expected {expected}\nfound {error}"
        );
    }
    let mut empty = plain.clone();
    empty["operations"]["o"]["traits"] = json!([]);
    generate(&empty.to_string(), &Options::new()).unwrap();
}

#[test]
fn indistinguishable_message_is_a_warning() {
    let untyped = json!({ "payload": { "type": "object", "properties": { "type": { "type": "string" }, "msg": object() } } });
    let ping = json!({ "payload": { "type": "string", "const": "ping" } });
    let document =
        document(json!({ "note": payload("note", object()), "other": untyped, "ping": ping }));
    let warnings = generate(&document.to_string(), &Options::new())
        .unwrap()
        .warnings;
    let paths: Vec<_> = warnings.iter().map(|warning| &*warning.path).collect();
    assert_eq!(paths, ["$.operations.o.messages[1]"]);
}

/// Returns the generated code without spaces, and the warnings.
fn generated(document: &Value) -> (String, Vec<String>) {
    let generated = generate(&document.to_string(), &Options::new()).unwrap();
    let code = generated.rust.split_whitespace().collect();
    let warnings = generated.warnings.iter().map(ToString::to_string);
    (code, warnings.collect())
}

fn with_schemas(messages: Value, schemas: Value) -> Value {
    let mut document = document(messages);
    document["components"] = json!({ "schemas": schemas });
    document
}

fn timed() -> Value {
    json!({ "type": "object", "required": ["ts_ms"], "properties": { "ts_ms": { "type": "integer", "description": "Unix time in milliseconds." } } })
}

#[test]
fn enum_of_one_value_identifies_a_message() {
    let payload = |values: Value| json!({ "payload": { "type": "object", "properties": { "type": { "type": "string", "enum": values }, "msg": object() } } });
    let (code, warnings) = generated(&document(json!({ "tick": payload(json!(["tick"])) })));
    assert!(
        code.contains("Tick(Tick)") && code.contains(r#""tick"=>"#),
        "{code}"
    );
    assert_eq!(warnings, [""; 0]);
    let kind = json!({ "kind": { "type": "string", "enum": ["tick"] } });
    let mut by_reference = payload(json!([]));
    by_reference["payload"]["properties"]["type"] = json!({ "$ref": "#/components/schemas/kind" });
    let (code, _) = generated(&with_schemas(json!({ "tick": by_reference }), kind));
    assert!(code.contains("Tick(Tick)"), "{code}");
    let several = document(
        json!({ "note": self::payload("note", object()), "tick": payload(json!(["tick", "tock"])) }),
    );
    let (code, warnings) = generated(&several);
    assert!(!code.contains("Tick"), "{code}");
    assert_eq!(
        warnings,
        [
            "$.operations.o.messages[1]: ignored: the payload has no property `type` with a `const` or a single `enum` value, which identifies the message"
        ]
    );
}

#[test]
fn composed_payload_is_one_object() {
    let schemas = json!({ "envelope": { "type": "object", "properties": { "type": { "type": "string" }, "sid": { "type": "integer" } } } });
    let composed = json!({ "allOf": [
        { "$ref": "#/components/schemas/envelope" },
        { "type": "object", "properties": { "type": { "const": "tick" }, "msg": { "allOf": [timed(), object()] } } },
    ] });
    let inline = with_schemas(json!({ "tick": { "payload": composed } }), schemas.clone());
    let mut named = inline.clone();
    named["components"]["schemas"]["tickPayload"] = composed;
    named["channels"]["c"]["messages"]["tick"]["payload"] =
        json!({ "$ref": "#/components/schemas/tickPayload" });
    let mut shared = named.clone();
    shared["components"]["messages"]["tick"] = shared["channels"]["c"]["messages"]["tick"].take();
    shared["channels"]["c"]["messages"]["tick"] = json!({ "$ref": "#/components/messages/tick" });
    for document in [inline, named, shared] {
        let (code, warnings) = generated(&document);
        assert!(
            code.contains("Self::Tick(message)=>::std::convert::Into::into(message.ts_ms)"),
            "{code}"
        );
        assert!(code.contains("puba:"), "{code}");
        assert_eq!(warnings, [""; 0]);
    }
}

#[test]
fn envelope_does_not_replace_the_fields_of_a_message() {
    let envelope = json!({ "envelope": { "type": "object", "properties": {
        "type": { "type": "string" }, "msg": { "type": "object", "description": "Any." },
    } } });
    let mut parts = [
        json!({ "$ref": "#/components/schemas/envelope" }),
        json!({ "type": "object", "properties": {
            "type": { "type": "string", "const": "tick" }, "msg": timed(),
        } }),
    ];
    for _ in 0..2 {
        parts.reverse();
        let tick = json!({ "tick": { "payload": { "allOf": parts } } });
        let (code, warnings) = generated(&with_schemas(tick, envelope.clone()));
        assert!(
            code.contains("pubstructTick{") && code.contains("pubts_ms:i64"),
            "{code}"
        );
        assert_eq!(warnings, [""; 0]);
    }
}

#[test]
fn named_body_is_the_type_of_the_message() {
    for name in ["tickMsg", "tick"] {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let document = |msg: Value| {
            with_schemas(
                json!({ "tick": payload("tick", msg) }),
                json!({ name: timed() }),
            )
        };
        let (code, _) = generated(&document(reference.clone()));
        assert!(code.contains("pubstructTick{"), "{code}");
        assert!(!code.contains("TickMsg"), "{code}");
        assert!(
            code.contains("Self::Tick(message)=>::std::convert::Into::into(message.ts_ms)"),
            "{code}"
        );
        let (code, _) = generated(&document(
            json!({ "type": "array", "items": reference.clone() }),
        ));
        assert!(
            code.contains("pubstructTick{") && code.contains("Tick(::std::vec::Vec<Tick>)"),
            "{code}"
        );
        let (code, _) = generated(&document(
            json!({ "description": "One tick.", "allOf": [reference] }),
        ));
        assert!(
            code.contains("pubstructTick{") && code.contains("Onetick."),
            "{code}"
        );
    }
}

#[test]
fn named_parameters_of_a_command_are_its_type() {
    let note = json!({ "note": payload("note", object()) });
    let params = json!({ "joinBody": { "type": "object", "description": "Named.", "properties": { "a": { "type": "string" } } } });
    let mut document = with_schemas(note, params);
    let reference = json!({ "$ref": "#/components/schemas/joinBody" });
    for (params, doc) in [
        (reference.clone(), "Named."),
        (
            json!({ "allOf": [reference], "description": "Own." }),
            "Own.",
        ),
    ] {
        document["channels"]["c"]["messages"]["join"] =
            json!({ "payload": { "type": "object", "properties": { "params": params } } });
        document["operations"]["p"] = json!({ "action": "receive", "channel": { "$ref": "#/channels/c" }, "messages": [
            { "$ref": "#/channels/c/messages/join" },
        ] });
        let (code, _) = generated(&document);
        assert!(
            code.contains("pubstructJoinParams{#[doc=\"`a`.\"]"),
            "{code}"
        );
        assert!(code.contains(doc) && !code.contains("JoinBody"), "{code}");
    }
}

#[test]
fn parts_of_a_payload_must_be_objects() {
    let parts = json!({ "allOf": [object(), { "$ref": "#/components/schemas/text" }] });
    let text = json!({ "text": { "type": ["string", "null"] } });
    let document = |msg: &Value| {
        with_schemas(
            json!({ "note": payload("note", msg.clone()) }),
            text.clone(),
        )
    };
    assert_eq!(
        error(&document(&parts)),
        "$.channels.c.messages.note.payload.properties.msg.allOf[1]: is not an object: only objects can be combined; write this as one schema"
    );
    // Annotations, and a reference to an object that may be null.
    let nullable = json!({ "text": { "oneOf": [object(), { "type": "null" }] } });
    let document =
        |msg: Value| with_schemas(json!({ "note": payload("note", msg) }), nullable.clone());
    generated(&document(parts));
    let kind = json!({ "type": "object", "properties": { "k": { "allOf": [{ "type": "string", "enum": ["a"] }, { "description": "K." }] } } });
    generated(&document(kind));
}

#[test]
fn spec_whose_messages_cannot_be_identified_says_so() {
    let untyped = json!({ "payload": { "type": "object", "properties": { "msg": object() } } });
    assert_eq!(
        error(&document(json!({ "tick": untyped }))),
        "$.operations.o.messages[0]: no message from the server can be decoded: the payload has no property `type` with a `const` or a single `enum` value, which identifies the message"
    );
    let mut received = document(json!({ "note": payload("note", object()) }));
    received["operations"]["o"]["action"] = json!("receive");
    let error = generate(&received.to_string(), &Options::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no JSON messages from the server"),
        "{error}"
    );
}

#[test]
fn alternatives_that_are_null_are_nullable() {
    for key in ["anyOf", "oneOf"] {
        let msg = |field: Value| json!({ "type": "object", "required": ["a"], "properties": { "a": field } });
        let reference = json!({ "$ref": "#/components/schemas/grid" });
        let grid = json!({ "grid": { "type": "object", "properties": { "step": { "type": "integer" } } } });
        for (alternatives, expected) in [
            (
                json!([reference, { "type": "null" }]),
                "puba:::std::option::Option<Grid>",
            ),
            (
                json!([{ "type": "null" }, { "type": "boolean" }]),
                "puba:::std::option::Option<bool>",
            ),
        ] {
            let body = msg(json!({ key: alternatives, "description": "Which." }));
            let (code, _) = generated(&with_schemas(
                json!({ "note": payload("note", body) }),
                grid.clone(),
            ));
            assert!(code.contains(expected), "{code}");
        }
        let body =
            msg(json!({ key: [{ "type": "null" }, { "type": "boolean" }, { "type": "integer" }] }));
        generated(&document(json!({ "note": payload("note", body) })));
    }
}

#[test]
fn extension_fields_are_no_channels_and_no_operations() {
    let plain = document(json!({ "note": payload("note", object()) }));
    for value in [json!("text"), json!({ "messages": [] })] {
        let mut document = plain.clone();
        document["channels"]["x-meta"] = value.clone();
        document["operations"]["x-meta"] = value;
        let extended = generate(&document.to_string(), &Options::new()).unwrap();
        let plain = generate(&plain.to_string(), &Options::new()).unwrap();
        assert_eq!(extended.rust, plain.rust);
        assert_eq!(extended.operations, plain.operations);
    }
}

#[test]
fn messages_with_reserved_names_are_rejected() {
    for name in [
        "1",
        "self",
        "Self",
        "a b",
        "é",
        "",
        "Message",
        "message",
        "unknown",
        "Malformed",
        "dollars_text",
        "Ok",
    ] {
        let document = document(json!({ name: payload("note", object()) }));
        let error = error(&document);
        assert!(
            error.starts_with("$.channels.c.messages"),
            "{name}: {error}"
        );
    }
}

#[test]
fn messages_and_schemas_with_the_same_name_are_rejected() {
    // Two messages with the same name in Rust.
    let replies = document(
        json!({ "fooResponse": payload("a", object()), "fooReply": payload("b", object()) }),
    );
    assert_eq!(
        error(&replies),
        "$.operations.o.messages[1]: has the same name in Rust, `FooReply`, as $.operations.o.messages[0]"
    );
    let bodies = document(
        json!({ "fooResponse": payload("a", object()), "fooReply": payload("a", json!({ "type": "object" })) }),
    );
    assert!(error(&bodies).contains("has the same name in Rust, `FooReply`"));
    // The same message listed twice is a single message.
    let same = document(
        json!({ "fooResponse": payload("a", object()), "fooReply": payload("a", object()) }),
    );
    assert_eq!(
        compact_code(&same.to_string())
            .matches("pubstructFooReply{")
            .count(),
        1
    );

    let with = |schema: &str, value: Value| {
        let msg = json!({ "type": "object", "properties": {
            "other": { "$ref": format!("#/components/schemas/{schema}") },
            "side": { "type": "string", "enum": ["yes", "no"] },
        } });
        let mut document = document(json!({ "note": payload("note", msg) }));
        document["components"] = json!({ "schemas": { schema: value } });
        document
    };
    for name in ["note", "Note"] {
        let error = error(&with(name, object()));
        assert!(
            error.starts_with(&format!(
                "$.components.schemas.{name}: has the same name in Rust, `Note`"
            )),
            "{error}"
        );
        // A plain string has no type of its own.
        generate(
            &with(name, json!({ "type": "string" })).to_string(),
            &Options::new(),
        )
        .unwrap();
    }
    for name in ["message", "Unknown", "Malformed"] {
        let error = error(&with(name, object()));
        assert!(
            error.contains("is reserved in the generated code"),
            "{error}"
        );
    }
    let (code, _) = generated(&with("note_side", object()));
    assert!(
        code.contains("pubside:::std::option::Option<NoteSideValue>"),
        "{code}"
    );
    // Commands whose parameters have the same name.
    let command = |params: Value| json!({ "payload": { "type": "object", "properties": { "params": params } } });
    let mut commands = document(json!({ "note": payload("note", object()) }));
    commands["channels"]["c"]["messages"]["join"] = command(object());
    commands["channels"]["c"]["messages"]["joinCommand"] = command(json!({ "type": "object" }));
    commands["operations"]["p"] = json!({ "action": "receive", "channel": { "$ref": "#/channels/c" }, "messages": [
        { "$ref": "#/channels/c/messages/join" }, { "$ref": "#/channels/c/messages/joinCommand" },
    ] });
    assert!(
        error(&commands)
            .starts_with("$.operations.p.messages[1]: has the same name in Rust, `JoinParams`")
    );
}

#[test]
fn bodies_without_a_type_are_rejected() {
    let list = json!({ "type": "array", "items": { "type": "array", "items": object() } });
    let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    for body in [list, map] {
        let document = document(json!({ "note": payload("note", body) }));
        assert_eq!(
            error(&document),
            "$.operations.o.messages[0]: the `msg` of this message must be an object or a list of objects"
        );
    }
}

#[test]
fn timestamps_of_any_integer_format_are_signed_milliseconds() {
    let code = compact_code(include_str!("../specs/shared_types.yaml"));
    assert!(
        code.contains("Self::Signed(message)=>::std::convert::Into::into(message.ts_ms)"),
        "{code}"
    );
    for (name, ty) in [("Unsigned", "u64"), ("Optional", "u64"), ("Short", "i32")] {
        assert!(
            code.contains(&format!(
                "Self::{name}(message)=>{{letts_ms:::std::option::Option<{ty}>="
            )),
            "{name}"
        );
    }
    // Of the messages of one type, only those with a body are decoded.
    assert_eq!(
        code.matches("\"ok\"=>::std::option::Option::Some(Message::Done)")
            .count(),
        1
    );
    assert!(!code.contains("Some(Message::Over)"));
}
