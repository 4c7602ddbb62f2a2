//! Wrong and jumping clocks.

use kalshi_sdk::{
    reqwest::{Request, Response},
    reqwest_middleware::{self, Middleware, Next},
};

use super::*;

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
                    // A `Date` has whole seconds, and the response takes time.
                    let mut skews = (29..=31).map(|seconds| {
                        format!("; this machine's clock is {seconds} seconds {direction}")
                    });
                    assert!(skews.any(|skew| text.contains(&skew)), "{text}");
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

/// A middleware that reads the response and returns a copy without extensions.
struct Copies;

#[async_trait::async_trait]
impl Middleware for Copies {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut response = next.run(request, extensions).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut copy = http::Response::new(response.bytes().await?);
        (*copy.status_mut(), *copy.headers_mut()) = (status, headers);
        Ok(copy.into())
    }
}

#[tokio::test]
async fn skew_is_known_from_responses_that_a_middleware_rebuilt() {
    let exchange = ahead(3).await;
    let client = builder(&exchange).middleware(Copies).build().unwrap();
    for _ in 0..3 {
        assert_eq!(client.clock_skew(), None);
        read(&client).await.unwrap();
    }
    let skew = client.clock_skew().unwrap().num_milliseconds();
    assert!((skew - 3_000).abs() < 1_000, "{skew}");
}

/// A middleware that responds with an old `Date` without sending anything.
struct Fake;

#[async_trait::async_trait]
impl Middleware for Fake {
    async fn handle(
        &self,
        _: Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let response = http::Response::builder()
            .header("date", "Sat, 01 Aug 2026 00:00:00 GMT")
            .body(balance().to_string())
            .unwrap();
        Ok(response.into())
    }
}

#[tokio::test]
async fn response_made_by_a_middleware_does_not_show_the_clock() {
    let exchange = ahead(0).await;
    let client = builder(&exchange).middleware(Fake).build().unwrap();
    for _ in 0..3 {
        read(&client).await.unwrap();
    }
    assert_eq!((client.clock_skew(), exchange.count()), (None, 0));
}

#[tokio::test]
async fn wrong_date_of_401_costs_one_extra_attempt() {
    let exchange = Exchange::start(|_| {
        let wrong = SystemTime::now() + Duration::from_secs(7_200);
        Reply::json(
            401,
            &json!({ "error": { "code": "header_timestamp_expired" } }),
        )
        .dated(wrong)
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
async fn unauthorized_response_with_correct_clock_is_not_retried() {
    let exchange = Exchange::start(|_| Reply::status(401).dated(SystemTime::now())).await;
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
