//! Every class of change of a small OpenAPI spec: the reported changes and their class, and that
//! nothing else is reported.

use crate::reported::{self, diff, summaries};
use kalshi_gen_cli::{Class, Format, Kind};

const EXCHANGE: &str = include_str!("../../../tests/specs/exchange.yaml");

/// Returns the spec with one substring, which must be unique, replaced.
fn with(old: &str, new: &str) -> String {
    reported::with(EXCHANGE, old, new)
}

/// Checks the changes reported for replacing `old` by `new`, and for the reverse.
fn check(old: &str, new: &str, forward: &[&str], backward: &[&str]) {
    reported::check(EXCHANGE, old, new, forward, backward);
}

#[test]
fn identical_specs_have_no_differences() {
    for spec in [EXCHANGE, include_str!("../../../tests/specs/bare.yaml")] {
        let diff = diff(spec, spec);
        assert_eq!(summaries(&diff), Vec::<String>::new());
        assert_eq!(diff.verdict(), "no differences: no release needed");
    }
}

#[test]
fn operations() {
    check(
        "    delete:\n      operationId: CancelAll\n      summary: Cancel all orders\n      description: Cancels every order.\n      tags: [orders]\n      x-token-cost: 2\n      x-rate-bucket: write\n      responses:\n        '204': {description: Done.}\n",
        "",
        &["breaking CancelAll: operation removed: DELETE /orders"],
        &["additive CancelAll: operation added: DELETE /orders, signed, 2 tokens (write)"],
    );
    check(
        "operationId: CancelAll",
        "operationId: CancelAllOrders",
        &["breaking CancelAllOrders: renamed from `CancelAll`"],
        &["breaking CancelAll: renamed from `CancelAllOrders`"],
    );
    check(
        "  /markets/{ticker}:\n    get:",
        "  /market/{ticker}:\n    get:",
        &["behaviour GetMarket: the route was GET /markets/{ticker}, is GET /market/{ticker}"],
        &["behaviour GetMarket: the route was GET /market/{ticker}, is GET /markets/{ticker}"],
    );
    check(
        "      tags: [markets]\n",
        "      tags: [markets]\n      deprecated: true\n",
        &["behaviour GetMarket: `deprecated` was not set, is `true`"],
        &["behaviour GetMarket: `deprecated` was `true`, is not set"],
    );
}

#[test]
fn access_and_cost() {
    check(
        "      security: []\n",
        "",
        &["behaviour GetMarket: access was public, is signed"],
        &["behaviour GetMarket: access was signed, is public"],
    );
    check(
        "x-token-cost: 2",
        "x-token-cost: 5",
        &["behaviour CancelAll: the cost was 2 tokens (write), is 5 tokens (write)"],
        &["behaviour CancelAll: the cost was 5 tokens (write), is 2 tokens (write)"],
    );
    check(
        "x-rate-bucket: write",
        "x-rate-bucket: read",
        &["behaviour CancelAll: the cost was 2 tokens (write), is 2 tokens (read)"],
        &["behaviour CancelAll: the cost was 2 tokens (read), is 2 tokens (write)"],
    );
    // The exchange's spec does not state the bucket.
    check("      x-rate-bucket: write\n", "", &[], &[]);
    // A cost that is only stated in a description.
    check(
        "**Rate limit:** 10 tokens per request.",
        "**Rate limit:** 4 tokens per order in a batch.",
        &[
            "behaviour CreateOrder: the cost was 10 tokens (write), is 4 tokens per item (write)",
            "prose CreateOrder: changed wording: description",
        ],
        &[
            "behaviour CreateOrder: the cost was 4 tokens per item (write), is 10 tokens (write)",
            "prose CreateOrder: changed wording: description",
        ],
    );
}

#[test]
fn parameters() {
    check(
        "        - {name: depth, in: query, description: Levels of the book., schema: {type: integer, minimum: 0, default: 10}}\n",
        "",
        &["breaking GetMarket, parameter depth: removed"],
        &["additive GetMarket, parameter depth: added: an integer"],
    );
    check(
        "{name: depth, in: query,",
        "{name: depth, in: query, required: true,",
        &["breaking GetMarket, parameter depth: it was optional, is required"],
        &["additive GetMarket, parameter depth: it was required, is optional"],
    );
    check(
        "{name: depth, in: query,",
        "{name: depths, in: query,",
        &["breaking GetMarket, parameter depths: renamed from `depth`"],
        &["breaking GetMarket, parameter depth: renamed from `depths`"],
    );
    check(
        "minimum: 0, default: 10",
        "minimum: 1, default: 20",
        &[
            "behaviour GetMarket, parameter depth: `default` was `10`, is `20`",
            "behaviour GetMarket, parameter depth: `minimum` was `0`, is `1`",
        ],
        &[
            "behaviour GetMarket, parameter depth: `default` was `20`, is `10`",
            "behaviour GetMarket, parameter depth: `minimum` was `1`, is `0`",
        ],
    );
    check(
        "schema: {type: integer, minimum: 0",
        "schema: {type: string, minimum: 0",
        &["breaking GetMarket, parameter depth: the type was an integer, is a string"],
        &["breaking GetMarket, parameter depth: the type was a string, is an integer"],
    );
    check(
        "enum: [open, closed]",
        "enum: [open, closed, settled]",
        &["additive GetMarket, parameter status: the value `settled` is added"],
        &["breaking GetMarket, parameter status: the value `settled` is removed"],
    );
    // A component that two operations share is reported once.
    check(
        "maximum: 100, default: 50",
        "maximum: 1000, default: 50",
        &["behaviour parameter Limit: `maximum` was `100`, is `1000`"],
        &["behaviour parameter Limit: `maximum` was `1000`, is `100`"],
    );
}

#[test]
fn fields() {
    check(
        "        rules: {type: string, nullable: true, description: What decides it.}\n",
        "",
        &["breaking Market.rules: removed"],
        &["additive Market.rules: added: a string"],
    );
    check(
        "required: [ticker, status, yes_bid_dollars, levels, open_time]\n      properties:\n",
        "required: [ticker, status, yes_bid_dollars, levels, open_time, bounds]\n      properties:\n        bounds: {type: integer, description: B.}\n",
        &["behaviour Market.bounds: added, required: an integer"],
        &["breaking Market.bounds: removed"],
    );
    check(
        "required: [ticker, side]\n      properties:\n",
        "required: [ticker, side, count]\n      properties:\n        count: {type: integer, description: C.}\n",
        &["breaking CreateOrderRequest.count: added, required in requests: an integer"],
        &["breaking CreateOrderRequest.count: removed"],
    );
    check(
        "required: [ticker, side]\n",
        "required: [ticker, side, post_only]\n",
        &[
            "breaking CreateOrderRequest.post_only: was optional, is required; requests must include it",
        ],
        &["additive CreateOrderRequest.post_only: was required, is optional; requests may omit it"],
    );
    check(
        "required: [ticker, status, yes_bid_dollars, levels, open_time]",
        "required: [ticker, status, yes_bid_dollars, levels]",
        &["breaking Market.open_time: was required, is optional; its type is now an `Option`"],
        &[
            "breaking Market.open_time: was optional, is required; its type is no longer an `Option`",
        ],
    );
    // A list is never optional for a program.
    check(
        "required: [ticker, status, yes_bid_dollars, levels, open_time]",
        "required: [ticker, status, yes_bid_dollars, open_time]",
        &["additive Market.levels: was required, is optional"],
        &["behaviour Market.levels: was optional, is required"],
    );
    check(
        "rules: {type: string, nullable: true,",
        "rules: {type: string, format: uuid, nullable: true,",
        &["breaking Market.rules: the type was a string, is an id"],
        &["breaking Market.rules: the type was an id, is a string"],
    );
    check(
        "rules: {type: string, nullable: true,",
        "rules: {type: string,",
        &["additive Market.rules: was optional or null, is optional"],
        &["additive Market.rules: was optional, is optional or null"],
    );
    check(
        "open_time: {type: string, format: date-time,",
        "open_time: {type: string, format: date-time, nullable: true,",
        &[
            "breaking Market.open_time: was required, is required or null; its type is now an `Option`",
        ],
        &[
            "breaking Market.open_time: was required or null, is required; its type is no longer an `Option`",
        ],
    );
    check(
        "        client_order_id: {",
        "        client_order_ids: {",
        &["breaking Order.client_order_ids: renamed from `client_order_id`"],
        &["breaking Order.client_order_id: renamed from `client_order_ids`"],
    );
    check(
        "post_only: {type: boolean, default: false,",
        "post_only: {type: boolean, default: true,",
        &["behaviour CreateOrderRequest.post_only: `default` was `false`, is `true`"],
        &["behaviour CreateOrderRequest.post_only: `default` was `true`, is `false`"],
    );
    check(
        "floor: {type: number, description: From here on.}",
        "floor: {type: number, description: From here on.}\n            cap: {type: number, description: Up to here.}",
        &["additive Market.strike.cap: added: a number"],
        &["breaking Market.strike.cap: removed"],
    );
}

#[test]
fn types_and_formats() {
    for (old, new, location, before, after) in [
        (
            "volume: {type: integer, format: int32,",
            "volume: {type: string,",
            "Market.volume",
            "an integer (int32)",
            "a string",
        ),
        (
            "volume: {type: integer, format: int32,",
            "volume: {type: integer, format: int64,",
            "Market.volume",
            "an integer (int32)",
            "an integer",
        ),
        (
            "open_time: {type: string, format: date-time,",
            "open_time: {type: string,",
            "Market.open_time",
            "a time",
            "a string",
        ),
        (
            "items: {type: array, items: {type: string}}",
            "items: {type: string}",
            "Market.levels",
            "a list of lists of strings",
            "a list of strings",
        ),
        (
            "additionalProperties: {type: string}",
            "additionalProperties: {type: integer}",
            "Market.names",
            "a map of strings",
            "a map of integers",
        ),
        (
            "status: {type: string, enum: [active, closed, canceled],",
            "status: {type: string,",
            "Market.status",
            "an inline enum",
            "a string",
        ),
        (
            "yes_bid_dollars: {type: string,",
            "yes_bid_dollars: {type: number,",
            "Market.yes_bid_dollars",
            "dollars",
            "a number",
        ),
        (
            "fees: {$ref: '#/components/schemas/Fees'}",
            "fees: {$ref: '#/components/schemas/Order'}",
            "Market.fees",
            "`Fees`",
            "`Order`",
        ),
    ] {
        let changed = with(old, new);
        let forward = summaries(&diff(EXCHANGE, &changed));
        let expected = format!("breaking {location}: the type was {before}, is {after}");
        assert!(forward.contains(&expected), "{new}: {forward:#?}");
        let backward = summaries(&diff(&changed, EXCHANGE));
        let expected = format!("breaking {location}: the type was {after}, is {before}");
        assert!(backward.contains(&expected), "{old}: {backward:#?}");
    }
    // A format that does not affect the type.
    check(
        "ticker: {type: string, description: Its ticker.}",
        "ticker: {type: string, format: uri, description: Its ticker.}",
        &["behaviour Market.ticker: `format` was not set, is `\"uri\"`"],
        &["behaviour Market.ticker: `format` was `\"uri\"`, is not set"],
    );
}

#[test]
fn values() {
    check(
        "enum: [active, closed, canceled]",
        "enum: [active, closed, canceled, settled]",
        &["additive Market.status: the value `settled` is added"],
        &["breaking Market.status: the value `settled` is removed"],
    );
    check(
        "enum: [active, closed, canceled]",
        "enum: [active, closed, cancelled]",
        &["breaking Market.status: the value `canceled` is renamed to `cancelled`"],
        &["breaking Market.status: the value `cancelled` is renamed to `canceled`"],
    );
    // The order of values is irrelevant.
    check(
        "enum: [active, closed, canceled]",
        "enum: [closed, canceled, active]",
        &[],
        &[],
    );
}

#[test]
fn schemas() {
    let renamed = EXCHANGE
        .replace("schemas/Fees'", "schemas/FeeSchedule'")
        .replace("    Fees:\n", "    FeeSchedule:\n");
    // Inline types are named after it.
    let kind = "breaking FeeSchedule.kind: the type was `FeesKind`, is `FeeScheduleKind`";
    assert_eq!(
        summaries(&diff(EXCHANGE, &renamed)),
        ["breaking FeeSchedule: renamed from `Fees`", kind]
    );
    let changed_too = renamed.replace("maker: {type: string,", "maker: {type: integer,");
    assert_eq!(
        summaries(&diff(EXCHANGE, &changed_too)),
        [
            "breaking FeeSchedule: renamed from `Fees`",
            kind,
            "breaking FeeSchedule.maker: the type was a string, is an integer"
        ]
    );
    // Removed without a successor.
    check(
        "        fees: {$ref: '#/components/schemas/Fees'}\n",
        "",
        &[
            "breaking Fees: schema removed: no longer used by an operation",
            "breaking Market.fees: removed",
        ],
        &[
            "additive Fees: schema added: now used by an operation",
            "additive Market.fees: added: `Fees`",
        ],
    );
    // A schema without a generated type affects no program.
    check(
        "        a: {type: string, description: A.}",
        "        b: {type: integer, description: A.}",
        &[
            "additive Unused.a: removed; no operation uses it",
            "additive Unused.b: added: an integer; no operation uses it",
        ],
        &[
            "additive Unused.a: added: a string; no operation uses it",
            "additive Unused.b: removed; no operation uses it",
        ],
    );
    // An inline enum that becomes a named schema is the same type if the name is the generated one.
    let named = with(
        "kind: {type: string, description: How it is figured., enum: [flat, quadratic]}",
        "kind: {$ref: '#/components/schemas/FeesKind'}",
    ) + "    FeesKind: {type: string, description: How it is figured., enum: [flat, quadratic, table]}\n";
    assert_eq!(
        summaries(&diff(EXCHANGE, &named)),
        [
            "additive Fees.kind: the value `table` is added",
            "additive FeesKind: schema added",
            "prose Fees.kind: changed wording: description"
        ]
    );
}

/// Names of inline types depend on the rest of the spec.
#[test]
fn changed_type_names_are_reported() {
    // A named enum with the same values replaces the inline one for all its users.
    let named = EXCHANGE.to_owned()
        + "    TradingStatus: {type: string, description: S., enum: [active, closed, canceled]}\n";
    assert_eq!(
        summaries(&diff(EXCHANGE, &named)),
        [
            "breaking Market.status: the type was `MarketStatus`, is `TradingStatus`",
            "additive TradingStatus: schema added; no operation uses it",
        ]
    );
    // The enum of a shared parameter is named after the parameter.
    let shared = |name: &str| {
        with("        - {name: status, in: query, description: Its status., schema: {type: string, enum: [open, closed]}}\n", &format!("        - $ref: '#/components/parameters/{name}'\n"))
            .replace("  parameters:\n    Limit:", &format!("  parameters:\n    {name}: {{name: status, in: query, description: Its status., schema: {{type: string, enum: [open, closed]}}}}\n    Limit:"))
    };
    assert_eq!(
        summaries(&diff(&shared("StatusQuery"), &shared("StateQuery"))),
        ["breaking GetMarket, parameter status: the type was `StatusQuery`, is `StateQuery`"]
    );
    assert_eq!(
        summaries(&diff(EXCHANGE, &shared("StatusQuery"))),
        ["breaking GetMarket, parameter status: the type was `GetMarketStatus`, is `StatusQuery`"]
    );
}

/// A field that becomes the cursor of a list becomes a required string.
#[test]
fn cursors_are_required_strings() {
    let with_page = |cursor: bool, required: &str| {
        let start = EXCHANGE
            .find("              schema:\n                type: object")
            .unwrap();
        let end = EXCHANGE
            .find("    post:\n      operationId: CreateOrder")
            .unwrap();
        let mut spec = format!(
            "{}              schema: {{$ref: '#/components/schemas/Page'}}\n{}",
            &EXCHANGE[..start],
            &EXCHANGE[end..]
        );
        if !cursor {
            spec = spec.replace("        - {name: cursor, in: query, description: Where to go on., schema: {type: string}}\n", "");
        }
        spec + &format!(
            "    Page: {{type: object, description: P., required: [{required}], properties: {{orders: {{type: array, description: O., items: {{$ref: '#/components/schemas/Order'}}}}, cursor: {{type: string, description: C.}}}}}}\n"
        )
    };
    assert_eq!(
        summaries(&diff(
            &with_page(false, "orders"),
            &with_page(true, "orders")
        )),
        [
            "breaking Page.cursor: the type was an ordinary field, is a cursor, or vice versa",
            "additive GetOrders, parameter cursor: added: a string",
        ]
    );
    assert_eq!(
        summaries(&diff(
            &with_page(true, "orders"),
            &with_page(true, "orders, cursor")
        )),
        ["additive Page.cursor: was optional, is required; a cursor is always a required string"]
    );
}

/// A setter of a Unix time takes a type of its unit, and a value in the other unit is wrong by a factor of 1000.
#[test]
fn changed_units_are_breaking() {
    let units = |unit: &str, at: &str| {
        with(
            "        - {name: depth, in: query, description: Levels of the book., schema: {type: integer, minimum: 0, default: 10}}\n",
            &format!("        - {{name: depth, in: query, description: '{unit}', schema: {{type: integer}}}}\n"),
        )
        .replace("post_only: {type: boolean, default: false,", &format!("at: {{type: integer, description: '{at}'}}\n        post_only: {{type: boolean, default: false,"))
        .replace("count: {type: integer, description: How many contracts.}", &format!("count: {{type: integer, description: '{at}'}}"))
    };
    let (seconds, millis, none) = ("Unix seconds.", "Unix milliseconds.", "A number.");
    let prose = |location: &str| format!("prose {location}: changed wording: description");
    let words = [
        prose("CreateOrderRequest.at"),
        prose("GetMarket, parameter depth"),
        prose("Order.count"),
    ];
    let breaking = |location: &str, before: &str, after: &str| {
        format!("breaking {location}: the unit was {before}, is {after}")
    };
    let mut expected = [
        "CreateOrderRequest.at",
        "GetMarket, parameter depth",
        "Order.count",
    ]
    .map(|location| breaking(location, "Unix seconds", "Unix milliseconds"))
    .to_vec();
    expected.extend(words.clone());
    assert_eq!(
        summaries(&diff(&units(seconds, seconds), &units(millis, millis))),
        expected
    );
    // Orders have no setters.
    let mut expected = ["CreateOrderRequest.at", "GetMarket, parameter depth"]
        .map(|location| breaking(location, "Unix seconds", "not a Unix time"))
        .to_vec();
    expected.extend(words);
    assert_eq!(
        summaries(&diff(&units(seconds, seconds), &units(none, none))),
        expected
    );
}

#[test]
fn lost_methods_for_pages_are_breaking() {
    let list = "                  orders: {type: array, description: The orders., items: {$ref: '#/components/schemas/Order'}}\n";
    let second = format!(
        "{list}                  fills: {{type: array, description: F., items: {{$ref: '#/components/schemas/Order'}}}}\n"
    );
    let third = format!(
        "{second}                  trades: {{type: array, description: T., items: {{$ref: '#/components/schemas/Order'}}}}\n"
    );
    let (two, three) = (with(list, &second), with(list, &third));
    let reported = |old: &str, new: &str| {
        let changes = summaries(&diff(old, new));
        let methods = |change: &String| change.contains("the methods for pages");
        changes.into_iter().filter(methods).collect::<Vec<_>>()
    };
    let (single, several) = (
        "`by_item`, `by_page`, `collect_all`",
        "`by_fill`, `by_order`, `by_page`",
    );
    assert_eq!(
        reported(EXCHANGE, &two),
        [format!(
            "breaking GetOrders: the methods for pages was {single}, is {several}"
        )]
    );
    assert_eq!(reported(&two, EXCHANGE).len(), 1);
    assert_eq!(reported(&two, &three), [""; 0]);
    assert_eq!(reported(&three, &two).len(), 1);
    let unpaged = EXCHANGE.replace("        - {name: cursor, in: query, description: Where to go on., schema: {type: string}}\n", "");
    assert_eq!(reported(&unpaged, EXCHANGE), [""; 0]);
    assert_eq!(
        reported(EXCHANGE, &unpaged),
        [format!(
            "breaking GetOrders: the methods for pages was {single}, is none"
        )]
    );
}

#[test]
fn spec_that_does_not_generate_is_breaking() {
    // Every name that the inline enum could have is taken.
    let taken = ["MarketStatus", "MarketStatusValue", "MarketStatus2"];
    let fields =
        taken.map(|name| format!("        f_{name}: {{$ref: '#/components/schemas/{name}'}}\n"));
    let schemas = taken.map(|name| {
        format!("    {name}: {{type: object, description: S., properties: {{a: {{type: string, description: A.}}}}}}\n")
    });
    let conflict = EXCHANGE.replace(
        "        names: {type: object,",
        &format!("{}        names: {{type: object,", fields.concat()),
    ) + &schemas.concat();
    let changes = diff(EXCHANGE, &conflict).changes;
    assert_eq!(changes[0].class, Class::Breaking);
    assert!(
        changes[0].text.starts_with("does not generate: ")
            && changes[0].text.contains("`MarketStatus`"),
        "{changes:?}"
    );
    assert_eq!(summaries(&diff(&conflict, &conflict)), [""; 0]);
    assert!(
        !diff(&conflict, EXCHANGE)
            .changes
            .iter()
            .any(|change| change.text.contains("generate"))
    );
    let vendored = kalshi_gen_cli::vendor(Some(EXCHANGE), &conflict).unwrap();
    assert!(vendored.diff.unwrap().is_breaking());
}

#[test]
fn changes_without_effect_are_reported() {
    let servers = EXCHANGE.replace(
        "    description: The only one.",
        "    description: The only one.\n    variables: {port: {default: '443'}}",
    );
    assert_eq!(
        summaries(&diff(EXCHANGE, &servers)),
        ["additive $.servers[0].variables: changed, without effect on types or requests"]
    );
    // `false` is equivalent to absence.
    check(
        "      summary: Read a market\n",
        "      summary: Read a market\n      deprecated: false\n",
        &[
            "additive $.paths[\"/markets/{ticker}\"].get.deprecated: changed, without effect on types or requests",
        ],
        &[
            "additive $.paths[\"/markets/{ticker}\"].get.deprecated: changed, without effect on types or requests",
        ],
    );
}

#[test]
fn shared_components_are_reported_once() {
    check(
        "      description: It is not there.",
        "      description: Gone.",
        &["prose response NotFound: changed wording: description"],
        &["prose response NotFound: changed wording: description"],
    );
}

#[test]
fn similar_names_are_not_renames() {
    check(
        "        names: {type: object,",
        "        games: {type: object,",
        &[
            "breaking Market.names: removed",
            "additive Market.games: added: a map of strings",
        ],
        &[
            "breaking Market.games: removed",
            "additive Market.names: added: a map of strings",
        ],
    );
}

/// Control characters and markup are escaped.
#[test]
fn strings_of_the_spec_are_escaped() {
    let odd = with(
        "enum: [bid, ask]",
        r#"enum: [bid, ask, "\e[31mred\n## Breaking <b>`x`"]"#,
    );
    let diff = diff(EXCHANGE, &odd);
    let text = diff.to_string();
    assert!(
        text.contains(r"the value `\u{1b}[31mred\n## Breaking <b>`x`` is added"),
        "{text}"
    );
    let markdown = diff.report(Format::Markdown, true);
    assert!(
        !markdown.contains("<b>")
            && !markdown.contains("\n## Breaking")
            && !markdown.contains('\u{1b}'),
        "{markdown}"
    );
}

#[test]
fn error_responses_are_compared_as_one_type() {
    check(
        "        message: {type: string, description: Why.}\n",
        "",
        &["behaviour ErrorResponse: declared differently; the type in the SDK is the same"],
        &["behaviour ErrorResponse: declared differently; the type in the SDK is the same"],
    );
}

#[test]
fn bodies_and_responses() {
    check(
        "        '204': {description: Done.}",
        "        '200': {description: Done., content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}",
        &[
            "breaking CancelAll, response: body added",
            "behaviour CancelAll, response: the success status was 204, is 200",
        ],
        &[
            "breaking CancelAll, response: body removed",
            "behaviour CancelAll, response: the success status was 200, is 204",
        ],
    );
    check(
        "        '204': {description: Done.}",
        "        '204': {description: Done.}\n        '429': {$ref: '#/components/responses/NotFound'}",
        &["additive CancelAll, response 429: now listed"],
        &["behaviour CancelAll, response 429: no longer listed"],
    );
    let body = "      x-token-cost: 2\n";
    check(
        body,
        &format!(
            "{body}      requestBody: {{content: {{application/json: {{schema: {{type: object, required: [a], properties: {{a: {{type: string}}}}}}}}}}}}\n"
        ),
        &["breaking CancelAll, body: the request now has a body"],
        &["breaking CancelAll, body: removed"],
    );
    check(
        body,
        &format!(
            "{body}      requestBody: {{content: {{application/json: {{schema: {{type: object, oneOf: [{{$ref: '#/components/schemas/CreateOrderRequest'}}, {{type: string}}]}}}}}}}}\n"
        ),
        &["breaking CancelAll, body: the request now has a body"],
        &["breaking CancelAll, body: removed"],
    );
    check(
        body,
        &format!(
            "{body}      requestBody: {{content: {{application/json: {{schema: {{type: object}}}}}}}}\n"
        ),
        &["behaviour CancelAll, body: the body was none, is empty"],
        &["behaviour CancelAll, body: the body was empty, is none"],
    );
    check(
        "                  cursor: {type: string, description: Where to go on.}",
        "                  cursor: {type: string, description: Where to go on.}\n                  total: {type: integer, description: How many.}",
        &["additive GetOrders, response.total: added: an integer"],
        &["breaking GetOrders, response.total: removed"],
    );
}

#[test]
fn document_and_descriptions() {
    check(
        "    description: The only one.",
        "    description: One.",
        &["prose servers: changed wording: description"],
        &["prose servers: changed wording: description"],
    );
    check(
        "  - url: https://example.com/v1",
        "  - url: https://example.com/v2",
        &[
            "behaviour servers: https://example.com/v1 removed",
            "additive servers: https://example.com/v2 added",
        ],
        &[
            "behaviour servers: https://example.com/v2 removed",
            "additive servers: https://example.com/v1 added",
        ],
    );
    check(
        "name: SIGNATURE,",
        "name: SIGN,",
        &["behaviour security schemes: changed"],
        &["behaviour security schemes: changed"],
    );
    check(
        "summary: Read a market",
        "summary: Get a market",
        &["prose GetMarket: changed wording: summary"],
        &["prose GetMarket: changed wording: summary"],
    );
    check(
        "description: Its id as you gave it.",
        "description: Your id.",
        &["prose Order.client_order_id: changed wording: description"],
        &["prose Order.client_order_id: changed wording: description"],
    );
    // A field named like a keyword is still a field.
    let member = with(
        "        volume: {type: integer",
        "        description: {type: string, description: D.}\n        volume: {type: integer",
    );
    assert_eq!(
        summaries(&diff(EXCHANGE, &member)),
        ["additive Market.description: added: a string"]
    );
}

#[test]
fn changes_have_the_path_in_the_spec_that_contains_them() {
    let changed = with(
        "        rules: {type: string, nullable: true, description: What decides it.}\n",
        "        rule: {type: integer, description: R.}\n",
    );
    let diff = diff(EXCHANGE, &changed);
    let paths: Vec<_> = diff
        .changes
        .iter()
        .map(|change| (change.kind, change.path.as_str()))
        .collect();
    assert_eq!(
        paths,
        [
            (
                Kind::Removed,
                "$.components.schemas.Market.properties.rules"
            ),
            (Kind::Added, "$.components.schemas.Market.properties.rule"),
        ]
    );
}

#[test]
fn verdict_counts_changes_and_names_the_release() {
    let additive = with("enum: [bid, ask]", "enum: [bid, ask, both]");
    let breaking = additive.replace(
        "        volume: {type: integer, format: int32, description: Contracts traded.}\n",
        "",
    );
    let prose = with("summary: Read a market", "summary: Get a market");
    assert_eq!(
        diff(EXCHANGE, &additive).verdict(),
        "1 additive: next release is a minor"
    );
    assert_eq!(
        diff(EXCHANGE, &breaking).verdict(),
        "1 additive, 1 breaking: next release is a major"
    );
    assert_eq!(
        diff(EXCHANGE, &prose).verdict(),
        "1 prose: next release is a patch"
    );
    assert!(diff(EXCHANGE, &breaking).is_breaking() && !diff(EXCHANGE, &additive).is_breaking());
    assert_eq!(diff(EXCHANGE, &breaking).count(Class::Additive), 1);
}

#[test]
fn reports() {
    let changed = with("version: 1.0.0", "version: 1.1.0")
        .replace("enum: [bid, ask]", "enum: [bid, ask, both]")
        .replace(
            "        rules: {type: string, nullable: true, description: What decides it.}\n",
            "",
        )
        .replace("summary: Read a market", "summary: Get a market");
    let diff = diff(EXCHANGE, &changed);
    assert_eq!(
        diff.to_string(),
        "spec 1.0.0 -> 1.1.0\n\nBreaking (1)\n  Market.rules: removed\n\nAdditive (1)\n  Side: the value `both` is added\n\nProse (1)\n  GetMarket: changed wording: summary\n\n1 prose, 1 additive, 1 breaking: next release is a major\n"
    );
    assert_eq!(
        diff.report(Format::Markdown, true),
        "## Spec 1.0.0 -> 1.1.0\n\n### Breaking (1)\n\n- **`Market.rules`** removed\n\n### Additive (1)\n\n- **`Side`** the value `both` is added\n\n<details><summary>Prose (1)</summary>\n\n- **`GetMarket`** changed wording: summary\n  - was: Read a market\n  - is: Get a market\n\n</details>\n\n1 prose, 1 additive, 1 breaking: next release is a major\n"
    );
    let json: serde_json::Value = serde_json::from_str(&diff.report(Format::Json, false)).unwrap();
    assert_eq!(
        json["counts"],
        serde_json::json!({ "breaking": 1, "behaviour": 0, "additive": 1, "prose": 1 })
    );
    assert_eq!(
        json["changes"][0],
        serde_json::json!({
            "class": "breaking", "kind": "removed", "subject": "field", "location": "Market.rules",
            "path": "$.components.schemas.Market.properties.rules", "text": "removed",
        })
    );
    assert_eq!(
        (&json["from"], &json["to"], &json["verdict"]),
        (&"1.0.0".into(), &"1.1.0".into(), &diff.verdict().into())
    );
}
