//! Application of frames to order books.

use super::{
    Books, MAX_SUBSCRIPTIONS,
    api::{ApiBook, BookBody, BookMessage},
    event::StaleReason,
    events::BookEvents,
    evidence::market_of,
    tracked::Loss,
};
use crate::ws::{
    CommandError, Frame, MalformedMessage,
    sequence::{Arrival, FramePosition, MAX_BUFFERED, Sequence},
};

impl<B: ApiBook> Books<B> {
    /// Applies a frame. `may_revive` is `true` if a frame numbered 1 may belong to a new subscription with the number of an ended one.
    pub(super) fn apply_frame(
        &mut self,
        frame: &Frame<B::Message>,
        may_revive: bool,
    ) -> BookEvents {
        let mut events = BookEvents::default();
        let message = B::read(&frame.message);
        self.apply_notice(&message, &mut events);
        match frame.sid {
            Some(sid) => self.apply_to(sid, frame, &message, may_revive, &mut events),
            None => self.apply_without_sid(&message, &mut events),
        }
        events
    }

    fn apply_without_sid(&mut self, message: &BookMessage<'_, B>, events: &mut BookEvents) {
        match message {
            // It may have been a change to any book.
            BookMessage::Malformed(_) | BookMessage::Delta(_) | BookMessage::Snapshot(_) => {
                self.mark_all_stale(StaleReason::MissingSid, events);
            }
            BookMessage::Error(code) if CommandError::new(*code).is_terminal() => {
                self.end_all(StaleReason::SubscriptionEnded, events);
            }
            // It may be the end of any subscription.
            BookMessage::Unsubscribed => self.end_all(StaleReason::Unsubscribed, events),
            _ => {}
        }
    }

    fn apply_to(
        &mut self,
        sid: u64,
        frame: &Frame<B::Message>,
        message: &BookMessage<'_, B>,
        may_revive: bool,
        events: &mut BookEvents,
    ) {
        match message {
            BookMessage::Error(code) if CommandError::new(*code).ends_subscription() => {
                let reason = StaleReason::SubscriptionEnded;
                self.lose_notices(sid, reason, events);
                return self.end(sid, reason, events);
            }
            BookMessage::Unsubscribed => {
                self.mark_ended(sid);
                return self.forget(sid, StaleReason::Unsubscribed, events);
            }
            _ => {}
        }
        let subscription = match self.subscriptions.get_mut(&sid) {
            Some(subscription) => subscription,
            // The number may be reused by a new subscription, which counts from 1.
            None => match message.market_ticker() {
                Some(ticker)
                    if self.ended.contains(&sid) && !(may_revive && frame.seq == Some(1)) =>
                {
                    return self.doubt(&ticker, events);
                }
                // It may be the first message of its subscription.
                Some(_) if self.subscriptions.len() < MAX_SUBSCRIPTIONS => {
                    self.ended.remove(&sid);
                    self.start(sid, Sequence::default());
                    let Some(subscription) = self.subscriptions.get_mut(&sid) else {
                        return;
                    };
                    subscription
                }
                Some(ticker) => return self.doubt(&ticker, events),
                None => {
                    let is_unreadable = matches!(message, BookMessage::Malformed(malformed) if malformed.kind.is_none());
                    // It may have been a notice about any market.
                    if B::HAS_NOTICES && is_unreadable {
                        self.mark_all_stale(StaleReason::Malformed, events);
                    }
                    return;
                }
            },
        };
        let Some(seq) = frame.seq else {
            return self.apply_unnumbered(sid, frame, message, events);
        };
        let is_snapshot_reply = frame.id.is_some() && message.is_snapshot();
        let arrival = subscription
            .sequence
            .advance(seq, frame.fingerprint(), is_snapshot_reply);
        let Some(position) = arrival.position() else {
            return;
        };
        if let Arrival::Gap { expected, .. } = arrival {
            let reason = StaleReason::Gap { expected, got: seq };
            self.mark_subscription_stale(sid, Loss::Before(position), reason, events);
        }
        let sent_ms = frame.sending_ts_ms;
        match message {
            BookMessage::Delta(delta) => self.delta(sid, position, delta, sent_ms, events),
            // A requested snapshot may be of a market that is no longer subscribed to, so no changes would follow.
            BookMessage::Snapshot(snapshot)
                if frame.id.is_some() && !self.has(sid, snapshot.market_ticker) => {}
            BookMessage::Snapshot(snapshot) => {
                self.snapshot((sid, position), frame.id, snapshot, sent_ms, events);
            }
            // No book depends on a reply: the snapshot is requested again.
            BookMessage::Malformed(_) if is_snapshot_reply => {}
            message => match (message.listed(&frame.message), message) {
                (Some(listed), _) => self.listed(sid, frame.id, listed, events),
                (None, BookMessage::Malformed(malformed)) => {
                    self.malformed(sid, position, malformed, events);
                }
                // A type added in a later version may be a change.
                (None, BookMessage::Unknown) => {
                    self.mark_subscription_stale(
                        sid,
                        Loss::Before(position),
                        StaleReason::UnknownMessage,
                        events,
                    );
                }
                (None, _) => {}
            },
        }
    }

    fn apply_unnumbered(
        &mut self,
        sid: u64,
        frame: &Frame<B::Message>,
        message: &BookMessage<'_, B>,
        events: &mut BookEvents,
    ) {
        if let Some(listed) = message.listed(&frame.message) {
            return self.listed(sid, frame.id, listed, events);
        }
        let reason = match message {
            BookMessage::Snapshot(_) | BookMessage::Delta(_) => StaleReason::MissingSeq,
            BookMessage::Malformed(_) => StaleReason::Malformed,
            BookMessage::Unknown => StaleReason::UnknownMessage,
            _ => return,
        };
        if let Some(subscription) = self.subscriptions.get(&sid) {
            let loss = Loss::After(subscription.sequence.position());
            self.mark_subscription_stale(sid, loss, reason, events);
        }
    }

    fn snapshot(
        &mut self,
        (sid, position): (u64, FramePosition),
        reply_to: Option<u64>,
        snapshot: &BookBody<'_, B::Snapshot>,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = snapshot.market_ticker;
        let Some(mode) = self.mode.known() else {
            return self.reject_unknown_mode(sid, position, ticker, events);
        };
        let book = B::read_snapshot(snapshot.body, mode, sent_ms);
        let sequence = self.subscriptions.get(&sid).map(|of| &of.sequence);
        let is_behind = sequence.is_some_and(Sequence::is_behind);
        // A reply may have an earlier position.
        let last = sequence.map_or(position, Sequence::position);
        let Some((tracked, schedule)) = self.tracked(sid, position, ticker) else {
            return self.doubt(ticker, events);
        };
        let is_unproven = match is_behind {
            // A repeated or late snapshot lacks the changes that followed it.
            true => !tracked.replica.is_later_reply(reply_to),
            false => tracked.is_unproven && reply_to.is_none(),
        };
        if is_unproven {
            let reason = StaleReason::NoSnapshot;
            if !tracked.replica.is_stale() {
                return tracked.lose(Loss::After(last), reason, schedule, events);
            }
            tracked.report_missing(reason, events);
            if tracked.is_unrequested() {
                tracked.request_now(schedule);
            }
            return;
        }
        tracked.is_unproven = false;
        match book {
            Ok(book) => {
                let clock = snapshot.clock;
                let effect = tracked.replica.snapshot(position, reply_to, clock, book);
                if !tracked.replica.is_stale() {
                    // The market is part of the subscription.
                    tracked.replica.limit_buffer(MAX_BUFFERED);
                }
                tracked.report_effect(position, effect, None, schedule, events);
            }
            Err(error) => {
                let reason = StaleReason::InvalidSnapshot(error);
                tracked.reject_snapshot(position, reason, schedule, events);
            }
        }
    }

    fn delta(
        &mut self,
        sid: u64,
        position: FramePosition,
        delta: &BookBody<'_, B::Delta>,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = delta.market_ticker;
        let Some(mode) = self.mode.known() else {
            return self.reject_unknown_mode(sid, position, ticker, events);
        };
        let change = B::read_change(delta.body, mode, sent_ms);
        // The common case.
        if let Some(tracked) = self.books.get_mut(ticker)
            && tracked.sid == sid
        {
            return match change {
                Ok(change) => {
                    let effect = tracked.replica.change(position, delta.clock, &change);
                    let own_id = delta.client_order_id;
                    tracked.report_effect(position, effect, own_id, &mut self.schedule, events);
                }
                Err(error) => {
                    let (loss, reason) =
                        (Loss::Before(position), StaleReason::InvalidChange(error));
                    tracked.lose(loss, reason, &mut self.schedule, events);
                }
            };
        }
        let Some((tracked, schedule)) = self.tracked(sid, position, ticker) else {
            return self.doubt(ticker, events);
        };
        tracked.report_missing(StaleReason::NoSnapshot, events);
        tracked.request_now(schedule);
        match change {
            Ok(change) => _ = tracked.replica.change(position, delta.clock, &change),
            Err(_) => _ = tracked.replica.lose(position),
        }
    }

    /// Processes a message that could not be decoded. If its market is known, only that book is affected, because no message is missing.
    fn malformed(
        &mut self,
        sid: u64,
        position: FramePosition,
        malformed: &MalformedMessage,
        events: &mut BookEvents,
    ) {
        let (loss, reason) = (Loss::Before(position), StaleReason::Malformed);
        let Some(ticker) = market_of::<B>(malformed) else {
            return self.mark_subscription_stale(sid, loss, reason, events);
        };
        match self.tracked(sid, position, &ticker) {
            Some((tracked, schedule)) => {
                tracked.report_missing(reason, events);
                tracked.lose(loss, reason, schedule, events);
            }
            None => self.doubt(&ticker, events),
        }
    }

    /// Skips a frame whose price mode is unknown.
    fn reject_unknown_mode(
        &mut self,
        sid: u64,
        position: FramePosition,
        ticker: &str,
        events: &mut BookEvents,
    ) {
        if let Some((tracked, schedule)) = self.tracked(sid, position, ticker) {
            let reason = StaleReason::UnknownPriceMode;
            tracked.report_missing(reason, events);
            tracked.replica.lose(position);
            // A snapshot would have the same problem.
            tracked.cancel_request(schedule);
        }
    }
}
