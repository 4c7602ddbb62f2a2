//! Money and positions of every account, in millionths of a dollar. No operation creates or destroys money.

use std::{collections::BTreeMap, ops::Bound};

use kalshi_sdk::{Contracts, Dollars};

use super::{
    MarketIndex, Shard,
    account::Account,
    book::Rank,
    side::{self, Side},
};
use crate::time::Micros;

/// An account's money on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cash {
    pub(crate) amount: i64,
    /// Part reserved for resting orders.
    pub(crate) reserved: i64,
    pub(crate) updated: Micros,
}

/// Position and resting orders of an account in one market.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    /// Position in hundredths of contracts: YES if positive, NO if negative.
    pub(crate) position: i64,
    /// Cost of the position.
    pub(crate) cost: i64,
    /// Total cost of all trades.
    pub(crate) traded: i64,
    /// Hundredths of contracts traded.
    pub(crate) volume: i64,
    pub(crate) realized: i64,
    pub(crate) fees: i64,
    pub(crate) updated: Micros,
    /// True once the market has settled and the position was paid out.
    pub(crate) settled: bool,
    bids: SideFunding,
    asks: SideFunding,
    reserved: i64,
}

/// Resting orders of the account on one side.
#[derive(Clone, Debug, Default)]
struct SideFunding {
    orders: BTreeMap<Rank, OrderFunding>,
    /// Hundredths of contracts.
    count: i64,
    total: i64,
    notional: i64,
}

/// Funding of one resting order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderFunding {
    /// Price per contract of the outcome bought.
    pub(crate) unit_price: Dollars,
    pub(crate) count: Contracts,
    /// Maker fees still to be charged if the order fills completely.
    pub(crate) fees: i64,
    /// Notional value in a margin market.
    pub(crate) notional: i64,
}

impl OrderFunding {
    fn amount(self) -> i64 {
        side::cost(self.unit_price, self.count) + self.fees
    }
}

impl SideFunding {
    fn set(&mut self, rank: Rank, order: Option<OrderFunding>) {
        let before = match order {
            Some(order) => {
                self.count += order.count.hundredths();
                self.total += order.amount();
                self.notional += order.notional;
                self.orders.insert(rank, order)
            }
            None => self.orders.remove(&rank),
        };
        self.count -= before.map_or(0, |order| order.count.hundredths());
        self.total -= before.map_or(0, OrderFunding::amount);
        self.notional -= before.map_or(0, |order| order.notional);
    }

    /// Returns the cost of the best `closing` hundredths of contracts. They close a position, so they need no funding.
    /// `added` counts as a resting order, orders in `removed` do not.
    fn credit(&self, closing: i64, added: Option<(Rank, OrderFunding)>, removed: &[Rank]) -> i64 {
        let mut to_close = closing;
        let mut credit = 0;
        let mut take = |order: &OrderFunding| {
            let count = order.count.hundredths().min(to_close);
            credit += side::cost(order.unit_price, Contracts::from_hundredths(count));
            to_close -= count;
            to_close > 0
        };
        if closing <= 0 {
            return 0;
        }
        let is_kept = |(rank, _): &(&Rank, &OrderFunding)| !removed.contains(rank);
        let bound = added.map_or(Bound::Unbounded, |(rank, _)| Bound::Excluded(rank));
        let ahead = self.orders.range((Bound::Unbounded, bound)).filter(is_kept);
        let more = ahead
            .map(|(_, order)| order)
            .chain(added.as_ref().map(|(_, order)| order))
            .all(&mut take);
        if let (true, Some((rank, _))) = (more, added) {
            let behind = self
                .orders
                .range((Bound::Excluded(rank), Bound::Unbounded))
                .filter(is_kept);
            behind.map(|(_, order)| order).all(take);
        }
        credit
    }
}

/// A hypothetical change of position and resting orders.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hypothetical<'a> {
    /// Change of the position.
    pub(crate) position: i64,
    /// An additional resting order.
    pub(crate) added: Option<(Side, Rank, OrderFunding)>,
    /// Resting orders that are removed.
    pub(crate) removed: &'a [(Side, Rank)],
}

impl Holding {
    fn side(&self, side: Side) -> &SideFunding {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// Returns the funding of the resting orders.
    pub(super) fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Returns the notional value of the resting orders in a margin market.
    pub(super) fn resting_notional(&self) -> i64 {
        self.bids.notional.saturating_add(self.asks.notional)
    }

    /// Returns the contracts of the resting orders on `side`.
    pub(super) fn resting_count(&self, side: Side) -> Contracts {
        Contracts::from_hundredths(self.side(side).count)
    }

    /// Returns how many contracts on `side` would reduce the position.
    pub(crate) fn reducible(&self, side: Side) -> Contracts {
        Contracts::from_hundredths(closing(self.position, side))
    }

    /// Returns the funding of all resting orders. Orders that would close the position need none.
    pub(super) fn funding(&self, hypothetical: Hypothetical<'_>) -> i64 {
        let position = self.position + hypothetical.position;
        [Side::Bid, Side::Ask]
            .into_iter()
            .map(|side| {
                let resting = self.side(side);
                let added = hypothetical
                    .added
                    .filter(|(of, ..)| *of == side)
                    .map(|(_, rank, order)| (rank, order));
                let removed: Vec<Rank> = hypothetical
                    .removed
                    .iter()
                    .filter(|(of, _)| *of == side)
                    .map(|(_, rank)| *rank)
                    .collect();
                let released: i64 = removed
                    .iter()
                    .filter_map(|rank| resting.orders.get(rank))
                    .map(|order| order.amount())
                    .sum();
                let added_amount = added.map_or(0, |(_, order)| order.amount());
                resting.total + added_amount
                    - released
                    - resting.credit(closing(position, side), added, &removed)
            })
            .sum()
    }
}

/// Returns the change in cash that a trade causes for the holder of `position`, without fees.
pub(crate) fn cash_change(position: i64, side: Side, unit_price: Dollars, count: Contracts) -> i64 {
    let closes = closing(position, side).min(count.hundredths());
    let opens = count.hundredths() - closes;
    let cost =
        |unit_price, hundredths| side::cost(unit_price, Contracts::from_hundredths(hundredths));
    cost(unit_price.complement(), closes) - cost(unit_price, opens)
}

/// Returns how many hundredths of contracts bought on `side` close the position.
fn closing(position: i64, side: Side) -> i64 {
    match side {
        Side::Bid => (-position).max(0),
        Side::Ask => position.max(0),
    }
}

/// Cash and holdings of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    cash: BTreeMap<(Account, Shard), Cash>,
    holdings: BTreeMap<(Account, MarketIndex), Holding>,
    /// Fees collected by the exchange.
    pub(crate) fees: i64,
    /// Sum of all deposits minus all withdrawals.
    pub(crate) paid_in: i64,
}

impl Ledger {
    pub(crate) fn cash(&self, account: Account, shard: Shard) -> Option<Cash> {
        self.cash.get(&(account, shard)).copied()
    }

    /// Iterates over the cash of a user by subaccount and shard.
    pub(crate) fn cash_of_user(&self, user: u32) -> impl Iterator<Item = (u8, Shard, Cash)> {
        self.cash
            .iter()
            .filter(move |((account, _), _)| account.user == user)
            .map(|((account, shard), cash)| (account.subaccount, *shard, *cash))
    }

    /// Returns the cash that is not reserved.
    pub(crate) fn available(&self, account: Account, shard: Shard) -> i64 {
        self.cash(account, shard)
            .map_or(0, |cash| cash.amount - cash.reserved)
    }

    pub(crate) fn holding(&self, account: Account, market: MarketIndex) -> Option<&Holding> {
        self.holdings.get(&(account, market))
    }

    pub(super) fn holding_mut(&mut self, account: Account, market: MarketIndex) -> &mut Holding {
        self.holdings.entry((account, market)).or_default()
    }

    /// Iterates over the holdings of an account by market.
    pub(super) fn holdings_of(
        &self,
        account: Account,
    ) -> impl Iterator<Item = (MarketIndex, &Holding)> {
        self.holdings
            .range((account, MarketIndex::MIN)..=(account, MarketIndex::MAX))
            .map(|((_, market), holding)| (*market, holding))
    }

    /// Iterates over the holdings of a user by subaccount and market.
    pub(crate) fn holdings_of_user(
        &self,
        user: u32,
    ) -> impl Iterator<Item = (u8, MarketIndex, &Holding)> {
        self.holdings
            .iter()
            .filter(move |((account, _), _)| account.user == user)
            .map(|((account, market), holding)| (account.subaccount, *market, holding))
    }

    /// Returns the accounts with a holding in a market.
    pub(crate) fn holders(&self, market: MarketIndex) -> Vec<Account> {
        self.holdings
            .keys()
            .filter(|(_, other)| *other == market)
            .map(|(account, _)| *account)
            .collect()
    }

    /// Returns true if a user has a position or an order in a market, or had one.
    pub(crate) fn has_user_holdings(&self, market: MarketIndex) -> bool {
        let is_user_holding = |(account, other): &(Account, MarketIndex)| {
            *other == market && !account.is_market_maker()
        };
        self.holdings.keys().any(is_user_holding)
    }

    /// Changes the cash of an account. Opens the account on that shard if necessary.
    pub(crate) fn pay(&mut self, account: Account, shard: Shard, amount: i64, now: Micros) {
        let cash = self.cash.entry((account, shard)).or_default();
        cash.amount += amount;
        cash.updated = now;
    }

    /// Returns the available cash after paying `paid`, fees included, and after a change of the resting orders.
    pub(crate) fn available_after(
        &self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        paid: i64,
        hypothetical: Hypothetical<'_>,
    ) -> i64 {
        let nothing = Holding::default();
        let holding = self.holding(account, market).unwrap_or(&nothing);
        self.available(account, shard) + holding.reserved - holding.funding(hypothetical) - paid
    }

    /// Books a trade: position, cost, profit, cash and fee.
    pub(crate) fn trade(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        (side, unit_price, count): (Side, Dollars, Contracts),
        fee: i64,
        now: Micros,
    ) {
        let holding = self.holdings.entry((account, market)).or_default();
        let cash = cash_change(holding.position, side, unit_price, count);
        let held = holding.position.abs();
        let closes = closing(holding.position, side).min(count.hundredths());
        let opens = count.hundredths() - closes;
        if closes > 0 {
            // The share of the cost is rounded down. The remainder is removed with the last contracts.
            let share = i128::from(holding.cost) * i128::from(closes) / i128::from(held);
            let released_cost = i64::try_from(share).unwrap_or(holding.cost);
            holding.cost -= released_cost;
            holding.realized +=
                side::cost(unit_price.complement(), Contracts::from_hundredths(closes))
                    - released_cost;
        }
        holding.cost += side::cost(unit_price, Contracts::from_hundredths(opens));
        holding.traded += side::cost(unit_price, count);
        holding.volume += count.hundredths();
        holding.position += side.signed(count);
        holding.fees += fee;
        holding.updated = now;
        self.fees += fee;
        self.pay(account, shard, cash - fee, now);
        self.reserve(account, (market, shard));
    }

    /// Adds, updates or removes the funding of a resting order.
    pub(crate) fn set_order_funding(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        (side, rank): (Side, Rank),
        order: Option<OrderFunding>,
    ) {
        if account.is_market_maker() {
            return;
        }
        let holding = self.holdings.entry((account, market)).or_default();
        match side {
            Side::Bid => holding.bids.set(rank, order),
            Side::Ask => holding.asks.set(rank, order),
        }
        self.reserve(account, (market, shard));
    }

    /// Pays out a position at a value of YES. Returns the previous holding and the revenue.
    pub(crate) fn settle(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        value: Dollars,
        now: Micros,
    ) -> Option<(Holding, i64)> {
        let holding = self.holdings.get_mut(&(account, market))?;
        let before = holding.clone();
        let unit_price = if before.position >= 0 {
            value
        } else {
            value.complement()
        };
        let revenue = side::cost(
            unit_price,
            Contracts::from_hundredths(before.position.abs()),
        );
        holding.realized += revenue - before.cost;
        holding.position = 0;
        holding.cost = 0;
        holding.updated = now;
        holding.settled = true;
        self.pay(account, shard, revenue, now);
        Some((before, revenue))
    }

    pub(super) fn reserve(&mut self, account: Account, (market, shard): (MarketIndex, Shard)) {
        if account.is_market_maker() {
            return;
        }
        let Some(holding) = self.holdings.get_mut(&(account, market)) else {
            return;
        };
        let funding = holding.funding(Hypothetical::default());
        let change = funding - holding.reserved;
        holding.reserved = funding;
        self.cash.entry((account, shard)).or_default().reserved += change;
    }

    /// Returns all money, counting one dollar for each pair of YES and NO.
    #[cfg(test)]
    pub(crate) fn total(&self) -> i64 {
        let cash: i64 = self.cash.values().map(|cash| cash.amount).sum();
        let pairs: i64 = self
            .holdings
            .values()
            .map(|holding| holding.position.max(0))
            .sum();
        cash + pairs * (Dollars::ONE.micros() / 100) + self.fees
    }

    /// Returns all money of the margin exchange. Positions count at their entry value, so the sum does not depend on mark prices.
    #[cfg(test)]
    pub(crate) fn margin_total(&self) -> i64 {
        let cash: i64 = self.cash.values().map(|cash| cash.amount).sum();
        let entered: i64 = self
            .holdings
            .values()
            .map(|holding| holding.cost * holding.position.signum())
            .sum();
        cash - entered + self.fees
    }

    #[cfg(test)]
    pub(crate) fn positions(&self, market: MarketIndex) -> i64 {
        self.holdings
            .iter()
            .filter(|((_, other), _)| *other == market)
            .map(|(_, holding)| holding.position)
            .sum()
    }

    /// Iterates over the cash of all accounts except the market maker's.
    #[cfg(test)]
    pub(crate) fn all_cash(&self) -> impl Iterator<Item = (Account, Cash)> {
        self.cash
            .iter()
            .filter(|((account, _), _)| !account.is_market_maker())
            .map(|((account, _), cash)| (*account, *cash))
    }
}
