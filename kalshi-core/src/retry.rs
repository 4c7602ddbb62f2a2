//! The retry policy. A request that may have taken effect is never sent again.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use crate::{api_error::ApiError, error::Error, operation::Operation};

/// The policy that decides when a failed request is sent again.
///
/// | What happened | Reads (GET) | Everything else |
/// |---|---|---|
/// | No connection was established | retry | retry: nothing was sent |
/// | 429 with an error in the exchange's format | retry | retry: it was rejected before processing |
/// | Any other 429, for example from a proxy | retry | error: it may have taken effect |
/// | 401 that the local clock may have caused | resent once by [`ClockCorrection`](crate::ClockCorrection) | resent once if the code is `header_timestamp_expired`: the signature is checked before processing |
/// | 500, 502, 503, 504 | retry | error: it may have taken effect |
/// | The connection broke, or no response arrived in time | retry | error: it may have taken effect |
/// | Any other response, or one that does not decode | error | error |
///
/// The pause between attempts is random, up to [`initial_backoff`](Self::with_initial_backoff) before the second attempt, and
/// doubles up to [`max_backoff`](Self::with_max_backoff). A `Retry-After` header is respected. Every attempt is signed and takes
/// tokens separately. The client's [`timeout`](crate::ClientBuilder::timeout) applies to all attempts together.
///
/// ```
/// # use kalshi_core::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::default()
///     .with_max_attempts(6)
///     .with_max_backoff(Duration::from_secs(10));
/// assert_eq!(patient.max_attempts(), 6);
/// assert_eq!(RetryPolicy::none().max_attempts(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    max_elapsed: Duration,
    attempt_timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    /// Three attempts within 15 s, with pauses of up to 0.2 s and then 0.4 s, and 5 s for each attempt of a read.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            max_elapsed: Duration::from_secs(15),
            attempt_timeout: Some(Duration::from_secs(5)),
        }
    }
}

impl RetryPolicy {
    /// Returns a policy without retries. Requests that [`ClockCorrection`](crate::ClockCorrection) signs again are still resent.
    #[must_use]
    pub fn none() -> Self {
        Self {
            max_attempts: 1,
            attempt_timeout: None,
            ..Self::default()
        }
    }

    /// Sets the maximum number of attempts, including the first. 0 counts as 1. Defaults to 3.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the maximum pause before the second attempt. Defaults to 0.2 s.
    #[must_use]
    pub fn with_initial_backoff(mut self, backoff: Duration) -> Self {
        self.initial_backoff = backoff;
        self
    }

    /// Sets the maximum pause before any attempt. Defaults to 5 s.
    #[must_use]
    pub fn with_max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff;
        self
    }

    /// Sets the time after the start of the request at which no further attempt is started. Defaults to 15 s.
    #[must_use]
    pub fn with_max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets the timeout of a single attempt of a read, after which the next one starts. Defaults to 5 s. With `None`, and for the
    /// last attempt, only the timeout of the request applies. An attempt is the last one as well if no other could start within
    /// [`max_elapsed`](Self::max_elapsed).
    #[must_use]
    pub fn with_attempt_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Returns the maximum number of attempts, including the first.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Returns the maximum pause before the second attempt.
    #[must_use]
    pub fn initial_backoff(&self) -> Duration {
        self.initial_backoff
    }

    /// Returns the maximum pause before any attempt.
    #[must_use]
    pub fn max_backoff(&self) -> Duration {
        self.max_backoff
    }

    /// Returns the time after the start of the request at which no further attempt is started.
    #[must_use]
    pub fn max_elapsed(&self) -> Duration {
        self.max_elapsed
    }

    /// Returns the timeout of a single attempt of a read, or `None` if only the timeout of the request applies.
    #[must_use]
    pub fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// Returns the timeout of attempt `number`, counted from 1, which starts `elapsed` after the start of the request.
    pub(crate) fn timeout_of(
        &self,
        operation: &Operation,
        number: u32,
        elapsed: Duration,
    ) -> Option<Duration> {
        // Only reads may be abandoned, and only if another attempt can follow.
        self.attempt_timeout.filter(|timeout| {
            is_safe(operation)
                && number < self.max_attempts
                && elapsed.saturating_add(*timeout) <= self.max_elapsed
        })
    }

    /// Returns the pause before the next attempt after `attempts` attempts in `elapsed`, or `None` if there is no further attempt.
    pub(crate) fn pause(
        &self,
        attempts: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let backoff = self
            .initial_backoff
            .saturating_mul(doubled)
            .min(self.max_backoff);
        // Full jitter, so that clients do not retry in lockstep.
        let pause = backoff
            .mul_f64(fastrand::f64())
            .max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(pause) <= self.max_elapsed).then_some(pause)
    }
}

/// Returns `true` for a read.
pub(crate) fn is_safe(operation: &Operation) -> bool {
    operation.method == Method::GET
}

/// Returns `true` if the request may be sent again after this error. Considers only the failed attempt, not earlier ones.
pub(crate) fn may_retry(operation: &Operation, error: &Error) -> bool {
    let again = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if error.is_connect() || error.api().is_some_and(ApiError::is_over_limit) {
        return true;
    }
    is_safe(operation)
        && (error.is_broken()
            || error.is_rate_limited()
            || error.is_timeout()
            || error
                .api()
                .is_some_and(|error| again.contains(&error.status())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn backoff_is_jittered_and_doubles_to_its_limit() {
        let policy = RetryPolicy::default()
            .with_max_attempts(10)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_millis(800));
        for (attempts, max) in [(1, 100), (2, 200), (3, 400), (4, 800), (9, 800)] {
            let pauses: Vec<_> = (0..200)
                .map(|_| policy.pause(attempts, Duration::ZERO, None).unwrap())
                .collect();
            let max = Duration::from_millis(max);
            assert!(pauses.iter().all(|pause| *pause <= max));
            // Full jitter: from zero to the maximum.
            assert!(
                pauses.iter().any(|pause| *pause < max / 4)
                    && pauses.iter().any(|pause| *pause > max * 3 / 4)
            );
        }
    }

    #[test]
    fn attempts_are_limited_by_number_and_by_time() {
        let policy = RetryPolicy::default();
        assert!(policy.pause(2, Duration::ZERO, None).is_some());
        assert_eq!(policy.pause(3, Duration::ZERO, None), None);
        assert_eq!(policy.pause(1, Duration::from_secs(16), None), None);
        assert_eq!(
            policy.pause(1, Duration::from_secs(14), Some(Duration::from_secs(2))),
            None
        );
        assert_eq!(RetryPolicy::none().pause(1, Duration::ZERO, None), None);
        assert_eq!(
            policy
                .with_max_attempts(u32::MAX)
                .pause(u32::MAX - 1, Duration::ZERO, None)
                .map(|pause| pause <= policy.max_backoff),
            Some(true)
        );
    }

    #[test]
    fn retry_after_is_respected() {
        let policy = RetryPolicy::default();
        let pause = policy
            .pause(1, Duration::ZERO, Some(Duration::from_secs(3)))
            .unwrap();
        assert_eq!(pause, Duration::from_secs(3));
    }
}
