//! Changes to the order of a flow, and checks of their outcomes.

use std::{fmt::Debug, time::Duration};

use kalshi_perps::{
    Contracts, Error,
    orders::{Amendment, ChangeOutcome, ChangeReconciliation, Decrease, OrderRef, OrderState},
};

use super::Flow;
use crate::hostile::{
    model::{Order, State},
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
        match self {
            Self::Cancel => after.is_cancelled(),
            Self::DecreaseBy(by) => {
                before.state().remaining.checked_sub(*by) == Some(after.state().remaining)
            }
            Self::DecreaseTo(count) if count.is_zero() => after.is_cancelled(),
            Self::DecreaseTo(count) => after.state().remaining == *count,
            Self::Amend(..) => self.is_wanted(after.state()),
        }
    }

    /// Returns `true` if a state is as requested, regardless of its cause.
    fn is_wanted(&self, state: &State) -> bool {
        match self {
            Self::Amend(price, count) => {
                state.price == *price && state.filled + state.remaining == *count
            }
            Self::DecreaseTo(count) => state.remaining <= *count,
            Self::Cancel | Self::DecreaseBy(_) => false,
        }
    }
}

impl Flow {
    /// Returns a reference to an order, one time in ten with the wrong subaccount.
    fn key(&mut self, order: &Order) -> OrderRef {
        let subaccount = match self.random.u32(0..10) {
            0 => order.subaccount + 1,
            _ => order.subaccount,
        };
        OrderRef::new(&order.id, subaccount).with_ticker(&order.ticker)
    }

    fn confirm(&mut self) -> Duration {
        Duration::from_millis(self.random.choice([0, 2_000, 2_000, 4_000]).unwrap())
    }

    pub(super) async fn change_order(&mut self, id: &str) {
        let order = |flow: &Self| flow.checks.run.front.model.order(id).unwrap();
        if order(self).rests() {
            let model = &self.checks.run.front.model;
            match self.random.u32(0..8) {
                0..2 => model.execute(id),
                2 => model.fill(id, Contracts::ONE),
                _ => {}
            }
        }
        for _ in 0..self.random.u32(1..3) {
            let before = order(self);
            let (key, confirm) = (self.key(&before), self.confirm());
            let orders = self.client.orders();
            let bound = TIMEOUT + confirm;
            match self.random.u32(0..10) {
                0..5 => {
                    let call = orders.cancel(&key).confirm_timeout(confirm).into_future();
                    let outcome = self.checks.timed("cancel", bound, call).await;
                    self.settle("cancel", &Change::Cancel, &before, outcome)
                        .await;
                }
                5..8 => {
                    let price = self.random.choice(["6.2590", "7.0000"]).unwrap();
                    let count = Contracts::from(self.random.i32(8..13));
                    let amendment = match before.side.as_str() {
                        "bid" => Amendment::buy(price.parse().unwrap(), count),
                        _ => Amendment::sell(price.parse().unwrap(), count),
                    };
                    let call = orders.amend(&key, amendment).confirm_timeout(confirm);
                    let outcome = self.checks.timed("amend", bound, call.into_future()).await;
                    let wanted = Change::Amend(price, count);
                    self.settle("amend", &wanted, &before, outcome).await;
                }
                _ => {
                    let by: Contracts = "0.50".parse().unwrap();
                    let (decrease, wanted) = match self.random.u32(0..3) {
                        0 => (Decrease::By(by), Change::DecreaseBy(by)),
                        1 => (Decrease::To(by), Change::DecreaseTo(by)),
                        _ => {
                            let zero = Contracts::ZERO;
                            (Decrease::To(zero), Change::DecreaseTo(zero))
                        }
                    };
                    let call = orders.decrease(&key, decrease).confirm_timeout(confirm);
                    let call = call.into_future();
                    let outcome = self.checks.timed("decrease", bound, call).await;
                    self.settle("decrease", &wanted, &before, outcome).await;
                }
            }
        }
    }

    async fn settle<T: Debug>(
        &self,
        name: &str,
        wanted: &Change,
        before: &Order,
        outcome: Result<ChangeOutcome<T>, Error>,
    ) {
        let order = || self.checks.run.front.model.order(&before.id).unwrap();
        let after = order();
        let writes = after.writes() - before.writes();
        let check = |holds: bool, text: &str, detail: &dyn Debug| {
            self.checks.check(holds, &format!("{name} {text}"), detail);
        };
        check(writes <= 1, "done twice", &after);
        let result = match outcome {
            Err(error) => {
                check(
                    error.was_not_processed() && writes == 0,
                    "returned an error, but may have been processed",
                    &(&error, &after),
                );
                "not processed"
            }
            Ok(ChangeOutcome::Done(response)) => {
                let is_done = writes == 1 && wanted.is_done(before, &after);
                check(is_done, "done, but was not", &(wanted, &response, &after));
                "Done"
            }
            Ok(ChangeOutcome::AlreadyGone(order)) => {
                let is_gone = !before.rests()
                    && order.fill_count == before.state().filled
                    && order.state(before.count).has_ended();
                let is_cancelled = order.state(before.count) == OrderState::Cancelled;
                check(
                    is_gone && is_cancelled == before.is_cancelled(),
                    "already gone, but was not",
                    &(&order, &after),
                );
                "AlreadyGone"
            }
            Ok(ChangeOutcome::Rejected(rejection)) => {
                check(
                    rejection.code() != Some("not_found") && writes == 0,
                    "rejected, but changed",
                    &(&rejection, &after),
                );
                "Rejected"
            }
            Ok(ChangeOutcome::Unknown(unknown)) => {
                self.checks.run.count(format!("{name}: Unknown"));
                let call = unknown.reconcile(RECONCILE);
                let found = self.checks.timed("reconcile change", RECONCILE, call).await;
                // The change may have been processed after the client had timed out.
                let after = order();
                let detail = (wanted, &after, &found);
                let result = match &found {
                    ChangeReconciliation::Ended(found) => {
                        let is_cancelled = found.state(after.count) == OrderState::Cancelled;
                        check(
                            !after.rests() && is_cancelled == after.is_cancelled(),
                            "reconciled as ended, but with another state",
                            &detail,
                        );
                        "Ended"
                    }
                    ChangeReconciliation::Applied(_) => {
                        let is_done = wanted.is_done(before, &after);
                        let was_like_that = before.states().any(|state| wanted.is_wanted(state));
                        check(
                            is_done || was_like_that,
                            "reconciled as wanted, but never was",
                            &detail,
                        );
                        "Applied"
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

    /// Cancels an order that never existed, and checks that no outcome reports a change.
    pub(super) async fn change_absent(&mut self, id: &str) {
        let confirm = self.confirm();
        let call = self.client.orders().cancel(OrderRef::new(id, 0));
        let call = call.confirm_timeout(confirm).into_future();
        let outcome = self.checks.timed("cancel", TIMEOUT + confirm, call).await;
        let result = match outcome {
            Err(error) => {
                self.checks.check(
                    error.was_not_processed(),
                    "returned an error, but may have been processed",
                    &error,
                );
                "not processed"
            }
            Ok(ChangeOutcome::Rejected(rejection)) if rejection.code() != Some("not_found") => {
                "Rejected"
            }
            Ok(ChangeOutcome::Unknown(unknown)) => {
                let call = unknown.reconcile(Duration::from_secs(1));
                let found = call.await;
                let is_unknown = matches!(found, ChangeReconciliation::Unknown(_));
                self.checks
                    .check(is_unknown, "an order that never existed", found);
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
            .count(format!("cancel of absent order: {result}"));
    }
}
