//! Lists that do not prove that an order is absent.

use std::sync::{Mutex, atomic::AtomicBool};

use super::*;

/// Only the order of this request can have its generated id, whatever else the row shows.
#[tokio::test]
async fn order_with_a_different_row_is_not_reported_as_absent() {
    let hours_ago = Utc::now() - TimeDelta::hours(2);
    let mut cases = tokio::task::JoinSet::new();
    for (id, fields, expected) in [
        (
            "",
            json!({ "book_side": "ask", "outcome_side": "no" }),
            "Unknown",
        ),
        ("", json!({ "subaccount_number": 5 }), "Unknown"),
        ("", json!({ "created_time": hours_ago }), "Placed"),
        ("mine", json!({ "subaccount_number": 5 }), "Unknown"),
    ] {
        cases.spawn(async move {
            let sent = Arc::new(Mutex::new(Value::Null));
            let (shown, case) = (sent.clone(), format!("{id} {fields}"));
            let exchange = exchange(
                move |request| {
                    *sent.lock().unwrap() = request.json()["client_order_id"].clone();
                    Reply::Drop
                },
                move |_| {
                    let mut row = row(fields.clone());
                    row["client_order_id"] = shown.lock().unwrap().clone();
                    page(&[row])
                },
            )
            .await;
            let client = builder(&exchange).build().unwrap();
            let fields = json!({ "client_order_id": id, "subaccount": 0 });
            let found = reconcile(place(&client, fields).await, LONG).await;
            let name = format!("{found:?}");
            assert!(name.starts_with(expected), "{case} {found:?}");
            if let Reconciliation::Unknown(unresolved) = found {
                assert_eq!(unresolved.candidates().len(), 1, "{case}");
            }
        });
    }
    cases.join_all().await;
}

/// Starts an exchange whose list of orders lacks the order in every walk that follows a read of the time up to which reads are complete,
/// and has it in the next one: it has a second page with this cursor, to whose first page, which has this number of other orders, the order
/// moves after that was read, or it is the empty list of another request.
async fn incomplete(write: Reply, cursor: &'static str, others: usize) -> Exchange {
    let is_first = AtomicBool::new(true);
    Exchange::start(move |request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => write.clone(),
        Some("user_data_timestamp") => {
            is_first.store(true, Relaxed);
            Reply::json(200, &json!({ "as_of_time": Utc::now() }))
        }
        Some("orders") if request.path.contains("historical") => page(&[]),
        Some("orders") if request.query.contains_key("cursor") => page(&[]),
        Some("orders") if is_first.swap(false, Relaxed) => {
            let other = row(json!({ "order_id": "o2", "client_order_id": "other" }));
            Reply::json(
                200,
                &json!({ "orders": vec![other; others], "cursor": cursor }),
            )
        }
        Some("orders") => page(&[row(json!({ "status": "executed" }))]),
        _ => not_found(),
    })
    .await
}

#[tokio::test]
async fn order_that_is_missing_from_a_single_walk_is_found() {
    let mut cases = tokio::task::JoinSet::new();
    for (cursor, others, has_own_client) in [
        ("c", 1, false),
        ("c", 0, false),
        ("", 0, false),
        ("", 1, false),
        ("", 0, true),
    ] {
        let start = move |write: Reply| async move {
            let exchange = incomplete(write, cursor, others).await;
            let builder = builder(&exchange);
            let client = match has_own_client {
                true => builder.http_client(kalshi_sdk::reqwest::Client::new()),
                false => builder,
            };
            (client.build().unwrap(), exchange)
        };
        cases.spawn(async move {
            let (client, _exchange) = start(Reply::Drop).await;
            let found = reconcile(place(&client, json!({})).await, LONG).await;
            assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
        });
        cases.spawn(async move {
            let (client, _exchange) = start(Reply::Drop).await;
            let found = client.orders().find("mine").ticker(TICKER).await;
            assert!(matches!(found, OrderLookup::Found(_)), "{found:?}");
        });
        cases.spawn(async move {
            let (client, _exchange) = start(not_found()).await;
            let outcome = client.orders().cancel("o1").confirm_timeout(LONG).await;
            assert!(
                matches!(outcome, Ok(ChangeOutcome::AlreadyGone(_))),
                "{outcome:?}"
            );
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn pages_without_rows_are_counted() {
    let exchange = exchange(
        |_| not_found(),
        |request| {
            let cursor = if request.number == 0 { "c" } else { "" };
            Reply::json(200, &json!({ "orders": [], "cursor": cursor }))
        },
    )
    .await;
    let orders = builder(&exchange).build().unwrap().get_orders().by_item();
    let last_error = LastError::default();
    let walk = walk(orders, &last_error, |_| true, |_: &Order| true);
    assert_eq!(walk.await.unwrap().pages, 2);
}

/// Returns the paths of the requests since the last read of the time up to which reads are complete.
fn paths_of_proof(exchange: &Exchange) -> Vec<String> {
    let received = exchange.received();
    let paths = received.into_iter().map(|request| request.path);
    let paths: Vec<_> = paths.collect();
    let of_proof = paths.rsplit(|path| path.ends_with("user_data_timestamp"));
    of_proof.take(1).flatten().cloned().collect()
}

#[tokio::test]
async fn every_list_of_a_proof_is_read_twice() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => Reply::Drop,
        Some("user_data_timestamp") => Reply::json(200, &json!({ "as_of_time": Utc::now() })),
        Some("orders") if !request.path.contains("historical") => page(&[]),
        Some("orders") if request.query.contains_key("cursor") => page(&[]),
        // The archive has two pages.
        _ => Reply::json(200, &json!({ "orders": [], "cursor": "c" })),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let found = reconcile(place(&client, json!({})).await, LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
    let paths = paths_of_proof(&exchange);
    let is_archive: Vec<_> = paths
        .iter()
        .map(|path| path.contains("historical"))
        .collect();
    assert_eq!(is_archive, [false, false, true, true, true, true]);
}

#[tokio::test]
async fn orders_of_a_batch_share_the_searches_of_a_proof() {
    let exchange = exchange(
        |_| {
            let item = |id: &str| json!({ "order_id": id, "reduced_by": "0.00", "error": { "code": "not_found" } });
            Reply::json(200, &json!({ "orders": [item("o1"), item("o2"), item("o3")] }))
        },
        |request| match request.path.contains("historical") {
            true => page(&[row(json!({ "order_id": "o3", "status": "executed" }))]),
            false => page(&[]),
        },
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let keys = ["o1", "o2", "o3"].map(|id| OrderRef::new(id).with_market(TICKER));
    let cancels = client.orders().cancel_batch(&keys).confirm_timeout(LONG);
    let outcomes = cancels.await.unwrap();
    assert!(
        matches!(
            outcomes.as_slice(),
            [
                ChangeOutcome::Rejected(_),
                ChangeOutcome::Rejected(_),
                ChangeOutcome::AlreadyGone(_)
            ]
        ),
        "{outcomes:?}"
    );
    let paths = paths_of_proof(&exchange);
    let lists = paths.iter().filter(|path| path.ends_with("/orders"));
    assert_eq!(lists.count(), 4, "{paths:?}");
}

/// One order is listed. The archive, which may have the other one, cannot be read or does not respond in time.
#[tokio::test]
async fn failing_archive_does_not_hide_a_listed_order_of_a_batch() {
    let rejected = || Reply::json(400, &json!({ "error": { "code": "bad_request" } }));
    let hangs = || Reply::Hang;
    for archive in [rejected as fn() -> Reply, hangs] {
        let exchange = exchange(
            |_| {
                let item = |id: &str| json!({ "order_id": id, "reduced_by": "0.00", "error": { "code": "not_found" } });
                Reply::json(200, &json!({ "orders": [item("o1"), item("o2")] }))
            },
            move |request| match request.path.contains("historical") {
                true => archive(),
                false => page(&[row(json!({ "status": "executed" }))]),
            },
        )
        .await;
        let client = builder(&exchange).build().unwrap();
        let keys = ["o1", "o2"].map(OrderRef::new);
        let cancels = client.orders().cancel_batch(&keys);
        let outcomes = cancels.confirm_timeout(Duration::from_millis(2_500)).await;
        let outcomes = outcomes.unwrap();
        assert!(
            matches!(
                outcomes.as_slice(),
                [ChangeOutcome::AlreadyGone(_), ChangeOutcome::Unknown(_)]
            ),
            "{outcomes:?}"
        );
    }
}

/// The row may be of the subaccount, and the archive that may have another one cannot be read.
#[tokio::test]
async fn order_of_an_unclear_subaccount_is_a_candidate() {
    let exchange = exchange(
        |_| Reply::Drop,
        |request| match request.path.contains("historical") {
            true => Reply::status(503),
            false => page(&[row(json!({ "subaccount_number": null }))]),
        },
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let lookup = client.orders().find("mine").ticker(TICKER).subaccount(1);
    let found = lookup.timeout(Duration::from_secs(2)).await;
    assert!(
        matches!(&found, OrderLookup::Unknown(unresolved)
            if unresolved.candidates().len() == 1 && unresolved.error().is_some()),
        "{found:?}"
    );
}

/// Starts an exchange whose list of orders is `list`, given the number of lists since the last read of the time up to which reads are
/// complete, or `None` before the first one.
async fn listing(list: impl Fn(Option<usize>) -> Reply + Send + Sync + 'static) -> Exchange {
    let lists = Mutex::new(None);
    Exchange::start(move |request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => Reply::Drop,
        Some("user_data_timestamp") => {
            *lists.lock().unwrap() = Some(0);
            Reply::json(200, &json!({ "as_of_time": Utc::now() }))
        }
        _ if request.path.contains("historical") || request.query.contains_key("cursor") => {
            page(&[])
        }
        _ => {
            let mut lists = lists.lock().unwrap();
            let number = *lists;
            *lists = number.map(|number| number + 1);
            list(number)
        }
    })
    .await
}

/// The first two lists are the responses to requests for another subaccount of the market.
#[tokio::test]
async fn list_of_another_subaccount_proves_nothing() {
    let exchange = listing(|number| match number {
        None => page(&[]),
        Some(0 | 1) => page(&[row(json!({ "order_id": "o2", "client_order_id": "other" }))]),
        Some(_) => page(&[row(json!({ "subaccount_number": 1 }))]),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let lookup = client.orders().find("mine").ticker(TICKER).subaccount(1);
    let found = lookup.await;
    assert!(matches!(found, OrderLookup::Found(_)), "{found:?}");
    let received = exchange.received();
    let connections = received.iter().map(|request| request.connection);
    let connections: Vec<_> = connections.collect();
    let [.., before, last] = connections[..] else {
        panic!("{connections:?}")
    };
    assert_ne!(before, last, "{connections:?}");
}

/// The row of the other subaccount has the id, but not the subaccount that the lookup asked for.
#[tokio::test]
async fn order_of_another_subaccount_does_not_end_a_lookup() {
    let lists = AtomicUsize::new(0);
    let exchange = exchange(
        |_| Reply::Drop,
        move |request| match lists.fetch_add(1, Relaxed) {
            _ if request.path.contains("historical") => page(&[]),
            0 => page(&[row(json!({ "order_id": "o2" }))]),
            _ => page(&[row(json!({ "subaccount_number": 1 }))]),
        },
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let found = client.orders().find("mine").ticker(TICKER).subaccount(1);
    let found = found.await;
    assert!(
        matches!(&found, OrderLookup::Found(order) if order.order_id == "o1"),
        "{found:?}"
    );
}

/// Only the first list of the second proof has the order. The second list of each proof is rejected.
#[tokio::test]
async fn failed_list_does_not_discard_the_candidates_of_the_list_before() {
    let exchange = listing(|number| {
        let orders = match number {
            Some(number) if number % 2 == 1 => {
                return Reply::json(400, &json!({ "error": { "code": "bad_request" } }));
            }
            Some(2) => vec![row(json!({ "book_side": "ask", "outcome_side": "no" }))],
            _ => Vec::new(),
        };
        Reply::json(200, &json!({ "orders": orders, "cursor": "c" }))
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let timeout = Duration::from_secs(3);
    let found = reconcile(place(&client, json!({})).await, timeout).await;
    assert!(
        matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
        "{found:?}"
    );
}

/// Its client order id was free again, so the order with it is no candidate.
#[tokio::test]
async fn archive_that_fails_for_a_while_is_read_again_despite_an_older_order() {
    let archive = AtomicUsize::new(0);
    let older = row(json!({ "created_time": Utc::now() - TimeDelta::hours(3) }));
    let exchange = exchange(
        |_| Reply::Drop,
        move |request| match request.path.contains("historical") {
            true if archive.fetch_add(1, Relaxed) < 6 => Reply::status(503),
            true => page(&[]),
            false => page(std::slice::from_ref(&older)),
        },
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let found = reconcile(place(&client, json!({})).await, LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}
