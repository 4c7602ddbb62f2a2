//! Prices, counts and crossed books.

use super::*;

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
fn faulty_frame_makes_only_its_book_stale() {
    let price = "0.40".parse().unwrap();
    for (faulty, expected) in [
        (
            delta(3, None, "-11"),
            StaleReason::InvalidChange(BookError::Negative { price }),
        ),
        (delta(3, None, "much"), StaleReason::Malformed),
        (
            snapshot(3, None, "-1"),
            StaleReason::InvalidSnapshot(BookError::NegativeLevel { price }),
        ),
    ] {
        let mut books = books();
        books.apply(&snapshot(1, None, "10"));
        let other = r#"{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"B","market_id":"m"}}"#;
        books.apply(&Frame::parse(other));
        assert_eq!(stale(&mut books, &faulty), expected);
        assert!(books.live("B").is_some(), "{expected:?}");
        assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["A"]);
        books.apply(&snapshot(4, None, "10"));
        assert_eq!(held(&books).unwrap(), "10.00");
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
