//! Sequence numbers: gaps, repeats and restarts.

use super::*;

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
fn book_resumes_from_snapshot_after_gap() {
    let mut books = books();
    assert!(matches!(
        books.apply(&snapshot(1, None, "10"))[..],
        [BookEvent::Live { .. }]
    ));
    assert!(books.drain_snapshot_requests().is_empty());
    let events = books.apply(&delta(3, None, "1"));
    assert!(
        matches!(
            events[..],
            [BookEvent::Stale {
                reason: StaleReason::Gap {
                    expected: 2,
                    got: 3
                },
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(books.live("A"), None);
    let requests = books.drain_snapshot_requests();
    let [request] = &requests[..] else {
        panic!("expected one request: {requests:?}")
    };
    assert_eq!(
        (request.sid, &request.market_tickers[..]),
        (1, &["A".to_owned()][..])
    );
    assert!(
        books.drain_snapshot_requests().is_empty(),
        "requested twice"
    );
    books.request_again(request);
    assert_eq!(books.drain_snapshot_requests().len(), 1);

    // A reply from before the gap neither restores the book nor resets the sequence.
    assert!(books.apply(&reply(9, 2, None, "99")).is_empty());
    assert!(books.apply(&delta(4, None, "2")).is_empty());
    assert_eq!(held(&books), None);
    // The snapshot is as of frame 3, so it includes the first buffered change but not the second.
    assert!(matches!(
        books.apply(&reply(9, 3, None, "50"))[..],
        [BookEvent::Live { .. }]
    ));
    assert_eq!(held(&books).unwrap(), "52.00");
    books.apply(&delta(5, None, "1"));
    books.apply(&delta(5, None, "1"));
    assert_eq!(
        held(&books).unwrap(),
        "53.00",
        "a repeated frame was applied twice"
    );
}

#[test]
fn impossible_sequence_number_does_not_stop_subscription() {
    let mut books = books();
    books.apply(&snapshot(1, None, "10"));
    let events = books.apply(&delta(u64::MAX, None, "1"));
    assert!(
        matches!(events[..], [BookEvent::Stale { .. }]),
        "{events:?}"
    );
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    // The sequence continues as before. What came in between is unknown.
    books.apply(&delta(3, None, "1"));
    assert_eq!(books.live("A"), None);
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    // By its number, an unrequested snapshot may be from before.
    books.apply(&snapshot(4, None, "12"));
    assert_eq!(books.live("A"), None);
    books.apply(&reply(9, 5, None, "12"));
    books.apply(&delta(6, None, "1"));
    assert_eq!(held(&books).unwrap(), "13.00");
}

#[test]
fn sequence_restarts_with_next_connection() {
    let mut books = books();
    let snapshot = |seq| {
        Frame::parse(&format!(
            r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"A","market_id":"m"}}}}"#
        ))
    };
    books.apply(&snapshot(1_000));
    books.disconnected();
    assert!(books.is_stale("A"));
    assert!(matches!(
        books.apply(&snapshot(1))[..],
        [BookEvent::Live { .. }]
    ));
    assert!(books.live("A").is_some() && books.drain_snapshot_requests().is_empty());
}
