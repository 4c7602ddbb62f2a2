//! Outcomes of margin orders and their changes on a server that fails, lags and mixes up responses, compared with its actual orders.

#[path = "../../../tests/it/hostile/case.rs"]
pub mod case;
mod flow;
#[path = "../../../tests/it/hostile/front.rs"]
mod front;
pub mod model;
#[path = "../../../tests/it/hostile/run.rs"]
mod run;
pub mod samples;

use self::{flow::Flow, run::Run};

/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_agree_with_the_margin_orders_of_a_hostile_server() {
    let run = Run::complete(600, |run, client, number, seed| {
        let flow = Flow::new(run, client, number, seed);
        (1, Box::pin(flow.run()))
    });
    let run = run.await;
    let (unknown, all) = (run.total("end: ", "Unknown"), run.total("end: ", ""));
    println!("{unknown} of {all} orders ended with an unknown outcome");
    run.assert_known("end: ", 75);
    // Lists lag too much to prove that an order was not placed, so only those that were placed can be known.
    run.assert_known("reconcile order", 75);
}
