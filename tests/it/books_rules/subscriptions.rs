//! The end of a subscription, and its markets.

use super::*;

#[test]
fn each_cause_has_its_stale_reason() {
    for (text, expected, is_requested) in [
        (
            r#"{"type":"orderbook_delta","seq":2,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
            StaleReason::MissingSid,
            true,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
            StaleReason::MissingSeq,
            true,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A"}}"#,
            StaleReason::Malformed,
            true,
        ),
        (
            r#"{"type":"orderbook_something","sid":1,"seq":2,"msg":{}}"#,
            StaleReason::UnknownMessage,
            true,
        ),
        (
            r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"overflow"}}"#,
            StaleReason::SubscriptionEnded,
            false,
        ),
        (
            r#"{"type":"unsubscribed","id":3,"sid":1}"#,
            StaleReason::Unsubscribed,
            false,
        ),
        (
            r#"{"type":"unsubscribed","id":3}"#,
            StaleReason::Unsubscribed,
            false,
        ),
        (
            r#"{"type":"ok","id":3,"sid":1,"seq":2,"msg":{"market_tickers":["B"]}}"#,
            StaleReason::Unsubscribed,
            false,
        ),
        (
            r#"{"type":"ok","id":3,"sid":1,"seq":2}"#,
            StaleReason::UnlistedMarkets,
            false,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"se"#,
            StaleReason::MissingSid,
            true,
        ),
        (
            r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A"}}"#,
            StaleReason::Malformed,
            true,
        ),
        (
            r#"{"type":"error","msg":{"code":25,"msg":"overflow"}}"#,
            StaleReason::SubscriptionEnded,
            false,
        ),
        (
            r#"{"type":"error","id":2,"sid":1,"msg":{"code":7,"msg":"unknown"}}"#,
            StaleReason::SubscriptionEnded,
            false,
        ),
        (
            r#"{"type":"ok","id":7,"sid":1}"#,
            StaleReason::UnlistedMarkets,
            false,
        ),
        (
            r#"{"type":"ok","id":7,"sid":1,"seq":2,"msg":{"market_tickers":7}}"#,
            StaleReason::UnlistedMarkets,
            false,
        ),
    ] {
        let mut books = books();
        books.apply(&snapshot(1, 10, "10"));
        let events = books.apply(&Frame::parse(text));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason, .. }] if reason == expected),
            "{text} {events:?}"
        );
        assert!(books.live("A").is_none(), "{text}");
        // A snapshot would not restore a book that may no longer be subscribed to.
        assert_eq!(requested(&mut books), is_requested, "{text}");
    }
}

#[test]
fn message_of_no_subscription_to_books_changes_nothing() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    for other in [
        r#"{"type":"error","id":2,"msg":{"code":7,"msg":"unknown"}}"#,
        r#"{"type":"weather","sid":8,"seq":1,"msg":{}}"#,
    ] {
        assert!(books.apply(&Frame::parse(other)).is_empty(), "{other}");
        assert!(held(&books).is_some());
    }
}

#[test]
fn late_frame_of_ended_subscription_makes_no_book_live() {
    let (ended, unsubscribed) = (StaleReason::SubscriptionEnded, StaleReason::Unsubscribed);
    for (end, expected, kept) in [
        (
            r#"{"type":"error","sid":1,"seq":3,"msg":{"code":25,"msg":"overflow"}}"#,
            ended,
            1,
        ),
        (
            r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"overflow"}}"#,
            ended,
            1,
        ),
        (
            r#"{"type":"unsubscribed","id":4,"sid":1,"seq":3}"#,
            unsubscribed,
            0,
        ),
    ] {
        let mut books = books();
        books.apply(&snapshot(1, 50, "5.00"));
        assert!(books.live("A").is_some());
        let events = books.apply(&Frame::parse(end));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason, .. }] if reason == expected),
            "{events:?}"
        );
        assert!(!requested(&mut books), "{end}");
        // A book that was unsubscribed is removed.
        assert_eq!(books.market_tickers().count(), kept);
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
fn removed_market_is_not_live() {
    let mut books = books();
    let read = |seq: u64, kind: &str, body: &str| {
        Frame::parse(&format!(
            r#"{{"type":"{kind}","sid":1,"seq":{seq},"msg":{body}}}"#
        ))
    };
    for (seq, ticker) in [(1, "A"), (2, "B")] {
        let body = format!(r#"{{"market_ticker":"{ticker}","market_id":"m"}}"#);
        books.apply(&read(seq, "orderbook_snapshot", &body));
    }
    let events = books.apply(&read(3, "ok", r#"{"market_tickers":["B","C"]}"#));
    assert!(matches!(
        &events[..],
        [BookEvent::Stale { market_ticker, reason: StaleReason::Unsubscribed }] if &**market_ticker == "A"
    ));
    assert!(books.live("A").is_none() && books.live("B").is_some());
    assert!(books.drain_snapshot_requests().is_empty());
    // A reply to a snapshot command does not revive it, because no changes would follow.
    let snapshot_reply = r#"{"type":"orderbook_snapshot","id":4,"sid":1,"seq":4,"msg":{"market_ticker":"A","market_id":"m"}}"#;
    assert!(books.apply(&Frame::parse(snapshot_reply)).is_empty() && books.live("A").is_none());
    // An empty list may mean that no market is left. A market that still changes is requested again.
    books.apply(&read(5, "ok", r#"{"market_tickers":[]}"#));
    assert!(books.live("B").is_none() && books.drain_snapshot_requests().is_empty());
    let change = r#"{"market_ticker":"B","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}"#;
    books.apply(&read(6, "orderbook_delta", change));
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["B"]);
    let snapshot_reply = snapshot_reply
        .replace(r#""A""#, r#""B""#)
        .replace(r#""seq":4"#, r#""seq":7"#);
    books.apply(&Frame::parse(&snapshot_reply));
    assert!(books.live("B").is_some());
    // An unknown message may be a change.
    books.apply(&read(8, "orderbook_delta_of_tomorrow", "{}"));
    assert!(books.live("B").is_none());
    // The largest sequence number does not overflow.
    books.apply(&read(u64::MAX, "ok", r#"{"market_tickers":["B"]}"#));
    books.apply(&read(u64::MAX, "ok", r#"{"market_tickers":["B"]}"#));
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
    books.apply(&snapshot(1, None, "10"));
    books.apply(&change_of(&"X".repeat(300), 1, 2));
    for seq in 3..10_100 {
        books.apply(&change_of(&format!("M{seq}"), 1, seq));
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
    books.apply(&snapshot(1, None, "10"));
    for sid in 2..1_100 {
        books.apply(&change_of(&format!("M{sid}"), sid, 1));
    }
    assert!(books.drain_snapshot_requests().len() <= 1_000);
    // The market may have moved to a further subscription.
    books.apply(&change_of("A", 2_000, 1));
    assert!(books.live("A").is_none());
}
