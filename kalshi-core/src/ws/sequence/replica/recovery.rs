//! Data that a stale book collects to become live again.

use std::collections::VecDeque;

use super::{Clock, FramePosition, ReplicaStaleReason, ReplicatedBook};

/// Data that a stale book collects to become live again.
#[derive(Clone, Debug)]
pub(super) struct Recovery<B: ReplicatedBook> {
    /// Snapshots from before this frame are ignored.
    pub(super) since: FramePosition,
    /// Replies to requests that were sent after the book became stale are ignored only from before this frame.
    pub(super) replies_since: FramePosition,
    /// A snapshot has been requested since the book became stale.
    pub(super) is_requested: bool,
    /// Number of earlier losses whose request has not been answered. Their replies arrive before that to the last request.
    pub(super) unanswered: u32,
    /// Changes may have been lost before the first buffered one.
    pub(super) has_loss: bool,
    /// Position and clock of the first change after a loss. A later snapshot must have at least this clock.
    pub(super) covers: Option<(FramePosition, i64)>,
    pub(super) changes: VecDeque<Buffered<B::Change>>,
    pub(super) last_clock: Option<Clock>,
    pub(super) candidate: Option<Candidate<B>>,
}

#[derive(Clone, Debug)]
pub(super) struct Buffered<C> {
    pub(super) position: FramePosition,
    pub(super) clock: Option<i64>,
    pub(super) change: C,
}

/// A snapshot that contradicts the clock of the book, until a second one confirms it.
#[derive(Clone, Debug)]
pub(super) struct Candidate<B> {
    pub(super) position: FramePosition,
    pub(super) clock: Option<i64>,
    pub(super) book: B,
    /// Another snapshot has been requested since.
    pub(super) is_requested: bool,
}

impl<C> Buffered<C> {
    /// Returns `true` if a snapshot with this position and clock includes the change.
    pub(super) fn is_in(&self, position: FramePosition, clock: Option<i64>) -> bool {
        match (self.clock, clock) {
            (Some(change), Some(snapshot)) => change <= snapshot,
            _ => self.position <= position,
        }
    }
}

impl<B: ReplicatedBook> Recovery<B> {
    pub(super) fn new(
        since: FramePosition,
        has_loss: bool,
        last_clock: Option<Clock>,
    ) -> Box<Self> {
        Box::new(Self {
            since,
            replies_since: since,
            is_requested: false,
            unanswered: 0,
            has_loss,
            covers: None,
            changes: VecDeque::new(),
            last_clock,
            candidate: None,
        })
    }

    /// Buffers a change, up to `max` of them. Returns the cause if another snapshot is needed.
    pub(super) fn buffer(
        &mut self,
        change: Buffered<B::Change>,
        max: usize,
    ) -> Option<ReplicaStaleReason<B::Error>> {
        let position = change.position;
        let mut cause = None;
        if let (Some(got), Some(last)) = (change.clock, self.last_clock)
            && !last.allows(got)
        {
            let last = last.value();
            cause = Some(ReplicaStaleReason::ClockFell { last, got });
            *self = *Self::new(position, true, None);
        }
        if let Some(clock) = change.clock {
            self.last_clock = Some(Clock::from_change(clock));
            if self.has_loss && self.covers.is_none() {
                self.covers = Some((position, clock));
            }
        }
        if self.changes.len() < max {
            self.changes.push_back(change);
            return cause;
        }
        let last_clock = self.last_clock;
        *self = *Self::new(position, true, last_clock);
        self.covers = change.clock.map(|clock| (position, clock));
        Some(ReplicaStaleReason::Overflow)
    }

    /// Returns the clock that a snapshot should have reached if it has not.
    pub(super) fn missing_clock(
        &self,
        floor: Option<Clock>,
        position: FramePosition,
        clock: Option<i64>,
    ) -> Option<i64> {
        let clock = clock?;
        let covers = self.covers.filter(|(at, _)| *at <= position);
        let floor = floor.map(Clock::value).max(covers.map(|(_, clock)| clock));
        floor.filter(|floor| clock < *floor)
    }

    /// Returns `true` if a snapshot equals the candidate plus the changes in between, and was requested after it. `is_late` is `true` for
    /// a reply to a command that is not later than that of the previous reply.
    pub(super) fn confirms(
        &self,
        position: FramePosition,
        is_late: bool,
        clock: Option<i64>,
        book: &B,
    ) -> bool {
        let Some(candidate) = &self.candidate else {
            return false;
        };
        // The same frame may arrive twice, and the second one proves nothing.
        if !candidate.is_requested || is_late || position < candidate.position {
            return false;
        }
        let mut expected = candidate.book.clone();
        let mut between = self.changes.iter().filter(|change| {
            !change.is_in(candidate.position, candidate.clock) && change.is_in(position, clock)
        });
        between.all(|change| expected.apply_change(&change.change).is_ok()) && expected == *book
    }

    /// Keeps a snapshot until a second one confirms it.
    pub(super) fn keep(&mut self, position: FramePosition, clock: Option<i64>, book: B) {
        // Changes before the snapshot have clocks that do not compare with its own.
        let before = self
            .changes
            .iter()
            .filter(|change| change.position <= position);
        let newest = before.filter_map(|change| Some((change.position, change.clock?)));
        self.covers = newest.last().or(self.covers);
        self.changes.retain(|change| change.position > position);
        // An earlier snapshot would need the dropped changes.
        (self.since, self.replies_since) = (position, position);
        if self.changes.is_empty() {
            self.last_clock = clock.map(Clock::from_snapshot);
        }
        self.candidate = Some(Candidate {
            position,
            clock,
            book,
            is_requested: false,
        });
    }
}
