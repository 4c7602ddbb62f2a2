//! Live order books over a connection: reads it, keeps the books, and requests their snapshots.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{task::unconstrained, time::Instant};

use super::{
    Books,
    api::{ApiBook, BookApi, BookMessage},
    event::{BookEvent, StaleReason},
    events::BookEvents,
};
use crate::ws::{
    CommandError, Connection, ConnectionBuilder, ConnectionError, ConnectionHandle, Event, Message,
    Received, SnapshotRequest, Subscription,
};

/// Shortest time between two requests for snapshots of one subscription.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// Most updates that one call of [`BookStream::changed`] takes.
const MAX_CHANGES: usize = 10_000;

/// Bytes of messages after which it takes no more.
const MAX_CHANGE_BYTES: usize = 16 * 1024 * 1024;

/// Live order books of markets, over a connection that reconnects.
///
/// It applies the messages of the connection, requests snapshots after gaps, and returns a book only while it is live.
///
/// [`changed`](Self::changed) returns the markets whose books changed since the last call. Use it for quoting and for display.
/// [`next`](Self::next) returns every single change, for recorders. Do not quote on each of them: while an order is sent, more changes
/// arrive, and every decision lags further behind the book. Fills and orders of the same connection wait in the same queue.
pub struct BookStream<A: BookApi> {
    client: A::Client,
    connection: Connection<A>,
    handle: ConnectionHandle<A>,
    books: Books<A::Book>,
    /// Markets of the first subscription, until it is known to the books.
    markets: Vec<String>,
    /// The subscription that is known to the books on this connection.
    sid: Option<u64>,
    updates: VecDeque<BookUpdate<A::Message>>,
    requests: FuturesUnordered<Request>,
    /// When snapshots were last requested, by subscription of this connection.
    requested: HashMap<u64, Instant>,
    /// Settled markets that are still part of the subscription.
    settled: Vec<String>,
    is_removing: bool,
    /// The error that ended the connection, if it is not returned yet.
    failed: Option<ConnectionError>,
}

/// A command in flight.
type Request = Pin<Box<dyn Future<Output = Done> + Send>>;

/// How a command ended.
enum Done {
    /// Snapshots were requested. Has those that failed.
    Requested(Option<SnapshotRequest>),
    /// Settled markets were removed, but for these.
    Removed(Vec<String>),
}

/// What a [`BookStream`] reports.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "news of the connection are rare")]
#[non_exhaustive]
pub enum BookUpdate<M> {
    /// A change of a book.
    Book(BookEvent),
    /// Any other event of the connection: messages of other channels included. A connection that
    /// [keeps the text of frames](ConnectionBuilder::keep_raw) also reports the messages of the books here, each before what it did to
    /// them.
    Connection(Event<Received<M>>),
}

impl<M: Message> BookUpdate<M> {
    /// Returns the message, such as a fill, or `None` if the update is about a book, the connection or a subscription.
    #[must_use]
    pub fn message(&self) -> Option<&M> {
        match self {
            Self::Connection(event) => event.message(),
            Self::Book(_) => None,
        }
    }
}

/// Updates since the last call of [`BookStream::changed`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Changes<M> {
    /// Markets whose book changed, went live or is no longer live.
    pub market_tickers: BTreeSet<Arc<str>>,
    /// Everything but [`BookEvent::Changed`], in the order of arrival: messages of other channels, events of the connection, and books
    /// that went live or stale. The `client_order_id` of a [`BookEvent::Changed`] is therefore not in it, and a change that made a book
    /// [`Withheld`](BookEvent::Withheld) or [`Live`](BookEvent::Live) has none.
    pub updates: Vec<BookUpdate<M>>,
}

impl<M> Default for Changes<M> {
    fn default() -> Self {
        Self {
            market_tickers: BTreeSet::new(),
            updates: Vec::new(),
        }
    }
}

impl<M> Changes<M> {
    fn push(&mut self, update: BookUpdate<M>) {
        if let BookUpdate::Book(event) = &update {
            match event {
                BookEvent::SnapshotOverdue { .. } => {}
                BookEvent::Changed { market_ticker, .. }
                | BookEvent::Live { market_ticker }
                | BookEvent::Withheld { market_ticker }
                | BookEvent::Stale { market_ticker, .. } => {
                    self.market_tickers.insert(Arc::clone(market_ticker));
                }
            }
        }
        if !matches!(update, BookUpdate::Book(BookEvent::Changed { .. })) {
            self.updates.push(update);
        }
    }
}

impl<A: BookApi> BookStream<A> {
    /// Connects and subscribes.
    pub(in crate::ws) async fn connect(
        builder: ConnectionBuilder<A>,
    ) -> Result<Self, ConnectionError> {
        let mut builder = A::prepare_books(builder)?;
        if !builder.channels().contains(&A::BOOK_CHANNEL) {
            builder = builder.channel(A::BOOK_CHANNEL);
        }
        let markets = builder.market_tickers().to_vec();
        let client = builder.client().clone();
        let connection = builder.connect().await?;
        Ok(Self {
            client,
            handle: connection.handle(),
            markets,
            sid: None,
            connection,
            books: A::new_books(),
            updates: VecDeque::new(),
            requests: FuturesUnordered::new(),
            requested: HashMap::new(),
            settled: Vec::new(),
            is_removing: false,
            failed: None,
        })
    }

    /// Returns the markets whose books changed since the last call, and all other updates. Waits until there is one. `None` after the
    /// end. Cancel safe.
    ///
    /// It takes up to 10,000 updates that have been received: a slow caller skips intermediate states of a book, but misses no fill.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ended for good. No book is live then.
    pub async fn changed(&mut self) -> Option<Result<Changes<A::Message>, ConnectionError>> {
        let mut changes = Changes::default();
        match self.next().await? {
            Ok(update) => changes.push(update),
            Err(error) => return Some(Err(error)),
        }
        let before = self.connection.bytes_taken();
        for _ in 1..MAX_CHANGES {
            if self.connection.bytes_taken().wrapping_sub(before) > MAX_CHANGE_BYTES {
                break;
            }
            match unconstrained(self.next()).now_or_never() {
                Some(Some(Ok(update))) => changes.push(update),
                Some(Some(Err(error))) => {
                    self.failed = Some(error);
                    break;
                }
                Some(None) | None => break,
            }
        }
        Some(Ok(changes))
    }

    /// Returns the next update, or `None` after the end. Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ended for good. No book is live then.
    pub async fn next(&mut self) -> Option<Result<BookUpdate<A::Message>, ConnectionError>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(Ok(update));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            self.send_requests();
            let timeout = self.books.next_timeout();
            tokio::select! {
                event = self.connection.next() => match event {
                    Some(Ok(event)) => self.take(event),
                    end => {
                        // No more changes come.
                        self.books.disconnected();
                        return end.map(|error| error.map(BookUpdate::Connection));
                    }
                },
                Some(done) = self.requests.next(), if !self.requests.is_empty() => match done {
                    Done::Requested(Some(failed)) => self.books.request_failed(&failed),
                    Done::Requested(None) => {}
                    Done::Removed(failed) => {
                        self.is_removing = false;
                        self.settled.extend(failed);
                    }
                },
                () = until(timeout), if timeout.is_some() => {
                    let events = self.books.poll_timeouts(Instant::now());
                    self.updates.extend(events.into_iter().map(BookUpdate::Book));
                }
            }
        }
    }

    /// Sends the commands that are due. Snapshots of a subscription are requested once a second at most.
    fn send_requests(&mut self) {
        if !self.is_removing && !self.settled.is_empty() {
            self.is_removing = true;
            let settled = std::mem::take(&mut self.settled);
            let own = self.connection.subscriptions().iter();
            let own = own.filter(|own| *own.channel() == A::BOOK_CHANNEL);
            let ids: Vec<_> = own.map(Subscription::id).collect();
            let handle = self.handle.clone();
            self.requests.push(Box::pin(async move {
                let mut failed = Vec::new();
                for id in ids {
                    let Err(error) = handle.remove_markets(id, settled.clone()).await else {
                        continue;
                    };
                    tracing::debug!(%error, "settled markets not removed");
                    // Otherwise they would be subscribed to again after every reconnect.
                    if matches!(
                        error,
                        ConnectionError::Disconnected | ConnectionError::Timeout(_)
                    ) {
                        failed.clone_from(&settled);
                    }
                }
                Done::Removed(failed)
            }));
        }
        for request in self.books.drain_snapshot_requests() {
            let now = Instant::now();
            let before = self.requested.insert(request.sid, now);
            let since = before.map(|before| now - before);
            let pause = since.map_or(Duration::ZERO, |since| REQUEST_PAUSE.saturating_sub(since));
            self.requests.push(ask(self.handle.clone(), request, pause));
        }
    }

    /// Registers the markets of a new subscription, so that snapshots that do not come are requested.
    fn register_books(&mut self, event: &Event<Received<A::Message>>) {
        let (subscription, sid, markets) = match event {
            Event::Disconnected { .. } => {
                self.requested.clear();
                self.sid = None;
                return;
            }
            Event::Resubscribed {
                subscription,
                sid,
                targets,
            } => (Some(*subscription), *sid, Some(targets)),
            Event::Detached { sid, .. } if self.sid == Some(*sid) => {
                self.sid = None;
                return;
            }
            Event::Message(received) if ends_subscription::<A>(received, self.sid) => {
                self.sid = None;
                return;
            }
            Event::Message(received) if self.sid.is_none() => match received.frame.sid {
                Some(sid) => (received.subscription, sid, None),
                None => return,
            },
            _ => return,
        };
        let own = self.connection.subscriptions().iter();
        let mut own = own.filter(|own| *own.channel() == A::BOOK_CHANNEL);
        if own.any(|own| Some(own.id()) == subscription) {
            let first = std::mem::take(&mut self.markets);
            let markets = markets.map_or(first.as_slice(), |targets| targets);
            self.books.register(sid, markets);
            self.sid = Some(sid);
        }
    }

    /// Returns `true` if an event is a message about a book of a subscription that does not exist on this connection, such as one that
    /// has ended. It would move the book to a subscription that no snapshot can be requested from.
    fn is_stray(&self, event: &Event<Received<A::Message>>) -> bool {
        let Event::Message(received) = event else {
            return false;
        };
        let frame = &received.frame;
        let may_be_about_books = matches!(
            A::Book::read(&frame.message),
            BookMessage::Snapshot(_) | BookMessage::Delta(_) | BookMessage::Malformed(_)
        );
        may_be_about_books
            && received.subscription.is_none()
            && frame.sid.is_some()
            && frame.sid != self.sid
    }

    /// Expects snapshots of the books that an acknowledgement without a list has ended. The connection knows which markets are still
    /// subscribed to, and requests no snapshots of others.
    fn expect_unlisted(&mut self, events: &[BookEvent]) {
        let unlisted = events.iter().filter_map(|event| match event {
            BookEvent::Stale {
                market_ticker,
                reason: StaleReason::UnlistedMarkets,
            } => Some(market_ticker),
            _ => None,
        });
        let mut unlisted = unlisted.peekable();
        if let Some(sid) = self.sid.filter(|_| unlisted.peek().is_some()) {
            self.books.register(sid, unlisted);
        }
    }

    fn take(&mut self, event: Event<Received<A::Message>>) {
        self.register_books(&event);
        let events = match self.is_stray(&event) {
            true => BookEvents::default(),
            false => self.books.apply_event(&event),
        };
        for event in &events {
            if let BookEvent::Stale {
                market_ticker,
                reason: StaleReason::Settled,
            } = event
            {
                self.settled.push(market_ticker.to_string());
            }
        }
        self.expect_unlisted(&events);
        let belongs_to_books = matches!(
            &event,
            Event::Message(received) if matches!(
                A::Book::read(&received.frame.message),
                BookMessage::Snapshot(_)
                    | BookMessage::Delta(_)
                    | BookMessage::Acknowledged(_)
                    | BookMessage::Unsubscribed
            )
        );
        let is_raw = matches!(&event, Event::Message(received) if received.raw.is_some());
        if is_raw || !belongs_to_books {
            self.updates.push_back(BookUpdate::Connection(event));
        }
        self.updates
            .extend(events.into_iter().map(BookUpdate::Book));
    }

    /// The book of a market, while it is live.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&A::Book> {
        self.books.live(market_ticker)
    }

    /// Time since the last update of a live book, by the exchange's clock: see [`ApiBook::last_update`]. It grows while the market is
    /// quiet, so it does not measure the delay of the connection.
    ///
    /// `None` if the book is not live or has no time of an update. The clock is that of this machine, corrected by
    /// [`clock_skew`](crate::Core::clock_skew) once that is known.
    #[must_use]
    pub fn age(&self, market_ticker: &str) -> Option<TimeDelta> {
        let updated = self.live(market_ticker)?.last_update()?;
        let skew = A::core(&self.client).clock_skew().unwrap_or_default();
        // chrono reads the clock only with a feature that this crate does not need.
        let now = DateTime::<Utc>::from(SystemTime::now());
        now.checked_add_signed(skew).map(|now| now - updated)
    }

    /// All the books.
    #[must_use]
    pub fn books(&self) -> &Books<A::Book> {
        &self.books
    }

    /// The connection, for its subscriptions and further commands.
    pub fn connection(&self) -> &Connection<A> {
        &self.connection
    }

    /// Closes the connection.
    pub async fn shutdown(self) {
        self.connection.shutdown().await;
    }
}

/// Returns `true` if a message ends the subscription with this number.
fn ends_subscription<A: BookApi>(received: &Received<A::Message>, sid: Option<u64>) -> bool {
    let is_terminal = match A::Book::read(&received.frame.message) {
        BookMessage::Error(code) => CommandError::new(code).is_terminal(),
        BookMessage::Unsubscribed => received.frame.sid.is_some(),
        _ => false,
    };
    is_terminal && sid.is_some() && received.frame.sid.is_none_or(|of| Some(of) == sid)
}

/// Waits for a time, if there is one.
async fn until(timeout: Option<Instant>) {
    if let Some(timeout) = timeout {
        tokio::time::sleep_until(timeout).await;
    }
}

/// Requests snapshots. An error does not say which market it is about, so each is then requested alone.
fn ask<A: BookApi>(
    handle: ConnectionHandle<A>,
    mut request: SnapshotRequest,
    pause: Duration,
) -> Request {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        let Err(error) = handle.send_request(&request).await else {
            return Done::Requested(None);
        };
        let sid = request.sid;
        // The books have a timeout of their own for each snapshot.
        if matches!(error, ConnectionError::Timeout(_)) {
            return Done::Requested(None);
        }
        tracing::debug!(sid, %error, "snapshot request failed");
        let is_of_one = matches!(&error, ConnectionError::Command(error) if !error.is_transient());
        if is_of_one && request.market_tickers.len() > 1 {
            let mut failed = Vec::new();
            for market_ticker in request.market_tickers {
                let alone = SnapshotRequest::new(sid, vec![market_ticker]);
                if handle.send_request(&alone).await.is_err() {
                    failed.extend(alone.market_tickers);
                }
            }
            request = SnapshotRequest::new(sid, failed);
        }
        Done::Requested(Some(request))
    })
}

impl<A: BookApi> fmt::Debug for BookStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
