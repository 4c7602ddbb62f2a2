//! Generates the client from `openapi.yaml` and, with the feature `ws`, the WebSocket messages from `asyncapi.yaml`.

use std::env;

use kalshi_gen::{FixupMode, Options, build_script};

/// Operations that hand-written modules use. If the spec lacks one, or one of the fields below, the build fails and names it.
const OPERATIONS: [&str; 15] = [
    "AmendOrderV2",
    "BatchCancelOrdersV2",
    "BatchCreateOrdersV2",
    "CancelOrderV2",
    "CreateOrderV2",
    "DecreaseOrderV2",
    "GetAccountApiLimits",
    "GetAccountEndpointCosts",
    "GetFills",
    "GetFillsHistorical",
    "GetHistoricalCutoff",
    "GetHistoricalOrders",
    "GetOrder",
    "GetOrders",
    "GetUserDataTimestamp",
];

/// Fields of requests and responses that hand-written modules use.
const REST_FIELDS: [(&str, &[&str]); 26] = [
    (
        "AmendOrderV2Request",
        &[
            "client_order_id",
            "count",
            "exchange_index",
            "expiration_time",
            "price",
            "side",
            "ticker",
            "updated_client_order_id",
        ],
    ),
    (
        "AmendOrderV2Response",
        &[
            "client_order_id",
            "fill_count",
            "order_id",
            "remaining_count",
        ],
    ),
    ("BatchCancelOrdersV2Request", &["orders"]),
    (
        "BatchCancelOrdersV2RequestOrders",
        &["exchange_index", "market_ticker", "order_id", "subaccount"],
    ),
    ("BatchCancelOrdersV2Response", &["orders"]),
    (
        "BatchCancelOrdersV2ResponseOrders",
        &["error", "order_id", "reduced_by"],
    ),
    ("BatchCreateOrdersV2Request", &["orders"]),
    ("BatchCreateOrdersV2Response", &["orders"]),
    (
        "BatchCreateOrdersV2ResponseOrders",
        &[
            "average_fee_paid",
            "average_fill_price",
            "client_order_id",
            "error",
            "fill_count",
            "order_id",
            "remaining_count",
        ],
    ),
    ("BucketLimit", &["bucket_capacity", "refill_rate"]),
    ("CancelOrderV2Response", &["order_id", "reduced_by"]),
    (
        "CreateOrderV2Request",
        &[
            "cancel_order_on_pause",
            "client_order_id",
            "count",
            "exchange_index",
            "expiration_time",
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
        "CreateOrderV2Response",
        &[
            "average_fee_paid",
            "average_fill_price",
            "client_order_id",
            "fill_count",
            "order_id",
            "remaining_count",
        ],
    ),
    (
        "DecreaseOrderV2Request",
        &["exchange_index", "market_ticker", "reduce_by", "reduce_to"],
    ),
    ("DecreaseOrderV2Response", &["order_id", "remaining_count"]),
    ("EndpointTokenCost", &["cost", "method", "path"]),
    (
        "EventData",
        &["fee_multiplier_override", "fee_type_override"],
    ),
    (
        "Fill",
        &[
            "book_side",
            "count_fp",
            "created_time",
            "order_id",
            "outcome_side",
            "subaccount_number",
            "ticker",
            "trade_id",
            "ts",
            "yes_price_dollars",
        ],
    ),
    ("GetBalanceResponse", &["portfolio_value"]),
    (
        "GetHistoricalCutoffResponse",
        &["orders_updated_ts", "trades_created_ts"],
    ),
    ("GetUserDataTimestampResponse", &["as_of_time"]),
    (
        "Market",
        &[
            "fee_waiver_expiration_time",
            "price_ranges",
            "yes_ask_dollars",
            "yes_ask_size_fp",
            "yes_bid_dollars",
            "yes_bid_size_fp",
        ],
    ),
    (
        "Order",
        &[
            "book_side",
            "client_order_id",
            "created_time",
            "exchange_index",
            "expiration_time",
            "fill_count_fp",
            "initial_count_fp",
            "last_update_time",
            "order_id",
            "outcome_side",
            "remaining_count_fp",
            "status",
            "subaccount_number",
            "ticker",
            "yes_price_dollars",
        ],
    ),
    ("PriceRange", &["end", "start", "step"]),
    ("Series", &["fee_multiplier", "fee_type"]),
    ("Settlement", &["revenue", "value"]),
];

/// Fields of WebSocket messages and commands that hand-written modules use.
const WEBSOCKET_FIELDS: [(&str, &[&str]); 7] = [
    (
        "ErrorReply",
        &["code", "market_ticker", "market_tickers", "msg"],
    ),
    (
        "Fill",
        &[
            "book_side",
            "count_fp",
            "order_id",
            "outcome_side",
            "trade_id",
            "ts_ms",
        ],
    ),
    ("OkReply", &["market_tickers"]),
    (
        "OrderbookDelta",
        &[
            "clock",
            "delta_fp",
            "market_ticker",
            "price_dollars",
            "side",
        ],
    ),
    (
        "OrderbookSnapshot",
        &["clock", "market_ticker", "no_dollars_fp", "yes_dollars_fp"],
    ),
    (
        "SubscribeParams",
        &["channels", "skip_ticker_ack", "use_yes_price"],
    ),
    (
        "UserOrder",
        &[
            "created_time",
            "created_ts_ms",
            "fill_count_fp",
            "last_update_time",
            "last_updated_ts_ms",
            "order_id",
            "remaining_count_fp",
            "status",
            "subaccount_number",
            "ticker",
            "yes_price_dollars",
        ],
    ),
];

/// Values of the enums that `OutcomeSide` replaces.
const OUTCOMES: [&str; 2] = ["yes", "no"];

/// Values of the order status in WebSocket messages, which `types::OrderStatus` replaces. It does not list `unknown`.
const STATUSES: [&str; 4] = ["resting", "canceled", "executed", "unknown"];

/// Values of the enums that `BookSide` replaces.
const BOOK_SIDES: [&str; 2] = ["bid", "ask"];

/// Operations with a method of `Orders` that reports outcomes, and that method. Their documentation links to it.
const PREFERRED: [(&str, &str); 6] = [
    ("AmendOrderV2", "amend"),
    ("BatchCancelOrdersV2", "cancel_batch"),
    ("BatchCreateOrdersV2", "place_batch"),
    ("CancelOrderV2", "cancel"),
    ("CreateOrderV2", "place"),
    ("DecreaseOrderV2", "decrease"),
];

fn main() {
    let rest = options("OutcomeSide")
        .marker("TradeApi")
        .require_operations(OPERATIONS)
        .require_types(&REST_FIELDS);
    let rest = PREFERRED.iter().fold(rest, |rest, (id, method)| {
        let link = format!(
            "[`orders().{method}`](crate::orders::Orders::{method}), which shows whether a request that failed may have taken effect"
        );
        rest.prefer(*id, link)
    });
    build_script("openapi.yaml", "kalshi.rs", &rest);
    if env::var_os("CARGO_FEATURE_WS").is_some() {
        let websocket = options("MarketSide")
            .enum_type("UserOrderStatus", &STATUSES, "crate::types::OrderStatus")
            .require_types(&WEBSOCKET_FIELDS);
        build_script("asyncapi.yaml", "websocket.rs", &websocket);
    }
}

/// Returns the options common to both specs. `outcome_side` is the name of the yes/no enum, which differs between the specs.
fn options(outcome_side: &str) -> Options {
    Options::new()
        .fixups(FixupMode::Strict)
        .enum_type(outcome_side, &OUTCOMES, "crate::OutcomeSide")
        .enum_type("BookSide", &BOOK_SIDES, "::kalshi_core::BookSide")
}
