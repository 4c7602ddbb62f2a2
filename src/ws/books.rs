//! Order books that heal: kept by the frames of subscriptions, stale when something was missed, live again by a snapshot.

mod tracked;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use kalshi_core::ws::{CommandError, MalformedMessage, SnapshotRequest};
use serde::Deserialize;
use tracked::{Clock, State, TrackedBook, tick};

use super::{
    Event, Frame,
    book::OrderBook,
    book_event::{BookEvent, StaleReason},
    messages::{Message, OrderbookDelta, OrderbookSnapshot},
};

/// A frame that comes later than by so many does not come late: the one before it had a number that was wrong.
const MOST_LATE: u64 = 10_000;

/// No subscription: the exchange counts them from 1.
const NONE: u64 = 0;

/// The order books of any number of subscriptions to `orderbook_delta` on one connection.
///
/// It is fed every frame of the connection, in the order they came, and does no input or output itself: whoever owns the
/// connection sends what [`drain_snapshot_requests`](Self::drain_snapshot_requests) asks for. A book is given out only while it is live, so that
/// nobody trades on a price that may be wrong.
///
/// All frames of a subscription share one sequence, also those of other markets and acknowledgements. A gap in it does not say
/// which market lost a change, so all books of the subscription are stale until a snapshot of each has come.
#[derive(Clone, Debug, Default)]
pub struct Books {
    books: HashMap<Arc<str>, TrackedBook>,
    subscriptions: BTreeMap<u64, Subscription>,
}

/// A subscription, as far as it was seen.
#[derive(Clone, Debug, Default)]
struct Subscription {
    last: u64,
    /// Whether its first frame should be the first there was.
    is_whole: bool,
    tickers: BTreeSet<Arc<str>>,
}

/// The market whose book a message is about that cannot be read.
fn market_of(malformed: &MalformedMessage) -> Option<String> {
    #[derive(Deserialize)]
    struct Outside {
        msg: Inside,
    }
    #[derive(Deserialize)]
    struct Inside {
        market_ticker: String,
    }
    match malformed.kind.as_deref() {
        Some("orderbook_snapshot" | "orderbook_delta") => {
            let outside: Outside = serde_json::from_str(&malformed.raw).ok()?;
            Some(outside.msg.market_ticker)
        }
        _ => None,
    }
}

/// The markets that an acknowledgement says a subscription has; none where it does not say.
fn listed_in(message: &Message) -> Option<&[String]> {
    match message {
        Message::OkReply(reply) => Some(&reply.market_tickers),
        message if message.kind() == "ok" => Some(&[]),
        _ => None,
    }
}

impl Books {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The book of a market, while it is live.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&OrderBook> {
        let kept = self.books.get(market_ticker)?;
        matches!(kept.state, State::Live).then_some(&kept.book)
    }

    /// Whether the book of a market is known and stale.
    #[must_use]
    pub fn is_stale(&self, market_ticker: &str) -> bool {
        self.books
            .get(market_ticker)
            .is_some_and(|kept| !matches!(kept.state, State::Live))
    }

    /// The tickers of all books, live or stale.
    pub fn market_tickers(&self) -> impl Iterator<Item = &str> {
        self.books.keys().map(AsRef::as_ref)
    }

    /// Takes in a frame of a subscription that was made without `use_yes_price` and `skip_ticker_ack`, and tells what became of which
    /// books. Frames that have nothing to do with books do nothing. After an acknowledgement that does not list its markets no book is
    /// live: each is back with its next change.
    pub fn apply(&mut self, frame: &Frame) -> Vec<BookEvent> {
        let mut events = Vec::new();
        let Some(sid) = frame.sid else {
            match &frame.message {
                // It may have been a change of any of them.
                Message::Malformed(_)
                | Message::OrderbookDelta(_)
                | Message::OrderbookSnapshot(_) => {
                    self.stale_everywhere(StaleReason::Malformed, &mut events);
                }
                Message::ErrorReply(error) if CommandError::new(error.code).is_terminal() => {
                    return self.disconnected();
                }
                _ => {}
            }
            return events;
        };
        match &frame.message {
            Message::OrderbookSnapshot(_) | Message::OrderbookDelta(_) => {
                self.subscriptions.entry(sid).or_default();
            }
            // It may have been the first of its subscription, and of its market.
            Message::Malformed(malformed) if market_of(malformed).is_some() => {
                self.subscriptions.entry(sid).or_default();
            }
            Message::ErrorReply(error)
                if CommandError::new(error.code).is_terminal()
                    && self.subscriptions.contains_key(&sid) =>
            {
                self.end(sid, &mut events);
                return events;
            }
            Message::UnsubscribedReply => {
                self.forget(sid, &mut events);
                return events;
            }
            _ => {}
        }
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return events;
        };
        let Some(seq) = frame.seq else {
            // A change without its number has no place.
            let is_change = matches!(
                frame.message,
                Message::OrderbookSnapshot(_)
                    | Message::OrderbookDelta(_)
                    | Message::Malformed(_)
                    | Message::Unknown(_)
            ) && listed_in(&frame.message).is_none();
            if is_change {
                self.stale_all(sid, StaleReason::Malformed, &mut events);
            } else if let Some(market_tickers) = listed_in(&frame.message) {
                self.listed(sid, market_tickers, &mut events);
            }
            return events;
        };
        let expected = subscription.last.saturating_add(1);
        // What comes a second time, or late, is in the books already or will be by a snapshot.
        let is_late = subscription.last != 0 && seq < expected && expected - seq <= MOST_LATE;
        if !is_late {
            let is_gap = seq != expected && (subscription.last != 0 || subscription.is_whole);
            subscription.last = seq;
            if is_gap {
                self.stale_all(sid, StaleReason::Gap { expected, got: seq }, &mut events);
            }
        }
        if !is_late && let Some(market_tickers) = listed_in(&frame.message) {
            self.listed(sid, market_tickers, &mut events);
            return events;
        }
        match &frame.message {
            // One that answers a command may be of a market that is not subscribed to, or not any more: nothing would change it.
            Message::OrderbookSnapshot(snapshot)
                if frame.id.is_some() && !self.has(sid, &snapshot.market_ticker) => {}
            Message::OrderbookSnapshot(snapshot) => self.snapshot(sid, seq, snapshot, &mut events),
            Message::OrderbookDelta(delta) => self.delta(sid, seq, delta, &mut events),
            Message::Malformed(malformed) if !is_late => match market_of(malformed) {
                // An answer, of which no book depends: the request has failed, and is made again in time.
                Some(_) if frame.id.is_some() => {}
                Some(ticker) => self.unreadable(sid, seq, &ticker, &mut events),
                None => self.stale_all(sid, StaleReason::Malformed, &mut events),
            },
            // A change of tomorrow is a change.
            Message::Unknown(_) if !is_late => {
                self.stale_all(sid, StaleReason::Malformed, &mut events);
            }
            _ => {}
        }
        events
    }

    /// Takes in an event of a stream, and tells what became of which books: messages, lost connections, and messages that were
    /// dropped because they were not read.
    pub fn apply_event(&mut self, event: &Event) -> Vec<BookEvent> {
        match event {
            Event::Message(received) => self.apply(&received.frame),
            Event::Detached { sid, .. } => {
                let mut events = Vec::new();
                self.forget(*sid, &mut events);
                events
            }
            // A new connection also says that the one before is gone.
            Event::Disconnected { .. } | Event::Connected => self.disconnected(),
            Event::Lagged { .. } => {
                let mut events = Vec::new();
                self.stale_everywhere(StaleReason::Lagged, &mut events);
                events
            }
            _ => Vec::new(),
        }
    }

    /// Takes note of the markets of a new subscription, none of whose frames has come: should the first ones get lost, their books are
    /// known to be missing.
    pub fn register(
        &mut self,
        sid: u64,
        market_tickers: impl IntoIterator<Item = impl AsRef<str>>,
    ) {
        let is_new = !self.subscriptions.contains_key(&sid);
        for market_ticker in market_tickers {
            let ticker = self.interned(market_ticker.as_ref());
            let subscription = self.subscriptions.entry(sid).or_default();
            subscription.is_whole |= is_new;
            subscription.tickers.insert(Arc::clone(&ticker));
            // Its snapshot is on the way.
            let is_there = |kept: &TrackedBook| kept.sid == sid;
            if !self.books.get(&ticker).is_some_and(is_there) {
                let kept = TrackedBook::without_snapshot(Arc::clone(&ticker), sid, 0, true);
                self.books.insert(ticker, kept);
            }
        }
    }

    /// The exchange's count of a market's changes that its live book has; none where the exchange does not tell it.
    #[must_use]
    pub fn clock(&self, market_ticker: &str) -> Option<i64> {
        self.progress(market_ticker).map(|(clock, _)| clock)
    }

    /// The same, and how many changes of that count have come.
    pub(super) fn progress(&self, market_ticker: &str) -> Option<Clock> {
        let kept = self.books.get(market_ticker)?;
        kept.clock.filter(|_| matches!(kept.state, State::Live))
    }

    /// The connection is gone: all books are stale, and the next one's subscriptions have other ids.
    pub fn disconnected(&mut self) -> Vec<BookEvent> {
        let mut events = Vec::new();
        for sid in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.end(sid, &mut events);
        }
        events
    }

    /// The snapshots to ask for: each is given out once, and again should its book become stale anew.
    pub fn drain_snapshot_requests(&mut self) -> Vec<SnapshotRequest> {
        let mut wanted: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (ticker, kept) in &mut self.books {
            if let State::Stale { is_asked, .. } = &mut kept.state
                && !*is_asked
                && self.subscriptions.contains_key(&kept.sid)
            {
                *is_asked = true;
                wanted.entry(kept.sid).or_default().push(ticker.to_string());
            }
        }
        let request = |(sid, mut market_tickers): (u64, Vec<String>)| {
            market_tickers.sort_unstable();
            SnapshotRequest::new(sid, market_tickers)
        };
        wanted.into_iter().map(request).collect()
    }

    /// Asks once more for what was asked for: when a request was refused or its answer does not come.
    pub fn request_again(&mut self, request: &SnapshotRequest) {
        for market_ticker in &request.market_tickers {
            if let Some(kept) = self.books.get_mut(market_ticker.as_str())
                && kept.sid == request.sid
                && let State::Stale { is_asked, .. } = &mut kept.state
            {
                *is_asked = false;
            }
        }
    }

    fn snapshot(
        &mut self,
        sid: u64,
        seq: u64,
        snapshot: &OrderbookSnapshot,
        events: &mut Vec<BookEvent>,
    ) {
        let ticker = self.interned(&snapshot.market_ticker);
        if let Some(subscription) = self.subscriptions.get_mut(&sid) {
            subscription.tickers.insert(Arc::clone(&ticker));
        }
        let fresh = TrackedBook {
            ticker: Arc::clone(&ticker),
            book: OrderBook::from(snapshot),
            sid,
            state: State::Live,
            seq,
            clock: snapshot.clock.map(|clock| (clock, u32::MAX)),
        };
        let before = match self.books.get_mut(&ticker) {
            // An older one than what the book holds, or than what is missing.
            Some(kept) if kept.sid == sid && kept.is_newer_than(seq) => return,
            Some(kept) => Some(std::mem::replace(kept, fresh)),
            None => {
                self.books.insert(Arc::clone(&ticker), fresh);
                None
            }
        };
        let was_live = before
            .as_ref()
            .is_some_and(|kept| matches!(kept.state, State::Live));
        let changes = match before {
            Some(TrackedBook {
                state: State::Stale { changes, .. },
                sid: of,
                ..
            }) if of == sid => changes,
            _ => BTreeMap::new(),
        };
        let Some(kept) = self.books.get_mut(&ticker) else {
            return;
        };
        // What came since the snapshot was made.
        for (seq, delta) in changes.range(seq.saturating_add(1)..) {
            if let Err(error) = kept.book.apply(delta) {
                return self.stale(&ticker, StaleReason::Broken(error), events);
            }
            kept.seq = *seq;
            kept.clock = tick(kept.clock, delta);
        }
        if let Some(error) = kept.book.impossible_price() {
            return self.stale(&ticker, StaleReason::Broken(error), events);
        }
        if kept.book.is_crossed() {
            return self.stale(&ticker, StaleReason::Crossed, events);
        }
        let market_ticker = ticker;
        events.push(match was_live {
            true => BookEvent::Changed { market_ticker },
            false => BookEvent::Live { market_ticker },
        });
    }

    fn delta(&mut self, sid: u64, seq: u64, delta: &OrderbookDelta, events: &mut Vec<BookEvent>) {
        let ticker = delta.market_ticker.as_str();
        let known = self.books.get_mut(ticker).filter(|kept| kept.sid == sid);
        let reason = if let Some(kept) = known {
            kept.change(seq, delta, events)
        } else {
            self.missed_snapshot(sid, seq, ticker, events);
            let kept = self.books.get_mut(ticker);
            kept.and_then(|kept| kept.change(seq, delta, events))
        };
        if let Some(reason) = reason {
            self.stale(ticker, reason, events);
        }
    }

    /// The one copy of a ticker that all here share.
    fn interned(&self, ticker: &str) -> Arc<str> {
        match self.books.get(ticker) {
            Some(kept) => Arc::clone(&kept.ticker),
            None => ticker.into(),
        }
    }

    /// A change of a market of which there was no snapshot on this subscription.
    fn missed_snapshot(&mut self, sid: u64, seq: u64, ticker: &str, events: &mut Vec<BookEvent>) {
        let ticker = self.interned(ticker);
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        subscription.tickers.insert(Arc::clone(&ticker));
        let kept = TrackedBook::without_snapshot(Arc::clone(&ticker), sid, seq, false);
        let before = self.books.insert(Arc::clone(&ticker), kept);
        if before.is_none_or(|kept| matches!(kept.state, State::Live)) {
            let reason = StaleReason::NoSnapshot;
            events.push(BookEvent::Stale {
                market_ticker: ticker,
                reason,
            });
        }
    }

    /// A message that cannot be read, of a market that can: no other one is concerned, as nothing is missing.
    fn unreadable(&mut self, sid: u64, seq: u64, ticker: &str, events: &mut Vec<BookEvent>) {
        match self.books.get_mut(ticker) {
            Some(kept) if kept.sid != sid => self.missed_snapshot(sid, seq, ticker, events),
            Some(TrackedBook {
                state: State::Live, ..
            }) => self.stale(ticker, StaleReason::Malformed, events),
            Some(kept) => kept.state = State::stale(seq),
            None => self.missed_snapshot(sid, seq, ticker, events),
        }
    }

    fn stale(&mut self, ticker: &str, reason: StaleReason, events: &mut Vec<BookEvent>) {
        let since = self
            .books
            .get(ticker)
            .and_then(|kept| self.subscriptions.get(&kept.sid));
        let since = since.map_or(0, |subscription| subscription.last);
        let Some(kept) = self.books.get_mut(ticker) else {
            return;
        };
        kept.state = State::stale(since);
        let market_ticker = Arc::clone(&kept.ticker);
        events.push(BookEvent::Stale {
            market_ticker,
            reason,
        });
    }

    fn stale_everywhere(&mut self, reason: StaleReason, events: &mut Vec<BookEvent>) {
        for sid in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.stale_all(sid, reason, events);
        }
    }

    fn stale_all(&mut self, sid: u64, reason: StaleReason, events: &mut Vec<BookEvent>) {
        let Some(subscription) = self.subscriptions.get(&sid) else {
            return;
        };
        let since = subscription.last;
        for ticker in subscription.tickers.clone() {
            match self.books.get_mut(&ticker) {
                Some(TrackedBook {
                    state: State::Live,
                    sid: of,
                    ..
                }) if *of == sid => self.stale(&ticker, reason, events),
                // What is kept for it has a hole now: its snapshot may have been what is missing.
                Some(TrackedBook { state, sid: of, .. }) if *of == sid => {
                    *state = State::stale(since)
                }
                Some(TrackedBook { sid: of, .. }) if *of != NONE => {}
                // Its snapshot may have been what is missing.
                _ => self.missed_snapshot(sid, since, &ticker, events),
            }
        }
    }

    fn has(&self, sid: u64, market_ticker: &str) -> bool {
        let subscription = self.subscriptions.get(&sid);
        subscription.is_some_and(|subscription| subscription.tickers.contains(market_ticker))
    }

    /// What a subscription has now: the books of other markets stand still, and are forgotten.
    fn listed(&mut self, sid: u64, market_tickers: &[String], events: &mut Vec<BookEvent>) {
        // An empty list, or one left out, may mean that all are gone. What is not is back with its next change.
        let listed: BTreeSet<&str> = market_tickers.iter().map(String::as_str).collect();
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        let (kept, gone): (BTreeSet<Arc<str>>, BTreeSet<_>) =
            std::mem::take(&mut subscription.tickers)
                .into_iter()
                .partition(|ticker| listed.contains(ticker.as_ref()));
        subscription.tickers = kept;
        let listed = listed.into_iter().map(Arc::from);
        subscription.tickers.extend(listed);
        for market_ticker in gone {
            if self
                .books
                .get(&market_ticker)
                .is_some_and(|kept| kept.sid == sid)
            {
                self.books.remove(&market_ticker);
                let reason = StaleReason::Unsubscribed;
                events.push(BookEvent::Stale {
                    market_ticker,
                    reason,
                });
            }
        }
    }

    /// A subscription is over for good.
    fn forget(&mut self, sid: u64, events: &mut Vec<BookEvent>) {
        self.listed(sid, &[], events);
        self.subscriptions.remove(&sid);
    }

    fn end(&mut self, sid: u64, events: &mut Vec<BookEvent>) {
        self.stale_all(sid, StaleReason::Disconnected, events);
        self.subscriptions.remove(&sid);
        // The next connection counts from the beginning, and may call another subscription the same.
        for kept in self.books.values_mut().filter(|kept| kept.sid == sid) {
            (kept.sid, kept.state) = (NONE, State::stale(0));
        }
    }
}
