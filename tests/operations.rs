//! Every operation of the contract, driven by the operation table: what is sent, and every form of answer.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use common::{
    assert_signed, assert_unsigned,
    calls::{Server, arguments, call, samples},
};
use kalshi_gen::{Place, Samples};
use kalshi_sdk::operation;
use serde_json::{Value, json};
use wiremock::Request;

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
    let contract = samples.contract();
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
                        "{id}: the test compares repeated parameters only"
                    );
                    (
                        parameter["name"].as_str().unwrap(),
                        if parameter["in"] == "path" {
                            Place::Path
                        } else {
                            Place::Query
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
        let arguments = arguments(&samples, operation.id);
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
async fn every_request_is_what_the_contract_says() {
    let (samples, server) = (samples(), Server::start().await);
    for operation in &operation::ALL {
        let full = samples.answers(operation.id).into_iter().next();
        server.answer(
            samples.status(operation.id).unwrap(),
            full.map(|sample| sample.body),
        );
        call(
            &server.client,
            operation.id,
            &arguments(&samples, operation.id),
        )
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", operation.id));
        let request = server.take_request().await;
        assert_eq!(
            request.method.as_str(),
            operation.method.as_str(),
            "{}",
            operation.id
        );
        assert_path_and_query(&samples, operation.id, operation.path, &request);
        assert_body(&samples, operation.id, &request);
        if operation.auth {
            assert_signed(&request);
        } else {
            assert_unsigned(&request);
        }
        assert_eq!(request.headers["accept"], "application/json");
        assert!(
            request.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("kalshi-sdk/")
        );
        assert!(!request.headers.contains_key("api-version"));
    }
}

fn decoded(segment: &str) -> String {
    let query = format!("x={}", segment.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .unwrap()
        .1
        .into_owned()
}

fn assert_path_and_query(samples: &Samples, id: &str, template: &str, request: &Request) {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let arguments = samples.arguments(id);
    let path = request.url.path().strip_prefix("/trade-api/v2/").unwrap();
    let template = template.trim_start_matches('/');
    assert_eq!(
        path.split('/').count(),
        template.split('/').count(),
        "{id}: {path}"
    );
    for (segment, expected) in path.split('/').zip(template.split('/')) {
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => {
                let argument = arguments.iter().find(|other| other.name == name).unwrap();
                assert_eq!(decoded(segment), text(&argument.value), "{id}: {name}");
            }
            None => assert_eq!(segment, expected, "{id}"),
        }
    }
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for argument in arguments
        .iter()
        .filter(|argument| argument.place == Place::Query)
    {
        let values = argument.value.as_array().map_or_else(
            || vec![text(&argument.value)],
            |list| list.iter().map(text).collect(),
        );
        expected.insert(argument.name.clone(), values);
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url.query_pairs() {
        found
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    assert_eq!(found, expected, "{id}");
    assert_eq!(
        request.url.query().is_none(),
        expected.is_empty(),
        "{id}: a bare `?`"
    );
}

fn assert_body(samples: &Samples, id: &str, request: &Request) {
    let operation = operation::find(id).unwrap();
    let expected = match samples.body(id) {
        Some(body) => Some(body),
        None if ["POST", "PUT"].contains(&operation.method.as_str()) => Some(json!({})),
        None => None,
    };
    match expected {
        Some(expected) => {
            assert_eq!(request.headers["content-type"], "application/json", "{id}");
            assert_eq!(request.body_json::<Value>().unwrap(), expected, "{id}");
        }
        None => {
            assert!(request.body.is_empty(), "{id}");
            assert!(!request.headers.contains_key("content-type"), "{id}");
        }
    }
}

#[tokio::test]
async fn every_form_of_answer_decodes() {
    let (samples, server) = (samples(), Server::start().await);
    let mut decoded = 0;
    for operation in &operation::ALL {
        for answer in samples.answers(operation.id) {
            server.answer(
                samples.status(operation.id).unwrap(),
                Some(answer.body.clone()),
            );
            let value = call(
                &server.client,
                operation.id,
                &arguments(&samples, operation.id),
            )
            .await
            .unwrap_or_else(|error| {
                panic!(
                    "{}, {}: {error}\n{:#}",
                    operation.id, answer.name, answer.body
                )
            });
            // Nothing of a full answer is lost; an unknown value comes back as it was.
            if ["full", "unknown values"].contains(&answer.name) {
                assert_eq!(value, answer.body, "{}, {}", operation.id, answer.name);
            }
            decoded += 1;
        }
    }
    assert!(decoded > 5 * 100, "{decoded}");
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
