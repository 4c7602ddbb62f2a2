//! Outcomes of orders and changes on a server that fails, lags and mixes up responses, compared with its actual orders.

pub(crate) mod case;
mod changes;
mod flow;
mod front;
mod lookups;
mod memory;
pub(crate) mod model;
mod outcomes;
mod run;
mod samples;

use self::{flow::Flow, run::Run};

/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_agree_with_the_orders_of_a_hostile_server() {
    let run = Run::complete(400, |run, client, number, seed| {
        let flow = Flow::new(run, client, number, seed);
        (flow.orders(), Box::pin(flow.run()))
    });
    let run = run.await;
    for kind in ["reconcile order", "reconcile change", "find"] {
        run.assert_known(kind, 50);
    }
}
