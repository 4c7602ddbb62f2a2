//! Where a request's timestamp comes from.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ClockError;

/// A source of the time that requests are stamped with.
///
/// The exchange refuses a stamp too far from its own time, with the same 401 as a bad signature. A clock that is
/// corrected from the exchange's answers can implement this trait with an atomic offset, as `now_ms` takes `&self`.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// If the time is not known or cannot be right.
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

/// A clock that always tells the same time, in milliseconds since 1970. For tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedClock(pub u64);

impl Clock for FixedClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        Ok(self.0)
    }
}
