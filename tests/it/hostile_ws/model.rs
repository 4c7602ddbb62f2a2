//! The exchange behind the hostile server: its markets, the history of their books, and the frames about them.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::kind::Kind;
use crate::ws_target::{
    self, Contracts, Dollars, SIDES, STREAM_STYLE, Side, change_fields, level_fields, levels,
    ws::OrderBook,
};

/// Number of markets that the client subscribes to at first.
pub const FIRST: usize = 3;

/// The market that the client adds and removes.
pub const EXTRA: usize = 3;

/// A market that never changes and is never subscribed to.
pub const QUIET: usize = 4;

pub fn ticker(market: usize) -> String {
    format!("KXTEST-26-{market}")
}

pub fn market_of(ticker: &str) -> usize {
    ticker.rsplit('-').next().unwrap().parse().unwrap()
}

/// A book after a change, and the clock of the change. The clock is `None` if the frame had none.
pub struct State {
    pub book: OrderBook,
    pub clock: Option<i64>,
}

pub struct Market {
    pub book: OrderBook,
    pub clock: i64,
    pub history: Vec<State>,
}

/// A change of one level.
#[derive(Clone, Copy)]
pub struct Change {
    pub market: usize,
    pub side: Side,
    pub price: Dollars,
    /// Count in hundredths of a contract.
    pub count: i64,
    pub clock: Option<i64>,
}

pub struct Model {
    pub random: Rng,
    pub markets: Vec<Market>,
    pub has_clock: bool,
    /// Books of all markets at each mark that was sent.
    pub marks: BTreeMap<u64, Vec<OrderBook>>,
    last_mark: u64,
    /// Number of times that each kind of fault was injected.
    pub fired: BTreeMap<Kind, u64>,
}

impl Model {
    pub fn new(seed: u64, has_clock: bool) -> Self {
        let markets = (0..=QUIET).map(|_| Market {
            book: OrderBook::new(),
            clock: 1_000,
            history: Vec::new(),
        });
        let mut model = Self {
            random: Rng::with_seed(seed),
            markets: markets.collect(),
            has_clock,
            marks: BTreeMap::new(),
            last_mark: 0,
            fired: BTreeMap::new(),
        };
        for market in 0..=QUIET {
            model.note(market);
            for _ in 0..3 {
                model.act(market);
            }
        }
        model
    }

    fn note(&mut self, market: usize) {
        let clock = self.clock(market);
        let market = &mut self.markets[market];
        let book = market.book.clone();
        market.history.push(State { book, clock });
    }

    /// Returns the clock that frames of a market have.
    pub fn clock(&self, market: usize) -> Option<i64> {
        self.has_clock.then(|| self.markets[market].clock)
    }

    /// Sets the clock of a market without a change.
    pub fn set_clock(&mut self, market: usize, clock: i64) {
        self.markets[market].clock = clock;
        self.note(market);
    }

    /// Performs one action: changes with a shared clock, which may cross the book until the last of them.
    pub fn act(&mut self, market: usize) -> Vec<Change> {
        self.markets[market].clock += self.random.i64(1..4);
        let mut changes = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            let side = SIDES[self.random.usize(..2)];
            let levels = levels(&self.markets[market].book, side);
            let (price, count) = match levels.is_empty() || self.random.bool() {
                true => (
                    ws_target::price(side, self.random.i64(1..60)),
                    self.random.i64(1..100_000),
                ),
                false => {
                    let level = levels[self.random.usize(..levels.len())];
                    let all = level.count.hundredths();
                    let is_all = self.random.bool();
                    let count = if is_all {
                        all
                    } else {
                        self.random.i64(1..=all)
                    };
                    (level.price, -count)
                }
            };
            changes.push(self.change(market, side, price, count));
        }
        changes.extend(self.uncross(market));
        changes
    }

    /// Removes the levels of the first side that cross.
    pub fn uncross(&mut self, market: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while self.markets[market].book.is_crossed() {
            let best = levels(&self.markets[market].book, SIDES[0])[0];
            let count = -best.count.hundredths();
            changes.push(self.change(market, SIDES[0], best.price, count));
        }
        changes
    }

    /// Adds a level to each side so that they cross.
    pub fn cross(&mut self, market: usize) -> Vec<Change> {
        self.markets[market].clock += 1;
        let counts = [self.random.i64(1..100_000), self.random.i64(1..100_000)];
        let [first, second] = SIDES.map(|side| ws_target::price(side, 60));
        let second = self.change(market, SIDES[1], second, counts[0]);
        let first = self.change(market, SIDES[0], first, counts[1]);
        vec![second, first]
    }

    /// Uncrosses the book in a new action, if it is still crossed.
    pub fn end_crossing(&mut self, market: usize) -> Vec<Change> {
        if self.markets[market].book.is_crossed() {
            self.markets[market].clock += 1;
        }
        self.uncross(market)
    }

    /// Stops sending clocks.
    pub fn drop_clocks(&mut self) {
        self.has_clock = false;
        for market in 0..self.markets.len() {
            self.note(market);
        }
    }

    /// Removes all levels.
    pub fn clear(&mut self, market: usize) -> Vec<Change> {
        let clock = self.markets[market].clock + 1;
        self.set_clock(market, clock);
        let mut changes = Vec::new();
        for side in SIDES {
            for level in levels(&self.markets[market].book, side) {
                let count = -level.count.hundredths();
                changes.push(self.change(market, side, level.price, count));
            }
        }
        changes
    }

    pub fn change(&mut self, market: usize, side: Side, price: Dollars, count: i64) -> Change {
        let contracts = Contracts::from_hundredths(count);
        let book = &mut self.markets[market].book;
        book.add(side, price, contracts).unwrap();
        self.note(market);
        Change {
            market,
            side,
            price,
            count,
            clock: self.clock(market),
        }
    }

    /// Performs an action of one change that does not cross the book.
    pub fn single(&mut self, market: usize) -> Change {
        self.markets[market].clock += 1;
        self.with_same_clock(market)
    }

    /// Adds another change to the last action.
    pub fn with_same_clock(&mut self, market: usize) -> Change {
        let side = SIDES[self.random.usize(..2)];
        let price = ws_target::price(side, self.random.i64(1..30));
        let count = self.random.i64(1..100_000);
        self.change(market, side, price, count)
    }

    /// Returns a change that was not made.
    pub fn sample(&self, market: usize) -> Change {
        Change {
            market,
            side: SIDES[0],
            price: ws_target::price(SIDES[0], 12),
            count: 100,
            clock: self.clock(market),
        }
    }

    /// Returns a message that shows the reader which frames were sent before it.
    pub fn mark(&mut self) -> String {
        self.last_mark += 1;
        let books = self.markets.iter().map(|market| market.book.clone());
        self.marks.insert(self.last_mark, books.collect());
        format!(
            r#"{{"type":"mark","msg":{{"position":{}}}}}"#,
            self.last_mark
        )
    }

    pub fn count(&mut self, kind: Kind) {
        *self.fired.entry(kind).or_default() += 1;
    }
}

/// The envelope of a frame.
#[derive(Clone, Copy, Default)]
pub struct Envelope {
    pub id: Option<u64>,
    pub sid: Option<u64>,
    pub seq: Option<u64>,
}

impl Envelope {
    pub fn numbered(sid: u64, seq: u64) -> Self {
        Self {
            id: None,
            sid: Some(sid),
            seq: Some(seq),
        }
    }

    pub fn with_id(self, id: Option<u64>) -> Self {
        Self { id, ..self }
    }

    /// Returns a frame with this body.
    pub fn frame(self, kind: &str, body: &str) -> String {
        let field = |name, value: Option<u64>| match value {
            Some(value) => format!(r#","{name}":{value}"#),
            None => String::new(),
        };
        let (id, sid) = (field("id", self.id), field("sid", self.sid));
        let seq = field("seq", self.seq);
        format!(r#"{{"type":"{kind}"{id}{sid}{seq},"msg":{body}}}"#)
    }
}

fn clock_field(clock: Option<i64>) -> String {
    clock.map_or_else(String::new, |clock| format!(r#","clock":{clock}"#))
}

/// Returns the body of a change.
pub fn delta_body(change: &Change) -> String {
    let (ticker, clock) = (ticker(change.market), clock_field(change.clock));
    let count = Contracts::from_hundredths(change.count);
    let fields = change_fields(STREAM_STYLE, change.side, change.price, count);
    format!(r#"{{"market_ticker":"{ticker}"{clock},{fields}}}"#)
}

pub fn delta(envelope: Envelope, change: &Change) -> String {
    envelope.frame("orderbook_delta", &delta_body(change))
}

/// A level of a snapshot: its price, and its count in hundredths of a contract.
pub type Level = (Dollars, i64);

/// Returns a snapshot, with additional levels for each side in `more`.
pub fn snapshot(
    envelope: Envelope,
    market: usize,
    book: &OrderBook,
    clock: Option<i64>,
    more: [&[Level]; 2],
) -> String {
    let sides = [0, 1].map(|index| {
        let levels = levels(book, SIDES[index]).into_iter();
        let levels = levels.map(|level| (level.price, level.count));
        let more = more[index].iter();
        let more = more.map(|(price, count)| (*price, Contracts::from_hundredths(*count)));
        levels.chain(more).collect()
    });
    let (ticker, clock) = (ticker(market), clock_field(clock));
    let fields = level_fields(STREAM_STYLE, sides);
    let body = format!(r#"{{"market_ticker":"{ticker}"{clock},{fields}}}"#);
    envelope.frame("orderbook_snapshot", &body)
}
