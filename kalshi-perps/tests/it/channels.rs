//! Connections and subscriptions, with a server scripted by the test.

use std::time::{Duration, UNIX_EPOCH};

use kalshi_perps::{
    auth::Verifier,
    ws::{Channel, Connection, ConnectionError, Event, Message},
};
use serde_json::json;
use tokio::time::sleep;

use crate::scripted_server::{Exchange, Peer, delta, snapshot};

const MARKET: &str = "KXTEST-26-A";

const CHANNELS: [(Channel, &str); 7] = [
    (Channel::OrderbookDelta, "orderbook_delta"),
    (Channel::Ticker, "ticker"),
    (Channel::Trade, "trade"),
    (Channel::Fill, "fill"),
    (Channel::UserOrders, "user_orders"),
    (Channel::OrderGroupUpdates, "order_group_updates"),
    (Channel::CorporateActions, "corporate_actions"),
];

/// Returns a connection without subscriptions, and its server side.
async fn connected(exchange: &Exchange) -> (Connection, Peer) {
    let (connection, peer) = tokio::join!(Connection::connect(&exchange.client), exchange.accept());
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    (connection, peer)
}

async fn event(connection: &mut Connection) -> Event {
    connection.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn handshake_is_signed_for_the_margin_path() {
    let exchange = Exchange::new().await;
    let (_connection, peer) = connected(&exchange).await;
    let now = u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    Verifier::new("key-1", exchange.public_key.clone())
        .verify(&peer.headers, "GET", "/trade-api/ws/v2/margin", now)
        .unwrap();
}

#[tokio::test]
async fn connection_needs_credentials() {
    let client = kalshi_perps::Client::builder().build().unwrap();
    let error = Connection::connect(&client).await.unwrap_err();
    assert!(matches!(error, ConnectionError::NoCredentials), "{error:?}");
}

#[tokio::test]
async fn every_channel_can_be_subscribed_updated_and_unsubscribed() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    for (expected_sid, (channel, name)) in (1..).zip(CHANNELS) {
        assert_eq!(channel.as_str(), name);
        let subscribing = connection.subscribe(channel).market(MARKET).send();
        let (subscription, (params, sid)) = tokio::join!(subscribing, peer.acknowledge());
        let subscription = subscription.unwrap();
        assert_eq!(
            params,
            json!({"channels": [name], "market_tickers": [MARKET]})
        );
        assert_eq!(sid, expected_sid);

        let (added, ()) = tokio::join!(subscription.add_markets(["KXTEST-26-B"]), async {
            let command = peer.command().await;
            let params =
                json!({"sids": [sid], "action": "add_markets", "market_tickers": ["KXTEST-26-B"]});
            assert_eq!(
                (&command["cmd"], &command["params"]),
                (&json!("update_subscription"), &params)
            );
            peer.send(json!({"id": command["id"], "sid": sid, "type": "ok", "msg": {"market_tickers": [MARKET, "KXTEST-26-B"]}}))
                .await;
        });
        added.unwrap();

        let (unsubscribed, ()) = tokio::join!(subscription.unsubscribe(), async {
            let command = peer.command().await;
            assert_eq!(
                (&command["cmd"], &command["params"]),
                (&json!("unsubscribe"), &json!({"sids": [sid]}))
            );
            peer.send(json!({"id": command["id"], "sid": sid, "seq": 2, "type": "unsubscribed"}))
                .await;
        });
        unsubscribed.unwrap();
    }
}

#[tokio::test]
async fn subscription_without_markets_sends_no_tickers() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let subscribing = connection.subscribe(Channel::UserOrders).send();
    let (subscription, (params, _)) = tokio::join!(subscribing, peer.acknowledge());
    subscription.unwrap();
    assert_eq!(params, json!({"channels": ["user_orders"]}));
}

#[tokio::test]
async fn initial_ticker_snapshot_is_requested() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().channel(Channel::Ticker);
    let builder = builder.params(|params| params.send_initial_snapshot(true));
    let (connection, params) = tokio::join!(builder.connect(), async {
        let mut peer = exchange.accept().await;
        (peer.acknowledge().await.0, peer)
    });
    let _connection = connection.unwrap();
    assert_eq!(
        params.0,
        json!({"channels": ["ticker"], "send_initial_snapshot": true})
    );
}

#[tokio::test(start_paused = true)]
async fn connection_without_pings_stays_open() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let subscribing = connection.subscribe(Channel::OrderbookDelta);
    let (subscription, (_, sid)) =
        tokio::join!(subscribing.market(MARKET).send(), peer.acknowledge());
    subscription.unwrap();
    peer.send(snapshot(sid, 1)).await;
    assert!(matches!(event(&mut connection).await, Event::Message(_)));
    // Ten minutes with a message every 20 s and no ping.
    for seq in 2..32 {
        sleep(Duration::from_secs(20)).await;
        peer.send(delta(sid, seq, "0.4000", "1.00")).await;
        match event(&mut connection).await {
            Event::Message(received) => assert_eq!(received.frame.seq, Some(seq)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_replaced() {
    let exchange = Exchange::new().await;
    let (mut connection, _peer) = connected(&exchange).await;
    match event(&mut connection).await {
        Event::Disconnected { reason } => {
            assert!(matches!(*reason, ConnectionError::Idle(_)), "{reason:?}");
        }
        other => panic!("{other:?}"),
    }
    let _peer = exchange.accept().await;
    assert!(matches!(event(&mut connection).await, Event::Connected));
}

#[tokio::test]
async fn unknown_and_malformed_messages_are_delivered() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let subscribing = connection.subscribe(Channel::Trade).send();
    let (subscription, (_, sid)) = tokio::join!(subscribing, peer.acknowledge());
    subscription.unwrap();
    peer.send(json!({"type": "position", "sid": sid, "seq": 1, "msg": {}}))
        .await;
    peer.send(json!({"type": "trade", "sid": sid, "seq": 2, "msg": {"price": 1}}))
        .await;
    peer.send_text("no JSON".to_owned()).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        if let Event::Message(received) = event(&mut connection).await {
            seen.push(received.frame.message);
        }
    }
    assert!(
        matches!(
            seen[..],
            [
                Message::Unknown(_),
                Message::Malformed(_),
                Message::Malformed(_)
            ]
        ),
        "{seen:?}"
    );
}
