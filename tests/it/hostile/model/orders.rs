//! Execution of orders, changes and lists by the model exchange.

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta, Utc};
use kalshi_sdk::Contracts;
use serde_json::{Value, json};

use super::{Order, Orders, State, Version, View, flow_of, less, not_found, shard_of};
use crate::common::exchange::{Received, Reply};

impl Orders {
    pub(super) fn add(&mut self, mut order: Order) -> String {
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

    /// Returns the times from which lists and single reads show a write made now.
    fn lag(&mut self, max_lag: TimeDelta) -> [DateTime<Utc>; 2] {
        let now = Utc::now();
        // Usually reads lag only a little.
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

    pub(super) fn write(&mut self, index: usize, state: State, max_lag: TimeDelta) {
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

    pub(super) fn create(&mut self, order: &Value, max_lag: TimeDelta) -> Result<Value, Value> {
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
        let rests = order["time_in_force"] == "good_till_canceled";
        let (remaining, status) = match less(count, filled) {
            Contracts::ZERO => (Contracts::ZERO, "executed"),
            rest if rests => (rest, "resting"),
            _ => (Contracts::ZERO, "canceled"),
        };
        let state = State {
            price: text("price"),
            filled,
            remaining,
            status,
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
                row: OnceLock::new(),
            }],
        };
        let id = self.add(order);
        Ok(json!({
            "order_id": id, "client_order_id": client_order_id, "fill_count": filled, "remaining_count": remaining, "ts_ms": 1,
        }))
    }

    /// Finds a resting order as the exchange routes a change: by shard, else by market, else on the first shard.
    pub(super) fn seek(
        &self,
        id: &str,
        expected: (Option<&str>, Option<i64>, Option<i64>),
    ) -> Option<usize> {
        let (ticker, shard, subaccount) = expected;
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

    pub(super) fn cancel(&mut self, index: usize, max_lag: TimeDelta) -> Value {
        let mut state = self.all[index].state().clone();
        let reduced = std::mem::replace(&mut state.remaining, Contracts::ZERO);
        state.status = "canceled";
        self.write(index, state, max_lag);
        json!({ "order_id": self.all[index].id, "reduced_by": reduced, "ts_ms": 1 })
    }

    pub(super) fn change(
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

    /// Returns a page of a list, the newest order first. Pages are short, and some are empty.
    pub(super) fn list(&mut self, request: &Received, is_archive: bool) -> Reply {
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
                && number("min_ts").is_none_or(|min_ts| order.created.timestamp() >= min_ts)
        };
        let mut rows = indices
            .iter()
            .rev()
            .filter(|index| **index < before && is_listed(&self.all[**index]))
            .filter_map(|index| {
                let order = &self.all[*index];
                Some((*index, order.row(View::List, now)?))
            });
        let is_empty = before != usize::MAX
            && !self.is_calm
            && query("cursor").is_some_and(|cursor| !cursor.ends_with('e'))
            && before.is_multiple_of(4);
        if is_empty {
            return Reply::orders(&[], &format!("{before}e"));
        }
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let cursor = match (rows.next(), page.last()) {
            (Some(_), Some((index, _))) => index.to_string(),
            _ => String::new(),
        };
        let rows: Vec<_> = page.into_iter().map(|(_, row)| row).collect();
        Reply::orders(&rows, &cursor)
    }
}
