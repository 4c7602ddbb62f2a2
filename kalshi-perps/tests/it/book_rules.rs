//! Live and stale books. The frames have no clocks, and all markets of a subscription share its sequence numbers, as on the exchange.

use kalshi_perps::ws::{BookError, BookEvent, Books, Frame, Message, RedundantBooks, StaleReason};

fn frame(kind: &str, envelope: &str, market: &str, fields: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"{kind}",{envelope},"msg":{{"market_ticker":"{market}",{fields}}}}}"#
    ))
}

fn snapshot(seq: u64, market: &str, count: &str) -> Frame {
    let fields = format!(
        r#""bid":[["0.9900","1.00"],["1.2500","{count}"]],"ask":[["1.3000","4.00"],["1.2600","2.00"]]"#
    );
    frame(
        "orderbook_snapshot",
        &format!(r#""sid":1,"seq":{seq}"#),
        market,
        &fields,
    )
}

fn change(seq: u64, market: &str, side: &str, price: &str, count: &str) -> Frame {
    let fields =
        format!(r#""price":"{price}","delta":"{count}","side":"{side}","ts_ms":1781231146425"#);
    frame(
        "orderbook_delta",
        &format!(r#""sid":1,"seq":{seq}"#),
        market,
        &fields,
    )
}

fn delta(seq: u64, market: &str, count: &str) -> Frame {
    change(seq, market, "bid", "1.25", count)
}

fn held(books: &Books, market: &str) -> Option<String> {
    Some(books.live(market)?.best_bid()?.count.to_string())
}

#[track_caller]
fn stale(books: &mut Books, frame: &Frame) -> StaleReason {
    match &books.apply(frame)[..] {
        [BookEvent::Stale { reason, .. }] => *reason,
        other => panic!("{other:?}"),
    }
}

fn two_markets() -> Books {
    let mut books = Books::new();
    books.register(1, ["A", "B"]);
    books.apply(&snapshot(1, "A", "10.00"));
    books.apply(&snapshot(2, "B", "20.00"));
    books
}

#[test]
fn markets_of_a_subscription_share_sequence_numbers() {
    let mut books = two_markets();
    books.apply(&delta(3, "A", "1.00"));
    books.apply(&delta(4, "B", "-20.00"));
    books.apply(&change(5, "B", "ask", "1.2550", "3.00"));
    assert_eq!(held(&books, "A").unwrap(), "11.00");
    let book = books.live("B").unwrap();
    assert_eq!(book.best_bid().unwrap().price, "0.99".parse().unwrap());
    assert_eq!(book.best_ask().unwrap().price, "1.255".parse().unwrap());
    assert_eq!(
        book.last_update().unwrap().timestamp_millis(),
        1_781_231_146_425
    );
    assert_eq!(books.clock("A"), None);
}

#[test]
fn gap_makes_each_book_stale_until_its_snapshot() {
    let mut books = two_markets();
    let events = books.apply(&delta(4, "A", "1.00"));
    let gap = StaleReason::Gap {
        expected: 3,
        got: 4,
    };
    let reasons = events.iter().map(|event| match event {
        BookEvent::Stale { reason, .. } => *reason,
        other => panic!("{other:?}"),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [gap, gap]);
    let requests = books.drain_snapshot_requests();
    assert_eq!((requests.len(), requests[0].sid), (1, 1));
    assert_eq!(requests[0].market_tickers, ["A", "B"]);
    // The snapshot already includes earlier changes. A later change is applied to it.
    books.apply(&delta(5, "B", "5.00"));
    let reply = r#"{"type":"orderbook_snapshot","id":9,"sid":1,"seq":4,"msg":{"market_ticker":"B","bid":[["1.2500","7.00"]]}}"#;
    books.apply(&Frame::parse(reply));
    assert_eq!(held(&books, "B").unwrap(), "12.00");
    assert_eq!(held(&books, "A"), None);
    books.apply(&snapshot(6, "A", "3.00"));
    assert_eq!(held(&books, "A").unwrap(), "3.00");
}

/// The frame of the snapshot is repeated, or swaps places with that of the change after it.
#[test]
fn repeated_or_late_snapshot_makes_no_book_live() {
    let mut books = two_markets();
    books.apply(&delta(3, "A", "1.00"));
    books.apply(&snapshot(1, "A", "10.00"));
    assert!(books.is_stale("A") && books.is_stale("B"));
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, ["A", "B"]);
    let reply = |id: u64, seq: u64, count: &str| {
        let envelope = format!(r#""id":{id},"sid":1,"seq":{seq}"#);
        let levels = format!(r#""bid":[["1.2500","{count}"]]"#);
        frame("orderbook_snapshot", &envelope, "A", &levels)
    };
    books.apply(&reply(9, 2, "11.00"));
    assert_eq!(held(&books, "A").unwrap(), "11.00");
    // A book that is live again is not replaced either, and an earlier reply is no better.
    books.apply(&snapshot(3, "A", "10.00"));
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
    books.apply(&reply(8, 3, "10.00"));
    assert!(books.is_stale("A"));
    // No earlier frame had this number.
    books.apply(&snapshot(4, "A", "12.00"));
    assert_eq!(held(&books, "A").unwrap(), "12.00");

    let mut books = Books::new();
    books.register(1, ["A"]);
    books.apply(&delta(2, "A", "1.00"));
    books.apply(&snapshot(1, "A", "10.00"));
    assert!(books.is_stale("A"));
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
}

#[test]
fn change_with_invalid_side_or_price_makes_its_book_stale() {
    let mut books = two_markets();
    let unknown = change(3, "A", "neither", "1.25", "1.00");
    let expected = StaleReason::InvalidChange(BookError::UnknownSide);
    assert_eq!(stale(&mut books, &unknown), expected);
    let price = "-1.25".parse().unwrap();
    let negative = change(4, "B", "bid", "-1.25", "1.00");
    let expected = StaleReason::InvalidChange(BookError::Price { price });
    assert_eq!(stale(&mut books, &negative), expected);
}

fn action(kind: &str, market: &str, terms: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"corporate_actions_delta","sid":2,"seq":1,"msg":{{"corporate_action":{{"id":"n","market_id":"m","market_ticker":"{market}","type":"{kind}","ts_ms":1781231146425{terms}}}}}}}"#
    ))
}

#[test]
fn split_makes_a_book_stale_until_next_snapshot() {
    let mut books = two_markets();
    let terms = r#","split":{"ratio_old":"1","ratio_new":"4","pre_split_mark_price":"8.0000","post_split_mark_price":"2.0000"}"#;
    let split = action("stock_split", "A", terms);
    assert_eq!(stale(&mut books, &split), StaleReason::CorporateAction);
    // Snapshots sent before the notice are outdated, so a new one is requested.
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
    assert_eq!(held(&books, "B").unwrap(), "20.00");
    books.apply(&snapshot(3, "A", "40.00"));
    assert_eq!(held(&books, "A").unwrap(), "40.00");
}

#[test]
fn split_book_accepts_a_reply_with_the_last_number() {
    let mut books = two_markets();
    books.apply(&action("stock_split", "A", ""));
    let reply = |id: u64| {
        let envelope = format!(r#""id":{id},"sid":1,"seq":2"#);
        let levels = r#""bid":[["1.2500","40.00"]]"#;
        frame("orderbook_snapshot", &envelope, "A", levels)
    };
    // It replies to a request from before the split.
    books.apply(&reply(4));
    assert_eq!(held(&books, "A"), None);
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
    books.apply(&reply(5));
    assert_eq!(held(&books, "A").unwrap(), "40.00");
}

/// The program may have requested a snapshot before the split, and its reply may look like that to the book's own request.
#[tokio::test(start_paused = true)]
async fn split_book_is_corrected_by_the_reply_to_a_later_request() {
    for (has_changed, later) in [(false, "40.00"), (true, "40.00"), (true, "11.00")] {
        let mut books = two_markets();
        books.apply(&action("stock_split", "A", ""));
        let requests = books.drain_snapshot_requests();
        assert_eq!(requests[0].market_tickers, ["A"]);
        let reply = |id: u64, count: &str| {
            let envelope = format!(r#""id":{id},"sid":1,"seq":2"#);
            let levels = format!(r#""bid":[["1.2500","{count}"]]"#);
            frame("orderbook_snapshot", &envelope, "A", &levels)
        };
        books.apply(&reply(50, "10.00"));
        if has_changed {
            books.apply(&delta(3, "A", "1.00"));
        }
        let events = books.apply(&reply(51, later));
        if has_changed {
            // Even an equal book lacks the change, because it is from before.
            assert!(books.is_stale("A"), "{events:?}");
            assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
            continue;
        }
        assert!(
            matches!(events[..], [BookEvent::Changed { .. }]),
            "{events:?}"
        );
        assert_eq!(held(&books, "A").unwrap(), "40.00");
        // A repeat, and replies to earlier commands, change nothing.
        for id in [51, 49, 50] {
            assert!(books.apply(&reply(id, "7.00")).is_empty());
        }
        // Without a reply to its own request, the book is not trusted.
        books.request_failed(&requests[0]);
        let events = books.poll_timeouts(books.next_timeout().unwrap());
        assert_eq!(events.len(), 1);
        assert!(books.is_stale("A"));
        books.poll_timeouts(books.next_timeout().unwrap());
        assert_eq!(books.drain_snapshot_requests(), requests);
    }
}

/// Only the reply to the second request shows the levels after the second split.
#[test]
fn book_split_twice_accepts_the_reply_to_its_second_request() {
    let mut books = two_markets();
    for _ in 0..2 {
        books.apply(&action("stock_split", "A", ""));
        assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
    }
    for (id, count, expected) in [(50, "10.00", None), (51, "40.00", Some("40.00"))] {
        let envelope = format!(r#""id":{id},"sid":1,"seq":2"#);
        let levels = format!(r#""bid":[["1.2500","{count}"]]"#);
        books.apply(&frame("orderbook_snapshot", &envelope, "A", &levels));
        assert_eq!(held(&books, "A").as_deref(), expected);
    }
}

#[test]
fn malformed_corporate_action_makes_its_book_stale() {
    let reason = StaleReason::CorporateAction;
    for price in ["", "922337203685477.5807"] {
        let mut books = two_markets();
        let terms = format!(
            r#","split":{{"ratio_old":"1","ratio_new":"4","pre_split_mark_price":"{price}","post_split_mark_price":7}}"#
        );
        let split = action("stock_split", "A", &terms);
        assert!(matches!(split.message, Message::Malformed(_)));
        assert_eq!(stale(&mut books, &split), reason);
        assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
        assert_eq!(held(&books, "B").unwrap(), "20.00");
    }
    let mut books = two_markets();
    let terms = r#","ticker_change":{"old_ticker":"B"}"#;
    assert_eq!(
        stale(&mut books, &action("ticker_change", "C", terms)),
        reason
    );
    assert!(books.is_stale("B") && books.live("A").is_some());
    // Without a readable market, all books may be concerned.
    for text in [
        r#"{"type":"corporate_actions_delta","sid":2,"seq":1,"msg":{"corporate_action":{}}}"#,
        r#"{"type":"corporate_actions_summary","sid":2,"seq":1,"msg":{}}"#,
        r#"{"type":"corporate_actions_delta","sid":2,"seq":1,"msg":{"corp"#,
    ] {
        let mut books = two_markets();
        books.apply(&Frame::parse(text));
        assert!(books.is_stale("A") && books.is_stale("B"), "{text}");
    }
}

#[test]
fn overflow_of_another_subscription_makes_books_stale() {
    let mut books = two_markets();
    let error = r#"{"type":"error","sid":3,"msg":{"code":25,"msg":"overflow"}}"#;
    assert_eq!(books.apply(&Frame::parse(error)).len(), 2);
    assert!(books.is_stale("A") && books.is_stale("B"));
    assert_eq!(
        books.drain_snapshot_requests()[0].market_tickers,
        ["A", "B"]
    );
}

#[test]
fn notice_on_one_connection_concerns_redundant_books_of_all() {
    let settled = r#","final_settlement":{"settlement_price_per_contract":"1.2500"}"#;
    for (kind, terms, reason) in [
        ("stock_split", "", StaleReason::CorporateAction),
        ("final_settlement", settled, StaleReason::Settled),
    ] {
        let mut books = RedundantBooks::new(2);
        for connection in 0..2 {
            books.register(connection, 1, ["A"]);
            books.apply(connection, &snapshot(1, "A", "10.00"));
        }
        // The book of the first connection is stale when the notice arrives.
        books.apply(0, &delta(3, "A", "1.00"));
        assert!(books.live("A").is_some());
        let events = books.apply(0, &action(kind, "A", terms));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason: of, .. }] if of == reason),
            "{events:?}"
        );
        assert!(books.live("A").is_none());
    }
}

#[test]
fn settled_book_is_removed_and_renamed_one_is_stale() {
    let mut books = two_markets();
    let terms = r#","final_settlement":{"settlement_price_per_contract":"1.2500"}"#;
    let settled = action("final_settlement", "A", terms);
    assert_eq!(stale(&mut books, &settled), StaleReason::Settled);
    assert_eq!(books.market_tickers().collect::<Vec<_>>(), ["B"]);
    let terms = r#","ticker_change":{"old_ticker":"B","new_ticker":"C"}"#;
    let renamed = action("ticker_change", "C", terms);
    assert_eq!(stale(&mut books, &renamed), StaleReason::CorporateAction);
}

#[test]
fn own_change_names_its_order() {
    let mut books = two_markets();
    let fields = r#""price":"1.25","delta":"1.00","side":"bid","client_order_id":"mine","subaccount":0,"last_update_reason":"Decrease""#;
    let own = frame("orderbook_delta", r#""sid":1,"seq":3"#, "A", fields);
    match &books.apply(&own)[..] {
        [
            BookEvent::Changed {
                client_order_id: Some(id),
                ..
            },
        ] => assert_eq!(id.as_str(), "mine"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gap_on_one_connection_leaves_redundant_book_live() {
    let mut books = RedundantBooks::new(2);
    for connection in 0..2 {
        books.register(connection, 1, ["A"]);
        books.apply(connection, &snapshot(1, "A", "10.00"));
    }
    assert!(books.has_no_clock("A"));
    books.apply(1, &delta(2, "A", "1.00"));
    let events = books.apply(0, &delta(7, "A", "1.00"));
    assert!(
        matches!(events[..], [BookEvent::Changed { .. }]),
        "{events:?}"
    );
    let best = books.live("A").unwrap().best_bid().unwrap();
    assert_eq!(best.count.to_string(), "11.00");
}

/// Returns the reply to a snapshot request.
fn reply(id: u64, seq: u64, count: &str) -> Frame {
    let envelope = format!(r#""id":{id},"sid":1,"seq":{seq}"#);
    let levels = format!(r#""bid":[["1.2500","{count}"]]"#);
    frame("orderbook_snapshot", &envelope, "A", &levels)
}

/// The count falls because of a repeated change, so an earlier reply makes the book stale again.
#[test]
fn reply_from_before_the_last_change_does_not_restore_a_book() {
    let mut books = Books::new();
    books.register(1, ["A"]);
    books.apply(&snapshot(1, "A", "10.00"));
    for seq in 2..10 {
        books.apply(&delta(seq, "A", "1.00"));
    }
    books.apply(&delta(2, "A", "1.00"));
    books.drain_snapshot_requests();
    books.apply(&delta(3, "A", "1.00"));
    books.apply(&reply(5, 3, "20.00"));
    assert_eq!(held(&books, "A").unwrap(), "20.00");
    books.apply(&delta(4, "A", "1.00"));
    books.apply(&delta(5, "A", "1.00"));
    books.apply(&reply(5, 3, "20.00"));
    assert!(books.is_stale("A"));
    books.drain_snapshot_requests();
    // It lacks the last change.
    books.apply(&reply(6, 4, "21.00"));
    assert!(books.is_stale("A"));
    books.apply(&reply(7, 5, "22.00"));
    assert_eq!(held(&books, "A").unwrap(), "22.00");
}

/// The market is neither registered nor listed.
#[test]
fn book_that_was_live_buffers_as_many_changes_as_a_registered_one() {
    let mut books = Books::new();
    books.apply(&snapshot(1, "A", "10.00"));
    assert!(books.live("A").is_some());
    books.apply(&delta(3, "A", "1.00"));
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    for seq in 4..254 {
        books.apply(&delta(seq, "A", "1.00"));
    }
    assert!(books.drain_snapshot_requests().is_empty());
    books.apply(&reply(5, 3, "12.00"));
    assert_eq!(held(&books, "A").unwrap(), "262.00");
}

#[test]
fn book_recovers_from_a_single_number_that_is_much_too_high() {
    let mut books = two_markets();
    books.apply(&delta(1_000_000_000_000, "A", "1.00"));
    for seq in 3..200 {
        books.apply(&delta(seq, "A", "1.00"));
    }
    books.apply(&snapshot(200, "A", "5.00"));
    assert_eq!(held(&books, "A").unwrap(), "5.00");
    let ok = r#"{"type":"ok","id":7,"sid":1,"seq":201,"msg":{"market_tickers":["A","B"]}}"#;
    books.apply(&Frame::parse(ok));
    assert!(books.live("A").is_some());
}
