//! Rebuilds order books from the lines of a recording.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kalshi_sdk::{
    Decimal, OutcomeSide,
    ws::{
        BookEvent, BookEvents, Books, Channel, Event, Frame, Message, OrderBook, PriceMode,
        StaleReason,
    },
};

use crate::{
    output::{Cell, Table},
    recording::{ALIVE_INTERVAL, ConnectionEvent, Entry, Header, Line},
};

/// Time without a line, in microseconds, after which the recorder was not running: its machine was suspended, for example.
const MAX_SILENCE_US: i64 = 2 * ALIVE_INTERVAL.as_micros() as i64;

/// Rebuilds order books, and counts how long each was live.
pub(super) struct Player {
    books: Books,
    markets: BTreeMap<String, MarketCounters>,
    header: Option<Header>,
    first_us: Option<i64>,
    last_us: Option<i64>,
    /// Time of the latest line of this recording. It never decreases, even if the clock of the recorder was set back.
    now_us: i64,
    frames: u64,
    disconnects: u64,
    is_damaged: bool,
    /// Markets of the subscription to the books while its number is unknown: lines before this segment are missing, or an earlier version
    /// recorded the subscription without its channel.
    unregistered: Option<Vec<String>>,
}

/// Counters of one book. Times are in microseconds.
#[derive(Default)]
struct MarketCounters {
    live_since: Option<i64>,
    live_us: i64,
    recorded_since: Option<i64>,
    recorded_us: i64,
    changes: u64,
    losses: u64,
    last_loss: Option<StaleReason>,
}

impl Default for Player {
    fn default() -> Self {
        Self {
            books: Books::with_mode(PriceMode::YesPrices),
            markets: BTreeMap::new(),
            header: None,
            first_us: None,
            last_us: None,
            now_us: i64::MIN,
            frames: 0,
            disconnects: 0,
            is_damaged: false,
            unregistered: None,
        }
    }
}

impl Player {
    /// Begins a segment whose header has this time. Returns `false` if segments of the recording before it are missing, and the events of
    /// books that do not continue.
    pub(super) fn begin_segment(&mut self, header: &Header, start_us: i64) -> (bool, BookEvents) {
        let previous = self.header.as_ref();
        let previous = previous.filter(|previous| previous.recording == header.recording);
        let is_complete = header.number == previous.map_or(0, |previous| previous.number) + 1;
        let is_new = previous.is_none();
        let mut lost = BookEvents::default();
        if is_new {
            lost = self.end_recording();
            self.now_us = start_us;
        } else if self.is_damaged || !is_complete {
            lost = self.books.disconnected();
            self.count_events(&lost);
        }
        self.advance(start_us);
        if !is_complete || self.is_damaged && !is_new {
            self.unregistered = Some(header.market_tickers.clone());
        } else if is_new {
            self.unregistered = None;
        }
        self.is_damaged = false;
        for ticker in &header.market_tickers {
            let market = self.markets.entry(ticker.clone()).or_default();
            market.recorded_since.get_or_insert(start_us);
        }
        self.header = Some(header.clone());
        (is_complete, lost)
    }

    /// Marks the rest of the segment as missing. The books remain as they were, and become stale if the recording continues.
    pub(super) fn mark_damaged(&mut self) {
        self.is_damaged = true;
    }

    /// Ends a recording, and returns the events of its books. They are no losses, and the time until the next recording is not counted.
    fn end_recording(&mut self) -> BookEvents {
        for market in self.markets.values_mut() {
            market.stop_live(self.now_us);
            if let Some(since) = market.recorded_since.take() {
                market.recorded_us += self.now_us.saturating_sub(since);
            }
        }
        self.books.disconnected()
    }

    /// Moves the time forward. Books are not counted as live while the recorder was not running.
    fn advance(&mut self, time_us: i64) {
        let silent_us = self.now_us.saturating_add(MAX_SILENCE_US);
        if time_us > silent_us {
            for market in self.markets.values_mut() {
                if market.live_since.is_some() {
                    market.stop_live(silent_us);
                    market.live_since = Some(time_us);
                }
            }
        }
        self.now_us = self.now_us.max(time_us);
    }

    /// Applies a line, and returns the changes of the books.
    pub(super) fn apply(&mut self, line: &Line) -> BookEvents {
        self.first_us.get_or_insert(line.time_us);
        self.last_us = self.last_us.max(Some(line.time_us));
        self.advance(line.time_us);
        let events = match &line.entry {
            Entry::Header(_) => BookEvents::default(),
            Entry::Frame(text) => {
                self.frames += 1;
                let frame = Frame::parse(text);
                let mut events = self.register_markets(&frame);
                events.extend(self.books.apply(&frame));
                events
            }
            Entry::Event(event) => self.apply_event(event),
        };
        self.count_events(&events);
        events
    }

    /// Registers the markets of the subscription to the books at its first frame, if its number was unknown. Otherwise the snapshots
    /// that the recorder requests at the start of a segment would not be applied, because a requested snapshot may be of a market
    /// without a subscription.
    fn register_markets(&mut self, frame: &Frame) -> BookEvents {
        if let Some(sid) = frame.sid
            && matches!(
                frame.message,
                Message::OrderbookSnapshot(_) | Message::OrderbookDelta(_)
            )
            && let Some(market_tickers) = self.unregistered.take()
        {
            self.books.register(sid, market_tickers)
        } else {
            BookEvents::default()
        }
    }

    fn apply_event(&mut self, event: &ConnectionEvent) -> BookEvents {
        match event {
            ConnectionEvent::Connected => self.books.disconnected(),
            ConnectionEvent::Disconnected { .. } => {
                self.disconnects += 1;
                self.books.disconnected()
            }
            ConnectionEvent::Resubscribed {
                sid,
                channel,
                market_tickers,
            } => match channel {
                Some(Channel::OrderbookDelta) => {
                    self.unregistered = None;
                    self.books.register(*sid, market_tickers)
                }
                Some(_) => BookEvents::default(),
                None => {
                    self.unregistered = Some(market_tickers.clone());
                    BookEvents::default()
                }
            },
            ConnectionEvent::Lagged { count } => {
                self.books.apply_event(&Event::Lagged { count: *count })
            }
            _ => BookEvents::default(),
        }
    }

    fn count_events(&mut self, events: &[BookEvent]) {
        for event in events {
            let market = self
                .markets
                .entry(event.market_ticker().to_owned())
                .or_default();
            match event {
                BookEvent::Live { .. } | BookEvent::Changed { .. } => {
                    market.changes += 1;
                    market.live_since.get_or_insert(self.now_us);
                }
                BookEvent::Stale { reason, .. } => {
                    market.losses += 1;
                    market.last_loss = Some(*reason);
                    market.stop_live(self.now_us);
                }
                BookEvent::Withheld { .. } => market.stop_live(self.now_us),
                _ => {}
            }
        }
    }

    pub(super) fn live(&self, ticker: &str) -> Option<&OrderBook> {
        self.books.live(ticker)
    }

    pub(super) fn exchange(&self) -> Cell {
        self.header
            .as_ref()
            .map(|header| header.exchange.clone())
            .into()
    }

    pub(super) fn first_us(&self) -> Option<i64> {
        self.first_us
    }

    pub(super) fn last_us(&self) -> Option<i64> {
        self.last_us
    }

    /// Returns the time of the latest line of this recording.
    pub(super) fn now(&self) -> i64 {
        self.now_us
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn disconnects(&self) -> u64 {
        self.disconnects
    }

    /// Returns the books that were live at the last line.
    pub(super) fn last_books(&self) -> impl Iterator<Item = (&str, &OrderBook)> {
        let tickers = self.markets.keys();
        tickers.filter_map(|ticker| Some((ticker.as_str(), self.books.live(ticker)?)))
    }

    /// Returns the counters of each book, with its best prices at the last line.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(
            "books",
            [
                "market_ticker",
                "live_seconds",
                "stale_seconds",
                "changes",
                "losses",
                "last_loss",
                "at_end",
                "yes_bid",
                "yes_ask",
            ],
        )
        .flexible("last_loss");
        for (ticker, market) in &self.markets {
            let until_now = |since: Option<i64>| since.map_or(0, |since| self.now_us - since);
            let live_us = market.live_us + until_now(market.live_since);
            let recorded_us = market.recorded_us + until_now(market.recorded_since);
            let book = self.books.live(ticker);
            let at_end = match (book, self.books.is_stale(ticker)) {
                (Some(_), _) => "live",
                (None, true) => "stale",
                (None, false) => "none",
            };
            table.push([
                ticker.as_str().into(),
                seconds(live_us),
                seconds(recorded_us - live_us),
                i64::try_from(market.changes).ok().into(),
                i64::try_from(market.losses).ok().into(),
                market.last_loss.map(|reason| reason.to_string()).into(),
                at_end.into(),
                book.and_then(|book| book.best_bid(OutcomeSide::Yes))
                    .map(|level| level.price)
                    .into(),
                book.and_then(|book| book.best_ask(OutcomeSide::Yes))
                    .map(|level| level.price)
                    .into(),
            ]);
        }
        table
    }
}

impl MarketCounters {
    fn stop_live(&mut self, now_us: i64) {
        if let Some(since) = self.live_since.take() {
            self.live_us += now_us.saturating_sub(since);
        }
    }
}

/// Returns microseconds as seconds with three decimal places.
fn seconds(us: i64) -> Cell {
    Decimal::new((us / 1_000).into(), 3).ok().into()
}
