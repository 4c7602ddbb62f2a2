//! Connections and subscriptions, with a server scripted by the test.

use std::time::UNIX_EPOCH;

use kalshi_perps::{
    auth::Verifier,
    ws::{Channel, Connection, Event},
};
use serde_json::json;

use crate::scripted_server::{Exchange, Peer};

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
