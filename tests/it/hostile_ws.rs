//! Live books against an exchange behind a hostile server, over real connections.
//!
//! Each seed has its own exchange, whose server injects faults of every [`Kind`] into handshakes, connections, frames and replies.
//! Every live book is compared with the exchange's, and every book must be live again within [`BOUND`](oracle::BOUND) after the last
//! fault. Time is virtual, so that timeouts cost nothing.
//!
//! Faults that no frame can reveal are left out: a lost frame whose number is reused, a reply as the first frame after a restart of
//! the sequence, and clocks that fall without a change of the market.
//!
//! 250 seeds run by default. `KALSHI_TEST_SEEDS` sets their number, `KALSHI_TEST_SEED` runs one.

#[path = "hostile_ws/commands.rs"]
mod commands;
#[path = "hostile_ws/frames.rs"]
mod frames;
#[path = "hostile_ws/handshake.rs"]
mod handshake;
#[path = "hostile_ws/kind.rs"]
mod kind;
#[path = "hostile_ws/model.rs"]
mod model;
#[path = "hostile_ws/oracle.rs"]
mod oracle;
#[path = "hostile_ws/peer.rs"]
mod peer;
#[path = "hostile_ws/seeds.rs"]
pub(crate) mod seeds;
#[path = "hostile_ws/server.rs"]
mod server;
#[path = "hostile_ws/transport.rs"]
mod transport;
#[path = "hostile_ws/wire.rs"]
mod wire;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ops::Range,
    rc::Rc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::mpsc, time::sleep};

use self::{
    kind::Kind,
    model::Model,
    oracle::Stats,
    server::{Server, Shared},
};
use crate::ws_target::{HAS_CLOCK, TOO_HIGH};

/// Minimum and maximum step of the clock while nothing happens.
const TICKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(128)];

/// Default number of seeds: each kind of fault is the first of one or two of them, and follows others about ten times.
const SEEDS: u64 = 250;

/// Number of random faults per seed.
const FAULTS: Range<usize> = 3..8;

type Tally = BTreeMap<Kind, u64>;

/// Returns the kinds of faults that are possible with this API.
fn kinds() -> Vec<Kind> {
    let kinds = Kind::ALL.iter().copied();
    let kinds = kinds.filter(|kind| match kind {
        Kind::LevelAtOne => TOO_HIGH.is_some(),
        Kind::ClocksVanish => HAS_CLOCK,
        kind => HAS_CLOCK || !kind.needs_clock(),
    });
    kinds.collect()
}

/// Returns the faults of a seed, the first one last. Each kind is the first fault of some seed.
fn plan(seed: u64, random: &mut fastrand::Rng) -> Vec<Kind> {
    let kinds = kinds();
    let first = usize::try_from(seed).unwrap() % kinds.len();
    let mut plan: Vec<_> = (0..random.usize(FAULTS))
        .filter_map(|_| random.choice(&kinds).copied())
        // Ten thousand changes take as long as a hundred other seeds.
        .filter(|kind| *kind != Kind::BufferOverflow)
        .collect();
    plan.push(kinds[first]);
    plan
}

/// Advances time in small steps while bytes are in flight, because the paused clock does not wait for them.
async fn tick(shared: Rc<Shared>) {
    let mut pause = TICKS[0];
    loop {
        sleep(pause).await;
        pause = match shared.is_busy.take() {
            true => TICKS[0],
            false => (pause * 2).min(TICKS[1]),
        };
    }
}

async fn run(seed: u64) -> Result<(Stats, Tally), String> {
    // Pauses between connections use the global generator.
    fastrand::seed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = plan(seed, &mut random);
    let needs_clock = plan.last().is_some_and(|kind| kind.needs_clock());
    let has_clock = needs_clock || (random.u8(..4) > 0 && HAS_CLOCK);
    let shared = Rc::new(Shared {
        model: RefCell::new(Model::new(seed, has_clock)),
        calm_since: Cell::new(None),
        is_busy: Cell::new(false),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = oracle::client(listener.local_addr().unwrap());
    let (instructions, received) = mpsc::unbounded_channel();
    let server = Server::new(listener, shared.clone(), plan, instructions);
    let result = tokio::select! {
        result = oracle::read(client, shared.clone(), received) => result,
        () = server.run() => Err("the server ended".to_owned()),
        () = tick(shared.clone()) => Err("the clock ended".to_owned()),
    };
    let tally = shared.model.borrow().fired.clone();
    result.map(|stats| (stats, tally))
}

#[test]
fn live_books_match_hostile_exchange() {
    let seeds = seeds::chosen(SEEDS);
    let results = seeds::run_all(&seeds, run);
    let mut tally: Tally = kinds().into_iter().map(|kind| (kind, 0)).collect();
    let (mut total, mut failures) = (Stats::default(), Vec::new());
    for result in results {
        let (stats, counts) = match result {
            Ok(run) => run,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for (kind, count) in counts {
            *tally.entry(kind).or_default() += count;
        }
        total.compared += stats.compared;
        total.at_marks += stats.at_marks;
        total.recovery = total.recovery.max(stats.recovery);
    }
    for (kind, count) in &tally {
        println!("{count:7} {kind:?}: {}", kind.description());
    }
    println!("{} kinds, {seeds:?}, {total:?}", tally.len());
    assert!(
        failures.is_empty(),
        "{} failed: {failures:#?}",
        failures.len()
    );
    if seeds.end - seeds.start >= SEEDS {
        let missing: Vec<_> = tally.iter().filter(|(_, count)| **count == 0).collect();
        assert!(
            missing.is_empty(),
            "faults that were never injected: {missing:?}"
        );
        assert!(total.at_marks > 0);
    }
}
