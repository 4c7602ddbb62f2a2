//! Application of frames to order books.

use super::{
    Books,
    api::{ApiBook, BookBody, BookMessage},
    event::StaleReason,
    events::BookEvents,
    evidence::market_of,
};
use crate::ws::{
    CommandError, Frame, MalformedMessage,
    sequence::{Arrival, Place, Sequence},
};

impl<B: ApiBook> Books<B> {
    pub(super) fn apply_without_sid(
        &mut self,
        message: &BookMessage<'_, B>,
        events: &mut BookEvents,
    ) {
        match message {
            // It may have been a change to any book.
            BookMessage::Malformed(_) | BookMessage::Delta(_) | BookMessage::Snapshot(_) => {
                self.lose_everything(StaleReason::MissingSid, events);
            }
            BookMessage::Error(code) if CommandError::new(*code).is_terminal() => {
                for sid in self.subscriptions.keys().copied().collect::<Vec<_>>() {
                    self.end(sid, StaleReason::SubscriptionEnded, events);
                }
            }
            _ => {}
        }
    }

    pub(super) fn apply_to(
        &mut self,
        sid: u64,
        frame: &Frame<B::Message>,
        message: &BookMessage<'_, B>,
        events: &mut BookEvents,
    ) {
        let is_about_books = match message {
            BookMessage::Delta(_) | BookMessage::Snapshot(_) => true,
            // It may be the first message of its subscription.
            BookMessage::Malformed(malformed) => market_of::<B>(malformed).is_some(),
            BookMessage::Error(code) if CommandError::new(*code).is_terminal() => {
                return self.end(sid, StaleReason::SubscriptionEnded, events);
            }
            BookMessage::Unsubscribed => {
                self.ended.insert(sid);
                return self.forget(sid, StaleReason::Unsubscribed, events);
            }
            _ => false,
        };
        let subscription = match self.subscriptions.get_mut(&sid) {
            Some(subscription) => subscription,
            // The number may be reused by a new subscription, which counts from 1.
            None if self.ended.contains(&sid) && frame.seq != Some(1) => return,
            None if is_about_books => {
                self.ended.remove(&sid);
                self.start(sid, Sequence::default());
                let Some(subscription) = self.subscriptions.get_mut(&sid) else {
                    return;
                };
                subscription
            }
            None => return,
        };
        let Some(seq) = frame.seq else {
            return self.apply_unnumbered(sid, frame, message, events);
        };
        let is_snapshot_reply = frame.id.is_some() && message.is_snapshot();
        let arrival = subscription
            .sequence
            .advance(seq, frame.fingerprint(), is_snapshot_reply);
        let Some(place) = arrival.place() else {
            return;
        };
        if let Arrival::Gap { expected, .. } = arrival {
            let reason = StaleReason::Gap { expected, got: seq };
            self.lose_all(sid, place, reason, events);
        }
        let sent_ms = frame.sending_ts_ms;
        match message {
            BookMessage::Delta(delta) => self.delta(sid, place, delta, sent_ms, events),
            // A requested snapshot may be of a market that is no longer subscribed to, so no changes would follow.
            BookMessage::Snapshot(snapshot)
                if frame.id.is_some() && !self.has(sid, snapshot.market_ticker) => {}
            BookMessage::Snapshot(snapshot) => {
                self.snapshot(sid, place, snapshot, sent_ms, events);
            }
            // No book depends on a reply: the snapshot is requested again.
            BookMessage::Malformed(_) if is_snapshot_reply => {}
            message => match (message.listed(&frame.message), message) {
                (Some(listed), _) => self.listed(sid, listed, events),
                (None, BookMessage::Malformed(malformed)) => {
                    self.malformed(sid, place, malformed, events);
                }
                // A type added in a later version may be a change.
                (None, BookMessage::Unknown) => {
                    self.lose_all(sid, place, StaleReason::UnknownMessage, events);
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
            return self.listed(sid, listed, events);
        }
        let reason = match message {
            BookMessage::Snapshot(_) | BookMessage::Delta(_) => StaleReason::MissingSeq,
            BookMessage::Malformed(_) => StaleReason::Malformed,
            BookMessage::Unknown => StaleReason::UnknownMessage,
            _ => return,
        };
        if let Some(subscription) = self.subscriptions.get(&sid) {
            let since = subscription.sequence.place().next();
            self.lose_all(sid, since, reason, events);
        }
    }

    fn snapshot(
        &mut self,
        sid: u64,
        place: Place,
        snapshot: &BookBody<'_, B::Snapshot>,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = snapshot.market_ticker;
        let Some(mode) = self.mode.known() else {
            return self.reject_unknown_mode(sid, place, ticker, events);
        };
        let book = B::read_snapshot(snapshot.body, mode, sent_ms);
        let Some((tracked, schedule)) = self.tracked(sid, place, ticker) else {
            return;
        };
        match book {
            Ok(book) => {
                let outcome = tracked.replica.snapshot(place, snapshot.clock, book);
                tracked.report_outcome(place, outcome, None, schedule, events);
            }
            Err(error) => {
                let reason = StaleReason::InvalidSnapshot(error);
                tracked.refuse_snapshot(place, reason, schedule, events);
            }
        }
    }

    fn delta(
        &mut self,
        sid: u64,
        place: Place,
        delta: &BookBody<'_, B::Delta>,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = delta.market_ticker;
        let Some(mode) = self.mode.known() else {
            return self.reject_unknown_mode(sid, place, ticker, events);
        };
        let change = B::read_change(delta.body, mode, sent_ms);
        // The common case.
        if let Some(tracked) = self.books.get_mut(ticker)
            && tracked.sid == sid
        {
            return match change {
                Ok(change) => {
                    let outcome = tracked.replica.change(place, delta.clock, &change);
                    let own_id = delta.client_order_id;
                    tracked.report_outcome(place, outcome, own_id, &mut self.schedule, events);
                }
                Err(error) => {
                    let reason = StaleReason::InvalidChange(error);
                    tracked.lose(place, reason, &mut self.schedule, events);
                }
            };
        }
        let Some((tracked, schedule)) = self.tracked(sid, place, ticker) else {
            return;
        };
        tracked.report_missing(StaleReason::NoSnapshot, events);
        tracked.request_now(schedule);
        match change {
            Ok(change) => _ = tracked.replica.change(place, delta.clock, &change),
            Err(_) => _ = tracked.replica.lose(place),
        }
    }

    /// Processes a message that could not be decoded. If its market is known, only that book is affected, because no message is missing.
    fn malformed(
        &mut self,
        sid: u64,
        place: Place,
        malformed: &MalformedMessage,
        events: &mut BookEvents,
    ) {
        let reason = StaleReason::Malformed;
        let Some(ticker) = market_of::<B>(malformed) else {
            return self.lose_all(sid, place, reason, events);
        };
        if let Some((tracked, schedule)) = self.tracked(sid, place, &ticker) {
            tracked.report_missing(reason, events);
            tracked.lose(place, reason, schedule, events);
        }
    }

    /// Skips a frame whose price mode is unknown.
    fn reject_unknown_mode(
        &mut self,
        sid: u64,
        place: Place,
        ticker: &str,
        events: &mut BookEvents,
    ) {
        if let Some((tracked, schedule)) = self.tracked(sid, place, ticker) {
            let reason = StaleReason::UnknownPriceMode;
            tracked.report_missing(reason, events);
            tracked.replica.lose(place);
            // A snapshot would have the same problem.
            tracked.cancel_request(schedule);
        }
    }
}
