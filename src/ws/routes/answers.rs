//! Answers to commands, matched by their id, and what follows from them.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{About, Routes, outlets_of};
use crate::ws::{
    CommandError, Frame, Message, StreamError, StreamEvent,
    driver::pause,
    error::is_terminal,
    messages::OrderbookSnapshot,
    stream::SubscriptionId,
    subscription::{Change, Channel, Reply, unexpected},
};

/// A command that is not answered yet.
pub(super) enum Pending {
    Subscribe(SubscriptionId),
    Change {
        subscription: SubscriptionId,
        channel: Channel,
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

/// A command that is not answered yet, and the `sid` that it is about, if it is about one.
pub(super) struct Asked {
    pub(super) sid: Option<u64>,
    pub(super) pending: Pending,
}

/// The one `sid` that the parameters of a command name.
pub(super) fn sid_in(params: &Value) -> Option<u64> {
    match params["sids"].as_array().map(Vec::as_slice) {
        Some([sid]) => sid.as_u64(),
        _ => params["sid"].as_u64(),
    }
}

impl Pending {
    /// Whether the answer would change nothing any more: nobody waits for it.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Snapshot { reply, .. } => reply.is_closed(),
            Self::Other(reply) => reply.is_closed(),
            _ => false,
        }
    }

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
    /// The command that an error is the answer to which has no id, as those about a subscription were seen to come: the only one
    /// about it.
    pub(super) fn refused(&self, frame: &Frame) -> Option<u64> {
        let Message::ErrorReply(error) = &frame.message else {
            return None;
        };
        let sid = frame.sid.filter(|_| !is_terminal(error.code))?;
        let mut about_it = self
            .pending
            .iter()
            .filter(|(_, asked)| asked.sid == Some(sid) && !asked.pending.is_idle());
        match (about_it.next(), about_it.next()) {
            (Some((id, _)), None) => Some(*id),
            _ => None,
        }
    }

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
                let pending = Pending::Subscribe(subscription);
                self.pending.insert(id, Asked { sid: None, pending });
            }
            (
                Pending::Snapshot {
                    mut missing,
                    mut snapshots,
                    reply,
                },
                message,
            ) => {
                if let Message::Malformed(_) = message {
                    _ = reply.send(Err(unexpected(message)));
                    return frame.sid;
                }
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
                        let sid = frame.sid;
                        self.pending.insert(id, Asked { sid, pending });
                    }
                }
            }
            (
                Pending::Change {
                    subscription,
                    channel,
                    change,
                    targets,
                    reply,
                },
                message,
            ) if message.kind() == "ok" => {
                self.changed((subscription, &channel), change, targets, frame.sid);
                done(reply);
            }
            (Pending::Unsubscribe(reply), Message::UnsubscribedReply) => done(reply),
            (Pending::Other(reply), _) => _ = reply.send(Ok(frame.clone())),
            (pending, other) => pending.fail(unexpected(other)),
        }
        frame.sid
    }

    fn changed(
        &mut self,
        (id, channel): (SubscriptionId, &Channel),
        change: Change,
        targets: Vec<String>,
        sid: Option<u64>,
    ) {
        if let Some(route) = sid.and_then(|sid| self.sids.get_mut(&sid)) {
            match change {
                Change::Add => route.removed.retain(|target| !targets.contains(target)),
                Change::Remove => route.removed.extend(targets.iter().cloned()),
            }
        }
        if let Some(kept) = self.subscriptions.get_mut(&id) {
            match change {
                Change::Add if kept.about == About::All => {}
                Change::Add => kept.targets.extend(targets.iter().cloned()),
                Change::Remove => kept.targets.retain(|target| !targets.contains(target)),
            }
        }
        let (Change::Remove, Some(sid)) = (change, sid) else {
            return;
        };
        for target in targets {
            // Another subscription came to want it while it was being removed.
            let wants = self.subscriptions.iter().find(|(other, kept)| {
                **other != id && kept.channel == *channel && kept.targets.contains(&target)
            });
            if let Some(other) = wants.map(|(other, _)| *other) {
                self.change(sid, (other, channel), Change::Add, vec![target], None);
            }
        }
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
            return self.take_early(Some(sid));
        };
        kept.retry_at = None;
        if kept.sid == Some(sid) {
            return self.take_early(Some(sid));
        }
        (kept.sid, kept.since) = (Some(sid), Some(Instant::now()));
        kept.is_woken = false;
        let (reply, outlet) = (kept.reply.take(), kept.outlet);
        let route = self.sids.entry(sid).or_default();
        route.subscriptions.push(id);
        route
            .removed
            .retain(|target| !kept.targets.contains(target));
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
        self.take_early(Some(sid));
        self.resume_waiting();
    }

    /// Takes the messages that waited for an acknowledgement: those of this subscription, or all when no other can come.
    pub(super) fn take_early(&mut self, sid: Option<u64>) {
        let still_early = self.is_subscribing();
        for received in std::mem::take(&mut self.early) {
            match received.frame.sid == sid || !still_early {
                true => self.frame(received.frame, received.received_ts_ms),
                false => self.early.push(received),
            }
        }
    }

    fn not_subscribed(&mut self, id: SubscriptionId, error: CommandError) {
        let Some(kept) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if let Some(reply) = kept.reply.take() {
            _ = reply.send(Err(StreamError::Command(error)));
            self.remove(id);
        } else if kept.is_woken && !error.is_transient() {
            // What was to be added is not to be had: it goes on waiting.
            kept.is_woken = false;
            kept.targets.clear();
            kept.retry_at = None;
            self.refuse_waiting(id, &StreamError::Command(error));
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
        self.take_early(None);
        self.resume_waiting();
    }
}
