//! Every class of change of a small AsyncAPI spec: the reported changes and their class, and that
//! nothing else is reported.

use crate::reported::{self, diff, summaries};
use kalshi_gen_cli::{Class, Diff, Format, vendor};

const STREAMS: &str = include_str!("../../../tests/specs/streams.yaml");

fn with(old: &str, new: &str) -> String {
    reported::with(STREAMS, old, new)
}

/// Checks the changes reported for replacing `old` by `new` in the small spec, and for the reverse.
fn check(old: &str, new: &str, forward: &[&str], backward: &[&str]) {
    reported::check(STREAMS, old, new, forward, backward);
}

#[test]
fn identical_specs_have_no_differences() {
    let diff = diff(STREAMS, STREAMS);
    assert_eq!(summaries(&diff), Vec::<String>::new());
    assert_eq!(diff.verdict(), "no differences: no release needed");
}

#[test]
fn servers_and_document() {
    check(
        "host: streams.example.com",
        "host: other.example.com",
        &[r#"behaviour server main: `host` was `"streams.example.com"`, is `"other.example.com"`"#],
        &[r#"behaviour server main: `host` was `"other.example.com"`, is `"streams.example.com"`"#],
    );
    check(
        "  main:\n",
        "  demo: {host: demo.example.com, protocol: wss}\n  main:\n",
        &["additive server demo: added"],
        &["behaviour server demo: removed"],
    );
    check(
        "defaultContentType: application/json\n",
        "",
        &[r#"behaviour the document: `defaultContentType` was `"application/json"`, is not set"#],
        &[r#"behaviour the document: `defaultContentType` was not set, is `"application/json"`"#],
    );
    check(
        "in: user,",
        "in: password,",
        &["behaviour security schemes: changed"],
        &["behaviour security schemes: changed"],
    );
    check(
        "    - {name: data, description: What it gets.}\n",
        "",
        &["prose info: the list of tags changed"],
        &["prose info: the list of tags changed"],
    );
}

#[test]
fn channels() {
    check(
        "    address: prices\n",
        "    address: quotes\n",
        &["breaking channel prices: the address was `prices`, is `quotes`"],
        &["breaking channel prices: the address was `quotes`, is `prices`"],
    );
    check(
        "  prices:\n    address",
        "  more:\n    address: more\n    messages: {beat: {$ref: '#/components/messages/beat'}}\n  prices:\n    address",
        &["additive channel more: channel added: `more`"],
        &["breaking channel more: channel removed"],
    );
    check(
        "      beat: {$ref: '#/components/messages/beat'}\n",
        "      beat: {$ref: '#/components/messages/beat'}\n      halt: {$ref: '#/components/messages/halt'}\n",
        &["additive channel control: now includes the message halt"],
        &["behaviour channel control: no longer includes the message halt"],
    );
    check(
        "    bindings: {ws: {method: GET}}\n",
        "",
        &[r#"behaviour channel control: `bindings` was `{"ws":{"method":"GET"}}`, is not set"#],
        &[r#"behaviour channel control: `bindings` was not set, is `{"ws":{"method":"GET"}}`"#],
    );
}

#[test]
fn operations() {
    check(
        "      - $ref: '#/channels/prices/messages/price'\n",
        "",
        &[
            "breaking grid: schema removed: no longer used by an operation",
            "breaking message price: message removed: no longer used by an operation",
            "behaviour operation receivePrice: no longer includes the message price",
            "additive pricePayload: schema removed: no longer used by an operation",
        ],
        &[
            "additive grid: schema added: now used by an operation",
            "additive message price: message added: now used by an operation",
            "additive operation receivePrice: now includes the message price",
            "additive pricePayload: schema added: now used by an operation",
        ],
    );
    check(
        "  receiveJoined:\n    action: send\n",
        "  receiveJoined:\n    action: receive\n",
        &[
            "breaking operation receiveJoined: the direction was sent by the exchange, is sent by the client",
        ],
        &[
            "breaking operation receiveJoined: the direction was sent by the client, is sent by the exchange",
        ],
    );
    check(
        "  receiveBeat:\n",
        "  hearBeat:\n",
        &["additive operation hearBeat: renamed from `receiveBeat`; no type is named after it"],
        &["additive operation receiveBeat: renamed from `hearBeat`; no type is named after it"],
    );
    check(
        "    tags: [{name: data}]\n",
        "",
        &[r#"behaviour operation receivePrice: `tags` was `[{"name":"data"}]`, is not set"#],
        &[r#"behaviour operation receivePrice: `tags` was not set, is `[{"name":"data"}]`"#],
    );
    let moved = with(
        "    channel: {$ref: '#/channels/control'}\n    messages:\n      - $ref: '#/channels/control/messages/beat'\n",
        "    channel: {$ref: '#/channels/prices'}\n    messages:\n      - $ref: '#/channels/prices/messages/beat'\n",
    );
    let moved = reported::with(
        &moved,
        "      halt: {$ref: '#/components/messages/halt'}\n",
        "      halt: {$ref: '#/components/messages/halt'}\n      beat: {$ref: '#/components/messages/beat'}\n",
    );
    assert_eq!(
        summaries(&diff(STREAMS, &moved)),
        [
            "behaviour operation receiveBeat: the channel was `control`, is `prices`",
            "additive channel prices: now includes the message beat",
        ]
    );
}

/// Returns the small spec with an additional message and its operation.
fn with_news() -> String {
    let news = with(
        "    halt:\n      name: halt\n",
        "    news:\n      name: news\n      payload: {$ref: '#/components/schemas/newsPayload'}\n    halt:\n      name: halt\n",
    );
    let news = reported::with(
        &news,
        "      halt: {$ref: '#/components/messages/halt'}\n",
        "      halt: {$ref: '#/components/messages/halt'}\n      news: {$ref: '#/components/messages/news'}\n",
    );
    let news = reported::with(
        &news,
        "  receiveBeat:\n",
        "  receiveNews:\n    action: send\n    channel: {$ref: '#/channels/prices'}\n    messages: [{$ref: '#/channels/prices/messages/news'}]\n  receiveBeat:\n",
    );
    reported::with(
        &news,
        "    joinedPayload:\n",
        "    newsPayload:\n      type: object\n      properties:\n        type: {type: string, const: news}\n        msg: {type: object, properties: {text: {type: string}}}\n    joinedPayload:\n",
    )
}

#[test]
fn messages() {
    let news = with_news();
    assert_eq!(
        summaries(&diff(STREAMS, &news)),
        [
            "additive message news: message added: on `prices`",
            "additive newsPayload: schema added",
            "additive operation receiveNews: operation added",
        ]
    );
    assert_eq!(
        summaries(&diff(&news, STREAMS)),
        [
            "breaking message news: message removed",
            "behaviour operation receiveNews: operation removed",
            "additive newsPayload: schema removed; no type is named after it",
        ]
    );
    let renamed = news
        .replace("messages/news'", "messages/headline'")
        .replace("    news:\n", "    headline:\n")
        .replace("      news: {", "      headline: {");
    assert_eq!(
        summaries(&diff(&news, &renamed)),
        ["breaking message headline: renamed from `news`"]
    );
    check(
        "      name: halt\n",
        "      name: stop\n",
        &[r#"behaviour message halt: `name` was `"halt"`, is `"stop"`"#],
        &[r#"behaviour message halt: `name` was `"stop"`, is `"halt"`"#],
    );
    check(
        "const: joined",
        "const: entered",
        &[r#"behaviour joinedPayload.type: `const` was `"joined"`, is `"entered"`"#],
        &[r#"behaviour joinedPayload.type: `const` was `"entered"`, is `"joined"`"#],
    );
    // A frame without a type is not a message.
    check(
        "const: joined, ",
        "",
        &[
            "breaking JoinedReply: the type is no longer generated",
            r#"behaviour joinedPayload.type: `const` was `"joined"`, is not set"#,
        ],
        &[r#"behaviour joinedPayload.type: `const` was not set, is `"joined"`"#],
    );
}

#[test]
fn fields_are_reported_as_in_openapi_specs() {
    check(
        "            at: {type: string, format: date-time, description: When.}\n",
        "",
        &["breaking pricePayload.msg.at: removed"],
        &["additive pricePayload.msg.at: added: a time"],
    );
    check(
        "required: [ticker, price_dollars]",
        "required: [ticker]",
        &[
            "breaking pricePayload.msg.price_dollars: was required, is optional; its type is now an `Option`",
        ],
        &[
            "breaking pricePayload.msg.price_dollars: was optional, is required; its type is no longer an `Option`",
        ],
    );
    check(
        "type: [string, 'null']",
        "type: string",
        &["additive pricePayload.msg.before: was optional or null, is optional"],
        &["additive pricePayload.msg.before: was optional, is optional or null"],
    );
    check(
        "enum: [yes, no]",
        "enum: [yes, no, both]",
        &["additive pricePayload.msg.side: the value `both` is added"],
        &["breaking pricePayload.msg.side: the value `both` is removed"],
    );
    check(
        "reason: {type: string, enum: [news, fault], description: Why.}",
        "reason: {type: string, description: Why.}",
        &["breaking halt.msg.reason: the type was an inline enum, is a string"],
        &["breaking halt.msg.reason: the type was a string, is an inline enum"],
    );
    // A client message breaks if it must contain more.
    check(
        "required: [channel]",
        "required: [channel, tickers]",
        &[
            "breaking joinCommandPayload.params.tickers: was optional, is required; requests must include it",
        ],
        &[
            "additive joinCommandPayload.params.tickers: was required, is optional; requests may omit it",
        ],
    );
    // Fields next to the body have no type.
    check(
        "      required: [type, id]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n        id: {$ref: '#/components/schemas/requestId'}\n",
        "      required: [type]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n",
        &["behaviour joinedPayload.id: removed"],
        &["behaviour joinedPayload.id: added, required: an integer"],
    );
}

#[test]
fn names_with_a_dot_are_not_fields_of_a_payload() {
    let dotted = STREAMS
        .replace("channels/prices", "channels/pri.ces")
        .replace("  prices:\n", "  pri.ces:\n")
        .replace("  receiveJoined:\n", "  receive.joined:\n")
        .replace("messages/halt'", "messages/ha.lt'")
        .replace("    halt:\n", "    ha.lt:\n")
        .replace("      halt: {", "      ha.lt: {")
        .replace("joinedPayload", "joined.payload");
    let check = |old: &str, new: &str, expected: &[&str]| {
        let changed = reported::with(&dotted, old, new);
        assert_eq!(summaries(&diff(&dotted, &changed)), expected);
    };
    check(
        "    address: prices\n",
        "    address: quotes\n",
        &["breaking channel pri.ces: the address was `prices`, is `quotes`"],
    );
    check(
        "  receive.joined:\n    action: send\n",
        "  receive.joined:\n    action: receive\n",
        &[
            "breaking operation receive.joined: the direction was sent by the exchange, is sent by the client",
        ],
    );
    check(
        "      - $ref: '#/channels/pri.ces/messages/ha.lt'\n",
        "",
        &[
            "breaking message ha.lt: message removed: no longer used by an operation",
            "behaviour operation receivePrice: no longer includes the message ha.lt",
        ],
    );
    check(
        "reason: {type: string, enum: [news, fault], description: Why.}",
        "reason: {type: string, description: Why.}",
        &["breaking ha.lt.msg.reason: the type was an inline enum, is a string"],
    );
    // Fields beside the body, of an inline and of a named payload.
    let added = reported::with(
        &dotted,
        "type: {type: string, const: halt, description: Always this.}\n",
        "type: {type: string, const: halt, description: Always this.}\n          sid: {type: integer, description: S.}\n",
    );
    assert_eq!(
        summaries(&diff(&added, &dotted)),
        ["behaviour ha.lt.sid: removed"]
    );
    check(
        "      required: [type, id]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n        id: {$ref: '#/components/schemas/requestId'}\n",
        "      required: [type]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n",
        &["behaviour joined.payload.id: removed"],
    );
}

/// The enum of all messages boxes large bodies.
#[test]
fn boxed_bodies_are_breaking() {
    let field = "              reason: {type: string, enum: [news, fault], description: Why.}";
    let with_fields = |count: usize| {
        let fields =
            (1..count).map(|n| format!("\n              f{n}: {{type: integer, description: N.}}"));
        with(field, &(field.to_owned() + &fields.collect::<String>()))
    };
    let of_boxes = |old: usize, new: usize| {
        let changes = summaries(&diff(&with_fields(old), &with_fields(new)));
        let of_boxes = |change: &String| change.contains("Message::");
        changes.into_iter().filter(of_boxes).collect::<Vec<_>>()
    };
    assert_eq!(
        of_boxes(15, 16),
        ["breaking Message::Halt: the body was not boxed, is boxed"]
    );
    assert_eq!(
        of_boxes(16, 15),
        ["breaking Message::Halt: the body was boxed, is not boxed"]
    );
    assert_eq!(of_boxes(1, 15), [""; 0]);
    assert_eq!(of_boxes(16, 17), [""; 0]);
}

#[test]
fn units_of_commands_are_compared() {
    let with_unit = |unit: &str| {
        with(
            "            quiet: {",
            &format!(
                "            since: {{type: integer, description: '{unit}'}}\n            quiet: {{"
            ),
        )
    };
    assert_eq!(
        summaries(&diff(
            &with_unit("Unix seconds."),
            &with_unit("Unix milliseconds.")
        )),
        [
            "breaking JoinParams.since: the unit was Unix seconds, is Unix milliseconds",
            "prose joinCommandPayload.params.since: changed wording: description",
        ]
    );
}

/// A body without a type is only found when code is generated.
#[test]
fn spec_that_does_not_generate_is_breaking() {
    let map = reported::with(
        &with_news(),
        "msg: {type: object, properties: {text: {type: string}}}",
        "msg: {type: object, additionalProperties: {type: string}}",
    );
    let changes = diff(STREAMS, &map).changes;
    assert!(
        changes[0]
            .text
            .starts_with("does not generate: $.operations."),
        "{changes:?}"
    );
    assert!(diff(STREAMS, &map).is_breaking());
}

#[test]
fn renaming_a_schema_without_a_type_is_additive() {
    // Strings and numbers are inlined where they are referenced.
    let renamed = STREAMS
        .replace("schemas/ticker'", "schemas/marketTicker'")
        .replace(
            "    ticker: {type: string",
            "    marketTicker: {type: string",
        );
    let summaries_of = |old: &str, new: &str| summaries(&diff(old, new));
    assert_eq!(
        summaries_of(STREAMS, &renamed),
        ["additive marketTicker: renamed from `ticker`"]
    );
    let renamed = STREAMS.replace("joinedPayload", "enteredPayload");
    assert_eq!(
        summaries_of(STREAMS, &renamed),
        ["additive enteredPayload: renamed from `joinedPayload`"]
    );
    let renamed = STREAMS
        .replace("schemas/grid'", "schemas/steps'")
        .replace("    grid:\n", "    steps:\n");
    assert_eq!(
        summaries_of(STREAMS, &renamed),
        ["breaking steps: renamed from `grid`"]
    );
    // Its type is the type of every field that refers to it.
    check(
        "    ticker: {type: string,",
        "    ticker: {type: integer,",
        &[
            "breaking joinCommandPayload.params.tickers: the type was a list of strings, is a list of integers",
            "breaking pricePayload.msg.ticker: the type was a string, is an integer",
            "breaking ticker: the type was a string, is an integer",
        ],
        &[
            "breaking joinCommandPayload.params.tickers: the type was a list of integers, is a list of strings",
            "breaking pricePayload.msg.ticker: the type was an integer, is a string",
            "breaking ticker: the type was an integer, is a string",
        ],
    );
}

#[test]
fn descriptions_are_prose_in_every_format() {
    check(
        "summary: A new price",
        "summary: Another price",
        &["prose message price: changed wording: summary"],
        &["prose message price: changed wording: summary"],
    );
    check(
        "description: From one to the next.",
        "description: The distance.",
        &["prose grid.step: changed wording: description"],
        &["prose grid.step: changed wording: description"],
    );
    let diff: Diff = diff(STREAMS, &with_news());
    assert_eq!(
        (diff.count(Class::Additive), diff.is_breaking()),
        (3, false)
    );
    let markdown = diff.report(Format::Markdown, false);
    assert!(
        markdown.contains("- **`message news`** message added: on `prices`\n"),
        "{markdown}"
    );
    let json: serde_json::Value = serde_json::from_str(&diff.report(Format::Json, false)).unwrap();
    assert_eq!(
        (&json["changes"][0]["subject"], &json["changes"][0]["path"]),
        (&"message".into(), &"$.components.messages.news".into())
    );
}

#[test]
fn descriptions_follow_renamed_elements() {
    let upstream = STREAMS
        .replace("messages/price'", "messages/quotation'")
        .replace("    price:\n      name", "    quotation:\n      name")
        .replace("      price: {", "      quotation: {")
        .replace("  receiveBeat:\n", "  hearBeat:\n")
        .replace("joinedPayload", "enteredPayload");
    let vendored = vendor(Some(STREAMS), &upstream).unwrap();
    assert_eq!(vendored.missing_descriptions, Vec::<String>::new());
    for text in [
        "    quotation:\n      name: price\n      summary: A new price\n",
        "  hearBeat:\n    action: send\n    summary: Hear that all is well\n",
        "    enteredPayload:\n      type: object\n      description: The answer to a join.\n",
    ] {
        assert!(vendored.text.contains(text), "{text}\n{}", vendored.text);
    }
}
