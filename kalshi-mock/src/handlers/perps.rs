//! Handlers of the margin exchange. Operations without state return a sample response with the ids of the request.

mod account;
mod candles;
mod funding;
mod markets;
mod orders;
mod risk;
mod triggers;

pub(super) use account::require_margin;
use kalshi_sdk::Dollars;
use serde_json::{Map, Value, json};

use super::{
    common::{HandlerResult, echo},
    groups,
};
use crate::{Rejection, call::Call, state::State};

/// Runs the handler of a request to the margin exchange.
pub(super) fn dispatch(state: &mut State, call: &Call<'_>) -> HandlerResult {
    match call.id() {
        "GetMarginExchangeStatus" => Ok(status(state)),
        "GetMarginEnabled" => Ok(json!({ "enabled": state.is_enabled(call.caller.user) })),

        "GetMarginMarkets" => markets::list(state, call),
        "GetMarginMarket" => markets::get(state, call),
        "GetMarginMarketOrderbook" => markets::orderbook(state, call),
        "GetMarginMarketOrderbooks" => markets::orderbooks(state, call),
        "GetMarginTrades" => markets::trades(state, call),
        "GetMarginMarketCandlesticks" => candles::get(state, call),

        "CreateMarginOrder" => orders::create(state, call),
        "AmendMarginOrder" => orders::amend(state, call),
        "DecreaseMarginOrder" => orders::decrease(state, call),
        "CancelMarginOrder" => orders::cancel(state, call),
        "CancelAllMarginOrders" => orders::cancel_all(state, call),
        "GetMarginOrder" => orders::get(state, call),
        "GetMarginOrders" => orders::list(state, call),
        "GetMarginFills" => orders::fills(state, call),

        "GetMarginOrderGroups" => groups::list(state, call),
        "CreateMarginOrderGroup" => {
            state.require_user(call.caller.user)?;
            groups::create(state, call)
        }
        "GetMarginOrderGroup" => groups::get(state, call),
        "DeleteMarginOrderGroup" | "ResetMarginOrderGroup" | "TriggerMarginOrderGroup" => {
            groups::change(state, call)
        }
        "UpdateMarginOrderGroupLimit" => groups::limit(state, call),

        "GetMarginBalance" => account::balance(state, call),
        "CreateMarginSubaccount" => account::create_subaccount(state, call),
        "ApplyMarginSubaccountTransfer" => account::to_subaccount(state, call),
        "GetPerpsAccountApiLimits" => super::account::limits(state, call),
        "GetMarginFeeTiers" => Ok(account::fee_tiers(state)),
        "GetMarginFeeTierRates" => Ok(account::fee_tier_rates(state)),

        "GetMarginPositions" => risk::positions(state, call),
        "GetMarginRisk" => risk::risk(state, call),
        "GetMarginRiskParameters" => Ok(risk::parameters(state)),
        "GetMarginNotionalRiskLimit" => Ok(risk::notional_limit(state, call)),

        "GetMarginFundingHistory" => funding::history(state, call),
        "GetMarginHistoricalFundingRates" => funding::rates(state, call),
        "GetMarginFundingRateEstimate" => funding::estimate(state, call),
        "GetMarginPremiumIndex" => funding::premium_index(state, call),

        "SetIsolatedMarginExitTrigger" | "SetCrossMarginExitTrigger" => triggers::set(state, call),
        "GetIsolatedMarginExitTriggers" | "GetCrossMarginExitTriggers" => {
            triggers::list(state, call)
        }
        "DeleteIsolatedMarginExitTrigger" | "DeleteCrossMarginExitTrigger" => {
            triggers::delete(state, call)
        }
        "UpdateCrossMarginExitTrigger" => triggers::update(state, call),
        "DeleteCrossMarginExitTriggerById" => triggers::delete_by_id(state, call),

        "GetMarginCorporateActions" => Ok(json!({ "corporate_actions": [] })),
        "CreateMarginFCMSubtrader" => subtrader(state, call),
        _ => Ok(echo(call)),
    }
}

fn status(state: &State) -> Value {
    let (exchange, trading) = (state.exchange_active, state.is_trading());
    json!({
        "exchange_active": exchange,
        "trading_active": trading,
        "intra_exchange_transfers_active": exchange,
        "exchange_index_statuses": [{
            "exchange_index": 0,
            "description": "Margin",
            "exchange_active": exchange,
            "trading_active": trading,
            "intra_exchange_transfers_active": exchange,
        }],
    })
}

fn subtrader(state: &State, call: &Call<'_>) -> HandlerResult {
    let user = state.user(call.caller.user).id;
    let suffix = call.body["subtrader_suffix"].as_str().unwrap_or_default();
    match suffix.is_empty() {
        true => Err(Rejection::invalid("subtrader_suffix: must not be empty")),
        false => Ok(json!({ "subtrader_id": format!("{user}_{suffix}") })),
    }
}

/// Formats an amount in millionths of a dollar, with at least four decimals.
fn amount(micros: i64) -> Value {
    json!(Dollars::from_micros(micros))
}

/// Builds an object from names and values.
fn object(fields: impl Iterator<Item = (String, Value)>) -> Value {
    fields.collect::<Map<_, _>>().into()
}
