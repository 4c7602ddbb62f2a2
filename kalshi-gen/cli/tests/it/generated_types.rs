//! Breaking changes of generated types that a comparison of the schemas alone would miss.

use crate::reported::{check, diff, summaries, with};

const EXCHANGE: &str = include_str!("../../../tests/specs/exchange.yaml");
const STREAMS: &str = include_str!("../../../tests/specs/streams.yaml");

/// Returns a spec with one response, `Thing`, one request body, and the given schemas.
fn spec(body: &str, schemas: &str) -> String {
    let schemas = schemas.lines().map(|line| format!("    {line}\n"));
    format!(
        "openapi: 3.0.0
info: {{title: T, version: '1'}}
paths:
  /things:
    get:
      operationId: GetThing
      responses: {{'200': {{description: ok, content: {{application/json: {{schema: {{$ref: '#/components/schemas/Thing'}}}}}}}}}}
    post:
      operationId: CreateThing
      requestBody: {{content: {{application/json: {{schema: {body}}}}}}}
      responses: {{'204': {{description: ok}}}}
components:
  schemas:
{}",
        schemas.collect::<String>()
    )
}

const SENT: &str = "{$ref: '#/components/schemas/Sent'}";

const REFERENCES: &str = "\
Thing: {type: object, required: [info, status, list, map], properties: {info: {$ref: '#/components/schemas/Info'}, status: {$ref: '#/components/schemas/Status'}, list: {type: array, items: {$ref: '#/components/schemas/Info'}}, map: {type: object, additionalProperties: {$ref: '#/components/schemas/Status'}}}}
Sent: {type: object, required: [status], properties: {status: {$ref: '#/components/schemas/Status'}}}
Info: {type: object, properties: {a: {type: string}}}
Status: {type: string, enum: [a, b]}
";

#[test]
fn nullability_of_a_referenced_schema_is_breaking_where_it_is_used() {
    let spec = spec(SENT, REFERENCES);
    check(
        &spec,
        "Info: {type: object,",
        "Info: {type: object, nullable: true,",
        &[
            "breaking Thing.info: its type is now an `Option`",
            "breaking Thing.list: its items are now `Option`s",
            "behaviour Info: `nullable` was not set, is `true`",
        ],
        &[
            "breaking Thing.info: its type is no longer an `Option`",
            "breaking Thing.list: its items are no longer `Option`s",
            "behaviour Info: `nullable` was `true`, is not set",
        ],
    );
    // A request may omit what is now optional.
    check(
        &spec,
        "enum: [a, b]",
        "enum: [a, b, null]",
        &[
            "breaking Thing.map: its items are now `Option`s",
            "breaking Thing.status: its type is now an `Option`",
        ],
        &[
            "breaking Sent.status: requests must include it",
            "breaking Thing.map: its items are no longer `Option`s",
            "breaking Thing.status: its type is no longer an `Option`",
        ],
    );
}

#[test]
fn nullability_of_a_referenced_schema_of_messages_is_breaking() {
    let spec = with(
        STREAMS,
        "required: [ticker, price_dollars]",
        "required: [ticker, price_dollars, grid]",
    );
    check(
        &spec,
        "    grid:\n      type: object\n",
        "    grid:\n      type: [object, 'null']\n",
        &[
            "breaking Price.grid: its type is now an `Option`",
            "behaviour grid: `nullable` was not set, is `true`",
        ],
        &[
            "breaking Price.grid: its type is no longer an `Option`",
            "behaviour grid: `nullable` was `true`, is not set",
        ],
    );
}

#[test]
fn list_that_is_now_also_sent_is_optional() {
    let schemas = "\
Thing: {type: object, properties: {rows: {type: array, items: {type: string}}}}
Sent: {type: object, properties: {a: {type: string}}}
";
    check(
        &spec(SENT, schemas),
        "Sent: {type: object, properties: {",
        "Sent: {type: object, properties: {thing: {$ref: '#/components/schemas/Thing'}, ",
        &[
            "breaking Thing.rows: its type is now an `Option`",
            "additive Sent.thing: added: `Thing`",
        ],
        &[
            "breaking Sent.thing: removed",
            "breaking Thing.rows: its type is no longer an `Option`",
        ],
    );
}

/// The enum of a field is named without its owner only if all fields of that name have the same values.
#[test]
fn fields_of_inline_types_are_compared() {
    let field = "{type: object, properties: {time_in_force: {type: string, enum: [a, b]}}}";
    let thing = format!("Thing: {{type: object, properties: {{part: {field}}}}}\n");
    let added = |old: &str| {
        let used = with(
            old,
            "Thing: {type: object, properties: {",
            "Thing: {type: object, properties: {order: {$ref: '#/components/schemas/Order'}, ",
        );
        used + "    Order: {type: object, properties: {time_in_force: {type: string, enum: [a, b, c]}}}\n"
    };
    let old = spec(field, &thing);
    assert_eq!(
        summaries(&diff(&old, &added(&old))),
        [
            "breaking CreateThing, body.time_in_force: the type was `TimeInForce`, is `CreateThingRequestTimeInForce`",
            "breaking Thing.part.time_in_force: the type was `TimeInForce`, is `ThingPartTimeInForce`",
            "additive Order: schema added",
            "additive Thing.order: added: `Order`",
        ]
    );
    // A body whose generated name is taken.
    let taken = format!(
        "{thing}CreateThingRequest: {{type: object, properties: {{a: {{type: string}}}}}}\n"
    );
    let taken =
        added(&spec(field, &taken)).replace("schemas/Order'", "schemas/CreateThingRequest'");
    let changes = summaries(&diff(&old, &taken));
    let expected = "breaking CreateThing, body: the type was `CreateThingRequest`, is `CreateThingRequestItem`";
    assert!(
        changes.iter().any(|change| change == expected),
        "{changes:#?}"
    );
}

#[test]
fn schemas_of_parameters_of_a_path_are_used() {
    let thing = "Thing: {type: object, properties: {a: {type: string}}}\nKind: {type: string, enum: [a, b]}\n";
    let parameter = "{name: kind, in: query, schema: {$ref: '#/components/schemas/Kind'}}";
    let inline = with(
        &spec("{type: object}", thing),
        "  /things:\n",
        &format!("  /things:\n    parameters: [{parameter}]\n"),
    );
    let shared = with(&inline, parameter, "{$ref: '#/components/parameters/Kind'}")
        + &format!("  parameters:\n    Kind: {parameter}\n");
    for spec in [inline, shared] {
        check(
            &spec,
            "enum: [a, b]",
            "enum: [a]",
            &["breaking Kind: the value `b` is removed"],
            &["additive Kind: the value `b` is added"],
        );
    }
}

#[test]
fn changes_of_a_longer_name_do_not_hide_changes_of_a_shorter_one() {
    let old = with(
        EXCHANGE,
        "        rules: {type: string, nullable: true,",
        "        status_text: {type: string, description: S.}\n        rules: {type: string, nullable: true,",
    );
    // A named enum with the same values replaces the inline one.
    let new = EXCHANGE.to_owned()
        + "    TradingStatus: {type: string, description: S., enum: [active, closed, canceled]}\n";
    assert_eq!(
        summaries(&diff(&old, &new)),
        [
            "breaking Market.status: the type was `MarketStatus`, is `TradingStatus`",
            "breaking Market.status_text: removed",
            "additive TradingStatus: schema added; no operation uses it",
        ]
    );
}

#[test]
fn value_whose_variant_changes_is_breaking() {
    let with_values = |values: &str| {
        with(
            EXCHANGE,
            "enum: [active, closed, canceled]",
            &format!("enum: [{values}]"),
        )
    };
    let changes = |old: &str, new: &str| summaries(&diff(&with_values(old), &with_values(new)));
    assert_eq!(
        changes("open", "OPEN, open"),
        [
            "breaking Market.status: the variant of `open` was `Open`, is `Open2`",
            "additive Market.status: the value `OPEN` is added",
        ]
    );
    assert_eq!(
        changes("OPEN, open", "open"),
        [
            "breaking Market.status: the value `OPEN` is removed",
            "breaking Market.status: the variant of `open` was `Open2`, is `Open`",
        ]
    );
    assert_eq!(
        changes("a-b, a_b", "a_b, a-b"),
        [
            "breaking Market.status: the variant of `a-b` was `AB`, is `AB2`",
            "breaking Market.status: the variant of `a_b` was `AB2`, is `AB`",
        ]
    );
    assert_eq!(changes("a-b, a_b, c", "c, a-b, a_b"), [""; 0]);
}
