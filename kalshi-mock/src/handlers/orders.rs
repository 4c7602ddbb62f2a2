//! Operations on orders: create, amend, decrease and cancel, single or in batches, and reads.

use std::borrow::Cow;

use kalshi_sdk::{Contracts, Dollars};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::common::{HandlerResult, LIVE_WINDOW};
use crate::{
    Rejection,
    call::{Call, Order as Listed, six_digits, without_nulls},
    state::{
        Account, Amendment, NewOrder, Order, Placed, SelfTrade, Shard, Side, State, Status,
        TimeInForce, nearest,
    },
    time::{SECOND, rfc3339},
};

/// Maximum number of orders that one request cancels.
const MAX_CANCELLED: usize = 10_000;

#[derive(Deserialize)]
struct Create {
    ticker: String,
    client_order_id: Option<String>,
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
    exchange_index: Option<i64>,
}

#[derive(Deserialize)]
struct Amend {
    ticker: String,
    side: Side,
    price: Dollars,
    count: Contracts,
    client_order_id: Option<String>,
    updated_client_order_id: Option<String>,
    expiration_time: Option<i64>,
    exchange_index: Option<i64>,
}

#[derive(Deserialize)]
struct Decrease {
    reduce_by: Option<Contracts>,
    reduce_to: Option<Contracts>,
    exchange_index: Option<i64>,
    market_ticker: Option<String>,
}

#[derive(Deserialize)]
struct Batch<T> {
    orders: Vec<T>,
}

#[derive(Deserialize)]
struct Cancel {
    order_id: String,
    subaccount: Option<i64>,
    exchange_index: Option<i64>,
    market_ticker: Option<String>,
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let placed = place_order(state, call, call.parse()?)?;
    Ok(without_nulls(placed_json(state, &placed)))
}

pub(super) fn create_batch(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let items = items(call)?;
    let mut orders = Vec::with_capacity(items.len());
    for item in items {
        let client_order_id = item["client_order_id"].clone();
        let placed = parse::<Create>(item).and_then(|order| place_order(state, call, order));
        orders.push(match placed {
            Ok(placed) => {
                let mut response = placed_json(state, &placed);
                response["error"] = Value::Null;
                response
            }
            // A failed item has no order id. The other absent fields are null.
            Err(rejection) => json!({
                "client_order_id": client_order_id, "fill_count": null, "remaining_count": null,
                "average_fill_price": null, "average_fee_paid": null, "ts_ms": null, "error": rejection.error_object(),
            }),
        });
    }
    Ok(json!({ "orders": orders }))
}

fn place_order(state: &mut State, call: &Call<'_>, order: Create) -> Result<Placed, Rejection> {
    let account = call.account(state, order.subaccount)?;
    let (_, market) = state
        .market(&order.ticker)
        .ok_or_else(|| Rejection::no_market(format!("no market {}", order.ticker)))?;
    check_shard(order.exchange_index, market.shard)?;
    let group = order.order_group_id.filter(|id| !id.is_empty()).map(|id| {
        Uuid::parse_str(&id).map_err(|_| Rejection::not_found(format!("no order group {id}")))
    });
    state.create_order(NewOrder {
        market_version: None,
        account,
        ticker: order.ticker,
        client_order_id: order.client_order_id.filter(|id| !id.is_empty()),
        side: order.side,
        price: order.price,
        count: order.count,
        expires: order.expiration_time,
        time_in_force: order.time_in_force,
        post_only: order.post_only.unwrap_or(false),
        reduce_only: order.reduce_only.unwrap_or(false),
        self_trade: order.self_trade_prevention_type,
        cancel_on_pause: order.cancel_order_on_pause.unwrap_or(false),
        group: group.transpose()?,
    })
}

/// Rejects a request whose shard is not that of the market. A shard of -1 and an absent shard match any market.
fn check_shard(requested: Option<i64>, shard: Shard) -> Result<(), Rejection> {
    match requested {
        Some(requested) if requested >= 0 && requested != i64::from(shard) => Err(
            Rejection::no_market(format!("exchange_index: the market is on shard {shard}")),
        ),
        _ => Ok(()),
    }
}

/// Returns the shard to search for an order. Defaults to the shard of the market if one is named, otherwise to 0. A shard of -1
/// requires a market.
fn shard_of(
    state: &State,
    requested: Option<i64>,
    ticker: Option<&str>,
) -> Result<Shard, Rejection> {
    if requested == Some(-1) && ticker.is_none() {
        return Err(Rejection::invalid(
            "market_ticker: required if exchange_index is -1",
        ));
    }
    let requested = requested.and_then(|requested| Shard::try_from(requested).ok());
    let market_shard = || Some(state.market(ticker?)?.1.shard);
    Ok(requested.or_else(market_shard).unwrap_or(0))
}

fn placed_json(state: &State, placed: &Placed) -> Value {
    let (filled, order) = (placed.filled, &placed.order);
    let average = |micros: i64| {
        let hundredths = i128::from(filled.hundredths());
        (hundredths > 0)
            .then(|| Dollars::from_micros(nearest(i128::from(micros) * 100, hundredths)))
    };
    // Converts the NO price to a YES price.
    let yes = match order.side {
        Side::Bid => placed.cost,
        Side::Ask => filled.hundredths() * 10_000 - placed.cost,
    };
    json!({
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "fill_count": filled,
        "remaining_count": order.remaining,
        "average_fill_price": average(yes),
        "average_fee_paid": average(placed.fees),
        "ts_ms": state.now / 1000,
    })
}

pub(super) fn amend(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let account = call.account(state, call.integer("subaccount"))?;
    let body: Amend = call.parse()?;
    let shard = shard_of(state, body.exchange_index, Some(&body.ticker))?;
    let id = order_id(call.string("order_id").unwrap_or_default())?;
    let before = state.resting(id, account, shard)?.remaining;
    let placed = state.amend(
        id,
        &Amendment {
            ticker: body.ticker,
            side: body.side,
            price: body.price,
            count: body.count,
            expires: body.expiration_time,
            client_order_id: body.client_order_id.filter(|id| !id.is_empty()),
            updated_client_order_id: body.updated_client_order_id.filter(|id| !id.is_empty()),
        },
    )?;
    let mut response = without_nulls(placed_json(state, &placed));
    // Counts are omitted if only the price or the expiration changes.
    if placed.filled.is_zero() && placed.order.remaining == before {
        for count in ["fill_count", "remaining_count"] {
            response.as_object_mut().map(|fields| fields.remove(count));
        }
    }
    Ok(response)
}

pub(super) fn decrease(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let account = call.account(state, call.integer("subaccount"))?;
    let body: Decrease = call.parse()?;
    let shard = shard_of(state, body.exchange_index, body.market_ticker.as_deref())?;
    let id = order_id(call.string("order_id").unwrap_or_default())?;
    let remaining = state.resting(id, account, shard)?.remaining;
    let to = match (body.reduce_by, body.reduce_to) {
        // Reducing by more than what remains cancels the order.
        (Some(by), None) if by > Contracts::ZERO => remaining.checked_sub(by).unwrap_or_default(),
        (None, Some(to)) if !to.is_negative() && to <= remaining => to,
        _ => {
            return Err(Rejection::invalid(
                "reduce_by, reduce_to: exactly one, at most the remaining count",
            ));
        }
    };
    let order = state
        .decrease(id, to)
        .ok_or_else(|| Rejection::not_found("no such order"))?;
    Ok(without_nulls(json!({
        "order_id": id,
        "client_order_id": order.client_order_id,
        "remaining_count": order.remaining,
        "ts_ms": state.now / 1000,
    })))
}

pub(super) fn cancel(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let cancel = Cancel {
        order_id: call.string("order_id").unwrap_or_default().to_owned(),
        subaccount: call.integer("subaccount"),
        exchange_index: call.integer("exchange_index"),
        market_ticker: call.string("market_ticker").map(ToOwned::to_owned),
    };
    cancel_one(state, call, &cancel)
}

fn cancel_one(state: &mut State, call: &Call<'_>, cancel: &Cancel) -> HandlerResult {
    let account = call.account(state, cancel.subaccount)?;
    let shard = shard_of(
        state,
        cancel.exchange_index,
        cancel.market_ticker.as_deref(),
    )?;
    let id = order_id(&cancel.order_id)?;
    state.resting(id, account, shard)?;
    let cancelled = state.cancel(id);
    Ok(json!({
        "order_id": id,
        "reduced_by": cancelled,
        "ts_ms": state.now / 1000,
    }))
}

pub(super) fn cancel_batch(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let mut orders = Vec::new();
    for item in items(call)? {
        let id = item["order_id"].clone();
        let cancelled = parse::<Cancel>(item).and_then(|cancel| cancel_one(state, call, &cancel));
        orders.push(cancelled.map_or_else(
            // `reduced_by` of a failed item is zero. The other absent fields are null.
            |rejection| {
                json!({
                    "order_id": id, "client_order_id": null, "reduced_by": Contracts::ZERO, "ts_ms": null,
                    "error": rejection.error_object(),
                })
            },
            |mut cancelled| {
                cancelled["error"] = Value::Null;
                cancelled
            },
        ));
    }
    Ok(json!({ "orders": orders }))
}

pub(super) fn cancel_all(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let of_account = |order: &&Order| only.is_none_or(|only| order.account.subaccount == only);
    let orders = state
        .resting_orders_of(call.caller.user)
        .filter(of_account)
        .map(|order| order.id);
    for id in orders.take(MAX_CANCELLED).collect::<Vec<_>>() {
        state.cancel(id);
    }
    Ok(Value::Null)
}

fn items(call: &Call<'_>) -> Result<Vec<Value>, Rejection> {
    let batch: Batch<Value> = call.parse()?;
    match batch.orders.is_empty() {
        true => Err(Rejection::invalid("orders: must be gte 1 items")),
        false => Ok(batch.orders),
    }
}

fn parse<T: serde::de::DeserializeOwned>(item: Value) -> Result<T, Rejection> {
    serde_json::from_value(item).map_err(|error| Rejection::invalid(error.to_string()))
}

fn order_id(text: &str) -> Result<Uuid, Rejection> {
    Uuid::parse_str(text).map_err(|_| Rejection::not_found(format!("no order {text}")))
}

/// Returns an order of the caller in any state.
fn own_order<'a>(state: &'a State, call: &Call<'_>) -> Result<Cow<'a, Order>, Rejection> {
    let id = order_id(call.string("order_id").unwrap_or_default())?;
    let is_own = |order: &&Order| {
        order.account.user == call.caller.user
            && call
                .caller
                .subaccount
                .is_none_or(|locked| order.account.subaccount == locked)
    };
    state
        .orders
        .get(&id)
        .filter(is_own)
        .and_then(|order| state.order_as_of(order, call.as_of))
        .ok_or_else(|| Rejection::not_found(format!("no order {id}")))
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let order = own_order(state, call)?;
    Ok(json!({ "order": order_json(state, &order) }))
}

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let archived = call.id() == "GetHistoricalOrders";
    let only = call.only_subaccount(state)?;
    let status = call.string("status");
    if status.is_some_and(|status| !["resting", "canceled", "executed"].contains(&status)) {
        return Err(Rejection::bad_request(
            "bad_request",
            "invalid status filter",
        ));
    }
    let market = |order: &Order| state.markets.get(order.market);
    let rows = state
        .orders_of(call.caller.user)
        .rev()
        .filter_map(|order| Some((order.number, state.order_as_of(order, call.as_of)?)))
        .filter(|(_, order)| {
            let is_old = order.status != Status::Resting && order.updated < state.now - LIVE_WINDOW;
            is_old == archived
                && only.is_none_or(|only| order.account.subaccount == only)
                && status.is_none_or(|status| json!(order.status) == status)
                && call.string("ticker").is_none_or(|ticker| {
                    market(order).is_some_and(|market| market.ticker == ticker)
                })
                && call.strings("event_ticker").is_none_or(|events| {
                    market(order).is_some_and(|market| events.contains(&market.event.as_str()))
                })
                && call
                    .only_shard()
                    .is_none_or(|shard| market(order).is_some_and(|market| market.shard == shard))
                && call.is_within("min_ts", "max_ts", order.created)
        });
    Ok(
        call.list_response(
            call.page(Listed::NewestFirst, rows, |order| order_json(state, &order))?,
        ),
    )
}

fn order_json(state: &State, order: &Order) -> Value {
    let market = state.markets.get(order.market);
    let outcome = order.side.outcome();
    without_nulls(json!({
        "order_id": order.id,
        "user_id": state.user(order.account.user).id,
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "ticker": market.map(|market| market.ticker.as_str()),
        "side": outcome,
        "action": "buy",
        "outcome_side": outcome,
        "book_side": order.side,
        "type": "limit",
        "status": order.status,
        "yes_price_dollars": order.price,
        "no_price_dollars": Side::Ask.unit_price(order.price),
        "fill_count_fp": order.filled,
        "remaining_count_fp": order.remaining,
        "initial_count_fp": order.initial,
        "taker_fill_cost_dollars": six_digits(order.taker_cost),
        "maker_fill_cost_dollars": six_digits(order.maker_cost),
        "taker_fees_dollars": six_digits(order.taker_fees),
        "maker_fees_dollars": six_digits(order.maker_fees),
        "expiration_time": order.expires.map(|expires| rfc3339(expires.saturating_mul(SECOND))),
        "created_time": rfc3339(order.created),
        "last_update_time": rfc3339(order.updated),
        "self_trade_prevention_type": match order.self_trade {
            SelfTrade::TakerAtCross => "taker_at_cross",
            SelfTrade::Maker => "maker",
        },
        "order_group_id": order.group,
        "cancel_order_on_pause": order.cancel_on_pause,
        "subaccount_number": order.account.subaccount,
        "exchange_index": market.map(|market| market.shard),
    }))
}

pub(super) fn queue_position(state: &State, call: &Call<'_>) -> HandlerResult {
    let order = own_order(state, call)?;
    if order.status != Status::Resting {
        return Err(Rejection::not_found("the order is not resting"));
    }
    Ok(json!({ "queue_position_fp": contracts_ahead(state, &order) }))
}

pub(super) fn queue_positions(state: &State, call: &Call<'_>) -> HandlerResult {
    let (markets, event) = (call.strings("market_tickers"), call.string("event_ticker"));
    if markets.is_none() && event.is_none() {
        return Err(Rejection::invalid(
            "market_tickers, event_ticker: one is required",
        ));
    }
    let Account { user, subaccount } = call.account(state, call.integer("subaccount"))?;
    let resting = state
        .resting_orders_of(user)
        .filter(|order| order.account.subaccount == subaccount && call.is_visible(order.created));
    let rows = resting.filter_map(|order| {
        let market = state.markets.get(order.market)?;
        let is_selected = markets
            .as_ref()
            .is_none_or(|tickers| tickers.contains(&market.ticker.as_str()))
            && event.is_none_or(|event| market.event == event);
        is_selected.then(|| {
            json!({
                "order_id": order.id,
                "market_ticker": market.ticker,
                "queue_position_fp": contracts_ahead(state, order),
            })
        })
    });
    Ok(json!({ "queue_positions": rows.collect::<Vec<_>>() }))
}

fn contracts_ahead(state: &State, order: &Order) -> Contracts {
    state.queue_position(order.market, order.side, order.rank())
}
