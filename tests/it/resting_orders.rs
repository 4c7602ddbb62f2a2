//! `Orders::resting`: proof of which orders rest.

use std::time::Duration;

use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Dollars, OutcomeSide, SubaccountNumber,
    orders::{NewOrder, OrderOutcome},
};

const TICKER: &str = "KXTEST-26-A";

async fn place(client: &kalshi_sdk::Client, cents: i64) {
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(cents), 1);
    let outcome = client.orders().place(order).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
}

#[tokio::test]
async fn reads_that_lag_are_not_taken_for_the_present() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_millis(700)));
    place(&client, 10).await;
    place(&client, 11).await;
    let resting = client.orders().resting().await.unwrap();
    assert_eq!(resting.len(), 2);
    client.cancel_all_orders().send().await.unwrap();
    // A plain read still shows them.
    let plain = client.get_orders().status("resting").send().await.unwrap();
    assert_eq!(plain.orders.len(), 2);
    let resting = client.orders().resting().subaccount(0).await.unwrap();
    assert!(resting.is_empty(), "{resting:?}");
}

#[tokio::test]
async fn reads_that_stay_behind_prove_nothing() {
    let exchange = MockExchange::start().await.unwrap();
    let client = exchange.client().unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_secs(60)));
    let resting = client.orders().resting();
    let unresolved = resting.timeout(Duration::from_secs(1)).await.unwrap_err();
    assert!(unresolved.error().is_none(), "{unresolved:?}");
}

#[tokio::test]
async fn row_that_does_not_decode_is_an_error() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    place(&client, 10).await;
    exchange.fault(Fault::MissingMember("ticker".to_owned()));
    let unresolved = client.orders().resting().await.unwrap_err();
    assert!(unresolved.error().is_some_and(|error| error.is_row()));
}

#[tokio::test]
async fn other_subaccounts_are_left_out() {
    let builder = MockExchange::builder().tier(kalshi_sdk::limits::Tier::Advanced);
    let exchange = builder.start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    place(&client, 10).await;
    client.create_subaccount().send().await.unwrap();
    let one = client.orders().resting().subaccount(1).await.unwrap();
    assert!(one.is_empty(), "{one:?}");
    let all = client.orders().resting().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].subaccount_number.unwrap_or_default(),
        SubaccountNumber::PRIMARY
    );
}

#[tokio::test]
async fn order_without_its_subaccount_is_not_left_out() {
    let builder = MockExchange::builder().tier(kalshi_sdk::limits::Tier::Advanced);
    let exchange = builder.start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    client.create_subaccount().send().await.unwrap();
    let transfer = serde_json::from_value::<kalshi_sdk::types::ApplySubaccountTransferRequest>(
        serde_json::json!({
            "client_transfer_id": "0f64cbb8-4f5e-4d3a-9a47-6a7f2f3f8f8e",
            "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 500,
        }),
    );
    let transfer = client.apply_subaccount_transfer().body(transfer.unwrap());
    transfer.send().await.unwrap();
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(10), 1);
    let outcome = client.orders().place(order.subaccount(1)).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    exchange.fault(Fault::MissingMember("subaccount_number".to_owned()));
    let resting = client.orders().resting().subaccount(1).await.unwrap();
    assert_eq!(resting.len(), 1);
    let others = client.orders().resting().subaccount(0).await.unwrap();
    assert!(others.is_empty(), "{others:?}");
}
