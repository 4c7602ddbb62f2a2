//! One token bucket: serves waiting requests in order, as its level allows.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::level::{FlightKey, Level, TOKEN};

/// The size of one token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketLimit {
    refill_rate: u32,
    capacity: u32,
}

impl BucketLimit {
    /// A bucket of `capacity` tokens that refills at `refill_rate` tokens a second. A limiter replaces a limit with a zero.
    #[must_use]
    pub fn new(refill_rate: u32, capacity: u32) -> Self {
        Self {
            refill_rate,
            capacity,
        }
    }

    /// Tokens added a second.
    #[must_use]
    pub fn refill_rate(&self) -> u32 {
        self.refill_rate
    }

    /// Most tokens that the bucket holds.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}

/// The state of one bucket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketSnapshot {
    /// The size of the bucket.
    pub limit: BucketLimit,
    /// Whole tokens that a request may take now.
    pub tokens: u32,
    /// Requests that wait for tokens.
    pub waiting: u32,
    /// Requests that have had to wait so far.
    pub waits: u64,
    /// Requests that the exchange has rejected with 429 so far.
    pub rejections: u64,
    /// The slack for the way to the exchange: wider than that of the limiter for a while after a rejection.
    pub slack: Duration,
}

/// The queue that a request waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Priority,
    Ordinary,
}

/// A request was rate limited locally; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateLimitError {
    /// The request needs to wait longer than it may.
    #[error(
        "rate limited locally: the request needs {} ms, max_wait is {} ms; send fewer requests or raise `max_wait`",
        .needed.as_millis(),
        .max_wait.as_millis()
    )]
    Wait {
        /// Time until there are enough tokens.
        needed: Duration,
        /// Longest wait that was allowed.
        max_wait: Duration,
    },
    /// The request costs more tokens than the bucket ever holds.
    #[error(
        "rate limited locally: the request costs {cost} tokens, the bucket holds {capacity}; make the batch smaller"
    )]
    Never {
        /// Tokens that the request takes.
        cost: u32,
        /// Most tokens that the bucket holds.
        capacity: u32,
    },
}

impl RateLimitError {
    /// Time until there are enough tokens, or `None` if waiting does not help.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Wait { needed, .. } => Some(*needed),
            Self::Never { .. } => None,
        }
    }
}

pub(crate) struct TokenBucket {
    state: Mutex<State>,
}

struct State {
    level: Level,
    /// Waiting requests, by lane.
    lanes: [VecDeque<Waiting>; 2],
    /// Total cost of each lane, in nanotokens.
    wanted: [u64; 2],
    next: u64,
    waits: u64,
    rejections: u64,
}

/// A request that may be sent, or `None` if it takes no tokens.
type Departure = Option<FlightKey>;

/// A waiting request.
struct Waiting {
    number: u64,
    cost: u32,
    /// Notified when the request is at the head, or the bucket is resized.
    notify: Arc<Notify>,
}

impl State {
    /// Takes the tokens of a request if they are available.
    fn take(&mut self, cost: u32, ahead: u64, now: Instant) -> Option<Departure> {
        let wanted = ahead.saturating_add(u64::from(cost) * TOKEN);
        (wanted <= self.level.available()).then(|| {
            // Without a cost there is nothing to count.
            (cost > 0).then(|| self.level.depart(cost, now))
        })
    }

    /// Returns an error if the bucket never holds that many tokens.
    fn check_cost(&self, cost: u32) -> Result<(), RateLimitError> {
        let capacity = self.level.capacity();
        if cost > capacity {
            return Err(RateLimitError::Never { cost, capacity });
        }
        Ok(())
    }

    /// Total cost of the requests ahead of a new one in a lane.
    fn before(&self, lane: Lane) -> u64 {
        let [first, ordinary] = self.wanted;
        match lane {
            Lane::Priority => first,
            Lane::Ordinary => first.saturating_add(ordinary),
        }
    }

    /// The request that is served next.
    fn head(&self) -> Option<&Waiting> {
        self.lanes.iter().find_map(VecDeque::front)
    }

    fn remove(&mut self, number: u64) {
        for (lane, wanted) in self.lanes.iter_mut().zip(&mut self.wanted) {
            if let Some(at) = lane.iter().position(|waiting| waiting.number == number)
                && let Some(waiting) = lane.remove(at)
            {
                *wanted = wanted.saturating_sub(u64::from(waiting.cost) * TOKEN);
            }
        }
    }
}

impl TokenBucket {
    pub(super) fn new(limit: BucketLimit, slack: Duration) -> Self {
        let state = State {
            level: Level::new(limit, slack),
            lanes: Default::default(),
            wanted: [0; 2],
            next: 0,
            waits: 0,
            rejections: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and the counters would stay valid if it did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_slack(&self, slack: Duration) {
        self.state().level.set_slack(slack);
    }

    pub(super) fn limit(&self) -> BucketLimit {
        self.state().level.limit()
    }

    /// Most tokens that the bucket holds. At least 1.
    pub(super) fn capacity(&self) -> u32 {
        self.state().level.capacity()
    }

    pub(super) fn resize(&self, limit: BucketLimit) {
        let mut state = self.state();
        state.level.resize(limit, Instant::now());
        state
            .lanes
            .iter()
            .flatten()
            .for_each(|waiting| waiting.notify.notify_one());
    }

    pub(super) fn empty(&self) {
        let mut state = self.state();
        state.level.empty(Instant::now());
        state.rejections += 1;
    }

    pub(super) fn snapshot(&self) -> BucketSnapshot {
        let mut state = self.state();
        state.level.advance(Instant::now());
        BucketSnapshot {
            limit: state.level.limit(),
            tokens: u32::try_from(state.level.available() / TOKEN).unwrap_or(u32::MAX),
            waiting: u32::try_from(state.lanes.iter().map(VecDeque::len).sum::<usize>())
                .unwrap_or(u32::MAX),
            waits: state.waits,
            rejections: state.rejections,
            slack: state.level.slack(),
        }
    }

    /// Takes tokens, waiting in order for at most `max_wait`.
    pub(super) async fn acquire(
        &self,
        cost: u32,
        lane: Lane,
        max_wait: Duration,
    ) -> Result<RateLimitPermit<'_>, RateLimitError> {
        let wanted = u64::from(cost) * TOKEN;
        let slot = {
            let mut state = self.state();
            state.check_cost(cost)?;
            let now = Instant::now();
            state.level.advance(now);
            let ahead = state.before(lane);
            // Enough for the requests ahead as well.
            if let Some(departure) = state.take(cost, ahead, now) {
                return Ok(RateLimitPermit::new(self, departure));
            }
            let wait = state
                .level
                .expected_time_until(ahead.saturating_add(wanted));
            if wait > max_wait {
                return Err(RateLimitError::Wait {
                    needed: wait,
                    max_wait,
                });
            }
            let number = state.next;
            state.next += 1;
            state.waits += 1;
            let notify = Arc::new(Notify::new());
            let index = usize::from(lane == Lane::Ordinary);
            let waiting = Waiting {
                number,
                cost,
                notify: notify.clone(),
            };
            let State {
                lanes,
                wanted: sums,
                ..
            } = &mut *state;
            sums[index] = sums[index].saturating_add(wanted);
            lanes[index].push_back(waiting);
            QueueSlot {
                bucket: self,
                number,
                cost,
                notify,
            }
        };
        // Cancels that came later, or a late response, may have made the wait longer.
        timeout(max_wait, slot.served()).await.unwrap_or_else(|_| {
            let mut state = self.state();
            state.level.advance(Instant::now());
            let needed = max_wait.saturating_add(state.level.expected_time_until(wanted));
            Err(RateLimitError::Wait { needed, max_wait })
        })
    }

    fn end(&self, departure: FlightKey, responded: bool) {
        let mut state = self.state();
        state.level.end(departure, responded, Instant::now());
        // The request at the head may go earlier, or only now knows when.
        if let Some(next) = state.head() {
            next.notify.notify_one();
        }
    }
}

/// A request that has taken its tokens. Send the request, and keep the permit until its response or its failure.
///
/// The exchange counts a request when it arrives, which the limiter cannot see. [`received`](Self::received) reports the response,
/// by which the request had certainly arrived. A permit that is dropped instead ends the attempt without a response: the request
/// may still arrive, until the limiter's [slack](super::RateLimiter::with_slack) after its departure. Where the bucket does not hold
/// two requests, the next one waits for the end of the permit.
#[must_use = "the permit ends the request when it is dropped"]
pub struct RateLimitPermit<'a> {
    bucket: Option<&'a TokenBucket>,
    departure: Departure,
}

impl<'a> RateLimitPermit<'a> {
    fn new(bucket: &'a TokenBucket, departure: Departure) -> Self {
        Self {
            bucket: Some(bucket),
            departure,
        }
    }

    /// The permit of a limiter without limits.
    pub(super) fn unlimited() -> Self {
        Self {
            bucket: None,
            departure: None,
        }
    }

    /// Reports the response of the exchange, whatever its status.
    pub fn received(mut self) {
        self.end(true);
    }

    fn end(&mut self, responded: bool) {
        if let (Some(bucket), Some(departure)) = (self.bucket, self.departure.take()) {
            bucket.end(departure, responded);
        }
    }
}

impl Drop for RateLimitPermit<'_> {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl fmt::Debug for RateLimitPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitPermit").finish_non_exhaustive()
    }
}

/// A slot in the queue, given up when dropped.
struct QueueSlot<'a> {
    bucket: &'a TokenBucket,
    number: u64,
    cost: u32,
    notify: Arc<Notify>,
}

impl<'a> QueueSlot<'a> {
    async fn served(self) -> Result<RateLimitPermit<'a>, RateLimitError> {
        let wanted = u64::from(self.cost) * TOKEN;
        loop {
            let ready = {
                let mut state = self.bucket.state();
                let now = Instant::now();
                state.level.advance(now);
                state.check_cost(self.cost)?;
                if state.head().is_some_and(|head| head.number == self.number) {
                    if let Some(departure) = state.take(self.cost, 0, now) {
                        return Ok(RateLimitPermit::new(self.bucket, departure));
                    }
                    Some(now + state.level.time_until(wanted))
                } else {
                    None
                }
            };
            match ready {
                Some(ready) => tokio::select! {
                    () = sleep_until(ready) => {}
                    () = self.notify.notified() => {}
                },
                // `Notify` stores a notification that comes before `notified`.
                None => self.notify.notified().await,
            }
        }
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.bucket.state();
        state.remove(self.number);
        if let Some(next) = state.head() {
            next.notify.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
