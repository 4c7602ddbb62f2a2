//! What only those see whom it concerns: fills, orders, positions, groups, quotes.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::{
    messages::{Message, milliseconds, outcome, stamp, ticker_of},
    socket::Socket,
    subscription::{Channel, Subscription},
};
use crate::{
    call::{six_digits, without_nulls},
    state::{
        Fill, MarketIndex, NOBODY, News, Order, PositionNow, Quote, Rfq, SelfTrade, Side, State,
    },
    time::{SECOND, rfc3339, seconds},
};

/// What a subscription is told of what concerns somebody.
pub(super) fn of(
    state: &State,
    socket: &Socket,
    subscription: &Subscription,
    news: &News,
) -> Option<Message> {
    let has = |market: MarketIndex| subscription.has(ticker_of(state, market));
    let message = |kind: &'static str, body: Value| Some(Message { kind, body });
    match (subscription.channel, news) {
        (
            Channel::Fill,
            News::Fill {
                fill,
                client_order_id,
                position,
            },
        ) if socket.is_own(fill.account) && has(fill.market) => message(
            "fill",
            filled(state, fill, client_order_id.as_deref(), *position),
        ),
        (Channel::UserOrders, News::Order { order, reason })
            if socket.is_own(order.account) && has(order.market) =>
        {
            message("user_order", ordered(state, order, *reason))
        }
        (Channel::MarketPositions, News::Position(now))
            if socket.is_own(now.account) && has(now.market) =>
        {
            message("market_position", position(state, now))
        }
        (
            Channel::OrderGroupUpdates,
            News::Group {
                id,
                account,
                what,
                limit,
                at,
            },
        ) if socket.is_own(*account) => {
            let limit = matches!(*what, "created" | "limit_updated").then_some(limit);
            message(
                "order_group_updates",
                without_nulls(json!({
                    "event_type": what,
                    "order_group_id": id,
                    "contracts_limit_fp": limit,
                    "ts_ms": milliseconds(*at),
                })),
            )
        }
        (Channel::Communications, News::RfqCreated(rfq))
            if is_wanted(state, socket, subscription, rfq) =>
        {
            let mut body = requested(state, socket, rfq);
            body["created_ts"] = json!(rfc3339(rfq.created));
            message("rfq_created", body)
        }
        (Channel::Communications, News::RfqDeleted(rfq))
            if is_wanted(state, socket, subscription, rfq) =>
        {
            let mut body = requested(state, socket, rfq);
            body["deleted_ts"] = json!(rfc3339(rfq.updated));
            message("rfq_deleted", body)
        }
        (Channel::Communications, News::Quote { what, quote, rfq })
            if (socket.is_own(quote.creator) || socket.is_own(rfq.creator))
                && subscription.is_part(ticker_of(state, rfq.market)) =>
        {
            message(what, quoted(state, socket, what, quote, rfq))
        }
        _ => None,
    }
}

fn filled(state: &State, fill: &Fill, client_order_id: Option<&str>, position: i64) -> Value {
    let outcome = outcome(fill.side);
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

fn ordered(state: &State, order: &Order, reason: Option<&str>) -> Value {
    let outcome = outcome(order.side);
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
        "created_time": stamp(order.created),
        "created_ts_ms": milliseconds(order.created),
        "last_update_time": stamp(order.updated),
        "last_updated_ts_ms": milliseconds(order.updated),
        "last_update_reason": reason,
        "expiration_time": expires.map(stamp),
        "expiration_ts_ms": expires.map(milliseconds),
        "subaccount_number": order.account.subaccount,
    }))
}

fn position(state: &State, now: &PositionNow) -> Value {
    json!({
        "user_id": state.user(now.account.user).id,
        "market_ticker": ticker_of(state, now.market),
        "position_fp": Contracts::from_hundredths(now.position),
        "position_cost_dollars": six_digits(now.cost),
        "realized_pnl_dollars": six_digits(now.realized),
        "fees_paid_dollars": six_digits(now.fees),
        // Fees are paid when they fall due: none wait with the position.
        "position_fee_cost_dollars": six_digits(0),
        "volume_fp": Contracts::from_hundredths(now.volume),
        "subaccount": now.account.subaccount,
    })
}

/// Whether a request for quote is among those that a subscription is to.
fn is_wanted(state: &State, socket: &Socket, subscription: &Subscription, rfq: &Rfq) -> bool {
    (!subscription.own_only || socket.is_own(rfq.creator))
        && subscription.is_part(ticker_of(state, rfq.market))
}

/// Who asks, as a client sees it.
fn requester<'a>(state: &'a State, socket: &Socket, rfq: &Rfq, executed: bool) -> &'a str {
    match rfq.obscured && !executed && !socket.is_own(rfq.creator) {
        true => NOBODY,
        false => &state.user(rfq.creator.user).communications_id,
    }
}

fn requested(state: &State, socket: &Socket, rfq: &Rfq) -> Value {
    let market = state.markets.get(rfq.market);
    without_nulls(json!({
        "id": rfq.id,
        "creator_id": requester(state, socket, rfq, rfq.executed),
        "market_ticker": ticker_of(state, rfq.market),
        "event_ticker": market.map(|market| market.event.as_str()),
        "contracts_fp": rfq.contracts,
        "target_cost_dollars": rfq.target_cost,
    }))
}

fn quoted(state: &State, socket: &Socket, what: &str, quote: &Quote, rfq: &Rfq) -> Value {
    let made = socket.is_own(quote.creator);
    let own = if made { quote.creator } else { rfq.creator };
    let subaccount = Some(own.subaccount).filter(|subaccount| *subaccount != 0);
    let executed = what == "quote_executed";
    let mut body = json!({
        "quote_id": quote.id,
        "rfq_id": rfq.id,
        "quote_creator_id": state.user(quote.creator.user).communications_id,
        "rfq_creator_id": requester(state, socket, rfq, executed),
        "market_ticker": ticker_of(state, rfq.market),
        "subaccount": subaccount,
    });
    if executed {
        let (maker, taker) = quote.orders.unzip();
        let id = if made { maker } else { taker };
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
    if what == "quote_accepted" {
        body["accepted_side"] = json!(quote.accepted.map(outcome));
    } else {
        body["created_ts"] = json!(rfc3339(quote.created));
    }
    without_nulls(body)
}
