//! Decoding a page of 1,000 markets, compared with a hand-written struct that keeps amounts as `String`. Goal: at most 0.72 times the
//! time of the hand-written struct with `from_str`. A second page has line breaks and quotes in its rules, as many markets do.
#![recursion_limit = "256"]
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kalshi_sdk::types::GetMarketsResponse;
use serde::Deserialize;
use serde_json::{Value, json};

/// The page as a hand-written struct: every string is a `String`.
#[derive(Deserialize)]
struct Page {
    markets: Vec<Market>,
    cursor: String,
}

#[derive(Deserialize)]
struct Market {
    ticker: String,
    event_ticker: String,
    market_type: String,
    title: Option<String>,
    subtitle: Option<String>,
    yes_sub_title: String,
    no_sub_title: String,
    created_time: String,
    updated_time: String,
    open_time: String,
    close_time: String,
    expected_expiration_time: Option<String>,
    expiration_time: Option<String>,
    latest_expiration_time: String,
    occurrence_datetime: Option<String>,
    settlement_timer_seconds: i64,
    settlement_ts: Option<String>,
    status: String,
    notional_value_dollars: String,
    yes_bid_dollars: String,
    yes_ask_dollars: String,
    no_bid_dollars: String,
    no_ask_dollars: String,
    yes_bid_size_fp: String,
    yes_ask_size_fp: String,
    last_price_dollars: String,
    previous_yes_bid_dollars: String,
    previous_yes_ask_dollars: String,
    previous_price_dollars: String,
    volume_fp: String,
    volume_24h_fp: String,
    open_interest_fp: String,
    result: String,
    can_close_early: bool,
    early_close_condition: Option<String>,
    expiration_value: String,
    rules_primary: String,
    rules_secondary: String,
    exchange_index: Option<i64>,
    floor_strike: Option<f64>,
    cap_strike: Option<f64>,
    strike_type: Option<String>,
    is_provisional: Option<bool>,
    price_level_structure: String,
    price_ranges: Vec<PriceRange>,
    settlement_bounds_type: String,
}

#[derive(Deserialize)]
struct PriceRange {
    start: String,
    end: String,
    step: String,
}

/// Markets of the size and shape of those on the exchange, with invented values.
fn page() -> Vec<u8> {
    let markets: Vec<Value> = (0..1_000)
        .map(|n| {
            let price = |offset: u32| format!("0.{:04}", (n * 37 + offset * 113) % 10_000);
            let count = |offset: u32| format!("{}.{:02}", (n * 7_919 + offset * 104_729) % 2_000_000, (n + offset) % 100);
            let time = |day: u32| format!("2026-{:02}-{:02}T{:02}:30:00.{:06}Z", 1 + n % 12, day, n % 24, (n * 999_983) % 1_000_000);
            json!({
                "ticker": format!("KXSAMPLEGAME-26AUG{:02}-TEAM{n}", n % 31), "event_ticker": format!("KXSAMPLEGAME-26AUG{:02}", n % 31),
                "market_type": "binary", "title": format!("Will team number {n} win the game of the week?"), "subtitle": "",
                "yes_sub_title": format!("Team {n}"), "no_sub_title": format!("Team {n}"),
                "created_time": time(1), "updated_time": time(2), "open_time": "2026-08-05T20:15:00Z", "close_time": "2026-08-22T23:10:00Z",
                "expected_expiration_time": "2026-08-09T02:10:00Z", "expiration_time": "2026-08-22T23:10:00Z",
                "latest_expiration_time": "2026-08-22T23:10:00Z", "occurrence_datetime": "2026-08-08T23:10:00Z",
                "settlement_timer_seconds": 300, "status": "active", "notional_value_dollars": "1.0000",
                "yes_bid_dollars": price(1), "yes_ask_dollars": price(2), "no_bid_dollars": price(3), "no_ask_dollars": price(4),
                "yes_bid_size_fp": count(1), "yes_ask_size_fp": count(2), "last_price_dollars": price(5),
                "previous_yes_bid_dollars": price(6), "previous_yes_ask_dollars": price(7), "previous_price_dollars": price(8),
                "volume_fp": count(3), "volume_24h_fp": count(4), "open_interest_fp": count(5), "result": "", "can_close_early": true,
                "early_close_condition": "This market closes early once a winner has been declared by the league.", "expiration_value": "",
                "rules_primary": format!("If team {n} wins the game of the week that was scheduled for August, then the market resolves to Yes. A game that is called before it is official does not count, and one that is moved by less than two days does."),
                "rules_secondary": "A game that is postponed and played within two days counts as the same game; after that every market of the event resolves to a fair price, as the rulebook of the contract has it.",
                "exchange_index": 0, "floor_strike": f64::from(n) + 0.5, "strike_type": "structured", "is_provisional": false,
                "price_level_structure": "linear_cent", "price_ranges": [{ "start": "0.0000", "end": "1.0000", "step": "0.0100" }],
                "settlement_bounds_type": "default", "custom_strike": { "team": "d3b1a7ea-8a08-4b54-b28a-0b0f0a9e7b1c" },
            })
        })
        .collect();
    serde_json::to_vec(&json!({ "markets": markets, "cursor": "CgwIwN3mxAYQ" })).unwrap()
}

fn decode(c: &mut Criterion) {
    let body = page();
    compare(c, "decode/1000-markets", &body);
    let text = String::from_utf8(body).unwrap();
    let text = text.replace("to Yes. A game", r#"to \"Yes\".\n\nA game"#);
    let text = text.replace("; after that", r";\nafter that");
    compare(c, "decode/1000-markets-with-escapes", text.as_bytes());
}

fn compare(c: &mut Criterion, name: &str, body: &[u8]) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("kalshi-sdk", |b| {
        b.iter(|| {
            // Checks UTF-8 once and then decodes, as the client does.
            let text = std::str::from_utf8(black_box(body)).unwrap();
            kalshi_core::rt::from_json::<GetMarketsResponse>(text).unwrap()
        });
    });
    let text = std::str::from_utf8(body).unwrap();
    group.bench_function("by hand, String money, from_str", |b| {
        b.iter(|| serde_json::from_str::<Page>(black_box(text)).unwrap());
    });
    // A client has bytes, so this is the work that kalshi-sdk does above.
    group.bench_function("by hand, String money, from_utf8 and from_str", |b| {
        b.iter(|| {
            let text = std::str::from_utf8(black_box(body)).unwrap();
            serde_json::from_str::<Page>(text).unwrap()
        });
    });
    group.bench_function("by hand, String money, from_slice", |b| {
        b.iter(|| serde_json::from_slice::<Page>(black_box(body)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
