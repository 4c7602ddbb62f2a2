//! A single order book.

use kalshi_perps::{
    BookSide, Contracts, Dollars, PriceLevel, types,
    ws::{BookError, Frame, Message, OrderBook, Sweep},
};
use serde_json::{Value, json};

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

fn contracts(text: &str) -> Contracts {
    text.parse().unwrap()
}

fn level(price: &str, count: &str) -> PriceLevel {
    serde_json::from_value(json!([price, count])).unwrap()
}

const BIDS: [[&str; 2]; 3] = [["0.9999", "3.00"], ["6.3328", "1.00"], ["6.3329", "2.50"]];
const ASKS: [[&str; 2]; 3] = [["12.5000", "7.00"], ["6.3420", "4.00"], ["6.3416", "2.00"]];

fn snapshot(bids: &[[&str; 2]], asks: &[[&str; 2]]) -> Result<OrderBook, BookError> {
    let body = json!({"market_ticker": "A", "bid": bids, "ask": asks});
    let frame = json!({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": body});
    match Frame::parse(&frame.to_string()).message {
        Message::OrderbookSnapshot(snapshot) => OrderBook::from_snapshot(&snapshot),
        other => panic!("{other:?}"),
    }
}

#[test]
fn levels_of_a_snapshot_are_sorted() {
    let mut orders = vec![BIDS, BIDS, BIDS];
    orders[1].reverse();
    orders[2].swap(0, 1);
    let book = snapshot(&BIDS, &ASKS).unwrap();
    let prices = |levels: Vec<PriceLevel>| levels.iter().map(|level| level.price).collect();
    let bids: Vec<Dollars> = prices(book.bids().collect());
    assert_eq!(bids, ["6.3329", "6.3328", "0.9999"].map(dollars));
    let asks: Vec<Dollars> = prices(book.asks().collect());
    assert_eq!(asks, ["6.3416", "6.3420", "12.5000"].map(dollars));
    for bids in &orders {
        let mut asks = ASKS;
        for _ in 0..3 {
            asks.rotate_left(1);
            assert_eq!(snapshot(bids, &asks).as_ref(), Ok(&book));
        }
        asks.reverse();
        assert_eq!(snapshot(bids, &asks).as_ref(), Ok(&book));
    }
}

#[test]
fn rest_book_equals_snapshot() {
    let body = json!({"bids": BIDS, "asks": ASKS});
    let body: types::MarginOrderbookCount = serde_json::from_value(body).unwrap();
    assert_eq!(OrderBook::from(&body), snapshot(&BIDS, &ASKS).unwrap());
}

#[test]
fn prices_above_a_dollar_are_quoted_exactly() {
    let book = snapshot(&BIDS, &ASKS).unwrap();
    assert_eq!(book.best_bid(), Some(level("6.3329", "2.50")));
    assert_eq!(book.best_ask(), Some(level("6.3416", "2.00")));
    assert_eq!(book.spread(), Some(dollars("0.0087")));
    assert_eq!(book.mid(), Some(dollars("6.33725")));
    assert!(!book.is_crossed() && !book.is_empty());
    assert_eq!(book.depth(BookSide::Bid), 3);
    assert_eq!(
        book.count_at(BookSide::Ask, dollars("6.3420")),
        contracts("4")
    );
    assert_eq!(
        book.count_at(BookSide::Bid, dollars("6.3420")),
        Contracts::ZERO
    );

    let bought = book.sweep_buy(contracts("5"));
    assert_eq!(
        (bought.filled, bought.cost),
        (contracts("5"), dollars("31.7092"))
    );
    assert_eq!(bought.worst, Some(dollars("6.3420")));
    let sold = book.sweep_sell(contracts("3.5"));
    assert_eq!(
        (sold.filled, sold.cost),
        (contracts("3.5"), dollars("22.16505"))
    );
    assert_eq!(sold.worst, Some(dollars("6.3328")));
    // The book has fewer contracts.
    assert_eq!(book.sweep_sell(contracts("99")).filled, contracts("6.5"));
    assert_eq!(OrderBook::new().sweep_buy(contracts("1")), Sweep::default());
}

#[test]
fn invalid_changes_leave_the_book_unchanged() {
    let mut book = snapshot(&BIDS, &ASKS).unwrap();
    let before = book.clone();
    let unknown: BookSide = serde_json::from_value(json!("neither")).unwrap();
    for (side, price, count) in [
        (BookSide::Bid, "6.3329", "-2.51"),
        (BookSide::Ask, "6.3329", "-1"),
        (BookSide::Bid, "0", "1"),
        (BookSide::Ask, "-0.0001", "1"),
        (unknown, "6.3329", "1"),
    ] {
        book.add(side, dollars(price), contracts(count))
            .unwrap_err();
        assert_eq!(book, before, "{side} {price} {count}");
    }
    book.add(BookSide::Bid, dollars("6.3329"), contracts("-2.50"))
        .unwrap();
    assert_eq!(book.best_bid().unwrap().price, dollars("6.3328"));
    let differences = before.differences(&book);
    assert_eq!(differences.len(), 1);
    let difference = differences[0];
    assert_eq!(
        (difference.side, difference.price),
        (BookSide::Bid, dollars("6.3329"))
    );
    assert_eq!(
        (difference.here, difference.there),
        (contracts("2.5"), Contracts::ZERO)
    );
}

#[test]
fn invalid_snapshots_are_rejected() {
    let price = dollars("6.3329");
    let mut bids = BIDS;
    bids[0] = ["6.3329", "1.00"];
    let duplicate = BookError::DuplicateLevel { price };
    assert_eq!(snapshot(&bids, &ASKS), Err(duplicate));
    bids = BIDS;
    bids[2][1] = "-1.00";
    assert_eq!(
        snapshot(&bids, &ASKS),
        Err(BookError::NegativeLevel { price })
    );
    bids[2] = ["0.0000", "1.00"];
    let price = Dollars::ZERO;
    assert_eq!(snapshot(&bids, &ASKS), Err(BookError::Price { price }));
}

#[test]
fn book_with_bid_at_ask_is_crossed() {
    let mut book = snapshot(&BIDS, &ASKS).unwrap();
    book.add(BookSide::Bid, dollars("6.3416"), contracts("1"))
        .unwrap();
    assert!(book.is_crossed());
    assert_eq!(book.spread(), Some(Dollars::ZERO));
}

/// Levels are serialized as the exchange sends them.
#[test]
fn levels_keep_their_digits() {
    let book = snapshot(&BIDS, &ASKS).unwrap();
    let mut bids: Vec<Value> = book.bids().map(|level| json!(level)).collect();
    bids.reverse();
    assert_eq!(json!(bids), json!(BIDS));
}
