//! The AsyncAPI spec in the maintainer's workflow: validation, vendoring and auditing.

use kalshi_gen::{FixupMode, Options, Protocol, Samples, generate};
use kalshi_gen_cli::{Committed, Diff, Lock, Locks, Vendored, vendor};

const STREAMS: &str = include_str!("../../../tests/specs/streams.yaml");
const OURS: &str = include_str!("../../../../asyncapi.yaml");
const PLACEHOLDER: &str = "DESCRIPTION NEEDED";

/// Returns the small spec with one substring, which must be unique, replaced.
fn with(old: &str, new: &str) -> String {
    replaced(STREAMS, old, new)
}

fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

fn revendor(ours: &str, upstream: &str) -> Vendored {
    vendor(Some(ours), upstream).unwrap()
}

/// Returns the small spec in canonical format.
fn ours() -> String {
    revendor(STREAMS, STREAMS).text
}

/// Returns the spec without our descriptions, and with other descriptions instead.
fn published(spec: &str) -> String {
    let lines = spec.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            for key in ["description: ", "summary: ", "title: "] {
                if let Some((head, tail)) = line.split_once(key) {
                    let rest = &tail[tail.find(['}', ',']).unwrap_or(tail.len())..];
                    return format!("{head}{key}Theirs{rest}\n");
                }
            }
            format!("{line}\n")
        })
        .collect()
}

#[test]
fn invalid_specs_are_rejected_with_their_json_path() {
    generate(STREAMS, &Options::new()).unwrap();
    for (old, new, expected) in [
        (
            "asyncapi: 3.0.0",
            "asyncapi: 2.6.0",
            "not an AsyncAPI 3 document",
        ),
        (
            "  version: 1.0.0\n",
            "",
            "$.info.version: this string is missing",
        ),
        (
            "    address: prices\n",
            "",
            "$.channels.prices.address: this string is missing",
        ),
        (
            "      halt: {$ref: '#/components/messages/halt'}",
            "      halt: {$ref: '#/components/messages/halts'}",
            r##"$.channels.prices.messages.halt: refers to "#/components/messages/halts", which does not exist"##,
        ),
        (
            "      - $ref: '#/channels/prices/messages/halt'",
            "      - $ref: '#/channels/prices/messages/stop'",
            r##"$.operations.receivePrice.messages[1]: refers to "#/channels/prices/messages/stop", which does not exist"##,
        ),
        (
            "      - $ref: '#/channels/prices/messages/halt'",
            "      - $ref: '#/components/messages/halt'",
            "$.operations.receivePrice.messages[1]: is not a message of the operation's channel, #/channels/prices",
        ),
        (
            "    summary: Hear of a price\n    channel: {$ref: '#/channels/prices'}\n",
            "    summary: Hear of a price\n",
            "$.operations.receivePrice.channel: an operation must refer to its channel",
        ),
        (
            "    messages:\n      - $ref: '#/channels/control/messages/beat'\n",
            "",
            "$.operations.receiveBeat.messages: an operation must have messages",
        ),
        (
            "    action: receive\n",
            "    action: hear\n",
            "$.operations.sendJoin.action: must be `send` or `receive`",
        ),
        (
            "      - $ref: '#/components/securitySchemes/key'",
            "      - $ref: '#/components/securitySchemes/lock'",
            "$.servers.main.security[0]: refers to",
        ),
        (
            "      payload: {$ref: '#/components/schemas/joinedPayload'}\n",
            "",
            "$.channels.control.messages.joinedResponse: a message must have a payload",
        ),
        (
            "            grid: {$ref: '#/components/schemas/grid'}\n",
            "            grid: {$ref: '#/components/schemas/mesh'}\n",
            "$.components.schemas.pricePayload.properties.msg.properties.grid: refers to",
        ),
        (
            "reason: {type: string, enum: [news, fault], description: Why.}",
            "reason: {type: text}",
            r#"$.components.messages.halt.payload.properties.msg.properties.reason.type: not an OpenAPI 3.0 type: "text""#,
        ),
        (
            "type: [string, 'null']",
            "type: [string, integer]",
            "$.components.schemas.pricePayload.properties.msg.properties.before.type: not an OpenAPI 3.0 type",
        ),
        (
            "    requestId: {type: integer,",
            "    requestId: {type: integer, if: {minimum: 2},",
            "$.components.schemas.requestId.if: this keyword cannot be expressed in Rust",
        ),
        (
            "    halt:\n      name",
            "    Price: {payload: {type: string}}\n    halt:\n      name",
            "has the same name in Rust as",
        ),
    ] {
        let changed = with(old, new);
        let error = generate(&changed, &Options::new()).unwrap_err();
        assert!(error.to_string().contains(expected), "{new}: {error}");
        let error = Diff::new(STREAMS, &changed).unwrap_err();
        assert!(error.to_string().contains(expected), "{new}: {error}");
    }
}

#[test]
fn specs_of_different_kinds_are_not_compared() {
    let exchange = include_str!("../../../tests/specs/exchange.yaml");
    let kinds = "the specs are of different kinds: this one has `asyncapi`, the other `openapi`";
    let error = Diff::new(exchange, STREAMS).unwrap_err().to_string();
    assert!(error.contains(kinds), "{error}");
    let error = vendor(Some(exchange), STREAMS).unwrap_err().to_string();
    assert!(error.contains(kinds), "{error}");
    let error = Samples::new(STREAMS, FixupMode::Lenient).unwrap_err();
    assert!(error.to_string().contains("an AsyncAPI spec"), "{error}");
    assert_eq!(Protocol::from_text(STREAMS).unwrap(), Protocol::Streams);
    assert_eq!(Protocol::from_text(exchange).unwrap(), Protocol::Rest);
}

#[test]
fn vendoring_the_same_spec_changes_nothing() {
    let ours = ours();
    let again = revendor(&ours, &published(STREAMS));
    assert_eq!(again.text, ours);
    assert_eq!(again.missing_descriptions, Vec::<String>::new());
    assert_eq!(again.diff.unwrap().changes.len(), 0);
    assert!(ours.starts_with("# Small streams: one of every construct that the differences are about.\nasyncapi: '3.0.0'\n"));
    // This project's vendored spec is in canonical format.
    let again = revendor(OURS, OURS);
    assert_eq!(again.text, OURS);
    assert_eq!(again.diff.unwrap().changes.len(), 0);
}

#[test]
fn new_elements_are_marked_and_removed_ones_dropped() {
    let more = with(
        "            old: {type: integer, format: int32, deprecated: true, description: Ignore it.}\n",
        "            spread: {type: integer, description: Not ours., examples: [7]}\n",
    );
    let more = replaced(
        &more,
        "    halt:\n      name: halt\n",
        "    open:\n      name: open\n      title: Theirs\n      payload: {type: string, const: o}\n    halt:\n      name: halt\n",
    );
    let upstream = published(&replaced(
        &more,
        "  prices:\n    address",
        "  news:\n    address: news\n    messages:\n      open: {$ref: '#/components/messages/open'}\n  prices:\n    address",
    ));
    let vendored = revendor(&ours(), &upstream);
    assert_eq!(
        vendored.missing_descriptions,
        [
            "$.channels.news.description",
            "$.components.messages.open.summary",
            "$.components.schemas.pricePayload.properties.msg.properties.spread.description",
        ]
    );
    assert_eq!(vendored.text.matches(PLACEHOLDER).count(), 3);
    assert!(
        vendored.text.contains(
            "  news:\n    address: news\n    description: DESCRIPTION NEEDED\n    messages:\n"
        ),
        "{}",
        vendored.text
    );
    for removed in ["Ignore it", "Theirs", "examples"] {
        assert!(!vendored.text.contains(removed), "{removed}");
    }
    // Descriptions are kept once they are written.
    let written = vendored.text.replace(PLACEHOLDER, "Now written.");
    let again = revendor(&written, &upstream);
    assert_eq!(
        (again.text, again.missing_descriptions),
        (written, Vec::new())
    );
}

#[test]
fn first_spec_has_no_descriptions() {
    let vendored = vendor(None, STREAMS).unwrap();
    assert!(vendored.diff.is_none());
    for location in [
        "$.info.tags[0].description",
        "$.servers.main.description",
        "$.channels.prices.description",
        "$.operations.receivePrice.summary",
        "$.components.messages.price.summary",
        "$.components.messages.halt.payload.properties.msg.properties.reason.description",
        "$.components.schemas.pricePayload.description",
        "$.components.schemas.pricePayload.properties.msg.properties.at.description",
        "$.components.securitySchemes.key.description",
    ] {
        assert!(
            vendored
                .missing_descriptions
                .iter()
                .any(|other| other == location),
            "{location}: {:?}",
            vendored.missing_descriptions
        );
    }
}

#[test]
fn each_spec_has_its_own_lock() {
    let lock = Lock::new(
        &published(STREAMS),
        "https://example.com/asyncapi.yaml",
        "2026-01-02",
    )
    .unwrap();
    assert!(lock.matches(&ours()).unwrap());
    for (old, new) in [
        ("address: prices", "address: price"),
        ("const: joined", "const: join"),
        ("name: halt", "name: halted"),
        ("minItems: 1", "minItems: 2"),
    ] {
        assert!(!lock.matches(&with(old, new)).unwrap(), "{new}");
    }
    let mut locks = Locks::default();
    locks.insert(Protocol::Streams, lock.clone());
    let text = locks.to_string();
    assert_eq!(Locks::parse(&text).unwrap(), locks);
    assert_eq!(locks.get(Protocol::Streams), Some(&lock));
    assert_eq!(locks.get(Protocol::Rest), None);
}

/// Returns the open findings, in order.
fn open_findings(spec: &str, lock: Option<&str>) -> Vec<String> {
    let findings = Committed::new(spec, lock, None).audit().unwrap();
    assert_eq!(findings.len(), 5);
    findings
        .into_iter()
        .filter(|finding| finding.action.is_some())
        .map(|finding| format!("{}: {}", finding.check, finding.summary))
        .collect()
}

#[test]
fn audit_reports_open_findings() {
    let text = include_str!("../../../../spec.lock");
    let lock = Some(text);
    let undescribed = OURS.replacen("      summary: Public trade in a market\n", "", 1);
    let newer = replaced(&undescribed, "version: '2.0.0'", "version: '99.0.0'");
    assert_eq!(
        open_findings(&newer, lock),
        [
            "described: descriptions missing: 1",
            "locked: spec.lock has version 2.0.0, the spec has 99.0.0",
        ]
    );
    let altered = OURS.replacen("            - clock\n", "", 2);
    assert_eq!(
        open_findings(&altered, lock),
        [
            "fixups: the fixup `book_clock_is_new` no longer applies to this spec: remove it from kalshi-gen/src/asyncapi/fixups.rs",
            "locked: asyncapi.yaml differs from spec.lock: put corrections into fixups.rs, not into the spec",
        ]
    );
    // A fixup does not apply to this spec either.
    assert_eq!(
        open_findings(STREAMS, None)[1..],
        ["locked: there is no spec.lock"]
    );
    let rest_lock = text.split("asyncapi:\n").next();
    assert_eq!(
        open_findings(STREAMS, rest_lock)[1..],
        ["locked: spec.lock has no entry `asyncapi`"]
    );
}
