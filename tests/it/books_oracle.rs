//! Live books against a model of the exchange, frame by frame.
//!
//! The model sends faulty sequences: lost, repeated and malformed frames, restarts of the sequence, clocks that fall, snapshots that
//! are late, lost or invalid, buffer overflows, and actions that cross the book temporarily. It acknowledges commands, and ends
//! subscriptions and connections. After every frame, each live book must equal the model's.
//!
//! 200 seeds run by default. `KALSHI_TEST_SEEDS` sets their number, `KALSHI_TEST_SEED` runs one.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    ops::Range,
};

use crate::ws_target::{
    COUNT_FIELD, Contracts, Dollars, HAS_CLOCK, SIDES, STYLES, Side, Style, change_fields,
    level_fields, levels, price, register,
    ws::{BookEvent, Books, Frame, OrderBook, StaleReason},
};

const MARKETS: usize = 3;
const STEPS: usize = 250;

/// A frame, and the books of all markets at the time it was sent.
struct Sent {
    text: String,
    truth: Vec<OrderBook>,
}

struct Exchange {
    random: fastrand::Rng,
    style: Style,
    has_clock: bool,
    /// Number of the subscription.
    sid: u64,
    /// Number of the last subscription that the client registered, or 0.
    registered: u64,
    /// `true` if a book may have had no clock since it was registered.
    is_fresh: bool,
    seq: u64,
    /// Number of the last frame that the client received.
    delivered: u64,
    books: Vec<OrderBook>,
    clocks: Vec<i64>,
    wire: VecDeque<Sent>,
    /// Replies that have not been sent yet.
    late: VecDeque<String>,
    last_id: u64,
    /// `true` if frames were lost and no later frame reveals it.
    has_hidden_loss: bool,
}

impl Exchange {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let style = STYLES[random.usize(..STYLES.len())];
        let has_clock = random.u8(..4) > 0 && HAS_CLOCK;
        Self {
            random,
            style,
            has_clock,
            sid: 1,
            registered: 0,
            is_fresh: true,
            seq: 0,
            delivered: 0,
            books: vec![OrderBook::new(); MARKETS],
            clocks: vec![1_000; MARKETS],
            wire: VecDeque::new(),
            late: VecDeque::new(),
            last_id: 0,
            has_hidden_loss: false,
        }
    }

    fn send(&mut self, text: String) {
        let truth = self.books.clone();
        self.wire.push_back(Sent { text, truth });
    }

    fn clock(&self, market: usize) -> String {
        match self.has_clock {
            true => format!(r#","clock":{}"#, self.clocks[market]),
            false => String::new(),
        }
    }

    /// Performs one action: changes with a shared clock, which may cross the book until the last of them.
    fn act(&mut self, market: usize) {
        self.clocks[market] += self.random.i64(1..4);
        for _ in 0..self.random.usize(1..4) {
            let side = SIDES[self.random.usize(..2)];
            let levels = levels(&self.books[market], side);
            let (price, count) = match levels.is_empty() || self.random.bool() {
                true => (
                    price(side, self.random.i64(1..60)),
                    self.random.i64(1..1_000),
                ),
                false => {
                    let level = levels[self.random.usize(..levels.len())];
                    (level.price, -self.random.i64(1..=level.count.hundredths()))
                }
            };
            self.change(market, side, price, count);
        }
        // The same action removes the levels that cross.
        while self.books[market].is_crossed() {
            let best = levels(&self.books[market], SIDES[0])[0];
            let count = -best.count.hundredths();
            self.change(market, SIDES[0], best.price, count);
        }
    }

    fn change(&mut self, market: usize, side: Side, price: Dollars, count: i64) {
        let count = Contracts::from_hundredths(count);
        self.books[market].add(side, price, count).unwrap();
        self.seq += 1;
        self.has_hidden_loss = false;
        let (sid, seq, clock) = (self.sid, self.seq, self.clock(market));
        let fields = change_fields(self.style, side, price, count);
        self.send(format!(
            r#"{{"type":"orderbook_delta","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"M{market}"{clock},{fields}}}}}"#
        ));
    }

    fn snapshot(&self, market: usize, envelope: &str, is_invalid: bool) -> String {
        let mut sides = SIDES.map(|side| {
            let levels = levels(&self.books[market], side).into_iter();
            levels
                .map(|level| (level.price, level.count))
                .collect::<Vec<_>>()
        });
        if is_invalid {
            let worst = price(SIDES[0], 1);
            sides[0].extend([(worst, Contracts::from(1)), (worst, Contracts::from(2))]);
        }
        let (clock, fields) = (self.clock(market), level_fields(self.style, sides));
        format!(
            r#"{{"type":"orderbook_snapshot",{envelope},"msg":{{"market_ticker":"M{market}"{clock},{fields}}}}}"#
        )
    }

    /// Starts subscription `sid` with an unrequested snapshot of every market.
    fn subscribe(&mut self, sid: u64) {
        (self.sid, self.seq, self.has_hidden_loss) = (sid, 0, false);
        self.late.clear();
        for market in 0..MARKETS {
            self.seq += 1;
            let text = self.snapshot(market, &self.envelope(), false);
            self.send(text);
        }
    }

    fn envelope(&self) -> String {
        format!(r#""sid":{},"seq":{}"#, self.sid, self.seq)
    }

    /// Replies to the requested snapshots.
    fn reply_all(&mut self, books: &mut Books, is_calm: bool) {
        for request in books.drain_snapshot_requests() {
            // The exchange rejects a request for a subscription that has ended.
            if request.sid == self.sid {
                for ticker in request.market_tickers {
                    self.reply(&ticker, is_calm);
                }
            }
        }
    }

    fn reply(&mut self, ticker: &str, is_calm: bool) {
        let market: usize = ticker[1..].parse().unwrap();
        if self.has_hidden_loss {
            // A reply may carry an earlier number, so it does not reveal the loss.
            self.act(market);
        }
        self.last_id += 1;
        let id = self.last_id;
        match self.random.u8(..10) {
            // The reply is lost.
            0 if !is_calm => {}
            // The reply has the number of the last frame, and is sent now or later.
            1..4 if !is_calm => {
                let envelope = format!(r#""id":{id},{}"#, self.envelope());
                let text = self.snapshot(market, &envelope, false);
                match self.random.bool() {
                    true => self.send(text),
                    false => self.late.push_back(text),
                }
            }
            case => {
                self.seq += 1;
                let envelope = format!(r#""id":{id},{}"#, self.envelope());
                let text = self.snapshot(market, &envelope, case == 4 && !is_calm);
                self.send(text);
            }
        }
    }

    fn disturb(&mut self, books: &mut Books) {
        match self.random.u16(..160) {
            // A frame is lost. After a restart of the sequence, the next one must not look like the expected one.
            0..4 if self.seq != self.delivered => {
                self.has_hidden_loss |= self.wire.pop_back().is_some()
            }
            // A frame is repeated.
            4..8 if !self.has_hidden_loss => {
                if let Some(last) = self.wire.back() {
                    let text = last.text.clone();
                    self.send(text);
                }
            }
            // The sequence restarts, which loses the frames in flight. The first frame must not look like the expected one.
            8..10 => {
                self.wire.clear();
                self.late.clear();
                let restart = self.random.u64(..self.seq + 20);
                self.seq = restart + u64::from(restart == self.delivered);
                self.has_hidden_loss = true;
            }
            // Maintenance resets the clocks. A clock that falls between the buffered changes of a book shows only in the next change. A
            // late snapshot from before looks like one of the future to a book that had no clock.
            10 => {
                if self.is_fresh {
                    self.late.clear();
                }
                if self.random.bool() {
                    self.clocks.fill(1);
                } else {
                    for market in 0..MARKETS {
                        self.clocks[market] = self.random.i64(1..=self.clocks[market]);
                        self.act(market);
                    }
                }
            }
            11..20 if !self.has_hidden_loss => {
                if let Some(text) = self.late.pop_front() {
                    self.send(text);
                }
            }
            // A command is acknowledged.
            20..23 => {
                self.seq += 1;
                self.has_hidden_loss = false;
                self.last_id += 1;
                let (id, envelope) = (self.last_id, self.envelope());
                let tickers = tickers();
                self.send(format!(
                    r#"{{"type":"ok","id":{id},{envelope},"msg":{{"market_tickers":{tickers:?}}}}}"#
                ));
            }
            // The exchange ends the subscription, and the client subscribes again.
            23 => {
                let (sid, code) = (self.sid, [10, 25][self.random.usize(..2)]);
                self.send(format!(
                    r#"{{"type":"error","sid":{sid},"msg":{{"code":{code},"msg":"over"}}}}"#
                ));
                self.subscribe(sid + 1);
            }
            // The connection is lost with the frames in flight, and the next one counts from 1 again.
            24 => {
                self.wire.clear();
                let disconnected = StaleReason::Disconnected;
                for event in books.disconnected() {
                    assert!(
                        matches!(&event, BookEvent::Stale { reason, .. } if *reason == disconnected),
                        "{event:?}"
                    );
                }
                assert!(tickers().iter().all(|ticker| books.live(ticker).is_none()));
                self.registered = 0;
                self.subscribe(1);
            }
            // A frame is malformed.
            25..27 => {
                if let Some(last) = self.wire.back_mut() {
                    last.text = last
                        .text
                        .replace(&format!(r#""{COUNT_FIELD}""#), r#""other""#);
                }
            }
            _ => {}
        }
    }

    /// Registers the subscription of a frame as a connection does, and again if its markets become unknown.
    fn register(&mut self, books: &mut Books, sid: Option<u64>, events: &[BookEvent]) {
        let unlisted = StaleReason::UnlistedMarkets;
        let is_unlisted = events
            .iter()
            .any(|event| matches!(event, BookEvent::Stale { reason, .. } if *reason == unlisted));
        if let Some(sid) = sid
            && (sid != self.registered || is_unlisted)
        {
            register(books, sid, self.style, &tickers());
            (self.registered, self.is_fresh) = (sid, true);
        }
    }
}

fn tickers() -> Vec<String> {
    (0..MARKETS).map(|market| format!("M{market}")).collect()
}

/// Applies the frames in flight and compares the books after each. Returns the number of live books compared.
fn deliver(exchange: &mut Exchange, books: &mut Books, seed: u64) -> usize {
    let mut live = 0;
    while let Some(Sent { text, truth }) = exchange.wire.pop_front() {
        let frame = Frame::parse(&text);
        exchange.register(books, frame.sid, &[]);
        let events = books.apply(&frame);
        exchange.register(books, frame.sid, &events);
        let is_reply = text.starts_with(r#"{"type":"orderbook_snapshot","id""#);
        if let Some(seq) = frame.seq
            && (!is_reply || seq > exchange.delivered)
        {
            exchange.delivered = seq;
        }
        // The last event of a market states if its book is live.
        let last: BTreeMap<_, _> = events.iter().map(|e| (e.market_ticker(), e)).collect();
        for (ticker, event) in last {
            let expected = match event {
                BookEvent::Live { .. } | BookEvent::Changed { .. } => true,
                BookEvent::Stale { .. } => false,
                _ => continue,
            };
            assert_eq!(
                books.live(ticker).is_some(),
                expected,
                "seed {seed}, {event:?}"
            );
        }
        exchange.is_fresh &= !tickers().iter().all(|ticker| books.live(ticker).is_some());
        for (market, truth) in truth.iter().enumerate() {
            if let Some(book) = books.live(&format!("M{market}")) {
                assert_eq!(book, truth, "seed {seed}, M{market} after {text}");
                live += 1;
            }
        }
    }
    live
}

fn run(seed: u64) -> (usize, usize) {
    let mut exchange = Exchange::new(seed);
    let mut books = Books::new();
    exchange.subscribe(1);
    let mut live = 0;
    for step in 0..STEPS {
        let market = exchange.random.usize(..MARKETS);
        exchange.act(market);
        exchange.disturb(&mut books);
        if seed % 100 == 7 && step == STEPS / 2 {
            // More changes than a stale book buffers, while no request gets a reply.
            exchange.seq += 1;
            for _ in 0..6_000 {
                exchange.act(0);
            }
        }
        if exchange.random.u8(..3) > 0 {
            live += deliver(&mut exchange, &mut books, seed);
            exchange.reply_all(&mut books, false);
        }
        if exchange.random.u8(..6) == 0
            && let Some(at) = books.next_timeout()
        {
            books.poll_timeouts(at);
        }
    }
    // Without further faults, all books become live. The first frame reveals what was lost.
    exchange.act(0);
    for _ in 0..60 {
        live += deliver(&mut exchange, &mut books, seed);
        if let Some(at) = books.next_timeout() {
            books.poll_timeouts(at);
        }
        exchange.reply_all(&mut books, true);
    }
    for (market, ticker) in tickers().iter().enumerate() {
        let book = books.live(ticker);
        assert_eq!(book, Some(&exchange.books[market]), "seed {seed}, {ticker}");
    }
    (live, STEPS)
}

#[test]
fn live_books_equal_the_exchanges_at_every_frame() {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds: Range<u64> = match number("KALSHI_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("KALSHI_TEST_SEEDS").unwrap_or(200),
    };
    let (mut live, mut steps) = (0, 0);
    for seed in seeds {
        let (seen, of) = run(seed);
        live += seen;
        steps += of;
    }
    println!("{live} comparisons of live books in {steps} steps");
    assert!(live > steps, "too few live books: {live} in {steps} steps");
}
