//! Compares the operation table with the spec.

use kalshi_gen::ParameterLocation;
use serde_json::Value;

use crate::{harness::calls::samples, target::operation};

#[test]
fn table_lists_operations_of_the_spec() {
    let ids: Vec<_> = operation::ALL
        .iter()
        .map(|operation| operation.id)
        .collect();
    assert_eq!(ids, samples().operations());
    for operation in &operation::ALL {
        assert_eq!(operation::find(operation.id), Some(operation));
    }
}

/// The table is compared with the raw spec, before the generator has processed it.
#[test]
fn table_matches_the_spec() {
    let samples = samples();
    let spec = samples.spec();
    let resolve = |node: &Value| match node["$ref"].as_str() {
        Some(reference) => spec
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap()
            .clone(),
        None => node.clone(),
    };
    let mut seen = 0;
    for (path, item) in spec["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().iter();
        for (method, node) in methods.filter(|(name, _)| *name != "parameters") {
            seen += 1;
            let operation = operation::find(node["operationId"].as_str().unwrap()).unwrap();
            let id = operation.id;
            assert_eq!(
                (operation.path, operation.method.as_str()),
                (path.as_str(), method.to_uppercase().as_str()),
                "{id}"
            );
            let tag = node["tags"][0].as_str().unwrap_or_default();
            assert_eq!(operation.tag, tag, "{id}");
            // The security of an operation replaces that of the whole spec.
            let security = node.get("security").unwrap_or(&spec["security"]);
            assert_eq!(
                operation.auth,
                security.as_array().is_some_and(|list| !list.is_empty()),
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
            let cost_with = node["parameters"].as_array().and_then(|parameters| {
                let parameter = parameters
                    .iter()
                    .find(|parameter| parameter["x-token-cost"].is_u64())?;
                let name = parameter["name"].as_str()?.to_owned();
                Some((name, parameter["x-token-cost"].as_u64()?))
            });
            let found = operation.token_cost_with;
            assert_eq!(
                found.map(|(name, cost)| (name.to_owned(), u64::from(cost))),
                cost_with,
                "{id}"
            );
            assert_eq!(
                format!("{:?}", operation.bucket).to_lowercase(),
                node["x-rate-bucket"],
                "{id}"
            );
            let mut expected: Vec<_> = [&node["parameters"], &item["parameters"]]
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .map(&resolve)
                .collect();
            expected.sort_by_key(|parameter| parameter["name"].to_string());
            let mut arguments = samples.arguments(id);
            arguments.sort_by(|a, b| a.name.cmp(&b.name));
            let expected: Vec<_> = expected
                .iter()
                .map(|parameter| {
                    // Most comma-separated lists are marked as such only in their descriptions.
                    let description = parameter["description"].as_str().unwrap_or_default();
                    let is_joined = parameter["explode"] == false
                        || description.contains("separated by commas");
                    (
                        parameter["name"].as_str().unwrap(),
                        match parameter["in"].as_str() {
                            Some("path") => ParameterLocation::Path,
                            _ if is_joined => ParameterLocation::CommaSeparatedQuery,
                            _ => ParameterLocation::Query,
                        },
                    )
                })
                .collect();
            let found: Vec<_> = arguments
                .iter()
                .map(|argument| (argument.name.as_str(), argument.location))
                .collect();
            assert_eq!(found, expected, "{id}");
            let body = node
                .get("requestBody")
                .map(|body| resolve(&body["content"]["application/json"]["schema"]));
            let carries = body.is_some_and(|schema| schema["properties"].is_object());
            assert_eq!(samples.body(id).is_some(), carries, "{id}");
            let has_response =
                node["responses"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .any(|(status, response)| {
                        status.starts_with('2') && resolve(response).get("content").is_some()
                    });
            assert_eq!(!samples.responses(id).is_empty(), has_response, "{id}");
            let status = samples.status(id).unwrap().to_string();
            assert!(node["responses"].get(&status).is_some(), "{id}: {status}");
        }
    }
    assert_eq!(seen, operation::ALL.len());
}
