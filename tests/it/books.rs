//! Books through a storm: frames are lost, doubled, swapped and broken, connections and subscriptions end. Whatever is called live is
//! what the exchange has.
//!
//! A quick run has 50 markets and 20,000 changes. `KALSHI_STORM=1000000` makes it long, with 1,000 markets; the seed is printed, and
//! `KALSHI_TEST_SEED` repeats one.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
};

use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide,
    ws::{BookEvent, Books, Frame, Message, OrderBook, PriceMode, SnapshotRequest, StaleReason},
};

/// The exchange: its books, and the frames of one subscription.
struct Exchange {
    random: fastrand::Rng,
    sid: u64,
    seq: u64,
    markets: Vec<Market>,
}

struct Market {
    ticker: String,
    book: OrderBook,
    /// What it was, by the place in the sequence that made it so; the newest last.
    history: VecDeque<(u64, OrderBook)>,
}

impl Market {
    /// The book after the frame `seq`.
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

    /// Another subscription: a snapshot of every market.
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

    /// A change of a random market: never one that crosses.
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

    /// An acknowledgement, which counts too.
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

    fn answer(&mut self, request: &SnapshotRequest) -> Vec<String> {
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

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    checked: usize,
    live: usize,
    reasons: BTreeMap<String, usize>,
}

#[test]
fn a_book_that_is_live_is_the_exchanges() {
    let changes: usize = env::var("KALSHI_STORM")
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
    let (mut seen, mut last) = (Seen::default(), 0);
    for _ in 0..changes {
        wire.push_back(exchange.change());
        match random.u32(0..1_000) {
            // Lost, doubled, swapped, broken.
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
            // The subscription ends, or the connection with what was under way on it.
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
        // The wire is read in bursts.
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
                wire.extend(exchange.answer(&request));
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.live > changes / 10, "books are mostly live: {seen:?}");
    for reason in ["Gap", "Malformed", "SubscriptionEnded"] {
        assert!(seen.reasons.contains_key(reason), "{reason} in {seen:?}");
    }
    // In calm weather all are live, and the same to the end.
    for request in books.drain_snapshot_requests() {
        wire.extend(exchange.answer(&request));
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
    seen: &mut Seen,
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
    // Books of a subscription that is over are compared no more: the exchange has gone on.
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

/// Snapshot and changes of one market, by hand.
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
fn after_a_gap_a_book_goes_on_from_its_snapshot() {
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
        panic!("one request")
    };
    assert_eq!(
        (request.sid, &request.market_tickers[..]),
        (1, &["A".to_owned()][..])
    );
    assert!(books.drain_snapshot_requests().is_empty(), "asked once");
    books.request_again(request);
    assert_eq!(books.drain_snapshot_requests().len(), 1);

    // A reply from before the gap does not heal the book, and leaves the count unchanged.
    assert!(books.apply(&reply(2, "99")).is_empty());
    assert!(books.apply(&delta(4, "2")).is_empty());
    assert_eq!(held(&books), None);
    // Numbered at the last change but one: that one is in it, and the last one is not.
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
        "a repeated frame counts once"
    );
}

#[test]
fn a_book_that_cannot_be_right_is_a_gap_too() {
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
fn a_change_without_a_snapshot_is_asked_for() {
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
    assert_eq!(held(&books).unwrap(), "10.00", "the other is live");
}

#[test]
fn a_subscription_that_has_ended_is_not_asked() {
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
        // What nobody wants any more takes no room.
        assert_eq!(books.market_tickers().count(), kept);
        books.apply(&delta(3, "1"));
        assert_eq!(held(&books), None, "nothing more comes of it");
    }
}

#[test]
fn an_acknowledgement_without_a_list_is_an_empty_one() {
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
            "nothing would change it"
        );
    }
}

#[test]
fn expected_books_are_asked_for_where_their_snapshots_get_lost() {
    let asked = |books: &mut Books| -> Vec<String> {
        let requests = books.drain_snapshot_requests().into_iter();
        requests
            .flat_map(|request| request.market_tickers)
            .collect()
    };
    // The first frame that comes is not the first there was.
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(asked(&mut books).is_empty(), "they are on the way");
    books.apply(&snapshot(2, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    assert_eq!(asked(&mut books), ["B"]);
    // One in between is lost.
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    books.apply(&snapshot(1, "10"));
    assert!(asked(&mut books).is_empty());
    books.apply(&delta(3, "1"));
    assert_eq!(asked(&mut books), ["A", "B"]);
    // Over the next connection they are expected again.
    books.disconnected();
    books.register_with_mode(1, PriceMode::NoPrices, ["A", "B"]);
    assert!(asked(&mut books).is_empty());
    books.apply(&snapshot(1, "10"));
    assert_eq!(held(&books).unwrap(), "10.00");
    books.apply(&delta(3, "1"));
    assert_eq!(asked(&mut books), ["A", "B"]);
    // An acknowledgement has told of one whose snapshot then gets lost.
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    books.apply(&Frame::parse(
        r#"{"type":"ok","sid":1,"seq":2,"msg":{"market_tickers":["A","B"]}}"#,
    ));
    books.apply(&delta(4, "1"));
    assert_eq!(asked(&mut books), ["A", "B"]);
}

#[test]
fn the_next_connection_counts_from_the_beginning() {
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
fn a_market_that_is_not_subscribed_to_any_more_is_not_live() {
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
    // Nor is it revived by the answer to a command: nothing would change it.
    let answer = r#"{"type":"orderbook_snapshot","id":4,"sid":1,"seq":4,"msg":{"market_ticker":"A","market_id":"m"}}"#;
    assert!(books.apply(&Frame::parse(answer)).is_empty() && books.live("A").is_none());
    // A list that is empty may mean that all are gone; what is not is asked for with its next change.
    books.apply(&read(5, "ok", r#"{"market_tickers":[]}"#));
    assert!(books.live("B").is_none() && books.drain_snapshot_requests().is_empty());
    let change = r#"{"market_ticker":"B","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}"#;
    books.apply(&read(6, "orderbook_delta", change));
    assert_eq!(books.drain_snapshot_requests()[0].market_tickers, ["B"]);
    let answer = answer
        .replace(r#""A""#, r#""B""#)
        .replace(r#""seq":4"#, r#""seq":7"#);
    books.apply(&Frame::parse(&answer));
    assert!(books.live("B").is_some());
    // What is not known may be a change.
    books.apply(&read(8, "orderbook_delta_of_tomorrow", "{}"));
    assert!(books.live("B").is_none());
    // Numbers without an end do not overflow.
    books.apply(&read(u64::MAX, "ok", r#"{"market_tickers":["B"]}"#));
    books.apply(&read(u64::MAX, "ok", r#"{"market_tickers":["B"]}"#));
}

#[test]
fn a_number_that_cannot_be_does_not_stop_a_subscription() {
    let mut books = Books::with_mode(PriceMode::NoPrices);
    books.apply(&snapshot(1, "10"));
    let events = books.apply(&delta(u64::MAX, "1"));
    assert!(
        matches!(events[..], [BookEvent::Stale { .. }]),
        "{events:?}"
    );
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    // The numbers go on as they were: what came in between is not known.
    books.apply(&delta(3, "1"));
    assert_eq!(books.live("A"), None);
    assert_eq!(books.drain_snapshot_requests().len(), 1);
    books.apply(&snapshot(4, "12"));
    books.apply(&delta(5, "1"));
    assert_eq!(held(&books).unwrap(), "13.00");
}

#[test]
fn a_first_snapshot_that_cannot_be_read_is_asked_for() {
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
    // The answer to a command of the user's own is of no subscription.
    let answer = r#"{"type":"orderbook_snapshot","id":7,"sid":1,"seq":4,"msg":{"market_ticker":"C","market_id":"c","yes_dollars_fp":[["much","1.00"]]}}"#;
    books.apply(&Frame::parse(answer));
    let asked: Vec<_> = books
        .drain_snapshot_requests()
        .into_iter()
        .flat_map(|request| request.market_tickers)
        .collect();
    assert!(!asked.contains(&"C".to_owned()), "{asked:?}");
}

#[test]
fn what_has_no_place_makes_books_stale() {
    let snapshot = Frame::parse(
        r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A","market_id":"m"}}"#,
    );
    for broken in [
        // Half a frame; one without a number; and one that is no change, and over.
        r#"{"type":"orderbook_delta","sid":1,"se"#,
        r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}"#,
        r#"{"type":"orderbook_delta","sid":1,"msg":{"market_ticker":"A"}}"#,
        r#"{"type":"unsubscribed","id":3,"sid":1}"#,
        // And some without the number of their subscription.
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
