//! Order books fed by several connections, so that a loss on one does not interrupt them.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{
    Books,
    api::{ApiBook, BookMessage},
    event::{BookEvent, StaleReason},
    events::BookEvents,
};
use crate::{
    ClientOrderId,
    ws::{Event, Frame, Received, SnapshotRequest, sequence::Clock},
};

/// The order books of the same markets, maintained over several connections.
///
/// Each connection maintains its own books. Among the live books of a market, the one with the most changes is returned, judged by the
/// exchange's clock, which is the same on all connections. The first connection to deliver a change therefore wins, and a loss on one
/// connection has no effect while another is live. The cost is the memory and the messages of each connection.
///
/// If the exchange sends no clock, as on the perpetuals API, two live books cannot be compared. [`RedundantBooks::has_no_clock`] returns
/// `true` then, and the book of one connection is returned for as long as it is live.
///
/// A notice that a market has settled, or that a corporate action changed its levels, concerns the books of all connections. A lost notice
/// makes only the books of its own connection stale, so subscribe every connection to the channel of the notices.
///
/// Maintenance can restart the exchange's clock. A half-open connection from before the restart then has the higher clock, and is preferred
/// until it times out.
#[derive(Clone, Debug)]
pub struct RedundantBooks<B: ApiBook> {
    connections: Vec<Books<B>>,
    shown: HashMap<Arc<str>, Shown>,
}

/// The book returned for a market.
#[derive(Clone, Copy, Debug)]
struct Shown {
    connection: usize,
    clock: Option<Clock>,
}

impl<B: ApiBook> RedundantBooks<B> {
    /// Creates empty books for this number of connections. If the API has several price modes, state
    /// the mode with [`with_mode`](Self::with_mode).
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self::from_books(connections, Books::new())
    }

    /// Creates empty books for this number of connections, whose subscriptions all have this mode.
    #[must_use]
    pub fn with_mode(connections: usize, mode: B::PriceMode) -> Self {
        Self::from_books(connections, Books::with_mode(mode))
    }

    fn from_books(connections: usize, books: Books<B>) -> Self {
        Self {
            connections: vec![books; connections],
            shown: HashMap::new(),
        }
    }

    /// Returns the book of a market, or `None` if it is not live on any connection.
    #[must_use]
    pub fn live(&self, market_ticker: &str) -> Option<&B> {
        let shown = self.shown.get(market_ticker)?;
        self.connections.get(shown.connection)?.live(market_ticker)
    }

    /// Returns `true` if the live book of a market has no clock, so that the connections cannot be compared.
    #[must_use]
    pub fn has_no_clock(&self, market_ticker: &str) -> bool {
        let shown = self.shown.get(market_ticker);
        shown.is_some_and(|shown| shown.clock.is_none())
    }

    /// Returns the snapshots to request on a connection. See [`Books::drain_snapshot_requests`].
    pub fn drain_snapshot_requests(&mut self, connection: usize) -> Vec<SnapshotRequest> {
        let books = self.connections.get_mut(connection);
        books
            .map(Books::drain_snapshot_requests)
            .unwrap_or_default()
    }

    /// Requests snapshots on a connection again without a pause.
    pub fn request_again(&mut self, connection: usize, request: &SnapshotRequest) {
        if let Some(books) = self.connections.get_mut(connection) {
            books.request_again(request);
        }
    }

    /// Requests snapshots on a connection again after a pause that doubles with every attempt. Call this if a request was rejected.
    pub fn request_failed(&mut self, connection: usize, request: &SnapshotRequest) {
        if let Some(books) = self.connections.get_mut(connection) {
            books.request_failed(request);
        }
    }

    /// Registers markets of a subscription on a connection. See [`Books::register`].
    pub fn register(
        &mut self,
        connection: usize,
        sid: u64,
        market_tickers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> BookEvents {
        let books = self.connections.get_mut(connection);
        let events = books.map(|books| books.register(sid, market_tickers));
        self.merge(connection, events.unwrap_or_default())
    }

    /// Returns the next time at which [`poll_timeouts`](Self::poll_timeouts) has something to do. It may change with every event.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let timeouts = self.connections.iter().filter_map(Books::next_timeout);
        timeouts.min()
    }

    /// Processes timeouts up to `now` on all connections. See [`Books::poll_timeouts`].
    pub fn poll_timeouts(&mut self, now: Instant) -> BookEvents {
        let mut events = BookEvents::default();
        for connection in 0..self.connections.len() {
            let books = self.connections.get_mut(connection);
            let expired = books.map(|books| books.poll_timeouts(now));
            events.extend(self.merge(connection, expired.unwrap_or_default()));
        }
        events
    }

    /// Makes all books of a connection stale because it is lost.
    pub fn disconnected(&mut self, connection: usize) -> BookEvents {
        let books = self.connections.get_mut(connection);
        let events = books.map(Books::disconnected).unwrap_or_default();
        self.merge(connection, events)
    }

    /// Applies a frame of one connection, counted from 0, and returns the resulting book events.
    pub fn apply(&mut self, connection: usize, frame: &Frame<B::Message>) -> BookEvents {
        self.applied(connection, Some(&frame.message), |books| books.apply(frame))
    }

    /// Applies an event of one connection, counted from 0, and returns the resulting book events. See [`Books::apply_event`].
    pub fn apply_event(
        &mut self,
        connection: usize,
        event: &Event<Received<B::Message>>,
    ) -> BookEvents {
        let message = event.message();
        self.applied(connection, message, |books| books.apply_event(event))
    }

    /// Applies a message to the books of a connection, and if it is a notice, to those of all others.
    fn applied(
        &mut self,
        connection: usize,
        message: Option<&B::Message>,
        apply: impl FnOnce(&mut Books<B>) -> BookEvents,
    ) -> BookEvents {
        let Some(books) = self.connections.get_mut(connection) else {
            return BookEvents::default();
        };
        let own = apply(books);
        let mut others = Vec::new();
        if let Some(notice) = message.map(B::read).filter(BookMessage::is_notice) {
            let connections = self.connections.iter_mut().enumerate();
            for (other, books) in connections.filter(|(other, _)| *other != connection) {
                let mut events = BookEvents::default();
                books.apply_notice(&notice, &mut events);
                others.push((other, events));
            }
        }
        // All books are up to date before one is chosen.
        let mut merged = self.merge(connection, own);
        for (other, events) in others {
            merged.extend(self.merge(other, events));
        }
        merged
    }

    fn merge(&mut self, connection: usize, events: BookEvents) -> BookEvents {
        let merged = events.into_iter();
        merged
            .filter_map(|event| self.merged(connection, event))
            .collect()
    }

    /// Converts an event of one connection into an event of the merged books, or `None` if they did not change.
    fn merged(&mut self, connection: usize, event: BookEvent) -> Option<BookEvent> {
        let (market_ticker, client_order_id, reason) = match event {
            BookEvent::Changed {
                market_ticker,
                client_order_id,
            } => (market_ticker, client_order_id, None),
            BookEvent::Live { market_ticker } => (market_ticker, None, None),
            BookEvent::Stale {
                market_ticker,
                reason,
            } => (market_ticker, None, Some(reason)),
            BookEvent::Withheld { market_ticker } => {
                let before = self.shown.get(&market_ticker).copied()?;
                return match self.best(&market_ticker, Some(before)) {
                    None if before.connection == connection => {
                        Some(BookEvent::Withheld { market_ticker })
                    }
                    // Another connection's book is live, or the book was already withheld.
                    None => None,
                    Some(now) => self.show(connection, market_ticker, None, now),
                };
            }
            BookEvent::SnapshotOverdue { .. } => return Some(event),
        };
        let before = self.shown.get(&market_ticker).copied();
        let Some(now) = self.best(&market_ticker, before) else {
            before?;
            self.shown.remove(&market_ticker);
            return Some(BookEvent::Stale {
                market_ticker,
                reason: reason.unwrap_or(StaleReason::NoSnapshot),
            });
        };
        self.show(connection, market_ticker, client_order_id, now)
    }

    /// Makes `now` the returned book after an event of `connection`, and returns the resulting event.
    fn show(
        &mut self,
        connection: usize,
        market_ticker: Arc<str>,
        client_order_id: Option<ClientOrderId>,
        now: Shown,
    ) -> Option<BookEvent> {
        let before = self.shown.get(&market_ticker).copied();
        self.shown.insert(Arc::clone(&market_ticker), now);
        match before {
            None => Some(BookEvent::Live { market_ticker }),
            // A connection whose book is not returned delivers only changes that are older or already applied.
            Some(before) if before.connection == now.connection && now.connection != connection => {
                None
            }
            // Both connections have the same changes, so the book is the same.
            Some(before)
                if now.clock.is_some()
                    && before.clock == now.clock
                    && before.connection != now.connection =>
            {
                None
            }
            Some(_) => Some(BookEvent::Changed {
                market_ticker,
                client_order_id,
            }),
        }
    }

    /// Returns the live book with the most changes. If they cannot be compared, returns the previous one.
    fn best(&self, market_ticker: &str, before: Option<Shown>) -> Option<Shown> {
        let live = self
            .connections
            .iter()
            .enumerate()
            .filter_map(|(connection, books)| {
                books.live(market_ticker)?;
                let clock = books.progress(market_ticker);
                Some(Shown { connection, clock })
            });
        live.max_by_key(|shown| {
            let was_before = before.is_some_and(|before| before.connection == shown.connection);
            (shown.clock, was_before, std::cmp::Reverse(shown.connection))
        })
    }
}
