//! Evidence for the outcome of an order or a change: which responses prove it and which do not.

mod absence;
mod codes;
mod ids;
mod outdated;

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::common::{
    KEY_ID, SkewedClock,
    exchange::{Exchange, Received, Reply},
    key,
};
use chrono::{TimeDelta, Utc};
use kalshi_core::rt::orders::{LastError, walk};
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, RetryPolicy,
    limits::RateLimits,
    orders::{
        ChangeOutcome, ChangeReconciliation, OrderLookup, OrderOutcome, OrderRef, Reconciliation,
    },
    reqwest::{Request, Response},
    reqwest_middleware::{self, Middleware, Next},
    types::{AmendOrderV2Request, CreateOrderV2Request, Order},
};
use serde_json::{Value, json};

const TICKER: &str = "KXTEST-26-T73.5";
const LONG: Duration = Duration::from_secs(20);

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
        .timeout(Duration::from_secs(2))
}

fn order(fields: Value) -> CreateOrderV2Request {
    let mut order = json!({
        "ticker": TICKER, "side": "bid", "price": "0.5600", "count": "10.00", "client_order_id": "mine",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    });
    merge(&mut order, fields);
    serde_json::from_value(order).unwrap()
}

/// Returns an order as the exchange lists it.
fn row(fields: Value) -> Value {
    let mut row = json!({
        "order_id": "o1", "client_order_id": "mine", "ticker": TICKER, "user_id": "u", "status": "resting", "type": "limit",
        "book_side": "bid", "outcome_side": "yes", "yes_price_dollars": "0.5600", "no_price_dollars": "0.4400",
        "fill_count_fp": "0.00", "remaining_count_fp": "10.00", "initial_count_fp": "10.00",
        "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000", "maker_fill_cost_dollars": "0.0000",
        "taker_fill_cost_dollars": "0.0000", "created_time": Utc::now(), "subaccount_number": 0, "exchange_index": 0,
    });
    merge(&mut row, fields);
    row
}

fn merge(object: &mut Value, fields: Value) {
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
}

fn not_found() -> Reply {
    Reply::json(404, &json!({ "error": { "code": "not_found" } }))
}

/// Starts an exchange that replies to writes with `write` and to lists with `list`, and whose reads are up to date.
async fn exchange(
    write: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    list: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> Exchange {
    Exchange::start(move |request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => write(request),
        Some("user_data_timestamp") => Reply::json(200, &json!({ "as_of_time": Utc::now() })),
        Some("orders") => list(request),
        _ => not_found(),
    })
    .await
}

fn page(rows: &[Value]) -> Reply {
    Reply::json(200, &json!({ "orders": rows, "cursor": "" }))
}

async fn place(client: &Client, fields: Value) -> OrderOutcome {
    client.orders().place(order(fields)).await.unwrap()
}

async fn reconcile(outcome: OrderOutcome, timeout: Duration) -> Reconciliation {
    match outcome {
        OrderOutcome::Unknown(unknown) => unknown.reconcile(timeout).await,
        other => panic!("{other:?}"),
    }
}

/// The first signed response arrives when reads that lag would already seem fresh by the local clock.
#[tokio::test]
async fn slow_clock_does_not_make_a_stale_read_a_proof() {
    let reads = AtomicUsize::new(0);
    let exchange = Exchange::start(move |request| {
        let reply = match request.path.rsplit('/').next() {
            _ if request.method != "GET" => Reply::Drop,
            Some("user_data_timestamp") => {
                let as_of = Utc::now() - TimeDelta::milliseconds(4_300);
                Reply::json(200, &json!({ "as_of_time": as_of }))
            }
            _ if reads.fetch_add(1, Relaxed) < 4 => Reply::Drop,
            _ => Reply::json(200, &json!({ "order": row(json!({})) })),
        };
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        reply.with_header("date", date)
    })
    .await;
    let client = builder(&exchange).clock(Arc::new(SkewedClock(TimeDelta::seconds(-5))));
    let change = amend(json!({ "price": "0.5700" }));
    let outcome = client.build().unwrap().orders().amend("o1", change).await;
    let ChangeOutcome::Unknown(unknown) = outcome.unwrap() else {
        panic!()
    };
    let found = unknown.reconcile(Duration::from_secs(3)).await;
    assert!(
        matches!(&found, ChangeReconciliation::Unclear(order) if order.order_id == "o1"),
        "{found:?}"
    );
}

/// Without a `date`, only the local clock says how old a read is. Here it is slow by more than the reads lag.
#[tokio::test]
async fn local_clock_alone_does_not_prove_absence() {
    let exchange = Exchange::start(|request| {
        let reply = match request.path.rsplit('/').next() {
            _ if request.method != "GET" => Reply::Drop,
            Some("user_data_timestamp") => {
                let as_of = Utc::now() - TimeDelta::milliseconds(7_200);
                Reply::json(200, &json!({ "as_of_time": as_of }))
            }
            _ => page(&[]),
        };
        reply.with_header("date", "")
    })
    .await;
    let client = builder(&exchange).clock(Arc::new(SkewedClock(TimeDelta::seconds(-8))));
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let found = reconcile(outcome, Duration::from_secs(3)).await;
    assert!(matches!(found, Reconciliation::Unknown(_)), "{found:?}");
}

/// The local clock is slow, and the only response with a `date` seems to confirm it.
#[tokio::test]
async fn single_wrong_date_does_not_prove_absence() {
    let lists = AtomicUsize::new(0);
    let exchange = Exchange::start(move |request| {
        let reply = match request.path.rsplit('/').next() {
            _ if request.method != "GET" => return Reply::Drop,
            Some("user_data_timestamp") => {
                let as_of = Utc::now() - TimeDelta::milliseconds(7_200);
                Reply::json(200, &json!({ "as_of_time": as_of }))
            }
            _ if lists.fetch_add(1, Relaxed) == 0 => {
                let date = Utc::now() - TimeDelta::seconds(8);
                let date = date.format("%a, %d %b %Y %H:%M:%S GMT");
                return page(&[]).with_header("date", date);
            }
            _ => page(&[]),
        };
        reply.with_header("date", "")
    })
    .await;
    let client = builder(&exchange).clock(Arc::new(SkewedClock(TimeDelta::seconds(-8))));
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let found = reconcile(outcome, Duration::from_secs(3)).await;
    assert!(matches!(found, Reconciliation::Unknown(_)), "{found:?}");
}

/// A proxy that once sent an extra response sends every later request on that connection the response to the one before.
#[tokio::test]
async fn connections_are_replaced_after_a_read_about_another_order() {
    let reads = AtomicUsize::new(0);
    let exchange = Exchange::start(move |request| {
        if request.method != "GET" {
            return not_found();
        }
        let order = match reads.fetch_add(1, Relaxed) {
            0 => row(json!({ "order_id": "o0" })),
            _ => row(json!({ "status": "executed" })),
        };
        Reply::json(200, &json!({ "order": order }))
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let outcome = client.orders().cancel("o1").await.unwrap();
    assert!(
        matches!(outcome, ChangeOutcome::AlreadyGone(_)),
        "{outcome:?}"
    );
    _ = place(&client, json!({})).await;
    let received = exchange.received();
    let connections: Vec<_> = received.iter().map(|request| request.connection).collect();
    let [cancel, shifted, .., order] = connections[..] else {
        panic!("{connections:?}")
    };
    assert!(cancel == shifted && order != shifted, "{connections:?}");
}

/// The client order id belongs to an order of an earlier run, which was amended since.
#[tokio::test]
async fn order_with_a_taken_id_is_never_reported_as_absent() {
    let created = Utc::now() - TimeDelta::days(1);
    let holder = row(json!({ "created_time": created, "yes_price_dollars": "0.5000" }));
    let as_sent = row(json!({ "created_time": created }));
    for (row, is_as_sent) in [(holder, false), (as_sent, true)] {
        let taken = json!({ "error": { "code": "order_already_exists" } });
        let (reads, at) = (AtomicUsize::new(0), row.clone());
        let exchange = exchange(
            move |_| Reply::json(409, &taken),
            move |request| {
                // The first lookup fails, so that the outcome is unknown.
                let is_shown = !request.query.contains_key("min_ts");
                match reads.fetch_add(1, Relaxed) {
                    0..3 => Reply::Drop,
                    _ if is_shown => page(std::slice::from_ref(&at)),
                    _ => page(&[]),
                }
            },
        )
        .await;
        let client = builder(&exchange).lookup_timeout(Duration::from_millis(150));
        let outcome = place(&client.build().unwrap(), json!({})).await;
        assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
        match outcome.reconciled(LONG).await {
            OrderOutcome::Unknown(_) => assert!(!is_as_sent),
            OrderOutcome::AlreadyExists(found) => assert!(is_as_sent && found.order_id == "o1"),
            other => panic!("{other:?}"),
        }
    }
    // No list shows the order that must exist.
    let taken = json!({ "error": { "code": "order_already_exists" } });
    let exchange = exchange(move |_| Reply::json(409, &taken), |_| page(&[])).await;
    let client = builder(&exchange).lookup_timeout(Duration::from_millis(150));
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let found = reconcile(outcome, LONG).await;
    assert!(matches!(found, Reconciliation::Unknown(_)), "{found:?}");
}

/// The exchange has rejected orders with a success status and an error.
#[tokio::test]
async fn taken_id_is_found_whatever_the_status() {
    for (status, code) in [
        (200, "order_already_exists"),
        (201, "order_already_exists"),
        (400, "order_already_exists"),
        (409, "ORDER_ALREADY_EXISTS"),
    ] {
        let taken = json!({ "error": { "code": code } });
        let exchange = exchange(
            move |_| Reply::json(status, &taken),
            |_| page(&[row(json!({}))]),
        )
        .await;
        let client = builder(&exchange).build().unwrap();
        let outcome = place(&client, json!({})).await;
        assert!(
            matches!(&outcome, OrderOutcome::AlreadyExists(found) if found.order_id == "o1"),
            "{status}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn cancel_that_removed_nothing_is_not_done() {
    let reply = json!({ "order_id": "o1", "reduced_by": "0.00", "ts_ms": 1 });
    let exchange = exchange(move |_| Reply::json(200, &reply), |_| page(&[])).await;
    let client = builder(&exchange).build().unwrap();
    let outcome = client.orders().cancel("o1").await.unwrap();
    assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
}

/// For example, a batch that the rate limit cut in half.
#[tokio::test]
async fn write_with_an_error_that_reports_orders_is_not_repeated() {
    for (status, code) in [
        (429, "too_many_requests"),
        (401, "header_timestamp_expired"),
    ] {
        let exchange = exchange(
            move |_| {
                let date = Utc::now() + TimeDelta::minutes(10);
                let body = json!({
                    "error": { "code": code }, "order_id": "o1", "orders": [{ "order_id": "o1" }],
                });
                Reply::json(status, &body)
                    .with_header("date", date.format("%a, %d %b %Y %H:%M:%S GMT"))
            },
            |_| page(&[]),
        )
        .await;
        let client = builder(&exchange)
            .retry(RetryPolicy::default())
            .build()
            .unwrap();
        let orders = client.orders();
        let outcome = orders.place_batch(vec![order(json!({}))]).await.unwrap();
        assert!(
            matches!(outcome[0], OrderOutcome::Unknown(_)),
            "{outcome:?}"
        );
        let outcome = orders.cancel("o1").await.unwrap();
        assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
        let writes = exchange.received();
        let writes = writes.iter().filter(|request| request.method != "GET");
        assert_eq!(writes.count(), 2, "{status}");
    }
}

#[tokio::test]
async fn incomplete_or_cached_page_does_not_prove_absence() {
    let lists: [fn() -> Reply; 5] = [
        || Reply::json(200, &json!({})),
        || Reply::json(200, &json!({ "orders": [] })),
        || Reply::json(200, &json!({ "cursor": "" })),
        || Reply::json(200, &json!({ "as_of_time": Utc::now() })),
        || page(&[]).with_header("age", 20),
    ];
    let mut cases = tokio::task::JoinSet::new();
    for list in lists {
        cases.spawn(async move {
            let exchange = exchange(|_| Reply::Drop, move |_| list()).await;
            let client = builder(&exchange).build().unwrap();
            let timeout = Duration::from_millis(2_500);
            let found = reconcile(place(&client, json!({})).await, timeout).await;
            assert!(matches!(found, Reconciliation::Unknown(_)), "{found:?}");
            let found = client
                .orders()
                .find("mine")
                .ticker(TICKER)
                .timeout(timeout)
                .await;
            assert!(matches!(found, OrderLookup::Unknown(_)), "{found:?}");
        });
    }
    cases.join_all().await;
    let exchange = exchange(|_| Reply::Drop, |_| page(&[])).await;
    let client = builder(&exchange).build().unwrap();
    let found = reconcile(place(&client, json!({})).await, LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}

#[tokio::test]
async fn earlier_order_with_same_fields_is_only_a_candidate() {
    let before = Utc::now() - chrono::TimeDelta::minutes(10);
    // Without a creation time it may be an earlier one.
    for created in [json!(before), json!(null)] {
        let exchange = exchange(
            |_| Reply::Drop,
            move |_| page(&[row(json!({ "created_time": created }))]),
        )
        .await;
        let client = builder(&exchange).build().unwrap();
        let found = reconcile(place(&client, json!({})).await, LONG).await;
        assert!(
            matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn order_that_differs_in_any_field_is_only_a_candidate() {
    for (sent, listed) in [
        (json!({ "expiration_time": 1_900_000_000 }), json!({})),
        (
            json!({}),
            json!({ "expiration_time": "2030-03-17T17:46:40Z" }),
        ),
        (
            json!({ "order_group_id": "g1" }),
            json!({ "order_group_id": "g2" }),
        ),
        (json!({}), json!({ "order_group_id": "g2" })),
        (json!({}), json!({ "self_trade_prevention_type": "maker" })),
        (json!({}), json!({ "cancel_order_on_pause": true })),
        (json!({}), json!({ "initial_count_fp": "11.00" })),
        (json!({}), json!({ "yes_price_dollars": "0.5700" })),
        (
            json!({ "subaccount": 2 }),
            json!({ "subaccount_number": null }),
        ),
    ] {
        let (shown, code) = (listed.clone(), "order_already_exists");
        let exchange = exchange(
            move |_| Reply::json(409, &json!({ "error": { "code": code } })),
            move |_| page(&[row(listed.clone())]),
        )
        .await;
        let client = builder(&exchange).build().unwrap();
        let outcome = place(&client, sent.clone()).await;
        assert!(
            matches!(&outcome, OrderOutcome::Unknown(unknown) if unknown.candidates().len() == 1),
            "{sent} {shown} {outcome:?}"
        );
    }
}

#[tokio::test]
async fn rejection_includes_existing_order_with_same_client_id() {
    for listed in [
        json!({ "ticker": "KXOTHER-26" }),
        json!({ "book_side": "ask", "outcome_side": "no" }),
        json!({ "subaccount_number": 5 }),
    ] {
        let shown = row(listed.clone());
        let exchange = exchange(
            |_| {
                Reply::json(
                    409,
                    &json!({ "code": "order_already_exists", "message": "x" }),
                )
            },
            move |request| match request.query.get("ticker") {
                Some(ticker) if shown["ticker"] != ticker.as_str() => page(&[]),
                _ => page(std::slice::from_ref(&shown)),
            },
        )
        .await;
        let client = builder(&exchange).build().unwrap();
        let outcome = place(&client, json!({ "subaccount": 0 })).await;
        assert!(
            matches!(&outcome, OrderOutcome::Rejected(rejection) if rejection.existing().is_some_and(|order| order.order_id == "o1")),
            "{listed} {outcome:?}"
        );
    }
}

#[tokio::test]
async fn any_lookup_timeout_is_accepted() {
    for timeout in [Duration::MAX, Duration::ZERO] {
        let exchange = exchange(|_| Reply::status(409), |_| page(&[row(json!({}))])).await;
        let client = builder(&exchange).lookup_timeout(timeout).build().unwrap();
        let outcome = place(&client, json!({})).await;
        match outcome {
            OrderOutcome::AlreadyExists(_) if !timeout.is_zero() => {}
            OrderOutcome::Unknown(unknown) if timeout.is_zero() => {
                let text = unknown.error().to_string();
                assert!(text.contains("within lookup_timeout, 0 ms"), "{text}");
            }
            other => panic!("{timeout:?} {other:?}"),
        }
    }
}

fn amend(fields: Value) -> AmendOrderV2Request {
    let mut amend = json!({ "ticker": TICKER, "side": "bid", "price": "0.5600", "count": "10.00" });
    merge(&mut amend, fields);
    serde_json::from_value(amend).unwrap()
}

/// Starts an exchange that drops writes. Reads of the order return `early` until they are up to date, then `late`.
async fn lagging(early: Value, late: Value) -> Exchange {
    let reads = AtomicUsize::new(0);
    Exchange::start(move |request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => Reply::Drop,
        Some("user_data_timestamp") => {
            let lag = if reads.load(Relaxed) < 3 { 3_600 } else { 0 };
            let as_of = Utc::now() - chrono::TimeDelta::seconds(lag);
            Reply::json(200, &json!({ "as_of_time": as_of }))
        }
        _ => {
            let order = if reads.fetch_add(1, Relaxed) < 3 {
                &early
            } else {
                &late
            };
            Reply::json(200, &json!({ "order": order }))
        }
    })
    .await
}

#[tokio::test]
async fn wanted_state_in_a_stale_read_does_not_prove_the_change() {
    let as_wanted = row(json!({}));
    let exchange = lagging(as_wanted, row(json!({ "yes_price_dollars": "0.6000" }))).await;
    let client = builder(&exchange).build().unwrap();
    let ChangeOutcome::Unknown(unknown) =
        client.orders().amend("o1", amend(json!({}))).await.unwrap()
    else {
        panic!()
    };
    let found = unknown.reconcile(LONG).await;
    assert!(
        matches!(found, ChangeReconciliation::NotDone(_)),
        "{found:?}"
    );
}

#[tokio::test]
async fn amendment_of_client_id_is_done_only_under_the_new_id() {
    for (id, is_done) in [("new", true), ("mine", false)] {
        let shown = row(json!({ "client_order_id": id }));
        let exchange = lagging(shown.clone(), shown).await;
        let client = builder(&exchange).build().unwrap();
        let change = amend(json!({ "client_order_id": "mine", "updated_client_order_id": "new" }));
        let ChangeOutcome::Unknown(unknown) = client.orders().amend("o1", change).await.unwrap()
        else {
            panic!()
        };
        let found = unknown.reconcile(LONG).await;
        assert_eq!(
            matches!(found, ChangeReconciliation::Done(_)),
            is_done,
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn contradictory_batch_items_are_unknown() {
    let bodies = [
        json!({ "orders": [{ "order_id": "o1", "reduced_by": "0.00", "error": { "code": 404 } }] }),
        json!({ "orders": [{ "order_id": "o1", "reduced_by": "0.00", "error": { "reason": "x" } }] }),
        json!({ "orders": [{ "order_id": "o1", "reduced_by": "0.00", "error": null }] }),
        json!({ "orders": [{ "order_id": "o1", "reduced_by": "5.00", "error": { "code": "not_found" } }] }),
        json!({ "orders": [{ "order_id": "", "reduced_by": "10.00" }] }),
    ];
    for body in bodies {
        let reply = body.clone();
        let exchange = exchange(move |_| Reply::json(200, &reply), |_| page(&[])).await;
        let client = builder(&exchange).build().unwrap();
        let cancel = client
            .orders()
            .cancel_batch(&[OrderRef::new("o1")])
            .confirm_timeout(LONG);
        let outcome = cancel.await.unwrap().remove(0);
        assert!(
            matches!(outcome, ChangeOutcome::Unknown(_)),
            "{body} {outcome:?}"
        );
    }
    // If the response contains a foreign order, an item without an order ID is not trusted either.
    let body = json!({ "orders": [
        { "order_id": "other", "reduced_by": "10.00" },
        { "order_id": "", "reduced_by": "0.00", "error": { "code": "permission_denied" } },
    ] });
    let exchange = exchange(move |_| Reply::json(200, &body), |_| page(&[])).await;
    let client = builder(&exchange).build().unwrap();
    let keys = [OrderRef::new("o1"), OrderRef::new("o2")];
    for outcome in client.orders().cancel_batch(&keys).await.unwrap() {
        assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn two_items_with_one_order_id_are_unknown() {
    let exchange = exchange(
        |request| {
            let item = |index: usize| {
                let id = &request.json()["orders"][index]["client_order_id"];
                json!({ "order_id": "o1", "client_order_id": id, "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1 })
            };
            Reply::json(201, &json!({ "orders": [item(0), item(1)] }))
        },
        |_| page(&[]),
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let orders = vec![
        order(json!({})),
        order(json!({ "client_order_id": "other" })),
    ];
    for outcome in client.orders().place_batch(orders).await.unwrap() {
        assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    }
}

/// An unreadable order in a batch does not affect the outcomes of the others.
#[tokio::test]
async fn batch_cancel_is_confirmed_per_order() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        _ if request.method != "GET" => {
            let item = |id: &str| json!({ "order_id": id, "reduced_by": "0.00", "error": { "code": "not_found" } });
            Reply::json(200, &json!({ "orders": [item("bad"), item("o1")] }))
        }
        Some("o1") => Reply::json(200, &json!({ "order": row(json!({ "status": "executed" })) })),
        _ => Reply::json(200, &json!({ "order": {} })),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let keys = [OrderRef::new("bad"), OrderRef::new("o1")];
    let outcomes = client
        .orders()
        .cancel_batch(&keys)
        .confirm_timeout(Duration::from_millis(600))
        .await;
    let outcomes = outcomes.unwrap();
    assert!(
        matches!(
            outcomes.as_slice(),
            [ChangeOutcome::Unknown(_), ChangeOutcome::AlreadyGone(_)]
        ),
        "{outcomes:?}"
    );
}

/// A middleware that responds with a page of orders without sending anything.
struct Instantly(&'static str);

#[async_trait::async_trait]
impl Middleware for Instantly {
    async fn handle(
        &self,
        _: Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        Ok(http::Response::new(self.0).into())
    }
}

#[tokio::test]
async fn page_with_many_rows_does_not_delay_timers() {
    const ROWS: usize = 10_000;
    let body = json!({ "orders": vec![0; ROWS], "cursor": "" }).to_string();
    let exchange = exchange(|_| not_found(), |_| page(&[])).await;
    let client = builder(&exchange).middleware(Instantly(body.leak()));
    let orders = client.build().unwrap().get_orders().by_item();
    let last_error = LastError::default();
    let mut walk = pin!(walk(orders, &last_error, |_| true, |_: &Order| true));
    let mut polls = 0;
    let walk = poll_fn(|context| {
        polls += 1;
        walk.as_mut().poll(context)
    });
    assert_eq!(walk.await.unwrap().skipped_count, ROWS);
    assert!(polls >= ROWS / 200, "{polls}");
}

/// A middleware that drops the request's extensions.
struct Forgetful;

#[async_trait::async_trait]
impl Middleware for Forgetful {
    async fn handle(
        &self,
        request: Request,
        _: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        next.run(request, &mut http::Extensions::new()).await
    }
}

#[tokio::test]
async fn request_whose_attempts_cannot_be_counted_is_not_sent() {
    let exchange = exchange(|_| Reply::status(500), |_| page(&[])).await;
    let client = builder(&exchange).middleware(Forgetful).build().unwrap();
    let error = client.orders().place(order(json!({}))).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("extensions") && error.was_not_processed(),
        "{source}"
    );
    assert_eq!(exchange.count(), 0);
}

/// A middleware that discards the response and returns a 429 of its own.
struct Governor;

#[async_trait::async_trait]
impl Middleware for Governor {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        _ = next.run(request, extensions).await;
        let body = r#"{"error":"too many requests"}"#;
        Ok(http::Response::builder()
            .status(429)
            .body(body)
            .unwrap()
            .into())
    }
}

#[tokio::test]
async fn write_with_429_made_by_middleware_is_unknown() {
    let exchange = exchange(|_| Reply::Drop, |_| page(&[])).await;
    let retry = RetryPolicy::default().with_initial_backoff(Duration::from_millis(1));
    let client = builder(&exchange)
        .retry(retry)
        .middleware(Governor)
        .build()
        .unwrap();
    let outcome = place(&client, json!({})).await;
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(exchange.count(), 1);
}

/// The exchange receives the request and redirects it to an address without a listener.
#[tokio::test]
async fn write_redirected_to_nowhere_is_unknown() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Arc::new(format!("http://{}/", gone.local_addr().unwrap()));
    drop(gone);
    let exchange = exchange(
        move |_| Reply::status(307).with_header("location", &*target),
        |_| page(&[]),
    )
    .await;
    let client = builder(&exchange)
        .retry(RetryPolicy::default().with_initial_backoff(Duration::from_millis(1)))
        .http_client(kalshi_sdk::reqwest::Client::new())
        .build()
        .unwrap();
    let outcome = place(&client, json!({})).await;
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(exchange.count(), 1);
}

#[tokio::test]
async fn custom_http_client_has_the_request_timeout() {
    let exchange = exchange(|_| Reply::Hang, |_| page(&[])).await;
    let client = builder(&exchange)
        .http_client(kalshi_sdk::reqwest::Client::new())
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let outcome = place(&client, json!({})).await;
    assert!(
        matches!(&outcome, OrderOutcome::Unknown(unknown) if unknown.error().is_timeout()),
        "{outcome:?}"
    );
}
