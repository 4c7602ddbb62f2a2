//! Valid specs whose constructs have no effect on the types, or the same effect as simpler ones.

use kalshi_gen::{Options, generate};

use crate::generate::{PARAMETERS, RESPONSE, compact_code, error, spec, with_schemas};

const THING: &str = "Thing: {type: object, properties: {a: {type: string}}}";

#[test]
fn annotations_in_a_composition_apply_to_the_schema() {
    let field = |schema: &str| {
        compact_code(&with_schemas(&format!(
            "Thing: {{type: object, required: [x], properties: {{x: {schema}}}}}\nState: {{type: string, enum: [a, b]}}"
        )))
    };
    let state = "{$ref: '#/components/schemas/State'}";
    for (schema, expected) in [
        (
            format!("{{allOf: [{state}, {{description: Words.}}]}}"),
            "#[doc=\"Words.\"]pubx:State,",
        ),
        (
            format!("{{allOf: [{{title: T, default: a}}, {state}], description: Own.}}"),
            "#[doc=\"Own.\"]pubx:State,",
        ),
        (
            format!("{{allOf: [{state}, {{nullable: true, x-note: 1}}]}}"),
            "pubx:::std::option::Option<State>,",
        ),
        (
            format!("{{allOf: [{state}, {{deprecated: true}}]}}"),
            "#[deprecated(note=\"deprecatedbytheexchange\")]pubx:State,",
        ),
        (
            "{allOf: [{type: integer, format: int32}, {description: Words.}]}".to_owned(),
            "#[doc=\"Words.\"]pubx:i32,",
        ),
        // An inline enum is open, also alone in a composition.
        (
            "{allOf: [{type: string, enum: [c]}]}".to_owned(),
            "pubenumThingX{#[doc=\"`c`\"]C,#[doc=r\"Avaluethatwasnotinthespec",
        ),
        (
            "{allOf: [{type: object, required: [a], properties: {a: {type: string}, b: {type: string}}}, {description: W}], required: [b]}".to_owned(),
            "pubstructThingX{#[doc=\"`a`.\"]puba:::std::string::String,#[doc=\"`b`.\"]pubb:::std::string::String",
        ),
    ] {
        let code = field(&schema);
        assert!(code.contains(expected), "{schema}: {code}");
    }
    let code = compact_code(&spec(
        &format!(
            "{PARAMETERS}  - {{name: q, in: query, schema: {{allOf: [{state}, {{description: W}}]}}}}\n{RESPONSE}"
        ),
        &format!("{THING}\nState: {{type: string, enum: [a, b]}}"),
    ));
    assert!(code.contains("types::State"), "{code}");
}

#[test]
fn unions_that_only_require_fields_leave_the_object() {
    let fields = "type: object, required: [c], properties: {a: {type: string}, b: {type: string}, c: {type: string}}";
    let plain = compact_code(&with_schemas(&format!("Thing: {{{fields}}}")));
    for union in [
        "anyOf: [{required: [a]}, {required: [b]}]",
        "oneOf: [{required: [a], title: A, description: Words.}, {type: object, required: [b]}]",
        "allOf: [{anyOf: [{required: [a]}, {required: [b]}]}]",
    ] {
        let code = compact_code(&with_schemas(&format!("Thing: {{{fields}, {union}}}")));
        assert_eq!(code, plain, "{union}");
    }
}

#[test]
fn unions_with_a_discriminator_are_rejected() {
    let schemas = "Thing: {type: object, properties: {x: {KEY: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}], discriminator: {propertyName: kind}}}}\nA: {type: object, properties: {kind: {type: string}}}\nB: {type: object, properties: {kind: {type: string}, b: {type: string}}}";
    for key in ["oneOf", "anyOf"] {
        let error = error(&with_schemas(&schemas.replace("KEY", key)));
        assert!(
            error.starts_with(
                "$.components.schemas.Thing.properties.x.discriminator: is not supported"
            ),
            "{error}"
        );
    }
    // The discriminator of a base type selects no variant here.
    let base = "Thing: {type: object, properties: {kind: {type: string}}, discriminator: {propertyName: kind}}";
    generate(&with_schemas(base), &Options::new()).unwrap();
}

#[test]
fn body_that_is_composed_of_parts_is_sent() {
    let schemas = format!(
        "{THING}\nEmpty: {{type: object}}\nA: {{type: object, properties: {{b: {{type: string}}}}}}\nB: {{type: object, properties: {{c: {{type: integer}}}}}}"
    );
    let has_body = |schema: &str| {
        let body =
            format!("requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}\n");
        let spec = spec(&format!("{PARAMETERS}{body}{RESPONSE}"), &schemas);
        compact_code(&spec.replace("    get:\n", "    post:\n")).contains("pubfnbody")
    };
    let (a, b, empty) = (
        "{$ref: '#/components/schemas/A'}",
        "{$ref: '#/components/schemas/B'}",
        "{$ref: '#/components/schemas/Empty'}",
    );
    for schema in [
        format!("{{type: object, allOf: [{a}, {b}]}}"),
        format!("{{type: object, oneOf: [{a}, {b}]}}"),
        format!("{{type: object, anyOf: [{a}, {b}]}}"),
        format!("{{type: object, properties: {{d: {{type: string}}}}, allOf: [{empty}]}}"),
        format!("{{type: object, allOf: [{empty}, {a}]}}"),
    ] {
        assert!(has_body(&schema), "{schema}");
    }
    for schema in [
        empty.to_owned(),
        format!("{{allOf: [{empty}, {{description: W.}}]}}"),
        "{type: object, additionalProperties: false, allOf: [{description: W.}]}".to_owned(),
        format!("{{type: object, allOf: [{empty}, {empty}]}}"),
    ] {
        assert!(!has_body(&schema), "{schema}");
    }
}

#[test]
fn references_of_components_to_others_are_followed() {
    let chained = format!(
        "{}  responses:\n    A: {{$ref: '#/components/responses/B'}}\n    B: {{$ref: '#/components/responses/C'}}\n    C: {{description: ok, content: {{application/json: {{schema: {{$ref: '#/components/schemas/Thing'}}}}}}}}\n  parameters:\n    P: {{$ref: '#/components/parameters/Q'}}\n    Q: {{name: id, in: path, required: true, schema: {{type: string}}}}\n",
        spec(
            "parameters: [{$ref: '#/components/parameters/P'}]\nresponses: {'200': {$ref: '#/components/responses/A'}}\n",
            THING,
        )
    );
    assert_eq!(compact_code(&chained), compact_code(&with_schemas(THING)));
    let cycle = chained.replace("responses/C'", "responses/A'");
    assert_eq!(
        error(&cycle),
        "$.paths[\"/things/{id}\"].get.responses.200: refers to itself, or the chain of references is too long"
    );
}

#[test]
fn extensions_among_the_paths_are_ignored() {
    let plain = with_schemas(THING);
    for extension in [
        "x-internal-only: true",
        "x-internal: {get: {operationId: GetOther, responses: {'204': {description: ok}}}}",
    ] {
        let extended = plain.replace("paths:\n", &format!("paths:\n  {extension}\n"));
        assert_eq!(compact_code(&extended), compact_code(&plain));
    }
}

#[test]
fn unquoted_version_is_reported_as_such() {
    let spec = with_schemas(THING).replace("version: '1'", "version: 4.0");
    assert_eq!(error(&spec), "$.info.version: must be a string: quote it");
}

#[test]
fn rejections_may_have_any_media_type() {
    let plain = with_schemas(THING);
    let text = "{description: no, content: {text/plain: {schema: {type: string}}}}";
    for status in ["'429'", "5XX", "default"] {
        let more = spec(
            &format!("{PARAMETERS}{RESPONSE}  {status}: {text}\n"),
            THING,
        );
        assert_eq!(compact_code(&more), compact_code(&plain));
    }
    let success = spec(
        &format!("{PARAMETERS}responses: {{'200': {text}}}\n"),
        THING,
    );
    assert!(error(&success).contains("only application/json is supported"));
}
