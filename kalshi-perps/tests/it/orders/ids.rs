//! Client order ids that may belong to an older order, and keys that are restricted to a subaccount.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use chrono::{TimeDelta, Utc};
use kalshi_mock::{Fault, KeyOptions, MockExchange};
use kalshi_perps::{
    Credentials,
    auth::{Clock, ClockError},
    operation,
    orders::{ChangeOutcome, Decrease, NewOrder},
    types::ApplySubaccountTransferRequest,
};

use super::*;
use crate::hostile::{
    case::{builder, unknown},
    model::OldOrder,
};

const SHORT: Duration = Duration::from_millis(700);

#[tokio::test]
async fn resend_does_not_forget_that_the_id_is_taken() {
    let (writes, is_down) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(true)));
    let down = is_down.clone();
    let case = Case::new(move |request, _| match request.method.as_str() {
        "GET" => down.load(Relaxed).then_some(Reply::Drop),
        _ if writes.fetch_add(1, Relaxed) == 0 => Some(error(409, "ORDER_ALREADY_EXISTS")),
        _ => Some(Reply::Drop),
    })
    .await;
    let market = ticker(0, 'A');
    let older = case.model.add_old(&OldOrder {
        age: TimeDelta::days(1),
        ..old("a", &market)
    });
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    let OrderOutcome::Unlisted(first) = outcome else {
        panic!("{outcome:?}")
    };
    let second = unknown(first.resend().await);
    is_down.store(false, Relaxed);
    let found = second.reconcile(LONG).await;
    assert!(
        matches!(&found, Reconciliation::AlreadyExists(placed) if placed.order_id == older),
        "{found:?}"
    );
}

/// The first responses after a restart do not show the exchange's time yet.
#[tokio::test]
async fn order_with_a_taken_id_is_placed_once_the_clock_is_known() {
    let case = Case::new(|request, model| {
        (request.method == "POST").then(|| match model.handle(request) {
            duplicate @ Reply::Response(409, ..) => duplicate,
            _ => Reply::Drop,
        })
    })
    .await;
    let client = builder(&case.server).lookup_timeout(Duration::ZERO);
    let outcome = client.build().unwrap().orders().place(order("a")).await;
    let OrderOutcome::Unlisted(taken) = unknown(outcome.unwrap()).resend().await else {
        panic!()
    };
    let found = taken.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
}

/// A clock that is six hours behind.
#[derive(Debug)]
struct SlowClock;

impl Clock for SlowClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let now = Utc::now() - TimeDelta::hours(6);
        Ok(u64::try_from(now.timestamp_millis()).unwrap())
    }
}

#[tokio::test]
async fn old_order_is_not_placed_by_a_slow_clock() {
    let case = Case::new(to_writes(Reply::Drop)).await;
    let market = ticker(0, 'A');
    case.model.add_old(&OldOrder {
        age: TimeDelta::hours(3),
        ..old("a", &market)
    });
    let client = builder(&case.server).clock(Arc::new(SlowClock));
    let outcome = client.build().unwrap().orders().place(order("a")).await;
    let found = unknown(outcome.unwrap()).reconcile(SHORT).await;
    assert!(
        matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
        "{found:?}"
    );
}

#[tokio::test]
async fn row_read_twice_has_its_last_state() {
    let case = Case::new(|request, model| {
        let Reply::Response(status, _, body) = model.handle(request) else {
            panic!()
        };
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        if request.query.contains_key("cursor") {
            body["orders"][0]["remaining_count"] = json!("0.00");
        } else {
            body["cursor"] = json!("1000000");
        }
        Some(Reply::json(status, &body))
    })
    .await;
    let market = ticker(0, 'A');
    case.model.add_old(&old("a", &market));
    let lookup = case
        .client
        .orders()
        .find("a", kalshi_perps::orders::Subaccounts::All)
        .ticker(&market);
    let found = lookup.await;
    assert!(
        matches!(&found, kalshi_perps::orders::OrderLookup::Found(order) if order.remaining_count == Contracts::ZERO),
        "{found:?}"
    );
}

/// Neither the requests nor the lookups name the primary account, which such a key may not use.
#[tokio::test]
async fn key_of_a_subaccount_needs_no_subaccount_in_its_orders() {
    const MARKET: &str = "KXBTCPERP";
    let exchange = MockExchange::builder().without_limits().without_markets();
    let exchange = exchange.start().await.unwrap();
    exchange
        .margin_market(MARKET)
        .bid("6.3300".parse().unwrap(), 100)
        .ask("6.3400".parse().unwrap(), 100);
    let owner = exchange.perps_client().unwrap();
    owner.create_margin_subaccount().send().await.unwrap();
    // Keys are those of the Trade API, and so are the subaccounts that they are restricted to.
    let trade = exchange.client().unwrap();
    trade.create_subaccount().send().await.unwrap();
    let transfer: ApplySubaccountTransferRequest = serde_json::from_value(json!({
        "client_transfer_id": "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001",
        "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 50_000,
    }))
    .unwrap();
    let transfer = owner.apply_margin_subaccount_transfer().body(transfer);
    transfer.send().await.unwrap();
    let (id, key) = exchange
        .user()
        .generate_key(KeyOptions::new().subaccount(1))
        .unwrap();
    let client = exchange
        .perps_client_builder()
        .unwrap()
        .credentials(Credentials::new(&id, key).unwrap())
        .build()
        .unwrap();
    let orders = client.orders();
    let new_order =
        |id: &str| NewOrder::buy(MARKET, "6.2000".parse().unwrap(), 2).client_order_id(id);
    let outcome = orders.place(new_order("a")).await.unwrap();
    let OrderOutcome::Placed(placed) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(placed.subaccount, None);
    let amendment = Amendment::buy("6.1900".parse().unwrap(), 2);
    let amended = orders.amend(&placed, amendment).await.unwrap();
    assert!(matches!(amended, ChangeOutcome::Done(_)), "{amended:?}");
    let decrease = Decrease::To(1.into());
    let decreased = orders.decrease(&placed, decrease).await.unwrap();
    assert!(matches!(decreased, ChangeOutcome::Done(_)), "{decreased:?}");
    let cancelled = orders.cancel(&placed).await.unwrap();
    assert!(matches!(cancelled, ChangeOutcome::Done(_)), "{cancelled:?}");
    exchange.fault(Fault::DropAfter.on(operation::CREATE_MARGIN_ORDER).times(1));
    let outcome = orders.place(new_order("b")).await.unwrap();
    let found = unknown(outcome).reconcile(LONG).await;
    let Reconciliation::Placed(placed) = found else {
        panic!("{found:?}")
    };
    let cancelled = orders.cancel(&placed).await.unwrap();
    assert!(matches!(cancelled, ChangeOutcome::Done(_)), "{cancelled:?}");
    // Its order has the id.
    let outcome = orders.place(new_order("b")).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(existing) if existing.order_id == placed.order_id),
        "{outcome:?}"
    );
}

/// Another strategy has placed the same order in subaccount 1. The rejection of the first list belongs to another request.
#[tokio::test]
async fn order_of_another_subaccount_is_not_placed_after_a_stray_rejection() {
    for status in [401, 403] {
        let lists = AtomicUsize::new(0);
        let case = Case::new(move |request, _| match request.method.as_str() {
            "GET" if lists.fetch_add(1, Relaxed) == 3 => Some(error(status, "permission_denied")),
            "GET" => None,
            _ => Some(Reply::Drop),
        })
        .await;
        // The exchange's time is known once three responses agree on it.
        for _ in 0..3 {
            case.client.get_margin_orders().send().await.unwrap();
        }
        let market = ticker(0, 'A');
        case.model.add_old(&OldOrder {
            subaccount: 1,
            age: TimeDelta::zero(),
            ..old("a", &market)
        });
        let unknown = case.unknown(order("a")).await;
        let found = unknown.reconcile(SHORT).await;
        assert!(matches!(found, Reconciliation::Unknown(_)), "{found:?}");
        let received = case.server.received();
        let subaccounts = received[4..6]
            .iter()
            .map(|list| list.query.get("subaccount").map(String::as_str));
        assert_eq!(subaccounts.collect::<Vec<_>>(), [Some("0"), None]);
    }
}

/// The first list shows it before its execution.
#[tokio::test]
async fn immediate_order_is_placed_once_a_read_shows_its_fills() {
    for status in [0, 409] {
        let lists = AtomicUsize::new(0);
        let case = Case::new(move |request, model| {
            if request.method == "GET" {
                if lists.fetch_add(1, Relaxed) == 1 {
                    model.execute("order-0-0");
                }
                return None;
            }
            model.add_old(&OldOrder {
                age: TimeDelta::zero(),
                ..old("a", &ticker(0, 'A'))
            });
            Some(match status {
                0 => Reply::Drop,
                status => error(status, "order_already_exists"),
            })
        })
        .await;
        let immediate = new_order("a").immediate_or_cancel();
        let outcome = case.client.orders().place(immediate).await.unwrap();
        let placed = match outcome {
            OrderOutcome::AlreadyExists(placed) => placed,
            outcome => match unknown(outcome).reconcile(LONG).await {
                Reconciliation::Placed(placed) => placed,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(placed.fill_count, 10.into(), "{status}");
    }
}
