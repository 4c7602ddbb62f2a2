//! Token accounting of one bucket: a lower bound of the tokens that the exchange holds while requests are in flight.
//!
//! The exchange counts a request when it arrives, at an unknown moment between its departure and its response. The level assumes
//! that every request arrives as late as possible. A new request may be sent only if the level also covers all requests in flight,
//! so the exchange's bucket has enough tokens in whatever order they arrive. Requests in flight reduce the tokens that are
//! available at once but not the long-run rate, because refilling continues.
//!
//! A request that fills more than half of the bucket counts as arrived only with its response. A cancel must not wait that long, so it has
//! a level of its own, on which such a request counts as arrived after the slack. If it arrives later, the exchange may reject the cancel
//! with a 429, or the request itself after a burst of cancels. The rejected one was not processed and is sent again.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::bucket::BucketLimit;

/// One token in nanotokens, the unit of accounting. At a refill rate of one token per second, one nanotoken
/// is added per nanosecond.
pub(super) const TOKEN: u64 = 1_000_000_000;

/// Default slack: the maximum by which a request may arrive later than the fastest one would.
///
/// [`RateLimiter::with_slack`](super::RateLimiter::with_slack) changes it.
pub const DEFAULT_SLACK: Duration = Duration::from_millis(50);

/// Maximum slack after rejections, unless a larger slack was set.
pub(super) const MAX_SLACK: Duration = Duration::from_millis(400);

/// Rejections within this time of the first one count once, because they usually have the same cause.
const BURST_WINDOW: Duration = Duration::from_secs(1);

/// Time without a rejection after which an increased slack is halved.
const SLACK_HALF_LIFE: Duration = Duration::from_secs(60);

/// Time after which a request in flight counts as arrived even if its permit was never dropped.
const MAX_FLIGHT: Duration = Duration::from_secs(10);

/// Key of a request in flight: the moment at which it counts as arrived, and a sequence number.
pub(super) type FlightKey = (Instant, u64);

/// A request in flight.
#[derive(Debug)]
struct Flight {
    /// Cost in nanotokens.
    cost: u64,
    departed: Instant,
    /// `true` if the bucket cannot hold two such requests.
    lone: bool,
}

/// Allowance for varying travel times to the exchange.
#[derive(Debug)]
struct Slack {
    base: Duration,
    current: Duration,
    /// Time of the last change.
    changed: Instant,
    /// Time of the last rejection that widened the slack.
    widened: Option<Instant>,
}

impl Slack {
    fn new(base: Duration) -> Self {
        Self {
            base,
            current: base,
            changed: Instant::now(),
            widened: None,
        }
    }

    /// Doubles the slack after a rejection.
    fn widen(&mut self, now: Instant) {
        let is_burst = |widened| now.saturating_duration_since(widened) < BURST_WINDOW;
        if self.widened.is_some_and(is_burst) {
            return;
        }
        let max = MAX_SLACK.max(self.base);
        self.current = self.current.saturating_mul(2).min(max);
        (self.changed, self.widened) = (now, Some(now));
    }

    /// Halves the slack for every [`SLACK_HALF_LIFE`] since the last rejection.
    fn narrow(&mut self, now: Instant) {
        while self.current > self.base
            && now.saturating_duration_since(self.changed) >= SLACK_HALF_LIFE
        {
            self.current = (self.current / 2).max(self.base);
            self.changed += SLACK_HALF_LIFE;
        }
    }

    /// Returns the part of the slack that rejections have added.
    fn added(&self) -> Duration {
        self.current.saturating_sub(self.base)
    }
}

/// The tokens of one bucket.
#[derive(Debug)]
pub(super) struct Level {
    limit: BucketLimit,
    /// Lower bound of the exchange's tokens after all requests in flight have arrived, plus the cost of
    /// those requests. In nanotokens.
    tokens: u64,
    /// Time of the last refill.
    at: Instant,
    /// The requests in flight, sorted by key. Faster than a tree, because most are added at the end and removed from the beginning.
    in_flight: VecDeque<(FlightKey, Flight)>,
    /// Total cost of the requests in flight, in nanotokens.
    in_flight_cost: u64,
    slack: Slack,
    next: u64,
    /// `true` if a lone request arrives only with its response, `false` if it arrives within the slack like any other.
    waits_for_responses: bool,
}

impl Level {
    pub(super) fn new(limit: BucketLimit, slack: Duration, waits_for_responses: bool) -> Self {
        Self {
            limit,
            tokens: u64::from(limit.capacity().max(1)) * TOKEN,
            at: Instant::now(),
            in_flight: VecDeque::new(),
            in_flight_cost: 0,
            slack: Slack::new(slack),
            next: 0,
            waits_for_responses,
        }
    }

    pub(super) fn limit(&self) -> BucketLimit {
        self.limit
    }

    /// Returns the maximum number of tokens in the bucket, at least 1.
    pub(super) fn capacity(&self) -> u32 {
        self.limit.capacity().max(1)
    }

    fn full(&self) -> u64 {
        u64::from(self.capacity()) * TOKEN
    }

    /// At least 1, because it is used as a divisor.
    fn refill_rate(&self) -> u64 {
        u64::from(self.limit.refill_rate().max(1))
    }

    pub(super) fn slack(&self) -> Duration {
        self.slack.current
    }

    pub(super) fn set_slack(&mut self, slack: Duration) {
        self.slack = Slack::new(slack);
    }

    /// Returns the nanotokens that a new request may take.
    pub(super) fn available(&self) -> u64 {
        self.tokens.saturating_sub(self.in_flight_cost)
    }

    /// Adds the tokens since the last refill and counts the requests that have arrived in that time.
    pub(super) fn advance(&mut self, now: Instant) {
        let has_arrived = |((arrives, _), _): &(FlightKey, _)| *arrives <= now;
        while self.in_flight.front().is_some_and(has_arrived)
            && let Some(((arrived, _), flight)) = self.in_flight.pop_front()
        {
            self.refill(arrived);
            self.count(&flight);
        }
        self.refill(now);
        self.slack.narrow(now);
    }

    fn refill(&mut self, now: Instant) {
        let passed = nanos(now.saturating_duration_since(self.at));
        let came = passed.saturating_mul(self.refill_rate());
        self.tokens = self.tokens.saturating_add(came).min(self.full());
        self.at = self.at.max(now);
    }

    /// Counts the arrival of a request that was removed from `in_flight`.
    fn count(&mut self, flight: &Flight) {
        // Not below 0: the exchange may have rejected the request.
        self.tokens = self.tokens.saturating_sub(flight.cost);
        self.in_flight_cost = self.in_flight_cost.saturating_sub(flight.cost);
    }

    /// Adds a request to those in flight. Call [`advance`](Self::advance) first.
    pub(super) fn depart(&mut self, cost: u32, now: Instant) -> FlightKey {
        // Two lone requests must not arrive closer together than they were sent, so the second one waits for the
        // response to the first.
        let lone = self.waits_for_responses && u64::from(cost) * 2 > u64::from(self.capacity());
        let max_flight = if lone { MAX_FLIGHT } else { self.slack.current };
        let flight = Flight {
            cost: u64::from(cost) * TOKEN,
            departed: now,
            lone,
        };
        self.insert(flight, now + max_flight)
    }

    fn insert(&mut self, flight: Flight, arrives: Instant) -> FlightKey {
        let key = (arrives, self.next);
        self.next = self.next.wrapping_add(1);
        self.in_flight_cost = self.in_flight_cost.saturating_add(flight.cost);
        let index = self.in_flight.partition_point(|(other, _)| *other < key);
        self.in_flight.insert(index, (key, flight));
        key
    }

    /// Ends an attempt. With a response, the request has arrived. Without one, it may still arrive until the slack after its
    /// departure has passed, or until now if that is later.
    pub(super) fn end(&mut self, key: FlightKey, responded: bool, now: Instant) {
        self.advance(now);
        let index = self.in_flight.binary_search_by_key(&key, |(key, _)| *key);
        let Some((_, flight)) = index.ok().and_then(|index| self.in_flight.remove(index)) else {
            return;
        };
        let slack = self.slack.current;
        let arrives = match (responded, flight.lone) {
            (true, false) => now,
            // Earlier rejections show that the exchange counts requests later than its responses suggest.
            (true, true) => now + self.slack.added(),
            (false, false) => key.0,
            (false, true) => now.max(flight.departed + slack),
        };
        if arrives <= now {
            self.count(&flight);
        } else {
            self.in_flight_cost = self.in_flight_cost.saturating_sub(flight.cost);
            self.insert(flight, arrives);
        }
    }

    /// Removes all tokens after a rejection and increases the slack.
    pub(super) fn empty(&mut self, now: Instant) {
        self.advance(now);
        self.tokens = 0;
        self.slack.widen(now);
    }

    /// Changes the limit. Tokens are kept up to the new capacity; a full bucket stays full.
    pub(super) fn resize(&mut self, limit: BucketLimit, now: Instant) {
        self.advance(now);
        let was_full = self.tokens == self.full();
        self.limit = limit;
        self.tokens = if was_full {
            self.full()
        } else {
            self.tokens.min(self.full())
        };
    }

    /// Returns the time until `wanted` nanotokens are available if no attempt in flight ends before.
    pub(super) fn time_until(&self, wanted: u64) -> Duration {
        self.time_until_with(wanted, |(arrives, _), _| *arrives)
    }

    /// Returns the time until `wanted` nanotokens are available if pending responses arrive as soon as possible.
    pub(super) fn expected_time_until(&self, wanted: u64) -> Duration {
        self.time_until_with(wanted, |(arrives, _), flight| {
            (*arrives).min(flight.departed + self.slack.current)
        })
    }

    fn time_until_with(
        &self,
        wanted: u64,
        arrival: impl Fn(&FlightKey, &Flight) -> Instant,
    ) -> Duration {
        let rate = self.refill_rate();
        let wait = |missing: u64| Duration::from_nanos(missing.div_ceil(rate));
        let (mut tokens, mut in_flight, mut at) = (self.tokens, self.in_flight_cost, self.at);
        for (key, flight) in &self.in_flight {
            let arrives = arrival(key, flight).max(at);
            let missing = wanted.saturating_add(in_flight).saturating_sub(tokens);
            let fits = missing <= self.full().saturating_sub(tokens);
            // An arrival only matters if the bucket overflows before it, or if the exchange rejects the request.
            if fits && (tokens >= in_flight || at + wait(missing) <= arrives) {
                return (at + wait(missing)).saturating_duration_since(self.at);
            }
            let came = nanos(arrives.saturating_duration_since(at)).saturating_mul(rate);
            tokens = tokens.saturating_add(came).min(self.full());
            tokens = tokens.saturating_sub(flight.cost);
            in_flight = in_flight.saturating_sub(flight.cost);
            at = arrives;
        }
        (at + wait(wanted.saturating_sub(tokens))).saturating_duration_since(self.at)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn level(refill_rate: u32, capacity: u32) -> (Level, Instant) {
        let level = Level::new(BucketLimit::new(refill_rate, capacity), DEFAULT_SLACK, true);
        let start = level.at;
        (level, start)
    }

    #[test]
    fn burst_refills_from_its_latest_possible_arrival() {
        let (mut level, start) = level(100, 100);
        for _ in 0..10 {
            level.depart(10, start);
        }
        assert_eq!(level.available(), 0);
        // A full bucket does not refill, so the first token may come 50 ms later.
        assert_eq!(level.time_until(10 * TOKEN), ms(150));
        level.advance(start + ms(50));
        assert_eq!(level.available(), 0);
        level.advance(start + ms(150));
        assert_eq!(level.available(), 10 * TOKEN);
        level.advance(start + ms(1_050));
        assert_eq!(level.available(), 100 * TOKEN);
    }

    #[test]
    fn response_ends_the_uncertainty_of_a_request() {
        let (mut level, start) = level(100, 100);
        let keys: Vec<_> = (0..10).map(|_| level.depart(10, start)).collect();
        for key in keys {
            level.end(key, true, start + ms(10));
        }
        assert_eq!(level.time_until(10 * TOKEN), ms(100));
    }

    #[test]
    fn lone_request_waits_for_the_response_before_it() {
        let (mut level, start) = level(10, 10);
        let key = level.depart(10, start);
        level.advance(start + ms(3_000));
        assert_eq!(level.available(), 0);
        assert_eq!(level.expected_time_until(10 * TOKEN), ms(1_000));
        level.end(key, true, start + ms(3_000));
        assert_eq!(level.time_until(10 * TOKEN), ms(1_000));
        level.advance(start + ms(4_000));
        assert_eq!(level.available(), 10 * TOKEN);
    }

    #[test]
    fn lone_request_without_a_response_blocks_for_a_limited_time() {
        // Dropped immediately: the slack counts.
        let (mut level, start) = level(10, 10);
        let key = level.depart(10, start);
        level.end(key, false, start + ms(1));
        assert_eq!(level.time_until(10 * TOKEN), ms(1_049));
        // Failed later: its end counts.
        level.advance(start + ms(2_000));
        let key = level.depart(10, start + ms(2_000));
        level.end(key, false, start + ms(3_000));
        assert_eq!(level.time_until(10 * TOKEN), ms(1_000));
        // Never ended.
        level.advance(start + ms(4_000));
        level.depart(10, start + ms(4_000));
        assert_eq!(level.time_until(10 * TOKEN), MAX_FLIGHT + ms(1_000));
    }

    #[test]
    fn slack_doubles_once_per_burst_and_halves_over_time() {
        let (mut level, start) = level(100, 100);
        let mut now = start;
        for expected in [100, 200, 400, 400] {
            level.empty(now);
            level.empty(now + ms(900));
            assert_eq!(level.slack(), ms(expected));
            now += ms(1_000);
        }
        now -= ms(1_000);
        for (seconds, expected) in [(59, 400), (60, 200), (120, 100), (180, 50), (600, 50)] {
            level.advance(now + Duration::from_secs(seconds));
            assert_eq!(level.slack(), ms(expected), "after {seconds} s");
        }
    }

    #[test]
    fn slack_doubles_for_a_rejection_just_after_it_halved() {
        let (mut level, start) = level(10, 10);
        level.empty(start);
        assert_eq!(level.slack(), ms(100));
        level.empty(start + ms(60_500));
        assert_eq!(level.slack(), ms(100));
    }

    #[test]
    fn widened_slack_delays_lone_requests_beyond_the_response() {
        let (mut level, start) = level(10, 10);
        level.empty(start);
        level.advance(start + ms(1_000));
        let key = level.depart(10, start + ms(1_000));
        level.end(key, true, start + ms(1_010));
        // 50 ms more than the default slack.
        assert_eq!(level.time_until(10 * TOKEN), ms(1_050));
    }

    #[test]
    fn level_stays_at_zero_when_requests_in_flight_arrive_after_a_rejection() {
        let (mut level, start) = level(100, 100);
        level.depart(40, start);
        level.empty(start);
        // The exchange holds no less than 0 when the 40 arrive, whether it accepts them or not.
        assert_eq!(level.time_until(10 * TOKEN), ms(150));
        level.advance(start + ms(50));
        assert_eq!(level.time_until(10 * TOKEN), ms(100));
    }
}
