//! Orders, and the one YES book of a market that they rest in.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Account, MarketIndex, SelfTrade};
use crate::time::Micros;

/// A side of the YES book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// Buys YES.
    Bid,
    /// Sells YES, which is buying NO.
    Ask,
}

impl Side {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// What a contract of the bought outcome costs where YES costs `price`.
    pub(crate) fn unit(self, price: Dollars) -> Dollars {
        match self {
            Self::Bid => price,
            Self::Ask => complement(price),
        }
    }

    /// `count` contracts as a change of a position in YES.
    pub(crate) fn signed(self, count: Contracts) -> i64 {
        match self {
            Self::Bid => count.hundredths(),
            Self::Ask => -count.hundredths(),
        }
    }

    /// Whether an order at `limit` trades with one of the other side at `price`.
    pub(crate) fn crosses(self, limit: Dollars, price: Dollars) -> bool {
        match self {
            Self::Bid => price <= limit,
            Self::Ask => price >= limit,
        }
    }
}

/// One dollar less a price.
pub(crate) fn complement(price: Dollars) -> Dollars {
    Dollars::from_micros(Dollars::ONE.micros() - price.micros())
}

/// What `count` contracts cost at `unit` each, in micros: exact for prices of up to four decimals.
pub(crate) fn cost(unit: Dollars, count: Contracts) -> i64 {
    let micros = i128::from(unit.micros()) * i128::from(count.hundredths()) / 100;
    // Far beyond what anybody has: what is paid in and the sizes of orders are bounded.
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// What has become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Resting,
    Canceled,
    Executed,
}

/// An order, as long as it is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    /// Larger for later orders.
    pub(crate) number: u64,
    /// Its place among orders of its price: larger ones wait longer.
    pub(crate) queued: u64,
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) client_order_id: Option<String>,
    pub(crate) side: Side,
    /// Of YES.
    pub(crate) price: Dollars,
    pub(crate) initial: Contracts,
    pub(crate) filled: Contracts,
    pub(crate) remaining: Contracts,
    /// What of it the book shows.
    pub(crate) shown: Contracts,
    pub(crate) status: Status,
    /// Seconds since 1970.
    pub(crate) expires: Option<i64>,
    pub(crate) post_only: bool,
    pub(crate) self_trade: SelfTrade,
    pub(crate) group: Option<Uuid>,
    pub(crate) cancel_on_pause: bool,
    /// Paid for what it took, for what it made, and the fees of both, in micros.
    pub(crate) taker_cost: i64,
    pub(crate) maker_cost: i64,
    pub(crate) taker_fees: i64,
    pub(crate) maker_fees: i64,
    /// What was filled while resting at this price, and what of its fee is paid: the fee of the whole is rounded once.
    pub(crate) made: (Contracts, i64),
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
}

impl Order {
    /// One that rests whole, with nothing said about it but what must be.
    pub(crate) fn new(
        (id, number): (Uuid, u64),
        (account, market): (Account, MarketIndex),
        (side, price, count): (Side, Dollars, Contracts),
        now: Micros,
    ) -> Self {
        Self {
            id,
            number,
            queued: number,
            account,
            market,
            client_order_id: None,
            side,
            price,
            initial: count,
            filled: Contracts::ZERO,
            remaining: count,
            shown: Contracts::ZERO,
            status: Status::Resting,
            expires: None,
            post_only: false,
            self_trade: SelfTrade::TakerAtCross,
            group: None,
            cancel_on_pause: false,
            taker_cost: 0,
            maker_cost: 0,
            taker_fees: 0,
            maker_fees: 0,
            made: (Contracts::ZERO, 0),
            created: now,
            updated: now,
        }
    }

    pub(crate) fn rank(&self) -> Rank {
        Rank::new(self.side, self.price, self.queued)
    }
}

/// Where an order stands on its side: the best price first, then the earliest.
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

    /// All orders, bids first.
    pub(crate) fn orders(&self) -> impl Iterator<Item = Uuid> {
        self.bids.values().chain(self.asks.values()).copied()
    }
}
