//! Names of a spec that clash with names in the generated code are rejected or disambiguated.

use kalshi_gen::{Options, generate};

use crate::generate::{PARAMETERS, RESPONSE, compact_code, error, spec, with_schemas};

const NAMES: &str = include_str!("../specs/names.yaml");

#[test]
fn values_named_as_associated_types_are_not_ambiguous() {
    let code = compact_code(&with_schemas(
        "Thing: {type: object, properties: {kind: {type: string, enum: [err, ERR, ok]}}}",
    ));
    assert!(code.contains("Err,#[doc=\"`ERR`\"]Err2,"), "{code}");
    assert!(!code.contains("Self::Err>"), "{code}");
    assert!(
        code.contains(
            "fnfrom_str(text:&str)->::std::result::Result<Self,::std::convert::Infallible>"
        )
    );
}

#[test]
fn strings_of_the_spec_are_never_reworded() {
    let texts = [
        "market was not initialized",
        "no value supplied for a",
        "error converting supplied value for a: {e}",
        "conversion to `A` for a failed",
    ];
    for text in texts {
        let values = serde_json::to_string(&[text]).unwrap();
        let spec = spec(
            &format!(
                "summary: {0}\ndescription: {0}\ntags: [{0}]\n{PARAMETERS}  - {{name: kind, in: query, schema: {{type: string, enum: {values}}}}}\n{RESPONSE}",
                serde_json::to_string(text).unwrap()
            ),
            &format!(
                "Thing: {{type: object, description: {0}, properties: {{a: {{type: string, description: {0}, enum: {values}}}}}}}",
                serde_json::to_string(text).unwrap()
            ),
        );
        let rust = generate(&spec, &Options::new()).unwrap().rust;
        let file = syn::parse_file(&rust).unwrap();
        let mut literals = Literals::default();
        syn::visit::visit_file(&mut literals, &file);
        // `as_str`, `listed` and `VALUES` of two enums; the descriptions of an object, an enum and a field; the tag, the summary and
        // the value of a parameter in the operation table.
        let found = literals.0.iter().filter(|literal| *literal == text).count();
        assert_eq!(found, 12, "{text}");
    }
    // Messages from progenitor are reworded.
    let rust = generate(NAMES, &Options::new()).unwrap().rust;
    assert!(rust.contains("`option` is required but not set: set it with `.option(..)`"));
}

#[derive(Default)]
struct Literals(Vec<String>);

impl<'ast> syn::visit::Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.0.push(literal.value());
    }
}

#[test]
fn operations_with_names_that_builders_use_are_rejected() {
    let thing = "Thing: {type: object, properties: {a: {type: string}}}";
    for id in [
        "Result", "From", "String", "Option", "option", "Self", "self", "all",
    ] {
        let spec =
            with_schemas(thing).replace("operationId: GetThing", &format!("operationId: {id}"));
        assert_eq!(
            error(&spec),
            format!(
                "$.paths[\"/things/{{id}}\"].get.operationId: the name `{id}` is reserved in the generated code"
            )
        );
    }
    // Two operation ids with different methods but the same builder.
    let two = with_schemas(thing)
        .replace("operationId: GetThing", "operationId: v2-3")
        .replace(
            "components:",
            "  /other:\n    get: {operationId: v23, responses: {'204': {description: ok}}}\ncomponents:",
        );
    assert!(error(&two).contains("is already used by $.paths"));
}

#[test]
fn operation_ids_that_lose_words_keep_their_methods() {
    let code = compact_code(NAMES);
    for (method, builder, constant) in [
        ("a_b", "AB", "A_B"),
        ("v2_3", "V23", "V2_3"),
        ("vec", "Vec", "VEC"),
    ] {
        assert!(
            code.contains(&format!("pubfn{method}(&self)->builder::{builder}<'_>")),
            "{method}"
        );
        assert!(
            code.contains(&format!("pubconst{constant}:&Operation")),
            "{constant}"
        );
        assert!(
            code.contains(&format!("[`Client::{method}`](super::Client::{method})")),
            "{method}"
        );
    }
}

#[test]
fn schemas_with_reserved_names_are_rejected() {
    let thing = "Thing: {type: object, properties: {kind: {type: string, enum: [a, b]}, other: {$ref: '#/components/schemas/NAME'}}}";
    for (name, schema, expected) in [
        (
            "Default",
            "{type: object}",
            "is reserved in the generated code",
        ),
        (
            "default",
            "{type: object}",
            "is reserved in the generated code",
        ),
        (
            "dollars_text",
            "{type: object}",
            "is reserved in the generated code",
        ),
        (
            "id_text",
            "{type: string}",
            "is reserved in the generated code",
        ),
        (
            "price_level_pair",
            "{type: string}",
            "is reserved in the generated code",
        ),
        ("Ok", "{type: string}", "is reserved in the generated code"),
        (
            "string",
            "{type: object}",
            "is reserved in the generated code",
        ),
        ("err", "{type: string}", "is reserved in the generated code"),
        (
            "Some",
            "{type: integer}",
            "is reserved in the generated code",
        ),
        (
            "none",
            "{type: boolean}",
            "is reserved in the generated code",
        ),
        ("thing", "{type: object}", "has the same name in Rust as"),
    ] {
        let schemas = format!("{}\n{name}: {schema}", thing.replace("NAME", name));
        let error = error(&with_schemas(&schemas));
        assert!(error.contains(expected), "{name}: {error}");
        assert!(error.starts_with("$.components.schemas."), "{error}");
    }
}

#[test]
fn inline_enum_uses_the_named_enum_with_the_same_name_and_values() {
    let code = compact_code(&with_schemas(
        "Thing: {type: object, required: [kind], properties: {kind: {type: string, enum: [a, b]}, other: {$ref: '#/components/schemas/thing_kind'}}}\nthing_kind: {type: string, enum: [a, b]}",
    ));
    assert!(code.contains("pubkind:ThingKind"), "{code}");
    assert_eq!(code.matches("pubenumThingKind").count(), 1);
}

#[test]
fn runtime_error_is_exported_unless_its_name_is_taken() {
    let export = "pubuse::kalshi_core::ErrorResponse;";
    let plain = compact_code(&with_schemas("Thing: {type: object}"));
    assert!(plain.contains(export));
    assert!(!compact_code(NAMES).contains(export));
    assert!(compact_code(NAMES).contains("pubstructErrorResponse{"));
    let inline = "Thing: {type: object, properties: {error: {$ref: '#/components/schemas/Error'}}}\nError: {type: object, properties: {response: {type: object, properties: {a: {type: string}}}}}";
    assert!(!compact_code(&with_schemas(inline)).contains(export));
}

#[test]
fn page_items_are_named_from_outside_the_types_module() {
    let code = compact_code(NAMES);
    for (builder, item) in [
        ("Lists", "::std::vec::Vec<::std::string::String>"),
        ("ListsOfThings", "::std::vec::Vec<types::Thing>"),
        (
            "Maps",
            "::std::collections::BTreeMap<::std::string::String,types::Thing>",
        ),
        ("Nullables", "::std::option::Option<types::Vec>"),
        ("Numbers", "i64"),
        ("Words", "types::WordsRows"),
    ] {
        let (_, after) = code
            .split_once(&format!(
                "pubfnby_item(self)->::kalshi_core::pages::Items<types::{builder},{item}>"
            ))
            .unwrap();
        let (_, after) = after.split_once("->").unwrap();
        let expected = format!("::std::result::Result<::kalshi_core::pages::Collected<{item}>,");
        assert!(
            after.starts_with(&expected),
            "{builder}: {}",
            after.get(..200).unwrap()
        );
    }
}

#[test]
fn schema_may_have_the_name_of_a_collection() {
    let code = compact_code(NAMES);
    assert!(
        code.contains("::kalshi_core::rt::send(&client.core,operations::A_B,request)"),
        "{code}"
    );
    assert!(code.contains("::kalshi_core::rt::send_list(&client.core,operations::VEC,request)"));
    // A missing object is not an empty one.
    assert!(!code.contains("null_is_empty\")]pubvec:"));
    assert!(!code.contains("null_is_empty\")]pubmap:"));
}

#[test]
fn invalid_marker_names_are_rejected() {
    let spec = with_schemas("Thing: {type: object}");
    let streams = include_str!("../specs/streams.yaml");
    for marker in [
        "",
        "a::B",
        "my-api",
        "1a",
        " ",
        "_",
        "self",
        "Self",
        "crate",
        "type",
        "Api ;",
        "Client",
        "Environment",
        "ClientBuilder",
        "types",
        "builder",
        "operations",
        "r#types",
    ] {
        for spec in [spec.as_str(), streams] {
            let error = generate(spec, &Options::new().marker(marker)).unwrap_err();
            assert!(
                error.to_string().starts_with("marker "),
                "{marker}: {error}"
            );
        }
    }
    for marker in ["Api", "Perps", "_Api", "r#type"] {
        let rust = generate(&spec, &Options::new().marker(marker))
            .unwrap()
            .rust;
        assert!(
            rust.contains(&format!("{marker} ,")) || rust.contains(&format!("{marker},")),
            "{marker}"
        );
    }
}

#[test]
fn variants_are_listed_and_fields_required() {
    let spec = with_schemas(
        "Thing: {type: object, properties: {1abc: {type: string}, foo_bar: {type: string}, a: {type: string}, type: {type: string}, kind: {type: string, enum: [one, two_three]}}}",
    );
    let generated = generate(&spec, &Options::new()).unwrap();
    let of = |name: &str| {
        generated
            .types
            .iter()
            .find(|found| found.name == name)
            .unwrap()
    };
    assert_eq!(of("ThingKind").variants, ["One", "TwoThree", "Unknown"]);
    assert_eq!(of("Thing").variants, [""; 0]);
    let options = Options::new()
        .require_fields(
            "Thing",
            &["1abc", "x1abc", "foo_bar", "a", "type", "type_", "kind"],
        )
        .require_fields("ThingKind", &[]);
    generate(&spec, &options).unwrap();
    let error = |options: Options| generate(&spec, &options).unwrap_err().to_string();
    assert_eq!(
        error(options.clone().require_fields("OtherKind", &[])),
        "type `OtherKind` is not in the spec, but hand-written code requires it"
    );
    for field in ["FOO_BAR", "a_", "fooBar", "_1abc"] {
        assert_eq!(
            error(options.clone().require_fields("Thing", &[field])),
            format!("type `Thing` has no field `{field}`, but hand-written code requires it")
        );
    }
}

#[test]
fn inline_object_or_union_takes_another_name_if_its_own_is_in_use() {
    let group = "OrderGroup: {type: object, properties: {a: {type: string}}}";
    let order = |inline: &str| {
        format!(
            "Thing: {{$ref: '#/components/schemas/Order'}}\nOrder: {{type: object, required: [group, other], properties: {{other: {{$ref: '#/components/schemas/OrderGroup'}}, group: {inline}}}}}\n{group}"
        )
    };
    let object = order("{type: object, properties: {id: {type: string}}}");
    let union = order("{oneOf: [{$ref: '#/components/schemas/OrderGroup'}, {type: string}]}");
    for (schemas, kind) in [(&object, "struct"), (&union, "enum")] {
        let code = compact_code(&with_schemas(schemas));
        for expected in [
            "pubgroup:OrderGroupItem",
            "pubother:OrderGroup,",
            "pubstructOrderGroup{",
            &format!("pub{kind}OrderGroupItem{{"),
        ] {
            assert!(code.contains(expected), "{expected}: {code}");
        }
    }
    let taken = "OrderGroupItem: {type: object, properties: {b: {type: string}}}";
    let code = compact_code(&with_schemas(&format!("{object}\n{taken}")));
    assert!(code.contains("pubgroup:OrderGroup2"), "{code}");
    let taken = format!("{object}\n{taken}\nOrderGroup2: {{type: string}}");
    assert!(error(&with_schemas(&taken)).contains("would be named `OrderGroup`"));
}

#[test]
fn inline_enum_takes_another_name_if_its_own_is_in_use() {
    let thing = "Thing: {type: object, properties: {kind: {type: string, enum: [a, b]}, other: {$ref: '#/components/schemas/NAME'}}}";
    for (name, schema, expected) in [
        (
            "thing_kind",
            "{type: object, properties: {a: {type: string}}}",
            "pubkind:::std::option::Option<ThingKindValue>",
        ),
        (
            "thing_kind",
            "{type: string, enum: [c]}",
            "pubkind:::std::option::Option<ThingKindValue>",
        ),
        // The name of a type of the runtime.
        (
            "dollars",
            "{type: object, properties: {text: {type: string, enum: [a]}}}",
            "pubtext:::std::option::Option<DollarsTextValue>",
        ),
    ] {
        let schemas = format!("{}\n{name}: {schema}", thing.replace("NAME", name));
        let code = compact_code(&with_schemas(&schemas));
        assert!(code.contains(expected), "{name}: {code}");
    }
    let named = "thing_kind: {type: object, properties: {a: {type: string}}}";
    let schemas = format!("{}\n{named}", thing.replace("NAME", "thing_kind"));
    // The name of an enum that a hand-written type replaces means that type.
    let options = Options::new().enum_type("ThingKind", &["a", "b"], "crate::ThingKind");
    let error = generate(&with_schemas(&schemas), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "$.components.schemas.Thing.properties.kind: the inline type of `kind` would be named `ThingKind`, which another type already uses"
    );
}

#[test]
fn operation_and_schema_with_the_same_name_have_types_of_their_own() {
    let schemas = "Thing: {type: object, required: [part], properties: {part: {$ref: '#/components/schemas/GetThing'}}}\nGetThing: {type: object, required: [state], properties: {state: {type: string, enum: [a, b]}}}";
    let spec = spec(
        &format!(
            "{PARAMETERS}  - {{name: state, in: query, schema: {{type: string, enum: [x, y]}}}}\n  - {{name: request, in: query, schema: {{type: string, enum: [p, q]}}}}\nrequestBody: {{content: {{application/json: {{schema: {{type: object, properties: {{r: {{type: string}}}}}}}}}}}}\n{RESPONSE}"
        ),
        schemas,
    )
    .replace("    get:\n", "    post:\n");
    let code = compact_code(&spec);
    for expected in [
        "pubstate:GetThingState,",
        "pubenumGetThingState{#[doc=\"`a`\"]A,#[doc=\"`b`\"]B,",
        "pubenumGetThingStateValue{#[doc=\"`x`\"]X,#[doc=\"`y`\"]Y,",
        "pubenumGetThingRequestValue{#[doc=\"`p`\"]P,#[doc=\"`q`\"]Q,",
        "pubstructGetThingRequest{#[doc=\"`r`.\"]",
    ] {
        assert!(code.contains(expected), "{expected}: {code}");
    }
}

#[test]
fn names_that_would_be_defined_twice_are_rejected() {
    // The union's object has an inline enum, which progenitor names after its location.
    let types = "Thing: {type: object, properties: {a: {oneOf: [{type: object, properties: {x: {type: string, enum: [b, c]}}}, {type: string}]}, b: {$ref: '#/components/schemas/ThingAObjectX'}}}\nThingAObjectX: {type: object, properties: {d: {type: string}}}";
    assert_eq!(
        error(&with_schemas(types)),
        "$.components.schemas.ThingAObjectX: two items of the generated code would be named `ThingAObjectX`: rename one"
    );
    let fields = "Thing: {allOf: [{type: object, properties: {a-b: {type: string}}}, {type: object, properties: {a_b: {type: string}}}]}";
    assert_eq!(
        error(&with_schemas(fields)),
        "$.components.schemas.Thing: `Thing` would have two fields `a_b`: rename one"
    );
}
