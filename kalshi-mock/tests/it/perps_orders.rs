//! Margin orders: lifecycle, rejections and lagging reads.

use std::time::Duration;

use kalshi_mock::{Fault, FaultRule, MarginMarket, MockExchange};
use serde_json::{Value, json};

use crate::common::{Raw, dollars, exchange};

const TICKER: &str = "KXBTCPERP";

async fn start() -> (MockExchange, MarginMarket, Raw) {
    let exchange = exchange().await;
    let market = exchange
        .margin_market(TICKER)
        .bid(dollars("6.3300"), 100)
        .ask(dollars("6.3400"), 100);
    let raw = Raw::new(&exchange);
    (exchange, market, raw)
}

/// Returns the body of a good-till-cancelled order.
fn order(id: &str, side: &str, price: &str, count: &str) -> Value {
    json!({
        "ticker": TICKER, "client_order_id": id, "side": side, "count": count, "price": price,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    })
}

fn with(mut order: Value, name: &str, value: Value) -> Value {
    order[name] = value;
    order
}

async fn create(raw: &Raw, order: Value) -> Value {
    let (status, body) = raw.call("POST", "/margin/orders", Some(order)).await;
    assert_eq!(status, 201, "{body}");
    body
}

/// Returns status, code and details of a rejection.
async fn rejected(raw: &Raw, order: Value) -> (u16, String, String) {
    let (status, body) = raw.call("POST", "/margin/orders", Some(order)).await;
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("details"))
}

async fn read(raw: &Raw, id: &Value) -> Value {
    let path = format!("/margin/orders/{}", id.as_str().unwrap());
    let (status, body) = raw.call("GET", &path, None).await;
    assert_eq!(status, 200, "{body}");
    body["order"].clone()
}

#[tokio::test]
async fn order_rests_is_amended_decreased_and_cancelled() {
    let (_exchange, market, raw) = start().await;
    let placed = create(&raw, order("a", "bid", "6.2000", "4")).await;
    let id = &placed["order_id"];
    assert_eq!(
        placed,
        json!({ "order_id": id, "client_order_id": "a", "fill_count": "0.00", "remaining_count": "4.00" })
    );
    assert_eq!(read(&raw, id).await["last_update_reason"], "");
    let path = format!("/margin/orders/{}", id.as_str().unwrap());
    let amend = |price: &str, count: &str| json!({ "ticker": TICKER, "side": "bid", "price": price, "count": count });
    let amended = |body| raw_post(&raw, format!("{path}/amend"), body);
    assert_eq!(
        amended(amend("6.2000", "3")).await,
        json!({ "order_id": id, "fill_count": "0.00", "remaining_count": "3.00" })
    );
    assert_eq!(
        amended(amend("6.2100", "3")).await,
        json!({ "order_id": id })
    );
    assert_eq!(read(&raw, id).await["last_update_reason"], "Amend");
    let decreased = raw_post(
        &raw,
        format!("{path}/decrease"),
        json!({ "reduce_to": "1" }),
    );
    assert_eq!(
        decreased.await,
        json!({ "order_id": id, "remaining_count": "1.00" })
    );
    assert_eq!(market.bids()[1].price, dollars("6.2100"));
    let (status, body) = raw.call("DELETE", &path, None).await;
    assert_eq!(
        (status, body),
        (200, json!({ "order_id": id, "reduced_by": "1.00" }))
    );
    let order = read(&raw, id).await;
    assert_eq!(order["last_update_reason"], "Decrease");
    assert_eq!(order["remaining_count"], "0.00");
    let (status, body) = raw.call("DELETE", &path, None).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn decrease_leaves_a_fraction_only_in_fractional_markets() {
    let (_exchange, market, raw) = start().await;
    let placed = create(&raw, order("a", "bid", "6.2000", "2")).await;
    let id = placed["order_id"].as_str().unwrap();
    let path = format!("/margin/orders/{id}/decrease");
    for body in [
        json!({ "reduce_by": "0.50" }),
        json!({ "reduce_to": "0.50" }),
    ] {
        let (status, body) = raw.call("POST", &path, Some(body)).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(body["error"]["code"], "invalid_order");
    }
    assert_eq!(
        read(&raw, &placed["order_id"]).await["remaining_count"],
        "2.00"
    );
    let _ = market.fractional(true);
    let decreased = raw_post(&raw, path, json!({ "reduce_by": "0.50" })).await;
    assert_eq!(decreased["remaining_count"], "1.50");
}

async fn raw_post(raw: &Raw, path: String, body: Value) -> Value {
    let (status, response) = raw.call("POST", &path, Some(body)).await;
    assert_eq!(status, 200, "{response}");
    response
}

#[tokio::test]
async fn crossing_order_pays_fees_on_its_notional_value() {
    let (_exchange, market, raw) = start().await;
    let placed = create(&raw, order("a", "bid", "6.4000", "10")).await;
    assert_eq!(placed["average_fill_price"], "6.3400");
    // 0.0012 of 63.40 for ten contracts, rounded up.
    assert_eq!(placed["average_fee_paid"], "0.0076");
    assert_eq!(market.asks()[0].count.to_string(), "90.00");
    let (_, fills) = raw.call("GET", "/margin/fills", None).await;
    assert_eq!(fills["fills"][0]["fees"], "0.0761");
    assert_eq!(fills["fills"][0]["entry_price"], "6.3400");
    // An IOC order that does not match is accepted and cancelled immediately.
    let immediate = with(
        order("b", "bid", "6.3000", "1"),
        "time_in_force",
        json!("immediate_or_cancel"),
    );
    let cancelled = create(&raw, immediate).await;
    assert_eq!(cancelled["remaining_count"], "0.00");
    assert!(cancelled.get("average_fill_price").is_none());
    let (_, list) = raw.call("GET", "/margin/orders", None).await;
    assert_eq!(list["orders"][0]["order_id"], cancelled["order_id"]);
    assert_eq!(list["cursor"], "");
}

#[tokio::test]
async fn status_filter_with_an_unknown_status_matches_nothing() {
    let (exchange, _, raw) = start().await;
    create(&raw, order("a", "bid", "6.2000", "1")).await;
    create(&raw, order("b", "bid", "6.4000", "1")).await;
    let client = exchange.perps_client().unwrap();
    for (status, count) in [
        ("resting", 1),
        ("executed", 1),
        ("canceled", 0),
        ("open", 0),
    ] {
        let orders = client.get_margin_orders().status(status).send().await;
        assert_eq!(orders.unwrap().orders.len(), count, "{status}");
    }
}

#[tokio::test]
async fn invalid_orders_are_rejected_as_recorded() {
    let (exchange, market, raw) = start().await;
    create(&raw, order("a", "bid", "6.2000", "1")).await;
    let bid = |price: &str, count: &str| order("new", "bid", price, count);
    let cases = [
        (
            order("a", "bid", "6.2000", "1"),
            409,
            "order_already_exists",
            "an order with client_order_id a already exists",
        ),
        (
            bid("6.20001", "1"),
            400,
            "invalid_order",
            "invalid price: invalid dollar precision: -5",
        ),
        (bid("3.1600", "1"), 400, "invalid_price", ""),
        (order("new", "ask", "9.0000", "1"), 400, "invalid_price", ""),
        (
            bid("6.2000", "1.5"),
            400,
            "invalid_order",
            "invalid count: must be whole",
        ),
        (
            with(bid("6.2000", "1"), "reduce_only", json!(true)),
            400,
            "invalid_order",
            "reduce_only can only be used with IoC or FoK orders",
        ),
        (
            bid("6.2000", "9000"),
            400,
            "NOTIONAL_RISK_LIMIT_EXCEEDED",
            "",
        ),
        (
            with(bid("6.2000", "1"), "market_version", json!(7)),
            409,
            "market_version_mismatch",
            "",
        ),
        (
            with(bid("6.4000", "1"), "post_only", json!(true)),
            400,
            "invalid_order",
            "post only cross",
        ),
    ];
    for (order, status, code, details) in cases {
        let rejection = rejected(&raw, order.clone()).await;
        assert_eq!(
            rejection,
            (status, code.to_owned(), details.to_owned()),
            "{order}"
        );
    }
    // A repeated id is never rejected for another reason.
    for price in ["3.1600", "6.20001"] {
        let again = order("a", "bid", price, "9000");
        assert_eq!(rejected(&raw, again).await.1, "order_already_exists");
    }
    // 15 percent below the best bid is within the band.
    create(&raw, order("b", "bid", "5.3800", "1")).await;
    // An empty side has no band.
    let _ = market.clear();
    let (status, _) = raw.call("DELETE", "/margin/orders", None).await;
    assert_eq!(status, 204);
    create(&raw, order("c", "bid", "0.5000", "1")).await;
    // Ids can never be reused.
    assert_eq!(
        rejected(&raw, order("a", "bid", "0.5000", "1")).await.1,
        "order_already_exists"
    );
    exchange.user().margin_deposit(dollars("-9990"));
    let rejection = rejected(&raw, order("d", "bid", "6.0000", "20")).await;
    assert_eq!(rejection.1, "INSUFFICIENT_BALANCE");
}

#[tokio::test]
async fn reduce_only_sells_at_most_the_position() {
    let (_exchange, _, raw) = start().await;
    create(&raw, order("a", "bid", "6.4000", "3")).await;
    let reduce = with(
        order("b", "ask", "6.3000", "10"),
        "reduce_only",
        json!(true),
    );
    let reduce = with(reduce, "time_in_force", json!("immediate_or_cancel"));
    assert_eq!(create(&raw, reduce).await["fill_count"], "3.00");
    let (_, positions) = raw.call("GET", "/margin/positions", None).await;
    assert_eq!(positions, json!({ "positions": [] }));
}

#[tokio::test]
async fn lagging_reads_show_an_earlier_state() {
    let (exchange, _, raw) = start().await;
    exchange.time().stop();
    let old = create(&raw, order("a", "bid", "6.3400", "200")).await;
    assert_eq!(old["fill_count"], "100.00");
    exchange.time().advance(Duration::from_secs(60));
    let fresh = create(&raw, order("b", "bid", "6.2000", "1")).await;
    let old_path = format!("/margin/orders/{}", old["order_id"].as_str().unwrap());
    assert_eq!(raw.call("DELETE", &old_path, None).await.0, 200);
    create(&raw, order("c", "ask", "6.3300", "50")).await;
    exchange.fault(Fault::StaleReads(Duration::from_secs(30)));
    let path = format!("/margin/orders/{}", fresh["order_id"].as_str().unwrap());
    let (status, body) = raw.call("GET", &path, None).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    let (_, list) = raw.call("GET", "/margin/orders", None).await;
    assert_eq!(list["orders"].as_array().unwrap().len(), 1);
    assert_eq!(
        read(&raw, &old["order_id"]).await["remaining_count"],
        "100.00"
    );
    let (_, positions) = raw.call("GET", "/margin/positions", None).await;
    assert_eq!(positions["positions"][0]["position"], "100.00");
    // Writes do not lag.
    assert_eq!(raw.call("DELETE", &path, None).await.0, 200);
    exchange.clear_faults();
    let (_, positions) = raw.call("GET", "/margin/positions", None).await;
    assert_eq!(positions["positions"][0]["position"], "50.00");
    assert_eq!(
        read(&raw, &old["order_id"]).await["remaining_count"],
        "0.00"
    );
}

#[tokio::test]
async fn group_limits_matches_and_cancels_its_orders() {
    let (_exchange, _, raw) = start().await;
    let (_, none) = raw.call("GET", "/margin/order_groups", None).await;
    assert_eq!(none, json!({}));
    let limit = Some(json!({ "contracts_limit": 5 }));
    let (status, group) = raw.call("POST", "/margin/order_groups/create", limit).await;
    assert_eq!(status, 201);
    let id = &group["order_group_id"];
    let in_group = |order| with(order, "order_group_id", id.clone());
    let resting = create(&raw, in_group(order("a", "bid", "6.2000", "1"))).await;
    let crossing = create(&raw, in_group(order("b", "bid", "6.4000", "9"))).await;
    assert_eq!(crossing["fill_count"], "5.00");
    let resting = read(&raw, &resting["order_id"]).await;
    assert_eq!(resting["remaining_count"], "0.00");
    assert_eq!(&resting["order_group_id"], id);
    let path = format!("/margin/order_groups/{}", id.as_str().unwrap());
    let (_, response) = raw.call("GET", &path, None).await;
    assert_eq!(response["contracts_limit_fp"], "5.00");
    let (status, _) = raw
        .call("PUT", &format!("{path}/reset"), Some(json!({})))
        .await;
    assert_eq!(status, 200);
    create(&raw, in_group(order("c", "bid", "6.4000", "1"))).await;
}

#[tokio::test]
async fn orders_end_at_their_expiry_and_at_a_pause() {
    let (exchange, market, raw) = start().await;
    exchange.time().stop();
    let expires = exchange.time().now().timestamp() + 60;
    let expiring = order("a", "bid", "6.2000", "1");
    let expiring = create(&raw, with(expiring, "expiration_time", json!(expires))).await;
    let pausing = order("b", "bid", "6.2000", "1");
    let pausing = create(&raw, with(pausing, "cancel_order_on_pause", json!(true))).await;
    let _ = market.pause();
    let order_of_pause = read(&raw, &pausing["order_id"]).await;
    assert_eq!(order_of_pause["remaining_count"], "0.00");
    assert_eq!(order_of_pause["last_update_reason"], "Decrease");
    let rejection = rejected(&raw, order("c", "bid", "6.2000", "1")).await;
    assert_eq!(
        (rejection.0, rejection.1.as_str()),
        (400, "market_not_active")
    );
    assert_eq!(
        read(&raw, &expiring["order_id"]).await["remaining_count"],
        "1.00"
    );
    exchange.time().advance(Duration::from_secs(60));
    let order = read(&raw, &expiring["order_id"]).await;
    assert_eq!(order["remaining_count"], "0.00");
    assert_eq!(order["last_update_reason"], "ExpiryCancel");
}

#[tokio::test]
async fn own_orders_never_trade_with_each_other() {
    let (_exchange, market, raw) = start().await;
    let _ = market.clear();
    let first = create(&raw, order("a", "bid", "6.3000", "2")).await;
    let taker = create(&raw, order("b", "ask", "6.3000", "2")).await;
    assert_eq!(taker["remaining_count"], "0.00", "the taker is cancelled");
    assert_eq!(
        read(&raw, &first["order_id"]).await["remaining_count"],
        "2.00"
    );
    let maker = with(
        order("c", "ask", "6.3000", "2"),
        "self_trade_prevention_type",
        json!("maker"),
    );
    let maker = create(&raw, maker).await;
    assert_eq!(
        maker["remaining_count"], "2.00",
        "the resting order is cancelled"
    );
    let first = read(&raw, &first["order_id"]).await;
    assert_eq!(first["last_update_reason"], "SelfTradeCancel");
}

#[tokio::test]
async fn faults_apply_to_margin_operations() {
    let (exchange, _, raw) = start().await;
    let rule: FaultRule = "server-error-after=503,on=CreateMarginOrder,times=1"
        .parse()
        .unwrap();
    exchange.fault(rule);
    let rejection = rejected(&raw, order("a", "bid", "6.2000", "1")).await;
    assert_eq!(rejection.0, 503);
    let rejection = rejected(&raw, order("a", "bid", "6.2000", "1")).await;
    assert_eq!(rejection.1, "order_already_exists");
    let create = kalshi_perps::operation::CREATE_MARGIN_ORDER;
    exchange.fault(Fault::TooManyRequests.on(create));
    assert_eq!(
        rejected(&raw, order("b", "bid", "6.2000", "1")).await.0,
        429
    );
}

#[tokio::test]
async fn event_and_margin_orders_are_separate() {
    let (exchange, _, raw) = start().await;
    create(&raw, order("a", "bid", "6.2000", "1")).await;
    let client = exchange.client().unwrap();
    assert!(client.get_orders().send().await.unwrap().orders.is_empty());
    assert!(client.get_market().ticker(TICKER).send().await.is_err());
    client.cancel_all_orders().send().await.unwrap();
    let (_, list) = raw.call("GET", "/margin/orders?", None).await;
    assert_eq!(list["orders"][0]["remaining_count"], "1.00");
}
