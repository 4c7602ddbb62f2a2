//! Snapshots of the WebSocket surface, the public API and the guide. `shared/snapshots.rs` has those that every API crate has.
//!
//! `UPDATE=1 cargo test --test it snapshots` updates all of them.

use std::collections::BTreeMap;

use kalshi_sdk::operation::{ALL, Operation};

use crate::{
    every_api::snapshots::{current, defaulted_fields_are_current, public_items_are_current},
    target,
};

const WEBSOCKET: &str = include_str!("../../asyncapi.yaml");

#[test]
fn committed_message_surface_matches_the_spec() {
    let options = target::options_for("MarketSide").enum_type(
        "UserOrderStatus",
        &["resting", "canceled", "executed", "unknown"],
        "crate::types::OrderStatus",
    );
    current(
        "tests/generated/websocket.txt",
        &kalshi_gen::surface(WEBSOCKET, &options).unwrap(),
    );
}

/// Covers the hand-written public items of this crate and of kalshi-core, without the interface between the two.
#[test]
fn committed_public_items_match_the_source() {
    // `rt` is for emitted code, and `test_client` is compiled for tests only.
    let skipped = ["kalshi-core/src/rt", "kalshi-core/src/test_client.rs"];
    public_items_are_current(&["src", "kalshi-core/src"], &skipped);
}

#[test]
fn committed_defaulted_fields_match_the_specs() {
    defaulted_fields_are_current(&[target::SPEC, WEBSOCKET]);
}

/// The guide's page of operations is generated. Topics and summaries come from the spec.
#[test]
fn guide_lists_every_operation() {
    let methods = method_names();
    let summaries: BTreeMap<_, _> = target::SPEC
        .split("operationId: ")
        .skip(1)
        .filter_map(|text| {
            let (id, rest) = text.split_once('\n')?;
            let summary = rest.trim_start().strip_prefix("summary: ")?;
            Some((id, summary.lines().next()?))
        })
        .collect();
    let topics = target::SPEC.split_once("\ntags:\n").unwrap().1;
    let mut page = String::from(
        "All operations by topic. Each is a method of [`Client`](crate::Client).\n\n\
         Each topic has a table with the method, the request, the bucket and the token cost of each operation. *Public* operations need no key, and \
         *lists* are [paginated](crate::guide::pagination).\n",
    );
    let mut listed = 0;
    for topic in topics.split("  - name: ").skip(1) {
        let (tag, rest) = topic.split_once('\n').unwrap();
        let operations: Vec<_> = ALL
            .iter()
            .filter(|operation| operation.tag == tag)
            .collect();
        if operations.is_empty() {
            continue;
        }
        listed += operations.len();
        let description = rest.lines().next().unwrap().trim();
        let description = description
            .strip_prefix("description: ")
            .unwrap()
            .trim_matches('\'');
        page += &format!(
            "\n# {tag}\n\n{description}\n\n| Method and request | Summary | Tokens | Notes |\n|---|---|---|---|\n"
        );
        for operation in operations {
            page += &row(operation, methods[operation.id], summaries[operation.id]);
        }
    }
    assert_eq!(listed, ALL.len(), "an operation has no topic in the spec");
    current("src/guide/operations.md", &page);
}

/// The README and the guide state the version of the spec and the numbers of operations.
#[test]
fn documents_state_spec_version_and_numbers_of_operations() {
    let version = target::SPEC.split_once("\n  version: ").unwrap().1;
    let version = version.lines().next().unwrap().trim_matches(['\'', '"']);
    let public = ALL.iter().filter(|operation| !operation.auth).count();
    let paginated = ALL.iter().filter(|operation| operation.paging.is_some());
    let all = ALL.len();
    let counts = format!(
        "{all} of {all} of the Trade API {version}: {public} public, {} signed; {} are paginated",
        all - public,
        paginated.count()
    );
    assert!(
        include_str!("../../src/guide/getting_started.md").contains(&counts),
        "{counts}"
    );
    let version = format!("Trade API {version}");
    assert!(
        include_str!("../../README.md").contains(&version),
        "{version}"
    );
}

fn row(operation: &Operation, method: &str, summary: &str) -> String {
    let cost = match (operation.token_cost_per_item, operation.token_cost_with) {
        (Some(each), _) => format!("{each} for each item"),
        (None, Some((parameter, cost))) => {
            format!("{}, or {cost} with `{parameter}`", operation.token_cost)
        }
        (None, None) => operation.token_cost.to_string(),
    };
    let bucket = format!("{:?}", operation.bucket).to_lowercase();
    let notes: Vec<_> = [
        (!operation.auth, "public"),
        (operation.paging.is_some(), "list"),
        (operation.deprecated, "deprecated"),
    ]
    .into_iter()
    .filter_map(|(applies, note)| applies.then_some(note))
    .collect();
    format!(
        "| [`{method}`](crate::Client::{method})<br>`{} {}` | {summary} | {bucket}, {cost} | {} |\n",
        operation.method,
        operation.path,
        notes.join(", ")
    )
}

/// Returns the method name of each operation ID, from the generated dispatch of the tests.
fn method_names() -> BTreeMap<&'static str, &'static str> {
    include_str!("../generated/calls.rs")
        .split("=> {\n            let response = client\n")
        .collect::<Vec<_>>()
        .windows(2)
        .map(|pair| {
            let id = pair[0].trim_end().rsplit('"').nth(1).unwrap();
            let method = pair[1].trim_start().trim_start_matches('.');
            (id, method.split_once('(').unwrap().0)
        })
        .collect()
}
