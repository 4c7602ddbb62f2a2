//! One open connection: its subscriptions, and the messages sent on them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    error::CommandError,
    faults::{FrameFaults, Swap},
    feeds::Feed,
    frame::{self, Message},
    messages,
    outbox::{Outbox, Outgoing},
    subscription::{Channel, Subscription},
};
use crate::{
    call::Caller,
    state::{Event, Instance, MarketIndex, State},
};

/// An open WebSocket connection and its subscriptions.
pub(super) struct Socket {
    pub(super) instance: Instance,
    pub(super) caller: Caller,
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
    /// The last subscription id in use.
    last_sid: u64,
    pub(super) outbox: Arc<Outbox>,
    max_queued: usize,
    pub(super) faults: FrameFaults,
    /// Default of `use_yes_price` for subscriptions.
    pub(super) use_yes_price: bool,
}

impl Socket {
    pub(super) fn new(
        instance: Instance,
        caller: Caller,
        (outbox, max_queued): (Arc<Outbox>, usize),
    ) -> Self {
        Self {
            instance,
            caller,
            subscriptions: BTreeMap::new(),
            last_sid: 0,
            outbox,
            max_queued,
            faults: FrameFaults::default(),
            use_yes_price: false,
        }
    }

    /// Opens a subscription and returns its id.
    pub(super) fn open(&mut self, subscription: Subscription) -> u64 {
        self.last_sid += 1;
        self.subscriptions.insert(self.last_sid, subscription);
        self.last_sid
    }

    /// Returns the id of the subscription to a channel, if any.
    pub(super) fn subscription_to(&self, channel: Channel) -> Option<u64> {
        self.subscriptions
            .iter()
            .find(|(_, subscription)| subscription.channel == channel)
            .map(|(sid, _)| *sid)
    }

    /// Sends an event on every subscription that covers it.
    pub(super) fn deliver(&mut self, state: &State, event: &Event) {
        let sids: Vec<u64> = self.subscriptions.keys().copied().collect();
        for sid in sids {
            let message = self.subscriptions.get(&sid).and_then(|subscription| {
                messages::render(state, &self.caller, subscription, event)
            });
            if let Some(message) = message {
                self.send(state, sid, None, message);
            }
        }
    }

    /// Sends the ticker of a market, if a subscription covers it.
    pub(super) fn send_ticker(&mut self, state: &State, index: MarketIndex, body: &Value) {
        let ticker = frame::ticker_of(state, index);
        let sid = self.subscription_to(Channel::Ticker).filter(|sid| {
            let subscription = self.subscriptions.get(sid);
            subscription.is_some_and(|subscription| subscription.covers(ticker))
        });
        if let Some(sid) = sid {
            let message = Message {
                kind: "ticker",
                body: body.clone(),
            };
            self.send(state, sid, None, message);
        }
    }

    /// Sends the external prices of a feed that the client subscribed to.
    pub(super) fn send_prices(&mut self, state: &State, feed: &'static Feed) {
        let Some(sid) = self.subscription_to(Channel::Prices(feed)) else {
            return;
        };
        let subscription = self.subscriptions.get(&sid);
        let values = subscription.map(|subscription| feed.values(&subscription.sources, state.now));
        for message in values.into_iter().flatten() {
            self.send(state, sid, None, message);
        }
    }

    /// Sends a message on a subscription. `id` is the id of the command that requested it, if any.
    pub(super) fn send(&mut self, state: &State, sid: u64, id: Option<u64>, message: Message) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        let seq = subscription
            .channel
            .is_numbered()
            .then(|| subscription.next_seq());
        let text = frame::encode(
            state,
            message.kind,
            id,
            (Some(sid), seq),
            Some(&message.body),
        );
        if seq.is_none() || id.is_some() {
            self.enqueue(state, sid, text);
            return;
        }
        if self.faults.drop > 0 {
            self.faults.drop -= 1;
            return;
        }
        match std::mem::take(&mut self.faults.swap) {
            Swap::Pending => {
                self.faults.swap = Swap::Held(sid, text);
                return;
            }
            Swap::Held(of, first) if of == sid => {
                self.enqueue(state, sid, text);
                self.enqueue(state, sid, first);
                return;
            }
            other => self.faults.swap = other,
        }
        if self.faults.repeat > 0 {
            self.faults.repeat -= 1;
            self.enqueue(state, sid, text.clone());
        }
        self.enqueue(state, sid, text);
    }

    /// Acknowledges a command about a subscription. Acknowledgements use sequence numbers too; faults do not affect them.
    pub(super) fn acknowledge(
        &mut self,
        state: &State,
        (kind, sid, id): (&'static str, u64, Option<u64>),
        body: Option<&Value>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        // `unsubscribed` has a sequence number on every channel.
        let numbered = subscription.channel.is_numbered() || kind == "unsubscribed";
        let seq = numbered.then(|| subscription.next_seq());
        let text = frame::encode(state, kind, id, (Some(sid), seq), body);
        self.enqueue(state, sid, text);
    }

    /// Replies to a command that is not about a subscription.
    pub(super) fn reply(&self, state: &State, kind: &'static str, id: Option<u64>, body: &Value) {
        let text = frame::encode(state, kind, id, (None, None), Some(body));
        self.outbox.push(Outgoing::Text { sid: None, text });
    }

    /// Queues a frame. Ends the subscription instead if too many of its frames are queued.
    fn enqueue(&mut self, state: &State, sid: u64, text: String) {
        if !self.subscriptions.contains_key(&sid) {
            // The previous frame ended the subscription.
            return;
        }
        if self.outbox.queued(sid) >= self.max_queued {
            self.outbox.discard(sid);
            self.end(state, sid, &CommandError::overflow());
            return;
        }
        self.outbox.push(Outgoing::Text {
            sid: Some(sid),
            text,
        });
    }

    /// Ends a subscription with an error.
    pub(super) fn end(&mut self, state: &State, sid: u64, error: &CommandError) {
        let Some(mut subscription) = self.remove(sid) else {
            return;
        };
        let seq = subscription
            .channel
            .is_numbered()
            .then(|| subscription.next_seq());
        let text = frame::encode(state, "error", None, (Some(sid), seq), Some(&error.body()));
        self.outbox.push(Outgoing::Text { sid: None, text });
    }

    /// Removes a subscription, and the message that a swap holds back.
    pub(super) fn remove(&mut self, sid: u64) -> Option<Subscription> {
        if matches!(&self.faults.swap, Swap::Held(of, _) if *of == sid) {
            self.faults.swap = Swap::None;
        }
        self.subscriptions.remove(&sid)
    }
}

/// Iterates over the connections to an instance.
pub(super) fn of_instance(
    sockets: &mut BTreeMap<u64, Socket>,
    instance: Instance,
) -> impl Iterator<Item = &mut Socket> {
    sockets
        .values_mut()
        .filter(move |socket| socket.instance == instance)
}
