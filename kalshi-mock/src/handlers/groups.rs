//! Operations on order groups, on both exchanges.

use kalshi_sdk::Contracts;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::common::HandlerResult;
use crate::{
    Rejection,
    call::Call,
    state::{Group, Shard, State, Status},
};

#[derive(Deserialize)]
struct Limit {
    contracts_limit: Option<i64>,
    contracts_limit_fp: Option<Contracts>,
    subaccount: Option<i64>,
    exchange_index: Option<i64>,
}

impl Limit {
    /// Reads the limit. The request can have it in two fields, which must agree.
    fn value(&self) -> Result<Option<Contracts>, Rejection> {
        let whole_contracts = self
            .contracts_limit
            .map(|count| Contracts::from_hundredths(count.saturating_mul(100)));
        match (whole_contracts, self.contracts_limit_fp) {
            (Some(whole_contracts), Some(exact)) if whole_contracts != exact => Err(
                Rejection::invalid("contracts_limit, contracts_limit_fp: must be equal"),
            ),
            (_, Some(limit)) | (Some(limit), _) if limit <= Contracts::ZERO => {
                Err(Rejection::invalid("contracts_limit_fp: must be gte 0.01"))
            }
            (whole_contracts, exact) => Ok(exact.or(whole_contracts)),
        }
    }
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: Limit = call.parse()?;
    let account = call.account(state, body.subaccount)?;
    let limit = body
        .value()?
        .ok_or_else(|| Rejection::invalid("contracts_limit_fp: required"))?;
    let shard = shard(body.exchange_index)?;
    let id = state.create_group(account, shard, limit)?;
    Ok(json!({ "order_group_id": id, "subaccount": account.subaccount, "exchange_index": shard }))
}

/// Parses the shard, which defaults to 0. Rejects -1 (any shard), because a group has no market to derive the shard from.
fn shard(requested: Option<i64>) -> Result<Shard, Rejection> {
    Shard::try_from(requested.unwrap_or(0))
        .map_err(|_| Rejection::invalid("exchange_index: must be gte 0"))
}

/// Returns `is_auto_cancel_enabled`. In recorded responses of the margin exchange it is always false.
fn is_auto_cancel_enabled(state: &State, armed: bool) -> bool {
    armed && state.margin.is_none()
}

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let mut groups: Vec<(&Uuid, &Group)> = state
        .groups
        .iter()
        .filter(|(_, group)| {
            group.account.user == call.caller.user
                && call.is_visible(group.created)
                && only.is_none_or(|subaccount| group.account.subaccount == subaccount)
        })
        .collect();
    groups.sort_by_key(|(_, group)| group.number);
    // The margin exchange omits an empty list.
    if groups.is_empty() && state.margin.is_some() {
        return Ok(json!({}));
    }
    let group_json = |(id, group): (&Uuid, &Group)| {
        let (limit, armed) = state.group_as_of((*id, group), call.as_of);
        json!({
            "id": id,
            "contracts_limit_fp": limit,
            "is_auto_cancel_enabled": is_auto_cancel_enabled(state, armed),
            "exchange_index": group.shard,
        })
    };
    Ok(json!({ "order_groups": groups.into_iter().map(group_json).collect::<Vec<_>>() }))
}

/// Returns the id of the group that a request names. The group must be in the given subaccount and shard.
fn requested_group(state: &State, call: &Call<'_>) -> Result<Uuid, Rejection> {
    let account = call.account(state, call.integer("subaccount"))?;
    let shard = shard(call.integer("exchange_index"))?;
    let id = call
        .uuid("order_group_id")
        .ok_or_else(|| Rejection::not_found("no such order group"))?;
    state.group(id, account, shard)?;
    Ok(id)
}

pub(super) fn get(state: &State, call: &Call<'_>) -> HandlerResult {
    let only = call.only_subaccount(state)?;
    let group = call
        .uuid("order_group_id")
        .and_then(|id| state.groups.get(&id))
        .filter(|group| {
            call.is_own(group.account)
                && only.is_none_or(|subaccount| group.account.subaccount == subaccount)
                && call.is_visible(group.created)
        });
    let id = call.uuid("order_group_id");
    let (id, group) = id
        .zip(group)
        .ok_or_else(|| Rejection::not_found("no such order group"))?;
    let orders: Vec<Uuid> = match call.as_of {
        None => group.orders.iter().copied().collect(),
        // Includes orders that have left the group since.
        Some(_) => state
            .orders_of(call.caller.user)
            .filter(|order| order.group == Some(id))
            .filter_map(|order| state.order_as_of(order, call.as_of))
            .filter(|order| order.status == Status::Resting)
            .map(|order| order.id)
            .collect(),
    };
    let (limit, armed) = state.group_as_of((id, group), call.as_of);
    Ok(json!({
        "is_auto_cancel_enabled": is_auto_cancel_enabled(state, armed),
        "contracts_limit_fp": limit,
        "orders": orders,
        "exchange_index": group.shard,
    }))
}

pub(super) fn change(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let id = requested_group(state, call)?;
    match call.id() {
        "DeleteOrderGroup" | "DeleteMarginOrderGroup" => state.delete_group(id),
        "ResetOrderGroup" | "ResetMarginOrderGroup" => state.reset_group(id),
        _ => state.trigger_group(id),
    }
    Ok(Value::Object(serde_json::Map::new()))
}

pub(super) fn limit(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let id = requested_group(state, call)?;
    let body: Limit = call.parse()?;
    let limit = body
        .value()?
        .ok_or_else(|| Rejection::invalid("contracts_limit_fp: required"))?;
    state.set_group_limit(id, limit);
    Ok(Value::Object(serde_json::Map::new()))
}
