//! Placing orders: their outcomes, reconciliation and resending.

mod changes;
mod ids;
mod lookups;
mod requests;

use std::time::Duration;

use kalshi_perps::{
    BookSide, Contracts, Dollars, MarginRejection,
    orders::{Amendment, OrderOutcome, OrderRef, OrderState, Reconciliation},
};
use serde_json::{Value, json};

use crate::{
    common::exchange::Reply,
    hostile::{
        case::{Case, LONG, after_writes, to_writes},
        model::{OldOrder, error, ticker},
        samples::{new_order, order},
    },
};

fn old<'a>(client_order_id: &'a str, market: &'a str) -> OldOrder<'a> {
    OldOrder {
        client_order_id,
        ticker: market,
        side: "bid",
        subaccount: 0,
        age: chrono::TimeDelta::minutes(10),
        rests: true,
    }
}

#[tokio::test]
async fn resting_order_has_terms_of_its_request() {
    let case = Case::new(|_, _| None).await;
    let placed = case
        .placed(new_order("a").subaccount(3).post_only().into())
        .await;
    assert_eq!(placed.order_id, "order-0-0");
    assert_eq!(
        (placed.ticker.as_str(), placed.side),
        ("KXA0PERP", BookSide::Bid)
    );
    assert_eq!(placed.price, "6.2590".parse::<Dollars>().unwrap());
    assert_eq!(
        (placed.count, placed.subaccount, placed.state()),
        (10.into(), Some(3.into()), OrderState::Resting)
    );
    // The primary account, or that of a key which is restricted to one.
    assert_eq!(case.placed(order("b")).await.subaccount, None);
}

/// The response bodies are those of the demo exchange.
#[tokio::test]
async fn immediate_order_is_placed_with_final_state() {
    let response = |fields: Value| {
        let mut body = json!({
            "client_order_id": "a", "fill_count": "0.00", "order_id": "c32156dc-b59b-4eb9-952e-7e4fc8be7222",
            "remaining_count": "0.00",
        });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        Reply::json(201, &body)
    };
    let case = Case::new(to_writes(response(json!({})))).await;
    let placed = case
        .placed(new_order("a").immediate_or_cancel().into())
        .await;
    assert_eq!(placed.state(), OrderState::Cancelled);
    assert_eq!(
        (placed.average_fill_price, placed.average_fee_paid),
        (None, None)
    );
    let filled = json!({ "fill_count": "10.00", "average_fill_price": "6.3587", "average_fee_paid": "0.0000" });
    let case = Case::new(to_writes(response(filled))).await;
    let placed = case.placed(order("a")).await;
    assert_eq!(placed.state(), OrderState::Executed);
    assert_eq!(placed.average_fill_price, Some("6.3587".parse().unwrap()));
    assert_eq!(placed.average_fee_paid, Some(Dollars::ZERO));
}

#[tokio::test]
async fn mismatched_response_leaves_outcome_unknown() {
    for (status, fields) in [
        (201, json!({ "client_order_id": "b" })),
        (201, json!({ "fill_count": "1.00" })),
        (201, json!({ "remaining_count": "-1.00" })),
        (201, json!({ "order_id": "" })),
        (201, json!({ "remaining_count": "1.00" })),
        // The response to an amendment.
        (200, json!({ "client_order_id": null })),
        (201, json!({ "client_order_id": null })),
    ] {
        let mut body = json!({
            "client_order_id": "a", "order_id": "o", "fill_count": "0.00", "remaining_count": "10.00",
        });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let case = Case::new(to_writes(Reply::json(status, &body))).await;
        case.unknown(order("a")).await;
    }
}

#[tokio::test]
async fn rejection_codes_have_predicates() {
    let rejected = |status, code: &'static str| async move {
        let case = Case::new(to_writes(error(status, code))).await;
        match case.client.orders().place(order("a")).await.unwrap() {
            OrderOutcome::Rejected(rejection) => rejection.error().clone(),
            other => panic!("{other:?}"),
        }
    };
    let error = rejected(400, "NOTIONAL_RISK_LIMIT_EXCEEDED").await;
    assert!(error.is_notional_limit_exceeded());
    let error = rejected(409, "market_version_mismatch").await;
    assert!(error.is_market_version_mismatch() && !error.is_margin_disabled());
    let user = "user_not_found:_764c7a5c-ef10-4e18-bcc4-ef413a01483a";
    for status in [400, 404] {
        assert!(rejected(status, user).await.is_margin_disabled());
    }
    let error = rejected(403, "invalid_parameters").await;
    assert!(!error.is_margin_disabled());
    let error = rejected(400, "INSUFFICIENT_BALANCE").await;
    assert!(error.is_insufficient_funds());
}

#[tokio::test]
async fn conflict_is_explained_only_by_a_matching_order() {
    let (market, other) = (ticker(0, 'A'), ticker(0, 'B'));
    let case = Case::new(|_, _| None).await;
    let mut existing = Vec::new();
    for order in [
        old("same", &market),
        OldOrder {
            side: "ask",
            ..old("other side", &market)
        },
        old("other market", &other),
        OldOrder {
            subaccount: 2,
            ..old("other subaccount", &market)
        },
    ] {
        existing.push(case.model.add_old(&order));
    }
    let place = async |id: &str| case.client.orders().place(order(id)).await.unwrap();
    let outcome = place("same").await;
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(placed) if placed.order_id == existing[0]),
        "{outcome:?}"
    );
    // Lists lag, so an order like the new one may have the id as well. An order does not show its subaccount.
    let ids = ["other side", "other market", "other subaccount"];
    for (id, existing) in ids.into_iter().zip(&existing[1..]) {
        let outcome = place(id).await;
        let OrderOutcome::Unlisted(unlisted) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(unlisted.candidates()[0].order_id, existing.as_str());
    }
    assert_eq!(case.model.count(), 0);
}

/// The first search covers the order's subaccount, the second one all subaccounts.
#[tokio::test]
async fn order_listed_between_two_searches_already_exists() {
    let lag = Duration::from_millis(60);
    let case = Case::with_lag(lag, |_, _| None).await;
    let first = case.placed(order("a")).await;
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(placed) if placed.order_id == first.order_id),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn resend_of_amended_order_is_unlisted() {
    let case = Case::new(|request, model| {
        (request.method == "POST" && request.path.ends_with("/orders")).then(|| {
            let reply = model.handle(request);
            let is_duplicate = matches!(&reply, Reply::Response(409, ..));
            if is_duplicate { reply } else { Reply::Drop }
        })
    })
    .await;
    let unknown = case.unknown(order("")).await;
    let key = OrderRef::new("order-0-0", 0).with_ticker(ticker(0, 'A'));
    let amendment = Amendment::buy("7.0000".parse().unwrap(), 10);
    _ = case.client.orders().amend(&key, amendment).await.unwrap();
    let outcome = unknown.resend().await;
    assert!(
        matches!(&outcome, OrderOutcome::Unlisted(unlisted) if unlisted.candidates()[0].order_id == "order-0-0"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn conflict_with_order_absent_from_lists_is_unlisted() {
    let lag = Duration::from_millis(1_500);
    let case = Case::with_lag(lag, |_, _| None).await;
    let first = case.placed(order("a")).await;
    // Simulates a restart of the program.
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    let OrderOutcome::Unlisted(unlisted) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(unlisted.error().code(), Some("order_already_exists"));
    let outcome = outcome.reconciled(LONG).await;
    assert!(
        matches!(&outcome, OrderOutcome::Placed(placed) if placed.order_id == first.order_id),
        "{outcome:?}"
    );
}

/// A generated id is new, so the response must belong to another request.
#[tokio::test]
async fn conflict_of_generated_id_is_unknown() {
    let case = Case::new(to_writes(error(409, "order_already_exists"))).await;
    let unknown = case.unknown(order("")).await;
    assert_eq!(unknown.client_order_id().len(), 36);
    let error = unknown.error().to_string();
    assert!(
        error.contains("did not end within lookup_timeout"),
        "{error}"
    );
}

#[tokio::test]
async fn unknown_order_is_found_once_listed() {
    let lag = Duration::from_millis(800);
    let case = Case::with_lag(lag, after_writes(Reply::Drop)).await;
    let unknown = case.unknown(order("a")).await;
    let early = unknown.reconcile(Duration::from_millis(300)).await;
    let Reconciliation::Unknown(unresolved) = &early else {
        panic!("{early:?}")
    };
    assert!(unresolved.candidates().is_empty() && unresolved.error().is_none());
    let found = unknown.reconcile(LONG).await;
    assert!(
        matches!(&found, Reconciliation::Placed(placed) if placed.order_id == "order-0-0"),
        "{found:?}"
    );
}

#[tokio::test]
async fn absent_order_stays_unknown() {
    let case = Case::new(to_writes(Reply::Drop)).await;
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    let outcome = outcome.reconciled(Duration::from_millis(1_500)).await;
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    assert!(case.count("GET", "/margin/orders") > 2);
}

#[tokio::test]
async fn order_changed_since_is_a_candidate() {
    let case = Case::new(after_writes(Reply::Drop)).await;
    let unknown = case.unknown(order("a")).await;
    for fields in [
        json!({ "price": "6.2600" }),
        json!({ "remaining_count": "10.01" }),
        json!({ "order_group_id": "g" }),
        json!({ "expiration_time": "2026-11-28T00:00:00Z" }),
        json!({ "self_trade_prevention_type": "maker" }),
        json!({ "cancel_order_on_pause": true }),
    ] {
        let changed = fields.clone();
        let other = Case::new(move |request, model| {
            if request.method == "POST" {
                model.handle(request);
                return Some(Reply::Drop);
            }
            let Reply::Response(status, _, body) = model.handle(request) else {
                panic!()
            };
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let row = body["orders"][0].as_object_mut().unwrap();
            row.extend(changed.as_object().unwrap().clone());
            Some(Reply::json(status, &body))
        })
        .await;
        let found = other.unknown(order("a")).await.reconcile(LONG).await;
        assert!(
            matches!(&found, Reconciliation::Unknown(unresolved) if unresolved.candidates().len() == 1),
            "{fields} {found:?}"
        );
    }
    let found = unknown.reconcile(LONG).await;
    assert!(matches!(found, Reconciliation::Placed(_)), "{found:?}");
}

#[tokio::test]
async fn older_order_with_same_id_already_exists() {
    let case = Case::new(to_writes(Reply::Drop)).await;
    let market = ticker(0, 'A');
    let older = case.model.add_old(&old("a", &market));
    let outcome = case.client.orders().place(order("a")).await.unwrap();
    let outcome = outcome.reconciled(LONG).await;
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(placed) if placed.order_id == older),
        "{outcome:?}"
    );
}

/// An order without a creation time may be older, unless the id was generated for this one.
#[tokio::test]
async fn order_without_creation_time_already_exists() {
    for (id, expected) in [("a", "AlreadyExists"), ("", "Placed")] {
        let case = Case::new(|request, model| {
            let Reply::Response(status, _, body) = model.handle(request) else {
                panic!()
            };
            if request.method == "POST" {
                return Some(Reply::Drop);
            }
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let row = body["orders"][0].as_object_mut().unwrap();
            row.remove("created_time");
            Some(Reply::json(status, &body))
        })
        .await;
        let found = case.unknown(order(id)).await.reconcile(LONG).await;
        let found = format!("{found:?}");
        assert!(found.starts_with(expected), "{found}");
    }
}

#[tokio::test]
async fn resend_settles_order_absent_from_lists() {
    for is_processed in [true, false] {
        let is_first = std::sync::atomic::AtomicBool::new(true);
        let case = Case::with_lag(LONG, move |request, model| {
            let is_first = is_first.swap(false, std::sync::atomic::Ordering::Relaxed);
            is_first.then(|| {
                if is_processed {
                    model.handle(request);
                }
                Reply::Drop
            })
        })
        .await;
        // The client generates the id, so only this order can have it.
        let unknown = case.unknown(order("")).await;
        match (is_processed, unknown.resend().await) {
            (true, OrderOutcome::Unlisted(unlisted)) => {
                assert_eq!(unlisted.client_order_id(), unknown.client_order_id());
            }
            (false, OrderOutcome::Placed(placed)) => {
                assert_eq!(placed.client_order_id, unknown.client_order_id());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(case.model.count(), 1);
    }
}

#[test]
fn state_is_derived_from_counts() {
    let state = |filled: i32, remaining: i32, wanted: i32| {
        let [filled, remaining, wanted] = [filled, remaining, wanted].map(Contracts::from);
        OrderState::from_counts(filled, remaining, wanted)
    };
    assert_eq!(state(0, 10, 10), OrderState::Resting);
    assert_eq!(state(4, 6, 10), OrderState::Resting);
    assert_eq!(state(10, 0, 10), OrderState::Executed);
    assert_eq!(state(4, 0, 10), OrderState::Cancelled);
    assert_eq!(state(0, 0, 10), OrderState::Cancelled);
    // Decreased to the filled count.
    assert_eq!(state(4, 0, 4), OrderState::Executed);
    assert!(!state(4, 6, 10).has_ended() && state(4, 0, 10).has_ended());
}
