//! Faults in the frames of a subscription: numbers, clocks, snapshots and messages.

use tokio::time::Instant;

use super::{
    kind::Kind,
    model::{Change, Envelope, Level, Model, QUIET, delta, delta_body, snapshot, ticker},
    peer::Peer,
    server::Server,
};
use crate::ws_target::{
    COUNT_FIELD, Dollars, LEVELS_FIELD, OUT_OF_RANGE, PRICE_FIELD, SIDES, TOO_HIGH, price,
};

impl Server {
    pub fn break_frames(&mut self, kind: Kind) {
        let crossing_until = Instant::now() + self.random_ms(30..2_500);
        let shared = self.shared.clone();
        let model = &mut *shared.model.borrow_mut();
        let Some(peer) = &mut self.peer else { return };
        let Some(market) = peer.some_market(model) else {
            return;
        };
        match kind {
            Kind::LastingCrossing => {
                let changes = model.cross(market);
                peer.send(&changes);
                self.crossing = Some((market, crossing_until));
            }
            Kind::EqualClocks => {
                let change = model.single(market);
                peer.send_change(&change);
                self.second_half = Some(market);
            }
            Kind::LostFrame
            | Kind::LostRun
            | Kind::LastRepeated
            | Kind::EarlierRepeated
            | Kind::Swapped
            | Kind::RestartAtOne
            | Kind::RestartLower
            | Kind::RestartHigher
            | Kind::MissingSeq
            | Kind::ZeroSeq
            | Kind::MaxSeq
            | Kind::NegativeSeq
            | Kind::UnknownSid
            | Kind::MissingSid
            | Kind::EndedSid => break_numbers(peer, model, market, kind),
            Kind::ClocksVanish
            | Kind::ClockFalls
            | Kind::ClocksRestart
            | Kind::ClockLeaps
            | Kind::ClockMissing
            | Kind::SnapshotWithLowerClock => break_clocks(peer, model, market, kind),
            Kind::UnrequestedSnapshot
            | Kind::SnapshotWithEarlierSeq
            | Kind::NegativeLevel
            | Kind::DuplicateLevel
            | Kind::LevelAtZero
            | Kind::LevelAtOne
            | Kind::CrossedSnapshot
            | Kind::SnapshotOfOtherMarket
            | Kind::EmptyBook
            | Kind::MalformedSnapshot => break_snapshot(peer, model, market, kind),
            Kind::Overflow => peer.fail(None, true, 25),
            Kind::OverflowOfAll => peer.fail(None, false, 25),
            Kind::ChannelFailed => peer.fail(None, true, 10),
            Kind::StrayError => {
                let sid = peer.subscription().sid;
                peer.send_error(None, Some(sid), 18);
            }
            Kind::Unsubscribed => {
                peer.numbered(|envelope| envelope.frame("unsubscribed", "{}"));
                peer.end();
            }
            _ => break_message(peer, model, market, kind),
        }
    }

    pub fn send_second_half(&mut self) {
        let shared = self.shared.clone();
        let model = &mut *shared.model.borrow_mut();
        if let Some(market) = self.second_half.take() {
            let change = model.with_same_clock(market);
            if let Some(peer) = &mut self.peer {
                peer.send(&[change]);
            }
        }
    }
}

fn break_numbers(peer: &mut Peer, model: &mut Model, market: usize, kind: Kind) {
    let seq = peer.subscription().seq;
    match kind {
        Kind::LostFrame | Kind::LostRun => {
            let frames = if kind == Kind::LostFrame { 1 } else { 7 };
            for _ in 0..frames {
                model.single(market);
                peer.lose();
            }
        }
        Kind::LastRepeated => {
            peer.act(model, market);
            peer.texts.extend(peer.last.clone());
        }
        Kind::EarlierRepeated => {
            // The two latest frames are not candidates for the repetition.
            peer.act(model, market);
            peer.send_change(&model.single(market));
            let last = peer.subscription().seq;
            let earlier = peer.recent.iter().filter(|(seq, _)| *seq < last);
            let earlier: Vec<_> = earlier.cloned().collect();
            if let Some((seq, text)) = model.random.choice(earlier) {
                peer.texts.push(text);
                peer.misnumbered(seq);
            }
        }
        Kind::Swapped => {
            match model.random.bool() {
                true => peer.send_change(&model.single(market)),
                false => peer.send_snapshot(model, market, None),
            }
            peer.send_change(&model.single(market));
            let last = peer.texts.len() - 1;
            peer.texts.swap(last - 1, last);
            let seq = peer.subscription().seq;
            peer.misnumbered(seq - 1);
        }
        Kind::RestartAtOne => peer.restart(0),
        Kind::RestartLower => peer.restart(model.random.u64(..=seq)),
        Kind::RestartHigher => peer.restart(seq + model.random.u64(1..1_000)),
        Kind::MissingSeq => send_extra(peer, model, market, |envelope| Envelope {
            seq: None,
            ..envelope
        }),
        Kind::UnknownSid => send_modified(peer, model, market, |envelope| Envelope {
            sid: Some(1_000),
            ..envelope
        }),
        Kind::MissingSid => send_extra(peer, model, market, |envelope| Envelope {
            sid: None,
            ..envelope
        }),
        Kind::ZeroSeq | Kind::MaxSeq => {
            let seq = if kind == Kind::ZeroSeq { 0 } else { u64::MAX };
            send_modified(peer, model, market, |envelope| Envelope {
                seq: Some(seq),
                ..envelope
            });
            peer.misnumbered(seq);
        }
        Kind::NegativeSeq => {
            send_extra(peer, model, market, |envelope| envelope);
            if let Some(text) = peer.texts.last_mut() {
                *text = text.replacen(r#""seq":"#, r#""seq":-"#, 1);
            }
        }
        Kind::EndedSid => {
            if peer.ended.is_none() {
                peer.fail(None, true, 25);
            }
            // Use a `sid` that the exchange had assigned before.
            let change = model.sample(market);
            let envelope = Envelope::numbered(peer.ended.unwrap_or(1), 1 + seq);
            peer.texts.push(delta(envelope, &change));
        }
        _ => unreachable!("{kind:?}"),
    }
}

/// Sends a change in a modified envelope.
fn send_modified(
    peer: &mut Peer,
    model: &mut Model,
    market: usize,
    envelope: impl FnOnce(Envelope) -> Envelope,
) {
    let change = model.single(market);
    let text = delta(envelope(peer.lose()), &change);
    peer.texts.push(text);
}

/// Sends a change in a modified envelope. The next frame has the number that the change should have had.
fn send_extra(
    peer: &mut Peer,
    model: &mut Model,
    market: usize,
    envelope: impl FnOnce(Envelope) -> Envelope,
) {
    let change = model.single(market);
    let subscription = peer.subscription();
    let own = Envelope::numbered(subscription.sid, subscription.seq + 1);
    peer.texts.push(delta(envelope(own), &change));
}

fn break_clocks(peer: &mut Peer, model: &mut Model, market: usize, kind: Kind) {
    match kind {
        Kind::ClocksVanish => model.drop_clocks(),
        Kind::ClockFalls => {
            peer.lower_clock(model, market);
        }
        Kind::ClocksRestart => {
            for market in 0..model.markets.len() {
                model.set_clock(market, 1);
            }
        }
        Kind::ClockLeaps => {
            let clock = model.markets[market].clock;
            model.markets[market].clock = 1_000_000_000;
            peer.act(model, market);
            model.markets[market].clock = clock;
            peer.act(model, market);
        }
        Kind::ClockMissing => {
            model.has_clock = false;
            let change = model.single(market);
            model.has_clock = true;
            peer.send_change(&change);
        }
        Kind::SnapshotWithLowerClock => peer.send_old_snapshot(model, market, None),
        _ => unreachable!("{kind:?}"),
    }
}

fn break_snapshot(peer: &mut Peer, model: &mut Model, market: usize, kind: Kind) {
    let side = model.random.usize(..2);
    let unused = price(SIDES[side], 95);
    let mut invalid = |levels: &[Level]| {
        let more = match side {
            0 => [levels, &[]],
            _ => [&[], levels],
        };
        peer.send_invalid_snapshot(model, market, None, more);
    };
    match kind {
        Kind::NegativeLevel => invalid(&[(unused, -500)]),
        Kind::DuplicateLevel => invalid(&[(unused, 100), (unused, 200)]),
        Kind::LevelAtZero => invalid(&[(Dollars::ZERO, 100)]),
        Kind::LevelAtOne => invalid(&[(TOO_HIGH.unwrap(), 100)]),
        Kind::CrossedSnapshot => {
            // These levels stay until the next snapshot, because no change removes them.
            let more = SIDES.map(|side| [(price(side, 98), 100)]);
            peer.send_invalid_snapshot(model, market, None, [&more[0], &more[1]]);
        }
        Kind::UnrequestedSnapshot => peer.send_snapshot(model, market, None),
        Kind::SnapshotWithEarlierSeq => {
            peer.reveal_losses(model);
            let subscription = peer.subscription();
            let seq = model.random.u64(1..subscription.seq.max(2));
            let envelope = Envelope::numbered(subscription.sid, seq);
            let (book, clock) = (&model.markets[market].book, model.clock(market));
            peer.texts
                .push(snapshot(envelope, market, book, clock, [&[], &[]]));
            peer.misnumbered(seq);
        }
        Kind::SnapshotOfOtherMarket => peer.send_snapshot(model, QUIET, None),
        Kind::EmptyBook => {
            let changes = model.clear(market);
            peer.send(&changes);
            peer.send_snapshot(model, market, None);
        }
        Kind::MalformedSnapshot => {
            let ticker = ticker(market);
            let body = format!(
                r#"{{"market_ticker":"{ticker}","market_id":"m","clock":1,"{LEVELS_FIELD}":[["much","1.00"]]}}"#
            );
            peer.numbered(|envelope| envelope.frame("orderbook_snapshot", &body));
        }
        _ => unreachable!("{kind:?}"),
    }
}

fn break_message(peer: &mut Peer, model: &mut Model, market: usize, kind: Kind) {
    /// Returns a change that was not made, with the clock of an action without changes.
    fn unfit(model: &mut Model, market: usize) -> Change {
        let clock = model.markets[market].clock + 1;
        model.set_clock(market, clock);
        Change {
            clock: model.clock(market),
            ..model.sample(market)
        }
    }
    let text = |body: String| move |envelope: Envelope| envelope.frame("orderbook_delta", &body);
    match kind {
        Kind::UnknownType => {
            model.single(market);
            peer.numbered(|envelope| envelope.frame("orderbook_summary", r#"{"levels":1}"#));
        }
        Kind::UnknownTypeWithoutSeq => {
            model.single(market);
            let sid = Some(peer.subscription().sid);
            let envelope = Envelope {
                sid,
                ..Envelope::default()
            };
            peer.texts
                .push(envelope.frame("orderbook_summary", r#"{"levels":1}"#));
        }
        Kind::BrokenJson => {
            send_extra(peer, model, market, |envelope| envelope);
            if let Some(text) = peer.texts.last_mut() {
                text.truncate(model.random.usize(1..text.len()));
            }
        }
        Kind::EmptyText => peer.texts.push(String::new()),
        Kind::NotAnObject => peer.texts.push("[1,2]".to_owned()),
        Kind::MissingField => {
            let (field, other) = (format!(r#""{PRICE_FIELD}":"#), r#""costs":"#);
            let body = delta_body(&model.single(market)).replacen(&field, other, 1);
            peer.numbered(text(body));
        }
        Kind::MissingMarket => {
            let body = delta_body(&model.single(market)).replacen("market_ticker", "market", 1);
            peer.numbered(text(body));
        }
        Kind::WrongTypes => {
            let field = format!(r#""{COUNT_FIELD}":"#);
            let other = format!(r#"{field}[],"x":"#);
            let body = delta_body(&model.single(market)).replacen(&field, &other, 1);
            peer.numbered(text(body));
        }
        Kind::PriceOutOfRange => {
            let change = Change {
                price: OUT_OF_RANGE,
                ..unfit(model, market)
            };
            peer.numbered(text(delta_body(&change)));
        }
        Kind::RemovesTooMuch => {
            let change = Change {
                count: -100_000_000_000,
                ..unfit(model, market)
            };
            peer.numbered(|envelope| delta(envelope, &change));
        }
        Kind::UnknownSide => {
            let body = delta_body(&unfit(model, market));
            let body = body.replacen(r#""side":""#, r#""side":"neither "#, 1);
            peer.numbered(text(body));
        }
        Kind::ChangeOfOtherMarket => {
            let change = model.single(QUIET);
            peer.numbered(|envelope| delta(envelope, &change));
        }
        Kind::OtherSpelling => {
            let body = delta_body(&model.single(market));
            peer.numbered(|Envelope { sid, seq, .. }| {
                let (sid, seq) = (sid.unwrap_or(0), seq.unwrap_or(0));
                format!(
                    r#" {{ "msg" : {body}, "more":{{"seq":[1]}}, "seq":{seq},"sid" :{sid}, "type":"orderbook\u005fdelta" }} "#
                )
            });
        }
        Kind::TransientCrossing => {
            let mut changes = model.cross(market);
            changes.extend(model.uncross(market));
            peer.send(&changes);
        }
        Kind::UnrequestedOk => {
            peer.numbered(|envelope| envelope.frame("ok", "{}"));
        }
        _ => unreachable!("{kind:?}"),
    }
}
