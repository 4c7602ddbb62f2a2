//! Reads an account's rate limits before the first signed request.

use std::time::Duration;

use tokio::time::timeout;

use crate::{client::Core, limits::RateLimiter};

/// Timeout for reading the limits.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(3);

impl Core {
    /// Reads the account's limits and applies them to the rate limiter. Logs a warning if this fails.
    pub(crate) async fn discover_or_warn(&self) {
        let mut attempt = DiscoveryAttempt {
            limiter: self.rate_limiter(),
            done: false,
        };
        let result = timeout(DISCOVERY_TIMEOUT, (self.shared.discover)(self.clone())).await;
        attempt.done = true;
        let unknown = "could not read the account's rate limits, using those of the Basic tier";
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "{unknown}"),
            Err(_) => tracing::warn!("{unknown}: no response within {DISCOVERY_TIMEOUT:?}"),
        }
    }
}

/// A discovery in progress. If it is dropped before it is done, the next request starts another.
struct DiscoveryAttempt<'a> {
    limiter: &'a RateLimiter,
    done: bool,
}

impl Drop for DiscoveryAttempt<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.limiter.reset_discovery();
        }
    }
}
