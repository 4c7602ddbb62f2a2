//! Skew between this machine's clock and the exchange's, from the `Date` headers of responses.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::header::{AGE, DATE, HeaderMap};

/// Which requests are signed again with the exchange's time after a 401, if the clock is off by more than a second.
///
/// A request rejected with 401 was not processed, so nothing is done twice. Writes are still left alone by default: on a machine
/// with a wrong clock, other things may be wrong too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClockCorrection {
    /// None.
    Off,
    /// Reads (GET).
    #[default]
    Reads,
    /// Every request.
    All,
}

/// Skew beyond which a signature may be rejected, in milliseconds.
const MATTERS_MS: i64 = 1_000;

/// What is known of the exchange's clock.
#[derive(Debug, Default)]
pub(crate) struct ServerTime(Mutex<Option<Bounds>>);

/// Bounds of the exchange's lead over our clock, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: i64,
    most: i64,
}

impl ServerTime {
    /// Narrows the bounds by a response: its `Date` was correct at some moment between `sent` and `received`, by our clock.
    pub(crate) fn learn(&self, headers: &HeaderMap, sent: Option<u64>, received: Option<u64>) {
        // A cached response has the date of its creation.
        let cached = headers.get(AGE).is_some_and(|age| age.as_bytes() != b"0")
            || headers
                .get("x-cache")
                .is_some_and(|cache| cache.as_bytes().starts_with(b"Hit"));
        let date = headers
            .get(DATE)
            .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let (Some(date), false) = (date.and_then(millis), cached) else {
            return;
        };
        let ms = |time: Option<u64>| time.and_then(|time| i64::try_from(time).ok());
        let (Some(sent), Some(received)) = (ms(sent), ms(received)) else {
            return;
        };
        // A date has whole seconds, so the moment was anywhere in that second.
        let new = Bounds {
            least: date - received,
            most: date + 999 - sent,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(match *known {
            // Both hold, so their intersection does; if it is empty, a clock was changed.
            Some(old) if old.least.max(new.least) <= old.most.min(new.most) => Bounds {
                least: old.least.max(new.least),
                most: old.most.min(new.most),
            },
            _ => new,
        });
    }

    /// How far our clock is behind the exchange's, in milliseconds; negative if it is ahead.
    pub(crate) fn behind_ms(&self) -> Option<i64> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|bounds| match bounds {
            // Consistent with no skew.
            Bounds {
                least: ..=0,
                most: 0..,
            } => 0,
            Bounds { least, most } => least + (most - least) / 2,
        })
    }

    /// The same, if it is enough for a signature to be rejected.
    pub(crate) fn behind_that_matters(&self) -> Option<i64> {
        self.behind_ms().filter(|behind| behind.abs() > MATTERS_MS)
    }
}

fn millis(time: SystemTime) -> Option<i64> {
    i64::try_from(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .ok()?
            .as_millis(),
    )
    .ok()
}

/// Describes the skew of our clock, such as `30 seconds behind`.
pub(crate) fn describe_skew(behind_ms: i64) -> String {
    let seconds = Duration::from_millis(behind_ms.unsigned_abs())
        .as_secs_f64()
        .round();
    let unit = if seconds == 1.0 { "second" } else { "seconds" };
    format!(
        "{seconds} {unit} {}",
        if behind_ms > 0 { "behind" } else { "ahead" }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::HeaderValue;

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    fn dated(ms: u64) -> HeaderMap {
        HeaderMap::from_iter([(
            DATE,
            HeaderValue::from_str(&httpdate::fmt_http_date(at(ms))).unwrap(),
        )])
    }

    /// The skew measured when the exchange's clock is `ahead` of ours, from responses at those times of ours that took 40 ms.
    fn learnt(ahead: i64, times: &[u64]) -> Option<i64> {
        let time = ServerTime::default();
        for sent in times {
            let server = sent.checked_add_signed(ahead + 20).unwrap();
            time.learn(&dated(server), Some(*sent), Some(sent + 40));
        }
        time.behind_ms()
    }

    #[test]
    fn correct_clock_has_no_skew_and_a_wrong_one_is_measured() {
        let times: Vec<u64> = (0..40)
            .map(|answer| 1_790_000_000_100 + answer * 1_237)
            .collect();
        assert_eq!(learnt(0, &times), Some(0));
        for ahead in [30_000, -30_000, 1_500, -86_400_000] {
            // One response gives it to a second, several more closely.
            assert!(
                (learnt(ahead, &times[..1]).unwrap() - ahead).abs() <= 560,
                "{ahead}"
            );
            assert!(
                (learnt(ahead, &times).unwrap() - ahead).abs() <= 60,
                "{ahead}: {:?}",
                learnt(ahead, &times)
            );
        }
        assert_eq!(learnt(0, &[]), None);
    }

    #[test]
    fn changed_clock_is_measured_again() {
        let time = ServerTime::default();
        time.learn(
            &dated(1_790_000_030_000),
            Some(1_790_000_000_000),
            Some(1_790_000_000_040),
        );
        assert!(time.behind_that_matters().is_some());
        time.learn(
            &dated(1_790_000_060_500),
            Some(1_790_000_060_500),
            Some(1_790_000_060_540),
        );
        assert_eq!(
            (time.behind_ms(), time.behind_that_matters()),
            (Some(0), None)
        );
    }

    #[test]
    fn cached_and_malformed_dates_are_ignored() {
        let time = ServerTime::default();
        let mut cached = dated(1_790_000_000_000);
        cached.insert(AGE, HeaderValue::from_static("12"));
        let mut hit = dated(1_790_000_000_000);
        hit.insert("x-cache", HeaderValue::from_static("Hit from cloudfront"));
        let odd = HeaderMap::from_iter([(DATE, HeaderValue::from_static("yesterday"))]);
        for headers in [cached, hit, odd, HeaderMap::new()] {
            time.learn(&headers, Some(1_790_000_030_000), Some(1_790_000_030_040));
        }
        assert_eq!(time.behind_ms(), None);
    }

    #[test]
    fn skew_is_described() {
        assert_eq!(describe_skew(30_400), "30 seconds behind");
        assert_eq!(describe_skew(-1_000), "1 second ahead");
    }
}
