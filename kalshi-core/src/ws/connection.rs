//! The WebSocket connection and its builder.

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
    command::Command,
    driver::{Driver, Outage},
    error::ConnectionError,
    event::{Event, RawItem, Received},
    handshake::Socket,
    options::Options,
    queue::{Backpressure, EventQueue, Receiver, bytes_of},
    reconnect::ReconnectPolicy,
    subscription::{ConnectionHandle, SubscribeBuilder, Subscription},
};
use crate::{api::ApiClient, client::Core};

/// Default idle timeout. The exchange pings every 10 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(25);

/// Default timeout of a handshake and of the reply to a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Default maximum size of a message, in bytes.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Default maximum number of queued message bytes per reader.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// Maximum time that [`Connection::shutdown`] waits for the task to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Item of a connection: an event, or the error that ended the connection.
type Item<A> = Result<Event<Received<<A as WebSocketApi>::Message>>, ConnectionError>;

/// A WebSocket connection to the exchange. It yields messages in the order of arrival, interleaved with connection events.
///
/// Whatever the cause, a lost connection is re-established with a new signature, and all subscriptions are restored. Each failure is
/// reported as [`Event::Disconnected`]. The connection ends with an error only after the time set by [`ReconnectPolicy::max_elapsed`],
/// which is unlimited by default. It yields nothing after that error.
///
/// A separate task reads the socket. Passing a message to a reader on the same thread (a single-threaded runtime, or a reader in a spawned
/// task) takes about a microsecond; a reader in `main` also has to wait for its thread to be woken up.
///
/// Dropping the connection closes it and ends its subscriptions and their streams.
#[must_use = "dropping the connection closes it"]
pub struct Connection<A: WebSocketApi> {
    /// Items received while `connect` was subscribing.
    early: VecDeque<RawItem>,
    receiver: Receiver,
    handle: ConnectionHandle<A>,
    pub(super) subscriptions: Vec<Subscription<A>>,
    /// Stops the task when dropped.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Builder of a [`Connection`] and its initial subscriptions.
#[must_use = "a builder does nothing until `connect` is called"]
pub struct ConnectionBuilder<A: WebSocketApi> {
    client: A::Client,
    pub(super) channels: Vec<A::Channel>,
    markets: Vec<String>,
    params: A::Params,
    backpressure: Backpressure,
    options: Options,
}

impl<A: WebSocketApi> ConnectionBuilder<A> {
    /// Creates a builder for a connection of this client, with defaults and no channels.
    ///
    /// The handshake is signed. It uses the client's TLS and proxy settings, or its custom HTTP client, which must speak HTTP/1.1 to the
    /// exchange and must not follow redirects. A plaintext WebSocket does not use a proxy from the environment unless the custom HTTP
    /// client does. The handshake does not pass through middleware and takes no rate limit tokens.
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

    /// Subscribes to a channel; call it once per channel. Without channels, subscribe later with [`Connection::subscribe`].
    pub fn channel(mut self, channel: A::Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Adds a market to the subscriptions. Without markets, channels that allow it cover all markets.
    pub fn market(mut self, ticker: impl Into<String>) -> Self {
        self.markets.push(ticker.into());
        self
    }

    /// Adds several markets to the subscriptions.
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.markets.extend(tickers.into_iter().map(Into::into));
        self
    }

    /// Sets parameters that only some channels have, on the API's parameter builder.
    pub fn params(mut self, set: impl FnOnce(A::Params) -> A::Params) -> Self {
        self.params = set(self.params);
        self
    }

    /// Sets the behaviour when messages arrive faster than they are read. Defaults to [`Backpressure::Block`] with 65,536 messages.
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// Sets the maximum time without a frame before the connection is considered dead and is replaced. Defaults to 25 s; the exchange
    /// pings every 10 s. A connection is also replaced if what is sent to the server stays unread for that long.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        // A year is in effect unlimited, and can be added to any instant.
        self.options.idle_timeout = timeout.min(Duration::from_secs(365 * 86_400));
        self
    }

    /// Sets the timeout of a handshake and of the reply to a command. Defaults to 10 s.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.command_timeout = timeout;
        self
    }

    /// Sets the reconnect policy. Defaults to [`ReconnectPolicy::default`].
    pub fn reconnect(mut self, policy: ReconnectPolicy) -> Self {
        self.options.reconnect = policy;
        self
    }

    /// Sets the maximum size of a message, in bytes. Defaults to 16 MiB. A longer message closes the connection with
    /// [`ConnectionError::MessageTooLarge`].
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.options.max_message_bytes = bytes;
        self
    }

    /// Sets the maximum number of message bytes queued for each reader: for the connection, and for each stream of a
    /// subscription. Defaults to 64 MiB. Beyond this size, or the number of messages in [`Backpressure`], the connection waits or
    /// drops messages according to [`Backpressure`].
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.options.max_queued_bytes = bytes;
        self
    }

    /// Keeps the JSON of each frame in [`Received::raw`], without a copy, along with the time of arrival in microseconds. Off by default.
    pub fn keep_raw(mut self, keep: bool) -> Self {
        self.options.keep_raw = keep;
        self
    }

    /// Returns the client of the connection.
    #[must_use]
    pub fn client(&self) -> &A::Client {
        &self.client
    }

    /// Returns the channels to subscribe to.
    #[must_use]
    pub fn channels(&self) -> &[A::Channel] {
        &self.channels
    }

    /// Returns the markets of the subscriptions. Empty if none were added.
    #[must_use]
    pub fn market_tickers(&self) -> &[String] {
        &self.markets
    }

    /// Returns the parameters with which a channel would be subscribed to, without its markets.
    #[doc(hidden)]
    pub fn params_of(
        &self,
        channel: &A::Channel,
    ) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        A::params(self.params.clone(), channel)
    }

    /// Connects and subscribes to the channels.
    ///
    /// # Errors
    ///
    /// Returns an error if the first connection cannot be established or a subscription is rejected. The first connection is not retried
    /// unless [`ReconnectPolicy::with_retry_first`] is set.
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
            // Drain the queue while waiting: a full one could keep the acknowledgement from being read.
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

/// Opens the first connection, with retries if the policy allows them.
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

impl<A: WebSocketApi> fmt::Debug for ConnectionBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("channels", &self.channels)
            .field("markets", &self.markets)
            .finish_non_exhaustive()
    }
}

impl<A: WebSocketApi> Connection<A> {
    /// Connects with defaults and without subscriptions.
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

    /// Returns the total size of all messages read so far. Wraps around.
    #[doc(hidden)]
    #[must_use]
    pub fn bytes_dequeued(&self) -> usize {
        self.receiver.bytes_dequeued()
    }

    /// Returns the subscriptions made by [`ConnectionBuilder::channel`], in the same order. To change one while the connection is being
    /// read, use its [`id`](Subscription::id) with a [`handle`](Self::handle).
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription<A>] {
        &self.subscriptions
    }

    /// Closes the connection and waits up to two seconds for it to end. Unread messages are dropped.
    pub async fn shutdown(mut self) {
        self.receiver.close();
        self.stop = None;
        let ended = tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.task).await;
        if ended.is_err() {
            self.task.abort();
        }
    }
}

// No field is structurally pinned.
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
