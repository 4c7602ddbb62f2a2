//! Which message goes where, which answer belongs to which command, and what is to be subscribed to. No input, no output.

mod answers;
mod commands;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    task::Context,
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::Instant};

use self::answers::{Asked, Pending, sid_in};
use super::{
    Frame, Message, StreamError, StreamEvent,
    driver::{LASTING, pause},
    error::is_terminal,
    outlet::Outlet,
    stream::{Received, SubscriptionId},
    subscription::{Channel, Command, Reply, Targets},
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
    pending: HashMap<u64, Asked>,
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
    about: About,
    /// Whether it was about nothing until now.
    is_woken: bool,
    outlet: u64,
    sid: Option<u64>,
    /// Who waits for it to be made the first time.
    reply: Option<Reply<SubscriptionId>>,
    /// When it is to be tried again.
    retry_at: Option<Instant>,
    attempts: u32,
    since: Option<Instant>,
}

/// What a subscription is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Everything on the channel.
    All,
    /// The targets; while there are none, nothing.
    Markets,
    /// The targets, and it stands without any.
    Indices,
    /// What its parameters name by other ids.
    Ids,
}

impl Kept {
    /// Whether there is nothing to subscribe to for now.
    fn is_idle(&self) -> bool {
        self.about == About::Markets && self.targets.is_empty()
    }
}

/// What the exchange calls a subscription on this connection.
#[derive(Default)]
struct Route {
    /// Markets that were taken from it: no snapshot would bring them back.
    removed: BTreeSet<String>,
    last: u64,
    subscriptions: Vec<SubscriptionId>,
    outlets: Vec<u64>,
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
        for asked in std::mem::take(&mut self.pending).into_values() {
            asked.pending.fail(StreamError::Disconnected);
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
                true => {
                    self.remove(id);
                    self.take_early(None);
                }
                false => self.subscribe(id),
            }
        }
    }

    fn give(&mut self, name: &str, params: Option<Value>, pending: Pending) {
        self.last_id += 1;
        self.pending.retain(|_, asked| !asked.pending.is_idle());
        let sid = params.as_ref().and_then(sid_in);
        let mut command = json!({"id": self.last_id, "cmd": name});
        if let (Some(params), Some(members)) = (params, command.as_object_mut()) {
            members.insert("params".to_owned(), params);
        }
        self.outgoing.push_back(command.to_string());
        self.pending.insert(self.last_id, Asked { sid, pending });
    }

    fn subscribe(&mut self, id: SubscriptionId) {
        let Some(kept) = self.subscriptions.get_mut(&id) else {
            return;
        };
        if kept.is_idle() {
            kept.retry_at = None;
            return;
        }
        // Of several answers the last one counts.
        self.pending
            .retain(|_, asked| !matches!(asked.pending, Pending::Subscribe(other) if other == id));
        // Should no usable answer come.
        kept.retry_at = Some(Instant::now() + UNANSWERED);
        let mut params = kept.params.clone();
        if !kept.targets.is_empty() {
            let targets: Vec<_> = kept.targets.iter().cloned().collect();
            params.insert(Targets::of(&kept.channel).member.to_owned(), targets.into());
        }
        self.give("subscribe", Some(params.into()), Pending::Subscribe(id));
    }

    /// Forgets a subscription, and ends its own stream.
    fn remove(&mut self, id: SubscriptionId) -> Option<Kept> {
        let kept = self.subscriptions.remove(&id)?;
        if let Some(route) = kept.sid.and_then(|sid| self.sids.get_mut(&sid)) {
            route.subscriptions.retain(|other| *other != id);
            route.outlets = outlets_of(&self.subscriptions, &route.subscriptions);
            let goes_on = !route.subscriptions.is_empty();
            if goes_on && kept.outlet == MAIN && !route.outlets.contains(&MAIN) {
                let left = StreamEvent::Left {
                    subscription: id,
                    sid: kept.sid.unwrap_or_default(),
                };
                self.tell(&[MAIN], left);
            }
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
        let id = frame.id.or_else(|| self.refused(&frame));
        let (sid, was_answer) = match id.and_then(|id| Some((id, self.pending.remove(&id)?))) {
            Some((id, asked)) => {
                let sid = self.answered(id, asked.pending, &frame);
                // It may have made the route in which it counts.
                self.check_sequence(&frame);
                (sid, true)
            }
            None => (frame.sid, false),
        };
        if let Message::OrderbookSnapshot(snapshot) = &frame.message
            && frame.id.is_none()
            && let Some(route) = sid.and_then(|sid| self.sids.get_mut(&sid))
        {
            // Whoever added it, it is there.
            route.removed.remove(&snapshot.market_ticker);
        }
        let terminal = match &frame.message {
            Message::ErrorReply(error) => is_terminal(error.code),
            Message::UnsubscribedReply => true,
            _ => false,
        };
        let ends = frame.sid.filter(|_| terminal);
        let route = sid.and_then(|sid| self.sids.get(&sid));
        let received = Received {
            // Of several the same one on every connection.
            subscription: route.and_then(|route| route.subscriptions.iter().min().copied()),
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
            .any(|asked| matches!(&asked.pending, Pending::Subscribe(id) if self.subscriptions.contains_key(id)))
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
            let (subscription, outlets) = (
                route.subscriptions.iter().min().copied(),
                route.outlets.clone(),
            );
            let event = StreamEvent::Gap {
                subscription,
                expected,
                got,
            };
            self.tell(&outlets, event);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Backpressure;

    #[tokio::test]
    async fn what_was_not_written_is_not_for_the_next_connection() {
        let (main, _receiver) = Outlet::new(Backpressure::default());
        let mut routes = Routes::new(main);
        routes.connected();
        let (reply, answer) = oneshot::channel();
        routes.command(Command::Other {
            name: "list_subscriptions".to_owned(),
            params: None,
            reply,
        });
        assert!(routes.has_outgoing());
        routes.disconnected();
        assert!(matches!(answer.await, Ok(Err(StreamError::Disconnected))));
        routes.connected();
        assert_eq!(routes.next_outgoing(), None);
    }
}
