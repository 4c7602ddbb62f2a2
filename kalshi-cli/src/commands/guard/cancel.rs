//! Cancels orders until reads prove that none rests.

use std::{cell::Cell, time::Duration};

use chrono::{DateTime, Utc};
use kalshi_sdk::{
    Client, Error,
    orders::{ChangeOutcome, OrderGroupRef, OrderRef},
    types::Order,
};
use tokio::{
    select,
    time::{Instant, sleep, timeout_at},
};

use super::target::Target;
use crate::commands::listing::split_unresolved;

/// Pauses between rounds of cancelling: the first one, doubled up to the second one.
const BACKOFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// Timeout of the first read of the orders, doubled after each round. When it expires, the orders that were seen are cancelled.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of orders in a batch of cancels.
const BATCH_SIZE: usize = 20;

/// Cancels the orders of a target.
pub(super) struct Canceller<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    /// Time between the two reads that must both find no resting order.
    pub(super) settle: Duration,
    pub(super) deadline: Instant,
    /// `true` once the group was triggered or read, or a trigger showed that it does not exist.
    pub(super) has_found_group: Cell<bool>,
}

/// Result of cancelling the orders of a target.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// `true` if two reads, `settle` apart, found no order and a group that accepts none.
    pub(super) is_proven: bool,
    /// Number of resting orders in the last reads, or `None` if no read was up to date.
    pub(super) resting: Option<usize>,
    pub(super) requests: Requests,
}

/// Requests to cancel everything.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) count: u32,
    /// Time at which the last request ended.
    pub(super) last_ended: Option<DateTime<Utc>>,
    /// `true` between the start and the end of a request.
    is_pending: bool,
}

/// State of the target.
struct TargetState {
    orders: Vec<OrderRef>,
    /// `true` if the order group accepts orders.
    is_open: bool,
    /// The reason why the state is not proven.
    problem: Option<String>,
}

impl Canceller<'_> {
    /// Cancels until reads prove that no order rests, or the deadline passes. Calls `report` for each problem.
    pub(super) async fn run(&self, report: impl Fn(&str)) -> Outcome {
        let mut outcome = Outcome::default();
        let rounds = self.cancel_until_proven(&mut outcome, &report);
        if timeout_at(self.deadline, rounds).await.is_ok() {
            outcome.is_proven = true;
        }
        // The exchange may still process a request that is abandoned.
        if outcome.requests.is_pending {
            outcome.requests.last_ended = Some(Utc::now());
        }
        outcome
    }

    async fn cancel_until_proven(&self, outcome: &mut Outcome, report: &impl Fn(&str)) {
        let Outcome {
            requests, resting, ..
        } = outcome;
        let mut remaining = Vec::new();
        let mut orders: Vec<OrderRef> = Vec::new();
        let [mut pause, max_pause] = BACKOFF;
        let mut read_timeout = READ_TIMEOUT;
        loop {
            // If the last reads returned no orders, those whose cancel failed are cancelled again.
            if !remaining.is_empty() {
                orders = std::mem::take(&mut remaining);
            }
            let mut is_cancelled = self.cancel(&mut orders, requests, report).await;
            let [mut repeat_pause, _] = BACKOFF;
            let proof = self.prove_cancelled(read_timeout, &mut remaining, resting, report);
            tokio::pin!(proof);
            // A cancel that failed does not wait for the reads, which may lag or fail for a long time.
            let is_proven = loop {
                let repeat = async {
                    sleep(repeat_pause).await;
                    self.cancel(&mut orders, requests, report).await
                };
                select! {
                    is_proven = &mut proof => break is_proven,
                    repeated = repeat, if !is_cancelled => is_cancelled = repeated,
                }
                repeat_pause = (repeat_pause * 2).min(max_pause);
            };
            if is_proven {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(max_pause);
            read_timeout = read_timeout.saturating_mul(2);
        }
    }

    /// Reads twice. In between, requests that the bot has sent have time to arrive.
    async fn prove_cancelled(
        &self,
        read_timeout: Duration,
        remaining: &mut Vec<OrderRef>,
        resting: &mut Option<usize>,
        report: &impl Fn(&str),
    ) -> bool {
        for pause in [Duration::ZERO, self.settle] {
            sleep(pause).await;
            let state = self.read_target(read_timeout).await;
            *remaining = state.orders;
            if let Some(problem) = state.problem {
                report(&problem);
                return false;
            }
            *resting = Some(remaining.len());
            if !remaining.is_empty() {
                report(&format!(
                    "{} orders still rest, or rest again",
                    remaining.len()
                ));
                return false;
            }
            if state.is_open {
                report("the order group still accepts orders, or accepts them again");
                return false;
            }
        }
        true
    }

    /// Cancels everything, and `orders` also by id. Returns `false` if cancelling everything failed; `orders` are then those whose own
    /// cancel failed too. Errors are only reported, because the reads that follow decide.
    async fn cancel(
        &self,
        orders: &mut Vec<OrderRef>,
        requests: &mut Requests,
        report: &impl Fn(&str),
    ) -> bool {
        requests.count += 1;
        requests.is_pending = true;
        let result = match self.target {
            Target::Group(group) => self.trigger(group).await,
            Target::Subaccount(subaccount) => {
                let request = self.client.cancel_all_orders().subaccount(*subaccount);
                request.send().await.map(|_| ())
            }
        };
        requests.is_pending = false;
        requests.last_ended = Some(Utc::now());
        if let Err(error) = &result {
            report(&format!("cancelling failed and is retried: {error}"));
        }
        let mut failed = Vec::new();
        for orders in orders.chunks(BATCH_SIZE) {
            let batch = self.client.orders().cancel_batch(orders.iter().cloned());
            match batch.confirm_timeout(Duration::ZERO).await {
                Ok(outcomes) => {
                    let outcomes = orders.iter().zip(outcomes);
                    let outcomes =
                        outcomes.filter(|(_, outcome)| !matches!(outcome, ChangeOutcome::Done(_)));
                    failed.extend(outcomes.map(|(order, _)| order.clone()));
                }
                Err(_) => failed.extend_from_slice(orders),
            }
        }
        *orders = failed;
        result.is_ok()
    }

    async fn trigger(&self, group: &OrderGroupRef) -> Result<(), Error> {
        let result = self
            .client
            .trigger_order_group()
            .order_group_id(&group.order_group_id)
            .subaccount(group.subaccount)
            .exchange_index(group.exchange_index)
            .send()
            .await;
        // Writes do not lag.
        if result.as_ref().err().is_none_or(is_absent) {
            self.has_found_group.set(true);
        }
        result.map(|_| ())
    }

    /// Reads the target. If nothing is proven within `timeout`, the state has the orders that were seen.
    async fn read_target(&self, timeout: Duration) -> TargetState {
        let (subaccount, group) = match self.target {
            Target::Subaccount(subaccount) => (*subaccount, None),
            Target::Group(group) => (group.subaccount, Some(group)),
        };
        let resting = self.client.orders().resting().subaccount(subaccount);
        let (orders, problem) = split_unresolved(resting.timeout(timeout).await);
        let is_target = |order: &&Order| {
            group.is_none_or(|group| {
                order.order_group_id.as_deref() == Some(group.order_group_id.as_str())
            })
        };
        let orders = orders.iter().filter(is_target);
        let mut state = TargetState {
            // The order may lack its subaccount.
            orders: orders
                .map(|order| OrderRef::from(order).with_subaccount(subaccount))
                .collect(),
            is_open: false,
            problem,
        };
        if let Some(group) = group {
            self.read_group(group, &mut state).await;
        }
        state
    }

    /// Adds the orders that the group names and the list lacks, and records whether the group accepts orders.
    async fn read_group(&self, group: &OrderGroupRef, state: &mut TargetState) {
        let request = self.client.get_order_group();
        match request.order_group_id(&group.order_group_id).send().await {
            Ok(group_state) => {
                self.has_found_group.set(true);
                state.is_open = group_state.is_auto_cancel_enabled;
                for id in &group_state.orders {
                    let order = OrderRef::new(id.as_str())
                        .with_subaccount(group.subaccount)
                        .with_exchange_index(group.exchange_index);
                    if !state
                        .orders
                        .iter()
                        .any(|known| known.order_id() == order.order_id())
                    {
                        state.orders.push(order);
                    }
                }
            }
            // A deleted group has no orders and accepts none. A new group may be missing from reads for a few seconds.
            Err(error) if is_absent(&error) && self.has_found_group.get() => {}
            Err(error) => {
                state.problem = Some(format!("the order group cannot be read: {error}"));
            }
        }
    }
}

/// Returns `true` if the exchange responded that the group does not exist.
fn is_absent(error: &Error) -> bool {
    error.is_not_found() && error.api().is_some_and(|api| api.is_from_exchange())
}
