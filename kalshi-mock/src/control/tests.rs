//! Tests of the control interface over HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod conformance;
mod hostile;

use chrono::{DateTime, Utc};
use kalshi_sdk::{PrivateKey, auth::KeyAlgorithm};
use serde_json::{Value, json};

use crate::{Activity, MockExchange, MockExchangeBuilder};

const MARKET: &str = "/markets/KXTEST-26-A";

async fn started(builder: MockExchangeBuilder) -> MockExchange {
    builder.control().start().await.unwrap()
}

async fn empty() -> MockExchange {
    started(MockExchange::builder().without_universe().without_limits()).await
}

/// Sends a request. Checks that an error has the form of all errors.
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

async fn done(exchange: &MockExchange, method: &str, path: &str, body: Value) -> Value {
    let (status, answer) = call(exchange, method, path, body).await;
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
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
    let headers = done(exchange, "POST", "/sign", to_sign).await;
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
async fn market_is_quoted_traded_paused_and_settled() {
    let exchange = empty().await;
    let key = first_key(&exchange);
    let (status_code, body) = call(&exchange, "POST", &format!("{MARKET}/pause"), json!({})).await;
    assert_eq!(
        (status_code, &body["error"]["code"]),
        (404, &json!("not_found"))
    );
    let settings = json!({ "mutually_exclusive": true, "strike_type": "between", "floor_strike": 41, "cap_strike": 42.5,
        "closes_at": "2100-01-01T00:00:00Z", "exchange_index": 0, "maker_fees": false, "price_level_structure": "deci_cent",
        "price_ranges": [{ "start": "0", "end": "1", "step": "0.001" }] });
    let market = done(&exchange, "PUT", MARKET, settings).await;
    assert_eq!(
        market["price_ranges"],
        json!([{ "start": "0.0000", "end": "1.0000", "step": "0.0010" }])
    );
    assert_eq!(market["mutually_exclusive"], true);
    let (_, shown) = signed(&exchange, &key, "GET", "/markets/KXTEST-26-A", Value::Null).await;
    assert_eq!(shown["market"]["strike_type"], "between");
    assert_eq!(shown["market"]["floor_strike"], 41.0);
    assert_eq!(shown["market"]["cap_strike"], 42.5);
    assert_eq!(shown["market"]["yes_sub_title"], "41 to 42.5");
    assert_eq!(shown["market"]["close_time"], "2100-01-01T00:00:00Z");

    let quote = json!({ "side": "ask", "price": "0.455", "count": "5.00" });
    let market = done(
        &exchange,
        "POST",
        &format!("{MARKET}/quotes"),
        quote.clone(),
    )
    .await;
    assert_eq!(
        market["book"]["asks"],
        json!([{ "price": "0.4550", "count": "5.00" }])
    );
    let (code, _) = signed(
        &exchange,
        &key,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.4000", "3.00"),
    )
    .await;
    assert_eq!(code, 201);
    let trade = json!({ "side": "ask", "price": "0.4000", "count": "2.00" });
    let market = done(&exchange, "POST", &format!("{MARKET}/trades"), trade).await;
    assert_eq!(
        market["book"]["bids"],
        json!([{ "price": "0.4000", "count": "1.00" }])
    );
    assert_eq!(market["volume"], "2.00");
    let user = done(
        &exchange,
        "GET",
        &format!("/users/{}", exchange.user().id()),
        Value::Null,
    )
    .await;
    assert_eq!(user["positions"][0]["position"], "2.00");
    assert_eq!(user["orders"][0]["remaining"], "1.00");
    // Money is at stake now.
    for settings in [
        json!({ "maker_fees": true }),
        json!({ "exchange_index": 1 }),
    ] {
        assert_eq!(status(&exchange, "PUT", MARKET, settings).await, 409);
    }
    let market = done(
        &exchange,
        "DELETE",
        &format!("{MARKET}/quotes"),
        Value::Null,
    )
    .await;
    assert_eq!(market["book"]["asks"], json!([]));

    assert_eq!(
        done(&exchange, "POST", &format!("{MARKET}/pause"), Value::Null).await["status"],
        "inactive"
    );
    assert_eq!(
        status(
            &exchange,
            "POST",
            &format!("{MARKET}/quotes"),
            quote.clone()
        )
        .await,
        409
    );
    assert_eq!(
        done(&exchange, "POST", &format!("{MARKET}/resume"), Value::Null).await["status"],
        "active"
    );
    done(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "trading_active": false }),
    )
    .await;
    assert_eq!(
        status(
            &exchange,
            "POST",
            &format!("{MARKET}/quotes"),
            quote.clone()
        )
        .await,
        409
    );
    done(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "trading_active": true }),
    )
    .await;
    assert_eq!(
        done(&exchange, "POST", &format!("{MARKET}/close"), Value::Null).await["status"],
        "closed"
    );
    for (path, body) in [
        ("quotes", quote),
        ("close", json!({})),
        ("pause", json!({})),
        ("resume", json!({})),
    ] {
        assert_eq!(
            status(&exchange, "POST", &format!("{MARKET}/{path}"), body).await,
            409,
            "{path}"
        );
    }
    assert_eq!(
        status(
            &exchange,
            "PUT",
            MARKET,
            json!({ "closes_at": "2101-01-01T00:00:00Z" })
        )
        .await,
        409
    );
    let market = done(
        &exchange,
        "POST",
        &format!("{MARKET}/settle"),
        json!({ "result": "0.75" }),
    )
    .await;
    assert_eq!(
        (&market["status"], &market["settlement_value"]),
        (&json!("finalized"), &json!("0.7500"))
    );
    let (code, body) = call(
        &exchange,
        "POST",
        &format!("{MARKET}/settle"),
        json!({ "result": "yes" }),
    )
    .await;
    assert_eq!((code, &body["error"]["code"]), (409, &json!("conflict")));
    let (_, balance) = signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await;
    assert_eq!(balance["balance"], 1_000_000 - 80 + 150);
}

#[cfg(feature = "perps")]
#[tokio::test]
async fn margin_market_is_quoted_and_changed() {
    let exchange = empty().await;
    let market = "/margin/markets/KXTESTPERP";
    assert_eq!(
        status(&exchange, "POST", &format!("{market}/pause"), Value::Null).await,
        404
    );
    let settings = json!({ "mark_price": "12.5", "reference_price": "12.4", "funding_rate": "-0.0003", "maker_fee_rate": "0",
        "taker_fee_rate": "0.0015", "leverage": "7.5", "fractional": true, "version": 2 });
    assert_eq!(
        done(&exchange, "PUT", market, settings).await["mark_price"],
        "12.5000"
    );
    let quote = json!({ "side": "bid", "price": "12.2500", "count": "3.50" });
    let shown = done(&exchange, "POST", &format!("{market}/quotes"), quote).await;
    assert_eq!(
        shown["book"]["bids"],
        json!([{ "price": "12.2500", "count": "3.50" }])
    );
    let client = exchange.perps_client().unwrap();
    // The initial margin is 1.3 times the maintenance margin.
    let listed = client
        .get_margin_market()
        .ticker("KXTESTPERP")
        .send()
        .await
        .unwrap();
    assert_eq!(
        format!("{:?}", listed.market.leverage_estimate),
        "Some(Decimal(5.769))"
    );
    assert_eq!(
        done(&exchange, "POST", &format!("{market}/pause"), Value::Null).await["status"],
        "inactive"
    );
    done(&exchange, "POST", &format!("{market}/resume"), Value::Null).await;
    let shown = done(
        &exchange,
        "DELETE",
        &format!("{market}/quotes"),
        Value::Null,
    )
    .await;
    assert_eq!(shown["book"]["bids"], json!([]));
    // Only markets of events close and settle.
    for path in ["close", "settle"] {
        assert_eq!(
            status(&exchange, "POST", &format!("{market}/{path}"), json!({})).await,
            404
        );
    }
    let path = format!("/users/{}", exchange.user().id());
    let deposit = json!({ "amount": "-9999.99", "margin": true });
    let user = done(&exchange, "POST", &format!("{path}/deposits"), deposit).await;
    let margin = user["balances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["margin"] == true);
    assert_eq!(margin.unwrap()["total"], "0.0100");
    done(&exchange, "PUT", &path, json!({ "margin_enabled": false })).await;
    assert!(!client.get_margin_enabled().send().await.unwrap().enabled);
}

#[tokio::test]
async fn users_have_keys_with_scopes_subaccounts_and_deposits() {
    let exchange = empty().await;
    let added = done(&exchange, "POST", "/users", Value::Null).await;
    let key = added["key_id"].as_str().unwrap();
    let path = format!("/users/{}", added["user_id"].as_str().unwrap());
    let keys = format!("{path}/keys");
    let balance = |key: &str| {
        let (exchange, key) = (exchange.clone(), key.to_owned());
        async move { signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await }
    };
    done(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "0.50" }),
    )
    .await;
    assert_eq!(balance(key).await.1["balance"], 1_000_050);
    done(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "-20000" }),
    )
    .await;
    assert_eq!(balance(key).await.1["balance"], 0);
    let user = done(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "7", "exchange_index": 1 }),
    )
    .await;
    assert_eq!(user["balances"][1]["total"], "7.0000");

    // An own public key, which the exchange cannot sign with.
    let own = PrivateKey::generate_ed25519().unwrap();
    let new = json!({ "key_id": "own key?", "public_key": own.public_key().to_pem() });
    assert_eq!(status(&exchange, "POST", &keys, new).await, 400);
    let new = json!({ "key_id": "own/1", "public_key": own.public_key().to_pem() });
    assert_eq!(
        done(&exchange, "POST", &keys, new.clone()).await,
        json!({ "key_id": "own/1", "private_key": null })
    );
    assert_eq!(status(&exchange, "POST", &keys, new).await, 409);
    let to_sign =
        json!({ "method": "GET", "path": "/trade-api/v2/portfolio/balance", "key_id": "own/1" });
    assert_eq!(status(&exchange, "POST", "/sign", to_sign).await, 404);
    let client = exchange.client_builder().unwrap();
    let client = client.credentials(kalshi_sdk::Credentials::new("own/1", own).unwrap());
    client.build().unwrap().get_balance().send().await.unwrap();
    done(&exchange, "DELETE", &format!("{keys}/own%2F1"), Value::Null).await;
    assert_eq!(
        status(&exchange, "DELETE", &format!("{keys}/own%2F1"), Value::Null).await,
        404
    );
    assert_eq!(
        status(&exchange, "DELETE", &format!("{keys}/{key}"), Value::Null).await,
        409
    );

    let reader = done(&exchange, "POST", &keys, json!({ "scopes": ["read"] })).await;
    let reader = reader["key_id"].as_str().unwrap();
    assert_eq!(balance(reader).await.0, 200);
    exchange.market("KXTEST-26-A");
    let rejected = signed(
        &exchange,
        reader,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.1", "1"),
    )
    .await;
    assert_eq!(rejected.0, 403);
    for terms in [
        json!({ "scopes": ["write"] }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["all"] }),
        json!({ "subaccount": 1 }),
    ] {
        assert_eq!(status(&exchange, "POST", &keys, terms).await, 400);
    }
    signed(&exchange, key, "POST", "/portfolio/subaccounts", json!({})).await;
    let locked = done(&exchange, "POST", &keys, json!({ "subaccount": 1 })).await;
    let locked = locked["key_id"].as_str().unwrap();
    assert_eq!(
        signed(
            &exchange,
            locked,
            "GET",
            "/portfolio/balance?subaccount=0",
            Value::Null
        )
        .await
        .0,
        403
    );
    assert_eq!(
        signed(
            &exchange,
            locked,
            "GET",
            "/portfolio/balance?subaccount=1",
            Value::Null
        )
        .await
        .0,
        200
    );
}

#[tokio::test]
async fn mock_signs_with_its_own_keys_only() {
    let external = PrivateKey::generate_ed25519().unwrap();
    let exchange = started(MockExchange::builder().private_key(external)).await;
    let to_sign = |key: &str| json!({ "method": "get", "path": "/trade-api/v2/portfolio/balance?x=1", "key_id": key });
    let (code, body) = call(&exchange, "POST", "/sign", to_sign(&first_key(&exchange))).await;
    assert_eq!(code, 404, "{body}");
    // Its client signs itself.
    exchange
        .client()
        .unwrap()
        .get_balance()
        .send()
        .await
        .unwrap();
    let second = exchange.add_user().unwrap();
    let key = second.credentials().key_id().to_owned();
    done(&exchange, "POST", "/sign", to_sign(&key)).await;
    let new = json!({ "name": "n", "key_type": "ed25519" });
    let (_, made) = signed(&exchange, &key, "POST", "/api_keys/generate", new).await;
    done(
        &exchange,
        "POST",
        "/sign",
        to_sign(made["api_key_id"].as_str().unwrap()),
    )
    .await;
}

#[tokio::test]
async fn rsa_keys_sign_too() {
    let exchange = started(MockExchange::builder().key_algorithm(KeyAlgorithm::Rsa)).await;
    let (code, _) = signed(
        &exchange,
        &first_key(&exchange),
        "GET",
        "/portfolio/balance",
        Value::Null,
    )
    .await;
    assert_eq!(code, 200);
}

#[tokio::test]
async fn clock_switches_schedule_and_faults_are_controlled() {
    let exchange = empty().await;
    let at = json!({ "at": "2026-01-02T03:04:05Z" });
    done(&exchange, "POST", "/time/stop", at).await;
    let time = done(
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
    done(&exchange, "PUT", MARKET, Value::Null).await;
    done(&exchange, "POST", "/schedule", event).await;
    done(
        &exchange,
        "POST",
        "/time/advance",
        json!({ "milliseconds": 60_000 }),
    )
    .await;
    assert_eq!(
        done(&exchange, "GET", MARKET, Value::Null).await["status"],
        "finalized"
    );
    let switches = done(
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
    done(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "exchange_active": true }),
    )
    .await;
    assert_eq!(
        done(&exchange, "POST", "/time/resume", Value::Null).await["stopped"],
        false
    );

    let fault = json!({ "fault": "server-error=503,on=GetExchangeStatus,times=1" });
    done(&exchange, "POST", "/faults", fault.clone()).await;
    let url = format!("{}/exchange/status", exchange.rest_url());
    let get = || async { reqwest::get(&url).await.unwrap().status().as_u16() };
    assert_eq!((get().await, get().await), (503, 200));
    done(&exchange, "POST", "/faults", fault).await;
    done(&exchange, "DELETE", "/faults", Value::Null).await;
    assert_eq!(get().await, 200);
    let listed = done(
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
    done(&exchange, "DELETE", "/requests", Value::Null).await;
    assert_eq!(
        done(&exchange, "GET", "/requests", Value::Null).await,
        json!({ "requests": [] })
    );

    let fault = json!({ "fault": "refuse_handshakes", "status": 418, "times": 1 });
    assert_eq!(
        done(&exchange, "POST", "/websocket/faults", fault).await,
        json!({ "connections": 0 })
    );
    let url = exchange.ws_url().replace("ws://", "http://");
    assert_eq!(reqwest::get(url).await.unwrap().status(), 418);
}

#[tokio::test]
async fn stale_reads_are_injected() {
    let exchange = empty().await;
    let key = first_key(&exchange);
    done(&exchange, "PUT", MARKET, Value::Null).await;
    done(
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
    done(&exchange, "DELETE", "/faults", Value::Null).await;
    assert_eq!(
        signed(&exchange, &key, "GET", &path, Value::Null).await.0,
        200
    );
}

#[tokio::test]
async fn reset_starts_over_and_keeps_users_and_keys() {
    let exchange = empty().await;
    let key = first_key(&exchange);
    done(&exchange, "PUT", MARKET, Value::Null).await;
    signed(
        &exchange,
        &key,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.1", "1"),
    )
    .await;
    let second = done(&exchange, "POST", "/users", Value::Null).await;
    let path = format!("/users/{}", second["user_id"].as_str().unwrap());
    let added = done(&exchange, "POST", &format!("{path}/keys"), Value::Null).await;
    let (_, made) = signed(
        &exchange,
        &key,
        "POST",
        "/api_keys/generate",
        json!({ "name": "n" }),
    )
    .await;
    done(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "5" }),
    )
    .await;
    done(
        &exchange,
        "POST",
        "/faults",
        json!({ "fault": "drop-before" }),
    )
    .await;
    done(
        &exchange,
        "POST",
        "/time/stop",
        json!({ "at": "2026-01-02T03:04:05Z" }),
    )
    .await;

    done(&exchange, "POST", "/reset", Value::Null).await;
    let state = done(&exchange, "GET", "/state", Value::Null).await;
    assert_eq!(state["markets"], json!([]));
    assert_eq!(state["clock_stopped"], false);
    assert_eq!(state["users"][0]["user_id"], exchange.user().id());
    assert_eq!(state["users"][1]["user_id"], second["user_id"]);
    assert_eq!(state["users"][1]["balances"][0]["total"], "10000.0000");
    assert_eq!(
        done(&exchange, "GET", "/requests", Value::Null).await,
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
    let to_sign = json!({ "method": "GET", "path": "/", "key_id": made["api_key_id"] });
    assert_eq!(status(&exchange, "POST", "/sign", to_sign).await, 404);
}

#[tokio::test]
async fn ids_stay_unique_after_a_reset() {
    let exchange = empty().await;
    let key = first_key(&exchange);
    done(&exchange, "PUT", MARKET, Value::Null).await;
    // Makes ids between those of the users, which come again after the reset.
    for _ in 0..3 {
        signed(
            &exchange,
            &key,
            "POST",
            "/portfolio/events/orders",
            order("bid", "0.1", "1"),
        )
        .await;
        done(&exchange, "POST", "/users", Value::Null).await;
    }
    done(&exchange, "POST", "/reset", Value::Null).await;
    for _ in 0..20 {
        done(&exchange, "POST", "/users", Value::Null).await;
    }
    let users = exchange.users();
    let unique = |ids: Vec<String>| {
        ids.into_iter()
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    assert_eq!(unique(users.iter().map(crate::User::id).collect()), 24);
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
        done(
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
    done(&exchange, "POST", "/reset", Value::Null).await;
    assert!(exchange.snapshot().trading_active);
    assert_eq!(exchange.time().now(), start);
    assert_eq!(run().await, first);
}

#[tokio::test]
async fn events_follow_the_state_until_shutdown() {
    let exchange = empty().await;
    let url = format!("{}/events", exchange.control_url());
    let mut response = reqwest::get(url).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut next = async |wanted: &str| loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let (name, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            let found = name == format!("event: {wanted}");
            text = rest.to_owned();
            if found {
                break data;
            }
            continue;
        }
        text += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    };
    assert_eq!(next("state").await["state"]["markets"], json!([]));
    done(&exchange, "PUT", MARKET, Value::Null).await;
    assert_eq!(
        next("state").await["state"]["markets"][0]["ticker"],
        "KXTEST-26-A"
    );
    reqwest::get(format!("{}/markets", exchange.rest_url()))
        .await
        .unwrap();
    assert_eq!(
        next("state").await["requests"][0]["operation"],
        "GetMarkets"
    );
    assert!(next("time").await["now"].is_string());
    // A page that is open does not hold up the shutdown.
    let shutdown = exchange.shut_down();
    tokio::time::timeout(std::time::Duration::from_secs(5), shutdown)
        .await
        .unwrap();
    while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
}

#[tokio::test]
async fn exchange_runs_until_the_last_handle_is_dropped() {
    let exchange = empty().await;
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
