//! The requests of orders and changes, and their validation before they are sent.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use kalshi_core::limits::{AccountLimits, BucketLimit, RateLimits, Tier};
use kalshi_perps::{
    SubaccountNumber, operation,
    orders::{Amendment, CancelAllOutcome, Decrease, NewOrder, OrderRef, Subaccounts},
    types::{CreateMarginOrderRequest, SelfTradePreventionType},
};
use serde_json::{Value, json};

use crate::{
    common::exchange::Reply,
    hostile::{
        case::{Case, builder, to_writes},
        model::{error, ticker},
        samples::{new_order, order},
    },
};

fn in_an_hour() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs() + 3_600).unwrap()
}

#[test]
fn setters_set_request_fields() {
    let order = NewOrder::sell("KXBTCPERP", "6.2590".parse().unwrap(), 2)
        .fill_or_kill()
        .post_only()
        .reduce_only()
        .expires_at(1_800_000_000)
        .group("g")
        .client_order_id("c")
        .subaccount(3)
        .market_version(7)
        .self_trade_prevention(SelfTradePreventionType::Maker)
        .cancel_on_pause();
    let request = serde_json::to_value(CreateMarginOrderRequest::from(order)).unwrap();
    assert_eq!(
        request,
        json!({
            "ticker": "KXBTCPERP", "side": "ask", "price": "6.2590", "count": "2.00", "client_order_id": "c",
            "time_in_force": "fill_or_kill", "post_only": true, "reduce_only": true, "expiration_time": 1_800_000_000,
            "order_group_id": "g", "subaccount": 3, "market_version": 7, "self_trade_prevention_type": "maker",
            "cancel_order_on_pause": true,
        })
    );
    let order = NewOrder::buy("KXBTCPERP", "6.2590".parse().unwrap(), 2).immediate_or_cancel();
    let request = serde_json::to_value(CreateMarginOrderRequest::from(order)).unwrap();
    assert_eq!(
        request,
        json!({
            "ticker": "KXBTCPERP", "side": "bid", "price": "6.2590", "count": "2.00", "client_order_id": "",
            "time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross",
        })
    );
}

#[tokio::test]
async fn invalid_orders_and_amendments_are_not_sent() {
    let case = Case::new(|_, _| None).await;
    let orders = case.client.orders();
    let price = |text: &str| text.parse().unwrap();
    let without_market = NewOrder::buy("", price("6.2590"), 1);
    for (order, part) in [
        (
            NewOrder::buy("T", price("0.0000"), 1),
            "the price 0.0000 is not above 0",
        ),
        (
            NewOrder::buy("T", price("6.2590"), 0),
            "the count 0.00 is below 0.01",
        ),
        (new_order("a").reduce_only(), "`reduce_only` needs"),
        (new_order("a").expires_at(1_600_000_000), "is in the past"),
        (
            new_order("a").expires_at(1_900_000_000_000),
            "not milliseconds",
        ),
        (without_market, "no market is set"),
    ] {
        let error = orders.place(order).await.unwrap_err();
        assert!(
            error.is_invalid_request() && error.to_string().contains(part),
            "{error}"
        );
    }
    let key = OrderRef::new("order-0-0", 0);
    let amendment = || Amendment::buy(price("6.2590"), 10);
    for (key, amendment, part) in [
        (key.clone(), amendment(), "no market is set"),
        (key.clone().with_ticker(""), amendment(), "no market is set"),
        (
            key.clone().with_ticker("T"),
            Amendment::sell(price("6.2590"), 0),
            "the count 0.00",
        ),
        (
            key.clone().with_ticker("T"),
            amendment().expires_at(0),
            "is in the past",
        ),
    ] {
        let error = orders.amend(key, amendment).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    for decrease in [
        Decrease::By(0.into()),
        Decrease::By((-1).into()),
        Decrease::To((-1).into()),
    ] {
        orders.decrease(&key, decrease).await.unwrap_err();
    }
    assert_eq!(case.server.count(), 0);
    // `reduce_only` is valid for an immediate-or-cancel order.
    let order = new_order("a").reduce_only().immediate_or_cancel();
    case.placed(order.into()).await;
    case.placed(new_order("b").expires_at(in_an_hour()).into())
        .await;
}

#[tokio::test]
async fn generated_client_order_id_is_the_same_in_all_attempts() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = ids.clone();
    let case = Case::new(move |request, _| {
        let mut ids = seen.lock().unwrap();
        ids.push(request.json()["client_order_id"].clone());
        (ids.len() == 1).then(Reply::rate_limited)
    })
    .await;
    let placed = case.placed(order("")).await;
    let ids = ids.lock().unwrap();
    assert_eq!(ids.len(), 2);
    assert!(
        ids.iter()
            .all(|id| *id == json!(placed.client_order_id) && id.as_str().unwrap().len() == 36)
    );
}

#[tokio::test]
async fn changes_name_subaccount_of_order() {
    let case = Case::new(|_, _| None).await;
    let orders = case.client.orders();
    for (id, subaccount) in [("a", 0), ("b", 3)] {
        let placed = case
            .placed(new_order(id).subaccount(subaccount).into())
            .await;
        let amendment = Amendment::buy(placed.price, 9);
        _ = orders.amend(&placed, amendment).await.unwrap();
        _ = orders
            .decrease(&placed, Decrease::By(1.into()))
            .await
            .unwrap();
        _ = orders.cancel(&placed).await.unwrap();
        let received = case.server.received();
        let changes = &received[received.len() - 3..];
        assert!(
            changes
                .iter()
                .all(|request| request.query["subaccount"] == subaccount.to_string())
        );
        assert_eq!(changes[0].json()["ticker"], ticker(0, 'A'));
        assert_eq!(changes[1].json(), json!({ "reduce_by": "1.00" }));
    }
}

#[tokio::test]
async fn lists_name_one_subaccount_or_none() {
    let case = Case::new(|_, _| None).await;
    let orders = case.client.orders();
    for (subaccounts, query) in [
        (Subaccounts::All, None),
        (SubaccountNumber::PRIMARY.into(), Some("0")),
        (SubaccountNumber::from(3).into(), Some("3")),
    ] {
        orders.list(subaccounts).limit(5).send().await.unwrap();
        let found = orders.find("a", subaccounts);
        _ = found.timeout(Duration::from_millis(50)).await;
        _ = orders.cancel_all(subaccounts).await.unwrap();
        let received = case.server.received();
        assert!(
            received.iter().rev().take(3).all(|request| request
                .query
                .get("subaccount")
                .map(String::as_str)
                == query)
        );
    }
}

#[tokio::test]
async fn cancel_all_is_done_only_with_status_204() {
    let case = Case::new(|_, _| None).await;
    let placed = case.placed(order("a")).await;
    let other = case.placed(new_order("b").subaccount(3).into()).await;
    let orders = case.client.orders();
    let outcome = orders.cancel_all(SubaccountNumber::PRIMARY).await.unwrap();
    assert!(matches!(outcome, CancelAllOutcome::Done), "{outcome:?}");
    assert!(!case.model.order(&placed.order_id).unwrap().rests());
    assert!(case.model.order(&other.order_id).unwrap().rests());
    for (reply, expected) in [
        (Reply::Drop, "Unknown"),
        (Reply::status(500), "Unknown"),
        // Responses to other requests.
        (Reply::json(200, &json!({ "order_id": "o" })), "Unknown"),
        (Reply::json(200, &json!({})), "Unknown"),
        (error(403, "permission_denied"), "Rejected"),
    ] {
        let case = Case::new(to_writes(reply)).await;
        let orders = case.client.orders();
        let outcome = orders.cancel_all(Subaccounts::All).await.unwrap();
        let outcome = format!("{outcome:?}");
        assert!(outcome.starts_with(expected), "{outcome}");
    }
}

#[test]
fn only_cancels_take_priority() {
    let first = operation::ALL
        .iter()
        .filter(|operation| operation.takes_priority);
    let mut first: Vec<_> = first.map(|operation| operation.id).collect();
    first.sort_unstable();
    // Without an exit trigger or a limit, more can be lost, so their removal must not delay a cancel.
    assert_eq!(
        first,
        [
            "CancelAllMarginOrders",
            "CancelMarginOrder",
            "DeleteMarginOrderGroup",
            "TriggerMarginOrderGroup",
        ]
    );
}

/// An order and two decreases wait for tokens at the same time.
#[tokio::test]
async fn decrease_to_zero_goes_ahead_of_other_writes() {
    let case = Case::new(to_writes(error(400, "invalid_order"))).await;
    let limits = AccountLimits::from_tier(Tier::Basic).with_write(BucketLimit::new(40, 10));
    let client = builder(&case.server)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let orders = client.orders();
    let key = OrderRef::new("order-0-0", 0);
    // Takes all tokens. The others wait in the order in which they are polled.
    _ = orders.place(order("first")).await.unwrap();
    let decrease = |count: i32| {
        let request = orders.decrease(&key, Decrease::To(count.into()));
        request.into_future()
    };
    let second = orders.place(order("second"));
    _ = tokio::join!(second, decrease(1), decrease(0));
    let received = case.server.received();
    let bodies: Vec<Value> = received.iter().map(|request| request.json()).collect();
    assert_eq!(bodies[1], json!({ "reduce_to": "0.00" }));
    assert_eq!(bodies[2]["client_order_id"], "second");
    assert_eq!(bodies[3], json!({ "reduce_to": "1.00" }));
}
