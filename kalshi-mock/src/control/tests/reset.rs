//! Reset of the exchange.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{MARKET, call_ok, empty_exchange, first_key, order, signed, started, status};
use crate::{Activity, MockExchange, User};

#[tokio::test]
async fn reset_starts_over_and_keeps_users_and_keys() {
    let exchange = empty_exchange().await;
    let key = first_key(&exchange);
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    signed(
        &exchange,
        &key,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.1", "1"),
    )
    .await;
    let second = call_ok(&exchange, "POST", "/users", Value::Null).await;
    let path = format!("/users/{}", second["user_id"].as_str().unwrap());
    let added = call_ok(&exchange, "POST", &format!("{path}/keys"), Value::Null).await;
    let (_, generated) = signed(
        &exchange,
        &key,
        "POST",
        "/api_keys/generate",
        json!({ "name": "n" }),
    )
    .await;
    call_ok(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "5" }),
    )
    .await;
    call_ok(
        &exchange,
        "POST",
        "/faults",
        json!({ "fault": "drop-before" }),
    )
    .await;
    call_ok(
        &exchange,
        "POST",
        "/time/stop",
        json!({ "at": "2026-01-02T03:04:05Z" }),
    )
    .await;

    call_ok(&exchange, "POST", "/reset", Value::Null).await;
    let state = call_ok(&exchange, "GET", "/state", Value::Null).await;
    assert_eq!(state["markets"], json!([]));
    assert_eq!(state["clock_stopped"], false);
    assert_eq!(state["users"][0]["user_id"], exchange.user().id());
    assert_eq!(state["users"][1]["user_id"], second["user_id"]);
    assert_eq!(state["users"][1]["balances"][0]["total"], "10000.0000");
    assert_eq!(
        call_ok(&exchange, "GET", "/requests", Value::Null).await,
        json!({ "requests": [] })
    );
    for key in [&second["key_id"], &added["key_id"]] {
        let (code, _) = signed(
            &exchange,
            key.as_str().unwrap(),
            "GET",
            "/portfolio/balance",
            Value::Null,
        )
        .await;
        assert_eq!(code, 200);
    }
    let to_sign = json!({ "method": "GET", "path": "/", "key_id": generated["api_key_id"] });
    assert_eq!(status(&exchange, "POST", "/sign", to_sign).await, 404);
}

#[tokio::test]
async fn ids_stay_unique_after_a_reset() {
    let exchange = empty_exchange().await;
    let key = first_key(&exchange);
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    // Generates ids between those of the users, which are generated again after the reset.
    for _ in 0..3 {
        signed(
            &exchange,
            &key,
            "POST",
            "/portfolio/events/orders",
            order("bid", "0.1", "1"),
        )
        .await;
        call_ok(&exchange, "POST", "/users", Value::Null).await;
    }
    call_ok(&exchange, "POST", "/reset", Value::Null).await;
    for _ in 0..20 {
        call_ok(&exchange, "POST", "/users", Value::Null).await;
    }
    let users = exchange.users();
    let unique = |ids: Vec<String>| {
        ids.into_iter()
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    assert_eq!(unique(users.iter().map(User::id).collect()), 24);
    let keys = users
        .iter()
        .map(|user| user.credentials().key_id().to_owned());
    assert_eq!(unique(keys.collect()), 24);
    for user in users {
        let snapshot = user.snapshot();
        assert_eq!(snapshot.key_ids, [user.credentials().key_id()]);
    }
}

#[tokio::test]
async fn reset_restarts_activity_and_schedule() {
    let start: DateTime<Utc> = "2026-11-28T10:00:00Z".parse().unwrap();
    let builder = MockExchange::builder()
        .seed(7)
        .time(start)
        .activity(Activity::Busy)
        .schedule("pause,in=60,for=30".parse().unwrap());
    let exchange = started(builder).await;
    let run = || async {
        call_ok(
            &exchange,
            "POST",
            "/time/advance",
            json!({ "milliseconds": 70_000 }),
        )
        .await;
        (
            exchange.event_hash(),
            exchange.state_hash(),
            exchange.snapshot().trading_active,
        )
    };
    let first = run().await;
    assert!(!first.2);
    call_ok(&exchange, "POST", "/reset", Value::Null).await;
    assert!(exchange.snapshot().trading_active);
    assert_eq!(exchange.time().now(), start);
    assert_eq!(run().await, first);
}

#[tokio::test]
async fn reset_restores_keys_that_clients_deleted() {
    let exchange = empty_exchange().await;
    let key = first_key(&exchange);
    let path = format!("/api_keys/{key}");
    let to_sign = json!({ "method": "DELETE", "path": format!("/trade-api/v2{path}") });
    let headers = call_ok(&exchange, "POST", "/sign", to_sign.clone()).await;
    let url = format!("{}{path}", exchange.rest_url());
    let mut request = reqwest::Client::new().delete(url);
    for (name, value) in headers["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    assert_eq!(request.send().await.unwrap().status(), 204);
    assert_eq!(status(&exchange, "POST", "/sign", to_sign).await, 404);
    call_ok(&exchange, "POST", "/reset", Value::Null).await;
    let (code, _) = signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await;
    assert_eq!(code, 200);
}
