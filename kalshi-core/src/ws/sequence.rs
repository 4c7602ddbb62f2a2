//! Sequence numbers, clocks and snapshots of a subscription: the rules that keep a local order book correct.
//!
//! [`Books`](super::books::Books) applies these rules, so a program that uses it, or a [`BookStream`](super::books::BookStream), needs none of
//! the types here. They are public for programs with an order book of their own.
//!
//! The same rules apply to [`Event::Gap`](super::Event::Gap) and to order books. [`Sequence`] implements those of sequence numbers,
//! [`Replica`] those of a single book.
//!
//! A connection uses TCP, so frames arrive in order. The *position* of a frame is the number of times that the count was restarted,
//! and the sequence number.
//!
//! | Frame | Effect |
//! |---|---|
//! | numbered last + 1 | next frame |
//! | identical to the previous frame, byte for byte | ignored |
//! | reply to `get_snapshot`, numbered at or below the last | the count is unchanged, and the snapshot has that position |
//! | numbered in any other way | gap: every book of the subscription is stale, and the count restarts at this number |
//! | unrequested snapshot, numbered at or below a number from before the count fell, other than that of a single frame more than 100 above | may be a repeated or late one, so it restores no book; a snapshot is requested |
//!
//! | Change to a live book | Effect |
//! |---|---|
//! | clock at or below that of the snapshot, or below that of the last change | conflict: the book is stale |
//! | same clock as the last change | applied: the changes of one action share a clock |
//! | does not fit, such as more contracts removed than there are | conflict: the book is stale |
//! | crosses the book | applied, and the book is withheld until it is no longer crossed |
//! | another clock while the book is crossed, or 50 ms after it crossed | the book is stale |
//! | no clock | checked by its position alone |
//!
//! | Frame for a stale book | Effect |
//! |---|---|
//! | change | buffered |
//! | change with a clock below that of the previous one | earlier buffered changes are dropped, and earlier snapshots no longer restore the book |
//! | more changes than can be buffered | buffered changes are dropped, and snapshots from before the last of them no longer restore the book |
//! | snapshot from before the book became stale | ignored |
//! | reply to a later request, numbered like the last frame before the book became stale | accepted if the cause was not a numbered frame; until a later snapshot, replies to further commands replace the book, or make it stale if they are from before its last change |
//! | snapshot with a clock below that of the book, or below that of the first change after a loss | kept as a candidate |
//! | another snapshot, requested after such a candidate, and not the reply to the same command or to an earlier one | the book is live if the snapshot equals the candidate plus the changes in between |
//! | any other snapshot | the book is live: changes at or below the snapshot's clock are part of it, later ones are applied in order |
//!
//! Maintenance of the exchange can lower clocks, so a lower clock is neither trusted immediately nor rejected permanently. One case is not
//! detected, because it looks like a snapshot that was made before it was numbered: a stale book has buffered
//! two changes, the clock is lowered to a value between theirs, and the market does not change again before the snapshot.

mod fingerprint;
mod replica;

use std::cmp::Ordering;

pub use fingerprint::Fingerprint;
pub use replica::{
    CROSSED_TIMEOUT, Effect, MAX_BUFFERED, Replica, ReplicaStaleReason, ReplicatedBook,
};

/// Maximum distance between the numbers of a late frame and of a single frame that it follows, for later frames to count as repeated.
const MAX_REORDERED: u64 = 100;

/// Position of a frame among all frames of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FramePosition {
    /// Number of times that the count has started or restarted.
    restarts: u64,
    seq: u64,
}

impl FramePosition {
    /// Returns the sequence number of the frame.
    #[must_use]
    pub const fn seq(self) -> u64 {
        self.seq
    }

    /// Returns the position of the next frame.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            restarts: self.restarts,
            seq: self.seq.saturating_add(1),
        }
    }
}

/// Sequence numbers of one subscription. `I` identifies a frame, so that a repeat can be recognized.
#[derive(Clone, Debug)]
pub struct Sequence<I> {
    last: Option<u64>,
    /// First number since the last restart.
    first: u64,
    restarts: u64,
    /// Highest number before a gap, unless it is that of a single frame and may have been wrong. 0 if there was none.
    highest: u64,
    /// Identity of the previous frame.
    previous: Option<I>,
}

/// Classification of a frame by its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrival {
    /// The frame follows the previous one.
    Next(FramePosition),
    /// Frames are missing before this one. The count restarts at its number.
    Gap {
        /// Position of the frame in the new count.
        position: FramePosition,
        /// The sequence number that was expected.
        expected: u64,
    },
    /// A repeat of the previous frame.
    Repeat,
    /// A requested snapshot with an earlier position.
    EarlierSnapshot(FramePosition),
}

impl Arrival {
    /// Returns the position of the frame, or `None` for a repeat.
    #[must_use]
    pub const fn position(self) -> Option<FramePosition> {
        match self {
            Self::Next(position) | Self::Gap { position, .. } | Self::EarlierSnapshot(position) => {
                Some(position)
            }
            Self::Repeat => None,
        }
    }
}

impl<I> Default for Sequence<I> {
    /// Creates the sequence of a subscription that is observed from an arbitrary frame on.
    fn default() -> Self {
        Self {
            last: None,
            first: 0,
            restarts: 1,
            highest: 0,
            previous: None,
        }
    }
}

impl<I: PartialEq> Sequence<I> {
    /// Creates the sequence of a subscription whose first frame, numbered 1, has not arrived yet.
    #[must_use]
    pub fn from_start() -> Self {
        Self {
            last: Some(0),
            ..Self::default()
        }
    }

    /// Returns the position of the last frame.
    #[must_use]
    pub fn position(&self) -> FramePosition {
        FramePosition {
            restarts: self.restarts,
            seq: self.last.unwrap_or(0),
        }
    }

    /// Returns `true` if all frames from the first one on have arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.last.is_some() && self.first <= 1 && self.restarts == 1
    }

    /// Returns `true` if the last number also occurred before the count fell, so that the frame may be a repeated or late one.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.last.is_some_and(|last| last <= self.highest)
    }

    /// Processes the sequence number of the next frame. `is_snapshot_reply` is `true` for a snapshot sent in reply to a command.
    pub fn advance(&mut self, seq: u64, frame: I, is_snapshot_reply: bool) -> Arrival {
        if self.previous.as_ref() == Some(&frame) {
            return Arrival::Repeat;
        }
        self.previous = Some(frame);
        let Some(last) = self.last else {
            (self.last, self.first) = (Some(seq), seq);
            return Arrival::Next(self.position());
        };
        if last.checked_add(1) == Some(seq) {
            self.last = Some(seq);
            return Arrival::Next(self.position());
        }
        if is_snapshot_reply && seq <= last {
            // A number from before the restart is older than all frames since.
            let restarts = match seq < self.first {
                true => self.restarts.saturating_sub(1),
                false => self.restarts,
            };
            return Arrival::EarlierSnapshot(FramePosition { restarts, seq });
        }
        // The number of a single frame may be wrong, and would make all later frames count as repeated.
        let highest = match self.first == last {
            true if seq > last => 0,
            true => last.min(seq.saturating_add(MAX_REORDERED)),
            false => last,
        };
        self.highest = self.highest.max(highest);
        (self.last, self.first) = (Some(seq), seq);
        self.restarts = self.restarts.saturating_add(1);
        Arrival::Gap {
            position: self.position(),
            expected: last.saturating_add(1),
        }
    }
}

/// Progress of a market by the exchange's clock. The greater value includes more of the market's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    value: i64,
    /// Number of changes with this clock that have arrived. `None` after a snapshot, which includes all of them.
    changes: Option<u32>,
}

impl Clock {
    /// Creates the clock of a snapshot.
    #[must_use]
    pub const fn from_snapshot(value: i64) -> Self {
        Self {
            value,
            changes: None,
        }
    }

    /// Creates the clock of the first change with this value.
    #[must_use]
    pub const fn from_change(value: i64) -> Self {
        Self {
            value,
            changes: Some(1),
        }
    }

    /// Returns the value of the exchange's clock.
    #[must_use]
    pub const fn value(self) -> i64 {
        self.value
    }

    /// Returns `true` if the next change can have this clock.
    #[must_use]
    pub const fn allows(self, change: i64) -> bool {
        match self.changes {
            None => change > self.value,
            Some(_) => change >= self.value,
        }
    }

    /// Returns the clock after a change.
    #[must_use]
    pub fn after_change(before: Option<Self>, change: Option<i64>) -> Option<Self> {
        match (before, change) {
            (Some(before), Some(value)) if before.value == value => Some(Self {
                value,
                changes: before.changes.map(|changes| changes.saturating_add(1)),
            }),
            (_, Some(value)) => Some(Self::from_change(value)),
            (before, None) => before,
        }
    }
}

impl Ord for Clock {
    fn cmp(&self, other: &Self) -> Ordering {
        let changes = |clock: &Self| clock.changes.unwrap_or(u32::MAX);
        let by_value = self.value.cmp(&other.value);
        by_value.then_with(|| changes(self).cmp(&changes(other)))
    }
}

impl PartialOrd for Clock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(restarts: u64, seq: u64) -> FramePosition {
        FramePosition { restarts, seq }
    }

    #[test]
    fn lower_number_restarts_the_count() {
        let mut sequence = Sequence::from_start();
        assert_eq!(
            sequence.advance(1, "a", false),
            Arrival::Next(position(1, 1))
        );
        assert_eq!(
            sequence.advance(2, "b", false),
            Arrival::Next(position(1, 2))
        );
        let gap = Arrival::Gap {
            position: position(2, 1),
            expected: 3,
        };
        assert!(!sequence.is_behind());
        assert_eq!(sequence.advance(1, "c", false), gap);
        assert_eq!(
            sequence.advance(2, "d", false),
            Arrival::Next(position(2, 2))
        );
        assert!(sequence.is_behind());
        sequence.advance(3, "e", false);
        assert!(!sequence.is_behind());
    }

    #[test]
    fn frame_of_a_run_before_a_gap_is_behind() {
        let mut sequence = Sequence::from_start();
        for seq in 1..=300 {
            sequence.advance(seq, seq, false);
        }
        // A single frame follows the gap. It is far above the repeated one, so its number does not count.
        sequence.advance(302, 302, false);
        assert!(!sequence.is_behind());
        for (seq, is_behind) in [(5, true), (190, true), (300, true), (301, false)] {
            sequence.advance(seq, seq, false);
            assert_eq!(sequence.is_behind(), is_behind, "{seq}");
        }
    }

    #[test]
    fn only_an_identical_frame_is_a_repeat() {
        let mut sequence = Sequence::default();
        assert_eq!(
            sequence.advance(7, "a", false),
            Arrival::Next(position(1, 7))
        );
        assert_eq!(sequence.advance(7, "a", false), Arrival::Repeat);
        let gap = Arrival::Gap {
            position: position(2, 7),
            expected: 8,
        };
        assert_eq!(sequence.advance(7, "b", false), gap);
        assert_eq!(
            sequence.advance(8, "c", false),
            Arrival::Next(position(2, 8))
        );
        // Only a repeat of the previous frame is recognized, not of an earlier one.
        assert!(matches!(
            sequence.advance(7, "b", false),
            Arrival::Gap { .. }
        ));
    }

    #[test]
    fn requested_snapshot_leaves_the_count_unchanged() {
        let mut sequence = Sequence::default();
        sequence.advance(5, "a", false);
        sequence.advance(6, "b", false);
        for (seq, expected) in [
            (6, position(1, 6)),
            (5, position(1, 5)),
            (4, position(0, 4)),
        ] {
            let arrival = sequence.advance(seq, "reply", true);
            assert_eq!(arrival, Arrival::EarlierSnapshot(expected));
            sequence.previous = None;
        }
        assert_eq!(
            sequence.advance(7, "c", true),
            Arrival::Next(position(1, 7))
        );
        assert!(matches!(
            sequence.advance(9, "d", true),
            Arrival::Gap { expected: 8, .. }
        ));
    }

    #[test]
    fn numbers_at_the_end_of_their_range_do_not_overflow() {
        let mut sequence = Sequence::default();
        sequence.advance(u64::MAX, "a", false);
        assert!(matches!(
            sequence.advance(u64::MAX, "b", false),
            Arrival::Gap { .. }
        ));
        assert!(matches!(
            sequence.advance(0, "c", false),
            Arrival::Gap { .. }
        ));
        assert!(matches!(sequence.advance(1, "d", false), Arrival::Next(_)));
    }

    #[test]
    fn clock_of_a_snapshot_has_all_changes_of_its_value() {
        let snapshot = Clock::from_snapshot(7);
        assert!(!snapshot.allows(7) && snapshot.allows(8));
        let change = Clock::from_change(7);
        assert!(change.allows(7) && !change.allows(6));
        let second = Clock::after_change(Some(change), Some(7)).unwrap_or(change);
        assert!(change < second && second < snapshot && snapshot < Clock::from_change(8));
        assert_eq!(Clock::after_change(Some(second), None), Some(second));
    }
}
