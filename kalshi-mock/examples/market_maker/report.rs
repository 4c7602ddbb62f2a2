//! The report at the end: the maker's inventory next to the exchange's, and counts of orders, fills and failures.

use std::fmt;

use kalshi_sdk::{Contracts, Dollars};

/// The inventory by the maker's fills and by the exchange's positions.
#[derive(Debug)]
pub(crate) struct Report {
    /// Market, contracts by the maker's fills, contracts by the exchange's positions.
    pub(crate) inventory: Vec<(String, Contracts, Contracts)>,
    pub(crate) profit: Dollars,
    pub(crate) counts: Counts,
    /// Number of orders that still rest on the exchange.
    pub(crate) resting: usize,
}

impl Report {
    /// Returns `true` if the inventories agree and no order rests.
    pub(crate) fn agrees(&self) -> bool {
        let mut inventory = self.inventory.iter();
        inventory.all(|(_, own, exchange)| own == exchange) && self.resting == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>10} {:>10}", "market", "own fills", "exchange")?;
        for (ticker, own, exchange) in &self.inventory {
            let (own, exchange) = (own.to_string(), exchange.to_string());
            writeln!(f, "{ticker:<20} {own:>10} {exchange:>10}")?;
        }
        let Counts {
            orders,
            fills,
            missed_fills,
            outages,
            unknown,
        } = &self.counts;
        writeln!(
            f,
            "{orders} orders, {fills} fills, {missed_fills} of them by backfill, profit {}",
            self.profit
        )?;
        writeln!(f, "{outages} outages, {unknown} unknown outcomes resolved")?;
        match self.agrees() {
            true => f.write_str("the inventory agrees with the exchange's, and no order rests"),
            false => write!(
                f,
                "the inventory differs from the exchange's, or orders still rest ({} resting)",
                self.resting
            ),
        }
    }
}

/// Counts for the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    /// Fills that were read by a backfill.
    pub(crate) missed_fills: usize,
    pub(crate) outages: u64,
    /// Orders and cancels whose outcome was unknown at first.
    pub(crate) unknown: u64,
}
