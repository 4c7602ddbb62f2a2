//! Which rows of a read are returned, and in which order.

use super::*;

#[tokio::test]
async fn fetch_returns_missed_fills_once() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::New
    );
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::Known
    );
    world.held(|held| {
        held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["b"]);
    assert!(!world.backfill.is_fetch_needed());
    // Fetched fills are known when their message arrives, and delivered fills are not fetched again.
    assert_eq!(
        world.deliver(fill_message("b", "o", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("c", "o", now)).await,
        Observation::New
    );
    world.held(|held| held.fills.push(fill_row("c", "o", now)));
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.fills.is_empty(), "{missed:?}");
}

#[tokio::test]
async fn fill_delivered_during_read_is_not_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)]);
    world.reconnect().await;
    let reading = tokio::spawn(world.backfill.read());
    assert_eq!(
        world.deliver(fill_message("b", "o", now)).await,
        Observation::New
    );
    let rows = reading.await.unwrap().unwrap();
    // The fetch stays due until the rows are merged.
    assert!(world.backfill.is_fetch_needed());
    assert_eq!(trades(&world.backfill.merge(rows).fills), ["a"]);
    assert!(!world.backfill.is_fetch_needed());
}

#[tokio::test]
async fn both_fills_of_self_trade_count() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "bid", now)).await,
        Observation::New
    );
    world.held(|held| {
        let sell = json!({ "book_side": "ask", "outcome_side": "no" });
        for trade in ["a", "b"] {
            held.fills.push(fill_row(trade, "bid", now));
            held.fills
                .push(merge(fill_row(trade, "ask", now), sell.clone()));
        }
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let mut sides: Vec<_> = missed
        .fills
        .iter()
        .map(|fill| (fill.trade_id.as_str(), fill.order_id.as_str()))
        .collect();
    sides.sort_unstable();
    assert_eq!(sides, [("a", "ask"), ("b", "ask"), ("b", "bid")]);
    assert_eq!(
        world.deliver(fill_message("a", "ask", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("b", "bid", now)).await,
        Observation::Known
    );
    assert_eq!(
        world.deliver(fill_message("c", "ask", now)).await,
        Observation::New
    );
    assert_eq!(
        world.deliver(fill_message("c", "bid", now)).await,
        Observation::New
    );
}

#[tokio::test]
async fn all_pages_are_read_and_sorted_by_time() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.page = 400;
        // More rows than fit into the largest page.
        for number in 0..1_500 {
            let time = now + TimeDelta::milliseconds(number / 3);
            held.fills.push(fill_row(&format!("t{number}"), "o", time));
            held.orders.push(order_row(
                &format!("o{number}"),
                resting("0.00", "10.00", time),
            ));
        }
        // A row moves to the next page while the pages are read.
        let repeated = held.fills[700].clone();
        held.fills.insert(700, repeated);
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let expected: Vec<_> = (0..1_500).map(|number| format!("t{number}")).collect();
    assert_eq!(trades(&missed.fills), expected);
    assert_eq!(missed.orders.len(), 1_500);
    assert!(
        missed
            .orders
            .is_sorted_by_key(|order| order.last_update_time)
    );
    assert_eq!(world.requests("/portfolio/fills").len(), 4);
}

#[tokio::test]
async fn order_never_reverts_to_older_state() {
    let mut world = World::new().await;
    let now = Utc::now();
    let (early, late) = (now, now + TimeDelta::milliseconds(200));
    let executed = State {
        status: "executed",
        ..resting("10.00", "0.00", late)
    };
    let canceled = State {
        status: "canceled",
        ..resting("0.00", "0.00", late)
    };
    for (order_id, state) in [
        ("older", resting("5.00", "5.00", late)),
        ("same", resting("5.00", "5.00", late)),
        ("newer", resting("0.00", "10.00", early)),
        ("ended", executed),
        ("filled", resting("6.00", "4.00", early)),
        ("tied", resting("0.00", "7.00", late)),
    ] {
        assert_eq!(
            world.deliver(order_message(order_id, state)).await,
            Observation::New
        );
    }
    world.held(|held| {
        held.orders = vec![
            order_row("older", resting("0.00", "10.00", early)),
            order_row("same", resting("5.00", "5.00", late)),
            order_row("newer", resting("0.00", "3.00", late)),
            // Later, but a finished order cannot rest again.
            order_row(
                "ended",
                resting("9.00", "1.00", late + TimeDelta::seconds(1)),
            ),
            order_row("filled", resting("5.00", "5.00", late)),
            order_row("unknown", canceled),
            // With equal times, a read replaces earlier messages but not later ones.
            order_row("tied", resting("0.00", "6.00", late)),
            order_row("tied later", resting("0.00", "7.00", late)),
        ];
    });
    world.reconnect().await;
    let later = order_message("tied later", resting("0.00", "6.00", late));
    assert_eq!(world.deliver(later).await, Observation::New);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(
        ids(&missed.orders),
        BTreeSet::from(["newer", "tied", "unknown"])
    );
    // Messages that arrive after the fetch, with older and newer states.
    for (order_id, state, expected) in [
        ("newer", resting("0.00", "10.00", early), Observation::Known),
        ("newer", resting("0.00", "3.00", late), Observation::Known),
        ("newer", resting("1.00", "2.00", late), Observation::New),
        (
            "unknown",
            resting("0.00", "10.00", early),
            Observation::Known,
        ),
        (
            "older",
            resting("5.00", "4.00", late + TimeDelta::milliseconds(1)),
            Observation::New,
        ),
    ] {
        assert_eq!(
            world.deliver(order_message(order_id, state)).await,
            expected,
            "{order_id}"
        );
    }
}

#[tokio::test]
async fn old_order_that_ended_in_gap_is_found() {
    let mut world = World::new().await;
    let now = Utc::now();
    let old = |state: State| State {
        created: now - TimeDelta::days(30),
        ..state
    };
    let unchanged = old(resting("0.00", "10.00", now - TimeDelta::days(2)));
    // One order is known from a message, the other from a fetch.
    assert_eq!(
        world.deliver(order_message("reported", unchanged)).await,
        Observation::New
    );
    world.held(|held| {
        held.orders = vec![
            order_row("reported", unchanged),
            order_row("seen", unchanged),
        ];
    });
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.orders.is_empty(), "{missed:?}");
    world.lose().await;
    let canceled = State {
        status: "canceled",
        ..old(resting("0.00", "0.00", now))
    };
    let executed = State {
        status: "executed",
        ..old(resting("10.00", "0.00", now))
    };
    world.held(|held| {
        held.orders = vec![
            order_row("reported", canceled),
            order_row("seen", canceled),
            // Known only from its fill.
            order_row("filled", executed),
        ];
        held.fills = vec![fill_row("a", "filled", now)];
    });
    world.resubscribe().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(
        ids(&missed.orders),
        BTreeSet::from(["filled", "reported", "seen"])
    );
    assert!(
        missed
            .orders
            .iter()
            .all(|order| order.status != OrderStatus::Resting)
    );
    // Finished orders are not looked up again.
    let looked_up = |world: &World| world.requests("/portfolio/orders/reported").len();
    assert_eq!(looked_up(&world), 1);
    _ = world.backfill.fetch().await.unwrap();
    assert_eq!(looked_up(&world), 1);
}

#[tokio::test]
async fn order_missing_from_exchange_is_forgotten() {
    let mut world = World::new().await;
    let state = resting("0.00", "10.00", Utc::now());
    assert_eq!(
        world.deliver(order_message("gone", state)).await,
        Observation::New
    );
    for _ in 0..2 {
        _ = world.backfill.fetch().await.unwrap();
    }
    assert_eq!(world.requests("/portfolio/orders/gone").len(), 1);
    assert_eq!(world.backfill.remembered_orders(), 0);
}

#[tokio::test]
async fn rows_older_than_last_merge_are_ignored() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("o", state)).await,
        Observation::New
    );
    world.held(|held| held.orders = vec![order_row("o", state)]);
    let early = world.backfill.read().await.unwrap();
    let canceled = State {
        status: "canceled",
        ..state
    };
    assert_eq!(
        world.deliver(order_message("o", canceled)).await,
        Observation::New
    );
    world.held(|held| held.orders = vec![order_row("o", canceled)]);
    let late = world.backfill.read().await.unwrap();
    assert!(world.backfill.merge(late).orders.is_empty());
    // A much later message makes the backfill forget the order.
    let later = now + TimeDelta::hours(1);
    clock.set(later);
    let last = order_message(
        "last",
        State {
            status: "canceled",
            ..resting("0.00", "0.00", later)
        },
    );
    assert_eq!(world.deliver(last).await, Observation::New);
    assert_eq!(world.backfill.remembered_orders(), 1);
    let missed = world.backfill.merge(early);
    assert!(missed.orders.is_empty(), "{missed:?}");
    assert_eq!(world.backfill.remembered_orders(), 1);
}

#[tokio::test]
async fn archive_is_read_if_gap_may_reach_it() {
    let mut world = World::new().await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("archived", state)).await,
        Observation::New
    );
    world.reconnect().await;
    _ = world.backfill.fetch().await.unwrap();
    assert!(world.requests("/historical/fills").is_empty());
    assert!(world.requests("/historical/orders").is_empty());
    let world = &mut World::new().await;
    let now = Utc::now();
    let state = resting("0.00", "10.00", now);
    assert_eq!(
        world.deliver(order_message("archived", state)).await,
        Observation::New
    );
    world.held(|held| {
        held.cutoff = now + TimeDelta::hours(1);
        held.fills = vec![fill_row("a", "o", now)];
        held.archived_fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)];
        let canceled = State {
            status: "canceled",
            ..state
        };
        held.archived_orders = vec![order_row("archived", canceled)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(missed.fills.len(), 2);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["archived"]));
}

#[tokio::test]
async fn subaccount_and_markets_restrict_reads() {
    let mut world = World::new().await;
    let now = Utc::now();
    let other = "KXTEST-26-B";
    world.backfill = Backfill::new(&world.client)
        .subscriptions(world.connection.subscriptions())
        .subaccount(3)
        .markets([MARKET, other]);
    world.held(|held| {
        for (number, (ticker, subaccount)) in
            [(MARKET, 3), (other, 3), (MARKET, 0), ("KXTEST-26-C", 3)].into_iter().enumerate()
        {
            let place = json!({ "ticker": ticker, "market_ticker": ticker, "subaccount_number": subaccount });
            let (fill, order) = (fill_row(&format!("t{number}"), "o0", now), order_row(&format!("o{number}"), resting("0.00", "10.00", now)));
            held.fills.push(merge(fill, place.clone()));
            held.orders.push(merge(order, place));
        }
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["t0", "t1"]);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["o0", "o1"]));
    let fills = &world.requests("/portfolio/fills")[0].query;
    assert_eq!(
        (fills["subaccount"].as_str(), fills["ticker"].as_str()),
        ("3", "KXTEST-26-A,KXTEST-26-B")
    );
    assert!(
        world
            .requests("/portfolio/orders")
            .iter()
            .all(|request| request.query["subaccount"] == "3")
    );
}

#[tokio::test]
async fn invalid_row_is_reported_and_others_are_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.fills = vec![
            fill_row("a", "o", now),
            merge(fill_row("b", "o", now), json!({ "count_fp": null })),
            fill_row("c", "o", now),
        ];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a", "c"]);
    assert!(
        matches!(missed.skipped.as_slice(), [error] if Error::is_row(error)),
        "{missed:?}"
    );
}

#[tokio::test]
async fn row_errors_are_bounded_and_counted() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        let broken = json!({ "count_fp": null });
        held.fills = (0..100)
            .map(|number| merge(fill_row(&format!("t{number}"), "o", now), broken.clone()))
            .collect();
        held.fills.push(fill_row("a", "o", now));
        let broken = json!({ "fill_count_fp": null });
        held.orders = vec![merge(order_row("o", resting("0.00", "10.00", now)), broken)];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    // The order counts three times: it is in two lists and is looked up.
    assert_eq!((missed.skipped.len(), missed.skipped_count), (16, 103));
}

#[tokio::test]
async fn too_many_rows_are_an_error() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.backfill = world.backfill.max_rows(3);
    world.held(|held| {
        held.page = 1;
        held.fills = (0..10)
            .map(|number| fill_row(&format!("t{number}"), "o", now))
            .collect();
    });
    world.reconnect().await;
    let began = Instant::now();
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(error, BackfillError::TooManyRows { max_rows: 3 }),
        "{error:?}"
    );
    // The fetch is not retried, and reading stops at the limit.
    assert!(began.elapsed() < LONG);
    assert_eq!(world.requests("/portfolio/fills").len(), 4);
    assert!(world.backfill.is_fetch_needed() && world.backfill.remembered_fills() == 0);
    world.held(|held| held.fills.truncate(3));
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(missed.fills.len(), 3);
}
