//! Messages of public channels: books, tickers, trades and lifecycles.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::super::{
    frame::{Message, market_id, milliseconds, ticker_of, timestamp},
    subscription::{Channel, Subscription},
};
use crate::{
    call::{Caller, without_nulls},
    state::{Event, LevelChange, Market, MarketIndex, Settlement, Side, State, Step, Trade},
    time::{Micros, seconds},
};

/// Renders an event for a subscription to a public channel.
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
            let own = caller.owns(change.account);
            message(
                "orderbook_delta",
                delta_body(state, change, subscription.yes_prices, own),
            )
        }
        (Channel::Trade, Event::Trade(trade)) if covers(trade.market) => {
            message("trade", trade_body(state, trade))
        }
        (Channel::MarketLifecycle, Event::Market { market, step, at }) => message(
            "market_lifecycle_v2",
            lifecycle_body(state, *market, *step, *at)?,
        ),
        (Channel::MarketLifecycle, Event::Listed(ticker)) => {
            message("event_lifecycle", event_created_body(state, ticker)?)
        }
        _ => None,
    }
}

/// Renders the order book of a market.
pub(super) fn snapshot(state: &State, market: &Market, yes_prices: bool) -> Message {
    let rising = |best_first: Vec<(Dollars, Contracts)>| {
        let levels: Vec<_> = best_first.into_iter().rev().collect();
        (!levels.is_empty()).then_some(levels)
    };
    let no = if yes_prices {
        state.levels(market, Side::Ask)
    } else {
        state.no_bids(market)
    };
    Message {
        kind: "orderbook_snapshot",
        body: without_nulls(json!({
            "market_ticker": market.ticker,
            "market_id": market_id(&market.ticker),
            "clock": market.clock,
            "yes_dollars_fp": rising(state.levels(market, Side::Bid)),
            "no_dollars_fp": rising(no),
        })),
    }
}

fn delta_body(state: &State, change: &LevelChange, yes_prices: bool, own: bool) -> Value {
    let ticker = ticker_of(state, change.market);
    let price = if yes_prices {
        change.price
    } else {
        change.side.unit_price(change.price)
    };
    let subaccount = Some(change.account.subaccount).filter(|subaccount| own && *subaccount != 0);
    without_nulls(json!({
        "market_ticker": ticker,
        "market_id": market_id(ticker),
        "clock": change.clock,
        "price_dollars": price,
        "delta_fp": Contracts::from_hundredths(change.change),
        "side": change.side.outcome(),
        "client_order_id": change.client_order_id.as_ref().filter(|_| own),
        "subaccount": subaccount,
        "ts": timestamp(change.at),
        "ts_ms": milliseconds(change.at),
    }))
}

fn trade_body(state: &State, trade: &Trade) -> Value {
    let outcome = trade.taker_side.outcome();
    json!({
        "trade_id": trade.id,
        "market_ticker": ticker_of(state, trade.market),
        "yes_price_dollars": trade.price,
        "no_price_dollars": Side::Ask.unit_price(trade.price),
        "count_fp": trade.count,
        "taker_side": outcome,
        "taker_outcome_side": outcome,
        "taker_book_side": trade.taker_side,
        "is_block_trade": false,
        "ts": seconds(trade.at),
        "ts_ms": milliseconds(trade.at),
    })
}

/// Returns the fields of a ticker message, without its time.
pub(super) fn ticker_fields(state: &State, market: &Market) -> Value {
    let (bid, ask) = (state.best(market, Side::Bid), state.best(market, Side::Ask));
    let none = Contracts::ZERO;
    // As recorded from the exchange: half a dollar a contract, whatever its price, in whole dollars.
    let dollars = |count: Contracts| count.hundredths() / 200;
    json!({
        "market_id": market_id(&market.ticker),
        "market_ticker": market.ticker,
        "price_dollars": market.last_price.unwrap_or(Dollars::ZERO),
        "yes_bid_dollars": bid.map_or(Dollars::ZERO, |(price, _)| price),
        "yes_ask_dollars": ask.map_or(Dollars::ONE, |(price, _)| price),
        "yes_bid_size_fp": bid.map_or(none, |(_, count)| count),
        "yes_ask_size_fp": ask.map_or(none, |(_, count)| count),
        "volume_fp": market.volume,
        "open_interest_fp": market.open_interest,
        "dollar_volume": dollars(market.volume),
        "dollar_open_interest": dollars(market.open_interest),
        "last_trade_size_fp": market.last_count,
    })
}

/// Completes a ticker message with the current time.
pub(super) fn ticker(state: &State, mut fields: Value) -> Value {
    fields["ts"] = json!(seconds(state.now));
    fields["ts_ms"] = json!(milliseconds(state.now));
    fields["time"] = json!(timestamp(state.now));
    fields
}

fn lifecycle_body(state: &State, index: MarketIndex, step: Step, at: Micros) -> Option<Value> {
    let market = state.markets.get(index)?;
    let ticker = &market.ticker;
    let (closes, value) = (
        seconds(market.closes),
        market.settled.map(|(_, value)| value),
    );
    Some(match step {
        Step::Created => json!({
            "event_type": "created",
            "market_ticker": ticker,
            "exchange_index": market.shard,
            "open_ts": seconds(market.opens),
            "close_ts": closes,
            "price_level_structure": market.price_level_structure,
            "price_ranges": market.price_ranges,
            "additional_metadata": {
                "name": market.title,
                "title": market.title,
                "yes_sub_title": "Yes",
                "no_sub_title": "No",
                "rules_primary": "",
                "rules_secondary": "",
                "can_close_early": true,
                "event_ticker": market.event,
                "expected_expiration_ts": closes,
            },
        }),
        Step::Activated => {
            json!({ "event_type": "activated", "market_ticker": ticker, "is_deactivated": false })
        }
        Step::Deactivated => {
            json!({ "event_type": "deactivated", "market_ticker": ticker, "is_deactivated": true })
        }
        Step::CloseMoved => {
            json!({ "event_type": "close_date_updated", "market_ticker": ticker, "close_ts": closes })
        }
        Step::GridChanged => json!({
            "event_type": "price_level_structure_updated",
            "market_ticker": ticker,
            "price_level_structure": market.price_level_structure,
            "price_ranges": market.price_ranges,
        }),
        Step::Determined => json!({
            "event_type": "determined",
            "market_ticker": ticker,
            "determination_ts": seconds(at),
            "result": value.map(Settlement::result),
            "settlement_value": value,
        }),
        Step::Settled => {
            json!({ "event_type": "settled", "market_ticker": ticker, "settled_ts": seconds(at) })
        }
    })
}

fn event_created_body(state: &State, ticker: &str) -> Option<Value> {
    let event = state.events.get(ticker)?;
    let series = state.series.get(&event.series);
    Some(json!({
        "event_ticker": event.ticker,
        "exchange_index": series.map_or(0, |series| series.shard),
        "title": event.title,
        "subtitle": "",
        "collateral_return_type": "",
        "series_ticker": event.series,
    }))
}
