//! Reconnect policy of a connection.

use std::time::Duration;

use super::backoff;

/// Policy for re-establishing a lost connection.
///
/// Once a connection has been established, every failure is retried, whatever its cause: a broken socket, any close code, a rejected
/// handshake, a maintenance page, a failed signature. Each is reported as [`Event::Disconnected`](super::Event::Disconnected) with its
/// cause. The connection ends only when it is shut down or dropped, or after [`max_elapsed`](Self::max_elapsed).
///
/// The pause before an attempt starts at [`initial_backoff`](Self::initial_backoff) and doubles with each attempt up to
/// [`max_backoff`](Self::max_backoff). It is reset once the new connection has received a frame. At most 20 handshakes are sent per minute,
/// regardless of the policy.
///
/// ```
/// # use kalshi_core::ws::ReconnectPolicy;
/// use std::time::Duration;
///
/// let policy = ReconnectPolicy::default()
///     .with_max_backoff(Duration::from_secs(10))
///     .with_retry_first(true);
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
    /// Random pauses of up to 0.5 s, doubling up to 60 s, without a time limit. The first connection is not retried.
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
    /// Creates a policy that does not reconnect: a lost connection ends with its error.
    #[must_use]
    pub fn never() -> Self {
        Self::default().with_max_elapsed(Some(Duration::ZERO))
    }

    /// Sets the maximum pause before the first attempt. Defaults to 0.5 s.
    #[must_use]
    pub fn with_initial_backoff(mut self, backoff: Duration) -> Self {
        self.initial_backoff = backoff;
        self
    }

    /// Sets the maximum pause before any attempt. Defaults to 60 s; values above one day are reduced to one day.
    #[must_use]
    pub fn with_max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff.min(Duration::from_secs(86_400));
        self
    }

    /// Sets the random part of each pause, from 0 (none) to 1 (all of it, the default). It prevents many clients from reconnecting at the
    /// same time. Values out of range are clamped, and NaN counts as 1.
    #[must_use]
    pub fn with_jitter(mut self, jitter: f64) -> Self {
        self.jitter = if jitter.is_nan() {
            1.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        self
    }

    /// Sets the time for which a lost connection is retried before it ends with the last error. `None`, the default, sets no limit.
    #[must_use]
    pub fn with_max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets whether the first connection is retried as well. Defaults to `false`: [`connect`](super::ConnectionBuilder::connect) returns
    /// the first error. [Permanent errors](super::ConnectionError::is_permanent) are returned immediately in either case.
    #[must_use]
    pub fn with_retry_first(mut self, retry: bool) -> Self {
        self.retry_first = retry;
        self
    }

    /// Returns the maximum pause before the first attempt.
    #[must_use]
    pub fn initial_backoff(&self) -> Duration {
        self.initial_backoff
    }

    /// Returns the maximum pause before any attempt.
    #[must_use]
    pub fn max_backoff(&self) -> Duration {
        self.max_backoff
    }

    /// Returns the random part of each pause, from 0 to 1.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Returns the time after which a lost connection is no longer retried, or `None` if there is no limit.
    #[must_use]
    pub fn max_elapsed(&self) -> Option<Duration> {
        self.max_elapsed
    }

    /// Returns `true` if the first connection is retried as well.
    #[must_use]
    pub fn retry_first(&self) -> bool {
        self.retry_first
    }

    /// Returns the pause before attempt `attempt`, counted from 0. A `Retry-After` of the server extends it, up to the maximum.
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
    fn values_out_of_range_are_clamped() {
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
