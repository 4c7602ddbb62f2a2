//! Which failures are tried again, how often and when: never one that could do twice what was meant once.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use crate::{Error, Operation};

/// When a call is tried again.
///
/// | What happened | Reads (GET) | Everything else |
/// |---|---|---|
/// | No connection was made | again | again: nothing was sent |
/// | 429 | again | again: refused before it was processed |
/// | 500, 502, 503, 504 | again | an error: it may have been done |
/// | The connection broke, or no answer came in time | again | an error: it may have been done |
/// | Any other answer, or one that does not decode | an error | an error |
///
/// Between two tries there is a random pause of up to [`initial_backoff`](Self::with_initial_backoff), twice that before the
/// next, and so on up to [`max_backoff`](Self::with_max_backoff). A `Retry-After` of the exchange is kept to. Every try is signed
/// afresh and takes its tokens. All of them together end with the client's [`timeout`](crate::ClientBuilder::timeout).
///
/// ```
/// use std::time::Duration;
/// use kalshi_sdk::{Client, RetryPolicy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let patient = RetryPolicy::default().with_max_attempts(6).with_max_backoff(Duration::from_secs(10));
/// let client = Client::builder().retry(patient).timeout(Duration::from_secs(60)).build()?;
/// // For one call, another.
/// let hasty = client.with_retry(RetryPolicy::none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a call is sent at most, the first time included.
    pub max_attempts: u32,
    /// The longest pause before the second try.
    pub initial_backoff: Duration,
    /// The longest pause before any.
    pub max_backoff: Duration,
    /// After this long no further try is begun.
    pub max_elapsed: Duration,
    /// How long one try of a read may take before it is given up for the next; none for as long as the call may. The last try may
    /// take that long in any case.
    pub attempt_timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    /// Three attempts within 15 s, pauses of up to 0.2 s and then 0.4 s, 5 s for each try of a read.
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
    /// Every call is sent once; what [`ClockCorrection`](crate::ClockCorrection) signs once more is sent again.
    #[must_use]
    pub fn none() -> Self {
        Self {
            max_attempts: 1,
            attempt_timeout: None,
            ..Self::default()
        }
    }

    /// The same with another number of attempts, the first included; 0 is 1.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The same with another longest first pause.
    #[must_use]
    pub fn with_initial_backoff(mut self, backoff: Duration) -> Self {
        self.initial_backoff = backoff;
        self
    }

    /// The same with another longest pause.
    #[must_use]
    pub fn with_max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff;
        self
    }

    /// The same with another time after which no try is begun.
    #[must_use]
    pub fn with_max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// The same with another time for each try of a read.
    #[must_use]
    pub fn with_attempt_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long the try of that number of an operation may take.
    pub(crate) fn timeout_of(&self, operation: &Operation, number: u32) -> Option<Duration> {
        // Only what may be sent again is given up early, and only if there is an again.
        self.attempt_timeout
            .filter(|_| is_safe(operation) && number < self.max_attempts)
    }

    /// The pause before the next try, or none if there is no next: `attempts` were made in `elapsed`.
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
        let longest = self
            .initial_backoff
            .saturating_mul(doubled)
            .min(self.max_backoff);
        // Anything up to the longest, so that many clients do not come back as one.
        let pause = longest
            .mul_f64(fastrand::f64())
            .max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(pause) <= self.max_elapsed).then_some(pause)
    }
}

/// Whether an operation changes nothing, so that doing it twice is doing it once.
pub(crate) fn is_safe(operation: &Operation) -> bool {
    operation.method == Method::GET
}

/// Whether the same request may be sent again after an error of this one attempt.
pub(crate) fn may_retry(operation: &Operation, error: &Error) -> bool {
    let again = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if error.is_connect() || error.is_rate_limited() {
        return true;
    }
    is_safe(operation)
        && (error.is_broken()
            || error.is_timeout()
            || error
                .api()
                .is_some_and(|refusal| again.contains(&refusal.status())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pauses_are_random_and_grow_to_the_longest() {
        let policy = RetryPolicy::default()
            .with_max_attempts(10)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_millis(800));
        for (attempts, longest) in [(1, 100), (2, 200), (3, 400), (4, 800), (9, 800)] {
            let pauses: Vec<_> = (0..200)
                .map(|_| policy.pause(attempts, Duration::ZERO, None).unwrap())
                .collect();
            let longest = Duration::from_millis(longest);
            assert!(pauses.iter().all(|pause| *pause <= longest));
            // Full jitter: from nothing to everything.
            assert!(
                pauses.iter().any(|pause| *pause < longest / 4)
                    && pauses.iter().any(|pause| *pause > longest * 3 / 4)
            );
        }
    }

    #[test]
    fn tries_end_by_number_and_by_time() {
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
    fn the_exchanges_own_pause_is_kept() {
        let policy = RetryPolicy::default();
        let pause = policy
            .pause(1, Duration::ZERO, Some(Duration::from_secs(3)))
            .unwrap();
        assert_eq!(pause, Duration::from_secs(3));
    }
}
