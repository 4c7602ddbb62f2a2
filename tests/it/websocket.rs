//! WebSocket connections against a scripted server, one property per test.

mod commands;
mod connection;
mod delivery;

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
