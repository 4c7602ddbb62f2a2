//! Subscriptions, and the handle that sends commands to a connection.

mod stream;

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{
    api::WebSocketApi,
    command::{Change, Command, Made, RawReply, ReplySender},
    control::{self, ListedSubscription},
    error::ConnectionError,
    event::SubscriptionId,
    frame::Frame,
    options::Options,
    queue::{Backpressure, EventQueue},
};

pub use self::stream::SubscriptionStream;

/// Sends commands to a connection. Clones send to the same connection.
///
/// A command is a future that completes with its own reply, independently of earlier commands. While the connection is lost, commands on a
/// subscription wait until it is re-established, and [`command`](Self::command) fails. A command whose future is dropped may still be executed.
pub struct ConnectionHandle<A: WebSocketApi> {
    commands: mpsc::UnboundedSender<Command>,
    timeout: Duration,
    max_queued_bytes: usize,
    api: PhantomData<fn() -> A>,
}

impl<A: WebSocketApi> ConnectionHandle<A> {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>, options: &Options) -> Self {
        Self {
            commands,
            timeout: options.command_timeout,
            max_queued_bytes: options.max_queued_bytes,
            api: PhantomData,
        }
    }

    /// Starts a subscription to a channel.
    pub fn subscribe(&self, channel: A::Channel) -> SubscribeBuilder<A> {
        SubscribeBuilder {
            handle: self.clone(),
            channel,
            targets: Vec::new(),
            params: A::Params::default(),
            unsubscribe_on_drop: false,
        }
    }

    /// Lists the subscriptions of this connection as the exchange reports them.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn list_subscriptions(&self) -> Result<Vec<ListedSubscription>, ConnectionError> {
        decode_reply(&self.send("list_subscriptions", None).await?)
    }

    /// Sends any command of the spec with its parameters, and returns the reply.
    ///
    /// The command does not change what is subscribed to on the next connection; use [`subscribe`](Self::subscribe) and
    /// [`Subscription`] for that. A subscription that this command ends is made again.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn command(
        &self,
        name: &str,
        params: &impl Serialize,
    ) -> Result<Frame<A::Message>, ConnectionError> {
        let params = serde_json::to_value(params).map_err(|error| {
            ConnectionError::Invalid(format!("the parameters cannot be encoded as JSON: {error}"))
        })?;
        let reply = self.send(name, Some(params)).await?;
        Ok(Frame::decode(&reply.text, &reply.envelope))
    }

    async fn send(&self, name: &str, params: Option<Value>) -> Result<RawReply, ConnectionError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Other {
            name,
            params,
            reply,
        })
        .await
    }

    /// Adds markets to a subscription. On channels of indices or underlyings, adds those instead. On a channel of order books, snapshots
    /// follow. After an overflow, order books are added with several commands.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects a command, does not reply in time, or the connection is lost before it replies. Some of
    /// the markets may have been added then.
    pub async fn add_markets(
        &self,
        subscription: SubscriptionId,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConnectionError> {
        self.change(subscription, Change::Add, tickers).await
    }

    /// Removes markets from a subscription. On channels of indices or underlyings, removes those instead.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn remove_markets(
        &self,
        subscription: SubscriptionId,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConnectionError> {
        self.change(subscription, Change::Remove, tickers).await
    }

    async fn change(
        &self,
        subscription: SubscriptionId,
        change: Change,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConnectionError> {
        let targets: Vec<_> = tickers.into_iter().map(Into::into).collect();
        self.ask(|reply| Command::Change {
            subscription,
            change,
            targets,
            is_acknowledged: false,
            reply,
        })
        .await
    }

    /// Ends a subscription at the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn unsubscribe(&self, subscription: SubscriptionId) -> Result<(), ConnectionError> {
        self.ask(|reply| Command::Unsubscribe {
            subscription,
            reply: Some(reply),
        })
        .await
    }

    /// Requests the order books of these markets of a subscription. The snapshots are also delivered as messages, in their
    /// order among the changes.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn get_snapshots(
        &self,
        subscription: SubscriptionId,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<A::Snapshot>, ConnectionError> {
        let targets: Vec<_> = tickers.into_iter().map(Into::into).collect();
        let replies = self.ask(|reply| Command::Snapshot {
            subscription,
            targets,
            reply,
        });
        replies.await?.iter().map(decode_reply).collect()
    }

    /// Sends a request for snapshots, which are delivered as messages.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn send_request(&self, request: &SnapshotRequest) -> Result<(), ConnectionError> {
        let (sid, targets) = (request.sid, request.market_tickers.clone());
        let replies = self.ask(|reply| Command::SnapshotBySid {
            sid,
            targets,
            reply,
        });
        // A snapshot that does not decode cannot be applied to a book, so it counts as a failure.
        replies
            .await?
            .iter()
            .try_for_each(|reply| decode_reply::<A::Snapshot>(reply).map(drop))
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(ReplySender<T>) -> Command,
    ) -> Result<T, ConnectionError> {
        let (reply, result) = oneshot::channel();
        self.commands
            .send(command(reply))
            .map_err(|_| ConnectionError::Ended)?;
        match tokio::time::timeout(self.timeout, result).await {
            Ok(result) => result.unwrap_or(Err(ConnectionError::Ended)),
            Err(_) => Err(ConnectionError::Timeout(self.timeout)),
        }
    }
}

/// Decodes the body of a reply.
fn decode_reply<T: DeserializeOwned>(reply: &RawReply) -> Result<T, ConnectionError> {
    control::body(&reply.text, &reply.envelope)
        .ok_or_else(|| ConnectionError::unexpected_reply(reply.envelope.kind(&reply.text)))
}

impl<A: WebSocketApi> Clone for ConnectionHandle<A> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            timeout: self.timeout,
            max_queued_bytes: self.max_queued_bytes,
            api: PhantomData,
        }
    }
}

impl<A: WebSocketApi> fmt::Debug for ConnectionHandle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").finish_non_exhaustive()
    }
}

/// Snapshots of order books to request from the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRequest {
    /// The exchange's number for the subscription.
    pub sid: u64,
    /// Tickers of the markets.
    pub market_tickers: Vec<String>,
}

impl SnapshotRequest {
    /// Creates a request for the order books of these markets.
    #[must_use]
    pub fn new(sid: u64, market_tickers: Vec<String>) -> Self {
        Self {
            sid,
            market_tickers,
        }
    }
}

/// Builder of a [`Subscription`] to one channel.
#[must_use = "a builder does nothing until `send` or `open` is called"]
pub struct SubscribeBuilder<A: WebSocketApi> {
    handle: ConnectionHandle<A>,
    channel: A::Channel,
    targets: Vec<String>,
    params: A::Params,
    unsubscribe_on_drop: bool,
}

impl<A: WebSocketApi> fmt::Debug for SubscribeBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeBuilder")
            .field("channel", &self.channel)
            .field("markets", &self.targets)
            .finish_non_exhaustive()
    }
}

impl<A: WebSocketApi> SubscribeBuilder<A> {
    /// Adds a market. Without markets, channels that allow it cover all markets.
    pub fn market(self, ticker: impl Into<String>) -> Self {
        self.markets([ticker.into()])
    }

    /// Adds several markets. On channels of indices or underlyings, adds those instead.
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let tickers = tickers.into_iter().map(|ticker| ticker.as_ref().to_owned());
        self.targets.extend(tickers);
        self
    }

    /// Sets parameters that only some channels have, on the API's parameter builder.
    pub fn params(mut self, set: impl FnOnce(A::Params) -> A::Params) -> Self {
        self.params = set(self.params);
        self
    }

    /// Ends the subscription at the exchange when its handle is dropped.
    pub fn unsubscribe_on_drop(mut self) -> Self {
        self.unsubscribe_on_drop = true;
        self
    }

    /// Subscribes, with the messages delivered by the [`Connection`](super::Connection).
    ///
    /// The exchange has one subscription per channel and connection. A second subscription adds its markets to the first, and both receive
    /// the messages of all markets.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the subscription, does not reply in time, or the parameters are invalid.
    pub async fn send(self) -> Result<Subscription<A>, ConnectionError> {
        self.send_to(None).await
    }

    /// Subscribes, with the messages delivered by a separate stream. The stream and other readers do not wait for each other, except as
    /// described at [`Backpressure::Block`]. Dropping the stream ends the subscription.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the subscription, does not reply in time, or the parameters are invalid.
    pub async fn open(
        self,
        backpressure: Backpressure,
    ) -> Result<SubscriptionStream<A>, ConnectionError> {
        let (queue, receiver) = EventQueue::new(backpressure, self.handle.max_queued_bytes);
        let subscription = self.unsubscribe_on_drop().send_to(Some(queue)).await?;
        Ok(SubscriptionStream {
            subscription,
            receiver,
        })
    }

    async fn send_to(self, queue: Option<EventQueue>) -> Result<Subscription<A>, ConnectionError> {
        let Self {
            handle,
            channel,
            targets,
            params,
            unsubscribe_on_drop,
        } = self;
        let mut params = A::params(params, &channel).map_err(ConnectionError::Invalid)?;
        let name = channel.to_string();
        let names = A::targets(&name);
        if !targets.is_empty() {
            params.insert(names.list.to_owned(), targets.into());
        }
        let made = handle
            .ask(|reply| Command::Subscribe {
                channel: name,
                targets: names,
                params,
                queue,
                reply,
            })
            .await?;
        Ok(Subscription {
            made,
            channel,
            handle,
            unsubscribe_on_drop,
        })
    }
}

/// A subscription to a channel. It lasts across reconnects, until it is ended or the [`Connection`](super::Connection) ends.
pub struct Subscription<A: WebSocketApi> {
    made: Made,
    channel: A::Channel,
    handle: ConnectionHandle<A>,
    unsubscribe_on_drop: bool,
}

impl<A: WebSocketApi> Subscription<A> {
    /// Returns the id by which events refer to the subscription.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.made.id
    }

    /// Returns the first acknowledgement of the subscription.
    pub(super) fn made(&self) -> Made {
        self.made
    }

    /// Returns a handle that sends commands to the connection. Use it with [`id`](Self::id) to change the subscription while its
    /// messages are being read.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle<A> {
        self.handle.clone()
    }

    /// Returns the channel of the subscription.
    #[must_use]
    pub fn channel(&self) -> &A::Channel {
        &self.channel
    }

    /// Adds markets. See [`ConnectionHandle::add_markets`].
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects a command, does not reply in time, or the connection is lost before it replies. Some of
    /// the markets may have been added then.
    pub async fn add_markets(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConnectionError> {
        self.handle.add_markets(self.made.id, tickers).await
    }

    /// Removes markets. On channels of indices or underlyings, removes those instead.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn remove_markets(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConnectionError> {
        self.handle.remove_markets(self.made.id, tickers).await
    }

    /// Requests the order books of these markets. The snapshots are also delivered as messages, in their order among the changes.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn get_snapshots(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<A::Snapshot>, ConnectionError> {
        self.handle.get_snapshots(self.made.id, tickers).await
    }

    /// Ends the subscription at the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn unsubscribe(mut self) -> Result<(), ConnectionError> {
        self.unsubscribe_on_drop = false;
        self.handle.unsubscribe(self.made.id).await
    }
}

impl<A: WebSocketApi> Drop for Subscription<A> {
    fn drop(&mut self) {
        if self.unsubscribe_on_drop {
            // If the connection has ended, so has the subscription.
            _ = self.handle.commands.send(Command::Unsubscribe {
                subscription: self.made.id,
                reply: None,
            });
        }
    }
}

impl<A: WebSocketApi> fmt::Debug for Subscription<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.made.id)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
