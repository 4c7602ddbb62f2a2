//! Reconciliation by the rows of lookups.

use super::*;

/// An empty error object counts as no error. An item with both an order and an error is an unknown outcome.
#[tokio::test]
async fn order_with_error_is_unknown_and_empty_error_is_ignored() {
    let item = |error: Value| {
        json!({ "orders": [{
            "order_id": "o", "client_order_id": "mine", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1,
            "error": error,
        }] })
    };
    let order = || {
        let mut mine = order();
        mine.client_order_id = Some("mine".into());
        mine
    };
    for unset in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "code": "", "message": "" }),
    ] {
        let (_exchange, client) = exchange_replying(201, item(unset.clone())).await;
        let outcome = client
            .orders()
            .place_batch(vec![order()])
            .await
            .unwrap()
            .remove(0);
        assert!(
            matches!(outcome, OrderOutcome::Placed(_)),
            "{unset} {outcome:?}"
        );
        let response = json!({
            "order_id": "o", "client_order_id": "mine", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1,
            "error": unset,
        });
        let (_exchange, client) = exchange_replying(201, response).await;
        let outcome = client.orders().place(order()).await.unwrap();
        assert!(
            matches!(outcome, OrderOutcome::Placed(_)),
            "{unset} {outcome:?}"
        );
    }
    let rejected = json!({ "code": "insufficient_balance" });
    let other = json!({ "orders": [{ "order_id": "o", "client_order_id": "another", "fill_count": "0.00", "remaining_count": "1.00" }] });
    let fault = json!({ "orders": [{ "error": { "code": "internal_server_error" } }] });
    for body in [
        item(rejected.clone()),
        other,
        fault,
        json!({ "orders": [{}] }),
        json!({ "orders": [{}, {}] }),
        json!({ "orders": [], "error": rejected }),
    ] {
        let (_exchange, client) = exchange_replying(201, body.clone()).await;
        let unknown = unknown(
            client
                .orders()
                .place_batch(vec![order()])
                .await
                .unwrap()
                .remove(0),
        );
        // The caller must not conclude that the order can be sent again.
        assert!(
            unknown.error().may_have_reached_exchange() && !unknown.error().was_not_processed(),
            "{body}"
        );
    }
    let (_exchange, client) =
        exchange_replying(201, json!({ "order_id": "o", "error": rejected })).await;
    unknown(client.orders().place(order()).await.unwrap());
    let (_exchange, client) = exchange_replying(200, json!({ "orders": [{ "order_id": "o", "reduced_by": "0.00", "error": { "code": "gateway_timeout" } }] })).await;
    unknown_change(
        client
            .orders()
            .cancel_batch(&[OrderRef::new("o")])
            .await
            .unwrap()
            .remove(0),
    );
}

/// A local clock that runs ahead must not make the lookup start in the exchange's future.
#[tokio::test]
async fn order_is_reconciled_despite_wrong_local_clock() {
    let orders = orders();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            let theirs = SystemTime::now() - Duration::from_secs(86_400);
            if request.path.ends_with("/portfolio/orders") && request.method == "GET" {
                let since: u64 = request.query["min_ts"].parse().unwrap();
                let now = theirs
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs();
                if since > now {
                    return Reply::json(200, &json!({ "orders": [], "cursor": "" }));
                }
            }
            match request.method.as_str() {
                "POST" => broken(Break::Status(500), orders.handle(request)),
                _ => orders.handle(request),
            }
            .dated(theirs)
        })
        .await
    };
    // First the system clock, which is a day ahead; then a custom clock that agrees with the exchange.
    let right = SystemTime::now() - Duration::from_secs(86_400);
    let right = right
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let right = FixedClock(u64::try_from(right).unwrap());
    for client in [
        builder(&exchange),
        builder(&exchange).clock(Arc::new(right)),
    ] {
        let client = client.build().unwrap();
        let unknown = unknown(client.orders().place(order()).await.unwrap());
        assert!(matches!(
            unknown.reconcile(LONG).await,
            Reconciliation::Placed(_)
        ));
    }
}

#[tokio::test]
async fn reconcile_accepts_extreme_timeouts() {
    let orders = orders();
    let exchange = exchange(&orders, of_writes(Fault::After(Break::Drop))).await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    assert!(matches!(
        unknown.reconcile(Duration::MAX).await,
        Reconciliation::Placed(_)
    ));
    // A timeout of zero is not taken for proof of absence.
    let found = unknown.reconcile(Duration::ZERO).await;
    assert!(!matches!(found, Reconciliation::NotFound), "{found:?}");
}
