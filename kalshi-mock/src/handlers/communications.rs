//! Requests for quote and quotes.

use kalshi_sdk::{Contracts, Dollars};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::common::HandlerResult;
use crate::{
    Rejection,
    call::{Call, Order, without_nulls},
    state::{HIDDEN_USER, Quote, QuoteStatus, Rfq, Side, State},
    time::rfc3339,
};

pub(super) fn id(state: &State, call: &Call<'_>) -> HandlerResult {
    Ok(json!({ "communications_id": state.user(call.caller.user).communications_id }))
}

#[derive(Deserialize)]
struct CreateRfq {
    market_ticker: String,
    contracts: Option<i64>,
    contracts_fp: Option<Contracts>,
    target_cost_centi_cents: Option<i64>,
    target_cost_dollars: Option<Dollars>,
    target_cost_excludes_fees: Option<bool>,
    obscure_creator_id: Option<bool>,
    rest_remainder: bool,
    replace_existing: Option<bool>,
    subaccount: Option<i64>,
}

pub(super) fn create_rfq(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: CreateRfq = call.parse()?;
    let creator = call.account(state, body.subaccount)?;
    let (market, _) = state
        .market(&body.market_ticker)
        .ok_or_else(|| Rejection::not_found(format!("no market {}", body.market_ticker)))?;
    let whole_contracts = body
        .contracts
        .map(|count| Contracts::from_hundredths(count.saturating_mul(100)));
    if whole_contracts.is_some()
        && body.contracts_fp.is_some()
        && whole_contracts != body.contracts_fp
    {
        return Err(Rejection::invalid("contracts, contracts_fp: must be equal"));
    }
    let contracts = body.contracts_fp.or(whole_contracts);
    let centi_cents = body
        .target_cost_centi_cents
        .map(|amount| Dollars::from_micros(amount.saturating_mul(100)));
    let target_cost = body.target_cost_dollars.or(centi_cents);
    let positive = contracts.is_none_or(|count| count > Contracts::ZERO)
        && target_cost.is_none_or(|cost| cost > Dollars::ZERO);
    if contracts.is_some() == target_cost.is_some() || !positive {
        return Err(Rejection::invalid(
            "contracts_fp, target_cost_dollars: exactly one, gt 0",
        ));
    }
    if target_cost.is_none() && body.target_cost_excludes_fees == Some(true) {
        return Err(Rejection::invalid(
            "target_cost_excludes_fees: requires a target cost",
        ));
    }
    let replace = body.replace_existing.unwrap_or(false);
    let id = state.create_rfq(
        Rfq {
            target_cost,
            excludes_fees: body.target_cost_excludes_fees.unwrap_or(false),
            rest_remainder: body.rest_remainder,
            obscured: body.obscure_creator_id.unwrap_or(false),
            ..Rfq::new(creator, market, contracts, state.now)
        },
        |other| replace && call.is_own(other.creator),
    )?;
    Ok(json!({ "id": id }))
}

pub(super) fn rfqs(state: &State, call: &Call<'_>) -> HandlerResult {
    if call.string("creator_user_id").is_some() {
        uuid_parameter(call, "creator_user_id")?;
    }
    let own_only = call.string("user_filter") == Some("self");
    let user = call.string("creator_user_id");
    let rows = state
        .rfqs
        .iter()
        .rev()
        .map(|(number, rfq)| (*number, rfq))
        .filter(|(_, rfq)| {
            let market = state.markets.get(rfq.market);
            (!own_only || call.is_own(rfq.creator))
                && call.is_visible(rfq.created)
                && user.is_none_or(|user| {
                    !is_hidden(call, rfq) && state.user(rfq.creator.user).id.to_string() == user
                })
                && call
                    .string("status")
                    .is_none_or(|status| (status == "open") == rfq.open)
                && call
                    .string("market_ticker")
                    .is_none_or(|ticker| market.is_some_and(|market| market.ticker == ticker))
                && call
                    .string("event_ticker")
                    .is_none_or(|event| market.is_some_and(|market| market.event == event))
                && call.integer("subaccount").is_none_or(|subaccount| {
                    call.is_own(rfq.creator) && i64::from(rfq.creator.subaccount) == subaccount
                })
        });
    Ok(call.list_response(call.page(Order::NewestFirst, rows, |rfq| rfq_json(state, call, rfq))?))
}

pub(super) fn rfq(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, rfq) = state.rfq(uuid_parameter(call, "rfq_id")?)?;
    if !call.is_visible(rfq.created) {
        return Err(Rejection::not_found("no such RFQ"));
    }
    Ok(json!({ "rfq": rfq_json(state, call, rfq) }))
}

pub(super) fn delete_rfq(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let (number, rfq) = state.rfq(uuid_parameter(call, "rfq_id")?)?;
    if !call.is_own(rfq.creator) || !rfq.open {
        return Err(Rejection::not_found("the caller has no such open RFQ"));
    }
    if state.is_accepted(number) {
        return Err(Rejection::bad_request(
            "already_accepted",
            "a quote on the RFQ has been accepted",
        ));
    }
    state.close_rfq(number);
    Ok(Value::Null)
}

/// Parses an id parameter, which must be a UUID.
fn uuid_parameter(call: &Call<'_>, name: &str) -> Result<Uuid, Rejection> {
    call.uuid(name)
        .ok_or_else(|| Rejection::invalid(format!("{name}: must be a UUID")))
}

/// Returns true if the requester is hidden from the caller.
fn is_hidden(call: &Call<'_>, rfq: &Rfq) -> bool {
    rfq.obscured && !rfq.executed && !call.is_own(rfq.creator)
}

fn rfq_json(state: &State, call: &Call<'_>, rfq: &Rfq) -> Value {
    let is_own = call.is_own(rfq.creator);
    let creator = state.user(rfq.creator.user);
    let hidden = is_hidden(call, rfq);
    without_nulls(json!({
        "id": rfq.id,
        "creator_id": if hidden { HIDDEN_USER } else { &creator.communications_id },
        "market_ticker": state.markets.get(rfq.market).map(|market| market.ticker.as_str()),
        "contracts_fp": rfq.contracts.unwrap_or_default(),
        "target_cost_dollars": rfq.target_cost,
        "target_cost_excludes_fees": rfq.target_cost.map(|_| rfq.excludes_fees),
        "status": if rfq.open { "open" } else { "closed" },
        "created_ts": rfc3339(rfq.created),
        "updated_ts": rfc3339(rfq.updated),
        "rest_remainder": rfq.rest_remainder,
        "creator_user_id": is_own.then_some(creator.id),
        "creator_subaccount": is_own.then_some(rfq.creator.subaccount),
    }))
}

#[derive(Deserialize)]
struct CreateQuote {
    rfq_id: Uuid,
    yes_bid: Dollars,
    no_bid: Dollars,
    rest_remainder: bool,
    post_only: Option<bool>,
    subaccount: Option<i64>,
}

pub(super) fn create_quote(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let body: CreateQuote = call.parse()?;
    let creator = call.account(state, body.subaccount)?;
    let (rfq, _) = state.rfq(body.rfq_id)?;
    let id = state.create_quote(Quote {
        rest_remainder: body.rest_remainder,
        post_only: body.post_only.unwrap_or(false),
        ..Quote::new(rfq, creator, (body.yes_bid, body.no_bid), state.now)
    })?;
    Ok(json!({ "id": id }))
}

pub(super) fn quotes(state: &State, call: &Call<'_>) -> HandlerResult {
    if call.string("rfq_id").is_some() {
        uuid_parameter(call, "rfq_id")?;
    }
    let is_self = |name: &str| call.string(name) == Some("self");
    let (own_quotes_only, own_rfqs_only) = (is_self("user_filter"), is_self("rfq_user_filter"));
    let id_of = |user: u32| state.user(user).id.to_string();
    let rows = state.quotes.iter().rev().filter(|(_, quote)| {
        let Some(rfq) = state.rfqs.get(&quote.rfq) else {
            return false;
        };
        is_party(state, call, quote)
            && call.is_visible(quote.created)
            && (!own_quotes_only || call.is_own(quote.creator))
            && (!own_rfqs_only || call.is_own(rfq.creator))
            && call
                .string("quote_creator_user_id")
                .is_none_or(|user| id_of(quote.creator.user) == user)
            && call
                .string("rfq_creator_user_id")
                .is_none_or(|user| !is_hidden(call, rfq) && id_of(rfq.creator.user) == user)
            && call
                .string("rfq_id")
                .is_none_or(|id| rfq.id.to_string() == id)
            && call
                .string("status")
                .is_none_or(|status| json!(quote.status) == status)
            && call.is_within("min_ts", "max_ts", quote.updated)
    });
    Ok(
        call.list_response(call.page(Order::NewestFirst, rows, |quote| {
            quote_json(state, call, quote)
        })?),
    )
}

/// Returns true if the caller is the maker or the requester. Other users cannot see the quote.
fn is_party(state: &State, call: &Call<'_>, quote: &Quote) -> bool {
    let is_requester = state
        .rfqs
        .get(&quote.rfq)
        .is_some_and(|rfq| call.is_own(rfq.creator));
    is_requester || call.is_own(quote.creator)
}

/// Returns the quote that a request names, if the caller is a party to it.
fn requested_quote<'a>(state: &'a State, call: &Call<'_>) -> Result<(u64, &'a Quote), Rejection> {
    let (number, quote) = state.quote(uuid_parameter(call, "quote_id")?)?;
    let rfq = state.rfqs.get(&quote.rfq).map(|rfq| rfq.id);
    let rfq_id = call.string("rfq_id").map(|_| call.uuid("rfq_id"));
    match is_party(state, call, quote)
        && call.is_visible(quote.created)
        && rfq_id.is_none_or(|id| id == rfq)
    {
        true => Ok((number, quote)),
        false => Err(Rejection::not_found("no such quote")),
    }
}

pub(super) fn quote(state: &State, call: &Call<'_>) -> HandlerResult {
    let (_, quote) = requested_quote(state, call)?;
    Ok(json!({ "quote": quote_json(state, call, quote) }))
}

pub(super) fn delete_quote(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let number = own_quote_number(state, call, true)?;
    state.delete_quote(number)?;
    Ok(Value::Null)
}

pub(super) fn accept(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let side = match call.body["accepted_side"].as_str() {
        Some("yes") => Side::Bid,
        _ => Side::Ask,
    };
    let number = own_quote_number(state, call, false)?;
    state.accept_quote(number, side)?;
    Ok(Value::Null)
}

pub(super) fn confirm(state: &mut State, call: &Call<'_>) -> HandlerResult {
    let number = own_quote_number(state, call, true)?;
    state.confirm_quote(number)?;
    Ok(Value::Null)
}

/// Returns the number of the quote that a request names. The caller must be its maker with `as_maker`, otherwise its requester.
fn own_quote_number(state: &State, call: &Call<'_>, as_maker: bool) -> Result<u64, Rejection> {
    let (number, quote) = requested_quote(state, call)?;
    match call.is_own(quote.creator) == as_maker {
        true => Ok(number),
        false => Err(Rejection::not_found("no such quote for this party")),
    }
}

fn quote_json(state: &State, call: &Call<'_>, quote: &Quote) -> Value {
    let Some(rfq) = state.rfqs.get(&quote.rfq) else {
        return Value::Null;
    };
    let (is_maker, is_requester) = (call.is_own(quote.creator), call.is_own(rfq.creator));
    let fees = state.markets.get(rfq.market).map(|market| market.fees);
    let contracts = |bid: Dollars| fees.map(|fees| rfq.contracts_at(bid, &fees));
    let executed = quote.status == QuoteStatus::Executed;
    let hidden = rfq.obscured && !is_requester && !executed;
    let (maker, requester) = (state.user(quote.creator.user), state.user(rfq.creator.user));
    let (maker_order, requester_order) = quote.orders.unzip();
    without_nulls(json!({
        "id": quote.id,
        "rfq_id": rfq.id,
        "creator_id": maker.communications_id,
        "rfq_creator_id": if hidden { HIDDEN_USER } else { &requester.communications_id },
        "market_ticker": state.markets.get(rfq.market).map(|market| market.ticker.as_str()),
        "contracts_fp": rfq.contracts.unwrap_or_default(),
        "yes_bid_dollars": quote.yes_bid,
        "no_bid_dollars": quote.no_bid,
        "created_ts": rfc3339(quote.created),
        "updated_ts": rfc3339(quote.updated),
        "status": quote.status,
        "accepted_side": quote.accepted.map(Side::outcome),
        "accepted_ts": quote.accepted_at.map(rfc3339),
        "confirmed_ts": quote.confirmed_at.map(rfc3339),
        "executed_ts": quote.executed_at.map(rfc3339),
        "cancelled_ts": quote.cancelled_at.map(rfc3339),
        "cancellation_reason": quote.cancellation,
        "rest_remainder": quote.rest_remainder,
        "post_only": is_maker.then_some(quote.post_only),
        "rfq_target_cost_dollars": rfq.target_cost,
        "creator_user_id": is_maker.then_some(maker.id),
        "creator_subaccount": is_maker.then_some(quote.creator.subaccount),
        "creator_order_id": maker_order.filter(|_| is_maker),
        "rfq_creator_user_id": is_requester.then_some(requester.id),
        "rfq_creator_subaccount": is_requester.then_some(rfq.creator.subaccount),
        "rfq_creator_order_id": requester_order.filter(|_| is_requester),
        "yes_contracts_fp": contracts(quote.yes_bid),
        "no_contracts_fp": contracts(quote.no_bid),
    }))
}
