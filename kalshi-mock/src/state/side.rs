//! Sides of a YES book, and price arithmetic between YES and NO.

use kalshi_sdk::{Contracts, Dollars};
use serde::{Deserialize, Serialize};

/// A side of the YES book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// Orders that buy YES.
    Bid,
    /// Orders that sell YES, which is the same as buying NO.
    Ask,
}

impl Side {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Returns the price of the bought outcome when YES costs `price`.
    pub(crate) fn unit_price(self, price: Dollars) -> Dollars {
        match self {
            Self::Bid => price,
            Self::Ask => price.complement(),
        }
    }

    /// Returns `count` as a signed change of a YES position, in hundredths of a contract.
    pub(crate) fn signed(self, count: Contracts) -> i64 {
        match self {
            Self::Bid => count.hundredths(),
            Self::Ask => -count.hundredths(),
        }
    }

    /// Returns the outcome that an order on this side buys, as the API spells it.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Bid => "yes",
            Self::Ask => "no",
        }
    }

    /// Returns true if an order at `limit` matches one on the other side at `price`.
    pub(crate) fn crosses(self, limit: Dollars, price: Dollars) -> bool {
        match self {
            Self::Bid => price <= limit,
            Self::Ask => price >= limit,
        }
    }
}

/// Returns the cost of `count` contracts at `unit_price` each, in millionths of a dollar. Exact for prices of up to four decimals.
pub(crate) fn cost(unit_price: Dollars, count: Contracts) -> i64 {
    let micros = i128::from(unit_price.micros()) * i128::from(count.hundredths()) / 100;
    // Unreachable in practice: deposits and order sizes are bounded.
    i64::try_from(micros).unwrap_or(i64::MAX)
}
