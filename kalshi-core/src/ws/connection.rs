//! A WebSocket connection as a program holds it, and its builder.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    api::WebSocketApi,
    backoff::ConnectLimit,
    books::{BookApi, BookStream},
    command::Command,
    driver::{Driver, Options, Outage},
    error::ConnectionError,
    event::{Event, RawItem, Received},
    handshake::Socket,
    queue::{Backpressure, EventQueue, Receiver, bytes_of},
    reconnect::ReconnectPolicy,
    subscription::{ConnectionHandle, SubscribeBuilder, Subscription},
};
use crate::{api::ApiClient, client::Core};

/// Longest time without a frame before the connection counts as dead, unless set. The exchange pings every 10 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(25);

/// Timeout of a handshake and of the reply to a command, unless set.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest message in bytes, unless set.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Most bytes of messages that wait for one reader, unless set.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// Longest time that [`Connection::shutdown`] waits for the task to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection yields: an event, or the error that ended the connection.
type Item<A> = Result<Event<Received<<A as WebSocketApi>::Message>>, ConnectionError>;

/// A WebSocket connection to the exchange: yields messages in the order they came, interleaved with connection events.
///
/// A lost connection is established again, with a new signature, and everything is subscribed to again, whatever the cause. Each
/// failure is reported as [`Event::Disconnected`]. The connection ends with an error only after the time that
/// [`ReconnectPolicy::max_elapsed`] sets, which is unlimited by default. After that, and after [`shutdown`](Self::shutdown), it yields
/// nothing.
///
/// The socket is read by a task of its own. A message takes about a microsecond from there to a reader on the same thread (a
/// single-threaded runtime, or a reader in a spawned task), and the wake-up of another thread to a reader in `main`.
///
/// Dropping the connection closes it, and ends its subscriptions and their streams.
#[must_use = "dropping the connection closes it"]
pub struct Connection<A: WebSocketApi> {
    /// Items that came while `connect` was subscribing.
    early: VecDeque<RawItem>,
    receiver: Receiver,
    handle: ConnectionHandle<A>,
    subscriptions: Vec<Subscription<A>>,
    /// Stops the task when dropped.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Configures a [`Connection`].
#[must_use = "a builder does nothing until `connect` is called"]
pub struct ConnectionBuilder<A: WebSocketApi> {
    client: A::Client,
    channels: Vec<A::Channel>,
    markets: Vec<String>,
    params: A::Params,
    backpressure: Backpressure,
    options: Options,
}

impl<A: WebSocketApi> ConnectionBuilder<A> {
    /// A connection of this client, with defaults and no channels.
    ///
    /// The handshake is signed and uses the client's TLS and proxy, or its own HTTP client, which then has to speak HTTP/1.1 to the
    /// exchange and must not follow redirects. A plaintext WebSocket does not go through a proxy of the environment, unless an HTTP
    /// client of your own does that. Middleware does not see the handshake, and it takes no tokens.
    pub fn new(client: &A::Client) -> Self {
        Self {
            client: client.clone(),
            channels: Vec::new(),
            markets: Vec::new(),
            params: A::Params::default(),
            backpressure: Backpressure::default(),
            options: Options {
                idle_timeout: IDLE_TIMEOUT,
                command_timeout: COMMAND_TIMEOUT,
                max_message_bytes: MAX_MESSAGE_BYTES,
                max_queued_bytes: MAX_QUEUED_BYTES,
                reconnect: ReconnectPolicy::default(),
                keep_raw: false,
            },
        }
    }

    /// Subscribes to a channel; call it once for each. Without any, subscribe later with [`Connection::subscribe`].
    pub fn channel(mut self, channel: A::Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Adds a market to the subscriptions. Without any, channels that allow it cover all markets.
    pub fn market(mut self, ticker: impl Into<String>) -> Self {
        self.markets.push(ticker.into());
        self
    }

    /// Adds several markets to the subscriptions.
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.markets.extend(tickers.into_iter().map(Into::into));
        self
    }

    /// Sets parameters that only some channels have, on the builder of an API's parameters.
    pub fn params(mut self, set: impl FnOnce(A::Params) -> A::Params) -> Self {
        self.params = set(self.params);
        self
    }

    /// Sets what happens when messages come faster than they are read.
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// Sets the longest time without a frame before the connection counts as dead and is replaced. Defaults to 25 s; the exchange pings
    /// every 10 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        // A year never expires, and can be added to any instant.
        self.options.idle_timeout = timeout.min(Duration::from_secs(365 * 86_400));
        self
    }

    /// Sets the timeout of a handshake and of the reply to a command. Defaults to 10 s.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.command_timeout = timeout;
        self
    }

    /// Sets when a lost connection is established again. Defaults to [`ReconnectPolicy::default`].
    pub fn reconnect(mut self, policy: ReconnectPolicy) -> Self {
        self.options.reconnect = policy;
        self
    }

    /// Sets the longest message, in bytes. Defaults to 16 MiB. A longer one closes the connection with
    /// [`ConnectionError::MessageTooLarge`].
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.options.max_message_bytes = bytes;
        self
    }

    /// Sets how many bytes of messages may wait for each reader: the connection, and each stream of a subscription. Defaults to 64 MiB.
    /// Beyond them, and beyond the number of messages in [`Backpressure`], the connection waits or drops messages as that says.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.options.max_queued_bytes = bytes;
        self
    }

    /// Keeps the text of each frame in [`Received::raw`], without a copy, and the time of arrival in microseconds. Off by default.
    pub fn keep_raw(mut self, keep: bool) -> Self {
        self.options.keep_raw = keep;
        self
    }

    /// The client of the connection.
    #[must_use]
    pub fn client(&self) -> &A::Client {
        &self.client
    }

    /// The channels to subscribe to.
    #[must_use]
    pub fn channels(&self) -> &[A::Channel] {
        &self.channels
    }

    /// The markets of the subscriptions.
    #[must_use]
    pub fn market_tickers(&self) -> &[String] {
        &self.markets
    }

    /// The parameters of a subscription to a channel as they would be sent, without its markets.
    #[doc(hidden)]
    pub fn params_of(
        &self,
        channel: &A::Channel,
    ) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        A::params(self.params.clone(), channel)
    }

    /// Connects and subscribes.
    ///
    /// # Errors
    ///
    /// Returns an error if the first connection cannot be established, or a subscription is rejected. The first connection is not
    /// retried, unless [`ReconnectPolicy::with_retry_first`] is set.
    pub async fn connect(self) -> Result<Connection<A>, ConnectionError> {
        let core = self.client.core();
        let mut limit = ConnectLimit::default();
        let socket = first_connection(core, &self.options, &mut limit).await?;
        let max_bytes = self.options.max_queued_bytes;
        let (queue, receiver) = EventQueue::new(self.backpressure, max_bytes);
        let (commands, inbox) = mpsc::unbounded_channel::<Command>();
        let (stop, stopped) = oneshot::channel();
        let driver = Driver::new(core.clone(), self.options, queue, inbox, stopped);
        let task = tokio::spawn(driver.run(socket, limit));
        let mut connection = Connection {
            early: VecDeque::new(),
            receiver,
            handle: ConnectionHandle::new(commands, &self.options),
            subscriptions: Vec::new(),
            stop: Some(stop),
            task,
        };
        let mut early_bytes = 0_usize;
        for channel in self.channels {
            let params = self.params.clone();
            let subscribing = connection
                .subscribe(channel)
                .markets(&self.markets)
                .params(|_| params)
                .send();
            let mut subscribing = pin!(subscribing);
            // Items are taken out meanwhile, or a full queue could keep the acknowledgement from being read.
            let subscription = loop {
                tokio::select! {
                    done = &mut subscribing => break done?,
                    Some(item) = connection.receiver.recv(), if early_bytes < max_bytes => {
                        early_bytes = early_bytes.saturating_add(bytes_of(&item));
                        connection.early.push_back(item);
                    }
                }
            };
            connection.subscriptions.push(subscription);
        }
        Ok(connection)
    }
}

/// Opens the first connection, as often as the policy allows.
async fn first_connection(
    core: &Core,
    options: &Options,
    limit: &mut ConnectLimit,
) -> Result<Socket, ConnectionError> {
    let mut outage = Outage::new();
    loop {
        let error = match outage.connect(core, options, limit).await {
            Some(Ok(socket)) => return Ok(socket),
            Some(Err(error)) => error,
            None => return Err(outage.error.unwrap_or(ConnectionError::Ended)),
        };
        if !options.reconnect.retry_first() || error.is_permanent() {
            return Err(error);
        }
        outage.failed(error);
    }
}

impl<A: BookApi> ConnectionBuilder<A> {
    /// Connects and keeps the order books of the chosen markets. The channel of order books need not be named.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection cannot be established, a subscription is rejected, or books cannot be kept with a parameter
    /// that was set.
    pub async fn books(self) -> Result<BookStream<A>, ConnectionError> {
        BookStream::connect(self).await
    }
}

impl<A: WebSocketApi> fmt::Debug for ConnectionBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("channels", &self.channels)
            .field("markets", &self.markets)
            .finish_non_exhaustive()
    }
}

impl<A: WebSocketApi> Connection<A> {
    /// Connects with defaults, without subscribing to anything.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection cannot be established.
    pub async fn connect(client: &A::Client) -> Result<Self, ConnectionError> {
        ConnectionBuilder::new(client).connect().await
    }

    /// Returns the next event, or `None` after the end.
    pub async fn next(&mut self) -> Option<Item<A>> {
        poll_fn(|context| self.poll_item(context)).await
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Item<A>>> {
        let item = match self.early.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.receiver.poll_recv(context),
        };
        item.map(|item| item.map(|item| item.map(Event::decode)))
    }

    /// Starts a subscription to a channel.
    pub fn subscribe(&self, channel: A::Channel) -> SubscribeBuilder<A> {
        self.handle.subscribe(channel)
    }

    /// Returns a handle that sends commands to this connection while it is read elsewhere.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle<A> {
        self.handle.clone()
    }

    /// Bytes of all messages that were read. Wraps around.
    #[doc(hidden)]
    #[must_use]
    pub fn bytes_taken(&self) -> usize {
        self.receiver.bytes_taken()
    }

    /// The subscriptions that [`ConnectionBuilder::channel`] made, in that order. To change one while the connection is read, take its
    /// [`id`](Subscription::id) and a [`handle`](Self::handle).
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription<A>] {
        &self.subscriptions
    }

    /// Closes the connection and waits for the end, two seconds at most. Messages that were not read are dropped.
    pub async fn shutdown(mut self) {
        self.receiver.close();
        self.stop = None;
        let ended = tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.task).await;
        if ended.is_err() {
            self.task.abort();
        }
    }
}

// Nothing in it is pinned.
impl<A: WebSocketApi> Unpin for Connection<A> {}

impl<A: WebSocketApi> futures_core::Stream for Connection<A> {
    type Item = Item<A>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(context)
    }
}

impl<A: WebSocketApi> fmt::Debug for Connection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
