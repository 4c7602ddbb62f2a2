//! Reconnect policy of a connection.

use std::time::Duration;

use super::backoff;

/// When a lost connection is established again.
///
/// After a connection was established once, every failure is retried, whatever its cause: a broken socket, any close code, a
/// rejected handshake, a maintenance page, a signature that could not be made. Each is reported as
/// [`Event::Disconnected`](super::Event::Disconnected) with its cause. The connection ends only when it is shut down or dropped, or
/// when [`max_elapsed`](Self::max_elapsed) has passed.
///
/// The pause before an attempt starts at [`initial_backoff`](Self::initial_backoff) and doubles with each attempt up to
/// [`max_backoff`](Self::max_backoff). It starts again once the new connection has received a frame. At most 20 handshakes are sent a
/// minute, whatever is set here.
///
/// ```
/// # use kalshi_core::ws::ReconnectPolicy;
/// use std::time::Duration;
///
/// let policy = ReconnectPolicy::default().with_max_backoff(Duration::from_secs(10)).with_retry_first(true);
/// assert_eq!(policy.initial_backoff(), Duration::from_millis(500));
/// assert_eq!(policy.max_elapsed(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconnectPolicy {
    initial_backoff: Duration,
    max_backoff: Duration,
    jitter: f64,
    max_elapsed: Option<Duration>,
    retry_first: bool,
}

impl Default for ReconnectPolicy {
    /// Random pauses of up to 0.5 s, doubling up to 60 s, without a limit in time. The first connection is not retried.
    fn default() -> Self {
        Self {
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(60),
            jitter: 1.0,
            max_elapsed: None,
            retry_first: false,
        }
    }
}

impl ReconnectPolicy {
    /// Does not reconnect: a lost connection ends with the error.
    #[must_use]
    pub fn never() -> Self {
        Self::default().with_max_elapsed(Some(Duration::ZERO))
    }

    /// Sets the longest pause before the first attempt. Defaults to 0.5 s.
    #[must_use]
    pub fn with_initial_backoff(mut self, backoff: Duration) -> Self {
        self.initial_backoff = backoff;
        self
    }

    /// Sets the longest pause before any attempt. Defaults to 60 s; a day at most.
    #[must_use]
    pub fn with_max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff.min(Duration::from_secs(86_400));
        self
    }

    /// Sets the part of each pause that is random, from 0 (none) to 1 (all of it, the default), so that many clients do not come back
    /// at once. Other values count as the nearest of these.
    #[must_use]
    pub fn with_jitter(mut self, jitter: f64) -> Self {
        self.jitter = if jitter.is_nan() {
            1.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        self
    }

    /// Sets how long the connection is retried after it was lost, before it ends with the last error. `None`, the default, is without
    /// limit.
    #[must_use]
    pub fn with_max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets if the first connection is retried too. Defaults to `false`: [`connect`](super::ConnectionBuilder::connect) returns the
    /// first error. Errors that [are permanent](super::ConnectionError::is_permanent) are returned immediately in either case.
    #[must_use]
    pub fn with_retry_first(mut self, retry: bool) -> Self {
        self.retry_first = retry;
        self
    }

    /// The longest pause before the first attempt.
    #[must_use]
    pub fn initial_backoff(&self) -> Duration {
        self.initial_backoff
    }

    /// The longest pause before any attempt.
    #[must_use]
    pub fn max_backoff(&self) -> Duration {
        self.max_backoff
    }

    /// The part of each pause that is random, from 0 to 1.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Time after which a lost connection is no longer retried, or `None` if there is no limit.
    #[must_use]
    pub fn max_elapsed(&self) -> Option<Duration> {
        self.max_elapsed
    }

    /// Returns `true` if the first connection is retried too.
    #[must_use]
    pub fn retry_first(&self) -> bool {
        self.retry_first
    }

    /// The pause before attempt `attempt`, counted from 0. A server's `Retry-After` makes it longer, up to the cap.
    pub(super) fn pause(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        let pause = backoff::pause(self.initial_backoff, self.max_backoff, self.jitter, attempt);
        let asked = retry_after.unwrap_or_default().min(self.max_backoff);
        pause.max(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_count_as_the_nearest() {
        let policy = ReconnectPolicy::default();
        for (jitter, kept) in [(-1.0, 0.0), (0.25, 0.25), (7.0, 1.0), (f64::NAN, 1.0)] {
            assert_eq!(policy.with_jitter(jitter).jitter(), kept);
        }
        let longest = policy.with_max_backoff(Duration::MAX).max_backoff();
        assert_eq!(longest, Duration::from_secs(86_400));
    }

    #[test]
    fn retry_after_is_respected_up_to_the_cap() {
        let policy = ReconnectPolicy::default().with_jitter(0.0);
        let pause = |seconds| policy.pause(0, Some(Duration::from_secs(seconds)));
        assert_eq!(pause(0), Duration::from_millis(500));
        assert_eq!(pause(7), Duration::from_secs(7));
        assert_eq!(pause(7_200), Duration::from_secs(60));
    }
}
