//! Commands of the client and faults in their replies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    kind::{Kind, Occasion},
    model::{Envelope, Model, QUIET, State, market_of, snapshot, ticker},
    peer::{Mute, Peer},
    server::Server,
};
use crate::ws_target::{LEVELS_FIELD, SIDES, check_subscription, price};

/// Number of changes that overflows the buffer of a stale book.
const BURST: usize = 10_050;

impl Server {
    pub fn command(&mut self, command: &Value) {
        let id = command["id"].as_u64();
        let params = &command["params"];
        let markets = markets_of(params);
        let sid = params["sids"][0].as_u64();
        let own = self
            .peer
            .as_ref()
            .and_then(|peer| peer.subscription.as_ref());
        let is_own = sid.is_some() && sid == own.map(|own| own.sid);
        match command["cmd"].as_str() {
            Some("subscribe") => {
                assert_eq!(params["channels"], serde_json::json!(["orderbook_delta"]));
                check_subscription(params);
                self.subscribe(id, markets);
            }
            Some("update_subscription") if is_own => match params["action"].as_str() {
                Some("get_snapshot") => self.get_snapshot(id, markets),
                Some("add_markets") => self.add_markets(id, markets),
                Some("delete_markets") => self.delete_markets(id, &markets),
                _ => panic!("{command}"),
            },
            Some("update_subscription" | "unsubscribe") => {
                if let Some(peer) = &mut self.peer {
                    peer.send_error(id, sid, 7);
                }
            }
            _ => panic!("{command}"),
        }
    }

    fn subscribe(&mut self, id: Option<u64>, markets: BTreeSet<usize>) {
        let fault = self.take(&[Occasion::Subscribe, Occasion::ClockSubscribe]);
        let shared = self.shared.clone();
        let model = &mut *shared.model.borrow_mut();
        let Some(peer) = &mut self.peer else { return };
        match fault {
            Some(Kind::SubscribeTimedOut) => return peer.send_error(id, None, 18),
            Some(Kind::SubscribeOverflowed) => return peer.fail(id, false, 25),
            _ => {}
        }
        if fault == Some(Kind::SnapshotBurst) {
            self.max_burst = 1;
        }
        let overflows = markets.len() > self.max_burst;
        if peer.subscription.is_some() {
            return match overflows {
                true => peer.fail(id, false, 25),
                false => extend(peer, model, id, markets),
            };
        }
        let sid = peer.start(markets.clone());
        if peer.mute != Mute::Nothing {
            peer.has_hidden_loss = true;
        }
        let body = format!(r#"{{"channel":"orderbook_delta","sid":{sid}}}"#);
        let envelope = Envelope {
            id,
            ..Envelope::default()
        };
        let ack = envelope.frame("subscribed", &body);
        match fault {
            Some(Kind::AckLost | Kind::AckLate | Kind::MergedWithoutSnapshots) => {}
            Some(Kind::MergedWithoutList) => {
                peer.numbered(|envelope| envelope.with_id(id).frame("ok", "{}"));
            }
            Some(Kind::AckTwice) => peer.texts.extend([ack.clone(), ack.clone()]),
            _ => peer.texts.push(ack.clone()),
        }
        if fault == Some(Kind::FirstSnapshotsLate) {
            for market in markets.iter().chain(&markets) {
                peer.act(model, *market);
            }
        }
        for (at, market) in markets.iter().enumerate() {
            match fault {
                Some(Kind::NoSnapshots) => {}
                Some(Kind::MergedWithoutSnapshots) => _ = peer.lose(),
                Some(Kind::FirstSnapshotLost) if at == 0 => _ = peer.lose(),
                Some(Kind::FirstSnapshotsOld) => peer.send_old_snapshot(model, *market, None),
                _ => peer.send_snapshot(model, *market, None),
            }
        }
        if fault == Some(Kind::AckLate) {
            for market in &markets {
                peer.act(model, *market);
            }
            peer.texts.push(ack);
        }
        if overflows {
            peer.fail(None, true, 25);
        }
    }

    fn get_snapshot(&mut self, id: Option<u64>, mut markets: BTreeSet<usize>) {
        let shared = self.shared.clone();
        let own = self.peer.as_ref().map(Peer::markets).unwrap_or_default();
        if !markets.is_subset(&own) {
            if let Some(peer) = &mut self.peer {
                peer.send_error(id, None, 14);
            }
            return;
        }
        let fault = self.take(&[Occasion::Reply, Occasion::ClockReply]);
        let model = &mut *shared.model.borrow_mut();
        let Some(peer) = &mut self.peer else { return };
        if markets.len() > self.max_burst {
            return peer.fail(id, false, 25);
        }
        // A reply may have an earlier number, so it reveals no loss.
        peer.reveal_losses(model);
        if let Some(kind) = fault
            && let Some(market) = markets.pop_first()
        {
            match kind {
                Kind::ReplyIncomplete => markets.clear(),
                Kind::ReplyRejected => return peer.send_error(id, None, 14),
                Kind::ReplyTimedOut => return peer.send_error(id, None, 18),
                Kind::ReplyRateLimited => return peer.send_error(id, None, 27),
                Kind::ErrorWithoutId => {
                    let sid = peer.subscription().sid;
                    return peer.send_error(None, Some(sid), 14);
                }
                Kind::ReplyOverflowed => return peer.fail(id, false, 25),
                _ => {}
            }
            send_faulty_reply(peer, model, id, market, kind);
        }
        for market in markets {
            peer.send_snapshot(model, market, id);
        }
    }

    fn add_markets(&mut self, id: Option<u64>, markets: BTreeSet<usize>) {
        let fault = self.take(&[Occasion::Addition]);
        let shared = self.shared.clone();
        let model = &mut *shared.model.borrow_mut();
        let Some(peer) = &mut self.peer else { return };
        if markets.len() > self.max_burst {
            return peer.fail(id, false, 25);
        }
        match fault {
            Some(Kind::AdditionOverflowed) => return peer.fail(id, false, 25),
            Some(Kind::AdditionTimedOut) => return peer.send_error(id, None, 18),
            None => return extend(peer, model, id, markets),
            Some(_) => {}
        }
        let new: Vec<_> = markets.difference(&peer.markets()).copied().collect();
        peer.subscription().markets.extend(&markets);
        let list = peer.list();
        match fault {
            Some(Kind::AdditionAckLost) => _ = peer.lose(),
            Some(Kind::AdditionWithoutList) => {
                peer.numbered(|envelope| envelope.with_id(id).frame("ok", "{}"));
            }
            _ => {
                let ack = peer.numbered(|envelope| envelope.with_id(id).frame("ok", &list));
                let ack = ack.to_owned();
                if fault == Some(Kind::AdditionAckTwice) {
                    peer.texts.push(ack);
                }
            }
        }
        if fault != Some(Kind::AdditionWithoutSnapshot) {
            for market in new {
                peer.send_snapshot(model, market, None);
            }
        }
    }

    fn delete_markets(&mut self, id: Option<u64>, markets: &BTreeSet<usize>) {
        let Some(peer) = &mut self.peer else { return };
        let subscription = peer.subscription();
        subscription
            .markets
            .retain(|market| !markets.contains(market));
        let list = peer.list();
        peer.numbered(|envelope| envelope.with_id(id).frame("ok", &list));
    }
}

/// Adds markets to the subscription and acknowledges them.
fn extend(peer: &mut Peer, model: &mut Model, id: Option<u64>, markets: BTreeSet<usize>) {
    let new: Vec<_> = markets.difference(&peer.markets()).copied().collect();
    peer.subscription().markets.extend(markets);
    let list = peer.list();
    peer.numbered(|envelope| envelope.with_id(id).frame("ok", &list));
    for market in new {
        peer.send_snapshot(model, market, None);
    }
}

fn send_faulty_reply(
    peer: &mut Peer,
    model: &mut Model,
    id: Option<u64>,
    market: usize,
    kind: Kind,
) {
    match kind {
        Kind::ReplyLost | Kind::ReplyIncomplete => {}
        Kind::ReplyUnnumbered | Kind::ReplyLate => {
            let envelope = peer.last_envelope().with_id(id);
            let (book, clock) = (&model.markets[market].book, model.clock(market));
            let text = snapshot(envelope, market, book, clock, [&[], &[]]);
            match kind {
                Kind::ReplyLate => peer.late.push(text),
                _ => peer.texts.push(text),
            }
        }
        Kind::BufferOverflow => {
            let envelope = peer.last_envelope().with_id(id);
            let (book, clock) = (&model.markets[market].book, model.clock(market));
            let text = snapshot(envelope, market, book, clock, [&[], &[]]);
            for _ in 0..BURST {
                let change = model.single(market);
                peer.send_change(&change);
            }
            peer.texts.push(text);
        }
        Kind::ReplyTwice => {
            peer.send_snapshot(model, market, id);
            peer.texts.extend(peer.last.clone());
        }
        Kind::ReplyWithOtherId => peer.send_snapshot(model, market, Some(987_654)),
        Kind::ReplyWithoutId => peer.send_snapshot(model, market, None),
        Kind::ReplyMalformed => {
            let ticker = ticker(market);
            let body = format!(
                r#"{{"market_ticker":"{ticker}","market_id":"m","{LEVELS_FIELD}":[["0.1000"]]}}"#
            );
            peer.numbered(|envelope| envelope.with_id(id).frame("orderbook_snapshot", &body));
        }
        Kind::ReplyInvalid => {
            let more = [(price(SIDES[0], 95), -500)];
            peer.send_invalid_snapshot(model, market, id, [&more, &[]]);
        }
        Kind::ReplyOfOtherMarket => peer.send_snapshot(model, QUIET, id),
        Kind::ReplyWithLowerClock => peer.send_old_snapshot(model, market, id),
        Kind::ReplyFromBeforeLoss => {
            let before = model.markets[market].history.len() - 1;
            model.single(market);
            peer.lose();
            peer.act(model, market);
            let State { book, clock } = &model.markets[market].history[before];
            peer.numbered(|envelope| {
                snapshot(envelope.with_id(id), market, book, *clock, [&[], &[]])
            });
        }
        Kind::ReplyAfterClockFell => {
            peer.act(model, market);
            peer.lower_clock(model, market);
            peer.send_snapshot(model, market, id);
        }
        _ => unreachable!("{kind:?}"),
    }
}

/// Returns the markets of a command.
fn markets_of(params: &Value) -> BTreeSet<usize> {
    let list = params["market_tickers"].as_array().into_iter().flatten();
    list.map(|ticker| market_of(ticker.as_str().unwrap()))
        .collect()
}
