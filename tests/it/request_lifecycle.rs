//! Requests from call to result: rate limits, retries, timeouts and clock correction, as listed in the table of
//! `src/guide/errors_and_retries.md`.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};
use kalshi_sdk::{
    Client, ClientBuilder, ClockCorrection, Credentials, Error, OrderGroupId, RetryPolicy,
    limits::{AccountLimits, BucketLimit, RateLimiter, RateLimits, Tier},
    types,
};
use serde_json::{Value, json};

/// The default policy with a backoff of 2 ms.
fn quick() -> RetryPolicy {
    RetryPolicy::default().with_initial_backoff(Duration::from_millis(2))
}

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(quick())
}

fn balance() -> Value {
    json!({ "balance": 100, "balance_dollars": "1.0000", "portfolio_value": 0, "updated_ts": 1 })
}

fn created() -> Value {
    json!({ "order_group_id": "g", "subaccount": 0 })
}

/// Sends a signed read.
async fn read(client: &Client) -> Result<i64, Error> {
    Ok(client.get_balance().send().await?.balance)
}

async fn write(client: &Client) -> Result<OrderGroupId, Error> {
    let body = types::CreateOrderGroupRequest::builder().contracts_limit(1);
    Ok(client
        .create_order_group()
        .body(body)
        .send()
        .await?
        .order_group_id
        .clone())
}

/// Starts an exchange that sends `first` to the first `times` requests and succeeds afterwards.
async fn failing(times: usize, first: impl Fn() -> Reply + Send + Sync + 'static) -> Exchange {
    Exchange::start(move |request: &Received| {
        if request.number < times {
            first()
        } else if request.method == "GET" {
            Reply::json(200, &balance())
        } else {
            Reply::json(201, &created())
        }
    })
    .await
}

type Make = fn() -> Reply;

/// Transport faults and server errors are retried for reads only.
#[tokio::test]
async fn reads_are_retried_and_writes_that_may_have_been_processed_are_not() {
    let faults: [(&str, Make); 10] = [
        ("dropped", || Reply::Drop),
        ("reset", || Reply::Reset),
        ("half a response", || {
            Reply::Half(200, balance().to_string().into_bytes())
        }),
        ("short body", || {
            Reply::Short(200, balance().to_string().into_bytes())
        }),
        ("500", || Reply::status(500)),
        ("502", || {
            Reply::Answer(
                502,
                vec![("content-type", "text/html".to_owned())],
                b"<html><title>Bad gateway</title></html>".to_vec(),
            )
        }),
        ("503", || Reply::status(503)),
        ("504", || Reply::status(504)),
        ("no response", || Reply::Hang),
        ("slow body", || {
            Reply::Slow(
                Duration::from_secs(30),
                200,
                balance().to_string().into_bytes(),
            )
        }),
    ];
    for (name, fault) in faults {
        let exchange = failing(2, fault).await;
        let client = builder(&exchange)
            .retry(quick().with_attempt_timeout(Some(Duration::from_millis(80))))
            .timeout(Duration::from_millis(600))
            .build()
            .unwrap();
        assert_eq!(
            read(&client)
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}")),
            100
        );
        assert_eq!(exchange.count(), 3, "{name}");
        // Every attempt has its own signature.
        let signatures: Vec<_> = exchange
            .received()
            .iter()
            .map(|request| request.headers["kalshi-access-signature"].clone())
            .collect();
        assert!(
            signatures[0] != signatures[1] && signatures[1] != signatures[2],
            "{name}"
        );

        let exchange = failing(1, fault).await;
        let client = builder(&exchange)
            .retry(quick().with_attempt_timeout(Some(Duration::from_millis(80))))
            .timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let error = write(&client).await.unwrap_err();
        assert_eq!(
            (exchange.count(), error.attempts()),
            (1, 1),
            "{name}: {error}"
        );
        assert!(
            error.may_have_reached_exchange() && !error.was_not_processed(),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn rate_limited_write_is_retried() {
    let exchange = failing(2, || {
        Reply::json(429, &json!({ "error": { "code": "too_many_requests" } }))
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    assert_eq!(write(&client).await.unwrap(), "g");
    assert_eq!(exchange.count(), 3);
    // Attempts are limited.
    let exchange = failing(usize::MAX, Reply::rate_limited).await;
    let client = builder(&exchange).build().unwrap();
    let error = write(&client).await.unwrap_err();
    assert!(
        error.is_rate_limited() && error.was_not_processed(),
        "{error}"
    );
    assert_eq!((error.attempts(), exchange.count()), (3, 3));
    assert!(error.to_string().contains(" (3 attempts in "), "{error}");
    assert!(error.elapsed() > Duration::ZERO && error.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn failed_connection_is_retried_for_writes() {
    // A port without a listener.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let client = Client::builder()
        .environment(crate::common::environment(&base))
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .retry(quick())
        .build()
        .unwrap();
    let error = write(&client).await.unwrap_err();
    assert!(
        error.is_connect() && !error.may_have_reached_exchange(),
        "{error}"
    );
    assert_eq!(error.attempts(), 3);
    assert_eq!(
        client
            .with_retry(RetryPolicy::none())
            .get_exchange_status()
            .send()
            .await
            .unwrap_err()
            .attempts(),
        1
    );
}

#[tokio::test]
async fn other_responses_are_not_retried() {
    let faults: [(&str, Make); 6] = [
        ("400", || Reply::status(400)),
        ("401", || Reply::status(401)),
        ("404", || Reply::status(404)),
        ("409", || Reply::status(409)),
        ("HTML in a success", || {
            Reply::Answer(
                200,
                vec![("content-type", "text/html".to_owned())],
                b"<html></html>".to_vec(),
            )
        }),
        ("an error in a success", || {
            Reply::json(200, &json!({ "error": { "code": "x" } }))
        }),
    ];
    for (name, fault) in faults {
        let exchange = failing(1, fault).await;
        let client = builder(&exchange).build().unwrap();
        let error = read(&client).await.unwrap_err();
        assert_eq!((exchange.count(), error.attempts()), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn retry_after_in_seconds_is_honoured() {
    let exchange = failing(1, || Reply::rate_limited().with_header("retry-after", 1)).await;
    let client = builder(&exchange).build().unwrap();
    let start = Instant::now();
    write(&client).await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    // A pause longer than the timeout ends the request.
    let exchange = failing(1, || Reply::rate_limited().with_header("retry-after", 3600)).await;
    let client = builder(&exchange).build().unwrap();
    assert_eq!(write(&client).await.unwrap_err().attempts(), 1);
}

#[tokio::test]
async fn request_timeout_covers_all_attempts() {
    let exchange = failing(usize::MAX, || Reply::Hang).await;
    let client = builder(&exchange)
        .retry(
            quick()
                .with_max_attempts(100)
                .with_attempt_timeout(Some(Duration::from_millis(100))),
        )
        .timeout(Duration::from_millis(650))
        .build()
        .unwrap();
    let error = read(&client).await.unwrap_err();
    assert!(
        error.is_timeout() && (2..=7).contains(&error.attempts()),
        "{error}"
    );
}

/// Returns limits whose write bucket hardly refills during a test.
fn slow(capacity: u32) -> AccountLimits {
    AccountLimits::from_tier(Tier::Basic).with_write(BucketLimit::new(1, capacity))
}

/// Returns limits that a few requests exhaust.
fn small() -> AccountLimits {
    AccountLimits::from_tier(Tier::Basic)
        .with_write(BucketLimit::new(10, 20))
        .with_read(BucketLimit::new(1000, 20))
}

#[tokio::test]
async fn requests_wait_for_tokens_up_to_max_wait() {
    let exchange = failing(0, || Reply::Drop).await;
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(small()))
        .build()
        .unwrap();
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
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(small()))
        .build()
        .unwrap();
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
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(small()))
        .build()
        .unwrap();
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

/// Starts an exchange whose clock is ahead by `seconds` and that rejects timestamps off by more than 5 s.
async fn ahead(seconds: i64) -> Exchange {
    Exchange::start(move |request| {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let theirs = i64::try_from(now.as_millis()).unwrap() + seconds * 1000;
        let date = httpdate::fmt_http_date(
            SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(theirs).unwrap()),
        );
        let reply = if (theirs - request.timestamp()).abs() > 5_000 {
            Reply::json(
                401,
                &json!({ "error": { "code": "header_timestamp_expired" } }),
            )
        } else if request.method == "GET" {
            Reply::json(200, &balance())
        } else {
            Reply::json(201, &created())
        };
        reply.with_header("date", date)
    })
    .await
}

#[tokio::test]
async fn expired_timestamp_is_corrected_once_as_configured() {
    for off in [30, -30] {
        for (correction, sent) in [
            (ClockCorrection::All, [2, 2]),
            (ClockCorrection::Reads, [2, 1]),
            (ClockCorrection::Off, [1, 1]),
        ] {
            let exchange = ahead(off).await;
            let client = builder(&exchange)
                .clock_correction(correction)
                .build()
                .unwrap();
            let results = [
                read(&client).await.map(|_| ()),
                write(&client).await.map(|_| ()),
            ];
            assert_eq!(
                exchange.count(),
                sent.iter().sum::<usize>(),
                "{correction:?}"
            );
            for (result, sent) in results.into_iter().zip(sent) {
                assert_eq!(result.is_ok(), sent == 2, "{correction:?}");
                if let Err(error) = result {
                    let direction = if off > 0 { "behind" } else { "ahead" };
                    let text = error.to_string();
                    let skew = format!("; this machine's clock is 30 seconds {direction}");
                    assert!(text.contains(&skew), "{text}");
                    assert!(text.contains("synchronise this machine's clock"), "{text}");
                }
            }
        }
    }
    // Correction is enabled by default.
    let exchange = ahead(30).await;
    let client = builder(&exchange).build().unwrap();
    write(&client).await.unwrap();
    // Three dates are needed to estimate the skew.
    assert_eq!(client.clock_skew(), None);
    write(&client).await.unwrap();
    let skew = client.clock_skew().unwrap().num_milliseconds();
    assert!((skew - 30_000).abs() < 1_000, "{skew}");
}

#[tokio::test]
async fn wrong_date_of_401_costs_one_extra_attempt() {
    let exchange = Exchange::start(|_| {
        let wrong = SystemTime::now() + Duration::from_secs(7_200);
        Reply::json(
            401,
            &json!({ "error": { "code": "header_timestamp_expired" } }),
        )
        .with_header("date", httpdate::fmt_http_date(wrong))
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let error = write(&client).await.unwrap_err();
    assert_eq!((exchange.count(), error.attempts()), (2, 2), "{error}");
}

/// A clock that jumps ahead by an hour after its first readings, as the system clock does when a laptop wakes up.
#[derive(Debug)]
struct Jumping(std::sync::atomic::AtomicU64);

impl kalshi_sdk::auth::Clock for Jumping {
    fn now_ms(&self) -> Result<u64, kalshi_sdk::auth::ClockError> {
        let readings = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(1_790_000_000_000 + if readings < 3 { 0 } else { 3_600_000 })
    }
}

#[tokio::test]
async fn write_is_not_retried_after_clock_jump() {
    for (method_is_write, sent) in [(true, 1), (false, 2)] {
        let exchange = failing(1, Reply::rate_limited).await;
        let client = builder(&exchange)
            .clock(std::sync::Arc::new(Jumping(0.into())))
            .build()
            .unwrap();
        if method_is_write {
            let error = write(&client).await.unwrap_err();
            assert!(error.was_not_processed(), "{error}");
        } else {
            read(&client).await.unwrap();
        }
        assert_eq!(exchange.count(), sent);
    }
}

#[tokio::test]
async fn write_is_not_retried_after_429_of_proxy() {
    let proxies: [Make; 4] = [
        || Reply::status(429),
        || Reply::json(429, &json!({ "message": "Too Many Requests" })),
        || Reply::json(429, &json!({})),
        || Reply::Answer(429, Vec::new(), b"<html></html>".to_vec()),
    ];
    for reply in proxies {
        let exchange = failing(usize::MAX, reply).await;
        let client = builder(&exchange).build().unwrap();
        let error = write(&client).await.unwrap_err();
        assert!(
            error.is_rate_limited() && !error.was_not_processed(),
            "{error}"
        );
        assert_eq!(exchange.count(), 1);
        read(&client).await.unwrap_err();
        assert_eq!(exchange.count(), 4);
    }
}

#[tokio::test]
async fn unauthorized_response_with_correct_clock_is_not_retried() {
    let exchange = Exchange::start(|_| {
        Reply::status(401).with_header("date", httpdate::fmt_http_date(SystemTime::now()))
    })
    .await;
    let client = builder(&exchange)
        .clock_correction(ClockCorrection::All)
        .build()
        .unwrap();
    let error = read(&client).await.unwrap_err();
    assert_eq!((exchange.count(), error.clock_behind_ms()), (1, None));
    for _ in 0..2 {
        assert_eq!(client.clock_skew(), None);
        write(&client).await.unwrap_err();
    }
    assert_eq!(exchange.count(), 3);
    assert_eq!(
        client.clock_skew().map(|skew| skew.num_milliseconds()),
        Some(0)
    );
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

/// The last attempt of a read has no attempt timeout, only the timeout of the request.
#[tokio::test]
async fn last_attempt_has_no_attempt_timeout() {
    let exchange = failing(usize::MAX, || {
        Reply::Slow(
            Duration::from_millis(300),
            200,
            balance().to_string().into_bytes(),
        )
    })
    .await;
    let policy = quick().with_attempt_timeout(Some(Duration::from_millis(50)));
    let client = builder(&exchange)
        .retry(policy)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    assert_eq!(read(&client).await.unwrap(), 100);
    assert_eq!(exchange.count(), 3);
}

/// `Retry-After` may be a date.
#[tokio::test]
async fn retry_after_as_date_is_honoured() {
    let until = SystemTime::now() + Duration::from_secs(2);
    let exchange = failing(1, move || {
        Reply::rate_limited().with_header("retry-after", httpdate::fmt_http_date(until))
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    write(&client).await.unwrap();
    // The date has a resolution of one second.
    assert!(SystemTime::now() + Duration::from_secs(1) >= until);
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

/// A middleware repeats the request. The first attempt may have been processed, so the write is not retried after the 429.
#[tokio::test]
async fn write_is_not_retried_after_429_to_repeated_attempt() {
    struct Twice;
    #[async_trait::async_trait]
    impl kalshi_sdk::reqwest_middleware::Middleware for Twice {
        async fn handle(
            &self,
            request: kalshi_sdk::reqwest::Request,
            extensions: &mut http::Extensions,
            next: kalshi_sdk::reqwest_middleware::Next<'_>,
        ) -> kalshi_sdk::reqwest_middleware::Result<kalshi_sdk::reqwest::Response> {
            let again = request.try_clone().unwrap();
            match next.clone().run(request, extensions).await {
                Ok(response) => Ok(response),
                Err(_) => next.run(again, extensions).await,
            }
        }
    }
    let exchange = Exchange::start(|request| {
        if request.number == 0 {
            Reply::Drop
        } else {
            Reply::rate_limited()
        }
    })
    .await;
    let client = builder(&exchange).middleware(Twice).build().unwrap();
    let error = write(&client).await.unwrap_err();
    assert!(
        error.is_rate_limited() && !error.was_not_processed(),
        "{error}"
    );
    assert_eq!(exchange.count(), 2);
}

/// A middleware that responds without sending the request does not count as an attempt that reached the exchange.
#[tokio::test]
async fn response_made_by_middleware_is_not_processed_by_exchange() {
    struct Unauthorized;
    #[async_trait::async_trait]
    impl kalshi_sdk::reqwest_middleware::Middleware for Unauthorized {
        async fn handle(
            &self,
            _: kalshi_sdk::reqwest::Request,
            _: &mut http::Extensions,
            _: kalshi_sdk::reqwest_middleware::Next<'_>,
        ) -> kalshi_sdk::reqwest_middleware::Result<kalshi_sdk::reqwest::Response> {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(30));
            let response = http::Response::builder().status(401).header("date", date);
            let body = r#"{"error":{"code":"header_timestamp_expired"}}"#;
            Ok(response.body(body).unwrap().into())
        }
    }
    let exchange = failing(0, || Reply::Drop).await;
    let client = builder(&exchange)
        .clock_correction(ClockCorrection::All)
        .middleware(Unauthorized)
        .build()
        .unwrap();
    let error = write(&client).await.unwrap_err();
    assert!(
        error.was_not_processed() && !error.may_have_reached_exchange(),
        "{error}"
    );
    assert_eq!((error.attempts(), exchange.count()), (2, 0));
}
