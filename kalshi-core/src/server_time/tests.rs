//! Tests of clock skew measurement. Tokio's time is paused; the local clock is a counter that advances with it.
#![allow(clippy::unwrap_used)]

use reqwest::header::HeaderValue;

use super::*;

const START: u64 = 1_790_000_000_100;
const DAY: i64 = 86_400_000;

fn dated(ms: u64) -> HeaderMap {
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
    HeaderMap::from_iter([(DATE, date)])
}

/// A machine with a local clock.
struct Machine {
    time: ServerTime,
    wall: u64,
}

impl Machine {
    fn new() -> Self {
        Self {
            time: ServerTime::default(),
            wall: START,
        }
    }

    fn behind_ms(&self) -> Option<i64> {
        self.time.behind_ms(self.wall)
    }

    fn skew_to_correct(&self) -> Option<i64> {
        self.time.skew_to_correct(self.wall)
    }

    async fn pass(&mut self, ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
        self.wall += ms;
    }

    /// Receives a response after 40 ms, dated halfway by a clock that is `ahead` of the local one.
    async fn respond(&mut self, ahead: i64) {
        let sent = self.wall;
        self.pass(40).await;
        let date = sent.checked_add_signed(ahead + 20).unwrap();
        self.time
            .learn(true, &dated(date), Some(sent), Some(self.wall));
    }

    /// Receives responses 1.237 s apart.
    async fn respond_often(&mut self, ahead: i64, count: usize) {
        for _ in 0..count {
            self.respond(ahead).await;
            self.pass(1_197).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn correct_clock_has_no_skew_and_a_wrong_one_is_measured() {
    for ahead in [0, 30_000, -30_000, 1_500, -DAY] {
        let mut machine = Machine::new();
        assert_eq!(machine.behind_ms(), None);
        machine.respond_often(ahead, 3).await;
        let behind = machine.behind_ms().unwrap();
        assert!((behind - ahead).abs() <= 560, "{ahead}: {behind}");
        // More responses narrow it.
        machine.respond_often(ahead, 40).await;
        let behind = machine.behind_ms().unwrap();
        assert!((behind - ahead).abs() <= 60, "{ahead}: {behind}");
        let matters = machine.skew_to_correct();
        assert_eq!(matters, (ahead != 0).then_some(behind));
    }
}

#[tokio::test(start_paused = true)]
async fn fewer_than_three_agreeing_dates_decide_nothing() {
    let mut machine = Machine::new();
    machine.respond_often(30_000, 2).await;
    assert_eq!(machine.behind_ms(), None);
    // After a 401, the last one is used nevertheless.
    let last = machine.skew_to_correct().unwrap();
    assert!((last - 30_000).abs() <= 560, "{last}");
    machine.respond_often(-DAY, 2).await;
    machine.respond_often(DAY, 2).await;
    assert_eq!(machine.behind_ms(), None);
    // Three of seven are not a majority.
    machine.respond_often(DAY, 1).await;
    assert_eq!(machine.behind_ms(), None);
    machine.respond_often(DAY, 2).await;
    assert!((machine.behind_ms().unwrap() - DAY).abs() <= 560);
}

#[tokio::test(start_paused = true)]
async fn minority_of_wrong_dates_is_outvoted() {
    // A single wrong date at any position, then many of them.
    for position in 0..20 {
        let mut machine = Machine::new();
        machine.respond_often(0, position).await;
        machine.respond_often(DAY, 1).await;
        machine.respond_often(0, 4).await;
        assert_eq!(machine.behind_ms(), Some(0), "{position}");
        assert_eq!(machine.skew_to_correct(), None, "{position}");
    }
    let mut machine = Machine::new();
    for _ in 0..20 {
        machine.respond_often(30_000, 2).await;
        machine.respond_often(-DAY, 1).await;
    }
    let behind = machine.behind_ms().unwrap();
    assert!((behind - 30_000).abs() <= 60, "{behind}");
}

#[tokio::test(start_paused = true)]
async fn new_majority_replaces_the_old_one() {
    let mut machine = Machine::new();
    machine.respond_often(0, 40).await;
    machine.respond_often(30_000, 7).await;
    assert_eq!(machine.behind_ms(), Some(0));
    machine.respond_often(30_000, 2).await;
    let behind = machine.behind_ms().unwrap();
    assert!((behind - 30_000).abs() <= 560, "{behind}");
}

#[tokio::test(start_paused = true)]
async fn step_of_the_wall_clock_discards_earlier_observations() {
    for step in [-30_000, 30_000, 300, -300] {
        let mut machine = Machine::new();
        machine.respond_often(30_000, 5).await;
        assert!(machine.behind_ms().is_some());
        machine.wall = machine.wall.checked_add_signed(step).unwrap();
        // Known before the next response.
        assert_eq!(machine.behind_ms(), None, "{step}");
        assert_eq!(machine.skew_to_correct(), None, "{step}");
        machine.respond(30_000 - step).await;
        assert_eq!(machine.behind_ms(), None, "{step}");
        machine.respond_often(30_000 - step, 2).await;
        let behind = machine.behind_ms().unwrap();
        assert!((behind - 30_000 + step).abs() <= 560, "{step}: {behind}");
    }
    // A response during which the local clock was set back is ignored.
    let machine = Machine::new();
    let (sent, received) = (Some(START), Some(START - 5_000));
    machine.time.learn(true, &dated(START), sent, received);
    assert_eq!(machine.skew_to_correct(), None);
}

#[tokio::test(start_paused = true)]
async fn slewed_and_stopped_clocks_do_not_count_as_steps() {
    // Two minutes pass, of which the local clock misses 60 ms.
    let mut machine = Machine::new();
    for _ in 0..4 {
        machine.respond(0).await;
        machine.pass(120_000).await;
        machine.wall -= 60;
    }
    assert_eq!(machine.behind_ms(), Some(0));
    // A pause of 10 minutes, of which it misses 300 ms.
    machine.pass(600_000).await;
    machine.wall -= 300;
    machine.respond(0).await;
    assert_eq!(machine.behind_ms(), Some(0));
    // A clock that does not advance.
    let mut machine = Machine::new();
    for _ in 0..3 {
        machine.respond(30_000).await;
        machine.pass(100).await;
        machine.wall = START;
    }
    assert!((machine.behind_ms().unwrap() - 30_000).abs() <= 600);
}

#[tokio::test(start_paused = true)]
async fn observations_age_out() {
    let mut machine = Machine::new();
    machine.respond_often(30_000, 5).await;
    machine.pass(29 * 60 * 1_000).await;
    assert!(machine.behind_ms().is_some());
    machine.pass(60 * 1_000).await;
    assert_eq!(machine.behind_ms(), None);
    assert_eq!(machine.skew_to_correct(), None);
}

#[tokio::test(start_paused = true)]
async fn burst_does_not_displace_earlier_observations() {
    let mut machine = Machine::new();
    machine.respond_often(30_000, 13).await;
    for _ in 0..100 {
        // Always the same wrong date.
        let sent = machine.wall;
        machine.pass(1).await;
        let wall = Some(machine.wall);
        machine.time.learn(true, &dated(START), Some(sent), wall);
    }
    let behind = machine.behind_ms().unwrap();
    assert!((behind - 30_000).abs() <= 100, "{behind}");
}

#[tokio::test(start_paused = true)]
async fn public_cached_and_malformed_dates_are_ignored() {
    let mut cached = dated(START);
    cached.insert(AGE, HeaderValue::from_static("12"));
    let mut hit = dated(START);
    hit.insert("x-cache", HeaderValue::from_static("Hit from cloudfront"));
    let odd = HeaderMap::from_iter([(DATE, HeaderValue::from_static("yesterday"))]);
    let (sent, received) = (START + 30_000, START + 30_040);
    let time = ServerTime::default();
    for _ in 0..5 {
        for headers in [&cached, &hit, &odd, &HeaderMap::new()] {
            time.learn(true, headers, Some(sent), Some(received));
            assert_eq!(ServerTime::date_offset(headers, sent, received), None);
        }
        time.learn(false, &dated(START), Some(sent), Some(received));
        time.learn(true, &dated(START), None, Some(received));
        time.learn(true, &dated(START), Some(sent), None);
    }
    assert_eq!(time.behind_ms(received), None);
    assert_eq!(time.skew_to_correct(received), None);
}

#[test]
fn single_response_has_an_offset() {
    let offset = |ahead: i64| {
        let headers = dated(START.checked_add_signed(ahead).unwrap());
        ServerTime::date_offset(&headers, START, START + 40).unwrap()
    };
    assert_eq!(offset(0), 0);
    assert!((offset(30_000) - 30_000).abs() <= 560);
    assert!((offset(-30_000) + 30_000).abs() <= 560);
    // Extreme values do not overflow.
    assert_eq!(ServerTime::date_offset(&dated(0), u64::MAX, 0), None);
    let far = i64::MAX.unsigned_abs();
    assert!(ServerTime::date_offset(&dated(0), 0, far).is_some());
}

#[tokio::test(start_paused = true)]
async fn bounds_without_observations_allow_for_a_slow_local_clock() {
    let mut machine = Machine::new();
    let moment = Instant::now();
    machine.pass(5_000).await;
    let (time, wall) = (&machine.time, Some(machine.wall));
    assert_eq!(time.earliest_ms(moment, wall, false), START);
    let slow = MAX_UNSEEN_SKEW_MS;
    assert_eq!(time.latest_ms(moment, wall), START + 1 + slow);
    assert_eq!(time.earliest_ms(Instant::now(), wall, false), START + 5_000);
    assert_eq!(
        (
            time.earliest_ms(moment, None, false),
            time.latest_ms(moment, None)
        ),
        (0, u64::MAX)
    );
    assert_eq!(time.earliest_ms(moment, Some(1_000), false), 0);
    let end = u64::MAX;
    assert!(time.latest_ms(Instant::now(), Some(end)) >= end / 2);
}

#[tokio::test(start_paused = true)]
async fn fewer_than_three_agreeing_dates_do_not_rule_out_a_slow_local_clock() {
    let mut machine = Machine::new();
    for _ in 0..3 {
        assert!(!machine.time.is_known());
        let latest = machine.time.latest_ms(Instant::now(), Some(machine.wall));
        assert!(latest >= machine.wall + MAX_UNSEEN_SKEW_MS, "{latest}");
        machine.respond_often(0, 1).await;
    }
    assert!(machine.time.is_known());
    let latest = machine.time.latest_ms(Instant::now(), Some(machine.wall));
    assert!(latest <= machine.wall + 1_000, "{latest}");
}

/// Bounds hold whatever the local clock does, and however many dates are wrong, as long as one recent date is right.
#[tokio::test(start_paused = true)]
async fn bounds_contain_the_time_of_the_exchange() {
    let seed = std::env::var("KALSHI_TEST_SEED")
        .ok()
        .map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("KALSHI_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let mut machine = Machine::new();
        let mut ahead = random.i64(-100_000..100_000);
        let mut moments = Vec::new();
        let mut since_right = usize::MAX;
        for _ in 0..40 {
            match random.u8(..10) {
                0 => {
                    let step = random.i64(-50_000..50_000);
                    machine.wall = machine.wall.checked_add_signed(step).unwrap();
                    ahead -= step;
                }
                1..=3 => {
                    machine.respond(random.i64(-DAY..DAY)).await;
                    since_right = since_right.saturating_add(1);
                }
                _ => {
                    machine.respond(ahead).await;
                    since_right = 0;
                }
            }
            let exchange = machine.wall.checked_add_signed(ahead).unwrap();
            moments.push((Instant::now(), exchange));
            if since_right < MAX_OBSERVATIONS {
                for (moment, exchange) in &moments {
                    let earliest = machine.time.earliest_ms(*moment, Some(machine.wall), false);
                    let latest = machine.time.latest_ms(*moment, Some(machine.wall));
                    assert!((earliest..=latest).contains(exchange));
                }
            }
            machine.pass(random.u64(..3_000)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_include_outvoted_dates_and_those_before_a_step() {
    let mut machine = Machine::new();
    machine.respond(-DAY).await;
    let moment = Instant::now();
    machine.respond_often(0, 5).await;
    assert_eq!(machine.behind_ms(), Some(0));
    let early = START - DAY.unsigned_abs() + 40;
    let likely = machine.time.earliest_ms(moment, Some(machine.wall), true);
    assert!((START - 1_000..=START + 40).contains(&likely), "{likely}");
    for _ in 0..2 {
        let earliest = machine.time.earliest_ms(moment, Some(machine.wall), false);
        assert!(earliest <= early, "{earliest}");
        machine.wall += 30_000;
        machine.respond(-30_000).await;
    }
}

#[test]
fn skew_is_described() {
    assert_eq!(describe_skew(30_400), "30 seconds behind");
    assert_eq!(describe_skew(-1_000), "1 second ahead");
}
