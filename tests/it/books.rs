//! Order books fed with lost, duplicated, reordered and corrupt frames. Every book reported as live must equal the exchange's.
//!
//! By default there are 50 markets and 20,000 changes. `KALSHI_STRESS_CHANGES` sets the number of changes (above 100,000 there are
//! 1,000 markets), `KALSHI_TEST_SEED` the seed, which is printed.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
};

use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide,
    ws::{BookEvent, Books, Frame, Message, OrderBook, PriceMode, SnapshotRequest, StaleReason},
};

/// A simulated exchange: its books, and the sequence of one subscription.
struct Exchange {
    random: fastrand::Rng,
    sid: u64,
    seq: u64,
    markets: Vec<Market>,
}

struct Market {
    ticker: String,
    book: OrderBook,
    /// Past states by the `seq` that produced them, the newest last.
    history: VecDeque<(u64, OrderBook)>,
}

impl Market {
    /// Returns the book as of frame `seq`.
    fn at(&self, seq: u64) -> &OrderBook {
        &self
            .history
            .iter()
            .rev()
            .find(|(at, _)| *at <= seq)
            .unwrap()
            .1
    }
}

impl Exchange {
    fn new(seed: u64, markets: usize) -> Self {
        let market = |number| Market {
            ticker: format!("KXSTORM-26-{number}"),
            book: OrderBook::new(),
            history: VecDeque::new(),
        };
        Self {
            random: fastrand::Rng::with_seed(seed),
            sid: 0,
            seq: 0,
            markets: (0..markets).map(market).collect(),
        }
    }

    /// Starts a new subscription with a snapshot of every market.
    fn subscribe(&mut self) -> Vec<String> {
        self.sid += 1;
        self.seq = 0;
        for market in &mut self.markets {
            market.history.clear();
            market.history.push_back((0, market.book.clone()));
        }
        (0..self.markets.len())
            .map(|market| self.snapshot(market))
            .collect()
    }

    fn snapshot(&mut self, market: usize) -> String {
        self.seq += 1;
        let (sid, seq) = (self.sid, self.seq);
        let market = &mut self.markets[market];
        market.history.push_back((seq, market.book.clone()));
        let side = |outcome| {
            let levels: Vec<String> = market
                .book
                .bids(outcome)
                .map(|level| format!(r#"["{}","{}"]"#, level.price, level.count))
                .collect();
            levels.join(",")
        };
        let (yes, no) = (side(OutcomeSide::Yes), side(OutcomeSide::No));
        format!(
            r#"{{"type":"orderbook_snapshot","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"m","yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]}}}}"#,
            market.ticker
        )
    }

    /// Changes a random market without crossing its book.
    fn change(&mut self) -> String {
        let index = self.random.usize(..self.markets.len());
        let outcome = if self.random.bool() {
            OutcomeSide::Yes
        } else {
            OutcomeSide::No
        };
        let market = &mut self.markets[index];
        let levels: Vec<_> = market.book.bids(outcome).collect();
        let (price, count) = if !levels.is_empty() && self.random.bool() {
            let level = levels[self.random.usize(..levels.len())];
            (level.price, -self.random.i64(1..=level.count.hundredths()))
        } else {
            (
                Dollars::from_micros(self.random.i64(1..50) * 10_000),
                self.random.i64(1..10_000),
            )
        };
        let count = Contracts::from_hundredths(count);
        market.book.add(outcome, price, count).unwrap();
        self.seq += 1;
        market.history.push_back((self.seq, market.book.clone()));
        if market.history.len() > 64 {
            market.history.pop_front();
        }
        let side = if outcome == OutcomeSide::Yes {
            "yes"
        } else {
            "no"
        };
        format!(
            r#"{{"type":"orderbook_delta","sid":{},"seq":{},"msg":{{"market_ticker":"{}","market_id":"m","price_dollars":"{price}","delta_fp":"{count}","side":"{side}"}}}}"#,
            self.sid, self.seq, market.ticker
        )
    }

    /// Returns an acknowledgement, which takes a sequence number too.
    fn acknowledgement(&mut self) -> String {
        self.seq += 1;
        let tickers = self
            .markets
            .iter()
            .map(|market| format!("{:?}", market.ticker));
        format!(
            r#"{{"type":"ok","id":1,"sid":{},"seq":{},"msg":{{"market_tickers":[{}]}}}}"#,
            self.sid,
            self.seq,
            tickers.collect::<Vec<_>>().join(",")
        )
    }

    fn snapshot_reply(&mut self, request: &SnapshotRequest) -> Vec<String> {
        if request.sid != self.sid {
            return Vec::new();
        }
        let wanted = |market: &Market| request.market_tickers.contains(&market.ticker);
        let wanted: Vec<usize> = (0..self.markets.len())
            .filter(|index| wanted(&self.markets[*index]))
            .collect();
        wanted
            .into_iter()
            .map(|market| self.snapshot(market))
            .collect()
    }
}

/// Statistics of a run.
#[derive(Debug, Default)]
struct Statistics {
    checked: usize,
    live: usize,
    reasons: BTreeMap<String, usize>,
}

#[test]
fn live_books_match_the_exchange_under_random_faults() {
    let changes: usize = env::var("KALSHI_STRESS_CHANGES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000);
    let seed = env::var("KALSHI_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    println!("KALSHI_TEST_SEED={seed}");
    let mut exchange = Exchange::new(seed, if changes > 100_000 { 1_000 } else { 50 });
    let mut random = fastrand::Rng::with_seed(seed ^ 1);
    let mut books = Books::with_mode(PriceMode::NoPrices);
    let mut wire: VecDeque<String> = exchange.subscribe().into();
    let (mut seen, mut last) = (Statistics::default(), 0);
    for _ in 0..changes {
        wire.push_back(exchange.change());
        match random.u32(0..1_000) {
            // Lose, duplicate, reorder or corrupt a frame.
            0..4 => _ = wire.pop_back(),
            4..8 => wire.extend(wire.back().cloned()),
            8..12 if wire.len() > 1 => {
                let end = wire.len() - 1;
                wire.swap(end, end - 1);
            }
            12..14 => wire
                .back_mut()
                .into_iter()
                .for_each(|frame| *frame = frame.replace("delta_fp", "delta")),
            14..20 => wire.push_back(exchange.acknowledgement()),
            20 => wire.push_back(r#"{"type":"weather","sid":77,"seq":5,"msg":{}}"#.to_owned()),
            // End the subscription, or the connection including the frames in flight.
            21 => {
                let code = if random.bool() { 10 } else { 25 };
                wire.push_back(format!(
                    r#"{{"type":"error","sid":{},"msg":{{"code":{code},"msg":"over"}}}}"#,
                    exchange.sid
                ));
                wire.extend(exchange.subscribe());
                last = 0;
            }
            22 => {
                wire.clear();
                books.disconnected().iter().for_each(|event| {
                    assert!(matches!(
                        event,
                        BookEvent::Stale {
                            reason: StaleReason::Disconnected,
                            ..
                        }
                    ))
                });
                assert!(
                    exchange
                        .markets
                        .iter()
                        .all(|market| books.live(&market.ticker).is_none())
                );
                wire.extend(exchange.subscribe());
                last = 0;
            }
            _ => {}
        }
        // Read the frames in bursts.
        if random.bool() {
            continue;
        }
        while let Some(text) = wire.pop_front() {
            let frame = Frame::parse(&text);
            assert!(!matches!(frame.message, Message::Unknown(_)) || frame.sid == Some(77));
            let is_current = frame.sid == Some(exchange.sid);
            let events = books.apply(&frame);
            if is_current {
                last = last.max(frame.seq.unwrap_or(0));
            }
            check(
                &exchange,
                &books,
                &events,
                last,
                is_current,
                &mut random,
                &mut seen,
            );
            for request in books.drain_snapshot_requests() {
                wire.extend(exchange.snapshot_reply(&request));
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.live > changes / 10, "too few live books: {seen:?}");
    for reason in ["Gap", "Malformed", "SubscriptionEnded"] {
        assert!(seen.reasons.contains_key(reason), "{reason} in {seen:?}");
    }
    // Without further faults, all books become live and correct.
    for request in books.drain_snapshot_requests() {
        wire.extend(exchange.snapshot_reply(&request));
    }
    wire.extend(exchange.subscribe());
    for text in wire {
        books.apply(&Frame::parse(&text));
    }
    for market in &exchange.markets {
        assert_eq!(
            books.live(&market.ticker),
            Some(&market.book),
            "{}",
            market.ticker
        );
    }
}

fn check(
    exchange: &Exchange,
    books: &Books,
    events: &[BookEvent],
    last: u64,
    is_current: bool,
    random: &mut fastrand::Rng,
    seen: &mut Statistics,
) {
    for event in events {
        match event {
            BookEvent::Stale {
                market_ticker,
                reason,
            } => {
                assert!(books.is_stale(market_ticker) && books.live(market_ticker).is_none());
                let shown = format!("{reason:?}");
                let name = shown
                    .split(|c: char| !c.is_alphanumeric())
                    .next()
                    .unwrap()
                    .to_owned();
                *seen.reasons.entry(name).or_default() += 1;
            }
            BookEvent::Live { market_ticker } | BookEvent::Changed { market_ticker, .. } => {
                assert!(books.live(market_ticker).is_some());
            }
            _ => {}
        }
    }
    // Books of an ended subscription cannot be compared: the exchange has moved on.
    if !is_current {
        return;
    }
    for _ in 0..3 {
        let market = &exchange.markets[random.usize(..exchange.markets.len())];
        seen.checked += 1;
        if let Some(book) = books.live(&market.ticker) {
            seen.live += 1;
            assert_eq!(
                book,
                market.at(last),
                "{} after frame {last}",
                market.ticker
            );
        }
    }
}

/// Frames of one market.
fn delta(seq: u64, count: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"{count}","side":"yes"}}}}"#
    ))
}

fn snapshot(seq: u64, count: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"A","market_id":"m","yes_dollars_fp":[["0.40","{count}"]]}}}}"#
    ))
}

/// A snapshot that replies to a command.
fn reply(seq: u64, count: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"orderbook_snapshot","id":9,"sid":1,"seq":{seq},"msg":{{"market_ticker":"A","market_id":"m","yes_dollars_fp":[["0.40","{count}"]]}}}}"#
    ))
}

fn held(books: &Books) -> Option<String> {
    Some(
        books
            .live("A")?
            .best_bid(OutcomeSide::Yes)?
            .count
            .to_string(),
    )
}

#[test]
fn book_resumes_from_snapshot_after_gap() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    assert!(matches!(
        books.apply(&snapshot(1, "10"))[..],
        [BookEvent::Live { .. }]
    ));
    assert!(books.drain_snapshot_requests().is_empty());
    let events = books.apply(&delta(3, "1"));
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
    assert!(books.apply(&reply(2, "99")).is_empty());
    assert!(books.apply(&delta(4, "2")).is_empty());
    assert_eq!(held(&books), None);
    // The snapshot is as of frame 3, so it includes the first buffered change but not the second.
    assert!(matches!(
        books.apply(&reply(3, "50"))[..],
        [BookEvent::Live { .. }]
    ));
    assert_eq!(held(&books).unwrap(), "52.00");
    books.apply(&delta(5, "1"));
    books.apply(&delta(5, "1"));
    assert_eq!(
        held(&books).unwrap(),
        "53.00",
        "a repeated frame was applied twice"
    );
}

#[test]
fn impossible_book_is_stale() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    let events = books.apply(&delta(2, "-11"));
    assert!(
        matches!(
            events[..],
            [BookEvent::Stale {
                reason: StaleReason::InvalidChange(_),
                ..
            }]
        ),
        "{events:?}"
    );
    books.apply(&snapshot(3, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    let crossing = r#"{"type":"orderbook_delta","sid":1,"seq":4,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.60","delta_fp":"5","side":"no"}}"#;
    let events = books.apply(&Frame::parse(crossing));
    assert!(
        matches!(events[..], [BookEvent::Withheld { .. }]),
        "{events:?}"
    );
    assert_eq!(held(&books), None);
    let events = books.poll_timeouts(books.next_timeout().unwrap());
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
    assert_eq!(held(&books), None);
}

#[test]
fn change_without_snapshot_requests_one() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    let other = r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"B","market_id":"m","price_dollars":"0.60","delta_fp":"5","side":"no"}}"#;
    let events = books.apply(&Frame::parse(other));
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
fn ended_subscription_gets_no_snapshot_requests() {
    let over = r#"{"type":"error","sid":1,"msg":{"code":25,"msg":"over"}}"#;
    let unsubscribed = r#"{"type":"unsubscribed","id":4,"sid":1,"seq":2}"#;
    for (end, expected, kept) in [
        (over, StaleReason::SubscriptionEnded, 1),
        (unsubscribed, StaleReason::Unsubscribed, 0),
    ] {
        let mut books = Books::with_mode(PriceMode::NoPrices);
        books.apply(&snapshot(1, "10"));
        let events = books.apply(&Frame::parse(end));
        assert!(
            matches!(events[..], [BookEvent::Stale { reason, .. }] if reason == expected),
            "{events:?}"
        );
        assert!(books.drain_snapshot_requests().is_empty());
        assert_eq!(held(&books), None);
        // A book that was unsubscribed is removed.
        assert_eq!(books.market_tickers().count(), kept);
        books.apply(&delta(3, "1"));
        assert_eq!(held(&books), None, "a later change revived the book");
    }
}

#[test]
fn subscription_unknown_to_the_exchange_has_no_live_book() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    // It does not name a subscription.
    let unknown = r#"{"type":"error","id":2,"msg":{"code":7,"msg":"unknown"}}"#;
    assert!(books.apply(&Frame::parse(unknown)).is_empty());
    assert!(held(&books).is_some());
    let unknown = r#"{"type":"error","id":2,"sid":1,"msg":{"code":7,"msg":"unknown"}}"#;
    let events = books.apply(&Frame::parse(unknown));
    let expected = StaleReason::SubscriptionEnded;
    assert!(
        matches!(events[..], [BookEvent::Stale { reason, .. }] if reason == expected),
        "{events:?}"
    );
    assert_eq!(held(&books), None);
}

#[test]
fn acknowledgement_without_list_makes_books_stale() {
    for ok in [
        r#"{"type":"ok","id":7,"sid":1,"seq":2}"#,
        r#"{"type":"ok","id":7,"sid":1}"#,
        r#"{"type":"ok","id":7,"sid":1,"seq":2,"msg":{"market_tickers":7}}"#,
    ] {
        let mut books = Books::with_mode(PriceMode::NoPrices);
        books.apply(&snapshot(1, "10"));
        let events = books.apply(&Frame::parse(ok));
        assert!(
            matches!(
                events[..],
                [BookEvent::Stale {
                    reason: StaleReason::UnlistedMarkets,
                    ..
                }]
            ),
            "{ok} {events:?}"
        );
        assert!(
            books.drain_snapshot_requests().is_empty(),
            "a snapshot was requested although it could not help"
        );
    }
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
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(
        requested(&mut books).is_empty(),
        "requested snapshots that are in flight"
    );
    books.apply(&snapshot(2, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    assert_eq!(requested(&mut books), ["B"]);
    // A frame in between is lost.
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    books.apply(&snapshot(1, "10"));
    assert!(requested(&mut books).is_empty());
    books.apply(&delta(3, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
    // After a reconnect, the snapshots are expected again.
    books.disconnected();
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(requested(&mut books).is_empty());
    books.apply(&snapshot(1, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    books.apply(&delta(3, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
    // An acknowledgement lists a market whose snapshot is lost.
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    books.apply(&Frame::parse(
        r#"{"type":"ok","sid":1,"seq":2,"msg":{"market_tickers":["A","B"]}}"#,
    ));
    books.apply(&delta(4, "1"));
    assert_eq!(requested(&mut books), ["A", "B"]);
}

#[test]
fn sequence_restarts_with_next_connection() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
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

#[test]
fn removed_market_is_not_live() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
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
fn impossible_sequence_number_does_not_stop_subscription() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    let events = books.apply(&delta(u64::MAX, "1"));
    assert!(
        matches!(events[..], [BookEvent::Stale { .. }]),
        "{events:?}"
    );
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    // The sequence continues as before. What came in between is unknown.
    books.apply(&delta(3, "1"));
    assert_eq!(books.live("A"), None);
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    // By its number, an unrequested snapshot may be from before.
    books.apply(&snapshot(4, "12"));
    assert_eq!(books.live("A"), None);
    books.apply(&reply(5, "12"));
    books.apply(&delta(6, "1"));
    assert_eq!(held(&books).unwrap(), "13.00");
}

#[test]
fn malformed_first_snapshot_is_requested_again() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
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
    books.apply(&snapshot(3, "10"));
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
fn unattributable_frames_make_books_stale() {
    let snapshot = Frame::parse(
        r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A","market_id":"m"}}"#,
    );
    for broken in [
        // A truncated frame, frames without `seq`, and the end of the subscription.
        r#"{"type":"orderbook_delta","sid":1,"se"#,
        r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
        r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A"}}"#,
        r#"{"type":"unsubscribed","id":3,"sid":1}"#,
        // Frames without `sid`.
        r#"{"type":"orderbook_delta","seq":2,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
        r#"{"type":"error","msg":{"code":25,"msg":"overflow"}}"#,
    ] {
        let mut books = Books::with_mode(PriceMode::NoPrices);
        books.apply(&snapshot);
        assert!(books.live("A").is_some());
        let events = books.apply(&Frame::parse(broken));
        assert!(matches!(events[..], [BookEvent::Stale { .. }]), "{broken}");
        assert!(books.live("A").is_none(), "{broken}");
    }
}
