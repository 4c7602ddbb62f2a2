//! Responses that prove an outcome and responses that do not, for every kind of write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::TimeDelta;
use kalshi_sdk::orders::{
    ChangeOutcome, ChangeReconciliation, Decrease, OrderOutcome, OrderRef, Reconciliation,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    case::{Case, LONG, after_writes, builder, to_writes, unknown},
    front::{NGINX, UNCERTAIN_CODES},
    model::{OldOrder, ticker},
    samples::{amend, order, order_with},
};
use crate::common::exchange::Reply;

fn coded(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "code": code } }))
}

fn has<T>(outcome: &ChangeOutcome<T>) -> &'static str {
    match outcome {
        ChangeOutcome::Unknown(_) => "unknown",
        ChangeOutcome::Rejected(_) => "rejected",
        _ => "other",
    }
}

fn has_order(outcome: &OrderOutcome) -> &'static str {
    match outcome {
        OrderOutcome::Unknown(_) => "unknown",
        OrderOutcome::Rejected(_) => "rejected",
        _ => "other",
    }
}

/// Sends every kind of write to an exchange with a fixed reply and checks each outcome.
async fn assert_every_write(wanted: &str, reply: Reply) {
    let case = Case::new(to_writes(reply.clone())).await;
    let (client, key) = (&case.client, OrderRef::new("order-0-0"));
    let placed = client.orders().place(order("single")).await.unwrap();
    assert_eq!(has_order(&placed), wanted, "place {reply:?}");
    for outcome in client
        .orders()
        .place_batch(vec![order("a"), order("b")])
        .await
        .unwrap()
    {
        assert_eq!(has_order(&outcome), wanted, "batch place {reply:?}");
    }
    let zero = Duration::ZERO;
    let cancel = client
        .orders()
        .cancel(key.clone())
        .confirm_timeout(zero)
        .await
        .unwrap();
    assert_eq!(has(&cancel), wanted, "cancel {reply:?}");
    for outcome in client
        .orders()
        .cancel_batch(&[key.clone(), OrderRef::new("b")])
        .confirm_timeout(zero)
        .await
        .unwrap()
    {
        assert_eq!(has(&outcome), wanted, "batch cancel {reply:?}");
    }
    let amended = client
        .orders()
        .amend(key.clone(), amend(json!({})))
        .confirm_timeout(zero);
    assert_eq!(has(&amended.await.unwrap()), wanted, "amend {reply:?}");
    let decreased = client
        .orders()
        .decrease(key, Decrease::By(1.into()))
        .confirm_timeout(zero);
    assert_eq!(has(&decreased.await.unwrap()), wanted, "decrease {reply:?}");
}

#[tokio::test]
async fn proxy_statuses_are_unknown() {
    for status in [301, 302, 307, 308, 405, 408, 413, 421, 425, 431, 451, 499] {
        assert_every_write("unknown", coded(status, "failed")).await;
    }
}

#[tokio::test]
async fn proxy_error_bodies_are_unknown() {
    for status in [400, 401, 403, 404, 410, 422] {
        for body in [NGINX, r#"{"message":"Not Found"}"#, "", "{}"] {
            assert_every_write("unknown", Reply::Response(status, Vec::new(), body.into())).await;
        }
    }
    let conflict = Reply::Response(409, Vec::new(), NGINX.into());
    assert_every_write("unknown", conflict).await;
}

#[tokio::test]
async fn failure_codes_are_unknown() {
    for code in UNCERTAIN_CODES {
        for code in [code.to_owned(), format!("{code}: upstream 7")] {
            for status in [200, 400, 409] {
                assert_every_write("unknown", coded(status, &code)).await;
            }
        }
    }
    assert_every_write("rejected", coded(409, "anchor_order_unavailable")).await;
}

#[tokio::test]
async fn failure_codes_in_batch_items_are_unknown() {
    let outcomes = |code: String| async move {
        let item = json!({ "order_id": null, "reduced_by": "0.00", "error": { "code": code } });
        let cancelled =
            json!({ "order_id": "order-0-0", "reduced_by": "0.00", "error": { "code": code } });
        let case = Case::new(move |request, _| match request.method.as_str() {
            "POST" => Some(Reply::json(201, &json!({ "orders": [item] }))),
            "DELETE" => Some(Reply::json(200, &json!({ "orders": [cancelled] }))),
            _ => None,
        })
        .await;
        let placed = case
            .client
            .orders()
            .place_batch(vec![order("a")])
            .await
            .unwrap();
        let keys = [OrderRef::new("order-0-0")];
        let cancelled = case
            .client
            .orders()
            .cancel_batch(&keys)
            .confirm_timeout(Duration::ZERO)
            .await
            .unwrap();
        [has_order(&placed[0]), has(&cancelled[0])]
    };
    for code in UNCERTAIN_CODES {
        assert_eq!(outcomes(code.to_owned()).await, ["unknown"; 2], "{code}");
        assert_eq!(
            outcomes(format!("{code}: upstream 7")).await,
            ["unknown"; 2],
            "{code}"
        );
    }
    assert_eq!(
        outcomes("anchor_order_unavailable".to_owned()).await,
        ["rejected"; 2]
    );
}

#[tokio::test]
async fn shifted_order_response_is_unknown_and_closes_connection() {
    let case = Case::new(|request, model| {
        let is_second = request.method == "POST" && request.json()["client_order_id"] == "second";
        is_second.then(|| {
            model.handle(request);
            let first = model.placed("first").unwrap();
            Reply::json(201, &json!({
                "order_id": first.id, "client_order_id": "first", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1,
            }))
        })
    })
    .await;
    case.placed(order("first")).await;
    let second = case.unknown(order("second")).await;
    let shifted = case.server.received().pop().unwrap().connection;
    let Reconciliation::Placed(found) = second.reconcile(LONG).await else {
        panic!()
    };
    assert_eq!(found.order_id, case.model.placed("second").unwrap().id);
    case.placed(order("third")).await;
    let received = case.server.received();
    assert_eq!(
        received[0].connection, shifted,
        "the connection was not reused"
    );
    assert!(
        received[2..]
            .iter()
            .all(|request| request.connection != shifted)
    );
}

/// The response to an amendment has every field that the spec requires in the response to an order.
#[tokio::test]
async fn shifted_amendment_response_is_not_a_placed_order() {
    tokio::join!(
        assert_amendment_is_not_placed(200),
        assert_amendment_is_not_placed(201)
    );
}

async fn assert_amendment_is_not_placed(status: u16) {
    let case = Case::new(move |request, model| {
        let is_batch = request.path.ends_with("batched");
        (request.method == "POST").then(|| {
            model.handle(request);
            let amended = json!({ "order_id": "order-1-1", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1 });
            match is_batch {
                true => Reply::json(status, &json!({ "orders": [amended] })),
                false => Reply::json(status, &amended),
            }
        })
    })
    .await;
    let single = case.unknown(order("single")).await;
    let batch = case.client.orders().place_batch(vec![order("batch")]).await;
    let batch = unknown(batch.unwrap().pop().unwrap());
    for (outcome, id) in [(single, "single"), (batch, "batch")] {
        let Reconciliation::Placed(found) = outcome.reconcile(LONG).await else {
            panic!()
        };
        assert_eq!(found.order_id, case.model.placed(id).unwrap().id);
    }
}

#[tokio::test]
async fn shifted_cancel_response_is_unknown_and_closes_connection() {
    let case = Case::new(|request, model| {
        let other = model.placed("first")?.id;
        (request.method == "DELETE").then(|| {
            Reply::json(
                200,
                &json!({ "order_id": other, "reduced_by": "10.00", "ts_ms": 1 }),
            )
        })
    })
    .await;
    case.placed(order("first")).await;
    let second = case.placed(order("second")).await;
    let ChangeOutcome::Unknown(unknown) = case.client.orders().cancel(&second).await.unwrap()
    else {
        panic!()
    };
    let shifted = case.server.received().pop().unwrap().connection;
    let found = unknown.reconcile(LONG).await;
    assert!(
        matches!(found, ChangeReconciliation::NotDone(_)),
        "{found:?}"
    );
    let received = case.server.received();
    assert!(
        received[3..]
            .iter()
            .all(|request| request.connection != shifted)
    );
}

#[tokio::test]
async fn impossible_counts_are_unknown() {
    let (gtc, ioc, fok) = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill");
    for (time_in_force, counts, expected) in [
        (gtc, ["-1.00", "10.00"], "unknown"),
        (gtc, ["0.00", "-1.00"], "unknown"),
        (gtc, ["1.00", "10.00"], "unknown"),
        (gtc, ["0.00", "10.01"], "unknown"),
        (gtc, ["0.00", "1.00"], "unknown"),
        (gtc, ["3.00", "7.00"], "other"),
        // Self-trade prevention cancels the rest, whatever the time in force.
        (gtc, ["3.00", "0.00"], "other"),
        (ioc, ["0.00", "10.00"], "unknown"),
        (ioc, ["3.00", "0.00"], "other"),
        (fok, ["0.00", "10.00"], "unknown"),
        (fok, ["3.00", "0.00"], "other"),
        (fok, ["10.00", "0.00"], "other"),
    ] {
        let item = json!({
            "order_id": "order-0-0", "client_order_id": "a", "fill_count": counts[0], "remaining_count": counts[1], "ts_ms": 1,
        });
        let batch = json!({ "orders": [item] });
        let case = Case::new(move |request, _| {
            let is_batch = request.path.ends_with("batched");
            (request.method != "GET")
                .then(|| Reply::json(201, if is_batch { &batch } else { &item }))
        })
        .await;
        let order = order_with(json!({ "client_order_id": "a", "time_in_force": time_in_force }));
        let orders = case.client.orders();
        let single = orders.place(order.clone()).await.unwrap();
        let batch = orders.place_batch(vec![order]).await.unwrap();
        let outcomes = [&single, &batch[0]].map(has_order);
        assert_eq!(outcomes, [expected; 2], "{time_in_force} {counts:?}");
    }
    let changed = |fields: Value| async move {
        let mut response = json!({ "order_id": "order-0-0", "reduced_by": "1.00", "remaining_count": "1.00", "ts_ms": 1 });
        response
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let items = json!({ "orders": [response] });
        let case = Case::new(move |request, _| {
            let is_batch = request.path.ends_with("batched");
            (request.method != "GET")
                .then(|| Reply::json(200, if is_batch { &items } else { &response }))
        })
        .await;
        let (client, key) = (&case.client, OrderRef::new("order-0-0"));
        let batch = client
            .orders()
            .cancel_batch(std::slice::from_ref(&key))
            .await
            .unwrap();
        [
            has(&client.orders().cancel(key.clone()).await.unwrap()),
            has(&batch[0]),
            has(&client
                .orders()
                .amend(key.clone(), amend(json!({})))
                .await
                .unwrap()),
            has(&client
                .orders()
                .decrease(key.clone(), Decrease::By(1.into()))
                .await
                .unwrap()),
            has(&client
                .orders()
                .decrease(key, Decrease::To(1.into()))
                .await
                .unwrap()),
        ]
    };
    let (done, unknown) = ("other", "unknown");
    assert_eq!(changed(json!({})).await, [done; 5]);
    assert_eq!(
        changed(json!({ "reduced_by": "-1.00" })).await,
        [unknown, unknown, done, done, done]
    );
    assert_eq!(
        changed(json!({ "remaining_count": "-1.00" })).await,
        [done, done, unknown, unknown, unknown]
    );
    assert_eq!(
        changed(json!({ "remaining_count": "13.00" })).await,
        [done, done, unknown, done, unknown]
    );
    assert_eq!(
        changed(json!({ "fill_count": "-1.00" })).await,
        [done, done, unknown, done, done]
    );
}

#[tokio::test]
async fn fill_or_kill_rejection_needs_no_lookup() {
    let code = "fill_or_kill_insufficient_resting_volume";
    let case = Case::new(to_writes(coded(409, code))).await;
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::Rejected(rejection) if rejection.code() == Some(code)),
        "{outcome:?}"
    );
    assert_eq!(case.server.count(), 1);
}

#[tokio::test]
async fn conflict_lookup_reports_its_timeout() {
    let case = Case::new(to_writes(coded(409, "order_already_exists"))).await;
    let client = builder(&case.server)
        .lookup_timeout(Duration::from_millis(700))
        .build()
        .unwrap();
    let begun = Instant::now();
    let unknown = unknown(client.orders().place(order("a")).await.unwrap());
    let taken = begun.elapsed();
    assert!(
        taken >= Duration::from_millis(700) && taken < Duration::from_millis(1_700),
        "{taken:?}"
    );
    let error = unknown.error().to_string();
    assert!(
        error.contains("did not end within lookup_timeout, 700 ms"),
        "{error}"
    );
    assert_eq!(unknown.error().code(), Some("order_already_exists"));
}

#[tokio::test]
async fn resend_is_resolved_by_new_order_or_duplicate() {
    for is_processed in [true, false] {
        let first = Arc::new(AtomicBool::new(true));
        let case = Case::new(move |request, model| {
            (request.method == "POST" && first.swap(false, Relaxed)).then(|| {
                if is_processed {
                    model.handle(request);
                }
                Reply::Drop
            })
        })
        .await;
        let unknown = case.unknown(order("a")).await;
        match (is_processed, unknown.resend().await) {
            (true, OrderOutcome::AlreadyExists(placed)) | (false, OrderOutcome::Placed(placed)) => {
                assert_eq!(placed.order_id, case.model.placed("a").unwrap().id);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(case.model.count(), 1);
    }
}

fn old(client_order_id: &str, side: &'static str) -> OldOrder<'static> {
    OldOrder {
        client_order_id: client_order_id.to_owned().leak(),
        ticker: ticker(0, 'A').leak(),
        side,
        subaccount: 0,
        age: TimeDelta::minutes(10),
        is_archived: false,
        is_taken: false,
        status: "executed",
    }
}

#[tokio::test]
async fn earlier_order_on_other_side_does_not_hide_new_one() {
    let case = Case::new(after_writes(Reply::Drop)).await;
    case.model.add_old(&old("a", "ask"));
    let unknown = case.unknown(order("a")).await;
    let found = unknown.reconcile(LONG).await;
    let ours = case.model.placed("a").unwrap();
    assert!(
        matches!(&found, Reconciliation::Placed(placed) if placed.order_id == ours.id),
        "{found:?}"
    );
    // It is not mistaken for the new order either.
    let case = Case::new(to_writes(Reply::Drop)).await;
    case.model.add_old(&old("a", "ask"));
    let found = case.unknown(order("a")).await.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}

#[tokio::test]
async fn two_matching_orders_are_both_candidates() {
    let case = Case::new(after_writes(Reply::Drop)).await;
    case.model.add_old(&old("a", "bid"));
    let found = case.unknown(order("a")).await.reconcile(LONG).await;
    let Reconciliation::Unknown(unresolved) = &found else {
        panic!("{found:?}")
    };
    assert_eq!(unresolved.candidates().len(), 2);
}

/// The exchange lists all subaccounts although the request specifies one.
#[tokio::test]
async fn order_of_another_subaccount_is_not_mistaken() {
    let case = Case::new(|request, model| {
        let mut request = request.clone();
        request.query.remove("subaccount");
        let reply = (request.method == "GET").then(|| model.handle(&request));
        Some(reply.unwrap_or(Reply::Drop))
    })
    .await;
    case.model.add_old(&OldOrder {
        subaccount: 3,
        ..old("a", "bid")
    });
    let order = order_with(json!({ "client_order_id": "a", "subaccount": 2 }));
    let found = case.unknown(order).await.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}

#[tokio::test]
async fn exchange_rejection_keeps_connections_open() {
    let case = Case::new(to_writes(coded(400, "insufficient_balance"))).await;
    for id in ["a", "b"] {
        let outcome = case.client.orders().place(order(id)).await.unwrap();
        assert_eq!(has_order(&outcome), "rejected");
    }
    let cancelled = case.client.orders().cancel("order-0-0").await.unwrap();
    assert_eq!(has(&cancelled), "rejected");
    let received = case.server.received();
    assert!(received.iter().all(|request| request.connection == 0));
}
