//! Errors in a spec that later stages would report without a location.

use crate::generate::{PARAMETERS, RESPONSE, compact_code, error, spec, with_schemas};
use kalshi_gen::{Options, generate};

const THING: &str = "Thing: {type: object, properties: {a: {type: string}}}";

#[test]
fn every_error_has_a_json_path() {
    let plain = with_schemas(THING);
    for (spec, expected) in [
        (
            format!("security: [{{b: null}}]\n{plain}"),
            "$.security: must be a list of security requirements",
        ),
        (
            format!("security: b\n{plain}"),
            "$.security: must be a list of security requirements",
        ),
        (
            plain.replace("version: '1'", "version: '1', description: {a: b}"),
            "$.info.description: must be a string",
        ),
        (
            spec(
                &format!(
                    "{PARAMETERS}  - {{name: q, in: query, examples: {{a: null}}, schema: {{type: string}}}}\n{RESPONSE}"
                ),
                THING,
            ),
            "$.paths[\"/things/{id}\"].get.parameters[1].examples.a: not a mapping",
        ),
        (
            spec(
                &format!(
                    "{PARAMETERS}  - {{name: q, in: query, examples: [a], schema: {{type: string}}}}\n{RESPONSE}"
                ),
                THING,
            ),
            "$.paths[\"/things/{id}\"].get.parameters[1].examples: not a mapping",
        ),
        (
            spec(
                &format!(
                    "{PARAMETERS}  - {{name: q, in: query, style: 5, schema: {{type: string}}}}\n{RESPONSE}"
                ),
                THING,
            ),
            "$.paths[\"/things/{id}\"].get.parameters[1].style: must be a string",
        ),
        (
            with_schemas(&format!(
                "{THING}\nOther: {{$ref: '#/components/schemas/Thing/properties/a'}}"
            )),
            "$.components.schemas.Other: \"#/components/schemas/Thing/properties/a\" does not refer to a schema of this document",
        ),
        (
            plain.replace("schemas/Thing'", "schemas/Thing/properties/a'"),
            "$.paths[\"/things/{id}\"].get.responses.200.content[\"application/json\"].schema: \"#/components/schemas/Thing/properties/a\" does not refer to",
        ),
        (
            plain.replace("/things/{id}:", "/things/{id}}:"),
            "$.paths[\"/things/{id}}\"].get: the path has an unmatched `}`",
        ),
        (
            plain.replace("/things/{id}:", "/thi}ngs/{id}:"),
            "$.paths[\"/thi}ngs/{id}\"].get: the path has an unmatched `}`",
        ),
        (
            spec(&format!("{PARAMETERS}x-rate-bucket: 5\n{RESPONSE}"), THING),
            "$.paths[\"/things/{id}\"].get.x-rate-bucket: `5` is not one of read, write and balance",
        ),
    ] {
        let error = error(&spec);
        assert!(
            error.starts_with(expected),
            "expected {expected}\nfound {error}"
        );
    }
}

/// Checks that the schemas are rejected with this error.
fn check_rejected(schemas: &str, expected: &str) {
    assert_eq!(error(&with_schemas(schemas)), expected, "{schemas}");
}

#[test]
fn schemas_that_contain_themselves_are_rejected() {
    const CAUSE: &str = "refers to itself, so that a value would contain itself: remove the reference or put it in a field";
    let a = "Thing: {$ref: '#/components/schemas/A'}";
    for (schemas, name) in [
        (
            "A: {oneOf: [{$ref: '#/components/schemas/B'}, {type: string}]}\nB: {$ref: '#/components/schemas/A'}",
            "A",
        ),
        (
            "A: {oneOf: [{$ref: '#/components/schemas/A'}, {type: string}]}",
            "A",
        ),
        (
            "A: {anyOf: [{type: string}, {allOf: [{$ref: '#/components/schemas/A'}]}]}",
            "A",
        ),
        (
            "A: {type: object}\nC: {allOf: [{allOf: [{$ref: '#/components/schemas/C'}]}]}",
            "C",
        ),
    ] {
        let expected = format!("$.components.schemas.{name}: {CAUSE}");
        check_rejected(&format!("{a}\n{schemas}"), &expected);
    }
    for schemas in [
        "Thing: {type: object, properties: {next: {$ref: '#/components/schemas/Thing'}}}",
        "Thing: {oneOf: [{type: string}, {type: array, items: {$ref: '#/components/schemas/Thing'}}]}",
    ] {
        generate(&with_schemas(schemas), &Options::new()).unwrap();
    }
}

#[test]
fn values_of_a_string_enum_must_be_strings() {
    for (field, index) in [
        ("{type: string, enum: [open, closed, 404]}", 2),
        ("{enum: [true, open]}", 0),
        ("{type: string, nullable: true, enum: [null, 1.5]}", 1),
    ] {
        check_rejected(
            &format!("Thing: {{type: object, properties: {{a: {field}}}}}"),
            &format!(
                "$.components.schemas.Thing.properties.a.enum[{index}]: must be a string: quote it"
            ),
        );
    }
    for (field, ty) in [
        ("{type: string, enum: [a, null]}", "ThingA"),
        ("{type: string, enum: [a, !!str 404]}", "ThingA"),
        ("{type: integer, enum: [1, 2, null]}", "i64"),
        ("{enum: [1, 2], type: number}", "::kalshi_core::Decimal"),
    ] {
        let code = compact_code(&with_schemas(&format!(
            "Thing: {{type: object, properties: {{a: {field}}}}}"
        )));
        let field = format!("puba:::std::option::Option<{ty}>");
        assert!(code.contains(&field), "{field}: {code}");
    }
}

#[test]
fn parts_of_an_object_must_be_objects() {
    const CAUSE: &str = "is not an object: only objects can be combined; write this as one schema";
    let object = "{type: object, properties: {b: {type: string}}}";
    let named = format!(
        "{THING}\nText: {{type: string}}\nEither: {{oneOf: [{object}, {{type: string}}]}}\nAlias: {{allOf: [{{$ref: '#/components/schemas/Text'}}]}}"
    );
    for part in [
        "{$ref: '#/components/schemas/Text'}",
        "{$ref: '#/components/schemas/Either'}",
        "{$ref: '#/components/schemas/Alias'}",
        "{type: array, items: {type: string}}",
        "{enum: [a]}",
    ] {
        let all_of = format!("{{allOf: [{object}, {{description: W.}}, {part}]}}");
        let expected = |path: &str| format!("$.{path}.allOf[2]: {CAUSE}");
        check_rejected(
            &format!("{named}\nMore: {all_of}"),
            &expected("components.schemas.More"),
        );
        check_rejected(
            &format!("{named}\nMore: {{type: object, properties: {{f: {all_of}}}}}"),
            &expected("components.schemas.More.properties.f"),
        );
        let body =
            format!("requestBody: {{content: {{application/json: {{schema: {all_of}}}}}}}\n");
        assert_eq!(
            error(&spec(&format!("{PARAMETERS}{body}{RESPONSE}"), &named)),
            expected(
                "paths[\"/things/{id}\"].get.requestBody.content[\"application/json\"].schema"
            )
        );
    }
    check_rejected(
        &format!(
            "{named}\nMore: {{properties: {{f: {{type: string}}}}, allOf: [{{type: string}}]}}"
        ),
        &format!("$.components.schemas.More.allOf[0]: {CAUSE}"),
    );
}

#[test]
fn only_one_kind_of_union_is_supported() {
    check_rejected(
        "Thing: {type: object, properties: {a: {oneOf: [{type: string}, {type: integer}], anyOf: [{type: string}, {type: boolean}]}}}",
        "$.components.schemas.Thing.properties.a.anyOf: is not supported beside `oneOf`: use one of the two",
    );
    // Alternatives that only require fields make no type.
    let fields = "type: object, properties: {a: {type: string}}, anyOf: [{required: [a]}]";
    let schemas = format!("Thing: {{{fields}, oneOf: [{{required: [a]}}]}}");
    generate(&with_schemas(&schemas), &Options::new()).unwrap();
}

#[test]
fn map_that_is_an_object_with_fields_is_a_warning() {
    let warnings = |thing: &str| {
        let generated = generate(&with_schemas(thing), &Options::new()).unwrap();
        let warnings = generated.warnings.iter().map(ToString::to_string);
        warnings.collect::<Vec<_>>()
    };
    const WARNING: &str =
        "additionalProperties: ignored: an object with fields cannot also be a map";
    let fields = "type: object, properties: {a: {type: string}}";
    let values = "additionalProperties: {type: string}";
    for (thing, path) in [
        (format!("{{{fields}, {values}}}"), ""),
        (
            format!("{{allOf: [{{{fields}}}, {{type: object, {values}}}]}}"),
            "allOf[1].",
        ),
        (format!("{{allOf: [{{{fields}, {values}}}]}}"), "allOf[0]."),
        (format!("{{{fields}, allOf: [{{{fields}}}], {values}}}"), ""),
    ] {
        assert_eq!(
            warnings(&format!("Thing: {thing}")),
            [format!("$.components.schemas.Thing.{path}{WARNING}")],
            "{thing}"
        );
    }
    for thing in [
        format!("{{{fields}, additionalProperties: true}}"),
        format!("{{{fields}, additionalProperties: false}}"),
        format!("{{{fields}, additionalProperties: {{}}}}"),
        format!("{{type: object, {values}}}"),
        format!("{{type: object, properties: {{additionalProperties: {{{fields}}}}}}}"),
    ] {
        assert_eq!(warnings(&format!("Thing: {thing}")), [""; 0], "{thing}");
    }
}

#[test]
fn descriptive_fields_of_a_parameter_are_not_validated() {
    let parameters = "  - {name: q, in: query, example: null, deprecated: x, allowReserved: 1, examples: {a: {value: null, summary: Nothing}}, schema: {type: string}}\n";
    let spec = spec(&format!("{PARAMETERS}{parameters}{RESPONSE}"), THING);
    assert_eq!(generate(&spec, &Options::new()).unwrap().warnings, []);
}

#[test]
fn messages_contain_no_terminal_control_characters() {
    let texts = [
        "\u{1b}[31m",
        "\u{202e}",
        "a\n::error::b",
        "\u{200b}",
        "\u{ad}",
    ];
    for text in texts {
        let value = serde_json::to_string(text).unwrap();
        let version = with_schemas(THING).replace("openapi: 3.0.0", &format!("openapi: {value}"));
        let bucket = spec(
            &format!("{PARAMETERS}x-rate-bucket: {value}\n{RESPONSE}"),
            THING,
        );
        let reference = with_schemas(&format!("Thing: {{$ref: {value}}}"));
        for spec in [version, bucket, reference] {
            let error = error(&spec);
            assert_eq!(
                error.chars().find(|c| c.is_control() || !c.is_ascii()),
                None,
                "{error:?}"
            );
        }
    }
}
