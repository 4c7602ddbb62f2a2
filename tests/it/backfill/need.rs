//! When a fetch is needed: after which events, and for which subscriptions.

use super::*;

#[tokio::test]
async fn gap_that_ends_during_read_needs_another_fetch() {
    let mut world = World::new().await;
    let now = Utc::now();
    world.reconnect().await;
    let reading = tokio::spawn(world.backfill.read());
    world.reconnect().await;
    let rows = reading.await.unwrap().unwrap();
    let missed = world.backfill.merge(rows);
    assert!(missed.fills.is_empty() && world.backfill.is_fetch_needed());
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["a"]);
    assert!(!world.backfill.is_fetch_needed());
}

#[tokio::test]
async fn fetch_is_needed_once_all_private_channels_are_resubscribed() {
    let channels = [Channel::Fill, Channel::Trade, Channel::UserOrders];
    let mut world = World::with(&channels, |client| client).await;
    world.lose().await;
    let observed = world.resubscribe().await;
    let (last, earlier) = observed.split_last().unwrap();
    assert_eq!(*last, Observation::FetchNeeded);
    assert!(
        earlier
            .iter()
            .all(|observed| *observed == Observation::Other)
    );
    _ = world.backfill.fetch().await.unwrap();
    // Without named subscriptions, any of them may be a private channel.
    world.backfill = Backfill::new(&world.client);
    world.lose().await;
    let observed = world.resubscribe().await;
    assert_eq!(observed[1..], [Observation::FetchNeeded; 3]);
}

#[tokio::test]
async fn unsubscribing_needs_one_fetch() {
    for are_named in [true, false] {
        let mut world = World::new().await;
        if !are_named {
            world.backfill = Backfill::new(&world.client);
        }
        let subscription = &world.connection.subscriptions()[0];
        let (handle, id) = (subscription.handle(), subscription.id());
        let (ended, ()) = tokio::join!(handle.unsubscribe(id), async {
            let command = world.peer.command().await;
            let reply = json!({"id": command["id"], "sid": 1, "seq": 1, "type": "unsubscribed"});
            world.peer.send(reply).await;
        });
        ended.unwrap();
        let mut observed = Vec::new();
        let mut is_acknowledged = false;
        while !is_acknowledged {
            let event = world.next().await;
            is_acknowledged = matches!(event, Event::Message(_));
            observed.push(world.backfill.observe(&event));
        }
        observed.retain(|observed| *observed != Observation::Other);
        assert_eq!(observed, [Observation::FetchNeeded], "{are_named}");
    }
}

/// The connection reports no event when a detached subscription ends.
#[tokio::test]
async fn ended_subscription_does_not_block_fetch() {
    let mut world = World::new().await;
    let ended = world.connection.subscriptions()[1].id();
    assert_eq!(world.backfill.unsubscribed(ended), Observation::FetchNeeded);
    _ = world.backfill.fetch().await.unwrap();
    // A repeated call has no effect.
    assert_eq!(world.backfill.unsubscribed(ended), Observation::Other);
    world.lose().await;
    let observed = world.resubscribe().await;
    // The remaining subscription makes the fetch due. Nothing else is awaited.
    assert_eq!(
        observed[1..],
        [Observation::FetchNeeded, Observation::Other],
        "{observed:?}"
    );
    // During a reconnect, the fetch becomes due when the last awaited subscription ends.
    let mut world = World::new().await;
    let subscriptions = world.connection.subscriptions().iter();
    let ids: Vec<_> = subscriptions.map(|one| one.id()).collect();
    world.lose().await;
    assert_eq!(world.backfill.unsubscribed(ids[0]), Observation::Other);
    assert_eq!(
        world.backfill.unsubscribed(ids[1]),
        Observation::FetchNeeded
    );
}

/// Unsubscribing a subscription made later reports no event, so it must not be awaited.
#[tokio::test]
async fn later_subscription_does_not_block_fetch() {
    let mut world = World::new().await;
    let later = world.connection.subscribe(Channel::Fill);
    let (later, ()) = tokio::join!(later.send(), async {
        world.peer.acknowledge().await;
    });
    let later = later.unwrap();
    let mut message = fill_message("a", "o", Utc::now());
    message["sid"] = json!(3);
    assert_eq!(world.deliver(message).await, Observation::New);
    let (ended, ()) = tokio::join!(later.unsubscribe(), async {
        let command = world.peer.command().await;
        let reply = json!({"id": command["id"], "sid": 3, "seq": 2, "type": "unsubscribed"});
        world.peer.send(reply).await;
    });
    ended.unwrap();
    drop(std::mem::replace(
        &mut world.peer,
        Peer::over(unconnected().await).await,
    ));
    let mut is_lost = false;
    while !is_lost {
        let event = world.next().await;
        is_lost = matches!(event, Event::Disconnected { .. });
        _ = world.backfill.observe(&event);
    }
    let accepting = async {
        let mut peer = world.server.accept().await;
        peer.acknowledge().await;
        peer.acknowledge().await;
        peer
    };
    let reading = async {
        while !world.backfill.is_fetch_needed() {
            let event = world.connection.next().await.unwrap().unwrap();
            _ = world.backfill.observe(&event);
        }
    };
    let (_peer, ()) = tokio::time::timeout(LONG, async { tokio::join!(accepting, reading) })
        .await
        .expect("no fetch became due");
}

/// Messages may be missing from the error until the fetch, not only until the new subscription.
#[tokio::test]
async fn ended_subscription_may_miss_messages_until_fetch() {
    // The message names the subscription that ended, or none.
    let error = json!({"type": "error", "msg": {"code": 25, "msg": "overflow"}});
    let unsubscribed = json!({"type": "unsubscribed", "seq": 1});
    let ends = [error, unsubscribed].map(|ended| {
        let named = merge(ended.clone(), json!({"sid": 1}));
        [(named, 1), (ended, 2)]
    });
    for (ended, renewed) in ends.into_iter().flatten() {
        let mut world = World::new().await;
        assert!(!world.backfill.may_be_missing_messages());
        assert_eq!(world.deliver(ended).await, Observation::Other);
        assert!(world.backfill.may_be_missing_messages() && !world.backfill.is_fetch_needed());
        // Another sign of lost messages does not close the gap.
        let mut broken = order_message("o", resting("0.00", "10.00", Utc::now()));
        broken["msg"]["fill_count_fp"] = json!("many");
        if renewed == 1 {
            assert_eq!(world.deliver(broken).await, Observation::Other);
        }
        for _ in 0..renewed {
            world.peer.acknowledge().await;
        }
        for left in (0..renewed).rev() {
            let event = world.next().await;
            assert!(matches!(event, Event::Resubscribed { .. }), "{event:?}");
            let expected = match left {
                0 => Observation::FetchNeeded,
                _ => Observation::Other,
            };
            assert_eq!(world.backfill.observe(&event), expected);
            assert!(world.backfill.may_be_missing_messages());
        }
        _ = world.backfill.fetch().await.unwrap();
        assert!(!world.backfill.may_be_missing_messages());
    }
}

#[tokio::test]
async fn incomplete_error_of_private_channel_needs_a_fetch() {
    let mut world = World::new().await;
    let ended = json!({"type": "error", "sid": 1, "msg": {"code": 25}});
    assert_eq!(world.deliver(ended).await, Observation::Other);
    assert!(world.backfill.may_be_missing_messages());
    world.peer.acknowledge().await;
    let event = world.next().await;
    assert!(matches!(event, Event::Resubscribed { .. }), "{event:?}");
    assert_eq!(world.backfill.observe(&event), Observation::FetchNeeded);
    // Without a code, the error may have ended its subscription, or any. A frame without a type may be a fill.
    for undecodable in [
        json!({"type": "error", "sid": 2, "msg": {}}),
        json!({"type": "error", "msg": {}}),
        json!({"msg": {}}),
    ] {
        _ = world.backfill.fetch().await.unwrap();
        assert!(!world.backfill.may_be_missing_messages());
        let text = undecodable.to_string();
        assert_eq!(
            world.deliver(undecodable).await,
            Observation::FetchNeeded,
            "{text}"
        );
    }
}

#[tokio::test]
async fn error_of_public_channel_needs_no_fetch() {
    let mut world = World::with(&[Channel::Trade, Channel::Fill], |client| client).await;
    let ended = json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}});
    assert_eq!(world.deliver(ended).await, Observation::Other);
    assert!(!world.backfill.may_be_missing_messages());
    let undecodable = json!({"type": "error", "sid": 2, "msg": {}});
    assert_eq!(world.deliver(undecodable).await, Observation::FetchNeeded);
}

#[tokio::test]
async fn undelivered_messages_need_a_fetch() {
    let mut world = World::new().await;
    let now = Utc::now();
    // A message that fails to decode.
    let mut broken = fill_message("a", "o", now);
    broken["msg"]["count_fp"] = json!("many");
    assert_eq!(world.deliver(broken).await, Observation::FetchNeeded);
    world.held(|held| held.fills = vec![fill_row("a", "o", now)]);
    assert_eq!(trades(&world.backfill.fetch().await.unwrap().fills), ["a"]);
    let mut other = fill_message("b", "o", now);
    other["type"] = json!("trade");
    assert_eq!(world.deliver(other.clone()).await, Observation::Other);
    // A message of an unknown type may report a fill.
    other["type"] = json!("fill_v2");
    assert_eq!(world.deliver(other).await, Observation::FetchNeeded);
    _ = world.backfill.fetch().await.unwrap();
    // Messages dropped because they were not read in time.
    for number in 0..40 {
        let trade = format!("t{number}");
        world.held(|held| held.fills.push(fill_row(&trade, "o", now)));
        world.peer.send(fill_message(&trade, "o", now)).await;
    }
    world
        .peer
        .send(json!({"type": "ok", "sid": 1, "msg": {}}))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut counted = 0;
    while !world.backfill.is_fetch_needed() {
        let event = world.next().await;
        match world.backfill.observe(&event) {
            Observation::New => counted += 1,
            Observation::FetchNeeded => assert!(matches!(event, Event::Lagged { .. })),
            _ => {}
        }
    }
    let missed = world.backfill.fetch().await.unwrap();
    assert!(
        counted < 40 && counted + missed.fills.len() == 40,
        "{counted}"
    );
    // The messages still in the queue were covered by the fetch.
    for _ in 0..4 {
        let event = world.next().await;
        assert_ne!(world.backfill.observe(&event), Observation::New);
    }
}

/// Splitting the subscription would lose fills in the later parts without an event.
#[tokio::test]
async fn private_channel_is_resubscribed_in_one_command_after_overflow() {
    let server = Server::new().await;
    let markets = ["A", "B", "C", "D", "E", "F", "G", "H"].map(|name| format!("KXTEST-26-{name}"));
    let builder = server.client.websocket().channel(Channel::Fill);
    let (connection, mut peer) = tokio::join!(
        builder.markets(&markets).connect(),
        server.accept_subscribed(1)
    );
    let mut connection = connection.unwrap();
    let mut backfill = Backfill::new(&server.client).subscriptions(connection.subscriptions());
    peer.send(json!({"type": "error", "sid": 1, "msg": {"code": 25, "msg": "overflow"}}))
        .await;
    let (params, _) = tokio::time::timeout(LONG, peer.acknowledge())
        .await
        .expect("no subscription within the timeout");
    assert_eq!(params["market_tickers"], json!(markets));
    while !backfill.is_fetch_needed() {
        let event = connection.next().await.unwrap().unwrap();
        _ = backfill.observe(&event);
    }
}

/// A subscription without markets is not made again, so nothing must wait for it.
#[tokio::test]
async fn private_subscription_without_markets_does_not_block_fetch() {
    for are_named in [true, false] {
        let server = Server::new().await;
        let builder = server.client.websocket().market(MARKET);
        let builder = builder.channel(Channel::Fill).channel(Channel::UserOrders);
        let (connection, mut peer) = tokio::join!(builder.connect(), server.accept_subscribed(2));
        let mut connection = connection.unwrap();
        let mut backfill = Backfill::new(&server.client);
        if are_named {
            backfill = backfill.subscriptions(connection.subscriptions());
        }
        for (subscription, sid) in connection.subscriptions().iter().zip(1..) {
            let (removed, ()) = tokio::join!(subscription.remove_markets([MARKET]), async {
                let command = peer.command().await;
                let ok = json!({"market_tickers": []});
                peer.send(json!({"id": command["id"], "sid": sid, "type": "ok", "msg": ok}))
                    .await;
            });
            removed.unwrap();
        }
        drop(peer);
        let _peer = server.accept().await;
        let reading = async {
            while !backfill.is_fetch_needed() {
                let event = connection.next().await.unwrap().unwrap();
                _ = backfill.observe(&event);
            }
        };
        tokio::time::timeout(LONG, reading)
            .await
            .expect("no fetch became due");
    }
}

/// After `disconnected`, a fetch covers everything up to its own call, not only the gap that was open before.
#[tokio::test]
async fn fetch_after_disconnect_covers_everything_until_its_call() {
    let mut world = World::new().await;
    world.reconnect().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    world.backfill.disconnected();
    assert!(!world.backfill.is_fetch_needed());
    let began = Instant::now();
    _ = world.backfill.fetch().await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    // Messages observed after `disconnected` still count.
    world.backfill.disconnected();
    let late = fill_message("late", "o", Utc::now());
    assert_eq!(world.deliver(late).await, Observation::New);
    world.reconnect().await;
}

#[tokio::test]
async fn replaced_connection_continues_the_count() {
    let mut world = World::new().await;
    let now = Utc::now();
    assert_eq!(
        world.deliver(fill_message("a", "o", now)).await,
        Observation::New
    );
    world.held(|held| held.fills = vec![fill_row("a", "o", now), fill_row("b", "o", now)]);
    let builder = world.client.websocket().channel(Channel::Fill);
    let (connection, _peer) = tokio::join!(builder.connect(), async {
        let mut peer = world.server.accept().await;
        peer.acknowledge().await;
        peer
    });
    let connection = connection.unwrap();
    world
        .backfill
        .replace_connection(connection.subscriptions());
    assert!(world.backfill.is_fetch_needed());
    let missed = world.backfill.fetch().await.unwrap();
    assert_eq!(trades(&missed.fills), ["b"]);
}
