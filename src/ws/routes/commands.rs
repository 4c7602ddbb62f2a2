//! Commands: what they ask of the exchange, and of what is kept.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    About, Kept, MAIN, Routes,
    answers::{Pending, done},
};
use crate::ws::{
    StreamError,
    messages::OrderbookSnapshot,
    stream::SubscriptionId,
    subscription::{Change, Channel, Command, Reply, Targets},
};

/// What most channels call the things that a subscription is about.
const MARKETS: &str = "market_tickers";

impl Routes {
    pub(in crate::ws) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe {
                channel,
                mut params,
                outlet,
                reply,
            } => {
                self.last_subscription += 1;
                let id = SubscriptionId(self.last_subscription);
                let member = Targets::of(&channel).member;
                let one = params.remove("market_ticker");
                let targets = params.remove(member).into_iter().chain(one);
                let targets: BTreeSet<_> = targets.flat_map(texts).collect();
                let by_id = ["market_id", "market_ids"].map(|name| params.contains_key(name));
                let about = match by_id.contains(&true) {
                    true => About::Ids,
                    false if member != MARKETS => About::Indices,
                    false if targets.is_empty() => About::All,
                    false => About::Markets,
                };
                let outlet = match outlet {
                    Some(outlet) => {
                        self.outlets.insert(id.0, outlet);
                        id.0
                    }
                    None => MAIN,
                };
                let kept = Kept {
                    channel,
                    params,
                    targets,
                    about,
                    is_woken: false,
                    outlet,
                    sid: None,
                    reply: Some(reply),
                    retry_at: None,
                    attempts: 0,
                    since: None,
                };
                self.subscriptions.insert(id, kept);
                if self.is_connected {
                    self.subscribe(id);
                }
            }
            Command::Unsubscribe {
                subscription,
                reply,
            } => self.unsubscribe(subscription, reply),
            Command::Other {
                name,
                params,
                reply,
            } if self.is_connected => self.give(&name, params, Pending::Other(reply)),
            Command::Change {
                subscription,
                change,
                targets,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(StreamError::Ended)),
                Some(None)
                    if self.is_idle(subscription)
                        && (change == Change::Remove || targets.is_empty()) =>
                {
                    _ = reply.send(Ok(()));
                }
                Some(None) => {
                    if change == Change::Add {
                        self.wake(subscription, &targets);
                    }
                    self.wait(Command::Change {
                        subscription,
                        change,
                        targets,
                        reply,
                    });
                }
                Some(Some(_)) if change == Change::Add && self.is_by_id(subscription) => {
                    let reason = "its markets were named by their ids, so no tickers can be added";
                    _ = reply.send(Err(StreamError::Invalid(reason.to_owned())));
                }
                Some(Some(sid)) => {
                    let targets = match change {
                        Change::Add => targets,
                        Change::Remove => self.release(subscription, targets),
                    };
                    match change == Change::Remove && targets.is_empty() {
                        true => _ = reply.send(Ok(())),
                        false => {
                            let Some(kept) = self.subscriptions.get(&subscription) else {
                                return;
                            };
                            let channel = kept.channel.clone();
                            let about = (subscription, &channel);
                            self.change(sid, about, change, targets, Some(reply));
                        }
                    }
                }
            },
            Command::Snapshot {
                subscription,
                market_tickers,
                reply,
            } => match self.sid_of(subscription) {
                None => _ = reply.send(Err(StreamError::Ended)),
                Some(None) if self.is_idle(subscription) => {
                    let reason = "the subscription has no markets: add them first";
                    _ = reply.send(Err(StreamError::Invalid(reason.to_owned())));
                }
                Some(None) => self.wait(Command::Snapshot {
                    subscription,
                    market_tickers,
                    reply,
                }),
                Some(Some(_)) if market_tickers.is_empty() => _ = reply.send(Ok(Vec::new())),
                Some(Some(sid)) => self.snapshot(sid, market_tickers, reply),
            },
            Command::SnapshotOf {
                sid,
                mut market_tickers,
                reply,
            } => match self.sids.get(&sid) {
                Some(route) => {
                    market_tickers.retain(|ticker| !route.removed.contains(ticker));
                    match market_tickers.is_empty() {
                        true => _ = reply.send(Ok(Vec::new())),
                        false => self.snapshot(sid, market_tickers, reply),
                    }
                }
                None => _ = reply.send(Err(StreamError::Disconnected)),
            },
            Command::Other { reply, .. } => _ = reply.send(Err(StreamError::Disconnected)),
        }
    }

    fn snapshot(
        &mut self,
        sid: u64,
        market_tickers: Vec<String>,
        reply: Reply<Vec<OrderbookSnapshot>>,
    ) {
        let params =
            json!({"sids": [sid], "action": "get_snapshot", "market_tickers": market_tickers});
        let pending = Pending::Snapshot {
            missing: market_tickers.into_iter().collect(),
            snapshots: Vec::new(),
            reply,
        };
        self.give("update_subscription", Some(params), pending);
    }

    /// Subscribes to what was about nothing and is about something now.
    fn wake(&mut self, id: SubscriptionId, targets: &[String]) {
        let Some(kept) = self
            .subscriptions
            .get_mut(&id)
            .filter(|kept| kept.is_idle())
        else {
            return;
        };
        kept.targets.extend(targets.iter().cloned());
        kept.is_woken = true;
        if self.is_connected {
            self.subscribe(id);
        }
    }

    fn is_idle(&self, id: SubscriptionId) -> bool {
        self.subscriptions.get(&id).is_some_and(Kept::is_idle)
    }

    fn is_by_id(&self, id: SubscriptionId) -> bool {
        self.subscriptions
            .get(&id)
            .is_some_and(|kept| kept.about == About::Ids)
    }

    /// What the exchange calls a subscription, if it is one.
    fn sid_of(&self, id: SubscriptionId) -> Option<Option<u64>> {
        self.subscriptions.get(&id).map(|kept| kept.sid)
    }

    pub(super) fn change(
        &mut self,
        sid: u64,
        (subscription, channel): (SubscriptionId, &Channel),
        change: Change,
        targets: Vec<String>,
        reply: Option<Reply<()>>,
    ) {
        let names = Targets::of(channel);
        let action = match change {
            Change::Add => names.add,
            Change::Remove => names.remove,
        };
        let params = json!({"sids": [sid], "action": action, names.member: targets});
        let pending = Pending::Change {
            subscription,
            channel: channel.clone(),
            change,
            targets,
            reply,
        };
        self.give("update_subscription", Some(params), pending);
    }

    /// Gives up what other subscriptions to the same channel want as well, and leaves what is to be taken from the exchange.
    fn release(&mut self, id: SubscriptionId, targets: Vec<String>) -> Vec<String> {
        let Some(channel) = self.subscriptions.get(&id).map(|kept| kept.channel.clone()) else {
            return targets;
        };
        let (own, shared): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| !self.is_wanted(id, &channel, target));
        if let Some(kept) = self.subscriptions.get_mut(&id) {
            kept.targets.retain(|target| !shared.contains(target));
        }
        own
    }

    /// Whether another subscription to the channel is about this, or about all.
    fn is_wanted(&self, id: SubscriptionId, channel: &Channel, target: &str) -> bool {
        self.subscriptions.iter().any(|(other, kept)| {
            *other != id
                && kept.channel == *channel
                && (matches!(kept.about, About::All | About::Ids) || kept.targets.contains(target))
        })
    }

    /// Keeps a command for when its subscription is there; what was given up meanwhile goes.
    fn wait(&mut self, command: Command) {
        self.waiting.retain(|waiting| !waiting.is_given_up());
        self.waiting.push(command);
    }

    pub(super) fn resume_waiting(&mut self) {
        for command in std::mem::take(&mut self.waiting) {
            if !command.is_given_up() {
                self.command(command);
            }
        }
    }

    /// Fails what waits for markets to be added to a subscription.
    pub(super) fn refuse_waiting(&mut self, id: SubscriptionId, error: &StreamError) {
        for command in std::mem::take(&mut self.waiting) {
            match command {
                Command::Change {
                    subscription,
                    change: Change::Add,
                    reply,
                    ..
                } if subscription == id => _ = reply.send(Err(error.clone())),
                command => self.waiting.push(command),
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, reply: Option<Reply<()>>) {
        let Some((kept, sid)) = self.remove(id).and_then(|kept| {
            let sid = kept.sid?;
            Some((kept, sid))
        }) else {
            return done(reply);
        };
        let route = self.sids.get(&sid);
        if route.is_none_or(|route| route.subscriptions.is_empty()) {
            let params = json!({"sids": [sid]});
            return self.give("unsubscribe", Some(params), Pending::Unsubscribe(reply));
        }
        // Others share it: only what nobody else wants goes.
        let targets = kept.targets.into_iter();
        let targets: Vec<_> = targets
            .filter(|target| !self.is_wanted(id, &kept.channel, target))
            .collect();
        match targets.is_empty() {
            true => done(reply),
            false => self.change(sid, (id, &kept.channel), Change::Remove, targets, reply),
        }
    }
}

/// A text, or those of a list.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.into_iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
