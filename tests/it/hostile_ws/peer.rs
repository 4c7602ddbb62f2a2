//! One connection and its subscription to order books.

use std::collections::{BTreeSet, VecDeque};

use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;

use super::{
    model::{Change, Envelope, Level, Model, State, delta, snapshot, ticker},
    wire::Style,
};

/// Number of recent frames that are kept to be repeated.
const RECENT: usize = 20;

/// Frames that are withheld from the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    Nothing,
    /// All frames except pings.
    Messages,
    /// All frames.
    Everything,
}

pub struct Subscription {
    pub sid: u64,
    /// Number of the last frame sent.
    pub seq: u64,
    /// Number of the last frame that the client received.
    pub received: u64,
    pub markets: BTreeSet<usize>,
}

pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
    /// Messages to be written.
    pub texts: Vec<String>,
    pub style: Style,
    pub mute: Mute,
    pub subscription: Option<Subscription>,
    last_sid: u64,
    /// `sid` of a subscription that has ended.
    pub ended: Option<u64>,
    /// `true` if frames were lost and no later frame reveals it.
    pub has_hidden_loss: bool,
    /// Recently sent frames with their numbers.
    pub recent: VecDeque<(u64, String)>,
    /// The last numbered frame.
    pub last: Option<String>,
    /// Replies that have not been sent yet.
    pub late: Vec<String>,
}

impl Peer {
    pub fn new(socket: WebSocketStream<TcpStream>) -> Self {
        Self {
            socket,
            texts: Vec::new(),
            style: Style::Plain,
            mute: Mute::Nothing,
            subscription: None,
            last_sid: 0,
            ended: None,
            has_hidden_loss: false,
            recent: VecDeque::new(),
            last: None,
            late: Vec::new(),
        }
    }

    pub fn subscription(&mut self) -> &mut Subscription {
        self.subscription.as_mut().unwrap()
    }

    pub fn markets(&self) -> BTreeSet<usize> {
        let subscription = self.subscription.as_ref();
        subscription.map_or_else(BTreeSet::new, |subscription| subscription.markets.clone())
    }

    /// Starts a subscription and returns its `sid`.
    pub fn start(&mut self, markets: BTreeSet<usize>) -> u64 {
        self.last_sid += 1;
        self.subscription = Some(Subscription {
            sid: self.last_sid,
            seq: 0,
            received: 0,
            markets,
        });
        self.has_hidden_loss = false;
        self.forget();
        self.last_sid
    }

    /// Ends the subscription and returns its `sid`.
    pub fn end(&mut self) -> Option<u64> {
        self.forget();
        self.ended = self
            .subscription
            .take()
            .map(|subscription| subscription.sid);
        self.ended
    }

    /// Forgets frames whose numbers have a new meaning from here on.
    fn forget(&mut self) {
        self.recent.clear();
        self.late.clear();
        self.last = None;
    }

    /// Sends the next frame of the subscription.
    pub fn numbered(&mut self, make: impl FnOnce(Envelope) -> String) -> &str {
        let has_hidden_loss = self.has_hidden_loss;
        let is_mute = self.mute != Mute::Nothing;
        let subscription = self.subscription();
        if has_hidden_loss && subscription.seq == subscription.received {
            // A loss that no sequence number reveals could not be detected.
            subscription.seq += 1;
        }
        subscription.seq += 1;
        if !is_mute {
            subscription.received = subscription.seq;
        }
        let seq = subscription.seq;
        let text = make(Envelope::numbered(subscription.sid, seq));
        self.has_hidden_loss = is_mute;
        self.last = Some(text.clone());
        self.recent.push_back((seq, text.clone()));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.texts.push(text);
        self.texts.last().unwrap()
    }

    /// Skips the next frame of the subscription and returns its envelope.
    pub fn lose(&mut self) -> Envelope {
        let subscription = self.subscription();
        subscription.seq += 1;
        let envelope = Envelope::numbered(subscription.sid, subscription.seq);
        self.has_hidden_loss = true;
        envelope
    }

    /// Records that the client now has this sequence number. Only the next frame reveals the difference.
    pub fn misnumbered(&mut self, received: u64) {
        self.subscription().received = received;
        self.has_hidden_loss = true;
        self.forget();
    }

    /// Restarts the sequence after `seq`.
    pub fn restart(&mut self, seq: u64) {
        self.subscription().seq = seq;
        self.has_hidden_loss = true;
        self.forget();
    }

    /// Sends the changes of subscribed markets.
    pub fn send(&mut self, changes: &[Change]) {
        let markets = self.markets();
        for change in changes {
            if markets.contains(&change.market) {
                self.send_change(change);
            }
        }
    }

    pub fn send_change(&mut self, change: &Change) {
        self.numbered(|envelope| delta(envelope, change));
    }

    pub fn act(&mut self, model: &mut Model, market: usize) {
        let changes = model.act(market);
        self.send(&changes);
    }

    /// Sends a change if a loss is still hidden, which reveals it.
    pub fn reveal_losses(&mut self, model: &mut Model) {
        let market = self.some_market(model);
        if self.has_hidden_loss
            && let Some(market) = market
        {
            self.act(model, market);
        }
    }

    /// Returns a random market of the subscription.
    pub fn some_market(&self, model: &mut Model) -> Option<usize> {
        let markets: Vec<_> = self.markets().into_iter().collect();
        model.random.choice(markets)
    }

    /// Sends a snapshot, in reply to the command `id` if there is one.
    pub fn send_snapshot(&mut self, model: &Model, market: usize, id: Option<u64>) {
        let (book, clock) = (&model.markets[market].book, model.clock(market));
        self.numbered(|envelope| snapshot(envelope.with_id(id), market, book, clock, [&[], &[]]));
    }

    /// Sends a snapshot with additional levels that the book does not have.
    pub fn send_invalid_snapshot(
        &mut self,
        model: &Model,
        market: usize,
        id: Option<u64>,
        more: [&[Level]; 2],
    ) {
        let (book, clock) = (&model.markets[market].book, model.clock(market));
        self.numbered(|envelope| snapshot(envelope.with_id(id), market, book, clock, more));
    }

    /// Changes a market and sends a snapshot from before the change.
    pub fn send_old_snapshot(&mut self, model: &mut Model, market: usize, id: Option<u64>) {
        let before = model.markets[market].history.len() - 1;
        self.act(model, market);
        let State { book, clock } = &model.markets[market].history[before];
        self.numbered(|envelope| snapshot(envelope.with_id(id), market, book, *clock, [&[], &[]]));
    }

    /// Lowers the clock of a market and changes it.
    pub fn lower_clock(&mut self, model: &mut Model, market: usize) {
        let clock = model.markets[market].clock;
        let clock = model.random.i64(1..=clock);
        model.set_clock(market, clock);
        // A clock that falls between the buffered changes of a book shows only in the next change.
        self.act(model, market);
    }

    /// Returns the envelope of the last frame.
    pub fn last_envelope(&mut self) -> Envelope {
        let subscription = self.subscription();
        Envelope::numbered(subscription.sid, subscription.seq)
    }

    /// Returns the body of an acknowledgement.
    pub fn list(&self) -> String {
        let tickers: Vec<_> = self.markets().into_iter().map(ticker).collect();
        format!(r#"{{"market_tickers":{tickers:?}}}"#)
    }

    /// Sends an error without a sequence number.
    pub fn send_error(&mut self, id: Option<u64>, sid: Option<u64>, code: i64) {
        let seq = None;
        let body = format!(r#"{{"code":{code},"msg":"hostile"}}"#);
        let text = Envelope { id, sid, seq }.frame("error", &body);
        self.texts.push(text);
    }

    /// Ends the subscription with an error.
    pub fn fail(&mut self, id: Option<u64>, has_sid: bool, code: i64) {
        let sid = self.end();
        self.send_error(id, sid.filter(|_| has_sid), code);
    }
}
