//! Replies to commands, matched by id.

use std::sync::Arc;

use tokio::{sync::oneshot, time::Instant};

use super::{
    Session,
    pending::{Pending, PendingCommand, done},
};
use crate::ws::{
    command::{Change, Command, RawReply},
    control::{self, Control},
    envelope::Envelope,
    error::ConnectionError,
    event::RawMessage,
};

impl Session {
    /// Returns the command that an error without an id belongs to: the only pending one on its subscription. The exchange has been observed
    /// to omit the id in errors of commands on a subscription.
    ///
    /// A request of snapshots has no effect, so it may fail in place of a chunk, or of a change whose caller is gone. No change fails in place
    /// of another.
    pub(super) fn command_that_failed(
        &self,
        envelope: &Envelope,
        control: &Control,
    ) -> Option<u64> {
        let Control::Error(error) = control else {
            return None;
        };
        let sid = envelope.sid.filter(|_| !error.is_terminal())?;
        let only = |is_candidate: fn(&Pending) -> bool| {
            let mut candidates = self
                .pending
                .iter()
                .filter(|(_, command)| command.sid == Some(sid) && is_candidate(&command.pending));
            let (id, _) = candidates.next()?;
            candidates.next().is_none().then_some(*id)
        };
        let is_request = |id: &u64| {
            let command = self.pending.get(id);
            command.is_some_and(|command| matches!(command.pending, Pending::Snapshot { .. }))
        };
        only(|pending| pending.has_caller() && !matches!(pending, Pending::Chunk { .. }))
            .filter(is_request)
            .or_else(|| only(Pending::may_fail))
    }

    /// Returns the `sid` that the reply to a command ends: that of an unsubscription, that of the channel that failed or overflowed, or one
    /// that the exchange does not know.
    pub(super) fn sid_ended_by(&self, command: &PendingCommand, control: &Control) -> Option<u64> {
        match (&command.pending, control) {
            (Pending::Unsubscribe(_), Control::Unsubscribed) => command.sid,
            (Pending::Subscribe(id), Control::Error(error)) if error.is_terminal() => {
                self.sid_of_channel(*id)
            }
            (_, Control::Error(error)) if error.ends_subscription() => command.sid,
            _ => None,
        }
    }

    /// Processes the reply to a command. Returns the `sid` that the reply concerns.
    pub(super) fn replied(
        &mut self,
        id: u64,
        PendingCommand {
            sid: of,
            opens_channels,
            pending,
            ..
        }: PendingCommand,
        message: &RawMessage,
        control: &Control,
    ) -> Option<u64> {
        let sid = message.envelope.sid;
        let kind = message.envelope.kind(&message.text);
        if let Control::Error(error) = control {
            match pending {
                Pending::Subscribe(subscription) => {
                    self.subscribe_failed(subscription, error.clone());
                }
                Pending::Chunk {
                    subscription,
                    sid,
                    targets,
                    ..
                } => self.chunk_failed((subscription, sid), targets, error),
                pending => {
                    if let (
                        Pending::Change {
                            subscription,
                            change: Change::Remove,
                            targets,
                            ..
                        },
                        Some(sid),
                    ) = (&pending, of)
                        && message.envelope.id.is_some()
                        && error.is_rejection()
                        && let Some(route) = self.sids.get_mut(&sid)
                    {
                        let kept = route.end_removals(id, targets);
                        let left_out = |target| route.left_out.remove_entry(target);
                        let left_out: Vec<_> = kept.iter().filter_map(left_out).collect();
                        self.kept(*subscription, sid, kept);
                        for (target, owner) in left_out {
                            let tracked = self.subscriptions.get(&owner);
                            if tracked.is_some_and(|tracked| {
                                tracked.sid == Some(sid) && tracked.selected.contains(&target)
                            }) {
                                self.write_chunk(owner, sid, vec![target], 0);
                            }
                        }
                    }
                    pending.fail(ConnectionError::Command(error.clone()));
                }
            }
            return sid;
        }
        match (pending, control) {
            (Pending::Subscribe(subscription), Control::Subscribed { sid, channel })
                if self.may_join(subscription, *sid, channel.as_deref()) =>
            {
                self.subscribed(subscription, *sid, true);
                return Some(*sid);
            }
            // The channel was already open on this connection, and its subscription now includes these targets.
            (Pending::Subscribe(subscription), Control::Ok)
                if sid.is_none_or(|sid| self.may_join(subscription, sid, None)) =>
            {
                let sid = sid.or_else(|| self.sid_of_channel(subscription))?;
                self.subscribed(subscription, sid, false);
                let tracked = self.subscriptions.get(&subscription);
                if let Some(requested) = tracked.map(|tracked| Arc::clone(&tracked.requested)) {
                    self.added(id, subscription, sid, &requested);
                }
                return Some(sid);
            }
            // The right one may follow. Otherwise the subscription is requested again.
            (Pending::Subscribe(subscription), _) => {
                tracing::warn!(kind, "unexpected reply to `subscribe`");
                let pending = Pending::Subscribe(subscription);
                self.wait_longer(id, of, opens_channels, pending);
            }
            (Pending::Snapshot { reply, .. }, Control::Malformed) => {
                _ = reply.send(Err(ConnectionError::unexpected_reply(kind)));
            }
            (
                Pending::Snapshot {
                    sid: of,
                    names,
                    mut missing,
                    unsent,
                    mut snapshots,
                    reply,
                },
                _,
            ) => {
                if reply.is_closed() {
                    self.wait_longer(id, Some(of), opens_channels, Pending::Obsolete);
                    return sid;
                }
                if names.snapshot == Some(kind) {
                    let target = names
                        .single
                        .and_then(|name| control::field(&message.text, &message.envelope, name));
                    let Some(target) = target else {
                        _ = reply.send(Err(ConnectionError::unexpected_reply(kind)));
                        return sid;
                    };
                    // A repeated snapshot, or one of another target, is not part of the result.
                    if missing.remove(target.as_ref()) {
                        snapshots.push(reply_of(message));
                        if let Some(route) = self.sids.get_mut(&of) {
                            route.silent.remove(target.as_ref());
                        }
                    }
                }
                match missing.is_empty() {
                    true if unsent.is_empty() => _ = reply.send(Ok(snapshots)),
                    true => self.write_snapshot(of, names, unsent, snapshots, reply),
                    false => {
                        let pending = Pending::Snapshot {
                            sid: of,
                            names,
                            missing,
                            unsent,
                            snapshots,
                            reply,
                        };
                        self.wait_longer(id, Some(of), opens_channels, pending);
                    }
                }
            }
            (
                Pending::Change {
                    subscription,
                    channel,
                    change,
                    targets,
                    rest,
                    reply,
                },
                Control::Ok,
            ) => {
                let tracked = self.subscriptions.get(&subscription);
                if tracked.is_some_and(|tracked| tracked.sid != of) {
                    // The subscription has been made again since, without the change.
                    self.command(Command::Change {
                        subscription,
                        change,
                        targets: [targets, rest].concat(),
                        is_acknowledged: true,
                        reply: reply.unwrap_or_else(|| oneshot::channel().0),
                    });
                    return sid;
                }
                self.changed(id, (subscription, &channel), change, targets, sid);
                let tracked = self.subscriptions.get(&subscription);
                match tracked.and_then(|tracked| tracked.sid) {
                    _ if rest.is_empty() => done(reply),
                    Some(sid) => self.change(sid, subscription, change, rest, reply),
                    // The subscription ended while targets were being added.
                    None => {
                        let error = Err(ConnectionError::Disconnected);
                        _ = reply.map(|reply| reply.send(error));
                    }
                }
            }
            // The next chunk is sent once the snapshots of this one have arrived.
            (
                Pending::Chunk {
                    subscription,
                    sid,
                    targets,
                    ..
                },
                Control::Ok,
            ) => self.added(id, subscription, sid, &targets),
            (Pending::Unsubscribe(reply), Control::Unsubscribed) => done(reply),
            (Pending::Other(reply), _) => _ = reply.send(Ok(reply_of(message))),
            // Further snapshots may follow.
            (Pending::Obsolete, _) => {
                self.wait_longer(id, of, opens_channels, Pending::Obsolete);
            }
            (pending, _) => pending.fail(ConnectionError::unexpected_reply(kind)),
        }
        sid
    }

    /// Keeps a command pending until a further reply.
    fn wait_longer(&mut self, id: u64, sid: Option<u64>, opens_channels: bool, pending: Pending) {
        let command = PendingCommand {
            sid,
            opens_channels,
            pending,
            sent: Instant::now(),
        };
        self.pending.insert(id, command);
    }
}

fn reply_of(message: &RawMessage) -> RawReply {
    RawReply {
        text: message.text.clone(),
        envelope: message.envelope.clone(),
    }
}
