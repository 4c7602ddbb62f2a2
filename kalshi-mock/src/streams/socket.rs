//! One open socket: what its client has subscribed to, and what it is told.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    messages::{self, Message},
    outbox::{Outbox, Outgoing},
    refusals::Refused,
    subscription::{Channel, Subscription},
};
use crate::{
    call::Caller,
    state::{Account, News, State},
};

/// An open socket.
pub(super) struct Socket {
    pub(super) caller: Caller,
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
    /// The last sid that was given out.
    last: u64,
    pub(super) outbox: Arc<Outbox>,
    most_waiting: usize,
    pub(super) mischief: Mischief,
}

/// What is to go wrong with the next numbered messages.
#[derive(Debug, Default)]
pub(super) struct Mischief {
    /// So many are lost.
    pub(super) lost: u32,
    /// So many come twice.
    pub(super) twice: u32,
    pub(super) swap: Swap,
}

/// Two messages that change places.
#[derive(Debug, Default)]
pub(super) enum Swap {
    #[default]
    None,
    Wanted,
    /// The first one, of a subscription, waits for the second.
    Held(u64, String),
}

impl Socket {
    pub(super) fn new(caller: Caller, outbox: Arc<Outbox>, most_waiting: usize) -> Self {
        Self {
            caller,
            subscriptions: BTreeMap::new(),
            last: 0,
            outbox,
            most_waiting,
            mischief: Mischief::default(),
        }
    }

    /// Opens a subscription.
    pub(super) fn open(&mut self, subscription: Subscription) -> u64 {
        self.last += 1;
        self.subscriptions.insert(self.last, subscription);
        self.last
    }

    /// The subscription to a channel, if there is one.
    pub(super) fn on(&self, channel: Channel) -> Option<u64> {
        self.subscriptions
            .iter()
            .find(|(_, subscription)| subscription.channel == channel)
            .map(|(sid, _)| *sid)
    }

    /// Whether an account's affairs are those of this client.
    pub(super) fn is_own(&self, account: Account) -> bool {
        account.user == self.caller.user
            && self
                .caller
                .locked_to
                .is_none_or(|locked| locked == account.subaccount)
    }

    /// Tells what has happened, if it is among what the client wants to know.
    pub(super) fn tell(&mut self, state: &State, news: &News) {
        let sids: Vec<u64> = self.subscriptions.keys().copied().collect();
        for sid in sids {
            let message = self
                .subscriptions
                .get(&sid)
                .and_then(|subscription| messages::of(state, self, subscription, news));
            if let Some(message) = message {
                self.send(state, sid, None, message);
            }
        }
    }

    /// Sends a message of a subscription; with the id of the command that it answers, if it does.
    pub(super) fn send(&mut self, state: &State, sid: u64, id: Option<u64>, message: Message) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        let seq = subscription
            .channel
            .is_numbered()
            .then(|| subscription.next());
        let text = messages::frame(
            state,
            message.kind,
            id,
            (Some(sid), seq),
            Some(&message.body),
        );
        if seq.is_none() || id.is_some() {
            self.post(state, sid, text);
            return;
        }
        if self.mischief.lost > 0 {
            self.mischief.lost -= 1;
            return;
        }
        match std::mem::take(&mut self.mischief.swap) {
            Swap::Wanted => {
                self.mischief.swap = Swap::Held(sid, text);
                return;
            }
            Swap::Held(of, first) if of == sid => {
                self.post(state, sid, text);
                self.post(state, sid, first);
                return;
            }
            other => self.mischief.swap = other,
        }
        if self.mischief.twice > 0 {
            self.mischief.twice -= 1;
            self.post(state, sid, text.clone());
        }
        self.post(state, sid, text);
    }

    /// Answers a command that concerns a subscription. Such answers count too, and arrive as they should.
    pub(super) fn confirm(
        &mut self,
        state: &State,
        (kind, sid, id): (&'static str, u64, Option<u64>),
        body: Option<&Value>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        // That a subscription has ended is always numbered.
        let numbered = subscription.channel.is_numbered() || kind == "unsubscribed";
        let seq = numbered.then(|| subscription.next());
        let text = messages::frame(state, kind, id, (Some(sid), seq), body);
        self.post(state, sid, text);
    }

    /// Answers a command that concerns none.
    pub(super) fn answer(&self, state: &State, kind: &'static str, id: Option<u64>, body: &Value) {
        let text = messages::frame(state, kind, id, (None, None), Some(body));
        self.outbox.push(Outgoing::Text { sid: None, text });
    }

    /// Puts a frame where it waits. A client that does not read loses the subscription.
    fn post(&mut self, state: &State, sid: u64, text: String) {
        if !self.subscriptions.contains_key(&sid) {
            // The frame before was the end of it.
            return;
        }
        if self.outbox.waiting(sid) >= self.most_waiting {
            self.outbox.forget(sid);
            self.end(state, sid, &Refused::overflow());
            return;
        }
        self.outbox.push(Outgoing::Text {
            sid: Some(sid),
            text,
        });
    }

    /// Ends a subscription with an error.
    pub(super) fn end(&mut self, state: &State, sid: u64, error: &Refused) {
        let Some(mut subscription) = self.forget(sid) else {
            return;
        };
        let seq = subscription
            .channel
            .is_numbered()
            .then(|| subscription.next());
        let text = messages::frame(state, "error", None, (Some(sid), seq), Some(&error.body()));
        self.outbox.push(Outgoing::Text { sid: None, text });
    }

    /// Forgets a subscription, and what was held back of it.
    pub(super) fn forget(&mut self, sid: u64) -> Option<Subscription> {
        if matches!(&self.mischief.swap, Swap::Held(of, _) if *of == sid) {
            self.mischief.swap = Swap::None;
        }
        self.subscriptions.remove(&sid)
    }
}
