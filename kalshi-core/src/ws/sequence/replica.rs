//! A local copy of one order book: live, withheld or stale.

mod recovery;

use std::{collections::VecDeque, fmt::Debug, time::Duration};

use tokio::time::Instant;

use self::recovery::{Buffered, Recovery};
use super::{Clock, FramePosition};

/// Maximum number of changes that a stale book buffers by default.
pub const MAX_BUFFERED: usize = 10_000;

/// Time after which a crossed book becomes stale.
pub const CROSSED_TIMEOUT: Duration = Duration::from_millis(50);

/// An order book that a [`Replica`] builds from snapshots and changes. The order books of the API crates implement it.
pub trait ReplicatedBook: Clone + PartialEq {
    /// A change of one level.
    type Change: Clone + Debug;
    /// Error for a change that does not fit the book.
    type Error;

    /// Applies a change.
    ///
    /// # Errors
    ///
    /// Returns an error if the change does not fit the book.
    fn apply_change(&mut self, change: &Self::Change) -> Result<(), Self::Error>;

    /// Returns `true` if the best bid and the best ask cross.
    fn is_crossed(&self) -> bool;
}

/// A local copy of one of the exchange's order books: live, withheld or stale. It applies the changes and snapshots of one market.
#[derive(Clone, Debug)]
pub struct Replica<B: ReplicatedBook> {
    book: B,
    /// Position of the last frame applied to the book.
    position: FramePosition,
    clock: Option<Clock>,
    /// Time at which a crossed book becomes stale. `None` if it is not crossed.
    crossed_until: Option<Instant>,
    /// Highest id of a command to which a snapshot replied.
    last_reply: Option<u64>,
    /// Position of the reply that made the book live, if it may have answered a request from before the loss. Later replies are then compared
    /// with the book.
    doubted: Option<FramePosition>,
    /// Maximum number of changes that are buffered.
    max_buffered: usize,
    /// `None` if the book is live or withheld.
    recovery: Option<Box<Recovery<B>>>,
}

/// The reason why a replica is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaStaleReason<E> {
    /// A change has a clock at or below that of the snapshot, or below that of the previous change.
    ClockFell {
        /// Clock of the book.
        last: i64,
        /// Clock of the change.
        got: i64,
    },
    /// A change does not fit the book.
    Change(E),
    /// The book stayed crossed.
    Crossed,
    /// A snapshot has a clock below that of the book, so a second one has to confirm it.
    EarlierSnapshot {
        /// Clock that the snapshot should have reached.
        expected: i64,
        /// Clock of the snapshot.
        got: i64,
    },
    /// The second snapshot does not equal the first one plus the changes in between.
    UnconfirmedSnapshot,
    /// More changes arrived than are buffered.
    Overflow,
}

/// Effect of a frame on a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect<E> {
    /// The frame had no visible effect.
    Unchanged,
    /// The live book changed.
    Changed,
    /// The book is live, for the first time or again.
    Live,
    /// The book is crossed and withheld.
    Withheld,
    /// The book is stale and needs another snapshot. It may have been stale before.
    Stale(ReplicaStaleReason<E>),
}

impl<B: ReplicatedBook> Replica<B> {
    /// Creates a book without a snapshot. `has_loss` is `true` if changes before `since` may have been missed.
    #[must_use]
    pub fn without_snapshot(empty: B, since: FramePosition, has_loss: bool) -> Self {
        Self {
            book: empty,
            position: since,
            clock: None,
            crossed_until: None,
            last_reply: None,
            doubted: None,
            max_buffered: MAX_BUFFERED,
            recovery: Some(Recovery::new(since, has_loss, None)),
        }
    }

    /// Sets the maximum number of changes that the stale book buffers. Defaults to [`MAX_BUFFERED`].
    pub fn limit_buffer(&mut self, max: usize) {
        self.max_buffered = max;
    }

    /// Returns the book, or `None` if it is not live.
    #[must_use]
    pub fn live(&self) -> Option<&B> {
        self.is_live().then_some(&self.book)
    }

    /// Returns `true` if the book is live.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.recovery.is_none() && self.crossed_until.is_none()
    }

    /// Returns `true` if the book is stale. A withheld book is neither live nor stale.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.recovery.is_some()
    }

    /// Returns the progress of the book, or `None` if the exchange sends no clock.
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        self.clock
    }

    /// Returns the time at which a withheld book becomes stale unless it is no longer crossed. `None` if it is not withheld.
    #[must_use]
    pub fn crossed_until(&self) -> Option<Instant> {
        self.crossed_until
    }

    /// Makes the book stale because frames were lost before this position. Returns `true` if it was not stale before.
    pub fn lose(&mut self, since: FramePosition) -> bool {
        (self.crossed_until, self.doubted) = (None, None);
        let recovery = Recovery::new(since, true, self.clock);
        self.recovery.replace(recovery).is_none()
    }

    /// Makes the book stale because frames after the last one may be lost, or because a snapshot from before is outdated for another reason.
    /// Returns `true` if it was not stale before.
    ///
    /// The exchange may number a reply like the last frame. The first such reply restores the book, after those to the requests of earlier
    /// losses. If the program requested the snapshot before the loss, its levels are outdated. The reply to a later command therefore replaces
    /// the book even if it has the same position, and makes the book stale if it has an earlier one.
    pub fn lose_after(&mut self, last: FramePosition) -> bool {
        let before = self.recovery.as_ref();
        let unanswered = before.map_or(0, |recovery| {
            let requests = u32::from(recovery.is_requested);
            recovery.unanswered.saturating_add(requests)
        });
        let was_live = self.lose(last.next());
        if let Some(recovery) = &mut self.recovery {
            (recovery.replies_since, recovery.unanswered) = (last, unanswered);
        }
        was_live
    }

    /// Makes a live book stale if the reply that restored it may be outdated (see [`lose_after`](Self::lose_after)). Call this if the book's
    /// own request failed, because no later reply corrects the book then. Returns `true` if it was not stale before and is now.
    pub fn lose_doubted(&mut self) -> bool {
        self.doubted.is_some() && self.lose_after(self.position)
    }

    /// Returns `true` if the reply that made the book live may be outdated.
    pub(in crate::ws) fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }

    /// Returns `true` for the id of a command that is later than those to which all snapshots so far have replied.
    pub(in crate::ws) fn is_later_reply(&self, reply_to: Option<u64>) -> bool {
        // `None` is below every id.
        reply_to > self.last_reply
    }

    /// Moves the book to another subscription. Its clock is kept, because it is the same on all subscriptions.
    pub fn restart(&mut self, since: FramePosition, has_loss: bool) {
        (self.crossed_until, self.last_reply, self.doubted) = (None, None, None);
        self.recovery = Some(Recovery::new(since, has_loss, self.clock));
    }

    /// Records that a snapshot arrived and is unusable, for example because it is invalid. A live book becomes stale. Returns `true` if the
    /// book was not stale before.
    pub fn reject_snapshot(&mut self, position: FramePosition) -> bool {
        // The buffered changes of a stale book remain valid for the next snapshot.
        self.recovery.is_none() && self.lose(position)
    }

    /// Records that a snapshot was requested, so that the next one can confirm a candidate.
    pub fn requested(&mut self) {
        if let Some(recovery) = &mut self.recovery {
            recovery.is_requested = true;
            if let Some(candidate) = &mut recovery.candidate {
                candidate.is_requested = true;
            }
        }
    }

    /// Makes the book stale if it has been crossed for too long. Returns `true` if it was not stale before and is now.
    pub fn expire_crossed(&mut self, now: Instant) -> bool {
        let is_over = self.crossed_until.is_some_and(|until| until <= now);
        is_over && self.lose(self.position)
    }

    /// Applies or buffers a change at this position.
    pub fn change(
        &mut self,
        position: FramePosition,
        clock: Option<i64>,
        change: &B::Change,
    ) -> Effect<B::Error> {
        let buffered = |change: &B::Change| Buffered {
            position,
            clock,
            change: change.clone(),
        };
        if let Some(recovery) = &mut self.recovery {
            let cause = recovery.buffer(buffered(change), self.max_buffered);
            return cause.map_or(Effect::Unchanged, Effect::Stale);
        }
        let was_crossed = self.crossed_until.is_some();
        match self.advance(position, clock, change) {
            Ok(()) => match (was_crossed, self.crossed_until.is_some()) {
                (false, true) => Effect::Withheld,
                (true, true) => Effect::Unchanged,
                (_, false) => Effect::Changed,
            },
            Err(cause) => {
                self.lose(position);
                if let Some(recovery) = &mut self.recovery {
                    // The change is buffered even if its clock caused the conflict.
                    recovery.last_clock = None;
                    recovery.buffer(buffered(change), self.max_buffered);
                }
                Effect::Stale(cause)
            }
        }
    }

    fn advance(
        &mut self,
        position: FramePosition,
        clock: Option<i64>,
        change: &B::Change,
    ) -> Result<(), ReplicaStaleReason<B::Error>> {
        if let (Some(last), Some(got)) = (self.clock, clock)
            && !last.allows(got)
        {
            let last = last.value();
            return Err(ReplicaStaleReason::ClockFell { last, got });
        }
        if let Some(until) = self.crossed_until {
            let last = self.clock.map(Clock::value);
            if (clock.is_some() && clock != last) || until <= Instant::now() {
                return Err(ReplicaStaleReason::Crossed);
            }
        }
        self.position = position;
        self.clock = Clock::after_change(self.clock, clock);
        self.book
            .apply_change(change)
            .map_err(ReplicaStaleReason::Change)?;
        match self.book.is_crossed() {
            true => _ = self.crossed_until.get_or_insert_with(crossed_until),
            false => self.crossed_until = None,
        }
        Ok(())
    }

    /// Applies a snapshot at this position. `reply_to` is the id of the command to which it replies. The ids of later commands are higher.
    pub fn snapshot(
        &mut self,
        position: FramePosition,
        reply_to: Option<u64>,
        clock: Option<i64>,
        book: B,
    ) -> Effect<B::Error> {
        let is_late = reply_to.is_some() && !self.is_later_reply(reply_to);
        self.last_reply = reply_to.max(self.last_reply);
        let Some(recovery) = &mut self.recovery else {
            let doubted = self.doubted.filter(|_| reply_to.is_some() && !is_late);
            if position > self.position {
                self.doubted = None;
            } else if doubted.is_none_or(|doubted| position < doubted)
                || (position == self.position && book == self.book)
            {
                // An older snapshot contains nothing new.
                return Effect::Unchanged;
            } else if position < self.position {
                self.lose_after(self.position);
                return Effect::Stale(ReplicaStaleReason::UnconfirmedSnapshot);
            }
            if let (Some(got), Some(last)) = (clock, self.clock.map(Clock::value))
                && got < last
            {
                self.lose(position);
                if let Some(recovery) = &mut self.recovery {
                    recovery.keep(position, clock, book);
                }
                let expected = last;
                return Effect::Stale(ReplicaStaleReason::EarlierSnapshot { expected, got });
            }
            self.crossed_until = None;
            return self.adopt(position, clock, book, VecDeque::new(), Effect::Changed);
        };
        let is_reply = reply_to.is_some() && !is_late;
        let since = match is_reply && recovery.is_requested && recovery.unanswered == 0 {
            true => recovery.replies_since,
            false => recovery.since,
        };
        if position < since {
            let answered = u32::from(is_reply);
            recovery.unanswered = recovery.unanswered.saturating_sub(answered);
            return Effect::Unchanged;
        }
        if let Some(expected) = recovery.missing_clock(self.clock, position, clock)
            && !recovery.confirms(position, is_late, clock, &book)
        {
            let was_candidate = recovery.candidate.as_ref();
            let cause = match was_candidate.is_some_and(|candidate| candidate.is_requested) {
                true => ReplicaStaleReason::UnconfirmedSnapshot,
                false => ReplicaStaleReason::EarlierSnapshot {
                    expected,
                    got: clock.unwrap_or_default(),
                },
            };
            recovery.keep(position, clock, book);
            return Effect::Stale(cause);
        }
        let mut changes = std::mem::take(&mut recovery.changes);
        changes.retain(|change| !change.is_in(position, clock));
        self.doubted = (position < recovery.since).then_some(position);
        self.recovery = None;
        self.adopt(position, clock, book, changes, Effect::Live)
    }

    /// Replaces the book by a snapshot and the changes after it.
    fn adopt(
        &mut self,
        position: FramePosition,
        clock: Option<i64>,
        book: B,
        changes: VecDeque<Buffered<B::Change>>,
        effect: Effect<B::Error>,
    ) -> Effect<B::Error> {
        let newest = changes.back().map_or(position, |change| change.position);
        (self.book, self.position) = (book, position);
        self.clock = clock.map(Clock::from_snapshot);
        self.crossed_until = self.book.is_crossed().then(crossed_until);
        for Buffered {
            position,
            clock,
            change,
        } in changes
        {
            if let Err(cause) = self.advance(position, clock, &change) {
                self.lose(newest.max(position));
                return Effect::Stale(cause);
            }
        }
        match self.crossed_until {
            Some(_) => Effect::Withheld,
            None => effect,
        }
    }
}

fn crossed_until() -> Instant {
    Instant::now() + CROSSED_TIMEOUT
}
