//! The outcomes of orders and changes on a server that fails, lags and mixes up responses, checked against the orders that it has.

mod case;
mod changes;
mod flow;
mod front;
mod lookups;
mod memory;
mod model;
mod outcomes;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use chrono::TimeDelta;
use kalshi_sdk::{Client, Credentials, Environment, RetryPolicy, limits::RateLimits};
use tokio::{task::JoinSet, time::Instant};

use self::{flow::Flow, front::Front, model::Model};
use crate::common::{KEY_ID, exchange::Exchange, key};

/// Longest time after which a read shows a write.
const MAX_LAG: TimeDelta = TimeDelta::milliseconds(2_000);

const TIMEOUT: Duration = Duration::from_millis(600);

/// Flows at the same time.
const CONCURRENT: usize = 96;

/// Longest delay of the runtime with which reads work, in milliseconds.
const MAX_STALL_MS: u64 = 250;

/// Flows that share a client.
const FLOWS_PER_CLIENT: u64 = 20;

/// What the flows share.
struct Run {
    front: Arc<Front>,
    environment: Environment,
    outcomes: Mutex<BTreeMap<String, usize>>,
    violations: Mutex<Vec<String>>,
    /// Longest delay of the runtime itself, in milliseconds. The machine may be busy with other work.
    stall_ms: AtomicU64,
}

impl Run {
    fn client(&self, lookup_timeout: Duration) -> Client {
        Client::builder()
            .environment(self.environment.clone())
            .credentials(Credentials::new(KEY_ID, key()).unwrap())
            .rate_limits(RateLimits::Unlimited)
            .retry(
                RetryPolicy::default()
                    .with_initial_backoff(Duration::from_millis(2))
                    .with_attempt_timeout(Some(Duration::from_millis(200))),
            )
            .timeout(TIMEOUT)
            .lookup_timeout(lookup_timeout)
            .max_body_bytes(1_000_000)
            .build()
            .unwrap()
    }

    fn count(&self, outcome: impl Into<String>) {
        *self
            .outcomes
            .lock()
            .unwrap()
            .entry(outcome.into())
            .or_default() += 1;
    }

    /// Measures how late the runtime is.
    async fn watch_stalls(self: Arc<Self>) {
        let pause = Duration::from_millis(20);
        loop {
            let begun = Instant::now();
            tokio::time::sleep(pause).await;
            let late = begun.elapsed().saturating_sub(pause).as_millis();
            self.stall_ms
                .fetch_max(u64::try_from(late).unwrap(), Relaxed);
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_agree_with_the_orders_of_a_hostile_server() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = from_environment("KALSHI_TEST_SEED", now.unwrap().subsec_nanos().into());
    let orders = from_environment("KALSHI_ORDERS", 400);
    println!("KALSHI_TEST_SEED={seed} KALSHI_ORDERS={orders}");
    let front = Front::new(seed, Model::new(seed, MAX_LAG));
    let server = {
        let front = front.clone();
        Exchange::start_unrecorded(move |request| front.reply(request)).await
    };
    let run = Arc::new(Run {
        front: front.clone(),
        environment: server.environment(),
        outcomes: Mutex::default(),
        violations: Mutex::default(),
        stall_ms: AtomicU64::new(0),
    });
    let watch = tokio::spawn(run.clone().watch_stalls());
    let (mut flows, mut sent, mut number) = (JoinSet::new(), 0, 0);
    let mut client = run.client(Duration::from_secs(2));
    while sent < orders {
        if flows.len() >= CONCURRENT {
            flows.join_next().await.unwrap().unwrap();
        }
        if number % FLOWS_PER_CLIENT == 0 {
            client = run.client(Duration::from_millis(500 * (1 + number % 6)));
        }
        let flow = Flow::new(run.clone(), client.clone(), number, seed);
        sent += flow.orders();
        flows.spawn(flow.run());
        number += 1;
    }
    while let Some(finished) = flows.join_next().await {
        finished.unwrap();
    }
    watch.abort();
    let (outcomes, violations) = (run.outcomes.lock().unwrap(), run.violations.lock().unwrap());
    println!(
        "{sent} orders in {number} flows, {} placed, longest stall {} ms",
        front.model.count(),
        run.stall_ms.load(Relaxed),
    );
    for (name, count) in front.counts().iter().chain(&*outcomes) {
        println!("{count:7} {name}");
    }
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    // On a machine that is busy with other work, reads time out.
    if run.stall_ms.load(Relaxed) > MAX_STALL_MS {
        return;
    }
    let total = |start: &str, end: &str| -> usize {
        let counted = outcomes.iter();
        let counted = counted.filter(|(name, _)| name.starts_with(start) && name.ends_with(end));
        counted.map(|(_, count)| count).sum()
    };
    for kind in ["reconcile order", "reconcile change", "find"] {
        let (unknown, all) = (total(kind, "Unknown"), total(kind, ""));
        assert!(
            unknown * 2 < all,
            "{unknown} of {all} results of `{kind}` are unknown"
        );
    }
}
