//! How far this machine's clock is from the exchange's, as the `Date` headers of its answers tell.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::header::{AGE, DATE, HeaderMap};

/// When a call that was refused with 401 is signed once more with the exchange's time, should the clock be off by more than a
/// second.
///
/// A 401 was not processed, so nothing is done twice. Still, writes are left alone unless you say otherwise: on a machine
/// whose clock is wrong, more may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClockCorrection {
    /// Never.
    Off,
    /// For reads (GET).
    #[default]
    Reads,
    /// For every call.
    All,
}

/// Skew that matters, in milliseconds.
const MATTERS_MS: i64 = 1_000;

/// What is known of the exchange's time.
#[derive(Debug, Default)]
pub(crate) struct ServerTime(Mutex<Option<Bounds>>);

/// Milliseconds that the exchange's clock is ahead of ours: at least and at most.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: i64,
    most: i64,
}

impl ServerTime {
    /// Learns from an answer: its `Date` was true at some moment between `sent` and `received`, by our clock.
    pub(crate) fn learn(&self, headers: &HeaderMap, sent: Option<u64>, received: Option<u64>) {
        // A cache's answer has the date of when it was made.
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
        // A date has whole seconds: the moment was in that second.
        let new = Bounds {
            least: date - received,
            most: date + 999 - sent,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(match *known {
            // Both are true, so what they share is; if nothing, a clock was set.
            Some(old) if old.least.max(new.least) <= old.most.min(new.most) => Bounds {
                least: old.least.max(new.least),
                most: old.most.min(new.most),
            },
            _ => new,
        });
    }

    /// How far our clock is behind the exchange's, in milliseconds; negative when it is ahead.
    pub(crate) fn behind_ms(&self) -> Option<i64> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|bounds| match bounds {
            // Nothing speaks against the two being the same.
            Bounds {
                least: ..=0,
                most: 0..,
            } => 0,
            Bounds { least, most } => least + (most - least) / 2,
        })
    }

    /// The same, where it is enough for a signature to be refused.
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

/// `30 seconds behind`, for what our clock is.
pub(crate) fn worded(behind_ms: i64) -> String {
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

    /// What is learnt when the exchange's clock is `ahead` of ours, from answers at those times of ours that took 40 ms.
    fn learnt(ahead: i64, times: &[u64]) -> Option<i64> {
        let time = ServerTime::default();
        for sent in times {
            let server = sent.checked_add_signed(ahead + 20).unwrap();
            time.learn(&dated(server), Some(*sent), Some(sent + 40));
        }
        time.behind_ms()
    }

    #[test]
    fn a_right_clock_is_right_and_a_wrong_one_is_measured() {
        let times: Vec<u64> = (0..40)
            .map(|answer| 1_790_000_000_100 + answer * 1_237)
            .collect();
        assert_eq!(learnt(0, &times), Some(0));
        for ahead in [30_000, -30_000, 1_500, -86_400_000] {
            // One answer tells it to a second, several more closely.
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
    fn a_clock_that_is_set_is_measured_anew() {
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
    fn caches_and_oddities_tell_nothing() {
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
    fn skew_is_worded() {
        assert_eq!(worded(30_400), "30 seconds behind");
        assert_eq!(worded(-1_000), "1 second ahead");
    }
}
