//! Messages of the margin exchange.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::super::{
    frame::{Message, milliseconds, ticker_of},
    subscription::{Channel, Subscription},
};
use crate::{
    call::{Caller, decimal, six_digits, without_nulls},
    state::{
        Event, Fill, LevelChange, Market, MarketIndex, Order, Perp, SelfTrade, Side, State, cost,
        next_funding,
    },
    time::SECOND,
};

/// Renders an event for a subscription to the margin exchange.
pub(super) fn render(
    state: &State,
    caller: &Caller,
    subscription: &Subscription,
    event: &Event,
) -> Option<Message> {
    let covers = |market: MarketIndex| subscription.covers(ticker_of(state, market));
    let message = |kind: &'static str, body: Value| Some(Message { kind, body });
    match (subscription.channel, event) {
        (Channel::OrderbookDelta, Event::Level(change)) if covers(change.market) => {
            message("orderbook_delta", delta_body(state, caller, change))
        }
        (Channel::Trade, Event::Trade(trade)) if covers(trade.market) => message(
            "trade",
            json!({
                "trade_id": trade.id,
                "market_ticker": ticker_of(state, trade.market),
                "price": trade.price,
                "count": trade.count,
                "taker_side": trade.taker_side,
                "ts_ms": milliseconds(trade.at),
            }),
        ),
        (
            Channel::Fill,
            Event::Fill {
                fill,
                client_order_id,
                position,
            },
        ) if caller.owns(fill.account) && covers(fill.market) => message(
            "fill",
            fill_body(state, fill, client_order_id.as_deref(), *position),
        ),
        (Channel::UserOrders, Event::Order { order, .. })
            if caller.owns(order.account) && covers(order.market) =>
        {
            message("user_order", order_body(state, order))
        }
        (
            Channel::OrderGroupUpdates,
            Event::Group {
                id,
                account,
                kind,
                limit,
                at,
            },
        ) if caller.owns(*account) => {
            let has_limit = ["created", "limit_updated"].contains(kind);
            message(
                "order_group_updates",
                without_nulls(json!({
                    "event_type": kind,
                    "order_group_id": id,
                    "contracts_limit_fp": has_limit.then_some(limit),
                    "ts_ms": milliseconds(*at),
                })),
            )
        }
        _ => None,
    }
}

/// Renders an order book, the worst level first.
pub(super) fn snapshot(state: &State, market: &Market) -> Message {
    let worst_first = |side| {
        let levels: Vec<_> = state.levels(market, side).into_iter().rev().collect();
        (!levels.is_empty()).then_some(levels)
    };
    Message {
        kind: "orderbook_snapshot",
        body: without_nulls(json!({
            "market_ticker": market.ticker,
            "bid": worst_first(Side::Bid),
            "ask": worst_first(Side::Ask),
        })),
    }
}

fn delta_body(state: &State, caller: &Caller, change: &LevelChange) -> Value {
    let own = caller.owns(change.account);
    without_nulls(json!({
        "market_ticker": ticker_of(state, change.market),
        "price": change.price,
        "delta": Contracts::from_hundredths(change.change),
        "side": change.side,
        "client_order_id": change.client_order_id.as_ref().filter(|_| own),
        "subaccount": own.then_some(change.account.subaccount),
        "ts_ms": milliseconds(change.at),
    }))
}

fn fill_body(state: &State, fill: &Fill, client_order_id: Option<&str>, position: i64) -> Value {
    without_nulls(json!({
        "trade_id": fill.trade,
        "order_id": fill.order,
        "client_order_id": client_order_id,
        "market_ticker": ticker_of(state, fill.market),
        "is_taker": fill.is_taker,
        "side": fill.side,
        "ts_ms": milliseconds(fill.at),
        "price": fill.price,
        "count": fill.count,
        "fee_cost": Dollars::from_micros(fill.fee),
        "post_position": Contracts::from_hundredths(position),
        "subaccount": fill.account.subaccount,
        "order_source": "user",
    }))
}

fn order_body(state: &State, order: &Order) -> Value {
    let expires = order.expires.map(|expires| expires.saturating_mul(SECOND));
    without_nulls(json!({
        "order_id": order.id,
        "user_id": state.user(order.account.user).id,
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "ticker": ticker_of(state, order.market),
        "side": order.side,
        "price": order.price,
        "fill_count": order.filled,
        "remaining_count": order.remaining,
        "self_trade_prevention_type": match order.self_trade {
            SelfTrade::TakerAtCross => "taker_at_cross",
            SelfTrade::Maker => "maker",
        },
        "order_group_id": order.group,
        "expiration_ts_ms": expires.map(milliseconds),
        "created_ts_ms": milliseconds(order.created),
        "last_updated_ts_ms": milliseconds(order.updated),
        "subaccount_number": order.account.subaccount,
        "order_source": "user",
    }))
}

/// Returns the fields of a ticker message, without the current time.
pub(super) fn ticker_fields(state: &State, market: &Market, perp: &Perp) -> Value {
    let (bid, ask) = (state.best(market, Side::Bid), state.best(market, Side::Ask));
    let (price, count) = (Dollars::ZERO, Contracts::ZERO);
    let mark = state.mark(market);
    json!({
        "market_ticker": market.ticker,
        // Time of the statistics. Prices and the funding rate have their own timestamps.
        "ts_ms": milliseconds(perp.changed),
        "price": market.last_price.unwrap_or(price),
        "bid": bid.map_or(price, |(price, _)| price),
        "ask": ask.map_or(price, |(price, _)| price),
        "bid_size_fp": bid.map_or(count, |(_, count)| count),
        "ask_size_fp": ask.map_or(count, |(_, count)| count),
        "last_trade_size_fp": market.last_count,
        "volume": market.volume,
        "volume_notional_value_dollars": six_digits(perp.volume),
        "volume_24h": market.volume_24h(state.now),
        "volume_24h_notional_value_dollars": six_digits(perp.volume_24h(state.now)),
        "open_interest": market.open_interest,
        "open_interest_notional_value_dollars": six_digits(cost(mark, market.open_interest)),
        "reference_price": { "price": perp.reference },
        "settlement_mark_price": { "price": mark },
        "liquidation_mark_price": { "price": mark },
        "funding_rate": {
            "rate": decimal(state.funding_rate(market), 12),
            "next_funding_time_ms": milliseconds(next_funding(state.now)),
        },
    })
}

/// Completes a ticker message with the current time, in its prices and its funding rate.
pub(super) fn ticker(state: &State, mut fields: Value) -> Value {
    let now = json!(milliseconds(state.now));
    for stamped in [
        "reference_price",
        "settlement_mark_price",
        "liquidation_mark_price",
        "funding_rate",
    ] {
        fields[stamped]["ts_ms"] = now.clone();
    }
    fields
}
