//! Margin orders and their fills.

use std::borrow::Cow;

use kalshi_sdk::{Contracts, Dollars};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{HandlerResult, amount, markets::ticker};
use crate::{
    Rejection,
    call::{Call, Order as Listed, without_nulls},
    state::{
        Amendment, NewOrder, Order, Placed, SHARD, SelfTrade, Side, State, TimeInForce, nearest,
    },
    time::{SECOND, rfc3339},
    websocket::market_id,
};

#[derive(Deserialize)]
struct Create {
    ticker: Option<String>,
    market_id: Option<String>,
    client_order_id: String,
    side: Side,
    count: Contracts,
    price: Dollars,
    expiration_time: Option<i64>,
    time_in_force: TimeInForce,
    post_only: Option<bool>,
    self_trade_prevention_type: SelfTrade,
    cancel_order_on_pause: Option<bool>,
    reduce_only: Option<bool>,
    subaccount: Option<i64>,
    order_group_id: Option<String>,
    market_version: Option<i32>,
}

/// Returns the ticker of a request, which names a market by ticker or by id.
fn requested_ticker(
    state: &State,
    ticker: Option<String>,
    id: Option<&str>,
) -> Result<String, Rejection> {
    if let Some(ticker) = ticker.filter(|ticker| !ticker.is_empty()) {
        return Ok(ticker);
    }
    let id = id.ok_or_else(|| Rejection::invalid("ticker, market_id: one is required"))?;
    let mut markets = state.markets.iter();
    markets
        .find(|market| market_id(&market.ticker).to_string() == id)
        .map(|market| market.ticker.clone())
        .ok_or_else(|| Rejection::no_market(format!("no market {id}")))
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: Create = call.parse()?;
    let account = call.account(state, body.subaccount)?;
    if body.client_order_id.is_empty() {
        return Err(Rejection::invalid("client_order_id: required"));
    }
    let group = body.order_group_id.filter(|id| !id.is_empty());
    let group = group
        .map(|id| Uuid::parse_str(&id))
        .transpose()
        .map_err(|_| Rejection::not_found("no such order group"))?;
    let placed = state.create_order(NewOrder {
        account,
        ticker: requested_ticker(state, body.ticker, body.market_id.as_deref())?,
        client_order_id: Some(body.client_order_id),
        side: body.side,
        price: body.price,
        count: body.count,
        expires: body.expiration_time,
        time_in_force: body.time_in_force,
        post_only: body.post_only.unwrap_or(false),
        reduce_only: body.reduce_only.unwrap_or(false),
        self_trade: body.self_trade_prevention_type,
        cancel_on_pause: body.cancel_order_on_pause.unwrap_or(false),
        group,
        market_version: body.market_version,
    })?;
    let mut response = placed_json(&placed);
    response["client_order_id"] = json!(placed.order.client_order_id);
    Ok(without_nulls(response))
}

/// Renders the contracts that a request filled, and those that remain.
fn placed_json(placed: &Placed) -> Value {
    let filled = i128::from(placed.filled.hundredths());
    let average = |sum: i64| {
        (filled > 0).then(|| Dollars::from_micros(nearest(i128::from(sum) * 100, filled)))
    };
    json!({
        "order_id": placed.order.id,
        "fill_count": placed.filled,
        "remaining_count": placed.order.remaining,
        "average_fill_price": average(placed.cost),
        "average_fee_paid": average(placed.fees),
    })
}

#[derive(Deserialize)]
struct Amend {
    ticker: Option<String>,
    market_id: Option<String>,
    side: Side,
    price: Dollars,
    count: Contracts,
    client_order_id: Option<String>,
    updated_client_order_id: Option<String>,
    expiration_time: Option<i64>,
}

pub(super) fn amend(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let account = call.account(state, call.integer("subaccount"))?;
    let body: Amend = call.parse()?;
    let id = order_id(call)?;
    let order = state.resting(id, account, SHARD)?;
    let before = order.remaining;
    let amendment = Amendment {
        ticker: requested_ticker(state, body.ticker, body.market_id.as_deref())?,
        side: body.side,
        price: body.price,
        count: body.count,
        expires: body.expiration_time,
        client_order_id: body.client_order_id.filter(|id| !id.is_empty()),
        updated_client_order_id: body.updated_client_order_id.filter(|id| !id.is_empty()),
    };
    let placed = state.amend(id, &amendment)?;
    let mut response = without_nulls(placed_json(&placed));
    // The response contains only the id if only the price changed.
    if placed.filled.is_zero() && placed.order.remaining == before {
        response = json!({ "order_id": id });
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Decrease {
    reduce_by: Option<Contracts>,
    reduce_to: Option<Contracts>,
}

pub(super) fn decrease(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let account = call.account(state, call.integer("subaccount"))?;
    let body: Decrease = call.parse()?;
    let id = order_id(call)?;
    let remaining = state.resting(id, account, SHARD)?.remaining;
    let to = match (body.reduce_by, body.reduce_to) {
        (Some(by), None) if by > Contracts::ZERO => remaining.checked_sub(by).unwrap_or_default(),
        (None, Some(to)) if !to.is_negative() && to <= remaining => to,
        _ => {
            return Err(Rejection::invalid(
                "reduce_by, reduce_to: exactly one, at most the remaining count",
            ));
        }
    };
    let order = state.decrease_margin(id, to)?;
    Ok(json!({ "order_id": id, "remaining_count": order.remaining }))
}

pub(super) fn cancel(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let account = call.account(state, call.integer("subaccount"))?;
    let id = order_id(call)?;
    state.resting(id, account, SHARD)?;
    let cancelled = state.cancel(id);
    Ok(json!({ "order_id": id, "reduced_by": cancelled }))
}

pub(super) fn cancel_all(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let orders: Vec<Uuid> = state
        .resting_orders_of(call.caller.user)
        .filter(|order| only.is_none_or(|only| order.account.subaccount == only))
        .map(|order| order.id)
        .collect();
    for id in orders {
        state.cancel(id);
    }
    Ok(Value::Null)
}

/// Parses the order id of a path. An invalid id gets the same 404 as an unknown or finished order.
fn order_id(call: &Call<'_>) -> Result<Uuid, Rejection> {
    call.uuid("order_id")
        .ok_or_else(|| Rejection::not_found(""))
}

/// Returns the state of an order that is visible to a read, or `None` if the order is another user's or too new for a read that lags.
fn visible_order<'a>(state: &State, call: &Call<'_>, order: &'a Order) -> Option<Cow<'a, Order>> {
    match call.is_own(order.account) {
        true => state.order_as_of(order, call.as_of),
        false => None,
    }
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let order = state.orders.get(&order_id(call)?);
    let order = order
        .and_then(|order| visible_order(state, call, order))
        .ok_or_else(|| Rejection::not_found(""))?;
    Ok(json!({ "order": order_json(state, &order) }))
}

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let rows = state
        .orders_of(call.caller.user)
        .rev()
        .filter_map(|order| Some((order.number, visible_order(state, call, order)?)))
        .filter(|(_, order)| {
            only.is_none_or(|only| order.account.subaccount == only)
                // An unknown status is not an error. It matches no order.
                && call.string("status").is_none_or(|status| json!(order.status) == status)
                && call.string("ticker").is_none_or(|requested| ticker(state, order.market) == requested)
                && call.is_within("min_ts", "max_ts", order.created)
        });
    Ok(
        call.list_response(
            call.page(Listed::NewestFirst, rows, |order| order_json(state, &order))?,
        ),
    )
}

fn order_json(state: &State, order: &Order) -> Value {
    without_nulls(json!({
        "order_id": order.id,
        "user_id": state.user(order.account.user).id,
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "ticker": ticker(state, order.market),
        "side": order.side,
        "last_update_reason": order.reason,
        "price": order.price,
        "fill_count": order.filled,
        "remaining_count": order.remaining,
        "expiration_time": order.expires.map(|expires| rfc3339(expires.saturating_mul(SECOND))),
        "created_time": rfc3339(order.created),
        "last_update_time": rfc3339(order.updated),
        "self_trade_prevention_type": match order.self_trade {
            SelfTrade::TakerAtCross => "taker_at_cross",
            SelfTrade::Maker => "maker",
        },
        "cancel_order_on_pause": order.cancel_on_pause.then_some(true),
        "order_group_id": order.group,
        "order_source": "user",
    }))
}

pub(super) fn fills(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let rows = state
        .fills
        .iter()
        .rev()
        .map(|(number, fill)| (*number, fill))
        .filter(|(_, fill)| {
            fill.account.user == call.caller.user
                && call.is_visible(fill.at)
                && only.is_none_or(|only| fill.account.subaccount == only)
                && call.is_within("min_ts", "max_ts", fill.at)
        });
    let page = call.page(Listed::NewestFirst, rows, |fill| {
        json!({
            "fill_id": fill.trade,
            "order_id": fill.order,
            "is_taker": fill.is_taker,
            "side": fill.side,
            "count": fill.count,
            "created_time": rfc3339(fill.at),
            "ticker": ticker(state, fill.market),
            "price": fill.price,
            "entry_price": fill.booked.entry,
            "fees": amount(fill.fee),
            "realized_pnl": amount(fill.booked.realized),
            "order_source": "user",
        })
    })?;
    Ok(call.list_response(page))
}
