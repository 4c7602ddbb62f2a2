//! One of several books: how far it is, and what is to be done with it.

use std::{collections::BTreeMap, sync::Arc};

use crate::ws::{
    book::OrderBook,
    book_event::{BookEvent, StaleReason},
    messages::OrderbookDelta,
};

/// How many changes are kept for a stale book, at most; beyond, another snapshot is asked for.
const MAX_BUFFERED: usize = 10_000;

/// A book, and what is to be done with it.
#[derive(Clone, Debug)]
pub(super) struct TrackedBook {
    pub(super) ticker: Arc<str>,
    pub(super) book: OrderBook,
    pub(super) sid: u64,
    pub(super) state: State,
    /// The newest change that is in it.
    pub(super) seq: u64,
    /// The exchange's count of the market's changes, where it tells it.
    pub(super) clock: Option<Clock>,
}

/// How far a book is: the exchange's count of the market's changes, and how many changes with that count have come, as several may
/// share one. A snapshot has all.
pub(in crate::ws) type Clock = (i64, u32);

/// The clock after a change.
pub(super) fn tick(clock: Option<Clock>, delta: &OrderbookDelta) -> Option<Clock> {
    match (clock, delta.clock) {
        (Some((before, count)), Some(now)) if before == now => Some((now, count.saturating_add(1))),
        (_, Some(now)) => Some((now, 1)),
        (clock, None) => clock,
    }
}

impl TrackedBook {
    /// A book that a snapshot has to make.
    pub(super) fn without_snapshot(ticker: Arc<str>, sid: u64, since: u64, is_asked: bool) -> Self {
        Self {
            ticker,
            book: OrderBook::new(),
            sid,
            state: State::Stale {
                since,
                changes: BTreeMap::new(),
                is_asked,
            },
            seq: since,
            clock: None,
        }
    }

    pub(super) fn is_newer_than(&self, seq: u64) -> bool {
        match self.state {
            State::Live => self.seq > seq,
            State::Stale { since, .. } => since > seq,
        }
    }

    /// Takes in a change, or keeps it for when there is a snapshot; tells why the book is wrong if it is.
    pub(super) fn change(
        &mut self,
        seq: u64,
        delta: &OrderbookDelta,
        events: &mut Vec<BookEvent>,
    ) -> Option<StaleReason> {
        match &mut self.state {
            State::Stale {
                changes, is_asked, ..
            } => {
                changes.insert(seq, delta.clone());
                if changes.len() > MAX_BUFFERED {
                    changes.clear();
                    *is_asked = false;
                }
                return None;
            }
            State::Live if seq <= self.seq => return None,
            State::Live => {}
        }
        self.seq = seq;
        self.clock = tick(self.clock, delta);
        if let Err(error) = self.book.apply(delta) {
            return Some(StaleReason::Broken(error));
        }
        if self.book.is_crossed() {
            return Some(StaleReason::Crossed);
        }
        events.push(BookEvent::Changed {
            market_ticker: Arc::clone(&self.ticker),
        });
        None
    }
}

#[derive(Clone, Debug)]
pub(super) enum State {
    Live,
    Stale {
        /// The frame by which it is known to be so: an older snapshot does not mend it.
        since: u64,
        /// Changes that came since, by their place in the sequence.
        changes: BTreeMap<u64, OrderbookDelta>,
        /// Whether a snapshot has been asked for.
        is_asked: bool,
    },
}

impl State {
    pub(super) fn stale(since: u64) -> Self {
        Self::Stale {
            since,
            changes: BTreeMap::new(),
            is_asked: false,
        }
    }
}
