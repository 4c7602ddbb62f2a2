//! One token bucket: fills by the clock, serves in order, and never holds more than it can.

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

use super::{BucketLimit, BucketSnapshot};

/// A token in the unit that is counted in: a billionth comes each nanosecond at one token a second.
const TOKEN: u64 = 1_000_000_000;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    First,
    Ordinary,
}

/// There are no tokens for a call, now or within the time it would wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoTokens {
    /// It would take this long.
    Wait(Duration),
    /// It takes more than the bucket ever holds.
    Never {
        /// Tokens that it takes.
        cost: u32,
        /// Tokens that the bucket holds at most.
        capacity: u32,
    },
}

impl fmt::Display for NoTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(wait) => write!(
                f,
                "the rate limit leaves no room: it would have to wait {} ms, which is more than it may; call less often, or allow \
                 a longer wait with `max_wait`",
                wait.as_millis()
            ),
            Self::Never { cost, capacity } => {
                write!(
                    f,
                    "it costs {cost} tokens, and the bucket holds {capacity} at most: make the batch smaller"
                )
            }
        }
    }
}

impl std::error::Error for NoTokens {}

pub(crate) struct TokenBucket {
    state: Mutex<State>,
}

struct State {
    limit: BucketLimit,
    /// In billionths.
    tokens: u64,
    /// When that was so.
    at: Instant,
    /// Those who wait, by lane.
    lanes: [VecDeque<Waiting>; 2],
    /// What those of each lane want together, in billionths.
    wanted: [u64; 2],
    next: u64,
    waits: u64,
    refusals: u64,
}

/// Who waits.
struct Waiting {
    number: u64,
    cost: u32,
    /// Told when it is their turn, or the bucket has another size.
    moved: Arc<Notify>,
}

impl State {
    fn capacity(&self) -> u64 {
        u64::from(self.limit.capacity) * TOKEN
    }

    /// Adds what has come since.
    fn fill(&mut self, now: Instant) {
        let passed =
            u64::try_from(now.saturating_duration_since(self.at).as_nanos()).unwrap_or(u64::MAX);
        let came = passed.saturating_mul(u64::from(self.limit.refill_rate));
        self.tokens = self.tokens.saturating_add(came).min(self.capacity());
        self.at = self.at.max(now);
    }

    /// How long it takes until there are so many billionths.
    fn time_until(&self, wanted: u64) -> Duration {
        let missing = wanted.saturating_sub(self.tokens);
        Duration::from_nanos(missing.div_ceil(u64::from(self.limit.refill_rate)))
    }

    /// What all those want who go before the next of a lane.
    fn before(&self, lane: Lane) -> u64 {
        let [first, ordinary] = self.wanted;
        match lane {
            Lane::First => first,
            Lane::Ordinary => first.saturating_add(ordinary),
        }
    }

    /// The one whose turn it is.
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
            refusals: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic; should it all the same, the numbers are still numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn resize(&self, limit: BucketLimit) {
        let mut state = self.state();
        state.fill(Instant::now());
        // A bucket that was full is full.
        if state.tokens == state.capacity() {
            state.tokens = u64::from(limit.capacity) * TOKEN;
        }
        state.limit = limit;
        state.tokens = state.tokens.min(state.capacity());
        state
            .lanes
            .iter()
            .flatten()
            .for_each(|waiting| waiting.moved.notify_one());
    }

    pub(super) fn empty(&self) {
        let mut state = self.state();
        state.fill(Instant::now());
        state.tokens = 0;
        state.refusals += 1;
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
            refusals: state.refusals,
        }
    }

    /// Takes tokens, and waits for them in turn, at most `max_wait`.
    pub(super) async fn acquire(
        &self,
        cost: u32,
        lane: Lane,
        max_wait: Duration,
    ) -> Result<(), NoTokens> {
        let wanted = u64::from(cost) * TOKEN;
        let place = {
            let mut state = self.state();
            if cost > state.limit.capacity {
                return Err(NoTokens::Never {
                    cost,
                    capacity: state.limit.capacity,
                });
            }
            state.fill(Instant::now());
            let before = state.before(lane);
            let wait = state.time_until(before.saturating_add(wanted));
            // Enough for all who came before, too.
            if wait.is_zero() {
                state.tokens -= wanted;
                return Ok(());
            }
            if wait > max_wait {
                return Err(NoTokens::Wait(wait));
            }
            let number = state.next;
            state.next += 1;
            state.waits += 1;
            let moved = Arc::new(Notify::new());
            let index = usize::from(lane == Lane::Ordinary);
            let waiting = Waiting {
                number,
                cost,
                moved: moved.clone(),
            };
            let State {
                lanes,
                wanted: sums,
                ..
            } = &mut *state;
            sums[index] = sums[index].saturating_add(wanted);
            lanes[index].push_back(waiting);
            Place {
                bucket: self,
                number,
                cost,
                moved,
            }
        };
        // Who comes later and goes first may take longer than it looked.
        timeout(max_wait, place.turn()).await.unwrap_or_else(|_| {
            let state = self.state();
            Err(NoTokens::Wait(
                max_wait.saturating_add(state.time_until(wanted)),
            ))
        })
    }
}

/// A place in the queue; whoever leaves it gives it up.
struct Place<'a> {
    bucket: &'a TokenBucket,
    number: u64,
    cost: u32,
    moved: Arc<Notify>,
}

impl Place<'_> {
    async fn turn(self) -> Result<(), NoTokens> {
        let wanted = u64::from(self.cost) * TOKEN;
        loop {
            let ready = {
                let mut state = self.bucket.state();
                let now = Instant::now();
                state.fill(now);
                if self.cost > state.limit.capacity {
                    return Err(NoTokens::Never {
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
                    () = self.moved.notified() => {}
                },
                // A move in between is kept for who asks for it next.
                None => self.moved.notified().await,
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.bucket.state();
        state.remove(self.number);
        if let Some(next) = state.head() {
            next.moved.notify_one();
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
    async fn a_full_bucket_serves_at_once_and_then_by_the_clock() {
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
    async fn what_cannot_be_had_in_time_is_told_at_once() {
        let bucket = bucket(10, 10);
        let start = Instant::now();
        assert_eq!(
            bucket.acquire(11, Lane::Ordinary, LONG).await,
            Err(NoTokens::Never {
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
            Err(NoTokens::Wait(Duration::from_millis(500)))
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
    async fn a_small_call_does_not_overtake_a_large_one_but_a_cancel_does() {
        let bucket = bucket(10, 100);
        bucket.acquire(100, Lane::Ordinary, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (name, cost, lane) in [
            ("large", 50, Lane::Ordinary),
            ("small", 1, Lane::Ordinary),
            ("cancel", 2, Lane::First),
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
    async fn who_leaves_gives_up_the_place_and_takes_nothing() {
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
    async fn a_refusal_empties_it_and_another_size_keeps_what_is_there() {
        let bucket = bucket(100, 200);
        bucket.empty();
        assert_eq!(
            (bucket.snapshot().tokens, bucket.snapshot().refusals),
            (0, 1)
        );
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(bucket.snapshot().tokens, 50);
        bucket.resize(BucketLimit::new(1000, 20));
        assert_eq!(bucket.snapshot().tokens, 20);
        // Full stays full.
        bucket.resize(BucketLimit::new(1000, 2000));
        assert_eq!(bucket.snapshot().tokens, 2000);
        // Whoever waits for more than it holds now, waits for nothing.
        bucket.empty();
        let waiting = tokio::spawn({
            let bucket = bucket.clone();
            async move { bucket.acquire(1500, Lane::Ordinary, LONG).await }
        });
        tokio::task::yield_now().await;
        bucket.resize(BucketLimit::new(10, 1000));
        assert_eq!(
            waiting.await.unwrap(),
            Err(NoTokens::Never {
                cost: 1500,
                capacity: 1000
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_pause_does_not_overflow() {
        let bucket = bucket(u32::MAX, u32::MAX);
        bucket
            .acquire(u32::MAX, Lane::Ordinary, LONG)
            .await
            .unwrap();
        tokio::time::advance(Duration::from_secs(3_000_000_000)).await;
        assert_eq!(bucket.snapshot().tokens, u32::MAX);
    }
}
