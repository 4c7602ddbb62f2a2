//! Concurrent signed requests from one thread, compared with bare reqwest that sends the same headers and signs with bare aws-lc-rs. Goal:
//! at least 0.93 of its requests a second at any concurrency.
//!
//! The clients take turns over many rounds, so that other load on the machine affects all alike; criterion would measure one after the
//! other. The ratios are the median over the rounds, and that of the best rounds.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use kalshi_sdk::{Client, PrivateKey};
use tokio::{runtime::Builder, task::JoinSet};

#[path = "support/loopback.rs"]
mod loopback;

/// Returns the time that `count` requests take, `at_once` at a time.
async fn load<F: Future<Output = ()> + Send>(
    at_once: usize,
    count: usize,
    request: impl Fn() -> F + Clone + Send + 'static,
) -> Duration {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let request = request.clone();
        tasks.spawn(async move {
            for _ in 0..count / at_once {
                request().await;
            }
        });
    }
    tasks.join_all().await;
    start.elapsed()
}

async fn load_sdk(client: &Client, at_once: usize, count: usize) -> Duration {
    let client = client.clone();
    load(at_once, count, move || {
        let client = client.clone();
        async move {
            client.get_balance().send().await.unwrap();
        }
    })
    .await
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // `cargo test` runs each benchmark once, as a smoke test.
    let measures = env::args().any(|argument| argument == "--bench");
    let rounds = if measures { 21 } else { 1 };
    let base = loopback::server();
    let key = PrivateKey::generate_ed25519().unwrap();
    let raw = Arc::new(loopback::Raw::new(&key));
    let (http, url) = (loopback::http(), loopback::url(&base));
    let clients = [
        ("kalshi-sdk", loopback::client(&base, key.clone())),
        (
            "kalshi-sdk with limits and retries",
            loopback::whole_client(&base, key),
        ),
    ];
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for at_once in [1, 16, 256, 2_000] {
            let count = if measures {
                at_once.max(4_000)
            } else {
                at_once
            };
            let mut times = [const { Vec::new() }; 3];
            // The first round opens the connections.
            for round in 0..=rounds {
                let request = {
                    let (http, url, raw) = (http.clone(), url.clone(), raw.clone());
                    move || {
                        let (http, url, raw) = (http.clone(), url.clone(), raw.clone());
                        async move {
                            loopback::bare(&http, &url, &raw).await;
                        }
                    }
                };
                let mut round_times = [
                    load(at_once, count, request).await,
                    load_sdk(&clients[0].1, at_once, count).await,
                    load_sdk(&clients[1].1, at_once, count).await,
                ]
                .map(|time| time.as_secs_f64() * 1e6 / count as f64)
                .into_iter();
                if round > 0 {
                    times
                        .iter_mut()
                        .for_each(|times| times.extend(round_times.next()));
                }
            }
            let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
            println!(
                "{at_once:>5} at once: reqwest and aws-lc-rs {:>6.1} us a request",
                median(times[0].clone())
            );
            for ((name, _), own) in clients.iter().zip(&times[1..]) {
                let ratios = times[0].iter().zip(own).map(|(raw, own)| raw / own);
                println!(
                    "               {name}: {:.3} of its rate, {:.3} at best",
                    median(ratios.collect()),
                    best(&times[0]) / best(own)
                );
            }
        }
    });
}
