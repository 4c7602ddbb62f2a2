//! WebSocket connections against a scripted server, one property per test.

use std::time::Duration;

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::{
    auth::Verifier,
    ws::{
        Backpressure, Channel, Connection, ConnectionError, Event, Message, SubscriptionId,
        messages::UpdateSubscriptionParams,
    },
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message as Data;

/// Connects and subscribes to one channel. Returns the connection, its server side, and the subscription.
async fn subscribed(exchange: &Exchange) -> (Connection, Peer, SubscriptionId) {
    let (connection, peer) = tokio::join!(
        exchange
            .client
            .websocket()
            .channel(Channel::OrderbookDelta)
            .market("KXTEST-26-A")
            .connect(),
        async {
            let mut peer = exchange.accept().await;
            let (params, _) = peer.acknowledge().await;
            assert_eq!(
                params,
                json!({"channels": ["orderbook_delta"], "market_tickers": ["KXTEST-26-A"]})
            );
            peer
        }
    );
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    let id = connection.subscriptions()[0].id();
    (connection, peer, id)
}

async fn event(connection: &mut Connection) -> Event {
    connection.next().await.unwrap().unwrap()
}

/// Returns the `seq` of the next event, which must be a message.
async fn seq(connection: &mut Connection) -> u64 {
    match event(connection).await {
        Event::Message(received) => received.frame.seq.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn handshake_is_signed_and_messages_arrive_in_order() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, id) = subscribed(&exchange).await;
    let now = u64::try_from(now_ms()).unwrap();
    Verifier::new("key-1", exchange.public_key.clone())
        .verify(&peer.headers, "GET", "/trade-api/ws/v2", now)
        .unwrap();
    peer.send(snapshot(1, 1)).await;
    peer.send(delta(1, 2, "0.4100", "1.00")).await;
    for expected in 1..=2 {
        let Event::Message(received) = event(&mut connection).await else {
            panic!()
        };
        assert_eq!(received.subscription, Some(id));
        assert_eq!(received.frame.seq, Some(expected));
    }
}

fn now_ms() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

#[tokio::test]
async fn handshake_is_retried_with_corrected_clock() {
    let fixed = std::sync::Arc::new(kalshi_sdk::auth::FixedClock(1_700_000_000_000));
    let exchange = Exchange::with(|builder| builder.clock(fixed)).await;
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_060));
    let (connection, headers) = tokio::join!(exchange.client.websocket().connect(), async {
        let first = exchange.refuse(401, Some(&date)).await;
        let second = exchange.accept().await;
        [first, second.headers]
    });
    let _connection = connection.unwrap();
    let timestamps = headers.map(|headers| {
        headers["kalshi-access-timestamp"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    });
    assert_eq!(timestamps[0], 1_700_000_000_000);
    assert!(
        (59_000..61_000).contains(&(timestamps[1] - timestamps[0])),
        "{timestamps:?}"
    );
}

#[tokio::test]
async fn rejected_handshake_reports_the_error_of_the_exchange() {
    let exchange = Exchange::new().await;
    let (connection, _) = tokio::join!(
        exchange.client.websocket().connect(),
        exchange.refuse(401, None)
    );
    let error = connection.unwrap_err();
    assert!(error.is_auth() && error.is_permanent(), "{error:?}");
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
    let without = kalshi_sdk::Client::builder().build().unwrap();
    let error = Connection::connect(&without).await.unwrap_err();
    assert!(matches!(error, ConnectionError::NoCredentials), "{error:?}");
}

#[tokio::test]
async fn replies_are_matched_by_id_in_any_order() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let subscription = &connection.subscriptions()[0];
    let (handle, no_params) = (connection.handle(), json!({}));
    let (added, removed, list, bad, ()) = tokio::join!(
        subscription.add_markets(["KXTEST-26-B"]),
        subscription.remove_markets(["KXTEST-26-C"]),
        handle.list_subscriptions(),
        handle.command("nonsense", &no_params),
        async {
            let mut commands = Vec::new();
            for _ in 0..4 {
                commands.push(peer.command().await);
            }
            assert_eq!(
                commands[0]["params"],
                json!({"sids": [1], "action": "add_markets", "market_tickers": ["KXTEST-26-B"]})
            );
            assert_eq!(commands[1]["params"]["action"], "delete_markets");
            assert!(commands[2].get("params").is_none());
            for command in commands.iter().rev() {
                let id = &command["id"];
                peer.send(match command["cmd"].as_str().unwrap() {
                    "nonsense" => json!({"id": id, "type": "error", "msg": {"code": 5, "msg": "Unknown command"}}),
                    "list_subscriptions" => json!({"id": id, "type": "ok", "msg": [{"channel": "orderbook_delta", "sid": 1}]}),
                    _ => json!({"id": id, "sid": 1, "seq": 1, "type": "ok", "msg": {"market_tickers": ["KXTEST-26-A"]}}),
                })
                .await;
            }
        }
    );
    added.unwrap();
    removed.unwrap();
    assert_eq!(list.unwrap()[0].channel, "orderbook_delta");
    let ConnectionError::Command(error) = bad.unwrap_err() else {
        panic!()
    };
    assert_eq!(error.code, 5);
    assert!(
        error.to_string().contains("the command does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn second_subscription_to_channel_is_merged() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let (second, ()) = tokio::join!(
        connection
            .subscribe(Channel::OrderbookDelta)
            .market("KXTEST-26-B")
            .open(Backpressure::default()),
        async {
            let command = peer.command().await;
            peer.send(json!({"id": command["id"], "sid": 1, "seq": 1, "type": "ok", "msg": {"market_tickers": ["KXTEST-26-A", "KXTEST-26-B"]}}))
                .await;
            peer.send(snapshot(1, 2)).await;
        }
    );
    let mut second = second.unwrap();
    let mut connection = connection;
    for expected in 1..=2 {
        assert_eq!(seq(&mut connection).await, expected);
        let Some(Ok(Event::Message(received))) = second.next().await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
    // Dropping the second subscription removes only the market that the first does not want.
    drop(second);
    let command = peer.command().await;
    assert_eq!(
        command["params"],
        json!({"sids": [1], "action": "delete_markets", "market_tickers": ["KXTEST-26-B"]})
    );
}

#[tokio::test]
async fn messages_before_acknowledgement_are_delivered() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let (trades, ()) = tokio::join!(
        connection
            .subscribe(Channel::Trade)
            .open(Backpressure::default()),
        async {
            let command = peer.command().await;
            peer.send(json!({"type": "trade", "sid": 2, "seq": 1, "msg": {}}))
                .await;
            peer.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "trade", "sid": 2}}))
            .await;
        }
    );
    let mut trades = trades.unwrap();
    let Some(Ok(Event::Message(received))) = trades.next().await else {
        panic!()
    };
    assert_eq!(received.frame.seq, Some(1));
    assert_eq!(received.subscription, Some(trades.subscription().id()));
    assert!(matches!(received.frame.message, Message::Malformed(_)));
}

#[tokio::test]
async fn reconnect_restores_all_subscriptions() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, id) = subscribed(&exchange).await;
    let (added, ()) = tokio::join!(
        connection.subscriptions()[0].add_markets(["KXTEST-26-B"]),
        async {
            let command = peer.command().await;
            peer.send(json!({"id": command["id"], "sid": 1, "seq": 1, "type": "ok", "msg": {"market_tickers": []}}))
                .await;
        }
    );
    added.unwrap();
    assert_eq!(seq(&mut connection).await, 1);
    let before = peer.headers["kalshi-access-signature"].clone();
    drop(peer);
    let mut peer = exchange.accept().await;
    assert_ne!(peer.headers["kalshi-access-signature"], before);
    // The new subscription has another sid.
    let command = peer.command().await;
    assert_eq!(
        command["params"]["market_tickers"],
        json!(["KXTEST-26-A", "KXTEST-26-B"])
    );
    peer.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 7}}))
        .await;
    peer.send(snapshot(7, 1)).await;
    assert!(matches!(
        event(&mut connection).await,
        Event::Disconnected { .. }
    ));
    assert!(matches!(event(&mut connection).await, Event::Connected));
    match event(&mut connection).await {
        Event::Resubscribed {
            subscription,
            sid,
            targets,
        } => {
            assert_eq!((subscription, sid), (id, 7));
            assert_eq!(*targets, ["KXTEST-26-A", "KXTEST-26-B"].map(str::to_owned));
        }
        other => panic!("{other:?}"),
    }
    let Event::Message(received) = event(&mut connection).await else {
        panic!()
    };
    assert_eq!(
        (received.subscription, received.frame.sid),
        (Some(id), Some(7))
    );
}

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

#[tokio::test(start_paused = true)]
async fn silent_connection_is_closed_after_25_seconds() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _) = subscribed(&exchange).await;
    let began = tokio::time::Instant::now();
    // Pings keep the connection alive.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        peer.ping().await;
        assert!(
            matches!(peer.control().await, Some(Data::Pong(body)) if &body[..] == b"heartbeat")
        );
    }
    match event(&mut connection).await {
        Event::Disconnected { reason } => {
            assert!(matches!(*reason, ConnectionError::Idle(_)), "{reason:?}");
        }
        other => panic!("{other:?}"),
    }
    let alive = began.elapsed().as_secs();
    assert!((144..=146).contains(&alive), "{alive}");
}

#[tokio::test]
async fn subscription_ended_by_exchange_is_renewed() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, id) = subscribed(&exchange).await;
    for (code, sid) in [(25, 1), (10, 2)] {
        peer.send(
            json!({"type": "error", "sid": sid, "seq": 1, "msg": {"code": code, "msg": "over"}}),
        )
        .await;
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!(["KXTEST-26-A"]));
        let Event::Message(received) = event(&mut connection).await else {
            panic!()
        };
        assert!(matches!(received.frame.message, Message::ErrorReply(_)));
        match event(&mut connection).await {
            Event::Resubscribed {
                subscription,
                sid: new,
                ..
            } => {
                assert_eq!((subscription, new), (id, sid));
            }
            other => panic!("{other:?}"),
        }
    }
    // A subscription that is rejected when renewed ends. The connection continues.
    peer.send(json!({"type": "error", "sid": 3, "msg": {"code": 10, "msg": "over"}}))
        .await;
    let command = peer.command().await;
    peer.send(
        json!({"id": command["id"], "type": "error", "msg": {"code": 8, "msg": "no such channel"}}),
    )
    .await;
    event(&mut connection).await;
    match event(&mut connection).await {
        Event::Unsubscribed {
            subscription,
            error,
        } => {
            assert_eq!(subscription, id);
            let error = error.unwrap();
            assert!(matches!(&*error, ConnectionError::Command(error) if error.code == 8));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn snapshot_reply_is_also_a_message() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, id) = subscribed(&exchange).await;
    let handle = connection.handle();
    let (snapshots, ()) = tokio::join!(handle.get_snapshots(id, ["KXTEST-26-A"]), async {
        let command = peer.command().await;
        assert_eq!(command["params"]["action"], "get_snapshot");
        let mut reply = snapshot(1, 1);
        reply["id"] = command["id"].clone();
        peer.send(reply).await;
    });
    assert_eq!(snapshots.unwrap()[0].yes_dollars_fp.len(), 1);
    assert_eq!(seq(&mut connection).await, 1);
}

#[tokio::test]
async fn pending_command_fails_when_connection_is_lost() {
    let exchange = Exchange::new().await;
    let (connection, peer, _) = subscribed(&exchange).await;
    let handle = connection.handle();
    let (reply, ()) = tokio::join!(handle.list_subscriptions(), async {
        let mut peer = peer;
        peer.command().await;
        // The connection closes before the reply.
    });
    let error = reply.unwrap_err();
    assert!(matches!(error, ConnectionError::Disconnected), "{error:?}");
}

#[tokio::test]
async fn error_without_id_is_attributed_to_the_only_possible_command() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, id) = subscribed(&exchange).await;
    let handle = connection.handle();
    let pending = handle.get_snapshots(id, ["KXTEST-26-B"]);
    let (reply, _) = tokio::join!(pending, async {
        peer.command().await;
        peer.send(json!({"type": "error", "sid": 1, "seq": 1, "msg": {"code": 14, "msg": "no"}}))
            .await;
    });
    assert!(matches!(reply, Err(ConnectionError::Command(error)) if error.code == 14));
    // With two pending commands, an error without an id cannot be attributed.
    let (one, two) = (connection.handle(), connection.handle());
    let (one, two, _) = tokio::join!(
        one.get_snapshots(id, ["KXTEST-26-A"]),
        two.get_snapshots(id, ["KXTEST-26-B"]),
        async {
            let commands = [peer.command().await, peer.command().await];
            peer.send(
                json!({"type": "error", "sid": 1, "seq": 2, "msg": {"code": 14, "msg": "no"}}),
            )
            .await;
            for (command, code) in commands.iter().zip([13, 15]) {
                peer.send(json!({"id": command["id"], "type": "error", "sid": 1, "msg": {"code": code, "msg": "no"}}))
                    .await;
            }
        }
    );
    assert!(matches!(one, Err(ConnectionError::Command(error)) if error.code == 13));
    assert!(matches!(two, Err(ConnectionError::Command(error)) if error.code == 15));
}

#[tokio::test(start_paused = true)]
async fn unanswered_command_times_out() {
    let exchange = Exchange::new().await;
    let (connection, _peer, _) = subscribed(&exchange).await;
    let params = UpdateSubscriptionParams::try_from(
        UpdateSubscriptionParams::builder().action("add_markets".to_owned()),
    );
    let error = connection
        .handle()
        .command("update_subscription", &params.unwrap())
        .await;
    assert!(matches!(error, Err(ConnectionError::Timeout(time)) if time.as_secs() == 10));
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
async fn shutdown_and_drop_close_the_connection() {
    let exchange = Exchange::new().await;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let (other, ()) = tokio::join!(connection.shutdown(), async {
        assert!(matches!(peer.control().await, Some(Data::Close(_))));
        assert!(peer.control().await.is_none());
    });
    let () = other;
    let (connection, mut peer, _) = subscribed(&exchange).await;
    let handle = connection.handle();
    let metrics = tokio::runtime::Handle::current().metrics();
    drop(connection);
    assert!(matches!(peer.control().await, Some(Data::Close(_))));
    assert!(peer.control().await.is_none());
    // The connection's task has ended.
    while metrics.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        handle.list_subscriptions().await,
        Err(ConnectionError::Ended)
    ));
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
async fn commands_wait_for_reconnect() {
    let exchange = Exchange::new().await;
    let (mut connection, peer, id) = subscribed(&exchange).await;
    drop(peer);
    assert!(matches!(
        event(&mut connection).await,
        Event::Disconnected { .. }
    ));
    let handle = connection.handle();
    let (snapshots, mut peer) = tokio::join!(handle.get_snapshots(id, ["KXTEST-26-A"]), async {
        let mut peer = exchange.accept().await;
        let command = peer.command().await;
        assert_eq!(command["cmd"], "subscribe");
        peer.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 7}}))
            .await;
        let command = peer.command().await;
        assert_eq!(command["params"]["sids"], json!([7]));
        let mut reply = snapshot(7, 1);
        reply["id"] = command["id"].clone();
        peer.send(reply).await;
        peer
    });
    assert_eq!(snapshots.unwrap().len(), 1);
    // A subscription whose future is dropped is unsubscribed.
    let subscribing = tokio::spawn(connection.subscribe(Channel::Trade).send());
    let command = peer.command().await;
    subscribing.abort();
    assert!(subscribing.await.unwrap_err().is_cancelled());
    peer.send(
        json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "trade", "sid": 8}}),
    )
    .await;
    let command = peer.command().await;
    assert_eq!(
        (&command["cmd"], &command["params"]["sids"]),
        (&json!("unsubscribe"), &json!([8]))
    );
}

#[tokio::test]
async fn wrong_accept_key_fails_handshake() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let exchange = Exchange::new().await;
    let (connection, _tcp) = tokio::join!(exchange.client.websocket().connect(), async {
        let mut tcp = exchange.accept_tcp().await;
        let mut request = [0; 2_048];
        _ = tcp.read(&mut request).await.unwrap();
        tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
            .await
            .unwrap();
        tcp
    });
    let error = connection.unwrap_err();
    assert!(matches!(error, ConnectionError::Handshake(_)), "{error:?}");
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

#[tokio::test(start_paused = true)]
async fn snapshots_do_not_block_next_acknowledgement() {
    let exchange = Exchange::new().await;
    for backpressure in [
        Backpressure::Block { capacity: 2 },
        Backpressure::DropOldest { capacity: 2 },
    ] {
        let connecting = exchange
            .client
            .websocket()
            .channel(Channel::OrderbookDelta)
            .channel(Channel::Trade)
            .market("KXTEST-26-A")
            .backpressure(backpressure)
            .connect();
        let (connection, _peer) = tokio::join!(connecting, async {
            let mut peer = exchange.accept().await;
            peer.acknowledge().await;
            for seq in 1..=50 {
                peer.send(snapshot(1, seq)).await;
            }
            peer.acknowledge().await;
            peer
        });
        let mut connection = connection.unwrap();
        assert!(matches!(event(&mut connection).await, Event::Connected));
        let first = match backpressure {
            // The other snapshots may arrive only after the second acknowledgement.
            Backpressure::DropOldest { .. } => 1..=1,
            _ => 1..=50,
        };
        for expected in first {
            assert_eq!(seq(&mut connection).await, expected);
        }
    }
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
