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
    for (cursor, others, has_own_client) in [("c", 1, false), ("c", 0, false), ("", 0, true)] {
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

/// The archive has two pages, and only it is read again.
#[tokio::test]
async fn only_the_list_with_several_pages_is_read_again() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => Reply::Drop,
        Some("user_data_timestamp") => Reply::json(200, &json!({ "as_of_time": Utc::now() })),
        Some("orders") if !request.path.contains("historical") => page(&[]),
        Some("orders") if request.query.contains_key("cursor") => page(&[]),
        _ => Reply::json(200, &json!({ "orders": [], "cursor": "c" })),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let found = reconcile(place(&client, json!({})).await, LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
    let paths: Vec<_> = exchange
        .received()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let of_proof = paths
        .iter()
        .rev()
        .take_while(|path| !path.ends_with("user_data_timestamp"));
    let is_archive: Vec<_> = of_proof.map(|path| path.contains("historical")).collect();
    assert_eq!(is_archive, [true, true, true, true, false]);
}
