//! Settlement of markets, and the payout of positions.

use kalshi_sdk::Dollars;

use super::{Account, MarketIndex, MarketStatus, State, Step, insert_bounded};
use crate::time::Micros;

/// Result of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// YES pays a dollar.
    Yes,
    /// NO pays a dollar.
    No,
    /// YES pays this amount, in whole cents, and NO pays the rest of a dollar.
    Scalar(Dollars),
}

impl Settlement {
    /// Returns the value of a YES contract.
    pub(crate) fn value(self) -> Dollars {
        match self {
            Self::Yes => Dollars::ONE,
            Self::No => Dollars::ZERO,
            Self::Scalar(value) => value.clamp(Dollars::ZERO, Dollars::ONE),
        }
    }

    /// Returns the `result` of a market in which YES pays `value`.
    pub(crate) fn result(value: Dollars) -> &'static str {
        match value {
            Dollars::ONE => "yes",
            Dollars::ZERO => "no",
            _ => "scalar",
        }
    }
}

/// Payout of one account in a market.
#[derive(Clone, Debug)]
pub(crate) struct Payout {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) value: Dollars,
    /// Hundredths of contracts: YES if positive, NO if negative.
    pub(crate) position: i64,
    pub(crate) cost: i64,
    pub(crate) fees: i64,
    pub(crate) revenue: i64,
    pub(crate) at: Micros,
}

impl State {
    /// Settles a market: cancels its resting orders and pays out its positions.
    pub(crate) fn settle(&mut self, index: MarketIndex, outcome: Settlement) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(index) else {
            return;
        };
        if market.status == MarketStatus::Finalized {
            return;
        }
        // Truncates to whole cents, the unit of payouts.
        let value = Dollars::from_micros(outcome.value().micros() / 10_000 * 10_000);
        let ends_early = market.closes > now;
        market.status = MarketStatus::Finalized;
        market.settled = Some((now, value));
        market.closes = market.closes.min(now);
        market.updated = now;
        let shard = market.shard;
        for order in market.book.orders().collect::<Vec<_>>() {
            self.cancel_with_reason(order, Some("CloseCancel"));
        }
        if ends_early {
            self.emit_step(index, Step::CloseMoved);
        }
        self.emit_step(index, Step::Determined);
        for account in self.ledger.holders(index) {
            let Some((held, revenue)) = self.ledger.settle(account, (index, shard), value, now)
            else {
                continue;
            };
            if self.is_unlisted(account) || held.volume == 0 {
                continue;
            }
            self.emit_position(account, index);
            let number = self.next_number();
            let settlement = Payout {
                account,
                market: index,
                value,
                position: held.position,
                cost: held.cost,
                fees: held.fees,
                revenue,
                at: now,
            };
            insert_bounded(&mut self.settlements, number, settlement);
        }
        if let Some(market) = self.markets.get_mut(index) {
            market.open_interest = kalshi_sdk::Contracts::ZERO;
        }
        self.emit_step(index, Step::Settled);
    }
}
