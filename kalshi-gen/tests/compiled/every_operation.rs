//! Tests of every operation in the operation table: the request that is sent, and every variant of response.

use std::collections::BTreeMap;

use super::calls::{Server, arguments, call, samples};
use kalshi_core::{
    Environment, Operation,
    operation::{ListFormat, Location, ParameterType},
};
use kalshi_gen::{ParameterLocation, Samples};
use reqwest::Url;
use serde_json::{Value, json};
use wiremock::Request;

use crate::target::{self, operation};

#[tokio::test]
async fn every_request_matches_the_spec() {
    let (samples, server) = (samples(), Server::start().await);
    let base = Url::parse(Environment::rest_url(server.client.environment())).unwrap();
    for operation in &operation::ALL {
        let full = samples.responses(operation.id).into_iter().next();
        server.respond(
            samples.status(operation.id).unwrap(),
            full.map(|sample| sample.body),
        );
        call(
            &server.client,
            operation.id,
            &arguments(samples, operation.id),
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
        assert_path_and_query(samples, operation, base.path(), &request);
        assert_body(samples, operation.id, &request);
        if operation.auth {
            target::assert_authenticated(&request);
        } else {
            target::assert_anonymous(&request);
        }
        assert_eq!(request.headers["accept"], "application/json");
        assert!(
            request.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with(concat!(env!("CARGO_PKG_NAME"), "/"))
        );
        assert!(!request.headers.contains_key("api-version"));
    }
}

#[test]
fn table_has_the_parameters_of_the_spec() {
    let samples = samples();
    for operation in &operation::ALL {
        let id = operation.id;
        assert_eq!(operation.has_body, samples.body(id).is_some(), "{id}");
        let expected = samples.arguments(id);
        assert_eq!(operation.parameters.len(), expected.len(), "{id}");
        for (parameter, expected) in operation.parameters.iter().zip(expected) {
            assert_eq!(parameter.name, expected.name, "{id}");
            let location = match expected.location {
                ParameterLocation::Path => Location::Path,
                ParameterLocation::Header => Location::Header,
                _ => Location::Query,
            };
            assert_eq!(parameter.location, location, "{id}: {}", expected.name);
            let list = match (expected.location, expected.value.is_array()) {
                (ParameterLocation::CommaSeparatedQuery, _) => Some(ListFormat::CommaSeparated),
                (_, true) => Some(ListFormat::Repeated),
                (_, false) => None,
            };
            assert_eq!(parameter.list, list, "{id}: {}", expected.name);
            let value = match expected.value {
                Value::Array(list) => list.into_iter().next().unwrap_or_default(),
                value => value,
            };
            let kind = parameter.kind;
            let fits = match &value {
                Value::Bool(_) => kind == ParameterType::Boolean,
                Value::String(value) => {
                    // A sample of a path ends with characters that must be encoded.
                    let known = parameter.values;
                    kind == ParameterType::String
                        && (known.is_empty() || known.iter().any(|known| value.starts_with(known)))
                }
                Value::Number(number) if number.is_f64() => kind == ParameterType::Number,
                _ => {
                    use ParameterType::{Integer, UnixMillis, UnixSeconds};
                    [Integer, UnixSeconds, UnixMillis].contains(&kind)
                }
            };
            assert!(fits, "{id}: {} is {kind:?}, not {value}", expected.name);
        }
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

fn assert_path_and_query(samples: &Samples, operation: &Operation, base: &str, request: &Request) {
    let id = operation.id;
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let arguments = samples.arguments(id);
    let path = request.url.path().strip_prefix(base).unwrap();
    let template = operation.path;
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
        .filter(|argument| argument.location == ParameterLocation::Query)
    {
        let values = argument.value.as_array().map_or_else(
            || vec![text(&argument.value)],
            |list| list.iter().map(text).collect(),
        );
        expected.insert(argument.name.clone(), values);
    }
    for argument in arguments
        .iter()
        .filter(|argument| argument.location == ParameterLocation::CommaSeparatedQuery)
    {
        let values = argument.value.as_array().into_iter().flatten().map(text);
        let joined = values.collect::<Vec<_>>().join(",");
        expected.insert(argument.name.clone(), vec![joined]);
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
async fn every_response_variant_decodes() {
    let (samples, server) = (samples(), Server::start().await);
    let (mut with_response, mut decoded) = (0, 0);
    for operation in &operation::ALL {
        let responses = samples.responses(operation.id);
        with_response += usize::from(!responses.is_empty());
        for response in responses {
            server.respond(
                samples.status(operation.id).unwrap(),
                Some(response.body.clone()),
            );
            let value = call(
                &server.client,
                operation.id,
                &arguments(samples, operation.id),
            )
            .await
            .unwrap_or_else(|error| {
                panic!(
                    "{}, {}: {error}\n{:#}",
                    operation.id, response.name, response.body
                )
            });
            // A full response round-trips without loss, including unknown values.
            if ["full", "unknown values"].contains(&response.name) {
                assert_eq!(value, response.body, "{}, {}", operation.id, response.name);
            }
            decoded += 1;
        }
    }
    assert_eq!(decoded, 5 * with_response);
}
