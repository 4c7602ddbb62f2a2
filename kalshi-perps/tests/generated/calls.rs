/// Calls the operation `id` with every argument it has, through its typed method.
#[allow(deprecated)]
pub async fn call(client: &Client, id: &str, arguments: &Arguments) -> Result<serde_json::Value, Error> {
    match id {
        "GetPerpsAccountApiLimits" => {
            let answer = client
                .get_perps_account_api_limits()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginBalance" => {
            let answer = client
                .get_margin_balance()
                .compute_available_balance(arguments.get::<bool>("compute_available_balance"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginCorporateActions" => {
            let answer = client
                .get_margin_corporate_actions()
                .market_id(arguments.get::<kalshi_core::Id>("market_id"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteCrossMarginExitTrigger" => {
            let answer = client
                .delete_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetCrossMarginExitTriggers" => {
            let answer = client
                .get_cross_margin_exit_triggers()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "SetCrossMarginExitTrigger" => {
            let answer = client
                .set_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::SetCrossExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteCrossMarginExitTriggerById" => {
            let answer = client
                .delete_cross_margin_exit_trigger_by_id()
                .ticker(arguments.get::<String>("ticker"))
                .trigger_id(arguments.get::<String>("trigger_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "UpdateCrossMarginExitTrigger" => {
            let answer = client
                .update_cross_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .trigger_id(arguments.get::<String>("trigger_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::UpdateExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginEnabled" => {
            let answer = client
                .get_margin_enabled()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginExchangeStatus" => {
            let answer = client
                .get_margin_exchange_status()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteFCMNotionalRiskLimit" => {
            let answer = client
                .delete_fcm_notional_risk_limit()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "UpdateFCMNotionalRiskLimit" => {
            let answer = client
                .update_fcm_notional_risk_limit()
                .body(arguments.get::<types::UpdateFcmNotionalRiskLimitRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "CreateMarginFCMSubtrader" => {
            let answer = client
                .create_margin_fcm_subtrader()
                .body(arguments.get::<types::CreateMarginFcmSubtraderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteFCMSubtraderRiskControls" => {
            let answer = client
                .delete_fcm_subtrader_risk_controls()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetFCMSubtraderRiskControls" => {
            let answer = client
                .get_fcm_subtrader_risk_controls()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "UpdateFCMSubtraderRiskControls" => {
            let answer = client
                .update_fcm_subtrader_risk_controls()
                .body(arguments.get::<types::UpdateFcmSubtraderRiskControlsRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginFeeTierRates" => {
            let answer = client
                .get_margin_fee_tier_rates()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginFeeTiers" => {
            let answer = client
                .get_margin_fee_tiers()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginFills" => {
            let answer = client
                .get_margin_fills()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginFundingHistory" => {
            let answer = client
                .get_margin_funding_history()
                .end_date(arguments.get::<::chrono::naive::NaiveDate>("end_date"))
                .start_date(arguments.get::<::chrono::naive::NaiveDate>("start_date"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginFundingRateEstimate" => {
            let answer = client
                .get_margin_funding_rate_estimate()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginHistoricalFundingRates" => {
            let answer = client
                .get_margin_historical_funding_rates()
                .end_ts(arguments.get::<i64>("end_ts"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginPremiumIndex" => {
            let answer = client
                .get_margin_premium_index()
                .end_ts(arguments.get::<i64>("end_ts"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteIsolatedMarginExitTrigger" => {
            let answer = client
                .delete_isolated_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetIsolatedMarginExitTriggers" => {
            let answer = client
                .get_isolated_margin_exit_triggers()
                .ticker(arguments.get::<String>("ticker"))
                .kind(arguments.get::<types::ExitTriggerKind>("kind"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "SetIsolatedMarginExitTrigger" => {
            let answer = client
                .set_isolated_margin_exit_trigger()
                .ticker(arguments.get::<String>("ticker"))
                .body(arguments.get::<types::SetIsolatedExitTriggerRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginMarkets" => {
            let answer = client
                .get_margin_markets()
                .status(arguments.get::<types::MarginMarketStatus>("status"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginMarketOrderbooks" => {
            let answer = client
                .get_margin_market_orderbooks()
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginMarket" => {
            let answer = client
                .get_margin_market()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginMarketCandlesticks" => {
            let answer = client
                .get_margin_market_candlesticks()
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .include_latest_before_start(arguments.get::<bool>("include_latest_before_start"))
                .period_interval(arguments.get::<i64>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginMarketOrderbook" => {
            let answer = client
                .get_margin_market_orderbook()
                .ticker(arguments.get::<String>("ticker"))
                .aggregation_tick_size(arguments.get::<kalshi_core::Dollars>("aggregation_tick_size"))
                .depth(arguments.get::<i64>("depth"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginNotionalRiskLimit" => {
            let answer = client
                .get_margin_notional_risk_limit()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginOrderGroups" => {
            let answer = client
                .get_margin_order_groups()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "CreateMarginOrderGroup" => {
            let answer = client
                .create_margin_order_group()
                .body(arguments.get::<types::CreateOrderGroupRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DeleteMarginOrderGroup" => {
            let answer = client
                .delete_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginOrderGroup" => {
            let answer = client
                .get_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "UpdateMarginOrderGroupLimit" => {
            let answer = client
                .update_margin_order_group_limit()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::UpdateOrderGroupLimitRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "ResetMarginOrderGroup" => {
            let answer = client
                .reset_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "TriggerMarginOrderGroup" => {
            let answer = client
                .trigger_margin_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "CancelAllMarginOrders" => {
            let answer = client
                .cancel_all_margin_orders()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginOrders" => {
            let answer = client
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
            Ok(serialized(&*answer))
        }
        "CreateMarginOrder" => {
            let answer = client
                .create_margin_order()
                .body(arguments.get::<types::CreateMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "CancelMarginOrder" => {
            let answer = client
                .cancel_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginOrder" => {
            let answer = client
                .get_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "AmendMarginOrder" => {
            let answer = client
                .amend_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::AmendMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "DecreaseMarginOrder" => {
            let answer = client
                .decrease_margin_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::DecreaseMarginOrderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginPositions" => {
            let answer = client
                .get_margin_positions()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginRisk" => {
            let answer = client
                .get_margin_risk()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginRiskParameters" => {
            let answer = client
                .get_margin_risk_parameters()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "GetMarginTrades" => {
            let answer = client
                .get_margin_trades()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "IntraExchangeInstanceTransfer" => {
            let answer = client
                .intra_exchange_instance_transfer()
                .body(arguments.get::<types::IntraExchangeInstanceTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "CreateMarginSubaccount" => {
            let answer = client
                .create_margin_subaccount()
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        "ApplyMarginSubaccountTransfer" => {
            let answer = client
                .apply_margin_subaccount_transfer()
                .body(arguments.get::<types::ApplySubaccountTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*answer))
        }
        other => panic!("no operation {other}"),
    }
}

/// Walks the list of the operation `id` to its end, and counts its pages.
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
        other => panic!("no paged operation {other}"),
    }
}
