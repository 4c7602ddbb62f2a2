//! Outcomes of orders and of batches of orders.

use super::*;

#[tokio::test]
async fn order_is_placed_with_generated_or_given_client_id() {
    let orders = orders();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (placed.order_id.as_str(), placed.remaining_count),
        ("order-72-0", 10.into())
    );
    let id = placed.client_order_id;
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
    assert_eq!(
        exchange.received()[0].json()["client_order_id"],
        id.as_str()
    );
    let mut mine = order();
    mine.client_order_id = Some("mine".into());
    let OrderOutcome::Placed(placed) = client.orders().place(mine.clone()).await.unwrap() else {
        panic!()
    };
    assert_eq!(placed.client_order_id, "mine");
    // The same request again conflicts with the order just placed.
    let OrderOutcome::AlreadyExists(existing) = client.orders().place(mine).await.unwrap() else {
        panic!()
    };
    assert_eq!(existing.order_id, placed.order_id);
}

#[tokio::test]
async fn executed_order_with_broken_response_is_unknown_then_reconciled() {
    for fault in AFTER {
        let orders = orders();
        let exchange = exchange(&orders, of_writes(Fault::After(fault))).await;
        let client = builder(&exchange)
            .timeout(timeout_for(Fault::After(fault)))
            .build()
            .unwrap();
        let unknown = unknown(client.orders().place(order()).await.unwrap());
        assert!(
            unknown.error().may_have_reached_exchange() && !unknown.error().was_not_processed(),
            "{fault:?}"
        );
        assert_eq!(
            unknown.request().client_order_id.as_deref(),
            Some(unknown.client_order_id())
        );
        let Reconciliation::Placed(placed) = unknown.reconcile(LONG).await else {
            panic!("{fault:?}")
        };
        let held = orders.placed(unknown.client_order_id()).unwrap();
        assert_eq!(
            (
                placed.order_id.as_str(),
                placed.client_order_id.as_str(),
                orders.duplicates(unknown.client_order_id())
            ),
            (held.id.as_str(), unknown.client_order_id(), 0),
            "{fault:?}"
        );
        assert!(placed.order.is_some());
    }
}

async fn check_reconciles_to_not_found(fault: Fault) {
    let orders = orders();
    let exchange = exchange(&orders, of_writes(fault)).await;
    let client = builder(&exchange)
        .timeout(timeout_for(fault))
        .build()
        .unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    // The reads do not cover the order yet.
    let early = unknown.reconcile(Duration::from_millis(50)).await;
    assert!(
        matches!(early, Reconciliation::Unknown(_)),
        "{fault:?} {early:?}"
    );
    let found = unknown.reconcile(LONG).await;
    assert!(
        matches!(found, Reconciliation::NotFound),
        "{fault:?} {found:?}"
    );
    assert!(orders.count() == 0);
}

#[tokio::test]
async fn unexecuted_order_is_reconciled_to_not_found() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(check_reconciles_to_not_found(Fault::Before(fault)));
    }
    cases.join_all().await;
}

#[tokio::test]
async fn reconciled_outcome_is_placed_or_not_placed_or_still_unknown() {
    for fault in [Fault::After(Break::Drop), Fault::Before(Break::Drop)] {
        let orders = orders();
        let exchange = exchange(&orders, of_writes(fault)).await;
        let client = builder(&exchange).build().unwrap();
        let mut routed = order();
        routed.subaccount = Some(3.into());
        let outcome = client.orders().place(routed).await.unwrap();
        let early = outcome.clone().reconciled(Duration::ZERO).await;
        assert!(matches!(early, OrderOutcome::Unknown(_)), "{early:?}");
        let outcome = outcome.reconciled(LONG).await;
        match (fault, outcome) {
            // Reconciliation fills in the subaccount, exchange index and side of the order.
            (Fault::After(_), OrderOutcome::Placed(placed)) => assert_eq!(
                (placed.subaccount, placed.exchange_index, placed.side),
                (Some(3.into()), Some(0), BookSide::Bid)
            ),
            (Fault::Before(_), OrderOutcome::NotPlaced) => {}
            (_, outcome) => panic!("{fault:?} {outcome:?}"),
        }
    }
    // Known outcomes are returned unchanged, without a request.
    let orders = orders();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let outcome = client.orders().place(order()).await.unwrap();
    let requests = exchange.count();
    let outcome = outcome.reconciled(LONG).await;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    assert_eq!(exchange.count(), requests);
}

#[tokio::test]
async fn outcome_stays_unknown_while_reads_fail() {
    let orders = orders();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let exchange = exchange(&orders, move |request| match request.method.as_str() {
        "GET" => is_down
            .load(Relaxed)
            .then_some(Fault::Before(Break::Status(503))),
        _ => Some(Fault::After(Break::Drop)),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    let Reconciliation::Unknown(unresolved) = unknown.reconcile(Duration::from_millis(400)).await
    else {
        panic!()
    };
    assert_eq!(unresolved.error().unwrap().status().unwrap(), 503);
    // A later attempt succeeds.
    down.store(false, Relaxed);
    assert!(matches!(
        unknown.reconcile(LONG).await,
        Reconciliation::Placed(_)
    ));
}

/// Checks reconciliation while reads fail in runs that are longer than the attempts of a request.
async fn check_reconciles_despite(of_write: Fault, of_read: Break) {
    let (orders, reads) = (orders(), AtomicUsize::new(0));
    let exchange = exchange(&orders, move |request| match request.method.as_str() {
        "GET" if reads.fetch_add(1, Relaxed) / 4 % 2 == 0 => Some(Fault::Before(of_read)),
        "GET" => None,
        _ => Some(of_write),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    match (of_write, unknown.reconcile(LONG).await) {
        (Fault::After(_), Reconciliation::Placed(_))
        | (Fault::Before(_), Reconciliation::NotFound) => {}
        (_, found) => panic!("{of_write:?} {of_read:?} {found:?}"),
    }
}

#[tokio::test]
async fn unknown_order_is_resolved_although_reads_often_fail() {
    let mut cases = tokio::task::JoinSet::new();
    for of_read in AFTER.into_iter().chain([Break::Status(429)]) {
        for of_write in [Fault::After(Break::Drop), Fault::Before(Break::Drop)] {
            cases.spawn(check_reconciles_despite(of_write, of_read));
        }
    }
    cases.join_all().await;
}

#[tokio::test]
async fn api_errors_are_rejections_and_unprocessed_requests_are_errors() {
    for (fault, code) in [
        (Break::Status(400), "failed"),
        (Break::Status(403), "failed"),
        (Break::ErrorInSuccess, "insufficient_balance"),
    ] {
        let orders = orders();
        let exchange = exchange(&orders, of_writes(Fault::Before(fault))).await;
        let OrderOutcome::Rejected(rejection) = builder(&exchange)
            .build()
            .unwrap()
            .orders()
            .place(order())
            .await
            .unwrap()
        else {
            panic!("{fault:?}")
        };
        assert_eq!(rejection.code(), Some(code));
    }
    // After a 408 the exchange may have started to process the order.
    let orders = orders();
    let busy = exchange(&orders, of_writes(Fault::Before(Break::Status(408)))).await;
    unknown(
        builder(&busy)
            .build()
            .unwrap()
            .orders()
            .place(order())
            .await
            .unwrap(),
    );
    let busy = exchange(&orders, of_writes(Fault::Before(Break::Status(429)))).await;
    let error = builder(&busy)
        .build()
        .unwrap()
        .orders()
        .place(order())
        .await
        .unwrap_err();
    assert!(error.is_rate_limited() && error.was_not_processed());
    assert_eq!(busy.count(), 3);
    let ids: std::collections::BTreeSet<_> = busy
        .received()
        .iter()
        .map(|request| request.json()["client_order_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "the client order id changed between attempts");
}

/// An intermediary duplicates the request, so the response is a conflict with the order it just placed.
#[tokio::test]
async fn conflict_with_own_order_is_placed() {
    let orders = orders();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            if request.method == "POST" && request.number == 0 {
                orders.handle(request);
            }
            orders.handle(request)
        })
        .await
    };
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        orders.placed(&placed.client_order_id).unwrap().id,
        placed.order_id
    );
    assert!(placed.order.is_some());
}

#[tokio::test]
async fn batch_placement_returns_one_outcome_per_item() {
    let orders = orders();
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let mut taken = order();
    taken.client_order_id = Some("taken".into());
    client
        .orders()
        .place_batch(vec![taken.clone()])
        .await
        .unwrap();
    let outcomes = client
        .orders()
        .place_batch(vec![order(), taken, order()])
        .await
        .unwrap();
    let OrderOutcome::Placed(first) = &outcomes[0] else {
        panic!()
    };
    let OrderOutcome::AlreadyExists(existing) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert!(
        matches!(&outcomes[2], OrderOutcome::Placed(placed) if placed.client_order_id != first.client_order_id)
    );
    assert_eq!(existing.client_order_id, "taken");
    for fault in [Fault::After(Break::Half), Fault::Before(Break::Half)] {
        let orders = self::orders();
        let exchange = exchange(&orders, of_writes(fault)).await;
        let client = builder(&exchange).build().unwrap();
        let outcomes = client
            .orders()
            .place_batch(vec![order(), order()])
            .await
            .unwrap();
        for outcome in outcomes {
            match (fault, unknown(outcome).reconcile(LONG).await) {
                (Fault::After(_), Reconciliation::Placed(_))
                | (Fault::Before(_), Reconciliation::NotFound) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            orders.count(),
            if matches!(fault, Fault::After(_)) {
                2
            } else {
                0
            }
        );
    }
    // Invalid batches are rejected locally.
    let before = calm.count();
    let mut twice = order();
    twice.client_order_id = Some("twice".into());
    let error = client
        .orders()
        .place_batch(vec![twice.clone(), twice])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("duplicate client order id `twice` in the batch")
            && error.is_invalid_request(),
        "{error}"
    );
    assert!(
        client
            .orders()
            .place_batch(Vec::<CreateOrderV2Request>::new())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(calm.count(), before);
}

/// A middleware repeats the request. The rejection of the second attempt does not prove that the first had no effect.
#[tokio::test]
async fn rejection_of_repeated_attempt_leaves_outcome_unknown() {
    struct Twice;
    #[async_trait::async_trait]
    impl Middleware for Twice {
        async fn handle(
            &self,
            request: Request,
            extensions: &mut http::Extensions,
            next: Next<'_>,
        ) -> reqwest_middleware::Result<Response> {
            let again = request.try_clone().unwrap();
            match next.clone().run(request, extensions).await {
                Ok(response) => Ok(response),
                Err(_) => next.run(again, extensions).await,
            }
        }
    }
    let orders = orders();
    let exchange = exchange(&orders, |request| {
        match (request.method.as_str(), request.number) {
            ("POST", 0) => Some(Fault::After(Break::Drop)),
            ("POST", _) => Some(Fault::Before(Break::Status(400))),
            _ => None,
        }
    })
    .await;
    let client = builder(&exchange).middleware(Twice).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    assert_eq!(unknown.error().status().unwrap(), 400);
    assert!(matches!(
        unknown.reconcile(LONG).await,
        Reconciliation::Placed(_)
    ));
}
