//! A flow: a client that places a few orders, changes them, reconciles unknown outcomes, and checks every result.

mod changes;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::TimeDelta;
use fastrand::Rng;
use kalshi_sdk::{
    Client, Error,
    orders::{OrderLookup, OrderOutcome, Reconciliation, UnknownOrder},
    types::CreateOrderV2Request,
};
use serde_json::json;

use super::{
    model::{OldOrder, ticker},
    run::{Checks, RECONCILE, Run, TIMEOUT},
};

pub struct Flow {
    checks: Checks,
    client: Client,
    random: Rng,
    /// Size of the batch, or `None` for a single order.
    batch: Option<usize>,
    /// Client order ids of orders that may exist.
    ids: BTreeSet<String>,
    /// Order ids of existing orders.
    orders: Vec<String>,
    lookup_timeout: Duration,
}

impl Flow {
    pub fn new(run: Arc<Run>, client: Client, number: u64, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let batch = (random.u32(0..100) < 25).then(|| random.usize(2..7));
        Self {
            checks: Checks { run, number },
            client,
            random,
            batch,
            ids: BTreeSet::new(),
            orders: Vec::new(),
            lookup_timeout: Duration::from_secs(3),
        }
    }

    /// Number of orders that the flow sends.
    pub fn orders(&self) -> u64 {
        u64::try_from(self.batch.unwrap_or(1)).unwrap()
    }

    pub async fn run(mut self) {
        match self.batch {
            Some(size) => self.place_batch(size).await,
            None => self.place_one().await,
        }
        if self.batch.is_some() && self.random.bool() {
            self.cancel_batch().await;
        } else {
            let id = self.random.choice(&self.orders).cloned();
            if let Some(id) = id.filter(|_| self.random.u32(0..100) < 70) {
                self.change_order(&id).await;
            }
        }
        if self.random.u32(0..100) < 5 {
            let id = format!("order-{}-none", self.checks.number);
            self.change_order(&id).await;
        }
        if self.random.u32(0..100) < 15 {
            self.restart().await;
        }
    }

    fn request(&mut self, index: usize) -> CreateOrderV2Request {
        let letter = self.random.choice(['A', 'A', 'B']).unwrap();
        let mut order = json!({
            "ticker": ticker(self.checks.number, letter), "side": self.random.choice(["bid", "ask"]), "price": "0.5600",
            "count": "10.00", "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        });
        if self.random.u32(0..10) > 0 {
            order["client_order_id"] = json!(format!("flow-{}-{index}", self.checks.number));
        }
        if self.random.u32(0..4) == 0 {
            order["subaccount"] = json!(self.random.i64(0..4));
        }
        if self.random.u32(0..4) == 0 {
            order["exchange_index"] = json!(self.random.i64(-1..3));
        }
        serde_json::from_value(order).unwrap()
    }

    /// Adds orders from before the run, one of which may have the client order id of `order`. Returns its order id if that client
    /// order id is taken.
    fn add_old(&mut self, order: &CreateOrderV2Request) -> Option<String> {
        let model = &self.checks.run.front.model;
        for index in 0..self.random.usize(0..6) {
            model.add_old(&OldOrder {
                client_order_id: &format!("old-{}-{index}", self.checks.number),
                ticker: &order.ticker,
                side: "bid",
                subaccount: 0,
                age: TimeDelta::minutes(10 + i64::try_from(index).unwrap()),
                is_archived: false,
                is_taken: false,
                status: "executed",
            });
        }
        let id = order.client_order_id.as_deref()?;
        let side = order.side.as_str();
        let subaccount = order.subaccount.unwrap_or_default().get();
        let other_side = if side == "bid" { "ask" } else { "bid" };
        let other_market = ticker(self.checks.number, 'C');
        let (ticker, side, subaccount) = match self.random.u32(0..20) {
            0 | 1 => (order.ticker.as_str(), other_side, subaccount),
            2 => (other_market.as_str(), side, subaccount),
            // A request without a subaccount may apply to any that the key is restricted to.
            3 if order.subaccount.is_some() => (order.ticker.as_str(), side, subaccount + 1),
            4 => (order.ticker.as_str(), side, subaccount),
            _ => return None,
        };
        let is_same = subaccount == order.subaccount.unwrap_or_default()
            && side == order.side.as_str()
            && ticker == order.ticker;
        let is_taken = is_same || self.random.bool();
        let old = model.add_old(&OldOrder {
            client_order_id: id,
            ticker,
            side,
            subaccount,
            age: TimeDelta::minutes(self.random.i64(1..5_000)),
            is_archived: !is_same && self.random.bool(),
            is_taken,
            status: if is_same { "resting" } else { "executed" },
        });
        is_taken.then_some(old)
    }

    async fn place_one(&mut self) {
        let request = self.request(0);
        let taken = self.add_old(&request);
        let bound = TIMEOUT + self.lookup_timeout;
        let orders = self.client.orders();
        let call = orders.place(request.clone());
        let outcome = self.checks.timed("place", bound, call).await;
        match outcome {
            Ok(outcome) => {
                let random = self.random.fork();
                let id = self
                    .settle(random, "place", outcome, &request, taken.as_deref())
                    .await;
                self.known(id);
            }
            Err(error) => self.not_processed("place", &error, &[request]),
        }
    }

    async fn place_batch(&mut self, size: usize) {
        let requests: Vec<_> = (0..size).map(|index| self.request(index)).collect();
        let taken: Vec<_> = requests
            .iter()
            .map(|request| self.add_old(request))
            .collect();
        let bound = TIMEOUT + self.lookup_timeout;
        let orders = self.client.orders();
        let call = orders.place_batch(requests.clone());
        match self.checks.timed("batch place", bound, call).await {
            Ok(outcomes) => {
                let mut random = self.random.fork();
                let items = requests.iter().zip(&taken).zip(outcomes);
                let settled = items.map(|((request, taken), outcome)| {
                    self.settle(
                        random.fork(),
                        "batch place",
                        outcome,
                        request,
                        taken.as_deref(),
                    )
                });
                for id in futures_util::future::join_all(settled).await {
                    self.known(id);
                }
            }
            Err(error) => self.not_processed("batch place", &error, &requests),
        }
    }

    fn not_processed(&self, name: &str, error: &Error, requests: &[CreateOrderV2Request]) {
        self.checks.run.count(format!("{name}: not processed"));
        self.checks.check(
            error.was_not_processed(),
            "returned an error, but may have been processed",
            error,
        );
        for id in requests
            .iter()
            .filter_map(|request| request.client_order_id.as_deref())
        {
            let order = self.checks.run.front.model.placed(id);
            self.checks
                .check(order.is_none(), "not processed, but exists", order);
        }
    }

    /// Checks an outcome and resends or reconciles the order if it is unknown. Returns its client order id.
    async fn settle(
        &self,
        mut random: Rng,
        name: &str,
        outcome: OrderOutcome,
        request: &CreateOrderV2Request,
        taken: Option<&str>,
    ) -> Option<String> {
        let mut resends = 0;
        let mut outcome = outcome;
        let id = match (&outcome, &request.client_order_id) {
            (_, Some(id)) => Some(id.to_string()),
            (OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed), None) => {
                Some(placed.client_order_id.to_string())
            }
            (OrderOutcome::Unknown(unknown), None) => Some(unknown.client_order_id().to_owned()),
            _ => None,
        };
        let is_batch = name.starts_with("batch");
        let mut name = name.to_owned();
        loop {
            self.checks
                .run
                .count(format!("{name}: {}", describe(&outcome)));
            let unknown = match self.check_outcome(outcome, request, id.as_deref(), is_batch) {
                Some(unknown) => unknown,
                None => break,
            };
            if resends < 2 && random.u32(0..100) < 30 {
                resends += 1;
                let bound = TIMEOUT + self.lookup_timeout;
                outcome = self.checks.timed("resend", bound, unknown.resend()).await;
                name = "resend".to_owned();
                continue;
            }
            self.reconcile(&unknown, taken).await;
            break;
        }
        let id = id?;
        let duplicates = self.checks.run.front.model.duplicates(&id);
        // A resend may be retried only after a failure to connect or a 429 of the exchange itself.
        let expected = resends + usize::from(taken.is_some());
        self.checks.check(
            duplicates <= expected,
            "sent again although it was placed",
            (&id, duplicates),
        );
        Some(id)
    }

    /// Remembers the client order id of an order that may exist.
    fn known(&mut self, id: Option<String>) {
        let Some(id) = id else { return };
        self.orders.extend(
            self.checks
                .run
                .front
                .model
                .placed(&id)
                .map(|order| order.id),
        );
        self.ids.insert(id);
    }

    fn check_outcome(
        &self,
        outcome: OrderOutcome,
        request: &CreateOrderV2Request,
        id: Option<&str>,
        is_batch: bool,
    ) -> Option<UnknownOrder> {
        let ours = id.and_then(|id| self.checks.run.front.model.placed(id));
        match outcome {
            OrderOutcome::Placed(placed) => {
                let is_ours = ours.is_some_and(|order| order.id == placed.order_id);
                self.checks
                    .check(is_ours, "placed, but absent or another order", placed);
            }
            OrderOutcome::AlreadyExists(existing) => {
                let order = self.checks.run.front.model.order(&existing.order_id);
                let is_same = order.is_some_and(|order| {
                    Some(order.client_order_id.as_str()) == id
                        && !order.is_old
                        && order.ticker == request.ticker
                        && order.side == request.side.as_str()
                        && order.subaccount == request.subaccount.unwrap_or_default()
                });
                self.checks.check(
                    is_same,
                    "already exists, but absent or another order",
                    existing,
                );
            }
            OrderOutcome::Rejected(rejection) => {
                self.checks
                    .check(ours.is_none(), "rejected, but exists", &rejection);
                let markets = ['A', 'B'].map(|letter| ticker(self.checks.number, letter));
                let unknown = self.checks.run.front.model.with_made_id(&markets);
                // The markets may have other orders of a batch.
                let is_absent = id.is_some() || is_batch || unknown.is_none();
                self.checks.check(
                    is_absent,
                    "rejected, but exists under a generated id",
                    (&rejection, unknown),
                );
            }
            OrderOutcome::Unknown(unknown) => return Some(*unknown),
            other => self.checks.check(false, "unexpected outcome", other),
        }
        None
    }

    async fn reconcile(&self, unknown: &UnknownOrder, taken: Option<&str>) {
        let found = self
            .checks
            .timed("reconcile", RECONCILE, unknown.reconcile(RECONCILE))
            .await;
        let ours = self
            .checks
            .run
            .front
            .model
            .placed(unknown.client_order_id());
        let result = match &found {
            Reconciliation::Placed(placed) | Reconciliation::AlreadyExists(placed) => {
                let order = self.checks.run.front.model.order(&placed.order_id);
                let is_right = match (&ours, taken) {
                    (Some(ours), _) => ours.id == placed.order_id,
                    // The existing order has the same fields and is at least a minute old.
                    (None, Some(taken)) => {
                        taken == placed.order_id
                            && order
                                .is_some_and(|order| order.side == unknown.request().side.as_str())
                    }
                    (None, None) => false,
                };
                self.checks.check(
                    is_right,
                    "reconciled as placed, but absent or another order",
                    &found,
                );
                "Placed"
            }
            Reconciliation::NotFound => {
                self.checks
                    .check(ours.is_none(), "reconciled as absent, but exists", ours);
                "NotFound"
            }
            Reconciliation::Unknown(unresolved) => {
                let cause = match (unresolved.candidates().len(), unresolved.error()) {
                    (0, None) => "time",
                    (0, Some(error)) if error.is_row() => "row",
                    (0, Some(_)) => "time, after an error",
                    _ => "candidates",
                };
                self.checks
                    .run
                    .count(format!("cause of an unknown order: {cause}"));
                "Unknown"
            }
            other => panic!("{other:?}"),
        };
        self.checks.run.count(format!("reconcile order: {result}"));
    }

    /// Simulates a restart: looks up client order ids with a new client.
    async fn restart(&mut self) {
        let client = self.checks.run.client(Duration::from_secs(1));
        let (number, archived) = (
            self.checks.number,
            format!("archived-{}", self.checks.number),
        );
        let market = ticker(number, 'A');
        self.checks.run.front.model.add_old(&OldOrder {
            client_order_id: &archived,
            ticker: &market,
            side: "bid",
            subaccount: 0,
            age: TimeDelta::days(30),
            is_archived: true,
            is_taken: true,
            status: "canceled",
        });
        let mut ids: Vec<_> = self.ids.iter().cloned().collect();
        ids.extend([archived, format!("never-{number}")]);
        self.random.shuffle(&mut ids);
        for id in ids.iter().take(2) {
            let orders = self.checks.run.front.model.with_client_id(id);
            let market = orders
                .first()
                .map_or(market.clone(), |order| order.ticker.clone());
            let mut lookup = client.orders().find(id).timeout(RECONCILE);
            let misled_lists = self.checks.run.front.misled_lists();
            // Without a market the lookup reads all orders.
            let has_ticker =
                self.checks.run.front.model.count() > 1_000 || self.random.u32(0..10) > 0;
            if has_ticker {
                lookup = lookup.ticker(&market);
            }
            let found = self
                .checks
                .timed("find", RECONCILE, lookup.into_future())
                .await;
            let in_market = || orders.iter().filter(|order| order.ticker == market);
            let result = match found {
                OrderLookup::Found(order) => {
                    let is_right = orders.iter().any(|known| known.id == order.order_id);
                    self.checks
                        .check(is_right, "found, but another order", &order);
                    "Found"
                }
                OrderLookup::NotFound => {
                    self.checks.check(
                        // A proof reads the list twice. Other flows read other markets.
                        in_market().next().is_none()
                            || !has_ticker
                                && self.checks.run.front.misled_lists() >= misled_lists + 2,
                        "reported as absent, but exists",
                        (id, &orders),
                    );
                    "NotFound"
                }
                OrderLookup::Unknown(_) => "Unknown",
                other => panic!("{other:?}"),
            };
            self.checks.run.count(format!("find: {result}"));
        }
    }
}

fn describe(outcome: &OrderOutcome) -> &'static str {
    match outcome {
        OrderOutcome::Placed(_) => "Placed",
        OrderOutcome::AlreadyExists(_) => "AlreadyExists",
        OrderOutcome::Rejected(_) => "Rejected",
        OrderOutcome::Unknown(_) => "Unknown",
        _ => "other",
    }
}
