//! Generation from small specs: the emitted code, and rejected specs with their error messages.

use kalshi_gen::{FixupMode, Options, generate};

/// Returns a spec with one operation, given fields of the operation and schemas.
pub(crate) fn spec(operation: &str, schemas: &str) -> String {
    let indented = |text: &str, by: usize| {
        let lines = text
            .lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)));
        lines.collect::<String>()
    };
    format!(
        "openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\npaths:\n  /things/{{id}}:\n    get:\n      operationId: GetThing\n{}components:\n  schemas:\n{}",
        indented(operation, 6),
        indented(schemas, 4),
    )
}

pub(crate) const PARAMETERS: &str =
    "parameters:\n  - {name: id, in: path, required: true, schema: {type: string}}\n";
pub(crate) const RESPONSE: &str = "responses:\n  '200':\n    description: ok\n    content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}\n";

pub(crate) fn with_schemas(schemas: &str) -> String {
    spec(&format!("{PARAMETERS}{RESPONSE}"), schemas)
}

/// Returns the code generated for the schemas, without white space.
fn code(schemas: &str) -> String {
    compact_code(&with_schemas(schemas))
}

pub(crate) fn compact_code(spec: &str) -> String {
    let code = generate(spec, &Options::new())
        .unwrap_or_else(|error| panic!("{error}\n{spec}"))
        .rust;
    code.split_whitespace().collect()
}

fn strict() -> Options {
    Options::new().fixups(FixupMode::Strict)
}

pub(crate) fn error(spec: &str) -> String {
    generate(spec, &Options::new()).expect_err(spec).to_string()
}

#[test]
fn generation_is_deterministic() {
    let spec = include_str!("../../../openapi.yaml");
    let once = generate(spec, &strict()).unwrap().rust;
    assert_eq!(once, generate(spec, &strict()).unwrap().rust);
    assert!(once.len() > 100_000);
}

#[test]
fn money_is_detected_by_name_everywhere() {
    let code = code(
        "Thing:\n  type: object\n  required: [a_dollars, c_fp, e_dollars]\n  properties:\n    a_dollars: {type: string}\n    b_dollars: {type: string, nullable: true}\n    c_fp: {type: string}\n    d_dollars: {type: array, items: {type: string}}\n    e_dollars: {type: object, additionalProperties: {type: string}}\n    f_dollars: {type: integer}\n    dollars: {type: string}\n    g_dollars: {type: array, items: {type: array, items: {type: string}}}",
    );
    for expected in [
        "puba_dollars:::kalshi_core::Dollars",
        "pubb_dollars:::std::option::Option<::kalshi_core::Dollars>",
        "pubc_fp:::kalshi_core::Contracts",
        "pubd_dollars:::std::vec::Vec<::kalshi_core::Dollars>",
        "pube_dollars:::std::collections::BTreeMap<::std::string::String,::kalshi_core::Dollars>",
        "pubf_dollars:::std::option::Option<i64>",
        "pubdollars:::std::option::Option<::std::string::String>",
        "pubg_dollars:::std::vec::Vec<::std::vec::Vec<::std::string::String>>",
    ] {
        assert!(code.contains(expected), "{expected}");
    }
}

#[test]
fn uuids_are_ids_everywhere() {
    let code = code(
        "Key: {type: string, format: uuid}\nThing:\n  type: object\n  required: [a]\n  properties:\n    a: {type: string, format: uuid}\n    b: {$ref: '#/components/schemas/Key'}\n    c: {type: array, items: {type: string, format: uuid}}\n    d: {type: string, format: uuid, enum: [x]}\n    e: {type: integer, format: uuid}\n    a_dollars: {type: string, format: uuid}",
    );
    for expected in [
        "puba:::kalshi_core::Id",
        "pubb:::std::option::Option<::kalshi_core::Id>",
        "pubc:::std::vec::Vec<::kalshi_core::Id>",
        "pubd:::std::option::Option<ThingD>",
        "pube:::std::option::Option<i64>",
        "puba_dollars:::std::option::Option<::kalshi_core::Dollars>",
    ] {
        assert!(code.contains(expected), "{expected}");
    }
}

#[test]
fn inline_enums_have_stable_names() {
    let code = code(
        "Thing:\n  type: object\n  required: [status, thing_kind, time_in_force, side]\n  properties:\n    status: {type: string, enum: [a, b]}\n    thing_kind: {type: string, enum: [c, d]}\n    time_in_force: {type: string, enum: [e, f]}\n    side: {type: string, enum: [yes, no]}\n    others: {type: array, items: {type: string, enum: [g, '']}}\n    deep: {type: object, properties: {status: {type: string, enum: [h]}}}\n    other: {$ref: '#/components/schemas/Other'}\nOther:\n  type: object\n  properties:\n    time_in_force: {type: string, enum: [e, f]}\nOutcomeSide: {type: string, enum: ['yes', 'no']}",
    );
    for expected in [
        "pubstatus:ThingStatus",
        "pubthing_kind:ThingKind",
        "pubtime_in_force:TimeInForce",
        "pubside:OutcomeSide",
        "pubothers:::std::vec::Vec<ThingOthers>",
        "pubdeep:::std::option::Option<ThingDeep>",
        "pubstatus:::std::option::Option<ThingDeepStatus>",
        "pubenumTimeInForce{#[doc=\"`e`\"]E,#[doc=\"`f`\"]F,",
        "Unknown(::std::string::String)",
        "pubenumThingOthers{#[doc=\"`g`\"]G,#[doc=\"Theemptystring.\"]Empty,",
    ] {
        assert!(code.contains(expected), "{expected}");
    }
    assert_eq!(code.matches("pubenumTimeInForce").count(), 1);
}

#[test]
fn bounds_defaults_and_formats_do_not_make_types() {
    let code = code(
        "Thing:\n  type: object\n  required: [a, b, c, d]\n  properties:\n    a: {type: integer, minimum: 1}\n    b: {type: string, maxLength: 3, pattern: '^a$'}\n    c: {type: string, format: uri}\n    d: {type: integer, format: int32, minimum: 0, maximum: 9}\n    e: {type: integer, default: 7}\n    f: {type: array, minItems: 1, maxItems: 1, items: {type: integer}, uniqueItems: true}",
    );
    for expected in [
        "puba:i64",
        "pubb:::std::string::String",
        "pubc:::std::string::String",
        "pubd:i32",
        "pube:::std::option::Option<i64>",
        "pubf:::std::vec::Vec<i64>",
    ] {
        assert!(code.contains(expected), "{expected}");
    }
}

#[test]
fn compositions_become_plain_objects() {
    let code = code(
        "Thing:\n  allOf:\n    - {$ref: '#/components/schemas/Base'}\n    - {type: object, required: [b], properties: {b: {type: boolean}}}\nBase: {type: object, required: [a], properties: {a: {type: integer}}}",
    );
    assert!(
        code.contains("pubstructThing{#[doc=\"`a`.\"]puba:i64,#[doc=\"`b`.\"]pubb:bool"),
        "{code}"
    );
}

#[test]
fn field_of_several_parts_has_the_fields_of_all() {
    let part = |fields: &str| format!("{{type: object, properties: {{x: {fields}}}}}");
    let field = |parts: [&str; 2]| {
        let parts = parts.map(part).join(", ");
        code(&format!("Thing: {{allOf: [{parts}]}}"))
    };
    let (a, b) = (
        "{type: object, properties: {a: {type: string}}}",
        "{type: object, properties: {b: {type: integer}}}",
    );
    let both = field([a, b]);
    assert!(both.contains("puba:") && both.contains("pubb:"), "{both}");
    for parts in [[a, "{type: object}"], ["{type: object}", a]] {
        assert!(field(parts).contains("pubstructThingX{"), "{parts:?}");
    }
    // The later part states the type.
    let later = field(["{type: string}", "{type: integer}"]);
    assert!(later.contains("pubx:::std::option::Option<i64>"), "{later}");
}

#[test]
fn cursors_are_required_strings() {
    let spec = spec(
        "parameters:\n  - {name: id, in: path, required: true, schema: {type: string}}\n  - {name: cursor, in: query, schema: {type: string}}\n  - {name: ids, in: query, explode: false, schema: {type: array, items: {type: string}}}\nresponses:\n  '200':\n    description: ok\n    content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}",
        "Thing: {type: object, properties: {next_cursor: {type: string, nullable: true}, rows: {type: array, nullable: true, items: {type: string}}}}",
    );
    let code = compact_code(&spec);
    assert!(code.contains("#[serde(default,deserialize_with=\"::kalshi_core::rt::null_is_empty\")]pubnext_cursor:::std::string::String"));
    assert!(code.contains("#[serde(default,deserialize_with=\"::kalshi_core::rt::null_is_empty\")]pubrows:::std::vec::Vec<::std::string::String>"));
    assert!(
        code.contains("Paging::new(\"cursor\",\"next_cursor\",::std::option::Option::None,::std::option::Option::Some(\"rows\"))")
    );
    assert!(code.contains(
        "::kalshi_core::rt::comma_separated(operations::GET_THING,__request,\"ids\",ids.as_ref())?"
    ));
}

#[test]
fn methods_link_to_the_preferred_alternative() {
    let spec = with_schemas("Thing: {type: object}");
    let options = Options::new().prefer("GetThing", "[`things().get`](crate::Things::get)");
    let code = generate(&spec, &options).unwrap().rust;
    assert!(code.contains("Prefer [`things().get`](crate::Things::get)."));
    assert!(
        !generate(&spec, &Options::new())
            .unwrap()
            .rust
            .contains("Prefer")
    );
    let error = generate(&spec, &Options::new().prefer("GetOther", "it")).unwrap_err();
    assert!(
        error.to_string().contains("`GetOther` is not in the spec"),
        "{error}"
    );
}

#[test]
fn deprecated_elements_have_the_attribute() {
    let spec = spec(
        "deprecated: true\ndescription: 'Deprecated: use `GetOther`, which is better.'\nparameters:\n  - {name: id, in: path, required: true, schema: {type: string}}\n  - {name: old, in: query, deprecated: true, schema: {type: string}, description: 'Read `new` instead.'}\nrequestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Sent'}}}}\nresponses:\n  '200':\n    description: ok\n    content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}",
        "Sent: {type: object, properties: {old: {type: integer, deprecated: true}, new: {type: integer}}}\nThing: {type: object, properties: {kind: {type: string, enum: [a, b], deprecated: true, description: 'Deprecated: read `x`.'}, x: {type: string}}}",
    );
    let code = compact_code(&spec);
    let default = "#[deprecated(note=\"deprecatedbytheexchange\")]";
    for expected in [
        "#[deprecated(note=\"use`GetOther`\")]pubfnget_thing".to_owned(),
        "#[deprecated(note=\"read`new`instead\")]pubfnold<V>".to_owned(),
        "#[deprecated(note=\"read`x`\")]pubkind:".to_owned(),
        format!("{default}pubold:"),
        format!("{default}pubfnold<T>"),
        "#[allow(deprecated)]impl::std::convert::From<super::Sent>forSent".to_owned(),
    ] {
        assert!(code.contains(&expected), "{expected}");
    }
    assert!(!code.contains("enumKind{#[deprecated"));
    assert_eq!(code.matches("#[deprecated").count(), 5);
}

/// A page is empty if all its lists are. A page without known lists never counts as empty.
#[test]
fn page_is_empty_if_all_its_lists_are() {
    let page = |fields: &str| {
        compact_code(&spec(
            "parameters:\n  - {name: id, in: path, required: true, schema: {type: string}}\n  - {name: cursor, in: query, schema: {type: string}}\nresponses:\n  '200':\n    description: ok\n    content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}",
            &format!("Thing: {{type: object, properties: {{cursor: {{type: string}}, {fields}}}}}"),
        ))
    };
    let list = "{type: array, items: {type: string}}";
    let one = page(&format!("rows: {list}"));
    assert!(one.contains("fnis_empty(&self)->bool{self.rows.is_empty()}"));
    let two = page(&format!("rows: {list}, more: {list}"));
    assert!(two.contains("fnis_empty(&self)->bool{self.more.is_empty()&&self.rows.is_empty()}"));
    let none = page("rows: {type: string}");
    assert!(none.contains("fnis_empty(&self)->bool{false}"));
}

#[test]
fn parameter_with_a_cost_of_its_own_changes_that_of_its_operation() {
    let code = compact_code(&spec(
        &format!(
            "{PARAMETERS}  - {{name: q, in: query, x-token-cost: 50, schema: {{type: boolean}}}}\n{RESPONSE}"
        ),
        "Thing: {type: object, properties: {x: {type: string}}}",
    ));
    assert!(code.contains(".cost_with(\"q\",50u32)"), "{code}");
    assert!(code.contains("(50with`q`)"));
}

#[test]
fn operations_that_return_a_secret_are_marked() {
    let secret = with_schemas(
        "Thing: {type: object, properties: {keys: {type: array, items: {$ref: '#/components/schemas/Key'}}}}\nKey: {type: object, properties: {private_key: {type: string}}}",
    );
    assert!(compact_code(&secret).contains(".returns_secret()"));
    let open = with_schemas("Thing: {type: object, properties: {key: {type: string}}}");
    assert!(!compact_code(&open).contains("returns_secret"));
}

#[test]
fn defaulted_fields_are_lists_maps_and_cursors() {
    let spec = with_schemas(
        "Thing: {type: object, required: [flag], properties: {flag: {type: boolean, default: true}, open: {type: boolean, default: false}, count: {type: integer, default: 0}, rows: {type: array, items: {type: string}}}}",
    );
    let found = kalshi_gen::defaulted_fields(&spec, FixupMode::Lenient).unwrap();
    assert_eq!(found, ["Thing.rows: Vec<String>"]);
}

#[test]
fn only_sent_types_have_builders() {
    let spec = with_schemas("Thing: {type: object, properties: {a: {type: string}}}\nSent: {type: object, properties: {b: {$ref: '#/components/schemas/Inner'}}}\nInner: {type: object, properties: {c: {type: string}}}")
        .replace("      operationId: GetThing\n", "      operationId: GetThing\n      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Sent'}}}}\n")
        .replace("    get:\n", "    post:\n");
    let code = compact_code(&spec);
    for (name, sent) in [("Thing", false), ("Sent", true), ("Inner", true)] {
        assert_eq!(
            code.contains(&format!("pubfnbuilder()->builder::{name}")),
            sent,
            "{name}"
        );
    }
    assert!(!code.contains("api-version"));
}

#[test]
fn unused_schemas_are_omitted() {
    let code = code(
        "Thing: {type: object, properties: {a: {type: string}}}\nUnused: {type: object, properties: {a: {type: string}}}",
    );
    assert!(!code.contains("Unused"));
}

#[test]
fn named_lists_and_maps_are_inlined() {
    let code = code(
        "Thing:\n  type: object\n  properties:\n    a: {$ref: '#/components/schemas/List'}\n    b: {allOf: [{$ref: '#/components/schemas/Map'}], description: Words.}\nList: {type: array, items: {type: integer}}\nMap: {type: object, additionalProperties: {$ref: '#/components/schemas/List'}}",
    );
    assert!(
        code.contains(
            "deserialize_with=\"::kalshi_core::rt::null_is_empty\")]puba:::std::vec::Vec<i64>"
        ),
        "{code}"
    );
    assert!(code.contains("deserialize_with=\"::kalshi_core::rt::null_values_are_empty\")]pubb:::std::collections::BTreeMap<::std::string::String,::std::vec::Vec<i64>>"), "{code}");
}

#[test]
fn money_and_secrets_are_detected_behind_references_and_formats() {
    let code = code(
        "Thing:\n  type: object\n  required: [a_dollars, b_fp, private_key]\n  properties:\n    a_dollars: {$ref: '#/components/schemas/Text'}\n    b_fp: {type: string, format: decimal}\n    private_key: {type: string}\nText: {type: string}",
    );
    for expected in [
        "puba_dollars:::kalshi_core::Dollars",
        "pubb_fp:::kalshi_core::Contracts",
        "pubprivate_key:::kalshi_core::Secret",
    ] {
        assert!(code.contains(expected), "{expected}");
    }
}

#[test]
fn nested_compositions_merge_in_reasonable_time() {
    let mut schemas = String::from(
        "Thing: {type: object, properties: {a: {$ref: '#/components/schemas/N30'}}}\nN0: {type: object, properties: {deep: {type: integer}}}\n",
    );
    for level in 1..=30 {
        let below = format!("{{$ref: '#/components/schemas/N{}'}}", level - 1);
        schemas.push_str(&format!("N{level}: {{allOf: [{below}, {below}]}}\n"));
    }
    assert!(code(&schemas).contains("pubdeep:::std::option::Option<i64>"));
}

#[test]
fn document_security_applies_unless_the_operation_has_its_own() {
    let spec = |security: &str| {
        with_schemas("Thing: {type: object}").replace("paths:", &format!("{security}\npaths:"))
    };
    for (security, auth) in [
        ("x-none: 1", false),
        ("security: [{key: []}]", true),
        ("security: [{key: []}, {}]", false),
        ("security: []", false),
    ] {
        let is_public = compact_code(&spec(security)).contains("Bucket::Read).public()");
        assert_eq!(is_public, !auth, "{security}");
    }
}

#[test]
fn enums_without_a_type_or_with_null_are_enums() {
    let code = code(
        "Thing: {type: object, required: [a, b], properties: {a: {enum: [x, y]}, b: {type: string, enum: [z, null, z]}}}",
    );
    assert!(
        code.contains("puba:ThingA") && code.contains("pubb:::std::option::Option<ThingB>"),
        "{code}"
    );
}

#[test]
fn other_documents_are_rejected_in_one_line() {
    for (text, expected) in [
        ("", "the document is empty"),
        ("<!DOCTYPE html><html><body>404</body></html>", "not a spec"),
        ("<html>\n<head><title>a: b</title></head>", "not"),
        ("hello", "not a spec: the document is not a mapping"),
        ("a: [1", "not YAML: line "),
        ("swagger: '2.0'\ninfo: {}", "Swagger 2 is not supported"),
        (
            "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}",
            "$.openapi: OpenAPI 3.1.0 is not supported",
        ),
        (
            "openapi: 3.0.0\npaths: {}",
            "$.info.title: this string is missing",
        ),
        (
            "openapi: 3.0.0\ninfo: {title: t, version: '1'}",
            "$.paths: the spec has no paths",
        ),
        (
            "openapi: 3.0.0\nopenapi: 3.0.0",
            "$: duplicate key `openapi`",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn invalid_specs_are_rejected_with_their_json_path() {
    let thing = "Thing: {type: object, properties: {a: {type: string}}}";
    for (spec, expected) in [
        (with_schemas("Thing: {$ref: '#/components/schemas/Gone'}"), r##"$.components.schemas.Thing: refers to "#/components/schemas/Gone", which does not exist"##),
        (with_schemas("Thing: {type: object, properties: {a: {$ref: 'other.yaml#/A'}}}"), "$.components.schemas.Thing.properties.a: \"other.yaml#/A\" does not refer to a schema of this document"),
        (with_schemas("Thing: {$ref: '#/components/schemas/Loop'}\nLoop: {$ref: '#/components/schemas/Thing'}"), "refers to itself"),
        (with_schemas("Thing: {type: objekt}"), "$.components.schemas.Thing.type: not an OpenAPI 3.0 type: \"objekt\""),
        (with_schemas("Thing: {type: [object, 'null']}"), "$.components.schemas.Thing.type: not an OpenAPI 3.0 type"),
        (with_schemas("Thing: {type: object, description: [1]}"), "$.components.schemas.Thing.description: must be a string"),
        (spec(&format!("{PARAMETERS}tags: things\n{RESPONSE}"), thing), "$.paths[\"/things/{id}\"].get.tags: must be a list of strings"),
        (spec(&format!("{PARAMETERS}security: [{{key: all}}]\n{RESPONSE}"), thing), "$.paths[\"/things/{id}\"].get.security: must be a list of security requirements"),
        (with_schemas("Thing: {type: array}"), "an array must have `items`"),
        (with_schemas("Thing: {type: object, not: {type: string}}"), "$.components.schemas.Thing.not: this keyword cannot be expressed in Rust"),
        (with_schemas("Thing: {type: object, properties: {a-b: {type: string}, a_b: {type: string}}}"), "has the same name in Rust as"),
        (with_schemas("Thing: {type: object, properties: {'---': {type: string}}}"), "cannot be a Rust field name"),
        (with_schemas("Thing: {type: object, required: [b], properties: {a: {type: string}}}"), "`b` is required but not among the properties"),
        (with_schemas(&format!("{thing}\nthing: {{type: string}}")), "has the same name in Rust as"),
        (with_schemas(&format!("{thing}\n1x: {{type: string}}")), "\"1x\" cannot be a Rust identifier"),
        (spec(RESPONSE, thing), "`id` must be both in the path and in its parameters"),
        (spec(PARAMETERS, thing), "$.paths[\"/things/{id}\"].get.responses: an operation must have `responses`"),
        (spec(&format!("{PARAMETERS}responses: {{'404': {{description: no}}}}"), thing), "there is no success response (2xx)"),
        (spec(&format!("{PARAMETERS}responses: {{'2000': {{description: no}}}}"), thing), "$.paths[\"/things/{id}\"].get.responses.2000: not an HTTP status"),
        (spec(&format!("{PARAMETERS}responses: {{'200': {{description: no, content: {{text/csv: {{schema: {{type: string}}}}}}}}}}"), thing), "only application/json is supported"),
        (spec(&format!("{PARAMETERS}  - {{name: c, in: cookie, schema: {{type: string}}}}\n{RESPONSE}"), thing), "$.paths[\"/things/{id}\"].get.parameters[1]: a cookie parameter"),
        (spec(&format!("{PARAMETERS}  - {{name: q, in: query, style: deepObject, schema: {{type: object}}}}\n{RESPONSE}"), thing), "of style deepObject is not supported"),
        (spec(&format!("{PARAMETERS}x-token-cost: cheap\n{RESPONSE}"), thing), "$.paths[\"/things/{id}\"].get.x-token-cost: a cost is a whole number of tokens"),
        (spec(&format!("{PARAMETERS}  - {{name: q, in: query, x-token-cost: 5, schema: {{type: string}}}}\n{RESPONSE}"), thing), "only a boolean query parameter can have a cost of its own"),
        (spec(&format!("{PARAMETERS}  - {{name: q, in: query, x-token-cost: 5, schema: {{type: boolean}}}}\n  - {{name: r, in: query, x-token-cost: 6, schema: {{type: boolean}}}}\n{RESPONSE}"), thing), "a second parameter of the operation has a cost of its own"),
        (spec(&format!("{PARAMETERS}x-rate-bucket: bath\n{RESPONSE}"), thing), "`bath` is not one of read, write and balance"),
        (with_schemas(thing).replace("components:", "  /other:\n    get: {operationId: get_thing, responses: {'204': {description: ok}}}\ncomponents:"), "is already used by $.paths[\"/other\"].get"),
        (with_schemas(thing).replace("operationId: GetThing", "operationId: WithRetry"), "the name `WithRetry` is reserved in the generated code"),
        (with_schemas(&format!("{thing}\nDefault: {{type: object}}")), "$.components.schemas.Default: this name is reserved in the generated code"),
        (spec(&format!("{PARAMETERS}  - {{name: send, in: query, schema: {{type: string}}}}\n{RESPONSE}"), thing), "the parameter name `send` is reserved in the generated code"),
        (with_schemas(thing).replace("operationId: GetThing", "summary: none"), "`operationId` is missing"),
        (with_schemas(thing).replace("    get:", "    fetch:"), "unsupported HTTP method"),
    ] {
        let error = error(&spec);
        assert!(error.contains(expected), "expected {expected}\nfound {error}\n{spec}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn strict_mode_rejects_a_fixup_without_effect() {
    let spec = with_schemas("Thing: {type: object, properties: {a: {type: string}}}");
    let error = generate(&spec, &strict()).unwrap_err().to_string();
    assert!(
        error.contains("no longer applies to this spec: remove it from kalshi-gen/src/fixups.rs"),
        "{error}"
    );
    let vendored =
        include_str!("../../../openapi.yaml").replace("        - settlement_bounds_type\n", "");
    let error = generate(&vendored, &strict()).unwrap_err().to_string();
    assert!(
        error.contains("`market_settlement_bounds_are_new` no longer applies"),
        "{error}"
    );
}

/// The versions of these specs never change, so strict mode does not look at them.
#[test]
fn every_fixup_of_the_other_vendored_specs_must_apply() {
    let perps = include_str!("../../../kalshi-perps/perps_openapi.yaml");
    let clearing = include_str!("../../../kalshi-klear/klear_openapi.yaml");
    for spec in [perps, clearing] {
        generate(spec, &strict()).unwrap();
    }
    for (spec, old, new, fixup) in [
        (
            perps,
            "        - is_portfolio\n",
            "",
            "portfolio_flag_is_new_on_positions",
        ),
        (
            perps,
            "        entry_price:\n          type: string",
            "        entry_price:\n          type: integer",
            "fill_amounts_are_dollars",
        ),
        (
            clearing,
            "        hvar_fp:\n          type: string",
            "        hvar_fp:\n          type: integer",
            "estimated_margins_are_dollars",
        ),
    ] {
        assert!(spec.contains(old), "{old}");
        let changed = spec.replace(old, new);
        let error = generate(&changed, &strict()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{fixup}` no longer applies")),
            "{error}"
        );
        generate(&changed, &Options::new()).unwrap();
    }
}

#[test]
fn numbers_are_exact() {
    let spec = with_schemas(
        "Thing: {type: object, required: [rate], properties: {rate: {type: number, format: double}, other: {type: number}, rates: {type: object, additionalProperties: {type: number}}}}",
    );
    let code = compact_code(&spec);
    for field in [
        "pubrate:::kalshi_core::Decimal,",
        "pubother:::std::option::Option<::kalshi_core::Decimal>,",
        "pubrates:::std::collections::BTreeMap<::std::string::String,::kalshi_core::Decimal>,",
    ] {
        assert!(code.contains(field), "{field}: {code}");
    }
    assert!(!code.contains("f64"), "{code}");
}

#[test]
fn generated_indexes_operations_and_types() {
    let spec = with_schemas(
        "Thing: {type: object, required: [type], properties: {type: {type: string}, kind: {type: string, enum: [a]}}}",
    );
    let generated = generate(&spec, &Options::new()).unwrap();
    let [operation] = &generated.operations[..] else {
        panic!("{:?}", generated.operations)
    };
    assert_eq!(
        (&*operation.id, &*operation.method, &*operation.path),
        ("GetThing", "GET", "/things/{id}")
    );
    let types: Vec<_> = generated
        .types
        .iter()
        .map(|found| (&*found.name, found.fields.join(" ")))
        .collect();
    assert!(
        types.contains(&("Thing", "kind type_".to_owned())),
        "{types:?}"
    );
    assert!(types.contains(&("ThingKind", String::new())), "{types:?}");
    assert_eq!(generated.warnings, []);
}

#[test]
fn required_operations_types_and_fields_are_checked() {
    let spec = with_schemas(
        "Thing: {type: object, properties: {a: {type: string}, type: {type: string}}}",
    );
    let streams = include_str!("../specs/streams.yaml");
    let error = |spec: &str, options: Options| generate(spec, &options).unwrap_err().to_string();
    let present = Options::new()
        .require_operations(["GetThing"])
        .require_types(&[("Thing", &["a", "type"]), ("Thing", &[])]);
    generate(&spec, &present).unwrap();
    assert_eq!(
        error(&spec, present.clone().require_operations(["CreateOrderV2"])),
        "operation `CreateOrderV2` is not in the spec, but hand-written code requires it"
    );
    assert_eq!(
        error(&spec, present.clone().require_fields("Order", &["side"])),
        "type `Order` is not in the spec, but hand-written code requires it"
    );
    assert_eq!(
        error(&spec, present.require_types(&[("Thing", &["a", "b"])])),
        "type `Thing` has no field `b`, but hand-written code requires it"
    );
    let message = generate(streams, &Options::new()).unwrap();
    let body = message
        .types
        .iter()
        .find(|found| !found.fields.is_empty())
        .unwrap();
    let operation = &message.operations[0];
    assert!(["send", "receive"].contains(&&*operation.method));
    let present = Options::new()
        .require_operations([&*operation.id])
        .require_fields(&*body.name, &[&*body.fields[0]])
        .require_fields("Message", &[]);
    generate(streams, &present).unwrap();
    assert_eq!(
        error(streams, present.clone().require_operations(["sendNothing"])),
        "operation `sendNothing` is not in the spec, but hand-written code requires it"
    );
    assert_eq!(
        error(streams, present.require_fields(&*body.name, &["nothing"])),
        format!(
            "type `{}` has no field `nothing`, but hand-written code requires it",
            body.name
        )
    );
}

#[test]
fn unknown_keys_are_ignored_with_a_warning() {
    // YAML reads the part after the comma as another key.
    let plain =
        "Thing: { type: object, properties: { position: { type: integer, description: Signed } } }";
    let split = plain.replace("Signed", "Signed, negative short.");
    let clean = generate(&with_schemas(plain), &Options::new()).unwrap();
    let stray = generate(&with_schemas(&split), &Options::new()).unwrap();
    assert_eq!(clean.warnings, []);
    assert_eq!(stray.rust, clean.rust);
    let [warning] = &stray.warnings[..] else {
        panic!("{:?}", stray.warnings)
    };
    assert_eq!(
        warning.path,
        r#"$.components.schemas.Thing.properties.position["negative short."]"#
    );
    assert!(
        warning.message.contains("a comma may have split"),
        "{warning}"
    );

    let everywhere = spec(
        "parameters:\n  - {name: id, in: path, required: true, description: Which, of many, schema: {type: string, titel: x}}\noperationid: x\nresponses:\n  '200':\n    description: ok\n    contents: {}\n    content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}\n",
        "Thing: {type: object, '$comment': fine, properties: {a: {type: array, items: {anyOf: [{type: string, Not: {}}]}}}}",
    )
    .replace("    get:\n", "    summery: Things\n    get:\n");
    let paths: Vec<_> = generate(&everywhere, &Options::new())
        .unwrap()
        .warnings
        .into_iter()
        .map(|warning| warning.path)
        .collect();
    let get = r#"$.paths["/things/{id}"].get"#;
    assert_eq!(
        paths,
        [
            "$.components.schemas.Thing.properties.a.items.anyOf[0].Not".to_owned(),
            r#"$.paths["/things/{id}"].summery"#.to_owned(),
            format!("{get}.operationid"),
            format!(r#"{get}.parameters[0]["of many"]"#),
            format!("{get}.parameters[0].schema.titel"),
            format!("{get}.responses.200.contents"),
        ]
    );

    let streams = include_str!("../specs/streams.yaml").replacen(
        "    requestId: {type: integer,",
        "    requestId: {type: integer, positive only.,",
        1,
    );
    let warnings = generate(&streams, &Options::new()).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        warnings[0].path,
        r#"$.components.schemas.requestId["positive only."]"#
    );
}

#[test]
fn keywords_that_cannot_be_expressed_are_errors() {
    for keyword in [
        "not: {type: string}",
        "if: {minimum: 1}",
        "patternProperties: {}",
        "prefixItems: []",
        "const: x",
        "$defs: {}",
        "contains: {}",
        "dependentSchemas: {}",
        "unevaluatedProperties: false",
        "contentEncoding: base64",
    ] {
        let spec = with_schemas(&format!(
            "Thing: {{type: object, properties: {{a: {{type: string, {keyword}}}}}}}"
        ));
        let (key, _) = keyword.split_once(':').unwrap();
        assert_eq!(
            error(&spec),
            format!(
                "$.components.schemas.Thing.properties.a.{key}: this keyword cannot be expressed in Rust"
            )
        );
    }
}
