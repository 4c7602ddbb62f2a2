//! A model of the margin exchange whose reads lag behind its writes, some of them by more than a minute.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use kalshi_perps::Contracts;
use serde_json::{Value, json};

use crate::common::exchange::{Received, Reply};

/// Name of the price field of an order.
pub const PRICE: &str = "price";

/// Lag of the slowest reads.
const LONG_LAG: TimeDelta = TimeDelta::seconds(90);

/// Maximum number of orders in a list of all markets, which limits the time that lists take in a long run.
const MAX_LISTED: usize = 2_000;

/// Returns the ticker of a market of a flow. A flow has three markets.
pub fn ticker(flow: u64, letter: char) -> String {
    format!("KX{letter}{flow}PERP")
}

/// Returns the number of the flow from a ticker or an order id.
pub fn flow_of(text: &str) -> Option<u64> {
    let market = text.strip_prefix("KX").and_then(|rest| rest.get(1..));
    let digits = match market {
        Some(rest) => rest.strip_suffix("PERP")?,
        None => text.strip_prefix("order-")?.split('-').next()?,
    };
    digits.parse().ok()
}

/// The mutable state of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub price: String,
    pub filled: Contracts,
    pub remaining: Contracts,
    reason: &'static str,
    updated: DateTime<Utc>,
}

/// A state of an order, and the times from which lists and single reads show it.
#[derive(Clone, Debug)]
struct Version {
    state: State,
    seen: [DateTime<Utc>; 2],
    /// The serialized order. Lists are long.
    row: OnceLock<String>,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub client_order_id: String,
    pub ticker: String,
    pub side: String,
    pub subaccount: i64,
    /// Number of contracts that the order is for, after amendments and decreases.
    pub count: Contracts,
    created: DateTime<Utc>,
    /// `true` if placed during the run.
    pub is_of_run: bool,
    versions: Vec<Version>,
}

impl Order {
    pub fn state(&self) -> &State {
        &self.versions.last().unwrap().state
    }

    /// Returns all states of the order, oldest first.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.versions.iter().map(|version| &version.state)
    }

    pub fn rests(&self) -> bool {
        !self.state().remaining.is_zero()
    }

    pub fn is_cancelled(&self) -> bool {
        !self.rests() && self.state().filled < self.count
    }

    /// Returns the number of versions, which grows with every write.
    pub fn writes(&self) -> usize {
        self.versions.len()
    }

    /// Returns the serialized order as of the version that a read shows.
    fn row(&self, view: usize) -> Option<&str> {
        let now = Utc::now();
        let mut versions = self.versions.iter().rev();
        let version = versions.find(|version| version.seen[view] <= now)?;
        let row = || self.serialize(&version.state).to_string();
        Some(version.row.get_or_init(row))
    }

    fn serialize(&self, state: &State) -> Value {
        json!({
            "order_id": self.id, "client_order_id": self.client_order_id, "ticker": self.ticker, "user_id": "u",
            "side": self.side, "price": state.price, "fill_count": state.filled, "remaining_count": state.remaining,
            "created_time": self.created, "last_update_time": state.updated, "last_update_reason": state.reason,
            "order_source": "user", "self_trade_prevention_type": "taker_at_cross",
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
    pub rests: bool,
}

#[derive(Default)]
struct Orders {
    all: Vec<Order>,
    by_id: HashMap<String, usize>,
    by_market: BTreeMap<String, Vec<usize>>,
    by_client_id: HashMap<String, usize>,
    /// Number of duplicate rejections by client order id.
    duplicates: HashMap<String, usize>,
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

    /// Returns the order with this client order id.
    pub fn with_client_id(&self, client_order_id: &str) -> Option<Order> {
        let orders = self.lock();
        let index = orders.by_client_id.get(client_order_id)?;
        Some(orders.all[*index].clone())
    }

    /// Returns the number of duplicate rejections of this client order id.
    pub fn duplicates(&self, client_order_id: &str) -> usize {
        let orders = self.lock();
        orders.duplicates.get(client_order_id).copied().unwrap_or(0)
    }

    /// Returns the orders placed during the run in a market.
    pub fn of_market(&self, market: &str) -> Vec<Order> {
        let orders = self.lock();
        let indices = orders.by_market.get(market).into_iter().flatten();
        let found = indices.map(|index| orders.all[*index].clone());
        found.filter(|order| order.is_of_run).collect()
    }

    /// Returns the number of orders placed during the run.
    pub fn count(&self) -> usize {
        let orders = self.lock();
        orders.all.iter().filter(|order| order.is_of_run).count()
    }

    /// Fills the remaining count of an order.
    pub fn execute(&self, id: &str) {
        self.fill(id, i32::MAX.into());
    }

    /// Fills at most `count` of the remaining contracts of an order.
    pub fn fill(&self, id: &str, count: Contracts) {
        let mut orders = self.lock();
        let index = orders.by_id[id];
        let mut state = orders.all[index].state().clone();
        let count = count.min(state.remaining);
        state.filled += count;
        state.remaining -= count;
        orders.write(index, state, "Trade", self.max_lag);
    }

    pub fn add_old(&self, old: &OldOrder<'_>) -> String {
        let created = Utc::now() - old.age;
        let count = Contracts::from(10);
        let state = State {
            price: "6.2590".to_owned(),
            filled: Contracts::ZERO,
            remaining: if old.rests { count } else { Contracts::ZERO },
            reason: if old.rests { "" } else { "Decrease" },
            updated: created,
        };
        self.lock().add(Order {
            id: String::new(),
            client_order_id: old.client_order_id.to_owned(),
            ticker: old.ticker.to_owned(),
            side: old.side.to_owned(),
            subaccount: old.subaccount,
            count,
            created,
            is_of_run: false,
            versions: vec![Version {
                state,
                seen: [created; 2],
                row: OnceLock::new(),
            }],
        })
    }

    /// Executes a request.
    pub fn handle(&self, request: &Received) -> Reply {
        let path = request.path.strip_prefix("/trade-api/v2/margin/").unwrap();
        let parts: Vec<_> = path.split('/').collect();
        let mut orders = self.lock();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["orders"]) => orders.create(&request.json(), self.max_lag),
            ("GET", ["orders"]) => orders.list(request),
            ("DELETE", ["orders"]) => {
                orders.cancel_all(request, self.max_lag);
                Reply::status(204)
            }
            ("GET", ["orders", id]) => {
                let index = orders.by_id.get(*id);
                match index.and_then(|index| orders.all[*index].row(1)) {
                    Some(row) => Reply::text(200, format!(r#"{{"order":{row}}}"#)),
                    None => not_found(),
                }
            }
            (_, ["orders", id, rest @ ..]) => orders.change(request, id, rest, self.max_lag),
            other => panic!("{other:?}"),
        }
    }
}

impl Orders {
    fn add(&mut self, mut order: Order) -> String {
        let index = self.all.len();
        order.id = format!("order-{}-{index}", flow_of(&order.ticker).unwrap());
        let id = order.id.clone();
        self.by_id.insert(id.clone(), index);
        let market = self.by_market.entry(order.ticker.clone()).or_default();
        market.push(index);
        let known = self
            .by_client_id
            .insert(order.client_order_id.clone(), index);
        assert_eq!(known, None, "the client order id is not unique");
        self.all.push(order);
        id
    }

    /// Returns the times from which lists and single reads show a write made now.
    fn lag(&mut self, max_lag: TimeDelta) -> [DateTime<Utc>; 2] {
        let now = Utc::now();
        if self.is_calm {
            return [now + max_lag; 2];
        }
        // Most of the time the lag is short.
        let is_slow = now.timestamp_millis() % 6_000 < 1_500;
        let max_lag = if is_slow { max_lag } else { max_lag / 8 };
        [(); 2].map(|()| match self.random.u32(0..100) {
            0..5 => now + LONG_LAG,
            _ => now + TimeDelta::milliseconds(self.random.i64(0..=max_lag.num_milliseconds())),
        })
    }

    fn write(&mut self, index: usize, state: State, reason: &'static str, max_lag: TimeDelta) {
        let state = State {
            reason,
            updated: Utc::now(),
            ..state
        };
        let seen = self.lag(max_lag);
        let versions = &mut self.all[index].versions;
        for version in &mut *versions {
            version.row.take();
        }
        versions.push(Version {
            state,
            seen,
            row: OnceLock::new(),
        });
    }

    fn create(&mut self, order: &Value, max_lag: TimeDelta) -> Reply {
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let client_order_id = text("client_order_id");
        if self.by_client_id.contains_key(&client_order_id) {
            *self.duplicates.entry(client_order_id).or_default() += 1;
            return error(409, "order_already_exists");
        }
        let count: Contracts = text("count").parse().unwrap();
        let filled = match self.random.u32(0..10) {
            _ if self.is_calm => Contracts::ZERO,
            0 => count,
            1 => Contracts::from(3),
            _ => Contracts::ZERO,
        };
        let rests = text("time_in_force") == "good_till_canceled";
        let now = Utc::now();
        let state = State {
            price: text("price"),
            filled,
            remaining: if rests {
                count - filled
            } else {
                Contracts::ZERO
            },
            reason: if rests || filled == count {
                ""
            } else {
                "Decrease"
            },
            updated: now,
        };
        let remaining = state.remaining;
        let seen = self.lag(max_lag);
        let id = self.add(Order {
            id: String::new(),
            client_order_id: client_order_id.clone(),
            ticker: text("ticker"),
            side: text("side"),
            subaccount: order["subaccount"].as_i64().unwrap_or_default(),
            count,
            created: now,
            is_of_run: true,
            versions: vec![Version {
                state,
                seen,
                row: OnceLock::new(),
            }],
        });
        let mut placed = json!({
            "order_id": id, "client_order_id": client_order_id, "fill_count": filled, "remaining_count": remaining,
        });
        if !filled.is_zero() {
            placed["average_fill_price"] = order["price"].clone();
            placed["average_fee_paid"] = json!("0.0000");
        }
        Reply::json(201, &placed)
    }

    fn cancel_all(&mut self, request: &Received, max_lag: TimeDelta) {
        let subaccount = request.query.get("subaccount");
        let subaccount: Option<i64> = subaccount.map(|text| text.parse().unwrap());
        for index in 0..self.all.len() {
            let order = &self.all[index];
            if order.rests() && subaccount.is_none_or(|wanted| wanted == order.subaccount) {
                let mut state = order.state().clone();
                state.remaining = Contracts::ZERO;
                self.write(index, state, "Decrease", max_lag);
            }
        }
    }

    fn change(&mut self, request: &Received, id: &str, rest: &[&str], max_lag: TimeDelta) -> Reply {
        let subaccount = request.query.get("subaccount");
        let subaccount: i64 = subaccount.map_or(0, |text| text.parse().unwrap());
        let index = self.by_id.get(id).copied();
        let index = index
            .filter(|index| self.all[*index].rests() && self.all[*index].subaccount == subaccount);
        let Some(index) = index else {
            return not_found();
        };
        let mut state = self.all[index].state().clone();
        let before = state.clone();
        let body = match rest {
            [] => Value::Null,
            _ => request.json(),
        };
        let count = |name: &str| {
            let text = body[name].as_str()?;
            Some(text.parse::<Contracts>().unwrap())
        };
        match rest {
            [] => state.remaining = Contracts::ZERO,
            ["amend"] => {
                assert_eq!(body["ticker"], self.all[index].ticker);
                let count = count("count").unwrap();
                state.price = body["price"].as_str().unwrap().to_owned();
                state.remaining = count - state.filled;
                self.all[index].count = count;
            }
            ["decrease"] => {
                let by = count("reduce_by").map(|by| state.remaining - by);
                state.remaining = by.or(count("reduce_to")).unwrap();
                if !state.remaining.is_zero() {
                    self.all[index].count = state.filled + state.remaining;
                }
            }
            other => panic!("{other:?}"),
        }
        let (filled, remaining) = (state.filled, state.remaining);
        let is_amend = rest == ["amend"];
        let mut reply = json!({ "order_id": id });
        match rest {
            [] => reply["reduced_by"] = json!(before.remaining),
            // If the price changes, the response contains only the id.
            ["amend"] if state.price != before.price => {}
            ["amend"] => {
                reply["fill_count"] = json!(filled);
                reply["remaining_count"] = json!(remaining);
            }
            _ => reply["remaining_count"] = json!(remaining),
        }
        let reason = if is_amend { "Amend" } else { "Decrease" };
        self.write(index, state, reason, max_lag);
        Reply::json(200, &reply)
    }

    /// Returns a page of the list, newest order first. Pages are short, and some are empty.
    fn list(&mut self, request: &Received) -> Reply {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        let number = |name: &str| query(name).map(|text| text.parse::<i64>().unwrap());
        let limit = usize::try_from(number("limit").unwrap_or(10_000)).unwrap();
        let (indices, size) = match query("ticker") {
            Some(ticker) => {
                let indices = self.by_market.get(ticker).cloned().unwrap_or_default();
                let size = match self.is_calm {
                    true => limit,
                    false => limit.min(self.random.usize(1..6)),
                };
                (indices, size)
            }
            None => {
                let oldest = self.all.len().saturating_sub(MAX_LISTED);
                ((oldest..self.all.len()).collect(), limit)
            }
        };
        let cursor = query("cursor").filter(|cursor| !cursor.is_empty());
        let before: usize = cursor.map_or(usize::MAX, |cursor| {
            cursor.trim_end_matches('e').parse().unwrap()
        });
        let is_empty = !self.is_calm
            && before.is_multiple_of(4)
            && cursor.is_some_and(|cursor| !cursor.ends_with('e'));
        if is_empty {
            return Reply::orders(&[], &format!("{before}e"));
        }
        let is_listed = |order: &Order| {
            number("subaccount").is_none_or(|wanted| wanted == order.subaccount)
                && number("min_ts").is_none_or(|min_ts| order.created.timestamp() >= min_ts)
        };
        let rows = indices.iter().rev().filter(|index| **index < before);
        let rows = rows.filter(|index| is_listed(&self.all[**index]));
        let mut rows = rows.filter_map(|index| Some((*index, self.all[*index].row(0)?)));
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let cursor = match (rows.next(), page.last()) {
            (Some(_), Some((index, _))) => index.to_string(),
            _ => String::new(),
        };
        let page: Vec<_> = page.into_iter().map(|(_, row)| row).collect();
        Reply::orders(&page, &cursor)
    }
}

pub fn error(status: u16, code: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "error": { "code": code, "message": code } }),
    )
}

fn not_found() -> Reply {
    error(404, "not_found")
}
