//! Order books of one connection's subscriptions. They detect missed messages and resynchronise.
//!
//! An API crate implements [`ApiBook`] for its order book and messages. [`Books`] maintains the books by the rules of
//! [`sequence`](super::sequence), and a [`BookStream`] does so over its own connection.

mod api;
mod apply;
mod error;
mod event;
mod events;
mod evidence;
mod ladders;
mod membership;
mod notices;
mod redundant;
mod requests;
mod stream;
mod tracked;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

pub use self::{
    api::{ApiBook, BookBody, BookMessage, OrderBookApi},
    error::BookError,
    event::{BookEvent, StaleReason},
    events::{BookEvents, IntoIter},
    ladders::{Ladders, LevelChange, LevelDifference},
    redundant::RedundantBooks,
    stream::{BookStream, BookUpdate, Changes},
};
use self::{
    evidence::{ConnectionMode, Listing, Subscription},
    requests::Schedule,
    tracked::{Loss, TrackedBook},
};
use super::{
    Event, Frame, Received, SnapshotRequest,
    sequence::{Clock, FramePosition, Sequence},
};

/// The `sid` of a book without a subscription. The exchange numbers subscriptions from 1.
const NO_SUBSCRIPTION: u64 = 0;

/// Maximum number of changes that the stale book of a market buffers if the market is neither registered nor listed and had no snapshot,
/// because there may be many such markets.
const MAX_UNLISTED_BUFFERED: usize = 100;

/// Maximum number of books, and of markets of a subscription. Beyond it, messages about further markets create no books.
const MAX_UNLISTED: usize = 10_000;

/// Maximum number of subscriptions, and of ended ones that are remembered. Beyond it, messages create no further subscriptions.
const MAX_SUBSCRIPTIONS: usize = 1_000;

/// Time after a reconnect until books without a subscription are dropped.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(600);

/// The order books of all subscriptions on one connection.
///
/// Pass every frame of the connection to [`apply`](Self::apply) in the order of arrival. `Books` does no I/O: its owner sends the requests
/// returned by [`drain_snapshot_requests`](Self::drain_snapshot_requests) and calls [`poll_timeouts`](Self::poll_timeouts) at
/// [`next_timeout`](Self::next_timeout). A book is returned only while it is live.
///
/// All messages of a subscription share one sequence, including those of other markets and acknowledgements. A gap does not show which
/// market lost a change, so all books of the subscription are stale until a snapshot of each has arrived. See
/// [`sequence`](super::sequence) for the rules.
///
/// On the Trade API, frames do not indicate at which prices NO levels are quoted. The caller states the mode that it subscribed with, for
/// the connection or by [`register_with_mode`](Self::register_with_mode); frames of an unknown mode are not applied.
#[derive(Clone, Debug)]
pub struct Books<B: ApiBook> {
    mode: ConnectionMode<B::PriceMode>,
    books: HashMap<Arc<str>, TrackedBook<B>>,
    subscriptions: BTreeMap<u64, Subscription>,
    /// Ended subscriptions of this connection. A late frame of one must not make a book live, because no further changes follow.
    ended: BTreeSet<u64>,
    schedule: Schedule,
}

impl<B: ApiBook> Default for Books<B> {
    fn default() -> Self {
        Self {
            mode: ConnectionMode::new(B::DEFAULT_MODE),
            books: HashMap::new(),
            subscriptions: BTreeMap::new(),
            ended: BTreeSet::new(),
            schedule: Schedule::default(),
        }
    }
}

impl<B: ApiBook> Books<B> {
    /// Creates an empty set of books. If the API has several price modes, state the mode with
    /// [`register_with_mode`](Self::register_with_mode).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty set of books for subscriptions that all have this mode.
    #[must_use]
    pub fn with_mode(mode: B::PriceMode) -> Self {
        let mut books = Self::default();
        books.mode.stated = Some(mode);
        books
    }

    /// Returns the book of a market, or `None` if it is unknown, stale or withheld.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&B> {
        self.books.get(market_ticker)?.replica.live()
    }

    /// Returns `true` if a market has a book and it is stale.
    #[must_use]
    pub fn is_stale(&self, market_ticker: &str) -> bool {
        let tracked = self.books.get(market_ticker);
        tracked.is_some_and(|tracked| tracked.replica.is_stale())
    }

    /// Returns the tickers of all books, in any state, except markets that were removed from their subscription, have settled, or were not
    /// resubscribed within ten minutes after a lost connection was restored.
    pub fn market_tickers(&self) -> impl Iterator<Item = &str> {
        self.books.keys().map(AsRef::as_ref)
    }

    /// Returns the exchange's clock of a live book. `None` if the book is not live or the exchange sends no clock.
    #[must_use]
    pub fn clock(&self, market_ticker: &str) -> Option<i64> {
        self.progress(market_ticker).map(Clock::value)
    }

    /// Returns the progress of a live book.
    fn progress(&self, market_ticker: &str) -> Option<Clock> {
        let replica = &self.books.get(market_ticker)?.replica;
        replica.clock().filter(|_| replica.is_live())
    }

    /// Applies a frame of a subscription that was made without `skip_ticker_ack`, and returns the resulting book events. Frames unrelated
    /// to books have no effect. An acknowledgement that does not list its markets drops all books of the subscription, and each is
    /// resynchronised after its next change.
    ///
    /// A market that is neither registered nor listed gets a book with its first message, unless there are already 10,000 books or the ticker
    /// is longer than 256 bytes.
    pub fn apply(&mut self, frame: &Frame<B::Message>) -> BookEvents {
        // A new subscription may reuse the number of an ended one.
        self.apply_frame(frame, true)
    }

    /// Applies an event of a connection, such as a message, a lost connection or dropped messages, and returns the resulting book events.
    pub fn apply_event(&mut self, event: &Event<Received<B::Message>>) -> BookEvents {
        let mut events = BookEvents::default();
        match event {
            Event::Message(received) => {
                let is_subscribed = received.subscription.is_some();
                if let Some(sid) = received.frame.sid.filter(|_| is_subscribed) {
                    // A new subscription of this reader has joined one that it had left.
                    self.ended.remove(&sid);
                }
                return self.apply_frame(&received.frame, is_subscribed);
            }
            Event::TargetsRemoved { sid, targets, .. } => {
                self.removing(*sid, targets, &mut events);
            }
            Event::TargetsKept { sid, targets, .. } => self.kept(*sid, targets, &mut events),
            // The lost message may have been a notice about any market.
            Event::Gap { expected, got, .. } if B::HAS_NOTICES => {
                let (expected, got) = (*expected, *got);
                self.mark_all_stale(StaleReason::Gap { expected, got }, &mut events);
            }
            Event::Detached { sid, .. } => {
                self.mark_ended(*sid);
                self.forget(*sid, StaleReason::Detached, &mut events);
            }
            // A new connection implies that the previous one is gone.
            Event::Disconnected { .. } | Event::Connected => return self.disconnected(),
            Event::Lagged { .. } => self.mark_all_stale(StaleReason::Lagged, &mut events),
            Event::Resubscribed { sid, .. } => {
                self.ended.remove(sid);
                self.lose_notices(*sid, StaleReason::SubscriptionEnded, &mut events);
            }
            _ => {}
        }
        events
    }

    /// Registers markets of a subscription. A snapshot of each is expected from now on. It is requested if it does not arrive within a few
    /// seconds, or if the first messages are missing. Returns the event of each live book of another subscription, which is now stale.
    pub fn register(
        &mut self,
        sid: u64,
        market_tickers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> BookEvents {
        let mut events = BookEvents::default();
        self.ended.remove(&sid);
        self.start(sid, Sequence::from_start());
        for market_ticker in market_tickers {
            self.expect(sid, market_ticker.as_ref(), &mut events);
        }
        events
    }

    /// Registers markets of a subscription with its price mode. See [`register`](Self::register).
    ///
    /// All subscriptions of a connection must have the same mode, because the exchange may merge them. If they differ, no frame is applied
    /// until the connection ends.
    pub fn register_with_mode(
        &mut self,
        sid: u64,
        mode: B::PriceMode,
        market_tickers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> BookEvents {
        let before = self.mode.known();
        self.mode.register(mode);
        let events = self.register(sid, market_tickers);
        if before.is_none() && self.mode.known().is_some() {
            for tracked in self.books.values_mut() {
                if tracked.sid != NO_SUBSCRIPTION && tracked.is_unrequested() {
                    tracked.request_now(&mut self.schedule);
                }
            }
        }
        events
    }

    /// Makes all books stale because the connection is lost. Subscriptions of the next connection have other ids.
    pub fn disconnected(&mut self) -> BookEvents {
        let mut events = BookEvents::default();
        self.end_all(StaleReason::Disconnected, &mut events);
        self.ended.clear();
        self.mode.disconnected();
        events
    }

    /// Returns the snapshots to request. Each is returned once, and again after [`poll_timeouts`](Self::poll_timeouts) or if its
    /// book loses further messages.
    pub fn drain_snapshot_requests(&mut self) -> Vec<SnapshotRequest> {
        self.drain_requests_of(|_| true, |_, _| true)
    }

    /// Returns the books whose snapshot request is due, of subscriptions for which `is_ready` returns `true`.
    fn due(&self, is_ready: impl Fn(u64) -> bool) -> impl Iterator<Item = &TrackedBook<B>> {
        let due = self.schedule.due(is_ready);
        let due = due.filter_map(|ticker| self.books.get(ticker));
        due.filter(|tracked| tracked.is_due())
    }

    /// Returns the snapshots to request, of subscriptions for which `is_ready` and markets for which `is_wanted` returns `true`. The
    /// others remain due. Subscriptions that are not ready cost nothing. Books that are live again are no longer due.
    fn drain_requests_of(
        &mut self,
        is_ready: impl Fn(u64) -> bool,
        is_wanted: impl Fn(u64, &str) -> bool,
    ) -> Vec<SnapshotRequest> {
        let mut wanted: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for ticker in self.schedule.take_due(&is_ready) {
            let tracked = self.books.get_mut(&ticker);
            let Some(tracked) = tracked.filter(|tracked| tracked.is_due()) else {
                continue;
            };
            if !self.subscriptions.contains_key(&tracked.sid) {
                continue;
            }
            if !is_ready(tracked.sid) || !is_wanted(tracked.sid, &ticker) {
                self.schedule.push_due(tracked.sid, &ticker);
            } else if tracked.send_request(&mut self.schedule) {
                let tickers = wanted.entry(tracked.sid).or_default();
                tickers.push(ticker.to_string());
            }
        }
        let request = |(sid, market_tickers)| SnapshotRequest::new(sid, market_tickers);
        wanted.into_iter().map(request).collect()
    }

    /// Requests snapshots again without a pause.
    pub fn request_again(&mut self, request: &SnapshotRequest) {
        self.retry(request, TrackedBook::request_now);
    }

    /// Requests snapshots again after a pause that doubles with every attempt. Call this if a request was rejected.
    pub fn request_failed(&mut self, request: &SnapshotRequest) {
        self.retry(request, TrackedBook::request_later);
    }

    /// Handles the loss of a request whose books have their own timeout, if they are stale.
    fn request_lost(&mut self, request: &SnapshotRequest) {
        for market_ticker in &request.market_tickers {
            if let Some(tracked) = self.books.get_mut(market_ticker.as_str())
                && tracked.sid == request.sid
            {
                tracked.request_lost(&mut self.schedule);
            }
        }
    }

    fn retry(
        &mut self,
        request: &SnapshotRequest,
        retry: impl Fn(&mut TrackedBook<B>, &mut Schedule),
    ) {
        self.request_lost(request);
        for market_ticker in &request.market_tickers {
            if let Some(tracked) = self.books.get_mut(market_ticker.as_str())
                && tracked.sid == request.sid
                && tracked.replica.is_stale()
            {
                retry(tracked, &mut self.schedule);
            }
        }
    }

    /// Returns the next time at which [`poll_timeouts`](Self::poll_timeouts) has something to do. It may change with every frame.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.schedule.next_timer()
    }

    /// Processes timeouts up to `now`. A book that stayed crossed becomes stale, and a snapshot that did not arrive is requested again
    /// by the next [`drain_snapshot_requests`](Self::drain_snapshot_requests).
    pub fn poll_timeouts(&mut self, now: Instant) -> BookEvents {
        let mut events = BookEvents::default();
        while let Some(ticker) = self.schedule.pop_expired(now) {
            match self.books.get_mut(&ticker) {
                Some(tracked) if tracked.sid == NO_SUBSCRIPTION => {
                    self.books.remove(&ticker);
                }
                Some(tracked) => tracked.timer_expired(now, &mut self.schedule, &mut events),
                None => {}
            }
        }
        events
    }

    /// Returns the book of a market on a subscription. Creates it without a snapshot if it is new there. `None` if the market is not part of
    /// the subscription.
    fn tracked(
        &mut self,
        sid: u64,
        position: FramePosition,
        ticker: &str,
    ) -> Option<(&mut TrackedBook<B>, &mut Schedule)> {
        let subscription = self.subscriptions.get_mut(&sid)?;
        let has_room = subscription.tickers.len() < MAX_UNLISTED
            && (self.books.len() < MAX_UNLISTED || self.books.contains_key(ticker));
        if !subscription.admits(ticker, has_room) {
            return None;
        }
        let ticker = match self.books.get(ticker) {
            Some(tracked) => Arc::clone(&tracked.ticker),
            None => ticker.into(),
        };
        let is_new = subscription.tickers.insert(Arc::clone(&ticker));
        let has_loss = !subscription.sequence.is_complete();
        let new = || {
            let mut new = TrackedBook::new(Arc::clone(&ticker), sid, position, has_loss);
            new.replica.limit_buffer(MAX_UNLISTED_BUFFERED);
            new
        };
        let tracked = self.books.entry(Arc::clone(&ticker)).or_insert_with(new);
        if tracked.sid != sid {
            tracked.move_to(sid, position, has_loss);
        }
        if is_new && subscription.listing == Listing::Outdated {
            tracked.is_unproven = true;
        }
        Some((tracked, &mut self.schedule))
    }

    /// Returns the shared copy of a ticker.
    fn interned(&self, ticker: &str) -> Arc<str> {
        match self.books.get(ticker) {
            Some(tracked) => Arc::clone(&tracked.ticker),
            None => ticker.into(),
        }
    }

    fn mark_all_stale(&mut self, reason: StaleReason, events: &mut BookEvents) {
        let position =
            |(sid, subscription): (&u64, &Subscription)| (*sid, subscription.sequence.position());
        for (sid, last) in self.subscriptions.iter().map(position).collect::<Vec<_>>() {
            self.mark_subscription_stale(sid, Loss::After(last), reason, events);
        }
    }

    /// Makes all books of a subscription stale, because the lost frames may have concerned any of its markets. A book that a message has
    /// moved to another subscription returns.
    fn mark_subscription_stale(
        &mut self,
        sid: u64,
        loss: Loss,
        reason: StaleReason,
        events: &mut BookEvents,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        if subscription.listing == Listing::Current {
            subscription.listing = Listing::Outdated;
        }
        for ticker in subscription.tickers.clone() {
            if let Some((tracked, schedule)) = self.tracked(sid, loss.since(), &ticker) {
                tracked.lose(loss, reason, schedule, events);
            }
        }
    }
}

#[cfg(test)]
mod tests;
