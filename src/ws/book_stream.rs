//! Order books that keep themselves: a stream, its books, and the snapshots they ask for.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    pin::Pin,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use kalshi_core::ws::{BookApi, SnapshotRequest};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    Channel, Connection, ConnectionBuilder, ConnectionError, ConnectionHandle, Event,
    book::{OrderBook, PriceMode},
    book_event::{BookEvent, StaleReason},
    books::Books,
    messages::Message,
};
use crate::TradeApi;

/// Shortest time between two requests for snapshots of one subscription.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// Live order books of markets, over connections that come and go.
///
/// It reads the stream, asks for snapshots where something was missed, and gives a book out only while it is live.
///
/// ```no_run
/// use kalshi_sdk::{Client, ws::{BookEvent, BookUpdate, OutcomeSide}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut books = client.websocket().market("KXTEST-26-A").books().await?;
/// while let Some(update) = books.next().await {
///     match update? {
///         BookUpdate::Book(BookEvent::Stale { market_ticker, reason }) => {
///             println!("{market_ticker} is stale: {reason:?}");
///         }
///         BookUpdate::Book(event) => match books.live(event.market_ticker()) {
///             Some(book) => {
///                 println!("{:?} to {:?}", book.best_bid(OutcomeSide::Yes), book.best_ask(OutcomeSide::Yes));
///             }
///             None => println!("{} has no book at the moment", event.market_ticker()),
///         },
///         BookUpdate::Connection(event) => println!("{event:?}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct BookStream {
    connection: Connection,
    handle: ConnectionHandle,
    books: Books,
    /// What it was made for.
    markets: Vec<String>,
    /// The subscription that is known to the books on this connection.
    sid: Option<u64>,
    updates: VecDeque<BookUpdate>,
    requests: FuturesUnordered<Request>,
    /// When snapshots were last asked for, by subscription.
    asked: HashMap<u64, Instant>,
}

/// A request for snapshots in flight. Returns those that failed.
type Request = Pin<Box<dyn Future<Output = Option<SnapshotRequest>> + Send>>;

/// What a [`BookStream`] reports.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "news of the connection are rare")]
#[non_exhaustive]
pub enum BookUpdate {
    /// What became of a book.
    Book(BookEvent),
    /// News of the connection, and messages that have nothing to do with books.
    Connection(Event),
}

impl BookApi for TradeApi {
    type BookStream = BookStream;

    async fn books(builder: ConnectionBuilder) -> Result<BookStream, ConnectionError> {
        let params = builder.params_of(&Channel::OrderbookDelta);
        let uses_no_price =
            |params: &Map<String, Value>| params.get("use_yes_price") == Some(&false.into());
        if params.as_ref().is_ok_and(uses_no_price) {
            return Err(ConnectionError::Invalid(
                "order books are kept with YES prices: do not set `use_yes_price` to false"
                    .to_owned(),
            ));
        }
        // YES prices are the mode that the exchange keeps. Books need the list of markets in acknowledgements.
        let mut builder =
            builder.params(|params| params.use_yes_price(true).skip_ticker_ack(false));
        if !builder.channels().contains(&Channel::OrderbookDelta) {
            builder = builder.channel(Channel::OrderbookDelta);
        }
        let markets = builder.market_tickers().to_vec();
        let connection = builder.connect().await?;
        Ok(BookStream {
            handle: connection.handle(),
            markets,
            sid: None,
            connection,
            books: Books::with_mode(PriceMode::YesPrices),
            updates: VecDeque::new(),
            requests: FuturesUnordered::new(),
            asked: HashMap::new(),
        })
    }
}

impl BookStream {
    /// The next update, or `None` after the end. Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ended for good. No book is live then.
    pub async fn next(&mut self) -> Option<Result<BookUpdate, ConnectionError>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(Ok(update));
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
                Some(failed) = self.requests.next(), if !self.requests.is_empty() => {
                    if let Some(failed) = failed {
                        self.books.request_failed(&failed);
                    }
                }
                () = until(timeout), if timeout.is_some() => {
                    let events = self.books.poll_timeouts(Instant::now());
                    self.updates.extend(events.into_iter().map(BookUpdate::Book));
                }
            }
        }
    }

    /// Sends the requests that are due, not more often than once in a while for each subscription.
    fn send_requests(&mut self) {
        for request in self.books.drain_snapshot_requests() {
            let now = Instant::now();
            let since = self.asked.insert(request.sid, now).map(|asked| now - asked);
            let pause = since.map_or(Duration::ZERO, |since| REQUEST_PAUSE.saturating_sub(since));
            self.requests.push(ask(self.handle.clone(), request, pause));
        }
    }

    /// Registers the markets of a new subscription, so that snapshots that do not come are requested.
    fn register_books(&mut self, event: &Event) {
        let (subscription, sid) = match event {
            Event::Disconnected { .. } => return self.sid = None,
            Event::Resubscribed { subscription, sid } => (Some(*subscription), Some(*sid)),
            Event::Message(received) => (received.subscription, received.frame.sid),
            _ => return,
        };
        let own = self.connection.subscriptions().iter();
        let mut own = own.filter(|own| *own.channel() == Channel::OrderbookDelta);
        if sid == self.sid || !own.any(|own| Some(own.id()) == subscription) {
            return;
        }
        if let Some(sid) = sid {
            let mut markets = std::mem::take(&mut self.markets);
            markets.extend(self.books.market_tickers().map(str::to_owned));
            self.books.register(sid, PriceMode::YesPrices, markets);
            self.sid = Some(sid);
        }
    }

    /// Returns `true` if an event is a message about a book of a subscription that does not exist on this connection, such as one that
    /// has ended. It would move the book to a subscription that no snapshot can be requested from.
    fn is_stray(&self, event: &Event) -> bool {
        let Event::Message(received) = event else {
            return false;
        };
        let frame = &received.frame;
        let may_be_about_books = matches!(
            frame.message,
            Message::OrderbookSnapshot(_) | Message::OrderbookDelta(_) | Message::Malformed(_)
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
        if let Some(sid) = self.sid {
            self.books.register(sid, PriceMode::YesPrices, unlisted);
        }
    }

    fn take(&mut self, event: Event) {
        self.register_books(&event);
        let events = match self.is_stray(&event) {
            true => Vec::new(),
            false => self.books.apply_event(&event),
        };
        self.expect_unlisted(&events);
        let belongs_to_books = matches!(
            &event,
            Event::Message(received) if matches!(
                received.frame.message,
                Message::OrderbookSnapshot(_)
                    | Message::OrderbookDelta(_)
                    | Message::OkReply(_)
                    | Message::UnsubscribedReply
            )
        );
        if !belongs_to_books {
            self.updates.push_back(BookUpdate::Connection(event));
        }
        self.updates
            .extend(events.into_iter().map(BookUpdate::Book));
    }

    /// The book of a market, while it is live.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&OrderBook> {
        self.books.live(market_ticker)
    }

    /// All the books.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The connection, for its subscriptions and further commands.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Closes the connection.
    pub async fn shutdown(self) {
        self.connection.shutdown().await;
    }
}

/// Waits for a time, if there is one.
async fn until(timeout: Option<Instant>) {
    if let Some(timeout) = timeout {
        tokio::time::sleep_until(timeout).await;
    }
}

/// Requests snapshots. An error does not say which market it is about, so each is then requested alone.
fn ask(handle: ConnectionHandle, mut request: SnapshotRequest, pause: Duration) -> Request {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        let error = handle.send_request(&request).await.err()?;
        let sid = request.sid;
        // The books have a timeout of their own for each snapshot.
        if matches!(error, ConnectionError::Timeout(_)) {
            return None;
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
        Some(request)
    })
}

impl fmt::Debug for BookStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
