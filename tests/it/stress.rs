//! Order books on `kalshi-mock`, which loses, repeats, reorders and corrupts frames, ends subscriptions and connections, and rejects
//! handshakes. Every book reported as live must equal the exchange's, and every book must be live again within [`BOUND`] after the
//! last fault. Time is virtual.
//!
//! With a few markets, 150 seeds run by default. `KALSHI_TEST_SEEDS` sets their number, `KALSHI_TEST_SEED` runs one. With 1,000
//! markets, one seed runs. It is printed, and `KALSHI_STRESS_STEPS` sets its length.

use std::{
    collections::{HashMap, VecDeque},
    env,
    time::Duration,
};

use fastrand::Rng;
use kalshi_mock::{Market, MockExchange, WebSockets};
use kalshi_sdk::{
    Dollars,
    ws::{BookEvent, BookStream, BookUpdate, Event, OrderBook, ReconnectPolicy},
};
use tokio::time::{Instant, timeout};

use crate::hostile_ws::seeds;

/// Default number of seeds with few markets.
const SEEDS: u64 = 150;

/// Time limit for every book to become live after the last fault.
const BOUND: Duration = Duration::from_secs(60);

/// Number of versions kept of each book.
const VERSIONS: usize = 200;

/// Past books of the exchange by their clocks.
#[derive(Default)]
struct History(HashMap<String, VecDeque<(i64, OrderBook)>>);

impl History {
    fn note(&mut self, market: &Market) {
        let (clock, book) = truth(market);
        let versions = self.0.entry(market.ticker().to_owned()).or_default();
        if versions.back().is_none_or(|(last, _)| *last != clock) {
            versions.push_back((clock, book));
        }
        if versions.len() > VERSIONS {
            versions.pop_front();
        }
    }
}

/// Returns the exchange's book and its clock.
fn truth(market: &Market) -> (i64, OrderBook) {
    let book = market.order_book();
    let no = book.asks.iter().map(|level| {
        let mut level = *level;
        level.price = level.price.complement();
        level
    });
    let no: Vec<_> = no.collect();
    let clock = i64::try_from(book.clock).unwrap();
    (clock, OrderBook::from_bids(&book.bids, &no))
}

/// Statistics of a run.
#[derive(Debug, Default)]
struct Stats {
    compared: u64,
    stale: u64,
    live: u64,
    gaps: u64,
    disconnected: u64,
    resubscribed: u64,
    /// Live books with their clocks, as of the last update.
    books: HashMap<String, (i64, OrderBook)>,
}

fn record(update: &BookUpdate, books: &BookStream, history: &History, stats: &mut Stats) {
    let event = match update {
        BookUpdate::Book(event) => event,
        BookUpdate::Connection(event) => {
            match event {
                Event::Gap { .. } => stats.gaps += 1,
                Event::Disconnected { .. } => stats.disconnected += 1,
                Event::Resubscribed { .. } => stats.resubscribed += 1,
                _ => {}
            }
            return;
        }
        _ => return,
    };
    let ticker = event.market_ticker();
    match event {
        BookEvent::Stale { .. } => stats.stale += 1,
        BookEvent::Live { .. } => stats.live += 1,
        _ => {}
    }
    // A frame may cause several updates of a book, of which the last one counts.
    let Some(book) = books.live(ticker) else {
        stats.books.remove(ticker);
        return;
    };
    let clock = books.books().clock(ticker).unwrap();
    let before = stats.books.insert(ticker.to_owned(), (clock, book.clone()));
    // Several changes may share a clock. They are complete once the clock changes.
    let Some((before, book)) = before.filter(|(before, _)| *before != clock) else {
        return;
    };
    let known = history.0[ticker].iter().rev().find(|(at, _)| *at == before);
    if let Some((_, expected)) = known {
        assert_eq!(book, *expected, "{ticker} at {before}");
        stats.compared += 1;
    }
}

/// Size of a run.
struct Size {
    markets: usize,
    steps: usize,
    /// Maximum number of changes per step.
    changes: usize,
}

fn change(market: &Market, random: &mut Rng, history: &mut History) {
    let price = |cents: i64| Dollars::from_micros(cents * 10_000);
    match random.u32(0..100) {
        0 => _ = market.clear(),
        1..50 => _ = market.bid(price(random.i64(1..60)), random.i32(1..500)),
        _ => _ = market.ask(price(random.i64(40..100)), random.i32(1..500)),
    }
    history.note(market);
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

async fn run(seed: u64, size: &Size) -> Result<Stats, String> {
    // Pauses between connections use the global generator.
    fastrand::seed(seed);
    let mut random = Rng::with_seed(seed);
    let exchange = MockExchange::builder()
        .without_markets()
        .seed(seed)
        .start()
        .await
        .unwrap();
    let websockets = exchange.websockets();
    let markets: Vec<_> = (0..size.markets)
        .map(|number| exchange.market(&format!("KXSTRESS-26NOV28-T{number}")))
        .collect();
    let (mut history, mut stats) = (History::default(), Stats::default());
    markets.iter().for_each(|market| history.note(market));
    let policy = ReconnectPolicy::default().with_max_backoff(Duration::from_secs(4));
    let client = exchange.client().unwrap();
    let builder = client.websocket().reconnect(policy);
    let builder = builder.markets(markets.iter().map(Market::ticker));
    let mut books = builder.books().await.unwrap();
    for _ in 0..size.steps {
        for _ in 0..random.usize(1..=size.changes) {
            // Half of the changes are in ten busy markets.
            let number = match random.bool() {
                true => random.usize(..markets.len().min(10)),
                false => random.usize(..markets.len()),
            };
            change(&markets[number], &mut random, &mut history);
        }
        disturb(&websockets, &mut random);
        let pause = Duration::from_millis(random.u64(1..200));
        for _ in 0..random.usize(1..=size.changes * 4) {
            if !read(&mut books, pause, &history, &mut stats).await {
                break;
            }
        }
    }
    websockets.resume();
    for market in &markets {
        // The next changes reveal what was lost, even if one of them is held back or dropped.
        for _ in 0..5 {
            change(market, &mut random, &mut history);
        }
    }
    let deadline = Instant::now() + BOUND;
    let is_right = |books: &BookStream, market: &Market| {
        books
            .live(market.ticker())
            .is_some_and(|book| *book == truth(market).1)
    };
    while let Some(wrong) = markets.iter().find(|market| !is_right(&books, market)) {
        if Instant::now() > deadline {
            let ticker = wrong.ticker();
            return Err(format!("{ticker} is not live and right within {BOUND:?}"));
        }
        read(&mut books, Duration::from_secs(1), &history, &mut stats).await;
    }
    books.shutdown().await;
    exchange.shutdown().await;
    stats.books.clear();
    Ok(stats)
}

#[test]
fn live_books_match_the_mock() {
    let seeds = seeds::chosen(SEEDS);
    let size = Size {
        markets: 4,
        steps: 20,
        changes: 7,
    };
    let (mut compared, mut failures) = (0, Vec::new());
    for result in seeds::run_all(&seeds, async |seed| run(seed, &size).await) {
        match result {
            Ok(stats) => compared += stats.compared,
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

#[test]
fn live_books_of_1000_markets_match_the_mock() {
    let number = |name| env::var(name).map(|text| text.parse::<usize>().unwrap());
    let steps = number("KALSHI_STRESS_STEPS").unwrap_or(300);
    let seed = number("KALSHI_TEST_SEED").unwrap_or_else(|_| fastrand::usize(..1_000_000_000));
    println!("KALSHI_TEST_SEED={seed} KALSHI_STRESS_STEPS={steps}");
    let seed = u64::try_from(seed).unwrap();
    let size = Size {
        markets: 1_000,
        steps,
        changes: 60,
    };
    for result in seeds::run_all(&(seed..seed + 1), async |seed| run(seed, &size).await) {
        let stats = result.unwrap();
        println!("{stats:?}");
        assert!(
            stats.compared > 100 && stats.gaps > 0 && stats.disconnected > 0,
            "{stats:?}"
        );
    }
}
