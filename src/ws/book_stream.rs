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
    book::OrderBook, book_event::BookEvent, books::Books, messages::Message,
};
use crate::TradeApi;

/// Pause before a rejected snapshot is requested again. It doubles each time.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);
/// Times that the pause doubles, to about a minute.
const MAX_DOUBLINGS: u32 = 6;

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
///             println!("{market_ticker} is not to be traded on: {reason:?}");
///         }
///         BookUpdate::Book(event) => {
///             let book = books.live(event.market_ticker()).unwrap();
///             println!("{:?} to {:?}", book.best_bid(OutcomeSide::Yes), book.best_ask(OutcomeSide::Yes));
///         }
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
    /// How often the snapshot of a market was refused since its book was live.
    refusals: HashMap<String, u32>,
}

/// What is under way for snapshots, and what is to be done after it.
type Request = Pin<Box<dyn Future<Output = Next> + Send>>;

enum Next {
    Nothing,
    /// These were refused.
    Wait(SnapshotRequest),
    RequestAgain(SnapshotRequest),
}

/// What a [`BookStream`] tells.
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
        let uses_yes_price =
            |params: &Map<String, Value>| params.get("use_yes_price") == Some(&true.into());
        if params.as_ref().is_ok_and(uses_yes_price) {
            return Err(ConnectionError::Invalid(
                "books need NO prices: do not set `use_yes_price`".to_owned(),
            ));
        }
        // NO prices whatever the exchange's default becomes, and the list of markets in acknowledgements.
        let mut builder =
            builder.params(|params| params.use_yes_price(false).skip_ticker_ack(false));
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
            books: Books::new(),
            updates: VecDeque::new(),
            requests: FuturesUnordered::new(),
            asked: HashMap::new(),
            refusals: HashMap::new(),
        })
    }
}

impl BookStream {
    /// What happens next; none after the end. It may be dropped and asked again at any time.
    pub async fn next(&mut self) -> Option<Result<BookUpdate, ConnectionError>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(Ok(update));
            }
            for request in self.books.drain_snapshot_requests() {
                // Not in a circle, where a snapshot does not mend the book.
                let now = Instant::now();
                let since = self.asked.insert(request.sid, now).map(|asked| now - asked);
                let pause =
                    since.map_or(Duration::ZERO, |since| REQUEST_PAUSE.saturating_sub(since));
                self.requests.push(ask(self.handle.clone(), request, pause));
            }
            tokio::select! {
                event = self.connection.next() => match event {
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
                    Next::RequestAgain(request) => self.books.request_again(&request),
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
        let pause = REQUEST_PAUSE * 2_u32.pow(most.min(MAX_DOUBLINGS));
        self.requests.push(Box::pin(async move {
            tokio::time::sleep(pause).await;
            Next::RequestAgain(refused)
        }));
    }

    /// Tells the books what a new subscription has, so that they notice if its first messages get lost.
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
            self.books.register(sid, markets);
            self.sid = Some(sid);
        }
    }

    fn take(&mut self, event: Event) {
        self.register_books(&event);
        let events = self.books.apply_event(&event);
        for event in &events {
            if let BookEvent::Live { market_ticker } = event {
                self.refusals.remove(market_ticker.as_ref());
            }
        }
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

/// Asks for snapshots. A refusal does not say which market it is about, so each is asked for alone then.
fn ask(handle: ConnectionHandle, mut request: SnapshotRequest, pause: Duration) -> Request {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        let Err(error) = handle.send_request(&request).await else {
            return Next::Nothing;
        };
        tracing::debug!(%error, "snapshots were not to be had");
        let sid = request.sid;
        let is_of_one = matches!(&error, ConnectionError::Command(error) if !error.is_transient());
        if is_of_one && request.market_tickers.len() > 1 {
            let mut refused = Vec::new();
            for market_ticker in request.market_tickers {
                let alone = SnapshotRequest::new(sid, vec![market_ticker]);
                if handle.send_request(&alone).await.is_err() {
                    refused.extend(alone.market_tickers);
                }
            }
            request = SnapshotRequest::new(sid, refused);
        }
        Next::Wait(request)
    })
}

impl fmt::Debug for BookStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
