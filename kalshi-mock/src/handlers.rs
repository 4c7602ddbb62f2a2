//! Handlers of all operations. Operations without state return a sample response from the spec.

mod account;
mod archive;
mod common;
mod communications;
mod exchange;
mod groups;
#[cfg(feature = "klear")]
mod klear;
mod markets;
mod orders;
#[cfg(feature = "perps")]
mod perps;
mod portfolio;
mod sample_events;
mod samples;
mod transfers;

pub(crate) use account::new_private_key;
pub(crate) use common::HandlerResult;

use crate::{Rejection, call::Call, keys::Keys, shared::Instances, spec::Api};

/// Runs the handler of a request.
pub(crate) fn dispatch(instances: &mut Instances, keys: &Keys, call: &Call<'_>) -> HandlerResult {
    match call.endpoint.api {
        Api::Trade => trade(instances, keys, call),
        #[cfg(feature = "perps")]
        Api::Perps => perps::dispatch(&mut instances.margin, call),
        #[cfg(feature = "klear")]
        Api::Klear => klear::respond(call),
    }
}

/// Runs the handler of a request to the Trade API.
fn trade(instances: &mut Instances, keys: &Keys, call: &Call<'_>) -> HandlerResult {
    let state = &mut instances.event;
    match call.id() {
        "GetExchangeStatus" => exchange::status(state),
        "GetExchangeSchedule" => exchange::schedule(state),
        "GetUserDataTimestamp" => exchange::user_data_timestamp(state, call),
        "GetHistoricalCutoff" => exchange::historical_cutoff(state),
        "GetAccountEndpointCosts" => exchange::endpoint_costs(),

        "GetMarkets" | "GetHistoricalMarkets" => markets::list(state, call),
        "GetMarket" | "GetHistoricalMarket" => markets::get(state, call),
        "GetMarketOrderbook" => markets::orderbook(state, call),
        "GetMarketOrderbooks" => markets::orderbooks(state, call),
        "GetTrades" | "GetTradesHistorical" => markets::trades(state, call),
        "GetEvents" => markets::events(state, call),
        "GetEvent" => markets::event(state, call),
        "GetSeries" => markets::series(state, call),
        "GetSeriesList" => markets::series_list(state, call),
        "GetEventMetadata" => markets::event_metadata(state, call),
        "GetMarketCandlesticks" => markets::candlesticks(state, call),
        "GetMarketCandlesticksHistorical" => archive::candlesticks(state, call),
        "BatchGetMarketCandlesticks" => markets::batch_candlesticks(state, call),
        "GetMarketCandlesticksByEvent" => markets::event_candlesticks(state, call),

        "CreateOrderV2" => orders::create(state, call),
        "BatchCreateOrdersV2" => orders::create_batch(state, call),
        "AmendOrderV2" => orders::amend(state, call),
        "DecreaseOrderV2" => orders::decrease(state, call),
        "CancelOrderV2" => orders::cancel(state, call),
        "BatchCancelOrdersV2" => orders::cancel_batch(state, call),
        "CancelAllOrders" => orders::cancel_all(state, call),
        "GetOrder" => orders::get(state, call),
        "GetOrders" | "GetHistoricalOrders" => orders::list(state, call),
        "GetOrderQueuePosition" => orders::queue_position(state, call),
        "GetOrderQueuePositions" => orders::queue_positions(state, call),

        "GetOrderGroups" => groups::list(state, call),
        "CreateOrderGroup" => groups::create(state, call),
        "GetOrderGroup" => groups::get(state, call),
        "DeleteOrderGroup" | "ResetOrderGroup" | "TriggerOrderGroup" => groups::change(state, call),
        "UpdateOrderGroupLimit" => groups::limit(state, call),

        "GetBalance" => portfolio::balance(state, call),
        "GetPositions" | "GetHistoricalPositions" => portfolio::positions(state, call),
        "GetFills" | "GetFillsHistorical" => portfolio::fills(state, call),
        "GetSettlements" => portfolio::settlements(state, call),
        "GetPortfolioRestingOrderTotalValue" => Err(Rejection::forbidden(
            "only available to members of a clearing merchant",
        )),

        "GetDeposits" => transfers::deposits(state, call),
        "GetWithdrawals" => Ok(call.list_response((Vec::new(), String::new()))),
        "CreateSubaccount" => transfers::create_subaccount(state, call),
        "GetSubaccountBalances" => transfers::subaccount_balances(state, call),
        "ApplySubaccountTransfer" => transfers::to_subaccount(state, call),
        "GetSubaccountTransfers" => transfers::subaccount_transfers(state, call),
        "GetSubaccountNetting" => transfers::netting(state, call),
        "UpdateSubaccountNetting" => transfers::set_netting(state, call),
        "IntraExchangeInstanceTransfer" => transfers::transfer(instances, call),
        "GetIntraExchangeInstanceTransfers" => transfers::shard_transfers(state, call),
        "GetIntraExchangeInstanceTransfer" => transfers::shard_transfer(state, call),
        "GetTargetBalanceAllocation" => transfers::allocation(state, call),
        "SetTargetBalanceAllocation" => transfers::set_allocation(state, call),

        "GetCommunicationsID" => communications::id(state, call),
        "GetRFQs" => communications::rfqs(state, call),
        "CreateRFQ" => communications::create_rfq(state, call),
        "GetRFQ" => communications::rfq(state, call),
        "DeleteRFQ" => communications::delete_rfq(state, call),
        "GetQuotes" => communications::quotes(state, call),
        "CreateQuote" => communications::create_quote(state, call),
        "GetQuote" | "GetRFQQuote" => communications::quote(state, call),
        "DeleteQuote" | "DeleteRFQQuote" => communications::delete_quote(state, call),
        "AcceptQuote" | "AcceptRFQQuote" => communications::accept(state, call),
        "ConfirmQuote" | "ConfirmRFQQuote" => communications::confirm(state, call),

        "GetApiKeys" => account::keys(keys, call),
        "CreateApiKey" => account::create_key(state, keys, call),
        "GenerateApiKey" => account::generate_key(state, keys, call),
        "DeleteApiKey" => account::delete_key(keys, call),
        "GetAccountApiLimits" => account::limits(state, call),

        _ => samples::respond(state, call),
    }
}
