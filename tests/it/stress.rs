//! Order books on an exchange that loses, duplicates, reorders and corrupts frames and ends subscriptions and connections. Every
//! book reported as live must equal the exchange's.
//!
//! By default there are 20,000 changes. `KALSHI_STRESS_CHANGES` sets their number, `KALSHI_TEST_SEED` the seed.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use kalshi_mock::{Market, MockExchange};
use kalshi_sdk::{
    Dollars, OutcomeSide,
    ws::{BookEvent, BookStream, BookUpdate, Event, OrderBook},
};

const MARKETS: usize = 1_000;

/// Number of versions kept of each book.
const VERSIONS: usize = 200;

/// Past books of the exchange by their clocks.
#[derive(Default)]
pub(crate) struct History(HashMap<String, VecDeque<(i64, OrderBook)>>);

impl History {
    pub(crate) fn note(&mut self, market: &Market) {
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
pub(crate) fn truth(market: &Market) -> (i64, OrderBook) {
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
pub(crate) struct Stats {
    pub(crate) compared: u64,
    stale: u64,
    live: u64,
    gaps: u64,
    disconnected: u64,
    resubscribed: u64,
    /// Live books with their clocks, as of the last update.
    books: HashMap<String, (i64, OrderBook)>,
}

pub(crate) fn record(
    update: &BookUpdate,
    books: &BookStream,
    history: &History,
    stats: &mut Stats,
) {
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

#[tokio::test(start_paused = true)]
async fn live_books_match_the_exchange_under_random_faults() {
    let changes: u64 =
        std::env::var("KALSHI_STRESS_CHANGES").map_or(20_000, |text| text.parse().unwrap());
    let seed = std::env::var("KALSHI_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed} KALSHI_STRESS_CHANGES={changes}");
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = MockExchange::builder()
        .without_markets()
        .start()
        .await
        .unwrap();
    let websockets = exchange.websockets();
    let markets: Vec<_> = (0..MARKETS)
        .map(|number| exchange.market(&format!("KXSTORM-26NOV24-T{number}")))
        .collect();
    let mut history = History::default();
    markets.iter().for_each(|market| history.note(market));
    let client = exchange.client().unwrap();
    let tickers = markets.iter().map(|market| market.ticker().to_owned());
    let mut books = client.websocket().markets(tickers).books().await.unwrap();
    let mut stats = Stats::default();
    let mut made = 0;
    while made < changes {
        for _ in 0..random.usize(1..60) {
            // Half of the changes are in ten busy markets.
            let number = match random.bool() {
                true => random.usize(0..10),
                false => random.usize(0..MARKETS),
            };
            let market = &markets[number];
            let price = |cents: i64| Dollars::from_micros(cents * 10_000);
            match random.u32(0..100) {
                0 => _ = market.clear(),
                1..50 => _ = market.bid(price(random.i64(1..60)), random.i32(1..500)),
                _ => _ = market.ask(price(random.i64(40..100)), random.i32(1..500)),
            }
            history.note(market);
            made += 1;
        }
        match random.u32(0..400) {
            0..8 => websockets.drop_frames(random.u32(1..4)),
            8..16 => websockets.repeat_frame(),
            16..24 => websockets.swap_frames(),
            24..26 => websockets.end_subscriptions(if random.bool() { 10 } else { 25 }),
            26 => websockets.reset(),
            27 => websockets.reset_in_frame(),
            28 => websockets.close(1001, "going away"),
            29 => websockets.send_raw(r#"{"type":"orderbook_delta","sid":1,"seq":"#),
            _ => {}
        }
        // Reads some of the updates that have arrived.
        for _ in 0..random.usize(1..200) {
            let update = tokio::time::timeout(Duration::from_millis(50), books.next()).await;
            let Ok(update) = update else { break };
            record(&update.unwrap().unwrap(), &books, &history, &mut stats);
        }
    }
    // Without further faults, all books become live and correct.
    let is_true = |books: &BookStream, market: &Market| {
        let (_, expected) = truth(market);
        books
            .live(market.ticker())
            .is_some_and(|book| *book == expected)
    };
    while !markets.iter().all(|market| is_true(&books, market)) {
        let update = tokio::time::timeout(Duration::from_secs(600), books.next()).await;
        let update = update
            .unwrap_or_else(|_| panic!("no more updates, but not every book is live: {stats:?}"));
        record(&update.unwrap().unwrap(), &books, &history, &mut stats);
    }
    stats.books.clear();
    println!("{stats:?}");
    assert!(
        stats.compared > changes / 20 && stats.gaps > 0 && stats.disconnected > 0,
        "{stats:?}"
    );
    let sum: usize = markets
        .iter()
        .map(|market| books.live(market.ticker()).unwrap().depth(OutcomeSide::Yes))
        .sum();
    assert!(sum > 0);
    books.shutdown().await;
    exchange.shutdown().await;
}
