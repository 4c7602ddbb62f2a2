//! Values for tests: markets, orders, fills, placed orders and errors.
//!
//! Response types are `non_exhaustive`, so programs cannot construct them. The functions of this module can, for programs that replace the
//! client by a mock behind a trait of their own. Requires the feature `testing`. Fields can be changed afterwards:
//!
//! ```
//! use kalshi_perps::{BookSide, Error, operation, orders::OrderOutcome, testing};
//!
//! let mut market = testing::market("KXBTCPERP");
//! market.bid = Some("6.3329".parse()?);
//!
//! let order = testing::order("KXBTCPERP", BookSide::Bid, "6.3320".parse()?, 10);
//! let outcome = OrderOutcome::Placed(testing::placed_order(&order));
//!
//! let error = Error::for_tests(operation::CREATE_MARGIN_ORDER, testing::Failure::NoResponse);
//! assert!(error.may_have_reached_exchange());
//! # Ok::<(), kalshi_perps::MoneyError>(())
//! ```
//!
//! For tests of requests, order books and faults, [`kalshi-mock`](https://docs.rs/kalshi-mock) is a local exchange.

use chrono::{DateTime, Utc};
#[doc(inline)]
pub use kalshi_core::testing::Failure;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    ApiError, BookSide, Contracts, Dollars, SubaccountNumber,
    orders::{PlacedOrder, Rejection},
    types::{MarginFill, MarginMarket, MarginOrder},
};

/// Returns an active market without quotes or trades, with a price step of 0.0001 dollars and a contract size of 0.0001.
#[must_use]
pub fn market(ticker: &str) -> MarginMarket {
    decoded(json!({
        "ticker": ticker, "title": ticker, "status": "active", "market_version": 1, "exchange_index": 0,
        "contract_size": "0.000100", "underlying_multiplier": "1", "tick_size": "0.0001", "fractional_trading_enabled": false,
        "schedule": { "is_open": true, "next_close_ts": null, "next_open_ts": null },
        "funding_deadband": 0.0001, "funding_cap": 0.02, "funding_limit_unit": "percentage",
        "funding_invalid_premium_handling": "dampen", "halt_sources": [],
    }))
}

/// Returns a resting order. Its ids are derived from the ticker. Amounts are clamped to the range that decodes: from 0 to 10^12 dollars or
/// 10^15 contracts.
#[must_use]
pub fn order(
    ticker: &str,
    side: BookSide,
    price: Dollars,
    count: impl Into<Contracts>,
) -> MarginOrder {
    decoded(json!({
        "order_id": format!("order-{ticker}"), "client_order_id": format!("client-{ticker}"), "user_id": "user",
        "ticker": ticker, "side": side, "price": bounded_price(price), "fill_count": "0.00",
        "remaining_count": bounded_count(count.into()), "last_update_reason": "", "order_source": "user",
        "self_trade_prevention_type": "taker_at_cross", "created_time": time(),
    }))
}

/// Returns a maker fill that opens a position, without a fee. Amounts are clamped to the range that decodes: from 0 to 10^12 dollars or
/// 10^15 contracts.
#[must_use]
pub fn fill(
    ticker: &str,
    side: BookSide,
    price: Dollars,
    count: impl Into<Contracts>,
) -> MarginFill {
    let price = bounded_price(price);
    decoded(json!({
        "fill_id": format!("trade-{ticker}"), "order_id": format!("order-{ticker}"), "ticker": ticker, "side": side,
        "price": price, "entry_price": price, "count": bounded_count(count.into()), "is_taker": false,
        "fees": "0.0000", "realized_pnl": "0.0000", "created_time": time(), "order_source": "user",
    }))
}

/// Returns a placed order of the primary account. Its count is the sum of the contracts filled and resting.
#[must_use]
pub fn placed_order(order: &MarginOrder) -> PlacedOrder {
    let count = order.fill_count.checked_add(order.remaining_count);
    PlacedOrder {
        order_id: order.order_id.clone(),
        ticker: order.ticker.clone(),
        side: order.side,
        price: order.price,
        count: count.unwrap_or(order.remaining_count),
        subaccount: Some(SubaccountNumber::PRIMARY),
        client_order_id: order.client_order_id.clone(),
        fill_count: order.fill_count,
        remaining_count: order.remaining_count,
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

/// Returns midnight UTC on 1 January 2026.
fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
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

/// Decodes a sample.
#[allow(
    clippy::expect_used,
    reason = "a test of this module decodes each of them"
)]
fn decoded<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a sample decodes")
}
