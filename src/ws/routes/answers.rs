//! Answers to commands, matched by their id, and what follows from them.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use tokio::time::Instant;

use super::{Routes, outlets_of};
use crate::ws::{
    CommandError, Frame, Message, StreamError, StreamEvent,
    driver::pause,
    messages::OrderbookSnapshot,
    stream::SubscriptionId,
    subscription::{Change, Reply, unexpected},
};

/// A command that is not answered yet.
pub(super) enum Pending {
    Subscribe(SubscriptionId),
    Change {
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: Option<Reply<()>>,
    },
    Snapshot {
        missing: BTreeSet<String>,
        snapshots: Vec<OrderbookSnapshot>,
        reply: Reply<Vec<OrderbookSnapshot>>,
    },
    Unsubscribe(Option<Reply<()>>),
    Other(Reply<Frame>),
}

impl Pending {
    pub(super) fn fail(self, error: StreamError) {
        // Whoever asked may have gone.
        match self {
            Self::Subscribe(_) => {}
            Self::Change { reply, .. } | Self::Unsubscribe(reply) => {
                _ = reply.map(|reply| reply.send(Err(error)));
            }
            Self::Snapshot { reply, .. } => _ = reply.send(Err(error)),
            Self::Other(reply) => _ = reply.send(Err(error)),
        }
    }
}

/// Tells whoever waits for it, if anybody does.
pub(super) fn done(reply: Option<Reply<()>>) {
    _ = reply.map(|reply| reply.send(Ok(())));
}

impl Routes {
    /// An answer to a command; gives the `sid` that it is about.
    pub(super) fn answered(&mut self, id: u64, pending: Pending, frame: &Frame) -> Option<u64> {
        if let Message::ErrorReply(error) = &frame.message {
            let error = CommandError::from(error);
            match pending {
                Pending::Subscribe(subscription) => self.not_subscribed(subscription, error),
                pending => pending.fail(StreamError::Command(error)),
            }
            return frame.sid;
        }
        match (pending, &frame.message) {
            (Pending::Subscribe(subscription), Message::SubscribedReply(reply)) => {
                let sid = u64::try_from(reply.sid).ok()?;
                self.subscribed(subscription, sid);
                return Some(sid);
            }
            // The channel was open on this connection: its subscription has these markets as well now.
            (Pending::Subscribe(subscription), message) if message.kind() == "ok" => {
                let sid = frame.sid.or_else(|| self.sid_of_channel(subscription))?;
                self.subscribed(subscription, sid);
                return Some(sid);
            }
            (Pending::Subscribe(subscription), other) => {
                tracing::warn!(kind = other.kind(), "no answer to `subscribe`");
                self.pending.insert(id, Pending::Subscribe(subscription));
            }
            (
                Pending::Snapshot {
                    mut missing,
                    mut snapshots,
                    reply,
                },
                message,
            ) => {
                if let Message::OrderbookSnapshot(snapshot) = message {
                    missing.remove(&snapshot.market_ticker);
                    snapshots.push(snapshot.clone());
                }
                match missing.is_empty() {
                    true => _ = reply.send(Ok(snapshots)),
                    false => {
                        let pending = Pending::Snapshot {
                            missing,
                            snapshots,
                            reply,
                        };
                        self.pending.insert(id, pending);
                    }
                }
            }
            (
                Pending::Change {
                    subscription,
                    change,
                    targets,
                    reply,
                },
                message,
            ) if message.kind() == "ok" => {
                if let Some(kept) = self.subscriptions.get_mut(&subscription) {
                    for target in targets {
                        match change {
                            Change::Add => _ = kept.targets.insert(target),
                            Change::Remove => _ = kept.targets.remove(&target),
                        }
                    }
                }
                done(reply);
            }
            (Pending::Unsubscribe(reply), Message::UnsubscribedReply) => done(reply),
            (Pending::Other(reply), _) => _ = reply.send(Ok(frame.clone())),
            (pending, other) => pending.fail(unexpected(other)),
        }
        frame.sid
    }

    /// The `sid` of another subscription to the same channel.
    fn sid_of_channel(&self, id: SubscriptionId) -> Option<u64> {
        let channel = &self.subscriptions.get(&id)?.channel;
        self.subscriptions
            .values()
            .filter(|kept| kept.channel == *channel)
            .find_map(|kept| kept.sid)
    }

    fn subscribed(&mut self, id: SubscriptionId, sid: u64) {
        let Some(kept) = self.subscriptions.get_mut(&id) else {
            // It was given up before it was made.
            let none = Pending::Unsubscribe(None);
            if !self.sids.contains_key(&sid) {
                self.give("unsubscribe", Some(json!({"sids": [sid]})), none);
            }
            return;
        };
        kept.retry_at = None;
        if kept.sid == Some(sid) {
            return;
        }
        (kept.sid, kept.since) = (Some(sid), Some(Instant::now()));
        let (reply, outlet) = (kept.reply.take(), kept.outlet);
        let route = self.sids.entry(sid).or_default();
        route.subscriptions.push(id);
        route.outlets = outlets_of(&self.subscriptions, &route.subscriptions);
        match reply.map(|reply| reply.send(Ok(id))) {
            Some(Ok(())) => {}
            // Nobody waits for it any more.
            Some(Err(_)) => self.unsubscribe(id, None),
            None => {
                let subscription = id;
                self.tell(&[outlet], StreamEvent::Resubscribed { subscription, sid });
            }
        }
        let still_early = self.is_subscribing();
        for received in std::mem::take(&mut self.early) {
            match received.frame.sid {
                Some(other) if other != sid && still_early => self.early.push(received),
                _ => self.frame(received.frame, received.received_ts_ms),
            }
        }
        self.resume_waiting();
    }

    fn not_subscribed(&mut self, id: SubscriptionId, error: CommandError) {
        let Some(kept) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if let Some(reply) = kept.reply.take() {
            _ = reply.send(Err(StreamError::Command(error)));
            self.remove(id);
        } else if error.is_transient() {
            kept.retry_at = Some(Instant::now() + pause(kept.attempts));
            kept.attempts += 1;
        } else {
            let event = StreamEvent::Unsubscribed {
                subscription: id,
                error: Arc::new(StreamError::Command(error)),
            };
            let outlet = kept.outlet;
            self.tell(&[outlet], event);
            self.remove(id);
        }
    }
}
