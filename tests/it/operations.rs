//! The size of the operation table, and incomplete responses.

use crate::common::calls::{Server, samples};
use kalshi_sdk::{JsonObject, operation};
use serde_json::{Value, json};

#[test]
fn the_table_has_every_operation() {
    let samples = samples();
    assert_eq!(operation::ALL.len(), 128);
    let with_body = operation::ALL
        .iter()
        .filter(|operation| !samples.responses(operation.id).is_empty());
    assert!(with_body.count() > 100);
    assert_eq!(
        operation::ALL
            .iter()
            .filter(|operation| operation.paging.is_some())
            .count(),
        29
    );
    assert_eq!(
        operation::ALL
            .iter()
            .filter(|operation| !operation.auth)
            .count(),
        41
    );
    assert_eq!(
        operation::BATCH_CREATE_ORDERS_V2.token_cost_per_item,
        Some(10)
    );
    assert_eq!(operation::CANCEL_ORDER_V2.token_cost, 2);
    assert_eq!(operation::GET_BALANCE.bucket, operation::Bucket::Balance);
}

#[tokio::test]
async fn missing_amount_is_an_error_with_its_path() {
    let (samples, server) = (samples(), Server::start().await);
    let mut full = samples.responses("GetMarkets").remove(0).body;
    full["markets"][0]
        .as_object_mut()
        .unwrap()
        .remove("yes_bid_dollars");
    server.respond(200, Some(full));
    let error = server.client.get_markets().send().await.unwrap_err();
    assert!(error.is_decode());
    assert_eq!(error.decode_path(), Some("$.markets[0].yes_bid_dollars"));
    assert!(error.to_string().starts_with("GetMarkets: "), "{error}");
}

#[tokio::test]
async fn malformed_amount_is_an_error_with_its_path() {
    let (samples, server) = (samples(), Server::start().await);
    for bad in [
        json!("abc"),
        json!("0.12345678"),
        json!(0.5),
        json!(null),
        json!(""),
    ] {
        let mut full = samples.responses("GetMarkets").remove(0).body;
        full["markets"][0]["yes_bid_dollars"] = bad.clone();
        server.respond(200, Some(full));
        let error = server.client.get_markets().send().await.unwrap_err();
        assert!(error.is_decode(), "{bad}");
        assert_eq!(
            error.decode_path(),
            Some("$.markets[0].yes_bid_dollars"),
            "{bad}"
        );
    }
}

/// The runtime must not contain operation IDs or paths of a spec.
#[test]
fn runtime_contains_no_operation_or_path() {
    fn visit(folder: &std::path::Path, check: &mut impl FnMut(&str, &str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, check);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                check(&path.to_string_lossy(), &text);
            }
        }
    }
    let mut files = 0;
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("kalshi-core/src");
    visit(&source, &mut |file, text| {
        files += 1;
        let words: std::collections::BTreeSet<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && !"/{}_".contains(c))
            .collect();
        for operation in &operation::ALL {
            assert!(!words.contains(operation.id), "{file} names {operation}");
            assert!(!words.contains(operation.path), "{file} names {operation}");
        }
        assert!(!text.contains("/trade-api"), "{file} names the base path");
    });
    assert!(files > 20, "{files}");
}

#[tokio::test]
async fn free_form_object_is_parsed_on_demand() {
    let (samples, server) = (samples(), Server::start().await);
    let mut full = samples.responses("GetMarkets").remove(0).body;
    let mut strike_of = |strike: Value| {
        full["markets"][0]["custom_strike"] = strike;
        server.respond(200, Some(full.clone()));
        server.client.get_markets().send()
    };
    let page = strike_of(json!({ "team": "x", "points": [7] }))
        .await
        .unwrap();
    let strike: &JsonObject = &page.markets[0].custom_strike;
    assert_eq!(strike.get("team"), Some(json!("x")));
    assert_eq!(
        strike.deserialize::<Value>().unwrap(),
        json!({ "team": "x", "points": [7] })
    );
    assert!(
        strike_of(json!(null)).await.unwrap().markets[0]
            .custom_strike
            .is_empty()
    );
    for bad in [json!(7), json!("x"), json!([{}]), json!(false)] {
        let error = strike_of(bad).await.unwrap_err();
        assert_eq!(error.decode_path(), Some("$.markets[0].custom_strike"));
        assert!(error.to_string().contains(", expected a map"), "{error}");
    }
}

#[test]
fn spec_version_is_that_of_the_spec() {
    let version = format!("\n  version: '{}'\n", kalshi_sdk::SPEC_VERSION);
    assert!(include_str!("../../openapi.yaml").contains(&version));
}
