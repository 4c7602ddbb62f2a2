//! Tests of the buckets against a model of the exchange's: never refused by it, hardly less than it allows, nothing leaked.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tokio::time::Instant;

use super::bucket::{BucketLimit, Lane, TokenBucket};

/// The exchange's bucket, as it describes it: tokens come in all the time, a request passes if it holds its cost.
struct Exchange {
    limit: BucketLimit,
    /// In nanotokens, which come at the rate each nanosecond.
    tokens: u128,
    at: Instant,
    passed: u64,
}

impl Exchange {
    fn new(limit: BucketLimit) -> Self {
        Self {
            limit,
            tokens: u128::from(limit.capacity) * 1_000_000_000,
            at: Instant::now(),
            passed: 0,
        }
    }

    fn request(&mut self, cost: u32) -> bool {
        let now = Instant::now();
        let came = (now - self.at).as_nanos() * u128::from(self.limit.refill_rate);
        self.tokens = (self.tokens + came).min(u128::from(self.limit.capacity) * 1_000_000_000);
        self.at = now;
        let cost_in_nanos = u128::from(cost) * 1_000_000_000;
        let passes = self.tokens >= cost_in_nanos;
        if passes {
            self.tokens -= cost_in_nanos;
            self.passed += u64::from(cost);
        }
        passes
    }
}

/// A runtime whose time stands still until nobody has anything else to do.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

const LONG: Duration = Duration::from_secs(1_000_000);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// 64 tasks that want more than there is: the exchange never refuses one, and at least 98 % of what it allows is used.
    #[test]
    fn the_exchange_never_refuses_and_its_allowance_is_used(
        refill_rate in 50_u32..8000,
        seconds in 1_u32..3,
        costs in proptest::collection::vec((1_u32..=50, any::<bool>()), 64),
    ) {
        paused().block_on(async move {
            let limit = BucketLimit::new(refill_rate, refill_rate * seconds);
            let bucket = Arc::new(TokenBucket::new(limit));
            let exchange = Arc::new(Mutex::new(Exchange::new(limit)));
            let end = Instant::now() + Duration::from_secs(10);
            let mut tasks = tokio::task::JoinSet::new();
            for (cost, first) in costs {
                let (bucket, exchange) = (bucket.clone(), exchange.clone());
                tasks.spawn(async move {
                    let lane = if first { Lane::Priority } else { Lane::Ordinary };
                    while Instant::now() < end {
                        bucket.acquire(cost, lane, LONG).await.unwrap();
                        assert!(exchange.lock().unwrap().request(cost), "refused");
                    }
                });
            }
            let start = Instant::now();
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
            let allowed = f64::from(limit.capacity) + start.elapsed().as_secs_f64() * f64::from(limit.refill_rate);
            #[allow(clippy::cast_precision_loss)]
            let used = exchange.lock().unwrap().passed as f64 / allowed;
            assert!(used >= 0.98, "{used} of the allowance");
            assert_eq!(bucket.snapshot().waiting, 0);
        });
    }

    /// Calls that come, wait, and are given up at any point: the exchange never refuses one, and no place and no token is lost.
    #[test]
    fn calls_given_up_at_any_point_leave_nothing_behind(
        calls in proptest::collection::vec((1_u32..=100, any::<bool>(), 0_usize..4, 0_u64..120), 1..80),
    ) {
        paused().block_on(async move {
            let limit = BucketLimit::new(100, 100);
            let bucket = TokenBucket::new(limit);
            let mut exchange = Exchange::new(limit);
            let mut context = Context::from_waker(Waker::noop());
            for (cost, first, polls, pause) in calls {
                let lane = if first { Lane::Priority } else { Lane::Ordinary };
                let mut acquire = pin!(bucket.acquire(cost, lane, LONG));
                for _ in 0..polls {
                    if let Poll::Ready(result) = acquire.as_mut().poll(&mut context) {
                        result.unwrap();
                        assert!(exchange.request(cost), "refused");
                        break;
                    }
                    tokio::time::advance(Duration::from_millis(pause)).await;
                }
            }
            assert_eq!(bucket.snapshot().waiting, 0);
            // Nothing is held back: all of it can be had once it is full again.
            tokio::time::advance(Duration::from_secs(2)).await;
            assert_eq!(bucket.snapshot().tokens, 100);
            bucket.acquire(100, Lane::Ordinary, Duration::ZERO).await.unwrap();
            assert!(exchange.request(100));
        });
    }
}
