//! Bounds on the memory and time that a hostile or broken server can make the client use.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key, peak_memory,
};
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, RetryPolicy, auth::FixedClock, limits::RateLimits,
    orders::OrderOutcome, types,
};
use serde_json::json;

const BALANCE: &str =
    r#"{"balance":1,"balance_dollars":"0.01","portfolio_value":1,"updated_ts":1790000000}"#;

const MIB: usize = 1024 * 1024;

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
}

fn client(exchange: &Exchange) -> Client {
    builder(exchange).build().unwrap()
}

fn padded(body: &str, length: usize) -> Vec<u8> {
    let mut body = body.to_owned().into_bytes();
    body.resize(length, b' ');
    body
}

#[tokio::test]
async fn endless_body_is_an_error_that_names_the_limit() {
    let exchange = Exchange::start(|_| Reply::Endless(200, b"{".to_vec())).await;
    let error = client(&exchange).get_balance().send().await.unwrap_err();
    assert!(error.is_body_too_large(), "{error:?}");
    assert!(!error.is_decode() && !error.was_not_processed() && error.may_have_reached_exchange());
    assert_eq!(error.status().unwrap(), 200);
    let text = error.to_string();
    assert!(
        text.contains("33554432 bytes") && text.contains("max_body_bytes"),
        "{text}"
    );
    // Reads are not retried either, because the next body would be as long.
    assert_eq!((exchange.count(), error.attempts()), (1, 1));
    exchange.all_closed().await;
}

#[tokio::test]
async fn body_is_read_up_to_the_limit() {
    for length in [BALANCE.len(), 3 * MIB + 17] {
        let exchange =
            Exchange::start(move |_| Reply::Response(200, Vec::new(), padded(BALANCE, length)))
                .await;
        for (max, fits) in [
            (length, true),
            (length - 1, false),
            (1, false),
            (usize::MAX, true),
        ] {
            let client = builder(&exchange).max_body_bytes(max).build().unwrap();
            match client.get_balance().send().await {
                Ok(balance) => assert!(fits && balance.balance == 1, "{length} {max}"),
                Err(error) => assert!(!fits && error.is_body_too_large(), "{error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn write_with_body_over_the_limit_is_unknown() {
    let exchange = Exchange::start(|_| Reply::Endless(201, b"{".to_vec())).await;
    let client = builder(&exchange).max_body_bytes(1_000).build().unwrap();
    let order = types::CreateOrderV2Request::builder()
        .ticker("KXTEST-26-A")
        .side(types::BookSide::Bid)
        .price("0.5600")
        .count("10")
        .time_in_force(types::TimeInForce::GoodTillCanceled)
        .self_trade_prevention_type(types::SelfTradePreventionType::TakerAtCross)
        .client_order_id("mine");
    let order = types::CreateOrderV2Request::try_from(order).unwrap();
    let OrderOutcome::Unknown(unknown) = client.orders().place(order).await.unwrap() else {
        panic!("expected an unknown outcome, because the exchange may have placed the order")
    };
    let text = unknown.error().to_string();
    assert!(
        text.contains("the exchange may have acted on the request"),
        "{text}"
    );
    assert_eq!(exchange.count(), 1);
}

#[tokio::test]
async fn error_body_is_read_up_to_its_limit() {
    let rejection = r#"{"error":{"code":"insufficient_balance","message":"no"}}"#;
    let exchange = Exchange::start(move |request| match request.number {
        0 => Reply::Endless(400, rejection.as_bytes().to_vec()),
        1 => Reply::Response(400, Vec::new(), padded(rejection, 64 * 1024 + 1)),
        _ => Reply::Response(400, Vec::new(), padded(rejection, 64 * 1024)),
    })
    .await;
    // The limit of error responses is independent of `max_body_bytes`.
    let client = builder(&exchange).max_body_bytes(1).build().unwrap();
    for code in [None, None, Some("insufficient_balance")] {
        let error = client.get_balance().send().await.unwrap_err();
        let api = error.api().unwrap();
        assert_eq!((api.status().as_u16(), api.code()), (400, code));
        assert!(api.message().unwrap().chars().count() <= 200);
        if exchange.count() == 1 {
            // A connection with unread body bytes is not reused.
            exchange.all_closed().await;
        }
    }
}

#[tokio::test]
async fn announced_length_allocates_nothing() {
    let exchange = Exchange::start(|request| match request.number {
        0 => Reply::Announced(200, 1 << 60, BALANCE.as_bytes().to_vec()),
        1 => Reply::Announced(400, 1 << 60, b"{}".to_vec()),
        _ => Reply::Announced(200, 1 << 60, vec![b' '; 5 * MIB]),
    })
    .await;
    let client = builder(&exchange)
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    for _ in 0..3 {
        let error = client.get_balance().send().await.unwrap_err();
        assert!(error.to_string().contains("incomplete response"), "{error}");
    }
}

#[tokio::test]
async fn endless_bodies_take_bounded_memory() {
    if !crate::common::is_alone("bounds::endless_bodies_take_bounded_memory") {
        return;
    }
    let exchange = Exchange::start(|request| match request.number % 2 {
        0 => Reply::Endless(200, b"{".to_vec()),
        _ => Reply::Endless(500, b"{".to_vec()),
    })
    .await;
    let client = builder(&exchange)
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    let before = peak_memory();
    let started = Instant::now();
    for _ in 0..6 {
        client.get_balance().send().await.unwrap_err();
    }
    let Some((before, after)) = before.zip(peak_memory()) else {
        println!("skipped: this system does not report the memory of a process");
        return;
    };
    println!("{} MiB in {:?}", (after - before) / MIB, started.elapsed());
    assert!(after - before < 128 * MIB, "{} MiB", (after - before) / MIB);
}

/// Returns an unterminated gzip stream that expands 13 bits to 258 bytes.
#[cfg(feature = "gzip")]
fn gzip_bomb(length: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u64, 0);
    // A non-final block with fixed codes: a space, then repeatedly length 258 at distance 1.
    let symbols = std::iter::once((0b010, 3))
        .chain(std::iter::once((0b0000_1010, 8)))
        .chain(std::iter::repeat((0b0_0000_1010_0011, 13)));
    for (symbol, width) in symbols {
        bits |= symbol << count;
        count += width;
        while count >= 8 {
            out.push(u8::try_from(bits & 255).unwrap());
            bits >>= 8;
            count -= 8;
        }
        if out.len() >= length {
            return out;
        }
    }
    out
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn body_limit_applies_after_decompression() {
    if !crate::common::is_alone("bounds::body_limit_applies_after_decompression") {
        return;
    }
    let bomb = gzip_bomb(2_000_000);
    let exchange = Exchange::start(move |request| {
        let status = if request.number == 0 { 200 } else { 400 };
        Reply::Response(
            status,
            vec![("content-encoding", "gzip".to_owned())],
            bomb.clone(),
        )
    })
    .await;
    let client = client(&exchange);
    let before = peak_memory();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(error.is_body_too_large(), "{error:?}");
    let error = client.get_balance().send().await.unwrap_err();
    assert_eq!(
        (error.status().unwrap().as_u16(), error.code()),
        (400, None)
    );
    if let Some((before, after)) = before.zip(peak_memory()) {
        assert!(after - before < 128 * MIB, "{} MiB", (after - before) / MIB);
    }
}

/// serde_json skips unknown fields of any depth, so only the search for the path has to process the nesting.
#[tokio::test]
async fn deep_nesting_is_an_error_in_linear_time() {
    let exchange = Exchange::start(|_| {
        let body = format!("{{\"unknown\":{}", "[".repeat(4_000_000));
        Reply::Response(200, Vec::new(), body.into_bytes())
    })
    .await;
    let started = Instant::now();
    let error = client(&exchange).get_balance().send().await.unwrap_err();
    assert!(error.is_decode(), "{error:?}");
    let path = error.decode_path().unwrap();
    assert!(path.starts_with("$.unknown[0][0][0]"), "{path}");
    assert!(path.chars().count() <= 256);
    assert_eq!(error.body().unwrap().len(), 4_000_011);
    assert!(error.to_string().len() < 1_000 && format!("{error:?}").len() < 1_500);
    // A quadratic search would take an hour.
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn undecodable_body_is_kept_but_not_printed() {
    let long = json!({ "balance": "x", "secret": "s".repeat(5_000) }).to_string();
    let sent = long.clone();
    let exchange = Exchange::start(move |request: &Received| match request.method.as_str() {
        "GET" => Reply::Response(200, Vec::new(), sent.clone().into_bytes()),
        _ => Reply::json(
            201,
            &json!({ "api_key_id": 7, "private_key": "abc", "x": "hidden" }),
        ),
    })
    .await;
    let client = client(&exchange);
    let error = client.get_balance().send().await.unwrap_err();
    assert_eq!(error.body().unwrap(), long.as_bytes());
    assert!(!error.is_row() && error.decode_path() == Some("$.balance"));
    assert!(!format!("{error} {error:?}").contains(&"s".repeat(200)));
    // The response of this operation contains a private key, so no part of the body is printed.
    let request = client.generate_api_key();
    let body = types::GenerateApiKeyRequest::builder().name("n");
    let error = request.body(body).send().await.unwrap_err();
    assert!(error.is_decode() && error.body().is_none());
    assert!(
        !format!("{error} {error:?}").contains("hidden"),
        "{error:?}"
    );
}

#[tokio::test]
async fn retry_after_date_is_relative_to_clock_of_exchange() {
    let hour = Duration::from_secs(3_600);
    let exchange = Exchange::start(move |request| {
        let now = SystemTime::now() + hour;
        let date = httpdate::fmt_http_date(now);
        let after = httpdate::fmt_http_date(now + Duration::from_secs(10));
        let reply = Reply::status(429).with_header("retry-after", after);
        match request.number {
            0..3 => reply.with_header("date", date),
            _ => reply.with_header("date", ""),
        }
    })
    .await;
    // The local clock is an hour behind.
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let clock = FixedClock(u64::try_from(now.as_millis()).unwrap());
    let client = builder(&exchange)
        .clock(Arc::new(clock))
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    // First by the date of the response, then by the skew estimated from earlier dates.
    for _ in 0..4 {
        let error = client.get_balance().send().await.unwrap_err();
        let wait = error.api().unwrap().retry_after().unwrap().as_secs();
        assert!((8..=12).contains(&wait), "{wait}");
    }
}

#[cfg(feature = "ws")]
mod websocket {
    use super::*;
    use crate::scripted_server;
    use kalshi_sdk::ws::{ConnectionError, Event, Frame, Message};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn deeply_nested_frame_is_malformed_in_linear_time() {
        let lists = "[".repeat(2_000_000);
        let started = Instant::now();
        for text in [
            format!(r#"{{"type":"trade","sid":1,"msg":{{"unknown":{lists}"#),
            format!(r#"{{"type":"trade","sid":1,"msg":{{"unknown":{lists}}}}}"#),
            format!(r#"{{"type":"trade","sid":1,"msg":{{"count_fp":"{lists}"}}}}"#),
            format!(r#"{{"sid":1,"unknown":{lists}"#),
            lists.clone(),
        ] {
            let Message::Malformed(malformed) = Frame::parse(&text).message else {
                panic!("expected a malformed message")
            };
            assert!(malformed.path.chars().count() <= 256 + "$.msg".len());
            assert!(malformed.reason.chars().count() <= 200);
        }
        // A quadratic search would take half an hour.
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{:?}",
            started.elapsed()
        );
    }

    #[tokio::test]
    async fn endless_handshake_rejection_is_truncated() {
        let exchange = scripted_server::Exchange::new().await;
        let reject = async {
            let mut tcp = exchange.accept_tcp().await;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                tcp.read_buf(&mut request).await.unwrap();
            }
            let head = b"HTTP/1.1 403 No\r\n\r\n{\"error\":{\"code\":\"x\"}}";
            tcp.write_all(head).await.unwrap();
            // Send until the client closes the connection.
            while tcp.write_all(&[b' '; 10_000]).await.is_ok() {}
        };
        let (connection, ()) = tokio::join!(exchange.client.websocket().connect(), reject);
        match connection.unwrap_err() {
            ConnectionError::Rejected { error, .. } => {
                assert_eq!((error.status().as_u16(), error.code()), (403, None));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn message_over_the_limit_closes_the_connection() {
        let exchange = scripted_server::Exchange::new().await;
        let connecting = exchange.client.websocket().max_message_bytes(10_000);
        let (connection, mut peer) = tokio::join!(connecting.connect(), exchange.accept());
        let mut connection = connection.unwrap();
        let frame =
            |length: usize| json!({"type": "new", "sid": 1, "msg": {"x": "x".repeat(length)}});
        peer.send(frame(9_000)).await;
        peer.send(frame(10_000)).await;
        let mut seen = Vec::new();
        loop {
            match connection.next().await.unwrap().unwrap() {
                Event::Disconnected { reason } => {
                    assert!(
                        matches!(&*reason, ConnectionError::MessageTooLarge(10_000)),
                        "{reason:?}"
                    );
                    assert!(reason.to_string().contains("max_message_bytes"), "{reason}");
                    break;
                }
                event => seen.push(event),
            }
        }
        let messages = seen
            .iter()
            .filter(|event| matches!(event, Event::Message(_)));
        assert_eq!(messages.count(), 1);
        // The close frame gives the reason.
        match peer.control().await {
            Some(tokio_tungstenite::tungstenite::Message::Close(Some(frame))) => {
                assert_eq!(u16::from(frame.code), 1009);
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn message_over_16_mib_closes_the_connection() {
        let exchange = scripted_server::Exchange::new().await;
        let (connection, mut peer) =
            tokio::join!(exchange.client.websocket().connect(), exchange.accept());
        let mut connection = connection.unwrap();
        // The length in the header is enough.
        let mut header = vec![0x81, 127];
        header.extend((16_u64 * 1_024 * 1_024 + 1).to_be_bytes());
        let tcp = peer.socket.get_mut();
        tcp.write_all(&header).await.unwrap();
        let reason = loop {
            if let Event::Disconnected { reason } = connection.next().await.unwrap().unwrap() {
                break reason;
            }
        };
        assert!(
            matches!(&*reason, ConnectionError::MessageTooLarge(max) if *max == 16 * 1_024 * 1_024),
            "{reason:?}"
        );
    }
}
