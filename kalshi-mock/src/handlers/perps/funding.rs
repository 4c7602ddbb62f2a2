//! Funding rates, funding payments and the premium index.

use chrono::NaiveDate;
use kalshi_sdk::Contracts;
use serde_json::json;

use super::{
    HandlerResult, amount,
    markets::{find_market, ticker},
};
use crate::{
    Rejection,
    call::{Call, decimal, decimal_text},
    state::{State, next_funding},
    time::{SECOND, rfc3339, seconds, to_datetime},
};

/// Maximum number of seconds in a request for the premium index.
const MAX_POINTS: i64 = 86_400;

pub(super) fn history(state: &State, call: &Call<'_>) -> HandlerResult {
    let date = |name: &str| {
        let text = call.string(name).unwrap_or_default();
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map_err(|_| Rejection::invalid(format!("{name}: must be a date such as 2026-01-31")))
    };
    let (start, end) = (date("start_date")?, date("end_date")?);
    let only = call.only_subaccount(state)?;
    let payments = state
        .margin
        .iter()
        .flat_map(|margin| margin.payments.values().rev());
    let rows = payments.filter(|payment| {
        payment.account.user == call.caller.user
            && call.can_read(payment.account.subaccount)
            && only.is_none_or(|only| payment.account.subaccount == only)
            && call.is_visible(payment.rate.at)
            && (start..=end).contains(&to_datetime(payment.rate.at).date_naive())
            && call
                .string("ticker")
                .is_none_or(|requested| ticker(state, payment.rate.market) == requested)
    });
    let payments = rows.map(|payment| {
        json!({
            "market_ticker": ticker(state, payment.rate.market),
            "funding_time": rfc3339(payment.rate.at),
            "funding_rate": decimal(payment.rate.rate, 12),
            "mark_price": payment.rate.mark,
            "funding_amount": amount(payment.amount),
            "quantity": Contracts::from_hundredths(payment.position),
            "subaccount_number": payment.account.subaccount,
        })
    });
    Ok(json!({ "funding_history": payments.collect::<Vec<_>>() }))
}

pub(super) fn rates(state: &State, call: &Call<'_>) -> HandlerResult {
    if let Some(ticker) = call.string("ticker") {
        find_market(state, ticker)?;
    }
    let rates = state
        .margin
        .iter()
        .flat_map(|margin| margin.rates.values().rev());
    let rows = rates.filter(|rate| {
        call.string("ticker")
            .is_none_or(|requested| ticker(state, rate.market) == requested)
            && call.is_within("start_ts", "end_ts", rate.at)
    });
    let rates = rows.map(|rate| {
        json!({
            "market_ticker": ticker(state, rate.market),
            "funding_time": rfc3339(rate.at),
            "funding_rate": decimal(rate.rate, 12),
            "mark_price": rate.mark,
        })
    });
    Ok(json!({ "funding_rates": rates.collect::<Vec<_>>() }))
}

pub(super) fn estimate(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, market, _) = find_market(state, call.string("ticker").unwrap_or_default())?;
    Ok(json!({
        "market_ticker": market.ticker,
        "computed_time": rfc3339(state.now),
        "funding_rate": decimal(state.funding_rate(market), 12),
        "mark_price": state.mark(market),
        "next_funding_time": rfc3339(next_funding(state.now)),
        "premium_index": decimal_text(state.premium(market), 12),
        "premium_index_ts": rfc3339(seconds(state.now).saturating_mul(SECOND)),
    }))
}

/// Returns the current premium for every past second, because the mock keeps no earlier ones.
pub(super) fn premium_index(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, market, _) = find_market(state, call.string("ticker").unwrap_or_default())?;
    let second = |name: &str| call.integer(name).unwrap_or_default();
    let (start, end) = (second("start_ts"), second("end_ts").min(seconds(state.now)));
    if end.saturating_sub(start) > MAX_POINTS {
        return Err(Rejection::invalid(format!(
            "start_ts, end_ts: more than {MAX_POINTS} seconds"
        )));
    }
    let premium = decimal_text(state.premium(market), 12);
    let points = (start..=end).map(|second| {
        json!({ "second_ts": rfc3339(second.saturating_mul(SECOND)), "premium_index": premium })
    });
    Ok(json!({ "points": points.collect::<Vec<_>>() }))
}
