//! Tests with a paused tokio clock, which the clock of the exchange follows.

use std::time::Duration;

use chrono::TimeDelta;
use kalshi_mock::MockExchange;
use kalshi_sdk::types::BookSide::Bid;
use tokio::time::{Instant, advance, sleep};

use crate::common::{
    TICKER, client_without_retries, contracts, exchange, listener::Listener, order, place,
};

#[tokio::test(start_paused = true)]
async fn requests_take_no_time() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let started = (Instant::now(), exchange.time().now());
    for _ in 0..200 {
        place(&client, order(Bid, "0.40", "1")).await;
    }
    let elapsed = started.0.elapsed();
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    let moved = exchange.time().now() - started.1;
    assert!((moved.to_std().unwrap()).abs_diff(elapsed) < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn exchange_clock_follows_the_paused_clock() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let start = exchange.time().now();
    advance(Duration::from_secs(3600)).await;
    assert!(exchange.time().now() - start >= TimeDelta::hours(1));

    // An order expires while the test sleeps.
    let mut expiring = order(Bid, "0.40", "1");
    expiring.expiration_time = Some(exchange.time().now().timestamp() + 60);
    place(&client, expiring).await;
    assert_eq!(market.bids()[0].count, contracts("1"));
    sleep(Duration::from_secs(61)).await;
    assert!(market.bids().is_empty());

    // A stopped clock does not follow, and resumes where it was stopped.
    exchange.time().stop();
    let stopped = exchange.time().now();
    advance(Duration::from_secs(60)).await;
    assert_eq!(exchange.time().now(), stopped);
    exchange.time().resume();
    advance(Duration::from_secs(60)).await;
    let moved = exchange.time().now() - stopped;
    assert!(
        moved >= TimeDelta::seconds(60) && moved < TimeDelta::seconds(70),
        "{moved}"
    );
}

#[tokio::test(start_paused = true)]
async fn client_waits_for_tokens() {
    let exchange = MockExchange::start().await.unwrap();
    let _ = exchange.market(TICKER);
    let client = exchange.client().unwrap();
    let started = Instant::now();
    for _ in 0..35 {
        place(&client, order(Bid, "0.40", "1")).await;
    }
    // Ten orders a second, after a burst of ten.
    let elapsed = started.elapsed();
    assert!(
        elapsed >= Duration::from_secs(2) && elapsed < Duration::from_secs(10),
        "{elapsed:?}"
    );
    let rejected = exchange
        .requests()
        .iter()
        .filter(|request| request.status.is_some_and(|status| status == 429))
        .count();
    assert_eq!(rejected, 0);
}

#[tokio::test(start_paused = true)]
async fn websocket_stays_open_for_hours() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let mut listener = Listener::open(&exchange).await;
    listener
        .subscribe(
            "orderbook_delta",
            serde_json::json!({ "market_ticker": TICKER }),
        )
        .await;
    listener.next().await;
    let client = exchange.client().unwrap();
    let mut books = client.websocket().market(TICKER).books().await.unwrap();
    for cents in 1..4_i64 {
        for _ in 0..3 {
            // The client replies to pings.
            _ = tokio::time::timeout(Duration::from_secs(1200), books.changed()).await;
        }
        _ = market.bid(kalshi_sdk::Dollars::from_cents(cents), 1);
        assert_eq!(listener.next().await["type"], "orderbook_delta");
        while books.live(TICKER).is_none_or(|book| {
            book.depth(kalshi_sdk::OutcomeSide::Yes) < usize::try_from(cents).unwrap()
        }) {
            books.changed().await.unwrap().unwrap();
        }
    }
    assert_eq!(exchange.websockets().connections(), 2);
}
