//! Lookups by client order id while reads lag, rows are invalid or clocks are wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use chrono::{TimeDelta, Utc};
use kalshi_sdk::{
    auth::{Clock, ClockError},
    orders::{OrderLookup, OrderOutcome, Reconciliation},
};
use serde_json::json;

use super::{
    case::{Case, LONG, after_writes, builder, to_writes, unknown},
    model::{OldOrder, ticker},
    samples::{order, order_with},
};
use crate::common::exchange::Reply;

const TWO_HOURS: Duration = Duration::from_secs(7_200);

fn old<'a>(client_order_id: &'a str, ticker: &'a str, is_archived: bool) -> OldOrder<'a> {
    OldOrder {
        client_order_id,
        ticker,
        side: "ask",
        subaccount: 1,
        age: TimeDelta::days(30),
        is_archived,
        is_taken: true,
        status: "canceled",
    }
}

fn dated(reply: Reply, time: SystemTime) -> Reply {
    reply.dated(time)
}

#[tokio::test]
async fn invalid_row_prevents_not_found() {
    let is_spoilt = Arc::new(AtomicBool::new(true));
    let spoils = is_spoilt.clone();
    let case = Case::new(move |request, model| match request.method.as_str() {
        "POST" => Some(Reply::Drop),
        _ if request.path.ends_with("/portfolio/orders") && spoils.load(Relaxed) => {
            let Reply::Response(status, _, body) = model.handle(request) else {
                panic!()
            };
            let body = String::from_utf8(body).unwrap();
            let body = body.replace(
                r#""yes_price_dollars":"0.5600""#,
                r#""yes_price_dollars":"cheap""#,
            );
            Some(Reply::Response(status, Vec::new(), body.into()))
        }
        _ => None,
    })
    .await;
    let market = ticker(0, 'A');
    case.model.add_old(&OldOrder {
        age: TimeDelta::minutes(1),
        ..old("other", &market, false)
    });
    let unknown = case.unknown(order("a")).await;
    let found = unknown.reconcile(LONG).await;
    let Reconciliation::Unknown(unresolved) = &found else {
        panic!("{found:?}")
    };
    assert!(unresolved.error().unwrap().is_row());
    let found = case.client.orders().find("a").ticker(&market).await;
    assert!(matches!(found, OrderLookup::Unknown(_)), "{found:?}");
    is_spoilt.store(false, Relaxed);
    let found = unknown.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}

#[tokio::test]
async fn date_two_hours_ahead_does_not_lose_a_resting_order() {
    let case = Case::new(|request, model| {
        let reply = model.handle(request);
        let reply = if request.method == "POST" {
            Reply::status(500)
        } else {
            reply
        };
        Some(dated(reply, SystemTime::now() + TWO_HOURS))
    })
    .await;
    for _ in 0..2 {
        let unknown = case.unknown(order("")).await;
        let found = unknown.reconcile(LONG).await;
        assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
    }
    // By these dates it was created before it was sent, so it may be an earlier order with the same id.
    for id in ["a", "b"] {
        let unknown = case.unknown(order(id)).await;
        let found = unknown.reconcile(Duration::from_secs(1)).await;
        assert!(
            matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
            "{found:?}"
        );
    }
}

/// The system clock with an offset in milliseconds.
#[derive(Clone, Debug, Default)]
struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let now = Utc::now().timestamp_millis() + self.0.load(Relaxed);
        Ok(u64::try_from(now).unwrap())
    }
}

#[tokio::test]
async fn clock_set_back_after_sending_does_not_lose_a_resting_order() {
    let case = Case::with_lag(Duration::from_millis(300), after_writes(Reply::Drop)).await;
    let clock = SetClock::default();
    let ahead = i64::try_from(TWO_HOURS.as_millis()).unwrap();
    // First ahead then right, then right then behind.
    for (id, before, after) in [("a", ahead, 0), ("b", 0, -ahead)] {
        clock.0.store(before, Relaxed);
        let client = builder(&case.server)
            .clock(Arc::new(clock.clone()))
            .build()
            .unwrap();
        let unknown = unknown(client.orders().place(order(id)).await.unwrap());
        clock.0.store(after, Relaxed);
        let found = unknown.reconcile(LONG).await;
        assert!(matches!(found, Reconciliation::Placed(_)), "{id} {found:?}");
    }
}

#[tokio::test]
async fn single_wrong_date_does_not_block_an_expiring_order() {
    let case = Case::new(|request, model| {
        (request.method == "GET")
            .then(|| dated(model.handle(request), SystemTime::now() + TWO_HOURS))
    })
    .await;
    case.client.get_orders().send().await.unwrap();
    let expiring = |time: i64| order_with(json!({ "expiration_time": time }));
    let in_ten_minutes = Utc::now().timestamp() + 600;
    case.placed(expiring(in_ten_minutes)).await;
    let sent = case.server.count();
    let error = case
        .client
        .orders()
        .place(expiring(in_ten_minutes * 1_000))
        .await
        .unwrap_err();
    assert!(error.is_invalid_request(), "{error}");
    assert!(
        error
            .to_string()
            .contains("in Unix seconds, not milliseconds"),
        "{error}"
    );
    assert_eq!(case.server.count(), sent);
}

#[tokio::test]
async fn find_returns_live_and_archived_orders() {
    let case = Case::new(|_, _| None).await;
    let market = ticker(0, 'A');
    let archived = case.model.add_old(&old("archived", &market, true));
    let live = case.placed(order("live")).await.order_id.to_string();
    for (id, expected) in [("archived", archived), ("live", live)] {
        for lookup in [
            case.client.orders().find(id),
            case.client.orders().find(id).ticker(&market),
        ] {
            let found = lookup.await;
            assert!(
                matches!(&found, OrderLookup::Found(order) if order.order_id == expected),
                "{id} {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn find_proves_absence_only_with_current_reads() {
    let is_stale = Arc::new(AtomicBool::new(true));
    let stale = is_stale.clone();
    let case = Case::new(move |request, _| {
        (request.path.ends_with("/user_data_timestamp") && stale.load(Relaxed)).then(|| {
            Reply::json(
                200,
                &json!({ "as_of_time": Utc::now() - TimeDelta::seconds(30) }),
            )
        })
    })
    .await;
    let lookup = case.client.orders().find("never").ticker(ticker(0, 'A'));
    let found = lookup.clone().timeout(Duration::from_millis(2_500)).await;
    assert!(
        matches!(&found, OrderLookup::Unknown(unresolved) if unresolved.candidates().is_empty()),
        "{found:?}"
    );
    is_stale.store(false, Relaxed);
    let found = lookup.timeout(LONG).await;
    assert!(matches!(found, OrderLookup::NotFound), "{found:?}");
}

#[tokio::test]
async fn absent_order_is_not_found_only_after_the_lag() {
    let case = Case::with_lag(Duration::from_millis(1_200), to_writes(Reply::Drop)).await;
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    let OrderOutcome::Unknown(absent) = outcome else {
        panic!("{outcome:?}")
    };
    let early = absent.reconcile(Duration::from_millis(800)).await;
    assert!(matches!(early, Reconciliation::Unknown(_)), "{early:?}");
    let found = absent.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::NotFound), "{found:?}");
}
