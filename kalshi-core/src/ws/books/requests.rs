//! Schedule of snapshot requests and of timeouts of withheld books.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// Timeout of the first snapshot request. It doubles with each request.
pub(super) const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause before a snapshot is requested again after a failed request. It doubles each time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Upper limit of pauses and timeouts.
const MAX_PAUSE: Duration = Duration::from_secs(64);

/// Number of requests after which a snapshot is reported as overdue.
pub(super) const OVERDUE_ATTEMPTS: u32 = 5;

/// Returns the timeout of a request, counted from 1.
pub(super) fn timeout(attempt: u32) -> Duration {
    doubled(SNAPSHOT_TIMEOUT, attempt)
}

/// Returns the pause after a failed request, counted from 1.
pub(super) fn pause(attempt: u32) -> Duration {
    doubled(RETRY_PAUSE, attempt)
}

fn doubled(first: Duration, attempt: u32) -> Duration {
    let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
    first.saturating_mul(factor).min(MAX_PAUSE)
}

/// State of the snapshot request of a stale book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// No snapshot is needed, or none can be requested.
    None,
    /// The request is due to be sent.
    Due,
    /// The request was sent. It expires with the timer of the book.
    Sent,
    /// The request is repeated when the timer of the book expires.
    Waiting,
}

/// Books with a request that is due, and timers of books.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// By the `sid` at the time of marking, so that those of a subscription that must wait are not visited.
    due: BTreeMap<u64, BTreeSet<Arc<str>>>,
    timers: BTreeSet<(Instant, Arc<str>)>,
}

impl Schedule {
    /// Marks a book for a request.
    pub(super) fn push_due(&mut self, sid: u64, ticker: &Arc<str>) {
        let due = self.due.entry(sid).or_default();
        due.insert(Arc::clone(ticker));
    }

    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Returns the books that are due on subscriptions for which `is_ready` returns `true`.
    pub(super) fn due(&self, is_ready: impl Fn(u64) -> bool) -> impl Iterator<Item = &Arc<str>> {
        let due = self.due.iter().filter(move |(sid, _)| is_ready(**sid));
        due.flat_map(|(_, tickers)| tickers)
    }

    /// Removes and returns the books that are due on subscriptions for which `is_ready` returns `true`.
    pub(super) fn take_due(&mut self, is_ready: impl Fn(u64) -> bool) -> Vec<Arc<str>> {
        let mut ready = Vec::new();
        self.due.retain(|sid, tickers| {
            let waits = !is_ready(*sid);
            if !waits {
                ready.extend(std::mem::take(tickers));
            }
            waits
        });
        ready
    }

    /// Replaces the timer of a book.
    pub(super) fn set_timer(
        &mut self,
        ticker: &Arc<str>,
        timer: &mut Option<Instant>,
        at: Option<Instant>,
    ) {
        if *timer == at {
            return;
        }
        if let Some(before) = timer.take() {
            self.timers.remove(&(before, Arc::clone(ticker)));
        }
        if let Some(at) = at {
            self.timers.insert((at, Arc::clone(ticker)));
        }
        *timer = at;
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Removes an expired timer and returns the ticker of its book, or `None` if no timer has expired.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Arc<str>> {
        self.next_timer().filter(|at| *at <= now)?;
        self.timers.pop_first().map(|(_, ticker)| ticker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_waiting_subscription_remain_due() {
        let mut schedule = Schedule::default();
        for (sid, ticker) in [(1, "A"), (2, "C"), (2, "B")] {
            schedule.push_due(sid, &ticker.into());
        }
        let ready = schedule.take_due(|sid| sid == 2);
        assert_eq!(ready, ["B".into(), "C".into()]);
        assert!(schedule.has_due());
        assert_eq!(schedule.take_due(|_| true), ["A".into()]);
        assert!(!schedule.has_due());
    }
}
