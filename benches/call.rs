//! A complete signed request on loopback, compared with bare reqwest that sends the same headers and signs with bare aws-lc-rs. Goal: at
//! most 1.05 times its median for Ed25519. The same with idle limits and retries. Goal: at most 1.03 times the time without them.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use kalshi_sdk::PrivateKey;
use tokio::runtime::Builder;

#[path = "support/loopback.rs"]
mod loopback;

fn call(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let base = loopback::server();
    for (name, key) in [
        ("ed25519", PrivateKey::generate_ed25519().unwrap()),
        ("rsa-2048", PrivateKey::generate_rsa(2048).unwrap()),
    ] {
        let raw = loopback::Raw::new(&key);
        let client = loopback::client(&base, key.clone());
        let whole = loopback::whole_client(&base, key);
        let (http, url) = (loopback::http(), loopback::url(&base));
        let mut group = c.benchmark_group(format!("call/{name}"));
        group.measurement_time(Duration::from_secs(10));
        group.bench_function("kalshi-sdk", |b| {
            b.to_async(&runtime)
                .iter(|| async { client.get_balance().send().await.unwrap().balance });
        });
        group.bench_function("kalshi-sdk with limits and retries", |b| {
            b.to_async(&runtime)
                .iter(|| async { whole.get_balance().send().await.unwrap().balance });
        });
        group.bench_function("reqwest and aws-lc-rs", |b| {
            b.to_async(&runtime)
                .iter(|| loopback::bare(&http, &url, &raw))
        });
        group.finish();
    }
}

criterion_group!(benches, call);
criterion_main!(benches);
