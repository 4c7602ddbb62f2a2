//! Balances, subaccounts and fees of margin accounts.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{HandlerResult, amount, object};
use crate::{
    Rejection,
    call::{Call, decimal},
    state::{Account, SHARD, State},
};

/// Rejects a user who may not trade on margin, with the error of account operations.
pub(crate) fn require_margin(state: &State, call: &Call<'_>) -> Result<(), Rejection> {
    match state.is_enabled(call.caller.user) {
        true => Ok(()),
        false => Err(Rejection::new(
            http::StatusCode::FORBIDDEN,
            "invalid_parameters",
            "user is not enabled for margin trading",
        )),
    }
}

pub(super) fn balance(state: &State, call: &Call<'_>) -> HandlerResult {
    require_margin(state, call)?;
    let user = call.caller.user;
    let subaccounts = state.user(user).subaccounts.keys().copied();
    let mut settled: i64 = 0;
    let mut rows: Vec<Value> = subaccounts
        .filter(|subaccount| call.can_read(*subaccount))
        .map(|subaccount| {
            let balance = state.balance(Account { user, subaccount });
            settled = settled.saturating_add(balance.cash);
            let available = match call.flag("compute_available_balance") {
                true => balance.available().max(0),
                false => 0,
            };
            json!({
                "subaccount": subaccount,
                "position_value": amount(balance.position_value),
                "account_equity": amount(balance.equity()),
                "maintenance_margin": amount(balance.maintenance),
                "initial_margin": amount(balance.initial),
                "resting_orders_margin": amount(balance.resting),
                "available_balance": amount(available),
            })
        })
        .collect();
    // On the exchange, too, the order of the rows changes from request to request.
    let rotation = usize::try_from(state.actions()).unwrap_or_default() % rows.len().max(1);
    rows.rotate_left(rotation);
    Ok(json!({ "subaccount_balances": rows, "settled_funds": amount(settled) }))
}

pub(super) fn create_subaccount(state: &mut State, call: &Call<'_>) -> HandlerResult {
    if !state.is_enabled(call.caller.user) {
        return Err(Rejection::new(
            http::StatusCode::NOT_FOUND,
            "user_not_found",
            "",
        ));
    }
    if call.caller.subaccount.is_some() {
        return Err(Rejection::forbidden("the key is for one subaccount only"));
    }
    let number = state.create_subaccount(call.caller.user, SHARD)?;
    Ok(json!({ "subaccount_number": number }))
}

#[derive(Deserialize)]
struct ToSubaccount {
    client_transfer_id: Uuid,
    from_subaccount: i64,
    to_subaccount: i64,
    amount_cents: i64,
}

pub(super) fn to_subaccount(state: &mut State, call: &Call<'_>) -> HandlerResult {
    require_margin(state, call)?;
    let body: ToSubaccount = call.parse()?;
    let from = call.account(state, Some(body.from_subaccount))?;
    let to = call.account(state, Some(body.to_subaccount))?;
    let id = body.client_transfer_id;
    state
        .transfer_to_subaccount(id, (from, to), SHARD, body.amount_cents)
        .map_err(|rejection| match rejection.status {
            http::StatusCode::CONFLICT => Rejection::conflict("transfer_already_applied", ""),
            _ => rejection,
        })?;
    Ok(Map::new().into())
}

pub(super) fn fee_tiers(state: &State) -> Value {
    let rates = |is_maker: bool| {
        object(state.markets.iter().filter_map(move |market| {
            let perp = market.perp.as_ref()?;
            let rate = if is_maker {
                perp.maker_rate
            } else {
                perp.taker_rate
            };
            Some((market.ticker.clone(), decimal(rate, 6)))
        }))
    };
    json!({ "maker_fee_rates": rates(true), "taker_fee_rates": rates(false) })
}

/// Returns the rates of the first market as tier 0 of every schedule. The mock has no higher tiers.
pub(super) fn fee_tier_rates(state: &State) -> Value {
    let perp = state
        .markets
        .first()
        .and_then(|market| market.perp.as_ref());
    let (maker, taker) = perp.map_or((200, 1_200), |perp| (perp.maker_rate, perp.taker_rate));
    let rows = ["self_clearing_members", "kalshi_prime", "fcm"].map(|schedule| {
        json!({
            "fee_schedule": schedule,
            "tier": 0,
            "maker_fee_rate": decimal(maker, 6),
            "taker_fee_rate": decimal(taker, 6),
        })
    });
    json!({ "fee_tier_rates": rows })
}
