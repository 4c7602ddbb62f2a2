//! Replies to commands, matched by id, and their effects.

use std::sync::Arc;

use serde_json::json;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Route, Scope, Session,
    pending::{Pending, PendingCommand, done},
    queues_of,
};
use crate::ws::{
    backoff::subscribe_pause,
    command::{Change, Command, Made, RawReply},
    control::{self, Control},
    envelope::Envelope,
    error::{CommandError, ConnectionError},
    event::{RawEvent, RawMessage, SubscriptionId},
    sequence::Sequence,
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

    /// Handles a rejected chunk. It is requested again if the error is transient. Otherwise its targets are requested individually, and
    /// those that are rejected are deselected.
    fn chunk_failed(
        &mut self,
        (id, sid): (SubscriptionId, u64),
        mut targets: Vec<String>,
        error: &CommandError,
    ) {
        // A subscription that ended is made again as a whole.
        let Some(tracked) = self
            .subscriptions
            .get_mut(&id)
            .filter(|tracked| tracked.sid == Some(sid) && !error.ends_subscription())
        else {
            return;
        };
        // A target is rejected only if it was the only one of the command.
        let is_alone = targets.len() == 1;
        targets.retain(|target| tracked.selected.contains(target));
        if let Some(route) = self.sids.get_mut(&sid) {
            route.leave_out_removals(id, &mut targets);
        }
        if error.is_transient() {
            return tracked.chunks.return_targets(targets);
        }
        if !is_alone || targets.is_empty() {
            return tracked.chunks.isolate(targets);
        }
        for target in &targets {
            tracked.selected.remove(target);
        }
        tracked.chunks.skip();
        let queue = tracked.queue;
        let event = RawEvent::TargetsRejected {
            subscription: id,
            targets: targets.into(),
            error: Arc::new(ConnectionError::Command(error.clone())),
        };
        self.send(&[queue], event);
    }

    fn changed(
        &mut self,
        command: u64,
        (id, channel): (SubscriptionId, &str),
        change: Change,
        targets: Vec<String>,
        sid: Option<u64>,
    ) {
        if let Some(sid) = sid
            && let Some(route) = self.sids.get_mut(&sid)
        {
            // They are now selected or removed.
            route.extra.retain(|target| !targets.contains(target));
            if change == Change::Remove {
                route.acknowledged(command, &targets);
            }
        }
        if let Some(tracked) = self.subscriptions.get_mut(&id) {
            if change == Change::Remove {
                for target in &targets {
                    tracked.chunks.remove_unsent(target);
                }
            }
            match change {
                Change::Add if tracked.scope == Scope::All => {}
                Change::Add => tracked.selected.extend(targets.iter().cloned()),
                Change::Remove => tracked.selected.retain(|target| !targets.contains(target)),
            }
        }
        let Some(sid) = sid else {
            return;
        };
        if change == Change::Add {
            return self.added(command, id, sid, &targets);
        }
        for target in targets {
            // Another subscription has selected the target while it was being removed.
            let wants = self.subscriptions.iter().find(|(other, tracked)| {
                **other != id && *tracked.channel == *channel && tracked.selected.contains(&target)
            });
            if let Some(other) = wants.map(|(other, _)| *other) {
                self.write_chunk(other, sid, vec![target], 0);
            }
        }
    }

    /// Reports targets whose addition is acknowledged by the reply to command `id`, unless a later command removes them.
    fn added(&mut self, id: u64, subscription: SubscriptionId, sid: u64, targets: &[String]) {
        let Some(route) = self.sids.get_mut(&sid) else {
            return;
        };
        route.acknowledged(id, targets);
        // The reader may have missed the acknowledgement of a removal, so an acknowledged one is not over for it.
        if route.has_removals {
            let targets = targets.iter();
            let kept = targets.filter(|target| !route.removing.contains_key(*target));
            let kept = kept.cloned().collect();
            self.kept(subscription, sid, kept);
        }
    }

    /// Reports targets that are part of a subscription. Others than the selected ones belong to nobody: no snapshot of them is requested.
    fn kept(&mut self, subscription: SubscriptionId, sid: u64, mut targets: Vec<String>) {
        let Some(route) = self.sids.get(&sid) else {
            return;
        };
        targets.retain(|target| self.is_part(route, target));
        let queues = route.queues.clone();
        if !targets.is_empty() {
            let event = RawEvent::TargetsKept {
                subscription,
                sid,
                targets: targets.into(),
            };
            self.send(&queues, event);
        }
    }

    /// Returns the `sid` of another subscription to the same channel.
    fn sid_of_channel(&self, id: SubscriptionId) -> Option<u64> {
        let channel = &self.subscriptions.get(&id)?.channel;
        self.subscriptions
            .values()
            .filter(|tracked| tracked.channel == *channel)
            .find_map(|tracked| tracked.sid)
    }

    /// Returns `true` if the acknowledgement of a subscription may name this `sid` and channel, if it names one. It may be meant for another
    /// subscription, which would then receive nothing.
    fn may_join(&self, id: SubscriptionId, sid: u64, channel: Option<&str>) -> bool {
        let Some(tracked) = self.subscriptions.get(&id) else {
            return true;
        };
        channel.is_none_or(|channel| *channel == *tracked.channel)
            && self
                .sids
                .get(&sid)
                .is_none_or(|route| route.channel == tracked.channel)
    }

    /// Handles the acknowledgement of a subscription. `is_new` is `true` if the exchange opened the `sid` for it.
    fn subscribed(&mut self, id: SubscriptionId, sid: u64, is_new: bool) {
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            // The subscription was removed before it was acknowledged.
            let none = Pending::Unsubscribe(None);
            if !self.sids.contains_key(&sid) {
                self.write("unsubscribe", Some(json!({"sids": [sid]})), none);
            }
            return self.deliver_early(Some(sid));
        };
        tracked.retry_at = None;
        if tracked.sid == Some(sid) {
            return self.deliver_early(Some(sid));
        }
        (tracked.sid, tracked.since) = (Some(sid), Some(Instant::now()));
        let was_waking = std::mem::take(&mut tracked.is_waking);
        let is_in_chunks = tracked.chunks.next_at().is_some();
        let (reply, queue) = (tracked.reply.take(), tracked.queue);
        let requested = Arc::clone(&tracked.requested);
        let route = self.sids.entry(sid).or_insert_with(|| Route {
            sequence: match is_new && tracked.targets.counts_from_one {
                true => Sequence::from_start(),
                false => Sequence::default(),
            },
            ..Route::default()
        });
        route.channel = Arc::clone(&tracked.channel);
        route.targets = Some(tracked.targets);
        route.subscriptions.push(id);
        route
            .extra
            .retain(|target| !tracked.selected.contains(target));
        route.queues = queues_of(&self.subscriptions, &route.subscriptions);
        // Earlier commands may concern the channel that is open now.
        for command in self.pending.values_mut() {
            command.opens_channels = false;
        }
        let made = Made {
            id,
            sid,
            socket: self.sockets,
        };
        match reply.map(|reply| reply.send(Ok(made))) {
            Some(Ok(())) => {}
            // The caller is gone.
            Some(Err(_)) => self.unsubscribe(id, None),
            None => {
                let resubscribed = RawEvent::Resubscribed {
                    subscription: id,
                    sid,
                    targets: requested,
                };
                self.send(&[queue], resubscribed);
            }
        }
        if was_waking && is_in_chunks {
            // The waiting command must not add all targets again, or the chunks would have no effect.
            self.complete_waiting(id);
        }
        self.deliver_early(Some(sid));
        self.resume_waiting();
    }

    /// Routes the messages that waited for an acknowledgement: those of this subscription or without a `sid`, or all of them if
    /// no acknowledgement is pending.
    pub(super) fn deliver_early(&mut self, sid: Option<u64>) {
        let still_early = self.is_subscribing();
        for (message, control) in std::mem::take(&mut self.early) {
            let own_sid = message.envelope.sid;
            match own_sid.is_none() || own_sid == sid || !still_early {
                true => self.route(message, control),
                false => self.early.push((message, control)),
            }
        }
    }

    fn subscribe_failed(&mut self, id: SubscriptionId, error: CommandError) {
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if error.is_overflow() {
            tracked.overflowed();
        }
        if let Some(reply) = tracked.reply.take() {
            _ = reply.send(Err(ConnectionError::Command(error)));
            self.remove(id);
        } else if tracked.is_waking && !error.is_transient() {
            // The first targets were rejected, so the subscription is empty again.
            tracked.is_waking = false;
            tracked.selected.clear();
            tracked.chunks.stop();
            tracked.retry_at = None;
            let queue = tracked.queue;
            self.send(&[queue], RawEvent::Idle { subscription: id });
            self.fail_waiting(id, &ConnectionError::Command(error));
        } else if error.is_transient() {
            tracked.retry_at = Some(Instant::now() + subscribe_pause(tracked.attempts));
            tracked.attempts += 1;
        } else {
            let event = RawEvent::Unsubscribed {
                subscription: id,
                error: Some(Arc::new(ConnectionError::Command(error))),
            };
            let queue = tracked.queue;
            self.send(&[queue], event);
            self.remove(id);
        }
        self.deliver_early(None);
        self.resume_waiting();
    }
}

fn reply_of(message: &RawMessage) -> RawReply {
    RawReply {
        text: message.text.clone(),
        envelope: message.envelope.clone(),
    }
}
