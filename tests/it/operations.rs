//! The operation table beside the contract, and answers that are not whole.

use crate::common::calls::{Server, arguments, call, samples};
use kalshi_gen::Place;
use kalshi_sdk::{JsonObject, operation};
use serde_json::{Value, json};

#[test]
fn the_table_has_every_operation() {
    let samples = samples();
    let ids: Vec<_> = operation::ALL
        .iter()
        .map(|operation| operation.id)
        .collect();
    assert_eq!(ids.len(), 128);
    assert_eq!(ids, samples.operations());
    for operation in &operation::ALL {
        assert_eq!(operation::find(operation.id), Some(operation));
    }
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

/// The table beside the contract as it was read, before the generator made anything of it.
#[test]
fn the_table_is_what_the_contract_says() {
    let samples = samples();
    let contract = samples.spec();
    let resolve = |node: &Value| match node["$ref"].as_str() {
        Some(reference) => contract
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap()
            .clone(),
        None => node.clone(),
    };
    let mut seen = 0;
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, node) in item.as_object().unwrap() {
            seen += 1;
            let operation = operation::find(node["operationId"].as_str().unwrap()).unwrap();
            let id = operation.id;
            assert_eq!(
                (operation.path, operation.method.as_str()),
                (path.as_str(), method.to_uppercase().as_str()),
                "{id}"
            );
            assert_eq!(operation.tag, node["tags"][0], "{id}");
            assert_eq!(
                operation.auth,
                node["security"]
                    .as_array()
                    .is_some_and(|list| !list.is_empty()),
                "{id}"
            );
            assert_eq!(operation.deprecated, node["deprecated"] == true, "{id}");
            assert_eq!(
                u64::from(operation.token_cost),
                node["x-token-cost"].as_u64().unwrap(),
                "{id}"
            );
            assert_eq!(
                operation.token_cost_per_item.map(u64::from),
                node["x-token-cost-per-item"].as_u64(),
                "{id}"
            );
            assert_eq!(
                format!("{:?}", operation.bucket).to_lowercase(),
                node["x-rate-bucket"],
                "{id}"
            );
            let mut expected: Vec<_> = node["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(&resolve)
                .collect();
            expected.sort_by_key(|parameter| parameter["name"].to_string());
            let mut arguments = samples.arguments(id);
            arguments.sort_by(|a, b| a.name.cmp(&b.name));
            let expected: Vec<_> = expected
                .iter()
                .map(|parameter| {
                    assert!(
                        parameter["explode"] != false,
                        "{id}: no list of the spec is declared as joined"
                    );
                    // Only the descriptions say so.
                    let description = parameter["description"].as_str().unwrap_or_default();
                    (
                        parameter["name"].as_str().unwrap(),
                        match parameter["in"].as_str() {
                            Some("path") => Place::Path,
                            _ if description.contains("joined by commas") => Place::JoinedQuery,
                            _ => Place::Query,
                        },
                    )
                })
                .collect();
            let found: Vec<_> = arguments
                .iter()
                .map(|argument| (argument.name.as_str(), argument.place))
                .collect();
            assert_eq!(found, expected, "{id}");
            let body = node
                .get("requestBody")
                .map(|body| resolve(&body["content"]["application/json"]["schema"]));
            let carries = body.is_some_and(|schema| schema["properties"].is_object());
            assert_eq!(samples.body(id).is_some(), carries, "{id}");
            let has_answer =
                node["responses"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .any(|(status, answer)| {
                        status.starts_with('2') && resolve(answer).get("content").is_some()
                    });
            assert_eq!(!samples.answers(id).is_empty(), has_answer, "{id}");
            let status = samples.status(id).unwrap().to_string();
            assert!(node["responses"].get(&status).is_some(), "{id}: {status}");
        }
    }
    assert_eq!(seen, operation::ALL.len());
    let answered = operation::ALL
        .iter()
        .filter(|operation| !samples.answers(operation.id).is_empty());
    assert!(answered.count() > 100);
}

/// Every member of every answer, taken away and bent: what is missing is an error with its path or stays missing, and is never
/// made up; what is bent and is an amount is an error with its path.
#[tokio::test]
async fn nothing_is_ever_made_up() {
    let (samples, server) = (samples(), Server::start().await);
    let (mut refused, mut left_out) = (0, 0);
    for operation in &operation::ALL {
        let Some(full) = samples.answers(operation.id).into_iter().next() else {
            continue;
        };
        let arguments = arguments(samples, operation.id);
        let status = samples.status(operation.id).unwrap();
        let mut members = Vec::new();
        collect(&full.body, String::new(), &mut members);
        for pointer in members {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let path = json_path(&pointer);
            let mut body = full.body.clone();
            let value = body
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(name)
                .unwrap();
            server.answer(status, Some(body));
            match call(&server.client, operation.id, &arguments).await {
                Err(error) => {
                    refused += 1;
                    assert_eq!(
                        error.decode_path(),
                        Some(path.as_str()),
                        "{}: {error}",
                        operation.id
                    );
                }
                Ok(answer) => {
                    let found = answer.pointer(&pointer);
                    let empty =
                        found.is_none_or(|found| [json!([]), json!({}), json!("")].contains(found));
                    assert!(empty, "{}: {path} was made up: {found:?}", operation.id);
                    // An empty text is for cursors only.
                    assert!(
                        found != Some(&json!("")) || name.ends_with("cursor"),
                        "{}: {path}",
                        operation.id
                    );
                    left_out += 1;
                }
            }
            if value == "0.5625" || value == "12.50" {
                for bent in ["", "abc", "1.1234567"] {
                    let mut body = full.body.clone();
                    *body.pointer_mut(&pointer).unwrap() = json!(bent);
                    server.answer(status, Some(body));
                    let error = call(&server.client, operation.id, &arguments)
                        .await
                        .unwrap_err();
                    assert_eq!(
                        error.decode_path(),
                        Some(path.as_str()),
                        "{}: {error}",
                        operation.id
                    );
                }
            }
        }
    }
    assert!(
        refused > 500 && left_out > 500,
        "{refused} refused, {left_out} left out"
    );
}

/// The members of all objects in a value, as JSON pointers; not those of maps.
fn collect(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members
                .iter()
                .filter(|(name, _)| *name != "sample key" && *name != "free")
            {
                found.push(format!("{at}/{name}"));
                collect(value, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn json_path(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .fold(String::from("$"), |path, step| {
            match step.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) => format!("{path}.{step}"),
            }
        })
}

#[tokio::test]
async fn a_missing_amount_is_an_error_with_its_path() {
    let (samples, server) = (samples(), Server::start().await);
    let mut full = samples.answers("GetMarkets").remove(0).body;
    full["markets"][0]
        .as_object_mut()
        .unwrap()
        .remove("yes_bid_dollars");
    server.answer(200, Some(full));
    let error = server.client.get_markets().send().await.unwrap_err();
    assert!(error.is_decode());
    assert_eq!(error.decode_path(), Some("$.markets[0].yes_bid_dollars"));
    assert!(error.to_string().starts_with("GetMarkets: "), "{error}");
}

#[tokio::test]
async fn a_malformed_amount_is_an_error_with_its_path() {
    let (samples, server) = (samples(), Server::start().await);
    for bad in [
        json!("abc"),
        json!("0.12345678"),
        json!(0.5),
        json!(null),
        json!(""),
    ] {
        let mut full = samples.answers("GetMarkets").remove(0).body;
        full["markets"][0]["yes_bid_dollars"] = bad.clone();
        server.answer(200, Some(full));
        let error = server.client.get_markets().send().await.unwrap_err();
        assert!(error.is_decode(), "{bad}");
        assert_eq!(
            error.decode_path(),
            Some("$.markets[0].yes_bid_dollars"),
            "{bad}"
        );
    }
}

/// The runtime knows no spec: no operation or path of one is named in its source.
#[test]
fn runtime_names_no_operation_and_no_path() {
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
    let mut full = samples.answers("GetMarkets").remove(0).body;
    let mut strike_of = |strike: Value| {
        full["markets"][0]["custom_strike"] = strike;
        server.answer(200, Some(full.clone()));
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
