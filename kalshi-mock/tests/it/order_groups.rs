//! Order groups: the limit within 15 seconds, triggers and resets.

use std::{collections::BTreeSet, time::Duration};

use crate::common::{
    Raw, TICKER, client_without_retries, contracts, dollars, exchange, order, place,
};
use kalshi_mock::Fault;
use kalshi_sdk::{
    Client, Contracts, OrderGroupId,
    types::{BookSide::Bid, CreateOrderV2Request, GetOrderGroupResponse},
};
use serde_json::json;

async fn group(client: &Client, limit: &str) -> OrderGroupId {
    let limit = contracts(limit);
    client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(limit))
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_group_id
}

async fn read_group(client: &Client, id: &str) -> GetOrderGroupResponse {
    client
        .get_order_group()
        .order_group_id(id)
        .send()
        .await
        .unwrap()
        .into_inner()
}

fn in_group(mut order: CreateOrderV2Request, group: &str) -> CreateOrderV2Request {
    order.order_group_id = Some(group.into());
    order
}

#[tokio::test]
async fn group_cancels_its_orders_at_the_limit_within_15_seconds() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let id = group(&client, "10").await;
    let low = place(&client, in_group(order(Bid, "0.30", "50"), &id))
        .await
        .order_id;
    let high = place(&client, in_group(order(Bid, "0.40", "50"), &id))
        .await
        .order_id;
    let state = read_group(&client, &id).await;
    assert!(state.is_auto_cancel_enabled);
    assert_eq!(state.contracts_limit_fp, Some(contracts("10")));
    assert_eq!(
        BTreeSet::from_iter(state.orders),
        BTreeSet::from([low, high.clone()])
    );

    // 6 contracts, and 15 seconds later 6 more: never 10 within 15 seconds.
    market.ask(dollars("0.40"), 6);
    exchange.time().advance(Duration::from_secs(15));
    market.ask(dollars("0.40"), 6);
    assert!(read_group(&client, &id).await.is_auto_cancel_enabled);
    // Just before 15 seconds have passed, only 4 of another 6 can match.
    exchange.time().advance(Duration::from_millis(14_999));
    market.ask(dollars("0.40"), 6);
    let filled = client
        .get_order()
        .order_id(&high)
        .send()
        .await
        .unwrap()
        .into_inner()
        .order
        .fill_count_fp;
    assert_eq!(filled, contracts("16"));
    let state = read_group(&client, &id).await;
    assert!(!state.is_auto_cancel_enabled && state.orders.is_empty());
    assert!(
        market.bids().is_empty(),
        "all orders of the group are cancelled"
    );
    assert_eq!(market.asks()[0].count, contracts("2"));

    let error = client
        .create_order_v2()
        .body(in_group(order(Bid, "0.30", "1"), &id))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("order_group_triggered"));
    exchange.time().advance(Duration::from_secs(60));
    assert!(
        client
            .create_order_v2()
            .body(in_group(order(Bid, "0.30", "1"), &id))
            .send()
            .await
            .is_err(),
        "the group rejects orders until it is reset"
    );
    client
        .reset_order_group()
        .order_group_id(&id)
        .send()
        .await
        .unwrap();
    place(&client, in_group(order(Bid, "0.30", "1"), &id)).await;
    assert!(read_group(&client, &id).await.is_auto_cancel_enabled);
}

#[tokio::test]
async fn incoming_order_is_limited_by_its_group() {
    let exchange = exchange().await;
    exchange.market(TICKER).ask(dollars("0.50"), 100);
    let client = client_without_retries(&exchange);
    let id = group(&client, "7.5").await;
    let placed = place(&client, in_group(order(Bid, "0.50", "20"), &id)).await;
    assert_eq!(
        (placed.fill_count, placed.remaining_count),
        (contracts("7.5"), Contracts::ZERO)
    );
    assert!(!read_group(&client, &id).await.is_auto_cancel_enabled);
}

#[tokio::test]
async fn groups_can_be_triggered_limited_listed_and_deleted() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = client_without_retries(&exchange);
    let (one, two) = (group(&client, "10").await, group(&client, "20").await);
    place(&client, in_group(order(Bid, "0.50", "5"), &one)).await;
    place(&client, in_group(order(Bid, "0.40", "5"), &one)).await;
    place(&client, in_group(order(Bid, "0.41", "5"), &two)).await;

    // 5 contracts were matched just now: a limit of 5 triggers immediately, and a limit of 6 does not.
    let limit = async |limit: &str| {
        let limit = contracts(limit);
        client
            .update_order_group_limit()
            .order_group_id(&one)
            .body_map(|body| body.contracts_limit_fp(limit))
            .send()
            .await
            .unwrap();
        read_group(&client, &one).await
    };
    let state = limit("6").await;
    assert_eq!(
        (state.is_auto_cancel_enabled, state.orders.len()),
        (true, 1)
    );
    let state = limit("5").await;
    assert_eq!(
        (state.is_auto_cancel_enabled, state.orders.len()),
        (false, 0)
    );

    client
        .trigger_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    assert!(!read_group(&client, &two).await.is_auto_cancel_enabled);
    assert!(market.bids().is_empty());
    let listed = client
        .get_order_groups()
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_groups;
    assert_eq!(
        listed
            .iter()
            .map(|group| group.id.as_str())
            .collect::<Vec<_>>(),
        [&one, &two]
    );

    client
        .reset_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    place(&client, in_group(order(Bid, "0.41", "5"), &two)).await;
    client
        .delete_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    assert!(
        market.bids().is_empty(),
        "deleting a group cancels its orders"
    );
    assert!(
        client
            .get_order_group()
            .order_group_id(&two)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let other = exchange.add_user().unwrap().client().unwrap();
    assert!(
        other
            .get_order_group()
            .order_group_id(&one)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let both = Raw::new(&exchange);
    let (status, _) = both
        .call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5, "contracts_limit_fp": "6.00" })),
        )
        .await;
    assert_eq!(status, 400, "both limits must be equal");
}

#[tokio::test]
async fn group_lookup_respects_subaccount_and_stale_reads() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    client
        .create_subaccount()
        .body_map(|body| body)
        .send()
        .await
        .unwrap();
    let limit = contracts("5");
    let create = client
        .create_order_group()
        .body_map(|body| body.subaccount(1).contracts_limit_fp(limit));
    let id = create.send().await.unwrap().into_inner().order_group_id;
    assert!(
        read_group(&client, &id).await.is_auto_cancel_enabled,
        "a read searches all subaccounts"
    );
    let reset = client.reset_order_group().order_group_id(&id).send().await;
    assert!(
        reset.unwrap_err().is_not_found(),
        "a change searches only the primary account"
    );
    client
        .reset_order_group()
        .order_group_id(&id)
        .subaccount(1)
        .send()
        .await
        .unwrap();

    exchange.fault(Fault::StaleReads(Duration::from_secs(10)));
    let id = group(&client, "5").await;
    place(&client, in_group(order(Bid, "0.30", "1"), &id)).await;
    assert!(
        client
            .get_order_groups()
            .send()
            .await
            .unwrap()
            .order_groups
            .is_empty()
    );
    assert!(
        client
            .get_order_group()
            .order_group_id(&id)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let queue = client
        .get_order_queue_positions()
        .market_tickers([TICKER])
        .send()
        .await
        .unwrap();
    assert!(queue.queue_positions.is_empty());
    exchange.time().advance(Duration::from_secs(10));
    assert_eq!(read_group(&client, &id).await.orders.len(), 1);
}
