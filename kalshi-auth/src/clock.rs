//! Clocks that provide request timestamps.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ClockError;

/// A source of request timestamps.
///
/// The exchange rejects a timestamp too far from its own time, with the same 401 response as for an invalid
/// signature. A clock that is corrected from the exchange's responses can implement this trait with an atomic offset,
/// since `now_ms` takes `&self`.
pub trait Clock: Send + Sync + Debug {
    /// Returns the time in Unix milliseconds.
    ///
    /// # Errors
    /// Returns an error if the time is unavailable or clearly wrong.
    fn now_ms(&self) -> Result<u64, ClockError>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(ClockError::BeforeUnixEpoch)?;
        u64::try_from(since.as_millis()).map_err(|error| ClockError::Other(error.into()))
    }
}

/// A clock that always returns the same time, in Unix milliseconds. For tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedClock(
    /// The time, in Unix milliseconds.
    pub u64,
);

impl Clock for FixedClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        Ok(self.0)
    }
}
