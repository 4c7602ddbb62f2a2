//! Tests of one bucket, without slack unless they test it.
#![allow(clippy::unwrap_used)]
use std::{
    future::{poll_fn, ready},
    pin::pin,
};

use super::*;

fn bucket(refill_rate: u32, capacity: u32) -> Arc<TokenBucket> {
    Arc::new(TokenBucket::new(
        BucketLimit::new(refill_rate, capacity),
        Duration::ZERO,
    ))
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn full_bucket_serves_a_burst_and_then_at_the_refill_rate() {
    let bucket = bucket(100, 100);
    let start = Instant::now();
    for _ in 0..10 {
        bucket
            .acquire(10, Lane::Ordinary, LONG)
            .await
            .unwrap()
            .received();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    bucket
        .acquire(10, Lane::Ordinary, LONG)
        .await
        .unwrap()
        .received();
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
        bucket.acquire(11, Lane::Ordinary, LONG).await.unwrap_err(),
        RateLimitError::Never {
            cost: 11,
            capacity: 10
        }
    );
    bucket
        .acquire(10, Lane::Ordinary, Duration::ZERO)
        .await
        .unwrap()
        .received();
    assert_eq!(
        bucket
            .acquire(5, Lane::Ordinary, Duration::from_millis(499))
            .await
            .unwrap_err(),
        RateLimitError::Wait {
            needed: Duration::from_millis(500),
            max_wait: Duration::from_millis(499)
        }
    );
    assert_eq!(
        (start.elapsed(), bucket.snapshot().waiting),
        (Duration::ZERO, 0)
    );
    bucket
        .acquire(5, Lane::Ordinary, Duration::from_millis(510))
        .await
        .unwrap()
        .received();
}

#[tokio::test(start_paused = true)]
async fn small_request_does_not_overtake_a_large_one_but_a_cancel_does() {
    let bucket = bucket(10, 100);
    bucket
        .acquire(100, Lane::Ordinary, LONG)
        .await
        .unwrap()
        .received();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for (name, cost, lane) in [
        ("large", 50, Lane::Ordinary),
        ("small", 1, Lane::Ordinary),
        ("cancel", 2, Lane::Priority),
    ] {
        let (bucket, order) = (bucket.clone(), order.clone());
        tasks.spawn(async move {
            bucket.acquire(cost, lane, LONG).await.unwrap().received();
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
    bucket
        .acquire(10, Lane::Ordinary, LONG)
        .await
        .unwrap()
        .received();
    let first = tokio::spawn({
        let bucket = bucket.clone();
        async move { bucket.acquire(10, Lane::Ordinary, LONG).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let bucket = bucket.clone();
        async move { bucket.acquire(1, Lane::Ordinary, LONG).await.map(drop) }
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
    // A full bucket stays full.
    bucket.resize(BucketLimit::new(1000, 2000));
    assert_eq!(bucket.snapshot().tokens, 2000);
    // A waiting request that exceeds the new capacity fails.
    bucket.empty();
    let waiting = tokio::spawn({
        let bucket = bucket.clone();
        async move { bucket.acquire(1500, Lane::Ordinary, LONG).await.map(drop) }
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
        .unwrap()
        .received();
    tokio::time::advance(Duration::from_secs(3_000_000_000)).await;
    assert_eq!(bucket.snapshot().tokens, u32::MAX);
}

#[tokio::test(start_paused = true)]
async fn bucket_of_one_request_paces_from_its_response() {
    let bucket = TokenBucket::new(BucketLimit::new(10, 10), Duration::from_millis(50));
    let start = Instant::now();
    let permit = bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
    let (next, ()) = tokio::join!(bucket.acquire(10, Lane::Ordinary, LONG), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        permit.received();
    });
    next.unwrap().received();
    let waited = start.elapsed().as_millis();
    assert!((1_700..=1_702).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn attempt_without_a_response_frees_the_bucket_when_it_ends() {
    let bucket = TokenBucket::new(BucketLimit::new(10, 10), Duration::from_millis(50));
    let start = Instant::now();
    drop(bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap());
    // The request may arrive up to 50 ms after it was sent.
    let next = bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
    let waited = start.elapsed().as_millis();
    assert!((1_050..=1_052).contains(&waited), "{waited} ms");
    // A permit that never ends blocks the bucket only for a limited time.
    std::mem::forget(next);
    bucket
        .acquire(10, Lane::Ordinary, LONG)
        .await
        .unwrap()
        .received();
    let waited = start.elapsed().as_millis();
    assert!((12_050..=12_055).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn request_behind_a_pending_response_waits_for_its_whole_max_wait() {
    let bucket = TokenBucket::new(BucketLimit::new(10, 10), Duration::from_millis(50));
    let _pending = bucket.acquire(10, Lane::Ordinary, LONG).await.unwrap();
    let start = Instant::now();
    let short = Duration::from_millis(1_049);
    let error = bucket.acquire(10, Lane::Ordinary, short).await.unwrap_err();
    assert_eq!(
        (error.wait(), start.elapsed()),
        (Some(Duration::from_millis(1_050)), Duration::ZERO)
    );
    // The response is expected in time but does not arrive.
    let longer = Duration::from_secs(3);
    let error = bucket
        .acquire(10, Lane::Ordinary, longer)
        .await
        .unwrap_err();
    assert!(error.wait() >= Some(longer), "{error}");
    assert!(start.elapsed() >= longer);
    assert_eq!(bucket.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn rejection_widens_the_slack_of_the_bucket() {
    let bucket = TokenBucket::new(BucketLimit::new(100, 100), Duration::from_millis(50));
    assert_eq!(bucket.snapshot().slack, Duration::from_millis(50));
    bucket.empty();
    assert_eq!(bucket.snapshot().slack, Duration::from_millis(100));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(bucket.snapshot().slack, Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn waiting_cancel_that_is_not_polled_does_not_block_an_order() {
    let bucket = bucket(100, 100);
    let full = bucket.acquire(100, Lane::Ordinary, LONG).await;
    full.unwrap().received();
    let start = Instant::now();
    let mut cancel = pin!(bucket.acquire(2, Lane::Priority, LONG));
    tokio::select! {
        biased;
        _ = &mut cancel => panic!("did not wait"),
        () = ready(()) => {}
    }
    let max_wait = Duration::from_millis(200);
    for expected in [120, 220, 320] {
        let order = bucket.acquire(10, Lane::Ordinary, max_wait).await;
        order.unwrap().received();
        let waited = start.elapsed().as_millis();
        assert!((expected..expected + 15).contains(&waited), "{waited} ms");
    }
    let before = Instant::now();
    cancel.await.unwrap().received();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn request_that_cannot_overtake_is_polled_rarely() {
    let bucket = bucket(1_000_000, 100);
    bucket.empty();
    let mut head = pin!(bucket.acquire(100, Lane::Ordinary, LONG));
    tokio::select! {
        biased;
        _ = &mut head => panic!("did not wait"),
        () = ready(()) => {}
    }
    // The bucket never holds the tokens of both.
    let max_wait = Duration::from_secs(1);
    let mut second = pin!(bucket.acquire(10, Lane::Ordinary, max_wait));
    let mut polls = 0;
    let result = poll_fn(|context| {
        polls += 1;
        second.as_mut().poll(context)
    });
    result.await.unwrap_err();
    assert!(polls <= 101, "{polls} polls");
}

#[tokio::test(start_paused = true)]
async fn requests_are_sent_in_order_even_if_several_are_ready_at_the_same_time() {
    // One request per 0.1 ms, and a timer resolution of 1 ms.
    let bucket = bucket(100_000, 100);
    let full = bucket.acquire(100, Lane::Ordinary, LONG).await;
    full.unwrap().received();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (bucket, order) = (bucket.clone(), order.clone());
        tasks.spawn(async move {
            let permit = bucket.acquire(10, Lane::Ordinary, LONG).await;
            order.lock().unwrap().push(number);
            permit.unwrap().received();
        });
    }
    tasks.join_all().await;
    assert!(order.lock().unwrap().is_sorted());
}

#[tokio::test(start_paused = true)]
async fn cancel_does_not_wait_for_the_response_to_a_large_batch() {
    let bucket = TokenBucket::new(BucketLimit::new(100, 100), Duration::from_millis(50));
    let max_wait = Duration::from_secs(5);
    let batch = bucket.acquire(100, Lane::Ordinary, LONG).await.unwrap();
    let start = Instant::now();
    // The slack, and the refill of 2 tokens for each.
    for expected in [70, 90] {
        let cancel = bucket.acquire(2, Lane::Priority, max_wait).await;
        let waited = start.elapsed().as_millis();
        assert!((expected..expected + 5).contains(&waited), "{waited} ms");
        drop(cancel.unwrap());
    }
    // Another batch waits for the response, and a cancel does not wait behind it.
    let mut next = pin!(bucket.acquire(100, Lane::Ordinary, LONG));
    tokio::select! {
        biased;
        _ = &mut next => panic!("did not wait"),
        cancel = bucket.acquire(2, Lane::Priority, max_wait) => cancel.unwrap().received(),
    }
    let waited = start.elapsed().as_millis();
    assert!((110..115).contains(&waited), "{waited} ms");
    tokio::time::advance(Duration::from_secs(1)).await;
    batch.received();
    let responded = Instant::now();
    next.await.unwrap().received();
    let waited = responded.elapsed().as_millis();
    assert!((1_000..1_005).contains(&waited), "{waited} ms");
}
