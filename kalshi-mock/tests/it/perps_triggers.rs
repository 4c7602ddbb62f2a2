//! Exit triggers of margin positions: their maximum number and their anchors.

use serde_json::{Value, json};

use crate::common::{Raw, dollars, exchange};

const TICKER: &str = "KXTESTPERP";
const PATH: &str = "/margin/cross/positions/KXTESTPERP/exit_trigger";

async fn set(raw: &Raw, body: Value) -> (u16, Value) {
    raw.call("PUT", PATH, Some(body)).await
}

async fn order(raw: &Raw, id: &str, ticker: &str) -> Value {
    let order = json!({
        "ticker": ticker, "client_order_id": id, "side": "bid", "count": "1", "price": "6.2000",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    });
    let (status, body) = raw.call("POST", "/margin/orders", Some(order)).await;
    assert_eq!(status, 201, "{body}");
    body["order_id"].clone()
}

#[tokio::test]
async fn position_has_at_most_twenty_brackets_and_one_trailing_stop() {
    let exchange = exchange().await;
    let _ = exchange.margin_market(TICKER);
    let raw = Raw::new(&exchange);
    let bracket = |id: usize| json!({ "stop_loss_price": "5.0000", "count": "1", "client_trigger_id": format!("t{id}") });
    for id in 0..20 {
        assert_eq!(set(&raw, bracket(id)).await.0, 200);
    }
    assert_eq!(set(&raw, bracket(20)).await.0, 400);
    assert_eq!(
        set(&raw, bracket(7)).await.0,
        200,
        "it replaces the trigger with its id"
    );
    let trailing =
        |id: &str| json!({ "kind": "trailing", "trail_bps": 50, "client_trigger_id": id });
    assert_eq!(set(&raw, trailing("a")).await.0, 200);
    assert_eq!(set(&raw, trailing("b")).await.0, 200);
    let (_, list) = raw.call("GET", PATH, None).await;
    let triggers = list["exit_triggers"].as_array().unwrap();
    assert_eq!(triggers.len(), 21);
    assert_eq!(triggers[0]["client_trigger_id"], "b");
}

#[tokio::test]
async fn anchor_must_be_a_resting_order_of_the_caller_in_the_market() {
    let exchange = exchange().await;
    for ticker in [TICKER, "KXOTHERPERP"] {
        let _ = exchange.margin_market(ticker).ask(dollars("6.4000"), 1);
    }
    let raw = Raw::new(&exchange);
    let other = exchange.add_user().unwrap();
    let key = other.private_key().clone();
    let other_user = Raw::with_key(&exchange, other.credentials(), key);
    let own = order(&raw, "a", TICKER).await;
    let ended = order(&raw, "b", TICKER).await;
    let path = format!("/margin/orders/{}", ended.as_str().unwrap());
    assert_eq!(raw.call("DELETE", &path, None).await.0, 200);
    let other_market = order(&raw, "c", "KXOTHERPERP").await;
    let other_user = order(&other_user, "d", TICKER).await;
    let anchored = |anchor: &Value| json!({ "stop_loss_price": "5.0000", "anchor_order_id": anchor, "client_trigger_id": "t" });
    for anchor in [&ended, &other_market, &other_user, &json!("none")] {
        let (status, body) = set(&raw, anchored(anchor)).await;
        let code = &body["error"]["code"];
        assert_eq!((status, code), (409, &json!("anchor_order_unavailable")));
    }
    let (status, trigger) = set(&raw, anchored(&own)).await;
    assert_eq!(status, 200, "{trigger}");
    assert_eq!(trigger["status"], "pending_on_entry");
}
