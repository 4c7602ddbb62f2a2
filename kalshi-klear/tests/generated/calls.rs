/// Sends the operation `id` with all its arguments, through its typed method.
#[allow(deprecated)]
pub async fn call(client: &Client, id: &str, arguments: &Arguments) -> Result<serde_json::Value, Error> {
    match id {
        "ListMarginFcmApiKeys" => {
            let response = client
                .list_margin_fcm_api_keys()
                .fcm_subtrader_id(arguments.get::<String>("fcm_subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginFcmApiKey" => {
            let response = client
                .create_margin_fcm_api_key()
                .body(arguments.get::<types::CreateMarginFcmApiKeyRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GenerateMarginFcmApiKey" => {
            let response = client
                .generate_margin_fcm_api_key()
                .body(arguments.get::<types::GenerateMarginFcmApiKeyRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteMarginFcmApiKey" => {
            let response = client
                .delete_margin_fcm_api_key()
                .api_key_id(arguments.get::<kalshi_core::Id>("api_key_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginSubtraderGroups" => {
            let response = client
                .get_margin_subtrader_groups()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarginSubtraderGroup" => {
            let response = client
                .create_margin_subtrader_group()
                .body(arguments.get::<types::CreateMarginSubtraderGroupRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteMarginSubtraderGroup" => {
            let response = client
                .delete_margin_subtrader_group()
                .group_id(arguments.get::<kalshi_core::Id>("group_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateMarginSubtraderGroup" => {
            let response = client
                .update_margin_subtrader_group()
                .group_id(arguments.get::<kalshi_core::Id>("group_id"))
                .body(arguments.get::<types::UpdateMarginSubtraderGroupRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetActiveMarginObligations" => {
            let response = client
                .get_active_margin_obligations()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "EstimatePortfolioMaintenanceMargin" => {
            let response = client
                .estimate_portfolio_maintenance_margin()
                .body(arguments.get::<types::EstimatePortfolioMaintenanceMarginRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMaintenanceMarginMetadata" => {
            let response = client
                .get_maintenance_margin_metadata()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .date(arguments.get::<::chrono::naive::NaiveDate>("date"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFundingEstimateByAssetClass" => {
            let response = client
                .get_funding_estimate_by_asset_class()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMemberFundingPayments" => {
            let response = client
                .get_member_funding_payments()
                .cursor(arguments.get::<String>("cursor"))
                .funding_time(arguments.get::<::chrono::DateTime<::chrono::offset::Utc>>("funding_time"))
                .limit(arguments.get::<i64>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginFundingSchedule" => {
            let response = client
                .get_margin_funding_schedule()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetGuarantyFundBalance" => {
            let response = client
                .get_guaranty_fund_balance()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetLargeTraderPositions" => {
            let response = client
                .get_large_trader_positions()
                .report_date(arguments.get::<::chrono::naive::NaiveDate>("report_date"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetObligationHistory" => {
            let response = client
                .get_obligation_history()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetObligationCorporateActionPayments" => {
            let response = client
                .get_obligation_corporate_action_payments()
                .obligation_id(arguments.get::<kalshi_core::Id>("obligation_id"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetObligationFundingPayments" => {
            let response = client
                .get_obligation_funding_payments()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetObligationMaintenanceMarginDetails" => {
            let response = client
                .get_obligation_maintenance_margin_details()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetObligationSettlementDetails" => {
            let response = client
                .get_obligation_settlement_details()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarginReports" => {
            let response = client
                .get_margin_reports()
                .end_date(arguments.get::<::chrono::naive::NaiveDate>("end_date"))
                .start_date(arguments.get::<::chrono::naive::NaiveDate>("start_date"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlementBalance" => {
            let response = client
                .get_settlement_balance()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlementBalanceHistory" => {
            let response = client
                .get_settlement_balance_history()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlementBalanceWithdrawal" => {
            let response = client
                .get_settlement_balance_withdrawal()
                .id(arguments.get::<String>("id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlementEstimateByAssetClass" => {
            let response = client
                .get_settlement_estimate_by_asset_class()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlementPrices" => {
            let response = client
                .get_settlement_prices()
                .asset_class(arguments.get::<types::AssetClass>("asset_class"))
                .settlement_time(arguments.get::<::chrono::DateTime<::chrono::offset::Utc>>("settlement_time"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "WithdrawSettlementBalance" => {
            let response = client
                .withdraw_settlement_balance()
                .body(arguments.get::<types::WithdrawSettlementBalanceRequest>("body"))
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
        "GetMemberFundingPayments" => {
            let mut pages = client
                .get_member_funding_payments()
                .funding_time(arguments.get::<::chrono::DateTime<::chrono::offset::Utc>>("funding_time"))
                .limit(arguments.get::<i64>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetObligationHistory" => {
            let mut pages = client
                .get_obligation_history()
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetObligationCorporateActionPayments" => {
            let mut pages = client
                .get_obligation_corporate_action_payments()
                .obligation_id(arguments.get::<kalshi_core::Id>("obligation_id"))
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetObligationFundingPayments" => {
            let mut pages = client
                .get_obligation_funding_payments()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetObligationMaintenanceMarginDetails" => {
            let mut pages = client
                .get_obligation_maintenance_margin_details()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetObligationSettlementDetails" => {
            let mut pages = client
                .get_obligation_settlement_details()
                .obligation_id(arguments.get::<String>("obligation_id"))
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetSettlementBalanceHistory" => {
            let mut pages = client
                .get_settlement_balance_history()
                .limit(arguments.get::<i64>("limit"))
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
