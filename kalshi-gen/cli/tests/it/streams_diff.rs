//! Every class of change of streams, on small ones: what is told, how grave it is, and that nothing else is.

use crate::reported::{self, diff, told};
use kalshi_gen_cli::{Class, Diff, Format, vendor};

const STREAMS: &str = include_str!("../../../tests/specs/streams.yaml");

fn with(old: &str, new: &str) -> String {
    reported::with(STREAMS, old, new)
}

/// What replacing `old` by `new` in the small streams tells, and what going back does.
fn check(old: &str, new: &str, there: &[&str], back: &[&str]) {
    reported::check(STREAMS, old, new, there, back);
}

#[test]
fn a_spec_does_not_differ_from_itself() {
    for spec in [STREAMS, include_str!("../../../../asyncapi.yaml")] {
        let diff = diff(spec, spec);
        assert_eq!(told(&diff), Vec::<String>::new());
        assert_eq!(diff.verdict(), "no difference: no release is needed");
    }
}

#[test]
fn servers_and_the_document() {
    check(
        "host: streams.example.com",
        "host: other.example.com",
        &[r#"behaviour server main: `host` was `"streams.example.com"`, is `"other.example.com"`"#],
        &[r#"behaviour server main: `host` was `"other.example.com"`, is `"streams.example.com"`"#],
    );
    check(
        "  main:\n",
        "  demo: {host: demo.example.com, protocol: wss}\n  main:\n",
        &["additive server demo: is new"],
        &["behaviour server demo: is gone"],
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
        &["behaviour security schemes: they are others"],
        &["behaviour security schemes: they are others"],
    );
    check(
        "    - {name: data, description: What it gets.}\n",
        "",
        &["prose info: the list of tags is another"],
        &["prose info: the list of tags is another"],
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
        &["additive channel control: carries the message halt too"],
        &["behaviour channel control: no longer carries the message halt"],
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
            "breaking grid: schema removed: no operation uses it any more",
            "breaking message price: message removed: no operation carries it any more",
            "behaviour operation receivePrice: no longer carries the message price",
            "additive pricePayload: schema removed: no operation uses it any more",
        ],
        &[
            "additive grid: schema added: an operation uses it now",
            "additive message price: message added: an operation carries it now",
            "additive operation receivePrice: carries the message price too",
            "additive pricePayload: schema added: an operation uses it now",
        ],
    );
    check(
        "  receiveJoined:\n    action: send\n",
        "  receiveJoined:\n    action: receive\n",
        &[
            "breaking operation receiveJoined: what it carries was sent by the exchange, is sent by the client",
        ],
        &[
            "breaking operation receiveJoined: what it carries was sent by the client, is sent by the exchange",
        ],
    );
    check(
        "  receiveBeat:\n",
        "  hearBeat:\n",
        &["additive operation hearBeat: was called `receiveBeat`; no type has its name"],
        &["additive operation receiveBeat: was called `hearBeat`; no type has its name"],
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
        told(&diff(STREAMS, &moved)),
        [
            "behaviour operation receiveBeat: the channel was `control`, is `prices`",
            "additive channel prices: carries the message beat too",
        ]
    );
}

/// The small streams with one more message, carried by an operation of its own.
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
        told(&diff(STREAMS, &news)),
        [
            "additive message news: message added: on `prices`",
            "additive newsPayload: schema added",
            "additive operation receiveNews: operation added",
        ]
    );
    assert_eq!(
        told(&diff(&news, STREAMS)),
        [
            "breaking message news: message removed",
            "behaviour operation receiveNews: operation removed",
            "additive newsPayload: schema removed; no type has its name",
        ]
    );
    let renamed = news
        .replace("messages/news'", "messages/headline'")
        .replace("    news:\n", "    headline:\n")
        .replace("      news: {", "      headline: {");
    assert_eq!(
        told(&diff(&news, &renamed)),
        ["breaking message headline: was called `news`"]
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
    // A frame without a type of its own is no message.
    check(
        "const: joined, ",
        "",
        &[
            "breaking JoinedReply: nothing makes the type any more",
            r#"behaviour joinedPayload.type: `const` was `"joined"`, is not set"#,
        ],
        &[r#"behaviour joinedPayload.type: `const` was not set, is `"joined"`"#],
    );
}

#[test]
fn members_are_told_like_those_of_calls() {
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
            "breaking pricePayload.msg.price_dollars: was required, is optional; its type is an `Option` now",
        ],
        &[
            "breaking pricePayload.msg.price_dollars: was optional, is required; its type is no `Option` any more",
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
        &["breaking halt.msg.reason: the type was an enum of its own, is a text"],
        &["breaking halt.msg.reason: the type was a text, is an enum of its own"],
    );
    // What a client sends breaks where it must say more.
    check(
        "required: [channel]",
        "required: [channel, tickers]",
        &[
            "breaking joinCommandPayload.params.tickers: was optional, is required; requests must carry it",
        ],
        &[
            "additive joinCommandPayload.params.tickers: was required, is optional; requests may leave it out",
        ],
    );
    // What stands beside the body is of no type.
    check(
        "      required: [type, id]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n        id: {$ref: '#/components/schemas/requestId'}\n",
        "      required: [type]\n      properties:\n        type: {type: string, const: joined, description: Always this.}\n",
        &["behaviour joinedPayload.id: removed"],
        &["behaviour joinedPayload.id: added, required: a whole number"],
    );
}

#[test]
fn schemas_without_a_type_of_their_own_have_no_name_to_lose() {
    // A text or a number is put where it is referred to.
    let renamed = STREAMS
        .replace("schemas/ticker'", "schemas/marketTicker'")
        .replace(
            "    ticker: {type: string",
            "    marketTicker: {type: string",
        );
    let told_of = |old: &str, new: &str| told(&diff(old, new));
    assert_eq!(
        told_of(STREAMS, &renamed),
        ["additive marketTicker: was called `ticker`"]
    );
    let renamed = STREAMS.replace("joinedPayload", "enteredPayload");
    assert_eq!(
        told_of(STREAMS, &renamed),
        ["additive enteredPayload: was called `joinedPayload`"]
    );
    let renamed = STREAMS
        .replace("schemas/grid'", "schemas/steps'")
        .replace("    grid:\n", "    steps:\n");
    assert_eq!(
        told_of(STREAMS, &renamed),
        ["breaking steps: was called `grid`"]
    );
    // Its type is that of all members that refer to it.
    check(
        "    ticker: {type: string,",
        "    ticker: {type: integer,",
        &[
            "breaking joinCommandPayload.params.tickers: the type was a list of texts, is a list of whole numbers",
            "breaking pricePayload.msg.ticker: the type was a text, is a whole number",
            "breaking ticker: the type was a text, is a whole number",
        ],
        &[
            "breaking joinCommandPayload.params.tickers: the type was a list of whole numbers, is a list of texts",
            "breaking pricePayload.msg.ticker: the type was a whole number, is a text",
            "breaking ticker: the type was a whole number, is a text",
        ],
    );
}

#[test]
fn words_are_words_and_every_form_has_them() {
    check(
        "summary: A new price",
        "summary: Another price",
        &["prose message price: other words: summary"],
        &["prose message price: other words: summary"],
    );
    check(
        "description: From one to the next.",
        "description: The distance.",
        &["prose grid.step: other words: description"],
        &["prose grid.step: other words: description"],
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
fn words_follow_what_is_called_otherwise() {
    let upstream = STREAMS
        .replace("messages/price'", "messages/quotation'")
        .replace("    price:\n      name", "    quotation:\n      name")
        .replace("      price: {", "      quotation: {")
        .replace("  receiveBeat:\n", "  hearBeat:\n")
        .replace("joinedPayload", "enteredPayload");
    let taken = vendor(Some(STREAMS), &upstream).unwrap();
    assert_eq!(taken.needs_words, Vec::<String>::new());
    for words in [
        "    quotation:\n      name: price\n      summary: A new price\n",
        "  hearBeat:\n    action: send\n    summary: Hear that all is well\n",
        "    enteredPayload:\n      type: object\n      description: The answer to a join.\n",
    ] {
        assert!(taken.text.contains(words), "{words}\n{}", taken.text);
    }
}
