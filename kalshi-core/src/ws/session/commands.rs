//! Commands: the requests that they send to the exchange, and their effect on the tracked subscriptions.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    MAIN, Removal, Scope, Session, Tracked,
    chunks::Chunks,
    pending::{Pending, done},
};
use crate::ws::{
    api::Targets,
    command::{Change, Command, RawReply, ReplySender},
    error::ConnectionError,
    event::{RawEvent, SubscriptionId},
};

impl Session {
    pub(in crate::ws) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe {
                channel,
                targets,
                mut params,
                queue,
                reply,
            } => {
                self.last_subscription += 1;
                let id = SubscriptionId(self.last_subscription);
                let single = targets.single.and_then(|name| params.remove(name));
                let named = params.remove(targets.list).into_iter().chain(single);
                let selected: BTreeSet<_> = named.flat_map(strings).collect();
                let scope = match () {
                    () if targets.ids.iter().any(|name| params.contains_key(*name)) => Scope::Ids,
                    () if !targets.all_if_empty => Scope::OptionalTargets,
                    () if selected.is_empty() => Scope::All,
                    () => Scope::Targets,
                };
                let queue = match queue {
                    Some(queue) => {
                        self.queues.insert(id.0, queue);
                        id.0
                    }
                    None => MAIN,
                };
                let tracked = Tracked {
                    channel: channel.into(),
                    targets,
                    params,
                    selected,
                    chunks: Chunks::default(),
                    scope,
                    is_waking: false,
                    queue,
                    sid: None,
                    reply: Some(reply),
                    retry_at: None,
                    attempts: 0,
                    since: None,
                };
                self.subscriptions.insert(id, tracked);
                if self.is_connected {
                    self.subscribe(id);
                }
            }
            Command::Unsubscribe {
                subscription,
                reply,
            } => self.unsubscribe(subscription, reply),
            Command::Other {
                name,
                params,
                reply,
            } if self.is_connected => self.write(&name, params, Pending::Other(reply)),
            Command::Change {
                subscription,
                change,
                targets,
                is_acknowledged,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(ConnectionError::Ended)),
                Some(None)
                    if self.is_idle(subscription)
                        && (change == Change::Remove || targets.is_empty()) =>
                {
                    self.cancel_additions(subscription, &targets);
                    _ = reply.send(Ok(()));
                }
                Some(None) => {
                    if change == Change::Add {
                        self.wake(subscription, &targets);
                    }
                    self.wait(Command::Change {
                        subscription,
                        change,
                        targets,
                        is_acknowledged,
                        reply,
                    });
                }
                Some(Some(_)) if change == Change::Add && self.is_by_id(subscription) => {
                    let reason = "the subscription was made with market ids, so tickers cannot be added; subscribe again with tickers";
                    _ = reply.send(Err(ConnectionError::Invalid(reason.to_owned())));
                }
                Some(Some(sid)) => {
                    let targets = match change {
                        Change::Add => targets,
                        Change::Remove => {
                            let targets = self.drop_unsent(subscription, targets);
                            self.release(subscription, targets)
                        }
                    };
                    match change == Change::Remove && targets.is_empty() {
                        true => _ = reply.send(Ok(())),
                        false => self.change(sid, subscription, change, targets, Some(reply)),
                    }
                }
            },
            Command::Snapshot {
                subscription,
                targets,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(ConnectionError::Ended)),
                Some(None) if self.is_idle(subscription) => {
                    let reason = "the subscription has no markets; add them first";
                    _ = reply.send(Err(ConnectionError::Invalid(reason.to_owned())));
                }
                Some(None) => self.wait(Command::Snapshot {
                    subscription,
                    targets,
                    reply,
                }),
                Some(Some(_)) if targets.is_empty() => _ = reply.send(Ok(Vec::new())),
                Some(Some(sid)) => self.snapshot(sid, targets, reply),
            },
            Command::SnapshotBySid {
                sid,
                mut targets,
                reply,
            } => match self.sids.get(&sid) {
                Some(route) => {
                    // Other targets were removed, and a snapshot would not restore them.
                    targets.retain(|target| self.has_target(route, target));
                    match targets.is_empty() {
                        true => _ = reply.send(Ok(Vec::new())),
                        false => self.snapshot(sid, targets, reply),
                    }
                }
                None => _ = reply.send(Err(ConnectionError::Disconnected)),
            },
            Command::Other { reply, .. } => _ = reply.send(Err(ConnectionError::Disconnected)),
        }
    }

    fn snapshot(&mut self, sid: u64, targets: Vec<String>, reply: ReplySender<Vec<RawReply>>) {
        let Some(names) = self.sids.get(&sid).and_then(|route| route.targets) else {
            _ = reply.send(Err(ConnectionError::Disconnected));
            return;
        };
        self.write_snapshot(sid, names, targets, Vec::new(), reply);
    }

    /// Makes a subscription that had no targets with its first ones.
    fn wake(&mut self, id: SubscriptionId, targets: &[String]) {
        let Some(tracked) = self
            .subscriptions
            .get_mut(&id)
            .filter(|tracked| tracked.is_idle())
        else {
            return;
        };
        tracked.selected.extend(targets.iter().cloned());
        tracked.is_waking = true;
        if self.is_connected {
            self.subscribe(id);
        }
    }

    fn is_idle(&self, id: SubscriptionId) -> bool {
        self.subscriptions.get(&id).is_some_and(Tracked::is_idle)
    }

    fn is_by_id(&self, id: SubscriptionId) -> bool {
        self.subscriptions
            .get(&id)
            .is_some_and(|tracked| tracked.scope == Scope::Ids)
    }

    /// Returns the `sid` of a subscription. `None` if the subscription does not exist, `Some(None)` if it currently has no `sid`.
    fn sid_of(&self, id: SubscriptionId) -> Option<Option<u64>> {
        self.subscriptions.get(&id).map(|tracked| tracked.sid)
    }

    pub(super) fn change(
        &mut self,
        sid: u64,
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: Option<ReplySender<()>>,
    ) {
        let Some(tracked) = self.subscriptions.get(&subscription) else {
            return;
        };
        let (names, channel) = (tracked.targets, tracked.channel.clone());
        self.write_change(sid, (subscription, channel, names), change, targets, reply);
    }

    fn write_change(
        &mut self,
        sid: u64,
        (subscription, channel, names): (SubscriptionId, Arc<str>, &'static Targets),
        change: Change,
        mut targets: Vec<String>,
        reply: Option<ReplySender<()>>,
    ) {
        // An addition is followed by snapshots, so it is sent in chunks.
        let tracked = self.subscriptions.get(&subscription);
        let size = tracked.filter(|_| change == Change::Add && names.snapshot.is_some());
        let size = size.map_or(usize::MAX, |tracked| tracked.chunks.size());
        let rest = targets.split_off(size.min(targets.len()));
        if let Some(tracked) = self.subscriptions.get_mut(&subscription)
            && change == Change::Add
        {
            for target in &targets {
                tracked.chunks.remove_unsent(target);
            }
        }
        let action = match change {
            Change::Add => names.add,
            Change::Remove => names.remove,
        };
        let params = json!({"sids": [sid], "action": action, names.list: targets});
        if change == Change::Remove
            && let Some(route) = self.sids.get_mut(&sid)
        {
            // Books must not stay live if the acknowledgement is lost.
            let removal = Removal {
                id: self.last_id + 1,
                subscription,
            };
            route.has_removals = true;
            route
                .removing
                .extend(targets.iter().map(|target| (target.clone(), removal)));
            let queues = route.queues.clone();
            let event = RawEvent::TargetsRemoved {
                subscription,
                sid,
                targets: targets.clone().into(),
            };
            self.send(&queues, event);
        }
        let pending = Pending::Change {
            subscription,
            channel,
            change,
            targets,
            rest,
            superseded: Vec::new(),
            reply,
        };
        self.write("update_subscription", Some(params), pending);
    }

    /// Drops the targets that have not been requested yet. Returns the others.
    fn drop_unsent(&mut self, id: SubscriptionId, targets: Vec<String>) -> Vec<String> {
        let in_flight = self.in_flight(id, self.sid_of(id).flatten());
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return targets;
        };
        let mut dropped = BTreeSet::new();
        for command in self.pending.values_mut() {
            if let Pending::Change {
                subscription, rest, ..
            } = &mut command.pending
                && *subscription == id
            {
                dropped.extend(rest.extract_if(.., |target| targets.contains(target)));
            }
        }
        let (unsent, sent): (Vec<_>, Vec<_>) = targets.into_iter().partition(|target| {
            !in_flight.contains(target)
                && (tracked.chunks.remove_unsent(target)
                    || (dropped.contains(target) && !tracked.selected.contains(target)))
        });
        tracked.selected.retain(|target| !unsent.contains(target));
        self.cancel_additions(id, &unsent);
        sent
    }

    /// Returns the targets that unanswered commands add to a subscription.
    fn in_flight(&self, id: SubscriptionId, sid: Option<u64>) -> BTreeSet<String> {
        let pending = self.pending.values();
        let current = pending.filter(|command| command.sid() == sid);
        let added = current.filter_map(|command| match &command.pending {
            Pending::Change {
                subscription,
                change: Change::Add,
                targets,
                ..
            } if *subscription == id => Some(targets),
            _ => None,
        });
        added.flatten().cloned().collect()
    }

    /// Deselects the targets that other subscriptions to the channel also select. Returns those to remove at the exchange.
    fn release(&mut self, id: SubscriptionId, targets: Vec<String>) -> Vec<String> {
        let Some(channel) = self
            .subscriptions
            .get(&id)
            .map(|tracked| tracked.channel.clone())
        else {
            return targets;
        };
        let (own, shared): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| !self.is_wanted(id, &channel, target));
        if let Some(tracked) = self.subscriptions.get_mut(&id) {
            tracked.selected.retain(|target| !shared.contains(target));
        }
        self.cancel_additions(id, &shared);
        own
    }

    /// Returns `true` if another subscription to the channel selects the target and is not removing it.
    fn is_wanted(&self, id: SubscriptionId, channel: &str, target: &str) -> bool {
        self.subscriptions.iter().any(|(other, tracked)| {
            *other != id
                && *tracked.channel == *channel
                && tracked.selects(target)
                && !self.is_removing(*other, target)
        })
    }

    /// Returns `true` if the target is being removed from the subscription.
    pub(super) fn is_removing(&self, id: SubscriptionId, target: &str) -> bool {
        let sid = self.sid_of(id).flatten();
        let route = sid.and_then(|sid| self.sids.get(&sid));
        route.is_some_and(|route| route.is_removing(id, target))
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, reply: Option<ReplySender<()>>) {
        let Some(tracked) = self.remove(id) else {
            return done(reply);
        };
        if tracked.queue == MAIN {
            let ended = RawEvent::Unsubscribed {
                subscription: id,
                error: None,
            };
            self.send(&[MAIN], ended);
        }
        let Some(sid) = tracked.sid else {
            return done(reply);
        };
        let route = self.sids.get(&sid);
        if route.is_none_or(|route| route.subscriptions.is_empty()) {
            let params = json!({"sids": [sid]});
            return self.write("unsubscribe", Some(params), Pending::Unsubscribe(reply));
        }
        // Other subscriptions share the `sid`: remove only the targets that no other selects.
        let selected = tracked.selected.into_iter();
        let mut targets = self.in_flight(id, Some(sid));
        targets.extend(selected.filter(|target| tracked.chunks.has_sent(target)));
        let targets: Vec<_> = targets
            .into_iter()
            .filter(|target| !self.is_wanted(id, &tracked.channel, target))
            .collect();
        match targets.is_empty() {
            true => done(reply),
            false => {
                let names = (id, tracked.channel, tracked.targets);
                self.write_change(sid, names, Change::Remove, targets, reply);
            }
        }
    }
}

/// Returns a string, or the strings of a list.
fn strings(value: Value) -> Vec<String> {
    match value {
        Value::String(string) => vec![string],
        Value::Array(list) => list.into_iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
