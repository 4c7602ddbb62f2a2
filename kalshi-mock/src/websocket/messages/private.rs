//! Messages of private channels: fills, orders, positions, order groups and quotes.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::super::{
    frame::{Message, milliseconds, ticker_of, timestamp},
    subscription::{Channel, Subscription},
};
use crate::{
    call::{Caller, six_digits, without_nulls},
    state::{
        Event, Fill, HIDDEN_USER, MarketIndex, Order, PositionChange, Quote, Rfq, SelfTrade, Side,
        State,
    },
    time::{SECOND, rfc3339, seconds},
};

/// Renders an event for a subscription to a private channel.
pub(super) fn render(
    state: &State,
    caller: &Caller,
    subscription: &Subscription,
    event: &Event,
) -> Option<Message> {
    let covers = |market: MarketIndex| subscription.covers(ticker_of(state, market));
    let message = |kind: &'static str, body: Value| Some(Message { kind, body });
    match (subscription.channel, event) {
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
        (Channel::UserOrders, Event::Order { order, reason })
            if caller.owns(order.account) && covers(order.market) =>
        {
            message("user_order", order_body(state, order, *reason))
        }
        (Channel::MarketPositions, Event::Position(now))
            if caller.owns(now.account) && covers(now.market) =>
        {
            message("market_position", position_body(state, now))
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
            let limit = matches!(*kind, "created" | "limit_updated").then_some(limit);
            message(
                "order_group_updates",
                without_nulls(json!({
                    "event_type": kind,
                    "order_group_id": id,
                    "contracts_limit_fp": limit,
                    "ts_ms": milliseconds(*at),
                })),
            )
        }
        (Channel::Communications, Event::RfqCreated(rfq))
            if covers_rfq(state, caller, subscription, rfq) =>
        {
            let mut body = rfq_body(state, caller, rfq);
            body["created_ts"] = json!(rfc3339(rfq.created));
            message("rfq_created", body)
        }
        (Channel::Communications, Event::RfqDeleted(rfq))
            if covers_rfq(state, caller, subscription, rfq) =>
        {
            let mut body = rfq_body(state, caller, rfq);
            body["deleted_ts"] = json!(rfc3339(rfq.updated));
            message("rfq_deleted", body)
        }
        (Channel::Communications, Event::Quote { kind, quote, rfq })
            if (caller.owns(quote.creator) || caller.owns(rfq.creator))
                && subscription.is_in_shard(ticker_of(state, rfq.market)) =>
        {
            message(kind, quote_body(state, caller, kind, quote, rfq))
        }
        (channel, Event::Sample { kind, body }) if channel == channel_of_sample(kind) => {
            message(kind, body.clone())
        }
        _ => None,
    }
}

/// Returns the channel of a sample message about an object that the exchange does not store: a combo or an RFQ batch.
fn channel_of_sample(kind: &str) -> Channel {
    match kind {
        "multivariate_market_lifecycle" => Channel::MultivariateMarketLifecycle,
        _ => Channel::Communications,
    }
}

fn fill_body(state: &State, fill: &Fill, client_order_id: Option<&str>, position: i64) -> Value {
    let outcome = fill.side.outcome();
    let market = state.markets.get(fill.market);
    without_nulls(json!({
        "trade_id": fill.trade,
        "order_id": fill.order,
        "client_order_id": client_order_id,
        "market_ticker": ticker_of(state, fill.market),
        "exchange_index": market.map_or(0, |market| market.shard),
        "is_taker": fill.is_taker,
        "side": outcome,
        "action": "buy",
        "outcome_side": outcome,
        "book_side": fill.side,
        "purchased_side": outcome,
        "yes_price_dollars": fill.price,
        "count_fp": fill.count,
        "fee_cost": six_digits(fill.fee),
        "post_position_fp": Contracts::from_hundredths(position),
        "subaccount": fill.account.subaccount,
        "ts": seconds(fill.at),
        "ts_ms": milliseconds(fill.at),
    }))
}

fn order_body(state: &State, order: &Order, reason: Option<&str>) -> Value {
    let outcome = order.side.outcome();
    let market = state.markets.get(order.market);
    let expires = order.expires.map(|expires| expires.saturating_mul(SECOND));
    without_nulls(json!({
        "order_id": order.id,
        "user_id": state.user(order.account.user).id,
        "ticker": ticker_of(state, order.market),
        "exchange_index": market.map_or(0, |market| market.shard),
        "status": order.status,
        "side": outcome,
        "is_yes": order.side == Side::Bid,
        "outcome_side": outcome,
        "book_side": order.side,
        "yes_price_dollars": order.price,
        "fill_count_fp": order.filled,
        "remaining_count_fp": order.remaining,
        "initial_count_fp": order.initial,
        "taker_fill_cost_dollars": six_digits(order.taker_cost),
        "maker_fill_cost_dollars": six_digits(order.maker_cost),
        "taker_fees_dollars": six_digits(order.taker_fees),
        "maker_fees_dollars": six_digits(order.maker_fees),
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "order_group_id": order.group,
        "self_trade_prevention_type": match order.self_trade {
            SelfTrade::TakerAtCross => "taker_at_cross",
            SelfTrade::Maker => "maker",
        },
        "created_time": timestamp(order.created),
        "created_ts_ms": milliseconds(order.created),
        "last_update_time": timestamp(order.updated),
        "last_updated_ts_ms": milliseconds(order.updated),
        "last_update_reason": reason,
        "expiration_time": expires.map(timestamp),
        "expiration_ts_ms": expires.map(milliseconds),
        "subaccount_number": order.account.subaccount,
    }))
}

fn position_body(state: &State, now: &PositionChange) -> Value {
    json!({
        "user_id": state.user(now.account.user).id,
        "market_ticker": ticker_of(state, now.market),
        "position_fp": Contracts::from_hundredths(now.position),
        "position_cost_dollars": six_digits(now.cost),
        "realized_pnl_dollars": six_digits(now.realized),
        "fees_paid_dollars": six_digits(now.fees),
        // Fees are charged immediately, so a position never carries unpaid ones.
        "position_fee_cost_dollars": six_digits(0),
        "volume_fp": Contracts::from_hundredths(now.volume),
        "subaccount": now.account.subaccount,
    })
}

/// Returns true if a subscription covers a request for quote.
fn covers_rfq(state: &State, caller: &Caller, subscription: &Subscription, rfq: &Rfq) -> bool {
    (!subscription.own_only || caller.owns(rfq.creator))
        && subscription.is_in_shard(ticker_of(state, rfq.market))
}

/// Returns the communications id of a requester as the client sees it.
fn requester<'a>(state: &'a State, caller: &Caller, rfq: &Rfq, executed: bool) -> &'a str {
    match rfq.obscured && !executed && !caller.owns(rfq.creator) {
        true => HIDDEN_USER,
        false => &state.user(rfq.creator.user).communications_id,
    }
}

fn rfq_body(state: &State, caller: &Caller, rfq: &Rfq) -> Value {
    let market = state.markets.get(rfq.market);
    without_nulls(json!({
        "id": rfq.id,
        "creator_id": requester(state, caller, rfq, rfq.executed),
        "market_ticker": ticker_of(state, rfq.market),
        "event_ticker": market.map(|market| market.event.as_str()),
        "contracts_fp": rfq.contracts,
        "target_cost_dollars": rfq.target_cost,
    }))
}

fn quote_body(state: &State, caller: &Caller, kind: &str, quote: &Quote, rfq: &Rfq) -> Value {
    let is_maker = caller.owns(quote.creator);
    let own = if is_maker { quote.creator } else { rfq.creator };
    let subaccount = Some(own.subaccount).filter(|subaccount| *subaccount != 0);
    let executed = kind == "quote_executed";
    let mut body = json!({
        "quote_id": quote.id,
        "rfq_id": rfq.id,
        "quote_creator_id": state.user(quote.creator.user).communications_id,
        "rfq_creator_id": requester(state, caller, rfq, executed),
        "market_ticker": ticker_of(state, rfq.market),
        "subaccount": subaccount,
    });
    if executed {
        let (maker, taker) = quote.orders.unzip();
        let id = if is_maker { maker } else { taker };
        let order = id.and_then(|id| state.orders.get(&id));
        let client_order_id = order.and_then(|order| order.client_order_id.as_deref());
        body["order_id"] = json!(id);
        body["client_order_id"] = json!(client_order_id.unwrap_or_default());
        body["executed_ts"] = json!(rfc3339(quote.updated));
        return without_nulls(body);
    }
    let market = state.markets.get(rfq.market);
    let contracts = |bid: Dollars| market.map(|market| rfq.contracts_at(bid, &market.fees));
    body["event_ticker"] = json!(market.map(|market| market.event.as_str()));
    body["yes_bid_dollars"] = json!(quote.yes_bid);
    body["no_bid_dollars"] = json!(quote.no_bid);
    body["yes_contracts_offered_fp"] = json!(contracts(quote.yes_bid));
    body["no_contracts_offered_fp"] = json!(contracts(quote.no_bid));
    body["rfq_target_cost_dollars"] = json!(rfq.target_cost);
    if kind == "quote_accepted" {
        body["accepted_side"] = json!(quote.accepted.map(Side::outcome));
    } else {
        body["created_ts"] = json!(rfc3339(quote.created));
    }
    without_nulls(body)
}
