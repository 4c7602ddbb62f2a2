//! Trades, and the fills they consist of.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{MarketIndex, account::Account, margin::Booked, side::Side};
use crate::time::Micros;

/// A trade as published, without its parties.
#[derive(Clone, Debug)]
pub(crate) struct Trade {
    pub(crate) id: Uuid,
    pub(crate) market: MarketIndex,
    pub(crate) price: Dollars,
    pub(crate) count: Contracts,
    pub(crate) taker_side: Side,
    pub(crate) at: Micros,
}

/// One user's side of a trade.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) trade: Uuid,
    pub(crate) account: Account,
    pub(crate) order: Uuid,
    pub(crate) market: MarketIndex,
    pub(crate) side: Side,
    pub(crate) price: Dollars,
    pub(crate) count: Contracts,
    pub(crate) is_taker: bool,
    pub(crate) fee: i64,
    /// Entry price and realised profit in a margin market.
    pub(crate) booked: Booked,
    pub(crate) at: Micros,
}
