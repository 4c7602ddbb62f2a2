//! The skew between the local clock and the exchange's clock, measured with the `Date` headers of responses.
//!
//! A `Date` may be wrong: it may come from a proxy or a cache, or from a host with a wrong clock. Only responses to signed requests
//! count, and the skew is the one on which a majority of the recent responses agree.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::header::{AGE, DATE, HeaderMap};
use tokio::time::Instant;

/// The requests that are signed again and resent, with the clock corrected, when the exchange rejects their timestamp.
///
/// The correction is the skew measured from the `Date` headers. A request rejected with 401 was not processed, so resending it
/// cannot execute it twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClockCorrection {
    /// No request is resent.
    Off,
    /// Only reads (GET requests) are resent.
    Reads,
    /// All requests are resent, including orders.
    #[default]
    All,
}

/// Skew in milliseconds beyond which the exchange may reject a timestamp.
const MIN_CORRECTED_SKEW_MS: i64 = 1_000;

/// Assumed maximum skew of the local clock while no majority of responses has shown the exchange's time, in milliseconds. The exchange
/// rejects signatures with a larger one; how much it tolerates is not documented.
const MAX_UNSEEN_SKEW_MS: u64 = 10_000;

/// Maximum number of observations kept.
const MAX_OBSERVATIONS: usize = 16;

/// Number of observations that must agree on a skew. Also the maximum number kept of one `Date`, so that a burst of responses does
/// not displace the others.
const MIN_AGREEING: usize = 3;

/// Age at which an observation is dropped.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Difference in milliseconds between the wall clock and the monotonic clock that counts as a step of the wall clock. For longer
/// intervals, the possible slew according to [`MAX_SLEW`] is added.
const MIN_STEP_MS: i64 = 250;

/// Interval in milliseconds in which a slewed clock gains or loses at most 1 ms. NTP slews by at most 1 ms in 2,000.
const MAX_SLEW: i64 = 1_000;

/// Recent observations of the exchange's clock.
#[derive(Debug, Default)]
pub(crate) struct ServerTime(Mutex<VecDeque<Observation>>);

/// An observation of the exchange's clock: the `Date` of one response.
#[derive(Clone, Copy, Debug)]
struct Observation {
    lead: Lead,
    /// The `Date`, in Unix milliseconds.
    date: i64,
    /// Time of receipt according to the local clock, in Unix milliseconds.
    wall_ms: i64,
    /// Time of receipt according to the monotonic clock.
    at: Instant,
    /// `true` if the wall clock has been set since, so that `lead` no longer applies to it.
    stale: bool,
}

/// The measured skew of the local clock. It holds until the local clock is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skew {
    behind_ms: i64,
    /// The last observation.
    last: Observation,
}

impl Skew {
    /// Returns how far a local clock that shows `wall_ms` now is behind the exchange's, in milliseconds; negative if it is ahead. Returns
    /// `None` if the clock was set since the last observation.
    pub(crate) fn behind_ms(&self, wall_ms: u64) -> Option<i64> {
        let wall_ms = i64::try_from(wall_ms).ok()?;
        let is_valid = !self.last.stepped_before(wall_ms, Instant::now());
        is_valid.then_some(self.behind_ms)
    }
}

/// Bounds in milliseconds of the exchange's lead over the local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lead {
    least: i64,
    most: i64,
}

impl Lead {
    /// Returns the lead for a `Date` that was written between `sent` and `received` by the local clock. Returns `None` if the clock
    /// was set back in between.
    fn new(date: i64, sent: i64, received: i64) -> Option<Self> {
        // A `Date` has whole seconds: it was written at any moment of that second.
        let lead = Self {
            least: date.saturating_sub(received),
            most: date.saturating_add(999).saturating_sub(sent),
        };
        (lead.least <= lead.most).then_some(lead)
    }

    fn contains(self, ms: i64) -> bool {
        (self.least..=self.most).contains(&ms)
    }

    fn intersection(self, other: Self) -> Option<Self> {
        let both = Self {
            least: self.least.max(other.least),
            most: self.most.min(other.most),
        };
        (both.least <= both.most).then_some(both)
    }

    /// Distance in milliseconds from zero skew; 0 if zero is within the bounds.
    fn distance(self) -> i64 {
        self.least.max(self.most.saturating_neg()).max(0)
    }

    /// Returns 0 if the bounds contain it, or else their midpoint.
    fn behind_ms(self) -> i64 {
        if self.contains(0) {
            return 0;
        }
        self.least
            .saturating_add(self.most.saturating_sub(self.least) / 2)
    }
}

impl Observation {
    /// Returns `true` if the wall clock was set between this observation and the given later moment.
    fn stepped_before(&self, wall_ms: i64, at: Instant) -> bool {
        let (monotonic, _) = ms_between(self.at, at);
        let step = wall_ms
            .saturating_sub(self.wall_ms)
            .saturating_sub(monotonic);
        step.saturating_abs() > MIN_STEP_MS + monotonic / MAX_SLEW
    }

    /// Returns the bounds of the exchange's time at `instant`, in Unix milliseconds.
    fn at(&self, instant: Instant) -> (i64, i64) {
        let (least, most) = ms_between(self.at, instant);
        let (earliest, latest) = (
            self.wall_ms.saturating_add(self.lead.least),
            self.wall_ms.saturating_add(self.lead.most),
        );
        // The wall clock's reading was rounded down, hence the 1 ms.
        (
            earliest.saturating_add(least),
            latest.saturating_add(most).saturating_add(1),
        )
    }
}

impl ServerTime {
    /// Records the `Date` of a response. `counts` is `false` for a response to an unsigned request, which may have been cached for 15 s,
    /// and for one that a middleware created. Also ignores responses whose headers say that they come from a cache.
    pub(crate) fn learn(
        &self,
        counts: bool,
        headers: &HeaderMap,
        sent: Option<u64>,
        received: Option<u64>,
    ) {
        if let (true, Some(sent), Some(received)) = (counts, sent, received)
            && let Some((date, lead)) = read_date(headers, sent, received)
            && let Ok(wall_ms) = i64::try_from(received)
        {
            self.observe(Observation {
                lead,
                date,
                wall_ms,
                at: Instant::now(),
                stale: false,
            });
        }
    }

    fn observe(&self, mut new: Observation) {
        let mut known = self.recent(new.at);
        if known
            .back()
            .is_some_and(|last| last.stepped_before(new.wall_ms, new.at))
        {
            known.iter_mut().for_each(|old| old.stale = true);
        }
        let of_same_date = known
            .iter()
            .filter(|old| !old.stale && old.date == new.date)
            .count();
        if of_same_date >= MIN_AGREEING
            && let Some(last) = known.back().filter(|last| last.date == new.date)
            && let Some(both) = last.lead.intersection(new.lead)
        {
            new.lead = both;
            known.pop_back();
        }
        known.push_back(new);
        if known.len() > MAX_OBSERVATIONS {
            known.pop_front();
        }
    }

    /// Drops the expired observations and returns the rest.
    fn recent(&self, now: Instant) -> MutexGuard<'_, VecDeque<Observation>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|old| now.saturating_duration_since(old.at) < MAX_AGE);
        known
    }

    /// Returns the skew of the local clock. Returns `None` unless at least three recent observations, and more than half of them, agree.
    pub(crate) fn skew(&self) -> Option<Skew> {
        let known = self.recent(Instant::now());
        Some(Skew {
            behind_ms: majority(&known)?.behind_ms(),
            last: *known.back()?,
        })
    }

    /// Returns how far the local clock, which shows `wall_ms` now, is behind the exchange's in milliseconds; negative if it is ahead.
    /// Returns `None` without a [`skew`](Self::skew), or if the local clock was set since the last observation.
    pub(crate) fn behind_ms(&self, wall_ms: u64) -> Option<i64> {
        self.skew()?.behind_ms(wall_ms)
    }

    /// Returns the skew to sign with after a 401, or `None` if it is too small to have caused the rejection. If no majority agrees,
    /// the last observation is used.
    pub(crate) fn skew_to_correct(&self, wall_ms: u64) -> Option<i64> {
        let last = || self.recent(Instant::now()).back().copied();
        let last = || {
            last().map(|last| Skew {
                behind_ms: last.lead.behind_ms(),
                last,
            })
        };
        let behind = self.skew().or_else(last)?.behind_ms(wall_ms);
        behind.filter(|behind| behind.saturating_abs() > MIN_CORRECTED_SKEW_MS)
    }

    /// Returns the skew in milliseconds according to the `Date` of one response, sent and received at these times of the local
    /// clock. Returns `None` if the response has no usable date.
    pub(crate) fn date_offset(headers: &HeaderMap, sent_ms: u64, received_ms: u64) -> Option<i64> {
        let (_, lead) = read_date(headers, sent_ms, received_ms)?;
        Some(lead.behind_ms())
    }

    /// Returns the earliest time that the exchange's clock may have shown at `instant`, in Unix milliseconds. `wall_ms` is
    /// the local time now.
    ///
    /// If it is used to prove that an order does not exist, the bound must include the local clock and every recent observation, even
    /// outvoted ones and those before a step of the wall clock. `excludes_outvoted` leaves these out if a majority agrees. Returns 0
    /// if there is neither a local clock nor an observation.
    pub(crate) fn earliest_ms(
        &self,
        instant: Instant,
        wall_ms: Option<u64>,
        excludes_outvoted: bool,
    ) -> u64 {
        let earliest = self
            .bounds(instant, wall_ms, excludes_outvoted)
            .map(|(earliest, _)| earliest);
        u64::try_from(earliest.min().unwrap_or(0)).unwrap_or(0)
    }

    /// Returns the latest time that the exchange's clock may have shown at `instant`, in Unix milliseconds. If a majority agrees,
    /// outvoted observations and those before a step of the wall clock are left out. Otherwise, a few observations may all be wrong, so
    /// the exchange's clock may be ahead by another [`MAX_UNSEEN_SKEW_MS`]. Returns `u64::MAX` if there is neither a local clock nor an
    /// observation.
    pub(crate) fn latest_ms(&self, instant: Instant, wall_ms: Option<u64>) -> u64 {
        let latest = self
            .bounds(instant, wall_ms, true)
            .map(|(_, latest)| latest);
        let latest = latest
            .max()
            .map_or(u64::MAX, |latest| u64::try_from(latest).unwrap_or_default());
        match self.is_known() {
            true => latest,
            false => latest.saturating_add(MAX_UNSEEN_SKEW_MS),
        }
    }

    /// Returns `true` if a majority of recent observations agrees.
    pub(crate) fn is_known(&self) -> bool {
        majority(&self.recent(Instant::now())).is_some()
    }

    /// Returns the bounds of the exchange's time at `instant` according to the local clock and to each recent observation.
    fn bounds(
        &self,
        instant: Instant,
        wall_ms: Option<u64>,
        excludes_outvoted: bool,
    ) -> impl Iterator<Item = (i64, i64)> + use<> {
        let now = Instant::now();
        let local = wall_ms.map(|wall_ms| Observation {
            lead: Lead { least: 0, most: 0 },
            date: 0,
            wall_ms: i64::try_from(wall_ms).unwrap_or(i64::MAX),
            at: now,
            stale: false,
        });
        let mut known = self.recent(now).clone();
        if let Some(majority) = majority(&known) {
            if excludes_outvoted {
                known.retain(|seen| !seen.stale && seen.lead.intersection(majority).is_some());
            }
            for seen in known.iter_mut().filter(|seen| !seen.stale) {
                // Observations that agree with the majority share its narrower bounds.
                seen.lead = seen.lead.intersection(majority).unwrap_or(seen.lead);
            }
        }
        known
            .into_iter()
            .chain(local)
            .map(move |seen| seen.at(instant))
    }
}

/// Returns the lead on which most observations agree: at least [`MIN_AGREEING`] and more than half.
fn majority(known: &VecDeque<Observation>) -> Option<Lead> {
    let leads = || {
        known
            .iter()
            .filter(|seen| !seen.stale)
            .map(|seen| seen.lead)
    };
    let needed = MIN_AGREEING.max(leads().count() / 2 + 1);
    // The lower bound of any shared region is the lower bound of some observation.
    let regions = leads().map(|first| {
        let sharing = leads().filter(|lead| lead.contains(first.least));
        let count = sharing.clone().count();
        let most = sharing.map(|lead| lead.most).min();
        let region = Lead {
            least: first.least,
            most: most.unwrap_or(first.most),
        };
        (count, region)
    });
    regions
        .filter(|(count, _)| *count >= needed)
        .max_by_key(|(count, region)| (*count, std::cmp::Reverse(region.distance())))
        .map(|(_, region)| region)
}

/// Returns `true` if the headers say that the response comes from a cache.
pub(crate) fn is_cached(headers: &HeaderMap) -> bool {
    headers.get(AGE).is_some_and(|age| age.as_bytes() != b"0")
        || headers
            .get("x-cache")
            .is_some_and(|cache| cache.as_bytes().starts_with(b"Hit"))
}

/// Returns the `Date` of a response in Unix milliseconds and the lead that follows from it.
fn read_date(headers: &HeaderMap, sent: u64, received: u64) -> Option<(i64, Lead)> {
    // A cached response keeps the date at which it was created.
    if is_cached(headers) {
        return None;
    }
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let date = millis(date)?;
    let lead = Lead::new(
        date,
        i64::try_from(sent).ok()?,
        i64::try_from(received).ok()?,
    )?;
    Some((date, lead))
}

/// Returns the milliseconds from one moment to another, rounded down and rounded up. Negative if the second is earlier.
fn ms_between(from: Instant, to: Instant) -> (i64, i64) {
    let round = |time: Duration| {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let up = !time.subsec_nanos().is_multiple_of(1_000_000);
        (ms, ms.saturating_add(i64::from(up)))
    };
    match to.checked_duration_since(from) {
        Some(passed) => round(passed),
        None => {
            let (down, up) = round(from.saturating_duration_since(to));
            (-up, -down)
        }
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

/// Describes a skew of the local clock, such as `30 seconds behind`.
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
mod tests;
