//! The example `market_maker` under faults: its inventory must match that of the exchange.

#[path = "../../examples/market_maker.rs"]
#[allow(dead_code, reason = "the example is a program")]
mod example;

use std::{io, time::Duration};

use example::{
    Options,
    account::Fill,
    display::{Output, View},
    report::Report,
    run,
};

/// Checks every displayed state.
struct Checks;

impl Output for Checks {
    fn render(&mut self, view: &View) -> io::Result<bool> {
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
async fn inventory_matches_the_exchange_under_faults() {
    let never = std::future::pending;
    let (a, b, c, d) = tokio::join!(
        maker(1, Some(150), never()),
        maker(2, Some(150), never()),
        maker(3, Some(150), never()),
        maker(4, Some(150), never()),
    );
    let counts = [a, b, c, d].map(|report| report.counts);
    // Without these events the test would prove nothing.
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

/// A guessed side would result in a wrong position.
#[test]
fn fill_of_unknown_side_is_an_error() {
    for (side, is_known) in [("bid", true), ("ask", true), ("middle", false), ("", false)] {
        let fill = serde_json::json!({
            "fill_id": "t", "trade_id": "t", "order_id": "o", "exchange_index": 0, "ticker": "KXEXAMPLE-26-LOW",
            "market_ticker": "KXEXAMPLE-26-LOW", "outcome_side": "yes", "book_side": side, "count_fp": "1.00",
            "yes_price_dollars": "0.4000", "no_price_dollars": "0.6000", "is_taker": false, "fee_cost": "0.000000",
        });
        let mut row: kalshi_sdk::types::Fill = serde_json::from_value(fill).unwrap();
        assert_eq!(Fill::try_from(&row).is_ok(), is_known, "{side}");
        row.book_side = None;
        assert!(Fill::try_from(&row).is_err());
    }
}
