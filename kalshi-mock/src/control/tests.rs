//! Tests of the control interface over HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access;
mod conformance;
mod hostile;
mod markets;
mod reset;
mod users;

use serde_json::{Value, json};

use crate::{MockExchange, MockExchangeBuilder};

const MARKET: &str = "/markets/KXTEST-26-A";

async fn started(builder: MockExchangeBuilder) -> MockExchange {
    builder.control().start().await.unwrap()
}

async fn empty_exchange() -> MockExchange {
    started(MockExchange::builder().without_markets().without_limits()).await
}

/// Sends a request. Checks that errors match the schema.
async fn call(exchange: &MockExchange, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", exchange.control_url());
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    if status != 200 {
        conformance::check_error(&body);
    }
    (status, body)
}

async fn call_ok(exchange: &MockExchange, method: &str, path: &str, body: Value) -> Value {
    let (status, body) = call(exchange, method, path, body).await;
    assert_eq!(status, 200, "{method} {path}: {body}");
    body
}

async fn status(exchange: &MockExchange, method: &str, path: &str, body: Value) -> u16 {
    call(exchange, method, path, body).await.0
}

/// Sends a request to the Trade API with the signature of the control interface.
async fn signed(
    exchange: &MockExchange,
    key: &str,
    method: &str,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let to_sign =
        json!({ "method": method, "path": format!("/trade-api/v2{path}"), "key_id": key });
    let headers = call_ok(exchange, "POST", "/sign", to_sign).await;
    let url = format!("{}{path}", exchange.rest_url());
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    for (name, value) in headers["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn order(side: &str, price: &str, count: &str) -> Value {
    json!({ "ticker": "KXTEST-26-A", "side": side, "price": price, "count": count,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross" })
}

fn first_key(exchange: &MockExchange) -> String {
    exchange.credentials().key_id().to_owned()
}

#[tokio::test]
async fn clock_switches_schedule_and_faults_are_controlled() {
    let exchange = empty_exchange().await;
    let at = json!({ "at": "2026-01-02T03:04:05Z" });
    call_ok(&exchange, "POST", "/time/stop", at).await;
    let time = call_ok(
        &exchange,
        "POST",
        "/time/advance",
        json!({ "milliseconds": 1500 }),
    )
    .await;
    assert_eq!(
        time,
        json!({ "now": "2026-01-02T03:04:06.500000Z", "stopped": true })
    );
    let event = json!({ "event": "settle,in=60,market=KXTEST-26-A,result=no" });
    assert_eq!(
        status(&exchange, "POST", "/schedule", event.clone()).await,
        404
    );
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    call_ok(&exchange, "POST", "/schedule", event).await;
    call_ok(
        &exchange,
        "POST",
        "/time/advance",
        json!({ "milliseconds": 60_000 }),
    )
    .await;
    assert_eq!(
        call_ok(&exchange, "GET", MARKET, Value::Null).await["status"],
        "finalized"
    );
    let switches = call_ok(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "exchange_active": false }),
    )
    .await;
    assert_eq!(
        switches,
        json!({ "exchange_active": false, "trading_active": false })
    );
    call_ok(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "exchange_active": true }),
    )
    .await;
    assert_eq!(
        call_ok(&exchange, "POST", "/time/resume", Value::Null).await["stopped"],
        false
    );

    let fault = json!({ "fault": "server-error=503,on=GetExchangeStatus,times=1" });
    call_ok(&exchange, "POST", "/faults", fault.clone()).await;
    let url = format!("{}/exchange/status", exchange.rest_url());
    let get = || async { reqwest::get(&url).await.unwrap().status().as_u16() };
    assert_eq!((get().await, get().await), (503, 200));
    call_ok(&exchange, "POST", "/faults", fault).await;
    call_ok(&exchange, "DELETE", "/faults", Value::Null).await;
    assert_eq!(get().await, 200);
    let listed = call_ok(
        &exchange,
        "GET",
        "/requests?operation=GetExchangeStatus&limit=2",
        Value::Null,
    )
    .await;
    let statuses: Vec<&Value> = listed["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["status"])
        .collect();
    assert_eq!(statuses, [200, 200]);
    assert_eq!(listed["requests"][0]["key_id"], Value::Null, "not signed");
    let key = first_key(&exchange);
    signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await;
    let listed = call_ok(&exchange, "GET", "/requests?limit=1", Value::Null).await;
    assert_eq!(listed["requests"][0]["key_id"], key);
    call_ok(&exchange, "DELETE", "/requests", Value::Null).await;
    assert_eq!(
        call_ok(&exchange, "GET", "/requests", Value::Null).await,
        json!({ "requests": [] })
    );

    let fault = json!({ "fault": "reject_handshakes", "status": 418, "times": 2 });
    assert_eq!(
        call_ok(&exchange, "POST", "/websocket/faults", fault).await,
        json!({ "connections": 0 })
    );
    let url = exchange.ws_url().replace("ws://", "http://");
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 418);
    call_ok(&exchange, "DELETE", "/faults", Value::Null).await;
    assert_ne!(reqwest::get(&url).await.unwrap().status(), 418);
}

#[tokio::test]
async fn stale_reads_are_injected() {
    let exchange = empty_exchange().await;
    let key = first_key(&exchange);
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    call_ok(
        &exchange,
        "POST",
        "/faults",
        json!({ "fault": "stale-reads=60000,on=GetOrder" }),
    )
    .await;
    let (_, placed) = signed(
        &exchange,
        &key,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.1", "1"),
    )
    .await;
    let path = format!("/portfolio/orders/{}", placed["order_id"].as_str().unwrap());
    assert_eq!(
        signed(&exchange, &key, "GET", &path, Value::Null).await.0,
        404
    );
    call_ok(&exchange, "DELETE", "/faults", Value::Null).await;
    assert_eq!(
        signed(&exchange, &key, "GET", &path, Value::Null).await.0,
        200
    );
}

#[tokio::test]
async fn events_follow_the_state_until_shutdown() {
    let exchange = empty_exchange().await;
    let url = format!("{}/events", exchange.control_url());
    let mut response = reqwest::get(url).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut next = async |expected: &str| loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let (name, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            let found = name == format!("event: {expected}");
            text = rest.to_owned();
            if found {
                break data;
            }
            continue;
        }
        text += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    };
    assert_eq!(next("state").await["state"]["markets"], json!([]));
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    assert_eq!(
        next("state").await["state"]["markets"][0]["ticker"],
        "KXTEST-26-A"
    );
    let long = "x".repeat(10_000);
    reqwest::get(format!(
        "{}/markets?event_ticker={long}",
        exchange.rest_url()
    ))
    .await
    .unwrap();
    let request = &next("state").await["requests"][0];
    assert_eq!(request["operation"], "GetMarkets");
    assert_eq!(request["query"].as_str().map(str::len), Some(4096));
    assert!(next("time").await["now"].is_string());
    // An open page does not delay the shutdown.
    let shutdown = exchange.shutdown();
    tokio::time::timeout(std::time::Duration::from_secs(5), shutdown)
        .await
        .unwrap();
    while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
}

#[tokio::test]
async fn exchange_runs_until_the_last_handle_is_dropped() {
    let exchange = empty_exchange().await;
    let (copy, url) = (
        exchange.clone(),
        format!("{}/state", exchange.control_url()),
    );
    drop(exchange);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
    drop(copy);
    let ended = async {
        while reqwest::get(&url).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), ended)
        .await
        .unwrap();
}
