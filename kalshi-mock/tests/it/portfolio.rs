//! Positions, settlements, subaccounts and shards.

use crate::common::{
    Raw, TICKER, client_without_retries, contracts, dollars, exchange, order, place,
};
use kalshi_mock::Settlement;
use kalshi_sdk::{
    Contracts, Dollars,
    types::{
        BookSide::{Ask, Bid},
        ExchangeIndex, MarketStatusQuery,
    },
};
use serde_json::json;

#[tokio::test]
async fn trades_change_positions_and_settlements() {
    let exchange = exchange().await;
    let market = exchange
        .market(TICKER)
        .ask(dollars("0.50"), 10)
        .bid(dollars("0.45"), 100);
    let client = client_without_retries(&exchange);
    place(&client, order(Bid, "0.50", "10")).await;
    let sold = place(&client, order(Ask, "0.45", "4")).await;
    assert_eq!(sold.average_fill_price, Some(dollars("0.45")));
    let positions = client.get_positions().send().await.unwrap().into_inner();
    let position = &positions.market_positions[0];
    assert_eq!(position.position_fp, contracts("6"));
    assert_eq!(
        position.market_exposure_dollars,
        dollars("3"),
        "6 of the 10 at 0.50"
    );
    assert_eq!(
        position.realized_pnl_dollars,
        dollars("-0.2"),
        "4 bought at 0.50, sold at 0.45"
    );
    // 0.1750 and 0.0693
    assert_eq!(position.fees_paid_dollars, dollars("0.2443"));
    let event = &positions.event_positions[0];
    assert_eq!(
        (event.event_ticker.as_str(), event.total_cost_shares_fp),
        ("KXTEST-26", contracts("14"))
    );

    // Crosses zero: closes 6 YES and opens 4 NO at 0.55.
    place(&client, order(Ask, "0.45", "10")).await;
    let position = client
        .get_positions()
        .send()
        .await
        .unwrap()
        .into_inner()
        .market_positions[0]
        .clone();
    assert_eq!(
        (position.position_fp, position.market_exposure_dollars),
        (contracts("-4"), dollars("2.2"))
    );
    assert_eq!(position.realized_pnl_dollars, dollars("-0.5"));

    let before = client.get_balance().send().await.unwrap().balance_dollars;
    place(&client, order(Bid, "0.30", "1")).await;
    market.settle(Settlement::No);
    let balance = client.get_balance().send().await.unwrap();
    assert_eq!(
        balance.balance_dollars,
        before.checked_add(dollars("4")).unwrap(),
        "four NO are paid out, and the order is cancelled"
    );
    let settlements = client
        .get_settlements()
        .send()
        .await
        .unwrap()
        .into_inner()
        .settlements;
    let settlement = &settlements[0];
    assert_eq!(
        (settlement.no_count_fp, settlement.yes_count_fp),
        (contracts("4"), Contracts::ZERO)
    );
    assert_eq!((settlement.revenue, settlement.value), (400, Some(0)));
    assert_eq!(settlement.no_total_cost_dollars, dollars("2.2"));
    assert!(
        client
            .get_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .is_empty()
    );
    let settled = client
        .get_market()
        .ticker(TICKER)
        .send()
        .await
        .unwrap()
        .into_inner()
        .market;
    assert_eq!(
        (settled.result.as_str(), settled.status.as_str()),
        ("no", "finalized")
    );
    let settled = client
        .get_markets()
        .status(MarketStatusQuery::Settled)
        .send()
        .await
        .unwrap();
    assert_eq!(settled.markets.len(), 1);
}

#[tokio::test]
async fn scalar_market_pays_both_sides() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let (yes, no) = (
        client_without_retries(&exchange),
        exchange.add_user().unwrap().client().unwrap(),
    );
    place(&yes, order(Bid, "0.60", "10")).await;
    place(&no, order(Ask, "0.60", "10")).await;
    market.settle(Settlement::Scalar(dollars("0.25")));
    assert_eq!(
        yes.get_balance().send().await.unwrap().balance_dollars,
        dollars("9996.5")
    );
    // 10,000 - 4 - 0.168 + 7.5
    assert_eq!(
        no.get_balance().send().await.unwrap().balance_dollars,
        dollars("10003.332")
    );
}

#[tokio::test]
async fn maker_fees_are_reserved() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).maker_fees(true);
    let client = client_without_retries(&exchange);
    place(&client, order(Bid, "0.50", "19")).await;
    // 9.50, and a quarter of the taker fee: 0.083125, rounded up to 0.0832.
    let expected = dollars("9990.4168");
    assert_eq!(
        client.get_balance().send().await.unwrap().balance_dollars,
        expected
    );
    // The total fee does not depend on the number of trades.
    for _ in 0..19 {
        market.ask(dollars("0.50"), 1);
    }
    assert_eq!(
        client.get_balance().send().await.unwrap().balance_dollars,
        expected
    );
    let fills = client.get_fills().send().await.unwrap().into_inner().fills;
    let fees: i64 = fills.iter().map(|fill| fill.fee_cost.micros()).sum();
    assert_eq!(
        (fills.len(), Dollars::from_micros(fees)),
        (19, dollars("0.0832"))
    );
}

#[tokio::test]
async fn subaccounts_have_separate_money_and_orders() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER).ask(dollars("0.50"), 100);
    let client = client_without_retries(&exchange);
    let number = client
        .create_subaccount()
        .body_map(|body| body)
        .send()
        .await
        .unwrap()
        .subaccount_number;
    assert_eq!(number, 1);
    let mut in_one = order(Bid, "0.50", "10");
    in_one.subaccount = Some(1.into());
    let error = client
        .create_order_v2()
        .body(in_one.clone())
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("insufficient_balance"));

    let raw = Raw::new(&exchange);
    let transfer = json!({
        "client_transfer_id": "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001", "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 2000,
    });
    assert_eq!(
        raw.call(
            "POST",
            "/portfolio/subaccounts/transfer",
            Some(transfer.clone())
        )
        .await
        .0,
        200
    );
    assert_eq!(
        raw.call("POST", "/portfolio/subaccounts/transfer", Some(transfer))
            .await
            .0,
        409,
        "a transfer is not executed twice"
    );
    let balances = client
        .get_subaccount_balances()
        .send()
        .await
        .unwrap()
        .into_inner()
        .subaccount_balances;
    let rows: Vec<_> = balances
        .iter()
        .map(|balance| (balance.subaccount_number.get(), balance.balance))
        .collect();
    assert_eq!(rows, [(0, dollars("9980")), (1, dollars("20"))]);

    place(&client, in_one).await;
    assert!(
        client
            .get_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .is_empty(),
        "only the primary account is shown"
    );
    let of_one = client
        .get_positions()
        .subaccount(1)
        .send()
        .await
        .unwrap()
        .into_inner();
    assert_eq!(of_one.market_positions[0].position_fp, contracts("10"));
    assert_eq!(
        client
            .get_fills()
            .subaccount(1)
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        1
    );
    assert_eq!(
        client
            .get_fills()
            .subaccount(0)
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        0
    );
    let mut unknown_subaccount = order(Bid, "0.10", "1");
    unknown_subaccount.subaccount = Some(2.into());
    assert!(
        client
            .create_order_v2()
            .body(unknown_subaccount)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(
        client
            .get_subaccount_transfers()
            .send()
            .await
            .unwrap()
            .transfers
            .len(),
        1
    );
}

#[tokio::test]
async fn shards_have_separate_money_and_orders() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER).on_shard(2);
    let client = client_without_retries(&exchange);
    let unfunded = client
        .create_order_v2()
        .body(order(Bid, "0.50", "10"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (unfunded.status().unwrap().as_u16(), unfunded.code()),
        (404, Some("user_not_found"))
    );

    let raw = Raw::new(&exchange);
    let transfer = json!({
        "source": "event_contract", "destination": "event_contract", "amount": 500_000, "destination_exchange_shard": 2,
    });
    let (status, created) = raw
        .call(
            "POST",
            "/portfolio/intra_exchange_instance_transfer",
            Some(transfer),
        )
        .await;
    assert_eq!(status, 200);
    let transfer = client
        .get_intra_exchange_instance_transfer()
        .transfer_id(created["transfer_id"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(transfer.transfer.amount, dollars("50"));
    let balance = client.get_balance().send().await.unwrap().into_inner();
    let rows: Vec<_> = balance
        .balance_breakdown
        .iter()
        .map(|part| (part.exchange_index.0, part.balance))
        .collect();
    assert_eq!(rows, [(0, dollars("9950")), (2, dollars("50"))]);
    assert_eq!(
        balance.balance_dollars,
        dollars("10000"),
        "the sum of all shards"
    );

    let mut wrong_shard = order(Bid, "0.50", "10");
    wrong_shard.exchange_index = Some(ExchangeIndex(0));
    assert!(
        client
            .create_order_v2()
            .body(wrong_shard)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let mut any_shard = order(Bid, "0.50", "10");
    any_shard.exchange_index = Some(ExchangeIndex(-1));
    let id = place(&client, any_shard).await.order_id;
    assert!(
        client
            .cancel_order_v2()
            .order_id(&id)
            .send()
            .await
            .unwrap_err()
            .is_not_found(),
        "only shard 0 is searched"
    );
    client
        .cancel_order_v2()
        .order_id(&id)
        .market_ticker(TICKER)
        .send()
        .await
        .unwrap();
    let id = place(&client, order(Bid, "0.50", "10")).await.order_id;
    client
        .cancel_order_v2()
        .order_id(&id)
        .exchange_index(2)
        .send()
        .await
        .unwrap();
    assert_eq!(
        client
            .get_orders()
            .exchange_index(0)
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        0
    );
    assert_eq!(
        client
            .get_orders()
            .exchange_index(2)
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        2
    );
}

#[tokio::test]
async fn market_setup_is_fixed_after_the_first_order() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let id = place(&client, order(Bid, "0.50", "10")).await.order_id;
    market.on_shard(1).maker_fees(true);
    client.cancel_order_v2().order_id(id).send().await.unwrap();
    let balance = client.get_balance().send().await.unwrap().into_inner();
    assert_eq!(balance.balance_dollars, dollars("10000"));
    assert_eq!(balance.balance_breakdown.len(), 1);
}

#[tokio::test]
async fn transfer_within_a_shard_is_a_subaccount_transfer() {
    let exchange = exchange().await;
    let raw = Raw::new(&exchange);
    assert_eq!(
        raw.call("POST", "/portfolio/subaccounts", Some(json!({})))
            .await
            .0,
        201
    );
    let mut transfer = json!({
        "source": "event_contract", "destination": "event_contract", "amount": 500_000, "destination_subaccount": 1,
    });
    let path = "/portfolio/intra_exchange_instance_transfer";
    assert_eq!(raw.call("POST", path, Some(transfer.clone())).await.0, 200);
    let (_, listed) = raw
        .call("GET", "/portfolio/subaccounts/transfers", None)
        .await;
    assert_eq!(listed["transfers"][0]["amount_cents"], 5_000);
    let (_, primary) = raw.call("GET", "/portfolio/balance", None).await;
    assert_eq!(
        primary["balance"], 995_000,
        "only the primary account is shown"
    );
    transfer["client_transfer_id"] = json!("7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001");
    assert_eq!(
        raw.call("POST", path, Some(transfer.clone())).await.0,
        400,
        "only supported between primary accounts"
    );
    transfer["destination_subaccount"] = json!(0);
    transfer["destination_exchange_shard"] = json!(1);
    assert_eq!(raw.call("POST", path, Some(transfer.clone())).await.0, 200);
    assert_eq!(raw.call("POST", path, Some(transfer)).await.0, 409);
    let plan = json!({ "allocations": [{ "exchange_index": 0, "percent": 40 }] });
    assert_eq!(
        raw.call("POST", "/portfolio/target_balance_allocation", Some(plan))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn balances_are_bounded() {
    let exchange = kalshi_mock::MockExchange::builder()
        .balance(Dollars::from_micros(i64::MAX))
        .start()
        .await
        .unwrap();
    let user = exchange.add_user().unwrap();
    user.deposit(0, Dollars::from_micros(i64::MAX));
    user.deposit(3, Dollars::from_micros(i64::MIN));
    let balance = user.client().unwrap().get_balance().send().await.unwrap();
    assert_eq!(balance.balance_dollars, dollars("100000000"));
}
