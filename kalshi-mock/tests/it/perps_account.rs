//! Margin accounts: balances, margin, profit, funding, transfers and access.

use std::time::Duration;

use kalshi_mock::MockExchange;
use serde_json::{Value, json};

use crate::common::{Raw, dollars, now_ms, send};

const TICKER: &str = "KXTESTPERP";

async fn start() -> (MockExchange, Raw) {
    let exchange = MockExchange::builder()
        .without_limits()
        .without_markets()
        .time("2026-11-28T10:00:00Z".parse().unwrap())
        .margin_balance(dollars("50.05"))
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    (exchange, raw)
}

async fn buy(raw: &Raw, id: &str, price: &str, count: &str) {
    place(raw, id, ("bid", price, count)).await;
}

async fn place(raw: &Raw, id: &str, order: (&str, &str, &str)) -> Value {
    let (status, body) = try_place(raw, id, order).await;
    assert_eq!(status, 201, "{body}");
    body
}

async fn try_place(raw: &Raw, id: &str, (side, price, count): (&str, &str, &str)) -> (u16, Value) {
    let order = json!({
        "ticker": TICKER, "client_order_id": id, "side": side, "count": count, "price": price,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    });
    raw.call("POST", "/margin/orders", Some(order)).await
}

async fn get(raw: &Raw, path: &str, query: &[(&str, &str)]) -> Value {
    let request = raw.signed("GET", path, now_ms()).query(query);
    let (status, body) = send(request).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn balance(raw: &Raw) -> Value {
    let query = [("compute_available_balance", "true")];
    let body = get(raw, "/margin/balance", &query).await;
    let rows = body["subaccount_balances"].as_array().unwrap();
    let mut row = rows
        .iter()
        .find(|row| row["subaccount"] == 0)
        .unwrap()
        .clone();
    row["settled_funds"] = body["settled_funds"].clone();
    row
}

/// Expects the figures that were recorded for one long contract.
#[tokio::test]
async fn margin_figures_match_the_recorded_position() {
    let (exchange, raw) = start().await;
    let _ = exchange
        .margin_market(TICKER)
        .leverage(76_679)
        .fees(0, 0)
        .ask(dollars("6.3587"), 1)
        .mark(dollars("6.3329"));
    buy(&raw, "a", "6.3587", "1").await;
    assert_eq!(
        balance(&raw).await,
        json!({
            "subaccount": 0,
            "position_value": "6.3329",
            "account_equity": "50.0242",
            "maintenance_margin": "0.8259",
            "initial_margin": "1.0737",
            "resting_orders_margin": "0.0000",
            "available_balance": "48.9505",
            "settled_funds": "50.0500",
        })
    );
    let position = &get(&raw, "/margin/positions", &[]).await["positions"][0];
    assert_eq!(position["entry_price"], "6.3587");
    assert_eq!(position["unrealized_pnl"], "-0.0258");
    assert_eq!(position["margin_used"], "0.8259");
    assert!(position["roe"].to_string().starts_with("-3.123864"));
    let risk = get(&raw, "/margin/risk", &[]).await;
    assert_eq!(risk["account_leverage"].to_string(), "7.6678");
    assert_eq!(risk["total_maintenance_margin"], "0.8259");
    assert_eq!(risk["positions"][0]["position_notional"], "6.3329");
    // Without the parameter, the available balance is not computed.
    let body = get(&raw, "/margin/balance", &[]).await;
    assert_eq!(
        body["subaccount_balances"][0]["available_balance"],
        "0.0000"
    );
}

#[tokio::test]
async fn closing_realises_profit_in_both_directions() {
    let (exchange, raw) = start().await;
    let market = exchange.margin_market(TICKER).fees(0, 0);
    let _ = market.ask(dollars("6.0000"), 4);
    buy(&raw, "a", "6.0000", "4").await;
    let _ = market.bid(dollars("7.0000"), 6);
    // Closes four and opens two short.
    place(&raw, "b", ("ask", "7.0000", "6")).await;
    let fills = get(&raw, "/margin/fills", &[]).await;
    assert_eq!(fills["fills"][0]["realized_pnl"], "4.0000");
    assert_eq!(fills["fills"][0]["entry_price"], "6.0000");
    assert_eq!(balance(&raw).await["settled_funds"], "54.0500");
    let position = &get(&raw, "/margin/positions", &[]).await["positions"][0];
    assert_eq!(position["position"], "-2.00");
    assert_eq!(position["entry_price"], "7.0000");
    let _ = market.mark(dollars("6.5000"));
    let position = &get(&raw, "/margin/positions", &[]).await["positions"][0];
    assert_eq!(position["unrealized_pnl"], "1.0000");
}

#[tokio::test]
async fn flipped_position_has_only_the_fees_of_its_opening() {
    let (exchange, raw) = start().await;
    let market = exchange.margin_market(TICKER).fees(0, 1_000);
    let _ = market.ask(dollars("6.0000"), 4);
    buy(&raw, "a", "6.0000", "4").await;
    let fees = async || get(&raw, "/margin/positions", &[]).await["positions"][0]["fees"].clone();
    assert_eq!(fees().await, "0.0240");
    let _ = market.bid(dollars("7.0000"), 6);
    place(&raw, "b", ("ask", "7.0000", "6")).await;
    assert_eq!(fees().await, "0.0140", "the fees of two contracts");
}

#[tokio::test]
async fn resting_orders_need_margin_unless_they_close_a_position() {
    let (exchange, raw) = start().await;
    let market = exchange.margin_market(TICKER).leverage(65_000).fees(0, 0);
    buy(&raw, "a", "5.0000", "10").await;
    // 50 dollars of notional value at a rate of 1.3 / 6.5.
    assert_eq!(balance(&raw).await["resting_orders_margin"], "10.0000");
    let _ = market.bid(dollars("5.0000"), 1).ask(dollars("5.0000"), 10);
    let _ = market.clear().mark(dollars("5.0000"));
    assert_eq!(balance(&raw).await["resting_orders_margin"], "0.0000");
    assert_eq!(balance(&raw).await["initial_margin"], "10.0000");
    place(&raw, "b", ("ask", "6.0000", "10")).await;
    assert_eq!(balance(&raw).await["resting_orders_margin"], "0.0000");
    place(&raw, "c", ("ask", "6.0000", "10")).await;
    assert_eq!(balance(&raw).await["resting_orders_margin"], "12.0000");
}

#[tokio::test]
async fn resting_orders_close_a_position_only_once() {
    let (exchange, raw) = start().await;
    let market = exchange.margin_market(TICKER).leverage(65_000).fees(0, 0);
    let _ = market.ask(dollars("5.0000"), 10).mark(dollars("5.0000"));
    buy(&raw, "a", "5.0000", "10").await;
    // The first order closes the position. Each further one needs 12 of the remaining 40.05 dollars.
    let ask = ("ask", "6.0000", "10");
    for id in ["b", "c", "d", "e"] {
        place(&raw, id, ask).await;
    }
    let (status, body) = try_place(&raw, "f", ask).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &json!("INSUFFICIENT_BALANCE"))
    );
    let small = place(&raw, "g", ("ask", "6.0000", "1")).await;
    let path = format!(
        "/margin/orders/{}/amend",
        small["order_id"].as_str().unwrap()
    );
    let amend = json!({ "ticker": TICKER, "side": "ask", "price": "6.0000", "count": "10" });
    let (status, body) = raw.call("POST", &path, Some(amend)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &json!("INSUFFICIENT_BALANCE"))
    );
    // An order that cannot rest closes the position in any case.
    let close = json!({
        "ticker": TICKER, "client_order_id": "h", "side": "ask", "count": "10", "price": "5.0000",
        "time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "maker", "reduce_only": true,
    });
    let _ = market.bid(dollars("5.0000"), 1);
    let (_, closed) = raw.call("POST", "/margin/orders", Some(close)).await;
    assert_eq!(closed["fill_count"], "1.00");
    let _ = market.buy(dollars("6.0000"), 1_000);
    let row = balance(&raw).await;
    let available = row["available_balance"].as_str().unwrap();
    assert!(!available.starts_with('-'), "{row}");
}

#[tokio::test]
async fn funding_is_paid_at_its_times() {
    let (exchange, raw) = start().await;
    let _ = exchange
        .margin_market(TICKER)
        .fees(0, 0)
        .ask(dollars("6.0000"), 5)
        .mark(dollars("6.0000"))
        .funding_rate(1_000);
    buy(&raw, "a", "6.0000", "5").await;
    let ticker = [("ticker", TICKER)];
    let estimate = get(&raw, "/margin/funding_rates/estimate", &ticker).await;
    assert_eq!(estimate["next_funding_time"], "2026-11-28T12:00:00Z");
    assert_eq!(estimate["funding_rate"].to_string(), "0.001");
    exchange.time().advance(Duration::from_secs(2 * 3600));
    assert_eq!(
        balance(&raw).await["settled_funds"],
        "50.0200",
        "0.001 x 30 paid"
    );
    // First a rate above the cap, then one below the deadband.
    let _ = exchange.margin_market(TICKER).funding_rate(-500_000);
    exchange.time().advance(Duration::from_secs(8 * 3600));
    assert_eq!(
        balance(&raw).await["settled_funds"],
        "50.6200",
        "0.02 x 30 received"
    );
    let _ = exchange.margin_market(TICKER).funding_rate(99);
    exchange.time().advance(Duration::from_secs(8 * 3600));
    assert_eq!(balance(&raw).await["settled_funds"], "50.6200");
    let dates = [("start_date", "2026-11-28"), ("end_date", "2026-11-28")];
    let history = get(&raw, "/margin/funding_history", &dates).await;
    let rows = history["funding_history"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "a rate of zero has no payment");
    assert_eq!(rows[0]["funding_amount"], "0.6000");
    assert_eq!(rows[1]["funding_amount"], "-0.0300");
    assert_eq!(rows[1]["quantity"], "5.00");
    let dates = [("start_date", "2026-11-29"), ("end_date", "2026-11-30")];
    let history = get(&raw, "/margin/funding_history", &dates).await;
    assert_eq!(history, json!({ "funding_history": [] }));
    let rates = get(&raw, "/margin/funding_rates/historical", &ticker).await;
    assert_eq!(rates["funding_rates"][0]["funding_rate"], 0);
    assert_eq!(rates["funding_rates"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn missing_date_and_missing_body_have_special_envelopes() {
    let (_exchange, raw) = start().await;
    let (status, body) = raw.call("GET", "/margin/funding_history", None).await;
    assert_eq!(
        (status, body),
        (
            400,
            json!({ "msg": "Query argument start_date is required, but not found" })
        )
    );
    let (status, body) = raw
        .call("POST", "/portfolio/margin/subaccounts", None)
        .await;
    let flat = json!({ "code": "invalid_content_type", "message": "invalid_content_type" });
    assert_eq!((status, body), (400, flat));
}

#[tokio::test]
async fn money_moves_between_subaccounts_and_instances() {
    let (_exchange, raw) = start().await;
    let created = raw
        .call("POST", "/portfolio/margin/subaccounts", Some(json!({})))
        .await;
    assert_eq!(created, (201, json!({ "subaccount_number": 1 })));
    let transfer = json!({
        "client_transfer_id": "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001", "from_subaccount": 0, "to_subaccount": 1,
        "amount_cents": 1005,
    });
    let path = "/portfolio/margin/subaccounts/transfer";
    let (status, body) = raw.call("POST", path, Some(transfer.clone())).await;
    assert_eq!((status, body), (200, json!({})));
    let (status, body) = raw.call("POST", path, Some(transfer)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("transfer_already_applied"))
    );
    assert_eq!(balance(&raw).await["account_equity"], "40.0000");
    let between = "/portfolio/intra_exchange_instance_transfer";
    let out = |amount: i64| json!({ "source": "margined", "destination": "event_contract", "amount": amount });
    let (status, body) = raw.call("POST", between, Some(out(300_000))).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(balance(&raw).await["account_equity"], "10.0000");
    let event = get(&raw, "/portfolio/balance", &[]).await;
    assert_eq!(event["balance"], 1_003_000);
    let (status, _) = raw.call("POST", between, Some(out(100_001))).await;
    assert_eq!(status, 400, "the amount exceeds the balance");
    let wrong_shard = json!({
        "source": "event_contract", "destination": "margined", "amount": 100, "destination_exchange_shard": 1,
    });
    let (status, _) = raw.call("POST", between, Some(wrong_shard)).await;
    assert_eq!(status, 400, "the margin exchange has one shard");
}

#[tokio::test]
async fn user_without_access_is_rejected_as_recorded() {
    let (exchange, raw) = start().await;
    exchange.user().set_margin_enabled(false);
    let _ = exchange.margin_market(TICKER);
    assert_eq!(
        get(&raw, "/margin/enabled", &[]).await,
        json!({ "enabled": false })
    );
    let id = exchange.user().id();
    let order = json!({
        "ticker": TICKER, "client_order_id": "a", "side": "bid", "count": "1", "price": "6.0000",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    });
    let group = json!({ "contracts_limit": 5 });
    let transfer = json!({ "source": "event_contract", "destination": "margined", "amount": 100 });
    let not_found = format!("user_not_found:_{id}");
    for (method, path, body, status, code) in [
        (
            "POST",
            "/margin/orders",
            Some(order),
            400,
            not_found.as_str(),
        ),
        (
            "POST",
            "/margin/order_groups/create",
            Some(group),
            400,
            not_found.as_str(),
        ),
        (
            "POST",
            "/portfolio/margin/subaccounts",
            Some(json!({})),
            404,
            "user_not_found",
        ),
        ("GET", "/margin/balance", None, 403, "invalid_parameters"),
        (
            "POST",
            "/portfolio/intra_exchange_instance_transfer",
            Some(transfer),
            403,
            "invalid_parameters",
        ),
    ] {
        let (actual, response) = raw.call(method, path, body).await;
        let actual_code = &response["error"]["code"];
        assert_eq!((actual, actual_code), (status, &json!(code)), "{path}");
    }
    for path in ["/margin/orders", "/margin/positions", "/margin/fee_tiers"] {
        get(&raw, path, &[]).await;
    }
    let limit = get(&raw, "/margin/notional_risk_limit", &[]).await;
    assert_eq!(limit["default_notional_value_risk_limit"], "0.0000");
}
