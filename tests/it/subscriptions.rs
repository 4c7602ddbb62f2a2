//! Subscriptions that share a channel, change their markets and survive reconnections, against a scripted server.

use std::{collections::BTreeMap, time::Duration};

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::ws::{
    Backpressure, Books, Channel, Connection, ConnectionError, Event, Frame, PriceMode,
    SnapshotRequest, Subscription,
};
use serde_json::{Value, json};

const A: &str = "KXTEST-26-A";
const B: &str = "KXTEST-26-B";

/// Connects without subscriptions. Returns the connection and its server side.
async fn connected(exchange: &Exchange) -> (Connection, Peer) {
    let (connection, peer) = tokio::join!(Connection::connect(&exchange.client), exchange.accept());
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    (connection, peer)
}

async fn event(connection: &mut Connection) -> Event {
    connection.next().await.unwrap().unwrap()
}

async fn subscribe(
    connection: &Connection,
    peer: &mut Peer,
    channel: Channel,
    markets: &[&str],
) -> Subscription {
    let subscribing = connection.subscribe(channel).markets(markets).send();
    let (subscription, _) = tokio::join!(subscribing, peer.acknowledge());
    subscription.unwrap()
}

/// Applies the next event to the books and returns it.
async fn event_for(connection: &mut Connection, books: &mut Books) -> Event {
    let event = event(connection).await;
    books.apply_event(&event);
    event
}

/// Acknowledges the next command with `ok` and returns the command.
async fn ok(peer: &mut Peer, sid: u64, markets: &[&str]) -> Value {
    let command = peer.command().await;
    peer.send(
        json!({"id": command["id"], "sid": sid, "type": "ok", "msg": {"market_tickers": markets}}),
    )
    .await;
    command
}

/// Returns the action of a command and its markets.
fn change_of(command: &Value) -> (Value, Value) {
    let params = &command["params"];
    (params["action"].clone(), params["market_tickers"].clone())
}

/// Closes the connection and accepts the next one.
async fn reconnect(exchange: &Exchange, connection: &mut Connection, peer: Peer) -> Peer {
    drop(peer);
    let peer = exchange.accept().await;
    while !matches!(event(connection).await, Event::Connected) {}
    peer
}

#[tokio::test]
async fn leaving_a_shared_channel_is_reported() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let first = subscribe(&connection, &mut peer, Channel::OrderbookDelta, &[A]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    peer.send(snapshot(1, 1)).await;
    books.apply_event(&event(&mut connection).await);
    assert!(books.live(A).is_some());
    let joining = connection
        .subscribe(Channel::OrderbookDelta)
        .market(A)
        .open(Backpressure::default());
    let (_second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A]));
    books.apply_event(&event(&mut connection).await);
    assert!(books.live(A).is_some());
    let id = first.id();
    first.unsubscribe().await.unwrap();
    let detached = event(&mut connection).await;
    assert!(
        matches!(detached, Event::Detached { subscription, sid: 1 } if subscription == id),
        "{detached:?}"
    );
    books.apply_event(&detached);
    assert_eq!(books.live(A), None, "live without receiving changes");
}

#[tokio::test]
async fn book_of_an_ended_subscription_is_not_live_whatever_the_reply() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let books_of_a = subscribe(&connection, &mut peer, Channel::OrderbookDelta, &[A]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    peer.send(snapshot(1, 1)).await;
    books.apply_event(&event(&mut connection).await);
    assert!(books.live(A).is_some());
    let (ended, ()) = tokio::join!(books_of_a.unsubscribe(), async {
        let command = peer.command().await;
        // Late messages must not make the book live.
        peer.send(snapshot(1, 2)).await;
        let error = json!({"code": 1, "msg": "no"});
        peer.send(json!({"id": command["id"], "type": "error", "msg": error}))
            .await;
    });
    ended.unwrap_err();
    let events = [
        event(&mut connection).await,
        event(&mut connection).await,
        event(&mut connection).await,
    ];
    for event in &events {
        books.apply_event(event);
        assert_eq!(books.live(A), None, "live without receiving changes");
    }
    let [_, Event::Unsubscribed { .. }, Event::Message(_)] = events else {
        panic!("{events:?}")
    };
    // A new subscription joins the one that the exchange has kept.
    let joining = connection.subscribe(Channel::OrderbookDelta).market(A);
    let (_joined, _) = tokio::join!(joining.send(), ok(&mut peer, 1, &[A]));
    peer.send(snapshot(1, 3)).await;
    while books.live(A).is_none() {
        books.apply_event(&event(&mut connection).await);
    }
}

#[tokio::test]
async fn subscription_without_markets_is_renewed_with_the_next_market() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let trades = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let (removed, command) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    assert_eq!(change_of(&command), (json!("delete_markets"), json!([A])));
    // After a reconnect it must not be renewed without markets, which would subscribe to all of them.
    let mut peer = reconnect(&exchange, &mut connection, peer).await;
    trades.remove_markets([A]).await.unwrap();
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        assert_eq!(change_of(&ok(&mut peer, sid, &[B]).await).1, json!([B]));
    });
    added.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ended_subscription_without_markets_is_not_renewed() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let trades = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let (removed, _) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "too slow"}}))
        .await;
    let next = tokio::time::timeout(Duration::from_secs(20), peer.command());
    assert!(next.await.is_err(), "subscribed without markets");
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        ok(&mut peer, sid, &[B]).await;
    });
    added.unwrap();
}

#[tokio::test]
async fn rejected_market_leaves_subscription_without_markets() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let trades = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let (removed, _) = tokio::join!(trades.remove_markets([A]), ok(&mut peer, 1, &[]));
    removed.unwrap();
    let mut peer = reconnect(&exchange, &mut connection, peer).await;
    // An empty addition sends nothing. A snapshot needs a subscription at the exchange.
    trades.add_markets([] as [&str; 0]).await.unwrap();
    let snapshots = trades.get_snapshots([A]).await;
    assert!(matches!(snapshots, Err(ConnectionError::Invalid(_))));
    let (rejected, ()) = tokio::join!(trades.add_markets(["NONE"]), async {
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!(["NONE"]));
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 11, "msg": "no"}}))
            .await;
    });
    assert!(matches!(rejected, Err(ConnectionError::Command(error)) if error.code == 11));
    let (added, ()) = tokio::join!(trades.add_markets([B]), async {
        let (params, sid) = peer.acknowledge().await;
        assert_eq!(params["market_tickers"], json!([B]));
        ok(&mut peer, sid, &[B]).await;
    });
    added.unwrap();
}

#[tokio::test]
async fn subscription_to_all_markets_is_renewed_for_all() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let trades = subscribe(&connection, &mut peer, Channel::Trade, &[]).await;
    let (added, _) = tokio::join!(trades.add_markets([A]), ok(&mut peer, 1, &[]));
    added.unwrap();
    let mut peer = reconnect(&exchange, &mut connection, peer).await;
    let (params, _) = peer.acknowledge().await;
    assert_eq!(params, json!({"channels": ["trade"]}));
}

#[tokio::test]
async fn removed_markets_are_not_kept_for_a_subscription() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let first = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let joining = connection.subscribe(Channel::Trade).markets([A, B]).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    // The second subscription still wants the market, so nothing is sent.
    first.remove_markets([A]).await.unwrap();
    let second = second.unwrap();
    let (removed, command) = tokio::join!(second.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    assert_eq!(change_of(&command), (json!("delete_markets"), json!([B])));
}

#[tokio::test]
async fn market_removed_during_subscribe_is_added_again() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let first = subscribe(&connection, &mut peer, Channel::Trade, &[A, B]).await;
    let joining = connection.subscribe(Channel::Trade).market(A).send();
    let (removed, second, ()) = tokio::join!(first.remove_markets([A]), joining, async {
        let commands = [peer.command().await, peer.command().await];
        let removes = |command: &&Value| command["cmd"] == "update_subscription";
        // The exchange handles the later command first.
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
        assert_eq!(change_of(&command), (json!("add_markets"), json!([A])));
    });
    removed.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn market_removed_during_addition_is_added_again() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let first = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let joining = connection.subscribe(Channel::Trade).market(B).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    let second = second.unwrap();
    let (detached, added, ()) = tokio::join!(first.unsubscribe(), second.add_markets([A]), async {
        let (removal, addition) = (peer.command().await, peer.command().await);
        assert_eq!(change_of(&removal), (json!("delete_markets"), json!([A])));
        // The exchange handles the later command first.
        for (command, markets) in [(addition, [A, B].as_slice()), (removal, &[B])] {
            peer.send(json!({"id": command["id"], "sid": 1, "type": "ok", "msg": {"market_tickers": markets}}))
                .await;
        }
        assert_eq!(
            change_of(&peer.command().await),
            (json!("add_markets"), json!([A]))
        );
    });
    detached.unwrap();
    added.unwrap();
}

#[tokio::test]
async fn acknowledgement_counts_in_its_own_sequence() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let joining = connection
        .subscribe(Channel::OrderbookDelta)
        .market(A)
        .send();
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
        let Event::Message(received) = event(&mut connection).await else {
            panic!("expected a message, without a gap before it")
        };
        last = received.frame.seq.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn messages_do_not_wait_for_timed_out_subscription() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    // The exchange never acknowledges this one.
    let unanswered = connection.subscribe(Channel::Ticker).send().await;
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
        let Event::Message(received) = event(&mut connection).await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
}

#[tokio::test]
async fn messages_do_not_wait_for_rejected_subscription() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let handle = connection.handle();
    let channels = BTreeMap::from([("channels", ["trade"])]);
    let by_hand = handle.command("subscribe", &channels);
    let (by_hand, _) = tokio::join!(by_hand, peer.acknowledge());
    by_hand.unwrap();
    let (rejected, ()) = tokio::join!(connection.subscribe(Channel::Ticker).send(), async {
        let command = peer.command().await;
        peer.send(delta(1, 10, "0.40", "1.00")).await;
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 11, "msg": "no"}}))
            .await;
        peer.send(delta(1, 11, "0.40", "1.00")).await;
    });
    assert!(matches!(rejected, Err(ConnectionError::Command(_))));
    for expected in [10, 11] {
        let Event::Message(received) = event(&mut connection).await else {
            panic!()
        };
        assert_eq!(received.frame.seq, Some(expected));
    }
}

#[tokio::test]
async fn single_market_is_sent_as_a_list() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let subscribing = connection.subscribe(Channel::Ticker);
    let subscribing = subscribing.params(|params| params.market_ticker(A.to_owned()));
    let (tickers, _) = tokio::join!(subscribing.send(), peer.acknowledge());
    let tickers = tickers.unwrap();
    let (added, _) = tokio::join!(tickers.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    let mut peer = reconnect(&exchange, &mut connection, peer).await;
    let (params, _) = peer.acknowledge().await;
    assert_eq!(
        params,
        json!({"channels": ["ticker"], "market_tickers": [A, B]})
    );
    // The exchange does not accept a market ID together with tickers.
    let subscribing = connection.subscribe(Channel::Ticker);
    let subscribing = subscribing.params(|params| params.market_id("7".to_owned()));
    let (by_id, _) = tokio::join!(subscribing.send(), peer.acknowledge());
    let rejected = by_id.unwrap().add_markets([A]).await;
    assert!(matches!(rejected, Err(ConnectionError::Invalid(_))));
}

#[tokio::test]
async fn snapshot_of_removed_market_is_not_requested() {
    let exchange = Exchange::new().await;
    let (connection, mut peer) = connected(&exchange).await;
    let subscription = subscribe(&connection, &mut peer, Channel::OrderbookDelta, &[A, B]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    for (seq, ticker) in [(1, A), (2, B)] {
        let mut frame = snapshot(1, seq);
        frame["msg"]["market_ticker"] = json!(ticker);
        books.apply(&Frame::parse(&frame.to_string()));
    }
    let (removed, _) = tokio::join!(subscription.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    // The books do not see the acknowledgement.
    books.apply(&Frame::parse(&delta(1, 4, "0.40", "1.00").to_string()));
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, [A, B]);
    let handle = connection.handle();
    let (_, ()) = tokio::join!(handle.send_request(&requests[0]), async {
        let command = peer.command().await;
        assert_eq!(change_of(&command), (json!("get_snapshot"), json!([A])));
        let mut frame = snapshot(1, 5);
        frame["id"] = command["id"].clone();
        peer.send(frame).await;
    });
    // After the market is added again, its snapshot is requested.
    let (added, _) = tokio::join!(subscription.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    let request_again = || {
        tokio::spawn({
            let (handle, request) = (handle.clone(), requests[0].clone());
            async move { handle.send_request(&request).await }
        })
    };
    let requesting = request_again();
    assert_eq!(change_of(&peer.command().await).1, json!([A, B]));
    requesting.abort();
    // Its snapshot may have been made before the removal. If it was added by another command, the acknowledgement lists it.
    let (removed, _) = tokio::join!(subscription.remove_markets([B]), ok(&mut peer, 1, &[A]));
    removed.unwrap();
    let mut late = snapshot(1, 9);
    late["msg"]["market_ticker"] = json!(B);
    let listed = json!({"type": "ok", "sid": 1, "seq": 10, "msg": {"market_tickers": [A, B]}});
    let mut connection = connection;
    for (seq, frame, expected) in [(9, late, json!([A])), (10, listed, json!([A, B]))] {
        peer.send(frame).await;
        while !matches!(event(&mut connection).await, Event::Message(received) if received.frame.seq == Some(seq))
        {
        }
        let requesting = request_again();
        assert_eq!(change_of(&peer.command().await).1, expected);
        requesting.abort();
    }
}

/// Returns the connection with live books of two markets. The removal of the second one is written, and its command is returned.
async fn removing(exchange: &Exchange) -> (Connection, Peer, Subscription, Books, Value) {
    let (mut connection, mut peer) = connected(exchange).await;
    let subscription = subscribe(&connection, &mut peer, Channel::OrderbookDelta, &[A, B]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    for (seq, ticker) in [(1, A), (2, B)] {
        let mut frame = snapshot(1, seq);
        frame["msg"]["market_ticker"] = json!(ticker);
        peer.send(frame).await;
        books.apply_event(&event(&mut connection).await);
    }
    assert!(books.live(A).is_some() && books.live(B).is_some());
    let command = tokio::select! {
        command = peer.command() => command,
        _ = subscription.remove_markets([B]) => panic!("acknowledged"),
    };
    let removed = event(&mut connection).await;
    assert!(
        matches!(&removed, Event::TargetsRemoved { sid: 1, targets, .. } if **targets == [B]),
        "{removed:?}"
    );
    books.apply_event(&removed);
    assert!(books.live(A).is_some() && books.live(B).is_none());
    (connection, peer, subscription, books, command)
}

#[tokio::test]
async fn market_whose_removal_is_not_acknowledged_is_not_live() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, subscription, mut books, removal) = removing(&exchange).await;
    // The acknowledgement is lost. Late messages of the market, and an earlier list, do not revive it.
    let mut late = snapshot(1, 4);
    late["msg"]["market_ticker"] = json!(B);
    let mut change = delta(1, 6, "0.40", "1.00");
    change["msg"]["market_ticker"] = json!(B);
    for frame in [
        late,
        json!({"type": "ok", "id": 99, "sid": 1, "seq": 5, "msg": {"market_tickers": [A, B]}}),
        change,
    ] {
        peer.send(frame.clone()).await;
        loop {
            let event = event(&mut connection).await;
            books.apply_event(&event);
            assert!(books.live(B).is_none() && !books.is_stale(B), "{frame}");
            if matches!(event, Event::Message(_)) {
                break;
            }
        }
    }
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, [A]);
    // The exchange would send a snapshot of any market.
    let both = SnapshotRequest::new(1, vec![A.to_owned(), B.to_owned()]);
    let handle = connection.handle();
    let requesting = tokio::spawn(async move { handle.send_request(&both).await });
    assert_eq!(change_of(&peer.command().await).1, json!([A]));
    requesting.abort();
    // A rejection that does not name the removal, or that leaves open what happened, is no proof.
    for error in [
        json!({"type": "error", "sid": 1, "msg": {"code": 11, "msg": "no"}}),
        json!({"type": "error", "id": removal["id"], "msg": {"code": 18, "msg": "timeout"}}),
    ] {
        peer.send(error).await;
    }
    // An addition that is acknowledged later is.
    let (added, _) = tokio::join!(subscription.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    while !books.is_stale(B) {
        let event = event(&mut connection).await;
        assert!(!matches!(event, Event::Disconnected { .. }));
        books.apply_event(&event);
    }
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, [B]);
}

#[tokio::test]
async fn market_whose_removal_is_rejected_returns() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, _subscription, mut books, removal) = removing(&exchange).await;
    peer.send(json!({"type": "error", "id": removal["id"], "msg": {"code": 27, "msg": "slow"}}))
        .await;
    let kept = event(&mut connection).await;
    assert!(
        matches!(&kept, Event::TargetsKept { sid: 1, targets, .. } if **targets == [B]),
        "{kept:?}"
    );
    books.apply_event(&kept);
    assert!(books.is_stale(B));
    let requests = books.drain_snapshot_requests();
    assert_eq!(requests[0].market_tickers, [B]);
    let handle = connection.handle();
    let requesting = tokio::spawn(async move { handle.send_request(&requests[0]).await });
    let command = peer.command().await;
    assert_eq!(change_of(&command).1, json!([B]));
    let mut frame = snapshot(1, 3);
    (frame["id"], frame["msg"]["market_ticker"]) = (command["id"].clone(), json!(B));
    peer.send(frame).await;
    requesting.await.unwrap().unwrap();
    while books.live(B).is_none() {
        books.apply_event(&event(&mut connection).await);
    }
}

#[tokio::test]
async fn market_is_live_again_although_the_acknowledgement_of_its_removal_was_dropped() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer, subscription, mut books, removal) = removing(&exchange).await;
    peer.send(json!({"id": removal["id"], "sid": 1, "type": "ok", "msg": {"market_tickers": [A]}}))
        .await;
    let dropped = event(&mut connection).await;
    assert!(matches!(dropped, Event::Message(_)), "{dropped:?}");
    books.apply_event(&Event::Lagged { count: 1 });
    let (added, _) = tokio::join!(subscription.add_markets([B]), ok(&mut peer, 1, &[A, B]));
    added.unwrap();
    let mut frame = snapshot(1, 3);
    frame["msg"]["market_ticker"] = json!(B);
    peer.send(frame).await;
    while !matches!(event_for(&mut connection, &mut books).await, Event::Message(received) if received.frame.seq == Some(3))
    {
    }
    assert!(books.live(B).is_some());
}

#[tokio::test(start_paused = true)]
async fn first_frame_of_an_ended_subscription_revives_no_book() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let _books_of_a = subscribe(&connection, &mut peer, Channel::OrderbookDelta, &[A]).await;
    let mut books = Books::with_mode(PriceMode::NoPrices);
    peer.send(snapshot(1, 1)).await;
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}}))
        .await;
    let resubscribing = async {
        peer.acknowledge().await;
        peer.send(snapshot(2, 1)).await;
    };
    let reading = async {
        let mut sid = None;
        while sid != Some(2) || books.live(A).is_none() {
            let event = event(&mut connection).await;
            if let Event::Message(received) = &event {
                sid = received.frame.sid;
            }
            books.apply_event(&event);
        }
    };
    tokio::join!(reading, resubscribing);
    peer.send(snapshot(1, 1)).await;
    books.apply_event(&event(&mut connection).await);
    assert!(books.live(A).is_none());
    let requests = books.drain_snapshot_requests();
    assert_eq!((requests.len(), requests[0].sid), (1, 2));
}

#[tokio::test]
async fn messages_of_shared_channel_keep_their_subscription_after_reconnect() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange).await;
    let first = subscribe(&connection, &mut peer, Channel::Trade, &[A]).await;
    let joining = connection.subscribe(Channel::Trade).market(B).send();
    let (second, _) = tokio::join!(joining, ok(&mut peer, 1, &[A, B]));
    let second = second.unwrap();
    // The exchange acknowledges the second subscription first.
    let mut peer = reconnect(&exchange, &mut connection, peer).await;
    let commands = [peer.command().await, peer.command().await];
    for command in commands.iter().rev() {
        peer.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": "trade", "sid": 1}}))
            .await;
    }
    peer.send(delta(1, 1, "0.40", "1.00")).await;
    loop {
        if let Event::Message(received) = event(&mut connection).await {
            assert_eq!(received.subscription, Some(first.id()));
            assert_ne!(received.subscription, Some(second.id()));
            break;
        }
    }
}
