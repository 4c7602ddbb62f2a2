//! Faults injected into WebSocket connections.

use std::time::{Duration, Instant};

use crate::common::listener::{Listener, code, rejected_handshake, seqs, signed};
use crate::common::{TICKER, dollars, exchange};
use futures_util::SinkExt;
use kalshi_mock::{Market, MockExchange};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

/// Starts an exchange with a listener to one book. The listener has read the snapshot.
async fn listening() -> (MockExchange, Market, Listener) {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let listener = listener(&exchange).await;
    (exchange, market, listener)
}

async fn listener(exchange: &MockExchange) -> Listener {
    let mut listener = Listener::open(exchange).await;
    listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    assert_eq!(listener.next().await["seq"], 1);
    listener
}

/// Changes the book `times` times, by one contract each time.
fn change(market: &Market, times: usize) {
    for _ in 0..times {
        market.bid(dollars("0.40"), 1);
    }
}

#[tokio::test]
async fn messages_are_dropped_repeated_and_swapped() {
    let (exchange, market, mut listener) = listening().await;
    exchange.websockets().drop_frames(2);
    change(&market, 3);
    assert_eq!(seqs(&listener.drain().await), [4]);
    exchange.websockets().repeat_frame();
    change(&market, 2);
    assert_eq!(seqs(&listener.drain().await), [5, 5, 6]);
    exchange.websockets().swap_frames();
    change(&market, 3);
    assert_eq!(seqs(&listener.drain().await), [8, 7, 9]);

    // Replies to commands are not dropped.
    exchange.websockets().drop_frames(1);
    let params = json!({ "sid": 1, "action": "get_snapshot", "market_ticker": TICKER });
    let id = listener.command("update_subscription", params).await;
    let snapshot = listener.next().await;
    assert_eq!(
        (&snapshot["id"], &snapshot["seq"]),
        (&json!(id), &json!(10))
    );
    change(&market, 2);
    assert_eq!(seqs(&listener.drain().await), [12]);
}

#[tokio::test]
async fn raw_frames_are_sent_unchanged() {
    let (exchange, _, mut listener) = listening().await;
    for text in ["{", "{\"type\":\"unknown\"}", ""] {
        exchange.websockets().send_raw(text);
        assert_eq!(listener.text().await, text);
    }
}

#[tokio::test]
async fn silence_stops_all_frames_until_resumed() {
    let exchange = MockExchange::builder()
        .without_limits()
        .ping_interval(Duration::from_millis(20))
        .start()
        .await
        .unwrap();
    let market = exchange.market(TICKER);
    let mut listener = listener(&exchange).await;
    exchange.websockets().silence();
    change(&market, 2);
    listener
        .socket
        .send(Message::Ping("there?".into()))
        .await
        .unwrap();
    // Frames sent before the silence may still arrive.
    let quiet = Duration::from_millis(200);
    while let Ok(message) = tokio::time::timeout(quiet, listener.message()).await {
        assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
    }
    assert_eq!(exchange.websockets().connections(), 1);
    exchange.websockets().resume();
    assert_eq!(seqs(&listener.drain().await), [2, 3]);
}

#[tokio::test]
async fn silenced_connection_can_be_closed_by_the_client() {
    let (exchange, _, listener) = listening().await;
    exchange.websockets().silence();
    drop(listener);
    let closed = async {
        exchange.websockets().wait_for_connections(0).await;
        exchange.shutdown().await;
    };
    let timeout = Duration::from_secs(10);
    tokio::time::timeout(timeout, closed).await.unwrap();
}

#[tokio::test]
async fn longest_ping_interval_sends_no_pings() {
    let builder = MockExchange::builder().ping_interval(Duration::MAX);
    let exchange = builder.start().await.unwrap();
    let mut listener = Listener::open(&exchange).await;
    assert!(listener.drain().await.is_empty());
}

#[tokio::test]
async fn pings_are_sent_and_receive_pongs() {
    let exchange = MockExchange::builder()
        .ping_interval(Duration::from_millis(10))
        .start()
        .await
        .unwrap();
    let mut listener = Listener::open(&exchange).await;
    let started = Instant::now();
    for _ in 0..3 {
        let message = listener.message().await.unwrap().unwrap();
        assert_eq!(message, Message::Ping("heartbeat".into()));
    }
    assert!(started.elapsed() >= Duration::from_millis(20));
    let ping = Message::Ping("there?".into());
    listener.socket.send(ping).await.unwrap();
    loop {
        match listener.message().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break assert_eq!(other, Message::Pong("there?".into())),
        }
    }
}

#[tokio::test]
async fn connections_are_closed_and_reset() {
    let (exchange, market, mut first) = listening().await;
    change(&market, 1);
    exchange.websockets().close(4001, "go away");
    change(&market, 1);
    assert_eq!(first.next().await["seq"], 2, "queued frames are sent first");
    match first.message().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => {
            assert_eq!(
                (u16::from(frame.code), frame.reason.as_str()),
                (4001, "go away")
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(first.message().await.is_none());
    exchange.websockets().wait_for_connections(0).await;

    let mut second = listener(&exchange).await;
    exchange.websockets().reset();
    assert!(matches!(second.message().await, Some(Err(_))));
    exchange.websockets().wait_for_connections(0).await;

    let mut third = listener(&exchange).await;
    exchange.websockets().reset_in_frame();
    change(&market, 1);
    assert!(matches!(third.message().await, Some(Err(_))));
    exchange.websockets().wait_for_connections(0).await;
    listener(&exchange).await;
}

#[tokio::test]
async fn subscriptions_end_with_an_error() {
    let (exchange, market, mut listener) = listening().await;
    let trades = listener.subscribe("ticker", json!({})).await;
    exchange.websockets().end_subscriptions(10);
    let frames = listener.take(2).await;
    assert_eq!(frames.iter().map(code).collect::<Vec<_>>(), [10, 10]);
    assert_eq!(
        (&frames[0]["sid"], &frames[0]["seq"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(frames[1]["sid"], trades);
    assert!(frames[1].get("seq").is_none());
    change(&market, 1);
    assert!(listener.drain().await.is_empty());
    let sid = listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    assert_eq!(sid, 3);
}

#[tokio::test]
async fn handshakes_are_rejected() {
    let (exchange, _, mut listener) = listening().await;
    exchange.websockets().reject_handshakes(503, 2);
    for _ in 0..2 {
        let (status, body) = rejected_handshake(signed(&exchange, exchange.user(), "GET")).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (503, &json!("handshake_rejected"))
        );
    }
    Listener::open(&exchange).await;
    assert!(
        listener.drain().await.is_empty(),
        "open connections are not affected"
    );
}

#[tokio::test]
async fn slow_reader_loses_its_subscription() {
    let exchange = MockExchange::builder()
        .without_limits()
        .max_waiting_frames(50)
        .start()
        .await
        .unwrap();
    let market = exchange.market(TICKER);
    let mut listener = listener(&exchange).await;
    // None of this is read. The number of frames in buffers of the system varies.
    exchange.websockets().silence();
    change(&market, 200);
    exchange.websockets().resume();
    let mut frames = listener.drain().await;
    let end = frames.pop().unwrap();
    assert_eq!((code(&end), &end["sid"]), (25, &json!(1)));
    assert!(
        frames.len() <= 1,
        "queued frames are dropped: {}",
        frames.len()
    );
    change(&market, 1);
    assert!(listener.drain().await.is_empty());
}

#[tokio::test]
async fn stalled_client_receives_the_overflow_error() {
    let exchange = MockExchange::builder()
        .without_limits()
        .max_waiting_frames(1_000)
        .start()
        .await
        .unwrap();
    let market = exchange.market(TICKER);
    let mut listener = listener(&exchange).await;
    // More than the buffers of the system hold.
    let mut rounds = 0;
    let text = "x".repeat(1 << 20);
    for _ in 0..16 {
        exchange.websockets().send_raw(&text);
    }
    tokio::task::yield_now().await;
    while rounds < 30 {
        change(&market, 100);
        tokio::task::yield_now().await;
        rounds += 1;
    }
    for _ in 0..16 {
        assert_eq!(listener.text().await.len(), text.len());
    }
    let frames = listener.drain().await;
    assert_eq!(code(frames.last().unwrap()), 25);
}

#[tokio::test]
async fn merged_subscription_is_acknowledged_without_its_snapshot() {
    let (exchange, market, mut listener) = listening().await;
    let _other = exchange.market("KXTEST-26-B");
    exchange.websockets().withhold_snapshots(1);
    let params = json!({ "channels": ["orderbook_delta"], "market_ticker": "KXTEST-26-B" });
    listener.command("subscribe", params).await;
    assert_eq!(listener.next().await["type"], "ok");
    change(&market, 1);
    assert_eq!(listener.next().await["type"], "orderbook_delta");
}

#[tokio::test]
async fn rejected_addition_sends_error_25_without_sid() {
    let (exchange, _, mut listener) = listening().await;
    let _other = exchange.market("KXTEST-26-B");
    exchange.websockets().reject_additions(1);
    let params = json!({ "sid": 1, "action": "add_markets", "market_ticker": "KXTEST-26-B" });
    let id = listener
        .command("update_subscription", params.clone())
        .await;
    let error = listener.next().await;
    assert_eq!((&error["id"], code(&error)), (&json!(id), 25));
    assert!(error.get("sid").is_none());
    listener.command("update_subscription", params).await;
    assert_eq!(listener.next().await["type"], "ok");
}

#[tokio::test]
async fn sequences_and_clocks_can_be_reset() {
    let (exchange, market, mut listener) = listening().await;
    change(&market, 3);
    listener.drain().await;
    let before = market.order_book().clock;
    exchange.websockets().reset_sequences();
    exchange.websockets().reset_clocks();
    change(&market, 1);
    assert_eq!(listener.next().await["seq"], 1);
    assert!(market.order_book().clock < before);
}

#[tokio::test]
async fn handshakes_are_rejected_with_json_and_html() {
    let exchange = exchange().await;
    let handshake = || signed(&exchange, exchange.user(), "GET");
    exchange.websockets().reject_handshakes(401, 1);
    let (status, body) = rejected_handshake(handshake()).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("header_timestamp_expired"))
    );
    for status in [403, 200] {
        exchange.websockets().reject_handshakes_with_html(status, 1);
        match tokio_tungstenite::connect_async(handshake()).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(page)) => {
                assert_eq!(page.status(), status);
                assert_eq!(page.headers()["content-type"], "text/html");
            }
            other => panic!("{other:?}"),
        }
    }
    Listener::open(&exchange).await;
}

#[tokio::test]
async fn default_of_use_yes_price_can_be_changed() {
    let exchange = MockExchange::builder()
        .default_use_yes_price(true)
        .start()
        .await
        .unwrap();
    let _market = exchange.market(TICKER).ask(dollars("0.60"), 1);
    for (params, price) in [
        (json!({ "market_ticker": TICKER }), "0.6000"),
        (
            json!({ "market_ticker": TICKER, "use_yes_price": false }),
            "0.4000",
        ),
    ] {
        let mut listener = Listener::open(&exchange).await;
        listener.subscribe("orderbook_delta", params).await;
        let snapshot = listener.next().await;
        assert_eq!(snapshot["msg"]["no_dollars_fp"][0][0], price, "{snapshot}");
    }
}

#[tokio::test]
async fn protocol_errors_close_with_their_code() {
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::MaybeTlsStream;
    let exchange = exchange().await;
    for (frame, code) in [
        // An unknown opcode.
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        // A binary frame.
        (vec![0x82, 0x80, 0, 0, 0, 0], 1003),
        // A text frame that is not UTF-8.
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        // A frame of more than 1 MiB.
        (
            vec![0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0],
            1009,
        ),
    ] {
        let mut listener = Listener::open(&exchange).await;
        let MaybeTlsStream::Plain(stream) = listener.socket.get_mut() else {
            panic!("not plain");
        };
        stream.write_all(&frame).await.unwrap();
        match listener.message().await {
            Some(Ok(Message::Close(Some(close)))) => assert_eq!(u16::from(close.code), code),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn malformed_websocket_key_is_400() {
    let exchange = exchange().await;
    let raw = crate::common::Raw::new(&exchange);
    for key in ["", "short"] {
        let path = crate::common::listener::PATH;
        let now = crate::common::now_ms();
        let text = kalshi_sdk::auth::signing_text(now, "GET", path);
        let signature = exchange.user().private_key().sign(text.as_bytes()).unwrap();
        let request = raw
            .unsigned("GET", path)
            .header(
                kalshi_sdk::auth::ACCESS_KEY,
                exchange.credentials().key_id(),
            )
            .header(kalshi_sdk::auth::ACCESS_TIMESTAMP, now)
            .header(kalshi_sdk::auth::ACCESS_SIGNATURE, signature.to_base64())
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", key);
        assert_eq!(crate::common::send(request).await.0, 400, "{key:?}");
    }
}
