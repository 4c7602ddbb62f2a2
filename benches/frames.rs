//! Parsing WebSocket frames and keeping order books from them, compared with hand-written code.

#![allow(clippy::unwrap_used, dead_code, missing_docs, reason = "a benchmark")]

use std::{
    collections::{BTreeMap, HashMap},
    hint::black_box,
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kalshi_sdk::ws::{Books, Frame, Message, OrderBook, PriceMode};
use serde::Deserialize;

/// A minimal hand-written struct for this message: fixed-point amounts, times unparsed.
#[derive(Deserialize)]
struct Raw {
    sid: u64,
    seq: u64,
    msg: RawDelta,
}

#[derive(Deserialize)]
struct RawDelta {
    market_ticker: String,
    #[serde(deserialize_with = "fixed_point::<_, 10_000>")]
    price_dollars: i64,
    #[serde(deserialize_with = "fixed_point::<_, 100>")]
    delta_fp: i64,
    side: RawSide,
    ts_ms: Option<i64>,
}

/// The same message with every field decoded to its final type, as in this crate, but without the other messages.
#[derive(Deserialize)]
struct RawWhole {
    sid: u64,
    seq: u64,
    sending_ts_ms: Option<i64>,
    msg: RawWholeDelta,
}

#[derive(Deserialize)]
struct RawWholeDelta {
    market_ticker: String,
    market_id: String,
    #[serde(deserialize_with = "fixed_point::<_, 10_000>")]
    price_dollars: i64,
    #[serde(deserialize_with = "fixed_point::<_, 100>")]
    delta_fp: i64,
    side: RawSide,
    ts: Option<chrono::DateTime<chrono::Utc>>,
    ts_ms: Option<i64>,
    clock: Option<i64>,
    client_order_id: Option<String>,
    subaccount: Option<i64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum RawSide {
    Yes,
    No,
}

/// Parses a decimal string as a whole number of parts.
fn fixed_point<'de, D: serde::Deserializer<'de>, const PARTS: i64>(
    deserializer: D,
) -> Result<i64, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |text: &str| {
        if text.is_empty() {
            Ok(0)
        } else {
            text.parse::<i64>()
        }
    };
    let width = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    let parts = number(fraction).map_err(serde::de::Error::custom)? * PARTS / 10_i64.pow(width);
    Ok(sign * (number(whole).map_err(serde::de::Error::custom)? * PARTS + parts))
}

/// Returns deltas of some markets, which add and remove bids on both sides.
fn deltas(markets: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut held: BTreeMap<(usize, bool, i64), i64> = BTreeMap::new();
    let delta = |index: usize| {
        let (market, yes, cents) = (random.usize(..markets), random.bool(), random.i64(1..50));
        let level = held.entry((market, yes, cents)).or_default();
        let count = if *level > 0 && random.bool() {
            -*level
        } else {
            random.i64(1..100_000)
        };
        *level += count;
        let (sign, size) = if count < 0 {
            ("-", -count)
        } else {
            ("", count)
        };
        let side = if yes { "yes" } else { "no" };
        format!(
            r#"{{"type":"orderbook_delta","sid":1,"seq":{},"msg":{{"market_ticker":"{}","market_id":"943fcfe7-68a7-48aa-84b0-9b5ed2d5b922","clock":{},"price_dollars":"0.{cents:02}00","delta_fp":"{sign}{}.{:02}","side":"{side}","ts":"2026-11-24T15:04:05.123Z","ts_ms":1795532645123}}}}"#,
            markets + index + 1,
            ticker(market),
            1_000_000 + index,
            size / 100,
            size % 100,
        )
    };
    (0..10_000).map(delta).collect()
}

fn ticker(market: usize) -> String {
    format!("KXBENCH-26NOV24-T{market}.99")
}

/// Returns a snapshot of an empty book for each market.
fn snapshots(markets: usize) -> Vec<String> {
    let snapshot = |market| {
        format!(
            r#"{{"type":"orderbook_snapshot","sid":1,"seq":{},"msg":{{"market_ticker":"{}","market_id":"943fcfe7-68a7-48aa-84b0-9b5ed2d5b922","clock":1}}}}"#,
            market + 1,
            ticker(market),
        )
    };
    (0..markets).map(snapshot).collect()
}

fn frames(criterion: &mut Criterion) {
    let deltas = deltas(1);
    let mut group = criterion.benchmark_group("frames");
    group.throughput(Throughput::Elements(deltas.len() as u64));
    group.bench_function("read, by hand", |bencher| {
        bencher.iter(|| {
            for text in &deltas {
                black_box(serde_json::from_str::<Raw>(text).unwrap());
            }
        });
    });
    group.bench_function("read, by hand, every field", |bencher| {
        bencher.iter(|| {
            for text in &deltas {
                black_box(serde_json::from_str::<RawWhole>(text).unwrap());
            }
        });
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            for text in &deltas {
                black_box(Frame::parse(text));
            }
        });
    });
    group.bench_function("read and apply, by hand", |bencher| {
        bencher.iter(|| {
            let mut book: BTreeMap<(RawSide, i64), i64> = BTreeMap::new();
            for text in &deltas {
                let Raw { msg, .. } = serde_json::from_str(text).unwrap();
                let level = book.entry((msg.side, msg.price_dollars)).or_default();
                *level += msg.delta_fp;
                if *level == 0 {
                    book.remove(&(msg.side, msg.price_dollars));
                }
            }
            black_box(book.len())
        });
    });
    group.bench_function("read and apply, one book", |bencher| {
        bencher.iter(|| {
            let mut book = OrderBook::new();
            for text in &deltas {
                if let Message::OrderbookDelta(delta) = Frame::parse(text).message {
                    book.apply(&delta, PriceMode::NoPrices).unwrap();
                }
            }
            black_box(book)
        });
    });
    group.finish();
}

/// A hand-written book of a market, by side and price.
type RawBook = BTreeMap<(RawSide, i64), i64>;

/// Measures books of many markets that detect gaps, compared with maps and a sequence check. Both contain all markets from the start.
fn books(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("books");
    for markets in [1, 100, 1_000, 10_000] {
        let deltas = deltas(markets);
        group.throughput(Throughput::Elements(deltas.len() as u64));
        let tickers = || (0..markets).map(ticker);
        group.bench_function(BenchmarkId::new("by hand", markets), |bencher| {
            let books: HashMap<String, RawBook> =
                tickers().map(|ticker| (ticker, RawBook::new())).collect();
            bencher.iter_batched_ref(
                || books.clone(),
                |books| {
                    let mut last = markets as u64;
                    for text in &deltas {
                        let Raw { seq, msg, .. } = serde_json::from_str(text).unwrap();
                        assert_eq!(seq, last + 1);
                        last = seq;
                        let book = books.get_mut(&msg.market_ticker).unwrap();
                        let level = book.entry((msg.side, msg.price_dollars)).or_default();
                        *level += msg.delta_fp;
                        if *level == 0 {
                            book.remove(&(msg.side, msg.price_dollars));
                        }
                    }
                },
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new("resynchronising", markets), |bencher| {
            let mut books = Books::with_mode(PriceMode::NoPrices);
            for text in snapshots(markets) {
                books.apply(&Frame::parse(&text));
            }
            bencher.iter_batched_ref(
                || books.clone(),
                |books| {
                    for text in &deltas {
                        black_box(books.apply(&Frame::parse(text)));
                    }
                },
                BatchSize::PerIteration,
            );
            assert!(tickers().all(|ticker| books.live(&ticker).is_some()));
        });
    }
    group.finish();
}

criterion_group!(benches, frames, books);
criterion_main!(benches);
