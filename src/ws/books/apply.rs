//! How frames change order books.

use kalshi_core::ws::{
    CommandError, MalformedMessage,
    sequence::{Arrival, Place, Sequence},
};

use super::{
    Books,
    evidence::{is_snapshot, listed_in, market_of},
};
use crate::ws::{
    Frame,
    book::{LevelChange, OrderBook},
    book_event::StaleReason,
    book_events::BookEvents,
    messages::{Message, OrderbookDelta, OrderbookSnapshot},
};

impl Books {
    pub(super) fn apply_without_sid(&mut self, message: &Message, events: &mut BookEvents) {
        match message {
            // It may have been a change of any book.
            Message::Malformed(_) | Message::OrderbookDelta(_) | Message::OrderbookSnapshot(_) => {
                self.lose_everything(StaleReason::MissingSid, events);
            }
            Message::ErrorReply(error) if CommandError::new(error.code).is_terminal() => {
                for sid in self.subscriptions.keys().copied().collect::<Vec<_>>() {
                    self.end(sid, StaleReason::SubscriptionEnded, events);
                }
            }
            _ => {}
        }
    }

    pub(super) fn apply_to(&mut self, sid: u64, frame: &Frame, events: &mut BookEvents) {
        let is_about_books = match &frame.message {
            Message::OrderbookDelta(_) | Message::OrderbookSnapshot(_) => true,
            // It may have been the first message of its subscription.
            Message::Malformed(malformed) => market_of(malformed).is_some(),
            Message::ErrorReply(error) if CommandError::new(error.code).is_terminal() => {
                return self.end(sid, StaleReason::SubscriptionEnded, events);
            }
            Message::UnsubscribedReply => {
                self.ended.insert(sid);
                return self.forget(sid, StaleReason::Unsubscribed, events);
            }
            _ => false,
        };
        let subscription = match self.subscriptions.get_mut(&sid) {
            Some(subscription) => subscription,
            // The number may be that of a new subscription, which counts from 1.
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
            return self.apply_unnumbered(sid, &frame.message, events);
        };
        let is_snapshot_reply = frame.id.is_some() && is_snapshot(&frame.message);
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
        match &frame.message {
            Message::OrderbookDelta(delta) => self.delta(sid, place, delta, sent_ms, events),
            // A requested one may be of a market that is not, or no longer, subscribed to: no changes of it would come.
            Message::OrderbookSnapshot(snapshot)
                if frame.id.is_some() && !self.has(sid, &snapshot.market_ticker) => {}
            Message::OrderbookSnapshot(snapshot) => {
                self.snapshot(sid, place, snapshot, sent_ms, events);
            }
            // No book depends on a reply: it is requested again.
            Message::Malformed(_) if is_snapshot_reply => {}
            // An acknowledgement that cannot be decoded has no list.
            Message::Malformed(malformed) if listed_in(&frame.message).is_none() => {
                self.malformed(sid, place, malformed, events);
            }
            message => match listed_in(message) {
                Some(listed) => self.listed(sid, listed, events),
                // A message of a later version may be a change.
                None if matches!(message, Message::Unknown(_)) => {
                    self.lose_all(sid, place, StaleReason::UnknownMessage, events);
                }
                None => {}
            },
        }
    }

    fn apply_unnumbered(&mut self, sid: u64, message: &Message, events: &mut BookEvents) {
        if let Some(listed) = listed_in(message) {
            return self.listed(sid, listed, events);
        }
        let reason = match message {
            Message::OrderbookSnapshot(_) | Message::OrderbookDelta(_) => StaleReason::MissingSeq,
            Message::Malformed(_) => StaleReason::Malformed,
            Message::Unknown(_) => StaleReason::UnknownMessage,
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
        snapshot: &OrderbookSnapshot,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = snapshot.market_ticker.as_str();
        let Some(mode) = self.mode.known() else {
            return self.refuse_mode(sid, place, ticker, events);
        };
        let book = OrderBook::from_snapshot(snapshot, mode);
        let Some((tracked, schedule)) = self.tracked(sid, place, ticker) else {
            return;
        };
        match book {
            Ok(book) => {
                let book = book.sent_at(sent_ms);
                let outcome = tracked.replica.snapshot(place, snapshot.clock, book);
                tracked.settle(place, outcome, None, schedule, events);
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
        delta: &OrderbookDelta,
        sent_ms: Option<i64>,
        events: &mut BookEvents,
    ) {
        let ticker = delta.market_ticker.as_str();
        let Some(mode) = self.mode.known() else {
            return self.refuse_mode(sid, place, ticker, events);
        };
        let change = LevelChange::from_delta(delta, mode).map(|change| change.sent_at(sent_ms));
        // The usual case.
        if let Some(tracked) = self.books.get_mut(ticker)
            && tracked.sid == sid
        {
            return match change {
                Ok(change) => {
                    let outcome = tracked.replica.change(place, delta.clock, &change);
                    let own_id = delta.client_order_id.as_ref();
                    tracked.settle(place, outcome, own_id, &mut self.schedule, events);
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

    /// A message that cannot be decoded. If its market can, no other one is concerned, as nothing is missing.
    fn malformed(
        &mut self,
        sid: u64,
        place: Place,
        malformed: &MalformedMessage,
        events: &mut BookEvents,
    ) {
        let reason = StaleReason::Malformed;
        let Some(ticker) = market_of(malformed) else {
            return self.lose_all(sid, place, reason, events);
        };
        if let Some((tracked, schedule)) = self.tracked(sid, place, &ticker) {
            tracked.report_missing(reason, events);
            tracked.lose(place, reason, schedule, events);
        }
    }

    /// Does not apply a frame whose mode is unknown.
    fn refuse_mode(&mut self, sid: u64, place: Place, ticker: &str, events: &mut BookEvents) {
        if let Some((tracked, schedule)) = self.tracked(sid, place, ticker) {
            let reason = StaleReason::UnknownPriceMode;
            tracked.report_missing(reason, events);
            tracked.replica.lose(place);
            // No snapshot would help.
            tracked.cancel_request(schedule);
        }
    }
}
