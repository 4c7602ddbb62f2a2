//! Reads that show an order as it was before it was executed or changed.

use super::*;

/// An immediate order that the first list shows resting.
fn executing(lists: usize) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |_| match count.fetch_add(1, Relaxed) {
        list if list < lists => page(&[row(json!({}))]),
        _ => page(&[row(json!({
            "status": "executed", "fill_count_fp": "10.00", "remaining_count_fp": "0.00",
        }))]),
    }
}

#[tokio::test]
async fn immediate_order_is_placed_once_a_read_shows_its_fills() {
    for time_in_force in ["immediate_or_cancel", "fill_or_kill"] {
        let immediate = json!({ "time_in_force": time_in_force });
        let lost = exchange(|_| Reply::Drop, executing(1)).await;
        let client = builder(&lost).build().unwrap();
        let found = reconcile(place(&client, immediate.clone()).await, LONG).await;
        assert!(
            matches!(&found, Reconciliation::Placed(placed) if placed.fill_count == 10.into()),
            "{found:?}"
        );
        let taken = json!({ "error": { "code": "order_already_exists" } });
        let duplicate = exchange(move |_| Reply::json(409, &taken), executing(1)).await;
        let client = builder(&duplicate).build().unwrap();
        let outcome = place(&client, immediate).await;
        assert!(
            matches!(&outcome, OrderOutcome::AlreadyExists(placed) if placed.fill_count == 10.into()),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn immediate_order_that_stays_resting_is_only_a_candidate() {
    let exchange = exchange(|_| Reply::Drop, executing(usize::MAX)).await;
    let client = builder(&exchange).build().unwrap();
    let outcome = place(&client, json!({ "time_in_force": "immediate_or_cancel" })).await;
    let found = reconcile(outcome, LONG).await;
    assert!(
        matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
        "{found:?}"
    );
}

#[tokio::test]
async fn immediate_order_whose_id_is_taken_and_that_stays_resting_is_a_candidate() {
    let taken = json!({ "error": { "code": "order_already_exists" } });
    let exchange = exchange(move |_| Reply::json(409, &taken), executing(usize::MAX));
    let exchange = exchange.await;
    let client = builder(&exchange).lookup_timeout(Duration::from_secs(1));
    let immediate = json!({ "time_in_force": "immediate_or_cancel" });
    let outcome = place(&client.build().unwrap(), immediate).await;
    assert!(
        matches!(&outcome, OrderOutcome::Unknown(unknown) if unknown.candidates().len() == 1),
        "{outcome:?}"
    );
}

/// The request names the right shard and the reference to the order a wrong one. The order has been filled, which reads do not show yet.
#[tokio::test]
async fn amendment_is_compared_with_the_shard_that_was_sent() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => not_found(),
        Some("user_data_timestamp") => {
            let as_of = Utc::now() - TimeDelta::seconds(30);
            Reply::json(200, &json!({ "as_of_time": as_of }))
        }
        _ => Reply::json(
            200,
            &json!({ "order": row(json!({ "exchange_index": 2 })) }),
        ),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let order = OrderRef::new("o1").with_exchange_index(1);
    let amended = client
        .orders()
        .amend(order, amend(json!({ "exchange_index": 2 })))
        .confirm_timeout(Duration::from_millis(1_500));
    let outcome = amended.await.unwrap();
    let ChangeOutcome::Unknown(unknown) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(unknown.order().exchange_index(), Some(2));
}

/// A pooled connection may have the response to an earlier read.
#[tokio::test]
async fn pooled_connections_are_read_twice_more_before_a_proof() {
    for (has_own_client, reads_of_proof) in [(true, 3), (false, 1)] {
        let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
            _ if request.method != "GET" => Reply::Drop,
            Some("user_data_timestamp") => Reply::json(200, &json!({ "as_of_time": Utc::now() })),
            _ => Reply::json(200, &json!({ "order": row(json!({})) })),
        })
        .await;
        let client = match has_own_client {
            true => builder(&exchange).http_client(kalshi_sdk::reqwest::Client::new()),
            false => builder(&exchange),
        };
        let change = amend(json!({ "price": "0.5700" }));
        let outcome = client.build().unwrap().orders().amend("o1", change).await;
        let ChangeOutcome::Unknown(unknown) = outcome.unwrap() else {
            panic!()
        };
        let found = unknown.reconcile(LONG).await;
        assert!(
            matches!(found, ChangeReconciliation::NotDone(_)),
            "{found:?}"
        );
        let received = exchange.received();
        let reads = received.iter().rev();
        let reads = reads.take_while(|read| !read.path.ends_with("user_data_timestamp"));
        assert_eq!(reads.count(), reads_of_proof);
    }
}
