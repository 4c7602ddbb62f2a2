//! Trading fees of a market.

use kalshi_sdk::{Contracts, Dollars, fees, fees::Multiplier};

/// Fee schedule of a series or a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fees {
    pub(crate) multiplier: Multiplier,
    /// True if makers pay fees too.
    pub(crate) charges_makers: bool,
}

impl Fees {
    /// Returns the taker fee in millionths of a dollar.
    pub(crate) fn taker(&self, unit_price: Dollars, count: Contracts) -> i64 {
        fees::taker(unit_price, count, self.multiplier).map_or(0, Dollars::micros)
    }

    /// Returns the maker fee in millionths of a dollar.
    pub(crate) fn maker(&self, unit_price: Dollars, count: Contracts) -> i64 {
        let fee = if self.charges_makers {
            fees::maker(unit_price, count, self.multiplier)
        } else {
            None
        };
        fee.map_or(0, Dollars::micros)
    }
}
