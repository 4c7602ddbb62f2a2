//! Vendoring a published spec: its structure, our descriptions and `x-` fields, canonical format and stable order.

use kalshi_gen::Protocol;
use kalshi_gen_cli::{Committed, Format, Lock, Locks, Vendored, vendor};
use serde_json::Value;

const EXCHANGE: &str = include_str!("../../../tests/specs/exchange.yaml");
const PLACEHOLDER: &str = "DESCRIPTION NEEDED";

/// Returns our spec in canonical format.
fn ours() -> String {
    revendor(EXCHANGE, &with("openapi: 3.0.0", "openapi: 3.0.0")).text
}

fn with(old: &str, new: &str) -> String {
    assert_eq!(EXCHANGE.matches(old).count(), 1, "{old}");
    EXCHANGE.replace(old, new)
}

fn revendor(ours: &str, upstream: &str) -> Vendored {
    vendor(Some(ours), upstream).unwrap()
}

/// Returns the spec without our descriptions and `x-` fields, and with other descriptions instead.
fn published(spec: &str) -> String {
    let ours = ["description: ", "summary: ", "title: "];
    let lines = spec
        .lines()
        .filter(|line| !line.trim_start().starts_with("x-") && !line.starts_with('#'))
        .map(|line| {
            let mut line = line.to_owned();
            for key in ours {
                if let Some((head, tail)) = line.clone().split_once(key) {
                    let end = tail.find([',', '}']).unwrap_or(tail.len());
                    let rest = &tail[end..];
                    line = format!("{head}{key}Theirs{rest}");
                }
            }
            line + "\n"
        });
    lines.collect::<String>().replace("|-\n", "").replace(
        "Theirs\n        Places an order.\n\n        **Rate limit:** 10 tokens per request.\n",
        "Theirs\n",
    )
}

#[test]
fn vendoring_the_same_spec_changes_nothing() {
    let ours = ours();
    let again = revendor(&ours, &published(EXCHANGE));
    assert_eq!(again.text, ours);
    assert_eq!(again.missing_descriptions, Vec::<String>::new());
    assert_eq!(again.diff.unwrap().changes.len(), 0);
    assert!(!again.text.contains("Theirs"));
    assert!(again.text.starts_with("# A small exchange: one of every construct that the differences are about.\nopenapi: '3.0.0'\n"));
    // This project's vendored spec is in canonical format.
    let vendored = include_str!("../../../../openapi.yaml");
    let again = revendor(vendored, vendored);
    assert_eq!(again.text, vendored);
    assert_eq!(again.diff.unwrap().changes.len(), 0);
}

#[test]
fn upstream_order_of_known_elements_is_irrelevant() {
    fn reversed(node: &Value) -> String {
        match node {
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .rev()
                    .map(|(key, value)| {
                        format!("{}: {}", Value::from(key.as_str()), reversed(value))
                    })
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let items: Vec<_> = items.iter().rev().map(reversed).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Array(items) => format!(
                "[{}]",
                items.iter().map(reversed).collect::<Vec<_>>().join(", ")
            ),
            leaf => leaf.to_string(),
        }
    }
    let ours = ours();
    let spec = kalshi_gen::Samples::new(EXCHANGE, kalshi_gen::FixupMode::Lenient).unwrap();
    assert_eq!(revendor(&ours, &reversed(spec.spec())).text, ours);
}

#[test]
fn parameters_and_other_lists_keep_the_published_order() {
    let limit = "        - $ref: '#/components/parameters/Limit'\n";
    let cursor = "        - {name: cursor, in: query, description: Where to go on., schema: {type: string}}\n";
    let swapped = with(&format!("{limit}{cursor}"), &format!("{cursor}{limit}"));
    let vendored = revendor(&ours(), &published(&swapped));
    let changes: Vec<_> = vendored
        .diff
        .unwrap()
        .changes
        .into_iter()
        .map(|change| change.text)
        .collect();
    assert_eq!(changes, ["changed, without effect on types or requests"]);
    assert!(vendored.missing_descriptions.is_empty());
    let list = &vendored.text[vendored.text.find("operationId: GetOrders").unwrap()..];
    assert!(list.find("- name: cursor").unwrap() < list.find("parameters/Limit'").unwrap());
    // Duplicate values are merged.
    let twice = revendor(
        &ours(),
        &published(&with("enum: [bid, ask]", "enum: [bid, ask, bid]")),
    );
    assert!(
        twice
            .text
            .contains("      enum:\n        - bid\n        - ask\n\n"),
        "{}",
        twice.text
    );
}

#[test]
fn new_elements_are_marked_and_removed_ones_dropped() {
    let upstream = published(&with(
        "        rules: {type: string, nullable: true, description: What decides it.}\n",
        "        close_time: {type: string, description: When it closes, example: never}\n",
    )
    .replace("        '204': {description: Done.}", "        '204': {description: Done.}\n        '200': {description: Yes.}\n        '429': {description: Slow.}"));
    let vendored = revendor(&ours(), &upstream);
    assert_eq!(
        vendored.missing_descriptions,
        [
            "$.paths[\"/orders\"].delete.responses.429.description",
            "$.components.schemas.Market.properties.close_time.description"
        ]
    );
    assert_eq!(vendored.text.matches(PLACEHOLDER).count(), 2);
    // After the field that it follows upstream, and without the upstream description.
    assert!(vendored.text.contains("          description: When it opens.\n        close_time:\n          type: string\n          description: DESCRIPTION NEEDED\n        strike:\n"), "{}", vendored.text);
    // The most common description of our responses with that status.
    assert!(vendored.text.contains("        '200':\n          description: Success.\n        '429':\n          description: DESCRIPTION NEEDED\n"), "{}", vendored.text);
    assert!(
        !vendored.text.contains("rules")
            && !vendored.text.contains("Theirs")
            && !vendored.text.contains("never")
    );
    // Descriptions are kept once they are written.
    let written = vendored.text.replace(PLACEHOLDER, "Now written.");
    let again = revendor(&written, &upstream);
    assert_eq!(
        (again.text, again.missing_descriptions),
        (written, Vec::new())
    );
}

#[test]
fn descriptions_follow_renamed_elements() {
    let upstream = published(
        &EXCHANGE
            .replace("schemas/Fees'", "schemas/FeeSchedule'")
            .replace("    Fees:\n", "    FeeSchedule:\n")
            .replace("client_order_id:", "client_order_ids:")
            .replace("operationId: CancelAll", "operationId: CancelAllOrders")
            .replace("  /markets/{ticker}:", "  /market/{market_ticker}:")
            .replace("{name: ticker, in: path", "{name: market_ticker, in: path"),
    );
    let vendored = revendor(&ours(), &upstream);
    assert_eq!(vendored.missing_descriptions, Vec::<String>::new());
    for text in [
        "    FeeSchedule:\n      description: What a trade costs.",
        "        client_order_ids:\n          type: string\n          description: Its id as you gave it.",
        "      operationId: CancelAllOrders\n      summary: Cancel all orders\n      description: Cancels every order.\n      tags:\n        - orders\n      x-token-cost: 2",
        "  /market/{market_ticker}:\n    get:\n      operationId: GetMarket\n      summary: Read a market",
        "        - name: market_ticker\n          in: path\n          required: true\n          description: Its ticker.",
    ] {
        assert!(vendored.text.contains(text), "{text}\n{}", vendored.text);
    }
}

#[test]
fn new_operation_gets_its_cost_as_data() {
    let operation = |text: &str| {
        format!(
            "  /orders/batched:\n    post:\n      operationId: CreateOrders\n      summary: Theirs\n      description: {text}\n      tags: [batches]\n      responses:\n        '201': {{description: Theirs}}\ncomponents:"
        )
    };
    for (text, costs, note) in [
        (
            "'**Rate limit:** 3 tokens per order in it.'",
            "      x-token-cost: 3\n      x-token-cost-per-item: 3\n      x-rate-bucket: write\n",
            "CreateOrders is new: 3 tokens per item (write), as its description states",
        ),
        (
            "'**Rate limit:** 1 token per request.'",
            "      x-token-cost: 1\n      x-rate-bucket: write\n",
            "CreateOrders is new: 1 token (write), as its description states",
        ),
        (
            "Theirs",
            "      x-token-cost: 10\n      x-rate-bucket: write\n",
            "CreateOrders is new: 10 tokens (write), the default, since its description states none",
        ),
    ] {
        let vendored = revendor(&ours(), &with("components:", &operation(text)));
        assert!(vendored.text.contains(costs), "{}", vendored.text);
        assert_eq!(vendored.notes, [note]);
        assert!(
            vendored
                .text
                .contains("  - name: batches\n    description: DESCRIPTION NEEDED\n")
        );
    }
    // A cost that differs from ours is left for review.
    let vendored = revendor(
        &ours(),
        &with(
            "description: Cancels every order.",
            "description: '**Rate limit:** 7 tokens per request.'",
        ),
    );
    assert_eq!(
        vendored.notes,
        [
            "CancelAll: the exchange's description states a cost of 7 tokens (write), ours is 2 tokens (write)"
        ]
    );
    assert!(vendored.text.contains("x-token-cost: 2\n"));
}

#[test]
fn first_spec_has_no_descriptions() {
    let vendored = vendor(None, EXCHANGE).unwrap();
    assert!(vendored.diff.is_none());
    assert!(
        vendored
            .text
            .starts_with("openapi: '3.0.0'\n\ninfo:\n  title: DESCRIPTION NEEDED\n")
    );
    assert!(vendored.missing_descriptions.len() > 40);
    let report = vendored.report(Format::Markdown);
    assert!(report.contains("\n- [ ] `$.info.title`\n"), "{report}");
}

#[test]
fn dropped_comments_are_noted() {
    let ours = ours().replace("\npaths:", "\n# Here they are.\npaths:");
    assert_eq!(
        revendor(&ours, EXCHANGE).notes,
        ["comments dropped below the top of the file: 1"]
    );
}

#[test]
fn lock_has_hashes_of_the_file_and_its_structure() {
    let published = published(EXCHANGE);
    let lock = Lock::new(&published, "https://example.com/openapi.yaml", "2026-01-02").unwrap();
    let mut locks = Locks::default();
    locks.insert(Protocol::Rest, lock.clone());
    assert_eq!(Locks::parse(&locks.to_string()).unwrap(), locks);
    assert_eq!((lock.version.as_str(), lock.sha256.len()), ("1.0.0", 64));
    assert!(lock.matches(&ours()).unwrap());
    assert!(
        !lock
            .matches(&ours().replace("maximum: 100", "maximum: 101"))
            .unwrap()
    );
    assert!(
        lock.matches(
            &ours()
                .replace("A market.", "One market.")
                .replace("x-token-cost: 2", "x-token-cost: 3")
        )
        .unwrap()
    );
    assert!(
        Locks::parse("openapi: {source: a}\n")
            .unwrap_err()
            .to_string()
            .contains("`version` is missing")
    );
    assert!(Locks::parse("source: a\n").is_err());
}

/// Returns the open findings, in order.
fn open_findings(committed: Committed<'_>) -> Vec<String> {
    let findings = committed.audit().unwrap();
    assert_eq!(findings.len(), 6);
    findings
        .into_iter()
        .filter(|finding| finding.action.is_some())
        .map(|finding| format!("{}: {}", finding.check, finding.summary))
        .collect()
}

#[test]
fn audit_reports_open_findings() {
    // The fixups belong to this project's spec, so they are tested with it.
    let spec = include_str!("../../../../openapi.yaml");
    let lock = include_str!("../../../../spec.lock");
    let surface = include_str!("../../../../tests/generated/surface.txt");
    let locks = Locks::parse(lock).unwrap();
    let version = &locks.get(Protocol::Rest).unwrap().version;
    let undescribed = spec
        .replacen("      summary: List public trades\n", "", 1)
        .replacen("      x-token-cost: 10\n", "", 1)
        .replacen(&format!("version: '{version}'"), "version: '99.0.0'", 1);
    let other = surface.replacen("operation ", "operations ", 1);
    assert_eq!(
        open_findings(Committed::new(&undescribed, Some(lock), Some(&other))),
        [
            "described: descriptions missing: 1; costs or buckets missing: 1".to_owned(),
            format!("locked: spec.lock has version {version}, the spec has 99.0.0"),
            "surface: differs from line 1".to_owned(),
        ]
    );

    let altered = spec.replacen("        - settlement_bounds_type\n", "", 1);
    let found = open_findings(Committed::new(&altered, Some(lock), Some(surface)));
    assert_eq!(
        found,
        [
            "fixups: the fixup `market_settlement_bounds_are_new` no longer applies to this spec: remove it from kalshi-gen/src/fixups.rs",
            "locked: openapi.yaml differs from spec.lock: put corrections into fixups.rs, not into the spec",
        ]
    );
    // This spec lacks more than its lock and its snapshot.
    assert_eq!(
        open_findings(Committed::new(EXCHANGE, None, None))[2..],
        [
            "locked: there is no spec.lock",
            "surface: there is no snapshot"
        ]
    );

    let clash = with(
        "required: [order_id, side, count]",
        "required: [order_id, side, count, none]",
    );
    assert!(
        Committed::new(&clash, None, None)
            .audit()
            .unwrap_err()
            .to_string()
            .contains("`none` is required but not among the properties")
    );
}

#[test]
fn control_characters_of_a_spec_and_a_lock_are_escaped() {
    let hostile = "1\n~~~~\n::error::x\u{1b}[31m\u{202e}\u{200b}";
    let shown = r"1\n~~~~\n::error::x\u{1b}[31m\u{202e}\u{200b}";
    let value = serde_json::to_string(hostile).unwrap();
    let spec = format!(
        "openapi: 3.0.0\ninfo: {{title: T, version: {value}}}\npaths:\n  /a: {{get: {{operationId: A, responses: {{'204': {{description: ok}}}}}}}}\n"
    );
    let mut locks = Locks::default();
    locks.insert(Protocol::Rest, Lock::new(&spec, hostile, hostile).unwrap());
    let lock = locks.to_string();
    let is_plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii() && (c == '\n' || !c.is_control()))
    };
    assert!(is_plain(&lock), "{lock:?}");
    assert!(!lock.contains("\n~~~~"), "{lock}");
    // The lock matches this spec, both when created and when parsed.
    let read = Locks::parse(&lock).unwrap();
    assert!(read.get(Protocol::Rest).unwrap().matches(&spec).unwrap());
    assert_eq!(read.to_string(), lock);
    let found = |spec: &str, lock: &str| {
        let findings = Committed::new(spec, Some(lock), None).audit().unwrap();
        let found: Vec<_> = findings
            .into_iter()
            .map(|finding| finding.summary)
            .collect();
        assert!(
            found
                .iter()
                .all(|text| is_plain(text) && !text.contains('\n')),
            "{found:?}"
        );
        found.join("\n")
    };
    let all = found(&spec, &lock);
    assert!(
        all.contains(&format!("version {shown}, 1 operations")),
        "{all}"
    );
    assert!(
        all.contains(&format!("vendored from {shown} on {shown}")),
        "{all}"
    );
    // Also for raw characters in a lock.
    let raw = lock.replace(shown, &hostile.replace(['\n', '\u{1b}'], ""));
    let all = found(&spec.replace(&value, "'2'"), &raw);
    assert!(
        all.contains("spec.lock has version 1~~~~::error::x"),
        "{all}"
    );
}

#[test]
fn audit_warns_about_keywords_without_a_value() {
    let spec = "openapi: 3.0.0\ninfo: {title: T, version: '1', positive only}\npaths:\n  /a: {get: {operationId: A, responses: {'204': {description: ok, if, content}}}}\n";
    let findings = Committed::new(spec, None, None).audit().unwrap();
    let paths: Vec<_> = findings[0]
        .warnings
        .iter()
        .map(|warning| warning.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            r#"$.info["positive only"]"#,
            r#"$.paths["/a"].get.responses.204.content"#,
            r#"$.paths["/a"].get.responses.204.if"#,
        ]
    );
}

#[test]
fn report_notes_keywords_without_a_value() {
    let upstream = EXCHANGE.replacen("openapi: 3.0.0\n", "openapi: 3.0.0\nexternalDocs:\n", 1);
    let vendored = vendor(None, &upstream).unwrap();
    let report = vendored.report(Format::Text);
    assert!(
        report.contains("  $.externalDocs: ignored: this key has no value"),
        "{report}"
    );
}
