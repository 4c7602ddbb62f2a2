//! The rules that decide whether a book is live, in the order of the tables of `kalshi_core::ws::sequence`.

use std::time::Duration;

use kalshi_sdk::{
    Dollars, OutcomeSide,
    ws::{BookError, BookEvent, Books, Frame, Message, PriceMode, RedundantBooks, StaleReason},
};
use tokio::time::Instant;

/// Returns a frame about market A.
fn frame(envelope: &str, body: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{{envelope},"msg":{{"market_ticker":"A","market_id":"m"{body}}}}}"#
    ))
}

fn clock_field(clock: Option<i64>) -> String {
    clock.map_or(String::new(), |clock| format!(r#","clock":{clock}"#))
}

fn change(seq: u64, clock: impl Into<Option<i64>>, side: &str, price: &str, count: &str) -> Frame {
    let clock = clock_field(clock.into());
    frame(
        &format!(r#""type":"orderbook_delta","sid":1,"seq":{seq}"#),
        &format!(r#"{clock},"price_dollars":"{price}","delta_fp":"{count}","side":"{side}""#),
    )
}

/// Returns a change of the YES bids at 0.40.
fn delta(seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    change(seq, clock, "yes", "0.40", count)
}

fn levels(envelope: &str, clock: Option<i64>, yes: &str, no: &str) -> Frame {
    let clock = clock_field(clock);
    frame(
        &format!(r#""type":"orderbook_snapshot",{envelope}"#),
        &format!(r#"{clock},"yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]"#),
    )
}

/// Returns a snapshot with YES bids at 0.40 only.
fn snapshot(seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    let envelope = format!(r#""sid":1,"seq":{seq}"#);
    levels(
        &envelope,
        clock.into(),
        &format!(r#"["0.40","{count}"]"#),
        "",
    )
}

/// Returns the same snapshot as the reply to a command.
fn reply(id: u64, seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    let envelope = format!(r#""id":{id},"sid":1,"seq":{seq}"#);
    levels(
        &envelope,
        clock.into(),
        &format!(r#"["0.40","{count}"]"#),
        "",
    )
}

fn books() -> Books {
    Books::with_mode(PriceMode::NoPrices)
}

fn held(books: &Books) -> Option<String> {
    let best = books.live("A")?.best_bid(OutcomeSide::Yes)?;
    Some(best.count.to_string())
}

#[track_caller]
fn stale(books: &mut Books, frame: &Frame) -> StaleReason {
    match &books.apply(frame)[..] {
        [BookEvent::Stale { reason, .. }] => {
            assert!(books.is_stale("A") && books.live("A").is_none());
            *reason
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn requested(books: &mut Books) -> bool {
    !books.drain_snapshot_requests().is_empty()
}

#[test]
fn restart_of_sequence_is_a_gap() {
    let mut books = books();
    books.apply(&snapshot(100, None, "10"));
    let gap = StaleReason::Gap {
        expected: 101,
        got: 1,
    };
    assert_eq!(stale(&mut books, &delta(1, None, "1")), gap);
    for seq in 2..=99 {
        books.apply(&delta(seq, None, "1"));
    }
    assert_eq!(held(&books), None);
    // It may be the first frame again.
    books.apply(&snapshot(100, None, "109"));
    assert_eq!(held(&books), None);
    books.apply(&snapshot(101, None, "109"));
    assert_eq!(held(&books).unwrap(), "109.00");
}

#[test]
fn different_frame_with_last_number_is_a_gap() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    books.apply(&delta(2, None, "1"));
    assert!(books.apply(&delta(2, None, "1")).is_empty());
    assert_eq!(held(&books).unwrap(), "11.00");
    let gap = StaleReason::Gap {
        expected: 3,
        got: 2,
    };
    assert_eq!(stale(&mut books, &delta(2, None, "2")), gap);
}

#[test]
fn reply_with_earlier_number_leaves_live_book_unchanged() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    books.apply(&delta(2, None, "1"));
    books.apply(&delta(3, None, "1"));
    assert!(books.apply(&reply(7, 2, None, "11")).is_empty());
    books.apply(&delta(4, None, "1"));
    assert_eq!(held(&books).unwrap(), "13.00");
    // A snapshot from before the gap does not restore the book.
    books.apply(&delta(9, None, "1"));
    books.apply(&delta(10, None, "1"));
    assert!(books.apply(&reply(8, 8, None, "99")).is_empty());
    books.apply(&reply(8, 9, None, "20"));
    assert_eq!(held(&books).unwrap(), "21.00");
}

#[test]
fn buffered_changes_are_applied_by_clock_of_snapshot() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    books.apply(&delta(3, 12, "1"));
    books.apply(&delta(4, 13, "2"));
    books.apply(&delta(5, 14, "4"));
    books.apply(&delta(6, 15, "8"));
    // The snapshot follows all of them, but by its clock it includes only the first two.
    books.apply(&snapshot(7, 13, "100"));
    assert_eq!(held(&books).unwrap(), "112.00");
    // Without clocks the sequence number decides.
    let mut books = self::books();
    books.apply(&snapshot(1, None, "10"));
    books.apply(&delta(3, None, "1"));
    books.apply(&delta(4, None, "2"));
    books.apply(&reply(7, 3, None, "100"));
    assert_eq!(held(&books).unwrap(), "102.00");
}

#[test]
fn change_at_or_below_clock_of_snapshot_makes_book_stale() {
    for got in [9, 10] {
        let mut books = books();
        books.apply(&snapshot(1, 10, "10"));
        let fell = StaleReason::ClockFell { last: 10, got };
        assert_eq!(stale(&mut books, &delta(2, got, "1")), fell);
        assert!(requested(&mut books));
    }
}

#[test]
fn changes_of_one_action_share_a_clock() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    books.apply(&delta(2, 12, "1"));
    books.apply(&delta(3, 12, "1"));
    assert_eq!(held(&books).unwrap(), "12.00");
    let fell = StaleReason::ClockFell { last: 12, got: 11 };
    assert_eq!(stale(&mut books, &delta(4, 11, "1")), fell);
}

#[test]
fn snapshot_with_lower_clock_needs_confirmation() {
    let mut books = books();
    books.apply(&snapshot(1, 1_000, "10"));
    // During maintenance the clock falls.
    stale(&mut books, &delta(2, 5, "1"));
    assert!(requested(&mut books));
    books.apply(&reply(1, 3, 5, "11"));
    assert_eq!(held(&books), None);
    // An unrequested snapshot is no confirmation.
    books.apply(&snapshot(4, 5, "11"));
    assert_eq!(held(&books), None);
    books.apply(&delta(5, 6, "3"));
    assert!(requested(&mut books));
    // The second snapshot does not equal the first one plus the change in between.
    books.apply(&reply(2, 6, 6, "11"));
    assert_eq!(held(&books), None);
    assert!(!requested(&mut books), "requested without backoff");
    books.poll_timeouts(books.next_timeout().unwrap());
    assert!(requested(&mut books));
    books.apply(&delta(7, 7, "3"));
    let events = books.apply(&reply(3, 8, 7, "14"));
    assert!(matches!(events[..], [BookEvent::Live { .. }]), "{events:?}");
    books.apply(&delta(9, 8, "1"));
    assert_eq!(held(&books).unwrap(), "15.00");
}

#[test]
fn repeated_snapshot_is_no_confirmation() {
    let mut books = books();
    books.apply(&snapshot(47, 100, "10"));
    // The change with clock 101 is lost.
    stale(&mut books, &delta(49, 102, "1"));
    assert!(requested(&mut books));
    let old = reply(7, 50, 100, "10");
    books.apply(&old);
    assert!(requested(&mut books));
    let other = r#"{"type":"orderbook_delta","sid":1,"seq":51,"msg":{"market_ticker":"B","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#;
    books.apply(&Frame::parse(other));
    books.apply(&old);
    assert_eq!(held(&books), None, "live without the lost change");
    books.poll_timeouts(books.next_timeout().unwrap());
    assert!(requested(&mut books));
    books.apply(&reply(9, 52, 102, "12"));
    assert_eq!(held(&books).unwrap(), "12.00");
}

#[test]
fn snapshot_with_lower_clock_makes_live_book_stale() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    let earlier = StaleReason::EarlierSnapshot {
        expected: 10,
        got: 9,
    };
    assert_eq!(stale(&mut books, &snapshot(2, 9, "10")), earlier);
    assert!(requested(&mut books));
    books.apply(&reply(1, 3, 10, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
}

#[test]
fn snapshot_from_before_overflow_restores_no_book() {
    let mut books = books();
    books.register(1, ["A"]);
    books.apply(&snapshot(1, None, "10"));
    books.apply(&delta(3, None, "1"));
    assert!(requested(&mut books));
    for seq in 4..=10_050 {
        books.apply(&delta(seq, None, "1"));
    }
    assert!(requested(&mut books), "not requested again");
    for seq in [3, 5_000, 10_002] {
        books.apply(&reply(seq, seq, None, "11"));
        assert_eq!(held(&books), None, "{seq}");
    }
    books.apply(&reply(4, 10_040, None, "10000"));
    assert_eq!(held(&books).unwrap(), "10010.00");
}

#[test]
fn market_that_is_not_listed_buffers_fewer_changes() {
    for (is_registered, has_snapshot) in [(false, false), (true, false), (false, true)] {
        let mut books = books();
        if is_registered {
            books.register(1, ["A"]);
        }
        // A snapshot shows that the market is part of the subscription.
        books.apply(&match has_snapshot {
            true => snapshot(1, None, "10"),
            false => delta(1, None, "1"),
        });
        for seq in 3..=150 {
            books.apply(&delta(seq, None, "1"));
        }
        books.apply(&reply(4, 50, None, "1000"));
        assert_eq!(held(&books).is_some(), is_registered || has_snapshot);
        books.apply(&reply(5, 150, None, "2000"));
        assert!(held(&books).is_some());
    }
}

#[test]
fn invalid_snapshot_is_requested_again_with_backoff() {
    let price = |price: &str| price.parse::<Dollars>().unwrap();
    for (yes, no, error) in [
        (
            r#"["0.40","-1"]"#,
            "",
            BookError::NegativeLevel {
                price: price("0.40"),
            },
        ),
        (
            r#"["0.40","1"],["0.4000","1"]"#,
            "",
            BookError::DuplicateLevel {
                price: price("0.40"),
            },
        ),
        (
            r#"["0.40","1"],["0.4000","0"]"#,
            "",
            BookError::DuplicateLevel {
                price: price("0.40"),
            },
        ),
        (
            r#"["0.00","1"]"#,
            "",
            BookError::Price { price: price("0") },
        ),
        (
            "",
            r#"["1.00","1"]"#,
            BookError::Price { price: price("1") },
        ),
        (
            "",
            r#"["-0.10","1"]"#,
            BookError::Price {
                price: price("-0.10"),
            },
        ),
    ] {
        let mut books = books();
        books.apply(&snapshot(1, 10, "10"));
        let invalid = |seq| levels(&format!(r#""sid":1,"seq":{seq}"#), Some(11), yes, no);
        let reason = stale(&mut books, &invalid(2));
        assert_eq!(reason, StaleReason::InvalidSnapshot(error));
        assert!(requested(&mut books));
        let mut pauses = Vec::new();
        for seq in 3..6 {
            books.apply(&invalid(seq));
            assert!(!requested(&mut books), "requested without backoff");
            let at = books.next_timeout().unwrap();
            pauses.push((at - Instant::now()).as_secs_f32().round());
            books.poll_timeouts(at);
            assert!(requested(&mut books));
        }
        assert_eq!(pauses, [1.0, 2.0, 4.0]);
        books.apply(&snapshot(6, 11, "12"));
        assert_eq!(held(&books).unwrap(), "12.00");
    }
}

#[test]
fn price_out_of_range_makes_book_stale() {
    for price in ["0.00", "1.00", "1.01"] {
        let mut books = books();
        books.apply(&snapshot(1, 10, "10"));
        let reason = stale(&mut books, &change(2, 11, "no", price, "1"));
        let price = price.parse().unwrap();
        let expected = StaleReason::InvalidChange(BookError::Price { price });
        assert_eq!(reason, expected);
    }
}

#[test]
fn book_crossed_within_an_action_is_withheld() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    // One action moves through the bid at 0.40.
    let events = books.apply(&change(2, 11, "no", "0.60", "5"));
    assert!(
        matches!(events[..], [BookEvent::Withheld { .. }]),
        "{events:?}"
    );
    assert!(books.live("A").is_none() && !books.is_stale("A") && !requested(&mut books));
    let events = books.apply(&delta(3, 11, "-10"));
    assert!(
        matches!(events[..], [BookEvent::Changed { .. }]),
        "{events:?}"
    );
    assert_eq!(books.live("A").unwrap().depth(OutcomeSide::No), 1);
    assert_eq!(books.next_timeout(), None);
}

#[test]
fn book_still_crossed_when_clock_moves_is_stale() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    books.apply(&change(2, 11, "no", "0.60", "5"));
    assert_eq!(
        stale(&mut books, &delta(3, 12, "-10")),
        StaleReason::Crossed
    );
    assert!(requested(&mut books));
}

#[tokio::test(start_paused = true)]
async fn book_crossed_for_50_ms_is_stale() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    books.apply(&change(2, None, "no", "0.60", "5"));
    tokio::time::advance(Duration::from_millis(49)).await;
    assert!(books.poll_timeouts(Instant::now()).is_empty());
    tokio::time::advance(Duration::from_millis(1)).await;
    let events = books.poll_timeouts(Instant::now());
    assert!(
        matches!(
            events[..],
            [BookEvent::Stale {
                reason: StaleReason::Crossed,
                ..
            }]
        ),
        "{events:?}"
    );
    // Without a poll, the next change triggers the check.
    books.apply(&snapshot(3, None, "10"));
    books.apply(&change(4, None, "no", "0.60", "5"));
    tokio::time::advance(Duration::from_millis(50)).await;
    assert_eq!(
        stale(&mut books, &delta(5, None, "-10")),
        StaleReason::Crossed
    );
}

#[test]
fn no_levels_at_yes_prices_are_converted() {
    let mut books = Books::new();
    books.register_with_mode(1, PriceMode::YesPrices, ["A"]);
    let envelope = r#""sid":1,"seq":1"#;
    books.apply(&levels(
        envelope,
        Some(1),
        r#"["0.40","1"]"#,
        r#"["0.70","2"]"#,
    ));
    books.apply(&change(2, 2, "no", "0.65", "3"));
    books.apply(&change(3, 3, "yes", "0.45", "4"));
    let book = books.live("A").unwrap();
    let bids = |outcome| -> Vec<String> {
        let bids = book.bids(outcome);
        bids.map(|level| format!("{} {}", level.price, level.count))
            .collect()
    };
    assert_eq!(bids(OutcomeSide::No), ["0.3500 3.00", "0.3000 2.00"]);
    assert_eq!(bids(OutcomeSide::Yes), ["0.4500 4.00", "0.4000 1.00"]);
}

#[test]
fn frames_with_unknown_price_mode_are_not_applied() {
    let mut books = Books::new();
    let reason = stale(&mut books, &snapshot(1, 10, "10"));
    assert_eq!(reason, StaleReason::UnknownPriceMode);
    assert!(books.apply(&delta(2, 11, "1")).is_empty());
    assert!(
        !requested(&mut books),
        "requested although a snapshot would not help"
    );
    books.register_with_mode(1, PriceMode::NoPrices, ["A"]);
    assert!(requested(&mut books));
    books.apply(&reply(1, 3, 11, "11"));
    assert_eq!(held(&books).unwrap(), "11.00");
    // A second mode on the same connection makes the mode of its frames unknown.
    books.register_with_mode(2, PriceMode::YesPrices, ["B"]);
    let reason = stale(&mut books, &delta(4, 12, "1"));
    assert_eq!(reason, StaleReason::UnknownPriceMode);
    books.disconnected();
    books.register_with_mode(1, PriceMode::YesPrices, ["A"]);
    books.apply(&snapshot(1, 12, "12"));
    assert_eq!(held(&books).unwrap(), "12.00");
}

#[tokio::test(start_paused = true)]
async fn missing_snapshot_is_requested_with_backoff() {
    let mut books = Books::new();
    books.register_with_mode(1, PriceMode::NoPrices, ["A"]);
    let (mut waits, mut overdue) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        assert!(!requested(&mut books));
        let began = Instant::now();
        tokio::time::sleep_until(books.next_timeout().unwrap()).await;
        waits.push(began.elapsed().as_secs());
        overdue.extend(books.poll_timeouts(Instant::now()));
        assert!(requested(&mut books));
    }
    assert_eq!(waits, [5, 5, 10, 20, 40, 64, 64, 64]);
    assert!(
        matches!(&overdue[..], [BookEvent::SnapshotOverdue { market_ticker, attempts: 5 }] if &**market_ticker == "A"),
        "{overdue:?}"
    );
    books.apply(&snapshot(1, 10, "10"));
    assert_eq!(books.next_timeout(), None);
}

#[tokio::test(start_paused = true)]
async fn merged_subscription_without_snapshots_requests_them() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    let ok = r#"{"type":"ok","id":2,"sid":1,"seq":2,"msg":{"market_tickers":["A","B"]}}"#;
    books.apply(&Frame::parse(ok));
    assert!(!requested(&mut books));
    books.poll_timeouts(books.next_timeout().unwrap());
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["B"]);
    assert_eq!(held(&books).unwrap(), "10.00");
}

#[test]
fn each_cause_has_its_stale_reason() {
    for (text, expected) in [
        (
            r#"{"type":"orderbook_delta","seq":2,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
            StaleReason::MissingSid,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
            StaleReason::MissingSeq,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A"}}"#,
            StaleReason::Malformed,
        ),
        (
            r#"{"type":"orderbook_something","sid":1,"seq":2,"msg":{}}"#,
            StaleReason::UnknownMessage,
        ),
        (
            r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"overflow"}}"#,
            StaleReason::SubscriptionEnded,
        ),
        (
            r#"{"type":"unsubscribed","id":3,"sid":1}"#,
            StaleReason::Unsubscribed,
        ),
        (
            r#"{"type":"unsubscribed","id":3}"#,
            StaleReason::Unsubscribed,
        ),
        (
            r#"{"type":"ok","id":3,"sid":1,"seq":2,"msg":{"market_tickers":["B"]}}"#,
            StaleReason::Unsubscribed,
        ),
        (
            r#"{"type":"ok","id":3,"sid":1,"seq":2}"#,
            StaleReason::UnlistedMarkets,
        ),
    ] {
        let mut books = books();
        books.apply(&snapshot(1, 10, "10"));
        let events = books.apply(&Frame::parse(text));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason, .. }] if reason == expected),
            "{text} {events:?}"
        );
    }
}

#[test]
fn late_frame_of_ended_subscription_makes_no_book_live() {
    for end in [
        r#"{"type":"error","sid":1,"seq":3,"msg":{"code":25,"msg":"overflow"}}"#,
        r#"{"type":"unsubscribed","id":4,"sid":1,"seq":3}"#,
    ] {
        let mut books = Books::with_mode(PriceMode::NoPrices);
        books.apply(&snapshot(1, 50, "5.00"));
        assert!(books.live("A").is_some());
        books.apply(&Frame::parse(end));
        for late in [
            snapshot(4, 51, "5.00"),
            delta(5, 52, "1.00"),
            snapshot(6, 53, "5.00"),
        ] {
            assert_eq!(books.apply(&late)[..], []);
            assert!(books.live("A").is_none(), "{end}");
        }
        // A new subscription with the same sid starts its sequence at 1.
        books.apply(&snapshot(1, 60, "7.00"));
        assert!(books.live("A").is_some(), "{end}");
    }
}

/// Returns a change of market B.
fn change_of_b(sid: u64, seq: u64) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"orderbook_delta","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"B","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}}}"#
    ))
}

#[test]
fn book_moved_by_a_stray_snapshot_follows_its_own_subscription() {
    let live = || {
        let mut books = books();
        books.register(2, ["A", "B"]);
        books.apply(&levels(r#""sid":2,"seq":1"#, None, r#"["0.40","10"]"#, ""));
        // The snapshot has the number of a subscription to another channel.
        books.apply(&snapshot(1, None, "10"));
        assert!(books.live("A").is_some());
        books
    };
    let mut books = live();
    books.apply(&change_of_b(2, 3));
    assert!(books.live("A").is_none(), "live after a gap");
    let requests = books.drain_snapshot_requests();
    assert_eq!((requests.len(), requests[0].sid), (1, 2));
    assert_eq!(requests[0].market_tickers, ["A", "B"]);
    for end in [
        r#"{"type":"ok","id":3,"sid":2,"seq":2,"msg":{"market_tickers":["B"]}}"#,
        r#"{"type":"unsubscribed","id":3,"sid":2,"seq":2}"#,
        r#"{"type":"error","sid":2,"msg":{"code":25,"msg":"overflow"}}"#,
    ] {
        let mut books = live();
        books.apply(&Frame::parse(end));
        assert!(books.live("A").is_none(), "{end}");
    }
}

#[test]
fn live_book_registered_with_another_subscription_is_stale() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    let events = books.register(2, ["A"]);
    let reason = StaleReason::OtherSubscription;
    assert!(
        matches!(events[..], [BookEvent::Stale { reason: of, .. }] if of == reason),
        "{events:?}"
    );
    assert!(books.is_stale("A") && books.register(2, ["A"]).is_empty());
    let mut redundant = RedundantBooks::with_mode(2, PriceMode::NoPrices);
    redundant.apply(0, &snapshot(1, 10, "10"));
    let events = redundant.register(0, 2, ["A"]);
    assert!(
        matches!(events[..], [BookEvent::Stale { .. }]),
        "{events:?}"
    );
}

#[test]
fn late_change_of_an_ended_subscription_makes_book_stale() {
    let mut books = books();
    books.apply(&snapshot(1, 10, "10"));
    let overflow = r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"overflow"}}"#;
    books.apply(&Frame::parse(overflow));
    books.register(2, ["A"]);
    books.apply(&levels(
        r#""sid":2,"seq":1"#,
        Some(10),
        r#"["0.40","10"]"#,
        "",
    ));
    assert!(books.live("A").is_some());
    let reason = stale(&mut books, &delta(2, 11, "1"));
    assert_eq!(reason, StaleReason::OtherSubscription);
    assert_eq!(books.drain_snapshot_requests()[0].sid, 2);
}

fn ok(seq: u64, list: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"ok","id":3,"sid":1,"seq":{seq},"msg":{{"market_tickers":[{list}]}}}}"#
    ))
}

#[test]
fn late_snapshot_of_a_removed_market_makes_no_book_live() {
    let mut books = books();
    books.register(1, ["B"]);
    books.apply(&ok(1, r#""A","B""#));
    books.apply(&ok(2, r#""B""#));
    for late in [
        snapshot(3, 10, "10"),
        delta(4, 11, "1"),
        snapshot(5, 11, "11"),
    ] {
        books.apply(&late);
        assert!(books.live("A").is_none() && !books.is_stale("A"));
    }
    // After a loss, the market may have been added again. The connection knows, and requests its snapshot or not.
    books.apply(&delta(7, 12, "1"));
    assert_eq!(
        books.drain_snapshot_requests()[0].market_tickers,
        ["A", "B"]
    );
    books.apply(&snapshot(8, 12, "12"));
    assert!(books.live("A").is_none());
    books.apply(&reply(4, 9, 12, "12"));
    assert_eq!(held(&books).unwrap(), "12.00");
}

#[test]
fn repeated_list_of_markets_is_not_believed() {
    let mut books = books();
    books.register(1, ["B"]);
    let ok = |seq: u64, id: u64, list: &str| {
        Frame::parse(&format!(
            r#"{{"type":"ok","id":{id},"sid":1,"seq":{seq},"msg":{{"market_tickers":[{list}]}}}}"#
        ))
    };
    let first = ok(1, 3, r#""B""#);
    books.apply(&first);
    books.apply(&ok(2, 4, r#""A","B""#));
    books.apply(&snapshot(3, None, "10"));
    assert!(books.live("A").is_some());
    let events = books.apply(&first);
    let last = events.iter().next_back();
    let reason = StaleReason::UnlistedMarkets;
    assert!(
        matches!(last, Some(BookEvent::Stale { reason: of, .. }) if *of == reason),
        "{events:?}"
    );
    // The list in the reply to a later command is current.
    books.apply(&ok(2, 5, r#""A","B""#));
    assert!(books.is_stale("A") && books.is_stale("B"));

    // The first acknowledgement that these books see may be a repeated one.
    let mut books = self::books();
    books.apply(&snapshot(3, None, "10"));
    let events = books.apply(&first);
    let last = events.iter().next_back();
    assert!(
        matches!(last, Some(BookEvent::Stale { reason: of, .. }) if *of == reason),
        "{events:?}"
    );
}

/// Its market would otherwise stay live.
#[test]
fn malformed_settlement_removes_its_book() {
    for kind in ["market_lifecycle_v2", "multivariate_market_lifecycle"] {
        for (event_type, is_live) in [("settled", false), ("determined", true)] {
            let mut books = books();
            books.apply(&snapshot(1, 10, "10"));
            let malformed = Frame::parse(&format!(
                r#"{{"type":"{kind}","sid":9,"seq":5,"msg":{{"market_ticker":"A","event_type":"{event_type}","settled_ts":"soon"}}}}"#
            ));
            assert!(matches!(malformed.message, Message::Malformed(_)), "{kind}");
            books.apply(&malformed);
            assert_eq!(books.live("A").is_some(), is_live, "{kind} {event_type}");
            assert_eq!(books.market_tickers().count(), usize::from(is_live));
        }
    }
}

#[test]
fn markets_outside_the_subscription_leave_bounded_state() {
    let mut books = books();
    let change = |seq: u64, ticker: &str| {
        Frame::parse(&format!(
            r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{"market_ticker":"{ticker}","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}}}"#
        ))
    };
    books.apply(&snapshot(1, None, "10"));
    books.apply(&change(2, &"X".repeat(300)));
    for seq in 3..10_100 {
        books.apply(&change(seq, &format!("M{seq}")));
    }
    assert_eq!(books.market_tickers().count(), 10_000);
    assert_eq!(
        held(&books).unwrap(),
        "10.00",
        "the sequence does not count them"
    );
    // They count for all subscriptions.
    books.apply(&change_of_b(2, 1));
    assert_eq!(books.market_tickers().count(), 10_000);
}

#[test]
fn messages_of_many_subscriptions_leave_bounded_state() {
    let mut books = books();
    let change = |sid: u64, ticker: &str| {
        Frame::parse(&format!(
            r#"{{"type":"orderbook_delta","sid":{sid},"seq":1,"msg":{{"market_ticker":"{ticker}","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}}}"#
        ))
    };
    books.apply(&snapshot(1, None, "10"));
    for sid in 2..1_100 {
        books.apply(&change(sid, &format!("M{sid}")));
    }
    assert!(books.drain_snapshot_requests().len() <= 1_000);
    // The market may have moved to a further subscription.
    books.apply(&change(2_000, "A"));
    assert!(books.live("A").is_none());
}
