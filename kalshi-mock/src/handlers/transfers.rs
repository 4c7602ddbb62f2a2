//! Operations on subaccounts, and transfers between subaccounts, shards and exchange instances.

use kalshi_sdk::Dollars;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::common::HandlerResult;
use crate::{
    Rejection,
    call::{Call, Order, without_nulls},
    shared::Instances,
    state::{Instance, Shard, ShardTransfer, State},
    time::seconds,
};

pub(super) fn deposits(state: &State, call: &Call<'_>) -> HandlerResult {
    let own = state
        .deposits
        .iter()
        .rev()
        .filter(|(_, deposit)| deposit.user == call.caller.user);
    let rows = own.map(|(number, deposit)| (*number, deposit));
    let page = call.page(Order::NewestFirst, rows, |deposit| {
        json!({
            "id": deposit.id,
            "status": "applied",
            "type": "ach",
            "amount_cents": deposit.cents,
            "fee_cents": 0,
            "created_ts": seconds(deposit.at),
            "finalized_ts": seconds(deposit.at),
        })
    })?;
    Ok(call.list_response(page))
}

pub(super) fn create_subaccount(state: &mut State, call: &Call<'_>) -> HandlerResult {
    if call.caller.subaccount.is_some() {
        return Err(Rejection::forbidden("the key is for one subaccount only"));
    }
    let shard = call.body["exchange_index"].as_i64().unwrap_or(0);
    let shard =
        Shard::try_from(shard).map_err(|_| Rejection::invalid("exchange_index: must be gte 0"))?;
    let number = state.create_subaccount(call.caller.user, shard)?;
    Ok(json!({ "subaccount_number": number }))
}

pub(super) fn subaccount_balances(state: &State, call: &Call<'_>) -> HandlerResult {
    let balances = state
        .ledger
        .cash_of_user(call.caller.user)
        .filter(|(subaccount, ..)| call.can_read(*subaccount))
        .map(|(subaccount, shard, cash)| {
            json!({
                "subaccount_number": subaccount,
                "exchange_index": shard,
                "balance": Dollars::from_micros(cash.amount - cash.reserved),
                "updated_ts": seconds(cash.updated),
            })
        });
    Ok(json!({ "subaccount_balances": balances.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
struct ToSubaccount {
    client_transfer_id: Uuid,
    from_subaccount: i64,
    to_subaccount: i64,
    amount_cents: i64,
    exchange_index: Option<Shard>,
}

pub(super) fn to_subaccount(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: ToSubaccount = call.parse()?;
    let from = call.account(state, Some(body.from_subaccount))?;
    let to = call.account(state, Some(body.to_subaccount))?;
    let shard = body.exchange_index.unwrap_or(0);
    state.transfer_to_subaccount(
        body.client_transfer_id,
        (from, to),
        shard,
        body.amount_cents,
    )?;
    Ok(Map::new().into())
}

pub(super) fn subaccount_transfers(state: &State, call: &Call<'_>) -> HandlerResult {
    let own = state
        .subaccount_transfers
        .iter()
        .rev()
        .filter(|(_, transfer)| transfer.user == call.caller.user)
        .filter(|(_, transfer)| call.can_read(transfer.from) || call.can_read(transfer.to));
    let page = call.page(
        Order::NewestFirst,
        own.map(|(number, transfer)| (*number, transfer)),
        |transfer| {
            json!({
                "transfer_id": transfer.id,
                "from_subaccount": transfer.from,
                "to_subaccount": transfer.to,
                "amount_cents": transfer.cents,
                "created_ts": seconds(transfer.at),
                "exchange_index": transfer.shard,
            })
        },
    )?;
    Ok(call.list_response(page))
}

pub(super) fn netting(state: &State, call: &Call<'_>) -> HandlerResult {
    let subaccounts = state.user(call.caller.user).subaccounts.iter();
    let configs = subaccounts.filter(|(number, _)| call.can_read(**number)).map(|(number, enabled)| {
        json!({ "subaccount_number": number, "enabled": enabled, "exchange_index": 0 })
    });
    Ok(json!({ "netting_configs": configs.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
struct Netting {
    subaccount_number: i64,
    enabled: bool,
}

pub(super) fn set_netting(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: Netting = call.parse()?;
    let account = call.account(state, Some(body.subaccount_number))?;
    if let Some(user) = state.user_mut(account.user) {
        user.subaccounts.insert(account.subaccount, body.enabled);
    }
    Ok(Value::Null)
}

#[derive(Deserialize)]
struct ToShard {
    client_transfer_id: Option<Uuid>,
    source: Instance,
    destination: Instance,
    /// Amount in hundredths of a cent.
    amount: i64,
    source_exchange_shard: Option<Shard>,
    destination_exchange_shard: Option<Shard>,
    source_subaccount: Option<i64>,
    destination_subaccount: Option<i64>,
}

/// Transfers money between shards, subaccounts and exchange instances.
pub(super) fn transfer(instances: &mut Instances, call: &Call<'_>) -> HandlerResult {
    let body: ToShard = call.parse()?;
    let account_and_shard = |instances: &mut Instances,
                             instance,
                             subaccount,
                             shard: Option<Shard>| {
        let account = call.account(instances.get_mut(instance), subaccount)?;
        match (instance, shard.unwrap_or(0)) {
            (Instance::Margined, 1..) => Err(Rejection::invalid(
                "source_exchange_shard, destination_exchange_shard: the margin exchange has shard 0 only",
            )),
            (_, shard) => Ok((account, shard)),
        }
    };
    let (source, destination) = (body.source, body.destination);
    if [source, destination].contains(&Instance::Margined) {
        require_margin(instances, call)?;
    }
    let from = account_and_shard(
        instances,
        source,
        body.source_subaccount,
        body.source_exchange_shard,
    )?;
    let to = account_and_shard(
        instances,
        destination,
        body.destination_subaccount,
        body.destination_exchange_shard,
    )?;
    if from == to && source == destination {
        return Err(Rejection::invalid(
            "source_exchange_shard, destination_exchange_shard: must differ",
        ));
    }
    if body.client_transfer_id.is_some() && (from.0.subaccount, to.0.subaccount) != (0, 0) {
        return Err(Rejection::invalid(
            "client_transfer_id: only supported between primary accounts",
        ));
    }
    let id = body.client_transfer_id;
    let event = &mut instances.event;
    let id = match (source, destination) {
        (Instance::EventContract, Instance::EventContract) => {
            event.transfer_to_shard(id, from, to, body.amount)?
        }
        #[cfg(feature = "perps")]
        (Instance::EventContract, Instance::Margined) => {
            event.transfer_to(&mut instances.margin, id, from, to, body.amount)?
        }
        #[cfg(feature = "perps")]
        (Instance::Margined, Instance::EventContract) => {
            event.transfer_from(&mut instances.margin, id, from, to, body.amount)?
        }
        _ => {
            return Err(Rejection::invalid(
                "source, destination: use the margin API for transfers between subaccounts of the margin exchange",
            ));
        }
    };
    Ok(json!({ "transfer_id": id }))
}

/// Rejects a transfer to or from the margin exchange if the user may not trade there.
#[cfg(feature = "perps")]
fn require_margin(instances: &Instances, call: &Call<'_>) -> Result<(), Rejection> {
    super::perps::require_margin(&instances.margin, call)
}

/// Rejects a transfer to or from the margin exchange, which is not compiled in.
#[cfg(not(feature = "perps"))]
fn require_margin(_: &Instances, _: &Call<'_>) -> Result<(), Rejection> {
    Err(Rejection::bad_request(
        "not_supported",
        "the margin exchange is not enabled",
    ))
}

pub(super) fn shard_transfers(state: &State, call: &Call<'_>) -> HandlerResult {
    let own = state
        .shard_transfers
        .iter()
        .rev()
        .filter(|(_, transfer)| is_own(call, transfer));
    let rows = own.map(|(number, transfer)| (*number, transfer));
    Ok(call.list_response(call.page(Order::NewestFirst, rows, shard_transfer_json)?))
}

pub(super) fn shard_transfer(state: &State, call: &Call<'_>) -> HandlerResult {
    let id = call.uuid("transfer_id");
    let is_requested =
        |transfer: &&ShardTransfer| Some(transfer.id) == id && is_own(call, transfer);
    let transfer = state.shard_transfers.values().find(is_requested);
    let transfer = transfer.ok_or_else(|| Rejection::not_found("no such transfer"))?;
    Ok(json!({ "transfer": shard_transfer_json(transfer) }))
}

fn is_own(call: &Call<'_>, transfer: &ShardTransfer) -> bool {
    transfer.user == call.caller.user
        && (call.can_read(transfer.from.0) || call.can_read(transfer.to.0))
}

fn shard_transfer_json(transfer: &ShardTransfer) -> Value {
    without_nulls(json!({
        "transfer_id": transfer.id,
        "client_transfer_id": transfer.client_transfer_id,
        "source": transfer.instances.0,
        "destination": transfer.instances.1,
        "source_exchange_shard": transfer.from.1,
        "destination_exchange_shard": transfer.to.1,
        "amount": Dollars::from_micros(transfer.centi_cents.saturating_mul(100)),
        "status": "complete",
        "created_ts": seconds(transfer.at),
    }))
}

pub(super) fn allocation(state: &State, call: &Call<'_>) -> HandlerResult {
    let (allocations, reservation) = &state.user(call.caller.user).allocation;
    let allocations = allocations
        .iter()
        .map(|(shard, percent)| json!({ "exchange_index": shard, "percent": percent }))
        .collect::<Vec<_>>();
    Ok(json!({ "allocations": allocations, "resting_margin_reservation": reservation }))
}

#[derive(Deserialize)]
struct Allocation {
    exchange_index: Shard,
    percent: u32,
}

#[derive(Deserialize)]
struct Allocations {
    allocations: Vec<Allocation>,
    resting_margin_reservation: Option<String>,
}

/// Stores the target allocation. The mock never moves money to reach it.
pub(super) fn set_allocation(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: Allocations = call.parse()?;
    let percents: u32 = body.allocations.iter().fold(0, |sum: u32, allocation| {
        sum.saturating_add(allocation.percent)
    });
    if percents != 100 && !body.allocations.is_empty() {
        return Err(Rejection::invalid(
            "allocations: must add up to 100 percent",
        ));
    }
    if let Some(user) = state.user_mut(call.caller.user) {
        user.allocation.0 = body
            .allocations
            .iter()
            .map(|allocation| (allocation.exchange_index, allocation.percent))
            .collect();
        let reservation = body.resting_margin_reservation;
        user.allocation.1 = reservation.unwrap_or_else(|| "sum".to_owned());
    }
    Ok(Map::new().into())
}
