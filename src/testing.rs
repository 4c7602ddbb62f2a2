//! Values for tests: markets, orders, fills, placed orders and errors.
//!
//! Response types are `non_exhaustive`, so programs cannot construct them. The functions of this module can, for programs that replace the
//! client by a mock behind a trait of their own. Requires the feature `testing`. Fields can be changed afterwards:
//!
//! ```
//! use kalshi_sdk::{BookSide, Dollars, Error, operation, orders::OrderOutcome, testing};
//!
//! let mut market = testing::market("KXTEST-26-A");
//! market.yes_bid_dollars = Dollars::from_cents(40);
//! market.yes_bid_size_fp = 25.into();
//!
//! let order = testing::order("KXTEST-26-A", BookSide::Bid, Dollars::from_cents(41), 10);
//! let outcome = OrderOutcome::Placed(testing::placed_order(&order));
//!
//! let error = Error::for_tests(operation::CREATE_ORDER_V2, testing::Failure::NoResponse);
//! assert!(error.may_have_reached_exchange());
//! ```
//!
//! For tests of requests, order books and faults, [`kalshi-mock`](https://docs.rs/kalshi-mock) is a local exchange: see the
//! [guide](crate::guide::testing).

use chrono::{DateTime, Utc};
#[doc(inline)]
pub use kalshi_core::testing::Failure;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    ApiError, BookSide, Contracts, Dollars, OutcomeSide,
    orders::{PlacedOrder, Rejection},
    types::{Fill, Market, Order},
};

/// Returns an open market without quotes, with a price step of one cent.
#[must_use]
pub fn market(ticker: &str) -> Market {
    let event = ticker.rsplit_once('-').map_or(ticker, |(event, _)| event);
    decoded(json!({
        "ticker": ticker, "event_ticker": event, "market_type": "binary", "status": "active", "result": "",
        "title": ticker, "yes_sub_title": "Yes", "no_sub_title": "No", "rules_primary": "", "rules_secondary": "",
        "created_time": time(0), "updated_time": time(0), "open_time": time(0), "close_time": time(7),
        "expected_expiration_time": time(7), "latest_expiration_time": time(14),
        "can_close_early": true, "settlement_timer_seconds": 300, "expiration_value": "", "custom_strike": {},
        "notional_value_dollars": "1.0000", "last_price_dollars": "0.0000", "previous_price_dollars": "0.0000",
        "yes_bid_dollars": "0.0000", "yes_ask_dollars": "1.0000", "no_bid_dollars": "0.0000", "no_ask_dollars": "1.0000",
        "previous_yes_bid_dollars": "0.0000", "previous_yes_ask_dollars": "1.0000",
        "yes_bid_size_fp": "0.00", "yes_ask_size_fp": "0.00",
        "volume_fp": "0.00", "volume_24h_fp": "0.00", "open_interest_fp": "0.00",
        "price_level_structure": "linear_cent",
        "price_ranges": [{ "start": "0.0100", "end": "0.9900", "step": "0.0100" }],
    }))
}

/// Returns a resting order at a YES price. Its ids are derived from the ticker. Amounts are clamped to the range that decodes: from 0
/// to 10^12 dollars or 10^15 contracts.
#[must_use]
pub fn order(
    ticker: &str,
    side: BookSide,
    yes_price: Dollars,
    count: impl Into<Contracts>,
) -> Order {
    let (yes_price, count) = (bounded_price(yes_price), bounded_count(count.into()));
    decoded(json!({
        "order_id": format!("order-{ticker}"), "client_order_id": format!("client-{ticker}"), "user_id": "user",
        "ticker": ticker, "status": "resting", "type": "limit",
        "book_side": side, "outcome_side": OutcomeSide::from_book_side(side),
        "yes_price_dollars": yes_price, "no_price_dollars": complement(yes_price),
        "initial_count_fp": count, "remaining_count_fp": count, "fill_count_fp": "0.00",
        "maker_fees_dollars": "0.0000", "maker_fill_cost_dollars": "0.0000",
        "taker_fees_dollars": "0.0000", "taker_fill_cost_dollars": "0.0000",
        "created_time": time(0), "last_update_time": time(0), "subaccount_number": 0, "exchange_index": 0,
    }))
}

/// Returns a maker fill at a YES price, without a fee. Amounts are clamped to the range that decodes: from 0 to 10^12 dollars or 10^15
/// contracts.
#[must_use]
pub fn fill(ticker: &str, side: BookSide, yes_price: Dollars, count: impl Into<Contracts>) -> Fill {
    let (yes_price, count) = (bounded_price(yes_price), bounded_count(count.into()));
    decoded(json!({
        "fill_id": format!("trade-{ticker}"), "trade_id": format!("trade-{ticker}"), "order_id": format!("order-{ticker}"),
        "ticker": ticker, "market_ticker": ticker, "count_fp": count, "fee_cost": "0.0000", "is_taker": false,
        "book_side": side, "outcome_side": OutcomeSide::from_book_side(side),
        "yes_price_dollars": yes_price, "no_price_dollars": complement(yes_price),
        "created_time": time(0), "subaccount_number": 0, "exchange_index": 0,
    }))
}

/// Returns a placed order whose request set neither subaccount nor shard.
#[must_use]
pub fn placed_order(order: &Order) -> PlacedOrder {
    PlacedOrder {
        order_id: order.order_id.clone(),
        ticker: order.ticker.clone(),
        side: order.book_side.unwrap_or(BookSide::Bid),
        price: order.yes_price_dollars,
        subaccount: None,
        exchange_index: None,
        client_order_id: order.client_order_id.clone(),
        fill_count: order.fill_count_fp,
        remaining_count: order.remaining_count_fp,
        average_fill_price: None,
        average_fee_paid: None,
        order: None,
    }
}

/// Returns the rejection of an order.
#[must_use]
pub fn rejection(error: ApiError) -> Rejection {
    Rejection::new(error, None)
}

/// Returns midnight UTC, `days` after 1 January 2026.
fn time(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + days * 86_400, 0).unwrap_or_default()
}

/// The largest amounts that decode: 10^12 dollars and 10^15 contracts.
const MAX_PRICE: Dollars = Dollars::from_micros(1_000_000_000_000_000_000);
const MAX_COUNT: Contracts = Contracts::from_hundredths(100_000_000_000_000_000);

fn bounded_price(price: Dollars) -> Dollars {
    price.clamp(Dollars::ZERO, MAX_PRICE)
}

fn bounded_count(count: Contracts) -> Contracts {
    count.clamp(Contracts::ZERO, MAX_COUNT)
}

/// Returns one dollar minus a price, but at least zero.
fn complement(price: Dollars) -> Dollars {
    price
        .checked_complement()
        .unwrap_or_default()
        .max(Dollars::ZERO)
}

/// Decodes a sample.
#[allow(
    clippy::expect_used,
    reason = "a test of this module decodes each of them"
)]
fn decoded<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a sample decodes")
}
