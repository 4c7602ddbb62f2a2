//! Tests of the snapshot requests that are due, with a book that has no levels.

use serde::Deserializer;

use super::*;
use crate::ws::{MalformedMessage, Message, UnknownMessage, sequence::ReplicatedBook};

#[derive(Clone, Debug, Default, PartialEq)]
struct EmptyBook;

#[derive(Clone, Debug)]
struct Other;

impl Message for Other {
    fn kind(&self) -> &'static str {
        ""
    }

    fn ts_ms(&self) -> Option<i64> {
        None
    }

    fn decode_body<'de, D: Deserializer<'de>>(
        _kind: &str,
        _deserializer: D,
        _target: &mut Self,
    ) -> Result<bool, D::Error> {
        Ok(false)
    }

    fn without_body(_kind: &str) -> Option<Self> {
        None
    }

    fn unknown(_message: UnknownMessage) -> Self {
        Self
    }

    fn malformed(_message: MalformedMessage) -> Self {
        Self
    }
}

impl ReplicatedBook for EmptyBook {
    type Change = ();
    type Error = BookError;

    fn apply_change(&mut self, _change: &()) -> Result<(), BookError> {
        Ok(())
    }

    fn is_crossed(&self) -> bool {
        false
    }
}

impl ApiBook for EmptyBook {
    type Message = Other;
    type Delta = ();
    type Snapshot = ();
    type PriceMode = ();

    const DEFAULT_MODE: Option<()> = Some(());
    const DELTA: &'static str = "delta";
    const SNAPSHOT: &'static str = "snapshot";

    fn read(_message: &Other) -> BookMessage<'_, Self> {
        BookMessage::Other
    }

    fn read_change(_delta: &(), _mode: (), _sent_ms: Option<i64>) -> Result<(), BookError> {
        Ok(())
    }

    fn read_snapshot(_: &(), _mode: (), _sent_ms: Option<i64>) -> Result<Self, BookError> {
        Ok(Self)
    }

    fn last_update(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        None
    }
}

#[test]
fn book_that_is_live_again_is_not_due() {
    let mut books = Books::<EmptyBook>::new();
    books.register(1, ["A"]);
    books.apply_event(&Event::Lagged { count: 1 });
    let mut events = BookEvents::default();
    for tracked in books.books.values_mut() {
        let position = FramePosition::default().next();
        tracked.move_to(1, position, true);
        let effect = tracked.replica.snapshot(position, None, None, EmptyBook);
        tracked.report_effect(position, effect, None, &mut books.schedule, &mut events);
    }
    assert!(books.live("A").is_some() && books.schedule.has_due());
    // No request is wanted while none is due.
    assert!(books.drain_requests_of(|_| true, |_, _| false).is_empty());
    assert!(!books.schedule.has_due());
}

/// The reply to an earlier command does not show the outcome of a removal.
#[test]
fn acknowledgement_without_a_list_keeps_pending_removals() {
    let (mut books, mut events) = (Books::<EmptyBook>::new(), BookEvents::default());
    let removed = ["A".to_owned()];
    books.register(1, ["A", "B"]);
    books.removing(1, &removed, &mut events);
    books.listed(1, Some(4), None, &mut events);
    // The removed market gets no book from a late message.
    let position = FramePosition::default();
    assert!(books.tracked(1, position, "A").is_none() && books.tracked(1, position, "B").is_some());
    books.kept(1, &removed, &mut events);
    assert!(books.has(1, "A"));
}

/// The connection requested no snapshot of it, and its timeout has grown.
#[test]
fn market_that_is_part_of_a_subscription_again_is_requested_soon() {
    let (mut books, mut events) = (Books::<EmptyBook>::new(), BookEvents::default());
    books.register(1, ["A"]);
    books.listed(1, Some(1), Some(&["A".to_owned()]), &mut events);
    let position = FramePosition::default();
    books.mark_subscription_stale(1, Loss::Before(position), StaleReason::Lagged, &mut events);
    if let Some((tracked, schedule)) = books.tracked(1, position, "B") {
        tracked.request_now(schedule);
    }
    let mut now = Instant::now();
    for _ in 0..8 {
        books.drain_snapshot_requests();
        now += Duration::from_secs(100);
        books.poll_timeouts(now);
    }
    books.drain_snapshot_requests();
    let listed = ["A".to_owned(), "B".to_owned()];
    books.listed(1, Some(2), Some(&listed), &mut events);
    books.poll_timeouts(Instant::now() + Duration::from_secs(6));
    let requests = books.drain_snapshot_requests();
    let mut requested = requests.iter().flat_map(|request| &request.market_tickers);
    assert!(requested.any(|ticker| ticker == "B"));
}

#[test]
fn books_without_a_registration_return_after_a_reconnect() {
    let (mut books, mut events) = (Books::<EmptyBook>::new(), BookEvents::default());
    let tickers: Vec<_> = (0..MAX_UNLISTED)
        .map(|number| format!("M{number}"))
        .collect();
    books.register(1, &tickers);
    books.disconnected();
    books.start(2, Sequence::default());
    let position = FramePosition::default();
    assert!(
        tickers
            .iter()
            .all(|ticker| books.tracked(2, position, ticker).is_some())
    );
    assert!(books.tracked(2, position, "N").is_none());
    // Removals without a listed outcome are bounded too.
    for number in 0..=MAX_UNLISTED {
        books.removing(2, &[format!("N{number}")], &mut events);
    }
    assert_eq!(books.subscriptions[&2].removing.len(), MAX_UNLISTED);
}

#[test]
fn all_markets_of_a_rejected_removal_are_kept() {
    let (mut books, mut events) = (Books::<EmptyBook>::new(), BookEvents::default());
    let tickers = ["A", "B"].map(str::to_owned);
    books.register(1, &tickers);
    for number in 1..MAX_UNLISTED {
        books.removing(1, &[format!("N{number}")], &mut events);
    }
    books.removing(1, &tickers, &mut events);
    books.kept(1, &tickers, &mut events);
    assert!(tickers.iter().all(|ticker| books.has(1, ticker)));
}
