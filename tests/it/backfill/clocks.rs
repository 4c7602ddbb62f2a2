//! Stale reads, wrong clocks, and the window in which fills are remembered.

use super::*;

#[tokio::test]
async fn fetch_waits_for_stale_reads() {
    let mut world = World::new().await;
    world.held(|held| held.lag = Some(TimeDelta::hours(1)));
    world.reconnect().await;
    let held = world.held.clone();
    let now = Utc::now();
    let began = Instant::now();
    let caught_up = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut held = held.lock().unwrap();
        held.fills = vec![fill_row("a", "o", now)];
        held.lag = Some(TimeDelta::milliseconds(400));
    });
    let missed = world.backfill.fetch().await.unwrap();
    caught_up.await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    // Reads must be up to date past the gap, plus a margin of 1 s.
    assert!(
        began.elapsed() >= Duration::from_millis(1_400),
        "{:?}",
        began.elapsed()
    );
    let freshness = world.requests("/exchange/user_data_timestamp");
    let read = world.requests("/portfolio/fills");
    assert!(
        freshness.len() >= 3 && read.len() == 1,
        "{} {}",
        freshness.len(),
        read.len()
    );
    assert!(read[0].number > freshness.last().unwrap().number);
}

#[tokio::test]
async fn fetch_waits_for_reads_by_clock_that_is_ahead() {
    let ahead = Arc::new(SkewedClock(TimeDelta::seconds(2)));
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(ahead)).await;
    world.reconnect().await;
    let began = Instant::now();
    _ = world.backfill.fetch().await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(2_900),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn fetch_without_fresh_reads_fails_and_can_be_repeated() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        held.fills = vec![fill_row("a", "o", now)];
        held.lag = Some(TimeDelta::hours(1));
    });
    world.backfill = world.backfill.timeout(Duration::from_millis(1_600));
    world.reconnect().await;
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(&error, BackfillError::Stale { source: None, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("up to date within 1600 ms"), "{text}");
    assert!(world.backfill.is_fetch_needed() && world.backfill.remembered_fills() == 0);
    assert!(world.requests("/portfolio/fills").is_empty());

    // Reads are up to date, but the list of orders fails after the fills were read.
    world.held(|held| {
        held.lag = None;
        held.failing = Some("/portfolio/orders");
    });
    let error = world.backfill.fetch().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        matches!(error, BackfillError::Incomplete { .. }) && source.contains("503"),
        "{source}"
    );
    assert!(world.backfill.is_fetch_needed() && world.backfill.remembered_fills() == 0);
    assert!(!world.requests("/portfolio/fills").is_empty());

    world.held(|held| held.failing = Some("/exchange/user_data_timestamp"));
    let error = world.backfill.fetch().await.unwrap_err();
    assert!(
        matches!(
            error,
            BackfillError::Stale {
                source: Some(_),
                ..
            }
        ),
        "{error:?}"
    );

    world.held(|held| held.failing = None);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(!world.backfill.is_fetch_needed());
}

#[tokio::test]
async fn fills_before_the_backfill_are_not_returned() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.held(|held| {
        let untimed = |trade| {
            let row = fill_row(trade, "o", now);
            merge(row, json!({ "created_time": null, "ts": now.timestamp() }))
        };
        held.fills = vec![
            fill_row("before", "o", now - TimeDelta::seconds(30)),
            merge(untimed("early"), json!({ "ts": now.timestamp() - 30 })),
            fill_row("a", "o", now),
            untimed("b"),
        ];
    });
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    let mut found = trades(&missed.fills);
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
    let query = &world.requests("/portfolio/fills")[0].query;
    let since: i64 = query["min_ts"].parse().unwrap();
    assert!(
        (now.timestamp() - 120..now.timestamp()).contains(&since),
        "{since}"
    );
}

/// With a slow clock, the first fetch also returns fills since the earliest time at which the backfill may have been created.
#[tokio::test]
async fn fetch_with_slow_clock_returns_each_fill_once() {
    let behind = Arc::new(SkewedClock(TimeDelta::hours(-1)));
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(behind)).await;
    let now = Utc::now();
    let before = |minutes| now - TimeDelta::minutes(minutes);
    world.held(|held| {
        // Reads are up to date by the local clock, which is an hour behind, even if that is slow by the 10 seconds assumed.
        held.hides_date = true;
        held.lag = Some(TimeDelta::hours(1) - TimeDelta::milliseconds(10_500));
        held.fills = vec![
            fill_row("too old", "o", before(62)),
            fill_row("before", "o", before(58)),
        ];
    });
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["before"]);
    // Positions read between the two fetches may already contain this fill.
    world.held(|held| held.fills.push(fill_row("between", "o", now)));
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["between"]);
    assert_eq!(
        world.deliver(fill_message("between", "o", now)).await,
        Observation::Known
    );
    let missed = world.backfill.fetch().await.unwrap();
    assert!(missed.fills.is_empty(), "{missed:?}");
}

/// Returns the start of the last read of fills.
fn last_min_ts(world: &World) -> i64 {
    let requests = world.requests("/portfolio/fills");
    requests.last().unwrap().query["min_ts"].parse().unwrap()
}

/// Sends a request whose response has this `date`.
async fn observe_date(world: &World, date: Option<DateTime<Utc>>) {
    world.held(|held| held.date = date);
    world.client.get_fills().send().await.unwrap();
    world.held(|held| held.date = None);
}

#[tokio::test]
async fn contradicted_date_does_not_move_the_start() {
    let mut world = World::new().await;
    for date in [None; 5].into_iter().chain([Some(DateTime::UNIX_EPOCH)]) {
        observe_date(&world, date).await;
    }
    let now = Utc::now().timestamp();
    _ = world.backfill.fetch().await.unwrap();
    let start = last_min_ts(&world);
    assert!((now - 120..=now).contains(&start), "{start}");
}

#[tokio::test]
async fn start_is_estimated_again_once_the_clock_is_known() {
    let mut world = World::new().await;
    observe_date(&world, Some(DateTime::UNIX_EPOCH)).await;
    // A read that is never polled fixes nothing.
    drop(world.backfill.read());
    for _ in 0..5 {
        observe_date(&world, None).await;
    }
    let now = Utc::now().timestamp();
    _ = world.backfill.fetch().await.unwrap();
    let start = last_min_ts(&world);
    assert!((now - 120..=now).contains(&start), "{start}");
}

/// Messages may arrive out of order.
#[tokio::test]
async fn fill_older_than_last_message_is_found() {
    let mut world = World::new().await;
    let before = Utc::now();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let last = fill_message("last", "o", Utc::now());
    assert_eq!(world.deliver(last).await, Observation::New);
    world.held(|held| held.fills = vec![fill_row("a", "o", before)]);
    world.reconnect().await;
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
}

/// Entries beyond the bound are counted as omitted, neither returned twice nor lost silently.
#[tokio::test]
async fn memory_is_bounded_while_fetch_is_due() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    world.backfill = world.backfill.max_remembered(100);
    world.reconnect().await;
    let begin = Utc::now();
    let at = |number: i32| begin + TimeDelta::seconds(10) * number;
    let ended = |number| State {
        status: "executed",
        ..resting("10.00", "0.00", at(number))
    };
    for number in 0..250 {
        clock.set(at(number));
        let name = format!("t{number}");
        let message = fill_message(&name, "o", at(number));
        assert_eq!(world.deliver(message).await, Observation::New);
        let message = order_message(&name, ended(number));
        assert_eq!(world.deliver(message).await, Observation::New);
        let max = world.backfill.remembered_fills();
        assert!(max <= 100 && world.backfill.remembered_orders() <= 100);
    }
    let message = order_message("resting", resting("0.00", "10.00", at(0)));
    assert_eq!(world.deliver(message).await, Observation::New);
    clock.0.store(0, Ordering::Relaxed);
    world.held(|held| {
        for number in 0..250 {
            let name = format!("t{number}");
            held.fills.push(fill_row(&name, "o", at(number)));
            held.orders.push(order_row(&name, ended(number)));
        }
        // Missed entries, of which one is from a time already forgotten.
        held.fills.push(fill_row("early", "o", at(10)));
        held.fills.push(fill_row("late", "o", at(240)));
        held.orders.push(order_row("late", ended(240)));
        let rests = resting("0.00", "10.00", at(0));
        held.orders.push(order_row("resting", rests));
        held.orders.push(order_row("o", ended(249)));
    });
    let remembered = (
        world.backfill.remembered_fills(),
        world.backfill.remembered_orders(),
    );
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["late"]);
    assert_eq!(ids(&missed.orders), BTreeSet::from(["late", "o"]));
    // Everything that is not remembered. The resting order is.
    let (fills, orders) = (251 - remembered.0, 251 - remembered.1);
    assert_eq!(missed.omitted, fills + orders, "{remembered:?}");
}

/// Simulates ten days with a fill and an order every 43 s.
#[tokio::test]
async fn memory_is_bounded_and_late_messages_are_known() {
    let clock = Arc::new(SetClock::default());
    let channels = [Channel::Fill, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client.clock(clock.clone())).await;
    let overlap = TimeDelta::minutes(10);
    let begin = Utc::now() - TimeDelta::days(3);
    let step = TimeDelta::seconds(43);
    let mut now = begin;
    let (mut fills, mut orders) = (0, 0);
    for number in 0..4_000 {
        now += step;
        clock.set(now);
        let order_id = format!("o{number}");
        let state = State {
            status: "executed",
            ..resting("10.00", "0.00", now)
        };
        assert_eq!(
            world
                .deliver(fill_message(&format!("t{number}"), &order_id, now))
                .await,
            Observation::New
        );
        assert_eq!(
            world.deliver(order_message(&order_id, state)).await,
            Observation::New
        );
        fills = fills.max(world.backfill.remembered_fills());
        orders = orders.max(world.backfill.remembered_orders());
    }
    // Entries from the overlap and the minute before it, plus a quarter because old ones are dropped periodically.
    let kept = overlap.num_seconds() + 60;
    let max = usize::try_from(kept * 5 / 4 / step.num_seconds()).unwrap() + 2;
    assert!(fills <= max && orders <= max, "{fills} {orders} {max}");
    let late = 3_999 - overlap.num_seconds() / step.num_seconds() + 1;
    let time = begin + step * i32::try_from(late + 1).unwrap();
    let late = fill_message(&format!("t{late}"), &format!("o{late}"), time);
    assert_eq!(world.deliver(late).await, Observation::Known);

    // Until the fetch, everything it could return is remembered.
    clock.0.store(0, Ordering::Relaxed);
    world.reconnect().await;
    clock.set(now);
    let before = world.backfill.remembered_fills();
    for number in 0..100 {
        now += step;
        assert_eq!(
            world
                .deliver(fill_message(&format!("h{number}"), "o", now))
                .await,
            Observation::New
        );
    }
    assert_eq!(world.backfill.remembered_fills(), before + 100);
    clock.0.store(0, Ordering::Relaxed);
    _ = world.backfill.fetch().await.unwrap();
    assert_eq!(world.backfill.remembered_fills(), 0);
}

/// The row of a fill may be later than its message, so it is inside the window although the message was before it.
#[tokio::test]
async fn fill_at_edge_of_window_is_counted_once() {
    let mut world = World::new().await;
    world.backfill = world.backfill.overlap(Duration::from_secs(1));
    let begin = Utc::now();
    // Two fills delivered before the window: one has a row with a time, the other a row without.
    let first = begin + TimeDelta::milliseconds(50);
    // A fill whose message has a time far in the past.
    let wrong = DateTime::UNIX_EPOCH;
    for (trade, time) in [("edge", first), ("second", first), ("wrong", wrong)] {
        let message = fill_message(trade, "o", time);
        assert_eq!(world.deliver(message).await, Observation::New);
    }
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let last = Utc::now();
    let message = fill_message("last", "o", last);
    assert_eq!(world.deliver(message).await, Observation::New);
    world.held(|held| {
        let untimed = json!({ "created_time": null, "ts": last.timestamp() });
        held.fills = vec![
            fill_row("edge", "o", last),
            merge(fill_row("second", "o", last), untimed),
            fill_row("wrong", "o", last),
            fill_row("missed", "o", last),
        ];
    });
    for expected in [vec!["missed"], vec![], vec![]] {
        world.reconnect().await;
        let missed = world.backfill.fetch().await.unwrap();
        assert_eq!(trades(&missed.fills), expected);
    }
}

/// A message from the future does not hide earlier fills.
#[tokio::test]
async fn future_time_does_not_move_window() {
    let mut world = World::new().await;
    let now = Utc::now();
    let future = fill_message("future", "o", now + TimeDelta::days(1_000));
    assert_eq!(world.deliver(future).await, Observation::New);
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    world.reconnect().await;
    let missed: Missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(matches!(missed.fills.as_slice(), [fill] if fill.count_fp == Contracts::from(1)));
}
