//! Delivery from the exchange's socket to the reader, compared with a bare socket on this machine, and the memory of 1,000 books.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::{SinkExt, StreamExt};
use kalshi_mock::{Market, MockExchange};
use kalshi_sdk::{
    Dollars,
    ws::{BookUpdate, Books, Channel, Event, Frame, Message, PriceMode},
};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message as Data, client::IntoClientRequest},
};

const TICKER: &str = "KXBENCH-26-A";

/// Changes one level of the book, a different one in each round, without a trade.
fn change(market: &Market, round: u64) {
    let cents = i64::try_from(round % 40).unwrap() + 1;
    market.bid(Dollars::from_micros(cents * 10_000), 1);
}

/// Connects and subscribes a bare WebSocket.
async fn bare(exchange: &MockExchange) -> WebSocketStream<TcpStream> {
    let mut request = exchange.ws_url().into_client_request().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = u64::try_from(now).unwrap();
    let path = request.uri().path().to_owned();
    let headers = exchange.credentials().headers(now, "GET", &path).await;
    headers.unwrap().insert_into(request.headers_mut());
    let tcp = TcpStream::connect(exchange.address()).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
    let subscribe = format!(
        r#"{{"id":1,"cmd":"subscribe","params":{{"channels":["orderbook_delta"],"market_tickers":["{TICKER}"]}}}}"#
    );
    socket.send(Data::text(subscribe)).await.unwrap();
    // The acknowledgement and the snapshot.
    for _ in 0..2 {
        socket.next().await.unwrap().unwrap();
    }
    socket
}

/// Measures on one thread, and on two, where each step wakes the other.
fn delivery(criterion: &mut Criterion) {
    let one = Builder::new_current_thread().enable_all().build();
    delivery_on(criterion, "on one thread", &one.unwrap());
    let workers = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    delivery_on(criterion, "on two workers", &workers.unwrap());
}

fn delivery_on(criterion: &mut Criterion, name: &str, runtime: &Runtime) {
    let mut group = criterion.benchmark_group(format!("stream {name}"));
    let exchange = runtime.block_on(MockExchange::start()).unwrap();
    let market = exchange.market(TICKER);
    let mut round = 0;

    let mut socket = runtime.block_on(bare(&exchange));
    group.bench_function("a change to a bare socket", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..times {
                    round += 1;
                    change(&market, round);
                    loop {
                        if let Data::Text(text) = socket.next().await.unwrap().unwrap() {
                            black_box(text);
                            break;
                        }
                    }
                }
                began.elapsed()
            })
        });
    });
    drop(socket);

    let client = exchange.client().unwrap();
    let stream = client.websocket().channel(Channel::OrderbookDelta);
    let mut stream = runtime.block_on(stream.market(TICKER).connect()).unwrap();
    let is_snapshot = |event: &Event| matches!(event, Event::Message(received) if matches!(received.frame.message, Message::OrderbookSnapshot(_)));
    while !is_snapshot(&runtime.block_on(stream.next()).unwrap().unwrap()) {}
    let mut latencies = Vec::new();
    group.bench_function("a change to a connection", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let mut sum = Duration::ZERO;
                for _ in 0..times {
                    round += 1;
                    let began = Instant::now();
                    change(&market, round);
                    black_box(stream.next().await);
                    let took = began.elapsed();
                    sum += took;
                    latencies.push(took);
                }
                sum
            })
        });
    });
    latencies.sort_unstable();
    if let Some(median) = latencies.get(latencies.len() / 2) {
        println!("stream {name}: median {median:?} of {}", latencies.len());
    }
    runtime.block_on(stream.shutdown());

    let mut books = runtime
        .block_on(client.websocket().market(TICKER).books())
        .unwrap();
    while books.live(TICKER).is_none() {
        runtime.block_on(books.next());
    }
    group.bench_function("a change to a book", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..times {
                    round += 1;
                    change(&market, round);
                    while !matches!(books.next().await, Some(Ok(BookUpdate::Book(_)))) {}
                }
                began.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(books.shutdown());
}

/// Returns the resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

fn memory(_: &mut Criterion) {
    let before = resident();
    let mut books = Books::with_mode(PriceMode::NoPrices);
    let levels: Vec<_> = (1..=99)
        .map(|cents| format!(r#"["0.{cents:02}00","{cents}.00"]"#))
        .collect();
    let (yes, no) = (levels[..49].join(","), levels[..49].join(","));
    for number in 0..1_000 {
        let text = format!(
            r#"{{"type":"orderbook_snapshot","sid":1,"seq":{},"msg":{{"market_ticker":"KXBENCH-26NOV24-T{number}","market_id":"m","yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]}}}}"#,
            number + 1
        );
        books.apply(&Frame::parse(&text));
    }
    let held = resident().saturating_sub(before);
    println!("1,000 books of 98 levels: {} KiB resident", held / 1_024);
    black_box(books);
}

criterion_group!(benches, memory, delivery);
criterion_main!(benches);
