//! Sample requests.

use kalshi_sdk::types::{AmendOrderV2Request, CreateOrderV2Request};
use serde_json::{Value, json};

use super::model::ticker;

/// The request for an order.
pub type Request = CreateOrderV2Request;

/// Returns an order for ten contracts.
pub fn order(client_order_id: &str) -> CreateOrderV2Request {
    order_with(json!({ "client_order_id": client_order_id }))
}

/// Returns the same order with `fields` replaced.
pub fn order_with(fields: Value) -> CreateOrderV2Request {
    let order = json!({
        "ticker": ticker(0, 'A'), "side": "bid", "price": "0.5600", "count": "10.00",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    });
    let (Value::Object(mut order), Value::Object(fields)) = (order, fields) else {
        panic!("not an object")
    };
    order.extend(fields);
    serde_json::from_value(order.into()).unwrap()
}

pub fn amend(fields: Value) -> AmendOrderV2Request {
    let amend =
        json!({ "ticker": ticker(0, 'A'), "side": "bid", "price": "0.5700", "count": "12.00" });
    let (Value::Object(mut amend), Value::Object(fields)) = (amend, fields) else {
        panic!("not an object")
    };
    amend.extend(fields);
    serde_json::from_value(amend.into()).unwrap()
}
