//! Injected faults, and the request log.

use std::time::{Duration, Instant};

use crate::common::{Raw, TICKER, client_without_retries, contracts, exchange, now_ms, order};
use kalshi_mock::{Fault, FaultRule, MockExchange};
use kalshi_sdk::{
    Error, operation,
    orders::{OrderOutcome, Reconciliation},
    types::{BookSide::Bid, OrderStatus},
};
use serde_json::json;

/// Returns the error that a fault causes for a client without retries that lists markets.
async fn error_of(fault: Fault) -> Error {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    exchange.fault(fault);
    let error = client_without_retries(&exchange)
        .get_markets()
        .send()
        .await
        .unwrap_err();
    exchange.clear_faults();
    assert!(
        client_without_retries(&exchange)
            .get_markets()
            .send()
            .await
            .is_ok(),
        "the fault is still active"
    );
    error
}

#[tokio::test]
async fn faults_produce_every_kind_of_error() {
    let dropped = error_of(Fault::DropBefore).await;
    assert!(
        dropped.status().is_none() && !dropped.is_decode(),
        "{dropped:?}"
    );
    assert!(error_of(Fault::TooManyRequests).await.is_rate_limited());
    let error = error_of(Fault::ServerError(502)).await;
    assert_eq!(
        (error.status().unwrap().as_u16(), error.code()),
        (502, Some("internal_server_error"))
    );
    let page = error_of(Fault::Html(503)).await;
    assert_eq!((page.status().unwrap().as_u16(), page.code()), (503, None));
    let broken = error_of(Fault::TruncatedBody).await;
    assert!(
        !broken.is_decode() && broken.status().is_none_or(|status| status == 200),
        "{broken:?}"
    );
    let missing = error_of(Fault::MissingField("yes_bid_dollars".to_owned())).await;
    assert_eq!(missing.decode_path(), Some("$.markets[0].yes_bid_dollars"));
}

#[tokio::test]
async fn corrupted_responses_are_still_decoded() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    exchange.fault(Fault::UnknownEnumValue.times(1));
    let market = client
        .get_market()
        .ticker(TICKER)
        .send()
        .await
        .unwrap()
        .into_inner()
        .market;
    assert_eq!(market.status.as_str(), "unknown_value");
    exchange.fault(Fault::NullLists.times(1));
    assert!(
        client
            .get_markets()
            .send()
            .await
            .unwrap()
            .markets
            .is_empty()
    );
    exchange.fault(Fault::ExtraField.times(1));
    let raw = Raw::new(&exchange);
    let (_, body) = crate::common::send(raw.unsigned("GET", "/trade-api/v2/markets")).await;
    assert!(body["unknown_field"].is_object() && body["markets"][0]["unknown_field"].is_object());
}

#[tokio::test]
async fn latency_delays_the_response_but_not_the_order() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    exchange.fault(Fault::Latency(Duration::from_secs(3600)).on(operation::CREATE_ORDER_V2));
    let client = exchange
        .client_builder()
        .unwrap()
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let error = client
        .create_order_v2()
        .body(order(Bid, "0.40", "1"))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout() && error.may_have_reached_exchange());
    assert_eq!(market.bids().len(), 1);
    let began = Instant::now();
    assert!(
        client.get_markets().send().await.is_ok(),
        "other requests must not be delayed"
    );
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn lost_response_is_reconciled_without_a_second_order() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = exchange.client().unwrap();
    for (fault, was_placed) in [
        (Fault::DropAfter, true),
        (Fault::DropBefore, false),
        (Fault::ServerErrorAfter(500), true),
    ] {
        exchange.fault(fault.clone().on(operation::CREATE_ORDER_V2).times(1));
        let outcome = client
            .orders()
            .place(order(Bid, "0.40", "1"))
            .await
            .unwrap();
        let OrderOutcome::Unknown(unknown) = outcome else {
            panic!("{fault:?}: {outcome:?}");
        };
        let outcome = unknown.reconcile(Duration::from_secs(30)).await;
        assert_eq!(
            matches!(outcome, Reconciliation::Placed(_)),
            was_placed,
            "{fault:?}: {outcome:?}"
        );
    }
    assert_eq!(market.bids()[0].count, contracts("2"));
}

#[tokio::test]
async fn stale_reads_hide_new_records() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    exchange.fault(Fault::StaleReads(Duration::from_secs(10)));
    let id = client
        .create_order_v2()
        .body(order(Bid, "0.40", "1"))
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_id;
    let read = || client.get_order().order_id(&id).send();
    assert!(read().await.unwrap_err().is_not_found());
    assert!(client.get_orders().send().await.unwrap().orders.is_empty());
    let fresh = client
        .get_user_data_timestamp()
        .send()
        .await
        .unwrap()
        .as_of_time;
    assert_eq!(
        exchange.time().now() - fresh,
        chrono::TimeDelta::seconds(10)
    );
    exchange.time().advance(Duration::from_secs(10));
    assert_eq!(read().await.unwrap().order.status, OrderStatus::Resting);
    client.cancel_order_v2().order_id(&id).send().await.unwrap();
    let lagging = read().await.unwrap().into_inner().order;
    assert_eq!(
        (lagging.status, lagging.remaining_count_fp),
        (OrderStatus::Resting, contracts("1"))
    );
    let listed = client.get_orders().send().await.unwrap();
    assert_eq!(listed.orders[0].status, OrderStatus::Resting);
    exchange.time().advance(Duration::from_secs(10));
    assert_eq!(read().await.unwrap().order.status, OrderStatus::Canceled);
}

#[tokio::test]
async fn stale_reads_show_earlier_orders_and_groups() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let raw = crate::common::Raw::new(&exchange);
    let (_, group) = raw
        .call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5 })),
        )
        .await;
    let group = group["order_group_id"].as_str().unwrap();
    let new = json!({
        "ticker": TICKER, "side": "bid", "count": "2", "price": "0.40", "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker", "order_group_id": group,
    });
    let (_, placed) = raw
        .call("POST", "/portfolio/events/orders", Some(new))
        .await;
    let id = placed["order_id"].as_str().unwrap();
    exchange.time().advance(Duration::from_secs(60));
    // The fault is injected after the order was placed.
    exchange.fault(Fault::StaleReads(Duration::from_secs(10)));
    let amended = json!({ "ticker": TICKER, "side": "bid", "count": "3", "price": "0.30" });
    let amend = format!("/portfolio/events/orders/{id}/amend");
    assert_eq!(raw.call("POST", &amend, Some(amended)).await.0, 200);
    let price = async || {
        let (_, body) = raw
            .call("GET", &format!("/portfolio/orders/{id}"), None)
            .await;
        body["order"]["yes_price_dollars"].clone()
    };
    assert_eq!(price().await, "0.4000");

    let group = format!("/portfolio/order_groups/{group}");
    let trigger = format!("{group}/trigger");
    assert_eq!(raw.call("PUT", &trigger, Some(json!({}))).await.0, 200);
    let group_state = async || {
        let (_, body) = raw.call("GET", &group, None).await;
        let orders = body["orders"].as_array().unwrap().len();
        (body["is_auto_cancel_enabled"].clone(), orders)
    };
    assert_eq!(group_state().await, (json!(true), 1));
    exchange.time().advance(Duration::from_secs(10));
    assert_eq!(group_state().await, (json!(false), 0));
    assert_eq!(price().await, "0.3000");
}

#[tokio::test]
async fn extra_response_keeps_the_connection_open() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let exchange = exchange().await;
    exchange.fault(Fault::ExtraResponse.times(1));
    let mut stream = tokio::net::TcpStream::connect(exchange.address())
        .await
        .unwrap();
    let request = b"GET /trade-api/v2/exchange/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut text = String::new();
    let mut buffer = [0; 4096];
    stream.write_all(request).await.unwrap();
    while text.matches("HTTP/1.1 200").count() < 2 {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "closed after {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("exchange_active"));
    assert!(text.ends_with("\r\n\r\n{}"), "{text}");
    stream.write_all(request).await.unwrap();
    assert_ne!(stream.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn rejections_use_the_injected_envelope() {
    use kalshi_mock::ErrorEnvelope::{Flat, Message, Nested};
    let exchange = exchange().await;
    let raw = crate::common::Raw::new(&exchange);
    for (envelope, field) in [(Nested, "error"), (Flat, "code"), (Message, "msg")] {
        exchange.clear_faults();
        exchange.fault(Fault::ErrorEnvelope(envelope));
        let (status, body) = raw.call("GET", "/markets/NONE", None).await;
        assert_eq!(status, 404);
        assert!(body.get(field).is_some(), "{body}");
    }
}

#[tokio::test]
async fn faults_apply_by_operation_count_and_probability() {
    let exchange = exchange().await;
    let client = client_without_retries(&exchange);
    exchange.fault(Fault::ServerError(500).on(operation::GET_EVENTS).times(2));
    let mut failed = Vec::new();
    for _ in 0..3 {
        assert!(client.get_markets().send().await.is_ok());
        failed.push(client.get_events().send().await.is_err());
    }
    assert_eq!(failed, [true, true, false]);

    let pattern = async |seed: u64| {
        exchange.clear_faults();
        exchange.fault(Fault::ServerError(500).probability(0.5).seed(seed));
        let mut failed = Vec::new();
        for _ in 0..24 {
            failed.push(client.get_markets().send().await.is_err());
        }
        failed
    };
    let (one, again, other) = (pattern(1).await, pattern(1).await, pattern(2).await);
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!(one.contains(&true) && one.contains(&false));
    exchange.clear_faults();
    exchange.fault(
        "too-many-requests,on=GetMarkets,times=1"
            .parse::<FaultRule>()
            .unwrap(),
    );
    assert!(
        client
            .get_markets()
            .send()
            .await
            .unwrap_err()
            .is_rate_limited()
    );
}

#[tokio::test]
async fn requests_are_logged() {
    let exchange = MockExchange::builder()
        .without_limits()
        .max_requests(3)
        .start()
        .await
        .unwrap();
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    client
        .create_order_v2()
        .body(order(Bid, "0.40", "1"))
        .send()
        .await
        .unwrap();
    let sent = exchange.requests();
    assert!(sent[0].is("CreateOrderV2"));
    assert_eq!(sent[0].json()["price"], "0.4000");
    assert_eq!(
        (sent[0].method.as_str(), sent[0].path.as_str()),
        ("POST", "/trade-api/v2/portfolio/events/orders")
    );
    assert_eq!(sent[0].status.unwrap(), 201);
    exchange.fault(Fault::DropBefore.times(1));
    client.get_markets().limit(7).send().await.unwrap_err();
    let last = exchange.requests().pop().unwrap();
    assert_eq!((last.query.as_str(), last.status), ("limit=7", None));
    for _ in 0..3 {
        client.get_events().send().await.unwrap();
    }
    assert!(
        exchange
            .requests()
            .iter()
            .all(|request| request.is("GetEvents"))
            && exchange.requests().len() == 3
    );
    exchange.clear_requests();
    assert!(exchange.requests().is_empty());
}

#[tokio::test]
async fn recorded_requests_contain_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.jsonl");
    let exchange = MockExchange::builder().record(&path).start().await.unwrap();
    let raw = Raw::new(&exchange);
    assert_eq!(
        raw.call(
            "POST",
            "/api_keys/generate",
            Some(json!({ "name": "k", "key_type": "ed25519" }))
        )
        .await
        .0,
        201
    );
    let signed = raw
        .signed("GET", "/portfolio/balance", now_ms())
        .build()
        .unwrap();
    let signature = signed.headers()["kalshi-access-signature"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        reqwest::Client::new()
            .execute(signed)
            .await
            .unwrap()
            .status(),
        200
    );
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (
            &lines[0]["operation"],
            &lines[0]["body"]["name"],
            &lines[0]["status"]
        ),
        (&json!("GenerateApiKey"), &json!("k"), &json!(201))
    );
    assert_eq!(lines[1]["response"]["balance_dollars"], "10000.0000");
    assert!(!text.contains("PRIVATE KEY") && !text.contains(&signature));
    let error = MockExchange::builder()
        .record(folder.path().join("no/such"))
        .start()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot write the requests to")
    );
}
