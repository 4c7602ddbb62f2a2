//! Candlesticks of margin markets, from the trades that are kept.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::{HandlerResult, markets::find_market};
use crate::{
    Rejection,
    call::{Call, six_digits},
    state::{Market, Side, State, Trade, cost, nearest},
    time::seconds,
};

/// Trades of one period.
struct Candle {
    open: Dollars,
    low: Dollars,
    high: Dollars,
    close: Dollars,
    count: i64,
    notional: i64,
}

impl Candle {
    fn new(trade: &Trade) -> Self {
        let price = trade.price;
        Self {
            open: price,
            low: price,
            high: price,
            close: price,
            count: 0,
            notional: 0,
        }
    }

    fn add(&mut self, trade: &Trade) {
        self.low = self.low.min(trade.price);
        self.high = self.high.max(trade.price);
        self.close = trade.price;
        self.count = self.count.saturating_add(trade.count.hundredths());
        self.notional = self.notional.saturating_add(cost(trade.price, trade.count));
    }
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let (index, market, _) = find_market(state, call.string("ticker").unwrap_or_default())?;
    let number = |name: &str| call.integer(name).unwrap_or_default();
    let (start, end) = (number("start_ts"), number("end_ts"));
    let period = number("period_interval").max(1).saturating_mul(60);
    if end < start {
        return Err(Rejection::invalid("end_ts: must be gte start_ts"));
    }
    let mut candles: BTreeMap<i64, Candle> = BTreeMap::new();
    for trade in state.trades.values().filter(|trade| trade.market == index) {
        // A candlestick is identified by the end of its period.
        let ends = (seconds(trade.at).div_euclid(period) + 1).saturating_mul(period);
        candles
            .entry(ends)
            .or_insert_with(|| Candle::new(trade))
            .add(trade);
    }
    let in_range = candles
        .iter()
        .filter(|(ends, _)| (start..=end).contains(*ends));
    let mut previous = candles.range(..start).next_back();
    let mut candlesticks = Vec::new();
    if let Some((_, last)) = previous.filter(|_| call.flag("include_latest_before_start")) {
        let before = start.div_euclid(period).saturating_mul(period);
        candlesticks.push(candlestick_json(
            state,
            market,
            before,
            (None, Some(last.close)),
        ));
    }
    for (ends, candle) in in_range {
        let before = previous.map(|(_, candle)| candle.close);
        candlesticks.push(candlestick_json(
            state,
            market,
            *ends,
            (Some(candle), before),
        ));
        previous = Some((ends, candle));
    }
    Ok(json!({ "ticker": market.ticker, "candlesticks": candlesticks }))
}

/// Renders a candlestick. Quotes and open interest are the current ones, because the mock keeps no earlier ones.
fn candlestick_json(
    state: &State,
    market: &Market,
    ends: i64,
    (candle, previous): (Option<&Candle>, Option<Dollars>),
) -> Value {
    let quote = |side| {
        let price = state
            .best(market, side)
            .map_or(Dollars::ZERO, |(price, _)| price);
        json!({ "open": price, "low": price, "high": price, "close": price })
    };
    let count = candle.map_or(0, |candle| candle.count);
    let notional = candle.map_or(0, |candle| candle.notional);
    let mean = candle.map(|candle| {
        Dollars::from_micros(nearest(
            i128::from(candle.notional) * 100,
            i128::from(candle.count),
        ))
    });
    json!({
        "end_period_ts": ends,
        "bid": quote(Side::Bid),
        "ask": quote(Side::Ask),
        "price": {
            "open": candle.map(|candle| candle.open),
            "low": candle.map(|candle| candle.low),
            "high": candle.map(|candle| candle.high),
            "close": candle.map(|candle| candle.close),
            "mean": mean,
            "previous": previous,
        },
        "volume": Contracts::from_hundredths(count),
        "volume_notional_value_dollars": six_digits(notional),
        "open_interest": market.open_interest,
        "open_interest_notional_value_dollars": six_digits(cost(state.mark(market), market.open_interest)),
    })
}
