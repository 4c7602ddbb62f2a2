//! The handshake, reconnects and the end of a connection.

use super::*;

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
async fn rejected_handshake_reports_the_error_of_the_exchange() {
    let exchange = Exchange::new().await;
    let (connection, _) = tokio::join!(exchange.client.websocket().connect(), exchange.reject(401));
    let error = connection.unwrap_err();
    assert!(error.is_auth() && error.is_permanent(), "{error:?}");
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
    let without = kalshi_sdk::Client::builder().build().unwrap();
    let error = Connection::connect(&without).await.unwrap_err();
    assert!(matches!(error, ConnectionError::NoCredentials), "{error:?}");
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
