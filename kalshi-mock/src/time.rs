//! The clock of the exchange, which a test can stop and move.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use kalshi_sdk::auth::{Clock, ClockError};
use tokio::sync::Notify;

/// A time in microseconds since 1970, or a duration in microseconds.
pub(crate) type Micros = i64;

/// Microseconds in a second.
pub(crate) const SECOND: Micros = 1_000_000;

/// A handle on the clock of the exchange.
///
/// The exchange uses it for everything: timestamps, expirations, pauses, the windows of order groups, token buckets and the `Date`
/// header. It follows the system clock until it is stopped or moved. While a test has paused tokio's clock, it follows that one:
/// see [Paused time](crate::guide::setup#paused-time). A client can use it to sign requests, as those of
/// [`MockExchange::client`](crate::MockExchange::client) do. Timestamps of the system clock are accepted too, so a bot does not
/// have to use it.
#[derive(Clone, Default)]
pub struct Time(Arc<ClockState>);

#[derive(Default)]
struct ClockState {
    inner: Mutex<Inner>,
    /// Notifies the timer that the clock was moved or that an action was scheduled.
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    /// Microseconds ahead of the clock that it follows.
    ahead: Micros,
    stopped_at: Option<Micros>,
    /// A time of tokio's clock and the corresponding system time, once tokio's clock has been paused.
    paused: Option<(Instant, Micros)>,
}

impl Time {
    /// Returns the current time of the exchange.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        to_datetime(self.micros())
    }

    /// Stops the clock at its current time.
    pub fn stop(&self) {
        let mut inner = self.lock();
        inner.stopped_at = Some(inner.now());
        drop(inner);
        self.wake();
    }

    /// Stops the clock at a time.
    pub fn stop_at(&self, time: DateTime<Utc>) {
        self.lock().stopped_at = Some(time.timestamp_micros());
        self.wake();
    }

    /// Resumes the clock from its current time.
    pub fn resume(&self) {
        let mut inner = self.lock();
        if let Some(stopped) = inner.stopped_at.take() {
            inner.ahead = stopped.saturating_sub(inner.followed());
        }
        drop(inner);
        self.wake();
    }

    /// Moves the clock forward, stopped or not. Runs the actions that are due, in order.
    pub fn advance(&self, by: Duration) {
        let by = to_micros(by);
        let mut inner = self.lock();
        match &mut inner.stopped_at {
            Some(stopped) => *stopped = stopped.saturating_add(by),
            None => inner.ahead = inner.ahead.saturating_add(by),
        }
        drop(inner);
        self.wake();
    }

    /// Returns true if the clock is stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped_at.is_some()
    }

    /// Stops the clock at a time, or follows the system clock or tokio's again.
    pub(crate) fn restart(&self, at: Option<DateTime<Utc>>) {
        let mut inner = self.lock();
        inner.ahead = 0;
        inner.stopped_at = at.map(|at| at.timestamp_micros());
        drop(inner);
        self.wake();
    }

    pub(crate) fn micros(&self) -> Micros {
        self.lock().now()
    }

    /// Returns the duration until a time, or `None` if the clock is stopped.
    pub(crate) fn until(&self, time: Micros) -> Option<Duration> {
        let mut inner = self.lock();
        let remaining = time.saturating_sub(inner.now()).max(0);
        inner
            .stopped_at
            .is_none()
            .then(|| Duration::from_micros(remaining.unsigned_abs()))
    }

    /// Wakes the timer, which then checks the schedule again.
    pub(crate) fn wake(&self) {
        self.0.changed.notify_one();
    }

    /// Waits until [`wake`](Self::wake) is called.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Returns the current time, clamped to years of four digits.
    fn now(&mut self) -> Micros {
        let now = match self.stopped_at {
            Some(stopped) => stopped,
            None => self.followed().saturating_add(self.ahead),
        };
        now.clamp(MIN_MICROS, MAX_SECONDS * SECOND)
    }

    /// Returns the time of the clock that is followed: the system's, or tokio's once a test has paused it.
    fn followed(&mut self) -> Micros {
        let before = Instant::now();
        let now = tokio::time::Instant::now().into_std();
        let (then, micros) = match self.paused {
            Some(paused) => paused,
            // Tokio's clock is not paused: it was read between two readings of the system's.
            None if before <= now && now <= Instant::now() => return system_now(),
            None => *self.paused.insert((now, system_now())),
        };
        let since = |later: Instant, earlier: Instant| {
            let elapsed = later.saturating_duration_since(earlier).as_micros();
            Micros::try_from(elapsed).unwrap_or(Micros::MAX)
        };
        micros.saturating_add(since(now, then) - since(then, now))
    }
}

impl Clock for Time {
    fn now_ms(&self) -> Result<u64, ClockError> {
        u64::try_from(self.micros() / 1000).map_err(|error| ClockError::Other(error.into()))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.now()).finish()
    }
}

/// Returns the time of the system clock.
pub(crate) fn system_now() -> Micros {
    Utc::now().timestamp_micros()
}

/// Converts a duration, up to the largest number of microseconds.
pub(crate) fn to_micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// Converts a time, clamped to years of four digits.
pub(crate) fn to_datetime(micros: Micros) -> DateTime<Utc> {
    let micros = micros.clamp(MIN_MICROS, MAX_SECONDS * SECOND);
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// The beginning of the year 1, and the end of the year 9999 in seconds.
const MIN_MICROS: Micros = -62_135_596_800 * SECOND;
pub(crate) const MAX_SECONDS: i64 = 253_402_300_799;

/// Formats a time as RFC 3339, without trailing zeros of the fraction.
pub(crate) fn rfc3339(micros: Micros) -> String {
    let text = to_datetime(micros)
        .format("%Y-%m-%dT%H:%M:%S%.6f")
        .to_string();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns whole seconds since 1970.
pub(crate) fn seconds(micros: Micros) -> i64 {
    micros.div_euclid(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_stops_moves_and_resumes() {
        let time = Time::default();
        time.stop();
        let stopped = time.now();
        assert_eq!(time.now(), stopped);
        time.advance(Duration::from_secs(15));
        assert_eq!(time.now() - stopped, chrono::TimeDelta::seconds(15));
        time.resume();
        assert!(time.now() - stopped >= chrono::TimeDelta::seconds(15));
        time.advance(Duration::from_secs(3600));
        assert!(time.now() - stopped >= chrono::TimeDelta::seconds(3615));
    }

    #[test]
    fn timestamps_omit_trailing_zeros() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(240_500_000), "1970-01-01T00:04:00.5Z");
        assert_eq!(rfc3339(1), "1970-01-01T00:00:00.000001Z");
    }
}
