//! Error codes of changes and of batch items.

use kalshi_sdk::orders::Decrease;

use super::*;

/// Starts an exchange that replies to writes with `write` and shows the order `o1` as executed.
async fn executed(status: u16, write: Value) -> Exchange {
    Exchange::start(move |request| match request.method.as_str() {
        "GET" => Reply::json(
            200,
            &json!({ "order": row(json!({ "status": "executed" })) }),
        ),
        _ => Reply::json(status, &write),
    })
    .await
}

#[tokio::test]
async fn change_is_not_found_by_its_code_whatever_the_status() {
    for (status, code) in [
        (200, "not_found"),
        (200, "market_not_found"),
        (400, "order_not_found"),
        (404, "NOT_FOUND"),
        (404, "order_gone"),
        (404, "market_not_found"),
    ] {
        let exchange = executed(status, json!({ "error": { "code": code } })).await;
        let client = builder(&exchange).build().unwrap();
        let outcome = client.orders().cancel("o1").await.unwrap();
        assert!(
            matches!(outcome, ChangeOutcome::AlreadyGone(_)),
            "{status} {code} {outcome:?}"
        );
    }
}

/// An item has the status of its batch, so it does not show whether the market is wrong or has settled.
#[tokio::test]
async fn batch_item_with_market_not_found_is_looked_up() {
    let item =
        json!({ "order_id": "o1", "reduced_by": "0.00", "error": { "code": "market_not_found" } });
    let exchange = executed(200, json!({ "orders": [item] })).await;
    let client = builder(&exchange).build().unwrap();
    let keys = [OrderRef::new("o1")];
    let outcome = client.orders().cancel_batch(&keys).await.unwrap().remove(0);
    assert!(
        matches!(outcome, ChangeOutcome::AlreadyGone(_)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn change_with_404_and_another_code_is_rejected() {
    let code = "insufficient_shard_balance";
    let exchange = executed(404, json!({ "error": { "code": code } })).await;
    let client = builder(&exchange).build().unwrap();
    let orders = client.orders();
    let amended = orders.amend("o1", amend(json!({}))).await.unwrap();
    assert!(
        matches!(&amended, ChangeOutcome::Rejected(error) if error.code() == Some(code)),
        "{amended:?}"
    );
    let keys = [OrderRef::new("o1")];
    let cancelled = orders.cancel_batch(&keys).await.unwrap().remove(0);
    assert!(
        matches!(&cancelled, ChangeOutcome::Rejected(error) if error.code() == Some(code)),
        "{cancelled:?}"
    );
    assert_eq!(exchange.count(), 2);
}

#[tokio::test]
async fn change_with_a_code_about_the_user_or_the_market_is_rejected() {
    for code in ["user_not_found", "user_not_found:_7f", "market_not_found"] {
        let exchange = executed(400, json!({ "error": { "code": code } })).await;
        let client = builder(&exchange).build().unwrap();
        let amended = client.orders().amend("o1", amend(json!({}))).await;
        assert!(
            matches!(&amended, Ok(ChangeOutcome::Rejected(error)) if error.code() == Some(code)),
            "{amended:?}"
        );
        assert_eq!(exchange.count(), 1);
    }
}

/// The order cannot be read by its id but is listed.
#[tokio::test]
async fn read_with_404_is_not_found_whatever_the_code() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        Some("orders") => page(&[row(json!({ "status": "executed" }))]),
        _ => Reply::json(404, &json!({ "error": { "code": "order_gone" } })),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let key = OrderRef::new("o1").with_market(TICKER);
    let outcome = client.orders().cancel(key).await.unwrap();
    assert!(
        matches!(outcome, ChangeOutcome::AlreadyGone(_)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn unknown_batch_items_keep_their_errors() {
    for code in ["internal_server_error", "order_already_exists"] {
        let item = json!({ "orders": [{ "error": { "code": code, "message": "m" } }] });
        let exchange = exchange(move |_| Reply::json(201, &item), |_| page(&[])).await;
        let client = builder(&exchange).lookup_timeout(Duration::ZERO);
        let client = client.build().unwrap();
        for _ in 0..2 {
            let batch = vec![order(json!({}))];
            let outcome = client.orders().place_batch(batch).await;
            let outcome = outcome.unwrap().remove(0);
            let OrderOutcome::Unknown(unknown) = &outcome else {
                panic!("{outcome:?}")
            };
            let error = unknown.error();
            assert_eq!((error.code(), error.message()), (Some(code), Some("m")));
            assert!(error.attempts() == 1 && !error.was_not_processed());
        }
        // The exchange itself sent the error, so its connections are kept.
        let received = exchange.received();
        assert!(received.iter().all(|request| request.connection == 0));
    }
    for code in ["internal_server_error", "not_found"] {
        let item = json!({ "order_id": "o1", "reduced_by": "0.00", "error": { "code": code } });
        let body = json!({ "orders": [item] });
        let exchange = exchange(move |_| Reply::json(200, &body), |_| page(&[])).await;
        let client = builder(&exchange).build().unwrap();
        let keys = [OrderRef::new("o1")];
        let batch = client.orders().cancel_batch(&keys);
        let outcome = batch.confirm_timeout(Duration::ZERO).await;
        let outcome = outcome.unwrap().remove(0);
        let ChangeOutcome::Unknown(unknown) = &outcome else {
            panic!("{outcome:?}")
        };
        let error = unknown.error();
        assert_eq!(error.code(), Some(code));
        assert!(error.attempts() == 1 && !error.was_not_processed());
    }
}

#[tokio::test]
async fn lost_decrease_to_zero_is_reconciled_like_a_cancel() {
    for (status, expected) in [("canceled", "Done"), ("executed", "NotDone")] {
        let shown = row(json!({ "status": status, "remaining_count_fp": "0.00" }));
        let exchange = lagging(shown.clone(), shown).await;
        let client = builder(&exchange).build().unwrap();
        let decrease = client.orders().decrease("o1", Decrease::To(0.into()));
        let ChangeOutcome::Unknown(unknown) = decrease.await.unwrap() else {
            panic!()
        };
        let found = format!("{:?}", unknown.reconcile(LONG).await);
        assert!(found.starts_with(expected), "{status} {found}");
    }
}
