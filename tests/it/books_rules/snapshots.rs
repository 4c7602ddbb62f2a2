//! Which snapshots restore a book, and when they are requested.

use super::*;

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
fn malformed_first_snapshot_is_requested_again() {
    let mut books = books();
    for (seq, broken) in [
        r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A","market_id":"a","yes_dollars_fp":[["much","1.00"]]}}"#,
        r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"B","market_id":"b"}}"#,
    ].into_iter().enumerate() {
        let events = books.apply(&Frame::parse(broken));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason: StaleReason::Malformed, .. }]),
            "{events:?}"
        );
        assert_eq!(books.drain_snapshot_requests().len(), 1, "{seq}");
    }
    books.apply(&snapshot(3, None, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    // A reply to a command of the user's own belongs to no subscription.
    let snapshot_reply = r#"{"type":"orderbook_snapshot","id":7,"sid":1,"seq":4,"msg":{"market_ticker":"C","market_id":"c","yes_dollars_fp":[["much","1.00"]]}}"#;
    books.apply(&Frame::parse(snapshot_reply));
    let requested: Vec<_> = books
        .drain_snapshot_requests()
        .into_iter()
        .flat_map(|request| request.market_tickers)
        .collect();
    assert!(!requested.contains(&"C".to_owned()), "{requested:?}");
}

#[test]
fn change_without_snapshot_requests_one() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    let events = books.apply(&change_of_b(1, 2));
    assert!(
        matches!(
            events[..],
            [BookEvent::Stale {
                reason: StaleReason::NoSnapshot,
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["B"]);
    assert_eq!(held(&books).unwrap(), "10.00", "the other book is not live");
}

#[test]
fn lost_first_snapshots_are_requested() {
    let requested = |books: &mut Books| -> Vec<String> {
        let requests = books.drain_snapshot_requests().into_iter();
        requests
            .flat_map(|request| request.market_tickers)
            .collect()
    };
    // The first frame received is not the first one sent.
    let mut books = books();
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(
        requested(&mut books).is_empty(),
        "requested snapshots that are in flight"
    );
    books.apply(&snapshot(2, None, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    assert_eq!(requested(&mut books), ["B"]);
    // A frame in between is lost.
    let mut books = self::books();
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    books.apply(&snapshot(1, None, "10"));
    assert!(requested(&mut books).is_empty());
    books.apply(&delta(3, None, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
    // After a reconnect, the snapshots are expected again.
    books.disconnected();
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(requested(&mut books).is_empty());
    books.apply(&snapshot(1, None, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    books.apply(&delta(3, None, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
    // An acknowledgement lists a market whose snapshot is lost.
    let mut books = self::books();
    books.apply(&snapshot(1, None, "10"));
    books.apply(&Frame::parse(
        r#"{"type":"ok","sid":1,"seq":2,"msg":{"market_tickers":["A","B"]}}"#,
    ));
    books.apply(&delta(4, None, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
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
