//! Operations on exit triggers, which are stored but never fire.

use kalshi_sdk::{Contracts, Dollars};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{HandlerResult, markets::find_market};
use crate::{
    Rejection,
    call::{Call, without_nulls},
    state::{Account, NewTrigger, State, Trigger, TriggerPrices, trigger_not_found},
    time::rfc3339,
};

#[derive(Deserialize)]
struct TriggerBody {
    kind: Option<String>,
    count: Option<Contracts>,
    anchor_order_id: Option<String>,
    client_trigger_id: Option<String>,
    stop_loss_price: Option<Dollars>,
    take_profit_price: Option<Dollars>,
    trail_amount: Option<Dollars>,
    trail_bps: Option<i64>,
}

/// Returns the account and the market of a request, and true if it is about an isolated position.
fn requested_position(state: &State, call: &Call<'_>) -> Result<(Account, usize, bool), Rejection> {
    let account = call.account(state, call.integer("subaccount"))?;
    let (index, ..) = find_market(state, call.string("ticker").unwrap_or_default())?;
    Ok((account, index, call.id().contains("Isolated")))
}

pub(super) fn set(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let (account, market, isolated) = requested_position(state, call)?;
    let body: TriggerBody = call.parse()?;
    let prices = TriggerPrices {
        stop_loss: body.stop_loss_price,
        take_profit: body.take_profit_price,
        trail_amount: body.trail_amount,
        trail_bps: body.trail_bps,
    };
    let is_trailing = prices.trail_amount.is_some() || prices.trail_bps.is_some();
    let is_bracket = prices.stop_loss.is_some() || prices.take_profit.is_some();
    if !is_trailing && !is_bracket {
        return Err(Rejection::invalid(
            "stop_loss_price, take_profit_price, trail_amount, trail_bps: one is required",
        ));
    }
    let held = state.ledger.holding(account, market);
    let held = held.map_or(0, |holding| holding.position.abs());
    let kind = body.kind.unwrap_or_else(|| {
        let kind = if is_bracket { "bracket" } else { "trailing" };
        kind.to_owned()
    });
    let trigger = state.set_trigger(NewTrigger {
        account,
        market,
        isolated,
        kind,
        prices,
        count: body.count.unwrap_or(Contracts::from_hundredths(held)),
        anchor: body.anchor_order_id,
        client_trigger_id: body.client_trigger_id,
    })?;
    Ok(trigger_json(state, &trigger))
}

pub(super) fn list(state: &State, call: &Call<'_>) -> HandlerResult {
    let (account, market, isolated) = requested_position(state, call)?;
    let triggers = state
        .triggers_of(account, market, isolated)
        .filter(|trigger| {
            call.string("kind")
                .is_none_or(|kind| trigger.new.kind == kind)
        });
    let triggers: Vec<Value> = triggers
        .map(|trigger| trigger_json(state, trigger))
        .collect();
    Ok(json!({ "exit_triggers": triggers }))
}

pub(super) fn update(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let (account, ..) = requested_position(state, call)?;
    let body: TriggerBody = call.parse()?;
    let prices = TriggerPrices {
        stop_loss: body.stop_loss_price,
        take_profit: body.take_profit_price,
        ..TriggerPrices::default()
    };
    let trigger = state.update_trigger(account, call.uuid("trigger_id"), prices)?;
    Ok(trigger_json(state, &trigger))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let (account, market, isolated) = requested_position(state, call)?;
    state.delete_triggers(|trigger| {
        trigger.new.account == account
            && trigger.new.market == market
            && trigger.new.isolated == isolated
            && call
                .string("kind")
                .is_none_or(|kind| trigger.new.kind == kind)
    });
    Ok(Value::Null)
}

pub(super) fn delete_by_id(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let (account, ..) = requested_position(state, call)?;
    let id = call.uuid("trigger_id");
    match state.delete_triggers(|trigger| trigger.new.account == account && Some(trigger.id) == id)
    {
        true => Ok(Value::Null),
        false => Err(trigger_not_found()),
    }
}

fn trigger_json(state: &State, trigger: &Trigger) -> Value {
    let new = &trigger.new;
    let anchored = new.anchor.is_some();
    without_nulls(json!({
        "id": trigger.id,
        "ticker": super::markets::ticker(state, new.market),
        "kind": new.kind,
        "status": if anchored { "pending_on_entry" } else { "active" },
        "anchor_order_id": new.anchor,
        "client_trigger_id": new.client_trigger_id,
        "stop_loss_price": new.prices.stop_loss,
        "take_profit_price": new.prices.take_profit,
        "trail_amount": new.prices.trail_amount,
        "trail_bps": new.prices.trail_bps,
        "count": new.count,
        "filled_count": Contracts::ZERO,
        "created_time": rfc3339(trigger.created),
        "updated_time": rfc3339(trigger.updated),
    }))
}
