//! Delivery of messages to readers, fast and slow.

use super::*;

#[tokio::test]
async fn sequence_gaps_are_reported() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, id) = subscribed(&exchange).await;
    for seq in [1, 2, 5, 5, 4, 6] {
        peer.send(delta(1, seq, "0.40", "1.00")).await;
    }
    assert_eq!(
        (seq(&mut connection).await, seq(&mut connection).await),
        (1, 2)
    );
    let gap = async |connection: &mut Connection| match event(connection).await {
        Event::Gap {
            subscription,
            expected,
            got,
        } => (subscription, expected, got),
        other => panic!("{other:?}"),
    };
    assert_eq!(gap(&mut connection).await, (Some(id), 3, 5));
    // The second frame with 5 is an exact duplicate.
    assert_eq!(
        (seq(&mut connection).await, seq(&mut connection).await),
        (5, 5)
    );
    // TCP does not reorder frames, so a lower number is a gap as well.
    assert_eq!(gap(&mut connection).await, (Some(id), 6, 4));
    assert_eq!(seq(&mut connection).await, 4);
    assert_eq!(gap(&mut connection).await, (Some(id), 5, 6));
    assert_eq!(seq(&mut connection).await, 6);
}

#[tokio::test]
async fn drop_oldest_reports_lag_and_leaves_other_queues_alone() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _) = subscribed(&exchange).await;
    let (trades, _) = tokio::join!(
        connection
            .subscribe(Channel::Trade)
            .open(Backpressure::DropOldest { capacity: 10 }),
        peer.acknowledge()
    );
    let mut trades = trades.unwrap();
    for seq in 1..=1_000 {
        peer.send(delta(2, seq, "0.40", "1.00")).await;
        peer.send(delta(1, seq, "0.40", "1.00")).await;
    }
    for expected in 1..=1_000 {
        assert_eq!(seq(&mut connection).await, expected);
    }
    let (mut read, mut lagged) = (Vec::new(), 0);
    while read.last() != Some(&1_000) {
        match trades.next().await.unwrap().unwrap() {
            Event::Message(received) => read.push(received.frame.seq.unwrap()),
            Event::Lagged { count } => lagged += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read.len() as u64 + lagged, 1_000);
    assert!(read.len() <= 11 && read.is_sorted(), "{read:?}");
    // Dropping it unsubscribes at the exchange.
    drop(trades);
    let command = peer.command().await;
    assert_eq!(
        (&command["cmd"], &command["params"]),
        (&json!("unsubscribe"), &json!({"sids": [2]}))
    );
}

#[tokio::test(start_paused = true)]
async fn blocked_reader_loses_nothing_and_stays_connected() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _) = subscribed(&exchange).await;
    let (trades, _) = tokio::join!(
        connection
            .subscribe(Channel::Trade)
            .open(Backpressure::Block { capacity: 4 }),
        peer.acknowledge()
    );
    let mut trades = trades.unwrap();
    for seq in 1..=100 {
        peer.send(delta(2, seq, "0.40", "1.00")).await;
    }
    peer.send(delta(1, 1, "0.40", "1.00")).await;
    // An unread connection is not declared dead, and it still sends pongs.
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        assert!(matches!(peer.control().await, Some(Data::Pong(_))));
    }
    assert!(began.elapsed() >= Duration::from_secs(99));
    // Commands are still sent.
    let handle = connection.handle();
    let waiting = tokio::spawn(async move { handle.list_subscriptions().await });
    let command = peer.command().await;
    peer.send(json!({"id": command["id"], "type": "ok", "msg": []}))
        .await;
    for expected in 1..=100 {
        let Some(Ok(Event::Message(received))) = trades.next().await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
    assert_eq!(seq(&mut connection).await, 1);
    assert!(waiting.await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn malformed_and_unknown_messages_are_delivered() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _) = subscribed(&exchange).await;
    peer.send_text("{".to_owned()).await;
    peer.send(json!({"type": "weather", "sid": 1, "seq": 1, "msg": {"is": "fine"}}))
        .await;
    peer.send(json!({"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": {"market_ticker": 1}}))
        .await;
    peer.socket_binary(b"\xff\xfe").await;
    let mut kinds = Vec::new();
    for _ in 0..4 {
        let Event::Message(received) = event(&mut connection).await else {
            panic!()
        };
        kinds.push(match received.frame.message {
            Message::Malformed(malformed) => malformed.path,
            Message::Unknown(unknown) => unknown.kind,
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(kinds, ["$", "weather", "$.msg.market_ticker", "$"]);
}

#[tokio::test]
async fn waiting_messages_are_delivered_without_another_event() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let (trades, _) = tokio::join!(
        connection
            .subscribe(Channel::Trade)
            .open(Backpressure::DropOldest { capacity: 100 }),
        peer.acknowledge()
    );
    let mut trades = trades.unwrap();
    // One flush, so that all messages arrive together. Half of the capacity is ready at once, the other messages wait.
    for seq in 1..=60 {
        let text = delta(2, seq, "0.40", "1.00").to_string();
        futures_util::SinkExt::feed(&mut peer.socket, Data::text(text))
            .await
            .unwrap();
    }
    futures_util::SinkExt::flush(&mut peer.socket)
        .await
        .unwrap();
    let all = async {
        for expected in 1..=60 {
            let Some(Ok(Event::Message(received))) = trades.next().await else {
                panic!()
            };
            assert_eq!(received.frame.seq, Some(expected));
        }
    };
    // No other event arrives that could wake the reader.
    tokio::time::timeout(Duration::from_secs(5), all)
        .await
        .unwrap();
}

#[tokio::test]
async fn books_are_stale_after_unsubscribe() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _) = subscribed(&exchange).await;
    let mut books = kalshi_sdk::ws::Books::with_mode(kalshi_sdk::ws::PriceMode::NoPrices);
    peer.send(snapshot(1, 1)).await;
    books.apply_event(&event(&mut connection).await);
    assert!(books.live("KXTEST-26-A").is_some());
    let (other, _) = tokio::join!(
        connection
            .subscribe(Channel::OrderbookDelta)
            .market("KXTEST-26-B")
            .send(),
        async {
            let command = peer.command().await;
            peer.send(json!({"id": command["id"], "sid": 1, "seq": 2, "type": "ok", "msg": {"market_tickers": ["KXTEST-26-A", "KXTEST-26-B"]}}))
                .await;
        }
    );
    books.apply_event(&event(&mut connection).await);
    // A market that another subscription still wants stays subscribed.
    let (added, _) = tokio::join!(
        other.as_ref().unwrap().add_markets(["KXTEST-26-A"]),
        async {
            let command = peer.command().await;
            peer.send(json!({"id": command["id"], "sid": 1, "seq": 3, "type": "ok", "msg": {"market_tickers": ["KXTEST-26-A", "KXTEST-26-B"]}}))
            .await;
        }
    );
    added.unwrap();
    other
        .as_ref()
        .unwrap()
        .remove_markets(["KXTEST-26-A"])
        .await
        .unwrap();
    books.apply_event(&event(&mut connection).await);
    assert!(books.live("KXTEST-26-A").is_some());
    let (handle, sids) = (connection.handle(), json!({"sids": [1]}));
    let (removed, _) = tokio::join!(handle.command("unsubscribe", &sids), async {
        let command = peer.command().await;
        peer.send(json!({"id": command["id"], "sid": 1, "seq": 4, "type": "unsubscribed"}))
            .await;
    });
    removed.unwrap();
    books.apply_event(&event(&mut connection).await);
    assert!(books.live("KXTEST-26-A").is_none());
}
