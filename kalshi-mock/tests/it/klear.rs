//! The clearing API: bearer credentials, and samples with the values of the request.

use kalshi_gen::{FixupMode, ParameterLocation, Samples};
use kalshi_klear::{BearerCredentials, Client, Environment, operation};
use kalshi_mock::MockExchange;
use serde_json::{Value, json};

use crate::common::{exchange, send};

/// Sends a request with a bearer token.
async fn call(
    exchange: &MockExchange,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let token = format!(
        "{}:{}",
        exchange.klear_admin_user_id(),
        exchange.klear_access_token()
    );
    let url = format!("{}{path}", exchange.klear_url());
    let request = reqwest::Client::new()
        .request(method.parse().unwrap(), url)
        .bearer_auth(token);
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn every_operation_returns_a_sample() {
    let spec = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../kalshi-klear/klear_openapi.yaml"
    );
    let text = std::fs::read_to_string(spec).unwrap();
    let samples = Samples::new(&text, FixupMode::Lenient).unwrap();
    let exchange = exchange().await;
    for operation in &operation::ALL {
        let mut path = operation.path.to_owned();
        let mut query = Vec::new();
        for argument in samples.arguments(operation.id) {
            let text = argument.value.as_str().map(ToOwned::to_owned);
            let text = text.unwrap_or_else(|| argument.value.to_string());
            match argument.location {
                ParameterLocation::Path => {
                    let id = "5f0c2a1e-7d43-4b8a-9c16-2e8f3d70b5a9";
                    path = path.replace(&format!("{{{}}}", argument.name), id);
                }
                _ => query.push(format!("{}={}", argument.name, text.replace(' ', "%20"))),
            }
        }
        let path = format!("{path}?{}", query.join("&"));
        let body = samples.body(operation.id);
        let (status, body) = call(&exchange, operation.method.as_str(), &path, body).await;
        assert_eq!(
            Some(status),
            samples.status(operation.id),
            "{operation}: {body}"
        );
    }
}

#[tokio::test]
async fn samples_take_ids_dates_and_filters_from_the_request() {
    let exchange = exchange().await;
    let path = "/margin/reports?start_date=2026-10-01&end_date=2026-10-02";
    let (_, body) = call(&exchange, "GET", path, None).await;
    assert_eq!(body["reports"][0]["date"], "2026-10-01");
    let path = "/fcm/margin/api_keys?fcm_subtrader_id=u_desk";
    let (_, body) = call(&exchange, "GET", path, None).await;
    assert_eq!(body["api_keys"][0]["fcm_subtrader_id"], "u_desk");
    let path = "/margin/settlement_balance_withdrawal?id=w-7";
    let (_, body) = call(&exchange, "GET", path, None).await;
    assert_eq!(body["id"], "w-7");
    let path = "/margin/obligation_history?limit=5";
    let (_, body) = call(&exchange, "GET", path, None).await;
    assert_eq!(body["cursor"], "", "one page");
}

#[tokio::test]
async fn requests_without_the_bearer_token_are_unauthorized() {
    let exchange = exchange().await;
    let url = format!("{}/margin/active_obligations", exchange.klear_url());
    let http = reqwest::Client::new();
    let wrong = format!("{}:other", exchange.klear_admin_user_id());
    for request in [
        http.get(&url),
        http.get(&url).bearer_auth(wrong),
        http.get(&url).bearer_auth(exchange.klear_access_token()),
    ] {
        let (status, body) = send(request).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (401, &json!("unauthorized"))
        );
    }
}

#[tokio::test]
async fn typed_client_requires_the_access_token() {
    let exchange = exchange().await;
    let client = |token: &str| {
        let credentials = BearerCredentials::new(exchange.klear_admin_user_id(), token).unwrap();
        Client::builder()
            .environment(Environment::custom(&exchange.klear_url()).unwrap())
            .credentials(credentials)
            .build()
            .unwrap()
    };
    let own = exchange.klear_client().unwrap();
    own.get_settlement_balance().send().await.unwrap();

    let error = client("another").get_settlement_balance().send().await;
    let error = error.unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert!(
        error.to_string().contains("access token may be wrong"),
        "{error}"
    );
}
