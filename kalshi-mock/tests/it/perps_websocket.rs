//! The WebSocket endpoint of the margin exchange.

use kalshi_mock::MockExchange;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::common::{
    Raw, dollars, exchange,
    listener::{Listener, PATH, rejected_handshake, seqs, signed_to},
};

const TICKER: &str = "KXBTCPERP";

async fn start() -> (MockExchange, Listener, Raw) {
    let exchange = exchange().await;
    let _ = exchange
        .margin_market(TICKER)
        .bid(dollars("6.3200"), 1)
        .bid(dollars("6.3300"), 2)
        .ask(dollars("6.3400"), 3)
        .ask(dollars("6.3500"), 4);
    let listener = Listener::margin(&exchange, exchange.user()).await;
    let raw = Raw::new(&exchange);
    (exchange, listener, raw)
}

async fn create(raw: &Raw, id: &str, price: &str, time_in_force: &str) -> Value {
    let order = json!({
        "ticker": TICKER, "client_order_id": id, "side": "bid", "count": "2", "price": price,
        "time_in_force": time_in_force, "self_trade_prevention_type": "taker_at_cross",
    });
    let (status, body) = raw.call("POST", "/margin/orders", Some(order)).await;
    assert_eq!(status, 201, "{body}");
    body
}

#[tokio::test]
async fn handshake_is_signed_for_its_own_path() {
    let exchange = exchange().await;
    let url = exchange.margin_ws_url();
    let unsigned = url.as_str().into_client_request().unwrap();
    assert_eq!(rejected_handshake(unsigned).await.0, 401);
    let other_path = signed_to(&url, PATH, exchange.user(), "GET");
    assert_eq!(rejected_handshake(other_path).await.0, 401);
}

#[tokio::test]
async fn every_channel_is_acknowledged_in_order() {
    let (_exchange, mut listener, _) = start().await;
    let channels = [
        "ticker",
        "trade",
        "fill",
        "user_orders",
        "order_group_updates",
        "corporate_actions",
    ];
    let params = json!({ "channels": channels });
    let id = listener.command("subscribe", params).await;
    let frames = listener.take(channels.len()).await;
    for (index, (frame, channel)) in frames.iter().zip(channels).enumerate() {
        assert_eq!(frame["type"], "subscribed");
        assert_eq!(frame["id"], id);
        assert_eq!(
            frame["msg"],
            json!({ "channel": channel, "sid": index + 1 })
        );
    }
    let params = json!({ "channels": ["market_positions"] });
    assert_eq!(listener.error("subscribe", params).await, 8);
}

#[tokio::test]
async fn snapshot_is_worst_level_first_and_deltas_follow() {
    let (exchange, mut listener, raw) = start().await;
    let params = json!({ "market_ticker": TICKER });
    let sid = listener.subscribe("orderbook_delta", params).await;
    let snapshot = listener.next().await;
    assert_eq!(
        (&snapshot["sid"], &snapshot["seq"]),
        (&json!(sid), &json!(1))
    );
    assert_eq!(
        snapshot["msg"],
        json!({
            "market_ticker": TICKER,
            "bid": [["6.3200", "1.00"], ["6.3300", "2.00"]],
            "ask": [["6.3500", "4.00"], ["6.3400", "3.00"]],
        })
    );
    let _ = exchange.margin_market(TICKER).bid(dollars("6.3100"), 5);
    create(&raw, "own", "6.3300", "good_till_canceled").await;
    let frames = listener.take(2).await;
    assert_eq!(seqs(&frames), [2, 3]);
    assert_eq!(frames[0]["msg"]["price"], "6.3100");
    assert_eq!(frames[0]["msg"]["delta"], "5.00");
    assert_eq!(frames[0]["msg"]["side"], "bid");
    assert!(frames[0]["msg"].get("client_order_id").is_none());
    assert_eq!(frames[1]["msg"]["client_order_id"], "own");
}

#[tokio::test]
async fn each_request_sends_one_user_order_followed_by_fills() {
    let (_exchange, mut listener, raw) = start().await;
    listener.subscribe("user_orders", json!({})).await;
    listener.subscribe("fill", json!({})).await;
    listener.subscribe("trade", json!({})).await;
    let placed = create(&raw, "a", "6.3400", "immediate_or_cancel").await;
    let frames = listener.drain().await;
    let kinds: Vec<&str> = frames
        .iter()
        .map(|frame| frame["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["user_order", "fill", "trade"]);
    let order = &frames[0]["msg"];
    assert_eq!(order["order_id"], placed["order_id"]);
    assert_eq!(
        (&order["fill_count"], &order["remaining_count"]),
        (&json!("2.00"), &json!("0.00"))
    );
    assert!(frames[0].get("seq").is_none());
    let fill = &frames[1]["msg"];
    assert_eq!(fill["price"], "6.3400");
    assert_eq!(fill["post_position"], "2.00");
    assert_eq!(fill["order_source"], "user");
    assert_eq!(frames[2]["seq"], 1);
    assert_eq!(frames[2]["msg"]["taker_side"], "bid");
    let (_, fills) = raw.call("GET", "/margin/fills", None).await;
    assert_eq!(fills["fills"][0]["fill_id"], fill["trade_id"]);
}

#[tokio::test]
async fn group_events_carry_the_limit_only_when_it_changes() {
    let (_exchange, mut listener, raw) = start().await;
    listener.subscribe("order_group_updates", json!({})).await;
    let limit = |count: i64| Some(json!({ "contracts_limit": count }));
    let (_, group) = raw
        .call("POST", "/margin/order_groups/create", limit(10))
        .await;
    let path = format!(
        "/margin/order_groups/{}",
        group["order_group_id"].as_str().unwrap()
    );
    for (method, path, body) in [
        ("PUT", format!("{path}/limit"), limit(12)),
        ("PUT", format!("{path}/trigger"), Some(json!({}))),
        ("PUT", format!("{path}/reset"), Some(json!({}))),
        ("DELETE", path.clone(), None),
    ] {
        assert_eq!(raw.call(method, &path, body).await.0, 200);
    }
    let frames = listener.take(5).await;
    let events: Vec<(&str, &Value)> = frames
        .iter()
        .map(|frame| {
            let kind = frame["msg"]["event_type"].as_str().unwrap();
            (kind, &frame["msg"]["contracts_limit_fp"])
        })
        .collect();
    assert_eq!(
        events,
        [
            ("created", &json!("10.00")),
            ("limit_updated", &json!("12.00")),
            ("triggered", &Value::Null),
            ("reset", &Value::Null),
            ("deleted", &Value::Null),
        ]
    );
    assert_eq!(seqs(&frames), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn ticker_is_sent_every_second_without_changes() {
    let (exchange, mut listener, _) = start().await;
    let params = json!({ "market_tickers": [TICKER] });
    listener.subscribe("ticker", params).await;
    let frames = listener.take(2).await;
    for frame in &frames {
        assert_eq!(frame["type"], "ticker");
        assert_eq!(frame["msg"]["bid"], "6.3300");
        assert_eq!(frame["msg"]["settlement_mark_price"]["price"], "6.3350");
        assert!(frame["msg"]["funding_rate"]["rate"].is_number());
    }
    // The statistics have not changed, but the mark prices are fresh.
    assert_eq!(frames[0]["msg"]["ts_ms"], frames[1]["msg"]["ts_ms"]);
    for fresh in ["reference_price", "settlement_mark_price", "funding_rate"] {
        let times = [0, 1].map(|index: usize| &frames[index]["msg"][fresh]["ts_ms"]);
        assert_ne!(times[0], times[1], "{fresh}");
    }
    let before = frames[1]["msg"]["ts_ms"].as_i64();
    // A deeper level changes no statistic, so the next message is that of the next second.
    let _ = exchange.margin_market(TICKER).bid(dollars("6.3100"), 1);
    assert_eq!(listener.next().await["msg"]["ts_ms"].as_i64(), before);
    let _ = exchange.margin_market(TICKER).bid(dollars("6.3390"), 1);
    let mut frame = listener.next().await;
    if frame["msg"]["bid"] == "6.3300" {
        frame = listener.next().await;
    }
    assert_eq!(frame["msg"]["bid"], "6.3390");
    assert!(frame["msg"]["ts_ms"].as_i64() > before);
}

#[tokio::test]
async fn margin_events_stay_on_the_margin_endpoint() {
    let (exchange, mut margin, raw) = start().await;
    let mut event = Listener::open(&exchange).await;
    margin.subscribe("user_orders", json!({})).await;
    event.subscribe("user_orders", json!({})).await;
    create(&raw, "a", "6.3000", "good_till_canceled").await;
    assert_eq!(margin.drain().await.len(), 1);
    assert!(event.drain().await.is_empty());
}
