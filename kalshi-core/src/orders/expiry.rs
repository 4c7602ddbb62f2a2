//! Validation of an order's expiration time.

use std::time::SystemTime;

/// The reason why an order with this `expiration_time` was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidExpiry {
    /// The time is in the past, even allowing for the uncertainty of the clocks. Contains the time in Unix seconds.
    #[error("the `expiration_time` {0} is in the past; it is in Unix seconds")]
    Past(i64),
    /// The time is thousands of years away, so it is probably in milliseconds. Contains the number.
    #[error(
        "the `expiration_time` {0} is thousands of years away; it is in Unix seconds, not milliseconds"
    )]
    Unit(i64),
}

/// Latest accepted expiry, in Unix seconds (the year 5138). A larger number must be in milliseconds or a smaller unit.
const LAST_EXPIRY: i64 = 100_000_000_000;

impl InvalidExpiry {
    /// Checks an expiry in Unix seconds at the time `now`.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is in the past or in another unit.
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
