//! A flow: a client that places an order, changes it, reconciles unknown outcomes, and checks every result.

mod changes;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use fastrand::Rng;
use kalshi_perps::{
    Client, SubaccountNumber,
    orders::{OrderLookup, OrderOutcome, Reconciliation, Subaccounts, UnknownOrder},
    types::CreateMarginOrderRequest,
};
use serde_json::json;

use super::{
    model::{OldOrder, Order, ticker},
    run::{Checks, RECONCILE, Run, TIMEOUT},
};

const LOOKUP: Duration = Duration::from_secs(3);

pub struct Flow {
    checks: Checks,
    client: Client,
    random: Rng,
}

impl Flow {
    pub fn new(run: Arc<Run>, client: Client, number: u64, seed: u64) -> Self {
        let checks = Checks { run, number };
        let random = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
        Self {
            checks,
            client,
            random,
        }
    }

    pub async fn run(mut self) {
        let request = self.request();
        let old = self.add_old(&request);
        let id = self.place(&request, old.as_deref()).await;
        let placed = id.and_then(|id| self.checks.run.front.model.with_client_id(&id));
        if let Some(order) = placed.filter(|order| order.is_of_run && self.random.u32(0..100) < 70)
        {
            self.change_order(&order.id).await;
        }
        if self.random.u32(0..100) < 5 {
            let id = format!("order-{}-none", self.checks.number);
            self.change_absent(&id).await;
        }
        if self.random.u32(0..100) < 15 {
            self.find(&request).await;
        }
    }

    fn request(&mut self) -> CreateMarginOrderRequest {
        let letter = self.random.choice(['A', 'A', 'B']).unwrap();
        let time_in_force = match self.random.u32(0..4) {
            0 => "immediate_or_cancel",
            _ => "good_till_canceled",
        };
        let mut order = json!({
            "ticker": ticker(self.checks.number, letter), "side": self.random.choice(["bid", "ask"]), "price": "6.2590",
            "count": "10.00", "time_in_force": time_in_force, "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": "",
        });
        if self.random.u32(0..10) > 0 {
            order["client_order_id"] = json!(format!("flow-{}", self.checks.number));
        }
        if self.random.u32(0..4) == 0 {
            order["subaccount"] = json!(self.random.i64(0..4));
        }
        serde_json::from_value(order).unwrap()
    }

    /// Adds orders from before the run. In one of four flows one of them has the client order id of `order`; returns its order id.
    fn add_old(&mut self, order: &CreateMarginOrderRequest) -> Option<String> {
        let model = &self.checks.run.front.model;
        let (ticker_of_order, side) = (order.ticker.as_deref().unwrap(), order.side.as_str());
        let old = OldOrder {
            client_order_id: &order.client_order_id,
            ticker: ticker_of_order,
            side,
            subaccount: order.subaccount.unwrap_or_default().get(),
            age: TimeDelta::minutes(self.random.i64(1..5_000)),
            rests: self.random.bool(),
        };
        for index in 0..self.random.usize(0..4) {
            let id = format!("old-{}-{index}", self.checks.number);
            let client_order_id = id.as_str();
            model.add_old(&OldOrder {
                client_order_id,
                ..old
            });
        }
        if order.client_order_id.is_empty() {
            return None;
        }
        let other_side = if side == "bid" { "ask" } else { "bid" };
        let other_market = ticker(self.checks.number, 'C');
        let old = match self.random.u32(0..20) {
            0 => OldOrder {
                side: other_side,
                ..old
            },
            1 => OldOrder {
                ticker: &other_market,
                ..old
            },
            2 => OldOrder {
                subaccount: old.subaccount + 1,
                ..old
            },
            3 | 4 => old,
            _ => return None,
        };
        Some(model.add_old(&old))
    }

    /// Places the order and returns its client order id.
    async fn place(
        &mut self,
        request: &CreateMarginOrderRequest,
        old: Option<&str>,
    ) -> Option<String> {
        let orders = self.client.orders();
        let bound = TIMEOUT + LOOKUP;
        let call = orders.place(request.clone());
        let mut outcome = match self.checks.timed("place", bound, call).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.checks.run.count("place: not processed");
                self.checks.run.count("end: not processed");
                self.checks.check(
                    error.was_not_processed(),
                    "returned an error, but may have been processed",
                    &error,
                );
                let placed = self.placed();
                self.checks
                    .check(placed.is_empty(), "not processed, but exists", placed);
                return None;
            }
        };
        let id = match &outcome {
            OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => {
                Some(placed.client_order_id.to_string())
            }
            OrderOutcome::Unknown(unknown) | OrderOutcome::Unlisted(unknown) => {
                Some(unknown.client_order_id().to_owned())
            }
            _ => None,
        };
        let (mut resends, mut name) = (0, "place");
        let end = loop {
            self.checks
                .run
                .count(format!("{name}: {}", describe(&outcome)));
            self.check_outcome(&outcome, request, id.as_deref());
            let unknown = match &outcome {
                OrderOutcome::Unknown(unknown) | OrderOutcome::Unlisted(unknown) => unknown,
                settled => break describe(settled),
            };
            let is_unlisted = matches!(outcome, OrderOutcome::Unlisted(_));
            if resends < 2 && !is_unlisted && self.random.u32(0..100) < 30 {
                resends += 1;
                outcome = self.checks.timed("resend", bound, unknown.resend()).await;
                name = "resend";
                continue;
            }
            break match self.reconcile(unknown, old).await {
                "Unknown" if is_unlisted => "Unlisted",
                end => end,
            };
        };
        self.checks.run.count(format!("end: {end}"));
        let placed = self.placed();
        self.checks
            .check(placed.len() <= 1, "placed twice", &placed);
        if let Some(id) = &id {
            // A resend may be retried only after a failure to connect or a 429 of the exchange itself.
            let duplicates = self.checks.run.front.model.duplicates(id);
            self.checks.check(
                duplicates <= resends + usize::from(old.is_some()),
                "sent again although it was placed",
                (id, duplicates),
            );
        }
        id
    }

    /// Returns the orders that the flow has placed.
    fn placed(&self) -> Vec<Order> {
        let model = &self.checks.run.front.model;
        let markets = ['A', 'B'].map(|letter| ticker(self.checks.number, letter));
        let orders = markets.iter().flat_map(|market| model.of_market(market));
        orders.collect()
    }

    fn check_outcome(
        &self,
        outcome: &OrderOutcome,
        request: &CreateMarginOrderRequest,
        id: Option<&str>,
    ) {
        let model = &self.checks.run.front.model;
        let placed = self.placed();
        match outcome {
            OrderOutcome::Placed(found) => {
                let is_ours = placed.iter().any(|order| order.id == found.order_id);
                self.checks
                    .check(is_ours, "placed, but absent or another order", found);
            }
            OrderOutcome::AlreadyExists(existing) => {
                let is_same = model.order(&existing.order_id).is_some_and(|order| {
                    Some(order.client_order_id.as_str()) == id
                        && Some(&order.ticker) == request.ticker.as_ref()
                        && order.side == request.side.as_str()
                        && request.subaccount.unwrap_or_default() == order.subaccount
                });
                self.checks.check(
                    is_same,
                    "already exists, but absent or another order",
                    existing,
                );
            }
            OrderOutcome::Unlisted(unknown) => {
                let existing = model.with_client_id(unknown.client_order_id());
                self.checks
                    .check(existing.is_some(), "unlisted, but absent", unknown);
            }
            OrderOutcome::Rejected(rejection) => {
                self.checks.check(
                    placed.is_empty(),
                    "rejected, but exists",
                    (rejection, &placed),
                );
            }
            OrderOutcome::Unknown(_) => {}
            other => self.checks.check(false, "unexpected outcome", other),
        }
    }

    async fn reconcile(&self, unknown: &UnknownOrder, old: Option<&str>) -> &'static str {
        let call = unknown.reconcile(RECONCILE);
        let found = self.checks.timed("reconcile", RECONCILE, call).await;
        let placed = self.placed();
        let result = match &found {
            Reconciliation::Placed(order) => {
                let is_ours = match placed.first() {
                    Some(ours) => ours.id == order.order_id,
                    // The clocks may differ too much to distinguish an order from before the run from this one.
                    None => old == Some(order.order_id.as_str()),
                };
                self.checks.check(
                    is_ours,
                    "reconciled as placed, but absent or another order",
                    &found,
                );
                "Placed"
            }
            Reconciliation::AlreadyExists(order) => {
                let is_right = placed.is_empty() && old == Some(order.order_id.as_str());
                self.checks
                    .check(is_right, "reconciled as older, but was not", &found);
                "AlreadyExists"
            }
            Reconciliation::Unknown(_) => "Unknown",
            other => panic!("{other:?}"),
        };
        let kind = match placed.is_empty() {
            true => "reconcile no order",
            false => "reconcile order",
        };
        self.checks.run.count(format!("{kind}: {result}"));
        result
    }

    /// Simulates a restart: looks up the order of the flow, or one that never existed, with a new client.
    async fn find(&mut self, request: &CreateMarginOrderRequest) {
        let client = self.checks.run.client(Duration::from_secs(1));
        let never = format!("never-{}", self.checks.number);
        let id = match self.random.u32(0..3) {
            0 => never.as_str(),
            _ => request.client_order_id.as_str(),
        };
        let subaccounts = match self.random.bool() {
            true => Subaccounts::All,
            false => SubaccountNumber::PRIMARY.into(),
        };
        let market = request.ticker.clone().unwrap();
        let lookup = client.orders().find(id, subaccounts).ticker(market);
        let lookup = lookup.timeout(RECONCILE).into_future();
        let result = match self.checks.timed("find", RECONCILE, lookup).await {
            OrderLookup::Found(order) => {
                let known = self.checks.run.front.model.with_client_id(id);
                let is_right = known.is_some_and(|known| known.id == order.order_id);
                self.checks
                    .check(is_right, "found, but another order", &order);
                "Found"
            }
            OrderLookup::Unknown(_) => "Unknown",
            other => panic!("{other:?}"),
        };
        self.checks.run.count(format!("find: {result}"));
    }
}

fn describe(outcome: &OrderOutcome) -> &'static str {
    match outcome {
        OrderOutcome::Placed(_) => "Placed",
        OrderOutcome::AlreadyExists(_) => "AlreadyExists",
        OrderOutcome::Unlisted(_) => "Unlisted",
        OrderOutcome::Rejected(_) => "Rejected",
        _ => "Unknown",
    }
}
