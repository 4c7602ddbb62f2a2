//! A run of many flows against a hostile front, its shared state and its report.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use chrono::TimeDelta;
use kalshi_core::limits::RateLimits;
use kalshi_sdk::{Client, Credentials, Environment, RetryPolicy};
use tokio::{task::JoinSet, time::Instant};

use super::{front::Front, model::Model};
use crate::common::{KEY_ID, exchange::Exchange, key};

/// Maximum time until a read shows a write.
pub const MAX_LAG: TimeDelta = TimeDelta::milliseconds(2_000);

/// Timeout of a request.
pub const TIMEOUT: Duration = Duration::from_millis(600);

/// Timeout of a reconciliation.
pub const RECONCILE: Duration = Duration::from_secs(6);

/// Tolerance beyond the time bound of a call.
const SLACK: Duration = Duration::from_secs(1);

/// Maximum number of flows in progress.
const CONCURRENT: usize = 96;

/// Maximum delay of the runtime at which reads still succeed, in milliseconds.
const MAX_STALL_MS: u64 = 250;

/// Number of flows that share a client.
const FLOWS_PER_CLIENT: u64 = 20;

/// State shared by all flows.
pub struct Run {
    pub front: Arc<Front>,
    environment: Environment,
    outcomes: Mutex<BTreeMap<String, usize>>,
    violations: Mutex<Vec<String>>,
    /// Longest delay of the runtime, in milliseconds, for example because the machine is busy.
    stall_ms: AtomicU64,
    /// Sum of all delays of the runtime, in milliseconds.
    stalled_ms: AtomicU64,
}

pub fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The number of orders that a flow sends, and the flow.
pub type Started = (u64, Pin<Box<dyn Future<Output = ()> + Send>>);

impl Run {
    /// Runs flows until they have sent `default` orders and checks that no result is wrong. `KALSHI_ORDERS` sets the number of
    /// orders, `KALSHI_TEST_SEED` the seed. `start` creates a flow from a client, the number of the flow and the seed.
    pub async fn complete(
        default: u64,
        start: impl Fn(Arc<Self>, Client, u64, u64) -> Started,
    ) -> Arc<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = from_environment("KALSHI_TEST_SEED", now.unwrap().subsec_nanos().into());
        let orders = from_environment("KALSHI_ORDERS", default);
        println!("KALSHI_TEST_SEED={seed} KALSHI_ORDERS={orders}");
        let front = Front::new(seed, Model::new(seed, MAX_LAG));
        let server = {
            let (before, front) = (front.clone(), front.clone());
            let closes_connection = move || before.closes_connection();
            Exchange::start_unreliable(closes_connection, move |request| front.reply(request)).await
        };
        let run = Arc::new(Self {
            front,
            environment: server.environment(),
            outcomes: Mutex::default(),
            violations: Mutex::default(),
            stall_ms: AtomicU64::new(0),
            stalled_ms: AtomicU64::new(0),
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
            let (orders, flow) = start(run.clone(), client.clone(), number, seed);
            sent += orders;
            flows.spawn(flow);
            number += 1;
        }
        while let Some(finished) = flows.join_next().await {
            finished.unwrap();
        }
        watch.abort();
        println!(
            "{sent} orders in {number} flows, {} placed, longest stall {} ms",
            run.front.model.count(),
            run.stall_ms.load(Relaxed),
        );
        for (name, count) in run
            .front
            .counts()
            .iter()
            .chain(&*run.outcomes.lock().unwrap())
        {
            println!("{count:7} {name}");
        }
        let violations = run.violations.lock().unwrap().clone();
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
        run
    }

    /// Checks that at least `percent` of the results of a kind are known.
    pub fn assert_known(&self, kind: &str, percent: usize) {
        // Reads time out if the machine is busy with other work.
        if self.stall_ms.load(Relaxed) > MAX_STALL_MS {
            return;
        }
        let (unknown, all) = (self.total(kind, "Unknown"), self.total(kind, ""));
        assert!(
            unknown * 100 < all * (100 - percent),
            "{unknown} of {all} results of `{kind}` are unknown"
        );
    }

    /// Returns the number of results whose names start with `start` and end with `end`.
    pub fn total(&self, start: &str, end: &str) -> usize {
        let outcomes = self.outcomes.lock().unwrap();
        let counted = outcomes.iter();
        let counted = counted.filter(|(name, _)| name.starts_with(start) && name.ends_with(end));
        counted.map(|(_, count)| count).sum()
    }

    pub fn client(&self, lookup_timeout: Duration) -> Client {
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

    pub fn count(&self, outcome: impl Into<String>) {
        *self
            .outcomes
            .lock()
            .unwrap()
            .entry(outcome.into())
            .or_default() += 1;
    }

    /// Measures the delay of the runtime.
    async fn watch_stalls(self: Arc<Self>) {
        let pause = Duration::from_millis(20);
        loop {
            let begun = Instant::now();
            tokio::time::sleep(pause).await;
            let late = begun.elapsed().saturating_sub(pause).as_millis();
            let late = u64::try_from(late).unwrap();
            self.stall_ms.fetch_max(late, Relaxed);
            self.stalled_ms.fetch_add(late, Relaxed);
        }
    }
}

/// Checks on the results of one flow.
pub struct Checks {
    pub run: Arc<Run>,
    /// Number of the flow.
    pub number: u64,
}

impl Checks {
    pub fn violation(&self, text: impl Into<String>) {
        let text = format!("flow {}: {}", self.number, text.into());
        if self.run.front.is_misled(self.number) {
            let kind = text.split(": ").nth(1).unwrap_or_default();
            self.run
                .count(format!("wrong after an unrecognisable response: {kind}"));
        } else {
            self.run.violations.lock().unwrap().push(text);
        }
    }

    pub fn check(&self, holds: bool, subject: &str, detail: impl Debug) {
        if !holds {
            self.violation(format!("{subject}: {detail:?}"));
        }
    }

    /// Awaits a call and checks that it ends within its time bound.
    pub async fn timed<T>(&self, name: &str, bound: Duration, call: impl Future<Output = T>) -> T {
        let stalled_before = self.run.stalled_ms.load(Relaxed);
        let begun = Instant::now();
        let result = call.await;
        let taken = begun.elapsed();
        // A call waits several times, each of which the runtime may delay; the current delay is not in the sum yet.
        let stalls =
            self.run.stalled_ms.load(Relaxed) - stalled_before + self.run.stall_ms.load(Relaxed);
        if taken > bound + SLACK + Duration::from_millis(stalls) {
            let text = format!("{name} took {taken:?}, more than {bound:?}");
            self.run.violations.lock().unwrap().push(text);
        }
        result
    }
}
