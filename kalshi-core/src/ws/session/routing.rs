//! Routing of frames to subscriptions and readers.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    EarlyLoss, MAIN, MAX_EARLY, MAX_EARLY_BYTES, MAX_EXTRA, Route, Session, Tracked,
    pending::{CommandScope, Pending},
    replies::Ended,
};
use crate::ws::{
    control::{self, Control},
    envelope::Envelope,
    event::{Arrival, RawEvent, RawMessage},
    sequence,
};

impl Session {
    /// Processes a received frame.
    pub(in crate::ws) fn frame(&mut self, text: Arc<str>, arrival: Arrival) {
        let envelope = match Envelope::parse(&text) {
            // The body is not validated here, which is enough for a channel message: its reader validates it.
            Ok(envelope) if envelope.is_usual && !self.is_command_reply(&text, &envelope) => {
                Ok(envelope)
            }
            _ => Envelope::parse_any(&text),
        };
        let (envelope, control) = match envelope {
            Ok(envelope) => {
                let control = Control::parse(&text, &envelope);
                (envelope, control)
            }
            Err(_) => (Envelope::parse_lenient(&text), Control::Malformed),
        };
        let message = RawMessage {
            subscription: None,
            envelope,
            text,
            arrival,
        };
        self.route(message, control);
    }

    /// Returns `true` if a frame may be a reply to a command, so that its envelope must be parsed completely.
    fn is_command_reply(&self, text: &str, envelope: &Envelope) -> bool {
        let kind = envelope.kind(text);
        let mut pending = self.pending.values();
        pending.any(|command| !matches!(command.pending, Pending::Obsolete(_)))
            || control::is_control(kind)
            || kind.contains('\\')
    }

    pub(super) fn route(&mut self, mut message: RawMessage, control: Control) {
        // 0 stands for no id, and no command has had an id above the last one. Such a frame is no reply.
        let sent = 1..=self.last_id;
        message.envelope.id = message.envelope.id.filter(|id| sent.contains(id));
        let is_numbered = self.check_sequence(&message);
        let mut own_sid = message.envelope.sid;
        let id = message
            .envelope
            .id
            .or_else(|| self.command_that_failed(&message.envelope, &control));
        // A frame about another subscription than that of the command does not complete it, unless it is an error.
        let is_error = matches!(control, Control::Error(_));
        let id = id.filter(|id| {
            let command = self.pending.get(id);
            command.is_some_and(|command| is_error || command.may_concern(own_sid))
        });
        let is_overflow = matches!(&control, Control::Error(error) if error.is_overflow());
        let (terminal, ends_own) = match &control {
            Control::Error(error) => (error.is_terminal(), error.ends_subscription()),
            Control::Unsubscribed => (true, true),
            _ => (false, false),
        };
        let mut ended_sid = None;
        let (sid, is_done) = match id.and_then(|id| Some((id, self.pending.remove(&id)?))) {
            Some((id, command)) => {
                let ended = self.ended_by(&command, &control);
                // An end without a `sid` may be that of any subscription, unless that of the command has already ended.
                let is_done = match control {
                    Control::Unsubscribed => matches!(command.scope, CommandScope::Ended),
                    _ => !matches!(ended, Ended::All),
                };
                if let Ended::Sid(sid) = ended {
                    ended_sid = Some(sid);
                }
                if own_sid.is_none() {
                    // Readers must learn what changed on the subscription even if the reply does not name it.
                    message.envelope.sid = match control {
                        Control::Ok | Control::Unsubscribed => command.sid(),
                        Control::Error(_) => ended_sid,
                        _ => None,
                    };
                }
                let sid = self.replied(id, command, &message, &control);
                // The reply may have created the route to which its number belongs.
                if !is_numbered {
                    self.check_sequence(&message);
                }
                own_sid = message.envelope.sid;
                (sid, is_done)
            }
            None => (own_sid, false),
        };
        if control == Control::Ok {
            self.note_list(sid, &message);
        }
        if message.envelope.id.is_none() {
            self.note_snapshot(sid, &message);
        }
        let ends = own_sid.filter(|_| ends_own).or(ended_sid);
        let route = sid.and_then(|sid| self.sids.get(&sid));
        // If several subscriptions share the route, pick the same one on every socket.
        message.subscription = route.and_then(|route| route.subscriptions.iter().min().copied());
        match route {
            Some(route) if own_sid.is_some() && !route.queues.is_empty() => {
                match *route.queues.as_slice() {
                    // The common case.
                    [queue] => self.send(&[queue], RawEvent::Message(message)),
                    ref queues => {
                        let queues = queues.to_vec();
                        self.send(&queues, RawEvent::Message(message));
                    }
                }
            }
            _ if is_done && own_sid.is_none() => {}
            None if own_sid.is_some() && self.has_early_room() && self.is_subscribing() => {
                self.early.push((message, control));
            }
            // Without a `sid`, the message may concern any subscription.
            _ if own_sid.is_none()
                && (terminal || matches!(control, Control::Data | Control::Malformed)) =>
            {
                let is_numbered = message.envelope.seq.is_some();
                if (control == Control::Malformed || (is_numbered && !terminal))
                    && !self.early.is_empty()
                {
                    // It may also concern the waiting messages, so their readers get it again after them.
                    match self.has_early_room() {
                        true => self.early.push((message.clone(), control)),
                        false => {
                            let early = self.early.iter();
                            let sids: BTreeSet<_> =
                                early.filter_map(|(early, _)| early.envelope.sid).collect();
                            sids.into_iter().for_each(|sid| self.lose_early(sid, false));
                        }
                    }
                }
                self.broadcast(&RawEvent::Message(message));
                if terminal {
                    if is_overflow {
                        // The overflow also affects subscriptions that are not acknowledged yet.
                        let waiting = self.subscriptions.values_mut();
                        waiting
                            .filter(|tracked| tracked.sid.is_none())
                            .for_each(Tracked::overflowed);
                    }
                    // One that the exchange has ended would otherwise count as active, and deliver nothing.
                    for sid in self.sids.keys().copied().collect::<Vec<_>>() {
                        self.end(sid, is_overflow);
                    }
                }
            }
            _ => {
                if let Some(sid) = own_sid
                    && !self.sids.contains_key(&sid)
                    && self.is_subscribing()
                {
                    self.lose_early(sid, ends_own);
                }
                self.send(&[MAIN], RawEvent::Message(message));
            }
        }
        if let Some(sid) = ends {
            self.end(sid, is_overflow);
        }
    }

    fn has_early_room(&self) -> bool {
        let bytes = |(message, _): &(RawMessage, Control)| message.text.len();
        self.early.len() < MAX_EARLY
            && self.early.iter().map(bytes).sum::<usize>() < MAX_EARLY_BYTES
    }

    /// Records a message that cannot be kept, for the acknowledgement of its subscription.
    fn lose_early(&mut self, sid: u64, is_end: bool) {
        if self.early_losses.len() < MAX_EARLY || self.early_losses.contains_key(&sid) {
            let loss = self.early_losses.entry(sid).or_default();
            loss.count += 1;
            loss.has_end |= is_end;
        }
    }

    /// Reports the messages of a subscription that could not be kept until its acknowledgement. If one of them ended it, it is made again.
    pub(super) fn report_early_loss(&mut self, sid: u64) {
        if let Some(EarlyLoss { count, has_end }) = self.early_losses.remove(&sid)
            && let Some(route) = self.sids.get(&sid)
        {
            let queues = route.queues.clone();
            self.send(&queues, RawEvent::Lagged { count });
            if has_end {
                self.end(sid, true);
            }
        }
    }

    /// Records the targets that an acknowledgement lists. They belong to the subscription even if another command added them.
    fn note_list(&mut self, sid: Option<u64>, message: &RawMessage) {
        let Some(route) = sid.and_then(|sid| self.sids.get_mut(&sid)) else {
            return;
        };
        let Some(names) = route.targets.filter(|targets| targets.snapshot.is_some()) else {
            return;
        };
        let Some(listed) = control::list(&message.text, &message.envelope, names.list) else {
            return;
        };
        // An empty list may be none.
        route.is_listed |= !listed.is_empty();
        let tracked = route
            .subscriptions
            .iter()
            .filter_map(|id| self.subscriptions.get(id));
        let tracked: Vec<_> = tracked.collect();
        let is_extra = |target: &String| !tracked.iter().any(|tracked| tracked.selects(target));
        route.extra = listed.into_iter().filter(is_extra).collect();
    }

    /// Records a snapshot. Its target belongs to the subscription even if another command added it, unless acknowledgements have lists:
    /// the target was then removed before its snapshot arrived.
    fn note_snapshot(&mut self, sid: Option<u64>, message: &RawMessage) {
        let Some(route) = sid.and_then(|sid| self.sids.get_mut(&sid)) else {
            return;
        };
        let kind = message.envelope.kind(&message.text);
        if route
            .targets
            .is_none_or(|targets| targets.snapshot != Some(kind))
        {
            return;
        }
        // The envelope must be parsed completely.
        let Ok(envelope) = Envelope::parse_any(&message.text) else {
            return;
        };
        let single = route.targets.and_then(|targets| targets.single);
        let target = single.and_then(|name| control::field(&message.text, &envelope, name));
        if let Some(target) = target {
            let mut tracked = route
                .subscriptions
                .iter()
                .filter_map(|id| self.subscriptions.get(id));
            if !tracked.any(|tracked| tracked.selects(&target)) {
                if !route.is_listed && route.extra.len() < MAX_EXTRA {
                    route.extra.insert(target.into_owned());
                }
                return;
            }
            let mut due = Vec::new();
            for id in &route.subscriptions {
                let tracked = self.subscriptions.get_mut(id);
                if tracked.is_some_and(|tracked| tracked.chunks.received(&target)) {
                    due.push(*id);
                }
            }
            for id in due {
                self.send_chunk(id);
            }
        }
    }

    /// Returns `true` if a subscription selects the target or a command of the user added it.
    pub(super) fn is_part(&self, route: &Route, target: &str) -> bool {
        let mut ids = route.subscriptions.iter();
        route.extra.contains(target)
            || ids.any(|id| {
                let tracked = self.subscriptions.get(id);
                tracked.is_some_and(|tracked| tracked.selects(target))
            })
    }

    /// Returns `true` if a snapshot of the target may be requested.
    pub(super) fn has_target(&self, route: &Route, target: &str) -> bool {
        let mut tracked = route
            .subscriptions
            .iter()
            .filter_map(|id| self.subscriptions.get(id));
        !route.removing.contains_key(target)
            && (route.extra.contains(target) || tracked.any(|tracked| tracked.has_sent(target)))
    }

    pub(super) fn is_subscribing(&self) -> bool {
        self.pending
            .values()
            .any(|command| matches!(&command.pending, Pending::Subscribe { subscription, .. } if self.subscriptions.contains_key(subscription)))
    }

    /// Checks the sequence number of a message and reports a gap. Returns `false` if the message is not numbered or has no route.
    fn check_sequence(&mut self, message: &RawMessage) -> bool {
        let envelope = &message.envelope;
        let (Some(sid), Some(got)) = (envelope.sid, envelope.seq) else {
            return false;
        };
        let Some(route) = self.sids.get_mut(&sid) else {
            return false;
        };
        let snapshot = route.targets.and_then(|targets| targets.snapshot);
        let is_snapshot_reply =
            envelope.id.is_some() && snapshot == Some(envelope.kind(&message.text));
        let text = Arc::clone(&message.text);
        if let sequence::Arrival::Gap { expected, .. } =
            route.sequence.advance(got, text, is_snapshot_reply)
        {
            tracing::warn!(sid, expected, got, "sequence gap");
            let (subscription, queues) = (
                route.subscriptions.iter().min().copied(),
                route.queues.clone(),
            );
            let event = RawEvent::Gap {
                subscription,
                expected,
                got,
            };
            self.send(&queues, event);
        }
        true
    }
}
