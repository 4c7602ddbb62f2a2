//! Every operation of the margin API, called through the generated client.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use kalshi_mock::MockExchange;
use kalshi_perps::{Client, OrderId, operation, types};
use kalshi_sdk::limits::RateLimits;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::common::{Raw, dollars, now_ms, send};

const TICKER: &str = "KXBTCPERP";
const UUID: &str = "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001";

/// Returns a request body from JSON.
fn body<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn start() -> (MockExchange, Client) {
    let exchange = MockExchange::builder()
        .without_limits()
        .start()
        .await
        .unwrap();
    let client = exchange
        .perps_client_builder()
        .unwrap()
        .rate_limits(RateLimits::Unlimited)
        .build()
        .unwrap();
    (exchange, client)
}

fn order(id: &str, price: &str) -> types::CreateMarginOrderRequest {
    body(json!({
        "ticker": TICKER, "client_order_id": id, "side": "bid", "count": "3.00", "price": price,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    }))
}

/// Creates an order and returns its id.
async fn create(client: &Client, id: &str, price: &str) -> OrderId {
    let created = client.create_margin_order().body(order(id, price)).send();
    created.await.unwrap().order_id.clone()
}

async fn read_markets(client: &Client, now: i64) {
    let markets = client.get_margin_markets().send().await.unwrap();
    assert!(markets.markets.len() >= 3);
    let market = client.get_margin_market().ticker(TICKER);
    assert_eq!(market.send().await.unwrap().market.ticker, TICKER);
    let book = client.get_margin_market_orderbook().ticker(TICKER).depth(5);
    assert_eq!(book.send().await.unwrap().orderbook.bids.len(), 5);
    let tickers = vec![TICKER.to_owned()];
    let books = client.get_margin_market_orderbooks().tickers(tickers);
    assert_eq!(books.send().await.unwrap().orderbooks.len(), 1);
    let trades = client.get_margin_trades().ticker(TICKER).limit(10);
    assert_eq!(trades.send().await.unwrap().trades.len(), 10);
    let candles = client
        .get_margin_market_candlesticks()
        .ticker(TICKER)
        .start_ts(now - 24 * 3600)
        .end_ts(now)
        .period_interval(60);
    assert!(candles.send().await.unwrap().candlesticks.len() > 20);
    let rates = client.get_margin_historical_funding_rates().ticker(TICKER);
    assert_eq!(rates.send().await.unwrap().funding_rates.len(), 90);
    let estimate = client.get_margin_funding_rate_estimate().ticker(TICKER);
    estimate.send().await.unwrap();
    let premium = client
        .get_margin_premium_index()
        .ticker(TICKER)
        .start_ts(now - 60)
        .end_ts(now);
    assert_eq!(premium.send().await.unwrap().points.len(), 61);
    client.get_margin_corporate_actions().send().await.unwrap();
    client.get_margin_exchange_status().send().await.unwrap();
    client.get_margin_risk_parameters().send().await.unwrap();
}

async fn trade(client: &Client) {
    let id = create(client, "a", "5.9000").await;
    client
        .amend_margin_order()
        .order_id(id.clone())
        .body(body::<types::AmendMarginOrderRequest>(json!({
            "ticker": TICKER, "side": "bid", "price": "5.9100", "count": "2.00",
        })))
        .send()
        .await
        .unwrap();
    client
        .decrease_margin_order()
        .order_id(id.clone())
        .body(body::<types::DecreaseMarginOrderRequest>(
            json!({ "reduce_by": "1.00" }),
        ))
        .send()
        .await
        .unwrap();
    let read = client.get_margin_order().order_id(id.clone());
    assert_eq!(read.send().await.unwrap().order.client_order_id, "a");
    client
        .cancel_margin_order()
        .order_id(id)
        .send()
        .await
        .unwrap();
    create(client, "b", "5.9000").await;
    client.cancel_all_margin_orders().send().await.unwrap();
    // This order crosses the book.
    create(client, "c", "6.5000").await;
    let orders = client.get_margin_orders().send().await.unwrap();
    assert_eq!(orders.orders.len(), 3);
    let fills = client.get_margin_fills().send().await.unwrap();
    assert!(!fills.fills.is_empty());
    let positions = client.get_margin_positions().send().await.unwrap();
    assert_eq!(positions.positions.len(), 1);
}

async fn use_groups(client: &Client) {
    let created = client
        .create_margin_order_group()
        .body(body::<types::CreateOrderGroupRequest>(
            json!({ "contracts_limit": 10 }),
        ))
        .send()
        .await
        .unwrap();
    let id = || created.order_group_id.clone();
    client.get_margin_order_groups().send().await.unwrap();
    let group = client.get_margin_order_group().order_group_id(id());
    group.send().await.unwrap();
    client
        .update_margin_order_group_limit()
        .order_group_id(id())
        .body(body::<types::UpdateOrderGroupLimitRequest>(
            json!({ "contracts_limit": 12 }),
        ))
        .send()
        .await
        .unwrap();
    let trigger = client.trigger_margin_order_group().order_group_id(id());
    trigger.send().await.unwrap();
    let reset = client.reset_margin_order_group().order_group_id(id());
    reset.send().await.unwrap();
    let delete = client.delete_margin_order_group().order_group_id(id());
    delete.send().await.unwrap();
}

async fn read_account(client: &Client) {
    assert!(client.get_margin_enabled().send().await.unwrap().enabled);
    let balance = client.get_margin_balance().compute_available_balance(true);
    balance.send().await.unwrap();
    client.get_margin_risk().send().await.unwrap();
    client
        .get_margin_notional_risk_limit()
        .send()
        .await
        .unwrap();
    client.get_margin_fee_tiers().send().await.unwrap();
    client.get_margin_fee_tier_rates().send().await.unwrap();
    client.get_perps_account_api_limits().send().await.unwrap();
    let date = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    let history = client
        .get_margin_funding_history()
        .start_date(date(1))
        .end_date(date(30));
    history.send().await.unwrap();
    let created = client.create_margin_subaccount().send().await.unwrap();
    assert_eq!(i64::from(created.subaccount_number), 1);
    client
        .apply_margin_subaccount_transfer()
        .body(body::<types::ApplySubaccountTransferRequest>(json!({
            "client_transfer_id": UUID, "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 500,
        })))
        .send()
        .await
        .unwrap();
    client
        .intra_exchange_instance_transfer()
        .body(body::<types::IntraExchangeInstanceTransferRequest>(json!({
            "source": "event_contract", "destination": "margined", "amount": 10_000,
        })))
        .send()
        .await
        .unwrap();
}

async fn use_triggers(client: &Client) {
    let isolated = client
        .set_isolated_margin_exit_trigger()
        .ticker(TICKER)
        .body(body::<types::SetIsolatedExitTriggerRequest>(
            json!({ "stop_loss_price": "5.0000" }),
        ));
    isolated.send().await.unwrap();
    let list = client.get_isolated_margin_exit_triggers().ticker(TICKER);
    assert_eq!(list.send().await.unwrap().exit_triggers.len(), 1);
    let delete = client.delete_isolated_margin_exit_trigger().ticker(TICKER);
    delete.send().await.unwrap();
    let cross = client
        .set_cross_margin_exit_trigger()
        .ticker(TICKER)
        .body(body::<types::SetCrossExitTriggerRequest>(
            json!({ "take_profit_price": "9.0000" }),
        ));
    let id = cross.send().await.unwrap().id.clone();
    let update = client
        .update_cross_margin_exit_trigger()
        .ticker(TICKER)
        .trigger_id(id.to_string())
        .body(body::<types::UpdateExitTriggerRequest>(
            json!({ "take_profit_price": "9.5000" }),
        ));
    update.send().await.unwrap();
    let list = client.get_cross_margin_exit_triggers().ticker(TICKER);
    assert_eq!(list.send().await.unwrap().exit_triggers.len(), 1);
    client
        .delete_cross_margin_exit_trigger_by_id()
        .ticker(TICKER)
        .trigger_id(id.to_string())
        .send()
        .await
        .unwrap();
    let delete = client.delete_cross_margin_exit_trigger().ticker(TICKER);
    delete.send().await.unwrap();
    let list = client.get_cross_margin_exit_triggers().ticker(TICKER);
    assert!(list.send().await.unwrap().exit_triggers.is_empty());
}

async fn call_as_clearing_member(client: &Client) {
    let created = client
        .create_margin_fcm_subtrader()
        .body(body::<types::CreateMarginFcmSubtraderRequest>(
            json!({ "subtrader_suffix": "desk", "require_category_cap": false }),
        ))
        .send()
        .await
        .unwrap();
    assert!(created.subtrader_id.ends_with("_desk"));
    let controls = client
        .get_fcm_subtrader_risk_controls()
        .subtrader_id("u_desk");
    let controls = controls.send().await.unwrap();
    assert_eq!(controls.risk_controls[0].subtrader_id, "u_desk");
    client
        .update_fcm_subtrader_risk_controls()
        .body(body::<types::UpdateFcmSubtraderRiskControlsRequest>(
            json!({ "subtrader_id": "u_desk", "im_cap": "100.0000" }),
        ))
        .send()
        .await
        .unwrap();
    let delete = client
        .delete_fcm_subtrader_risk_controls()
        .subtrader_id("u_desk");
    delete.send().await.unwrap();
    client
        .update_fcm_notional_risk_limit()
        .body(body::<types::UpdateFcmNotionalRiskLimitRequest>(
            json!({ "notional_value_risk_limit": "100.0000" }),
        ))
        .send()
        .await
        .unwrap();
    let delete = client.delete_fcm_notional_risk_limit();
    delete.send().await.unwrap();
}

#[tokio::test]
async fn every_operation_succeeds_through_the_generated_client() {
    let (exchange, client) = start().await;
    let now = exchange.time().now().timestamp();
    read_markets(&client, now).await;
    trade(&client).await;
    use_groups(&client).await;
    read_account(&client).await;
    use_triggers(&client).await;
    call_as_clearing_member(&client).await;
    let requests = exchange.requests();
    let called: BTreeSet<&str> = requests
        .iter()
        .filter_map(|request| request.operation)
        .map(|operation| operation.id)
        .collect();
    let known: BTreeSet<&str> = operation::ALL
        .iter()
        .map(|operation| operation.id)
        .collect();
    assert_eq!(known.len(), 53);
    assert_eq!(called, known);
}

#[tokio::test]
async fn only_private_operations_require_a_signature() {
    let (exchange, _) = start().await;
    let raw = Raw::new(&exchange);
    for operation in operation::ALL.iter().filter(|one| one.auth) {
        let path = format!("/trade-api/v2{}", operation.path);
        let path = path.replace(['{', '}'], "");
        let request = raw.unsigned(operation.method.as_str(), &path);
        let (status, body) = send(request.json(&json!({}))).await;
        assert_eq!(status, 401, "{operation}: {body}");
        assert_eq!(body["error"]["code"], "token_authentication_failure");
    }
    for path in [
        "/margin/markets",
        "/margin/trades",
        "/margin/risk_parameters",
    ] {
        let request = raw.unsigned("GET", &format!("/trade-api/v2{path}"));
        assert_eq!(send(request).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn margin_requests_have_separate_token_buckets() {
    let exchange = MockExchange::builder()
        .time("2026-11-28T10:00:00Z".parse().unwrap())
        .margin_balance(dollars("100"))
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    let get = async |path: &str| send(raw.signed("GET", path, now_ms())).await.0;
    // The bucket has 400 tokens, and a computed balance costs 50.
    for _ in 0..8 {
        let path = "/margin/balance?compute_available_balance=true";
        let (path, query) = path.split_once('?').unwrap();
        let request = raw.signed("GET", path, now_ms());
        let (name, value) = query.split_once('=').unwrap();
        assert_eq!(send(request.query(&[(name, value)])).await.0, 200);
    }
    assert_eq!(get("/margin/positions").await, 429);
    assert_eq!(get("/portfolio/positions").await, 200);
}
