//! Portfolio of a user: balance, positions, fills, settlements.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use serde_json::json;

use super::common::{HandlerResult, LIVE_WINDOW};
use crate::{
    call::{Call, Order, six_digits, without_nulls},
    state::{Fill, Holding, Market, Payout, Settlement, Shard, Side, State, cost},
    time::{rfc3339, seconds},
};

pub(super) fn balance(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = Some(call.account(state, call.integer("subaccount"))?.subaccount);
    let shard = call.only_shard();
    let mut by_shard: BTreeMap<Shard, i64> = BTreeMap::new();
    let mut updated = 0;
    for (subaccount, on, cash) in state.ledger.cash_of_user(call.caller.user) {
        if only.is_none_or(|only| only == subaccount) && shard.is_none_or(|shard| shard == on) {
            *by_shard.entry(on).or_default() += cash.amount - cash.reserved;
            updated = updated.max(cash.updated);
        }
    }
    let value: i64 = state
        .ledger
        .holdings_of_user(call.caller.user)
        .filter(|(subaccount, _, _)| only.is_none_or(|only| only == *subaccount))
        .filter_map(|(_, index, holding)| Some((state.markets.get(index)?, holding)))
        .filter(|(market, _)| shard.is_none_or(|shard| market.shard == shard))
        .map(|(market, holding)| position_value(market, holding))
        .sum();
    let total: i64 = by_shard.values().sum();
    let breakdown = by_shard
        .iter()
        .map(|(shard, micros)| json!({ "exchange_index": shard, "balance": Dollars::from_micros(*micros) }));
    // Omitted for a key that is restricted to a subaccount.
    let breakdown = call
        .caller
        .subaccount
        .is_none()
        .then(|| breakdown.collect::<Vec<_>>());
    Ok(without_nulls(json!({
        "balance": total.div_euclid(10_000),
        "balance_dollars": Dollars::from_micros(total),
        "portfolio_value": value.div_euclid(10_000),
        "updated_ts": seconds(updated),
        "balance_breakdown": breakdown,
    })))
}

/// Values a position at the last trade price.
fn position_value(market: &Market, holding: &Holding) -> i64 {
    let Some(last) = market.last_price else {
        return holding.cost;
    };
    let side = if holding.position >= 0 {
        Side::Bid
    } else {
        Side::Ask
    };
    cost(
        side.unit_price(last),
        Contracts::from_hundredths(holding.position.abs()),
    )
}

pub(super) fn positions(state: &State, call: &Call<'_>) -> HandlerResult {
    let archive = call.id() == "GetHistoricalPositions";
    let only = call.only_subaccount(state)?.or(Some(0));
    let filters = call.strings("count_filter").unwrap_or_default();
    let status = call.string("settlement_status").unwrap_or("unsettled");
    let is_included = |market: &Market, holding: &Holding| {
        let is_old = market
            .settled
            .is_some_and(|(at, _)| at < state.now - LIVE_WINDOW);
        holding.volume != 0
            && is_old == archive
            && (archive || status == "all" || (status == "settled") == holding.settled)
            && (filters.is_empty()
                || filters.contains(&"position") && holding.position != 0
                || filters.contains(&"total_traded") && holding.traded != 0)
            && call
                .string("ticker")
                .is_none_or(|ticker| market.ticker == ticker)
            && call
                .strings("event_ticker")
                .is_none_or(|events| events.contains(&market.event.as_str()))
            && call.only_shard().is_none_or(|shard| market.shard == shard)
    };
    let rows: Vec<(u64, (&Market, &Holding))> = state
        .ledger
        .holdings_of_user(call.caller.user)
        .filter(|(subaccount, ..)| only == Some(*subaccount))
        .filter_map(|(_, index, holding)| {
            Some((index as u64, (state.markets.get(index)?, holding)))
        })
        .filter(|(_, (market, holding))| is_included(market, holding))
        .collect();
    let mut events: BTreeMap<&str, Holding> = BTreeMap::new();
    let (page, cursor) = call.page(Order::OldestFirst, rows.into_iter(), |(market, holding)| {
        let sum = events.entry(&market.event).or_default();
        sum.traded += holding.traded;
        sum.volume += holding.volume;
        sum.cost += holding.cost;
        sum.realized += holding.realized;
        sum.fees += holding.fees;
        json!({
            "ticker": market.ticker,
            "exchange_index": market.shard,
            "total_traded_dollars": six_digits(holding.traded),
            "position_fp": Contracts::from_hundredths(holding.position),
            "market_exposure_dollars": six_digits(holding.cost),
            "realized_pnl_dollars": six_digits(holding.realized),
            "fees_paid_dollars": six_digits(holding.fees),
            "last_updated_ts": rfc3339(holding.updated),
        })
    })?;
    let events = events.into_iter().map(|(ticker, sum)| {
        json!({
            "event_ticker": ticker,
            "total_cost_dollars": six_digits(sum.traded),
            "total_cost_shares_fp": Contracts::from_hundredths(sum.volume),
            "event_exposure_dollars": six_digits(sum.cost),
            "realized_pnl_dollars": six_digits(sum.realized),
            "fees_paid_dollars": six_digits(sum.fees),
        })
    });
    Ok(
        json!({ "cursor": cursor, "market_positions": page, "event_positions": events.collect::<Vec<_>>() }),
    )
}

pub(super) fn fills(state: &State, call: &Call<'_>) -> HandlerResult {
    let archived = call.id() == "GetFillsHistorical";
    let only = call.only_subaccount(state)?;
    let order = call
        .string("order_id")
        .map(|_| call.uuid("order_id").unwrap_or_default());
    let market = |fill: &Fill| state.markets.get(fill.market);
    let rows = state
        .fills
        .iter()
        .rev()
        .map(|(number, fill)| (*number, fill))
        .filter(|(_, fill)| {
            fill.account.user == call.caller.user
                && (fill.at < state.now - LIVE_WINDOW) == archived
                && call.is_visible(fill.at)
                && only.is_none_or(|only| fill.account.subaccount == only)
                && order.is_none_or(|order| fill.order == order)
                && call.strings("ticker").is_none_or(|tickers| {
                    market(fill).is_some_and(|market| tickers.contains(&market.ticker.as_str()))
                })
                && call
                    .only_shard()
                    .is_none_or(|shard| market(fill).is_some_and(|market| market.shard == shard))
                && call.is_within("min_ts", "max_ts", fill.at)
        });
    let fill_json = |fill: &Fill| {
        let (outcome, market) = (fill.side.outcome(), market(fill));
        json!({
            "fill_id": fill.trade,
            "trade_id": fill.trade,
            "order_id": fill.order,
            "exchange_index": market.map_or(0, |market| market.shard),
            "ticker": market.map(|market| market.ticker.as_str()),
            "market_ticker": market.map(|market| market.ticker.as_str()),
            "side": outcome,
            "action": "buy",
            "outcome_side": outcome,
            "book_side": fill.side,
            "count_fp": fill.count,
            "yes_price_dollars": fill.price,
            "no_price_dollars": Side::Ask.unit_price(fill.price),
            "is_taker": fill.is_taker,
            "created_time": rfc3339(fill.at),
            "fee_cost": six_digits(fill.fee),
            "subaccount_number": fill.account.subaccount,
            "ts": seconds(fill.at),
        })
    };
    Ok(call.list_response(call.page(Order::NewestFirst, rows, fill_json)?))
}

pub(super) fn settlements(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let market = |settlement: &Payout| state.markets.get(settlement.market);
    let rows = state
        .settlements
        .iter()
        .rev()
        .map(|(number, row)| (*number, row))
        .filter(|(_, row)| {
            row.account.user == call.caller.user
                && row.at >= state.now - LIVE_WINDOW
                && call.is_visible(row.at)
                && only.is_none_or(|only| row.account.subaccount == only)
                && call
                    .string("ticker")
                    .is_none_or(|ticker| market(row).is_some_and(|market| market.ticker == ticker))
                && call
                    .string("event_ticker")
                    .is_none_or(|event| market(row).is_some_and(|market| market.event == event))
                && call.is_within("min_ts", "max_ts", row.at)
        });
    let settlement_json = |row: &Payout| {
        let (yes, no) = (row.position.max(0), (-row.position).max(0));
        let cost_of = |count: i64| six_digits(if count > 0 { row.cost } else { 0 });
        let market = market(row);
        json!({
            "ticker": market.map(|market| market.ticker.as_str()),
            "event_ticker": market.map(|market| market.event.as_str()),
            "exchange_index": market.map_or(0, |market| market.shard),
            "market_result": Settlement::result(row.value),
            "yes_count_fp": Contracts::from_hundredths(yes),
            "yes_total_cost_dollars": cost_of(yes),
            "no_count_fp": Contracts::from_hundredths(no),
            "no_total_cost_dollars": cost_of(no),
            "revenue": row.revenue.div_euclid(10_000),
            "settled_time": rfc3339(row.at),
            "fee_cost": six_digits(row.fees),
            "value": row.value.micros() / 10_000,
        })
    };
    Ok(call.list_response(call.page(Order::NewestFirst, rows, settlement_json)?))
}
