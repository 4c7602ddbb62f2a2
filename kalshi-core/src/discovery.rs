//! Reads an account's rate limits before the first signed request.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use crate::{client::Core, limits::RateLimiter};

/// Maximum time for reading the limits. Half the client's timeout if that is shorter.
const MAX_TIMEOUT: Duration = Duration::from_secs(3);

/// The warning after a discovery without a result.
const UNKNOWN: &str = "could not read the account's rate limits, using those of the Basic tier";

/// When the limits are read from the exchange.
///
/// The caller of a request may drop it while it reads the limits, for example after a timeout of its own. The next request then
/// reads them, but no third one does, so that requests are sent even if the exchange takes long to report limits.
#[derive(Debug)]
pub(crate) struct Schedule(Mutex<Step>);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next request reads the limits.
    First,
    /// The first discovery has started.
    Started,
    /// The first discovery was dropped. The next request reads the limits.
    Second,
    /// No request reads the limits.
    Never,
}

impl Schedule {
    /// Returns the schedule of a new limiter.
    pub(crate) fn new(is_discovered: bool) -> Self {
        let step = match is_discovered {
            true => Step::First,
            false => Step::Never,
        };
        Self(Mutex::new(step))
    }

    /// Returns `true` if the current request must read the limits. Requests that follow do not wait for it.
    pub(crate) fn take(&self) -> bool {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *step = match *step {
            Step::First => Step::Started,
            Step::Second => Step::Never,
            Step::Started | Step::Never => return false,
        };
        true
    }

    /// Schedules the second discovery if the first one was dropped.
    fn retry(&self) {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*step, Step::Started) {
            *step = Step::Second;
        }
    }
}

impl Core {
    /// Reads the account's limits and applies them to the rate limiter. Logs a warning if this fails.
    pub(crate) async fn discover_or_warn(&self) {
        let mut attempt = DiscoveryAttempt {
            limiter: self.rate_limiter(),
            done: false,
        };
        // The rest of the client's timeout is left to the request itself.
        let limit = MAX_TIMEOUT.min(self.shared.timeout / 2);
        let result = timeout(limit, (self.shared.discover)(self.clone())).await;
        attempt.done = true;
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "{UNKNOWN}"),
            Err(_) => tracing::warn!("{UNKNOWN}: no response within {limit:?}"),
        }
    }
}

/// A discovery in progress. Reports to the schedule if it is dropped before it is done.
struct DiscoveryAttempt<'a> {
    limiter: &'a RateLimiter,
    done: bool,
}

impl Drop for DiscoveryAttempt<'_> {
    fn drop(&mut self) {
        if !self.done {
            tracing::warn!("{UNKNOWN}: the request was dropped");
            self.limiter.discovery().retry();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    use http::Extensions;
    use kalshi_auth::BearerCredentials;
    use reqwest::{Method, Request, Response};
    use reqwest_middleware::{Middleware, Next, Result};
    use serde::de::IgnoredAny;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::{
        Api, ClientBuilder, Discovery, Operation,
        limits::RateLimits,
        operation::Bucket,
        rt,
        test_client::{Local, TestClient},
    };

    static LIMITS: Operation = Operation::new("Limits", Method::GET, "/limits", "", Bucket::Read);
    static CREATE: Operation = Operation::new("Create", Method::POST, "/things", "", Bucket::Write);
    static CANCEL: Operation =
        Operation::new("Cancel", Method::DELETE, "/things", "", Bucket::Write).priority();

    struct TestApi;

    impl Api for TestApi {
        type Client = TestClient;
        type Environment = Local;
        type Credentials = BearerCredentials;

        fn discover_limits(client: TestClient) -> Discovery {
            Box::pin(async move { client.0.send(&LIMITS).await })
        }
    }

    impl Core {
        async fn send(
            &self,
            operation: &'static Operation,
        ) -> std::result::Result<(), crate::Error> {
            rt::read::<IgnoredAny>(self, operation).await.map(drop)
        }
    }

    /// An exchange that does not report its limits, and counts the requests for them.
    #[derive(Clone, Default)]
    struct Hanging(Arc<AtomicUsize>);

    #[async_trait::async_trait]
    impl Middleware for Hanging {
        async fn handle(
            &self,
            request: Request,
            _: &mut Extensions,
            _: Next<'_>,
        ) -> Result<Response> {
            if request.url().path() == LIMITS.path {
                self.0.fetch_add(1, Relaxed);
                pending::<()>().await;
            }
            Ok(http::Response::new("{}").into())
        }
    }

    /// Returns a client with discovered limits, and the number of its discoveries.
    fn client(limit: Duration) -> (Core, Arc<AtomicUsize>) {
        let exchange = Hanging::default();
        let TestClient(core) = ClientBuilder::<TestApi>::default()
            .credentials(BearerCredentials::new("user", "token").unwrap())
            .rate_limits(RateLimits::Discovered)
            .timeout(limit)
            .middleware(exchange.clone())
            .build()
            .unwrap();
        (core, exchange.0)
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn slow_discovery_leaves_half_of_the_timeout_to_the_request() {
        for (limit, waited) in [(2, 1), (15, 3)] {
            let (client, discoveries) = client(seconds(limit));
            let start = Instant::now();
            client.send(&CREATE).await.unwrap();
            assert_eq!(start.elapsed().as_secs(), waited);
            // The limits of the Basic tier apply from then on.
            sleep(seconds(60)).await;
            let start = Instant::now();
            client.send(&CREATE).await.unwrap();
            assert_eq!(
                (start.elapsed(), discoveries.load(Relaxed)),
                (Duration::ZERO, 1)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_discovery_is_repeated_once() {
        let (client, discoveries) = client(seconds(15));
        let create = || timeout(seconds(1), client.send(&CREATE));
        for _ in 0..2 {
            create().await.unwrap_err();
        }
        for _ in 0..3 {
            create().await.unwrap().unwrap();
            sleep(seconds(60)).await;
        }
        assert_eq!(discoveries.load(Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_does_not_wait_for_discovery() {
        let (client, discoveries) = client(seconds(2));
        let start = Instant::now();
        client.send(&CANCEL).await.unwrap();
        assert_eq!(
            (start.elapsed(), discoveries.load(Relaxed)),
            (Duration::ZERO, 0)
        );
        let (created, canceled) = tokio::join!(client.send(&CREATE), async {
            client.send(&CANCEL).await.unwrap();
            start.elapsed()
        });
        created.unwrap();
        assert_eq!((canceled, discoveries.load(Relaxed)), (Duration::ZERO, 1));
    }
}
