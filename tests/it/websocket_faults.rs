//! WebSocket connections on an unreliable network, including a simulated day.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide, PriceLevel,
    ws::{
        BookEvent, BookUpdate, Channel, Connection, ConnectionError, Event, OrderBook, PriceMode,
        RedundantBooks, StaleReason,
    },
};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep},
};

const MARKET: &str = "KXTEST-26-A";

async fn connect(exchange: &Exchange) -> (Connection, Peer) {
    let connection = exchange
        .client
        .websocket()
        .channel(Channel::OrderbookDelta)
        .market(MARKET);
    let (connection, peer) = tokio::join!(connection.connect(), exchange.accept_subscribed(1));
    let mut connection = connection.unwrap();
    assert!(matches!(
        connection.next().await,
        Some(Ok(Event::Connected))
    ));
    (connection, peer)
}

/// Reads until the connection is lost and returns the reason.
async fn disconnect_reason(connection: &mut Connection) -> Arc<ConnectionError> {
    loop {
        match connection.next().await.unwrap().unwrap() {
            Event::Disconnected { reason } => return reason,
            Event::Message(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn half_open_connection_is_closed_while_commands_are_written() {
    let exchange = Exchange::new().await;
    let (mut connection, peer) = connect(&exchange).await;
    // The socket stays open, but the server no longer reads from it.
    let _tcp = peer.into_tcp();
    let handle = connection.handle();
    let filling = tokio::spawn(async move {
        let much = json!({"channels": ["x".repeat(1 << 20)]});
        let commands = (0..32).map(|_| handle.command("nonsense", &much));
        futures_util::future::join_all(commands).await
    });
    let began = Instant::now();
    let reason = disconnect_reason(&mut connection).await;
    assert!(matches!(*reason, ConnectionError::Idle(_)), "{reason:?}");
    assert!((24..=26).contains(&began.elapsed().as_secs()));
    assert!(filling.await.unwrap().iter().all(Result::is_err));
    exchange.accept().await.acknowledge().await;
    assert!(matches!(
        connection.next().await,
        Some(Ok(Event::Connected))
    ));
}

/// The pings keep the connection from being idle.
#[tokio::test(start_paused = true)]
async fn connection_is_replaced_if_server_pings_and_reads_nothing() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connect(&exchange).await;
    let handle = connection.handle();
    let commands = tokio::spawn(async move {
        let much = json!({"channels": ["x".repeat(1 << 20)]});
        let commands = (0..32).map(|_| handle.command("nonsense", &much));
        futures_util::future::join_all(commands).await
    });
    let began = Instant::now();
    let pinging = async {
        loop {
            sleep(Duration::from_secs(10)).await;
            _ = peer.socket_ping().await;
        }
    };
    let reason = tokio::select! {
        reason = disconnect_reason(&mut connection) => reason,
        () = pinging => unreachable!(),
        () = sleep(Duration::from_secs(120)) => panic!("still connected"),
    };
    assert!(matches!(*reason, ConnectionError::Unread), "{reason:?}");
    assert!((24..=26).contains(&began.elapsed().as_secs()));
    assert!(commands.await.unwrap().iter().all(Result::is_err));
}

/// Every ping makes the client queue a pong.
#[tokio::test]
async fn connection_is_replaced_if_pongs_pile_up() {
    let exchange = Exchange::new().await;
    let (mut connection, peer) = connect(&exchange).await;
    let mut tcp = peer.into_tcp();
    // A ping with the largest payload.
    let pings = [[0x89, 125].as_slice(), [b'x'; 125].as_slice()].concat();
    let pings = pings.repeat(512);
    let flooding = async {
        while tcp.write_all(&pings).await.is_ok() {}
        std::future::pending().await
    };
    let reason = tokio::select! {
        reason = disconnect_reason(&mut connection) => reason,
        () = flooding => unreachable!(),
        // Before the idle timeout.
        () = sleep(Duration::from_secs(20)) => panic!("still connected"),
    };
    assert!(matches!(*reason, ConnectionError::Unread), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn lasting_connection_is_replaced_without_backoff() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connect(&exchange).await;
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = connection.next().await {} });
    for _ in 0..12 {
        for _ in 0..4 {
            sleep(Duration::from_secs(16)).await;
            peer.ping().await;
        }
        drop(peer);
        let began = Instant::now();
        peer = exchange.accept().await;
        // A growing backoff would have reached a minute by now.
        assert!(began.elapsed() <= Duration::from_secs(1));
        peer.acknowledge().await;
    }
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn stall_of_ten_seconds_is_survived() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connect(&exchange).await;
    peer.send(snapshot(1, 1)).await;
    connection.next().await.unwrap().unwrap();
    // A stall before a frame, and one in the middle of it.
    sleep(Duration::from_secs(10)).await;
    let text = delta(1, 2, "0.41", "1.00").to_string();
    let mut frame = vec![0x81, 126];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend(text.as_bytes());
    let mut tcp = peer.into_tcp();
    tcp.write_all(&frame[..100]).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    tcp.write_all(&frame[100..]).await.unwrap();
    let Event::Message(received) = connection.next().await.unwrap().unwrap() else {
        panic!()
    };
    assert_eq!(received.frame.seq, Some(2));
    assert_eq!(received.age(), None);
    // A message with timestamps of the exchange has an age.
    let mut peer = Peer::over(tcp).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let mut timestamped = delta(1, 3, "0.41", "1.00");
    timestamped["sending_ts_ms"] = json!(now - 2_000);
    timestamped["msg"]["ts_ms"] = json!(now - 3_000);
    peer.send(timestamped).await;
    let Event::Message(received) = connection.next().await.unwrap().unwrap() else {
        panic!()
    };
    let ages = [received.age(), received.event_age()].map(|age| age.unwrap().num_milliseconds());
    assert!(
        (2_000..3_000).contains(&ages[0]) && (3_000..4_000).contains(&ages[1]),
        "{ages:?}"
    );
}

#[tokio::test]
async fn book_recovers_after_reset_within_a_frame() {
    let exchange = Exchange::new().await;
    let books = exchange.client.websocket().market(MARKET);
    let (books, mut peer) = tokio::join!(books.books(), async {
        let mut peer = exchange.accept_subscribed(1).await;
        peer.send(snapshot(1, 1)).await;
        peer
    });
    let mut books = books.unwrap();
    let mut events = Vec::new();
    let mut recovered = false;
    while events.len() < 5 {
        if let Ok(update) = tokio::time::timeout(Duration::from_secs(20), books.next()).await {
            match update.unwrap().unwrap() {
                BookUpdate::Book(BookEvent::Live { .. }) if events.is_empty() => {
                    events.push("live");
                    crate::scripted_server::reset(peer.into_tcp(), &[0x81, 126, 1]).await;
                    peer = exchange.accept().await;
                    // The snapshot follows the subscription immediately.
                    peer.acknowledge().await;
                    peer.send(snapshot(1, 1)).await;
                }
                BookUpdate::Book(BookEvent::Live { .. }) => {
                    events.push("live");
                    recovered = true;
                }
                BookUpdate::Book(BookEvent::Stale { reason, .. }) => {
                    assert_eq!(reason, StaleReason::Disconnected);
                    assert!(books.live(MARKET).is_none());
                    events.push("stale");
                }
                BookUpdate::Connection(Event::Disconnected { reason }) => {
                    assert!(matches!(*reason, ConnectionError::Broken(_)), "{reason:?}");
                    events.push("disconnected");
                }
                BookUpdate::Connection(Event::Resubscribed { .. }) => events.push("again"),
                _ => {}
            }
        }
    }
    assert_eq!(events, ["live", "disconnected", "stale", "again", "live"]);
    assert!(recovered && books.live(MARKET).is_some());
}

#[tokio::test]
async fn rejected_snapshot_request_after_gap_is_repeated() {
    let exchange = Exchange::new().await;
    let books = exchange.client.websocket().market(MARKET);
    let (books, mut peer) = tokio::join!(books.books(), async {
        let mut peer = exchange.accept_subscribed(1).await;
        peer.send(snapshot(1, 1)).await;
        peer.send(delta(1, 3, "0.41", "1.00")).await;
        peer
    });
    let mut books = books.unwrap();
    let exchange = tokio::spawn(async move {
        let rejected = peer.command().await;
        assert_eq!(rejected["params"]["action"], "get_snapshot");
        peer.send(
            json!({"type": "error", "id": rejected["id"], "msg": {"code": 18, "msg": "timeout"}}),
        )
        .await;
        let again = peer.command().await;
        // This change arrives before the snapshot, which includes it.
        peer.send(delta(1, 4, "0.41", "2.00")).await;
        let mut reply = snapshot(1, 5);
        reply["id"] = again["id"].clone();
        peer.send(reply).await;
        peer.send(delta(1, 6, "0.41", "7.00")).await;
        peer
    });
    let mut stale = 0;
    loop {
        match books.next().await.unwrap().unwrap() {
            BookUpdate::Book(BookEvent::Stale { reason, .. }) => {
                assert_eq!(
                    reason,
                    StaleReason::Gap {
                        expected: 2,
                        got: 3
                    }
                );
                stale += 1;
            }
            BookUpdate::Book(BookEvent::Changed { .. }) => break,
            _ => {}
        }
    }
    assert_eq!(stale, 1);
    let other = OrderBook::from_bids(&[level(400_000, 1_000), level(410_000, 700)], &[]);
    assert!(books.live(MARKET).unwrap().differences(&other).is_empty());
    assert_eq!(other.differences(&OrderBook::new()).len(), 2);
    drop(exchange.await.unwrap());
}

fn level(price: i64, count: i64) -> PriceLevel {
    let (price, count) = (
        Dollars::from_micros(price),
        Contracts::from_hundredths(count),
    );
    serde_json::from_value(json!([price, count])).unwrap()
}

#[tokio::test]
async fn redundant_books_hide_losses_of_one_connection() {
    let exchange = Exchange::new().await;
    let (mut one, mut to_one) = connect(&exchange).await;
    let (mut other, mut to_other) = connect(&exchange).await;
    let at = |mut frame: serde_json::Value, clock: i64| {
        frame["msg"]["clock"] = clock.into();
        frame
    };
    let mut books = RedundantBooks::with_mode(2, PriceMode::NoPrices);
    let mut events = Vec::new();
    // Both connections get the same changes. The first one loses the second change, the second one is later disconnected.
    for (seq, clock) in [(1, 70), (2, 71), (3, 72)] {
        let frame = |seq| match seq {
            1 => at(snapshot(1, 1), clock),
            seq => at(delta(1, seq, "0.41", "1.00"), clock),
        };
        if seq != 2 {
            to_one.send(frame(seq)).await;
            let gaps = u64::from(seq == 3);
            for _ in 0..=gaps {
                let event = one.next().await.unwrap().unwrap();
                events.extend(books.apply_event(0, &event));
            }
        }
        to_other.send(frame(seq)).await;
        let event = other.next().await.unwrap().unwrap();
        events.extend(books.apply_event(1, &event));
        // The most recent book is returned, even while the other connection does not know that it is behind.
        let best = books
            .live(MARKET)
            .unwrap()
            .best_bid(OutcomeSide::Yes)
            .unwrap();
        let count = i64::try_from(seq).unwrap() * 100 - 100;
        assert_eq!(
            best,
            if seq == 1 {
                level(400_000, 1_000)
            } else {
                level(410_000, count)
            }
        );
    }
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match event {
            BookEvent::Live { .. } => "live",
            BookEvent::Changed { .. } => "changed",
            _ => "stale",
        })
        .collect();
    assert_eq!(kinds, ["live", "changed", "changed"]);
    let expected = OrderBook::from_bids(&[level(400_000, 1_000), level(410_000, 200)], &[]);
    assert_eq!(books.live(MARKET), Some(&expected));
    assert!(!books.has_no_clock(MARKET));
    // The book is stale only if no connection has a live one.
    drop(to_other);
    let event = other.next().await.unwrap().unwrap();
    assert!(matches!(
        books.apply_event(1, &event)[..],
        [BookEvent::Stale { .. }]
    ));
    assert!(books.live(MARKET).is_none());
    // The snapshot after the gap is requested on the first connection.
    assert!(books.drain_snapshot_requests(1).is_empty());
    assert_eq!(books.drain_snapshot_requests(0)[0].market_tickers, [MARKET]);
    // Frames without a clock are reported.
    to_one.send(snapshot(1, 4)).await;
    let event = one.next().await.unwrap().unwrap();
    assert!(matches!(
        books.apply_event(0, &event)[..],
        [BookEvent::Live { .. }]
    ));
    assert!(books.has_no_clock(MARKET));
}

/// The exchange's book, and counts of the day's events.
#[derive(Default)]
struct Day {
    bids: BTreeMap<i64, i64>,
    connections: u32,
    resets: u32,
}

/// Serves one connection: a subscription, then changes and pings until a random failure or `until`.
async fn serve_connection(
    mut peer: Peer,
    day: &mut Day,
    random: &mut fastrand::Rng,
    until: Instant,
) {
    let (_, sid) = peer.acknowledge().await;
    let levels: Vec<_> = day
        .bids
        .iter()
        .map(|(cents, count)| json!([format!("0.{cents:02}"), format!("{count}.00")]))
        .collect();
    let mut seq = 1;
    peer.send(json!({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": {"market_ticker": MARKET,
        "market_id": "m", "yes_dollars_fp": levels}}))
        .await;
    while Instant::now() < until {
        sleep(Duration::from_secs(10)).await;
        if peer.socket_ping().await.is_err() {
            return;
        }
        let cents = random.i64(1..99);
        let held = day.bids.get(&cents).copied().unwrap_or(0);
        let count = if held > 0 && random.bool() {
            -held
        } else {
            random.i64(1..100)
        };
        day.bids.insert(cents, held + count);
        day.bids.retain(|_, count| *count > 0);
        seq += 1;
        // One frame in a thousand is lost.
        if random.u32(0..1_000) != 0 {
            let price = format!("0.{cents:02}");
            if peer
                .try_send(delta(sid, seq, &price, &format!("{count}.00")))
                .await
                .is_err()
            {
                return;
            }
        }
        if let Some(command) = peer.try_command().await {
            let levels: Vec<_> = day
                .bids
                .iter()
                .map(|(cents, count)| json!([format!("0.{cents:02}"), format!("{count}.00")]))
                .collect();
            seq += 1;
            peer.send(json!({"type": "orderbook_snapshot", "id": command["id"], "sid": sid, "seq": seq, "msg": {"market_ticker": MARKET,
                "market_id": "m", "yes_dollars_fp": levels}}))
                .await;
        }
        match random.u32(0..2_000) {
            0 => {
                day.resets += 1;
                return crate::scripted_server::reset(peer.into_tcp(), &[0x81, 126, 1]).await;
            }
            1 => {
                day.resets += 1;
                // The socket stays open but silent.
                let tcp = peer.into_tcp();
                tokio::spawn(async move {
                    sleep(Duration::from_secs(60)).await;
                    drop(tcp);
                });
                return;
            }
            _ => {}
        }
    }
    peer.close(1001).await;
}

/// Simulates 24 hours on an unreliable network, with the exchange closed between the third and the fifth hour.
#[tokio::test(start_paused = true)]
async fn books_survive_a_day_with_a_closure() {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let exchange = Exchange::new().await;
    let client = exchange.client.clone();
    let began = Instant::now();
    let rejected = Arc::new(AtomicU32::new(0));
    let rejections = Arc::clone(&rejected);
    let playing = tokio::spawn(async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut day = Day::default();
        loop {
            let now = began.elapsed();
            if now < hours(3) || now >= hours(5) {
                let until = began + if now < hours(3) { hours(3) } else { hours(24) };
                let peer = exchange.accept().await;
                day.connections += 1;
                serve_connection(peer, &mut day, &mut random, until).await;
                if began.elapsed() >= hours(24) {
                    return day;
                }
            } else {
                exchange.reject(503).await;
                rejections.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut books = client.websocket().market(MARKET).books().await.unwrap();
    let (mut live, mut stale, mut disconnected) = (0_u32, 0_u32, 0_u32);
    let mut last = None;
    // If the frame after a lost one is a snapshot, it makes the book stale and live again.
    let mut is_restored = false;
    while !playing.is_finished() {
        let update = tokio::select! {
            update = books.next() => update.unwrap().unwrap(),
            () = sleep(Duration::from_secs(30)) => continue,
        };
        match update {
            BookUpdate::Book(BookEvent::Live { .. }) => {
                live += 1;
                is_restored = false;
            }
            update if is_restored => panic!("expected the book to be live, got {update:?}"),
            BookUpdate::Book(BookEvent::Stale { reason, .. }) => {
                println!("{:?}: stale, {reason:?}", began.elapsed());
                stale += 1;
                is_restored = books.live(MARKET).is_some();
            }
            BookUpdate::Connection(Event::Disconnected { .. }) => disconnected += 1,
            _ => {}
        }
        if let Some(book) = books.live(MARKET) {
            last = Some(book.clone());
        }
    }
    let day = playing.await.unwrap();
    let rejected = rejected.load(Ordering::Relaxed);
    println!(
        "{} connections, {} broken, {rejected} handshakes rejected, {disconnected} disconnections; {live} times live, {stale} times stale",
        day.connections, day.resets
    );
    // About two attempts a minute: frequent enough, but no flood.
    assert!((150..=400).contains(&rejected), "{rejected}");
    assert!(began.elapsed() >= hours(24));
    assert!(live > day.resets && stale >= day.resets);
    let bids: Vec<_> = day
        .bids
        .iter()
        .map(|(cents, count)| level(cents * 10_000, count * 100))
        .collect();
    let expected = OrderBook::from_bids(&bids, &[]);
    let differences = last.unwrap().differences(&expected);
    assert!(differences.is_empty(), "{} levels", differences.len());
}

#[tokio::test]
async fn books_require_yes_prices() {
    let exchange = Exchange::new().await;
    let connection = exchange.client.websocket().market(MARKET);
    let connection = connection.params(|params| params.use_yes_price(false));
    let error = connection.books().await.unwrap_err();
    assert!(matches!(error, ConnectionError::Invalid(_)), "{error:?}");
}
