//! Times in requests: whole seconds or milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeZone};

/// The last second of the year 9999. A larger number was probably given in another unit.
const MAX_SECONDS: i64 = 253_402_300_799;

macro_rules! unix_time {
    (
        $(#[$doc:meta])*
        $name:ident, nanos: $nanos:literal, max: $max:expr, of: $timestamp:ident, unit: $unit:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            #[doc = concat!("Returns the time in Unix ", $unit, ".")]
            #[must_use]
            pub fn get(self) -> i64 {
                self.0
            }

            /// Returns the number to send, or an error message about the parameter `name` if it is out of range.
            pub(crate) fn checked(self, name: &str) -> Result<i64, String> {
                match self.0 {
                    ..0 => Err(format!("`{name}` is {}, a time before 1970", self.0)),
                    0..=$max => Ok(self.0),
                    _ => Err(format!(
                        concat!("`{}` is {}, a time after the year 9999: it is in Unix ", $unit),
                        name, self.0
                    )),
                }
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(number)
            }
        }

        impl<Z: TimeZone> From<DateTime<Z>> for $name {
            fn from(time: DateTime<Z>) -> Self {
                Self(time.$timestamp())
            }
        }

        impl From<SystemTime> for $name {
            fn from(time: SystemTime) -> Self {
                Self(units(time, $nanos))
            }
        }
    };
}

unix_time! {
    /// A time in a request, in whole seconds since the start of 1970 (UTC).
    ///
    /// Setters take an integer, a [`chrono::DateTime`] of any time zone, or a [`SystemTime`]. A fraction of a second is dropped, so
    /// the time sent is up to a second earlier. Sending a request with a time before 1970 or after the year 9999 returns an error;
    /// the upper limit catches times given in milliseconds.
    ///
    /// ```
    /// # use kalshi_core::UnixSeconds;
    /// let time = chrono::DateTime::from_timestamp_millis(1_790_000_000_999).unwrap();
    /// assert_eq!(UnixSeconds::from(time), UnixSeconds::from(1_790_000_000));
    /// ```
    UnixSeconds, nanos: 1_000_000_000, max: MAX_SECONDS, of: timestamp, unit: "seconds"
}

unix_time! {
    /// A time in a request, in whole milliseconds since the start of 1970 (UTC).
    ///
    /// Setters take an integer, a [`chrono::DateTime`] of any time zone, or a [`SystemTime`]. A fraction of a millisecond is
    /// dropped, so the time sent is up to a millisecond earlier. Sending a request with a time before 1970 or after the year
    /// 9999 returns an error.
    UnixMillis, nanos: 1_000_000, max: MAX_MILLIS, of: timestamp_millis, unit: "milliseconds"
}

const MAX_MILLIS: i64 = MAX_SECONDS * 1_000 + 999;

/// Returns the number of whole units since 1970, rounded down.
fn units(time: SystemTime, nanos: u128) -> i64 {
    let count = |past: Duration| past.as_nanos();
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(count(since) / nanos).unwrap_or(i64::MAX),
        Err(error) => {
            i64::try_from(count(error.duration()).div_ceil(nanos)).map_or(i64::MIN, |units| -units)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::Utc;

    use super::*;

    #[test]
    fn fractions_are_rounded_down() {
        for (nanos, seconds, millis) in [
            (1_790_000_000_123_999_999, 1_790_000_000, 1_790_000_000_123),
            (0, 0, 0),
            (-1, -1, -1),
            (-1_000_000_000, -1, -1_000),
        ] {
            let time = DateTime::<Utc>::from_timestamp_nanos(nanos);
            assert_eq!(UnixSeconds::from(time).get(), seconds);
            assert_eq!(UnixMillis::from(time).get(), millis);
            let time = SystemTime::from(time);
            assert_eq!(UnixSeconds::from(time).get(), seconds);
            assert_eq!(UnixMillis::from(time).get(), millis);
        }
    }

    #[test]
    fn times_before_1970_or_after_9999_are_errors() {
        let seconds = |number: i64| UnixSeconds::from(number).checked("min_ts");
        assert_eq!(seconds(0), Ok(0));
        assert_eq!(seconds(MAX_SECONDS), Ok(MAX_SECONDS));
        assert_eq!(
            seconds(-1).unwrap_err(),
            "`min_ts` is -1, a time before 1970"
        );
        assert_eq!(
            seconds(1_790_000_000_000).unwrap_err(),
            "`min_ts` is 1790000000000, a time after the year 9999: it is in Unix seconds"
        );
        let millis = |number: i64| UnixMillis::from(number).checked("from");
        assert_eq!(millis(1_790_000_000_000), Ok(1_790_000_000_000));
        assert!(millis(i64::MAX).is_err() && millis(i64::MIN).is_err());
    }
}
