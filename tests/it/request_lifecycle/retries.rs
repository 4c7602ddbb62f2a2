//! Which requests are retried, and when.

use super::*;

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
            Reply::Response(
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
            Reply::Response(
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

#[tokio::test]
async fn write_is_not_retried_after_429_of_proxy() {
    let proxies: [Make; 4] = [
        || Reply::status(429),
        || Reply::json(429, &json!({ "message": "Too Many Requests" })),
        || Reply::json(429, &json!({})),
        || Reply::Response(429, Vec::new(), b"<html></html>".to_vec()),
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

/// The last attempt of a read has no attempt timeout, only the timeout of the request.
#[tokio::test]
async fn last_attempt_has_no_attempt_timeout() {
    let exchange = failing(usize::MAX, || {
        Reply::Slow(
            Duration::from_millis(500),
            200,
            balance().to_string().into_bytes(),
        )
    })
    .await;
    let policy = quick().with_attempt_timeout(Some(Duration::from_millis(200)));
    let client = builder(&exchange)
        .retry(policy)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    assert_eq!(read(&client).await.unwrap(), 100);
    assert_eq!(exchange.count(), 3);
}

/// The timeout of an attempt does not apply if no other attempt could start after it.
#[tokio::test]
async fn attempt_is_not_abandoned_if_no_other_may_follow() {
    let exchange = Exchange::start(|_| {
        let body = balance().to_string().into_bytes();
        Reply::Slow(Duration::from_millis(200), 200, body)
    })
    .await;
    let policy = quick()
        .with_attempt_timeout(Some(Duration::from_millis(50)))
        .with_max_elapsed(Duration::from_millis(40));
    let client = builder(&exchange).retry(policy).build().unwrap();
    assert_eq!(read(&client).await.unwrap(), 100);
    assert_eq!(exchange.count(), 1);
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
