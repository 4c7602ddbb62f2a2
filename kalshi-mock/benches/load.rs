//! Throughput, latency and memory use of the exchange under signed orders.
//!
//! `cargo bench -p kalshi-mock --bench load` places 100,000 orders, compares the rate with that of a bare server that returns a
//! fixed response, and then places and cancels a million orders. Client and server share the machine's cores. `-- --quick` runs
//! a tenth of that.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::{
    env,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, routing::post};
use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Dollars,
    auth::{PrivateKey, signing_text},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const PATH: &str = "/trade-api/v2/portfolio/events/orders";
const CONNECTIONS: usize = 16;

fn main() {
    let scale = if env::args().any(|argument| argument == "--quick") {
        10
    } else {
        1
    };
    // Without `--bench`, as under `cargo test`, a short run checks that the benchmark works.
    let scale = if env::args().any(|argument| argument == "--bench") {
        scale
    } else {
        1000
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(100_000 / scale, 1_000_000 / scale));
}

async fn run(creates: usize, pairs: usize) {
    let exchange = MockExchange::builder()
        .without_limits()
        .without_markets()
        .max_requests(0)
        .balance(Dollars::from_cents(2_000_000_000))
        .start()
        .await
        .unwrap();
    let _ = exchange.market("KXLOAD-26-A");
    let caller = Arc::new(Caller {
        key_id: exchange.credentials().key_id().to_owned(),
        key: exchange.user().private_key().clone(),
    });
    let bare_server = start_bare_server().await;
    for round in 1..=2 {
        let raw = load(bare_server, &caller, creates, false).await;
        println!("round {round}, bare server:   {raw}");
        let placed = load(exchange.address(), &caller, creates / 2, false).await;
        println!(
            "round {round}, signed orders: {placed}  ({:.2} of the bare server's)",
            placed.rate / raw.rate
        );
    }
    let mut memory = vec![resident()];
    for _ in 0..10 {
        let pair = load(exchange.address(), &caller, pairs / 10, true).await;
        memory.push(resident());
        println!(
            "placed and cancelled: {pair}, {} MB resident",
            memory.last().unwrap() / 1_000_000
        );
    }
}

struct Caller {
    key_id: String,
    key: PrivateKey,
}

impl Caller {
    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let now = chrono::Utc::now().timestamp_millis();
        let text = signing_text(u64::try_from(now).unwrap(), method, path);
        let signature = self.key.sign(text.as_bytes()).unwrap().to_base64();
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{kind}content-length: {}\r\nkalshi-access-key: {}\r\n\
             kalshi-access-timestamp: {now}\r\nkalshi-access-signature: {signature}\r\n\r\n{body}",
            body.len(),
            self.key_id,
        )
        .into_bytes()
    }
}

struct Measured {
    rate: f64,
    /// Latency of every request, in ascending order.
    latencies: Vec<Duration>,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |part: usize| {
            self.latencies[(self.latencies.len() - 1) * part / 1000].as_secs_f64() * 1e3
        };
        write!(
            f,
            "{:>6.0}/s, median {:.2} ms, 99 % {:.2} ms, 99.9 % {:.2} ms",
            self.rate,
            at(500),
            at(990),
            at(999)
        )
    }
}

/// Sends requests over several connections. Each connection waits for the response before it sends the next request.
async fn load(address: SocketAddr, caller: &Arc<Caller>, count: usize, cancel: bool) -> Measured {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let caller = Arc::clone(caller);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = Vec::with_capacity(4096);
            let mut latencies = Vec::with_capacity(count / CONNECTIONS);
            for number in 0..count / CONNECTIONS {
                let price = 1 + (connection + number) % 60;
                let body = format!(
                    r#"{{"ticker":"KXLOAD-26-A","client_order_id":"","side":"bid","count":"1.00","price":"0.{price:02}","time_in_force":"good_till_canceled","self_trade_prevention_type":"taker_at_cross"}}"#
                );
                let sent = Instant::now();
                let response = call(&mut stream, &mut buffer, &caller.request("POST", PATH, &body)).await;
                latencies.push(sent.elapsed());
                assert!(response.starts_with("HTTP/1.1 201"), "{response}");
                if cancel {
                    let (_, rest) = response.split_once("\"order_id\":\"").unwrap();
                    let path = format!("{PATH}/{}", &rest[..36]);
                    let response = call(&mut stream, &mut buffer, &caller.request("DELETE", &path, "")).await;
                    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
                }
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Measured { rate, latencies }
}

async fn call(stream: &mut TcpStream, buffer: &mut Vec<u8>, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        assert!(
            stream.read_buf(buffer).await.unwrap() > 0,
            "the connection closed before the response was complete"
        );
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text.into_owned();
            }
        }
    }
}

/// Starts a server that ignores the request and returns a fixed response.
async fn start_bare_server() -> SocketAddr {
    let response = r#"{"order_id":"00000000-0000-4000-8000-000000000000","fill_count":"0.00","remaining_count":"1.00","ts_ms":1}"#;
    let service = Router::new().route(
        PATH,
        post(move |_: bytes::Bytes| async move {
            (
                StatusCode::CREATED,
                [("content-type", "application/json")],
                response,
            )
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Returns the resident memory of this process in bytes, or 0 if it is unknown.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
