//! The best prices of a market, for either outcome.

use crate::{Contracts, Dollars, OutcomeSide, PriceLevel, positions, types::Market};

/// # Best prices
impl Market {
    /// Returns the best bid for an outcome and the contracts at it, or `None` if there is no bid or the outcome is unknown. A bid for NO is
    /// an ask for YES at one dollar minus its price.
    ///
    /// ```no_run
    /// # fn example(market: kalshi_sdk::types::Market) {
    /// use kalshi_sdk::OutcomeSide;
    ///
    /// if let Some(ask) = market.best_ask(OutcomeSide::No) {
    ///     println!("{} NO for {} each", ask.count, ask.price);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn best_bid(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        let (price, count) = match outcome {
            OutcomeSide::Yes => (self.yes_bid_dollars, self.yes_bid_size_fp),
            OutcomeSide::No => (
                self.yes_ask_dollars.checked_complement()?,
                self.yes_ask_size_fp,
            ),
            OutcomeSide::Unknown(_) => return None,
        };
        // The exchange sends a price of 0 or 1 dollar if there is no order. It has also sent a price with a negative count.
        let is_order = price > Dollars::ZERO && price < Dollars::ONE && count > Contracts::ZERO;
        is_order.then_some(PriceLevel { price, count })
    }

    /// Returns the best ask for an outcome and the contracts at it, or `None` if there is none or the outcome is unknown.
    #[must_use]
    pub fn best_ask(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        let bid = self.best_bid(outcome.opposite())?;
        Some(PriceLevel {
            price: bid.price.checked_complement()?,
            count: bid.count,
        })
    }

    /// Returns the proceeds of closing a position at this market's best prices: see [`positions::mark`]. A position without a
    /// [best bid](Self::best_bid) for its outcome is worth 0.
    #[must_use]
    pub fn mark(&self, position: Contracts) -> Option<Dollars> {
        let bid = self.best_bid(OutcomeSide::Yes);
        let ask = self.best_ask(OutcomeSide::Yes);
        positions::mark(
            position,
            bid.map_or(Dollars::ZERO, |bid| bid.price),
            ask.map_or(Dollars::ONE, |ask| ask.price),
        )
    }
}
