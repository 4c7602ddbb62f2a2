//! One token bucket: refills by the clock, serves waiting requests in order.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

/// The size of one token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BucketLimit {
    /// Tokens added a second.
    pub refill_rate: u32,
    /// Most tokens that the bucket holds.
    pub capacity: u32,
}

impl BucketLimit {
    /// A bucket of `capacity` tokens that refills at `refill_rate` tokens a second. Both are at least 1.
    #[must_use]
    pub fn new(refill_rate: u32, capacity: u32) -> Self {
        Self {
            refill_rate: refill_rate.max(1),
            capacity: capacity.max(1),
        }
    }
}

/// The state of one bucket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketSnapshot {
    /// The size of the bucket.
    pub limit: BucketLimit,
    /// Whole tokens in it.
    pub tokens: u32,
    /// Requests that wait for tokens.
    pub waiting: u32,
    /// Requests that have had to wait so far.
    pub waits: u64,
    /// Requests that the exchange has rejected with 429 so far.
    pub rejections: u64,
}

/// One token in nanotokens, the unit of counting: at a refill rate of one token a second, one is added each nanosecond.
const TOKEN: u64 = 1_000_000_000;

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
    limit: BucketLimit,
    /// In nanotokens.
    tokens: u64,
    /// Time of the last refill.
    at: Instant,
    /// Waiting requests, by lane.
    lanes: [VecDeque<Waiting>; 2],
    /// Total cost of each lane, in nanotokens.
    wanted: [u64; 2],
    next: u64,
    waits: u64,
    rejections: u64,
}

/// A waiting request.
struct Waiting {
    number: u64,
    cost: u32,
    /// Notified when the request is at the head, or the bucket is resized.
    notify: Arc<Notify>,
}

impl State {
    fn capacity(&self) -> u64 {
        u64::from(self.limit.capacity) * TOKEN
    }

    /// Adds the tokens of the time since the last refill.
    fn fill(&mut self, now: Instant) {
        let passed =
            u64::try_from(now.saturating_duration_since(self.at).as_nanos()).unwrap_or(u64::MAX);
        let came = passed.saturating_mul(u64::from(self.limit.refill_rate));
        self.tokens = self.tokens.saturating_add(came).min(self.capacity());
        self.at = self.at.max(now);
    }

    /// Time until the bucket holds `wanted` nanotokens.
    fn time_until(&self, wanted: u64) -> Duration {
        let missing = wanted.saturating_sub(self.tokens);
        Duration::from_nanos(missing.div_ceil(u64::from(self.limit.refill_rate)))
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
    pub(super) fn new(limit: BucketLimit) -> Self {
        let state = State {
            limit,
            tokens: u64::from(limit.capacity) * TOKEN,
            at: Instant::now(),
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

    pub(super) fn resize(&self, limit: BucketLimit) {
        let mut state = self.state();
        state.fill(Instant::now());
        // A full bucket stays full.
        if state.tokens == state.capacity() {
            state.tokens = u64::from(limit.capacity) * TOKEN;
        }
        state.limit = limit;
        state.tokens = state.tokens.min(state.capacity());
        state
            .lanes
            .iter()
            .flatten()
            .for_each(|waiting| waiting.notify.notify_one());
    }

    pub(super) fn empty(&self) {
        let mut state = self.state();
        state.fill(Instant::now());
        state.tokens = 0;
        state.rejections += 1;
    }

    pub(super) fn snapshot(&self) -> BucketSnapshot {
        let mut state = self.state();
        state.fill(Instant::now());
        BucketSnapshot {
            limit: state.limit,
            tokens: u32::try_from(state.tokens / TOKEN).unwrap_or(u32::MAX),
            waiting: u32::try_from(state.lanes.iter().map(VecDeque::len).sum::<usize>())
                .unwrap_or(u32::MAX),
            waits: state.waits,
            rejections: state.rejections,
        }
    }

    /// Takes tokens, waiting in order for at most `max_wait`.
    pub(super) async fn acquire(
        &self,
        cost: u32,
        lane: Lane,
        max_wait: Duration,
    ) -> Result<(), RateLimitError> {
        let wanted = u64::from(cost) * TOKEN;
        let slot = {
            let mut state = self.state();
            if cost > state.limit.capacity {
                return Err(RateLimitError::Never {
                    cost,
                    capacity: state.limit.capacity,
                });
            }
            state.fill(Instant::now());
            let before = state.before(lane);
            let wait = state.time_until(before.saturating_add(wanted));
            // Enough for the requests ahead as well.
            if wait.is_zero() {
                state.tokens -= wanted;
                return Ok(());
            }
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
        // Cancels that came later may have made the wait longer.
        timeout(max_wait, slot.served()).await.unwrap_or_else(|_| {
            let state = self.state();
            Err(RateLimitError::Wait {
                needed: max_wait.saturating_add(state.time_until(wanted)),
                max_wait,
            })
        })
    }
}

/// A slot in the queue, given up when dropped.
struct QueueSlot<'a> {
    bucket: &'a TokenBucket,
    number: u64,
    cost: u32,
    notify: Arc<Notify>,
}

impl QueueSlot<'_> {
    async fn served(self) -> Result<(), RateLimitError> {
        let wanted = u64::from(self.cost) * TOKEN;
        loop {
            let ready = {
                let mut state = self.bucket.state();
                let now = Instant::now();
                state.fill(now);
                if self.cost > state.limit.capacity {
                    return Err(RateLimitError::Never {
                        cost: self.cost,
                        capacity: state.limit.capacity,
                    });
                }
                if state.head().is_some_and(|head| head.number == self.number) {
                    let wait = state.time_until(wanted);
                    if wait.is_zero() {
                        state.tokens -= wanted;
                        return Ok(());
                    }
                    Some(now + wait)
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bucket(refill_rate: u32, capacity: u32) -> Arc<TokenBucket> {
        Arc::new(TokenBucket::new(BucketLimit::new(refill_rate, capacity)))
    }

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn full_bucket_serves_immediately_and_then_by_the_clock() {
        let bucket = bucket(100, 100);
        let start = Instant::now();
        for _ in 0..10 {
            bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
        assert!(
            start.elapsed() >= Duration::from_millis(100)
                && start.elapsed() < Duration::from_millis(103)
        );
        assert_eq!(bucket.snapshot().waits, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn wait_beyond_the_maximum_fails_immediately() {
        let bucket = bucket(10, 10);
        let start = Instant::now();
        assert_eq!(
            bucket.acquire(11, Lane::Ordinary, LONG).await,
            Err(RateLimitError::Never {
                cost: 11,
                capacity: 10
            })
        );
        bucket
            .acquire(10, Lane::Ordinary, Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(
            bucket
                .acquire(5, Lane::Ordinary, Duration::from_millis(499))
                .await,
            Err(RateLimitError::Wait {
                needed: Duration::from_millis(500),
                max_wait: Duration::from_millis(499)
            })
        );
        assert_eq!(
            (start.elapsed(), bucket.snapshot().waiting),
            (Duration::ZERO, 0)
        );
        bucket
            .acquire(5, Lane::Ordinary, Duration::from_millis(510))
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn small_request_does_not_overtake_a_large_one_but_a_cancel_does() {
        let bucket = bucket(10, 100);
        bucket.acquire(100, Lane::Ordinary, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (name, cost, lane) in [
            ("large", 50, Lane::Ordinary),
            ("small", 1, Lane::Ordinary),
            ("cancel", 2, Lane::Priority),
        ] {
            let (bucket, order) = (bucket.clone(), order.clone());
            tasks.spawn(async move {
                bucket.acquire(cost, lane, LONG).await.unwrap();
                order.lock().unwrap().push(name);
            });
            tokio::task::yield_now().await;
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), ["cancel", "large", "small"]);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_waiter_frees_its_slot() {
        let bucket = bucket(10, 10);
        bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
        let first = tokio::spawn({
            let bucket = bucket.clone();
            async move { bucket.acquire(10, Lane::Ordinary, LONG).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let bucket = bucket.clone();
            async move { bucket.acquire(1, Lane::Ordinary, LONG).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(bucket.snapshot().waiting, 2);
        let start = Instant::now();
        first.abort();
        second.await.unwrap().unwrap();
        assert!(
            start.elapsed() < Duration::from_millis(103),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(bucket.snapshot().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn rejection_empties_the_bucket_and_resizing_keeps_its_tokens() {
        let bucket = bucket(100, 200);
        bucket.empty();
        assert_eq!(
            (bucket.snapshot().tokens, bucket.snapshot().rejections),
            (0, 1)
        );
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(bucket.snapshot().tokens, 50);
        bucket.resize(BucketLimit::new(1000, 20));
        assert_eq!(bucket.snapshot().tokens, 20);
        // Full stays full.
        bucket.resize(BucketLimit::new(1000, 2000));
        assert_eq!(bucket.snapshot().tokens, 2000);
        // A waiting request that no longer fits fails.
        bucket.empty();
        let waiting = tokio::spawn({
            let bucket = bucket.clone();
            async move { bucket.acquire(1500, Lane::Ordinary, LONG).await }
        });
        tokio::task::yield_now().await;
        bucket.resize(BucketLimit::new(10, 1000));
        assert_eq!(
            waiting.await.unwrap(),
            Err(RateLimitError::Never {
                cost: 1500,
                capacity: 1000
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn very_long_pause_does_not_overflow() {
        let bucket = bucket(u32::MAX, u32::MAX);
        bucket
            .acquire(u32::MAX, Lane::Ordinary, LONG)
            .await
            .unwrap();
        tokio::time::advance(Duration::from_secs(3_000_000_000)).await;
        assert_eq!(bucket.snapshot().tokens, u32::MAX);
    }
}
