//! The example `market_maker`, under faults: its inventory is the exchange's, whatever happens.

#[path = "../../examples/market_maker.rs"]
#[allow(dead_code, reason = "the example is a program")]
mod example;

use std::{io, time::Duration};

use example::{
    Options,
    display::{Show, View},
    report::Report,
    run,
};

/// Looks at every state.
struct Checks;

impl Show for Checks {
    fn show(&mut self, view: &View) -> io::Result<bool> {
        for market in &view.markets {
            if let (Some(bid), Some(ask)) = (market.own_bid, market.own_ask) {
                assert!(bid < ask, "{bid} {ask} at step {}", view.step);
            }
        }
        Ok(false)
    }
}

async fn maker(seed: u64, steps: Option<u32>, stop: impl Future<Output = ()>) -> Report {
    let options = Options {
        steps,
        seed,
        pace: Duration::from_millis(100),
    };
    let report = run(&options, Box::new(Checks), stop).await.unwrap();
    println!("seed {seed}\n{report}");
    assert!(report.agrees(), "{report}");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inventory_is_the_exchanges_under_faults() {
    let never = std::future::pending;
    let (a, b, c, d) = tokio::join!(
        maker(1, Some(150), never()),
        maker(2, Some(150), never()),
        maker(3, Some(150), never()),
        maker(4, Some(150), never()),
    );
    let counts = [a, b, c, d].map(|report| report.counts);
    // Without them the test would show nothing.
    assert!(counts.iter().all(|counts| counts.fills > 0));
    assert!(counts.iter().any(|counts| counts.missed_fills > 0));
    assert!(counts.iter().any(|counts| counts.outages > 0));
    assert!(counts.iter().any(|counts| counts.unknown > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interruption_cancels_all_orders_and_counts_the_last_fills() {
    let stop = tokio::time::sleep(Duration::from_secs(3));
    let report = maker(5, None, stop).await;
    assert!(report.counts.orders > 0, "{report}");
}
