//! Markets, events and series, with their order books, trades and candlesticks.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use serde_json::{Value, json};

use super::common::{HandlerResult, LIVE_WINDOW};
use crate::{
    Rejection,
    call::{Call, Order, six_digits, without_nulls},
    state::{
        Fees, Market, MarketStatus, Series, SeriesEvent, Settlement, Side, State, Trade, cost,
    },
    time::{Micros, SECOND, rfc3339, seconds},
};

/// Maximum number of candlesticks per request.
const MAX_CANDLESTICKS: i64 = 5_000;

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let archived = call.id() == "GetHistoricalMarkets";
    let tickers = call.strings("tickers");
    let rows = (0..).zip(&state.markets).filter(|(_, market)| {
        is_archived(state, market) == archived
            && tickers.as_ref().is_none_or(|tickers| tickers.contains(&market.ticker.as_str()))
            && call.strings("event_ticker").is_none_or(|events| events.contains(&market.event.as_str()))
            && call.string("series_ticker").is_none_or(|series| series_of(state, market) == Some(series))
            && call.string("status").is_none_or(|status| has_status(market, status))
            && call.is_within("min_created_ts", "max_created_ts", market.created)
            && call.is_within("min_updated_ts", "max_updated_ts", market.updated)
            && call.is_within("min_close_ts", "max_close_ts", market.closes)
            && settled_within(call, market)
            // The mock has no combos.
            && call.string("mve_filter") != Some("only")
    });
    Ok(
        call.list_response(call.page(Order::OldestFirst, rows, |market| {
            market_json(state, market)
        })?),
    )
}

/// Returns true if a market settled within the requested times. A market that has not settled only matches if the request has
/// no such filter.
fn settled_within(call: &Call<'_>, market: &Market) -> bool {
    let is_filtered = call
        .instant("min_settled_ts")
        .or(call.instant("max_settled_ts"))
        .is_some();
    market.settled.map_or(!is_filtered, |(at, _)| {
        call.is_within("min_settled_ts", "max_settled_ts", at)
    })
}

fn is_archived(state: &State, market: &Market) -> bool {
    market
        .settled
        .is_some_and(|(at, _)| at < state.now - LIVE_WINDOW)
}

fn series_of<'a>(state: &'a State, market: &Market) -> Option<&'a str> {
    state
        .events
        .get(&market.event)
        .map(|event| event.series.as_str())
}

/// Returns true if a market matches a status filter. Filters and responses use different names for statuses.
fn has_status(market: &Market, filter: &str) -> bool {
    let status = match market.status {
        MarketStatus::Initialized => "unopened",
        MarketStatus::Active => "open",
        MarketStatus::Inactive => "paused",
        MarketStatus::Closed => "closed",
        MarketStatus::Finalized => "settled",
    };
    status == filter
}

fn find_market<'a>(state: &'a State, ticker: &str) -> Result<&'a Market, Rejection> {
    state
        .market(ticker)
        .map(|(_, market)| market)
        .ok_or_else(|| Rejection::not_found(format!("no market {ticker}")))
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let market = find_market(state, call.string("ticker").unwrap_or_default())?;
    Ok(json!({ "market": market_json(state, market) }))
}

fn market_json(state: &State, market: &Market) -> Value {
    let (bid, ask) = (state.best(market, Side::Bid), state.best(market, Side::Ask));
    let price =
        |best: Option<(Dollars, Contracts)>, none: Dollars| best.map_or(none, |(price, _)| price);
    let size =
        |best: Option<(Dollars, Contracts)>| best.map_or(Contracts::ZERO, |(_, count)| count);
    let (yes_bid, yes_ask) = (price(bid, Dollars::ZERO), price(ask, Dollars::ONE));
    let last = market.last_price.unwrap_or(Dollars::ZERO);
    let expires = market.closes + 7 * 24 * 3600 * SECOND;
    let mut fields = without_nulls(json!({
        "ticker": market.ticker,
        "event_ticker": market.event,
        "market_type": "binary",
        "title": market.title,
        "subtitle": "",
        "yes_sub_title": market.strike.outcome(),
        "no_sub_title": "No",
        "created_time": rfc3339(market.created),
        "updated_time": rfc3339(market.updated),
        "open_time": rfc3339(market.opens),
        "close_time": rfc3339(market.closes),
        "expiration_time": rfc3339(expires),
        "expected_expiration_time": rfc3339(market.closes),
        "latest_expiration_time": rfc3339(expires),
        "settlement_timer_seconds": 1800,
        "status": market.status,
        "yes_bid_dollars": yes_bid,
        "yes_bid_size_fp": size(bid),
        "yes_ask_dollars": yes_ask,
        "yes_ask_size_fp": size(ask),
        "no_bid_dollars": Side::Ask.unit_price(yes_ask),
        "no_ask_dollars": Side::Ask.unit_price(yes_bid),
        "last_price_dollars": last,
        "volume_fp": market.volume,
        "volume_24h_fp": market.volume_24h(state.now),
        "result": market.settled.map_or("", |(_, value)| Settlement::result(value)),
        "can_close_early": true,
        "open_interest_fp": market.open_interest,
        "notional_value_dollars": Dollars::ONE,
        "previous_yes_bid_dollars": yes_bid,
        "previous_yes_ask_dollars": yes_ask,
        "previous_price_dollars": last,
        "settlement_value_dollars": market.settled.map(|(_, value)| value),
        "settlement_ts": market.settled.map(|(at, _)| rfc3339(at)),
        "settlement_bounds_type": "default",
        "expiration_value": "",
        "rules_primary": "",
        "rules_secondary": "",
        "price_level_structure": market.price_level_structure,
        "price_ranges": market.price_ranges,
        "exchange_index": market.shard,
    }));
    let (floor, cap) = market.strike.bounds();
    let strike = without_nulls(json!({
        "strike_type": market.strike.kind(),
        "floor_strike": floor,
        "cap_strike": cap,
        "custom_strike": market.strike.custom().map(|(name, value)| json!({ name: value })),
    }));
    if let (Value::Object(fields), Value::Object(strike)) = (&mut fields, strike) {
        fields.extend(strike);
    }
    fields
}

pub(super) fn orderbook(state: &State, call: &Call<'_>) -> HandlerResult {
    let market = find_market(state, call.string("ticker").unwrap_or_default())?;
    let depth = call
        .integer("depth")
        .and_then(|depth| usize::try_from(depth).ok());
    Ok(json!({ "orderbook_fp": levels(state, market, depth) }))
}

pub(super) fn orderbooks(state: &State, call: &Call<'_>) -> HandlerResult {
    let markets = call
        .strings("tickers")
        .unwrap_or_default()
        .into_iter()
        .filter_map(|ticker| state.market(ticker));
    let books: Vec<Value> = markets
        .map(|(_, market)| json!({ "ticker": market.ticker, "orderbook_fp": levels(state, market, None) }))
        .collect();
    Ok(json!({ "orderbooks": books }))
}

/// Renders the bids for both outcomes in ascending order of price.
fn levels(state: &State, market: &Market, depth: Option<usize>) -> Value {
    let depth = depth.filter(|depth| *depth > 0).unwrap_or(usize::MAX);
    let ascending = |best_first: Vec<(Dollars, Contracts)>| -> Vec<(Dollars, Contracts)> {
        let mut levels: Vec<_> = best_first.into_iter().take(depth).collect();
        levels.reverse();
        levels
    };
    json!({
        "yes_dollars": ascending(state.levels(market, Side::Bid)),
        "no_dollars": ascending(state.no_bids(market)),
    })
}

pub(super) fn trades(state: &State, call: &Call<'_>) -> HandlerResult {
    let archived = call.id() == "GetTradesHistorical";
    let ticker_of = |trade: &Trade| {
        state
            .markets
            .get(trade.market)
            .map(|market| market.ticker.as_str())
    };
    let rows = state
        .trades
        .iter()
        .rev()
        .map(|(number, trade)| (*number, trade))
        .filter(|(_, trade)| {
            (trade.at < state.now - LIVE_WINDOW) == archived
            && call.string("ticker").is_none_or(|ticker| ticker_of(trade) == Some(ticker))
            && call.is_within("min_ts", "max_ts", trade.at)
            // The mock has no block trades.
            && !call.flag("is_block_trade")
        });
    let trade_json = |trade: &Trade| {
        let outcome = trade.taker_side.outcome();
        json!({
            "trade_id": trade.id,
            "ticker": ticker_of(trade),
            "count_fp": trade.count,
            "yes_price_dollars": trade.price,
            "no_price_dollars": Side::Ask.unit_price(trade.price),
            "taker_side": outcome,
            "taker_outcome_side": outcome,
            "taker_book_side": trade.taker_side,
            "created_time": rfc3339(trade.at),
            "is_block_trade": false,
        })
    };
    Ok(call.list_response(call.page(Order::NewestFirst, rows, trade_json)?))
}

pub(super) fn events(state: &State, call: &Call<'_>) -> HandlerResult {
    let nested = call.flag("with_nested_markets");
    let tickers = call.strings("tickers");
    let mut events: Vec<&SeriesEvent> = state.events.values().collect();
    events.sort_by_key(|event| event.number);
    let rows = events
        .into_iter()
        .map(|event| (event.number, event))
        .filter(|(_, event)| {
            call.string("series_ticker")
                .is_none_or(|series| event.series == series)
                && tickers
                    .as_ref()
                    .is_none_or(|tickers| tickers.contains(&event.ticker.as_str()))
                && call.string("status").is_none_or(|status| {
                    markets_of_event(state, event).any(|market| has_status(market, status))
                })
                && call.instant("min_close_ts").is_none_or(|min| {
                    markets_of_event(state, event).any(|market| market.closes >= min)
                })
                && call
                    .instant("min_updated_ts")
                    .is_none_or(|min| event.updated >= min)
        });
    let (page, cursor) = call.page(Order::OldestFirst, rows, |event| {
        event_json(state, event, nested)
    })?;
    Ok(json!({ "events": page, "cursor": cursor, "milestones": [] }))
}

pub(super) fn event(state: &State, call: &Call<'_>) -> HandlerResult {
    let event = find_event(state, call.string("event_ticker").unwrap_or_default())?;
    let (nested, without) = (
        call.flag("with_nested_markets"),
        call.flag("exclude_markets"),
    );
    if nested && without {
        return Err(Rejection::invalid(
            "exclude_markets, with_nested_markets: mutually exclusive",
        ));
    }
    let markets: Vec<Value> = match nested || without {
        true => Vec::new(),
        false => markets_of_event(state, event)
            .map(|market| market_json(state, market))
            .collect(),
    };
    Ok(json!({ "event": event_json(state, event, nested), "markets": markets }))
}

fn find_event<'a>(state: &'a State, ticker: &str) -> Result<&'a SeriesEvent, Rejection> {
    state
        .events
        .get(ticker)
        .ok_or_else(|| Rejection::not_found(format!("no event {ticker}")))
}

pub(super) fn event_metadata(state: &State, call: &Call<'_>) -> HandlerResult {
    let event = find_event(state, call.string("event_ticker").unwrap_or_default())?;
    let details = markets_of_event(state, event)
        .map(|market| json!({ "market_ticker": market.ticker, "image_url": "", "color_code": "" }));
    Ok(
        json!({ "image_url": "", "market_details": details.collect::<Vec<_>>(), "settlement_sources": [] }),
    )
}

fn markets_of_event<'a>(state: &'a State, event: &SeriesEvent) -> impl Iterator<Item = &'a Market> {
    state
        .markets
        .iter()
        .filter(move |market| market.event == event.ticker)
}

fn event_json(state: &State, event: &SeriesEvent, nested: bool) -> Value {
    let series = state.series.get(&event.series);
    let mut fields = json!({
        "event_ticker": event.ticker,
        "series_ticker": event.series,
        "sub_title": "",
        "title": event.title,
        "collateral_return_type": "",
        "mutually_exclusive": event.mutually_exclusive,
        "category": series.map(|series| series.category.as_str()),
        "strike_period": "",
        "settlement_sources": [],
        "last_updated_ts": rfc3339(event.updated),
        "exchange_index": series.map_or(0, |series| series.shard),
    });
    if nested {
        fields["markets"] = markets_of_event(state, event)
            .filter(|market| !is_archived(state, market))
            .map(|market| market_json(state, market))
            .collect();
    }
    fields
}

pub(super) fn series(state: &State, call: &Call<'_>) -> HandlerResult {
    let ticker = call.string("series_ticker").unwrap_or_default();
    let series = state
        .series
        .get(ticker)
        .ok_or_else(|| Rejection::not_found(format!("no series {ticker}")))?;
    Ok(json!({ "series": series_json(state, call, series) }))
}

pub(super) fn series_list(state: &State, call: &Call<'_>) -> HandlerResult {
    let series = state.series.values().filter(|series| {
        call.string("category")
            .is_none_or(|category| series.category == category)
            && call.string("tags").is_none()
            && call
                .instant("min_updated_ts")
                .is_none_or(|min| series.updated >= min)
    });
    Ok(
        json!({ "series": series.map(|series| series_json(state, call, series)).collect::<Vec<_>>() }),
    )
}

fn series_json(state: &State, call: &Call<'_>, series: &Series) -> Value {
    let Fees {
        multiplier,
        charges_makers,
    } = series.fees;
    let mut fields = json!({
        "ticker": series.ticker,
        "frequency": series.frequency,
        "title": series.title,
        "category": series.category,
        "categories": [series.category],
        "tags": [],
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": if charges_makers { "quadratic_with_maker_fees" } else { "quadratic" },
        "fee_multiplier": f64::from(multiplier.millionths()) / 1e6,
        "additional_prohibitions": [],
        "last_updated_ts": rfc3339(series.updated),
        "exchange_index": series.shard,
    });
    if call.flag("include_volume") {
        let of_series = state
            .markets
            .iter()
            .filter(|market| series_of(state, market) == Some(&series.ticker));
        let hundredths = of_series.map(|market| market.volume.hundredths()).sum();
        fields["volume_fp"] = json!(Contracts::from_hundredths(hundredths));
    }
    fields
}

/// Returns the candlesticks of one market.
pub(super) fn candlesticks(state: &State, call: &Call<'_>) -> HandlerResult {
    let market = find_market(state, call.string("ticker").unwrap_or_default())?;
    let candlesticks = periods(call)?.candlesticks(state, market);
    Ok(json!({ "ticker": market.ticker, "candlesticks": candlesticks }))
}

/// Returns the candlesticks of the markets in `market_tickers`. Unknown markets are skipped.
pub(super) fn batch_candlesticks(state: &State, call: &Call<'_>) -> HandlerResult {
    let periods = periods(call)?;
    let tickers = call.strings("market_tickers").unwrap_or_default();
    let markets = tickers
        .into_iter()
        .filter_map(|ticker| state.market(ticker));
    let markets = markets.map(|(_, market)| {
        json!({ "market_ticker": market.ticker, "candlesticks": periods.candlesticks(state, market) })
    });
    Ok(json!({ "markets": markets.collect::<Vec<_>>() }))
}

/// Returns the candlesticks of all markets of an event.
pub(super) fn event_candlesticks(state: &State, call: &Call<'_>) -> HandlerResult {
    let event = find_event(state, call.string("ticker").unwrap_or_default())?;
    let periods = periods(call)?;
    let markets = || markets_of_event(state, event);
    Ok(json!({
        "market_tickers": markets().map(|market| market.ticker.as_str()).collect::<Vec<_>>(),
        "market_candlesticks": markets().map(|market| periods.candlesticks(state, market)).collect::<Vec<_>>(),
        "adjusted_end_ts": periods.end,
    }))
}

/// Requested range of candlestick periods, in seconds. A period is identified by its end.
struct Periods {
    start: i64,
    end: i64,
    length: i64,
}

fn periods(call: &Call<'_>) -> Result<Periods, Rejection> {
    let (Some(start), Some(end)) = (call.integer("start_ts"), call.integer("end_ts")) else {
        return Err(Rejection::invalid("start_ts, end_ts: required"));
    };
    let length = call
        .integer("period_interval")
        .unwrap_or(1)
        .max(1)
        .saturating_mul(60);
    let requested = end.saturating_sub(start) / length;
    if requested > MAX_CANDLESTICKS {
        return Err(Rejection::bad_request(
            "bad_request",
            format!(
                "requested time range with candlesticks: {requested}, max candlesticks: {MAX_CANDLESTICKS}"
            ),
        ));
    }
    Ok(Periods { start, end, length })
}

impl Periods {
    /// Renders candlesticks from the trades of a market. Quotes are the current ones, because the mock keeps no past books.
    fn candlesticks(&self, state: &State, market: &Market) -> Vec<Value> {
        let ends =
            |at: Micros| (seconds(at).div_euclid(self.length) + 1).saturating_mul(self.length);
        let mut periods: BTreeMap<i64, Vec<&Trade>> = BTreeMap::new();
        let is_of_market = |trade: &&Trade| {
            state
                .markets
                .get(trade.market)
                .is_some_and(|other| other.ticker == market.ticker)
        };
        for trade in state.trades.values().filter(is_of_market) {
            periods.entry(ends(trade.at)).or_default().push(trade);
        }
        let quote = |best: Option<(Dollars, Contracts)>, none: Dollars| {
            let price = best.map_or(none, |(price, _)| price);
            json!({ "open_dollars": price, "low_dollars": price, "high_dollars": price, "close_dollars": price })
        };
        let bid = quote(state.best(market, Side::Bid), Dollars::ZERO);
        let ask = quote(state.best(market, Side::Ask), Dollars::ONE);
        let mut previous: Option<Dollars> = None;
        let mut candlesticks = Vec::new();
        for (end_period, trades) in periods {
            let prices = || trades.iter().map(|trade| trade.price);
            let volume: i64 = trades.iter().map(|trade| trade.count.hundredths()).sum();
            let traded: i128 = trades
                .iter()
                .map(|trade| i128::from(cost(trade.price, trade.count)))
                .sum();
            // Fits into an `i64`: the mean is between the lowest and the highest price.
            let mean = traded * 100 / i128::from(volume.max(1));
            let mean = i64::try_from(mean).unwrap_or_default();
            if (self.start..=self.end).contains(&end_period) {
                candlesticks.push(json!({
                    "end_period_ts": end_period,
                    "yes_bid": bid,
                    "yes_ask": ask,
                    "price": without_nulls(json!({
                        "open_dollars": prices().next(),
                        "low_dollars": prices().min(),
                        "high_dollars": prices().max(),
                        "close_dollars": prices().next_back(),
                        "mean_dollars": six_digits(mean),
                        "previous_dollars": previous,
                    })),
                    "volume_fp": Contracts::from_hundredths(volume),
                    "open_interest_fp": market.open_interest,
                }));
            }
            previous = prices().next_back();
        }
        candlesticks
    }
}
