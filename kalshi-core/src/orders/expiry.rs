//! Checks of the time at which an order expires.

use std::time::SystemTime;

/// The reason why an order with this `expiration_time` was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidExpiry {
    /// It is in the past by every reading of the clocks. Has the time in Unix seconds.
    #[error("the `expiration_time` {0} is in the past; it is in Unix seconds")]
    Past(i64),
    /// It is thousands of years away, as milliseconds are. Has the number.
    #[error(
        "the `expiration_time` {0} is thousands of years away: it is in Unix seconds, not milliseconds"
    )]
    Unit(i64),
}

/// Latest accepted expiry, in Unix seconds (the year 5138). A larger number is in milliseconds or a smaller unit.
const LAST_EXPIRY: i64 = 100_000_000_000;

impl InvalidExpiry {
    /// Checks an expiry in Unix seconds at the time `now`.
    ///
    /// # Errors
    ///
    /// Returns an error if it is in the past or in another unit.
    pub fn check(time: i64, now: SystemTime) -> Result<(), Self> {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        if time > LAST_EXPIRY {
            return Err(Self::Unit(time));
        }
        if u64::try_from(time).unwrap_or_default() <= now {
            return Err(Self::Past(time));
        }
        Ok(())
    }
}
