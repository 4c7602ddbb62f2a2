//! Memory of a client that places orders on a server with endless and oversized bodies.

use std::sync::Mutex;

use fastrand::Rng;
use kalshi_sdk::RetryPolicy;
use serde_json::json;
use tokio::task::JoinSet;

use super::{case::builder, run::from_environment, samples::order};
use crate::common::{
    exchange::{Exchange, Received, Reply},
    is_alone, peak_memory,
};

const MIB: usize = 1024 * 1024;

/// Maximum length of a body, in bytes.
const MAX_BODY: usize = MIB;

/// Maximum number of orders in flight.
const CONCURRENT: usize = 16;

/// Returns a reply without storing the order.
fn reply(request: &Received, random: &mut Rng) -> Reply {
    let body = match request.method.as_str() {
        "POST" => json!({
            "order_id": format!("order-{}", request.number), "client_order_id": request.json()["client_order_id"],
            "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1,
        }),
        _ => json!({ "orders": [], "cursor": format!("c{}", request.number) }),
    };
    let text = body.to_string().into_bytes();
    match random.u32(0..12) {
        0 | 1 => Reply::Endless(random.choice([200, 201, 409, 500, 429]).unwrap(), text),
        2 => Reply::Response(201, Vec::new(), vec![b' '; MAX_BODY + 1]),
        3 => Reply::Response(201, Vec::new(), vec![b'['; MAX_BODY]),
        4 => Reply::Drop,
        5 => Reply::Reset,
        6 => Reply::Short(201, text),
        7 => Reply::rate_limited(),
        8 => Reply::status(503),
        _ => Reply::json(201, &body),
    }
}

/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_within_the_bodies_in_flight() {
    if !is_alone("hostile::memory::memory_stays_within_the_bodies_in_flight") {
        return;
    }
    let seed = from_environment("KALSHI_TEST_SEED", 1);
    let orders = from_environment("KALSHI_ORDERS", 1_000);
    let random = Mutex::new(Rng::with_seed(seed));
    let reply = move |request: &Received| reply(request, &mut random.lock().unwrap());
    let exchange = Exchange::start_unreliable(|| false, reply).await;
    let builder = builder(&exchange).max_body_bytes(MAX_BODY);
    let client = builder.retry(RetryPolicy::none()).build().unwrap();
    let before = peak_memory();
    let (mut running, mut outcomes) = (JoinSet::new(), 0);
    for number in 0..orders {
        if running.len() >= CONCURRENT {
            outcomes += usize::from(running.join_next().await.unwrap().unwrap());
        }
        let client = client.clone();
        running.spawn(async move {
            let order = order(&format!("order-{number}"));
            client.orders().place(order).await.is_ok()
        });
    }
    while let Some(placed) = running.join_next().await {
        outcomes += usize::from(placed.unwrap());
    }
    let Some((before, after)) = before.zip(peak_memory()) else {
        println!("skipped: this system does not report the memory of a process");
        return;
    };
    let grown = (after - before) / MIB;
    println!("{orders} orders, {outcomes} with an outcome, {grown} MiB");
    assert!(outcomes > 0);
    assert!(
        grown < 32 + CONCURRENT * MAX_BODY / MIB,
        "seed {seed}: {grown} MiB"
    );
}
