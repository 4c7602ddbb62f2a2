//! Outcomes of cancels, amendments and decreases.

use super::*;

/// Places an order on an exchange that injects `fault` into every later write.
async fn resting(fault: Fault) -> (Arc<Model>, Exchange, Client, OrderRef) {
    let orders = orders();
    let breaks = Arc::new(AtomicBool::new(false));
    let broken = breaks.clone();
    let exchange = exchange(&orders, move |request| {
        (broken.load(Relaxed) && request.method != "GET").then_some(fault)
    })
    .await;
    let client = builder(&exchange)
        .timeout(timeout_for(fault))
        .build()
        .unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    breaks.store(true, Relaxed);
    let key = OrderRef::from(&placed)
        .with_market(TICKER)
        .with_subaccount(0);
    (orders, exchange, client, key)
}

fn amend() -> AmendOrderV2Request {
    AmendOrderV2Request::builder()
        .ticker(TICKER)
        .side(BookSide::Bid)
        .price("0.5700")
        .count("12")
        .try_into()
        .unwrap()
}

#[tokio::test]
async fn cancel_of_gone_order_is_already_gone() {
    let orders = orders();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    let ChangeOutcome::Done(cancelled) = client.orders().cancel(&placed).await.unwrap() else {
        panic!()
    };
    assert_eq!(cancelled.order_id, placed.order_id);
    assert!(matches!(
        client
            .orders()
            .cancel(placed.order_id.as_str())
            .await
            .unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let id = placed.order_id.clone();
    assert!(matches!(
        client.orders().cancel(&id).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let key = OrderRef::new(&placed.order_id)
        .with_market(TICKER)
        .with_exchange_index(2)
        .with_subaccount(3);
    assert!(matches!(
        client.orders().amend(key.clone(), amend()).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    assert!(matches!(
        client.orders().cancel(key).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let sent = exchange.received();
    let query = &sent
        .iter()
        .rfind(|request| request.method == "DELETE")
        .unwrap()
        .query;
    assert_eq!(
        (
            query["market_ticker"].as_str(),
            query["exchange_index"].as_str(),
            query["subaccount"].as_str()
        ),
        (TICKER, "2", "3")
    );
}

#[tokio::test]
async fn batch_cancel_returns_one_outcome_per_item() {
    let (orders, _exchange, client, key) = resting(Fault::After(Break::Drop)).await;
    let unknown = client
        .orders()
        .cancel_batch(&[key.clone(), OrderRef::new("gone")])
        .await
        .unwrap();
    let mut found = Vec::new();
    for outcome in unknown {
        found.push(unknown_change(outcome).reconcile(LONG).await);
    }
    assert!(
        matches!(
            found.as_slice(),
            [
                ChangeReconciliation::Done(_),
                ChangeReconciliation::NotFound
            ]
        ),
        "{found:?}"
    );
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let mut routed = order();
    routed.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(1));
    routed.subaccount = Some(2.into());
    let OrderOutcome::Placed(placed) = client.orders().place(routed).await.unwrap() else {
        panic!()
    };
    let outcomes = client
        .orders()
        .cancel_batch(&[
            key,
            OrderRef::from(&placed)
                .with_market(TICKER)
                .with_exchange_index(1)
                .with_subaccount(2),
        ])
        .await
        .unwrap();
    assert!(
        matches!(
            outcomes.as_slice(),
            [ChangeOutcome::AlreadyGone(_), ChangeOutcome::Done(_)]
        ),
        "{outcomes:?}"
    );
    let sent = calm.received();
    let sent = sent
        .iter()
        .rfind(|request| request.method == "DELETE")
        .unwrap()
        .json();
    assert_eq!(
        sent["orders"][1],
        json!({ "order_id": placed.order_id, "market_ticker": TICKER, "exchange_index": 1, "subaccount": 2 })
    );
    assert!(
        client
            .orders()
            .cancel_batch(&[] as &[OrderRef])
            .await
            .unwrap()
            .is_empty()
    );
}

/// Checks reconciliation of every kind of change after `fault`; `done` says if the change was executed.
async fn check_change_is_reconciled(fault: Fault, done: bool) {
    let (orders, _exchange, client, key) = resting(fault).await;
    let is = |found: &ChangeReconciliation| {
        matches!(
            (found, done),
            (ChangeReconciliation::Done(_), true) | (ChangeReconciliation::NotDone(_), false)
        )
    };
    let found = unknown_change(client.orders().amend(key.clone(), amend()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "amend {fault:?} {found:?}");
    let found = unknown_change(
        client
            .orders()
            .decrease(key.clone(), Decrease::To(3.into()))
            .await
            .unwrap(),
    )
    .reconcile(LONG)
    .await;
    assert!(is(&found), "decrease {fault:?} {found:?}");
    let found = unknown_change(
        client
            .orders()
            .decrease(key.clone(), Decrease::By(1.into()))
            .await
            .unwrap(),
    )
    .reconcile(LONG)
    .await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "decrease by {fault:?} {found:?}"
    );
    let found = unknown_change(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "cancel {fault:?} {found:?}");
    let order = orders.order(key.order_id()).unwrap();
    assert_eq!(
        order.state().status,
        if done { "canceled" } else { "resting" }
    );
}

#[tokio::test]
async fn unknown_changes_are_reconciled() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(check_change_is_reconciled(Fault::After(fault), true));
        cases.spawn(check_change_is_reconciled(Fault::Before(fault), false));
    }
    cases.join_all().await;
    let (_orders, exchange, client, _) = resting(Fault::Before(Break::Drop)).await;
    let found = unknown_change(client.orders().cancel("never was").await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(matches!(found, ChangeReconciliation::NotFound), "{found:?}");
    drop(exchange);
}

/// An order id does not identify the shard, so a 404 without the market does not prove that the order is gone.
#[tokio::test]
async fn resting_order_on_another_shard_is_not_reported_gone() {
    let orders = orders();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let mut routed = order();
    routed.subaccount = Some(3.into());
    routed.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(2));
    let OrderOutcome::Placed(placed) = client.orders().place(routed).await.unwrap() else {
        panic!()
    };
    let outcome = client
        .orders()
        .cancel(placed.order_id.as_str())
        .confirm_timeout(LONG)
        .await
        .unwrap();
    assert!(
        matches!(&outcome, ChangeOutcome::NotApplied(order) if order.exchange_index == Some(kalshi_sdk::types::ExchangeIndex(2))),
        "{outcome:?}"
    );
    let amended = client.orders().amend(&placed, amend()).await.unwrap();
    assert!(matches!(amended, ChangeOutcome::Done(_)));
    assert_eq!(
        exchange.received().pop().unwrap().json()["exchange_index"],
        2
    );
    let decreased = client
        .orders()
        .decrease(&placed, Decrease::By(1.into()))
        .await
        .unwrap();
    assert!(matches!(decreased, ChangeOutcome::Done(_)));
    let sent = exchange.received().pop().unwrap();
    assert_eq!(
        (
            &sent.json()["exchange_index"],
            &sent.json()["market_ticker"]
        ),
        (&json!(2), &json!(TICKER))
    );
    assert!(matches!(
        client.orders().cancel(&placed).await.unwrap(),
        ChangeOutcome::Done(_)
    ));
    let query = exchange.received().pop().unwrap().query;
    assert_eq!(
        (
            query["market_ticker"].as_str(),
            query["subaccount"].as_str(),
            query["exchange_index"].as_str()
        ),
        (TICKER, "3", "2")
    );
    // The order does not exist according to reads that are up to date.
    let (_exchange, client) =
        exchange_replying(404, json!({ "error": { "code": "user_not_found" } })).await;
    assert!(matches!(
        client
            .orders()
            .cancel(&placed)
            .confirm_timeout(LONG)
            .await
            .unwrap(),
        ChangeOutcome::Rejected(_)
    ));
    for wrong in [
        Decrease::By(Contracts::ZERO),
        Decrease::By((-1).into()),
        Decrease::To((-1).into()),
    ] {
        let error = client.orders().decrease(&placed, wrong).await.unwrap_err();
        assert!(error.is_invalid_request(), "{wrong:?}: {error}");
    }
}

/// Covers an amendment of the expiry alone, and orders that ended before reconciliation.
#[tokio::test]
async fn reconciliation_compares_every_changed_field() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    let expiry: AmendOrderV2Request = serde_json::from_value(json!({
        "ticker": TICKER, "side": "bid", "price": "0.5600", "count": "10.00", "expiration_time": 1_900_000_000,
    }))
    .unwrap();
    let found = unknown_change(client.orders().amend(key.clone(), expiry).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(
        matches!(found, ChangeReconciliation::NotDone(_)),
        "{found:?}"
    );
    let (amended, cancelled) = (
        client.orders().amend(key.clone(), amend()).await.unwrap(),
        client.orders().cancel(key.clone()).await.unwrap(),
    );
    orders.execute(key.order_id());
    orders.shown(key.order_id()).await;
    let found = unknown_change(amended).reconcile(LONG).await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    let found = unknown_change(cancelled).reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::NotDone(order) if order.status.as_str() == "executed"),
        "{found:?}"
    );
}

/// A status that is missing from the spec proves nothing about the change.
#[tokio::test]
async fn unlisted_order_status_leaves_cancel_unclear() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    orders.set_status(key.order_id(), "pending");
    orders.shown(key.order_id()).await;
    let found = unknown_change(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    // A 404 to a cancel by id alone does not prove that the order is gone either.
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let cancel = client.orders().cancel(key.order_id()).confirm_timeout(LONG);
    unknown_change(cancel.await.unwrap());
}
