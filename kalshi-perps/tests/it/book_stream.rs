//! Books over a connection, with a server scripted by the test.

use kalshi_perps::ws::{BookEvent, BookStream, BookUpdate, Channel, Event, StaleReason};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::scripted_server::{Exchange, Peer, delta, snapshot};

const MARKET: &str = "KXTEST-26-A";

async fn connected(exchange: &Exchange) -> (BookStream, Peer) {
    let (books, peer) = tokio::join!(exchange.client.websocket().market(MARKET).books(), async {
        let mut peer = exchange.accept().await;
        let (params, _) = peer.acknowledge().await;
        let expected = json!({"channels": ["orderbook_delta"], "market_tickers": [MARKET], "skip_ticker_ack": false});
        assert_eq!(params, expected);
        peer
    });
    (books.unwrap(), peer)
}

/// Returns the next book event.
async fn change(books: &mut BookStream) -> BookEvent {
    loop {
        if let BookUpdate::Book(event) = books.next().await.unwrap().unwrap() {
            return event;
        }
    }
}

fn held(books: &BookStream) -> Option<String> {
    Some(books.live(MARKET)?.best_bid()?.count.to_string())
}

/// Receives a snapshot request without replying to it.
async fn request(peer: &mut Peer) -> Value {
    let command = peer.command().await;
    let expected = json!({"sids": [1], "action": "get_snapshot", "market_tickers": [MARKET]});
    assert_eq!(command["params"], expected, "{command}");
    command
}

/// Returns a live book on `sid` 2, and its connection with corporate actions on `sid` 1.
async fn live_with_notices(exchange: &Exchange) -> (BookStream, Peer) {
    let builder = exchange
        .client
        .websocket()
        .channel(Channel::CorporateActions);
    let (books, mut peer) = tokio::join!(
        builder.market(MARKET).books(),
        exchange.accept_subscribed(2)
    );
    let mut books = books.unwrap();
    peer.send(snapshot(2, 1)).await;
    assert!(matches!(change(&mut books).await, BookEvent::Live { .. }));
    (books, peer)
}

fn split(seq: u64, market: &str) -> Value {
    let action = json!({"id": "n", "market_id": "m", "market_ticker": market, "type": "stock_split", "ts_ms": 1});
    let body = json!({"corporate_action": action});
    json!({"type": "corporate_actions_delta", "sid": 1, "seq": seq, "msg": body})
}

#[tokio::test]
async fn gap_makes_a_book_stale_until_the_requested_snapshot() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(snapshot(1, 1)).await;
    assert!(matches!(change(&mut books).await, BookEvent::Live { .. }));
    peer.send(delta(1, 2, "0.4000", "2.50")).await;
    assert!(matches!(
        change(&mut books).await,
        BookEvent::Changed { .. }
    ));
    assert_eq!(held(&books).unwrap(), "12.50");
    assert!(books.age(MARKET).unwrap().num_days() > 0);

    peer.send(delta(1, 4, "0.4000", "1.00")).await;
    let reason = match change(&mut books).await {
        BookEvent::Stale { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reason,
        StaleReason::Gap {
            expected: 3,
            got: 4
        }
    );
    assert_eq!(held(&books), None);
    let reply = async {
        let command = request(&mut peer).await;
        let mut reply = snapshot(1, 4);
        reply["id"] = command["id"].clone();
        peer.send(reply).await;
        peer.send(delta(1, 5, "0.4000", "0.50")).await;
    };
    let (live, ()) = tokio::join!(change(&mut books), reply);
    assert!(matches!(live, BookEvent::Live { .. }));
    assert!(matches!(
        change(&mut books).await,
        BookEvent::Changed { .. }
    ));
    assert_eq!(held(&books).unwrap(), "10.50");
}

#[tokio::test]
async fn messages_of_other_channels_are_delivered() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().channel(Channel::Fill);
    let (books, mut peer) = tokio::join!(
        builder.market(MARKET).books(),
        exchange.accept_subscribed(2)
    );
    let mut books = books.unwrap();
    let fill = json!({"trade_id": "cf8d2468-0797-71d2-240f-2b6f1705c5df", "order_id": "fbe76436-cf10-42e3-ac88-357ef9e4b8f2",
        "market_ticker": MARKET, "is_taker": true, "side": "bid", "ts_ms": 1_781_231_146_425_u64, "price": "6.3616", "count": "1.00",
        "fee_cost": "0.0000", "post_position": "-1.00", "order_source": "system"});
    peer.send(json!({"type": "fill", "sid": 1, "msg": fill}))
        .await;
    peer.send(snapshot(2, 1)).await;
    let mut kinds = Vec::new();
    while books.live(MARKET).is_none() {
        let changes = books.changed().await.unwrap().unwrap();
        let messages = changes.updates.iter().filter_map(BookUpdate::message);
        kinds.extend(messages.map(|message| message.kind().to_owned()));
    }
    assert_eq!(kinds, ["fill"]);
}

#[tokio::test(start_paused = true)]
async fn settled_market_is_removed_from_the_subscription() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = live_with_notices(&exchange).await;
    let action = json!({"id": "n", "market_id": "m", "market_ticker": MARKET, "type": "final_settlement", "ts_ms": 1_781_231_146_425_u64,
        "final_settlement": {"settlement_price_per_contract": "1.2500"}});
    let body = json!({"corporate_action": action});
    peer.send(json!({"type": "corporate_actions_delta", "sid": 1, "seq": 1, "msg": body}))
        .await;
    match change(&mut books).await {
        BookEvent::Stale { reason, .. } => assert_eq!(reason, StaleReason::Settled),
        other => panic!("{other:?}"),
    }
    let removed = async {
        // The first removals fail for now. The second error ends the subscription.
        let mut command = peer.command().await;
        let mut sid = 2;
        for code in [27, 7] {
            let before = Instant::now();
            peer.send(
                json!({"id": command["id"], "type": "error", "msg": {"code": code, "msg": "no"}}),
            )
            .await;
            if code == 7 {
                (_, sid) = peer.acknowledge().await;
            }
            command = peer.command().await;
            while command["params"]["action"] == "get_snapshot" {
                command = peer.command().await;
            }
            assert!(before.elapsed() >= Duration::from_secs(1));
            assert_eq!(
                command["params"],
                json!({"sids": [sid], "action": "delete_markets", "market_tickers": [MARKET]})
            );
        }
        peer.send(json!({"id": command["id"], "sid": sid, "seq": 2, "type": "ok", "msg": {"market_tickers": []}}))
            .await;
        peer.close(1001).await;
    };
    let disconnected = async {
        while !matches!(
            books.next().await,
            Some(Ok(BookUpdate::Connection(Event::Disconnected { .. })))
        ) {}
    };
    tokio::join!(removed, disconnected);
}

#[tokio::test]
async fn lost_corporate_action_makes_books_stale() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = live_with_notices(&exchange).await;
    for seq in [1, 3] {
        peer.send(split(seq, "KXOTHER-26-A")).await;
    }
    let reason = StaleReason::Gap {
        expected: 2,
        got: 3,
    };
    match change(&mut books).await {
        BookEvent::Stale { reason: of, .. } => assert_eq!(of, reason),
        other => panic!("{other:?}"),
    }
}

/// Notices that are sent while their subscription is down are lost.
#[tokio::test(start_paused = true)]
async fn interruption_of_another_subscription_makes_books_stale() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = live_with_notices(&exchange).await;
    let expected = StaleReason::SubscriptionEnded;
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}}))
        .await;
    let ended = change(&mut books).await;
    assert!(matches!(ended, BookEvent::Stale { reason, .. } if reason == expected));
    let recovered = async {
        let command = peer.command().await;
        assert_eq!(command["params"]["action"], "get_snapshot");
        let mut reply = snapshot(2, 2);
        reply["id"] = command["id"].clone();
        peer.send(reply).await;
        peer.acknowledge().await;
    };
    let reading = async { [change(&mut books).await, change(&mut books).await] };
    let (events, ()) = tokio::join!(reading, recovered);
    let [BookEvent::Live { .. }, BookEvent::Stale { reason, .. }] = events else {
        panic!("{events:?}")
    };
    assert_eq!(reason, expected);
}

#[tokio::test]
async fn lost_first_corporate_action_makes_books_stale() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = live_with_notices(&exchange).await;
    peer.send(split(2, "KXOTHER-26-A")).await;
    let expected = StaleReason::Gap {
        expected: 1,
        got: 2,
    };
    match change(&mut books).await {
        BookEvent::Stale { reason, .. } => assert_eq!(reason, expected),
        other => panic!("{other:?}"),
    }
}

/// The exchange has no such command, so the levels may be from before the split.
#[tokio::test]
async fn snapshot_with_an_id_that_no_command_has_is_no_reply() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = live_with_notices(&exchange).await;
    peer.send(split(1, MARKET)).await;
    let replies = async {
        let command = peer.command().await;
        let old = snapshot(2, 1);
        let mut new = snapshot(2, 1);
        new["msg"]["bid"] = json!([["0.4000", "40.00"]]);
        for (id, mut reply) in [(json!(987_654), old), (command["id"].clone(), new)] {
            reply["id"] = id;
            peer.send(reply).await;
        }
    };
    let reading = async { [change(&mut books).await, change(&mut books).await] };
    let (events, ()) = tokio::join!(reading, replies);
    assert!(
        matches!(events, [BookEvent::Stale { .. }, BookEvent::Live { .. }]),
        "{events:?}"
    );
    assert_eq!(held(&books).unwrap(), "40.00");
}

/// A notice between the snapshot and the subscription to notices would be lost.
#[tokio::test]
async fn books_are_subscribed_to_after_corporate_actions() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().market(MARKET);
    let builder = builder.channel(Channel::OrderbookDelta);
    let builder = builder.channel(Channel::CorporateActions);
    let (books, subscribed) = tokio::join!(builder.books(), async {
        let mut peer = exchange.accept().await;
        [peer.acknowledge().await.0, peer.acknowledge().await.0]
    });
    let channels = subscribed.map(|params| params["channels"][0].clone());
    assert_eq!(channels, ["corporate_actions", "orderbook_delta"]);
    let books = books.unwrap();
    let own = books.connection().subscriptions().iter();
    let own: Vec<_> = own.map(|own| own.channel().clone()).collect();
    assert_eq!(own, [Channel::OrderbookDelta, Channel::CorporateActions]);
}
