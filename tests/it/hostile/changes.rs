//! Changes of orders that the exchange does not find, and the reads that locate them.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use kalshi_sdk::{
    orders::{ChangeOutcome, OrderRef},
    types::{ExchangeIndex, OrderStatus},
};
use serde_json::json;

use super::{
    case::{Case, LONG},
    front::NGINX,
    model::{shard_of, ticker},
    samples::{amend, order, order_with},
};
use crate::common::exchange::Reply;

#[tokio::test]
async fn not_found_of_nginx_is_unknown() {
    let case = Case::new(|request, _| {
        (request.method == "DELETE").then(|| Reply::Response(404, Vec::new(), NGINX.into()))
    })
    .await;
    let placed = case.placed(order("a")).await;
    case.model.execute(&placed.order_id);
    let outcome = case.client.orders().cancel(&placed).await.unwrap();
    assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
    let outcome = case
        .client
        .orders()
        .cancel_batch(&[OrderRef::from(&placed)])
        .await
        .unwrap();
    assert!(
        matches!(outcome[0], ChangeOutcome::Unknown(_)),
        "{outcome:?}"
    );
    // The response is not the exchange's own "not found", so there is nothing to confirm.
    assert_eq!(case.count("GET", ""), 0);
}

#[tokio::test]
async fn change_in_wrong_subaccount_reports_the_order() {
    let case = Case::new(|_, _| None).await;
    let placed = case
        .placed(order_with(
            json!({ "client_order_id": "a", "subaccount": 3 }),
        ))
        .await;
    let key = OrderRef::from(&placed).with_subaccount(2);
    let outcome = case.client.orders().cancel(key.clone()).await.unwrap();
    assert!(
        matches!(&outcome, ChangeOutcome::NotApplied(order) if order.subaccount_number == Some(3.into())),
        "{outcome:?}"
    );
    let outcome = case.client.orders().cancel_batch(&[key]).await.unwrap();
    assert!(
        matches!(&outcome[0], ChangeOutcome::NotApplied(order) if order.subaccount_number == Some(3.into())),
        "{outcome:?}"
    );
    // Two reads that are half a second apart suffice, because an order never moves to another subaccount. They need not be up to date.
    let reads = case.count("GET", &placed.order_id);
    assert!((4..=8).contains(&reads), "{reads}");
    // Without a subaccount the exchange searches the primary one.
    let key = OrderRef::new(&placed.order_id).with_market(ticker(0, 'A'));
    let outcome = case
        .client
        .orders()
        .cancel(key)
        .confirm_timeout(LONG)
        .await
        .unwrap();
    assert!(
        matches!(&outcome, ChangeOutcome::NotApplied(order) if order.subaccount_number == Some(3.into())),
        "{outcome:?}"
    );
    assert!(case.model.order(&placed.order_id).unwrap().rests());
}

#[tokio::test]
async fn change_on_wrong_shard_reports_the_order() {
    let case = Case::new(|_, _| None).await;
    let market = ticker(1, 'A');
    assert_eq!(shard_of(&market), 1);
    let placed = case
        .placed(order_with(
            json!({ "client_order_id": "a", "ticker": market }),
        ))
        .await;
    for key in [
        OrderRef::new(&placed.order_id),
        OrderRef::from(&placed).with_exchange_index(2),
    ] {
        let outcome = case.client.orders().cancel(key).await.unwrap();
        assert!(
            matches!(&outcome, ChangeOutcome::NotApplied(order) if order.exchange_index == Some(ExchangeIndex(1))),
            "{outcome:?}"
        );
    }
    let reads = case.count("GET", &placed.order_id);
    assert!((4..=8).contains(&reads), "{reads}");
    let outcome = case.client.orders().cancel(&placed).await.unwrap();
    assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
}

/// The first read, and all reads within 400 ms of it, still show the order resting on its shard, which is not the one that the cancel named.
#[tokio::test]
async fn stale_reads_do_not_prove_that_an_order_rests_elsewhere() {
    let first = OnceLock::new();
    let case = Case::new(move |request, model| {
        let is_single = request.path.contains("/portfolio/orders/order-");
        is_single.then(|| {
            let (begun, stale) = first.get_or_init(|| {
                let reply = model.handle(request);
                model.execute("order-1-0");
                (Instant::now(), reply)
            });
            match begun.elapsed() < Duration::from_millis(400) {
                true => stale.clone(),
                false => model.handle(request),
            }
        })
    })
    .await;
    let order = order_with(json!({ "client_order_id": "a", "ticker": ticker(1, 'A') }));
    let placed = case.placed(order).await;
    let outcome = case.client.orders().cancel(&placed.order_id).await.unwrap();
    assert!(
        matches!(outcome, ChangeOutcome::AlreadyGone(_)),
        "{outcome:?}"
    );
}

/// The list of a market has rows of another one, so it belongs to another request.
#[tokio::test]
async fn list_with_rows_of_other_markets_does_not_prove_where_an_order_is() {
    let case = Case::new(|request, model| {
        request.query.contains_key("ticker").then(|| {
            let Reply::Response(status, _, body) = model.handle(request) else {
                panic!()
            };
            let body = String::from_utf8(body).unwrap();
            let body = body.replace(&ticker(0, 'A'), &ticker(0, 'B'));
            Reply::Response(
                status,
                Vec::new(),
                body.replace("executed", "resting").into(),
            )
        })
    })
    .await;
    let mut keys = Vec::new();
    for index in 0..6 {
        let placed = case.placed(order(&format!("a{index}"))).await;
        case.model.execute(&placed.order_id);
        keys.push(OrderRef::from(&placed));
    }
    let cancels = case.client.orders().cancel_batch(&keys);
    let outcomes = cancels.confirm_timeout(Duration::from_millis(700)).await;
    for outcome in outcomes.unwrap() {
        assert!(
            matches!(outcome, ChangeOutcome::AlreadyGone(_)),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn executed_order_is_already_gone_with_its_fills() {
    let case = Case::new(|_, _| None).await;
    let placed = case.placed(order("a")).await;
    case.model.execute(&placed.order_id);
    let gone = |outcome: &dyn Fn() -> Option<kalshi_sdk::types::Order>| {
        let order = outcome().unwrap();
        assert_eq!(order.status, OrderStatus::Executed);
        assert_eq!(order.fill_count_fp, 10.into());
    };
    let cancelled = case.client.orders().cancel(&placed).await.unwrap();
    gone(&|| match &cancelled {
        ChangeOutcome::AlreadyGone(order) => Some((**order).clone()),
        _ => None,
    });
    let amended = case
        .client
        .orders()
        .amend(&placed, amend(json!({})))
        .await
        .unwrap();
    gone(&|| match &amended {
        ChangeOutcome::AlreadyGone(order) => Some((**order).clone()),
        _ => None,
    });
}

#[tokio::test]
async fn confirm_of_zero_is_unknown_without_a_read() {
    let case = Case::new(|_, _| None).await;
    let placed = case.placed(order("a")).await;
    case.model.execute(&placed.order_id);
    let outcome = case
        .client
        .orders()
        .cancel(&placed)
        .confirm_timeout(Duration::ZERO)
        .await
        .unwrap();
    assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
    let keys = [OrderRef::from(&placed)];
    let outcome = case
        .client
        .orders()
        .cancel_batch(&keys)
        .confirm_timeout(Duration::ZERO)
        .await
        .unwrap();
    assert!(
        matches!(outcome[0], ChangeOutcome::Unknown(_)),
        "{outcome:?}"
    );
    assert_eq!(case.count("GET", ""), 0);
}

/// Reads show an executed order as resting until they catch up.
#[tokio::test]
async fn resting_order_in_stale_read_proves_nothing() {
    let case = Case::with_lag(Duration::from_millis(1_500), |_, _| None).await;
    let placed = case.placed(order("a")).await;
    case.model.shown(&placed.order_id).await;
    case.model.execute(&placed.order_id);
    let short = Duration::from_millis(500);
    let outcome = case
        .client
        .orders()
        .cancel(&placed)
        .confirm_timeout(short)
        .await
        .unwrap();
    assert!(matches!(outcome, ChangeOutcome::Unknown(_)), "{outcome:?}");
    assert!(case.count("GET", &placed.order_id) > 0);
    let outcome = case
        .client
        .orders()
        .cancel(&placed)
        .confirm_timeout(LONG)
        .await
        .unwrap();
    assert!(
        matches!(outcome, ChangeOutcome::AlreadyGone(_)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn batch_cancel_of_gone_orders_reads_one_page() {
    let case = Case::new(|_, _| None).await;
    let mut keys = Vec::new();
    for index in 0..8 {
        let placed = case.placed(order(&format!("a{index}"))).await;
        case.model.execute(&placed.order_id);
        keys.push(OrderRef::from(&placed));
    }
    let outcomes = case.client.orders().cancel_batch(&keys).await.unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, ChangeOutcome::AlreadyGone(_))),
        "{outcomes:?}"
    );
    assert_eq!(
        (
            case.count("GET", "/portfolio/orders"),
            case.count("GET", "")
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn amendment_with_old_or_new_client_id_in_response_is_done() {
    for (returned, is_done) in [("new", true), ("a", true), ("another", false), ("", true)] {
        let case = Case::new(move |request, model| {
            request.path.ends_with("/amend").then(|| {
                model.handle(request);
                let id = &model.placed("a").unwrap().id;
                Reply::json(200, &json!({ "order_id": id, "client_order_id": returned, "remaining_count": "12.00", "ts_ms": 1 }))
            })
        })
        .await;
        let placed = case.placed(order("a")).await;
        let change = amend(json!({ "client_order_id": "a", "updated_client_order_id": "new" }));
        let outcome = case.client.orders().amend(&placed, change).await.unwrap();
        assert_eq!(
            matches!(outcome, ChangeOutcome::Done(_)),
            is_done,
            "{returned} {outcome:?}"
        );
        assert_eq!(
            matches!(outcome, ChangeOutcome::Unknown(_)),
            !is_done,
            "{returned} {outcome:?}"
        );
    }
}
