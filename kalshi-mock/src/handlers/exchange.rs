//! Status, schedule and endpoint costs of the exchange.

use std::collections::BTreeSet;

use kalshi_sdk::operation;
use serde_json::{Value, json};

use super::common::{HandlerResult, LIVE_WINDOW};
use crate::{
    call::Call,
    state::{Shard, State},
    time::rfc3339,
};

/// Token cost of operations that are not listed.
const DEFAULT_COST: u32 = 10;

pub(super) fn status(state: &State) -> HandlerResult {
    let trading = state.is_trading();
    let shards: BTreeSet<Shard> = std::iter::once(0)
        .chain(state.markets.iter().map(|market| market.shard))
        .collect();
    let of_shard = |shard: &Shard| {
        json!({
            "exchange_index": shard,
            "description": format!("Shard {shard}"),
            "exchange_active": state.exchange_active,
            "trading_active": trading,
            "intra_exchange_transfers_active": state.exchange_active,
        })
    };
    let mut status = json!({
        "exchange_active": state.exchange_active,
        "trading_active": trading,
        "intra_exchange_transfers_active": state.exchange_active,
        "exchange_index_statuses": shards.iter().map(of_shard).collect::<Vec<_>>(),
    });
    let under_way = state
        .pauses
        .iter()
        .filter(|(from, to)| (*from..*to).contains(&state.now));
    if let Some(resumes) = under_way.map(|(_, to)| *to).max() {
        status["exchange_estimated_resume_time"] = rfc3339(resumes).into();
    }
    Ok(status)
}

pub(super) fn schedule(state: &State) -> HandlerResult {
    let hours = |sessions: &[(&str, &str)]| -> Value {
        sessions
            .iter()
            .map(|(open, close)| json!({ "open_time": open, "close_time": close }))
            .collect()
    };
    let whole = hours(&[("00:00", "24:00")]);
    let windows: Vec<Value> = state
        .pauses
        .iter()
        .map(|(from, to)| json!({ "start_datetime": rfc3339(*from), "end_datetime": rfc3339(*to) }))
        .collect();
    Ok(json!({ "schedule": {
        "standard_hours": [{
            "start_time": "2025-01-01T00:00:00Z",
            "end_time": "2100-01-01T00:00:00Z",
            "monday": whole, "tuesday": whole, "wednesday": whole,
            // The schedule includes the weekly pause, but the mock pauses only if a test schedules it.
            "thursday": hours(&[("00:00", "03:00"), ("05:00", "24:00")]),
            "friday": whole, "saturday": whole, "sunday": whole,
        }],
        "maintenance_windows": windows,
    } }))
}

pub(super) fn user_data_timestamp(state: &State, call: &Call<'_>) -> HandlerResult {
    Ok(json!({ "as_of_time": rfc3339(call.as_of.unwrap_or(state.now)) }))
}

pub(super) fn historical_cutoff(state: &State) -> HandlerResult {
    let cutoff = rfc3339(state.now - LIVE_WINDOW);
    Ok(json!({
        "market_settled_ts": cutoff,
        "trades_created_ts": cutoff,
        "orders_updated_ts": cutoff,
        "market_positions_last_updated_ts": cutoff,
    }))
}

pub(super) fn endpoint_costs() -> HandlerResult {
    let costs: Vec<Value> = operation::ALL
        .iter()
        .map(|operation| (operation, operation.token_cost_per_item.unwrap_or(operation.token_cost)))
        .filter(|(_, cost)| *cost != DEFAULT_COST)
        .map(|(operation, cost)| {
            json!({
                "method": operation.method.as_str(),
                "path": format!("/trade-api/v2{}", operation.path.replace('{', ":").replace('}', "")),
                "cost": cost,
            })
        })
        .collect();
    Ok(json!({ "default_cost": DEFAULT_COST, "endpoint_costs": costs }))
}
