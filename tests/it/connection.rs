//! Reading a connection: idle timeout, bounded memory, raw text and changes of subscriptions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    reconnect::{connected, event, failure},
    scripted_server::{Exchange, delta, snapshot},
};
use kalshi_sdk::ws::{Backpressure, BookUpdate, Channel, ConnectionError, Event, ReconnectPolicy};
use serde_json::json;
use tokio::time::sleep;

#[tokio::test(flavor = "current_thread")]
async fn buffered_frames_count_before_idle_timeout() {
    let exchange = Exchange::new().await;
    let connecting = exchange
        .client
        .websocket()
        .idle_timeout(Duration::from_secs(1));
    let (connection, mut peer) = tokio::join!(connecting.connect(), exchange.accept());
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    for seq in 1..=5 {
        peer.send(delta(1, seq, "0.40", "1.00")).await;
    }
    // Blocks the whole runtime beyond the timeout.
    std::thread::sleep(Duration::from_millis(1_700));
    for seq in 1..=5 {
        match event(&mut connection).await {
            Event::Message(received) => assert_eq!(received.frame.seq, Some(seq)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn blocked_runtime_waits_for_frames_again_before_idle_timeout() {
    let exchange = Exchange::new().await;
    let connecting = exchange
        .client
        .websocket()
        .idle_timeout(Duration::from_secs(1));
    let (connection, mut peer) = tokio::join!(connecting.connect(), exchange.accept());
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    std::thread::sleep(Duration::from_millis(2_500));
    // Frames sent while the machine slept arrive a little later.
    sleep(Duration::from_millis(300)).await;
    peer.send(delta(1, 1, "0.40", "1.00")).await;
    assert!(matches!(event(&mut connection).await, Event::Message(_)));
    // A silent connection is still closed.
    let reason = failure(&mut connection).await;
    assert!(matches!(&*reason, ConnectionError::Idle(_)), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_without_pings_keep_a_connection_alive() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange, ReconnectPolicy::default()).await;
    for seq in 1..=8 {
        sleep(Duration::from_secs(20)).await;
        peer.send(delta(1, seq, "0.40", "1.00")).await;
        assert!(matches!(event(&mut connection).await, Event::Message(_)));
    }
}

#[tokio::test]
async fn subscription_can_change_while_connection_is_read() {
    let exchange = Exchange::new().await;
    let connecting = exchange
        .client
        .websocket()
        .channel(Channel::Trade)
        .market("KXTEST-26-A");
    let (connection, mut peer) = tokio::join!(connecting.connect(), exchange.accept_subscribed(1));
    let mut connection = connection.unwrap();
    let (handle, id) = (connection.handle(), connection.subscriptions()[0].id());
    let changing = async {
        handle.add_markets(id, ["KXTEST-26-B"]).await.unwrap();
        handle.remove_markets(id, ["KXTEST-26-A"]).await.unwrap();
        handle.unsubscribe(id).await.unwrap();
    };
    let serving = async {
        let mut actions = Vec::new();
        for kind in ["ok", "ok", "unsubscribed"] {
            let command = peer.command().await;
            actions.push(command["params"]["action"].clone());
            let reply =
                json!({"id": command["id"], "sid": 1, "type": kind, "msg": {"market_tickers": []}});
            peer.send(reply).await;
        }
        actions
    };
    let reading = async {
        let mut messages = 0;
        while messages < 3 {
            if let Event::Message(_) = event(&mut connection).await {
                messages += 1;
            }
        }
    };
    let ((), actions, ()) = tokio::join!(changing, serving, reading);
    assert_eq!(
        actions,
        [
            "add_markets".into(),
            "delete_markets".into(),
            serde_json::Value::Null
        ]
    );
}

#[tokio::test]
async fn raw_text_is_kept_if_enabled_and_shared_by_readers() {
    let exchange = Exchange::new().await;
    let text = delta(1, 1, "0.40", "1.00").to_string();
    for keep in [true, false] {
        let connecting = exchange
            .client
            .websocket()
            .keep_raw(keep)
            .channel(Channel::OrderbookDelta)
            .market("KXTEST-26-A");
        let (connection, mut peer) =
            tokio::join!(connecting.connect(), exchange.accept_subscribed(1));
        let mut connection = connection.unwrap();
        let joining = connection
            .subscribe(Channel::OrderbookDelta)
            .market("KXTEST-26-A");
        let (other, ()) = tokio::join!(joining.open(Backpressure::default()), async {
            let command = peer.command().await;
            peer.send(json!({"id": command["id"], "sid": 1, "type": "ok", "msg": {}}))
                .await;
        });
        let mut other = other.unwrap();
        let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
        peer.send_text(text.clone()).await;
        let mut raws = Vec::new();
        while raws.len() < 2 {
            let event = match raws.len() {
                0 => event(&mut connection).await,
                _ => other.next().await.unwrap().unwrap(),
            };
            if let Event::Message(received) = event
                && received.frame.seq == Some(1)
            {
                raws.push(received.raw);
            }
        }
        match raws.as_slice() {
            [Some(one), Some(two)] => {
                assert!(keep && **one.text() == *text);
                assert!(Arc::ptr_eq(one.text(), two.text()));
                assert_eq!(one.received_ts_us(), two.received_ts_us());
                assert!(u128::try_from(one.received_ts_us()).unwrap() >= before);
            }
            other => assert!(!keep && *other == [None, None]),
        }
    }
}

#[tokio::test]
async fn unread_messages_are_bounded_in_bytes() {
    let exchange = Exchange::new().await;
    let connecting = exchange.client.websocket().max_queued_bytes(4 << 20);
    let (connection, mut peer) = tokio::join!(connecting.connect(), exchange.accept());
    let mut connection = connection.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let sending = tokio::spawn(async move {
        for seq in 1..=100 {
            let mut frame = delta(1, seq, "0.40", "1.00");
            frame["msg"]["more"] = "x".repeat(1 << 20).into();
            peer.send(frame).await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        peer
    });
    // Wait until no more can be sent, because the connection is not read.
    let mut before = usize::MAX;
    while sent.load(Ordering::Relaxed) != before {
        before = sent.load(Ordering::Relaxed);
        sleep(Duration::from_millis(300)).await;
    }
    // The socket buffers of the system hold some frames as well.
    assert!((1..40).contains(&before), "{before}");
    assert!(matches!(event(&mut connection).await, Event::Connected));
    for seq in 1..=100 {
        match event(&mut connection).await {
            Event::Message(received) => assert_eq!(received.frame.seq, Some(seq)),
            other => panic!("{other:?}"),
        }
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn books_are_stale_after_overflow_in_reply_to_addition() {
    let exchange = Exchange::new().await;
    let market = "KXTEST-26-A";
    let books = exchange.client.websocket().market(market);
    let (books, mut peer) = tokio::join!(books.books(), async {
        let mut peer = exchange.accept_subscribed(1).await;
        peer.send(snapshot(1, 1)).await;
        peer
    });
    let mut books = books.unwrap();
    while books.live(market).is_none() {
        books.next().await.unwrap().unwrap();
    }
    let connection = books.connection();
    let (handle, id) = (connection.handle(), connection.subscriptions()[0].id());
    let adding = tokio::spawn(async move { handle.add_markets(id, ["KXTEST-26-B"]).await });
    let command = peer.command().await;
    peer.send(
        json!({"id": command["id"], "type": "error", "msg": {"code": 25, "msg": "overflow"}}),
    )
    .await;
    let result = adding.await.unwrap();
    assert!(matches!(result, Err(ConnectionError::Command(error)) if error.code == 25));
    while !books.books().is_stale(market) {
        books.next().await.unwrap().unwrap();
    }
    let ((params, sid), ()) = tokio::join!(peer.acknowledge(), async {
        while !matches!(
            books.next().await.unwrap().unwrap(),
            BookUpdate::Connection(Event::Resubscribed { .. })
        ) {}
    });
    assert_eq!(params["market_tickers"], json!([market]));
    peer.send(snapshot(sid, 1)).await;
    while books.live(market).is_none() {
        books.next().await.unwrap().unwrap();
    }
}
