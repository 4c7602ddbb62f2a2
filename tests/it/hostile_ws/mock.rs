//! Live books against `kalshi-mock` with the connection faults that it supports.

use std::time::Duration;

use fastrand::Rng;
use kalshi_mock::{Market, MockExchange, WebSockets};
use kalshi_sdk::{
    Dollars,
    ws::{BookStream, ReconnectPolicy},
};
use tokio::time::{Instant, timeout};

use crate::hostile_ws::seeds;
use crate::stress::{History, Stats, record, truth};

const MARKETS: usize = 4;
const STEPS: usize = 20;

/// Time limit for every book to become live after the last fault.
const BOUND: Duration = Duration::from_secs(60);

fn change(market: &Market, random: &mut Rng) {
    let price = |cents: i64| Dollars::from_micros(cents * 10_000);
    match random.u32(0..100) {
        0 => _ = market.clear(),
        1..50 => _ = market.bid(price(random.i64(1..60)), random.i32(1..500)),
        _ => _ = market.ask(price(random.i64(40..100)), random.i32(1..500)),
    }
}

fn disturb(websockets: &WebSockets, random: &mut Rng) {
    match random.u32(0..60) {
        0..3 => websockets.drop_frames(random.u32(1..4)),
        3..6 => websockets.repeat_frame(),
        6..9 => websockets.swap_frames(),
        9 => websockets.end_subscriptions(10),
        10 => websockets.end_subscriptions(25),
        11 => websockets.reset(),
        12 => websockets.reset_in_frame(),
        13 => websockets.close(
            *random
                .choice(&[1000, 1001, 1011, 1012, 4000])
                .unwrap_or(&1000),
            "hostile",
        ),
        14 => websockets.send_raw(r#"{"type":"orderbook_delta","sid":1,"seq":"#),
        15 => websockets.send_raw(r#"{"type":"orderbook_summary","sid":1,"msg":{}}"#),
        16 => websockets.send_raw(""),
        17 => websockets.silence(),
        18..22 => websockets.resume(),
        22 => {
            let status = *random
                .choice(&[401, 403, 404, 429, 500, 503])
                .unwrap_or(&503);
            websockets.reject_handshakes(status, random.u32(1..3));
            websockets.reset();
        }
        _ => {}
    }
}

async fn read(
    books: &mut BookStream,
    pause: Duration,
    history: &History,
    stats: &mut Stats,
) -> bool {
    match timeout(pause, books.next()).await {
        Ok(Some(Ok(update))) => {
            record(&update, books, history, stats);
            true
        }
        Ok(end) => panic!("the book stream ended: {end:?}"),
        Err(_) => false,
    }
}

async fn run(seed: u64) -> Result<u64, String> {
    fastrand::seed(seed);
    let mut random = Rng::with_seed(seed);
    let exchange = MockExchange::builder()
        .without_markets()
        .seed(seed)
        .start()
        .await
        .unwrap();
    let websockets = exchange.websockets();
    let markets: Vec<_> = (0..MARKETS)
        .map(|number| exchange.market(&format!("KXHOSTILE-26NOV28-T{number}")))
        .collect();
    let (mut history, mut stats) = (History::default(), Stats::default());
    markets.iter().for_each(|market| history.note(market));
    let policy = ReconnectPolicy::default().with_max_backoff(Duration::from_secs(4));
    let client = exchange.client().unwrap();
    let builder = client.websocket().reconnect(policy);
    let builder = builder.markets(markets.iter().map(Market::ticker));
    let mut books = builder.books().await.unwrap();
    for _ in 0..STEPS {
        for _ in 0..random.usize(1..8) {
            let market = &markets[random.usize(..MARKETS)];
            change(market, &mut random);
            history.note(market);
        }
        disturb(&websockets, &mut random);
        let pause = Duration::from_millis(random.u64(1..200));
        for _ in 0..random.usize(1..30) {
            if !read(&mut books, pause, &history, &mut stats).await {
                break;
            }
        }
    }
    websockets.resume();
    for market in &markets {
        // The next changes reveal what was lost, even if one of them is held back or dropped.
        for _ in 0..5 {
            change(market, &mut random);
            history.note(market);
        }
    }
    let deadline = Instant::now() + BOUND;
    let is_right = |books: &BookStream, market: &Market| {
        books
            .live(market.ticker())
            .is_some_and(|book| *book == truth(market).1)
    };
    while !markets.iter().all(|market| is_right(&books, market)) {
        if Instant::now() > deadline {
            let are_live: Vec<_> = markets
                .iter()
                .map(|market| is_right(&books, market))
                .collect();
            return Err(format!("not live within {BOUND:?}: {are_live:?}"));
        }
        read(&mut books, Duration::from_secs(1), &history, &mut stats).await;
    }
    books.shutdown().await;
    exchange.shutdown().await;
    Ok(stats.compared)
}

#[test]
fn live_books_match_the_mock() {
    let seeds = seeds::chosen();
    let (mut compared, mut failures) = (0, Vec::new());
    for result in seeds::run_all(&seeds, run) {
        match result {
            Ok(books) => compared += books,
            Err(failure) => failures.push(failure),
        }
    }
    println!("{compared} live books compared, {seeds:?}");
    assert!(
        failures.is_empty(),
        "{} failed: {failures:#?}",
        failures.len()
    );
    assert!(compared > 0);
}
