//! Exact amounts, in dollars where the spec says USD.

use kalshi_klear::{Contracts, Dollars, types};
use serde_json::json;

use crate::harness::calls::{Server, samples};

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

#[tokio::test]
async fn estimated_margins_keep_four_decimals() {
    let server = Server::start().await;
    let estimate = json!({ "maintenance_margin_fp": "1234.5678", "base_margin_fp": "1000.0001", "hvar_fp": "0.0000" });
    server.respond(200, Some(estimate));
    let position = types::EstimatePortfolioMaintenanceMarginPosition::builder()
        .market_ticker("KXBTCPERP")
        .quantity(-3)
        .price(dollars("6.8001"));
    let response = server
        .client
        .estimate_portfolio_maintenance_margin()
        .body_map(|body| {
            body.asset_class(types::AssetClass::Crypto)
                .positions([position])
        })
        .send()
        .await
        .unwrap();
    assert_eq!(response.maintenance_margin_fp, Some(dollars("1234.5678")));
    assert_eq!(response.base_margin_fp, Some(dollars("1000.0001")));
    assert_eq!(response.hvar_fp, Some(Dollars::ZERO));
    assert_eq!(response.apc_fp, None);
    let sent: serde_json::Value = server.take_request().await.body_json().unwrap();
    assert_eq!(
        sent,
        json!({
            "asset_class": "Crypto",
            "positions": [{ "market_ticker": "KXBTCPERP", "quantity": -3, "price": "6.8001" }],
        })
    );
}

#[tokio::test]
async fn withdrawals_are_sent_and_read_as_dollars() {
    let server = Server::start().await;
    server.respond(200, Some(json!({ "id": "w1" })));
    let withdrawal = server
        .client
        .withdraw_settlement_balance()
        .body_map(|body| body.amount(dollars("500.25")))
        .send()
        .await
        .unwrap();
    let sent: serde_json::Value = server.take_request().await.body_json().unwrap();
    assert_eq!(sent, json!({ "amount": "500.2500" }));

    let status = json!({ "id": "w1", "amount": "500.25", "status": "processing", "created_ts": "2026-11-28T12:00:00Z" });
    server.respond(200, Some(status));
    let read = server
        .client
        .get_settlement_balance_withdrawal()
        .id(&withdrawal.id)
        .send()
        .await
        .unwrap();
    assert_eq!(read.amount, dollars("500.25"));
}

#[tokio::test]
async fn session_prices_are_dollars_and_positions_are_contracts() {
    let mut body = samples()
        .responses("GetSettlementEstimateByAssetClass")
        .remove(0)
        .body;
    let estimate =
        &mut body["estimates"]["sample key"]["user_breakdown"]["positions"]["sample key"];
    estimate["session_avg_price_fp"] = json!("62590.1234");
    estimate["notional_value_centicents"] = json!(625_901_234_i64);
    let server = Server::start().await;
    server.respond(200, Some(body));
    let response = server
        .client
        .get_settlement_estimate_by_asset_class()
        .send()
        .await
        .unwrap();
    let breakdown = response.estimates["sample key"]
        .user_breakdown
        .as_ref()
        .unwrap();
    let market = &breakdown.positions["sample key"];
    assert_eq!(market.session_avg_price_fp, Some(dollars("62590.1234")));
    let notional = Dollars::from_centicents(market.notional_value_centicents);
    assert_eq!(notional, dollars("62590.1234"));

    let mut body = samples()
        .responses("GetObligationFundingPayments")
        .remove(0)
        .body;
    body["funding_payments"][0]["position_quantity_fp"] = json!("-1.25");
    server.respond(200, Some(body));
    let payments = server
        .client
        .get_obligation_funding_payments()
        .obligation_id("o1")
        .send()
        .await
        .unwrap();
    let quantity: Contracts = "-1.25".parse().unwrap();
    assert_eq!(payments.funding_payments[0].position_quantity_fp, quantity);
}

#[test]
fn centicents_are_ten_thousandths_of_a_dollar() {
    for (centicents, expected) in [(0, "0"), (1, "0.0001"), (-12_345, "-1.2345"), (10_000, "1")] {
        assert_eq!(Dollars::from_centicents(centicents), dollars(expected));
    }
    assert_eq!(Dollars::checked_from_centicents(i64::MAX), None);
    assert_eq!(Dollars::checked_from_centicents(i64::MIN), None);
}
