//! Pauses between attempts to connect or subscribe, and a limit on the rate of connections.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Maximum number of handshakes in [`CONNECT_WINDOW`], regardless of the policy.
const MAX_CONNECTS: usize = 20;

/// Period over which handshakes are counted.
const CONNECT_WINDOW: Duration = Duration::from_secs(60);

/// Maximum pause before a subscription is requested again.
const MAX_SUBSCRIBE_BACKOFF: Duration = Duration::from_secs(10);

/// Time after which a subscription counts as stable.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Returns the pause before attempt `attempt`, counted from 0: `first`, doubled with each attempt up to `max`. `jitter` is the random part
/// of the pause, from 0 to 1.
pub(super) fn pause(first: Duration, max: Duration, jitter: f64, attempt: u32) -> Duration {
    let backoff = first
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(max)
        .as_secs_f64();
    let pause = backoff * (1.0 - jitter * fastrand::f64());
    Duration::try_from_secs_f64(pause).unwrap_or(max)
}

/// Returns the pause before a subscription is requested again. Full jitter spreads the retries of many subscriptions.
pub(super) fn subscribe_pause(attempt: u32) -> Duration {
    let first = Duration::from_millis(500);
    pause(first, MAX_SUBSCRIBE_BACKOFF, 1.0, attempt)
}

/// Times of recent handshakes. Their number is limited, so that a server that accepts and immediately closes connections does not
/// cause a reconnect storm.
#[derive(Debug, Default)]
pub(super) struct ConnectLimit(VecDeque<Instant>);

impl ConnectLimit {
    /// Returns the earliest time of the next handshake.
    pub(super) fn next_at(&self, now: Instant) -> Instant {
        match self.0.front() {
            Some(oldest) if self.0.len() >= MAX_CONNECTS => (*oldest + CONNECT_WINDOW).max(now),
            _ => now,
        }
    }

    /// Counts a handshake that starts now.
    pub(super) fn count(&mut self, now: Instant) {
        if self.0.len() >= MAX_CONNECTS {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_jittered_and_double_to_the_cap() {
        let (first, max) = (Duration::from_millis(500), Duration::from_secs(60));
        for (attempt, backoff) in [(0, 500), (1, 1_000), (6, 32_000), (7, 60_000), (99, 60_000)] {
            let pauses: Vec<_> = (0..500)
                .map(|_| pause(first, max, 1.0, attempt).as_millis())
                .collect();
            assert!(pauses.iter().all(|pause| *pause <= backoff), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > backoff / 2), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause < backoff / 2), "{attempt}");
            let exact = pause(first, max, 0.0, attempt);
            assert_eq!(exact.as_millis(), backoff, "{attempt}");
        }
        assert_eq!(pause(Duration::MAX, Duration::MAX, 0.0, 3), Duration::MAX);
    }

    #[test]
    fn twenty_first_connect_of_a_minute_waits() {
        let start = Instant::now();
        let mut limit = ConnectLimit::default();
        for second in 0..20 {
            let now = start + Duration::from_secs(second);
            assert_eq!(limit.next_at(now), now);
            limit.count(now);
        }
        let now = start + Duration::from_secs(30);
        assert_eq!(limit.next_at(now), start + CONNECT_WINDOW);
        limit.count(start + CONNECT_WINDOW);
        let next = start + Duration::from_secs(61);
        assert_eq!(limit.next_at(start + CONNECT_WINDOW), next);
        assert_eq!(limit.0.len(), 20);
    }
}
