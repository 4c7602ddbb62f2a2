//! Requests of chunks and of snapshots, and their repetition.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::time::Instant;

use super::{
    MAX_EXTRA, Session,
    pending::{Pending, PendingCommand},
};
use crate::ws::{
    api::Targets,
    command::{RawReply, ReplySender},
    error::ConnectionError,
    event::SubscriptionId,
};

impl Session {
    /// Requests snapshots in chunks of the subscription's chunk size.
    pub(super) fn write_snapshot(
        &mut self,
        sid: u64,
        names: &'static Targets,
        mut targets: Vec<String>,
        snapshots: Vec<RawReply>,
        reply: ReplySender<Vec<RawReply>>,
    ) {
        let route = self.sids.get(&sid);
        targets.sort_by_key(|target| route.is_some_and(|route| route.silent.contains(target)));
        let ids = route.into_iter().flat_map(|route| &route.subscriptions);
        let tracked = ids.filter_map(|id| self.subscriptions.get(id));
        let size = tracked.map(|tracked| tracked.chunks.size()).min();
        let unsent = targets.split_off(size.unwrap_or(usize::MAX).min(targets.len()));
        let params = json!({"sids": [sid], "action": "get_snapshot", names.list: targets});
        let pending = Pending::Snapshot {
            names,
            missing: targets.into_iter().collect(),
            unsent,
            snapshots,
            reply,
        };
        self.write("update_subscription", Some(params), pending);
    }

    /// Adds the next chunk of a subscription.
    pub(super) fn send_chunk(&mut self, id: SubscriptionId) {
        let is_full = self.is_full();
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return;
        };
        // Without a `sid`, the subscription is made again from the start. While the reader is behind, further snapshots
        // would only queue up.
        let Some(sid) = tracked.sid.filter(|_| !is_full) else {
            return tracked.chunks.postpone();
        };
        let targets = tracked.chunks.next_chunk();
        if targets.is_empty() {
            return;
        }
        self.write_chunk(id, sid, targets, 0);
    }

    /// Adds selected targets to a subscription. `repeats` is the number of times that they were sent before.
    pub(super) fn write_chunk(
        &mut self,
        id: SubscriptionId,
        sid: u64,
        targets: Vec<String>,
        repeats: u32,
    ) {
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return;
        };
        // A subscription without an acknowledgement may get another `sid`.
        if tracked.sid == Some(sid) {
            for target in &targets {
                tracked.chunks.remove_unsent(target);
            }
        }
        let names = tracked.targets;
        let params = json!({"sids": [sid], "action": names.add, names.list: targets});
        let pending = Pending::Chunk {
            subscription: id,
            targets,
            repeats,
            is_postponed: false,
        };
        self.write("update_subscription", Some(params), pending);
    }

    /// Adds selected targets to a subscription, except those that it is removing.
    pub(super) fn add_again(
        &mut self,
        id: SubscriptionId,
        sid: u64,
        mut targets: Vec<String>,
        repeats: u32,
    ) {
        if let Some(route) = self.sids.get_mut(&sid) {
            route.leave_out_removals(id, &mut targets);
        }
        if !targets.is_empty() {
            self.write_chunk(id, sid, targets, repeats);
        }
    }

    /// Continues without the replies that are overdue: chunks are sent again, and snapshots that are missing are requested with the last
    /// ones, so that one of them does not delay all others. Only one chunk of a subscription is sent again at a time, so that an error without
    /// an id shows which one it rejects.
    pub(super) fn continue_due(&mut self, now: Instant) {
        let is_due = |command: &PendingCommand| {
            command.pending.is_postponed() || command.due_at().is_some_and(|at| at <= now)
        };
        let pending = self.pending.iter();
        let due = pending.filter_map(|(id, command)| is_due(command).then_some(*id));
        let due: BTreeSet<_> = due.collect();
        let is_full = self.is_full();
        for id in &due {
            let sid = self.pending.get(id).and_then(PendingCommand::sid);
            let mut others = self.pending.iter().filter(|(id, _)| !due.contains(id));
            let awaits_chunk = others.any(|(_, command)| {
                sid.is_some()
                    && command.sid() == sid
                    && matches!(command.pending, Pending::Chunk { .. })
            });
            let Some(command) = self.pending.get_mut(id) else {
                continue;
            };
            // While the reader is behind, the reply may be unread.
            if is_full {
                command.sent = now;
                continue;
            }
            if let Pending::Chunk { is_postponed, .. } = &mut command.pending
                && awaits_chunk
            {
                (command.sent, *is_postponed) = (now, true);
                continue;
            }
            // A subscription that ended is made again as a whole.
            match (command.pending.make_obsolete(), sid) {
                (
                    Pending::Chunk {
                        subscription,
                        mut targets,
                        repeats,
                        ..
                    },
                    Some(sid),
                ) => {
                    let tracked = self.subscriptions.get(&subscription);
                    let tracked = tracked.filter(|tracked| tracked.sid == Some(sid));
                    targets.retain(|target| {
                        tracked.is_some_and(|tracked| tracked.selected.contains(target))
                    });
                    self.add_again(subscription, sid, targets, repeats + 1);
                }
                (
                    Pending::Snapshot {
                        names,
                        missing,
                        mut unsent,
                        snapshots,
                        reply,
                    },
                    Some(sid),
                ) if self.sids.contains_key(&sid) && !reply.is_closed() => {
                    if let Some(route) = self.sids.get_mut(&sid)
                        && route.silent.len() < MAX_EXTRA
                    {
                        route.silent.extend(missing.iter().cloned());
                    }
                    unsent.extend(missing);
                    self.write_snapshot(sid, names, unsent, snapshots, reply);
                }
                (pending, _) => pending.fail(ConnectionError::Disconnected),
            }
        }
    }
}
