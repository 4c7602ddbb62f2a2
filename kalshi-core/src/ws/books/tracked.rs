//! State of one order book: its replica, the last reported state, and its snapshot request.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    api::ApiBook,
    error::BookError,
    event::{BookEvent, StaleReason},
    events::BookEvents,
    requests::{OVERDUE_ATTEMPTS, Request, Schedule, pause, timeout},
};
use crate::{
    ClientOrderId,
    ws::sequence::{Effect, FramePosition, Replica},
};

/// An order book and its subscription.
#[derive(Clone, Debug)]
pub(super) struct TrackedBook<B: ApiBook> {
    pub(super) ticker: Arc<str>,
    pub(super) sid: u64,
    pub(super) replica: Replica<B>,
    reported: Reported,
    request: Request,
    timer: Option<Instant>,
    /// Number of snapshots requested since the book was last live.
    attempts: u32,
    /// The market may not be part of the subscription, so that only a requested snapshot makes the book live. The connection requests
    /// none of a market without a subscription.
    pub(super) is_unproven: bool,
}

/// The reason why earlier snapshots do not restore a book.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// Frames before this one are lost.
    Before(FramePosition),
    /// Frames after this one may be lost or outdated. It is the last one of the subscription.
    After(FramePosition),
}

impl Loss {
    /// Returns the position of the first frame after the loss.
    pub(super) fn since(self) -> FramePosition {
        match self {
            Self::Before(position) => position,
            Self::After(last) => last.next(),
        }
    }
}

/// The last reported state of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Nothing,
    Live,
    Withheld,
    Stale,
}

impl<B: ApiBook> TrackedBook<B> {
    /// Creates a book without a snapshot.
    pub(super) fn new(ticker: Arc<str>, sid: u64, since: FramePosition, has_loss: bool) -> Self {
        Self {
            ticker,
            sid,
            replica: Replica::without_snapshot(B::default(), since, has_loss),
            reported: Reported::Nothing,
            request: Request::None,
            timer: None,
            attempts: 0,
            is_unproven: false,
        }
    }

    /// Moves the book to another subscription.
    pub(super) fn move_to(&mut self, sid: u64, since: FramePosition, has_loss: bool) {
        self.sid = sid;
        self.is_unproven = false;
        self.replica.restart(since, has_loss);
    }

    /// Reports the effect of a frame on the book. `own_id` is the client order id of the change, if it was caused by the user's own order.
    pub(super) fn report_effect(
        &mut self,
        position: FramePosition,
        effect: Effect<BookError>,
        own_id: Option<&ClientOrderId>,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        match effect {
            Effect::Changed | Effect::Live => self.report_live(position, own_id, schedule, events),
            Effect::Withheld => {
                self.set_timer(schedule, self.replica.crossed_until());
                self.request = Request::None;
                let (sid, market) = (self.sid, &*self.ticker);
                let clock = self.clock();
                tracing::debug!(
                    sid,
                    market,
                    seq = position.seq(),
                    clock,
                    "order book withheld"
                );
                if self.reported == Reported::Live {
                    self.reported = Reported::Withheld;
                    events.push(BookEvent::Withheld {
                        market_ticker: Arc::clone(&self.ticker),
                    });
                }
            }
            Effect::Stale(cause) => {
                let reason = StaleReason::from(cause);
                // A book that was withheld in between may have been reported as live.
                self.report_stale(reason, events);
                self.request_after_fault(reason, schedule);
            }
            Effect::Unchanged => {}
        }
    }

    fn report_live(
        &mut self,
        position: FramePosition,
        own_id: Option<&ClientOrderId>,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        let market_ticker = Arc::clone(&self.ticker);
        if matches!(self.reported, Reported::Live | Reported::Withheld) {
            if self.reported == Reported::Withheld {
                self.reported = Reported::Live;
                self.set_timer(schedule, None);
            }
            let client_order_id = own_id.cloned();
            return events.push(BookEvent::Changed {
                market_ticker,
                client_order_id,
            });
        }
        (self.reported, self.request, self.attempts) = (Reported::Live, Request::None, 0);
        self.set_timer(schedule, None);
        let (sid, market) = (self.sid, &*self.ticker);
        let clock = self.clock();
        tracing::debug!(sid, market, seq = position.seq(), clock, "order book live");
        events.push(BookEvent::Live { market_ticker });
    }

    /// Reports the book as stale, unless it was reported as stale or never reported at all.
    pub(super) fn report_stale(&mut self, reason: StaleReason, events: &mut BookEvents) {
        let (sid, market, clock) = (self.sid, &*self.ticker, self.clock());
        let (expected, got) = reason.numbers();
        if matches!(self.reported, Reported::Nothing | Reported::Stale) {
            tracing::debug!(
                sid,
                market,
                ?reason,
                expected,
                got,
                clock,
                "order book still stale"
            );
            return;
        }
        match reason.is_usual() {
            true => {
                tracing::debug!(
                    sid,
                    market,
                    ?reason,
                    expected,
                    got,
                    clock,
                    "order book stale"
                );
            }
            false => {
                tracing::warn!(
                    sid,
                    market,
                    ?reason,
                    expected,
                    got,
                    clock,
                    "order book stale"
                );
            }
        }
        self.reported = Reported::Stale;
        events.push(BookEvent::Stale {
            market_ticker: Arc::clone(&self.ticker),
            reason,
        });
    }

    /// Reports the book as stale even if it was never reported.
    pub(super) fn report_missing(&mut self, reason: StaleReason, events: &mut BookEvents) {
        if self.reported == Reported::Nothing {
            self.reported = Reported::Withheld;
        }
        self.report_stale(reason, events);
    }

    /// Reports a dropped book as stale, regardless of what was reported before.
    pub(super) fn report_dropped(
        mut self,
        reason: StaleReason,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        self.reported = Reported::Live;
        self.report_stale(reason, events);
        self.cancel_request(schedule);
    }

    /// Makes the book stale.
    pub(super) fn lose(
        &mut self,
        loss: Loss,
        reason: StaleReason,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        match loss {
            Loss::Before(position) => self.replica.lose(position),
            Loss::After(last) => self.replica.lose_after(last),
        };
        self.report_stale(reason, events);
        self.request_now(schedule);
    }

    /// Makes the book stale without requesting a snapshot, because it has no subscription.
    pub(super) fn close(
        &mut self,
        sid: u64,
        reason: StaleReason,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        self.replica.lose(FramePosition::default());
        self.report_stale(reason, events);
        self.sid = sid;
        (self.request, self.attempts) = (Request::None, 0);
        self.set_timer(schedule, None);
    }

    /// Records that a snapshot is unusable.
    pub(super) fn reject_snapshot(
        &mut self,
        position: FramePosition,
        reason: StaleReason,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        self.replica.reject_snapshot(position);
        self.report_missing(reason, events);
        self.request_after_fault(reason, schedule);
    }

    /// Waits for a snapshot that the exchange sends without a request.
    pub(super) fn expect_snapshot(&mut self, schedule: &mut Schedule) {
        (self.request, self.attempts) = (Request::Sent, 0);
        self.set_timer(schedule, Some(Instant::now() + timeout(1)));
    }

    /// Requests a snapshot without a pause.
    pub(super) fn request_now(&mut self, schedule: &mut Schedule) {
        self.request = Request::Due;
        self.set_timer(schedule, None);
        schedule.push_due(self.sid, &self.ticker);
    }

    /// Requests a snapshot again with fewer markets. The first request counts as not sent.
    pub(super) fn request_in_part(&mut self, schedule: &mut Schedule) {
        self.attempts = self.attempts.saturating_sub(1);
        self.request_now(schedule);
    }

    /// Requests a snapshot, after a pause if earlier ones did not help.
    fn request_after_fault(&mut self, reason: StaleReason, schedule: &mut Schedule) {
        let is_of_change = matches!(
            reason,
            StaleReason::ClockFell { .. } | StaleReason::BufferOverflow
        );
        // A first snapshot with a lower clock needs a second one to confirm it.
        let is_first = matches!(reason, StaleReason::EarlierSnapshot { .. });
        match is_of_change || is_first || self.attempts == 0 {
            true => self.request_now(schedule),
            false => self.request_later(schedule),
        }
    }

    /// Requests a snapshot after a pause that grows with every attempt.
    pub(super) fn request_later(&mut self, schedule: &mut Schedule) {
        self.request = Request::Waiting;
        self.set_timer(schedule, Some(Instant::now() + pause(self.attempts)));
    }

    /// Makes the book stale with the next timeout if the reply that made it live may be outdated, because its own request has failed.
    pub(super) fn request_lost(&mut self, schedule: &mut Schedule) {
        if self.replica.is_doubted() {
            self.request = Request::Waiting;
            self.set_timer(schedule, Some(Instant::now()));
        }
    }

    /// Returns `true` if a snapshot request is due.
    pub(super) fn is_due(&self) -> bool {
        self.request == Request::Due && self.replica.is_stale()
    }

    /// Returns the number of snapshots requested since the book was last live.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns `true` if a snapshot request was due, and marks it as sent.
    pub(super) fn send_request(&mut self, schedule: &mut Schedule) -> bool {
        if !self.is_due() {
            return false;
        }
        self.request = Request::Sent;
        self.replica.requested();
        self.attempts = self.attempts.saturating_add(1);
        self.set_timer(schedule, Some(Instant::now() + timeout(self.attempts)));
        true
    }

    /// Handles the expiry of the timer.
    pub(super) fn timer_expired(
        &mut self,
        now: Instant,
        schedule: &mut Schedule,
        events: &mut BookEvents,
    ) {
        self.timer = None;
        if self.replica.expire_crossed(now) {
            let reason = StaleReason::Crossed;
            self.report_stale(reason, events);
            return self.request_after_fault(reason, schedule);
        }
        if self.request == Request::Waiting && self.replica.lose_doubted() {
            self.report_stale(StaleReason::UnconfirmedSnapshot, events);
            return self.request_later(schedule);
        }
        if !self.replica.is_stale() || !matches!(self.request, Request::Sent | Request::Waiting) {
            return;
        }
        let attempts = self.attempts;
        if attempts > 0 {
            let (sid, market, clock) = (self.sid, &*self.ticker, self.clock());
            tracing::warn!(sid, market, attempts, clock, "order book snapshot missing");
        }
        if attempts == OVERDUE_ATTEMPTS {
            events.push(BookEvent::SnapshotOverdue {
                market_ticker: Arc::clone(&self.ticker),
                attempts,
            });
        }
        self.request_now(schedule);
    }

    fn clock(&self) -> Option<i64> {
        self.replica.clock().map(|clock| clock.value())
    }

    pub(super) fn set_timer(&mut self, schedule: &mut Schedule, at: Option<Instant>) {
        schedule.set_timer(&self.ticker, &mut self.timer, at);
    }

    /// Cancels the snapshot request, because a snapshot would not help.
    pub(super) fn cancel_request(&mut self, schedule: &mut Schedule) {
        self.request = Request::None;
        self.set_timer(schedule, None);
    }

    /// Returns `true` if the book is stale and no snapshot is requested or expected.
    pub(super) fn is_unrequested(&self) -> bool {
        self.replica.is_stale() && self.request == Request::None
    }
}
