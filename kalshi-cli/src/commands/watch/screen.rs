//! Contents of the screen of `watch`.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use kalshi_sdk::ws::{
    BookEvent, BookStream, BookUpdate, Changes, Event, Message, OrderBook, messages::Trade,
};

use crate::{output::sanitize, recording::ConnectionEvent};

/// Number of trades kept for each market.
const MAX_TRADES: usize = 100;
/// Number of connection events kept.
const MAX_LOG: usize = 5;

/// Markets with their books and trades, and the state of the connection.
pub(super) struct Screen {
    pub(super) exchange: String,
    pub(super) now: DateTime<Utc>,
    pub(super) markets: Vec<Market>,
    pub(super) selected: usize,
    /// Reason for which there is no connection, or `None` while connected.
    pub(super) outage: Option<String>,
    /// Events of the connection, latest first.
    pub(super) log: VecDeque<(DateTime<Utc>, String)>,
    changed: BTreeSet<Arc<str>>,
}

/// A market as it is shown.
pub(super) struct Market {
    pub(super) ticker: String,
    pub(super) yes_means: String,
    pub(super) state: State,
    /// Time at which the book was last live.
    pub(super) live_at: Option<DateTime<Utc>>,
    /// Last live state of the book, which is drawn dimmed while the book is stale.
    pub(super) book: Option<OrderBook>,
    /// Latest trades, latest first.
    pub(super) trades: VecDeque<Trade>,
}

/// State of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No snapshot has been received yet.
    Waiting,
    Live,
    /// The best prices cross, as they may between the changes of one action.
    Crossed,
    /// Messages may be missing, for this reason.
    Stale(String),
}

impl Screen {
    /// Returns a screen of these markets. `titles` contains tickers and YES titles.
    pub(super) fn new(exchange: String, tickers: &[String], titles: Vec<(String, String)>) -> Self {
        let market = |ticker: &String| {
            let title = titles.iter().find(|(other, _)| other == ticker);
            Market {
                ticker: ticker.clone(),
                yes_means: title.map(|(_, title)| sanitize(title)).unwrap_or_default(),
                state: State::Waiting,
                live_at: None,
                book: None,
                trades: VecDeque::new(),
            }
        };
        Self {
            exchange,
            now: Utc::now(),
            markets: tickers.iter().map(market).collect(),
            selected: 0,
            outage: None,
            log: VecDeque::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Applies updates. The books are read by [`refresh`](Self::refresh), once per screen update.
    pub(super) fn apply(&mut self, changes: Changes) {
        self.changed.extend(changes.market_tickers);
        for update in changes.updates {
            match update {
                BookUpdate::Book(event) => self.apply_book_event(&event),
                BookUpdate::Connection(Event::Message(received)) => {
                    if let Message::Trade(trade) = received.frame.message
                        && let Some(market) = self.market(&trade.market_ticker)
                    {
                        market.trades.push_front(trade);
                        market.trades.truncate(MAX_TRADES);
                    }
                }
                BookUpdate::Connection(event) => self.apply_connection_event(&event),
                _ => {}
            }
        }
    }

    fn apply_book_event(&mut self, event: &BookEvent) {
        let state = match event {
            BookEvent::Live { .. } => State::Live,
            BookEvent::Withheld { .. } => State::Crossed,
            BookEvent::Stale { reason, .. } => State::Stale(reason.to_string()),
            _ => return,
        };
        let ticker = event.market_ticker();
        if let State::Stale(reason) = &state {
            self.push_log(format!("{ticker} is stale: {reason}"));
        }
        if let Some(market) = self.market(ticker) {
            market.state = state;
        }
    }

    fn apply_connection_event(&mut self, event: &Event) {
        match event {
            Event::Disconnected { reason } => self.outage = Some(sanitize(&reason.to_string())),
            Event::Connected => self.outage = None,
            _ => {}
        }
        if let Some(event) = ConnectionEvent::from_event(event, |_| None) {
            let detail = event.detail().unwrap_or_default();
            self.push_log(format!("{} {detail}", event.name()));
        }
    }

    fn push_log(&mut self, text: String) {
        self.log.push_front((Utc::now(), sanitize(&text)));
        self.log.truncate(MAX_LOG);
    }

    fn market(&mut self, ticker: &str) -> Option<&mut Market> {
        self.markets
            .iter_mut()
            .find(|market| market.ticker == ticker)
    }

    /// Reads the books that have changed since the last call.
    pub(super) fn refresh(&mut self, books: &BookStream, now: DateTime<Utc>) {
        self.now = now;
        for ticker in std::mem::take(&mut self.changed) {
            if let (Some(market), Some(book)) = (self.market(&ticker), books.live(&ticker)) {
                market.state = State::Live;
                market.book = Some(book.clone());
            }
        }
        for market in &mut self.markets {
            if market.state == State::Live {
                market.live_at = Some(now);
            }
        }
    }

    pub(super) fn select_next(&mut self) {
        self.selected = (self.selected + 1) % self.markets.len().max(1);
    }

    pub(super) fn select_previous(&mut self) {
        let count = self.markets.len().max(1);
        self.selected = (self.selected + count - 1) % count;
    }
}
