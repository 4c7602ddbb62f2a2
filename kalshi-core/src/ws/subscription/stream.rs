//! The messages of one subscription, as a stream.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::Subscription;
use crate::ws::{
    api::WebSocketApi,
    error::ConnectionError,
    event::{Event, Received},
    queue::Receiver,
};

/// The messages of one subscription, interleaved with connection events. Dropping it ends the subscription.
///
/// A message without a subscription is delivered to every stream, because it may concern any of them.
#[must_use = "dropping the stream ends the subscription"]
pub struct SubscriptionStream<A: WebSocketApi> {
    pub(super) subscription: Subscription<A>,
    pub(super) receiver: Receiver,
}

/// An event, or the error that ended the connection.
type Item<M> = Result<Event<Received<M>>, ConnectionError>;

impl<A: WebSocketApi> fmt::Debug for SubscriptionStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionStream")
            .field("subscription", &self.subscription)
            .finish_non_exhaustive()
    }
}

impl<A: WebSocketApi> SubscriptionStream<A> {
    /// Returns the next event, or `None` after the end.
    pub async fn next(&mut self) -> Option<Item<A::Message>> {
        let item = self.receiver.recv().await;
        item.map(|item| item.map(Event::decode))
    }

    /// Returns the subscription. To change it while the stream is being read, use its [`id`](Subscription::id) and
    /// [`handle`](Subscription::handle).
    #[must_use]
    pub fn subscription(&self) -> &Subscription<A> {
        &self.subscription
    }

    /// Ends the subscription at the exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the exchange rejects the command, does not reply in time, or the connection is lost before it replies.
    pub async fn unsubscribe(self) -> Result<(), ConnectionError> {
        self.subscription.unsubscribe().await
    }
}

// No field is structurally pinned.
impl<A: WebSocketApi> Unpin for SubscriptionStream<A> {}

impl<A: WebSocketApi> futures_core::Stream for SubscriptionStream<A> {
    type Item = Item<A::Message>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.receiver.poll_recv(context);
        item.map(|item| item.map(|item| item.map(Event::decode)))
    }
}
