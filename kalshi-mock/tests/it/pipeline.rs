//! Rejections before a request is executed: signatures, validation, tokens.

use std::time::Duration;

use crate::common::{Raw, client_without_retries, exchange, now_ms, order, send};
use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Credentials, PrivateKey,
    auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, KeyAlgorithm},
    limits::Tier,
    types::BookSide::Bid,
};
use serde_json::{Value, json};

const BALANCE: &str = "/portfolio/balance";

fn rejection_of(response: (u16, Value)) -> (u16, String, String) {
    let (status, body) = response;
    // The envelope is flat or nested.
    let error = body.get("error").unwrap_or(&body);
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("details"))
}

/// Returns the message of a rejection.
fn message((_, body): &(u16, Value)) -> String {
    body["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn signatures_of_both_algorithms_are_verified() {
    for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa] {
        let exchange = MockExchange::builder()
            .without_limits()
            .key_algorithm(algorithm)
            .start()
            .await
            .unwrap();
        let raw = Raw::new(&exchange);
        assert_eq!(raw.call("GET", BALANCE, None).await.0, 200);

        let unsigned = send(raw.unsigned("GET", "/trade-api/v2/portfolio/balance")).await;
        assert!(
            message(&unsigned)
                .to_lowercase()
                .contains("kalshi-access-key")
        );
        assert_eq!(rejection_of(unsigned).1, "token_authentication_failure");

        let other_key = PrivateKey::generate_ed25519().unwrap();
        let (id, own) = (
            exchange.credentials(),
            exchange.user().private_key().clone(),
        );
        let forged = Raw::with_key(&exchange, id, other_key);
        assert_eq!(forged.call("GET", BALANCE, None).await.0, 401);
        let unknown = Raw::with_key(
            &exchange,
            Credentials::new("nobody", own.clone()).unwrap(),
            own,
        );
        let (status, body) = unknown.call("GET", BALANCE, None).await;
        assert_eq!(
            (status, &body["error"]["details"]),
            (401, &json!("NOT_FOUND"))
        );

        // Signed for another path, and for another method.
        for (method, path) in [("GET", "/portfolio/positions"), ("POST", BALANCE)] {
            let wrong = raw.signed(method, path, now_ms()).build().unwrap();
            let mut right = raw.signed("GET", BALANCE, now_ms()).build().unwrap();
            *right.headers_mut() = wrong.headers().clone();
            assert_eq!(
                reqwest::Client::new()
                    .execute(right)
                    .await
                    .unwrap()
                    .status(),
                401,
                "{method} {path}"
            );
        }
        for off in [-60_000, 60_000] {
            let timestamp = now_ms().checked_add_signed(off).unwrap();
            let response = send(raw.signed("GET", BALANCE, timestamp)).await;
            assert!(message(&response).contains("ms"), "{response:?}");
            assert_eq!(rejection_of(response).1, "header_timestamp_expired");
        }
        assert_eq!(
            send(raw.signed("GET", BALANCE, now_ms() - 10_000)).await.0,
            200,
            "a small delay is accepted"
        );
    }
}

#[tokio::test]
async fn signature_does_not_cover_the_query() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    let path = "/trade-api/v2/portfolio/orders?limit=5";
    let signed = raw.signed("GET", "/portfolio/orders?limit=5", now_ms());
    assert_eq!(send(signed).await.0, 200);

    let now = now_ms();
    let text = format!("{now}GET{path}");
    let signature = exchange.user().private_key().sign(text.as_bytes()).unwrap();
    let request = raw
        .unsigned("GET", path)
        .header(ACCESS_KEY, exchange.credentials().key_id())
        .header(ACCESS_TIMESTAMP, now)
        .header(ACCESS_SIGNATURE, signature.to_base64());
    let response = send(request).await;
    assert!(message(&response).contains("query"), "{response:?}");
    let (status, code, details) = rejection_of(response);
    assert_eq!((status, code.as_str()), (401, "authentication_error"));
    assert_eq!(details, "INCORRECT_API_KEY_SIGNATURE");
}

#[tokio::test]
async fn keys_can_be_registered_generated_restricted_and_deleted() {
    let exchange = exchange().await;
    let client = client_without_retries(&exchange);
    let own = PrivateKey::generate_ed25519().unwrap();
    exchange.register_key("of-my-own", own.public_key());
    let raw = Raw::with_key(
        &exchange,
        Credentials::new("of-my-own", own.clone()).unwrap(),
        own.clone(),
    );
    assert_eq!(raw.call("GET", BALANCE, None).await.0, 200);

    client
        .create_subaccount()
        .body_map(|body| body)
        .send()
        .await
        .unwrap();
    let body = json!({ "name": "reader", "public_key": own.public_key().to_pem(), "scopes": ["read"], "subaccount": 1 });
    let (status, created) = raw.call("POST", "/api_keys", Some(body)).await;
    assert_eq!(status, 201);
    let id = created["api_key_id"].as_str().unwrap();
    let reader = Raw::with_key(
        &exchange,
        Credentials::new(id, own.clone()).unwrap(),
        own.clone(),
    );
    assert_eq!(reader.call("GET", BALANCE, None).await.0, 200);
    let locked = send(
        reader
            .signed("GET", "/portfolio/orders", now_ms())
            .query(&[("subaccount", "0")]),
    )
    .await;
    assert_eq!(rejection_of(locked).1, "permission_denied");
    let (status, _) = reader
        .call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5 })),
        )
        .await;
    assert_eq!(status, 403, "the key is read-only");

    let (status, created) = raw
        .call(
            "POST",
            "/api_keys/generate",
            Some(json!({ "name": "other", "key_type": "ed25519" })),
        )
        .await;
    assert_eq!(status, 201);
    let generated = PrivateKey::from_pem(created["private_key"].as_str().unwrap()).unwrap();
    let id = created["api_key_id"].as_str().unwrap();
    let other = Raw::with_key(
        &exchange,
        Credentials::new(id, generated.clone()).unwrap(),
        generated,
    );
    assert_eq!(other.call("GET", BALANCE, None).await.0, 200);
    let keys = client
        .get_api_keys()
        .send()
        .await
        .unwrap()
        .into_inner()
        .api_keys;
    assert_eq!(keys.len(), 4);
    client.delete_api_key().api_key(id).send().await.unwrap();
    assert_eq!(other.call("GET", BALANCE, None).await.0, 401);
}

#[tokio::test]
async fn spec_violation_names_the_field() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    for (path, expected) in [
        ("/markets/orderbooks", "tickers: required"),
        (
            "/milestones?limit=5&minimum_start_date=soon",
            "minimum_start_date: must be an RFC 3339 time",
        ),
        (
            "/events?with_nested_markets=perhaps",
            "with_nested_markets: must be of type boolean",
        ),
    ] {
        let (status, code, details) =
            rejection_of(send(raw.unsigned("GET", &format!("/trade-api/v2{path}"))).await);
        assert_eq!(
            (status, code.as_str(), details.as_str()),
            (400, "invalid_parameters", expected),
            "{path}"
        );
    }
    for (path, expected) in [
        ("/markets?limit=1001", "limit: must be lte 1000"),
        ("/markets?limit=many", "limit: must be of type integer"),
        ("/events?limit=0", "limit: must be gte 1"),
    ] {
        let path = format!("/trade-api/v2{path}");
        let expected = (400, json!({ "msg": expected }));
        assert_eq!(send(raw.unsigned("GET", &path)).await, expected);
    }
    for (flag, status) in [("T", 200), ("0", 200), ("False", 200), ("yes", 400)] {
        let path = format!("/trade-api/v2/events?with_nested_markets={flag}");
        assert_eq!(send(raw.unsigned("GET", &path)).await.0, status, "{flag}");
    }
    let filter = send(raw.unsigned("GET", "/trade-api/v2/markets?status=finalized")).await;
    let expected = (
        400,
        "bad_request".to_owned(),
        "invalid status filter".to_owned(),
    );
    assert_eq!(rejection_of(filter), expected);
    let good = json!({
        "ticker": "KXTEST-26-A", "side": "bid", "count": "1", "price": "0.40", "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    });
    for (field, value, expected) in [
        ("ticker", json!(null), "ticker: must be of type string"),
        ("side", json!("buy"), "side: must be oneof bid ask"),
        ("count", json!(1), "count: must be of type string"),
        (
            "count",
            json!("1.234"),
            "count: must be contracts, with up to 2 decimals",
        ),
        ("subaccount", json!(-1), "subaccount: must be gte 0"),
        (
            "time_in_force",
            json!("gtc"),
            "time_in_force: must be oneof fill_or_kill good_till_canceled immediate_or_cancel",
        ),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let code_of_type = match expected.contains("of type") {
            true => "bad_request",
            false => "invalid_parameters",
        };
        let (status, code, details) = rejection_of(
            raw.call("POST", "/portfolio/events/orders", Some(body))
                .await,
        );
        assert_eq!(
            (status, code.as_str(), details.as_str()),
            (400, code_of_type, expected)
        );
    }
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("price");
    assert_eq!(
        rejection_of(
            raw.call("POST", "/portfolio/events/orders", Some(without))
                .await
        )
        .2,
        "price: required"
    );
    let broken = raw.signed("POST", "/portfolio/events/orders", now_ms());
    let broken = broken
        .header("content-type", "application/json")
        .body("{\"ticker\":");
    let (status, body) = send(broken).await;
    assert_eq!((status, &body["code"]), (400, &json!("bad_request")));
    assert!(
        body["details"]
            .as_str()
            .unwrap()
            .starts_with("the body is not valid JSON")
    );
    let _market = exchange.market("KXTEST-26-A");
    let mut dotted = good.clone();
    dotted["client_order_id"] = json!("bot.1");
    let rejection = rejection_of(
        raw.call("POST", "/portfolio/events/orders", Some(dotted))
            .await,
    );
    assert_eq!(
        rejection,
        (400, "invalid_parameters".to_owned(), String::new())
    );
}

#[tokio::test]
async fn paths_and_content_types_are_checked() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    let unknown_path = rejection_of(send(raw.unsigned("GET", "/trade-api/v2/nowhere")).await);
    assert_eq!(
        (unknown_path.0, unknown_path.1.as_str()),
        (404, "not_found")
    );
    assert_eq!(
        send(raw.unsigned("PATCH", "/trade-api/v2/markets")).await.0,
        404
    );
    let slash = raw
        .unsigned("GET", "/trade-api/v2/markets/")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            slash.status().as_u16(),
            slash.headers()["location"].to_str().unwrap()
        ),
        (301, "/trade-api/v2/markets")
    );

    let slash = raw
        .unsigned("GET", "/trade-api/v2/markets/?limit=5")
        .send()
        .await
        .unwrap();
    assert_eq!(slash.headers()["location"], "/trade-api/v2/markets?limit=5");
    assert_eq!(
        raw.call("POST", "/portfolio/orders", Some(json!({})))
            .await
            .0,
        410,
        "the legacy order endpoint is gone"
    );

    let (_, group) = raw
        .call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5 })),
        )
        .await;
    let reset = format!(
        "/portfolio/order_groups/{}/reset",
        group["order_group_id"].as_str().unwrap()
    );
    assert_eq!(
        rejection_of(raw.call("PUT", &reset, None).await).1,
        "invalid_content_type"
    );
    assert_eq!(raw.call("PUT", &reset, Some(json!({}))).await.0, 200);
    let text = raw
        .signed("PUT", &reset, now_ms())
        .header("content-type", "text/plain")
        .body("{}");
    let flat = json!({ "code": "invalid_content_type", "message": "invalid_content_type" });
    assert_eq!(send(text).await, (400, flat));

    for method in ["TRACE", "PURGE"] {
        let request = raw.unsigned(method, "/trade-api/v2/markets");
        assert_eq!(send(request).await.0, 405, "{method}");
    }
}

#[tokio::test]
async fn body_over_the_limit_is_413_and_200_without_body_is_an_object() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    let large = raw
        .signed("POST", "/portfolio/events/orders", now_ms())
        .header("content-type", "application/json")
        .body(vec![b' '; 20 << 20]);
    let response = large.send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.headers()["connection"], "close");

    let netting = json!({ "subaccount_number": 0, "enabled": true });
    assert_eq!(
        raw.call("PUT", "/portfolio/subaccounts/netting", Some(netting))
            .await,
        (200, json!({}))
    );
}

#[tokio::test]
async fn batch_item_without_order_omits_its_id() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    let item = json!({
        "ticker": "KXNONE-26-A", "side": "bid", "count": "1", "price": "0.40", "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    });
    let (_, body) = raw
        .call(
            "POST",
            "/portfolio/events/orders/batched",
            Some(json!({ "orders": [item] })),
        )
        .await;
    let item = body["orders"][0].as_object().unwrap();
    assert!(
        item["error"].is_object() && !item.contains_key("order_id"),
        "{body}"
    );
}

#[tokio::test]
async fn order_writes_are_409_while_the_exchange_is_paused() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    exchange.set_active(false);
    let orders = "/portfolio/events/orders";
    let (status, code, _) = rejection_of(raw.call("DELETE", orders, None).await);
    assert_eq!((status, code.as_str()), (409, "exchange_is_paused"));
    assert_eq!(raw.call("GET", BALANCE, None).await.0, 503);
}

#[tokio::test]
async fn sample_operations_check_ids_and_apply_filters() {
    let exchange = exchange().await;
    let _market = exchange.market("KXTEST-26-A");
    let raw = Raw::new(&exchange);
    let get = |path: &str| send(raw.unsigned("GET", &format!("/trade-api/v2{path}")));
    for path in [
        "/milestones/nothing",
        "/structured_targets/nothing",
        "/live_data/milestone/nothing",
        "/live_data/events/KXNONE-26",
    ] {
        let (status, code, _) = rejection_of(get(path).await);
        assert_eq!((status, code.as_str()), (404, "not_found"), "{path}");
    }
    let (_, list) = get("/milestones?limit=5&type=match").await;
    assert_eq!(list["milestones"][0]["type"], "match");
    let (_, milestone) = get("/milestones/sample%20id").await;
    assert_eq!(milestone["milestone"]["id"], list["milestones"][0]["id"]);
    let (status, live) = get("/live_data/milestone/sample%20id").await;
    assert_eq!(status, 200);
    assert_eq!(live["live_data"]["milestone_id"], "sample id");
    let (_, targets) = get("/structured_targets?ids=another").await;
    assert_eq!(targets["structured_targets"], json!([]));
    assert_eq!(get("/milestones?limit=5&cursor=made-up").await.0, 400);
    // RFQs of a batch have a status too, to which the filter must not apply.
    let batches = raw.signed("GET", "/communications/rfq_batches", now_ms());
    let (status, batches) = send(batches.query(&[("status", "accepted")])).await;
    assert_eq!(status, 200, "{batches}");
    assert_eq!(batches["rfq_batches"][0]["status"], "accepted");
    assert_eq!(batches["rfq_batches"][0]["rfqs"][0]["status"], "open");
}

#[tokio::test]
async fn tokens_run_out_by_tier_and_refill_over_time() {
    let exchange = MockExchange::builder()
        .tier(Tier::Basic)
        .start()
        .await
        .unwrap();
    exchange.time().stop();
    let raw = Raw::new(&exchange);
    let create = || {
        raw.call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5 })),
        )
    };
    for _ in 0..10 {
        assert_eq!(create().await.0, 201);
    }
    let (status, body) = create().await;
    assert_eq!(
        (status, body["error"]["code"].as_str().unwrap()),
        (429, "too_many_requests")
    );
    exchange.time().advance(Duration::from_millis(100));
    assert_eq!(create().await.0, 201);
    assert_eq!(create().await.0, 429);

    // Fifty cancels at 2 tokens each, even if they are rejected.
    exchange.time().advance(Duration::from_secs(1));
    for _ in 0..50 {
        assert_eq!(
            raw.call("DELETE", "/portfolio/events/orders/none", None)
                .await
                .0,
            404
        );
    }
    assert_eq!(
        raw.call("DELETE", "/portfolio/events/orders/none", None)
            .await
            .0,
        429
    );
    // A batch costs as much as its items, and 11 creates cost more than the bucket holds.
    exchange.time().advance(Duration::from_secs(60));
    let item = serde_json::to_value(order(Bid, "0.40", "1")).unwrap();
    let batch = json!({ "orders": vec![item; 11] });
    assert_eq!(
        raw.call("POST", "/portfolio/events/orders/batched", Some(batch))
            .await
            .0,
        429
    );
    // One read of the balance per second.
    assert_eq!(raw.call("GET", BALANCE, None).await.0, 200);
    assert_eq!(raw.call("GET", BALANCE, None).await.0, 429);
    // Signed reads have 400 tokens. Public reads have 200 per address.
    for _ in 0..40 {
        assert_eq!(raw.call("GET", "/portfolio/orders", None).await.0, 200);
    }
    assert_eq!(raw.call("GET", "/portfolio/orders", None).await.0, 429);
    for expected in [[200; 20].as_slice(), &[429]].concat() {
        assert_eq!(
            send(raw.unsigned("GET", "/trade-api/v2/exchange/status"))
                .await
                .0,
            expected
        );
    }
    // Signed requests count by user. Requests with an invalid signature count by address.
    exchange.time().advance(Duration::from_secs(1));
    for _ in 0..20 {
        assert_eq!(
            send(raw.unsigned("GET", "/trade-api/v2/exchange/status"))
                .await
                .0,
            200
        );
    }
    assert_eq!(raw.call("GET", "/exchange/status", None).await.0, 200);
    let expired = send(raw.signed("GET", "/exchange/status", 1)).await;
    assert_eq!(expired.0, 429);
    let client = exchange.client().unwrap();
    exchange.time().advance(Duration::from_secs(60));
    let limits = client.get_account_api_limits().send().await.unwrap();
    assert_eq!(
        (
            limits.usage_tier.as_str(),
            limits.write.refill_rate,
            limits.read.bucket_capacity
        ),
        ("basic", 100, 400)
    );
}

#[tokio::test]
async fn client_discovers_its_limits_and_stays_within_them() {
    let exchange = MockExchange::builder()
        .tier(Tier::Premier)
        .start()
        .await
        .unwrap();
    let client = exchange
        .client_builder()
        .unwrap()
        .rate_limits(Tier::Basic)
        .build()
        .unwrap();
    client.discover_limits().await.unwrap();
    let costs = client
        .get_account_endpoint_costs()
        .send()
        .await
        .unwrap()
        .into_inner();
    assert!(costs.endpoint_costs.iter().any(|cost| {
        cost.path == "/trade-api/v2/portfolio/events/orders/:order_id"
            && cost.method == "DELETE"
            && cost.cost == 2
    }));
}

#[tokio::test]
async fn only_a_skewed_clock_rejects_timestamps_of_the_system_clock() {
    let exchange = exchange().await;
    exchange.time().advance(Duration::from_secs(3600));
    let raw = Raw::new(&exchange);
    assert_eq!(
        raw.call("GET", BALANCE, None).await.0,
        200,
        "a timestamp of the system clock"
    );
    assert!(
        exchange
            .client()
            .unwrap()
            .get_balance()
            .send()
            .await
            .is_ok(),
        "a timestamp of the exchange clock"
    );

    exchange.fault(Fault::ClockSkew(chrono::TimeDelta::minutes(-10)));
    let skewed = raw.signed("GET", BALANCE, now_ms()).send().await.unwrap();
    assert_eq!(skewed.status(), 401);
    let date = httpdate::parse_http_date(skewed.headers()["date"].to_str().unwrap()).unwrap();
    let ahead = date.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(
        (2990..=3000).contains(&ahead.as_secs()),
        "an hour ahead minus ten minutes of skew: {ahead:?}"
    );
}

#[tokio::test]
async fn debug_output_shows_no_secrets() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    raw.call("GET", BALANCE, None).await;
    let request = &exchange.requests()[0];
    let signature = request.headers[&ACCESS_SIGNATURE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        request.headers.contains_key(&ACCESS_KEY)
            && request.headers.contains_key(&ACCESS_TIMESTAMP)
    );
    let debug = format!(
        "{request:?} {exchange:?} {:?} {:?}",
        exchange.user(),
        exchange.market("KXTEST-26")
    );
    assert!(
        !debug.contains(&signature) && !debug.contains("PRIVATE"),
        "{debug}"
    );
}

#[tokio::test]
async fn scopes_allow_their_operations_only() {
    let exchange = exchange().await;
    let owner = Raw::new(&exchange);
    let with = async |scopes: &[&str]| {
        let key = PrivateKey::generate_ed25519().unwrap();
        let body =
            json!({ "name": "k", "public_key": key.public_key().to_pem(), "scopes": scopes });
        let (status, created) = owner.call("POST", "/api_keys", Some(body)).await;
        (status == 201).then(|| {
            let credentials =
                Credentials::new(created["api_key_id"].as_str().unwrap(), key.clone());
            Raw::with_key(&exchange, credentials.unwrap(), key)
        })
    };
    assert!(with(&["write"]).await.is_none(), "write requires read");
    let balance = with(&["read::portfolio_balance"]).await.unwrap();
    assert_eq!(balance.call("GET", BALANCE, None).await.0, 200);
    assert_eq!(balance.call("GET", "/portfolio/orders", None).await.0, 403);
    let trade = with(&["write::trade"]).await.unwrap();
    let group = Some(json!({ "contracts_limit": 5 }));
    assert_eq!(
        trade
            .call("POST", "/portfolio/order_groups/create", group)
            .await
            .0,
        201
    );
    assert_eq!(trade.call("GET", "/portfolio/orders", None).await.0, 403);
    assert_eq!(
        trade
            .call("POST", "/portfolio/subaccounts", Some(json!({})))
            .await
            .0,
        403
    );
    let transfer = with(&["write::transfer"]).await.unwrap();
    assert_eq!(
        transfer
            .call("POST", "/portfolio/order_groups/create", Some(json!({})))
            .await
            .0,
        403
    );
    assert_eq!(
        transfer
            .call("POST", "/portfolio/subaccounts/transfer", Some(json!({})))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn path_that_is_not_utf8_is_not_found() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    let (status, code, _) =
        rejection_of(send(raw.unsigned("GET", "/trade-api/v2/markets/%FF")).await);
    assert_eq!((status, code.as_str()), (404, "not_found"));
    assert_eq!(exchange.requests().len(), 1);
}

#[tokio::test]
async fn timestamp_window_can_be_asymmetric() {
    let exchange = MockExchange::builder()
        .without_limits()
        .timestamp_window(Duration::from_secs(20), Duration::from_secs(40))
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    for (off, status) in [(-30_000, 401), (-10_000, 200), (30_000, 200), (50_000, 401)] {
        let timestamp = now_ms().checked_add_signed(off).unwrap();
        let request = raw.signed("GET", BALANCE, timestamp);
        assert_eq!(send(request).await.0, status, "{off}");
    }
}
