//! Commands, and the subscriptions that they are about.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::{
    Backpressure, Frame, StreamError,
    messages::{self, OrderbookSnapshot, SubscribeParams, SubscribeParamsChannels, builder},
    outlet::{Item, Outlet, Receiver},
    stream::SubscriptionId,
};

/// A channel of the exchange.
pub type Channel = SubscribeParamsChannels;

/// Where the answer to a command goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StreamError>>;

/// What a connection is asked to do.
pub(super) enum Command {
    Subscribe {
        channel: Channel,
        params: Map<String, Value>,
        outlet: Option<Outlet>,
        reply: Reply<SubscriptionId>,
    },
    Change {
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: Reply<()>,
    },
    Snapshot {
        subscription: SubscriptionId,
        market_tickers: Vec<String>,
        reply: Reply<Vec<OrderbookSnapshot>>,
    },
    /// The same, by the exchange's own number.
    SnapshotOf {
        sid: u64,
        market_tickers: Vec<String>,
        reply: Reply<Vec<OrderbookSnapshot>>,
    },
    Unsubscribe {
        subscription: SubscriptionId,
        reply: Option<Reply<()>>,
    },
    Other {
        name: String,
        params: Option<Value>,
        reply: Reply<Frame>,
    },
}

impl Command {
    /// Whether nobody waits for it any more, of those that wait for a subscription.
    pub(super) fn is_given_up(&self) -> bool {
        match self {
            Self::Change { reply, .. } => reply.is_closed(),
            Self::Snapshot { reply, .. } => reply.is_closed(),
            _ => false,
        }
    }
}

/// How the markets, indices or underlyings of a subscription change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Remove,
}

/// What a channel calls the things that a subscription is about, and the actions that add and remove them.
pub(super) struct Targets {
    pub(super) member: &'static str,
    pub(super) add: &'static str,
    pub(super) remove: &'static str,
}

impl Targets {
    pub(super) fn of(channel: &Channel) -> Self {
        let name = channel.as_str();
        let (member, add, remove) = if name.starts_with("cfbenchmarks") {
            ("index_ids", "subscribe_indices", "unsubscribe_indices")
        } else if name.starts_with("pyth") {
            (
                "underlying_tickers",
                "subscribe_underlyings",
                "unsubscribe_underlyings",
            )
        } else {
            ("market_tickers", "add_markets", "delete_markets")
        };
        Self {
            member,
            add,
            remove,
        }
    }
}

/// Gives commands to a connection. Clones speak to the same one.
///
/// Each command is a future that is ready when its own answer has come, whatever was asked for before it. Given while the
/// connection is lost, those of a subscription wait for the next one, and [`command`](Self::command) fails. A command whose future
/// is dropped may be carried out nevertheless.
#[derive(Clone)]
pub struct StreamHandle {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) patience: Duration,
}

impl StreamHandle {
    /// Subscribes to a channel.
    pub fn subscribe(&self, channel: Channel) -> Subscribe {
        Subscribe {
            handle: self.clone(),
            channel,
            targets: Vec::new(),
            params: Default::default(),
            unsubscribes_on_drop: false,
        }
    }

    /// What this connection is subscribed to, as the exchange has it.
    ///
    /// # Errors
    ///
    /// Those of [`command`](Self::command).
    pub async fn list_subscriptions(
        &self,
    ) -> Result<Vec<messages::ListSubscriptionsReply>, StreamError> {
        let frame = self.send("list_subscriptions", None).await?;
        match frame.message {
            messages::Message::ListSubscriptionsReply(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives any command of the contract, with its parameters, such as an
    /// [`UpdateSubscriptionParams`](messages::UpdateSubscriptionParams). It does not change what is subscribed to on the next
    /// connection: that is for [`subscribe`](Self::subscribe) and [`Subscription`]. What such a handle stands for is subscribed
    /// to again when this ends it.
    ///
    /// # Errors
    ///
    /// When the exchange refuses it, does not answer in time, or the connection is lost before it answers.
    pub async fn command(&self, name: &str, params: &impl Serialize) -> Result<Frame, StreamError> {
        let params = serde_json::to_value(params).map_err(|error| {
            StreamError::Invalid(format!("the parameters are no JSON: {error}"))
        })?;
        self.send(name, Some(params)).await
    }

    async fn send(&self, name: &str, params: Option<Value>) -> Result<Frame, StreamError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Other {
            name,
            params,
            reply,
        })
        .await
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, StreamError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .map_err(|_| StreamError::Ended)?;
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer.unwrap_or(Err(StreamError::Ended)),
            Err(_) => Err(StreamError::Timeout(self.patience)),
        }
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle").finish_non_exhaustive()
    }
}

pub(super) fn unexpected(message: &messages::Message) -> StreamError {
    StreamError::Invalid(format!(
        "the exchange answered with `{}`, which is no answer to this command",
        message.kind()
    ))
}

/// Sets up a [`Subscription`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `send` or `open` is called"]
pub struct Subscribe {
    handle: StreamHandle,
    channel: Channel,
    targets: Vec<String>,
    params: builder::SubscribeParams,
    unsubscribes_on_drop: bool,
}

impl Subscribe {
    /// A market that it is about. Without any, channels that allow it are about all.
    pub fn market(self, ticker: impl Into<String>) -> Self {
        self.markets([ticker.into()])
    }

    /// Several markets at once. For the channels of indices and of underlyings, those.
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let tickers = tickers.into_iter().map(|ticker| ticker.as_ref().to_owned());
        self.targets.extend(tickers);
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

    /// Ends the subscription at the exchange when its handle is dropped. Not so unless asked for.
    pub fn unsubscribe_on_drop(mut self) -> Self {
        self.unsubscribes_on_drop = true;
        self
    }

    /// Subscribes; the messages come in the [`Stream`](super::Stream).
    ///
    /// The exchange has one subscription to a channel on each connection. A second one adds its markets to the first, and both
    /// have the messages of all.
    ///
    /// # Errors
    ///
    /// When the exchange refuses, does not answer in time, or the parameters cannot be made.
    pub async fn send(self) -> Result<Subscription, StreamError> {
        self.send_to(None).await
    }

    /// Subscribes; the messages come in a stream of their own, which does not wait for others and is not waited for, short of what
    /// [`Backpressure::Block`] says. Dropping it ends the subscription.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn open(self, backpressure: Backpressure) -> Result<SubscriptionStream, StreamError> {
        let (outlet, receiver) = Outlet::new(backpressure);
        let subscription = self.unsubscribe_on_drop().send_to(Some(outlet)).await?;
        Ok(SubscriptionStream {
            subscription,
            receiver,
        })
    }

    async fn send_to(self, outlet: Option<Outlet>) -> Result<Subscription, StreamError> {
        let Self {
            handle,
            channel,
            targets,
            params,
            unsubscribes_on_drop,
        } = self;
        let params = params.channels(vec![channel.clone()]);
        let params = SubscribeParams::try_from(params)
            .map_err(|error| StreamError::Invalid(error.to_string()))?;
        let mut params = match serde_json::to_value(params) {
            Ok(Value::Object(params)) => params,
            _ => Map::new(),
        };
        if !targets.is_empty() {
            params.insert(Targets::of(&channel).member.to_owned(), targets.into());
        }
        let id = handle
            .ask(|reply| Command::Subscribe {
                channel: channel.clone(),
                params,
                outlet,
                reply,
            })
            .await?;
        Ok(Subscription {
            id,
            channel,
            handle,
            unsubscribes_on_drop,
        })
    }
}

/// A subscription to a channel. It lasts as long as the stream, over all its connections, or until it is ended.
pub struct Subscription {
    id: SubscriptionId,
    channel: Channel,
    handle: StreamHandle,
    unsubscribes_on_drop: bool,
}

impl Subscription {
    /// What the events of the stream call it.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Its channel.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Adds markets; for the channels of indices and of underlyings, those. Of an order book, snapshots follow.
    ///
    /// # Errors
    ///
    /// Those of [`StreamHandle::command`].
    pub async fn add_markets(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), StreamError> {
        self.change(Change::Add, tickers).await
    }

    /// Removes markets; for the channels of indices and of underlyings, those.
    ///
    /// # Errors
    ///
    /// Those of [`StreamHandle::command`].
    pub async fn remove_markets(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), StreamError> {
        self.change(Change::Remove, tickers).await
    }

    async fn change(
        &self,
        change: Change,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), StreamError> {
        let targets: Vec<_> = tickers.into_iter().map(Into::into).collect();
        let subscription = self.id;
        self.handle
            .ask(|reply| Command::Change {
                subscription,
                change,
                targets,
                reply,
            })
            .await
    }

    /// The order books of these markets as they are now, on the channel `orderbook_delta`. The snapshots come in the stream as
    /// well, in their place among the changes.
    ///
    /// # Errors
    ///
    /// Those of [`StreamHandle::command`].
    pub async fn get_snapshots(
        &self,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<OrderbookSnapshot>, StreamError> {
        self.handle.get_snapshots(self.id, tickers).await
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// Those of [`StreamHandle::command`].
    pub async fn unsubscribe(mut self) -> Result<(), StreamError> {
        self.unsubscribes_on_drop = false;
        let subscription = self.id;
        self.handle
            .ask(|reply| Command::Unsubscribe {
                subscription,
                reply: Some(reply),
            })
            .await
    }
}

impl StreamHandle {
    /// The order books of these markets of a subscription to `orderbook_delta`, as they are now.
    ///
    /// # Errors
    ///
    /// Those of [`command`](Self::command).
    pub async fn get_snapshots(
        &self,
        subscription: SubscriptionId,
        tickers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<OrderbookSnapshot>, StreamError> {
        let market_tickers: Vec<_> = tickers.into_iter().map(Into::into).collect();
        self.ask(|reply| Command::Snapshot {
            subscription,
            market_tickers,
            reply,
        })
        .await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.unsubscribes_on_drop {
            // Where the stream has ended, so has this.
            _ = self.handle.commands.send(Command::Unsubscribe {
                subscription: self.id,
                reply: None,
            });
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// The messages of one subscription, with the news of the connection between them. Dropping it ends the subscription.
#[derive(Debug)]
#[must_use = "the subscription ends when its stream is dropped"]
pub struct SubscriptionStream {
    subscription: Subscription,
    receiver: Receiver,
}

impl SubscriptionStream {
    /// The next event; none after the end.
    pub async fn next(&mut self) -> Option<Item> {
        self.receiver.recv().await
    }

    /// The subscription itself, to change it.
    #[must_use]
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// Those of [`StreamHandle::command`].
    pub async fn unsubscribe(self) -> Result<(), StreamError> {
        self.subscription.unsubscribe().await
    }
}

impl futures_core::Stream for SubscriptionStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        self.receiver.poll_recv(context)
    }
}
