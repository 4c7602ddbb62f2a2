//! Errors in a spec that later stages would report without a location.

use crate::generate::{PARAMETERS, RESPONSE, error, spec, with_schemas};
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
