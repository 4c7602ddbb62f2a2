/// Sends the operation `id` with all its arguments, through its typed method.
#[allow(deprecated)]
pub async fn call(client: &Client, id: &str, arguments: &Arguments) -> Result<serde_json::Value, Error> {
    match id {
        "UpgradeAccountApiUsageLevel" => {
            let response = client
                .upgrade_account_api_usage_level()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetAccountApiUsageLevelVolumeProgress" => {
            let response = client
                .get_account_api_usage_level_volume_progress()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetAccountEndpointCosts" => {
            let response = client
                .get_account_endpoint_costs()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetAccountApiLimits" => {
            let response = client
                .get_account_api_limits()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetApiKeys" => {
            let response = client
                .get_api_keys()
                .fcm_subtrader_id(arguments.get::<String>("fcm_subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateApiKey" => {
            let response = client
                .create_api_key()
                .body(arguments.get::<types::CreateApiKeyRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GenerateApiKey" => {
            let response = client
                .generate_api_key()
                .body(arguments.get::<types::GenerateApiKeyRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteApiKey" => {
            let response = client
                .delete_api_key()
                .api_key(arguments.get::<String>("api_key"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetBlockTradeProposals" => {
            let response = client
                .get_block_trade_proposals()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i32>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .status(arguments.get::<String>("status"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ProposeBlockTrade" => {
            let response = client
                .propose_block_trade()
                .body(arguments.get::<types::ProposeBlockTradeRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AcceptBlockTradeProposal" => {
            let response = client
                .accept_block_trade_proposal()
                .block_trade_proposal_id(arguments.get::<String>("block_trade_proposal_id"))
                .body(arguments.get::<types::AcceptBlockTradeProposalRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetCommunicationsID" => {
            let response = client
                .get_communications_id()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetQuotes" => {
            let response = client
                .get_quotes()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i32>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .quote_creator_user_id(arguments.get::<String>("quote_creator_user_id"))
                .rfq_creator_subtrader_id(arguments.get::<String>("rfq_creator_subtrader_id"))
                .rfq_creator_user_id(arguments.get::<String>("rfq_creator_user_id"))
                .rfq_id(arguments.get::<String>("rfq_id"))
                .rfq_user_filter(arguments.get::<types::UserFilter>("rfq_user_filter"))
                .status(arguments.get::<types::QuoteStatus>("status"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateQuote" => {
            let response = client
                .create_quote()
                .body(arguments.get::<types::CreateQuoteRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteQuote" => {
            let response = client
                .delete_quote()
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetQuote" => {
            let response = client
                .get_quote()
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AcceptQuote" => {
            let response = client
                .accept_quote()
                .quote_id(arguments.get::<String>("quote_id"))
                .body(arguments.get::<types::AcceptQuoteRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ConfirmQuote" => {
            let response = client
                .confirm_quote()
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQBatches" => {
            let response = client
                .get_rfq_batches()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i32>("limit"))
                .status(arguments.get::<types::RfqBatchStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateRFQBatch" => {
            let response = client
                .create_rfq_batch()
                .body(arguments.get::<types::CreateRfqBatchRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteRFQBatch" => {
            let response = client
                .delete_rfq_batch()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQBatch" => {
            let response = client
                .get_rfq_batch()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AcceptRFQBatch" => {
            let response = client
                .accept_rfq_batch()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .body(arguments.get::<types::AcceptRfqBatchRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQBatchBestQuotes" => {
            let response = client
                .get_rfq_batch_best_quotes()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQBatchQuotes" => {
            let response = client
                .get_rfq_batch_quotes()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateRFQBatchQuote" => {
            let response = client
                .create_rfq_batch_quote()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .body(arguments.get::<types::CreateRfqBatchQuoteRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteRFQBatchQuote" => {
            let response = client
                .delete_rfq_batch_quote()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .batch_quote_id(arguments.get::<String>("batch_quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ConfirmRFQBatchQuote" => {
            let response = client
                .confirm_rfq_batch_quote()
                .rfq_batch_id(arguments.get::<String>("rfq_batch_id"))
                .batch_quote_id(arguments.get::<String>("batch_quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQs" => {
            let response = client
                .get_rfqs()
                .creator_user_id(arguments.get::<String>("creator_user_id"))
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i32>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .status(arguments.get::<types::RfqStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateRFQ" => {
            let response = client
                .create_rfq()
                .body(arguments.get::<types::CreateRfqRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteRFQ" => {
            let response = client
                .delete_rfq()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQ" => {
            let response = client
                .get_rfq()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteRFQQuote" => {
            let response = client
                .delete_rfq_quote()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetRFQQuote" => {
            let response = client
                .get_rfq_quote()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AcceptRFQQuote" => {
            let response = client
                .accept_rfq_quote()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .quote_id(arguments.get::<String>("quote_id"))
                .body(arguments.get::<types::AcceptQuoteRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ConfirmRFQQuote" => {
            let response = client
                .confirm_rfq_quote()
                .rfq_id(arguments.get::<String>("rfq_id"))
                .quote_id(arguments.get::<String>("quote_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEvents" => {
            let response = client
                .get_events()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .min_close_ts(arguments.get::<i64>("min_close_ts"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::GetEventsStatus>("status"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .with_milestones(arguments.get::<bool>("with_milestones"))
                .with_nested_markets(arguments.get::<bool>("with_nested_markets"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEventFeeChanges" => {
            let response = client
                .get_event_fee_changes()
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMultivariateEvents" => {
            let response = client
                .get_multivariate_events()
                .collection_ticker(arguments.get::<String>("collection_ticker"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .with_nested_markets(arguments.get::<bool>("with_nested_markets"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEvent" => {
            let response = client
                .get_event()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .exclude_markets(arguments.get::<bool>("exclude_markets"))
                .with_nested_markets(arguments.get::<bool>("with_nested_markets"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEventMetadata" => {
            let response = client
                .get_event_metadata()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetExchangeSchedule" => {
            let response = client
                .get_exchange_schedule()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetExchangeStatus" => {
            let response = client
                .get_exchange_status()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetUserDataTimestamp" => {
            let response = client
                .get_user_data_timestamp()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMFills" => {
            let response = client
                .get_fcm_fills()
                .cursor(arguments.get::<String>("cursor"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMOrders" => {
            let response = client
                .get_fcm_orders()
                .client_order_ids(arguments.get::<Vec<String>>("client_order_ids"))
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::OrderStatus>("status"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMPositions" => {
            let response = client
                .get_fcm_positions()
                .count_filter(arguments.get::<Vec<types::PositionCountFilter>>("count_filter"))
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .settlement_status(arguments.get::<types::SettlementStatus>("settlement_status"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateFCMPositionTransfer" => {
            let response = client
                .create_fcm_position_transfer()
                .body(arguments.get::<types::CreateFcmPositionTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ListFCMSubtraders" => {
            let response = client
                .list_fcm_subtraders()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateFCMSubtrader" => {
            let response = client
                .create_fcm_subtrader()
                .body(arguments.get::<types::CreateFcmSubtraderRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMSubtraderBlockedCategories" => {
            let response = client
                .get_fcm_subtrader_blocked_categories()
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateFCMSubtraderBlockedCategories" => {
            let response = client
                .update_fcm_subtrader_blocked_categories()
                .body(arguments.get::<types::UpdateFcmSubtraderBlockedCategoriesRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteFCMEventContractDailyCap" => {
            let response = client
                .delete_fcm_event_contract_daily_cap()
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFCMEventContractDailyCap" => {
            let response = client
                .get_fcm_event_contract_daily_cap()
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateFCMEventContractDailyCap" => {
            let response = client
                .update_fcm_event_contract_daily_cap()
                .body(arguments.get::<types::UpdateFcmEventContractDailyCapRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetHistoricalCutoff" => {
            let response = client
                .get_historical_cutoff()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFillsHistorical" => {
            let response = client
                .get_fills_historical()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetHistoricalMarkets" => {
            let response = client
                .get_historical_markets()
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .mve_filter(arguments.get::<types::MveHistoricalFilterQuery>("mve_filter"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetHistoricalMarket" => {
            let response = client
                .get_historical_market()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarketCandlesticksHistorical" => {
            let response = client
                .get_market_candlesticks_historical()
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .period_interval(arguments.get::<i64>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetHistoricalOrders" => {
            let response = client
                .get_historical_orders()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetHistoricalPositions" => {
            let response = client
                .get_historical_positions()
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetTradesHistorical" => {
            let response = client
                .get_trades_historical()
                .cursor(arguments.get::<String>("cursor"))
                .is_block_trade(arguments.get::<bool>("is_block_trade"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetIncentivePrograms" => {
            let response = client
                .get_incentive_programs()
                .cursor(arguments.get::<String>("cursor"))
                .incentive_description(arguments.get::<String>("incentive_description"))
                .limit(arguments.get::<i64>("limit"))
                .status(arguments.get::<types::GetIncentiveProgramsStatus>("status"))
                .type_(arguments.get::<types::GetIncentiveProgramsType>("type"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetLiveDatas" => {
            let response = client
                .get_live_datas()
                .include_player_stats(arguments.get::<bool>("include_player_stats"))
                .milestone_ids(arguments.get::<Vec<String>>("milestone_ids"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEventLiveData" => {
            let response = client
                .get_event_live_data()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .range(arguments.get::<String>("range"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetLiveDataByMilestone" => {
            let response = client
                .get_live_data_by_milestone()
                .milestone_id(arguments.get::<String>("milestone_id"))
                .include_player_stats(arguments.get::<bool>("include_player_stats"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetGameStats" => {
            let response = client
                .get_game_stats()
                .milestone_id(arguments.get::<String>("milestone_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetWeatherIndex" => {
            let response = client
                .get_weather_index()
                .city(arguments.get::<String>("city"))
                .detailed(arguments.get::<bool>("detailed"))
                .from(arguments.get::<i64>("from"))
                .last_sec(arguments.get::<i64>("last_sec"))
                .to(arguments.get::<i64>("to"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetWeatherIndexCalibrations" => {
            let response = client
                .get_weather_index_calibrations()
                .city(arguments.get::<String>("city"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetLiveData" => {
            let response = client
                .get_live_data()
                .type_(arguments.get::<String>("type"))
                .milestone_id(arguments.get::<String>("milestone_id"))
                .include_player_stats(arguments.get::<bool>("include_player_stats"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarkets" => {
            let response = client
                .get_markets()
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_close_ts(arguments.get::<i64>("max_close_ts"))
                .max_created_ts(arguments.get::<i64>("max_created_ts"))
                .max_settled_ts(arguments.get::<i64>("max_settled_ts"))
                .max_updated_ts(arguments.get::<i64>("max_updated_ts"))
                .min_close_ts(arguments.get::<i64>("min_close_ts"))
                .min_created_ts(arguments.get::<i64>("min_created_ts"))
                .min_settled_ts(arguments.get::<i64>("min_settled_ts"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .mve_filter(arguments.get::<types::MveFilterQuery>("mve_filter"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::MarketStatusQuery>("status"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "BatchGetMarketCandlesticks" => {
            let response = client
                .batch_get_market_candlesticks()
                .end_ts(arguments.get::<i64>("end_ts"))
                .include_latest_before_start(arguments.get::<bool>("include_latest_before_start"))
                .market_tickers(arguments.get::<Vec<String>>("market_tickers"))
                .period_interval(arguments.get::<i32>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarketOrderbooks" => {
            let response = client
                .get_market_orderbooks()
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetTrades" => {
            let response = client
                .get_trades()
                .cursor(arguments.get::<String>("cursor"))
                .is_block_trade(arguments.get::<bool>("is_block_trade"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarket" => {
            let response = client
                .get_market()
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarketOrderbook" => {
            let response = client
                .get_market_orderbook()
                .ticker(arguments.get::<String>("ticker"))
                .depth(arguments.get::<i64>("depth"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMilestones" => {
            let response = client
                .get_milestones()
                .category(arguments.get::<String>("category"))
                .competition(arguments.get::<String>("competition"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .minimum_start_date(arguments.get::<::chrono::DateTime<::chrono::offset::Utc>>("minimum_start_date"))
                .related_event_ticker(arguments.get::<String>("related_event_ticker"))
                .source_id(arguments.get::<String>("source_id"))
                .type_(arguments.get::<String>("type"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMilestone" => {
            let response = client
                .get_milestone()
                .milestone_id(arguments.get::<String>("milestone_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMultivariateEventCollections" => {
            let response = client
                .get_multivariate_event_collections()
                .associated_event_ticker(arguments.get::<String>("associated_event_ticker"))
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i32>("limit"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::GetMultivariateEventCollectionsStatus>("status"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMultivariateEventCollection" => {
            let response = client
                .get_multivariate_event_collection()
                .collection_ticker(arguments.get::<String>("collection_ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateMarketInMultivariateEventCollection" => {
            let response = client
                .create_market_in_multivariate_event_collection()
                .collection_ticker(arguments.get::<String>("collection_ticker"))
                .body(arguments.get::<types::CreateMarketInMultivariateEventCollectionRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetBalance" => {
            let response = client
                .get_balance()
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetDeposits" => {
            let response = client
                .get_deposits()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CancelAllOrders" => {
            let response = client
                .cancel_all_orders()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateOrderV2" => {
            let response = client
                .create_order_v2()
                .body(arguments.get::<types::CreateOrderV2Request>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "BatchCancelOrdersV2" => {
            let response = client
                .batch_cancel_orders_v2()
                .body(arguments.get::<types::BatchCancelOrdersV2Request>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "BatchCreateOrdersV2" => {
            let response = client
                .batch_create_orders_v2()
                .body(arguments.get::<types::BatchCreateOrdersV2Request>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CancelOrderV2" => {
            let response = client
                .cancel_order_v2()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "AmendOrderV2" => {
            let response = client
                .amend_order_v2()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::AmendOrderV2Request>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DecreaseOrderV2" => {
            let response = client
                .decrease_order_v2()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::DecreaseOrderV2Request>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFills" => {
            let response = client
                .get_fills()
                .cursor(arguments.get::<String>("cursor"))
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .tickers(arguments.get::<Vec<String>>("ticker"))
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
        "GetIntraExchangeInstanceTransfers" => {
            let response = client
                .get_intra_exchange_instance_transfers()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetIntraExchangeInstanceTransfer" => {
            let response = client
                .get_intra_exchange_instance_transfer()
                .transfer_id(arguments.get::<String>("transfer_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrderGroups" => {
            let response = client
                .get_order_groups()
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateOrderGroup" => {
            let response = client
                .create_order_group()
                .body(arguments.get::<types::CreateOrderGroupRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "DeleteOrderGroup" => {
            let response = client
                .delete_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrderGroup" => {
            let response = client
                .get_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateOrderGroupLimit" => {
            let response = client
                .update_order_group_limit()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .body(arguments.get::<types::UpdateOrderGroupLimitRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ResetOrderGroup" => {
            let response = client
                .reset_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "TriggerOrderGroup" => {
            let response = client
                .trigger_order_group()
                .order_group_id(arguments.get::<kalshi_core::OrderGroupId>("order_group_id"))
                .exchange_index(arguments.get::<types::ExchangeIndex>("exchange_index"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrders" => {
            let response = client
                .get_orders()
                .cursor(arguments.get::<String>("cursor"))
                .event_tickers(arguments.get::<Vec<String>>("event_ticker"))
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::OrderStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrderQueuePositions" => {
            let response = client
                .get_order_queue_positions()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .market_tickers(arguments.get::<Vec<String>>("market_tickers"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrder" => {
            let response = client
                .get_order()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetOrderQueuePosition" => {
            let response = client
                .get_order_queue_position()
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetPositions" => {
            let response = client
                .get_positions()
                .count_filter(arguments.get::<Vec<types::PositionCountFilter>>("count_filter"))
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i32>("limit"))
                .settlement_status(arguments.get::<types::SettlementStatus>("settlement_status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSettlements" => {
            let response = client
                .get_settlements()
                .cursor(arguments.get::<String>("cursor"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "CreateSubaccount" => {
            let response = client
                .create_subaccount()
                .body(arguments.get::<types::CreateSubaccountRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSubaccountBalances" => {
            let response = client
                .get_subaccount_balances()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSubaccountNetting" => {
            let response = client
                .get_subaccount_netting()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "UpdateSubaccountNetting" => {
            let response = client
                .update_subaccount_netting()
                .body(arguments.get::<types::UpdateSubaccountNettingRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "ApplySubaccountTransfer" => {
            let response = client
                .apply_subaccount_transfer()
                .body(arguments.get::<types::ApplySubaccountTransferRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSubaccountTransfers" => {
            let response = client
                .get_subaccount_transfers()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetPortfolioRestingOrderTotalValue" => {
            let response = client
                .get_portfolio_resting_order_total_value()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetTargetBalanceAllocation" => {
            let response = client
                .get_target_balance_allocation()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "SetTargetBalanceAllocation" => {
            let response = client
                .set_target_balance_allocation()
                .body(arguments.get::<types::SetTargetBalanceAllocationRequest>("body"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetWithdrawals" => {
            let response = client
                .get_withdrawals()
                .cursor(arguments.get::<String>("cursor"))
                .limit(arguments.get::<i64>("limit"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetFiltersForSports" => {
            let response = client
                .get_filters_for_sports()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetTagsForSeriesCategories" => {
            let response = client
                .get_tags_for_series_categories()
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSeriesList" => {
            let response = client
                .get_series_list()
                .category(arguments.get::<String>("category"))
                .include_product_metadata(arguments.get::<bool>("include_product_metadata"))
                .include_volume(arguments.get::<bool>("include_volume"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .tags(arguments.get::<String>("tags"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSeriesFeeChanges" => {
            let response = client
                .get_series_fee_changes()
                .series_ticker(arguments.get::<String>("series_ticker"))
                .show_historical(arguments.get::<bool>("show_historical"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetSeries" => {
            let response = client
                .get_series()
                .series_ticker(arguments.get::<String>("series_ticker"))
                .include_volume(arguments.get::<bool>("include_volume"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarketCandlesticksByEvent" => {
            let response = client
                .get_market_candlesticks_by_event()
                .series_ticker(arguments.get::<String>("series_ticker"))
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .period_interval(arguments.get::<i32>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetEventForecastPercentilesHistory" => {
            let response = client
                .get_event_forecast_percentiles_history()
                .series_ticker(arguments.get::<String>("series_ticker"))
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .percentiles(arguments.get::<Vec<i32>>("percentiles"))
                .period_interval(arguments.get::<i32>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetMarketCandlesticks" => {
            let response = client
                .get_market_candlesticks()
                .series_ticker(arguments.get::<String>("series_ticker"))
                .ticker(arguments.get::<String>("ticker"))
                .end_ts(arguments.get::<i64>("end_ts"))
                .include_latest_before_start(arguments.get::<bool>("include_latest_before_start"))
                .period_interval(arguments.get::<i64>("period_interval"))
                .start_ts(arguments.get::<i64>("start_ts"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetStructuredTargets" => {
            let response = client
                .get_structured_targets()
                .competition(arguments.get::<String>("competition"))
                .cursor(arguments.get::<String>("cursor"))
                .ids(arguments.get::<Vec<String>>("ids"))
                .page_size(arguments.get::<i32>("page_size"))
                .type_(arguments.get::<String>("type"))
                .send()
                .await?;
            Ok(serialized(&*response))
        }
        "GetStructuredTarget" => {
            let response = client
                .get_structured_target()
                .structured_target_id(arguments.get::<String>("structured_target_id"))
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
        "GetBlockTradeProposals" => {
            let mut pages = client
                .get_block_trade_proposals()
                .limit(arguments.get::<i32>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .status(arguments.get::<String>("status"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetQuotes" => {
            let mut pages = client
                .get_quotes()
                .limit(arguments.get::<i32>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .quote_creator_user_id(arguments.get::<String>("quote_creator_user_id"))
                .rfq_creator_subtrader_id(arguments.get::<String>("rfq_creator_subtrader_id"))
                .rfq_creator_user_id(arguments.get::<String>("rfq_creator_user_id"))
                .rfq_id(arguments.get::<String>("rfq_id"))
                .rfq_user_filter(arguments.get::<types::UserFilter>("rfq_user_filter"))
                .status(arguments.get::<types::QuoteStatus>("status"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetRFQBatches" => {
            let mut pages = client
                .get_rfq_batches()
                .limit(arguments.get::<i32>("limit"))
                .status(arguments.get::<types::RfqBatchStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetRFQs" => {
            let mut pages = client
                .get_rfqs()
                .creator_user_id(arguments.get::<String>("creator_user_id"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i32>("limit"))
                .market_ticker(arguments.get::<String>("market_ticker"))
                .status(arguments.get::<types::RfqStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .user_filter(arguments.get::<types::UserFilter>("user_filter"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetEvents" => {
            let mut pages = client
                .get_events()
                .limit(arguments.get::<i64>("limit"))
                .min_close_ts(arguments.get::<i64>("min_close_ts"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::GetEventsStatus>("status"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .with_milestones(arguments.get::<bool>("with_milestones"))
                .with_nested_markets(arguments.get::<bool>("with_nested_markets"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetEventFeeChanges" => {
            let mut pages = client
                .get_event_fee_changes()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetMultivariateEvents" => {
            let mut pages = client
                .get_multivariate_events()
                .collection_ticker(arguments.get::<String>("collection_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .with_nested_markets(arguments.get::<bool>("with_nested_markets"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetFCMFills" => {
            let mut pages = client
                .get_fcm_fills()
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetFCMOrders" => {
            let mut pages = client
                .get_fcm_orders()
                .client_order_ids(arguments.get::<Vec<String>>("client_order_ids"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::OrderStatus>("status"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetFCMPositions" => {
            let mut pages = client
                .get_fcm_positions()
                .count_filter(arguments.get::<Vec<types::PositionCountFilter>>("count_filter"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .settlement_status(arguments.get::<types::SettlementStatus>("settlement_status"))
                .subtrader_id(arguments.get::<String>("subtrader_id"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetFillsHistorical" => {
            let mut pages = client
                .get_fills_historical()
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetHistoricalMarkets" => {
            let mut pages = client
                .get_historical_markets()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .mve_filter(arguments.get::<types::MveHistoricalFilterQuery>("mve_filter"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetHistoricalOrders" => {
            let mut pages = client
                .get_historical_orders()
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetHistoricalPositions" => {
            let mut pages = client
                .get_historical_positions()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetTradesHistorical" => {
            let mut pages = client
                .get_trades_historical()
                .is_block_trade(arguments.get::<bool>("is_block_trade"))
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
        "GetIncentivePrograms" => {
            let mut pages = client
                .get_incentive_programs()
                .incentive_description(arguments.get::<String>("incentive_description"))
                .limit(arguments.get::<i64>("limit"))
                .status(arguments.get::<types::GetIncentiveProgramsStatus>("status"))
                .type_(arguments.get::<types::GetIncentiveProgramsType>("type"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetMarkets" => {
            let mut pages = client
                .get_markets()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_close_ts(arguments.get::<i64>("max_close_ts"))
                .max_created_ts(arguments.get::<i64>("max_created_ts"))
                .max_settled_ts(arguments.get::<i64>("max_settled_ts"))
                .max_updated_ts(arguments.get::<i64>("max_updated_ts"))
                .min_close_ts(arguments.get::<i64>("min_close_ts"))
                .min_created_ts(arguments.get::<i64>("min_created_ts"))
                .min_settled_ts(arguments.get::<i64>("min_settled_ts"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .mve_filter(arguments.get::<types::MveFilterQuery>("mve_filter"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::MarketStatusQuery>("status"))
                .tickers(arguments.get::<Vec<String>>("tickers"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetTrades" => {
            let mut pages = client
                .get_trades()
                .is_block_trade(arguments.get::<bool>("is_block_trade"))
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
        "GetMilestones" => {
            let mut pages = client
                .get_milestones()
                .category(arguments.get::<String>("category"))
                .competition(arguments.get::<String>("competition"))
                .limit(arguments.get::<i64>("limit"))
                .min_updated_ts(arguments.get::<i64>("min_updated_ts"))
                .minimum_start_date(arguments.get::<::chrono::DateTime<::chrono::offset::Utc>>("minimum_start_date"))
                .related_event_ticker(arguments.get::<String>("related_event_ticker"))
                .source_id(arguments.get::<String>("source_id"))
                .type_(arguments.get::<String>("type"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetMultivariateEventCollections" => {
            let mut pages = client
                .get_multivariate_event_collections()
                .associated_event_ticker(arguments.get::<String>("associated_event_ticker"))
                .limit(arguments.get::<i32>("limit"))
                .series_ticker(arguments.get::<String>("series_ticker"))
                .status(arguments.get::<types::GetMultivariateEventCollectionsStatus>("status"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetDeposits" => {
            let mut pages = client
                .get_deposits()
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetFills" => {
            let mut pages = client
                .get_fills()
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .order_id(arguments.get::<kalshi_core::OrderId>("order_id"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .tickers(arguments.get::<Vec<String>>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetIntraExchangeInstanceTransfers" => {
            let mut pages = client
                .get_intra_exchange_instance_transfers()
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetOrders" => {
            let mut pages = client
                .get_orders()
                .event_tickers(arguments.get::<Vec<String>>("event_ticker"))
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .status(arguments.get::<types::OrderStatus>("status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetPositions" => {
            let mut pages = client
                .get_positions()
                .count_filter(arguments.get::<Vec<types::PositionCountFilter>>("count_filter"))
                .event_ticker(arguments.get::<String>("event_ticker"))
                .exchange_index(arguments.get::<i32>("exchange_index"))
                .limit(arguments.get::<i32>("limit"))
                .settlement_status(arguments.get::<types::SettlementStatus>("settlement_status"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetSettlements" => {
            let mut pages = client
                .get_settlements()
                .event_ticker(arguments.get::<String>("event_ticker"))
                .limit(arguments.get::<i64>("limit"))
                .max_ts(arguments.get::<i64>("max_ts"))
                .min_ts(arguments.get::<i64>("min_ts"))
                .subaccount(arguments.get::<kalshi_core::SubaccountNumber>("subaccount"))
                .ticker(arguments.get::<String>("ticker"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetSubaccountTransfers" => {
            let mut pages = client
                .get_subaccount_transfers()
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetWithdrawals" => {
            let mut pages = client
                .get_withdrawals()
                .limit(arguments.get::<i64>("limit"))
                .by_page();
            let mut count = 0;
            while next(&mut pages).await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
        "GetStructuredTargets" => {
            let mut pages = client
                .get_structured_targets()
                .competition(arguments.get::<String>("competition"))
                .ids(arguments.get::<Vec<String>>("ids"))
                .page_size(arguments.get::<i32>("page_size"))
                .type_(arguments.get::<String>("type"))
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
