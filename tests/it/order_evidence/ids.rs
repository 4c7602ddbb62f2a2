//! Client order ids that may belong to an older order.

use std::sync::atomic::{AtomicBool, AtomicI64};

use kalshi_sdk::auth::{Clock, ClockError};

use super::*;

/// A middleware that fails the second create request without sending it.
struct FailsSecond(AtomicUsize);

#[async_trait::async_trait]
impl Middleware for FailsSecond {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let is_create = request.method() == kalshi_sdk::reqwest::Method::POST;
        if is_create && self.0.fetch_add(1, Relaxed) == 1 {
            let error = std::io::Error::other("not sent");
            return Err(reqwest_middleware::Error::middleware(error));
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn resend_keeps_what_earlier_attempts_proved() {
    for sends_second in [true, false] {
        let holder = row(json!({ "created_time": Utc::now() - TimeDelta::days(1) }));
        let (writes, is_down) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(true)));
        let down = is_down.clone();
        let taken = json!({ "error": { "code": "order_already_exists" } });
        let exchange = exchange(
            move |_| match writes.fetch_add(1, Relaxed) {
                0 => Reply::json(409, &taken),
                _ => Reply::Drop,
            },
            move |request| match request.query.contains_key("min_ts") {
                _ if down.load(Relaxed) => Reply::Drop,
                true => page(&[]),
                false => page(std::slice::from_ref(&holder)),
            },
        )
        .await;
        let builder = builder(&exchange).lookup_timeout(Duration::from_millis(50));
        let client = match sends_second {
            true => builder,
            false => builder.middleware(FailsSecond(AtomicUsize::new(0))),
        };
        let outcome = place(&client.build().unwrap(), json!({})).await;
        let OrderOutcome::Unknown(first) = outcome else {
            panic!("{outcome:?}")
        };
        let OrderOutcome::Unknown(second) = first.resend().await else {
            panic!()
        };
        let error = second.error();
        assert!(error.code().is_none(), "{error}");
        assert!(
            error.may_have_reached_exchange()
                && error.may_have_taken_effect()
                && !error.was_not_processed(),
            "{error}"
        );
        is_down.store(false, Relaxed);
        let found = second.reconcile(LONG).await;
        assert!(
            matches!(&found, Reconciliation::AlreadyExists(placed) if placed.order_id == "o1"),
            "{found:?}"
        );
    }
}

/// An order of three hours ago has the id of the new one, whose request was lost.
#[tokio::test]
async fn old_order_is_not_placed_by_a_wrong_clock() {
    let hours = TimeDelta::hours;
    for (clock, first_date) in [(hours(-6), hours(0)), (hours(0), hours(-6))] {
        let reads = AtomicUsize::new(0);
        let old = row(json!({ "created_time": Utc::now() - hours(3), "status": "executed" }));
        let exchange = Exchange::start(move |request| {
            let reply = match request.path.rsplit('/').next() {
                _ if request.method != "GET" => return Reply::Drop,
                Some("user_data_timestamp") => {
                    Reply::json(200, &json!({ "as_of_time": Utc::now() }))
                }
                _ => page(std::slice::from_ref(&old)),
            };
            let date = match reads.fetch_add(1, Relaxed) {
                0 => Utc::now() + first_date,
                _ => Utc::now(),
            };
            reply.with_header("date", date.format("%a, %d %b %Y %H:%M:%S GMT"))
        })
        .await;
        let client = builder(&exchange).clock(Arc::new(SkewedClock(clock)));
        let outcome = place(&client.build().unwrap(), json!({})).await;
        let found = reconcile(outcome, LONG).await;
        assert!(
            matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
            "{found:?}"
        );
    }
}

/// Its creation shows that it is newer as soon as some responses agree on the exchange's time.
#[tokio::test]
async fn new_order_is_placed_despite_a_fast_local_clock() {
    let exchange = exchange(|_| Reply::Drop, |_| page(&[row(json!({}))])).await;
    let client = builder(&exchange).clock(Arc::new(SkewedClock(TimeDelta::days(1))));
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let found = reconcile(outcome, LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
}

/// The first responses after a restart do not show the exchange's time yet.
#[tokio::test]
async fn order_with_a_taken_id_is_placed_once_the_clock_is_known() {
    let writes = AtomicUsize::new(0);
    let taken = json!({ "error": { "code": "order_already_exists" } });
    let exchange = exchange(
        move |_| match writes.fetch_add(1, Relaxed) {
            0 => Reply::Drop,
            _ => Reply::json(409, &taken),
        },
        |_| page(&[row(json!({}))]),
    )
    .await;
    let client = builder(&exchange).lookup_timeout(Duration::ZERO);
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let OrderOutcome::Unknown(lost) = outcome else {
        panic!("{outcome:?}")
    };
    let found = reconcile(lost.resend().await, LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
}

#[tokio::test]
async fn order_with_a_taken_id_already_exists_if_the_clock_stays_unknown() {
    let taken = json!({ "error": { "code": "order_already_exists" } });
    let exchange = exchange(
        move |_| Reply::json(409, &taken),
        |_| page(&[row(json!({}))]).with_header("date", ""),
    )
    .await;
    let client = builder(&exchange).lookup_timeout(Duration::ZERO);
    let outcome = place(&client.build().unwrap(), json!({})).await;
    let found = reconcile(outcome, Duration::from_millis(400)).await;
    assert!(
        matches!(found, Reconciliation::AlreadyExists(_)),
        "{found:?}"
    );
}

/// A clock that is ahead of the system's by a number of seconds that changes.
#[derive(Debug)]
struct ShiftedClock(Arc<AtomicI64>);

impl Clock for ShiftedClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        SkewedClock(TimeDelta::seconds(self.0.load(Relaxed))).now_ms()
    }
}

/// The machine sleeps for ten minutes, during which the monotonic clock stops.
#[tokio::test]
async fn order_sent_before_the_machine_slept_is_placed() {
    let slept = Arc::new(AtomicI64::new(0));
    let (elapsed, created) = (slept.clone(), Utc::now());
    let exchange = Exchange::start(move |request| {
        let now = Utc::now() + TimeDelta::seconds(elapsed.load(Relaxed));
        let reply = match request.path.rsplit('/').next() {
            _ if request.method != "GET" => return Reply::Drop,
            Some("user_data_timestamp") => Reply::json(200, &json!({ "as_of_time": now })),
            _ => page(&[row(json!({ "created_time": created }))]),
        };
        reply.with_header("date", now.format("%a, %d %b %Y %H:%M:%S GMT"))
    })
    .await;
    let client = builder(&exchange).clock(Arc::new(ShiftedClock(slept.clone())));
    let client = client.build().unwrap();
    for _ in 0..3 {
        client.get_orders().send().await.unwrap();
    }
    let outcome = place(&client, json!({})).await;
    slept.store(600, Relaxed);
    let found = reconcile(outcome, LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
}

/// `find` reads the archive too, and so does the lookup after a conflict.
#[tokio::test]
async fn failing_archive_does_not_hide_a_live_order() {
    let lists = |first_read: usize| {
        let reads = AtomicUsize::new(0);
        move |request: &Received| match request.path.contains("historical") {
            true => Reply::status(503),
            false if reads.fetch_add(1, Relaxed) < first_read => page(&[]),
            false => page(&[row(json!({}))]),
        }
    };
    let calm = exchange(|_| Reply::Drop, lists(0)).await;
    let client = builder(&calm).build().unwrap();
    let found = client.orders().find("mine").ticker(TICKER).await;
    assert!(matches!(found, OrderLookup::Found(_)), "{found:?}");
    // In the second case the archive has to be given up first.
    for first_read in [1, 2] {
        let taken = json!({ "error": { "code": "order_already_exists" } });
        let exchange = exchange(move |_| Reply::json(409, &taken), lists(first_read)).await;
        let client = builder(&exchange).lookup_timeout(LONG).build().unwrap();
        let outcome = place(&client, json!({})).await;
        assert!(
            matches!(&outcome, OrderOutcome::AlreadyExists(placed) if placed.order_id == "o1"),
            "{first_read} {outcome:?}"
        );
    }
}

#[tokio::test]
async fn row_read_twice_has_its_last_state() {
    let exchange = exchange(
        |_| Reply::Drop,
        |request| match request.query.get("cursor") {
            None => Reply::json(
                200,
                &json!({ "orders": [row(json!({}))], "cursor": "next" }),
            ),
            Some(_) => page(&[row(json!({ "status": "executed" }))]),
        },
    )
    .await;
    let client = builder(&exchange).build().unwrap();
    let found = client.orders().find("mine").ticker(TICKER).await;
    assert!(
        matches!(&found, OrderLookup::Found(order) if order.status.as_str() == "executed"),
        "{found:?}"
    );
}
