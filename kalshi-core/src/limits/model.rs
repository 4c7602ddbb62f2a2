//! Property tests of the buckets against a model of the exchange: no request is rejected, nearly the whole allowance is used, and
//! no slot or token is leaked.
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

use super::{
    AccountLimits, DEFAULT_SLACK, Tier,
    bucket::{BucketLimit, Lane, TokenBucket},
};

/// The exchange's bucket as documented: it refills continuously and accepts a request if it holds the cost.
struct Exchange {
    limit: BucketLimit,
    /// In nanotokens; each nanosecond adds `refill_rate` of them.
    tokens: u128,
    at: Instant,
    passed: u64,
}

impl Exchange {
    fn new(limit: BucketLimit) -> Self {
        Self {
            limit,
            tokens: u128::from(limit.capacity()) * 1_000_000_000,
            at: Instant::now(),
            passed: 0,
        }
    }

    fn request(&mut self, cost: u32) -> bool {
        self.request_at(cost, Instant::now())
    }

    fn request_at(&mut self, cost: u32, now: Instant) -> bool {
        let came = (now - self.at).as_nanos() * u128::from(self.limit.refill_rate());
        self.tokens = (self.tokens + came).min(u128::from(self.limit.capacity()) * 1_000_000_000);
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

/// A runtime with paused time, which advances when all tasks are idle.
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

    /// Runs 64 tasks that together want more than the limit. The exchange rejects no request, and at least 98 % of
    /// its allowance is used.
    #[test]
    fn exchange_rejects_nothing_and_its_allowance_is_used(
        refill_rate in 50_u32..8000,
        seconds in 1_u32..3,
        costs in proptest::collection::vec((1_u32..=50, any::<bool>()), 64),
    ) {
        paused().block_on(async move {
            let limit = BucketLimit::new(refill_rate, refill_rate * seconds);
            let bucket = Arc::new(TokenBucket::new(limit, DEFAULT_SLACK));
            let exchange = Arc::new(Mutex::new(Exchange::new(limit)));
            let end = Instant::now() + Duration::from_secs(10);
            let mut tasks = tokio::task::JoinSet::new();
            for (cost, first) in costs {
                let (bucket, exchange) = (bucket.clone(), exchange.clone());
                tasks.spawn(async move {
                    let lane = if first { Lane::Priority } else { Lane::Ordinary };
                    while Instant::now() < end {
                        let permit = bucket.acquire(cost, lane, LONG).await.unwrap();
                        assert!(exchange.lock().unwrap().request(cost), "rejected");
                        permit.received();
                    }
                });
            }
            let start = Instant::now();
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
            let allowed = f64::from(limit.capacity()) + start.elapsed().as_secs_f64() * f64::from(limit.refill_rate());
            #[allow(clippy::cast_precision_loss)]
            let used = exchange.lock().unwrap().passed as f64 / allowed;
            assert!(used >= 0.98, "{used} of the allowance");
            assert_eq!(bucket.snapshot().waiting, 0);
        });
    }

    /// Drops requests at any point, some of them after they were sent. The exchange rejects none, and no slot or token is lost.
    #[test]
    fn requests_dropped_at_any_point_leave_nothing_behind(
        calls in proptest::collection::vec((1_u32..=100, any::<bool>(), 0_usize..4, 0_u64..120, any::<bool>()), 1..80),
    ) {
        paused().block_on(async move {
            let limit = BucketLimit::new(100, 100);
            let bucket = TokenBucket::new(limit, DEFAULT_SLACK);
            let mut exchange = Exchange::new(limit);
            let mut context = Context::from_waker(Waker::noop());
            for (cost, first, polls, pause, responded) in calls {
                let lane = if first { Lane::Priority } else { Lane::Ordinary };
                let mut acquire = pin!(bucket.acquire(cost, lane, LONG));
                for _ in 0..polls {
                    if let Poll::Ready(result) = acquire.as_mut().poll(&mut context) {
                        let permit = result.unwrap();
                        assert!(exchange.request(cost), "rejected");
                        if responded {
                            permit.received();
                        }
                        break;
                    }
                    tokio::time::advance(Duration::from_millis(pause)).await;
                }
            }
            assert_eq!(bucket.snapshot().waiting, 0);
            // After a full refill, all tokens are available.
            tokio::time::advance(Duration::from_secs(2)).await;
            assert_eq!(bucket.snapshot().tokens, 100);
            _ = bucket.acquire(100, Lane::Ordinary, Duration::ZERO).await.unwrap();
            assert!(exchange.request(100));
        });
    }

    /// Polls some waiting requests only at the end. All are sent as soon as the bucket has refilled their tokens, and the exchange
    /// rejects none.
    #[test]
    fn requests_that_are_not_polled_do_not_block_others(
        stuck in proptest::collection::vec((1_u32..=10, any::<bool>()), 1..6),
        moving in proptest::collection::vec((1_u32..=40, any::<bool>()), 1..20),
    ) {
        paused().block_on(async move {
            let lane = |first| if first { Lane::Priority } else { Lane::Ordinary };
            let limit = BucketLimit::new(100, 100);
            let bucket = TokenBucket::new(limit, DEFAULT_SLACK);
            let mut exchange = Exchange::new(limit);
            bucket.acquire(100, Lane::Ordinary, LONG).await.unwrap().received();
            assert!(exchange.request(100));
            let start = Instant::now();
            let mut context = Context::from_waker(Waker::noop());
            let total: u32 = stuck.iter().chain(&moving).map(|(cost, _)| cost).sum();
            let mut unpolled = Vec::new();
            for (cost, first) in stuck {
                let mut acquire = Box::pin(bucket.acquire(cost, lane(first), LONG));
                assert!(acquire.as_mut().poll(&mut context).is_pending());
                unpolled.push((cost, acquire));
            }
            for (cost, first) in &moving {
                let permit = bucket.acquire(*cost, lane(*first), LONG).await.unwrap();
                assert!(exchange.request(*cost), "rejected");
                permit.received();
            }
            for (cost, acquire) in unpolled {
                let permit = acquire.await.unwrap();
                assert!(exchange.request(cost), "rejected");
                permit.received();
            }
            // The refill, and the resolution of timers and the delay of overtaking requests.
            let max = Duration::from_millis(u64::from(total) * 10 + 12);
            assert!(start.elapsed() <= max, "{:?} instead of {max:?}", start.elapsed());
            assert_eq!(bucket.snapshot().waiting, 0);
        });
    }
}

/// The result of [`measure`].
struct Measured {
    rejected: usize,
    /// The fraction of the exchange's allowance that was used.
    used: f64,
}

/// Runs 128 tasks for a minute that send requests of these costs through a bucket with this slack. A request takes up to
/// `jitter` to reach the exchange, and so does the response on its way back. One request in ten gets no response, unless it may
/// arrive after the slack.
fn measure(
    limit: BucketLimit,
    costs: &[u32],
    slack: Duration,
    jitter: Duration,
    seed: u64,
) -> Measured {
    paused().block_on(async move {
        let bucket = Arc::new(TokenBucket::new(limit, slack));
        let mut exchange = Exchange::new(limit);
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let end = start + Duration::from_secs(60);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..128 {
            let (bucket, arrivals) = (bucket.clone(), arrivals.clone());
            let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(task));
            let costs = costs.to_vec();
            tasks.spawn(async move {
                while Instant::now() < end {
                    let cost = costs[random.usize(..costs.len())];
                    let permit = bucket.acquire(cost, Lane::Ordinary, LONG).await.unwrap();
                    let arrival = Instant::now() + jitter.mul_f64(random.f64());
                    let response = arrival + jitter.mul_f64(random.f64());
                    arrivals.lock().unwrap().push((arrival, cost));
                    if jitter > slack || random.u8(..10) > 0 {
                        tokio::time::sleep_until(response).await;
                        permit.received();
                    }
                }
            });
        }
        tasks.join_all().await;
        let mut arrivals = std::mem::take(&mut *arrivals.lock().unwrap());
        arrivals.sort();
        let mut rejected = 0;
        for (arrival, cost) in &arrivals {
            rejected += usize::from(!exchange.request_at(*cost, *arrival));
        }
        let seconds = arrivals
            .last()
            .map_or(0.0, |(last, _)| (*last - start).as_secs_f64());
        let allowed = f64::from(limit.capacity()) + seconds * f64::from(limit.refill_rate());
        #[allow(clippy::cast_precision_loss)]
        let used = exchange.passed as f64 / allowed;
        Measured { rejected, used }
    })
}

/// Returns the seed of a test: `KALSHI_TEST_SEED`, or a random one.
fn seed() -> u64 {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .ok()
        .map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    seed
}

#[test]
fn jitter_within_the_slack_causes_no_rejection_and_costs_no_throughput() {
    let seed = seed();
    let mut rejected_without_slack = 0;
    for tier in [Tier::Basic, Tier::Advanced, Tier::Expert, Tier::Prestige] {
        let limits = AccountLimits::from_tier(tier);
        for (name, limit) in [
            ("read", limits.read()),
            ("write", limits.write()),
            ("public", limits.public()),
        ] {
            for costs in [&[10][..], &[2, 10, 10, 30]] {
                let measured = measure(limit, costs, DEFAULT_SLACK, DEFAULT_SLACK, seed);
                println!(
                    "{tier:?} {name} {costs:?}: {} rejected, {:.2} % used",
                    measured.rejected,
                    measured.used * 100.0
                );
                assert_eq!(measured.rejected, 0, "{tier:?} {name} {costs:?}");
                assert!(measured.used >= 0.97, "{tier:?} {name} {costs:?}");
                let without = measure(limit, costs, Duration::ZERO, DEFAULT_SLACK, seed);
                rejected_without_slack += without.rejected;
            }
        }
    }
    assert!(
        rejected_without_slack > 0,
        "the jitter is too small to matter"
    );
}

/// Holds even if the jitter exceeds the slack, because requests wait for responses.
#[test]
fn bucket_of_one_request_is_never_rejected() {
    let seed = seed();
    for limit in [BucketLimit::new(10, 10), BucketLimit::new(50, 10)] {
        for jitter in [0, 50, 400] {
            let jitter = Duration::from_millis(jitter);
            let measured = measure(limit, &[10], DEFAULT_SLACK, jitter, seed);
            println!(
                "{limit:?}, jitter {jitter:?}: {} rejected, {:.2} % used",
                measured.rejected,
                measured.used * 100.0
            );
            assert_eq!(measured.rejected, 0, "{limit:?}");
            // One request per refill and round trip; the slack takes the place of a missing response.
            let refill = 10.0 / f64::from(limit.refill_rate());
            let round_trip = jitter.max(DEFAULT_SLACK / 10).as_secs_f64();
            assert!(
                measured.used >= 0.9 * refill / (refill + round_trip),
                "{limit:?}"
            );
        }
    }
}
