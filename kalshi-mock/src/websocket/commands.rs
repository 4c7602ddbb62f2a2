//! Client commands: subscribe, unsubscribe, update, list.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    error::CommandError,
    feeds::Feed,
    frame::{Message, market_id},
    messages,
    socket::Socket,
    subscription::{Channel, Subscription},
};
use crate::state::{Event, MarketIndex, State};

/// Maximum number of channels in a command: more than exist.
const MAX_CHANNELS: usize = 32;
/// Maximum number of unknown markets that an error names.
const MAX_ECHOED: usize = 100;
/// Maximum value of the parameter `shard_factor`.
const MAX_SHARDS: i64 = 100;

/// A command. `id` and `params` are `None` if they are absent or invalid.
struct Command<'a> {
    state: &'a State,
    id: Option<u64>,
    params: Option<&'a Map<String, Value>>,
}

/// Markets requested in a command.
#[derive(Default)]
struct RequestedMarkets {
    /// `None` if the command names no markets.
    markets: Option<BTreeMap<String, MarketIndex>>,
    by_id: bool,
}

/// Runs a command and replies to it.
pub(super) fn run(state: &State, socket: &mut Socket, text: &[u8]) {
    let message = serde_json::from_slice::<Value>(text).unwrap_or_default();
    let id = message["id"].as_u64().filter(|id| *id != 0);
    let command = Command {
        state,
        id,
        params: message["params"].as_object(),
    };
    let is_command = message.is_object() && (message["id"].is_null() || message["id"].is_u64());
    let result = match message["cmd"].as_str() {
        _ if !is_command => Err(CommandError::unreadable()),
        Some("subscribe") => command.subscribe(socket),
        Some("unsubscribe") => command.unsubscribe(socket),
        Some("update_subscription") => command.update(socket),
        Some("list_subscriptions") => {
            command.list(socket);
            Ok(())
        }
        _ => Err(CommandError::new(5, "Unknown command")),
    };
    if let Err(error) = result {
        command.reject(socket, &error);
    }
}

impl Command<'_> {
    fn reject(&self, socket: &Socket, error: &CommandError) {
        socket.reply(self.state, "error", self.id, &error.body());
    }

    fn params(&self) -> Result<&Map<String, Value>, CommandError> {
        self.params.ok_or_else(CommandError::no_params)
    }

    /// Subscribes to each channel. Channels are acknowledged or rejected one by one.
    fn subscribe(&self, socket: &mut Socket) -> Result<(), CommandError> {
        let params = self.params()?;
        let channels = params.get("channels").and_then(Value::as_array);
        let channels = channels
            .filter(|channels| !channels.is_empty())
            .ok_or_else(|| CommandError::new(3, "Channels required"))?;
        if channels.len() > MAX_CHANNELS {
            return Err(CommandError::invalid("channels"));
        }
        let requested = self.requested_markets(params);
        for name in channels {
            let result = name
                .as_str()
                .and_then(|name| Channel::from_name(socket.instance, name))
                .ok_or_else(|| CommandError::new(8, "Unknown channel name"))
                .and_then(|channel| self.open(socket, channel, params, &requested));
            if let Err(error) = result {
                self.reject(socket, &error);
            }
        }
        Ok(())
    }

    fn open(
        &self,
        socket: &mut Socket,
        channel: Channel,
        params: &Map<String, Value>,
        requested: &Result<RequestedMarkets, CommandError>,
    ) -> Result<(), CommandError> {
        // Channels without markets ignore the parameters, even if they are invalid.
        let none = RequestedMarkets::default();
        let requested = match channel.takes_markets() {
            true => requested.as_ref().map_err(Clone::clone)?,
            false => &none,
        };
        if requested.by_id && channel != Channel::Ticker {
            return Err(CommandError::invalid(
                "market ids are only supported on ticker",
            ));
        }
        if channel == Channel::OrderbookDelta && requested.markets.is_none() {
            return Err(CommandError::no_market());
        }
        let snapshots = flag(params, "send_initial_snapshot")?;
        let sources = match channel {
            Channel::Prices(feed) => feed.requested_sources(params)?,
            _ => None,
        };
        if let (Channel::Prices(feed), Some(sid)) = (channel, socket.subscription_to(channel)) {
            if sources.is_some() {
                return self.change_sources(socket, (sid, feed), feed.add, params);
            }
            self.acknowledge(socket, sid);
            return Ok(());
        }
        if let Some(sid) = socket.subscription_to(channel) {
            let new = self.add_markets(socket, sid, requested.markets.clone());
            self.acknowledge(socket, sid);
            self.send_snapshots(socket, sid, &new, snapshots, None);
            return Ok(());
        }
        let mut subscription = Subscription::new(channel);
        let is_absent = params.get("use_yes_price").is_none_or(Value::is_null);
        subscription.yes_prices =
            flag(params, "use_yes_price")? || (is_absent && socket.use_yes_price);
        subscription.skips_markets = flag(params, "skip_ticker_ack")?;
        subscription.by_id = requested.by_id;
        subscription.sources = sources.unwrap_or_default();
        subscription.markets.clone_from(&requested.markets);
        if channel == Channel::Communications {
            subscription.shard = shard(params)?;
            subscription.own_only = match params.get("user_filter") {
                None | Some(Value::Null) => false,
                Some(Value::String(user)) if user.is_empty() => false,
                Some(Value::String(user)) if user == "self" => true,
                Some(_) => return Err(CommandError::invalid("user_filter")),
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
        socket.reply(self.state, "subscribed", self.id, &body);
        self.send_snapshots(socket, sid, &markets, snapshots, None);
        self.send_open_rfqs(socket, sid);
        Ok(())
    }

    /// Adds markets to a subscription and returns the new ones. `None` means all markets.
    fn add_markets(
        &self,
        socket: &mut Socket,
        sid: u64,
        requested: Option<BTreeMap<String, MarketIndex>>,
    ) -> Vec<MarketIndex> {
        let Some(subscription) = socket.subscriptions.get_mut(&sid) else {
            return Vec::new();
        };
        match (&mut subscription.markets, requested) {
            (Some(current), Some(requested)) => {
                let mut new = Vec::new();
                for (ticker, market) in requested {
                    if current.insert(ticker, market).is_none() {
                        new.push(market);
                    }
                }
                new
            }
            (current, None) => {
                *current = None;
                Vec::new()
            }
            // The subscription covers all markets already.
            (None, Some(requested)) => requested.into_values().collect(),
        }
    }

    /// Acknowledges a command with the current markets of the subscription.
    fn acknowledge(&self, socket: &mut Socket, sid: u64) {
        let Some(subscription) = socket.subscriptions.get(&sid) else {
            return;
        };
        if let Channel::Prices(feed) = subscription.channel {
            let body = feed.acknowledgement(&subscription.sources);
            socket.acknowledge(self.state, ("ok", sid, self.id), Some(&body));
            return;
        }
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
        socket.acknowledge(self.state, ("ok", sid, self.id), Some(&body.into()));
    }

    /// Sends the current state of markets: order books always, tickers if requested.
    fn send_snapshots(
        &self,
        socket: &mut Socket,
        sid: u64,
        markets: &[MarketIndex],
        tickers: bool,
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
            if channel == Channel::OrderbookDelta && socket.faults.withhold > 0 {
                socket.faults.withhold -= 1;
                continue;
            }
            let message = match channel {
                Channel::OrderbookDelta => messages::snapshot(self.state, market, yes_prices),
                Channel::Ticker if tickers => Message {
                    kind: "ticker",
                    body: messages::ticker(self.state, messages::ticker_fields(self.state, market)),
                },
                _ => continue,
            };
            socket.send(self.state, sid, id, message);
        }
    }

    /// Sends the open requests for quote that a subscription covers.
    fn send_open_rfqs(&self, socket: &mut Socket, sid: u64) {
        let state = self.state;
        let Some(subscription) = socket.subscriptions.get(&sid) else {
            return;
        };
        if subscription.channel != Channel::Communications {
            return;
        }
        let open = state.rfqs.values().filter(|rfq| rfq.open);
        let messages: Vec<Message> = open
            .filter_map(|rfq| {
                let event = Event::RfqCreated(rfq.clone());
                messages::render(state, &socket.caller, subscription, &event)
            })
            .collect();
        for message in messages {
            socket.send(state, sid, None, message);
        }
    }

    fn unsubscribe(&self, socket: &mut Socket) -> Result<(), CommandError> {
        let sids = list_of_sids(self.params()?)?;
        if sids.is_empty() {
            return Err(CommandError::new(4, "Subscription IDs required"));
        }
        for sid in sids {
            if socket.subscriptions.contains_key(&sid) {
                socket.acknowledge(self.state, ("unsubscribed", sid, self.id), None);
                socket.remove(sid);
            } else {
                self.reject(socket, &CommandError::unknown_sid());
            }
        }
        Ok(())
    }

    fn list(&self, socket: &Socket) {
        let rows = socket.subscriptions.iter();
        let rows = rows.map(
            |(sid, subscription)| json!({ "channel": subscription.channel.name(), "sid": sid }),
        );
        socket.reply(self.state, "ok", self.id, &rows.collect());
    }

    fn update(&self, socket: &mut Socket) -> Result<(), CommandError> {
        let params = self.params()?;
        let sids = sids(params)?;
        let &[sid] = sids.as_slice() else {
            return Err(CommandError::new(
                12,
                "Exactly one subscription ID is required",
            ));
        };
        let channel = socket
            .subscriptions
            .get(&sid)
            .map(|subscription| subscription.channel)
            .ok_or_else(CommandError::unknown_sid)?;
        // Further errors are sent on the subscription, with its sequence number.
        if let Err(error) = self.change(socket, (sid, channel), params) {
            socket.acknowledge(self.state, ("error", sid, self.id), Some(&error.body()));
        }
        Ok(())
    }

    fn change(
        &self,
        socket: &mut Socket,
        (sid, channel): (u64, Channel),
        params: &Map<String, Value>,
    ) -> Result<(), CommandError> {
        let action = match params.get("action") {
            None | Some(Value::Null) => return Err(CommandError::new(15, "Action required")),
            Some(action) => action.as_str().unwrap_or_default(),
        };
        if let Channel::Prices(feed) = channel {
            return self.change_sources(socket, (sid, feed), action, params);
        }
        let is_supported = match action {
            "add_markets" | "delete_markets" => channel.takes_markets(),
            "get_snapshot" => channel == Channel::OrderbookDelta,
            _ => false,
        };
        if !is_supported {
            return Err(CommandError::unsupported());
        }
        let snapshots = flag(params, "send_initial_snapshot")?;
        let requested = self.requested_markets(params)?;
        if requested.by_id && channel != Channel::Ticker {
            return Err(CommandError::invalid(
                "market ids are only supported on ticker",
            ));
        }
        let markets = requested.markets.ok_or_else(CommandError::no_market)?;
        match action {
            "get_snapshot" => {
                let markets: Vec<MarketIndex> = markets.into_values().collect();
                self.send_snapshots(socket, sid, &markets, true, self.id);
            }
            "add_markets" if socket.faults.reject_additions > 0 => {
                socket.faults.reject_additions -= 1;
                self.reject(socket, &CommandError::overflow());
            }
            "add_markets" => {
                let new = self.add_markets(socket, sid, Some(markets));
                self.acknowledge(socket, sid);
                self.send_snapshots(socket, sid, &new, snapshots, None);
            }
            _ => {
                // A subscription to all markets has no list to remove markets from.
                let subscription = socket.subscriptions.get_mut(&sid);
                if let Some(current) =
                    subscription.and_then(|subscription| subscription.markets.as_mut())
                {
                    current.retain(|ticker, _| !markets.contains_key(ticker));
                }
                self.acknowledge(socket, sid);
            }
        }
        Ok(())
    }

    /// Runs an action on a channel of external prices.
    fn change_sources(
        &self,
        socket: &mut Socket,
        (sid, feed): (u64, &Feed),
        action: &str,
        params: &Map<String, Value>,
    ) -> Result<(), CommandError> {
        if action == feed.list {
            socket.send(self.state, sid, self.id, feed.listed());
            return Ok(());
        }
        if action != feed.add && action != feed.remove {
            return Err(CommandError::unsupported());
        }
        if let Some(subscription) = socket.subscriptions.get_mut(&sid) {
            feed.change(&mut subscription.sources, action, params)?;
        }
        self.acknowledge(socket, sid);
        Ok(())
    }

    /// Reads the markets of a command, which any one of four parameters can name.
    fn requested_markets(
        &self,
        params: &Map<String, Value>,
    ) -> Result<RequestedMarkets, CommandError> {
        let parameters = ["market_ticker", "market_tickers", "market_id", "market_ids"];
        let mut present = parameters
            .into_iter()
            .filter_map(|name| Some((name, params.get(name).filter(|value| !value.is_null())?)));
        let Some((parameter, value)) = present.next() else {
            return Ok(RequestedMarkets::default());
        };
        if present.next().is_some() {
            return Err(CommandError::invalid("use only one parameter for markets"));
        }
        let names: Option<Vec<&str>> = match value {
            Value::String(name) if !parameter.ends_with('s') => Some(vec![name.as_str()]),
            Value::Array(names) if parameter.ends_with('s') => {
                names.iter().map(Value::as_str).collect()
            }
            _ => None,
        };
        let names = names.ok_or_else(|| CommandError::invalid(parameter))?;
        let by_id = parameter.starts_with("market_id");
        let mut markets = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in names {
            match self.find(name, by_id) {
                Some((ticker, index)) => {
                    markets.insert(ticker, index);
                }
                None if unknown.len() < MAX_ECHOED => unknown.push(name.to_owned()),
                None => {}
            }
        }
        if !unknown.is_empty() {
            return Err(CommandError::unknown_markets(unknown));
        }
        Ok(RequestedMarkets {
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

/// Reads subscription ids, from `sid` and `sids`.
fn sids(params: &Map<String, Value>) -> Result<Vec<u64>, CommandError> {
    match params.get("sid") {
        None | Some(Value::Null) => list_of_sids(params),
        Some(sid) => {
            let sid = sid.as_u64().ok_or_else(|| CommandError::invalid("sid"))?;
            Ok([vec![sid], list_of_sids(params)?].concat())
        }
    }
}

fn list_of_sids(params: &Map<String, Value>) -> Result<Vec<u64>, CommandError> {
    match params.get("sids") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(sids)) => {
            let sids: Option<_> = sids.iter().map(Value::as_u64).collect();
            sids.ok_or_else(|| CommandError::invalid("sids"))
        }
        Some(_) => Err(CommandError::invalid("sids")),
    }
}

fn flag(params: &Map<String, Value>, name: &str) -> Result<bool, CommandError> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(CommandError::invalid(name)),
    }
}

/// Reads the number of shards of a channel and the index of the requested one.
fn shard(params: &Map<String, Value>) -> Result<Option<(u64, u64)>, CommandError> {
    let number = |name: &str| match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| CommandError::invalid(name)),
    };
    match (number("shard_factor")?, number("shard_key")?) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(CommandError::new(
            20,
            "shard_factor is required when shard_key is set",
        )),
        (Some(parts), _) if parts < 1 => Err(CommandError::new(19, "shard_factor must be > 0")),
        (Some(parts), _) if parts > MAX_SHARDS => {
            Err(CommandError::new(22, "shard_factor must be <= 100"))
        }
        (Some(parts), part) => match part.unwrap_or(0) {
            part if (0..parts).contains(&part) => {
                Ok(Some((parts.unsigned_abs(), part.unsigned_abs())))
            }
            _ => Err(CommandError::new(
                21,
                "shard_key must be >= 0 and < shard_factor",
            )),
        },
    }
}
