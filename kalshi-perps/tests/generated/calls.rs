/// Sends the operation `id` with all its arguments, through its typed method.
#[allow(deprecated)]
pub async fn call(client: &Client, id: &str, arguments: &Arguments) -> Result<serde_json::Value, Error> {
    match id {
        "GetPerpsAccountApiLimits" => {
            let response = client
                .get_perps_account_api_limits()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginBalance" => {
            let response = client
                .get_margin_balance()
                .compute_available_balance(arguments.get::<bool>("compute_available_balance"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginCorporateActions" => {
            let response = client
                .get_margin_corporate_actions()
                .market_id(arguments.get::<kalshi_core::Id>("market_id"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteCrossMarginExitTrigger" => {
            let response = client
                .delete_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetCrossMarginExitTriggers" => {
            let response = client
                .get_cross_margin_exit_triggers()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "SetCrossMarginExitTrigger" => {
            let response = client
                .set_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::SetCrossExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteCrossMarginExitTriggerById" => {
            let response = client
                .delete_cross_margin_exit_trigger_by_id()
                .ticker(arguments.get::<String>("ticker"))
                .trigger_id(arguments.get::<String>("trigger_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateCrossMarginExitTrigger" => {
            let response = client
                .update_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .trigger_id(arguments.get::<String>("trigger_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::UpdateExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginEnabled" => {
            let response = client
                .get_margin_enabled()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginExchangeStatus" => {
            let response = client
                .get_margin_exchange_status()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteFCMNotionalRiskLimit" => {
            let response = client
                .delete_fcm_notional_risk_limit()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateFCMNotionalRiskLimit" => {
            let response = client
                .update_fcm_notional_risk_limit()
                .body(arguments.get::<types::UpdateFcmNotionalRiskLimitRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginFCMSubtrader" => {
            let response = client
                .create_margin_fcm_subtrader()
                .body(arguments.get::<types::CreateMarginFcmSubtraderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteFCMSubtraderRiskControls" => {
            let response = client
                .delete_fcm_subtrader_risk_controls()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMSubtraderRiskControls" => {
            let response = client
                .get_fcm_subtrader_risk_controls()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateFCMSubtraderRiskControls" => {
            let response = client
                .update_fcm_subtrader_risk_controls()
                .body(arguments.get::<types::UpdateFcmSubtraderRiskControlsRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFeeTierRates" => {
            let response = client
                .get_margin_fee_tier_rates()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFeeTiers" => {
            let response = client
                .get_margin_fee_tiers()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFills" => {
            let response = client
                .get_margin_fills()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFundingHistory" => {
            let response = client
                .get_margin_funding_history()
                .end_date(arguments.get::<::chrono::naive::NaiveDate>("end_date"))
                .start_date(arguments.get::<::chrono::naive::NaiveDate>("start_date"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFundingRateEstimate" => {
            let response = client
                .get_margin_funding_rate_estimate()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginHistoricalFundingRates" => {
            let response = client
                .get_margin_historical_funding_rates()
                .end_ts(arguments.get::<i64>("end_ts"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginPremiumIndex" => {
            let response = client
                .get_margin_premium_index()
                .end_ts(arguments.get::<i64>("end_ts"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteIsolatedMarginExitTrigger" => {
            let response = client
                .delete_isolated_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetIsolatedMarginExitTriggers" => {
            let response = client
                .get_isolated_margin_exit_triggers()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "SetIsolatedMarginExitTrigger" => {
            let response = client
                .set_isolated_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .body(arguments.get::<types::SetIsolatedExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginMarkets" => {
            let response = client
                .get_margin_markets()
                .status(arguments.get::<types::MarginMarketStatus>("status"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginMarketOrderbooks" => {
            let response = client
                .get_margin_market_orderbooks()
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginMarket" => {
            let response = client
                .get_margin_market()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginMarketCandlesticks" => {
            let response = client
                .get_margin_market_candlesticks()
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .include_latest_before_start(arguments.get::<bool>("include_latest_before_start"))
                .period_interval(arguments.get::<i64>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginMarketOrderbook" => {
            let response = client
                .get_margin_market_orderbook()
                .ticker(arguments.get::<String>("ticker"))
                .aggregation_tick_size(arguments.get::<kalshi_core::Dollars>("aggregation_tick_size"))
                .depth(arguments.get::<i64>("depth"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginNotionalRiskLimit" => {
            let response = client
                .get_margin_notional_risk_limit()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginOrderGroups" => {
            let response = client
                .get_margin_order_groups()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginOrderGroup" => {
            let response = client
                .create_margin_order_group()
                .body(arguments.get::<types::CreateOrderGroupRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteMarginOrderGroup" => {
            let response = client
                .delete_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginOrderGroup" => {
            let response = client
                .get_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateMarginOrderGroupLimit" => {
            let response = client
                .update_margin_order_group_limit()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::UpdateOrderGroupLimitRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ResetMarginOrderGroup" => {
            let response = client
                .reset_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "TriggerMarginOrderGroup" => {
            let response = client
                .trigger_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CancelAllMarginOrders" => {
            let response = client
                .cancel_all_margin_orders()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginOrders" => {
            let response = client
                .get_margin_orders()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::MarginOrderStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginOrder" => {
            let response = client
                .create_margin_order()
                .body(arguments.get::<types::CreateMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CancelMarginOrder" => {
            let response = client
                .cancel_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginOrder" => {
            let response = client
                .get_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AmendMarginOrder" => {
            let response = client
                .amend_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::AmendMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DecreaseMarginOrder" => {
            let response = client
                .decrease_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::DecreaseMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginPositions" => {
            let response = client
                .get_margin_positions()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginRisk" => {
            let response = client
                .get_margin_risk()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginRiskParameters" => {
            let response = client
                .get_margin_risk_parameters()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginTrades" => {
            let response = client
                .get_margin_trades()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "IntraExchangeInstanceTransfer" => {
            let response = client
                .intra_exchange_instance_transfer()
                .body(arguments.get::<types::IntraExchangeInstanceTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginSubaccount" => {
            let response = client
                .create_margin_subaccount()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ApplyMarginSubaccountTransfer" => {
            let response = client
                .apply_margin_subaccount_transfer()
                .body(arguments.get::<types::ApplySubaccountTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        other => panic!("no operation {other}"),
    }
}

/// Reads all pages of the operation `id` and counts them.
#[allow(deprecated, unused_variables, clippy::unused_async)]
pub async fn pages(client: &Client, id: &str, arguments: &Arguments) -> Result<usize, Error> {
    match id {
        "GetMarginFills" => {
            let mut pages = client
                .get_margin_fills()
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetMarginOrders" => {
            let mut pages = client
                .get_margin_orders()
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::MarginOrderStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetMarginTrades" => {
            let mut pages = client
                .get_margin_trades()
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        other => panic!("no paginated operation {other}"),
    }
}
