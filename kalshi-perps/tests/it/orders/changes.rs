//! Cancelling, amending and decreasing orders: outcomes and their reconciliation.

use std::time::Duration;

use kalshi_perps::{
    Contracts,
    orders::{
        Amendment, ChangeOutcome, ChangeReconciliation, Decrease, OrderRef, OrderState,
        Reconciliation, UnknownChange,
    },
    types::AmendMarginOrderRequest,
};
use serde_json::{Value, json};

use crate::{
    common::exchange::{Received, Reply},
    hostile::{
        case::{Case, LONG, to_writes},
        model::{Model, ticker},
        samples::{new_order, order},
    },
};

const SHORT: Duration = Duration::from_millis(500);

fn unknown<T: std::fmt::Debug>(outcome: ChangeOutcome<T>) -> UnknownChange {
    match outcome {
        ChangeOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

/// Sends `reply` to every change, with or without processing the change.
fn to_changes(
    is_processed: bool,
    reply: Reply,
) -> impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync {
    move |request, model| {
        let is_change = request.method != "GET" && request.path.contains("order-");
        is_change.then(|| {
            if is_processed {
                model.handle(request);
            }
            reply.clone()
        })
    }
}

#[tokio::test]
async fn amend_is_done_with_or_without_counts() {
    let case = Case::new(|_, _| None).await;
    let placed = case.placed(order("a")).await;
    let orders = case.client.orders();
    let reduced = orders.amend(&placed, Amendment::buy(placed.price, 9));
    let ChangeOutcome::Done(response) = reduced.await.unwrap() else {
        panic!()
    };
    assert_eq!(response.remaining_count, Some(9.into()));
    let repriced = orders.amend(&placed, Amendment::buy("7.0000".parse().unwrap(), 9));
    let ChangeOutcome::Done(response) = repriced.await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (response.order_id.as_str(), response.remaining_count),
        ("order-0-0", None)
    );
    let state = case.model.order("order-0-0").unwrap();
    assert_eq!(state.state().price, "7.0000");
}

#[tokio::test]
async fn mismatched_response_leaves_change_unknown() {
    let are_unknown = |fields: Value| async move {
        let mut body =
            json!({ "order_id": "order-0-0", "reduced_by": "1.00", "remaining_count": "1.00" });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let case = Case::new(to_writes(Reply::json(200, &body))).await;
        let key = OrderRef::new("order-0-0", 0).with_ticker("T");
        let orders = case.client.orders();
        let amendment = Amendment::buy("6.2590".parse().unwrap(), 10);
        let amendment = amendment
            .client_order_id("a")
            .updated_client_order_id("new");
        [
            matches!(
                orders.cancel(&key).await.unwrap(),
                ChangeOutcome::Unknown(_)
            ),
            matches!(
                orders.amend(&key, amendment).await.unwrap(),
                ChangeOutcome::Unknown(_)
            ),
            matches!(
                orders.decrease(&key, Decrease::By(1.into())).await.unwrap(),
                ChangeOutcome::Unknown(_)
            ),
            matches!(
                orders.decrease(&key, Decrease::To(1.into())).await.unwrap(),
                ChangeOutcome::Unknown(_)
            ),
        ]
    };
    assert_eq!(are_unknown(json!({})).await, [false; 4]);
    assert_eq!(are_unknown(json!({ "order_id": "other" })).await, [true; 4]);
    assert_eq!(
        are_unknown(json!({ "reduced_by": "-1.00" })).await,
        [true, false, false, false]
    );
    assert_eq!(
        are_unknown(json!({ "remaining_count": "-1.00" })).await,
        [false, true, true, true]
    );
    assert_eq!(
        are_unknown(json!({ "remaining_count": "11.00" })).await,
        [false, true, false, true]
    );
    for (id, is_unknown) in [("new", false), ("a", false), ("other", true)] {
        let outcomes = are_unknown(json!({ "client_order_id": id })).await;
        assert_eq!(outcomes, [false, is_unknown, false, false], "{id}");
    }
}

/// Simulates a proxy that repeats an earlier response on the same connection.
#[tokio::test]
async fn create_response_does_not_prove_a_change() {
    let body = json!({
        "order_id": "order-0-0", "client_order_id": "a", "fill_count": "0.00", "remaining_count": "1.00", "reduced_by": "1.00",
    });
    let case = Case::new(to_writes(Reply::json(201, &body))).await;
    let key = OrderRef::new("order-0-0", 0).with_ticker("T");
    let orders = case.client.orders();
    let amendment = Amendment::buy("6.2590".parse().unwrap(), 10);
    let error = unknown(orders.amend(&key, amendment).await.unwrap());
    assert!(error.error().to_string().contains("instead of 200"));
    unknown(orders.cancel(&key).await.unwrap());
    let decrease = orders.decrease(&key, Decrease::By(1.into()));
    unknown(decrease.await.unwrap());
}

#[tokio::test]
async fn change_is_not_found_by_its_code_whatever_the_status() {
    for (status, code, is_gone) in [
        (200, "not_found", true),
        (404, "NOT_FOUND", true),
        (404, "insufficient_shard_balance", false),
    ] {
        let reply = Reply::json(status, &json!({ "error": { "code": code } }));
        let case = Case::new(to_changes(false, reply)).await;
        let placed = case.placed(order("a")).await;
        case.model.execute(&placed.order_id);
        let outcome = case.client.orders().cancel(&placed).await.unwrap();
        match outcome {
            ChangeOutcome::AlreadyGone(_) => assert!(is_gone, "{status} {code}"),
            ChangeOutcome::Rejected(error) => assert!(!is_gone, "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn ended_order_is_already_gone() {
    let case = Case::new(|_, _| None).await;
    let orders = case.client.orders();
    let executed = case.placed(order("a")).await;
    case.model.execute(&executed.order_id);
    let cancelled = case.placed(order("b")).await;
    _ = orders.cancel(&cancelled).await.unwrap();
    for (placed, state) in [
        (&executed, OrderState::Executed),
        (&cancelled, OrderState::Cancelled),
    ] {
        let outcome = orders.cancel(placed).await.unwrap();
        let ChangeOutcome::AlreadyGone(order) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(order.state(placed.count), state);
        let outcome = orders
            .decrease(placed, Decrease::To(1.into()))
            .await
            .unwrap();
        assert!(
            matches!(outcome, ChangeOutcome::AlreadyGone(_)),
            "{outcome:?}"
        );
    }
}

/// Covers an order that an outdated read shows as resting, one in another subaccount, and one that does not exist.
#[tokio::test]
async fn not_found_without_ended_order_is_unknown() {
    let case = Case::with_lag(Duration::from_millis(1_000), |_, _| None).await;
    let orders = case.client.orders();
    let placed = case.placed(order("a")).await;
    case.model.execute(&placed.order_id);
    let outcome = orders.cancel(&placed).confirm_timeout(SHORT).await.unwrap();
    let gone = unknown(outcome);
    assert_eq!(gone.error().code(), Some("not_found"));
    assert!(case.count("GET", &placed.order_id) > 1);
    let found = gone.reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::Ended(order) if order.state(placed.count) == OrderState::Executed),
        "{found:?}"
    );

    let placed = case.placed(new_order("b").subaccount(3).into()).await;
    let elsewhere = OrderRef::new(&placed.order_id, 0);
    let outcome = orders
        .cancel(elsewhere)
        .confirm_timeout(SHORT)
        .await
        .unwrap();
    let elsewhere = unknown(outcome);
    let found = elsewhere.reconcile(Duration::from_secs(2)).await;
    assert!(
        matches!(&found, ChangeReconciliation::Unclear(order) if order.order_id == placed.order_id),
        "{found:?}"
    );
    let absent = orders
        .cancel(OrderRef::new("order-0-9", 0))
        .confirm_timeout(SHORT);
    let absent = unknown(absent.await.unwrap());
    let found = absent.reconcile(SHORT).await;
    assert!(
        matches!(&found, ChangeReconciliation::Unknown(Some(error)) if error.is_not_found()),
        "{found:?}"
    );
}

#[tokio::test]
async fn unknown_cancel_is_reconciled_by_end_of_order() {
    for is_processed in [true, false] {
        let case = Case::new(to_changes(is_processed, Reply::Drop)).await;
        let placed = case.placed(order("a")).await;
        let orders = case.client.orders();
        let cancel = unknown(orders.cancel(&placed).await.unwrap());
        let zero = Decrease::To(0.into());
        let decrease = unknown(orders.decrease(&placed, zero).await.unwrap());
        for change in [cancel, decrease] {
            match (is_processed, change.reconcile(SHORT).await) {
                (true, ChangeReconciliation::Ended(order)) => {
                    assert_eq!(order.state(10), OrderState::Cancelled);
                }
                // The order may have ended since the read.
                (false, ChangeReconciliation::Unclear(order)) => {
                    assert_eq!(order.state(10), OrderState::Resting);
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn unknown_amendment_and_decrease_are_reconciled() {
    let price = "7.0000".parse().unwrap();
    for is_processed in [true, false] {
        let case = Case::new(to_changes(is_processed, Reply::status(500))).await;
        let placed = case.placed(order("a")).await;
        let orders = case.client.orders();
        let expected = if is_processed { "Applied" } else { "Unclear" };
        let amendment = unknown(
            orders
                .amend(&placed, Amendment::buy(price, 9))
                .await
                .unwrap(),
        );
        let found = format!("{:?}", amendment.reconcile(SHORT).await);
        assert!(found.starts_with(expected), "{found}");
        let decrease = orders.decrease(&placed, Decrease::To(5.into()));
        let decrease = unknown(decrease.await.unwrap());
        let found = format!("{:?}", decrease.reconcile(SHORT).await);
        assert!(found.starts_with(expected), "{found}");
        // The count before the decrease is unknown.
        let decrease = orders.decrease(&placed, Decrease::By(1.into()));
        let decrease = unknown(decrease.await.unwrap());
        let found = format!("{:?}", decrease.reconcile(SHORT).await);
        assert!(found.starts_with("Unclear"), "{found}");
    }
}

/// Fills alone lead to the same counts as the decrease.
#[tokio::test]
async fn decrease_is_as_wanted_after_enough_fills() {
    let case = Case::new(to_changes(false, Reply::Drop)).await;
    let placed = case.placed(order("a")).await;
    let decrease = case
        .client
        .orders()
        .decrease(&placed, Decrease::To(5.into()));
    let decrease = unknown(decrease.await.unwrap());
    case.model.fill(&placed.order_id, 6.into());
    let found = decrease.reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::Applied(order) if order.fill_count == Contracts::from(6)),
        "{found:?}"
    );
}

/// The exchange does not report the final count of an order, and the count that was placed is out of date after a change.
#[tokio::test]
async fn reconciliation_does_not_rely_on_placed_count() {
    let case = Case::new(|request, _| (request.method == "DELETE").then_some(Reply::Drop)).await;
    let orders = case.client.orders();
    let placed = case.placed(order("a")).await;
    let decrease = orders.decrease(&placed, Decrease::By(3.into())).await;
    assert!(matches!(decrease, Ok(ChangeOutcome::Done(_))));
    let cancel = unknown(orders.cancel(&placed).await.unwrap());
    case.model.execute(&placed.order_id);
    let found = cancel.reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::Ended(order) if order.state(7) == OrderState::Executed),
        "{found:?}"
    );

    // The response to the create request is lost, and the order is decreased before it is found.
    let case = Case::new(|request, model| {
        (request.method == "POST" && request.path.ends_with("/orders")).then(|| {
            model.handle(request);
            Reply::Drop
        })
    })
    .await;
    let lost = case.unknown(order("a")).await;
    let key = OrderRef::new("order-0-0", 0);
    let decrease = Decrease::By(3.into());
    _ = case.client.orders().decrease(&key, decrease).await.unwrap();
    let found = lost.reconcile(LONG).await;
    assert!(
        matches!(&found, Reconciliation::Placed(placed) if placed.count == Contracts::from(7)),
        "{found:?}"
    );
}

#[test]
fn order_ref_has_market_of_order() {
    let order = |filled: &str, remaining: &str| {
        let order = json!({
            "order_id": "o", "client_order_id": "a", "ticker": ticker(0, 'A'), "user_id": "u", "side": "bid", "price": "6.2590",
            "fill_count": filled, "remaining_count": remaining, "last_update_reason": "",
        });
        serde_json::from_value(order).unwrap()
    };
    let key = OrderRef::from_order(&order("3.00", "6.00"), 2);
    let expected = OrderRef::new("o", 2).with_ticker(ticker(0, 'A'));
    assert_eq!(key, expected);
    let key = OrderRef::from_order(&order("3.00", "0.00"), 2);
    assert_eq!(key, expected);
    assert_eq!(expected.clone().with_ticker("").ticker, None);
    let message = json!({
        "order_id": "o", "client_order_id": "a", "ticker": ticker(0, 'A'), "user_id": "u", "side": "bid", "price": "6.2590",
        "fill_count": "3.00", "remaining_count": "6.00", "order_source": "user", "subaccount_number": 2,
    });
    let message: kalshi_perps::ws::messages::UserOrder = serde_json::from_value(message).unwrap();
    assert_eq!(OrderRef::from(&message), expected);
}

#[tokio::test]
async fn unknown_amendment_has_the_market_of_its_request() {
    let case = Case::new(to_writes(Reply::Drop)).await;
    let amendment: AmendMarginOrderRequest = serde_json::from_value(json!({
        "ticker": ticker(0, 'A'), "side": "bid", "price": "6.2590", "count": "10.00",
    }))
    .unwrap();
    let key = OrderRef::new("order-0-0", 0);
    let amended = case.client.orders().amend(key, amendment).await;
    let unknown = unknown(amended.unwrap());
    assert_eq!(unknown.order().ticker, Some(ticker(0, 'A')));
}
