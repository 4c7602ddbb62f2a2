//! Recovery of books of many markets: queue overflows, markets that settle or are removed, and coalesced changes.

use std::{collections::BTreeSet, time::Duration};

use crate::scripted_server::{Exchange, Peer, delta, snapshot};
use kalshi_sdk::OutcomeSide;
use kalshi_sdk::ws::{BookEvent, BookStream, BookUpdate, Channel, Event, OwnOrder, StaleReason};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const MARKET: &str = "KXTEST-26-A";

fn ticker(number: usize) -> String {
    format!("KXTEST-26-{number}")
}

fn for_market(mut frame: Value, market_ticker: &str) -> Value {
    frame["msg"]["market_ticker"] = json!(market_ticker);
    frame
}

/// A server whose queue overflows when it has to send more than `max_burst` snapshots at once.
struct Server {
    peer: Peer,
    max_burst: usize,
    sid: u64,
    seq: u64,
    markets: BTreeSet<String>,
    overflows: usize,
    largest: usize,
    /// `true` to report overflows as the reply to the command, without a `sid`.
    replies_overflow: bool,
    /// A market that the server refuses to add.
    rejected: Option<String>,
    /// A market whose requested snapshots are not sent.
    silent: Option<String>,
    /// Number of additions that the server does not answer.
    ignored: usize,
}

impl Server {
    fn new(peer: Peer, max_burst: usize) -> Self {
        Self {
            peer,
            max_burst,
            sid: 0,
            seq: 0,
            markets: BTreeSet::new(),
            overflows: 0,
            largest: 0,
            replies_overflow: false,
            rejected: None,
            silent: None,
            ignored: 0,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Replies to the next command.
    async fn step(&mut self) {
        let command = self.peer.command().await;
        let targets: Vec<String> =
            serde_json::from_value(command["params"]["market_tickers"].clone()).unwrap();
        let action = command["params"]["action"].as_str();
        let is_request = action == Some("get_snapshot");
        if command["cmd"] == "subscribe" {
            (self.sid, self.seq) = (self.sid + 1, 0);
            self.markets.clear();
            let channel = &command["params"]["channels"][0];
            let msg = json!({"channel": channel, "sid": self.sid});
            let reply = json!({"id": command["id"], "type": "subscribed", "msg": msg});
            self.peer.send(reply).await;
        }
        if action == Some("delete_markets") {
            for target in &targets {
                assert!(self.markets.remove(target), "{target} is not subscribed to");
            }
            return self.acknowledge(&command).await;
        }
        if action == Some("add_markets") && self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        if action == Some("add_markets")
            && targets
                .iter()
                .any(|one| Some(one) == self.rejected.as_ref())
        {
            let msg = json!({"code": 11, "msg": "no such market"});
            let error = json!({"type": "error", "id": command["id"], "msg": msg});
            return self.peer.send(error).await;
        }
        if targets.len() > self.max_burst {
            self.overflows += 1;
            let msg = json!({"code": 25, "msg": "overflow"});
            let error = match self.replies_overflow {
                true => json!({"type": "error", "id": command["id"], "msg": msg}),
                false => {
                    json!({"type": "error", "sid": self.sid, "seq": self.next_seq(), "msg": msg})
                }
            };
            return self.peer.send(error).await;
        }
        self.largest = self.largest.max(targets.len());
        if !is_request {
            self.markets.extend(targets.iter().cloned());
        }
        if action == Some("add_markets") {
            self.acknowledge(&command).await;
        }
        for target in &targets {
            assert!(
                self.markets.contains(target),
                "{target} is not subscribed to"
            );
            let mut frame = for_market(snapshot(self.sid, self.next_seq()), target);
            if is_request {
                if Some(target) == self.silent.as_ref() {
                    continue;
                }
                frame["id"] = command["id"].clone();
            }
            self.peer.send(frame).await;
        }
    }

    async fn acknowledge(&mut self, command: &Value) {
        let ok = json!({"type": "ok", "id": command["id"], "sid": self.sid, "seq": self.next_seq(),
            "msg": {"market_tickers": self.markets}});
        self.peer.send(ok).await;
    }

    /// Replies to commands until the books of these markets are live.
    async fn serve_until_live(&mut self, books: &mut BookStream, tickers: &[String]) {
        let are_live =
            |books: &BookStream| tickers.iter().all(|ticker| books.live(ticker).is_some());
        let serving = async {
            while !are_live(books) {
                tokio::select! {
                    () = self.step() => {}
                    update = books.next() => drop(update.unwrap().unwrap()),
                }
            }
        };
        timeout(Duration::from_secs(30), serving).await.unwrap();
    }
}

/// Subscribes to the books of `tickers`, before their first snapshots arrive.
async fn connected(
    exchange: &Exchange,
    tickers: &[String],
    max_burst: usize,
) -> (BookStream, Server) {
    let builder = exchange.client.websocket().markets(tickers.to_vec());
    let (books, server) = tokio::join!(builder.books(), async {
        let mut server = Server::new(exchange.accept().await, max_burst);
        server.step().await;
        server
    });
    (books.unwrap(), server)
}

#[tokio::test(start_paused = true)]
async fn overflowing_subscription_is_renewed_in_chunks() {
    let tickers: Vec<_> = (0..600).map(ticker).collect();
    for (max_burst, max_overflows) in [(600, 0), (599, 1), (100, 2), (7, 4)] {
        let exchange = Exchange::new().await;
        let (mut books, mut server) = connected(&exchange, &tickers, max_burst).await;
        server.serve_until_live(&mut books, &tickers).await;
        assert!(
            server.overflows <= max_overflows,
            "{max_burst}: {}",
            server.overflows
        );
        assert_eq!(server.markets.len(), 600);

        // A gap makes all books stale. Their snapshots do not overflow the queue again.
        let before = server.overflows;
        server.next_seq();
        let gap = for_market(
            delta(server.sid, server.next_seq(), "0.40", "1.00"),
            &tickers[0],
        );
        server.peer.send(gap).await;
        while books.live(&tickers[0]).is_some() {
            books.next().await.unwrap().unwrap();
        }
        server.serve_until_live(&mut books, &tickers).await;
        assert_eq!(server.overflows, before, "{max_burst}");
    }
}

#[tokio::test(start_paused = true)]
async fn missing_snapshot_does_not_delay_other_markets() {
    let tickers: Vec<_> = (0..600).map(ticker).collect();
    let exchange = Exchange::new().await;
    let (mut books, mut server) = connected(&exchange, &tickers, 100).await;
    server.serve_until_live(&mut books, &tickers).await;
    let (silent, others) = tickers.split_first().unwrap();
    server.silent = Some(silent.clone());
    server.next_seq();
    let gap = for_market(delta(server.sid, server.next_seq(), "0.40", "1.00"), silent);
    server.peer.send(gap).await;
    while books.live(silent).is_some() {
        books.next().await.unwrap().unwrap();
    }
    server.serve_until_live(&mut books, others).await;
    assert!(books.live(silent).is_none());
}

#[tokio::test(start_paused = true)]
async fn unanswered_addition_of_a_chunk_is_repeated() {
    let tickers: Vec<_> = (0..40).map(ticker).collect();
    let exchange = Exchange::new().await;
    let (mut books, mut server) = connected(&exchange, &tickers, 39).await;
    server.ignored = 1;
    server.serve_until_live(&mut books, &tickers).await;
    assert_eq!((server.ignored, server.overflows), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn overflow_in_reply_to_addition_shrinks_chunks() {
    let exchange = Exchange::new().await;
    let first: Vec<_> = (0..40).map(ticker).collect();
    let more: Vec<_> = (40..140).map(ticker).collect();
    let (mut books, mut server) = connected(&exchange, &first, 60).await;
    server.replies_overflow = true;
    server.serve_until_live(&mut books, &first).await;
    let subscription = books.connection().subscriptions()[0].id();
    let handle = books.connection().handle();
    let adding = async {
        let failed = handle.add_markets(subscription, more.clone()).await;
        assert!(failed.is_err(), "{failed:?}");
        // The subscription is renewed and then accepts the addition in parts.
        handle.add_markets(subscription, more.clone()).await
    };
    let added = tokio::select! {
        added = adding => added,
        () = async {
            loop {
                tokio::select! {
                    () = server.step() => {}
                    update = books.next() => drop(update.unwrap().unwrap()),
                }
            }
        } => unreachable!(),
    };
    added.unwrap();
    let all: Vec<_> = (0..140).map(ticker).collect();
    server.serve_until_live(&mut books, &all).await;
    assert_eq!((server.overflows, server.largest), (1, 40));
}

/// The exchange reports the overflow in reply to the subscription, without a `sid`.
#[tokio::test(start_paused = true)]
async fn overflow_in_reply_to_subscription_shrinks_chunks() {
    let exchange = Exchange::new().await;
    let tickers: Vec<_> = (0..40).map(ticker).collect();
    let (mut books, mut server) = connected(&exchange, &tickers, 40).await;
    server.serve_until_live(&mut books, &tickers).await;
    server.peer.close(1001).await;
    let mut accepting = std::pin::pin!(exchange.accept());
    let peer = loop {
        tokio::select! {
            peer = &mut accepting => break peer,
            update = books.next() => drop(update.unwrap().unwrap()),
        }
    };
    server = Server::new(peer, 9);
    server.replies_overflow = true;
    while server.overflows == 0 {
        tokio::select! {
            () = server.step() => {}
            update = books.next() => drop(update.unwrap().unwrap()),
        }
    }
    server.serve_until_live(&mut books, &tickers).await;
    assert!(server.overflows <= 2, "{}", server.overflows);
}

#[tokio::test(start_paused = true)]
async fn rejected_market_does_not_affect_its_chunk() {
    let exchange = Exchange::new().await;
    let tickers: Vec<_> = (10..50).map(ticker).collect();
    let (mut books, mut server) = connected(&exchange, &tickers, 39).await;
    let bad = tickers[33].clone();
    server.rejected = Some(bad.clone());
    let good: Vec<_> = tickers.iter().filter(|one| **one != bad).cloned().collect();
    let mut rejected = Vec::new();
    let serving = async {
        while good.iter().any(|ticker| books.live(ticker).is_none()) || rejected.is_empty() {
            tokio::select! {
                () = server.step() => {}
                update = books.next() => {
                    if let BookUpdate::Connection(Event::TargetsRejected { targets, error, .. }) = update.unwrap().unwrap() {
                        assert!(error.to_string().contains("no such market"), "{error}");
                        rejected.extend(targets.iter().cloned());
                    }
                }
            }
        }
    };
    timeout(Duration::from_secs(30), serving).await.unwrap();
    assert_eq!(rejected, [bad]);
    assert_eq!(server.overflows, 1);
}

/// A frame of a subscription that ended with an error must not make a book live.
#[tokio::test(start_paused = true)]
async fn snapshot_after_end_of_subscription_makes_no_book_live() {
    let exchange = Exchange::new().await;
    let tickers = [ticker(1), ticker(2)];
    let (mut books, mut server) = connected(&exchange, &tickers, 2).await;
    server.serve_until_live(&mut books, &tickers).await;
    let sid = server.sid;
    let msg = json!({"code": 10, "msg": "over"});
    let error = json!({"type": "error", "sid": sid, "seq": server.next_seq(), "msg": msg});
    server.peer.send(error).await;
    let late = for_market(snapshot(sid, server.next_seq()), &tickers[0]);
    server.peer.send(late).await;
    let mut late = 0;
    while late == 0 {
        let update = books.next().await.unwrap().unwrap();
        assert!(
            !matches!(update, BookUpdate::Book(BookEvent::Live { .. })),
            "{update:?}"
        );
        let Some(book) = books.books().market_tickers().next() else {
            continue;
        };
        late += usize::from(books.books().is_stale(book) && matches!(update, BookUpdate::Book(_)));
    }
    assert!(tickers.iter().all(|ticker| books.live(ticker).is_none()));
    server.serve_until_live(&mut books, &tickers).await;
    assert_eq!(server.sid, sid + 1);
}

#[tokio::test(start_paused = true)]
async fn market_removed_before_its_chunk_is_not_requested() {
    let exchange = Exchange::new().await;
    let tickers: Vec<_> = (0..10).map(ticker).collect();
    let (mut books, mut server) = connected(&exchange, &tickers, 9).await;
    let subscription = books.connection().subscriptions()[0].id();
    let handle = books.connection().handle();
    // The subscription is renewed with two of the ten markets.
    while server.sid < 2 {
        tokio::select! {
            () = server.step() => {}
            update = books.next() => drop(update.unwrap().unwrap()),
        }
    }
    let last = tickers[9].clone();
    let removing = async {
        handle
            .remove_markets(subscription, [last.clone()])
            .await
            .unwrap();
        server.serve_until_live(&mut books, &tickers[..9]).await;
    };
    removing.await;
    assert!(!server.markets.contains(&last));
}

fn lifecycle(market_ticker: &str, event_type: &str) -> Value {
    json!({"type": "market_lifecycle_v2", "sid": 90, "seq": 1,
        "msg": {"market_ticker": market_ticker, "event_type": event_type, "settled_ts": 1}})
}

#[tokio::test(start_paused = true)]
async fn settled_market_leaves_books_and_subscription() {
    let exchange = Exchange::new().await;
    let tickers = [ticker(1), ticker(2)];
    let (mut books, mut server) = connected(&exchange, &tickers, 9).await;
    server.serve_until_live(&mut books, &tickers).await;
    server.peer.send(lifecycle(&tickers[0], "determined")).await;
    server.peer.send(lifecycle(&tickers[0], "settled")).await;
    let mut reasons = Vec::new();
    while server.markets.contains(&tickers[0]) {
        tokio::select! {
            () = server.step() => {}
            update = books.next() => {
                if let BookUpdate::Book(BookEvent::Stale { reason, .. }) = update.unwrap().unwrap() {
                    reasons.push(reason);
                }
            }
        }
    }
    assert_eq!(reasons, [StaleReason::Settled]);
    assert_eq!(
        books.books().market_tickers().collect::<Vec<_>>(),
        [&tickers[1]]
    );
    assert!(books.live(&tickers[1]).is_some());
}

/// Every day has 20 new markets. Those of the day before settle or are removed, and the connection is lost on every fourth day.
#[tokio::test(start_paused = true)]
async fn memory_stays_bounded_over_a_month_of_markets() {
    const MARKETS_PER_DAY: usize = 20;
    let exchange = Exchange::new().await;
    let today = |day: usize| {
        (day * MARKETS_PER_DAY..(day + 1) * MARKETS_PER_DAY)
            .map(ticker)
            .collect::<Vec<_>>()
    };
    let (mut books, mut server) = connected(&exchange, &today(0), 100).await;
    let subscription = books.connection().subscriptions()[0].id();
    let handle = books.connection().handle();
    server.serve_until_live(&mut books, &today(0)).await;
    for day in 1..=30 {
        let (old, new) = (today(day - 1), today(day));
        // Half of yesterday's markets settle, the others are removed.
        let (settled, removed) = old.split_at(MARKETS_PER_DAY / 2);
        for ticker in settled {
            server.peer.send(lifecycle(ticker, "settled")).await;
        }
        while settled.iter().any(|ticker| server.markets.contains(ticker)) {
            tokio::select! {
                () = server.step() => {}
                update = books.next() => drop(update.unwrap().unwrap()),
            }
        }
        let changing = async {
            handle.add_markets(subscription, new.clone()).await.unwrap();
            handle
                .remove_markets(subscription, removed.to_vec())
                .await
                .unwrap();
        };
        let is_down = day % 4 == 0;
        if is_down {
            server.peer.close(1001).await;
            while books.live(&removed[0]).is_some() {
                books.next().await.unwrap().unwrap();
            }
        }
        let mut changing = std::pin::pin!(changing);
        let mut accepting = std::pin::pin!(exchange.accept());
        let mut is_changed = false;
        while !is_changed {
            tokio::select! {
                () = &mut changing => is_changed = true,
                peer = &mut accepting, if is_down => {
                    server = Server::new(peer, 100);
                    break;
                }
                () = server.step(), if !is_down => {}
                update = books.next() => drop(update.unwrap().unwrap()),
            }
        }
        while !is_changed {
            tokio::select! {
                () = &mut changing => is_changed = true,
                () = server.step() => {}
                update = books.next() => drop(update.unwrap().unwrap()),
            }
        }
        server.serve_until_live(&mut books, &new).await;
        assert_eq!(server.markets.len(), MARKETS_PER_DAY, "day {day}");
        // Markets that are missing from the new connection are removed after ten minutes.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(610) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(15)) => server.peer.ping().await,
                () = server.step() => {}
                update = books.next() => drop(update.unwrap().unwrap()),
            }
        }
        let kept: BTreeSet<_> = books.books().market_tickers().collect();
        assert_eq!(kept, new.iter().map(String::as_str).collect(), "day {day}");
    }
}

#[tokio::test]
async fn age_is_measured_with_the_clock_of_the_client() {
    let clock = std::sync::Arc::new(kalshi_sdk::auth::FixedClock(1_790_000_005_000));
    let exchange = Exchange::with(|builder| builder.clock(clock)).await;
    let builder = exchange.client.websocket().market(MARKET);
    let builder = builder.channel(Channel::OrderbookDelta);
    let (books, mut peer) = tokio::join!(builder.books(), exchange.accept_subscribed(1));
    let mut books = books.unwrap();
    peer.send(snapshot(1, 1)).await;
    let mut change = delta(1, 2, "0.41", "1.00");
    change["sending_ts_ms"] = json!(1_790_000_000_000_i64);
    peer.send(change).await;
    while books.age(MARKET).is_none() {
        books.next().await.unwrap().unwrap();
    }
    assert_eq!(books.age(MARKET).unwrap().num_milliseconds(), 5_000);
}

#[tokio::test]
async fn changed_coalesces_changes_and_keeps_fills() {
    let exchange = Exchange::new().await;
    let builder = exchange.client.websocket().market(MARKET);
    let builder = builder
        .channel(Channel::OrderbookDelta)
        .channel(Channel::Fill);
    let (books, mut peer) = tokio::join!(builder.books(), async {
        let mut peer = exchange.accept_subscribed(2).await;
        peer.send(snapshot(1, 1)).await;
        peer
    });
    let mut books = books.unwrap();
    while books.live(MARKET).is_none() {
        books.next().await.unwrap().unwrap();
    }
    for seq in 2..300 {
        let mut change = delta(1, seq, "0.41", "1.00");
        if seq == 299 {
            change["sending_ts_ms"] = json!(1_790_000_000_123_i64);
            change["msg"]["client_order_id"] = json!("mine");
        }
        peer.send(change).await;
    }
    let fill = json!({"type": "fill", "sid": 2, "msg": {"trade_id": "t-1"}});
    peer.send(fill).await;
    peer.ping().await;
    // Everything has arrived when the connection has replied to the ping.
    while !matches!(peer.control().await, Some(message) if message.is_pong()) {}
    let changes = books.changed().await.unwrap().unwrap();
    assert_eq!(
        changes
            .market_tickers
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<&str>>(),
        [MARKET]
    );
    let [BookUpdate::Connection(Event::Message(fill))] = changes.updates.as_slice() else {
        panic!("{:?}", changes.updates)
    };
    assert_eq!(fill.frame.sid, Some(2));
    let book = books.live(MARKET).unwrap();
    assert_eq!(book.best_bid(OutcomeSide::Yes).unwrap().count, 298.into());
    assert_eq!(
        book.last_update().unwrap().timestamp_millis(),
        1_790_000_000_123
    );
    assert!(books.age(MARKET).is_some());
    let own = OwnOrder::new(OutcomeSide::Yes, "0.41".parse().unwrap(), 298.into());
    let best = book.without([own]).best_bid(OutcomeSide::Yes).unwrap();
    assert_eq!(best.price, "0.40".parse().unwrap());

    // A change of an own order carries its client order ID.
    let mut change = delta(1, 300, "0.41", "-298.00");
    change["msg"]["client_order_id"] = json!("mine");
    peer.send(change).await;
    let update = books.next().await.unwrap().unwrap();
    let BookUpdate::Book(BookEvent::Changed {
        client_order_id, ..
    }) = update
    else {
        panic!("{update:?}")
    };
    assert_eq!(client_order_id.as_deref(), Some("mine"));

    // Changes before the end of the connection are returned first.
    peer.send(delta(1, 301, "0.41", "1.00")).await;
    peer.close(1000).await;
    let changes = books.changed().await.unwrap().unwrap();
    assert!(!changes.market_tickers.is_empty());
}
