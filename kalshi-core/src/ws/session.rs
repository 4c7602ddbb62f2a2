//! The state of one connection's subscriptions. It routes messages to readers, matches replies to commands, and decides what to subscribe
//! to. It does no I/O and decodes no messages of an API.

mod chunks;
mod commands;
mod effects;
mod pending;
mod replies;
mod requests;
mod route;
mod routing;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    task::Context,
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::Instant};

use self::{
    chunks::Chunks,
    pending::{CommandScope, Pending, PendingCommand, REPLY_TIMEOUT},
    route::{Removal, Route},
};
use super::{
    api::Targets,
    backoff::{STABLE_AFTER, subscribe_pause},
    command::{Command, Made, ReplySender},
    control::Control,
    error::ConnectionError,
    event::{RawEvent, RawMessage, SubscriptionId},
    queue::EventQueue,
};

/// Id of the connection's own queue.
const MAIN: u64 = 0;

/// Maximum number of messages kept for subscriptions that are not acknowledged yet.
const MAX_EARLY: usize = 10_000;

/// Maximum total size of those messages, in bytes.
const MAX_EARLY_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of targets kept that no subscription selects.
const MAX_EXTRA: usize = 10_000;

/// The subscriptions of a connection, across all its sockets.
pub(super) struct Session {
    queues: BTreeMap<u64, EventQueue>,
    /// Queues of ended subscriptions, until their last events are delivered.
    ending: Vec<EventQueue>,
    subscriptions: BTreeMap<SubscriptionId, Tracked>,
    sids: HashMap<u64, Route>,
    pending: HashMap<u64, PendingCommand>,
    /// Messages that arrived before the acknowledgement of their subscription.
    early: Vec<(RawMessage, Control)>,
    /// Messages for which there was no room in `early`, by `sid`.
    early_losses: BTreeMap<u64, EarlyLoss>,
    /// Commands on subscriptions that currently have no `sid`.
    waiting: Vec<Command>,
    outgoing: VecDeque<String>,
    /// Total size of the outgoing commands.
    outgoing_bytes: usize,
    last_id: u64,
    last_subscription: u64,
    is_connected: bool,
    /// Number of sockets so far.
    sockets: u64,
}

/// Messages of a `sid` that could not be kept until the acknowledgement of their subscription.
#[derive(Default)]
struct EarlyLoss {
    count: u64,
    /// One of them ended the subscription.
    has_end: bool,
}

/// A subscription, which is made again on every new socket.
struct Tracked {
    channel: Arc<str>,
    targets: &'static Targets,
    params: Map<String, Value>,
    selected: BTreeSet<String>,
    chunks: Chunks,
    scope: Scope,
    /// The first targets have just been added, and the exchange has not acknowledged them yet.
    is_waking: bool,
    queue: u64,
    sid: Option<u64>,
    /// Reply to the caller that waits for the first acknowledgement.
    reply: Option<ReplySender<Made>>,
    retry_at: Option<Instant>,
    attempts: u32,
    since: Option<Instant>,
}

/// The selection of a subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything on the channel.
    All,
    /// Some targets. Without any, the subscription does not exist on the exchange.
    Targets,
    /// Some targets. Without any, the subscription exists and selects nothing.
    OptionalTargets,
    /// Targets that its parameters name by other ids.
    Ids,
}

impl Tracked {
    /// Returns the time since the subscription got its `sid`, if it is long enough to count as stable.
    fn lasted(&self) -> Option<Duration> {
        let since = self.since.filter(|_| self.sid.is_some());
        let lasted = since.map(|since| since.elapsed());
        lasted.filter(|lasted| *lasted > STABLE_AFTER)
    }

    /// Reduces the chunk size after an overflow.
    fn overflowed(&mut self) {
        if !self.selected.is_empty() {
            self.chunks.shrink(self.selected.len());
        }
    }

    /// Returns `true` if the subscription has no targets to subscribe to.
    fn is_idle(&self) -> bool {
        self.scope == Scope::Targets && self.selected.is_empty()
    }

    /// Returns `true` if the exchange may already have the target in the subscription.
    fn has_sent(&self, target: &str) -> bool {
        self.selects(target) && self.chunks.has_sent(target)
    }

    /// Returns `true` if the subscription may include the target.
    fn selects(&self, target: &str) -> bool {
        matches!(self.scope, Scope::All | Scope::Ids) || self.selected.contains(target)
    }
}

impl Session {
    pub(super) fn new(main: EventQueue) -> Self {
        Self {
            queues: BTreeMap::from([(MAIN, main)]),
            ending: Vec::new(),
            subscriptions: BTreeMap::new(),
            sids: HashMap::new(),
            pending: HashMap::new(),
            early: Vec::new(),
            early_losses: BTreeMap::new(),
            waiting: Vec::new(),
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            last_id: 0,
            last_subscription: 0,
            is_connected: false,
            sockets: 0,
        }
    }

    /// Returns `true` if a command is waiting to be written.
    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Returns the total size of the commands that are waiting to be written, in bytes.
    pub(super) fn outgoing_bytes(&self) -> usize {
        self.outgoing_bytes
    }

    pub(super) fn next_outgoing(&mut self) -> Option<String> {
        let command = self.outgoing.pop_front()?;
        self.outgoing_bytes -= command.len();
        Some(command)
    }

    /// Returns `true` if other work must be done before more frames are read.
    pub(super) fn has_urgent_work(&self) -> bool {
        self.has_outgoing() || self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.queues.values().any(EventQueue::is_full)
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) {
        for queue in self.queues.values_mut() {
            _ = queue.poll_flush(context);
        }
        self.ending
            .retain_mut(|queue| queue.poll_flush(context).is_pending());
    }

    /// Delivers all waiting events, and then the error that ended the connection.
    pub(super) async fn finish(mut self, error: ConnectionError) {
        for tracked in std::mem::take(&mut self.subscriptions).into_values() {
            if let Some(reply) = tracked.reply {
                _ = reply.send(Err(error.clone()));
            }
        }
        self.waiting.clear();
        let queues = std::mem::take(&mut self.queues).into_values();
        let ending = self.ending.into_iter().map(|queue| queue.finish(None));
        let ending = futures_util::future::join_all(ending);
        let all =
            futures_util::future::join_all(queues.map(|queue| queue.finish(Some(error.clone()))));
        futures_util::future::join(all, ending).await;
    }

    /// Sends an event to every reader.
    pub(super) fn broadcast(&mut self, event: &RawEvent) {
        for queue in self.queues.values_mut() {
            queue.push(event.clone());
        }
    }

    fn send(&mut self, queues: &[u64], event: RawEvent) {
        let Some((last, others)) = queues.split_last() else {
            return;
        };
        for queue in others {
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.push(event.clone());
            }
        }
        if let Some(queue) = self.queues.get_mut(last) {
            queue.push(event);
        }
    }

    /// Makes all subscriptions on a new socket.
    pub(super) fn connected(&mut self) {
        self.is_connected = true;
        self.sockets += 1;
        self.broadcast(&RawEvent::Connected);
        for id in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.subscribe(id);
        }
        self.resume_waiting();
    }

    /// Handles the loss of the socket: commands without a reply fail, and subscriptions lose their `sid`.
    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
        self.outgoing.clear();
        self.outgoing_bytes = 0;
        self.sids.clear();
        self.early.clear();
        self.early_losses.clear();
        for command in std::mem::take(&mut self.pending).into_values() {
            command.pending.fail(ConnectionError::Disconnected);
        }
        for tracked in self.subscriptions.values_mut() {
            if let Some(lasted) = tracked.lasted() {
                tracked.chunks.grow(lasted);
            }
            tracked.chunks.stop();
            tracked.sid = None;
            tracked.retry_at = None;
        }
    }

    /// Returns the time of the next retry of a subscription or a command, or of the next chunk.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        let tracked = self.subscriptions.values();
        let times = tracked.flat_map(|tracked| [tracked.retry_at, tracked.chunks.next_at()]);
        let commands = self.pending.values().map(PendingCommand::due_at);
        times.chain(commands).flatten().min()
    }

    pub(super) fn retry_due(&mut self, now: Instant) {
        let due = |(id, tracked): (&SubscriptionId, &Tracked)| {
            tracked.retry_at.filter(|at| *at <= now).map(|_| *id)
        };
        let due: Vec<_> = self.subscriptions.iter().filter_map(due).collect();
        for id in due {
            let reply = self
                .subscriptions
                .get(&id)
                .and_then(|tracked| tracked.reply.as_ref());
            if reply.is_some_and(oneshot::Sender::is_closed) {
                // The caller is gone.
                self.remove(id);
                self.deliver_early(None);
            } else if self.is_full()
                && self.pending.values().any(|command| command.subscribes(id))
                && let Some(tracked) = self.subscriptions.get_mut(&id)
            {
                // While the reader is behind, the reply may be unread.
                tracked.retry_at = Some(now + REPLY_TIMEOUT);
            } else {
                self.subscribe(id);
            }
        }
        self.continue_due(now);
        let due = |(id, tracked): (&SubscriptionId, &Tracked)| {
            let next_at = tracked.chunks.next_at()?;
            (next_at <= now).then_some(*id)
        };
        for id in self
            .subscriptions
            .iter()
            .filter_map(due)
            .collect::<Vec<_>>()
        {
            self.send_chunk(id);
        }
    }

    fn write(&mut self, name: &str, params: Option<Value>, pending: Pending) {
        self.last_id += 1;
        self.pending.retain(|_, command| command.is_expected());
        let scope = CommandScope::new(name, params.as_ref());
        let mut command = json!({"id": self.last_id, "cmd": name});
        if let (Some(params), Some(fields)) = (params, command.as_object_mut()) {
            fields.insert("params".to_owned(), params);
        }
        let command = command.to_string();
        self.outgoing_bytes += command.len();
        self.outgoing.push_back(command);
        let sent = Instant::now();
        let command = PendingCommand {
            scope,
            pending,
            sent,
        };
        self.pending.insert(self.last_id, command);
    }

    fn subscribe(&mut self, id: SubscriptionId) {
        let Some(tracked) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if tracked.is_idle() {
            tracked.retry_at = None;
            let queue = tracked.queue;
            return self.send(&[queue], RawEvent::Idle { subscription: id });
        }
        // In case no valid reply arrives.
        tracked.retry_at = Some(Instant::now() + REPLY_TIMEOUT);
        let mut params = tracked.params.clone();
        let targets = match tracked.targets.snapshot {
            Some(_) => tracked.chunks.start(&tracked.selected),
            None => tracked.selected.iter().cloned().collect(),
        };
        if !targets.is_empty() {
            params.insert(tracked.targets.list.to_owned(), targets.clone().into());
        }
        let pending = Pending::Subscribe {
            subscription: id,
            requested: targets.into(),
        };
        self.write("subscribe", Some(params.into()), pending);
    }

    /// Ignores the replies to the other attempts to make a subscription. If it was made, they concern its `sid`.
    fn forget_attempts(&mut self, id: SubscriptionId) {
        let sid = self.subscriptions.get(&id).and_then(|tracked| tracked.sid);
        for command in self.pending.values_mut() {
            if command.subscribes(id) {
                command.pending.make_obsolete();
                if let Some(sid) = sid {
                    command.scope = CommandScope::Sid(sid);
                }
            }
        }
    }

    /// Removes a subscription and ends its own queue.
    fn remove(&mut self, id: SubscriptionId) -> Option<Tracked> {
        let tracked = self.subscriptions.remove(&id)?;
        if let Some(route) = tracked.sid.and_then(|sid| self.sids.get_mut(&sid)) {
            route.subscriptions.retain(|other| *other != id);
            route.queues = queues_of(&self.subscriptions, &route.subscriptions);
            if tracked.queue == MAIN && !route.queues.contains(&MAIN) {
                let detached = RawEvent::Detached {
                    subscription: id,
                    sid: tracked.sid.unwrap_or_default(),
                };
                self.send(&[MAIN], detached);
            }
        }
        if tracked.queue != MAIN
            && let Some(queue) = self.queues.remove(&tracked.queue)
        {
            self.ending.push(queue);
        }
        Some(tracked)
    }

    /// Handles a subscription that the exchange has ended: it is scheduled to be made again.
    fn end(&mut self, sid: u64, is_overflow: bool) {
        let Some(route) = self.sids.remove(&sid) else {
            return;
        };
        for command in self.pending.values_mut() {
            if command.sid() == Some(sid) {
                command.scope = CommandScope::Ended;
            }
        }
        for id in route.subscriptions {
            let Some(tracked) = self.subscriptions.get_mut(&id) else {
                continue;
            };
            if let Some(lasted) = tracked.lasted() {
                tracked.attempts = 0;
                tracked.chunks.grow(lasted);
            }
            tracked.sid = None;
            tracked.chunks.stop();
            if is_overflow {
                tracked.overflowed();
            }
            tracked.retry_at = Some(Instant::now() + subscribe_pause(tracked.attempts));
            tracked.attempts += 1;
        }
    }
}

/// Returns the queues of subscriptions, without duplicates.
fn queues_of(
    subscriptions: &BTreeMap<SubscriptionId, Tracked>,
    ids: &[SubscriptionId],
) -> Vec<u64> {
    let tracked = ids.iter().filter_map(|id| subscriptions.get(id));
    let queues: BTreeSet<_> = tracked.map(|tracked| tracked.queue).collect();
    queues.into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests;
