//! Margin markets, their order books and trades.

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::{HandlerResult, object};
use crate::{
    Rejection,
    call::{Call, Order, decimal, six_digits, without_nulls},
    state::{
        FUNDING_CAP, FUNDING_DEADBAND, INITIAL_TENTHS, Market, MarketStatus, Perp, SHARD, Side,
        State, TICK, cost,
    },
    time::rfc3339,
    websocket::{market_id, milliseconds},
};

/// Notional values of the leverage estimates. The leverage is the same at each of them, because margin is proportional to the
/// notional value.
const NOTIONALS: [&str; 4] = ["1000", "10000", "100000", "1000000"];

/// Returns the market with a ticker and its index, or rejects the request if there is none.
pub(super) fn find_market<'a>(
    state: &'a State,
    ticker: &str,
) -> Result<(usize, &'a Market, &'a Perp), Rejection> {
    state
        .market(ticker)
        .and_then(|(index, market)| Some((index, market, market.perp.as_ref()?)))
        .ok_or_else(|| Rejection::not_found(format!("no market {ticker}")))
}

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let has_status = |market: &&Market| {
        call.string("status")
            .is_none_or(|status| json!(market.status) == status)
    };
    let markets = state.markets.iter().filter(has_status);
    let markets =
        markets.filter_map(|market| Some(market_json(state, market, market.perp.as_ref()?)));
    Ok(json!({ "markets": markets.collect::<Vec<_>>() }))
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, market, perp) = find_market(state, call.string("ticker").unwrap_or_default())?;
    Ok(json!({ "market": market_json(state, market, perp) }))
}

fn market_json(state: &State, market: &Market, perp: &Perp) -> Value {
    let now = state.now;
    let is_active = market.status == MarketStatus::Active;
    let best = |side| state.best(market, side).filter(|_| is_active);
    let (bid, ask) = (best(Side::Bid), best(Side::Ask));
    let mark = state.mark(market);
    let timestamped = |price: Dollars| json!({ "price": price, "ts_ms": milliseconds(now) });
    let notional = |count: Contracts| six_digits(cost(mark, count));
    // The reciprocal of the initial margin rate, in thousandths.
    let leverage = decimal(perp.leverage / INITIAL_TENTHS, 3);
    let estimates = NOTIONALS.map(|notional| (notional.to_owned(), leverage.clone()));
    let estimates = object(estimates.into_iter());
    without_nulls(json!({
        "market_id": market_id(&market.ticker),
        "ticker": market.ticker,
        "title": market.title,
        "market_version": perp.version,
        "exchange_index": SHARD,
        "contract_size": six_digits(perp.contract_size),
        "underlying_multiplier": "1",
        "tick_size": Dollars::from_micros(TICK),
        "status": market.status,
        "fractional_trading_enabled": perp.fractional,
        "leverage_estimate": is_active.then(|| leverage.clone()),
        "leverage_estimates": is_active.then(|| estimates.clone()),
        "long_leverage_estimates": is_active.then(|| estimates.clone()),
        "short_leverage_estimates": is_active.then(|| estimates.clone()),
        "price": market.last_price,
        "volume": market.volume,
        "volume_notional_value_dollars": six_digits(perp.volume),
        "open_interest": market.open_interest,
        "open_interest_notional_value_dollars": notional(market.open_interest),
        "volume_24h": market.volume_24h(now),
        "volume_24h_notional_value_dollars": six_digits(perp.volume_24h(now)),
        "bid": bid.map(|(price, _)| price),
        "bid_size_fp": bid.map(|(_, count)| count),
        "ask": ask.map(|(price, _)| price),
        "ask_size_fp": ask.map(|(_, count)| count),
        "settlement_mark_price": is_active.then(|| timestamped(mark)),
        "liquidation_mark_price": is_active.then(|| timestamped(mark)),
        "reference_price": is_active.then(|| timestamped(perp.reference)),
        "asset_class": perp.asset_class,
        "schedule": { "is_open": is_active && state.is_trading(), "next_close_ts": null, "next_open_ts": null },
        "funding_deadband": decimal(FUNDING_DEADBAND, 12),
        "funding_cap": decimal(FUNDING_CAP, 12),
        "funding_limit_unit": "percentage",
        "halt_sources": [],
        "funding_invalid_premium_handling": "dampen",
    }))
}

pub(super) fn orderbook(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, market, _) = find_market(state, call.string("ticker").unwrap_or_default())?;
    let depth = call
        .integer("depth")
        .and_then(|depth| usize::try_from(depth).ok());
    let tick = match call
        .string("aggregation_tick_size")
        .map(str::parse::<Dollars>)
    {
        None => TICK,
        Some(Ok(tick)) if tick > Dollars::ZERO => tick.micros(),
        Some(_) => {
            return Err(Rejection::invalid(
                "aggregation_tick_size: must be an amount above 0",
            ));
        }
    };
    let depth = depth.filter(|depth| *depth > 0).unwrap_or(usize::MAX);
    Ok(json!({ "orderbook": book(state, market, depth, tick) }))
}

pub(super) fn orderbooks(state: &State, call: &Call<'_>) -> HandlerResult {
    let tickers = call.strings("tickers").unwrap_or_default();
    let books = tickers.into_iter().map(|ticker| {
        let (_, market, _) = find_market(state, ticker)?;
        Ok(json!({ "ticker": ticker, "orderbook": book(state, market, usize::MAX, TICK) }))
    });
    Ok(json!({ "orderbooks": books.collect::<Result<Vec<_>, Rejection>>()? }))
}

/// Renders a book. As on the exchange, the worst level of each side is first.
fn book(state: &State, market: &Market, depth: usize, tick: i64) -> Value {
    let side = |side| {
        let mut levels: Vec<(Dollars, i64)> = Vec::new();
        for (price, count) in state.levels(market, side) {
            // Both sides are rounded down.
            let price = Dollars::from_micros(price.micros() / tick * tick);
            match levels.last_mut() {
                Some((last, sum)) if *last == price => *sum += count.hundredths(),
                _ => levels.push((price, count.hundredths())),
            }
        }
        levels.truncate(depth);
        let worst_first = levels.into_iter().rev();
        worst_first
            .map(|(price, count)| json!([price, Contracts::from_hundredths(count)]))
            .collect::<Vec<_>>()
    };
    json!({ "bids": side(Side::Bid), "asks": side(Side::Ask) })
}

pub(super) fn trades(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = match call.string("ticker") {
        Some(ticker) => Some(find_market(state, ticker)?.0),
        None => None,
    };
    let rows = state
        .trades
        .iter()
        .rev()
        .map(|(number, trade)| (*number, trade))
        .filter(|(_, trade)| {
            only.is_none_or(|only| trade.market == only)
                && call.is_visible(trade.at)
                && call.is_within("min_ts", "max_ts", trade.at)
        });
    let page = call.page(Order::NewestFirst, rows, |trade| {
        json!({
            "trade_id": trade.id,
            "ticker": ticker(state, trade.market),
            "count": trade.count,
            "price": trade.price,
            "created_time": rfc3339(trade.at),
            "taker_side": trade.taker_side,
        })
    })?;
    Ok(call.list_response(page))
}

pub(super) fn ticker(state: &State, index: usize) -> &str {
    state.markets.get(index).map_or("", |market| &market.ticker)
}
