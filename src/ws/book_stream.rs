//! Order books that keep themselves: a stream, its books, and the snapshots they ask for.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    pin::Pin,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{
    BookEvent, Books, Channel, OrderBook, SnapshotRequest, Stream, StreamBuilder, StreamError,
    StreamEvent, StreamHandle, subscription::Command,
};

/// How long to wait before a snapshot that was refused is asked for again, at first; twice as long each time after.
const BEFORE_ASKING_AGAIN: Duration = Duration::from_secs(1);
/// How often that pause doubles, to about a minute.
const MOST_DOUBLED: u32 = 6;

/// Live order books of markets, over connections that come and go.
///
/// It reads the stream, asks for snapshots where something was missed, and gives a book out only while it is live.
///
/// ```no_run
/// use kalshi_sdk::{Client, ws::{BookEvent, BookUpdate, Outcome}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut books = client.stream().market("KXTEST-26-A").books().await?;
/// while let Some(update) = books.next().await {
///     match update? {
///         BookUpdate::Book(BookEvent::Stale { market_ticker, reason }) => {
///             println!("{market_ticker} is not to be traded on: {reason:?}");
///         }
///         BookUpdate::Book(event) => {
///             let book = books.live(event.market_ticker()).unwrap();
///             println!("{:?} to {:?}", book.best_bid(Outcome::Yes), book.best_ask(Outcome::Yes));
///         }
///         BookUpdate::Connection(event) => println!("{event:?}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct BookStream {
    stream: Stream,
    handle: StreamHandle,
    books: Books,
    /// What it was made for.
    markets: Vec<String>,
    /// The subscription that is known to the books on this connection.
    sid: Option<u64>,
    updates: VecDeque<BookUpdate>,
    requests: FuturesUnordered<Request>,
    /// When snapshots were last asked for, by subscription.
    asked: HashMap<u64, Instant>,
    /// How often the snapshot of a market was refused since its book was live.
    refusals: HashMap<String, u32>,
}

/// What is under way for snapshots, and what is to be done after it.
type Request = Pin<Box<dyn Future<Output = Next> + Send>>;

enum Next {
    Nothing,
    /// These were refused.
    Wait(SnapshotRequest),
    AskAgain(SnapshotRequest),
}

/// What a [`BookStream`] tells.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "news of the connection are rare")]
#[non_exhaustive]
pub enum BookUpdate {
    /// What became of a book.
    Book(BookEvent),
    /// News of the connection, and messages that have nothing to do with books.
    Connection(StreamEvent),
}

impl StreamBuilder {
    /// Connects, and keeps the order books of the markets chosen. The channel `orderbook_delta` need not be named, and
    /// `skip_ticker_ack` is not asked for.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and when `use_yes_price` was set.
    pub async fn books(mut self) -> Result<BookStream, StreamError> {
        if self.uses_yes_price() {
            return Err(StreamError::Invalid(
                "books are kept by NO prices: leave `use_yes_price` away".to_owned(),
            ));
        }
        self = self.for_books();
        if !self.has_channel(&Channel::OrderbookDelta) {
            self = self.channel(Channel::OrderbookDelta);
        }
        let markets = self.market_tickers().to_vec();
        let stream = self.connect().await?;
        Ok(BookStream {
            handle: stream.handle(),
            markets,
            sid: None,
            stream,
            books: Books::new(),
            updates: VecDeque::new(),
            requests: FuturesUnordered::new(),
            asked: HashMap::new(),
            refusals: HashMap::new(),
        })
    }
}

impl StreamHandle {
    /// Asks for the snapshots that [`Books::take_requests`] wants; they come in the stream.
    ///
    /// # Errors
    ///
    /// Those of [`command`](Self::command).
    pub async fn send_request(&self, request: &SnapshotRequest) -> Result<(), StreamError> {
        let (sid, market_tickers) = (request.sid, request.market_tickers.clone());
        let snapshots = self.ask(|reply| Command::SnapshotOf {
            sid,
            market_tickers,
            reply,
        });
        snapshots.await.map(drop)
    }
}

impl BookStream {
    /// What happens next; none after the end. It may be dropped and asked again at any time.
    pub async fn next(&mut self) -> Option<Result<BookUpdate, StreamError>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(Ok(update));
            }
            for request in self.books.take_requests() {
                // Not in a circle, where a snapshot does not mend the book.
                let now = Instant::now();
                let since = self.asked.insert(request.sid, now).map(|asked| now - asked);
                let pause = since.map_or(Duration::ZERO, |since| {
                    BEFORE_ASKING_AGAIN.saturating_sub(since)
                });
                self.requests.push(ask(self.handle.clone(), request, pause));
            }
            tokio::select! {
                event = self.stream.next() => match event {
                    Some(Ok(event)) => self.take(event),
                    end => {
                        // Nothing comes any more: no book is live.
                        self.books.disconnected();
                        return end.map(|error| error.map(BookUpdate::Connection));
                    }
                },
                Some(next) = self.requests.next(), if !self.requests.is_empty() => match next {
                    Next::Nothing => {}
                    Next::Wait(refused) => self.wait(refused),
                    Next::AskAgain(request) => self.books.ask_again(&request),
                }
            }
        }
    }

    /// Has markets asked for again, the later the more often that was refused.
    fn wait(&mut self, refused: SnapshotRequest) {
        let mut most = 0;
        for market_ticker in &refused.market_tickers {
            let refusals = self.refusals.entry(market_ticker.clone()).or_default();
            most = most.max(*refusals);
            *refusals += 1;
        }
        let pause = BEFORE_ASKING_AGAIN * 2_u32.pow(most.min(MOST_DOUBLED));
        self.requests.push(Box::pin(async move {
            tokio::time::sleep(pause).await;
            Next::AskAgain(refused)
        }));
    }

    /// Tells the books what a new subscription has, so that they notice if its first messages get lost.
    fn expect_books(&mut self, event: &StreamEvent) {
        let (subscription, sid) = match event {
            StreamEvent::Disconnected { .. } => return self.sid = None,
            StreamEvent::Resubscribed { subscription, sid } => (Some(*subscription), Some(*sid)),
            StreamEvent::Message(received) => (received.subscription, received.frame.sid),
            _ => return,
        };
        let own = self.stream.subscriptions().iter();
        let mut own = own.filter(|own| *own.channel() == Channel::OrderbookDelta);
        if sid == self.sid || !own.any(|own| Some(own.id()) == subscription) {
            return;
        }
        if let Some(sid) = sid {
            let mut markets = std::mem::take(&mut self.markets);
            markets.extend(self.books.market_tickers().map(str::to_owned));
            self.books.expect(sid, markets);
            self.sid = Some(sid);
        }
    }

    fn take(&mut self, event: StreamEvent) {
        self.expect_books(&event);
        let events = self.books.feed_event(&event);
        for event in &events {
            if let BookEvent::Live { market_ticker } = event {
                self.refusals.remove(market_ticker.as_ref());
            }
        }
        let is_of_a_book =
            matches!(&event, StreamEvent::Message(received) if received.is_of_a_book());
        if !is_of_a_book {
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

    /// The stream below, for its subscriptions and further commands.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Closes the connection.
    pub async fn shutdown(self) {
        self.stream.shutdown().await;
    }
}

/// Asks for snapshots. A refusal does not say which market it is about, so each is asked for alone then.
fn ask(handle: StreamHandle, mut request: SnapshotRequest, pause: Duration) -> Request {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        let Err(error) = handle.send_request(&request).await else {
            return Next::Nothing;
        };
        tracing::debug!(%error, "snapshots were not to be had");
        let sid = request.sid;
        let is_of_one = matches!(&error, StreamError::Command(error) if !error.is_transient());
        if is_of_one && request.market_tickers.len() > 1 {
            let mut refused = Vec::new();
            for market_ticker in request.market_tickers {
                let market_tickers = vec![market_ticker];
                let alone = SnapshotRequest {
                    sid,
                    market_tickers,
                };
                if handle.send_request(&alone).await.is_err() {
                    refused.extend(alone.market_tickers);
                }
            }
            request = SnapshotRequest {
                sid,
                market_tickers: refused,
            };
        }
        Next::Wait(request)
    })
}

impl fmt::Debug for BookStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookStream")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
