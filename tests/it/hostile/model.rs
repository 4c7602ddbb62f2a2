//! An exchange whose reads lag behind its writes, each by its own time, and that says how far they are up to date.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use kalshi_sdk::Contracts;
use serde_json::{Value, json};

use crate::common::exchange::{Received, Reply};

/// Shards of the exchange. A market is on the one that its number is divided to.
const SHARDS: i64 = 3;

/// Market of a flow, which has two.
pub fn ticker(flow: u64, letter: char) -> String {
    format!("KXTEST-26-{letter}{flow}")
}

/// The flow whose orders or market a text names.
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

/// What an order is like.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub price: String,
    pub filled: Contracts,
    pub remaining: Contracts,
    pub status: &'static str,
}

/// A state of an order, and from when lists and single reads show it.
#[derive(Clone, Debug)]
struct Version {
    state: State,
    seen: [DateTime<Utc>; 2],
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
    /// Placed before the run, so that its client order id is free again.
    pub is_old: bool,
    /// Placed in the run.
    pub is_of_run: bool,
    /// Only the archive has it.
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

    /// Number of writes to it.
    pub fn writes(&self) -> usize {
        self.versions.len()
    }

    fn seen(&self, view: View, now: DateTime<Utc>) -> Option<&State> {
        let is_seen = |version: &&Version| version.seen[view as usize] <= now;
        Some(&self.versions.iter().rev().find(is_seen)?.state)
    }

    fn row(&self, state: &State) -> Value {
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

/// An order of before the run.
pub struct OldOrder<'a> {
    pub client_order_id: &'a str,
    pub ticker: &'a str,
    pub side: &'a str,
    pub subaccount: i64,
    pub age: TimeDelta,
    pub is_archived: bool,
    /// Its client order id is still taken.
    pub is_taken: bool,
    pub status: &'static str,
}

#[derive(Default)]
struct Orders {
    all: Vec<Order>,
    by_id: HashMap<String, usize>,
    by_market: BTreeMap<String, Vec<usize>>,
    by_client_id: HashMap<String, Vec<usize>>,
    /// Rejections as a duplicate, by client order id.
    duplicates: HashMap<String, usize>,
    /// Times of writes that some read does not show yet, and when all do.
    unseen: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    random: Rng,
    /// Nothing is random: no order is filled, each read has the longest lag, and pages are whole.
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

    /// An exchange without chance, whose reads lag by `lag`.
    pub fn calm(lag: Duration) -> Self {
        let model = Self::new(0, TimeDelta::from_std(lag).unwrap());
        model.lock().is_calm = true;
        model
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap()
    }

    /// The order of that id, as it is.
    pub fn order(&self, id: &str) -> Option<Order> {
        let orders = self.lock();
        orders.by_id.get(id).map(|index| orders.all[*index].clone())
    }

    /// The order placed in the run under that client order id.
    pub fn placed(&self, client_order_id: &str) -> Option<Order> {
        let orders = self.lock();
        let found = orders.by_client_id.get(client_order_id)?;
        let mut found = found.iter().map(|index| &orders.all[*index]);
        found.find(|order| order.is_of_run).cloned()
    }

    /// Number of rejections of that client order id as a duplicate.
    pub fn duplicates(&self, client_order_id: &str) -> usize {
        let orders = self.lock();
        orders.duplicates.get(client_order_id).copied().unwrap_or(0)
    }

    /// All orders with that client order id.
    pub fn with_client_id(&self, client_order_id: &str) -> Vec<Order> {
        let orders = self.lock();
        let found = orders
            .by_client_id
            .get(client_order_id)
            .into_iter()
            .flatten();
        found.map(|index| orders.all[*index].clone()).collect()
    }

    /// An order placed in the run in one of the markets, under a client order id that the client made.
    pub fn with_made_id(&self, markets: &[String]) -> Option<Order> {
        let orders = self.lock();
        let mut found = markets
            .iter()
            .flat_map(|market| orders.by_market.get(market))
            .flatten();
        let is_made = |order: &Order| order.is_of_run && !order.client_order_id.starts_with("flow");
        found.find_map(|index| is_made(&orders.all[*index]).then(|| orders.all[*index].clone()))
    }

    /// Orders placed in the run.
    pub fn count(&self) -> usize {
        self.lock()
            .all
            .iter()
            .filter(|order| order.is_of_run)
            .count()
    }

    /// Waits until all reads show an order as it is.
    pub async fn shown(&self, id: &str) {
        let order = self.order(id).unwrap();
        let [list, single] = order.versions.last().unwrap().seen;
        let lag = list.max(single) - Utc::now();
        tokio::time::sleep(lag.to_std().unwrap_or_default()).await;
    }

    /// Fills what rests of an order.
    pub fn execute(&self, id: &str) {
        let mut orders = self.lock();
        let index = orders.by_id[id];
        let mut state = orders.all[index].state().clone();
        state.filled = state.filled.checked_add(state.remaining).unwrap();
        state.remaining = Contracts::ZERO;
        state.status = "executed";
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
            }],
        };
        orders.add(order)
    }

    /// Does what a request asks.
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
                    let sought = (
                        item["market_ticker"].as_str(),
                        item["exchange_index"].as_i64(),
                        item["subaccount"].as_i64(),
                    );
                    match orders.seek(id, sought) {
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
                let seen =
                    order.and_then(|order| Some(order.row(order.seen(View::Single, Utc::now())?)));
                match seen {
                    Some(row) => Reply::json(200, &json!({ "order": row })),
                    None => not_found(),
                }
            }
            ("GET", ["exchange", "user_data_timestamp"]) => {
                let now = Utc::now();
                orders.unseen.retain(|(_, seen)| *seen > now);
                let written = orders.unseen.iter().map(|(written, _)| *written).min();
                let error = match orders.is_calm {
                    true => 0,
                    false => orders.random.i64(-500..=500),
                };
                let error = TimeDelta::milliseconds(error);
                let as_of = written.unwrap_or(now) - TimeDelta::milliseconds(1) + error;
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

impl Orders {
    fn add(&mut self, mut order: Order) -> String {
        let index = self.all.len();
        order.id = format!("order-{}-{index}", flow_of(&order.ticker).unwrap());
        let id = order.id.clone();
        self.by_id.insert(id.clone(), index);
        self.by_market
            .entry(order.ticker.clone())
            .or_default()
            .push(index);
        self.by_client_id
            .entry(order.client_order_id.clone())
            .or_default()
            .push(index);
        self.all.push(order);
        id
    }

    /// When lists and single reads show a write of now.
    fn lag(&mut self, max_lag: TimeDelta) -> [DateTime<Utc>; 2] {
        let now = Utc::now();
        // Most of the time reads are close behind.
        let is_slow = now.timestamp_millis() % 6_000 < 1_500;
        let longest = max_lag;
        let max_lag = if is_slow { max_lag } else { max_lag / 8 };
        let mut lag =
            || now + TimeDelta::milliseconds(self.random.i64(0..=max_lag.num_milliseconds()));
        let seen = match self.is_calm {
            true => [now + longest; 2],
            false => [lag(), lag()],
        };
        self.unseen.push((now, seen[0].max(seen[1])));
        seen
    }

    fn write(&mut self, index: usize, state: State, max_lag: TimeDelta) {
        let seen = self.lag(max_lag);
        self.all[index].versions.push(Version { state, seen });
    }

    fn create(&mut self, order: &Value, max_lag: TimeDelta) -> Result<Value, Value> {
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let client_order_id = text("client_order_id");
        let known = self.by_client_id.get(&client_order_id);
        if known.is_some_and(|known| known.iter().any(|index| !self.all[*index].is_old)) {
            *self.duplicates.entry(client_order_id).or_default() += 1;
            return Err(
                json!({ "code": "order_already_exists", "message": "order already exists" }),
            );
        }
        let count: Contracts = text("count").parse().unwrap();
        let filled = match self.random.u32(0..10) {
            _ if self.is_calm => Contracts::ZERO,
            0 => count,
            1 => "3".parse().unwrap(),
            _ => Contracts::ZERO,
        };
        let remaining = less(count, filled);
        let state = State {
            price: text("price"),
            filled,
            remaining,
            status: if remaining == Contracts::ZERO {
                "executed"
            } else {
                "resting"
            },
        };
        let ticker = text("ticker");
        let shard = order["exchange_index"].as_i64().filter(|shard| *shard >= 0);
        let order = Order {
            id: String::new(),
            client_order_id: client_order_id.clone(),
            side: text("side"),
            subaccount: order["subaccount"].as_i64().unwrap_or_default(),
            shard: shard.unwrap_or_else(|| shard_of(&ticker)),
            ticker,
            count,
            created: Utc::now(),
            is_old: false,
            is_of_run: true,
            is_archived: false,
            versions: vec![Version {
                state,
                seen: self.lag(max_lag),
            }],
        };
        let id = self.add(order);
        Ok(json!({
            "order_id": id, "client_order_id": client_order_id, "fill_count": filled, "remaining_count": remaining, "ts_ms": 1,
        }))
    }

    /// The resting order, sought as the exchange routes a change: by the shard, or else the market, or else on the first shard.
    fn seek(&self, id: &str, sought: (Option<&str>, Option<i64>, Option<i64>)) -> Option<usize> {
        let (ticker, shard, subaccount) = sought;
        let index = *self.by_id.get(id)?;
        let order = &self.all[index];
        let shard = shard
            .filter(|shard| *shard >= 0)
            .or(ticker.map(shard_of))
            .unwrap_or_default();
        let is_here = shard == order.shard
            && subaccount.unwrap_or_default() == order.subaccount
            && ticker.is_none_or(|ticker| ticker == order.ticker);
        (is_here && order.rests()).then_some(index)
    }

    fn cancel(&mut self, index: usize, max_lag: TimeDelta) -> Value {
        let mut state = self.all[index].state().clone();
        let reduced = std::mem::replace(&mut state.remaining, Contracts::ZERO);
        state.status = "canceled";
        self.write(index, state, max_lag);
        json!({ "order_id": self.all[index].id, "reduced_by": reduced, "ts_ms": 1 })
    }

    fn change(
        &mut self,
        request: &Received,
        method: &str,
        id: &str,
        rest: &[&str],
        max_lag: TimeDelta,
    ) -> Reply {
        let body = if method == "POST" {
            request.json()
        } else {
            Value::Null
        };
        let number = |name: &str| request.query.get(name).map(|text| text.parse().unwrap());
        let ticker = [&body["ticker"], &body["market_ticker"]]
            .into_iter()
            .find_map(Value::as_str)
            .or(request.query.get("market_ticker").map(String::as_str));
        let shard = body["exchange_index"].as_i64().or(number("exchange_index"));
        let Some(index) = self.seek(id, (ticker, shard, number("subaccount"))) else {
            return not_found();
        };
        let count = |name: &str| {
            body[name]
                .as_str()
                .map(|text| text.parse::<Contracts>().unwrap())
        };
        let mut state = self.all[index].state().clone();
        match rest {
            [] => return Reply::json(200, &self.cancel(index, max_lag)),
            ["amend"] => {
                state.price = body["price"].as_str().unwrap().to_owned();
                state.remaining = less(count("count").unwrap(), state.filled);
            }
            ["decrease"] => {
                let by = count("reduce_by").map(|by| less(state.remaining, by));
                state.remaining = by.or(count("reduce_to")).unwrap();
            }
            other => panic!("{other:?}"),
        }
        let remaining = state.remaining;
        self.write(index, state, max_lag);
        Reply::json(
            200,
            &json!({ "order_id": id, "remaining_count": remaining, "fill_count": "0.00", "ts_ms": 1 }),
        )
    }

    /// A page of a list, the newest order first. Pages are short, and some are empty.
    fn list(&mut self, request: &Received, is_archive: bool) -> Reply {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        let number = |name: &str| query(name).map(|text| text.parse::<i64>().unwrap());
        let now = Utc::now();
        let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap();
        let indices: Vec<usize> = match query("ticker") {
            Some(ticker) => self.by_market.get(ticker).cloned().unwrap_or_default(),
            None => (0..self.all.len()).collect(),
        };
        let size = match query("ticker") {
            Some(_) if !self.is_calm => limit.min(self.random.usize(3..12)),
            _ => limit,
        };
        let before = query("cursor").filter(|cursor| !cursor.is_empty());
        let before: usize = before.map_or(usize::MAX, |cursor| {
            cursor.trim_end_matches('e').parse().unwrap()
        });
        let is_listed = |order: &Order| {
            order.is_archived == is_archive
                && number("subaccount").is_none_or(|wanted| wanted == order.subaccount)
                && number("min_ts").is_none_or(|least| order.created.timestamp() >= least)
        };
        let mut rows = indices
            .iter()
            .rev()
            .filter(|index| **index < before && is_listed(&self.all[**index]))
            .filter_map(|index| {
                let order = &self.all[*index];
                Some((*index, order.row(order.seen(View::List, now)?)))
            });
        let is_empty = before != usize::MAX
            && !self.is_calm
            && query("cursor").is_some_and(|cursor| !cursor.ends_with('e'))
            && before.is_multiple_of(4);
        if is_empty {
            return Reply::json(
                200,
                &json!({ "orders": [], "cursor": format!("{before}e") }),
            );
        }
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let cursor = match (rows.next(), page.last()) {
            (Some(_), Some((index, _))) => index.to_string(),
            _ => String::new(),
        };
        let rows: Vec<_> = page.into_iter().map(|(_, row)| row).collect();
        Reply::json(200, &json!({ "orders": rows, "cursor": cursor }))
    }
}
