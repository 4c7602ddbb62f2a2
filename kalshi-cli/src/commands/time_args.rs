//! Durations and times on the command line.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Parses a duration, such as `90s`, `15m`, `1h30m` or `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("{text:?} is not a duration such as 90s, 15m, 1h30m or 2d");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after
            .bytes()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (unit, after) = after.split_at(letters);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let part = number.checked_mul(milliseconds).ok_or_else(invalid)?;
        total = total
            .checked_add(Duration::from_millis(part))
            .ok_or_else(invalid)?;
        rest = after;
    }
    if text.is_empty() {
        return Err(invalid());
    }
    Ok(total)
}

/// Parses a time in the past: a duration before now, a date (midnight UTC) or RFC 3339.
pub(crate) fn past_time(text: &str) -> Result<DateTime<Utc>, String> {
    let time: TimeArg = text.parse()?;
    time.before_now()
        .ok_or_else(|| format!("{text:?} is out of range"))
}

/// A time, absolute or relative to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeArg {
    Relative(Duration),
    Absolute(DateTime<Utc>),
}

impl FromStr for TimeArg {
    type Err = String;

    /// Parses a duration, a time in RFC 3339, or a date, which begins at midnight UTC.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(duration) = duration(text) {
            return Ok(Self::Relative(duration));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Absolute(time.into()));
        }
        if let Ok(date) = NaiveDate::from_str(text) {
            return Ok(Self::Absolute(date.and_time(NaiveTime::MIN).and_utc()));
        }
        Err(format!(
            "{text:?} is neither a duration such as 15m, nor a time such as 2026-12-01T15:00:00Z, nor a date such as 2026-12-01"
        ))
    }
}

impl TimeArg {
    /// Returns the time, with a duration counted forward from now. `None` if it is out of range.
    pub(crate) fn after_now(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Relative(duration) => {
                Utc::now().checked_add_signed(TimeDelta::from_std(duration).ok()?)
            }
            Self::Absolute(time) => Some(time),
        }
    }

    /// Returns the time, with a duration counted back from now. `None` if it is out of range.
    pub(crate) fn before_now(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Relative(duration) => {
                Utc::now().checked_sub_signed(TimeDelta::from_std(duration).ok()?)
            }
            Self::Absolute(time) => Some(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("2d"), Ok(172_800));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in [
            "",
            "15",
            "m",
            "1.5h",
            "-5m",
            "5 m",
            "5w",
            "99999999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn past_time_subtracts_durations() {
        assert!(past_time("6h").is_ok_and(|time| time < Utc::now()));
        assert!(past_time("yesterday").is_err());
        assert!(past_time("9999999999d").is_err());
    }

    #[test]
    fn times_are_durations_times_or_dates() {
        assert_eq!(
            "15m".parse(),
            Ok(TimeArg::Relative(Duration::from_secs(900)))
        );
        let time = |text: &str| match text.parse() {
            Ok(TimeArg::Absolute(time)) => time.to_rfc3339(),
            other => format!("{other:?}"),
        };
        assert_eq!(
            time("2026-12-01T15:00:00+01:00"),
            "2026-12-01T14:00:00+00:00"
        );
        assert_eq!(time("2026-12-01"), "2026-12-01T00:00:00+00:00");
        // Without a zone it would be ambiguous.
        assert!("2026-12-01T15:00:00".parse::<TimeArg>().is_err());
        assert!("1790000000".parse::<TimeArg>().is_err());
    }
}
