//! Hashes of the events and of the state, to check that runs are reproducible.

use std::fmt::{self, Write};

use super::{Event, LevelChange, Order, State};

/// Running hash of all events, and the number of pending events that it includes.
#[derive(Default)]
pub(super) struct EventLog {
    hash: Fnv,
    counted: usize,
}

/// 64-bit FNV-1a hash of formatted values. It is the same on every platform.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl State {
    /// Adds the pending events to the hash. Drops them if no connection is open.
    pub(super) fn log_events(&mut self) {
        let Some(log) = &mut self.event_log else {
            return;
        };
        for event in self.emitted.iter().skip(log.counted) {
            // Writing to a hash cannot fail. The clock of a book also counts reads, so it is not part of the hash.
            _ = match event {
                Event::Level(change) => write!(
                    log.hash,
                    "{:?}",
                    LevelChange {
                        clock: 0,
                        ..change.clone()
                    }
                ),
                event => write!(log.hash, "{event:?}"),
            };
        }
        if !self.has_connections {
            self.emitted.clear();
        }
        log.counted = self.emitted.len();
    }

    /// Removes and returns the pending events.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.log_events();
        if let Some(log) = &mut self.event_log {
            log.counted = 0;
        }
        std::mem::take(&mut self.emitted)
    }

    /// Returns the hash of all events since the activity started, or `None` without activity.
    pub(crate) fn event_hash(&mut self) -> Option<u64> {
        self.log_events();
        self.event_log.as_ref().map(|log| log.hash.0)
    }

    /// Returns a hash of the money, positions, markets, orders and trades.
    pub(crate) fn state_hash(&self) -> u64 {
        let mut hash = Fnv::default();
        let mut orders: Vec<&Order> = self.orders.values().collect();
        orders.sort_unstable_by_key(|order| order.number);
        // Writing to a hash cannot fail.
        _ = write!(
            hash,
            "{} {:?} {orders:?} {:?} {:?}",
            self.now, self.ledger, self.trades, self.fills
        );
        for market in &self.markets {
            _ = write!(
                hash,
                "{} {:?} {:?} {:?} {} {} {:?}",
                market.ticker,
                market.status,
                market.settled,
                market.last_price,
                market.volume,
                market.open_interest,
                market.book,
            );
        }
        hash.0
    }
}
