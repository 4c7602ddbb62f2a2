//! Snapshot requests of a `BookStream`, against a scripted server.

use std::time::Duration;

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::OutcomeSide;
use kalshi_sdk::ws::{BookEvent, BookStream, BookUpdate, Channel, Event, Message, StaleReason};
use serde_json::{Value, json};
use tokio::time::Instant;

const GOOD: &str = "KXTEST-26-A";
const BAD: &str = "KXTEST-26-B";

/// Subscribes to the books of two markets. Returns the stream and its server side.
async fn connected(exchange: &Exchange) -> (BookStream, Peer) {
    let (books, peer) = tokio::join!(
        exchange.client.websocket().market(GOOD).market(BAD).books(),
        exchange.accept_subscribed(1)
    );
    (books.unwrap(), peer)
}

fn of(mut frame: Value, market_ticker: &str) -> Value {
    frame["msg"]["market_ticker"] = json!(market_ticker);
    frame
}

/// Sends both snapshots, and a change after a lost one.
async fn live_with_a_gap(peer: &mut Peer) {
    peer.send(of(snapshot(1, 1), GOOD)).await;
    peer.send(of(snapshot(1, 2), BAD)).await;
    peer.send(delta(1, 4, "0.40", "1.00")).await;
}

/// Runs the server side while the books are read.
async fn play(books: &mut BookStream, playing: impl Future<Output = ()>) {
    let reading = async { while books.next().await.is_some() {} };
    tokio::select! {
        () = playing => {}
        () = reading => panic!("the book stream ended"),
    }
}

/// Replies to a snapshot request for the good market alone and rejects any other. Returns the requested markets.
async fn reply(peer: &mut Peer, seq: &mut u64) -> Vec<String> {
    let command = peer.command().await;
    assert_eq!(command["params"]["action"], "get_snapshot", "{command}");
    let requested: Vec<String> =
        serde_json::from_value(command["params"]["market_tickers"].clone()).unwrap();
    if requested == [GOOD] {
        *seq += 1;
        let mut frame = snapshot(1, *seq);
        frame["id"] = command["id"].clone();
        peer.send(frame).await;
    } else {
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 14, "msg": "no"}}))
            .await;
    }
    requested
}

#[tokio::test(start_paused = true)]
async fn market_without_snapshot_does_not_block_others() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        let mut seq = 4;
        assert_eq!(reply(&mut peer, &mut seq).await, [GOOD, BAD]);
        assert_eq!(reply(&mut peer, &mut seq).await, [GOOD]);
        assert_eq!(reply(&mut peer, &mut seq).await, [BAD]);
        // From here on only the bad market is requested, at growing intervals of up to about a minute.
        for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
            let began = Instant::now();
            loop {
                tokio::select! {
                    requested = reply(&mut peer, &mut seq) => {
                        assert_eq!(requested, [BAD]);
                        break;
                    }
                    () = tokio::time::sleep(Duration::from_secs(20)) => peer.ping().await,
                }
            }
            assert_eq!(began.elapsed().as_secs(), expected);
        }
        peer.send(of(snapshot(1, seq + 1), BAD)).await;
    };
    let reading = async {
        let mut lives = Vec::new();
        while lives.len() < 4 {
            if let BookUpdate::Book(event) = books.next().await.unwrap().unwrap()
                && books.live(event.market_ticker()).is_some()
            {
                lives.push(event.market_ticker().to_owned());
            }
        }
        lives
    };
    let (lives, ()) = tokio::join!(reading, playing);
    assert_eq!(lives, [GOOD, BAD, GOOD, BAD]);
}

#[tokio::test(start_paused = true)]
async fn rejected_market_is_found_by_halves() {
    let exchange = Exchange::new().await;
    let ticker = |number| format!("M{number}");
    let tickers: Vec<_> = (0..8).map(ticker).collect();
    let bad = tickers.last().unwrap();
    // An error may name the market.
    for (names, sizes) in [
        (json!(null), [8, 4, 4, 2, 2, 1, 1].as_slice()),
        (json!(bad), &[8, 7, 1]),
    ] {
        let builder = exchange.client.websocket().markets(&tickers);
        let (books, mut peer) = tokio::join!(builder.books(), exchange.accept_subscribed(1));
        let mut books = books.unwrap();
        let playing = async {
            let (mut seq, mut last) = (0, None::<Instant>);
            for ticker in &tickers {
                seq += 1;
                peer.send(of(snapshot(1, seq), ticker)).await;
            }
            for sizes in [sizes, &[7, 1]] {
                // A change is lost.
                seq += 2;
                peer.send(of(delta(1, seq, "0.40", "1.00"), bad)).await;
                for size in sizes {
                    let command = peer.command().await;
                    let pause = last.replace(Instant::now()).map(|last| last.elapsed());
                    assert!(
                        pause.is_none_or(|pause| pause.as_millis() > 900),
                        "{pause:?}"
                    );
                    let requested = &command["params"]["market_tickers"];
                    let requested: Vec<String> = serde_json::from_value(requested.clone()).unwrap();
                    assert_eq!(requested.len(), *size);
                    if requested.contains(bad) {
                        let error = json!({"code": 14, "msg": "no", "market_ticker": names});
                        peer.send(json!({"id": command["id"], "type": "error", "msg": error}))
                            .await;
                        continue;
                    }
                    for ticker in requested {
                        seq += 1;
                        let mut frame = of(snapshot(1, seq), &ticker);
                        frame["id"] = command["id"].clone();
                        peer.send(frame).await;
                    }
                }
                // From now on, the rejected market is requested alone.
                let command = peer.command().await;
                last = Some(Instant::now());
                assert_eq!(command["params"]["market_tickers"], json!([bad]));
            }
        };
        play(&mut books, playing).await;
    }
}

/// Without any message of the subscription, not even the first snapshot, the stream must not wait for ever.
#[tokio::test(start_paused = true)]
async fn first_snapshot_that_never_arrives_is_requested() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        let began = Instant::now();
        let command = tokio::time::timeout(Duration::from_secs(20), peer.command())
            .await
            .expect("no snapshot was requested");
        assert_eq!(began.elapsed().as_secs(), 5);
        assert_eq!(command["params"]["sids"], json!([1]));
        assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
    };
    play(&mut books, playing).await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_requested_at_most_once_a_second() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        let began = Instant::now();
        let mut requested = Vec::new();
        for step in 1..=40 {
            peer.send(delta(1, 4 + 2 * step, "0.40", "1.00")).await;
            let end = began + Duration::from_millis(100 * step);
            while let Ok(command) = tokio::time::timeout_at(end, peer.command()).await {
                assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
                requested.push(began.elapsed().as_secs());
            }
        }
        assert_eq!(requested, [0, 1, 2, 3]);
    };
    play(&mut books, playing).await;
}

#[tokio::test(start_paused = true)]
async fn rate_limited_snapshot_request_is_repeated_for_all_markets() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        for seconds in [0, 1, 2] {
            let began = Instant::now();
            let command = peer.command().await;
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
            let error = json!({"code": 27, "msg": "too fast"});
            peer.send(json!({"id": command["id"], "type": "error", "msg": error}))
                .await;
        }
    };
    play(&mut books, playing).await;
}

#[tokio::test(start_paused = true)]
async fn malformed_snapshot_is_requested_with_backoff() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        let malformed = |command: &Value, seq: u64| {
            let mut frame = of(snapshot(1, seq), BAD);
            frame["id"] = command["id"].clone();
            frame["msg"]["yes_dollars_fp"] = json!([["much", "1.00"]]);
            frame
        };
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
        let mut good = of(snapshot(1, 5), GOOD);
        good["id"] = command["id"].clone();
        peer.send(good).await;
        peer.send(malformed(&command, 6)).await;
        // The good market is live, and the bad one is requested alone.
        for (seconds, seq) in [(1, 7), (2, 8), (4, 9), (8, 10)] {
            let began = Instant::now();
            let command = peer.command().await;
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(command["params"]["market_tickers"], json!([BAD]));
            peer.send(malformed(&command, seq)).await;
        }
    };
    play(&mut books, playing).await;
    assert!(books.live(GOOD).is_some() && books.live(BAD).is_none());
}

#[tokio::test(start_paused = true)]
async fn lost_first_snapshot_is_requested() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        // The lost frame 1 was the snapshot of the bad market.
        peer.send(of(snapshot(1, 2), GOOD)).await;
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([BAD]));
        // The same happens after a reconnect.
        drop(peer);
        let mut peer = exchange.accept_subscribed(1).await;
        peer.send(of(snapshot(1, 2), BAD)).await;
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([GOOD]));
    };
    play(&mut books, playing).await;
}

#[tokio::test]
async fn unparsable_frame_is_delivered_and_makes_books_stale() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(of(snapshot(1, 1), GOOD)).await;
    while books.live(GOOD).is_none() {
        books.next().await.unwrap().unwrap();
    }
    // A frame that cannot be parsed may have been a change of the book.
    peer.send_text(r#"{"type":"fill","sid":"#.to_owned()).await;
    loop {
        let update = books.next().await.unwrap().unwrap();
        if let Some(message) = update.message() {
            assert!(matches!(message, Message::Malformed(_)));
            break;
        }
    }
    assert_eq!(books.live(GOOD), None);
}

#[tokio::test(start_paused = true)]
async fn books_subscribe_with_yes_prices() {
    let exchange = Exchange::new().await;
    let (books, (params, mut peer)) =
        tokio::join!(exchange.client.websocket().market(GOOD).books(), async {
            let mut peer = exchange.accept().await;
            let (params, _) = peer.acknowledge().await;
            (params, peer)
        });
    assert_eq!(params["use_yes_price"], json!(true), "{params}");
    let mut books = books.unwrap();
    let mut frame = snapshot(1, 1);
    frame["msg"]["no_dollars_fp"] = json!([["0.4500", "3.00"]]);
    peer.send(frame).await;
    while books.live(GOOD).is_none() {
        books.next().await.unwrap().unwrap();
    }
    let book = books.live(GOOD).unwrap();
    let ask = book.best_ask(OutcomeSide::Yes).unwrap();
    assert_eq!(ask.price, "0.45".parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn missing_snapshots_are_requested_again() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        // Neither the first snapshot of the bad market arrives nor the requested one.
        peer.send(of(snapshot(1, 1), GOOD)).await;
        for seconds in [5, 5, 10] {
            let began = Instant::now();
            let command = peer.command().await;
            assert_eq!(command["params"]["action"], "get_snapshot", "{command}");
            assert_eq!(command["params"]["market_tickers"], json!([BAD]));
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
        peer.send(of(snapshot(1, 2), BAD)).await;
        // After a reconnection that is acknowledged without snapshots, both are requested.
        drop(peer);
        let mut peer = exchange.accept_subscribed(1).await;
        let began = Instant::now();
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
        assert_eq!(began.elapsed().as_secs(), 5);
    };
    play(&mut books, playing).await;
}

#[tokio::test(start_paused = true)]
async fn book_that_stays_crossed_is_stale_without_another_frame() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(of(snapshot(1, 1), GOOD)).await;
    let mut crossing = delta(1, 2, "0.3000", "1.00");
    crossing["msg"]["side"] = json!("no");
    peer.send(crossing).await;
    let mut events = Vec::new();
    while events.len() < 3 {
        if let BookUpdate::Book(event) = books.next().await.unwrap().unwrap() {
            events.push(event);
        }
    }
    assert!(
        matches!(
            &events[..],
            [
                BookEvent::Live { .. },
                BookEvent::Withheld { .. },
                BookEvent::Stale {
                    reason: StaleReason::Crossed,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn change_of_another_subscription_makes_book_stale_on_its_own() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().channel(Channel::Fill);
    let (books, mut peer) = tokio::join!(
        builder.markets([GOOD, BAD]).books(),
        exchange.accept_subscribed(2)
    );
    let mut books = books.unwrap();
    // The number of the channel `fill`, and one without a subscription.
    for (sid, seq) in [(1, 1), (7, 3)] {
        let playing = async {
            peer.send(of(snapshot(2, seq), GOOD)).await;
            peer.send(of(snapshot(2, seq + 1), BAD)).await;
            peer.send(delta(sid, 1, "0.40", "1.00")).await;
            let command = peer.command().await;
            assert_eq!(command["params"]["sids"], json!([2]), "{command}");
            assert_eq!(command["params"]["market_tickers"], json!([GOOD]));
        };
        play(&mut books, playing).await;
        assert!(books.live(GOOD).is_none() && books.live(BAD).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn end_without_a_sid_makes_books_stale() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(of(snapshot(1, 1), GOOD)).await;
    peer.send(json!({"type": "unsubscribed", "id": 99})).await;
    let mut events = Vec::new();
    while events.len() < 2 {
        if let BookUpdate::Book(event) = books.next().await.unwrap().unwrap() {
            events.push(event);
        }
    }
    assert!(
        matches!(
            &events[..],
            [
                BookEvent::Live { .. },
                BookEvent::Stale {
                    reason: StaleReason::Unsubscribed,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn quiet_books_recover_after_acknowledgement_without_list() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        peer.send(of(snapshot(1, 1), GOOD)).await;
        peer.send(of(snapshot(1, 2), BAD)).await;
        peer.send(json!({"type": "ok", "sid": 1, "seq": 3, "msg": {}}))
            .await;
        // Neither market changes.
        let command = peer.command().await;
        assert_eq!(command["params"]["action"], "get_snapshot", "{command}");
        assert_eq!(command["params"]["market_tickers"], json!([GOOD, BAD]));
        for (seq, market) in [(4, GOOD), (5, BAD)] {
            let mut frame = of(snapshot(1, seq), market);
            frame["id"] = command["id"].clone();
            peer.send(frame).await;
        }
    };
    let reading = async {
        let mut lives = 0;
        while lives < 4 {
            let update = books.next().await.unwrap().unwrap();
            lives += usize::from(matches!(update, BookUpdate::Book(BookEvent::Live { .. })));
        }
    };
    tokio::join!(reading, playing);
    assert!(books.live(GOOD).is_some() && books.live(BAD).is_some());
}

#[tokio::test(start_paused = true)]
async fn malformed_message_before_acknowledgement_makes_snapshots_stale() {
    let exchange = Exchange::new().await;
    let (books, mut peer) = tokio::join!(exchange.client.websocket().market(GOOD).books(), async {
        let mut peer = exchange.accept().await;
        let command = peer.command().await;
        peer.send(of(snapshot(1, 1), GOOD)).await;
        // It may have been a change.
        peer.send_text(r#"{"type":"orderbook_delta","sid"#.to_owned())
            .await;
        peer.send(json!({"type": "subscribed", "id": command["id"], "msg": {"channel": "orderbook_delta", "sid": 1}}))
            .await;
        peer
    });
    let mut books = books.unwrap();
    let playing = async {
        let began = Instant::now();
        let command = peer.command().await;
        assert_eq!(command["params"]["action"], "get_snapshot", "{command}");
        assert_eq!(began.elapsed(), Duration::ZERO);
    };
    play(&mut books, playing).await;
    assert_eq!(books.live(GOOD), None);
}

#[tokio::test]
async fn messages_of_books_are_reported_too_if_their_text_is_kept() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().market(GOOD).keep_raw(true);
    let (books, mut peer) = tokio::join!(builder.books(), exchange.accept_subscribed(1));
    let mut books = books.unwrap();
    peer.send(of(snapshot(1, 1), GOOD)).await;
    let change = of(delta(1, 2, "0.40", "1.00"), GOOD).to_string();
    peer.send_text(change.clone()).await;
    let mut reported = Vec::new();
    while reported.len() < 4 {
        match books.next().await.unwrap().unwrap() {
            BookUpdate::Book(event) => reported.push(format!("{event:?}")),
            BookUpdate::Connection(Event::Message(received)) if received.frame.seq.is_some() => {
                reported.push(received.raw.unwrap().text().to_string());
            }
            _ => {}
        }
    }
    assert!(reported[0].contains("orderbook_snapshot"), "{reported:?}");
    assert!(reported[1].starts_with("Live"), "{reported:?}");
    assert_eq!(reported[2], change);
    assert!(reported[3].starts_with("Changed"), "{reported:?}");
}

#[test]
fn stale_reasons_have_readable_messages() {
    let gap = StaleReason::Gap {
        expected: 4,
        got: 6,
    };
    assert_eq!(gap.to_string(), "expected message 4, received 6");
    let disconnected = StaleReason::Disconnected.to_string();
    assert_eq!(disconnected, "the connection was lost");
}
