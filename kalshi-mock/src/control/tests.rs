//! Tests of the control interface over HTTP.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use crate::MockExchange;

async fn call(exchange: &MockExchange, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", exchange.control_url());
    let request = reqwest::Client::new().request(method.parse().unwrap(), url);
    let response = request.json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn markets_live_and_reset_starts_over() {
    let builder = MockExchange::builder().without_universe().control();
    let exchange = builder.start().await.unwrap();
    let market = "/markets/KXTEST-26-A";
    let (status, body) = call(&exchange, "POST", &format!("{market}/pause"), json!({})).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    let (status, _) = call(
        &exchange,
        "PUT",
        market,
        json!({ "mutually_exclusive": true }),
    )
    .await;
    assert_eq!(status, 200);
    let quote = json!({ "side": "bid", "price": "0.4000", "count": "5.00" });
    let (_, body) = call(
        &exchange,
        "POST",
        &format!("{market}/quotes"),
        quote.clone(),
    )
    .await;
    assert_eq!(
        body["book"]["bids"],
        json!([{ "price": "0.4000", "count": "5.00" }])
    );
    call(&exchange, "POST", &format!("{market}/close"), json!({})).await;
    let (status, _) = call(&exchange, "POST", &format!("{market}/quotes"), quote).await;
    assert_eq!(status, 409);
    let value = json!({ "value": "1" });
    let (_, body) = call(&exchange, "POST", &format!("{market}/settle"), value).await;
    assert_eq!(body["status"], "finalized");
    let id = exchange.user().id();
    let deposit = json!({ "amount": "5" });
    call(&exchange, "POST", &format!("/users/{id}/deposits"), deposit).await;
    call(&exchange, "POST", "/reset", json!({})).await;
    let (_, state) = call(&exchange, "GET", "/state", json!({})).await;
    assert_eq!(state["markets"], json!([]));
    assert_eq!(state["users"][0]["user_id"], id);
    assert_eq!(state["users"][0]["balances"][0]["total"], "10000.0000");
    let client = exchange.client().unwrap();
    assert_eq!(
        client.get_balance().send().await.unwrap().balance,
        1_000_000
    );
}

#[tokio::test]
async fn pages_of_other_origins_are_rejected() {
    let exchange = MockExchange::builder().control().start().await.unwrap();
    let url = format!("{}/state", exchange.control_url());
    for (name, value, status) in [
        ("host", "evil.example", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("host", "localhost:1", 200),
    ] {
        let request = reqwest::Client::new().get(&url).header(name, value);
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn token_is_required_and_signs_with_generated_keys_only() {
    let builder = MockExchange::builder().control_token("secret");
    let exchange = builder.start().await.unwrap();
    assert_eq!(call(&exchange, "GET", "/state", json!({})).await.0, 401);
    let (own, http) = (exchange.user(), reqwest::Client::new());
    own.register_key("own", own.private_key().public_key());
    let path = "/trade-api/v2/portfolio/balance";
    for (key, status) in [("own", 404), (exchange.credentials().key_id(), 200)] {
        let url = format!("{}/sign", exchange.control_url());
        let body = json!({ "method": "GET", "path": path, "key_id": key });
        let request = http.post(url).bearer_auth("secret").json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        if status == 200 {
            let body: Value = response.json().await.unwrap();
            let mut request = http.get(format!("http://{}{path}", exchange.address()));
            for (name, value) in body["headers"].as_object().unwrap() {
                request = request.header(name, value.as_str().unwrap());
            }
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
    }
}

#[tokio::test]
async fn clock_switches_faults_keys_and_requests_are_controlled() {
    let exchange = MockExchange::builder().control().start().await.unwrap();
    let at = json!({ "at": "2026-01-02T03:04:05Z" });
    call(&exchange, "POST", "/time/stop", at).await;
    let by = json!({ "milliseconds": 1500 });
    let (_, time) = call(&exchange, "POST", "/time/advance", by).await;
    let now = "2026-01-02T03:04:06.500000Z";
    assert_eq!(time, json!({ "now": now, "stopped": true }));
    let paused = json!({ "trading_active": false });
    call(&exchange, "PUT", "/exchange", paused).await;
    assert!(!exchange.snapshot().trading_active);
    let fault = json!({ "fault": "earthquake" });
    assert_eq!(call(&exchange, "POST", "/faults", fault).await.0, 400);
    let fault = json!({ "fault": "refuse_handshakes", "status": 503, "times": 1 });
    let (status, body) = call(&exchange, "POST", "/websocket/faults", fault).await;
    assert_eq!((status, body), (200, json!({ "connections": 0 })));
    let (_, user) = call(&exchange, "POST", "/users", json!({})).await;
    let path = format!("/users/{}/keys", user["user_id"].as_str().unwrap());
    let key = json!({ "key_id": user["key_id"], "public_key": "none" });
    assert_eq!(call(&exchange, "POST", &path, key).await.0, 400);
    let client = exchange.client().unwrap();
    client.get_exchange_status().send().await.unwrap();
    let path = "/requests?operation=GetExchangeStatus";
    let (_, body) = call(&exchange, "GET", path, json!({})).await;
    assert_eq!(body["requests"][0]["status"], 200);
    assert_eq!(call(&exchange, "GET", "/nothing", json!({})).await.0, 404);
    assert_eq!(call(&exchange, "PUT", "/reset", json!({})).await.0, 405);
}
