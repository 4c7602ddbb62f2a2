//! Effects of replies on the tracked subscriptions.

use std::sync::Arc;

use serde_json::json;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Route, Scope, Session,
    pending::{LAST_REPLY_TIMEOUT, Pending, done},
    queues_of,
};
use crate::ws::{
    backoff::subscribe_pause,
    command::{Change, Command, Made, ReplySender},
    error::{CommandError, ConnectionError},
    event::{RawEvent, SubscriptionId},
    sequence::Sequence,
};

impl Session {
    /// Handles a rejected chunk. It is requested again if the error is transient. Otherwise its targets are requested individually, and
    /// those that are rejected are deselected.
    pub(super) fn chunk_failed(
        &mut self,
        (id, sid): (SubscriptionId, Option<u64>),
        mut targets: Vec<String>,
        error: &CommandError,
    ) {
        // A subscription that ended is made again as a whole.
        let tracked = self.subscriptions.get_mut(&id);
        let (Some(sid), Some(tracked)) = (
            sid,
            tracked.filter(|tracked| tracked.sid == sid && !error.ends_subscription()),
        ) else {
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

    /// Handles an acknowledged chunk. Targets whose removal was acknowledged before are removed again, because the exchange may have made the
    /// changes in the order of its replies.
    pub(super) fn chunk_added(
        &mut self,
        command: u64,
        (id, sid): (SubscriptionId, u64),
        targets: Vec<String>,
    ) {
        self.added(command, id, sid, &targets);
        self.remove_deselected(command, id, targets);
    }

    /// Removes the targets of an acknowledged command that the subscription no longer selects.
    pub(super) fn remove_deselected(
        &mut self,
        command: u64,
        id: SubscriptionId,
        mut targets: Vec<String>,
    ) {
        let tracked = self.subscriptions.get(&id);
        targets.retain(|target| tracked.is_some_and(|tracked| !tracked.selects(target)));
        self.change_again(command, id, Change::Remove, targets, None);
    }

    pub(super) fn changed(
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
            let wants = self.subscriptions.iter().filter(|(other, tracked)| {
                **other != id && *tracked.channel == *channel && tracked.selected.contains(&target)
            });
            let wants = wants.map(|(other, _)| *other);
            if let Some(other) = wants.min_by_key(|other| self.is_removing(*other, &target)) {
                self.add_again(other, sid, vec![target], 0);
            }
        }
    }

    /// Handles a rejected removal. Targets that were left out of a chunk because of it are added.
    pub(super) fn removal_rejected(
        &mut self,
        command: u64,
        (id, sid): (SubscriptionId, u64),
        targets: &[String],
    ) {
        let Some(route) = self.sids.get_mut(&sid) else {
            return;
        };
        let kept = route.end_removals(command, targets);
        let left_out = kept.iter().filter(|target| route.left_out.remove(*target));
        let mut left_out: Vec<_> = left_out.cloned().collect();
        self.kept(id, sid, kept);
        let tracked = self.subscriptions.get(&id);
        left_out.retain(|target| tracked.is_some_and(|tracked| tracked.selected.contains(target)));
        for target in left_out {
            self.write_chunk(id, sid, vec![target], 0);
        }
    }

    /// Records that the exchange has acknowledged change `id`: earlier opposite changes of these targets no longer count.
    pub(super) fn supersede(
        &mut self,
        id: u64,
        of: SubscriptionId,
        later: Change,
        targets: &[String],
    ) {
        for (earlier, command) in &mut self.pending {
            if let Pending::Change {
                subscription,
                change,
                targets: valid,
                rest,
                superseded,
                ..
            } = &mut command.pending
                && *subscription == of
                && *earlier < id
            {
                let (from, to) = match *change == later {
                    true => (superseded, valid),
                    false => (valid, superseded),
                };
                to.extend(from.extract_if(.., |target| targets.contains(target)));
                rest.retain(|target| !targets.contains(target));
            }
        }
    }

    /// Records that targets were removed without a command: additions that are in flight no longer count.
    pub(super) fn cancel_additions(&mut self, of: SubscriptionId, targets: &[String]) {
        self.supersede(self.last_id + 1, of, Change::Remove, targets);
    }

    /// Returns the targets that no change after `id` concerns.
    fn unchanged_since(
        &self,
        id: u64,
        of: SubscriptionId,
        mut targets: Vec<String>,
    ) -> Vec<String> {
        for (later, command) in &self.pending {
            if let Pending::Change {
                subscription,
                targets: after,
                rest,
                ..
            } = &command.pending
                && *subscription == of
                && *later > id
            {
                targets.retain(|target| !after.contains(target) && !rest.contains(target));
            }
        }
        targets
    }

    /// Makes an acknowledged change again, except for targets that a later change concerns.
    pub(super) fn change_again(
        &mut self,
        id: u64,
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: Option<ReplySender<()>>,
    ) {
        let targets = self.unchanged_since(id, subscription, targets);
        match targets.is_empty() {
            true => done(reply),
            false => self.command(Command::Change {
                subscription,
                change,
                targets,
                is_acknowledged: true,
                reply: reply.unwrap_or_else(|| oneshot::channel().0),
            }),
        }
    }

    /// Makes the later changes of targets again if an earlier one was acknowledged after them: the exchange may have made them in that order.
    pub(super) fn repeat_later_changes(
        &mut self,
        id: u64,
        (subscription, sid): (SubscriptionId, u64),
        earlier: Change,
        targets: Vec<String>,
    ) {
        match earlier {
            Change::Add => self.change_again(id, subscription, Change::Remove, targets, None),
            // They are selected, so they are sent like a chunk, which is repeated and reports what is rejected.
            Change::Remove => self.add_again(subscription, sid, targets, 0),
        }
    }

    /// Reports targets whose addition is acknowledged by the reply to command `id`, unless a later command removes them.
    pub(super) fn added(
        &mut self,
        id: u64,
        subscription: SubscriptionId,
        sid: u64,
        targets: &[String],
    ) {
        let Some(route) = self.sids.get_mut(&sid) else {
            return;
        };
        route.acknowledged(id, targets);
        // The reader may have missed the acknowledgement of a removal and still treat the target as being removed.
        if route.has_removals {
            let targets = targets.iter();
            let kept = targets.filter(|target| !route.removing.contains_key(*target));
            let kept = kept.cloned().collect();
            self.kept(subscription, sid, kept);
        }
    }

    /// Reports the targets that are part of a subscription. The others are left out, so that no snapshot of them is requested.
    pub(super) fn kept(
        &mut self,
        subscription: SubscriptionId,
        sid: u64,
        mut targets: Vec<String>,
    ) {
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

    /// Returns the `sid` of the subscriptions to a channel.
    pub(super) fn sid_of_channel(&self, channel: &str) -> Option<u64> {
        self.subscriptions
            .values()
            .filter(|tracked| *tracked.channel == *channel)
            .find_map(|tracked| tracked.sid)
    }

    /// Returns `true` if an acknowledgement with this `sid`, and this channel if it names one, can belong to the subscription. It may be
    /// meant for another subscription, which would then receive nothing.
    pub(super) fn may_join(&self, id: SubscriptionId, sid: u64, channel: Option<&str>) -> bool {
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
    pub(super) fn subscribed(
        &mut self,
        id: SubscriptionId,
        sid: u64,
        is_new: bool,
        requested: Arc<[String]>,
    ) {
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            // The subscription was removed before it was acknowledged.
            let none = Pending::Unsubscribe(None);
            if !self.sids.contains_key(&sid) {
                self.write("unsubscribe", Some(json!({"sids": [sid]})), none);
            }
            return self.deliver_early(Some(sid));
        };
        tracked.retry_at = None;
        // An earlier attempt may have had more targets than the last one.
        for target in &*requested {
            tracked.chunks.remove_unsent(target);
        }
        (tracked.sid, tracked.since) = (Some(sid), Some(Instant::now()));
        let was_waking = std::mem::take(&mut tracked.is_waking);
        let is_in_chunks = tracked.chunks.next_at().is_some();
        let (reply, queue) = (tracked.reply.take(), tracked.queue);
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
        self.forget_attempts(id);
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
        if let Some(sid) = sid {
            self.report_early_loss(sid);
        }
        if !still_early {
            self.early_losses.clear();
        }
    }

    /// Handles a rejected attempt to make a subscription.
    pub(super) fn subscribe_failed(
        &mut self,
        command: u64,
        id: SubscriptionId,
        error: CommandError,
    ) {
        let mut pending = self.pending.iter();
        let is_repeated = pending.any(|(other, later)| *other > command && later.subscribes(id));
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if error.is_overflow() {
            tracked.overflowed();
        }
        if is_repeated {
            // The last attempt decides. Its reply may take as long as this one, so no other attempt is made until then.
            tracked.retry_at = Some(Instant::now() + LAST_REPLY_TIMEOUT);
            return;
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
            self.forget_attempts(id);
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
