//! The accounting of one bucket: the tokens that the exchange holds at least, while requests are on their way to it.
//!
//! The exchange counts a request when it arrives, at an unknown moment between its departure and its response. The level is that of
//! a bucket in which every request arrives as late as possible, and a new request may go only if that level also covers all requests
//! that are still on their way. So no order of arrival can find the exchange's bucket short. The requests on their way lower the most
//! that is available, and leave the long-run rate as it is, because refilling goes on meanwhile.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::bucket::BucketLimit;

/// One token in nanotokens, the unit of counting: at a refill rate of one token a second, one is added each nanosecond.
pub(super) const TOKEN: u64 = 1_000_000_000;

/// Default slack: a request is taken to arrive at most this much later than the fastest one would.
///
/// [`RateLimiter::with_slack`](super::RateLimiter::with_slack) changes it.
pub const DEFAULT_SLACK: Duration = Duration::from_millis(50);

/// Widest slack after rejections, unless the slack was set wider.
pub(super) const MAX_SLACK: Duration = Duration::from_millis(400);

/// Rejections within this time of the first count as one: they usually come from one burst.
const ONE_BURST: Duration = Duration::from_secs(1);

/// Time without a rejection after which a widened slack halves.
const SLACK_HALVES_AFTER: Duration = Duration::from_secs(60);

/// Time after which a request without an end counts as arrived. Ends a wait for a permit that is never dropped.
const MAX_FLIGHT: Duration = Duration::from_secs(10);

/// Identifies a request on its way: the moment at which it counts as arrived, and a number.
pub(super) type FlightKey = (Instant, u64);

/// A request on its way.
#[derive(Debug)]
struct Flight {
    /// In nanotokens.
    cost: u64,
    departed: Instant,
    /// The bucket does not hold two of them.
    lone: bool,
}

/// The variation of the time to the exchange that the bucket allows for.
#[derive(Debug)]
struct Slack {
    base: Duration,
    current: Duration,
    /// Time of the last change.
    changed: Instant,
    rejected: bool,
}

impl Slack {
    fn new(base: Duration) -> Self {
        Self {
            base,
            current: base,
            changed: Instant::now(),
            rejected: false,
        }
    }

    /// Doubles the slack after a rejection.
    fn widen(&mut self, now: Instant) {
        if self.rejected && now.saturating_duration_since(self.changed) < ONE_BURST {
            return;
        }
        let most = MAX_SLACK.max(self.base);
        self.current = self.current.saturating_mul(2).min(most);
        (self.changed, self.rejected) = (now, true);
    }

    /// Halves the slack for each long enough time since the last rejection.
    fn narrow(&mut self, now: Instant) {
        while self.current > self.base
            && now.saturating_duration_since(self.changed) >= SLACK_HALVES_AFTER
        {
            self.current = (self.current / 2).max(self.base);
            self.changed += SLACK_HALVES_AFTER;
        }
    }

    /// The part that rejections have added.
    fn added(&self) -> Duration {
        self.current.saturating_sub(self.base)
    }
}

/// The tokens of one bucket.
#[derive(Debug)]
pub(super) struct Level {
    limit: BucketLimit,
    /// Tokens that the exchange holds at least once all requests on their way have arrived, plus the cost of these. In nanotokens.
    tokens: u64,
    /// Time of the last refill.
    at: Instant,
    in_flight: BTreeMap<FlightKey, Flight>,
    /// Total cost of the requests on their way, in nanotokens.
    in_flight_cost: u64,
    slack: Slack,
    next: u64,
}

impl Level {
    pub(super) fn new(limit: BucketLimit, slack: Duration) -> Self {
        Self {
            limit,
            tokens: u64::from(limit.capacity().max(1)) * TOKEN,
            at: Instant::now(),
            in_flight: BTreeMap::new(),
            in_flight_cost: 0,
            slack: Slack::new(slack),
            next: 0,
        }
    }

    pub(super) fn limit(&self) -> BucketLimit {
        self.limit
    }

    /// Most tokens that the bucket holds. At least 1.
    pub(super) fn capacity(&self) -> u32 {
        self.limit.capacity().max(1)
    }

    fn full(&self) -> u64 {
        u64::from(self.capacity()) * TOKEN
    }

    /// At least 1: a divisor.
    fn refill_rate(&self) -> u64 {
        u64::from(self.limit.refill_rate().max(1))
    }

    pub(super) fn slack(&self) -> Duration {
        self.slack.current
    }

    pub(super) fn set_slack(&mut self, slack: Duration) {
        self.slack = Slack::new(slack);
    }

    /// Tokens that a new request may take, in nanotokens.
    pub(super) fn available(&self) -> u64 {
        self.tokens.saturating_sub(self.in_flight_cost)
    }

    /// Adds the tokens of the time since the last refill, and counts the requests that arrived meanwhile.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.in_flight.first_entry()
            && entry.key().0 <= now
        {
            let ((arrived, _), flight) = entry.remove_entry();
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

    /// Counts a request that has left `in_flight`.
    fn count(&mut self, flight: &Flight) {
        // The exchange holds 0 or more, also if it rejected the request.
        self.tokens = self.tokens.saturating_sub(flight.cost);
        self.in_flight_cost = self.in_flight_cost.saturating_sub(flight.cost);
    }

    /// Sends a request on its way. Call it only if the tokens are available, after [`advance`](Self::advance).
    pub(super) fn depart(&mut self, cost: u32, now: Instant) -> FlightKey {
        // Two lone requests must not arrive closer together than they left, so only the response of the first one allows the second.
        let lone = u64::from(cost) * 2 > u64::from(self.capacity());
        let longest = if lone { MAX_FLIGHT } else { self.slack.current };
        let flight = Flight {
            cost: u64::from(cost) * TOKEN,
            departed: now,
            lone,
        };
        self.insert(flight, now + longest)
    }

    fn insert(&mut self, flight: Flight, arrives: Instant) -> FlightKey {
        let key = (arrives, self.next);
        self.next = self.next.wrapping_add(1);
        self.in_flight_cost = self.in_flight_cost.saturating_add(flight.cost);
        self.in_flight.insert(key, flight);
        key
    }

    /// Ends the attempt of a request. With a response, the request has arrived; without one, it may arrive until the slack after its
    /// departure, and until now.
    pub(super) fn end(&mut self, key: FlightKey, responded: bool, now: Instant) {
        self.advance(now);
        let Some(flight) = self.in_flight.remove(&key) else {
            return;
        };
        let slack = self.slack.current;
        let arrives = match (responded, flight.lone) {
            (true, false) => now,
            // Rejections show that the exchange counts later than its responses suggest.
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

    /// Takes all tokens after a rejection, and widens the slack.
    pub(super) fn empty(&mut self, now: Instant) {
        self.advance(now);
        self.tokens = 0;
        self.slack.widen(now);
    }

    /// Changes the size. Tokens stay, as far as they fit; a full bucket stays full.
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

    /// Time until `wanted` nanotokens are available if no attempt ends before.
    pub(super) fn time_until(&self, wanted: u64) -> Duration {
        self.time_until_with(wanted, |(arrives, _), _| *arrives)
    }

    /// Time until `wanted` nanotokens are available if responses that are pending arrive as soon as they may.
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
            // An arrival changes what is available only if the bucket overflows before it, or if the exchange rejects the request.
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
        let level = Level::new(BucketLimit::new(refill_rate, capacity), DEFAULT_SLACK);
        let start = level.at;
        (level, start)
    }

    #[test]
    fn burst_refills_from_its_latest_arrival() {
        let (mut level, start) = level(100, 100);
        for _ in 0..10 {
            level.depart(10, start);
        }
        assert_eq!(level.available(), 0);
        // Refilling a full bucket adds nothing, so the first token may come 50 ms later.
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
    fn lone_request_without_a_response_does_not_block_for_ever() {
        // Dropped at once: the slack counts.
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
    fn slack_doubles_once_a_burst_and_halves_in_time() {
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
    fn widened_slack_delays_lone_requests_beyond_the_response() {
        let (mut level, start) = level(10, 10);
        level.empty(start);
        level.advance(start + ms(1_000));
        let key = level.depart(10, start + ms(1_000));
        level.end(key, true, start + ms(1_010));
        // 50 ms more than the default.
        assert_eq!(level.time_until(10 * TOKEN), ms(1_050));
    }

    #[test]
    fn rejection_leaves_nothing_for_requests_on_their_way() {
        let (mut level, start) = level(100, 100);
        level.depart(40, start);
        level.empty(start);
        // The exchange holds 0 or more when the 40 arrive, whether it accepts them or not.
        assert_eq!(level.time_until(10 * TOKEN), ms(150));
        level.advance(start + ms(50));
        assert_eq!(level.time_until(10 * TOKEN), ms(100));
    }
}
