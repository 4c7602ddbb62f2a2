//! Comparison of the OpenAPI file with the routes, and with real requests and responses.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use kalshi_gen::{FixupMode, Options, Samples};
use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Map, Value, json};

use super::{call, call_ok, first_key, order, signed, started};
use crate::{
    MockExchange,
    control::routes::{ROUTES, SPEC},
    validate,
};

/// Returns the file without the operations that do not respond with JSON, and their paths. kalshi-gen supports no other media types.
fn parts() -> (String, Vec<&'static str>) {
    let (before, rest) = SPEC.split_once("\n  /mock:\n").unwrap();
    let (page, after) = rest.split_once("\ncomponents:\n").unwrap();
    let paths = page.lines().filter_map(|line| line.strip_prefix("  /"));
    let paths = paths.map(|line| line.strip_suffix(':').unwrap());
    (
        format!("{before}\ncomponents:\n{after}"),
        std::iter::once("mock").chain(paths).collect(),
    )
}

static FILE: LazyLock<Value> = LazyLock::new(|| {
    let samples = Samples::new(&parts().0, FixupMode::Lenient).unwrap();
    inlined(samples.spec(), samples.spec())
});

/// Replaces references with their targets.
fn inlined(file: &Value, node: &Value) -> Value {
    match node {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = reference.strip_prefix('#').unwrap();
                inlined(file, file.pointer(target).unwrap())
            }
            None => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (name.clone(), inlined(file, value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        },
        Value::Array(items) => items.iter().map(|item| inlined(file, item)).collect(),
        other => other.clone(),
    }
}

/// Returns all operations by method and path, in the order of their paths.
fn operations() -> BTreeMap<(String, String), &'static Value> {
    let methods = ["get", "put", "post", "delete"];
    let mut all = BTreeMap::new();
    for (path, item) in FILE["paths"].as_object().unwrap() {
        for method in methods.iter().filter(|method| item[**method].is_object()) {
            let name = (method.to_uppercase(), path.clone());
            all.insert(name, &item[*method]);
        }
    }
    all
}

fn operation(method: &str, path: &str) -> &'static Value {
    operations()[&(method.to_owned(), path.to_owned())]
}

/// Checks a value strictly: all fields are described, and amounts are decimal strings.
fn check(schema: &Value, value: &Value, path: &str) {
    if let Err(rejection) = validate::check(schema, value, path) {
        panic!("{} in {value}", rejection.details);
    }
    strict(schema, value, path);
}

fn strict(schema: &Value, value: &Value, path: &str) {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if !value.is_null() {
            strict(part, value, path);
        }
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        let is_amount = match pattern.contains("1,6") {
            true => text.parse::<Dollars>().is_ok(),
            false => text.parse::<Contracts>().is_ok(),
        };
        assert!(is_amount, "{path}: {text}");
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        strict(&schema["items"], item, &format!("{path}[{index}]"));
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, value) in value.as_object().into_iter().flatten() {
        let schema = properties.get(name);
        let schema = schema.unwrap_or_else(|| panic!("{path}.{name} is not described"));
        strict(schema, value, &format!("{path}.{name}"));
    }
}

pub(super) fn check_error(body: &Value) {
    check(
        &FILE["components"]["schemas"]["ControlError"],
        body,
        "error",
    );
}

fn response_schema(operation: &Value) -> &Value {
    &operation["responses"]["200"]["content"]["application/json"]["schema"]
}

#[test]
fn routes_match_the_file() {
    let mut described: BTreeSet<_> = operations().into_keys().collect();
    let (_, others) = parts();
    described.extend(
        others
            .iter()
            .map(|path| ("GET".to_owned(), format!("/{path}"))),
    );
    let served: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    if cfg!(feature = "perps") {
        assert_eq!(described, served);
    }
    assert!(described.is_superset(&served));
    assert_eq!(served.len(), ROUTES.len());
}

#[tokio::test]
async fn page_and_file_are_served_as_described() {
    let exchange = started(MockExchange::builder()).await;
    for path in parts().1 {
        let url = format!("http://{}/{path}", exchange.address());
        let response = reqwest::get(url).await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        let kind = kind.split(';').next().unwrap().to_owned();
        // The redirect has been followed.
        assert!(
            SPEC.contains(&format!("            {kind}:\n")),
            "{path}: {kind}"
        );
        if kind == "application/yaml" {
            assert_eq!(response.text().await.unwrap(), SPEC);
        } else if kind == "text/html" {
            let page = response.text().await.unwrap();
            assert!(!page.contains("://"), "the page refers to another website");
        }
    }
}

#[test]
fn clients_can_be_generated() {
    let generated = kalshi_gen::generate(&parts().0, &Options::new()).unwrap();
    assert_eq!(generated.operations.len(), operations().len());
}

#[test]
fn each_example_matches_its_schema() {
    for ((method, path), operation) in operations() {
        let mut contents = vec![&operation["requestBody"]["content"]["application/json"]];
        for response in operation["responses"].as_object().unwrap().values() {
            assert!(response["description"].is_string());
            contents.push(&response["content"]["application/json"]);
        }
        for content in contents
            .into_iter()
            .filter(|content| !content["example"].is_null())
        {
            check(
                &content["schema"],
                &content["example"],
                &format!("{method} {path}"),
            );
        }
    }
    for (name, schema) in FILE["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        if !schema["example"].is_null() {
            check(schema, &schema["example"], name);
        }
    }
}

#[tokio::test]
async fn each_operation_accepts_its_example_and_responds_as_described() {
    let exchange = started(MockExchange::builder().without_limits()).await;
    let http = reqwest::Client::new();
    let (user, mut added) = (exchange.user().id(), String::new());
    for ((method, path), operation) in operations() {
        exchange.market("KXTEST-26-A");
        #[cfg(feature = "perps")]
        exchange.margin_market("KXTESTPERP");
        if !cfg!(feature = "perps")
            && (path.contains("margin") || operation["operationId"] == "PutUser")
        {
            continue;
        }
        let ticker = if path.contains("margin") {
            "KXTESTPERP"
        } else {
            "KXTEST-26-A"
        };
        if path.ends_with("{key_id}") {
            let new = call_ok(&exchange, "POST", &format!("/users/{user}/keys"), json!({})).await;
            added = new["key_id"].as_str().unwrap().to_owned();
        }
        if path.contains("{ticker}") {
            // Another operation has settled or closed the market.
            exchange.reset();
            exchange.market("KXTEST-26-A");
            #[cfg(feature = "perps")]
            exchange.margin_market("KXTESTPERP");
        }
        let target = path
            .replace("{ticker}", ticker)
            .replace("{user_id}", &user)
            .replace("{key_id}", &added);
        let url = format!("http://{}{target}", exchange.address());
        let mut request = http.request(method.parse().unwrap(), url);
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        if operation["requestBody"].is_object() {
            assert!(example.is_object(), "{path} has no example");
            request = request.json(example);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body: Value = response.json().await.unwrap();
        let schema = response_schema(operation);
        assert!(schema.is_object(), "{method} {path}");
        check(schema, &body, &format!("{method} {path}"));
    }
}

#[tokio::test]
async fn full_state_and_requests_are_as_described() {
    let exchange = started(MockExchange::builder().without_limits()).await;
    let key = first_key(&exchange);
    exchange
        .market("KXTEST-26-A")
        .ask(Dollars::from_cents(40), 5);
    for (price, count) in [("0.4000", "5.00"), ("0.1000", "2.00")] {
        let (status, _) = signed(
            &exchange,
            &key,
            "POST",
            "/portfolio/events/orders",
            order("bid", price, count),
        )
        .await;
        assert_eq!(status, 201);
    }
    signed(&exchange, &key, "GET", "/nothing", Value::Null).await;
    let state = call_ok(&exchange, "GET", "/state", Value::Null).await;
    for list in ["balances", "positions", "orders"] {
        assert_ne!(state["users"][0][list], json!([]));
    }
    check(
        response_schema(operation("GET", "/mock/state")),
        &state,
        "state",
    );
    let requests = call_ok(&exchange, "GET", "/requests", Value::Null).await;
    assert_eq!(requests["requests"].as_array().unwrap().len(), 3);
    check(
        response_schema(operation("GET", "/mock/requests")),
        &requests,
        "requests",
    );
}

#[tokio::test]
async fn request_fields_match_the_file() {
    let exchange = started(MockExchange::builder()).await;
    let user = exchange.user().id();
    exchange.market("KXTEST-26-A");
    let mut compared = 0;
    for ((method, path), operation) in operations() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_object() || (!cfg!(feature = "perps") && path.contains("margin")) {
            continue;
        }
        let target = path
            .replace("{ticker}", "KXTEST-26-A")
            .replace("{user_id}", &user);
        let target = target.strip_prefix("/mock").unwrap();
        let (status, body) = call(&exchange, &method, target, json!({ "nope": 1 })).await;
        // Changes of users differ by feature.
        if status == 405 {
            continue;
        }
        assert_eq!(status, 400, "{method} {path}");
        let message = body["error"]["message"].as_str().unwrap();
        if message.contains("missing field `fault`") {
            continue;
        }
        // The error message of serde lists the known fields.
        let quoted = message.split('`').skip(1).step_by(2);
        let known: BTreeSet<&str> = quoted.filter(|name| *name != "nope").collect();
        let described: BTreeSet<&str> = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(known, described, "{method} {path}: {message}");
        compared += 1;
    }
    assert!(compared > 10);
}

#[tokio::test]
async fn each_websocket_fault_of_the_file_is_accepted() {
    let exchange = started(MockExchange::builder()).await;
    let schema = &operation("POST", "/mock/websocket/faults")["requestBody"]["content"]["application/json"]
        ["schema"];
    let fields =
        json!({ "count": 1, "text": "x", "code": 1000, "reason": "r", "status": 503, "times": 1 });
    for name in schema["properties"]["fault"]["enum"].as_array().unwrap() {
        let mut body = json!({ "fault": name });
        for _ in 0..3 {
            if name == "end_subscriptions" {
                body["code"] = 25.into();
            }
            let (status, response) =
                call(&exchange, "POST", "/websocket/faults", body.clone()).await;
            if status == 200 {
                body = Value::Null;
                break;
            }
            let message = response["error"]["message"].as_str().unwrap();
            let missing = message.split('`').nth(1).unwrap();
            body[missing] = fields[missing].clone();
        }
        assert!(body.is_null(), "{name}: {body}");
    }
}
