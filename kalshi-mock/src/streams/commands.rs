//! Commands of clients: subscribe, unsubscribe, update, list.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    messages::{self, Message, market_id},
    refusals::Refused,
    socket::Socket,
    subscription::{Channel, Subscription},
};
use crate::state::{MarketIndex, State};

/// The largest number of parts of a stream.
const MOST_PARTS: i64 = 100;

/// A command, as far as it could be read.
struct Command<'a> {
    state: &'a State,
    id: Option<u64>,
    params: Option<&'a Map<String, Value>>,
}

/// The markets that a command names.
#[derive(Default)]
struct Named {
    /// None: none are named.
    markets: Option<BTreeMap<String, MarketIndex>>,
    by_id: bool,
}

/// Carries a command out, and answers it.
pub(super) fn carry_out(state: &State, socket: &mut Socket, text: &[u8]) {
    let message = serde_json::from_slice::<Value>(text).unwrap_or_default();
    let id = message["id"].as_u64().filter(|id| *id != 0);
    let command = Command {
        state,
        id,
        params: message["params"].as_object(),
    };
    let is_command = message.is_object() && (message["id"].is_null() || message["id"].is_u64());
    let done = match message["cmd"].as_str() {
        _ if !is_command => Err(Refused::unreadable()),
        Some("subscribe") => command.subscribe(socket),
        Some("unsubscribe") => command.unsubscribe(socket),
        Some("update_subscription") => command.update(socket),
        Some("list_subscriptions") => {
            command.list(socket);
            Ok(())
        }
        _ => Err(Refused::new(5, "Unknown command")),
    };
    if let Err(refused) = done {
        command.refuse(socket, &refused);
    }
}

impl Command<'_> {
    fn refuse(&self, socket: &Socket, refused: &Refused) {
        socket.answer(self.state, "error", self.id, &refused.body());
    }

    fn params(&self) -> Result<&Map<String, Value>, Refused> {
        self.params.ok_or_else(Refused::no_params)
    }

    /// Each channel is answered by itself.
    fn subscribe(&self, socket: &mut Socket) -> Result<(), Refused> {
        let params = self.params()?;
        let channels = params.get("channels").and_then(Value::as_array);
        let channels = channels
            .filter(|channels| !channels.is_empty())
            .ok_or_else(|| Refused::new(3, "Channels required"))?;
        let named = self.named(params);
        for name in channels {
            let done = name
                .as_str()
                .and_then(Channel::of)
                .ok_or_else(|| Refused::new(8, "Unknown channel name"))
                .and_then(|channel| self.open(socket, channel, params, &named));
            if let Err(refused) = done {
                self.refuse(socket, &refused);
            }
        }
        Ok(())
    }

    fn open(
        &self,
        socket: &mut Socket,
        channel: Channel,
        params: &Map<String, Value>,
        named: &Result<Named, Refused>,
    ) -> Result<(), Refused> {
        // Markets that mean nothing to a channel are not looked at.
        let none = Named::default();
        let named = match channel.takes_markets() {
            true => named.as_ref().map_err(Clone::clone)?,
            false => &none,
        };
        if named.by_id && channel != Channel::Ticker {
            return Err(Refused::invalid("market ids are only for ticker"));
        }
        if channel == Channel::OrderbookDelta && named.markets.is_none() {
            return Err(Refused::no_market());
        }
        let snapshots = flag(params, "send_initial_snapshot")?;
        if let Some(sid) = socket.on(channel) {
            let new = self.add(socket, sid, named.markets.clone());
            self.confirm(socket, sid);
            self.snapshots(socket, sid, &new, snapshots, None);
            return Ok(());
        }
        let mut subscription = Subscription::new(channel);
        subscription.yes_prices = flag(params, "use_yes_price")?;
        subscription.skips_markets = flag(params, "skip_ticker_ack")?;
        subscription.by_id = named.by_id;
        subscription.markets.clone_from(&named.markets);
        if channel == Channel::Communications {
            subscription.part = part(params)?;
            subscription.own_only = match params.get("user_filter") {
                None | Some(Value::Null) => false,
                Some(Value::String(user)) if user.is_empty() => false,
                Some(Value::String(user)) if user == "self" => true,
                Some(_) => return Err(Refused::invalid("user_filter")),
            };
        }
        let markets: Vec<MarketIndex> = subscription
            .markets
            .iter()
            .flat_map(BTreeMap::values)
            .copied()
            .collect();
        let sid = socket.open(subscription);
        let body = json!({ "channel": channel.name(), "sid": sid });
        socket.answer(self.state, "subscribed", self.id, &body);
        self.snapshots(socket, sid, &markets, snapshots, None);
        Ok(())
    }

    /// Adds markets to a subscription, and gives those that are new. None are all there are.
    fn add(
        &self,
        socket: &mut Socket,
        sid: u64,
        named: Option<BTreeMap<String, MarketIndex>>,
    ) -> Vec<MarketIndex> {
        let Some(subscription) = socket.subscriptions.get_mut(&sid) else {
            return Vec::new();
        };
        match (&mut subscription.markets, named) {
            (Some(known), Some(named)) => {
                let mut new = Vec::new();
                for (ticker, market) in named {
                    if known.insert(ticker, market).is_none() {
                        new.push(market);
                    }
                }
                new
            }
            (known, None) => {
                *known = None;
                Vec::new()
            }
            // It has all.
            (None, Some(named)) => named.into_values().collect(),
        }
    }

    /// Answers with the markets that a subscription has now.
    fn confirm(&self, socket: &mut Socket, sid: u64) {
        let Some(subscription) = socket.subscriptions.get(&sid) else {
            return;
        };
        let mut body = Map::new();
        if let Some(markets) = subscription
            .markets
            .as_ref()
            .filter(|_| !subscription.skips_markets)
        {
            let tickers: Vec<&String> = markets.keys().collect();
            body.insert("market_tickers".to_owned(), json!(tickers));
            if subscription.by_id {
                let ids: Vec<_> = markets.keys().map(|ticker| market_id(ticker)).collect();
                body.insert("market_ids".to_owned(), json!(ids));
            }
        }
        socket.confirm(self.state, ("ok", sid, self.id), Some(&body.into()));
    }

    /// Sends how markets stand: books always, tickers if they are wanted.
    fn snapshots(
        &self,
        socket: &mut Socket,
        sid: u64,
        markets: &[MarketIndex],
        wanted: bool,
        id: Option<u64>,
    ) {
        let Some(subscription) = socket.subscriptions.get(&sid) else {
            return;
        };
        let (channel, yes_prices) = (subscription.channel, subscription.yes_prices);
        for market in markets {
            let Some(market) = self.state.markets.get(*market) else {
                continue;
            };
            let message = match channel {
                Channel::OrderbookDelta => messages::snapshot(self.state, market, yes_prices),
                Channel::Ticker if wanted => Message {
                    kind: "ticker",
                    body: messages::ticker(self.state, messages::ticker_fields(self.state, market)),
                },
                _ => continue,
            };
            socket.send(self.state, sid, id, message);
        }
    }

    fn unsubscribe(&self, socket: &mut Socket) -> Result<(), Refused> {
        let sids = list_of_sids(self.params()?)?;
        if sids.is_empty() {
            return Err(Refused::new(4, "Subscription IDs required"));
        }
        for sid in sids {
            if socket.subscriptions.contains_key(&sid) {
                socket.confirm(self.state, ("unsubscribed", sid, self.id), None);
                socket.forget(sid);
            } else {
                self.refuse(socket, &Refused::unknown_sid());
            }
        }
        Ok(())
    }

    fn list(&self, socket: &Socket) {
        let rows = socket.subscriptions.iter();
        let rows = rows.map(
            |(sid, subscription)| json!({ "channel": subscription.channel.name(), "sid": sid }),
        );
        socket.answer(self.state, "ok", self.id, &rows.collect());
    }

    fn update(&self, socket: &mut Socket) -> Result<(), Refused> {
        let params = self.params()?;
        let sids = sids(params)?;
        let &[sid] = sids.as_slice() else {
            return Err(Refused::new(12, "Exactly one subscription ID is required"));
        };
        let channel = socket
            .subscriptions
            .get(&sid)
            .map(|subscription| subscription.channel)
            .ok_or_else(Refused::unknown_sid)?;
        // What is wrong with the rest is told by the subscription, and counts there.
        if let Err(refused) = self.change(socket, (sid, channel), params) {
            socket.confirm(self.state, ("error", sid, self.id), Some(&refused.body()));
        }
        Ok(())
    }

    fn change(
        &self,
        socket: &mut Socket,
        (sid, channel): (u64, Channel),
        params: &Map<String, Value>,
    ) -> Result<(), Refused> {
        let action = match params.get("action") {
            None | Some(Value::Null) => return Err(Refused::new(15, "Action required")),
            Some(action) => action.as_str().unwrap_or_default(),
        };
        let known = match action {
            "add_markets" | "delete_markets" => channel.takes_markets(),
            "get_snapshot" => channel == Channel::OrderbookDelta,
            _ => false,
        };
        if !known {
            return Err(Refused::unsupported());
        }
        let snapshots = flag(params, "send_initial_snapshot")?;
        let named = self.named(params)?;
        if named.by_id && channel != Channel::Ticker {
            return Err(Refused::invalid("market ids are only for ticker"));
        }
        let markets = named.markets.ok_or_else(Refused::no_market)?;
        match action {
            "get_snapshot" => {
                let markets: Vec<MarketIndex> = markets.into_values().collect();
                self.snapshots(socket, sid, &markets, true, self.id);
            }
            "add_markets" => {
                let new = self.add(socket, sid, Some(markets));
                self.confirm(socket, sid);
                self.snapshots(socket, sid, &new, snapshots, None);
            }
            _ => {
                // Of all markets, none can be taken: there is no list of them.
                let subscription = socket.subscriptions.get_mut(&sid);
                if let Some(known) =
                    subscription.and_then(|subscription| subscription.markets.as_mut())
                {
                    known.retain(|ticker, _| !markets.contains_key(ticker));
                }
                self.confirm(socket, sid);
            }
        }
        Ok(())
    }

    /// The markets that are named, in one of four ways.
    fn named(&self, params: &Map<String, Value>) -> Result<Named, Refused> {
        let ways = ["market_ticker", "market_tickers", "market_id", "market_ids"];
        let mut given = ways
            .into_iter()
            .filter_map(|way| Some((way, params.get(way).filter(|value| !value.is_null())?)));
        let Some((way, value)) = given.next() else {
            return Ok(Named::default());
        };
        if given.next().is_some() {
            return Err(Refused::invalid("name markets in one way"));
        }
        let names: Option<Vec<&str>> = match value {
            Value::String(name) if !way.ends_with('s') => Some(vec![name.as_str()]),
            Value::Array(names) if way.ends_with('s') => names.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let names = names.ok_or_else(|| Refused::invalid(way))?;
        let by_id = way.starts_with("market_id");
        let mut markets = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in names {
            match self.find(name, by_id) {
                Some((ticker, index)) => {
                    markets.insert(ticker, index);
                }
                None => unknown.push(name.to_owned()),
            }
        }
        if !unknown.is_empty() {
            return Err(Refused::unknown_markets(unknown));
        }
        Ok(Named {
            markets: (!markets.is_empty()).then_some(markets),
            by_id,
        })
    }

    fn find(&self, name: &str, by_id: bool) -> Option<(String, MarketIndex)> {
        if !by_id {
            return Some((name.to_owned(), self.state.market(name)?.0));
        }
        let mut markets = self.state.markets.iter().enumerate();
        markets
            .find(|(_, market)| market_id(&market.ticker).to_string() == name)
            .map(|(index, market)| (market.ticker.clone(), index))
    }
}

/// The subscriptions that are named, alone or in a list.
fn sids(params: &Map<String, Value>) -> Result<Vec<u64>, Refused> {
    match params.get("sid") {
        None | Some(Value::Null) => list_of_sids(params),
        Some(sid) => {
            let sid = sid.as_u64().ok_or_else(|| Refused::invalid("sid"))?;
            Ok([vec![sid], list_of_sids(params)?].concat())
        }
    }
}

fn list_of_sids(params: &Map<String, Value>) -> Result<Vec<u64>, Refused> {
    match params.get("sids") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(sids)) => {
            let sids: Option<_> = sids.iter().map(Value::as_u64).collect();
            sids.ok_or_else(|| Refused::invalid("sids"))
        }
        Some(_) => Err(Refused::invalid("sids")),
    }
}

fn flag(params: &Map<String, Value>, name: &str) -> Result<bool, Refused> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refused::invalid(name)),
    }
}

/// Into how many parts a stream is to be split, and which of them is wanted.
fn part(params: &Map<String, Value>) -> Result<Option<(u64, u64)>, Refused> {
    let number = |name: &str| match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| Refused::invalid(name)),
    };
    match (number("shard_factor")?, number("shard_key")?) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Refused::new(
            20,
            "shard_factor is required when shard_key is set",
        )),
        (Some(parts), _) if parts < 1 => Err(Refused::new(19, "shard_factor must be > 0")),
        (Some(parts), _) if parts > MOST_PARTS => {
            Err(Refused::new(22, "shard_factor must be <= 100"))
        }
        (Some(parts), part) => match part.unwrap_or(0) {
            part if (0..parts).contains(&part) => {
                Ok(Some((parts.unsigned_abs(), part.unsigned_abs())))
            }
            _ => Err(Refused::new(
                21,
                "shard_key must be >= 0 and < shard_factor",
            )),
        },
    }
}
