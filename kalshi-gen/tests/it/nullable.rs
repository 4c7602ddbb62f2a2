//! Fields whose schema is nullable behind a reference are optional.

use crate::generate::{PARAMETERS, RESPONSE, compact_code, spec, with_schemas};

const NAMED: &str = "\
Price: {type: string, nullable: true}
Alias: {$ref: '#/components/schemas/Price'}
Info: {type: object, nullable: true, properties: {a: {type: string}}}
Status: {type: string, enum: [a, null]}
Fill: {type: object, properties: {f: {type: string}}}
Merged: {allOf: [{$ref: '#/components/schemas/Fill'}, {nullable: true}]}
Either: {oneOf: [{$ref: '#/components/schemas/Info'}, {type: integer}]}
Both: {allOf: [{$ref: '#/components/schemas/Fill'}, {$ref: '#/components/schemas/Info'}]}
";

#[test]
fn fields_of_a_nullable_named_schema_are_optional() {
    for (schema, ty) in [
        ("{$ref: '#/components/schemas/Price'}", "Price"),
        ("{$ref: '#/components/schemas/Alias'}", "Alias"),
        ("{$ref: '#/components/schemas/Info'}", "Info"),
        ("{$ref: '#/components/schemas/Status'}", "Status"),
        ("{$ref: '#/components/schemas/Merged'}", "Merged"),
        ("{$ref: '#/components/schemas/Either'}", "Either"),
        (
            "{allOf: [{$ref: '#/components/schemas/Info'}], description: Words.}",
            "Info",
        ),
        (
            "{allOf: [{$ref: '#/components/schemas/Fill'}, {type: object, properties: {g: {type: string}}}, {nullable: true}]}",
            "ThingX",
        ),
    ] {
        let code = compact_code(&with_schemas(&format!(
            "{NAMED}Thing: {{type: object, required: [x], properties: {{x: {schema}}}}}"
        )));
        let field = format!("pubx:::std::option::Option<{ty}>");
        assert!(code.contains(&field), "{schema}: {code}");
    }
    // Null would have to satisfy both parts.
    for name in ["Fill", "Both"] {
        let code = compact_code(&with_schemas(&format!(
            "{NAMED}Thing: {{type: object, required: [x], properties: {{x: {{$ref: '#/components/schemas/{name}'}}}}}}"
        )));
        assert!(code.contains(&format!("pubx:{name},")), "{code}");
    }
}

#[test]
fn nullable_named_schemas_keep_the_scalar_type_of_their_field() {
    let code = compact_code(&with_schemas(&format!(
        "{NAMED}Thing: {{type: object, required: [x_dollars], properties: {{x_dollars: {{$ref: '#/components/schemas/Price'}}}}}}"
    )));
    assert!(
        code.contains("pubx_dollars:::std::option::Option<::kalshi_core::Dollars>"),
        "{code}"
    );
}

#[test]
fn items_and_values_of_a_nullable_named_schema_are_optional() {
    let code = compact_code(&with_schemas(&format!(
        "{NAMED}Thing: {{type: object, properties: {{list: {{type: array, items: {{$ref: '#/components/schemas/Info'}}}}, map: {{type: object, additionalProperties: {{$ref: '#/components/schemas/Info'}}}}}}}}"
    )));
    for expected in [
        "publist:::std::vec::Vec<::std::option::Option<Info>>",
        "pubmap:::std::collections::BTreeMap<::std::string::String,::std::option::Option<Info>>",
    ] {
        assert!(code.contains(expected), "{expected}: {code}");
    }
}

#[test]
fn items_of_parameters_are_never_optional() {
    for (items, ty) in [
        ("{$ref: '#/components/schemas/Status'}", "types::Status"),
        ("{type: string, enum: [c, null]}", "types::GetThingQ"),
        ("{type: string, nullable: true}", "::std::string::String"),
    ] {
        let code = compact_code(&spec(
            &format!(
                "{PARAMETERS}  - {{name: q, in: query, schema: {{type: array, items: {items}}}}}\n{RESPONSE}"
            ),
            &format!("{NAMED}Thing: {{type: object}}"),
        ));
        let field = format!("q:Result<Option<::std::vec::Vec<{ty}>>,String>");
        assert!(code.contains(&field), "{items}: {code}");
    }
}
