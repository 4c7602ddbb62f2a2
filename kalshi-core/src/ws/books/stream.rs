//! Live order books over a connection: reads messages and applies them.

mod commands;

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{task::unconstrained, time::Instant};

use self::commands::{Done, Request, Suspects};
use super::{
    Books,
    api::{ApiBook, BookMessage, OrderBookApi},
    event::{BookEvent, StaleReason},
    events::BookEvents,
};
use crate::{
    api::ApiClient,
    ws::{
        CommandError, Connection, ConnectionBuilder, ConnectionError, ConnectionHandle, Event,
        Message, Received, SubscriptionId,
    },
};

/// Maximum number of updates that one call of [`BookStream::changed`] processes.
const MAX_CHANGES: usize = 10_000;

/// Number of message bytes after which [`BookStream::changed`] returns.
const MAX_CHANGE_BYTES: usize = 16 * 1024 * 1024;

/// Live order books over a connection that reconnects.
///
/// The stream applies the messages of the connection, requests snapshots after gaps, and returns a book only while it is live.
///
/// [`changed`](Self::changed) returns the markets whose books changed since the last call. Use it for quoting and display.
/// [`next`](Self::next) returns every single change, for recorders. Do not quote on each of them: further changes arrive while an order is
/// sent, so every decision lags further behind the book. Fills and orders on the same connection wait in the same queue.
pub struct BookStream<A: OrderBookApi> {
    client: A::Client,
    connection: Connection<A>,
    handle: ConnectionHandle<A>,
    books: Books<A::Book>,
    /// Markets of the first subscription, until it is registered with the books.
    markets: Vec<String>,
    /// Number of sockets so far.
    sockets: u64,
    /// Number of the subscription that is registered with the books on this connection.
    sid: Option<u64>,
    updates: VecDeque<BookUpdate<A::Message>>,
    requests: FuturesUnordered<Request>,
    /// Earliest time of the next snapshot request, by subscription number of this connection.
    next_requests: HashMap<u64, Instant>,
    suspects: Suspects,
    /// Settled markets that are still part of the subscription.
    settled: Vec<String>,
    is_removing: bool,
    /// The error that ended the connection, until it is returned.
    failed: Option<ConnectionError>,
}

/// An update of a [`BookStream`].
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "events of the connection are rare"
)]
#[non_exhaustive]
pub enum BookUpdate<M> {
    /// A change of the state of a book.
    Book(BookEvent),
    /// Any other event of the connection, including messages of other channels. If the connection
    /// [keeps the text of frames](ConnectionBuilder::keep_raw), this includes each message of the books, reported before the changes that it causes.
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
    /// Markets whose book changed, became live or is no longer live.
    pub market_tickers: BTreeSet<Arc<str>>,
    /// All updates except [`BookEvent::Changed`], in the order of arrival: messages of other channels, events of the connection, and books
    /// that became live or stale. The `client_order_id` of a [`BookEvent::Changed`] is therefore not included, and
    /// [`Withheld`](BookEvent::Withheld) and [`Live`](BookEvent::Live) do not carry that of the change that caused them.
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

impl<A: OrderBookApi> ConnectionBuilder<A> {
    /// Connects and maintains the order books of the chosen markets. The order book channel is added automatically.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection cannot be established, if a subscription is rejected, or if order books cannot be maintained with
    /// a parameter of the builder.
    pub async fn books(self) -> Result<BookStream<A>, ConnectionError> {
        BookStream::connect(self).await
    }
}

impl<A: OrderBookApi> BookStream<A> {
    /// Connects and subscribes to the order books.
    async fn connect(builder: ConnectionBuilder<A>) -> Result<Self, ConnectionError> {
        let mut builder = A::prepare_books(builder)?;
        if !builder.channels().contains(&A::BOOK_CHANNEL) {
            builder = builder.channel(A::BOOK_CHANNEL);
        }
        let markets = builder.market_tickers().to_vec();
        let client = builder.client().clone();
        let mut channels = builder.channels.iter();
        let at = channels.position(|channel| *channel == A::BOOK_CHANNEL);
        // Snapshots come last: a notice that precedes its own subscription would be lost.
        let at = at.filter(|_| A::Book::HAS_NOTICES);
        if let Some(last) = at.and_then(|at| builder.channels.get_mut(at..)) {
            last.rotate_left(1);
        }
        let mut connection = builder.connect().await?;
        if let Some(last) = at.and_then(|at| connection.subscriptions.get_mut(at..)) {
            last.rotate_right(1);
        }
        Ok(Self {
            client,
            handle: connection.handle(),
            markets,
            sockets: 0,
            sid: None,
            connection,
            books: A::new_books(),
            updates: VecDeque::new(),
            requests: FuturesUnordered::new(),
            next_requests: HashMap::new(),
            suspects: Suspects::default(),
            settled: Vec::new(),
            is_removing: false,
            failed: None,
        })
    }

    /// Waits for an update, and returns the markets whose books changed since the last call along with all other updates. Returns `None`
    /// after the end. Cancel safe.
    ///
    /// A call processes up to 10,000 updates that have arrived. A slow caller skips intermediate states of a book, but misses no fill.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ended permanently. No book is live then.
    pub async fn changed(&mut self) -> Option<Result<Changes<A::Message>, ConnectionError>> {
        let mut changes = Changes::default();
        match self.next().await? {
            Ok(update) => changes.push(update),
            Err(error) => return Some(Err(error)),
        }
        let before = self.connection.bytes_dequeued();
        for _ in 1..MAX_CHANGES {
            if self.connection.bytes_dequeued().wrapping_sub(before) > MAX_CHANGE_BYTES {
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

    /// Returns the next update, or `None` once the connection has ended. This method is cancel safe.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ended permanently. No book is live then.
    pub async fn next(&mut self) -> Option<Result<BookUpdate<A::Message>, ConnectionError>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(Ok(update));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            self.send_requests();
            let timeout = self.next_timeout();
            tokio::select! {
                event = self.connection.next() => match event {
                    Some(Ok(event)) => self.take(event),
                    end => {
                        // No further changes follow.
                        self.books.disconnected();
                        return end.map(|error| error.map(BookUpdate::Connection));
                    }
                },
                Some(done) = self.requests.next(), if !self.requests.is_empty() => match done {
                    Done::Requested(request, result) => self.requested(&request, result),
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

    /// Returns the time of the next timeout of a book, or of the next snapshot request that must wait for the previous one.
    fn next_timeout(&self) -> Option<Instant> {
        let waits = self.books.schedule.has_due();
        let requests = self.next_requests.values().filter(|_| waits).copied();
        requests.chain(self.books.next_timeout()).min()
    }

    /// Registers the markets of a new subscription, so that missing snapshots are requested.
    fn register_books(&mut self, event: &Event<Received<A::Message>>) -> BookEvents {
        let none = BookEvents::default();
        let (subscription, sid, markets) = match event {
            Event::Disconnected { .. } => {
                self.next_requests.clear();
                self.suspects.clear();
                self.sid = None;
                return none;
            }
            Event::Resubscribed {
                subscription,
                sid,
                targets,
            } => (Some(*subscription), *sid, Some(targets)),
            Event::Detached { sid, .. } if self.sid == Some(*sid) => {
                self.sid = None;
                return none;
            }
            Event::Message(received) if ends_subscription::<A>(received, self.sid) => {
                self.sid = None;
                return none;
            }
            Event::Message(received) if self.sid.is_none() => match received.frame.sid {
                Some(sid) => (received.subscription, sid, None),
                None => return none,
            },
            _ => return none,
        };
        if self.is_of_books(subscription) != Some(true) {
            return none;
        }
        let first = std::mem::take(&mut self.markets);
        let markets = markets.map_or(first.as_slice(), |targets| targets);
        self.sid = Some(sid);
        self.books.register(sid, markets)
    }

    /// Returns `true` if a subscription of this stream is one to order books. `None` if it was not made with the stream.
    fn is_of_books(&self, subscription: Option<SubscriptionId>) -> Option<bool> {
        let mut own = self.connection.subscriptions().iter();
        let own = own.find(|own| Some(own.id()) == subscription)?;
        Some(*own.channel() == A::BOOK_CHANNEL)
    }

    /// Registers the markets of the first subscription at the start of its socket. Without a message, nothing else would request missing
    /// snapshots.
    fn register_first(&mut self, event: &Event<Received<A::Message>>) -> BookEvents {
        if !matches!(event, Event::Connected) {
            return BookEvents::default();
        }
        self.sockets += 1;
        let own = self.connection.subscriptions().iter();
        let mut own = own.filter(|own| *own.channel() == A::BOOK_CHANNEL);
        let Some(first) = own.find(|own| own.made().socket == self.sockets) else {
            return BookEvents::default();
        };
        let sid = first.made().sid;
        self.sid = Some(sid);
        self.books.register(sid, std::mem::take(&mut self.markets))
    }

    /// Returns the market of a book message of another subscription, such as one that has ended. It would move the book to a subscription
    /// from which no snapshot can be requested.
    fn stray_market<'a>(&self, event: &'a Event<Received<A::Message>>) -> Option<Cow<'a, str>> {
        let Event::Message(received) = event else {
            return None;
        };
        let sid = received.frame.sid?;
        let is_stray = match self.is_of_books(received.subscription) {
            Some(is_of_books) => !is_of_books,
            // The exchange has one subscription for each channel.
            None if received.subscription.is_some() => self.sid.is_some_and(|own| own != sid),
            None => self.sid != Some(sid),
        };
        let message = is_stray.then(|| A::Book::read(&received.frame.message));
        message?.market_ticker()
    }

    /// Expects snapshots of the books that became stale through an acknowledgement without a list. The connection tracks which markets are
    /// still subscribed to, and requests no snapshots of others.
    fn expect_unlisted(&mut self, events: &[BookEvent]) -> BookEvents {
        let unlisted = events.iter().filter_map(|event| match event {
            BookEvent::Stale {
                market_ticker,
                reason: StaleReason::UnlistedMarkets,
            } => Some(market_ticker),
            _ => None,
        });
        let mut unlisted = unlisted.peekable();
        match self.sid.filter(|_| unlisted.peek().is_some()) {
            Some(sid) => self.books.register(sid, unlisted),
            None => BookEvents::default(),
        }
    }

    fn take(&mut self, event: Event<Received<A::Message>>) {
        let mut events = self.register_books(&event);
        match self.stray_market(&event) {
            // The message may show a change that the book lacks.
            Some(market_ticker) => self.books.doubt(&market_ticker, &mut events),
            None => events.extend(self.books.apply_event(&event)),
        }
        events.extend(self.register_first(&event));
        for event in &events {
            let BookEvent::Stale {
                market_ticker,
                reason,
            } = event
            else {
                continue;
            };
            if *reason == StaleReason::Settled {
                self.settled.push(market_ticker.to_string());
            }
            if !self.books.books.contains_key(market_ticker) {
                self.suspects.remove(market_ticker);
            }
        }
        let expected = self.expect_unlisted(&events);
        events.extend(expected);
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

    /// Returns the book of a market, or `None` if it is not live.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&A::Book> {
        self.books.live(market_ticker)
    }

    /// Returns the time since the last update of a live book, on the exchange's clock (see [`ApiBook::last_update`]). It grows while the
    /// market is quiet, so it does not measure the delay of the connection.
    ///
    /// `None` if the book is not live or has no update time. The current time is that of the client's clock, corrected by
    /// [`clock_skew`](crate::Core::clock_skew) once it has been measured.
    #[must_use]
    pub fn age(&self, market_ticker: &str) -> Option<TimeDelta> {
        let updated = self.live(market_ticker)?.last_update()?;
        let now = self.client.core().shared.exchange_time();
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let now = DateTime::from_timestamp_millis(i64::try_from(now.as_millis()).ok()?)?;
        Some(now - updated)
    }

    /// Returns the books of all markets.
    #[must_use]
    pub fn books(&self) -> &Books<A::Book> {
        &self.books
    }

    /// Returns the connection, for its subscriptions and further commands.
    pub fn connection(&self) -> &Connection<A> {
        &self.connection
    }

    /// Closes the connection and discards the books.
    pub async fn shutdown(self) {
        self.connection.shutdown().await;
    }
}

/// Returns `true` if a message ends the subscription `sid`.
fn ends_subscription<A: OrderBookApi>(received: &Received<A::Message>, sid: Option<u64>) -> bool {
    let of = received.frame.sid;
    let ends = match A::Book::read(&received.frame.message) {
        BookMessage::Error(code) if of.is_none() => CommandError::new(code).is_terminal(),
        BookMessage::Error(code) => CommandError::new(code).ends_subscription(),
        BookMessage::Unsubscribed => true,
        _ => false,
    };
    ends && sid.is_some() && (of.is_none() || of == sid)
}

/// Sleeps until `timeout`. Returns immediately if it is `None`.
async fn until(timeout: Option<Instant>) {
    if let Some(timeout) = timeout {
        tokio::time::sleep_until(timeout).await;
    }
}

impl<A: OrderBookApi> fmt::Debug for BookStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
