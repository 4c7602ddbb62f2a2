//! Changes to the orders of a flow, and checks of their outcomes.

use std::{fmt::Debug, time::Duration};

use kalshi_sdk::{
    Contracts, Error,
    orders::{ChangeOutcome, ChangeReconciliation, Decrease, OrderRef},
    types::AmendOrderV2Request,
};

use serde_json::json;

use super::Flow;
use crate::hostile::{
    model::{Order, shard_of, ticker},
    run::{RECONCILE, TIMEOUT},
};

/// A change as requested.
#[derive(Clone, Debug)]
enum Change {
    Cancel,
    Amend(&'static str, Contracts),
    DecreaseBy(Contracts),
    DecreaseTo(Contracts),
}

impl Change {
    fn is_done(&self, before: &Order, after: &Order) -> bool {
        let (before, after) = (before.state(), after.state());
        match self {
            Self::Cancel => after.status == "canceled",
            Self::Amend(price, count) => {
                after.price == *price && after.filled.checked_add(after.remaining) == Some(*count)
            }
            Self::DecreaseBy(by) => before.remaining.checked_sub(*by) == Some(after.remaining),
            Self::DecreaseTo(count) => after.remaining == *count,
        }
    }
}

impl Flow {
    fn key(&mut self, id: &str) -> OrderRef {
        let Some(order) = self.checks.run.front.model.order(id) else {
            return OrderRef::new(id);
        };
        let full = OrderRef::new(id)
            .with_market(&order.ticker)
            .with_subaccount(order.subaccount)
            .with_exchange_index(order.shard);
        match self.random.u32(0..10) {
            0..2 => OrderRef::new(id),
            2 => OrderRef::new(id).with_market(&order.ticker),
            3 => full.with_subaccount(order.subaccount + 1),
            4 => full.with_exchange_index((order.shard + 1) % 3),
            5 if order.shard == shard_of(&order.ticker) => OrderRef::new(id)
                .with_market(&order.ticker)
                .with_subaccount(order.subaccount),
            _ => full,
        }
    }

    fn confirm(&mut self) -> Duration {
        Duration::from_millis(self.random.choice([0, 2_000, 2_000, 4_000]).unwrap())
    }

    pub(super) async fn change_order(&mut self, id: &str) {
        let rests = self
            .checks
            .run
            .front
            .model
            .order(id)
            .is_some_and(|order| order.rests());
        if rests && self.random.u32(0..4) == 0 {
            self.checks.run.front.model.execute(id);
        }
        for _ in 0..self.random.u32(1..3) {
            let (key, confirm) = (self.key(id), self.confirm());
            let market = self
                .checks
                .run
                .front
                .model
                .order(id)
                .map(|order| order.ticker);
            let market = market.unwrap_or_else(|| ticker(self.checks.number, 'A'));
            let bound = TIMEOUT + confirm;
            let before = self.checks.run.front.model.order(id);
            let client = self.client.clone();
            match self.random.u32(0..10) {
                0..5 => {
                    let call = client.orders().cancel(key.clone()).confirm_timeout(confirm);
                    let outcome = self.checks.timed("cancel", bound, call.into_future()).await;
                    self.settle_change("cancel", &Change::Cancel, &key, before, outcome)
                        .await;
                }
                5..8 => {
                    let price = self.random.choice(["0.5500", "0.5700"]).unwrap();
                    let count = Contracts::from(self.random.i32(8..13));
                    let amend: AmendOrderV2Request = serde_json::from_value(
                        json!({ "ticker": market, "side": "bid", "price": price, "count": count }),
                    )
                    .unwrap();
                    let call = client
                        .orders()
                        .amend(key.clone(), amend)
                        .confirm_timeout(confirm);
                    let outcome = self.checks.timed("amend", bound, call.into_future()).await;
                    let wanted = Change::Amend(price, count);
                    self.settle_change("amend", &wanted, &key, before, outcome)
                        .await;
                }
                _ => {
                    let by: Contracts = "0.50".parse().unwrap();
                    let (decrease, wanted) = if self.random.bool() {
                        (Decrease::By(by), Change::DecreaseBy(by))
                    } else {
                        (Decrease::To(by), Change::DecreaseTo(by))
                    };
                    let call = client
                        .orders()
                        .decrease(key.clone(), decrease)
                        .confirm_timeout(confirm);
                    let outcome = self
                        .checks
                        .timed("decrease", bound, call.into_future())
                        .await;
                    self.settle_change("decrease", &wanted, &key, before, outcome)
                        .await;
                }
            }
        }
    }

    pub(super) async fn cancel_batch(&mut self) {
        let mut ids = self.orders.clone();
        if self.random.u32(0..4) == 0 {
            ids.push(format!("order-{}-none", self.checks.number));
        }
        let keys: Vec<_> = ids.iter().map(|id| self.key(id)).collect();
        let confirm = self.confirm();
        let model = &self.checks.run.front.model;
        let before: Vec<_> = ids.iter().map(|id| model.order(id)).collect();
        let call = self
            .client
            .orders()
            .cancel_batch(&keys)
            .confirm_timeout(confirm);
        let bound = TIMEOUT + confirm;
        match self
            .checks
            .timed("batch cancel", bound, call.into_future())
            .await
        {
            Ok(outcomes) => {
                let items = keys.iter().zip(before).zip(outcomes);
                let settled = items.map(|((key, before), outcome)| {
                    self.settle_change("batch cancel", &Change::Cancel, key, before, Ok(outcome))
                });
                futures_util::future::join_all(settled).await;
            }
            Err(error) => {
                self.checks.check(
                    error.was_not_processed(),
                    "returned an error, but may have been processed",
                    &error,
                );
                for before in before.into_iter().flatten() {
                    let after = self.checks.run.front.model.order(&before.id).unwrap();
                    self.checks.check(
                        after.writes() == before.writes(),
                        "not processed, but changed",
                        &after,
                    );
                }
            }
        }
    }

    async fn settle_change<T: Debug>(
        &self,
        name: &str,
        wanted: &Change,
        key: &OrderRef,
        before: Option<Order>,
        outcome: Result<ChangeOutcome<T>, Error>,
    ) {
        let after = self.checks.run.front.model.order(key.order_id());
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            _ => return self.settle_absent(name, outcome).await,
        };
        let writes = after.writes() - before.writes();
        self.checks.check(writes <= 1, "done twice", (name, &after));
        let subject = |text: &str| format!("{name} {text}");
        let result = match outcome {
            Err(error) => {
                self.checks.check(
                    error.was_not_processed(),
                    "returned an error, but may have been processed",
                    &error,
                );
                self.checks
                    .check(writes == 0, &subject("not processed, but changed"), &after);
                "not processed"
            }
            Ok(ChangeOutcome::Done(response)) => {
                let is_done = writes == 1 && wanted.is_done(&before, &after);
                self.checks.check(
                    is_done,
                    &subject("done, but was not"),
                    (wanted, &response, &after),
                );
                "Done"
            }
            Ok(ChangeOutcome::AlreadyGone(order)) => {
                let is_gone = !before.rests()
                    && order.status.as_str() == before.state().status
                    && order.fill_count_fp == before.state().filled;
                self.checks.check(
                    is_gone,
                    &subject("already gone, but was not"),
                    (&order, &after),
                );
                "AlreadyGone"
            }
            Ok(ChangeOutcome::NotApplied(order)) => {
                self.checks
                    .check(writes == 0, &subject("not applied, but changed"), &after);
                let is_elsewhere = key
                    .subaccount()
                    .is_some_and(|subaccount| subaccount != after.subaccount)
                    || key
                        .exchange_index()
                        .or(key.market_ticker().is_none().then_some(0))
                        .is_some_and(|shard| shard != after.shard);
                match (after.rests(), is_elsewhere) {
                    (true, _) => {}
                    // Two reads show where an order is, and its status may be out of date in both.
                    (false, true) => self
                        .checks
                        .run
                        .count("not applied elsewhere, where the order had ended unseen"),
                    (false, false) => self.checks.violation(subject(&format!(
                        "not applied, but the order has ended: {after:?}"
                    ))),
                }
                self.checks.check(
                    order.order_id == after.id,
                    &subject("not applied to another order"),
                    &order,
                );
                "NotApplied"
            }
            Ok(ChangeOutcome::Rejected(rejection)) => {
                let is_absent = rejection.code() == Some("not_found");
                self.checks.check(
                    !is_absent,
                    &subject("absent, but exists"),
                    (&rejection, &after),
                );
                self.checks.check(
                    writes == 0,
                    &subject("rejected, but changed"),
                    (&rejection, &after),
                );
                "Rejected"
            }
            Ok(ChangeOutcome::Unknown(unknown)) => {
                self.checks.run.count(format!("{name}: Unknown"));
                let call = unknown.reconcile(RECONCILE);
                let found = self.checks.timed("reconcile change", RECONCILE, call).await;
                // The change may have been processed after the client had timed out.
                let after = self.checks.run.front.model.order(key.order_id()).unwrap();
                let (is_done, writes) = (
                    wanted.is_done(&before, &after),
                    after.writes() - before.writes(),
                );
                let result = match &found {
                    ChangeReconciliation::Done(_) => {
                        let is_as_wanted = is_done
                            || matches!(wanted, Change::DecreaseTo(count) if after.state().remaining <= *count);
                        self.checks.check(
                            is_as_wanted,
                            &subject("reconciled as done, but was not"),
                            (wanted, &after),
                        );
                        "Done"
                    }
                    ChangeReconciliation::NotDone(_) => {
                        let is_done = is_done && (writes > 0 || before.rests());
                        self.checks.check(
                            !is_done,
                            &subject("reconciled as not done, but was"),
                            (wanted, &after, &found),
                        );
                        "NotDone"
                    }
                    ChangeReconciliation::NotFound => {
                        self.checks.check(
                            false,
                            &subject("reconciled as absent, but exists"),
                            &after,
                        );
                        "NotFound"
                    }
                    ChangeReconciliation::Unclear(_) => "Unclear",
                    ChangeReconciliation::Unknown(_) => "Unknown",
                    other => panic!("{other:?}"),
                };
                return self.checks.run.count(format!("reconcile change: {result}"));
            }
            other => panic!("{other:?}"),
        };
        self.checks.run.count(format!("{name}: {result}"));
    }

    /// Checks the outcome of a change to an order that never existed.
    async fn settle_absent<T: Debug>(&self, name: &str, outcome: Result<ChangeOutcome<T>, Error>) {
        let result = match outcome {
            Err(error) => {
                self.checks.check(
                    error.was_not_processed(),
                    "returned an error, but may have been processed",
                    &error,
                );
                "not processed"
            }
            Ok(ChangeOutcome::Rejected(_)) => "Rejected",
            Ok(ChangeOutcome::Unknown(unknown)) => {
                let call = unknown.reconcile(RECONCILE);
                match self.checks.timed("reconcile change", RECONCILE, call).await {
                    ChangeReconciliation::NotFound | ChangeReconciliation::Unknown(_) => {}
                    other => self
                        .checks
                        .check(false, "an order that never existed", other),
                }
                "Unknown"
            }
            Ok(other) => {
                self.checks
                    .check(false, "a change to an order that never existed", other);
                "wrong"
            }
        };
        self.checks
            .run
            .count(format!("{name} of no order: {result}"));
    }
}
