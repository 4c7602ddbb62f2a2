//! Commands, their replies, and the messages that arrive in between.

use super::*;

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
            let mut peer = exchange.accept_subscribed(1).await;
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
