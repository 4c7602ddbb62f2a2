//! A model of the exchange whose reads lag behind its writes by varying times, and which reports how current they are.

mod orders;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use kalshi_sdk::Contracts;
use serde_json::{Value, json};

use crate::common::exchange::{Received, Reply};

/// Number of shards. The number of a market modulo this is its shard.
const SHARDS: i64 = 3;

/// Name of the price field of an order.
pub const PRICE: &str = "yes_price_dollars";

/// Returns the ticker of a market of a flow.
pub fn ticker(flow: u64, letter: char) -> String {
    format!("KXTEST-26-{letter}{flow}")
}

/// Returns the number of the flow from a ticker or an order id.
pub fn flow_of(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix("KXTEST-26-")
        .and_then(|rest| rest.get(1..))
        .or_else(|| text.strip_prefix("order-")?.split('-').next())?;
    digits.parse().ok()
}

pub fn shard_of(ticker: &str) -> i64 {
    i64::try_from(flow_of(ticker).unwrap_or_default()).unwrap() % SHARDS
}

/// The mutable state of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub price: String,
    pub filled: Contracts,
    pub remaining: Contracts,
    pub status: &'static str,
}

/// A state of an order, and the times from which lists and single reads show it.
#[derive(Clone, Debug)]
struct Version {
    state: State,
    seen: [DateTime<Utc>; 2],
    /// The serialized order. Lists are long.
    row: OnceLock<String>,
}

#[derive(Clone, Copy)]
enum View {
    List,
    Single,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub client_order_id: String,
    pub ticker: String,
    pub side: String,
    pub subaccount: i64,
    pub shard: i64,
    pub count: Contracts,
    created: DateTime<Utc>,
    /// `true` if placed before the run with a client order id that is free again.
    pub is_old: bool,
    /// `true` if placed during the run.
    pub is_of_run: bool,
    /// `true` if only the archive lists it.
    is_archived: bool,
    versions: Vec<Version>,
}

impl Order {
    pub fn state(&self) -> &State {
        &self.versions.last().unwrap().state
    }

    pub fn rests(&self) -> bool {
        self.state().status == "resting"
    }

    /// Returns the number of versions, which grows with every write.
    pub fn writes(&self) -> usize {
        self.versions.len()
    }

    /// Returns the serialized order as of the version that a read shows.
    fn row(&self, view: View, now: DateTime<Utc>) -> Option<&str> {
        let is_seen = |version: &&Version| version.seen[view as usize] <= now;
        let version = self.versions.iter().rev().find(is_seen)?;
        let row = || self.serialize(&version.state).to_string();
        Some(version.row.get_or_init(row))
    }

    fn serialize(&self, state: &State) -> Value {
        json!({
            "order_id": self.id, "client_order_id": self.client_order_id, "ticker": self.ticker, "user_id": "u",
            "status": state.status, "type": "limit", "book_side": self.side,
            "outcome_side": if self.side == "bid" { "yes" } else { "no" },
            "yes_price_dollars": state.price, "no_price_dollars": "0.4400", "fill_count_fp": state.filled,
            "remaining_count_fp": state.remaining, "initial_count_fp": self.count, "created_time": self.created,
            "subaccount_number": self.subaccount, "exchange_index": self.shard,
            "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000",
            "maker_fill_cost_dollars": "0.0000", "taker_fill_cost_dollars": "0.0000",
        })
    }
}

/// An order from before the run.
pub struct OldOrder<'a> {
    pub client_order_id: &'a str,
    pub ticker: &'a str,
    pub side: &'a str,
    pub subaccount: i64,
    pub age: TimeDelta,
    pub is_archived: bool,
    /// `true` if its client order id is still taken.
    pub is_taken: bool,
    pub status: &'static str,
}

#[derive(Default)]
struct Orders {
    all: Vec<Order>,
    by_id: HashMap<String, usize>,
    by_market: BTreeMap<String, Vec<usize>>,
    by_client_id: HashMap<String, Vec<usize>>,
    /// Number of duplicate rejections by client order id.
    duplicates: HashMap<String, usize>,
    /// Times of writes that are not visible to all reads yet, with the times from which they are.
    unseen: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    random: Rng,
    /// `true` to disable randomness: orders are not filled, every read has the maximum lag, and pages are full.
    is_calm: bool,
}

pub struct Model {
    orders: Mutex<Orders>,
    max_lag: TimeDelta,
}

impl Model {
    pub fn new(seed: u64, max_lag: TimeDelta) -> Self {
        let orders = Orders {
            random: Rng::with_seed(seed),
            ..Orders::default()
        };
        Self {
            orders: Mutex::new(orders),
            max_lag,
        }
    }

    /// Returns a model without randomness, whose reads lag by `lag`.
    pub fn calm(lag: Duration) -> Self {
        let model = Self::new(0, TimeDelta::from_std(lag).unwrap());
        model.lock().is_calm = true;
        model
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap()
    }

    /// Returns the current order with this id.
    pub fn order(&self, id: &str) -> Option<Order> {
        let orders = self.lock();
        orders.by_id.get(id).map(|index| orders.all[*index].clone())
    }

    /// Returns the order placed during the run under this client order id.
    pub fn placed(&self, client_order_id: &str) -> Option<Order> {
        let orders = self.lock();
        let found = orders.by_client_id.get(client_order_id)?;
        let mut found = found.iter().map(|index| &orders.all[*index]);
        found.find(|order| order.is_of_run).cloned()
    }

    /// Returns the number of duplicate rejections of this client order id.
    pub fn duplicates(&self, client_order_id: &str) -> usize {
        let orders = self.lock();
        orders.duplicates.get(client_order_id).copied().unwrap_or(0)
    }

    /// Returns all orders with this client order id.
    pub fn with_client_id(&self, client_order_id: &str) -> Vec<Order> {
        let orders = self.lock();
        let found = orders
            .by_client_id
            .get(client_order_id)
            .into_iter()
            .flatten();
        found.map(|index| orders.all[*index].clone()).collect()
    }

    /// Returns an order placed during the run in one of these markets under a generated client order id.
    pub fn with_made_id(&self, markets: &[String]) -> Option<Order> {
        let orders = self.lock();
        let mut found = markets
            .iter()
            .flat_map(|market| orders.by_market.get(market))
            .flatten();
        let is_made = |order: &Order| order.is_of_run && !order.client_order_id.starts_with("flow");
        found.find_map(|index| is_made(&orders.all[*index]).then(|| orders.all[*index].clone()))
    }

    /// Returns the number of orders placed during the run.
    pub fn count(&self) -> usize {
        self.lock()
            .all
            .iter()
            .filter(|order| order.is_of_run)
            .count()
    }

    /// Waits until all reads show the current state of an order.
    pub async fn shown(&self, id: &str) {
        let order = self.order(id).unwrap();
        let [list, single] = order.versions.last().unwrap().seen;
        let lag = list.max(single) - Utc::now();
        tokio::time::sleep(lag.to_std().unwrap_or_default()).await;
    }

    /// Fills the remaining count of an order.
    pub fn execute(&self, id: &str) {
        let mut orders = self.lock();
        let index = orders.by_id[id];
        let mut state = orders.all[index].state().clone();
        state.filled = state.filled.checked_add(state.remaining).unwrap();
        state.remaining = Contracts::ZERO;
        state.status = "executed";
        orders.write(index, state, self.max_lag);
    }

    /// Changes the status of an order, without a fill.
    pub fn set_status(&self, id: &str, status: &'static str) {
        let mut orders = self.lock();
        let index = orders.by_id[id];
        let state = State {
            status,
            ..orders.all[index].state().clone()
        };
        orders.write(index, state, self.max_lag);
    }

    pub fn add_old(&self, old: &OldOrder<'_>) -> String {
        let mut orders = self.lock();
        let created = Utc::now() - old.age;
        let is_resting = old.status == "resting";
        let count = Contracts::from(10);
        let state = State {
            price: "0.5600".to_owned(),
            filled: if is_resting { Contracts::ZERO } else { count },
            remaining: if is_resting { count } else { Contracts::ZERO },
            status: old.status,
        };
        let order = Order {
            id: String::new(),
            client_order_id: old.client_order_id.to_owned(),
            ticker: old.ticker.to_owned(),
            side: old.side.to_owned(),
            subaccount: old.subaccount,
            shard: shard_of(old.ticker),
            count,
            created,
            is_old: !old.is_taken,
            is_of_run: false,
            is_archived: old.is_archived,
            versions: vec![Version {
                state,
                seen: [created; 2],
                row: OnceLock::new(),
            }],
        };
        orders.add(order)
    }

    /// Executes a request.
    pub fn handle(&self, request: &Received) -> Reply {
        let path = request.path.strip_prefix("/trade-api/v2/").unwrap();
        let parts: Vec<_> = path.split('/').collect();
        let mut orders = self.lock();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["portfolio", "events", "orders"]) => {
                match orders.create(&request.json(), self.max_lag) {
                    Ok(placed) => Reply::json(201, &placed),
                    Err(error) => Reply::json(409, &json!({ "error": error })),
                }
            }
            ("POST", ["portfolio", "events", "orders", "batched"]) => {
                let body = request.json();
                let mut create = |order| {
                    orders.create(order, self.max_lag).unwrap_or_else(|error| {
                        json!({ "error": error, "client_order_id": order["client_order_id"], "order_id": null })
                    })
                };
                let items = body["orders"].as_array().unwrap().iter();
                let items: Vec<_> = items.map(&mut create).collect();
                Reply::json(201, &json!({ "orders": items }))
            }
            ("DELETE", ["portfolio", "events", "orders", "batched"]) => {
                let body = request.json();
                let mut cancel = |item: &Value| {
                    let id = item["order_id"].as_str().unwrap();
                    let expected = (
                        item["market_ticker"].as_str(),
                        item["exchange_index"].as_i64(),
                        item["subaccount"].as_i64(),
                    );
                    match orders.seek(id, expected) {
                        Some(index) => orders.cancel(index, self.max_lag),
                        None => {
                            json!({ "order_id": id, "reduced_by": "0.00", "error": { "code": "not_found" } })
                        }
                    }
                };
                let items = body["orders"].as_array().unwrap().iter();
                let items: Vec<_> = items.map(&mut cancel).collect();
                Reply::json(200, &json!({ "orders": items }))
            }
            ("GET", ["portfolio", "orders"]) => orders.list(request, false),
            ("GET", ["historical", "orders"]) => orders.list(request, true),
            ("GET", ["portfolio", "orders", id]) => {
                let order = orders.by_id.get(*id).map(|index| &orders.all[*index]);
                let order = order.filter(|order| !order.is_archived);
                match order.and_then(|order| order.row(View::Single, Utc::now())) {
                    Some(row) => Reply::text(200, format!(r#"{{"order":{row}}}"#)),
                    None => not_found(),
                }
            }
            ("GET", ["exchange", "user_data_timestamp"]) => {
                let now = Utc::now();
                orders.unseen.retain(|(_, seen)| *seen > now);
                let written = orders.unseen.iter().map(|(written, _)| *written).min();
                let as_of = match orders.is_calm {
                    true => now - self.max_lag,
                    false => {
                        let error = TimeDelta::milliseconds(orders.random.i64(-500..=500));
                        written.unwrap_or(now) + error
                    }
                };
                let as_of = as_of - TimeDelta::milliseconds(1);
                Reply::json(200, &json!({ "as_of_time": as_of }))
            }
            (method, ["portfolio", "events", "orders", id, rest @ ..]) => {
                orders.change(request, method, id, rest, self.max_lag)
            }
            other => panic!("{other:?}"),
        }
    }
}

fn less(count: Contracts, taken: Contracts) -> Contracts {
    count.checked_sub(taken).unwrap()
}

pub fn not_found() -> Reply {
    Reply::json(
        404,
        &json!({ "error": { "code": "not_found", "message": "not found" } }),
    )
}
