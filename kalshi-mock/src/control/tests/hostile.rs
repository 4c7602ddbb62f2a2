//! Invalid, large and slow requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{MARKET, call, call_ok, conformance, empty_exchange, status};
use crate::MockExchange;

/// Sends a body unchanged.
async fn send(exchange: &MockExchange, method: &str, path: &str, body: Vec<u8>) -> u16 {
    let url = format!("{}{path}", exchange.control_url());
    let request = reqwest::Client::new().request(method.parse().unwrap(), url);
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    if status != 200 {
        assert!(text.len() < 2000, "quotes the whole request");
        conformance::check_error(&body);
    }
    status
}

#[tokio::test]
async fn invalid_bodies_are_rejected_and_change_nothing() {
    let exchange = empty_exchange().await;
    call_ok(&exchange, "PUT", MARKET, Value::Null).await;
    let user = format!("/users/{}", exchange.user().id());
    let before = exchange.snapshot();
    let nested = "[".repeat(100_000);
    for text in [
        "{",
        "nonsense",
        "[]",
        "7",
        "\"text\"",
        "null",
        "{\"a\":1,}",
        "{\"side\":\"bid\"}{}",
        nested.as_str(),
    ] {
        for (method, path) in [
            ("POST", format!("{MARKET}/quotes")),
            ("POST", format!("{MARKET}/settle")),
            ("POST", "/faults".to_owned()),
            ("POST", "/sign".to_owned()),
            ("POST", "/time/advance".to_owned()),
            ("POST", format!("{user}/deposits")),
        ] {
            let status = send(&exchange, method, &path, text.as_bytes().to_vec()).await;
            assert_eq!(status, 400, "{path} {text:.20}");
        }
    }
    assert_eq!(
        send(
            &exchange,
            "PUT",
            MARKET,
            b"{\"price_level_structure\":\"\xff\"}".to_vec()
        )
        .await,
        400
    );
    let quote = |side: Value, price: Value, count: Value| json!({ "side": side, "price": price, "count": count });
    for (method, path, body) in [
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("buy".into(), "0.4".into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), 0.4.into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "0.4".into(), 1.into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "0".into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "1".into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "-0.1".into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "0.12345678".into(), "1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "0.4".into(), "0".into()),
        ),
        (
            "POST",
            format!("{MARKET}/quotes"),
            quote("bid".into(), "0.4".into(), "-1".into()),
        ),
        (
            "POST",
            format!("{MARKET}/trades"),
            quote("bid".into(), "0.4".into(), "1000000001".into()),
        ),
        (
            "POST",
            format!("{MARKET}/trades"),
            quote("bid".into(), "0.4".into(), "99999999999999999999".into()),
        ),
        (
            "POST",
            format!("{MARKET}/trades"),
            json!({ "side": "bid", "price": "0.4", "count": "1", "post_only": true }),
        ),
        (
            "POST",
            format!("{MARKET}/settle"),
            json!({ "result": "maybe" }),
        ),
        (
            "POST",
            format!("{MARKET}/settle"),
            json!({ "result": "1.01" }),
        ),
        (
            "POST",
            format!("{MARKET}/settle"),
            json!({ "result": "0.755" }),
        ),
        (
            "POST",
            format!("{MARKET}/settle"),
            json!({ "result": true }),
        ),
        ("PUT", MARKET.to_owned(), json!({ "closes_at": "tomorrow" })),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "mutually_exclusive": "yes" }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "strike_type": "greater" }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "strike_type": "less", "floor_strike": 1 }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "strike_type": "between", "floor_strike": 2, "cap_strike": 1 }),
        ),
        ("PUT", MARKET.to_owned(), json!({ "floor_strike": 1 })),
        ("PUT", MARKET.to_owned(), json!({ "exchange_index": -1 })),
        ("PUT", MARKET.to_owned(), json!({ "exchange_index": 65536 })),
        ("PUT", MARKET.to_owned(), json!({ "price_ranges": [] })),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "price_level_structure": "x" }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "price_ranges": [{ "start": "0", "end": "1", "step": "0" }] }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "price_ranges": [{ "start": "1", "end": "0", "step": "0.01" }] }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "price_ranges": [{ "start": "0", "end": "1", "step": "0.000001" }] }),
        ),
        (
            "PUT",
            MARKET.to_owned(),
            json!({ "price_ranges": vec![json!({ "start": "0", "end": "1", "step": "0.01" }); 21] }),
        ),
        ("PUT", format!("/markets/{}", "A".repeat(101)), json!({})),
        ("PUT", "/markets/KX%20A".to_owned(), json!({})),
        ("PUT", "/markets/%ff".to_owned(), json!({})),
        ("PUT", "/markets/".to_owned(), json!({})),
        (
            "POST",
            "/time/stop".to_owned(),
            json!({ "at": "1969-12-31T23:59:59Z" }),
        ),
        (
            "POST",
            "/time/stop".to_owned(),
            json!({ "at": "9999-12-31T23:59:59Z" }),
        ),
        (
            "POST",
            "/time/advance".to_owned(),
            json!({ "milliseconds": -1 }),
        ),
        (
            "POST",
            "/time/advance".to_owned(),
            json!({ "milliseconds": u64::MAX }),
        ),
        (
            "POST",
            "/time/advance".to_owned(),
            json!({ "milliseconds": i64::MAX }),
        ),
        (
            "POST",
            "/time/advance".to_owned(),
            json!({ "milliseconds": 1.5 }),
        ),
        ("POST", "/schedule".to_owned(), json!({ "event": "close" })),
        (
            "POST",
            "/faults".to_owned(),
            json!({ "fault": "earthquake" }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "earthquake" }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "drop_frames" }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "drop_frames", "count": -1 }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "close", "code": 1006, "reason": "" }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "close", "code": 1000, "reason": "x".repeat(124) }),
        ),
        (
            "POST",
            "/websocket/faults".to_owned(),
            json!({ "fault": "reject_handshakes", "status": 101, "times": 1 }),
        ),
        ("POST", "/sign".to_owned(), json!({ "method": "GET" })),
        (
            "POST",
            "/sign".to_owned(),
            json!({ "method": "G E T", "path": "/" }),
        ),
        (
            "POST",
            "/sign".to_owned(),
            json!({ "method": "GET", "path": "http://127.0.0.1/" }),
        ),
        (
            "POST",
            format!("{user}/deposits"),
            json!({ "amount": "0.001" }),
        ),
        ("POST", format!("{user}/deposits"), json!({ "amount": 1 })),
        (
            "POST",
            format!("{user}/deposits"),
            json!({ "amount": "1", "margin": true, "exchange_index": 1 }),
        ),
        ("POST", format!("{user}/keys"), json!({ "key_id": "a" })),
        (
            "POST",
            format!("{user}/keys"),
            json!({ "public_key": "none", "key_id": "a" }),
        ),
        (
            "POST",
            format!("{user}/keys"),
            json!({ "public_key": exchange.user().private_key().public_key().to_pem() }),
        ),
        (
            "POST",
            format!("{user}/keys"),
            json!({ "public_key": exchange.user().private_key().public_key().to_pem(), "key_id": ".." }),
        ),
        ("POST", format!("{user}/keys"), json!({ "subaccount": 64 })),
        ("POST", "/users".to_owned(), json!({ "name": "x" })),
        (
            "POST",
            "/sign".to_owned(),
            json!({ "method": "GET", "path": "/trade-api/v2/markets/\u{e9}" }),
        ),
        ("PUT", "/markets/-A".to_owned(), json!({})),
        (
            "GET",
            "/requests?operation=CreateOrder".to_owned(),
            Value::Null,
        ),
        ("GET", "/requests?limit=many".to_owned(), Value::Null),
        ("GET", "/requests?limits=1".to_owned(), Value::Null),
    ] {
        let (code, response) = call(&exchange, method, &path, body.clone()).await;
        let expected = if path == "/markets/" {
            400..=405
        } else {
            400..=400
        };
        assert!(
            expected.contains(&code),
            "{method} {path} {body}: {code} {response}"
        );
    }
    let mut after = exchange.snapshot();
    after.now = before.now;
    // Reads advance the clock of books.
    for (after, before) in after.markets.iter_mut().zip(&before.markets) {
        after.book.clock = before.book.clock;
    }
    assert_eq!(after, before);
}

#[cfg(feature = "perps")]
#[tokio::test]
async fn invalid_margin_settings_are_rejected() {
    let exchange = empty_exchange().await;
    for body in [
        json!({ "mark_price": "0" }),
        json!({ "mark_price": "1000000.01" }),
        json!({ "reference_price": "-1" }),
        json!({ "funding_rate": "0.03" }),
        json!({ "maker_fee_rate": "0.1" }),
        json!({ "maker_fee_rate": "-0.1", "taker_fee_rate": "0.1" }),
        json!({ "maker_fee_rate": "0.1", "taker_fee_rate": "1.1" }),
        json!({ "leverage": "0.5" }),
        json!({ "leverage": "7.00001" }),
        json!({ "version": 1_i64 << 40 }),
        json!({ "closes_at": "2027-01-01T00:00:00Z" }),
    ] {
        let code = status(&exchange, "PUT", "/margin/markets/KXTESTPERP", body.clone()).await;
        assert_eq!(code, 400, "{body}");
    }
    assert_eq!(exchange.margin_market_snapshot("KXTESTPERP"), None);
}

#[tokio::test]
async fn unknown_paths_and_objects_are_404_and_wrong_methods_405() {
    let exchange = empty_exchange().await;
    let other = uuid::Uuid::nil();
    let quote = json!({ "side": "bid", "price": "0.4", "count": "1" });
    for (method, path, body) in [
        ("GET", "/nothing".to_owned(), Value::Null),
        ("GET", "/state/".to_owned(), Value::Null),
        ("GET", "/markets/A/B/C".to_owned(), Value::Null),
        ("GET", MARKET.to_owned(), Value::Null),
        ("POST", format!("{MARKET}/quotes"), quote),
        (
            "POST",
            format!("{MARKET}/settle"),
            json!({ "result": "yes" }),
        ),
        ("POST", format!("{MARKET}/close"), Value::Null),
        ("GET", format!("/users/{other}"), Value::Null),
        ("POST", format!("/users/{other}/keys"), Value::Null),
        (
            "POST",
            "/users/1/deposits".to_owned(),
            json!({ "amount": "1" }),
        ),
        (
            "POST",
            "/sign".to_owned(),
            json!({ "method": "GET", "path": "/", "key_id": "other" }),
        ),
    ] {
        assert_eq!(
            status(&exchange, method, &path, body).await,
            404,
            "{method} {path}"
        );
    }
    assert_eq!(exchange.tickers(), Vec::<String>::new());
    for path in ["/", "/state", "/events"] {
        let url = format!("{}{path}", exchange.control_url());
        let response = reqwest::Client::new().head(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "tools wait for a server with HEAD");
        assert_eq!(response.bytes().await.unwrap().len(), 0);
    }
    for (method, path, allowed) in [
        ("HEAD", "/reset", "POST"),
        ("PUT", "/reset", "POST"),
        ("TRACE", "/requests", "GET, DELETE"),
        ("ODD", "/time", "GET"),
    ] {
        let url = format!("{}{path}", exchange.control_url());
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], allowed);
    }
}

#[tokio::test]
async fn large_and_slow_bodies_are_rejected() {
    let exchange = empty_exchange().await;
    for (size, expected) in [(1_000_000, 400), (2 << 20, 413), (20 << 20, 413)] {
        let body = format!("{{\"fault\":\"{}\"}}", "x".repeat(size));
        assert_eq!(
            send(&exchange, "POST", "/faults", body.into_bytes()).await,
            expected
        );
    }
    let mut stream = TcpStream::connect(exchange.address()).await.unwrap();
    let head = "POST /mock/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"fa";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (started, mut response) = (Instant::now(), [0; 12]);
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 408");
    assert!(started.elapsed() < Duration::from_secs(8));
    // A request with an incomplete body is not executed.
    let mut stream = TcpStream::connect(exchange.address()).await.unwrap();
    let head = "POST /mock/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{}";
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(exchange.users().len(), 1);
}

#[tokio::test]
async fn client_that_does_not_read_does_not_hold_up_the_shutdown() {
    let exchange = empty_exchange().await;
    for number in 0..2000 {
        exchange.market(&format!("KXTEST-{number}-A"));
    }
    let mut streams = Vec::new();
    for path in ["/mock/events", "/mock/state"] {
        let mut stream = TcpStream::connect(exchange.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(20);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shutdown = tokio::time::timeout(Duration::from_secs(5), exchange.shutdown()).await;
    assert!(shutdown.is_ok());
}
