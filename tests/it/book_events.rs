//! Reports about order books: log events of transitions, and events of books kept by several connections.

use std::sync::{Arc, Mutex};

use kalshi_sdk::OutcomeSide;
use kalshi_sdk::ws::{BookEvent, BookEvents, Books, Frame, PriceMode, RedundantBooks};
use serde_json::json;
use tokio::time::{Duration, Instant};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::common::is_alone;

const MARKET: &str = "KXTEST-26-A";

fn snapshot(seq: u64, clock: i64, no_price: &str) -> String {
    json!({"type": "orderbook_snapshot", "sid": 7, "seq": seq, "msg": {"market_ticker": MARKET, "market_id": "m", "clock": clock,
        "yes_dollars_fp": [["0.4000", "10.00"]], "no_dollars_fp": [[no_price, "10.00"]]}})
    .to_string()
}

fn delta(seq: u64, clock: i64, side: &str, price: &str, count: &str) -> String {
    json!({"type": "orderbook_delta", "sid": 7, "seq": seq, "msg": {"market_ticker": MARKET, "market_id": "m", "clock": clock,
        "price_dollars": price, "delta_fp": count, "side": side}})
    .to_string()
}

/// A log event: level, message and fields.
type Logged = (tracing::Level, String);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Logged>>>);

impl Log {
    fn take(&self) -> Vec<Logged> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let logged = (*event.metadata().level(), fields.0.trim().to_owned());
        self.0.lock().unwrap().push(logged);
    }
}

#[test]
fn transitions_are_logged_with_seq_and_clock() {
    // The subscriber is per thread, but its interest in an event is cached for the whole process.
    if !is_alone("book_events::transitions_are_logged_with_seq_and_clock") {
        return;
    }
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut books = Books::with_mode(PriceMode::NoPrices);
    let mut logged = |text: String| {
        books.apply(&Frame::parse(&text));
        log.take()
    };
    use tracing::Level;
    let debug = |text: &str| vec![(Level::DEBUG, text.to_owned())];
    let warn = |text: &str| vec![(Level::WARN, text.to_owned())];
    assert_eq!(
        logged(snapshot(1, 50, "0.5000")),
        debug(&format!(
            "message=order book live sid=7 market={MARKET:?} seq=1 clock=50"
        ))
    );
    assert_eq!(logged(delta(2, 51, "yes", "0.4100", "1.00")), []);
    assert_eq!(
        logged(delta(3, 52, "yes", "0.5500", "1.00")),
        debug(&format!(
            "message=order book withheld sid=7 market={MARKET:?} seq=3 clock=52"
        ))
    );
    assert_eq!(logged(delta(4, 52, "yes", "0.5500", "-1.00")), []);
    assert_eq!(
        logged(delta(6, 53, "yes", "0.4100", "1.00")),
        warn(&format!(
            "message=order book stale sid=7 market={MARKET:?} reason=Gap {{ expected: 5, got: 6 }} expected=5 got=6 clock=52"
        ))
    );
    // The book stays stale, for another reason.
    assert_eq!(
        logged(snapshot(7, 40, "0.5000")),
        debug(&format!(
            "message=order book still stale sid=7 market={MARKET:?} reason=EarlierSnapshot {{ expected: 53, got: 40 }} expected=53 got=40 clock=52"
        ))
    );
    assert_eq!(
        logged(snapshot(8, 60, "0.5000")),
        debug(&format!(
            "message=order book live sid=7 market={MARKET:?} seq=8 clock=60"
        ))
    );
    assert_eq!(
        logged(delta(9, 59, "yes", "0.4100", "1.00")),
        warn(&format!(
            "message=order book stale sid=7 market={MARKET:?} reason=ClockFell {{ last: 60, got: 59 }} expected=60 got=59 clock=60"
        ))
    );
}

fn apply(books: &mut RedundantBooks, connection: usize, text: &str) -> BookEvents {
    books.apply(connection, &Frame::parse(text))
}

#[tokio::test(start_paused = true)]
async fn book_withheld_by_one_connection_is_live_on_another() {
    let mut books = RedundantBooks::with_mode(2, PriceMode::NoPrices);
    for connection in 0..2 {
        apply(&mut books, connection, &snapshot(1, 50, "0.5000"));
    }
    let crossing = delta(2, 51, "yes", "0.5500", "1.00");
    // The second connection's book is older, and not crossed.
    let events = apply(&mut books, 0, &crossing);
    assert!(
        matches!(events[..], [] | [BookEvent::Changed { .. }]),
        "{events:?}"
    );
    assert_eq!(
        books
            .live(MARKET)
            .unwrap()
            .best_bid(OutcomeSide::Yes)
            .unwrap()
            .price,
        "0.40".parse().unwrap()
    );
    let events = apply(&mut books, 1, &crossing);
    assert!(
        matches!(events[..], [BookEvent::Withheld { .. }]),
        "{events:?}"
    );
    assert!(books.live(MARKET).is_none());
    // The second change of the action uncrosses the book.
    let rest = delta(3, 51, "yes", "0.5500", "-1.00");
    let events = apply(&mut books, 1, &rest);
    assert!(
        matches!(
            events[..],
            [BookEvent::Live { .. } | BookEvent::Changed { .. }]
        ),
        "{events:?}"
    );
    assert!(books.live(MARKET).is_some());
    // The first connection does not receive it and its book is stale after 50 ms. The book of the second one stays live.
    let timeout = books.next_timeout().unwrap();
    assert!(timeout <= Instant::now() + Duration::from_millis(50));
    let events = books.poll_timeouts(timeout);
    assert!(events.is_empty(), "{events:?}");
    assert!(books.live(MARKET).is_some());
    assert_eq!(books.drain_snapshot_requests(0)[0].market_tickers, [MARKET]);
    assert!(books.drain_snapshot_requests(1).is_empty());
    // Without the second connection the book is stale.
    let events = books.disconnected(1);
    assert!(
        matches!(events[..], [BookEvent::Stale { .. }]),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_requested_on_the_connection_without_them() {
    let mut books = RedundantBooks::with_mode(2, PriceMode::NoPrices);
    for connection in 0..2 {
        books.register(connection, 7, [MARKET]);
    }
    let events = apply(&mut books, 1, &snapshot(1, 50, "0.5000"));
    assert!(matches!(events[..], [BookEvent::Live { .. }]), "{events:?}");
    let mut requested = 0;
    let mut overdue = 0;
    while overdue == 0 {
        let at = books.next_timeout().unwrap();
        tokio::time::sleep_until(at).await;
        let events = books.poll_timeouts(at);
        overdue += events
            .iter()
            .filter(|event| matches!(event, BookEvent::SnapshotOverdue { .. }))
            .count();
        for request in books.drain_snapshot_requests(0) {
            requested += 1;
            if requested == 2 {
                books.request_failed(0, &request);
            }
        }
        assert!(books.drain_snapshot_requests(1).is_empty());
        assert!(books.live(MARKET).is_some());
    }
    assert!(requested >= 5, "{requested}");
}

#[test]
fn events_can_be_sliced_and_iterated() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    let events = books.apply(&Frame::parse(r#"{"type":"ok","id":1,"msg":[]}"#));
    assert!(events.is_empty() && events.into_iter().next().is_none());
    let markets = ["A", "B", "C"];
    for (seq, market) in (1..).zip(markets) {
        let text = snapshot(seq, 50, "0.5000").replace(MARKET, market);
        let events = books.apply(&Frame::parse(&text));
        assert!(matches!(events[..], [BookEvent::Live { .. }]), "{events:?}");
        let live: Vec<BookEvent> = events.clone().into_iter().collect();
        assert_eq!((live.len(), &live[..]), (1, &events[..]));
    }
    let events = books.disconnected();
    let mut lost: Vec<&str> = events.iter().map(BookEvent::market_ticker).collect();
    lost.sort_unstable();
    assert_eq!(lost, markets);
    let in_order: Vec<BookEvent> = events.clone().into_iter().collect();
    assert_eq!(in_order, events[..]);
}
