//! What a stream that keeps books asks for, against an exchange that the test plays itself.

use std::time::Duration;

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::OutcomeSide;
use kalshi_sdk::ws::{BookEvent, BookStream, BookUpdate, Event, Message, StaleReason};
use serde_json::{Value, json};
use tokio::time::Instant;

const GOOD: &str = "KXTEST-26-A";
const BAD: &str = "KXTEST-26-B";

/// The books of two markets, and their exchange.
async fn connected(exchange: &Exchange) -> (BookStream, Peer) {
    let (books, peer) = tokio::join!(
        exchange.client.websocket().market(GOOD).market(BAD).books(),
        async {
            let mut peer = exchange.accept().await;
            peer.acknowledge().await;
            peer
        }
    );
    (books.unwrap(), peer)
}

fn of(mut frame: Value, market_ticker: &str) -> Value {
    frame["msg"]["market_ticker"] = json!(market_ticker);
    frame
}

/// Both books, and then a change behind one that is missing.
async fn live_with_a_gap(peer: &mut Peer) {
    peer.send(of(snapshot(1, 1), GOOD)).await;
    peer.send(of(snapshot(1, 2), BAD)).await;
    peer.send(delta(1, 4, "0.40", "1.00")).await;
}

/// Plays the exchange while the books are read.
async fn play(books: &mut BookStream, playing: impl Future<Output = ()>) {
    let reading = async { while books.next().await.is_some() {} };
    tokio::select! {
        () = playing => {}
        () = reading => panic!("it goes on"),
    }
}

/// Refuses a request of more than one market, or of the bad one, and answers the others; gives the markets asked for.
async fn answer(peer: &mut Peer, seq: &mut u64) -> Vec<String> {
    let command = peer.command().await;
    assert_eq!(command["params"]["action"], "get_snapshot", "{command}");
    let asked: Vec<String> =
        serde_json::from_value(command["params"]["market_tickers"].clone()).unwrap();
    if asked == [GOOD] {
        *seq += 1;
        let mut frame = snapshot(1, *seq);
        frame["id"] = command["id"].clone();
        peer.send(frame).await;
    } else {
        peer.send(json!({"id": command["id"], "type": "error", "msg": {"code": 14, "msg": "no"}}))
            .await;
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn a_market_without_a_snapshot_does_not_keep_others_from_theirs() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        let mut seq = 4;
        assert_eq!(answer(&mut peer, &mut seq).await, [GOOD, BAD]);
        assert_eq!(answer(&mut peer, &mut seq).await, [GOOD]);
        assert_eq!(answer(&mut peer, &mut seq).await, [BAD]);
        // From here on the bad one alone, ever more seldom, and in the end once in about a minute.
        for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
            let began = Instant::now();
            loop {
                tokio::select! {
                    asked = answer(&mut peer, &mut seq) => {
                        assert_eq!(asked, [BAD]);
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
async fn what_passes_is_asked_for_again_together() {
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
async fn a_snapshot_that_cannot_be_read_is_asked_for_ever_more_seldom() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        live_with_a_gap(&mut peer).await;
        let unreadable = |command: &Value, seq: u64| {
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
        peer.send(unreadable(&command, 6)).await;
        // The other is live, and the bad one asked for alone.
        for (seconds, seq) in [(1, 7), (2, 8), (4, 9), (8, 10)] {
            let began = Instant::now();
            let command = peer.command().await;
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(command["params"]["market_tickers"], json!([BAD]));
            peer.send(unreadable(&command, seq)).await;
        }
    };
    play(&mut books, playing).await;
    assert!(books.live(GOOD).is_some() && books.live(BAD).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_first_snapshot_that_gets_lost_is_asked_for() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        // That of the bad one was the first.
        peer.send(of(snapshot(1, 2), GOOD)).await;
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([BAD]));
        // And over the next connection.
        drop(peer);
        let mut peer = exchange.accept().await;
        peer.acknowledge().await;
        peer.send(of(snapshot(1, 2), BAD)).await;
        let command = peer.command().await;
        assert_eq!(command["params"]["market_tickers"], json!([GOOD]));
    };
    play(&mut books, playing).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_to_whoever_keeps_books() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(of(snapshot(1, 1), GOOD)).await;
    while books.live(GOOD).is_none() {
        books.next().await.unwrap().unwrap();
    }
    // It may as well have been a fill.
    peer.send_text(r#"{"type":"fill","sid":"#.to_owned()).await;
    loop {
        let update = books.next().await.unwrap().unwrap();
        if let Some(message) = update.message() {
            assert!(matches!(message, Message::Malformed(_)));
            break;
        }
    }
    assert_eq!(books.live(GOOD), None, "or a change");
}

#[tokio::test(start_paused = true)]
async fn books_are_subscribed_to_with_yes_prices() {
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
async fn snapshots_that_do_not_come_are_requested_again() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        // The first snapshot of the other market never comes, and nor does the second.
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
        let mut peer = exchange.accept().await;
        peer.acknowledge().await;
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
async fn change_of_another_subscription_does_not_take_a_book_away() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    peer.send(of(snapshot(1, 1), GOOD)).await;
    peer.send(of(snapshot(1, 2), BAD)).await;
    peer.send(delta(7, 1, "0.40", "1.00")).await;
    peer.send(of(delta(1, 3, "0.40", "2.00"), BAD)).await;
    let mut changed = false;
    while !changed {
        let update = books.next().await.unwrap().unwrap();
        changed = matches!(update, BookUpdate::Book(BookEvent::Changed { .. }));
    }
    let best = |market| books.live(market).unwrap().best_bid(OutcomeSide::Yes);
    let counts = [GOOD, BAD].map(|market| best(market).unwrap().count.hundredths());
    assert_eq!(counts, [1_000, 1_200]);
}

#[tokio::test(start_paused = true)]
async fn quiet_books_are_live_again_after_an_acknowledgement_without_a_list() {
    let exchange = Exchange::new().await;
    let (mut books, mut peer) = connected(&exchange).await;
    let playing = async {
        peer.send(of(snapshot(1, 1), GOOD)).await;
        peer.send(of(snapshot(1, 2), BAD)).await;
        peer.send(json!({"type": "ok", "sid": 1, "seq": 3, "msg": {}}))
            .await;
        // Neither of them changes.
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
async fn malformed_message_before_an_acknowledgement_makes_earlier_snapshots_stale() {
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
    let (books, mut peer) = tokio::join!(builder.books(), async {
        let mut peer = exchange.accept().await;
        peer.acknowledge().await;
        peer
    });
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
fn stale_reasons_read_as_a_phrase() {
    let gap = StaleReason::Gap {
        expected: 4,
        got: 6,
    };
    assert_eq!(gap.to_string(), "message 4 is missing, as 6 came");
    let disconnected = StaleReason::Disconnected.to_string();
    assert_eq!(disconnected, "the connection was lost");
}
