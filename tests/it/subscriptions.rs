//! What subscriptions share, give up and keep over connections, against an exchange that the test plays itself.

use std::{collections::BTreeMap, time::Duration};

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::ws::{
    Backpressure, Books, Channel, Connection, ConnectionError, Event, Frame, PriceMode,
    Subscription,
};
use serde_json::{Value, json};

const A: &str = "KXTEST-26-A";
const B: &str = "KXTEST-26-B";

/// A stream without subscriptions, and its other end.
async fn connected(exchange: &Exchange) -> (Connection, Peer) {
    let (stream, peer) = tokio::join!(Connection::connect(&exchange.client), exchange.accept());
    let mut stream = stream.unwrap();
    assert!(matches!(event(&mut stream).await, Event::Connected));
    (stream, peer)
}

async fn event(stream: &mut Connection) -> Event {
    stream.next().await.unwrap().unwrap()
}

async fn subscribe(
    stream: &Connection,
    peer: &mut Peer,
    channel: Channel,
    markets: &[&str],
) -> Subscription {
    let subscribing = stream.subscribe(channel).markets(markets).send();
    let (subscription, _) = tokio::join!(subscribing, peer.acknowledge());
    subscription.unwrap()
}

/// Answers the next command by an `ok`, and gives it.
async fn ok(peer: &mut Peer, sid: u64, markets: &[&str]) -> Value {
    let command = peer.command().await;
    peer.send(
        json!({"id": command["id"], "sid": sid, "type": "ok", "msg": {"market_tickers": markets}}),
    )
    .await;
    command
}

/// The markets that a command names, and what it does to them.
fn named(command: &Value) -> (Value, Value) {
    let params = &command["params"];
    (params["action"].clone(), params["market_tickers"].clone())
}

/// Loses the connection, and gives the other end of the next one.
async fn again(exchange: &Exchange, stream: &mut Connection, peer: Peer) -> Peer {
    drop(peer);
    let peer = exchange.accept().await;
    while !matches!(event(stream).await, Event::Connected) {}
    peer
}

#[tokio::test]
async fn whoever_leaves_a_shared_channel_hears_of_it() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let first = subscribe(&stream, &mut peer, Channel::OrderbookDelta, &[A]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    peer.send(snapshot(1, 1)).await;
    books.apply_event(&event(&mut stream).await);
    assert!(books.live(A).is_some());
    let joining = stream
        .subscribe(Channel::OrderbookDelta)
        .market(A)
        .open(Backpressure::default());
    let (_second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A]));
    books.apply_event(&event(&mut stream).await);
    assert!(books.live(A).is_some());
    let id = first.id();
    first.unsubscribe().await.unwrap();
    let left = event(&mut stream).await;
    assert!(
        matches!(left, Event::Detached { subscription, sid: 1 } if subscription == id),
        "{left:?}"
    );
    books.apply_event(&left);
    assert_eq!(books.live(A), None, "its changes come elsewhere");
}

#[tokio::test]
async fn a_subscription_without_markets_waits_for_one() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let trades = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let (removed, command) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    assert_eq!(named(&command), (json!("delete_markets"), json!([A])));
    // Over the next connection it is about nothing, and not about all.
    let mut peer = again(&exchange, &mut stream, peer).await;
    trades.remove_markets([A]).await.unwrap();
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        assert_eq!(named(&ok(&mut peer, sid, &[B]).await).1, json!([B]));
    });
    added.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_without_markets_that_the_exchange_ends_is_not_tried_again() {
    let exchange = Exchange::new().await;
    let (stream, mut peer) = connected(&exchange).await;
    let trades = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let (removed, _) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "too slow"}}))
        .await;
    let next = tokio::time::timeout(Duration::from_secs(20), peer.command());
    assert!(next.await.is_err(), "there is nothing to subscribe to");
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        ok(&mut peer, sid, &[B]).await;
    });
    added.unwrap();
}

#[tokio::test]
async fn a_market_that_is_refused_leaves_a_subscription_waiting() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let trades = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let (removed, _) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    let mut peer = again(&exchange, &mut stream, peer).await;
    // With nothing to add, and nothing to take a snapshot of, nothing is waited for.
    trades.add_markets([] as [&str; 0]).await.unwrap();
    let snapshots = trades.get_snapshots([A]).await;
    assert!(matches!(snapshots, Err(ConnectionError::Invalid(_))));
    let (refused, ()) = tokio::join!(trades.add_markets(["NONE"]), async {
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!(["NONE"]));
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 11, "msg": "no"}}))
            .await;
    });
    assert!(matches!(refused, Err(ConnectionError::Command(error)) if error.code == 11));
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        ok(&mut peer, sid, &[B]).await;
    });
    added.unwrap();
}

#[tokio::test]
async fn a_subscription_to_all_stays_one_to_all() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let trades = subscribe(&stream, &mut peer, Channel::Trade, &[]).await;
    let (added, _) = tokio::join!(trades.add_markets([A]), ok(&mut peer, 1, &[]));
    added.unwrap();
    let mut peer = again(&exchange, &mut stream, peer).await;
    let (params, _) = peer.acknowledge().await;
    assert_eq!(params, json!({"channels": ["trade"]}));
}

#[tokio::test]
async fn one_that_has_given_up_its_markets_does_not_want_those_of_another() {
    let exchange = Exchange::new().await;
    let (stream, mut peer) = connected(&exchange).await;
    let first = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let joining = stream.subscribe(Channel::Trade).markets([A, B]).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    // The other wants it: nothing is sent.
    first.remove_markets([A]).await.unwrap();
    let second = second.unwrap();
    let (removed, command) = tokio::join!(second.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    assert_eq!(named(&command), (json!("delete_markets"), json!([B])));
}

#[tokio::test]
async fn what_another_came_to_want_meanwhile_is_added_again() {
    let exchange = Exchange::new().await;
    let (stream, mut peer) = connected(&exchange).await;
    let first = subscribe(&stream, &mut peer, Channel::Trade, &[A, B]).await;
    let joining = stream.subscribe(Channel::Trade).market(A).send();
    let (removed, second, ()) = tokio::join!(first.remove_markets([A]), joining, async {
        let commands = [peer.command().await, peer.command().await];
        let removes = |command: &&Value| command["cmd"] == "update_subscription";
        // The exchange takes the later one first.
        for (command, markets) in [
            (
                commands.iter().find(|command| !removes(command)),
                [A, B].as_slice(),
            ),
            (commands.iter().find(removes), &[B]),
        ] {
            peer.send(json!({"id": command.unwrap()["id"], "sid": 1, "type": "ok", "msg": {"market_tickers": markets}}))
                .await;
        }
        let command = peer.command().await;
        assert_eq!(named(&command), (json!("add_markets"), json!([A])));
    });
    removed.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn what_was_added_while_another_left_is_added_again() {
    let exchange = Exchange::new().await;
    let (stream, mut peer) = connected(&exchange).await;
    let first = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let joining = stream.subscribe(Channel::Trade).market(B).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    let second = second.unwrap();
    let (left, added, ()) = tokio::join!(first.unsubscribe(), second.add_markets([A]), async {
        let (removal, addition) = (peer.command().await, peer.command().await);
        assert_eq!(named(&removal), (json!("delete_markets"), json!([A])));
        // The exchange takes the later one first.
        for (command, markets) in [(addition, [A, B].as_slice()), (removal, &[B])] {
            peer.send(json!({"id": command["id"], "sid": 1, "type": "ok", "msg": {"market_tickers": markets}}))
                .await;
        }
        assert_eq!(
            named(&peer.command().await),
            (json!("add_markets"), json!([A]))
        );
    });
    left.unwrap();
    added.unwrap();
}

#[tokio::test]
async fn an_acknowledgement_counts_in_the_route_it_makes() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let joining = stream.subscribe(Channel::OrderbookDelta).market(A).send();
    let (subscription, ()) = tokio::join!(joining, async {
        let command = peer.command().await;
        for seq in 1..=2 {
            peer.send(snapshot(1, seq)).await;
        }
        peer.send(json!({"id": command["id"], "sid": 1, "seq": 3, "type": "ok", "msg": {}}))
            .await;
    });
    subscription.unwrap();
    peer.send(delta(1, 4, "0.40", "1.00")).await;
    let mut last = 0;
    while last != 4 {
        let Event::Message(received) = event(&mut stream).await else {
            panic!("a gap that is none")
        };
        last = received.frame.seq.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn messages_do_not_wait_for_a_subscription_that_nobody_wants_any_more() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    // It is never answered.
    let unanswered = stream.subscribe(Channel::Ticker).send().await;
    assert!(
        matches!(unanswered, Err(ConnectionError::Timeout(_))),
        "{unanswered:?}"
    );
    peer.send(delta(1, 10, "0.40", "1.00")).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        peer.ping().await;
    }
    peer.send(delta(1, 11, "0.40", "1.00")).await;
    for expected in [10, 11] {
        let Event::Message(received) = event(&mut stream).await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
}

#[tokio::test]
async fn messages_do_not_wait_for_a_subscription_that_was_refused() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let handle = stream.handle();
    let channels = BTreeMap::from([("channels", ["trade"])]);
    let by_hand = handle.command("subscribe", &channels);
    let (by_hand, _) = tokio::join!(by_hand, peer.acknowledge());
    by_hand.unwrap();
    let (refused, ()) = tokio::join!(stream.subscribe(Channel::Ticker).send(), async {
        let command = peer.command().await;
        peer.send(delta(1, 10, "0.40", "1.00")).await;
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 11, "msg": "no"}}))
            .await;
        peer.send(delta(1, 11, "0.40", "1.00")).await;
    });
    assert!(matches!(refused, Err(ConnectionError::Command(_))));
    for expected in [10, 11] {
        let Event::Message(received) = event(&mut stream).await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
}

#[tokio::test]
async fn one_market_is_a_list_of_one() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let subscribing = stream.subscribe(Channel::Ticker);
    let subscribing = subscribing.params(|params| params.market_ticker(A.to_owned()));
    let (tickers, _) = tokio::join!(subscribing.send(), peer.acknowledge());
    let tickers = tickers.unwrap();
    let (added, _) = tokio::join!(tickers.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    let mut peer = again(&exchange, &mut stream, peer).await;
    let (params, _) = peer.acknowledge().await;
    assert_eq!(
        params,
        json!({"channels": ["ticker"], "market_tickers": [A, B]})
    );
    // By id and by ticker at once the exchange takes none.
    let subscribing = stream.subscribe(Channel::Ticker);
    let subscribing = subscribing.params(|params| params.market_id("7".to_owned()));
    let (by_id, _) = tokio::join!(subscribing.send(), peer.acknowledge());
    let refused = by_id.unwrap().add_markets([A]).await;
    assert!(matches!(refused, Err(ConnectionError::Invalid(_))));
}

#[tokio::test]
async fn no_snapshot_is_asked_for_of_what_was_removed() {
    let exchange = Exchange::new().await;
    let (stream, mut peer) = connected(&exchange).await;
    let subscription = subscribe(&stream, &mut peer, Channel::OrderbookDelta, &[A, B]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    for (seq, ticker) in [(1, A), (2, B)] {
        let mut frame = snapshot(1, seq);
        frame["msg"]["market_ticker"] = json!(ticker);
        books.apply(&Frame::parse(&frame.to_string()));
    }
    let (removed, _) = tokio::join!(subscription.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    // The acknowledgement did not reach the books.
    books.apply(&Frame::parse(&delta(1, 4, "0.40", "1.00").to_string()));
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, [A, B]);
    let handle = stream.handle();
    let (_, ()) = tokio::join!(handle.send_request(&requests[0]), async {
        let command = peer.command().await;
        assert_eq!(named(&command), (json!("get_snapshot"), json!([A])));
        let mut frame = snapshot(1, 5);
        frame["id"] = command["id"].clone();
        peer.send(frame).await;
    });
    // Once it is there again, it is.
    let (added, _) = tokio::join!(subscription.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    let ask = || {
        tokio::spawn({
            let (handle, request) = (handle.clone(), requests[0].clone());
            async move { handle.send_request(&request).await }
        })
    };
    let asking = ask();
    assert_eq!(named(&peer.command().await).1, json!([A, B]));
    asking.abort();
    // Nor does it matter by whose command it came back.
    let (removed, _) = tokio::join!(subscription.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    let mut frame = snapshot(1, 9);
    frame["msg"]["market_ticker"] = json!(B);
    peer.send(frame).await;
    let mut stream = stream;
    while !matches!(event(&mut stream).await, Event::Message(received) if received.frame.seq == Some(9))
    {
    }
    let asking = ask();
    assert_eq!(named(&peer.command().await).1, json!([A, B]));
    asking.abort();
}

#[tokio::test]
async fn messages_of_a_shared_channel_bear_one_subscription_on_every_connection() {
    let exchange = Exchange::new().await;
    let (mut stream, mut peer) = connected(&exchange).await;
    let first = subscribe(&stream, &mut peer, Channel::Trade, &[A]).await;
    let joining = stream.subscribe(Channel::Trade).market(B).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    let second = second.unwrap();
    // The second is acknowledged first.
    let mut peer = again(&exchange, &mut stream, peer).await;
    let commands = [peer.command().await, peer.command().await];
    for command in commands.iter().rev() {
        peer.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "trade", "sid": 1}}))
            .await;
    }
    peer.send(delta(1, 1, "0.40", "1.00")).await;
    loop {
        if let Event::Message(received) = event(&mut stream).await {
            assert_eq!(received.subscription, Some(first.id()));
            assert_ne!(received.subscription, Some(second.id()));
            break;
        }
    }
}
