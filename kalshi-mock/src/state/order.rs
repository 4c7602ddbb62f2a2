//! Orders: their fields, lifecycle and self-trade prevention.

use kalshi_sdk::{Contracts, Dollars};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{MarketIndex, account::Account, book::Rank, side::Side};
use crate::time::Micros;

/// Maximum size of an order: far above any real one, and small enough that no arithmetic overflows.
pub(crate) const MAX_COUNT: Contracts = Contracts::from_hundredths(100_000_000_000);

/// Self-trade prevention: which of two orders of the same user is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SelfTrade {
    /// Cancels the rest of the incoming order.
    TakerAtCross,
    /// Cancels the resting order.
    Maker,
}

/// Lifecycle state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Resting,
    Canceled,
    Executed,
}

/// An order. Ended orders are kept until `MAX_RECORDS` newer ones have ended.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    /// Sequence number, larger for later orders.
    pub(crate) number: u64,
    /// Time priority among orders at the same price: smaller numbers trade first.
    pub(crate) queued: u64,
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) client_order_id: Option<String>,
    pub(crate) side: Side,
    /// Limit price of YES.
    pub(crate) price: Dollars,
    pub(crate) initial: Contracts,
    pub(crate) filled: Contracts,
    pub(crate) remaining: Contracts,
    /// Contracts of this order that the public book includes.
    pub(crate) displayed: Contracts,
    pub(crate) status: Status,
    /// Expiration in Unix seconds, or `None` if the order does not expire.
    pub(crate) expires: Option<i64>,
    pub(crate) post_only: bool,
    pub(crate) self_trade: SelfTrade,
    pub(crate) group: Option<Uuid>,
    pub(crate) cancel_on_pause: bool,
    /// Cost of fills as taker. Costs and fees are in millionths of a dollar.
    pub(crate) taker_cost: i64,
    pub(crate) maker_cost: i64,
    pub(crate) taker_fees: i64,
    pub(crate) maker_fees: i64,
    /// Contracts filled while resting at this price, and the maker fee charged for them. The fee is rounded once, over all of them.
    pub(crate) maker_fills: (Contracts, i64),
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
    /// Reason of the last update, as the margin API spells it.
    pub(crate) reason: &'static str,
}

impl Order {
    /// Creates an unfilled resting order with default options.
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
            displayed: Contracts::ZERO,
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
            maker_fills: (Contracts::ZERO, 0),
            created: now,
            updated: now,
            reason: "",
        }
    }

    pub(crate) fn rank(&self) -> Rank {
        Rank::new(self.side, self.price, self.queued)
    }
}
