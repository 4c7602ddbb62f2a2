//! A stream: what the exchange pushes over one connection, and what becomes of that connection.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use chrono::TimeDelta;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    Backpressure, Channel, Frame, StreamError, Subscribe, Subscription,
    driver::Driver,
    handshake,
    messages::builder,
    outlet::{Item, Outlet, Receiver},
    subscription::{Command, StreamHandle},
};
use crate::Client;

/// How long the connection may be silent before it counts as dead. The exchange pings every 10 s.
const SILENCE: Duration = Duration::from_secs(25);

/// How long a handshake, and the answer to a command, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the other end has to answer a close frame.
const GOODBYE: Duration = Duration::from_secs(2);

/// Messages of the exchange, in the order they came, with the news of the connection between them.
///
/// It lasts: a connection that is lost is made again, signed afresh, and everything is subscribed to anew. It ends with an error
/// where another connection would meet the same one: a key that is not accepted, a close code that is permanent. After that, and
/// after [`shutdown`](Self::shutdown), there is nothing more.
///
/// ```no_run
/// use kalshi_sdk::{Client, ws::{Channel, Message, StreamEvent}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut stream = client.stream().channel(Channel::Trade).market("KXTEST-26-A").connect().await?;
/// while let Some(event) = stream.next().await {
///     match event? {
///         StreamEvent::Message(received) => match received.frame.message {
///             Message::Trade(trade) => println!("{} at {}", trade.count_fp, trade.yes_price_dollars),
///             other => println!("{}", other.kind()),
///         },
///         StreamEvent::Disconnected { reason } => println!("{reason}; connecting again"),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// The connection is read by a task of its own. From there to the reader is a microsecond on the same thread (a runtime of one
/// thread, or a reader that is a spawned task), and the wake-up of another thread where it is `main`.
///
/// Dropping it ends the connection, the subscriptions and their streams.
#[must_use = "the connection ends when its stream is dropped"]
pub struct Stream {
    /// What came while it was being connected.
    early: VecDeque<Item>,
    receiver: Receiver,
    handle: StreamHandle,
    subscriptions: Vec<Subscription>,
    /// Dropped, it tells the task to end.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// What a stream tells.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are messages, which are not worth an allocation each"
)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A message of the exchange.
    Message(Received),
    /// The connection stands. Subscriptions follow.
    Connected,
    /// The connection is lost, or could not be made again. Another one will be tried.
    Disconnected {
        /// Why.
        reason: Arc<StreamError>,
    },
    /// A subscription is there again, on a new connection or after an error that ended it. What was sent meanwhile is lost.
    Resubscribed {
        /// Which.
        subscription: SubscriptionId,
        /// What the exchange calls it now.
        sid: u64,
    },
    /// A subscription is over, as the exchange would not have it again.
    Unsubscribed {
        /// Which.
        subscription: SubscriptionId,
        /// What it said.
        error: Arc<StreamError>,
    },
    /// A subscription of this stream was given up, and its channel goes on for another that is read elsewhere: nothing of it comes
    /// here any more.
    Left {
        /// Which.
        subscription: SubscriptionId,
        /// What the exchange calls the other one, too.
        sid: u64,
    },
    /// Messages of a subscription are missing: those from `expected` to before `got`.
    Gap {
        /// Which; none for one that is not ours.
        subscription: Option<SubscriptionId>,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// Messages were dropped because they were not read: see [`Backpressure::DropOldest`].
    Lagged {
        /// How many.
        count: u64,
    },
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The subscription that it belongs to: the same over all connections.
    pub subscription: Option<SubscriptionId>,
    /// The message in its envelope.
    pub frame: Frame,
    /// When it was read, in Unix milliseconds of the exchange's clock as far as that is known; none where this machine has no time.
    pub received_ts_ms: Option<i64>,
}

impl Received {
    /// How long ago the exchange had sent it when it was read, by its own clock; none where it did not say. The exchange's clock
    /// is known to about half a second, so that a few milliseconds less than nothing mean nothing.
    #[must_use]
    pub fn age(&self) -> Option<TimeDelta> {
        let sent = self.frame.sending_ts_ms?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(sent)?)
    }

    /// How long ago what it tells of happened, by its own `ts_ms`; none where it has none.
    #[must_use]
    pub fn event_age(&self) -> Option<TimeDelta> {
        let happened = self.frame.message.ts_ms()?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(happened)?)
    }

    /// Whether it is news of an order book, or of a subscription.
    #[cfg(event_books)]
    pub(super) fn is_of_a_book(&self) -> bool {
        use super::Message;

        matches!(
            self.frame.message,
            Message::OrderbookSnapshot(_)
                | Message::OrderbookDelta(_)
                | Message::OkReply(_)
                | Message::UnsubscribedReply
        )
    }
}

/// A subscription of a stream. It stays the same when the exchange's own number, the `sid`, changes with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(super) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Client {
    /// A stream of what the exchange pushes: choose channels and markets, then connect.
    ///
    /// The handshake is signed, and goes out by this client's TLS and proxy or by its own HTTP client; middleware does not see it, and
    /// it takes no tokens. An HTTP client of yours has to speak HTTP/1.1 to the exchange.
    pub fn stream(&self) -> StreamBuilder {
        StreamBuilder {
            client: self.clone(),
            channels: Vec::new(),
            markets: Vec::new(),
            params: Default::default(),
            backpressure: Backpressure::default(),
            options: Options::default(),
        }
    }
}

/// Times of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) silence: Duration,
    pub(super) patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            silence: SILENCE,
            patience: PATIENCE,
        }
    }
}

/// Sets up a [`Stream`].
#[must_use = "a builder does nothing until `connect` is called"]
pub struct StreamBuilder {
    client: Client,
    channels: Vec<Channel>,
    markets: Vec<String>,
    params: builder::SubscribeParams,
    backpressure: Backpressure,
    options: Options,
}

impl StreamBuilder {
    /// Subscribes to a channel; call it for each. Without any, subscribe later by [`Stream::subscribe`].
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// A market that the channels are about. Without any, those that allow it are about all.
    pub fn market(mut self, ticker: impl Into<String>) -> Self {
        self.markets.push(ticker.into());
        self
    }

    /// Several markets at once.
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.markets.extend(tickers.into_iter().map(Into::into));
        self
    }

    /// Sets the parameters that only some channels have: `.params(|params| params.send_initial_snapshot(true))`.
    pub fn params(
        mut self,
        set: impl FnOnce(builder::SubscribeParams) -> builder::SubscribeParams,
    ) -> Self {
        self.params = set(self.params);
        self
    }

    /// What happens when messages come faster than they are read; see [`Backpressure`].
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// How long the connection may be silent before it is given up and made again; 25 s unless set. The exchange pings every 10 s.
    pub fn silence(mut self, longest: Duration) -> Self {
        // A year is for ever, and can be added to any time.
        self.options.silence = longest.min(Duration::from_secs(365 * 86_400));
        self
    }

    /// How long a handshake, and the answer to a command, may take; 10 s unless set.
    pub fn patience(mut self, longest: Duration) -> Self {
        self.options.patience = longest;
        self
    }

    /// Whether the parameters ask for NO bids at prices of YES.
    #[cfg(event_books)]
    pub(super) fn uses_yes_price(&self) -> bool {
        let params = self.params.clone().channels(vec![Channel::OrderbookDelta]);
        let params = super::messages::SubscribeParams::try_from(params);
        params.is_ok_and(|params| params.use_yes_price == Some(true))
    }

    /// Asks for NO bids at prices of NO, whatever the exchange's default becomes, and for the list of markets in acknowledgements.
    #[cfg(event_books)]
    pub(super) fn for_books(self) -> Self {
        self.params(|params| params.use_yes_price(false).skip_ticker_ack(false))
    }

    #[cfg(event_books)]
    pub(super) fn has_channel(&self, channel: &Channel) -> bool {
        self.channels.contains(channel)
    }

    #[cfg(event_books)]
    pub(super) fn market_tickers(&self) -> &[String] {
        &self.markets
    }

    /// Connects and subscribes.
    ///
    /// # Errors
    ///
    /// When the first connection cannot be made, for whatever reason, or a subscription is refused. Only a connection that stood
    /// is made again.
    pub async fn connect(self) -> Result<Stream, StreamError> {
        let socket = handshake::connect(&self.client, self.options.patience).await?;
        let (outlet, receiver) = Outlet::new(self.backpressure);
        let (commands, inbox) = mpsc::unbounded_channel::<Command>();
        let (stop, stopped) = oneshot::channel();
        let driver = Driver::new(self.client, self.options, outlet, inbox, stopped);
        let task = tokio::spawn(driver.run(socket));
        let mut stream = Stream {
            early: VecDeque::new(),
            receiver,
            handle: StreamHandle {
                commands,
                patience: self.options.patience,
            },
            subscriptions: Vec::new(),
            stop: Some(stop),
            task,
        };
        for channel in self.channels {
            let params = self.params.clone();
            let subscribing = stream
                .subscribe(channel)
                .markets(&self.markets)
                .params(|_| params)
                .send();
            let mut subscribing = pin!(subscribing);
            // What comes meanwhile is taken out, or the acknowledgement could wait behind it.
            let subscription = loop {
                tokio::select! {
                    done = &mut subscribing => break done?,
                    Some(item) = stream.receiver.recv() => stream.early.push_back(item),
                }
            };
            stream.subscriptions.push(subscription);
        }
        Ok(stream)
    }
}

impl fmt::Debug for StreamBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBuilder")
            .field("client", &self.client)
            .field("channels", &self.channels)
            .field("markets", &self.markets)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// Connects with the defaults, and subscribes to nothing yet.
    ///
    /// # Errors
    ///
    /// Those of [`StreamBuilder::connect`].
    pub async fn connect(client: &Client) -> Result<Self, StreamError> {
        client.stream().connect().await
    }

    /// The next event; none after the end.
    pub async fn next(&mut self) -> Option<Item> {
        poll_fn(|context| self.poll_item(context)).await
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        match self.early.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.receiver.poll_recv(context),
        }
    }

    /// Subscribes to a channel.
    pub fn subscribe(&self, channel: Channel) -> Subscribe {
        self.handle.subscribe(channel)
    }

    /// What gives commands to this connection while the stream is being read elsewhere.
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.handle.clone()
    }

    /// The subscriptions that [`StreamBuilder::channel`] made, in that order.
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// Closes the connection and waits until it is closed, two seconds at most. What was not read is lost.
    pub async fn shutdown(mut self) {
        self.receiver.close();
        self.stop = None;
        let ended = tokio::time::timeout(GOODBYE, &mut self.task).await;
        if ended.is_err() {
            self.task.abort();
        }
    }
}

impl futures_core::Stream for Stream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        self.poll_item(context)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
