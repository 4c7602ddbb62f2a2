//! The end of a market: what it pays, and who gets it.

use kalshi_sdk::Dollars;

use super::{Account, MarketIndex, MarketStatus, State, Step, remember};
use crate::time::Micros;

/// How a market ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// YES pays a dollar.
    Yes,
    /// NO pays a dollar.
    No,
    /// YES pays so much, in whole cents, and NO the rest of a dollar.
    Scalar(Dollars),
}

impl Outcome {
    /// What a contract of YES is worth.
    pub(crate) fn value(self) -> Dollars {
        match self {
            Self::Yes => Dollars::ONE,
            Self::No => Dollars::ZERO,
            Self::Scalar(value) => value.clamp(Dollars::ZERO, Dollars::ONE),
        }
    }

    /// As answers have it, for a market that pays `value`.
    pub(crate) fn word(value: Dollars) -> &'static str {
        match value {
            Dollars::ONE => "yes",
            Dollars::ZERO => "no",
            _ => "scalar",
        }
    }
}

/// What one account got out of a market.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) value: Dollars,
    /// Hundredths of contracts, YES if positive.
    pub(crate) position: i64,
    pub(crate) cost: i64,
    pub(crate) fees: i64,
    pub(crate) revenue: i64,
    pub(crate) at: Micros,
}

impl State {
    /// Ends a market: cancels what rests, and pays what is held.
    pub(crate) fn settle(&mut self, index: MarketIndex, outcome: Outcome) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(index) else {
            return;
        };
        if market.status == MarketStatus::Finalized {
            return;
        }
        // Cents: what a contract pays is never less.
        let value = Dollars::from_micros(outcome.value().micros() / 10_000 * 10_000);
        let ends_early = market.closes > now;
        market.status = MarketStatus::Finalized;
        market.settled = Some((now, value));
        market.closes = market.closes.min(now);
        market.updated = now;
        let place = (index, market.shard);
        for order in market.book.orders().collect::<Vec<_>>() {
            self.cancel_for(order, Some("CloseCancel"));
        }
        if ends_early {
            self.emit_step(index, Step::CloseMoved);
        }
        self.emit_step(index, Step::Determined);
        for account in self.ledger.holders(index) {
            let Some((held, revenue)) = self.ledger.settle(account, place, value, now) else {
                continue;
            };
            if account.is_market_maker() || held.volume == 0 {
                continue;
            }
            self.emit_position(account, index);
            let number = self.next();
            let settlement = Settlement {
                account,
                market: index,
                value,
                position: held.position,
                cost: held.cost,
                fees: held.fees,
                revenue,
                at: now,
            };
            remember(&mut self.settlements, number, settlement);
        }
        if let Some(market) = self.markets.get_mut(index) {
            market.open_interest = kalshi_sdk::Contracts::ZERO;
        }
        self.emit_step(index, Step::Settled);
    }
}
