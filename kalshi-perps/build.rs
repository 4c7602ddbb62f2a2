//! Generates the client from `perps_openapi.yaml` and, with the feature `ws`, the WebSocket messages from `perps_asyncapi.yaml`.

use std::env;

use kalshi_gen::{FixupMode, Options, build_script};

/// Operations that hand-written modules use. If the spec lacks one, or one of the fields below, the build fails and names it.
const OPERATIONS: [&str; 7] = [
    "AmendMarginOrder",
    "CancelAllMarginOrders",
    "CancelMarginOrder",
    "CreateMarginOrder",
    "DecreaseMarginOrder",
    "GetMarginOrder",
    "GetMarginOrders",
];

/// Fields of requests and responses that hand-written modules use.
const REST_FIELDS: [(&str, &[&str]); 11] = [
    (
        "AmendMarginOrderRequest",
        &[
            "client_order_id",
            "count",
            "expiration_time",
            "market_id",
            "price",
            "side",
            "ticker",
            "updated_client_order_id",
        ],
    ),
    (
        "AmendMarginOrderResponse",
        &[
            "client_order_id",
            "fill_count",
            "order_id",
            "remaining_count",
        ],
    ),
    ("BucketLimit", &["bucket_capacity", "refill_rate"]),
    ("CancelMarginOrderResponse", &["order_id", "reduced_by"]),
    (
        "CreateMarginOrderRequest",
        &[
            "cancel_order_on_pause",
            "client_order_id",
            "count",
            "expiration_time",
            "market_id",
            "market_version",
            "order_group_id",
            "post_only",
            "price",
            "reduce_only",
            "self_trade_prevention_type",
            "side",
            "subaccount",
            "ticker",
            "time_in_force",
        ],
    ),
    (
        "CreateMarginOrderResponse",
        &[
            "average_fee_paid",
            "average_fill_price",
            "client_order_id",
            "fill_count",
            "order_id",
            "remaining_count",
        ],
    ),
    ("DecreaseMarginOrderRequest", &["reduce_by", "reduce_to"]),
    (
        "DecreaseMarginOrderResponse",
        &["order_id", "remaining_count"],
    ),
    ("GetMarginOrderResponse", &["order"]),
    (
        "MarginOrder",
        &[
            "cancel_order_on_pause",
            "client_order_id",
            "created_time",
            "expiration_time",
            "fill_count",
            "order_group_id",
            "order_id",
            "price",
            "remaining_count",
            "self_trade_prevention_type",
            "side",
            "ticker",
        ],
    ),
    ("MarginOrderbookCount", &["asks", "bids"]),
];

/// Values of the enums that `BookSide` replaces.
const BOOK_SIDES: [&str; 2] = ["bid", "ask"];

/// Fields of WebSocket messages and commands that hand-written modules use.
const WEBSOCKET_FIELDS: [(&str, &[&str]); 8] = [
    ("CorporateActionsDelta", &["corporate_action"]),
    (
        "ErrorReply",
        &["code", "market_ticker", "market_tickers", "msg"],
    ),
    (
        "MarginCorporateAction",
        &["final_settlement", "market_ticker", "ticker_change"],
    ),
    ("MarginCorporateActionTickerChangeTerms", &["old_ticker"]),
    ("OkReply", &["market_tickers"]),
    (
        "OrderbookDelta",
        &[
            "client_order_id",
            "delta",
            "market_ticker",
            "price",
            "side",
            "ts_ms",
        ],
    ),
    ("OrderbookSnapshot", &["ask", "bid", "market_ticker"]),
    ("SubscribeParams", &["channels", "skip_ticker_ack"]),
];

/// Operations with a method of `Orders` that reports outcomes, that method, and the orders that a request without a subaccount applies to.
/// Their documentation links to the method.
const PREFERRED: [(&str, &str, &str); 5] = [
    (
        "AmendMarginOrder",
        "amend",
        "an order of the primary account",
    ),
    (
        "CancelAllMarginOrders",
        "cancel_all",
        "the orders of every subaccount",
    ),
    (
        "CancelMarginOrder",
        "cancel",
        "an order of the primary account",
    ),
    ("CreateMarginOrder", "place", "the primary account"),
    (
        "DecreaseMarginOrder",
        "decrease",
        "an order of the primary account",
    ),
];

fn main() {
    let rest = options()
        .marker("PerpsApi")
        .require_operations(OPERATIONS)
        .require_types(&REST_FIELDS);
    let rest = PREFERRED.iter().fold(rest, |rest, (id, method, subaccounts)| {
        let link = format!(
            "[`orders().{method}`](crate::orders::Orders::{method}), which shows whether a request that failed may have taken effect. A request without a subaccount applies to {subaccounts}"
        );
        rest.prefer(*id, link)
    });
    build_script("perps_openapi.yaml", "perps.rs", &rest);
    if env::var_os("CARGO_FEATURE_WS").is_some() {
        let websocket = options().require_types(&WEBSOCKET_FIELDS);
        build_script("perps_asyncapi.yaml", "websocket.rs", &websocket);
    }
}

/// Returns the options common to both specs.
fn options() -> Options {
    Options::new().fixups(FixupMode::Strict).enum_type(
        "BookSide",
        &BOOK_SIDES,
        "::kalshi_core::BookSide",
    )
}
