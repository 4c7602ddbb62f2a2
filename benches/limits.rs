//! An uncontended decision of the rate limiter, compared with a bare bucket: a lock, a clock and an addition.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    hint::black_box,
    sync::Mutex,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use kalshi_sdk::{
    limits::{AccountLimits, BucketLimit, RateLimiter, RateLimits, Tier},
    operation,
};
use tokio::runtime::Builder;

/// Number of tokens, and the time at which it was counted.
struct Bare(Mutex<(u64, Instant)>);

impl Bare {
    fn acquire(&self, cost: u64) -> bool {
        let mut state = self.0.lock().unwrap();
        let now = Instant::now();
        let came = u64::try_from((now - state.1).as_nanos()).unwrap();
        *state = (state.0.saturating_add(came), now);
        let passes = state.0 >= cost;
        state.0 -= if passes { cost } else { 0 };
        passes
    }
}

fn limits(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let plenty = BucketLimit::new(u32::MAX, u32::MAX);
    let limits = AccountLimits::from_tier(Tier::Basic).with_write(plenty);
    let limiter = RateLimiter::new(RateLimits::Account(limits));
    let bare = Bare(Mutex::new((1 << 40, Instant::now())));
    let mut group = c.benchmark_group("limits");
    group.bench_function("kalshi-sdk", |b| {
        b.to_async(&runtime).iter(|| async {
            limiter
                .acquire(black_box(operation::CREATE_ORDER_V2), 1, Duration::ZERO)
                .await
                .unwrap()
        });
    });
    group.bench_function("a lock and a clock", |b| {
        b.to_async(&runtime)
            .iter(|| async { bare.acquire(black_box(10)) });
    });
    group.finish();
}

criterion_group!(benches, limits);
criterion_main!(benches);
