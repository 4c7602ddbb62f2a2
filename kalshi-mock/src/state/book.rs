//! The YES book of a market: its resting orders in price-time priority.

use std::collections::BTreeMap;

use kalshi_sdk::Dollars;
use uuid::Uuid;

use super::side::Side;

/// Priority of an order on its side: best price first, then earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rank {
    key: i64,
    queued: u64,
}

impl Rank {
    pub(crate) fn new(side: Side, price: Dollars, queued: u64) -> Self {
        let key = match side {
            Side::Bid => -price.micros(),
            Side::Ask => price.micros(),
        };
        Self { key, queued }
    }
}

/// The resting orders of a market.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    bids: BTreeMap<Rank, Uuid>,
    asks: BTreeMap<Rank, Uuid>,
}

impl Book {
    pub(crate) fn side(&self, side: Side) -> &BTreeMap<Rank, Uuid> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    pub(crate) fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Rank, Uuid> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Iterates over all orders, bids first.
    pub(crate) fn orders(&self) -> impl Iterator<Item = Uuid> {
        self.bids.values().chain(self.asks.values()).copied()
    }
}
