//! Which message goes where, which answer belongs to which command, and what is to be subscribed to. No input, no output.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    task::Context,
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::Instant};

use super::{
    CommandError, Frame, Message, StreamError, StreamEvent,
    driver::{LASTING, pause},
    error::is_terminal,
    messages::OrderbookSnapshot,
    outlet::Outlet,
    stream::{Received, SubscriptionId},
    subscription::{Change, Channel, Command, Reply, Targets, unexpected},
};

/// The outlet of the stream itself.
const MAIN: u64 = 0;

/// How many messages are kept for subscriptions whose acknowledgement has not come.
const MOST_EARLY: usize = 10_000;

/// How long a subscription may take before it is asked for again.
const UNANSWERED: Duration = Duration::from_secs(15);

/// All that is known of one stream's subscriptions.
pub(super) struct Routes {
    outlets: BTreeMap<u64, Outlet>,
    /// Outlets whose subscription is over, until they are read.
    ending: Vec<Outlet>,
    subscriptions: BTreeMap<SubscriptionId, Kept>,
    sids: HashMap<u64, Route>,
    pending: HashMap<u64, Pending>,
    /// Messages that came before the acknowledgement of their subscription.
    early: Vec<Received>,
    /// Commands about subscriptions that have no `sid` at the moment.
    waiting: Vec<Command>,
    outgoing: VecDeque<String>,
    last_id: u64,
    last_subscription: u64,
    is_connected: bool,
}

/// A subscription, to be made on every connection.
struct Kept {
    channel: Channel,
    params: Map<String, Value>,
    targets: BTreeSet<String>,
    outlet: u64,
    sid: Option<u64>,
    /// Who waits for it to be made the first time.
    reply: Option<Reply<SubscriptionId>>,
    /// When it is to be tried again.
    retry_at: Option<Instant>,
    attempts: u32,
    since: Option<Instant>,
}

/// What the exchange calls a subscription on this connection.
#[derive(Default)]
struct Route {
    last: u64,
    subscriptions: Vec<SubscriptionId>,
    outlets: Vec<u64>,
}

/// A command that is not answered yet.
enum Pending {
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
    fn fail(self, error: StreamError) {
        // Whoever asked may have gone.
        match self {
            Self::Subscribe(_) => {}
            Self::Change { reply, .. } | Self::Unsubscribe(reply) => {
                if let Some(reply) = reply {
                    _ = reply.send(Err(error));
                }
            }
            Self::Snapshot { reply, .. } => _ = reply.send(Err(error)),
            Self::Other(reply) => _ = reply.send(Err(error)),
        }
    }
}

impl Routes {
    pub(super) fn new(main: Outlet) -> Self {
        Self {
            outlets: BTreeMap::from([(MAIN, main)]),
            ending: Vec::new(),
            subscriptions: BTreeMap::new(),
            sids: HashMap::new(),
            pending: HashMap::new(),
            early: Vec::new(),
            waiting: Vec::new(),
            outgoing: VecDeque::new(),
            last_id: 0,
            last_subscription: 0,
            is_connected: false,
        }
    }

    /// Whether there is something to write.
    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(super) fn next_outgoing(&mut self) -> Option<String> {
        self.outgoing.pop_front()
    }

    /// Whether there is something to do before more is read.
    pub(super) fn wants_more(&self) -> bool {
        self.has_outgoing() || self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.outlets.values().any(Outlet::is_full)
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) {
        for outlet in self.outlets.values_mut() {
            _ = outlet.poll_flush(context);
        }
        self.ending
            .retain_mut(|outlet| outlet.poll_flush(context).is_pending());
    }

    /// Gives all readers what waits for them, and the error at the end.
    pub(super) async fn finish(mut self, error: StreamError) {
        for kept in std::mem::take(&mut self.subscriptions).into_values() {
            if let Some(reply) = kept.reply {
                _ = reply.send(Err(error.clone()));
            }
        }
        self.waiting.clear();
        let outlets = std::mem::take(&mut self.outlets).into_values();
        let ending = self.ending.into_iter().map(|outlet| outlet.finish(None));
        let ending = futures_util::future::join_all(ending);
        let all = futures_util::future::join_all(
            outlets.map(|outlet| outlet.finish(Some(error.clone()))),
        );
        futures_util::future::join(all, ending).await;
    }

    /// Tells all readers.
    pub(super) fn tell_all(&mut self, event: &StreamEvent) {
        for outlet in self.outlets.values_mut() {
            outlet.push(event.clone());
        }
    }

    fn tell(&mut self, outlets: &[u64], event: StreamEvent) {
        let Some((last, others)) = outlets.split_last() else {
            return;
        };
        for outlet in others {
            if let Some(outlet) = self.outlets.get_mut(outlet) {
                outlet.push(event.clone());
            }
        }
        if let Some(outlet) = self.outlets.get_mut(last) {
            outlet.push(event);
        }
    }

    /// A connection stands: everything is subscribed to.
    pub(super) fn connected(&mut self) {
        self.is_connected = true;
        self.tell_all(&StreamEvent::Connected);
        for id in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.subscribe(id);
        }
        self.resume_waiting();
    }

    /// The connection is gone, and with it all that was not answered.
    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
        self.outgoing.clear();
        self.sids.clear();
        self.early.clear();
        for pending in std::mem::take(&mut self.pending).into_values() {
            pending.fail(StreamError::Disconnected);
        }
        for kept in self.subscriptions.values_mut() {
            kept.sid = None;
            kept.retry_at = None;
        }
    }

    /// When the next subscription is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.subscriptions
            .values()
            .filter_map(|kept| kept.retry_at)
            .min()
    }

    pub(super) fn retry_due(&mut self, now: Instant) {
        let due = |(id, kept): (&SubscriptionId, &Kept)| {
            kept.retry_at.filter(|at| *at <= now).map(|_| *id)
        };
        let due: Vec<_> = self.subscriptions.iter().filter_map(due).collect();
        for id in due {
            let reply = self
                .subscriptions
                .get(&id)
                .and_then(|kept| kept.reply.as_ref());
            match reply.is_some_and(oneshot::Sender::is_closed) {
                // Whoever wanted it has given up.
                true => _ = self.remove(id),
                false => self.subscribe(id),
            }
        }
    }

    fn give(&mut self, name: &str, params: Option<Value>, pending: Pending) {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "cmd": name});
        if let (Some(params), Some(members)) = (params, command.as_object_mut()) {
            members.insert("params".to_owned(), params);
        }
        self.outgoing.push_back(command.to_string());
        self.pending.insert(self.last_id, pending);
    }

    fn subscribe(&mut self, id: SubscriptionId) {
        let Some(kept) = self.subscriptions.get_mut(&id) else {
            return;
        };
        // Should no usable answer come.
        kept.retry_at = Some(Instant::now() + UNANSWERED);
        let mut params = kept.params.clone();
        if !kept.targets.is_empty() {
            let targets: Vec<_> = kept.targets.iter().cloned().collect();
            params.insert(Targets::of(&kept.channel).member.to_owned(), targets.into());
        }
        self.give("subscribe", Some(params.into()), Pending::Subscribe(id));
    }

    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe {
                channel,
                mut params,
                outlet,
                reply,
            } => {
                self.last_subscription += 1;
                let id = SubscriptionId(self.last_subscription);
                let member = Targets::of(&channel).member;
                let targets = match params.remove(member) {
                    Some(Value::Array(targets)) => targets
                        .iter()
                        .filter_map(|target| Some(target.as_str()?.to_owned()))
                        .collect(),
                    _ => BTreeSet::new(),
                };
                let outlet = match outlet {
                    Some(outlet) => {
                        self.outlets.insert(id.0, outlet);
                        id.0
                    }
                    None => MAIN,
                };
                let kept = Kept {
                    channel,
                    params,
                    targets,
                    outlet,
                    sid: None,
                    reply: Some(reply),
                    retry_at: None,
                    attempts: 0,
                    since: None,
                };
                self.subscriptions.insert(id, kept);
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
            } if self.is_connected => self.give(&name, params, Pending::Other(reply)),
            Command::Change {
                subscription,
                change,
                targets,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(StreamError::Ended)),
                Some(None) => self.waiting.push(Command::Change {
                    subscription,
                    change,
                    targets,
                    reply,
                }),
                Some(Some(_))
                    if change == Change::Remove && !self.is_last(subscription, &targets) =>
                {
                    // Others on the same channel want some of them: those stay, and are no longer this one's.
                    let (shared, own): (Vec<_>, Vec<_>) = targets.into_iter().partition(|target| {
                        !self.is_last(subscription, std::slice::from_ref(target))
                    });
                    if let Some(kept) = self.subscriptions.get_mut(&subscription) {
                        kept.targets.retain(|target| !shared.contains(target));
                    }
                    match own.is_empty() {
                        true => _ = reply.send(Ok(())),
                        false => self.command(Command::Change {
                            subscription,
                            change,
                            targets: own,
                            reply,
                        }),
                    }
                }
                Some(Some(sid)) => self.change(sid, subscription, change, targets, Some(reply)),
            },
            Command::Snapshot {
                subscription,
                market_tickers,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(StreamError::Ended)),
                Some(None) => self.waiting.push(Command::Snapshot {
                    subscription,
                    market_tickers,
                    reply,
                }),
                Some(Some(_)) if market_tickers.is_empty() => _ = reply.send(Ok(Vec::new())),
                Some(Some(sid)) => self.snapshot(sid, market_tickers, reply),
            },
            Command::SnapshotOf {
                sid,
                market_tickers,
                reply,
            } => match self.sids.contains_key(&sid) {
                true => self.snapshot(sid, market_tickers, reply),
                false => _ = reply.send(Err(StreamError::Disconnected)),
            },
            Command::Other { reply, .. } => _ = reply.send(Err(StreamError::Disconnected)),
        }
    }

    fn snapshot(
        &mut self,
        sid: u64,
        market_tickers: Vec<String>,
        reply: Reply<Vec<OrderbookSnapshot>>,
    ) {
        let params =
            json!({"sids": [sid], "action": "get_snapshot", "market_tickers": market_tickers});
        let pending = Pending::Snapshot {
            missing: market_tickers.into_iter().collect(),
            snapshots: Vec::new(),
            reply,
        };
        self.give("update_subscription", Some(params), pending);
    }

    /// What the exchange calls a subscription, if it is one.
    fn sid_of(&self, id: SubscriptionId) -> Option<Option<u64>> {
        self.subscriptions.get(&id).map(|kept| kept.sid)
    }

    fn change(
        &mut self,
        sid: u64,
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: Option<Reply<()>>,
    ) {
        let Some(kept) = self.subscriptions.get(&subscription) else {
            return;
        };
        let names = Targets::of(&kept.channel);
        let action = match change {
            Change::Add => names.add,
            Change::Remove => names.remove,
        };
        let params = json!({"sids": [sid], "action": action, names.member: targets});
        let pending = Pending::Change {
            subscription,
            change,
            targets,
            reply,
        };
        self.give("update_subscription", Some(params), pending);
    }

    /// Whether no other subscription to the same channel wants any of these.
    fn is_last(&self, id: SubscriptionId, targets: &[String]) -> bool {
        let Some(channel) = self.subscriptions.get(&id).map(|kept| &kept.channel) else {
            return true;
        };
        let mut others = self.subscriptions.iter();
        !others.any(|(other, kept)| {
            *other != id
                && kept.channel == *channel
                && targets.iter().any(|target| kept.targets.contains(target))
        })
    }

    fn resume_waiting(&mut self) {
        for command in std::mem::take(&mut self.waiting) {
            let is_given_up = match &command {
                Command::Change { reply, .. } => reply.is_closed(),
                Command::Snapshot { reply, .. } => reply.is_closed(),
                _ => false,
            };
            if !is_given_up {
                self.command(command);
            }
        }
    }

    fn unsubscribe(&mut self, id: SubscriptionId, reply: Option<Reply<()>>) {
        let Some(kept) = self.remove(id) else {
            if let Some(reply) = reply {
                _ = reply.send(Ok(()));
            }
            return;
        };
        let Some(sid) = kept.sid.filter(|_| self.is_connected) else {
            if let Some(reply) = reply {
                _ = reply.send(Ok(()));
            }
            return;
        };
        let others = self
            .sids
            .get(&sid)
            .map_or_else(Vec::new, |route| route.subscriptions.clone());
        if others.is_empty() {
            return self.give(
                "unsubscribe",
                Some(json!({"sids": [sid]})),
                Pending::Unsubscribe(reply),
            );
        }
        // Others share it: only what nobody else wants goes.
        let mut targets = kept.targets;
        for other in others.iter().filter_map(|id| self.subscriptions.get(id)) {
            match other.targets.is_empty() {
                true => targets.clear(),
                false => targets.retain(|target| !other.targets.contains(target)),
            }
        }
        match (targets.is_empty(), others.first(), reply) {
            (false, Some(other), reply) => self.change(
                sid,
                *other,
                Change::Remove,
                targets.into_iter().collect(),
                reply,
            ),
            (_, _, Some(reply)) => _ = reply.send(Ok(())),
            _ => {}
        }
    }

    /// Forgets a subscription, and ends its own stream.
    fn remove(&mut self, id: SubscriptionId) -> Option<Kept> {
        let kept = self.subscriptions.remove(&id)?;
        if let Some(route) = kept.sid.and_then(|sid| self.sids.get_mut(&sid)) {
            route.subscriptions.retain(|other| *other != id);
            route.outlets = outlets_of(&self.subscriptions, &route.subscriptions);
        }
        if kept.outlet != MAIN
            && let Some(outlet) = self.outlets.remove(&kept.outlet)
        {
            self.ending.push(outlet);
        }
        Some(kept)
    }

    /// A frame has come.
    pub(super) fn frame(&mut self, frame: Frame, received_ts_ms: Option<i64>) {
        self.check_sequence(&frame);
        let (sid, was_answer) = match frame
            .id
            .and_then(|id| Some((id, self.pending.remove(&id)?)))
        {
            Some((id, pending)) => (self.answered(id, pending, &frame), true),
            None => (frame.sid, false),
        };
        let terminal = match &frame.message {
            Message::ErrorReply(error) => is_terminal(error.code),
            Message::UnsubscribedReply => true,
            _ => false,
        };
        let ends = frame.sid.filter(|_| terminal);
        let route = sid.and_then(|sid| self.sids.get(&sid));
        let received = Received {
            subscription: route.and_then(|route| route.subscriptions.first().copied()),
            frame,
            received_ts_ms,
        };
        match route {
            Some(route) if received.frame.sid.is_some() && !route.outlets.is_empty() => {
                match *route.outlets.as_slice() {
                    // Nearly all of them.
                    [outlet] => self.tell(&[outlet], StreamEvent::Message(received)),
                    ref outlets => {
                        let outlets = outlets.to_vec();
                        self.tell(&outlets, StreamEvent::Message(received));
                    }
                }
            }
            // Whoever keeps books has to know of what is over.
            _ if was_answer && received.frame.sid.is_none() => {}
            None if received.frame.sid.is_some()
                && self.early.len() < MOST_EARLY
                && self.is_subscribing() =>
            {
                self.early.push(received);
            }
            // What cannot be told apart concerns all.
            _ if received.frame.sid.is_none()
                && (terminal || matches!(received.frame.message, Message::Malformed(_))) =>
            {
                self.tell_all(&StreamEvent::Message(received));
                if terminal {
                    for sid in self.sids.keys().copied().collect::<Vec<_>>() {
                        self.end(sid);
                    }
                }
            }
            _ => self.tell(&[MAIN], StreamEvent::Message(received)),
        }
        if let Some(sid) = ends {
            self.end(sid);
        }
    }

    fn is_subscribing(&self) -> bool {
        self.pending
            .values()
            .any(|pending| matches!(pending, Pending::Subscribe(_)))
    }

    fn check_sequence(&mut self, frame: &Frame) {
        let (Some(sid), Some(got)) = (frame.sid, frame.seq) else {
            return;
        };
        let Some(route) = self.sids.get_mut(&sid) else {
            return;
        };
        let expected = route.last.saturating_add(1);
        if got < expected {
            return;
        }
        let is_gap = got > expected && route.last != 0;
        route.last = got;
        if is_gap {
            let (subscription, outlets) =
                (route.subscriptions.first().copied(), route.outlets.clone());
            let event = StreamEvent::Gap {
                subscription,
                expected,
                got,
            };
            self.tell(&outlets, event);
        }
    }

    /// An answer to a command; gives the `sid` that it is about.
    fn answered(&mut self, id: u64, pending: Pending, frame: &Frame) -> Option<u64> {
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
                if let Some(reply) = reply {
                    _ = reply.send(Ok(()));
                }
            }
            (Pending::Unsubscribe(reply), Message::UnsubscribedReply) => {
                if let Some(reply) = reply {
                    _ = reply.send(Ok(()));
                }
            }
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

    /// The exchange has ended a subscription: whoever wants it subscribes again.
    fn end(&mut self, sid: u64) {
        let Some(route) = self.sids.remove(&sid) else {
            return;
        };
        for id in route.subscriptions {
            let Some(kept) = self.subscriptions.get_mut(&id) else {
                continue;
            };
            kept.sid = None;
            if kept.since.is_some_and(|since| since.elapsed() > LASTING) {
                kept.attempts = 0;
            }
            kept.retry_at = Some(Instant::now() + pause(kept.attempts));
            kept.attempts += 1;
        }
    }
}

/// Where the messages of subscriptions go, each place once.
fn outlets_of(subscriptions: &BTreeMap<SubscriptionId, Kept>, ids: &[SubscriptionId]) -> Vec<u64> {
    let kept = ids.iter().filter_map(|id| subscriptions.get(id));
    let outlets: BTreeSet<_> = kept.map(|kept| kept.outlet).collect();
    outlets.into_iter().collect()
}
