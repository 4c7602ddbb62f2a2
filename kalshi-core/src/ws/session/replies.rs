//! Replies to commands, matched by id.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Session,
    pending::{CommandScope, Pending, PendingCommand, done},
};
use crate::ws::{
    command::{Change, RawReply},
    control::{self, Control},
    envelope::Envelope,
    error::ConnectionError,
    event::RawMessage,
};

/// The subscriptions that a reply ends.
pub(super) enum Ended {
    None,
    Sid(u64),
    /// Any of them may have ended.
    All,
}

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
            let mut candidates = self.pending.iter().filter(|(_, command)| {
                command.sid() == Some(sid) && is_candidate(&command.pending)
            });
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

    /// Returns the subscriptions that an error in reply to a command ends.
    pub(super) fn ended_by(&self, command: &PendingCommand, control: &Control) -> Ended {
        let Control::Error(error) = control else {
            return Ended::None;
        };
        match &command.scope {
            CommandScope::Sid(sid) if error.ends_subscription() => Ended::Sid(*sid),
            CommandScope::Channels(channels) if error.is_terminal() => {
                let mut sids = channels.iter().filter_map(|name| self.sid_of_channel(name));
                match (sids.next(), sids.next()) {
                    (None, _) => Ended::None,
                    (Some(sid), None) => Ended::Sid(sid),
                    (Some(_), Some(_)) => Ended::All,
                }
            }
            CommandScope::All if error.is_terminal() => Ended::All,
            _ => Ended::None,
        }
    }

    /// Processes the reply to a command. Returns the `sid` that the reply concerns.
    pub(super) fn replied(
        &mut self,
        id: u64,
        command: PendingCommand,
        message: &RawMessage,
        control: &Control,
    ) -> Option<u64> {
        let sid = message.envelope.sid;
        let kind = message.envelope.kind(&message.text);
        let of = command.sid();
        let PendingCommand { scope, pending, .. } = command;
        if let Control::Error(error) = control {
            match pending {
                Pending::Subscribe { subscription, .. } => {
                    self.subscribe_failed(id, subscription, error.clone());
                }
                Pending::Chunk {
                    subscription,
                    targets,
                    ..
                } => self.chunk_failed((subscription, of), targets, error),
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
                    {
                        self.removal_rejected(id, (*subscription, sid), targets);
                    }
                    pending.fail(ConnectionError::Command(error.clone()));
                }
            }
            return sid;
        }
        match (pending, control) {
            (
                Pending::Subscribe {
                    subscription,
                    requested,
                },
                Control::Subscribed { sid, channel },
            ) if self.may_join(subscription, *sid, channel.as_deref()) => {
                self.subscribed(subscription, *sid, true, requested);
                return Some(*sid);
            }
            // The channel was already open on this connection, and its subscription now includes these targets.
            (
                Pending::Subscribe {
                    subscription,
                    requested,
                },
                Control::Ok,
            ) if sid.is_none_or(|sid| self.may_join(subscription, sid, None)) => {
                let tracked = self.subscriptions.get(&subscription);
                let sid = sid.or_else(|| self.sid_of_channel(&tracked?.channel))?;
                self.subscribed(subscription, sid, false, Arc::clone(&requested));
                self.added(id, subscription, sid, &requested);
                return Some(sid);
            }
            // The right one may follow. Otherwise the subscription is requested again.
            (pending @ Pending::Subscribe { .. }, _) => {
                tracing::warn!(kind, "unexpected reply to `subscribe`");
                self.wait_longer(id, scope, pending);
            }
            (Pending::Snapshot { reply, .. }, Control::Malformed) => {
                _ = reply.send(Err(ConnectionError::unexpected_reply(kind)));
            }
            (
                Pending::Snapshot {
                    names,
                    mut missing,
                    unsent,
                    mut snapshots,
                    reply,
                },
                _,
            ) => {
                if reply.is_closed() {
                    self.wait_longer(id, scope, Pending::Obsolete(None));
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
                        if let Some(route) = of.and_then(|of| self.sids.get_mut(&of)) {
                            route.silent.remove(target.as_ref());
                        }
                    }
                }
                match (missing.is_empty(), of) {
                    (true, _) if unsent.is_empty() => _ = reply.send(Ok(snapshots)),
                    (true, Some(of)) => self.write_snapshot(of, names, unsent, snapshots, reply),
                    (true, None) => _ = reply.send(Err(ConnectionError::Disconnected)),
                    (false, _) => {
                        let pending = Pending::Snapshot {
                            names,
                            missing,
                            unsent,
                            snapshots,
                            reply,
                        };
                        self.wait_longer(id, scope, pending);
                    }
                }
            }
            (
                Pending::Change {
                    subscription,
                    channel,
                    change,
                    mut targets,
                    mut rest,
                    superseded,
                    reply,
                },
                Control::Ok,
            ) => {
                self.supersede(id, subscription, change, &targets);
                let tracked = self.subscriptions.get(&subscription);
                let current = of.filter(|_| tracked.is_none_or(|tracked| tracked.sid == of));
                let Some(of) = current else {
                    // The subscription has been made again since, without the change, unless the program has ended it.
                    match tracked {
                        Some(_) => {
                            targets.append(&mut rest);
                            self.change_again(id, subscription, change, targets, reply);
                        }
                        None => done(reply),
                    }
                    return sid;
                };
                self.changed(id, (subscription, &channel), change, targets, sid);
                self.repeat_later_changes(id, (subscription, of), change, superseded);
                let tracked = self.subscriptions.get(&subscription);
                match tracked.and_then(|tracked| tracked.sid) {
                    _ if rest.is_empty() => done(reply),
                    Some(sid) => self.change(sid, subscription, change, rest, reply),
                    // The program ended the subscription while targets were being added.
                    None => _ = reply.map(|reply| reply.send(Err(ConnectionError::Ended))),
                }
            }
            // The next chunk is sent once the snapshots of this one have arrived.
            (
                Pending::Chunk {
                    subscription,
                    targets,
                    ..
                },
                Control::Ok,
            ) => {
                if let Some(of) = of {
                    self.chunk_added(id, (subscription, of), targets);
                }
            }
            (Pending::Unsubscribe(reply), Control::Unsubscribed) => done(reply),
            (Pending::Other(reply), _) => _ = reply.send(Ok(reply_of(message))),
            (Pending::Obsolete(added), control) => {
                if let (Some((subscription, targets)), Some(_)) = (&added, of)
                    && matches!(control, Control::Ok | Control::Subscribed { .. })
                {
                    self.remove_deselected(id, *subscription, targets.to_vec());
                }
                // Further snapshots may follow.
                self.wait_longer(id, scope, Pending::Obsolete(added));
            }
            (pending, _) => pending.fail(ConnectionError::unexpected_reply(kind)),
        }
        sid
    }

    /// Keeps a command pending until a further reply.
    fn wait_longer(&mut self, id: u64, scope: CommandScope, pending: Pending) {
        let command = PendingCommand {
            scope,
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
