//! Times and durations on the command line.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// Parses a duration such as `90s`, `15m`, `6h` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 90s, 15m, 6h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        // At most a century, which can be subtracted from the current time.
        .filter(|seconds| *seconds <= 100 * 366 * 86_400)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// Parses a time: a duration before now, a date (midnight UTC) or RFC 3339.
pub(crate) fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(ago) = duration(text) {
        return Ok(Utc::now() - ago);
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    text.parse().map_err(|_| {
        format!(
            "{text:?} is neither a duration such as 6h, nor a date, nor a time such as 2026-11-29T10:00:00Z"
        )
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{duration, since};

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("90s").map(|d| d.as_secs()), Ok(90));
        assert_eq!(duration("7d").map(|d| d.as_secs()), Ok(604_800));
        for wrong in [
            "",
            "7",
            "d",
            "-1d",
            "7ä",
            "99999999999999999999d",
            "999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_relative_dates_or_rfc_3339() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
        assert_eq!(since("2026-11-29").ok(), time("2026-11-29T00:00:00Z"));
        assert_eq!(
            since("2026-11-29T10:00:00+01:00").ok(),
            time("2026-11-29T09:00:00Z")
        );
        assert!(since("6h").is_ok_and(|time| time < Utc::now()));
        assert!(since("yesterday").is_err());
    }
}
