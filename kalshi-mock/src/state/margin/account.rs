//! Balances of margin accounts: equity, margin requirements and available funds.

use kalshi_sdk::Contracts;

use super::SHARD;
use crate::state::{Account, Holding, Market, MarketIndex, Order, Side, State};

/// Figures of an account at the current mark prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) cash: i64,
    pub(crate) position_value: i64,
    pub(crate) unrealized: i64,
    pub(crate) maintenance: i64,
    pub(crate) initial: i64,
    /// Initial margin and fees of resting orders.
    pub(crate) resting: i64,
}

impl Balance {
    pub(crate) fn equity(&self) -> i64 {
        self.cash.saturating_add(self.unrealized)
    }

    /// Returns the equity that neither positions nor resting orders require.
    pub(crate) fn available(&self) -> i64 {
        self.equity()
            .saturating_sub(self.initial)
            .saturating_sub(self.resting)
    }
}

impl State {
    /// Returns true if a user may trade on margin.
    pub(crate) fn is_enabled(&self, user: u32) -> bool {
        self.user(user).enabled
    }

    pub(crate) fn balance(&self, account: Account) -> Balance {
        self.balance_with_holding(account, None)
    }

    /// Returns the balance with the holding in one market replaced.
    pub(super) fn balance_with_holding(
        &self,
        account: Account,
        replacement: Option<(MarketIndex, &Holding)>,
    ) -> Balance {
        let cash = self.ledger.cash(account, SHARD).unwrap_or_default();
        let mut balance = Balance {
            cash: cash.amount,
            resting: cash.reserved,
            ..Balance::default()
        };
        let others = self
            .ledger
            .holdings_of(account)
            .filter(|(index, _)| replacement.is_none_or(|(other, _)| other != *index));
        for (index, holding) in others.chain(replacement) {
            let Some(market) = self.markets.get(index).filter(|_| holding.position != 0) else {
                continue;
            };
            let Some(perp) = &market.perp else { continue };
            let mark = self.mark(market);
            let notional = holding.notional(mark);
            for (sum, amount) in [
                (&mut balance.position_value, notional),
                (&mut balance.unrealized, holding.unrealized(mark)),
                (&mut balance.maintenance, perp.maintenance(notional)),
                (&mut balance.initial, perp.initial(notional)),
            ] {
                *sum = sum.saturating_add(amount);
            }
        }
        balance
    }

    /// Returns the amount that can leave an account: the available equity, but at most the cash, because unrealised profit cannot
    /// be withdrawn.
    pub(crate) fn withdrawable(&self, account: Account) -> i64 {
        let balance = self.balance(account);
        balance.available().min(balance.cash)
    }

    /// Returns the notional value of the positions and resting orders of a user, in one market or in all.
    pub(crate) fn notional_usage(&self, user: u32, market: Option<MarketIndex>) -> i64 {
        let is_counted = |index: MarketIndex| market.is_none_or(|market| market == index);
        self.ledger
            .holdings_of_user(user)
            .filter(|(_, index, _)| is_counted(*index))
            .filter_map(|(_, index, holding)| {
                let market: &Market = self.markets.get(index)?;
                let held = match holding.position {
                    0 => 0,
                    _ => holding.notional(self.mark(market)),
                };
                Some(held.saturating_add(holding.resting_notional()))
            })
            .fold(0, i64::saturating_add)
    }

    /// Returns how many contracts of an order would open or increase a position. An order that rests closes only what the resting
    /// orders on its side leave; `replaced` is the resting order that it replaces, if any.
    pub(super) fn opening_count(
        &self,
        account: Account,
        market: MarketIndex,
        (side, count, rests): (Side, Contracts, bool),
        replaced: Option<&Order>,
    ) -> Contracts {
        let Some(holding) = self.ledger.holding(account, market) else {
            return count;
        };
        let resting = if rests {
            let replaced = replaced.map_or(Contracts::ZERO, |order| order.remaining);
            holding.resting_count(side).hundredths() - replaced.hundredths()
        } else {
            0
        };
        let closes = (holding.reducible(side).hundredths() - resting).max(0);
        Contracts::from_hundredths((count.hundredths() - closes).max(0))
    }
}
