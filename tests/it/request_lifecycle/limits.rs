//! Waits for tokens, and the discovery of limits and costs.

use super::*;

/// Returns limits whose write bucket hardly refills during a test.
fn slow(capacity: u32) -> AccountLimits {
    AccountLimits::from_tier(Tier::Basic).with_write(BucketLimit::new(1, capacity))
}

/// Returns a client with limits that a few requests exhaust.
fn limited(exchange: &Exchange) -> Client {
    let limits = AccountLimits::from_tier(Tier::Basic)
        .with_write(BucketLimit::new(10, 20))
        .with_read(BucketLimit::new(1000, 20));
    builder(exchange)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap()
}

#[tokio::test]
async fn requests_wait_for_tokens_up_to_max_wait() {
    let exchange = failing(0, || Reply::Drop).await;
    let client = limited(&exchange);
    for _ in 0..2 {
        write(&client).await.unwrap();
    }
    // Clones share the buckets. Reads have a separate one.
    let clone = client.clone();
    let error = write(&clone.with_max_wait(Duration::from_millis(500)))
        .await
        .unwrap_err();
    let wait = error
        .local_rate_limit()
        .and_then(|limit| limit.wait())
        .unwrap();
    assert!(
        wait > Duration::from_millis(500) && wait <= Duration::from_secs(1),
        "{wait:?}"
    );
    assert!(
        !error.may_have_reached_exchange() && error.attempts() == 0,
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("rate limited locally: the request needs "),
        "{error}"
    );
    let never = write(&clone.with_max_wait(Duration::ZERO)).await;
    assert!(
        never
            .unwrap_err()
            .local_rate_limit()
            .and_then(|limit| limit.wait())
            .is_some()
    );
    client.get_account_api_limits().send().await.unwrap_err();
    assert_eq!(exchange.count(), 3);
    let start = Instant::now();
    write(&client).await.unwrap();
    assert!(
        start.elapsed() > Duration::from_millis(300),
        "{:?}",
        start.elapsed()
    );
    let snapshot = client.rate_limiter().snapshot();
    assert_eq!(
        (
            snapshot.write.waits,
            snapshot.write.waiting,
            snapshot.write.rejections
        ),
        (1, 0, 0)
    );
    assert!(snapshot.write.tokens < 10);
}

/// Cancels overtake other writes in the limiter's queue.
#[tokio::test]
async fn cancels_overtake_waiting_writes() {
    let exchange = Exchange::start(|request| match request.method.as_str() {
        "DELETE" => Reply::json(200, &json!({})),
        _ => Reply::json(201, &created()),
    })
    .await;
    let client = limited(&exchange);
    let waits = |count: u32| {
        let limiter = client.rate_limiter().clone();
        async move {
            while limiter.snapshot().write.waiting < count {
                tokio::task::yield_now().await;
            }
        }
    };
    for _ in 0..2 {
        write(&client).await.unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=3 {
        let client = client.clone();
        tasks.spawn(async move { write(&client).await.map(drop) });
        waits(number).await;
    }
    client
        .delete_order_group()
        .order_group_id("g")
        .send()
        .await
        .unwrap();
    assert_eq!(exchange.received()[2].method, "DELETE");
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

/// The timestamp is taken after the wait for tokens.
#[tokio::test]
async fn delayed_request_is_signed_when_sent() {
    let exchange = failing(0, || Reply::Drop).await;
    let client = limited(&exchange);
    for _ in 0..3 {
        write(&client).await.unwrap();
    }
    let timestamps: Vec<_> = exchange
        .received()
        .iter()
        .map(Received::timestamp)
        .collect();
    assert!(timestamps[2] - timestamps[1] >= 500, "{timestamps:?}");
}

#[tokio::test]
async fn batch_costs_sum_of_its_items() {
    let exchange = Exchange::start(|_| Reply::json(200, &json!({ "orders": [] }))).await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(slow(100)))
        .build()
        .unwrap();
    let batch = |count: usize| {
        let order = json!({ "order_id": "o" });
        serde_json::from_value::<types::BatchCancelOrdersV2Request>(
            json!({ "orders": vec![order; count] }),
        )
        .unwrap()
    };
    client
        .batch_cancel_orders_v2()
        .body(batch(30))
        .send()
        .await
        .unwrap();
    assert_eq!(client.rate_limiter().snapshot().write.tokens / 10, 4);
    // More than the capacity of the bucket.
    let error = client
        .batch_cancel_orders_v2()
        .body(batch(51))
        .send()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("costs 102 tokens, the bucket holds 100"),
        "{error}"
    );
    assert_eq!(
        (
            error.local_rate_limit().and_then(|limit| limit.wait()),
            error.may_have_reached_exchange(),
            exchange.count()
        ),
        (None, false, 1)
    );
}

#[tokio::test]
async fn rate_limit_response_empties_only_its_bucket() {
    let exchange = failing(1, Reply::rate_limited).await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(slow(100)))
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    write(&client).await.unwrap_err();
    let snapshot = client.rate_limiter().snapshot();
    assert_eq!(
        (snapshot.write.tokens / 10, snapshot.write.rejections),
        (0, 1)
    );
    assert_eq!((snapshot.read.tokens, snapshot.read.rejections), (400, 0));
}

#[tokio::test]
async fn limiter_is_shared_between_clients() {
    let exchange = failing(0, || Reply::Drop).await;
    let limiter = Arc::new(RateLimiter::new(RateLimits::Account(slow(600))));
    let (one, other) = (
        builder(&exchange)
            .rate_limiter(limiter.clone())
            .build()
            .unwrap(),
        builder(&exchange)
            .rate_limiter(limiter.clone())
            .build()
            .unwrap(),
    );
    write(&one).await.unwrap();
    write(&other).await.unwrap();
    let left = limiter.snapshot().write.tokens;
    assert!((580..590).contains(&left), "{left}");
    assert!(format!("{limiter:?}").contains("tokens"));
}

/// Starts an exchange that reports account limits and endpoint costs.
async fn with_limits() -> Exchange {
    Exchange::start(|request| match request.path.as_str() {
        "/trade-api/v2/account/limits" => Reply::json(
            200,
            &json!({ "usage_tier": "expert", "grants": [], "read": { "refill_rate": 700, "bucket_capacity": 900 }, "write": { "refill_rate": 500, "bucket_capacity": 800 } }),
        ),
        "/trade-api/v2/account/endpoint_costs" => Reply::json(
            200,
            &json!({ "default_cost": 10, "endpoint_costs": [{ "method": "POST", "path": "/trade-api/v2/portfolio/order_groups/create", "cost": 100 }] }),
        ),
        _ if request.method == "POST" => Reply::json(201, &created()),
        _ => Reply::json(200, &balance()),
    })
    .await
}

#[tokio::test]
async fn limits_and_costs_are_discovered_on_request_or_before_first_signed_request() {
    let exchange = with_limits().await;
    let client = builder(&exchange).rate_limits(Tier::Basic).build().unwrap();
    let limits = client.discover_limits().await.unwrap();
    assert_eq!(
        (limits.read(), limits.write()),
        (BucketLimit::new(700, 900), BucketLimit::new(500, 800))
    );
    assert_eq!(limits.balance(), BucketLimit::new(50, 10));
    assert_eq!(
        client.rate_limiter().snapshot().write.limit,
        BucketLimit::new(500, 800)
    );
    // The exchange does not report the bucket of unsigned requests.
    let public = BucketLimit::new(100, 100);
    let own = AccountLimits::from_tier(Tier::Basic).with_public(public);
    let limited = builder(&exchange)
        .rate_limits(RateLimits::Account(own))
        .build()
        .unwrap();
    limited.discover_limits().await.unwrap();
    assert_eq!(limited.rate_limiter().snapshot().public.limit, public);
    let create = kalshi_sdk::operation::CREATE_ORDER_GROUP;
    assert_eq!(client.rate_limiter().cost(create, 1), 100);

    let exchange = with_limits().await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Discovered)
        .build()
        .unwrap();
    client.get_exchange_status().send().await.unwrap_err();
    assert_eq!(exchange.count(), 1);
    for _ in 0..2 {
        write(&client).await.unwrap();
    }
    let paths: Vec<_> = exchange
        .received()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths.len(), 5, "{paths:?}");
    assert_eq!(
        (paths[1].as_str(), paths[2].as_str()),
        (
            "/trade-api/v2/account/limits",
            "/trade-api/v2/account/endpoint_costs"
        )
    );
    assert_eq!(
        client.rate_limiter().snapshot().read.limit,
        BucketLimit::new(700, 900)
    );
}

#[tokio::test]
async fn failed_discovery_does_not_fail_requests() {
    let exchange = failing(1, || Reply::status(403)).await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Discovered)
        .build()
        .unwrap();
    write(&client).await.unwrap();
    assert_eq!(
        (
            exchange.count(),
            client.rate_limiter().snapshot().write.limit
        ),
        (2, BucketLimit::new(100, 100))
    );
    assert!(client.discover_limits().await.is_err());
}

#[tokio::test]
async fn unusable_discovered_limits_fall_back_to_those_of_the_tier() {
    // No limit at all, no refill, and a capacity below the 30 tokens of the most expensive write.
    for (rate, capacity) in [(0, 0), (0, 800), (500, 29)] {
        let bucket = json!({ "refill_rate": rate, "bucket_capacity": capacity });
        let exchange = Exchange::start(move |request| match request.path.as_str() {
            "/trade-api/v2/account/limits" => Reply::json(
                200,
                &json!({ "usage_tier": "expert", "grants": [], "read": bucket, "write": bucket }),
            ),
            "/trade-api/v2/account/endpoint_costs" => Reply::json(
                200,
                &json!({ "default_cost": 10, "endpoint_costs": [{ "method": "POST", "path": "/trade-api/v2/portfolio/order_groups/create", "cost": 30 }] }),
            ),
            _ if request.method == "POST" => Reply::json(201, &created()),
            _ => Reply::json(200, &json!({})),
        })
        .await;
        let client = builder(&exchange)
            .rate_limits(RateLimits::Discovered)
            .build()
            .unwrap();
        for _ in 0..5 {
            write(&client).await.unwrap();
        }
        client
            .delete_order_group()
            .order_group_id("g")
            .send()
            .await
            .unwrap();
        let expert = AccountLimits::from_tier(Tier::Expert);
        assert_eq!(client.rate_limiter().snapshot().write.limit, expert.write());
    }
}

/// Drops requests at random points. No place in the limiter's queue and no connection may leak.
#[tokio::test]
async fn dropped_requests_leak_nothing() {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .ok()
        .map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = Exchange::start(|request| match request.number % 5 {
        0 => Reply::Slow(
            Duration::from_millis(3),
            200,
            balance().to_string().into_bytes(),
        ),
        1 => Reply::status(503),
        2 => Reply::Drop,
        _ => Reply::json(200, &balance()),
    })
    .await;
    let limits = AccountLimits::from_tier(Tier::Basic).with_balance(BucketLimit::new(2000, 20));
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(limits))
        .retry(quick())
        .build()
        .unwrap();
    let mut dropped = 0;
    for _ in 0..300 {
        let calls = (0..random.usize(1..6)).map(|_| read(&client));
        let all = futures_util::future::join_all(calls);
        let limit = Duration::from_micros(random.u64(0..8_000));
        dropped += usize::from(tokio::time::timeout(limit, all).await.is_err());
    }
    assert!(dropped > 50, "{dropped}");
    let snapshot = client.rate_limiter().snapshot();
    assert_eq!(snapshot.balance.waiting, 0);
    // The client still works. More attempts cover the faults that the exchange injects.
    client
        .with_retry(quick().with_max_attempts(20))
        .get_balance()
        .send()
        .await
        .unwrap();
    drop(client);
    // Dropping the client closes its connections.
    tokio::time::timeout(Duration::from_secs(10), exchange.all_closed())
        .await
        .expect("the client left a connection open");
}

/// The 429 is returned, not the local rate limit that prevents a retry.
#[tokio::test]
async fn rate_limit_response_is_not_masked_by_local_rate_limit() {
    let exchange = failing(usize::MAX, Reply::rate_limited).await;
    let client = builder(&exchange)
        .rate_limits(Tier::Basic)
        .max_wait(Duration::ZERO)
        .build()
        .unwrap();
    let error = write(&client).await.unwrap_err();
    assert!(
        error.is_rate_limited() && error.local_rate_limit().is_none(),
        "{error}"
    );
    assert_eq!(exchange.count(), 1);
}

/// The 429 is returned at once, not a timeout after a wait that is too long for a retry.
#[tokio::test]
async fn rate_limit_response_is_not_masked_by_the_timeout() {
    let exchange = failing(usize::MAX, || {
        Reply::rate_limited().with_header("retry-after", "3")
    })
    .await;
    let client = builder(&exchange)
        .timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    let begin = Instant::now();
    let error = write(&client).await.unwrap_err();
    assert!(error.is_rate_limited(), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(exchange.count(), 1);
}

/// Requests proceed if discovery times out. If the first request is dropped during discovery, the next one repeats it.
#[tokio::test]
async fn hanging_discovery_is_abandoned() {
    let exchange = Exchange::start(|request| match request.path.as_str() {
        "/trade-api/v2/account/limits" => Reply::Hang,
        _ => Reply::json(201, &created()),
    })
    .await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Discovered)
        .build()
        .unwrap();
    tokio::time::timeout(Duration::from_secs(1), write(&client))
        .await
        .unwrap_err();
    assert_eq!(exchange.count(), 1);
    write(&client).await.unwrap();
    let discoveries = exchange
        .received()
        .iter()
        .filter(|request| request.path.ends_with("/account/limits"))
        .count();
    assert_eq!((discoveries, exchange.count()), (2, 3));
    write(&client).await.unwrap();
    assert_eq!(exchange.count(), 4);
}
