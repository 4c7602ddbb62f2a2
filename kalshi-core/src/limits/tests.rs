//! Tests of the limiter with limits and costs reported by the exchange.
#![allow(clippy::unwrap_used)]

use reqwest::Method;

use super::*;

const LONG: Duration = Duration::from_secs(600);

static OPERATIONS: [Operation; 4] = [
    Operation::new("GetThing", Method::GET, "/things/{id}", "", Bucket::Read),
    Operation::new("CreateThing", Method::POST, "/things", "", Bucket::Write).cost(30),
    Operation::new(
        "CancelThing",
        Method::DELETE,
        "/things/{id}",
        "",
        Bucket::Write,
    )
    .cost(2)
    .priority(),
    Operation::new(
        "CreateThings",
        Method::POST,
        "/things/batch",
        "",
        Bucket::Write,
    )
    .cost_per_item(10),
];

/// Returns a limiter of a Basic account after the exchange has reported these limits and costs.
fn discovered(read: (u32, u32), write: (u32, u32), costs: &EndpointCosts) -> RateLimiter {
    let limiter = RateLimiter::new(RateLimits::Discovered);
    let limits = AccountLimits::from_tier(Tier::Basic)
        .with_read(BucketLimit::new(read.0, read.1))
        .with_write(BucketLimit::new(write.0, write.1));
    limiter.set_limits(limits);
    limiter.set_costs(Costs::new(costs, &OPERATIONS), &OPERATIONS);
    limiter
}

/// The costs of the spec.
fn costs_in_spec() -> EndpointCosts {
    EndpointCosts::new(10)
        .with_endpoint("POST", "/things", 30)
        .with_endpoint("DELETE", "/things/:id", 2)
}

#[tokio::test(start_paused = true)]
async fn unusable_reported_limits_are_replaced_by_those_of_the_tier() {
    let basic = AccountLimits::from_tier(Tier::Basic);
    // Zero, or a write bucket that never holds the 30 tokens of the most expensive operation.
    for bad in [(0, 0), (0, 500), (500, 0), (100, 29)] {
        let limiter = discovered((700, 900), bad, &costs_in_spec());
        let snapshot = limiter.snapshot();
        assert_eq!(snapshot.write.limit, basic.write, "{bad:?}");
        assert_eq!(snapshot.read.limit, BucketLimit::new(700, 900));
        for operation in &OPERATIONS {
            let permit = limiter.acquire(operation, 1, LONG).await;
            permit.unwrap().received();
        }
    }
    let limiter = discovered((0, 0), (100, 30), &costs_in_spec());
    assert_eq!(limiter.snapshot().read.limit, basic.read);
    // Enough for one request.
    assert_eq!(limiter.snapshot().write.limit, BucketLimit::new(100, 30));
}

#[tokio::test(start_paused = true)]
async fn unusable_limits_fall_back_to_the_reported_tier() {
    let limiter = RateLimiter::default();
    let zero = BucketLimit::new(0, 0);
    limiter.set_limits(AccountLimits::from_tier(Tier::Expert).with_write(zero));
    limiter.set_costs(Costs::new(&costs_in_spec(), &OPERATIONS), &OPERATIONS);
    let expert = AccountLimits::from_tier(Tier::Expert);
    assert_eq!(limiter.snapshot().write.limit, expert.write);
}

#[tokio::test(start_paused = true)]
async fn cost_above_the_capacity_takes_the_whole_bucket() {
    let [_, create, cancel, batch] = &OPERATIONS;
    // More than the tier's bucket holds, which is smaller than the reported one.
    let costs = costs_in_spec().with_endpoint("POST", "/things/batch", 5_000);
    let limiter = discovered((200, 400), (300, 600), &costs);
    assert_eq!(limiter.snapshot().write.limit, BucketLimit::new(300, 600));
    assert_eq!(limiter.cost(batch, 1), 600);
    limiter.acquire(batch, 1, LONG).await.unwrap().received();
    assert_eq!(limiter.snapshot().write.tokens, 0);
    limiter.acquire(cancel, 1, LONG).await.unwrap().received();
    // Two items never fit.
    let never = limiter.acquire(batch, 2, LONG).await.unwrap_err();
    assert_eq!(never.wait(), None);

    // Costs reported after the limits, then limits that shrink after the costs.
    let costs = EndpointCosts::new(10).with_endpoint("POST", "/things", 1_000);
    limiter.set_costs(Costs::new(&costs, &OPERATIONS), &OPERATIONS);
    limiter.acquire(create, 1, LONG).await.unwrap().received();
    let small = AccountLimits::from_tier(Tier::Basic).with_write(BucketLimit::new(1, 1));
    limiter.set_limits(small);
    for operation in [create, cancel, batch] {
        assert_eq!(limiter.cost(operation, 1), 1);
        limiter
            .acquire(operation, 1, LONG)
            .await
            .unwrap()
            .received();
    }
}

#[tokio::test(start_paused = true)]
async fn zero_limits_are_replaced_by_those_of_the_tier() {
    let zero = BucketLimit::new(0, 0);
    let limits = AccountLimits::from_tier(Tier::Expert)
        .with_read(zero)
        .with_write(zero)
        .with_balance(zero)
        .with_public(zero);
    let expert = AccountLimits::from_tier(Tier::Expert);
    let given = RateLimiter::new(RateLimits::Account(limits));
    let set = RateLimiter::default();
    set.set_limits(limits);
    for limiter in [given, set] {
        let snapshot = limiter.snapshot();
        assert_eq!(snapshot.read.limit, expert.read);
        assert_eq!(snapshot.write.limit, expert.write);
        assert_eq!(snapshot.balance.limit, expert.balance);
        assert_eq!(snapshot.public.limit, expert.public);
    }
}

#[tokio::test(start_paused = true)]
async fn slack_applies_to_every_bucket_and_is_capped() {
    let slacks = |limiter: &RateLimiter| {
        let Snapshot {
            read,
            write,
            balance,
            public,
        } = limiter.snapshot();
        [read, write, balance, public].map(|bucket| bucket.slack)
    };
    assert_eq!(slacks(&RateLimiter::default()), [DEFAULT_SLACK; 4]);
    let limiter = RateLimiter::default().with_slack(Duration::MAX);
    assert_eq!(slacks(&limiter), [SLACK_LIMIT; 4]);
    let [get, ..] = &OPERATIONS;
    for _ in 0..41 {
        _ = limiter.acquire(get, 1, LONG).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn unlimited_requests_never_wait() {
    let limiter = RateLimiter::new(RateLimits::Unlimited);
    let [get, ..] = &OPERATIONS;
    for _ in 0..1_000 {
        let permit = limiter.acquire(get, 1, Duration::ZERO).await;
        permit.unwrap().received();
    }
}
