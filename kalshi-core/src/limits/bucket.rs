//! A token bucket with a fair queue of waiting requests.

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

/// Extra wait of a request that is not at the head of the queue. The requests ahead go first if they are being polled.
const OVERTAKE_DELAY: Duration = Duration::from_millis(10);

/// The size of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketLimit {
    refill_rate: u32,
    capacity: u32,
}

impl BucketLimit {
    /// Creates a limit of `capacity` tokens, refilled at `refill_rate` tokens per second. A limiter replaces a limit
    /// that contains a zero.
    #[must_use]
    pub fn new(refill_rate: u32, capacity: u32) -> Self {
        Self {
            refill_rate,
            capacity,
        }
    }

    /// Returns the number of tokens added per second.
    #[must_use]
    pub fn refill_rate(&self) -> u32 {
        self.refill_rate
    }

    /// Returns the maximum number of tokens in the bucket.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}

/// The state of a bucket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketSnapshot {
    /// The size of the bucket.
    pub limit: BucketLimit,
    /// Whole tokens that are available now to a request without priority.
    pub tokens: u32,
    /// Number of requests waiting for tokens.
    pub waiting: u32,
    /// Number of requests that have had to wait so far.
    pub waits: u64,
    /// Number of requests that the exchange has rejected with 429 so far.
    pub rejections: u64,
    /// Current slack for varying travel times. Larger than the limiter's setting for a while after a rejection.
    pub slack: Duration,
}

/// The queue in which a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Priority,
    Ordinary,
}

/// A request was rate limited locally. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateLimitError {
    /// The wait would exceed the maximum.
    #[error(
        "rate limited locally: the request needs {} ms, max_wait is {} ms; send fewer requests or raise `max_wait`",
        .needed.as_millis(),
        .max_wait.as_millis()
    )]
    Wait {
        /// Time until enough tokens are available.
        needed: Duration,
        /// Maximum wait that was allowed.
        max_wait: Duration,
    },
    /// The request costs more tokens than the bucket can ever hold.
    #[error(
        "rate limited locally: the request costs {cost} tokens, the bucket holds {capacity}; make the batch smaller"
    )]
    Never {
        /// Tokens that the request takes.
        cost: u32,
        /// Maximum number of tokens in the bucket.
        capacity: u32,
    },
}

impl RateLimitError {
    /// Returns the time until enough tokens are available, or `None` if waiting does not help.
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
    /// The accounts of the tokens, by the lane of the request that takes them. Both contain all requests.
    levels: [Level; 2],
    /// Waiting requests, by lane.
    lanes: [VecDeque<Waiting>; 2],
    /// Total cost of the requests in each lane, in nanotokens.
    wanted: [u64; 2],
    next: u64,
    waits: u64,
    rejections: u64,
}

/// The keys of a request in flight on both levels, or `None` if it takes no tokens.
type Departure = Option<[FlightKey; 2]>;

/// A request in the queue.
struct Waiting {
    number: u64,
    cost: u32,
    /// Notified when the request reaches the head of the queue or the bucket is resized.
    notify: Arc<Notify>,
}

impl State {
    /// Takes the tokens for a request if they are available after `ahead` nanotokens for earlier requests.
    fn take(&mut self, cost: u32, lane: Lane, ahead: u64, now: Instant) -> Option<Departure> {
        let wanted = ahead.saturating_add(u64::from(cost) * TOKEN);
        (wanted <= self.level(lane).available()).then(|| {
            // A request without a cost is not tracked.
            (cost > 0).then(|| self.levels.each_mut().map(|level| level.depart(cost, now)))
        })
    }

    /// Returns the level from which the requests of a lane take their tokens.
    fn level(&self, lane: Lane) -> &Level {
        let [priority, ordinary] = &self.levels;
        match lane {
            Lane::Priority => priority,
            Lane::Ordinary => ordinary,
        }
    }

    /// Updates both levels to the current time.
    fn advance(&mut self, now: Instant) {
        self.levels.iter_mut().for_each(|level| level.advance(now));
    }

    /// Returns an error if the bucket can never hold that many tokens.
    fn check_cost(&self, cost: u32) -> Result<(), RateLimitError> {
        let capacity = self.level(Lane::Ordinary).capacity();
        if cost > capacity {
            return Err(RateLimitError::Never { cost, capacity });
        }
        Ok(())
    }

    /// Returns the total cost of the requests that go before a new one in this lane, in nanotokens.
    fn before(&self, lane: Lane) -> u64 {
        let [first, ordinary] = self.wanted;
        match lane {
            Lane::Priority => first,
            Lane::Ordinary => first.saturating_add(ordinary),
        }
    }

    /// Returns the total cost of the requests that go before a waiting one, in nanotokens.
    fn ahead_of(&self, number: u64, lane: Lane) -> u64 {
        // From the back, because a new request is the last one.
        let others = self.lanes[lane as usize]
            .iter()
            .rev()
            .take_while(|waiting| waiting.number >= number);
        others.fold(self.before(lane), |ahead, waiting| {
            ahead.saturating_sub(u64::from(waiting.cost) * TOKEN)
        })
    }

    /// Returns the request at the head of the queue.
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
            levels: [false, true].map(|waits| Level::new(limit, slack, waits)),
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
        // No code panics while it holds the lock, and the counters would remain valid if it did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_slack(&self, slack: Duration) {
        let mut state = self.state();
        state
            .levels
            .iter_mut()
            .for_each(|level| level.set_slack(slack));
    }

    pub(super) fn limit(&self) -> BucketLimit {
        self.state().level(Lane::Ordinary).limit()
    }

    /// Returns the maximum number of tokens in the bucket, at least 1.
    pub(super) fn capacity(&self) -> u32 {
        self.state().level(Lane::Ordinary).capacity()
    }

    pub(super) fn resize(&self, limit: BucketLimit) {
        let mut state = self.state();
        let now = Instant::now();
        state
            .levels
            .iter_mut()
            .for_each(|level| level.resize(limit, now));
        state
            .lanes
            .iter()
            .flatten()
            .for_each(|waiting| waiting.notify.notify_one());
    }

    pub(super) fn empty(&self) {
        let mut state = self.state();
        let now = Instant::now();
        state.levels.iter_mut().for_each(|level| level.empty(now));
        state.rejections += 1;
    }

    pub(super) fn snapshot(&self) -> BucketSnapshot {
        let mut state = self.state();
        state.advance(Instant::now());
        let level = state.level(Lane::Ordinary);
        BucketSnapshot {
            limit: level.limit(),
            tokens: u32::try_from(level.available() / TOKEN).unwrap_or(u32::MAX),
            waiting: u32::try_from(state.lanes.iter().map(VecDeque::len).sum::<usize>())
                .unwrap_or(u32::MAX),
            waits: state.waits,
            rejections: state.rejections,
            slack: level.slack(),
        }
    }

    /// Takes tokens, waiting in the queue for at most `max_wait`.
    pub(super) async fn acquire(
        &self,
        cost: u32,
        lane: Lane,
        max_wait: Duration,
    ) -> Result<RateLimitPermit<'_>, RateLimitError> {
        match self.enter(cost, lane, max_wait)? {
            Entry::Permit(permit) => Ok(permit),
            // Boxed because few requests wait, and the futures of all would hold its state.
            Entry::Queue(slot) => Box::pin(slot.wait(max_wait)).await,
        }
    }

    /// Takes tokens if they are available, or else a slot in the queue. Returns an error if the wait would exceed `max_wait`.
    fn enter(
        &self,
        cost: u32,
        lane: Lane,
        max_wait: Duration,
    ) -> Result<Entry<'_>, RateLimitError> {
        let wanted = u64::from(cost) * TOKEN;
        let mut state = self.state();
        state.check_cost(cost)?;
        let now = Instant::now();
        state.advance(now);
        let ahead = state.before(lane);
        // The tokens must suffice for the requests ahead as well.
        if let Some(departure) = state.take(cost, lane, ahead, now) {
            return Ok(Entry::Permit(RateLimitPermit::new(self, departure)));
        }
        let wait = state
            .level(lane)
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
        let index = lane as usize;
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
        Ok(Entry::Queue(QueueSlot {
            bucket: self,
            number,
            cost,
            lane,
            notify,
        }))
    }

    fn end(&self, departure: [FlightKey; 2], responded: bool) {
        let mut state = self.state();
        let now = Instant::now();
        for (level, key) in state.levels.iter_mut().zip(departure) {
            level.end(key, responded, now);
        }
        // Lets the next request recalculate its wait.
        if let Some(next) = state.head() {
            next.notify.notify_one();
        }
    }
}

/// Permission to send a request whose tokens have been taken. Keep it until the response arrives or the request fails.
///
/// The exchange counts a request when it arrives, which the limiter cannot observe. [`received`](Self::received) reports the
/// response, which proves that the request has arrived. If the permit is dropped instead, the request may still arrive within the
/// limiter's [slack](super::RateLimiter::with_slack) after it was sent. In a bucket that cannot hold two requests, the next one
/// waits until the permit ends, unless it takes priority.
#[must_use = "dropping the permit ends the request"]
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

    /// Returns the permit of a limiter without limits.
    pub(super) fn unlimited() -> Self {
        Self {
            bucket: None,
            departure: None,
        }
    }

    /// Reports that a response of the exchange has arrived, whatever its status.
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

/// The tokens of a request, or its slot in the queue for them.
enum Entry<'a> {
    Permit(RateLimitPermit<'a>),
    Queue(QueueSlot<'a>),
}

/// A slot in the queue, which is freed on drop.
struct QueueSlot<'a> {
    bucket: &'a TokenBucket,
    number: u64,
    cost: u32,
    lane: Lane,
    notify: Arc<Notify>,
}

impl<'a> QueueSlot<'a> {
    /// Waits for the tokens, at most `max_wait`.
    async fn wait(self, max_wait: Duration) -> Result<RateLimitPermit<'a>, RateLimitError> {
        let (bucket, lane, wanted) = (self.bucket, self.lane, u64::from(self.cost) * TOKEN);
        // Later cancels or a late response may have made the wait longer.
        timeout(max_wait, self.served()).await.unwrap_or_else(|_| {
            let mut state = bucket.state();
            state.advance(Instant::now());
            let more = state.level(lane).expected_time_until(wanted);
            let needed = max_wait.saturating_add(more);
            Err(RateLimitError::Wait { needed, max_wait })
        })
    }

    /// Takes the tokens when the request is at the head of the queue, or when they suffice for the requests ahead as well. The
    /// latter matters if the caller does not poll the requests ahead.
    async fn served(self) -> Result<RateLimitPermit<'a>, RateLimitError> {
        let wanted = u64::from(self.cost) * TOKEN;
        loop {
            let ready = {
                let mut state = self.bucket.state();
                let now = Instant::now();
                state.advance(now);
                state.check_cost(self.cost)?;
                let is_head = state.head().is_some_and(|head| head.number == self.number);
                let ahead = match is_head {
                    true => 0,
                    false => state.ahead_of(self.number, self.lane),
                };
                if let Some(departure) = state.take(self.cost, self.lane, ahead, now) {
                    return Ok(RateLimitPermit::new(self.bucket, departure));
                }
                let level = state.level(self.lane);
                let wait = match is_head {
                    true => level.time_until(wanted),
                    // Responses notify only the head, so this wait assumes that they arrive as soon as possible.
                    false => {
                        let wanted = ahead.saturating_add(wanted);
                        level.expected_time_until(wanted) + OVERTAKE_DELAY
                    }
                };
                now + wait
            };
            // `Notify` stores a notification sent before `notified` is called.
            tokio::select! {
                () = sleep_until(ready) => {}
                () = self.notify.notified() => {}
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
