//! Money and positions of every account. All amounts are in millionths of a dollar, and no rule of it makes or loses one.

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
    /// What resting orders may need of it.
    pub(crate) reserved: i64,
    pub(crate) updated: Micros,
}

/// What an account has in one market.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    /// Hundredths of contracts of YES; of NO if negative.
    pub(crate) position: i64,
    /// What the position cost.
    pub(crate) cost: i64,
    /// Spent in all.
    pub(crate) traded: i64,
    /// Hundredths of contracts traded in all.
    pub(crate) volume: i64,
    pub(crate) realized: i64,
    pub(crate) fees: i64,
    pub(crate) updated: Micros,
    /// Whether the market has settled and this was paid out.
    pub(crate) settled: bool,
    bids: Resting,
    asks: Resting,
    reserved: i64,
}

/// The account's own resting orders on one side.
#[derive(Clone, Debug, Default)]
struct Resting {
    orders: BTreeMap<Rank, Rest>,
    needs: i64,
}

/// What one resting order may need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    /// What a contract costs.
    pub(crate) unit: Dollars,
    pub(crate) count: Contracts,
    /// What its fees may come to.
    pub(crate) fees: i64,
}

impl Rest {
    fn needs(self) -> i64 {
        side::cost(self.unit, self.count) + self.fees
    }
}

impl Resting {
    fn set(&mut self, rank: Rank, rest: Option<Rest>) {
        let before = match rest {
            Some(rest) => {
                self.needs += rest.needs();
                self.orders.insert(rank, rest)
            }
            None => self.orders.remove(&rank),
        };
        self.needs -= before.map_or(0, Rest::needs);
    }

    /// What the best `closing` hundredths of contracts would cost: they close a position, and closing costs nothing.
    /// `added` counts as an order, those in `gone` do not.
    fn credit(&self, closing: i64, added: Option<(Rank, Rest)>, gone: &[Rank]) -> i64 {
        let mut left = closing;
        let mut credit = 0;
        let mut take = |rest: &Rest| {
            let count = rest.count.hundredths().min(left);
            credit += side::cost(rest.unit, Contracts::from_hundredths(count));
            left -= count;
            left > 0
        };
        if closing <= 0 {
            return 0;
        }
        let kept = |(rank, _): &(&Rank, &Rest)| !gone.contains(rank);
        let bound = added.map_or(Bound::Unbounded, |(rank, _)| Bound::Excluded(rank));
        let ahead = self.orders.range((Bound::Unbounded, bound)).filter(kept);
        let more = ahead
            .map(|(_, rest)| rest)
            .chain(added.as_ref().map(|(_, rest)| rest))
            .all(&mut take);
        if let (true, Some((rank, _))) = (more, added) {
            let behind = self
                .orders
                .range((Bound::Excluded(rank), Bound::Unbounded))
                .filter(kept);
            behind.map(|(_, rest)| rest).all(take);
        }
        credit
    }
}

/// A change that is only thought of: what rests then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thought<'a> {
    /// The change of the position.
    pub(crate) position: i64,
    /// An order that rests then.
    pub(crate) added: Option<(Side, Rank, Rest)>,
    /// Orders that rest no more.
    pub(crate) gone: &'a [(Side, Rank)],
}

impl Holding {
    fn side(&self, side: Side) -> &Resting {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// How far a trade on `side` would reduce the position.
    pub(crate) fn reducible(&self, side: Side) -> Contracts {
        Contracts::from_hundredths(closing(self.position, side))
    }

    /// What all resting orders may need: those that would close the position need nothing.
    fn needs(&self, thought: Thought<'_>) -> i64 {
        let position = self.position + thought.position;
        [Side::Bid, Side::Ask]
            .into_iter()
            .map(|side| {
                let resting = self.side(side);
                let added = thought
                    .added
                    .filter(|(of, ..)| *of == side)
                    .map(|(_, rank, rest)| (rank, rest));
                let gone: Vec<Rank> = thought
                    .gone
                    .iter()
                    .filter(|(of, _)| *of == side)
                    .map(|(_, rank)| *rank)
                    .collect();
                let lost: i64 = gone
                    .iter()
                    .filter_map(|rank| resting.orders.get(rank))
                    .map(|rest| rest.needs())
                    .sum();
                let gained = added.map_or(0, |(_, rest)| rest.needs());
                resting.needs + gained
                    - lost
                    - resting.credit(closing(position, side), added, &gone)
            })
            .sum()
    }
}

/// What a trade changes in the cash of whoever holds `position`, without fees.
pub(crate) fn cash_of(position: i64, side: Side, unit: Dollars, count: Contracts) -> i64 {
    let closes = closing(position, side).min(count.hundredths());
    let opens = count.hundredths() - closes;
    let cost = |unit, hundredths| side::cost(unit, Contracts::from_hundredths(hundredths));
    cost(side::complement(unit), closes) - cost(unit, opens)
}

/// How many hundredths of contracts bought on `side` only close a position.
fn closing(position: i64, side: Side) -> i64 {
    match side {
        Side::Bid => (-position).max(0),
        Side::Ask => position.max(0),
    }
}

/// The books of account.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    cash: BTreeMap<(Account, Shard), Cash>,
    holdings: BTreeMap<(Account, MarketIndex), Holding>,
    /// Fees the exchange has earned.
    pub(crate) fees: i64,
    /// What was paid in, less what was paid out.
    pub(crate) paid_in: i64,
}

impl Ledger {
    pub(crate) fn cash(&self, account: Account, shard: Shard) -> Option<Cash> {
        self.cash.get(&(account, shard)).copied()
    }

    /// All cash of a user: subaccount, shard, cash.
    pub(crate) fn cash_of_user(&self, user: u32) -> impl Iterator<Item = (u8, Shard, Cash)> {
        self.cash
            .iter()
            .filter(move |((account, _), _)| account.user == user)
            .map(|((account, shard), cash)| (account.subaccount, *shard, *cash))
    }

    /// What can be spent.
    pub(crate) fn available(&self, account: Account, shard: Shard) -> i64 {
        self.cash(account, shard)
            .map_or(0, |cash| cash.amount - cash.reserved)
    }

    pub(crate) fn holding(&self, account: Account, market: MarketIndex) -> Option<&Holding> {
        self.holdings.get(&(account, market))
    }

    /// What a user holds: subaccount, market, holding.
    pub(crate) fn holdings_of_user(
        &self,
        user: u32,
    ) -> impl Iterator<Item = (u8, MarketIndex, &Holding)> {
        self.holdings
            .iter()
            .filter(move |((account, _), _)| account.user == user)
            .map(|((account, market), holding)| (account.subaccount, *market, holding))
    }

    /// What everybody holds in a market.
    pub(crate) fn holders(&self, market: MarketIndex) -> Vec<Account> {
        self.holdings
            .keys()
            .filter(|(_, other)| *other == market)
            .map(|(account, _)| *account)
            .collect()
    }

    /// Whether a user has something in a market, be it an order.
    pub(crate) fn is_touched(&self, market: MarketIndex) -> bool {
        let of_user = |(account, other): &(Account, MarketIndex)| {
            *other == market && !account.is_market_maker()
        };
        self.holdings.keys().any(of_user)
    }

    /// Changes an account's cash. Opens the account on that shard, if it had none there.
    pub(crate) fn pay(&mut self, account: Account, shard: Shard, amount: i64, now: Micros) {
        let cash = self.cash.entry((account, shard)).or_default();
        cash.amount += amount;
        cash.updated = now;
    }

    /// What could be spent after a trade that pays `paid` (fees and all) and after the change of what rests.
    pub(crate) fn available_after(
        &self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        paid: i64,
        thought: Thought<'_>,
    ) -> i64 {
        let nothing = Holding::default();
        let holding = self.holding(account, market).unwrap_or(&nothing);
        self.available(account, shard) + holding.reserved - holding.needs(thought) - paid
    }

    /// Books a trade: position, cost, profit, cash and fee.
    pub(crate) fn trade(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        (side, unit, count): (Side, Dollars, Contracts),
        fee: i64,
        now: Micros,
    ) {
        let holding = self.holdings.entry((account, market)).or_default();
        let cash = cash_of(holding.position, side, unit, count);
        let held = holding.position.abs();
        let closes = closing(holding.position, side).min(count.hundredths());
        let opens = count.hundredths() - closes;
        if closes > 0 {
            // The part of the cost that goes, rounded down; what is left of it goes with the rest.
            let share = i128::from(holding.cost) * i128::from(closes) / i128::from(held);
            let gone = i64::try_from(share).unwrap_or(holding.cost);
            holding.cost -= gone;
            holding.realized +=
                side::cost(side::complement(unit), Contracts::from_hundredths(closes)) - gone;
        }
        holding.cost += side::cost(unit, Contracts::from_hundredths(opens));
        holding.traded += side::cost(unit, count);
        holding.volume += count.hundredths();
        holding.position += side.signed(count);
        holding.fees += fee;
        holding.updated = now;
        self.fees += fee;
        self.pay(account, shard, cash - fee, now);
        self.reserve(account, (market, shard));
    }

    /// Notes that an order rests with so much, or rests no more.
    pub(crate) fn rest(
        &mut self,
        account: Account,
        place: (MarketIndex, Shard),
        (side, rank): (Side, Rank),
        rest: Option<Rest>,
    ) {
        if account.is_market_maker() {
            return;
        }
        let holding = self.holdings.entry((account, place.0)).or_default();
        match side {
            Side::Bid => holding.bids.set(rank, rest),
            Side::Ask => holding.asks.set(rank, rest),
        }
        self.reserve(account, place);
    }

    /// Pays out what is held at a value of YES, and gives the holding as it was.
    pub(crate) fn settle(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        value: Dollars,
        now: Micros,
    ) -> Option<(Holding, i64)> {
        let holding = self.holdings.get_mut(&(account, market))?;
        let before = holding.clone();
        let unit = if before.position >= 0 {
            value
        } else {
            side::complement(value)
        };
        let revenue = side::cost(unit, Contracts::from_hundredths(before.position.abs()));
        holding.realized += revenue - before.cost;
        holding.position = 0;
        holding.cost = 0;
        holding.updated = now;
        holding.settled = true;
        self.pay(account, shard, revenue, now);
        Some((before, revenue))
    }

    fn reserve(&mut self, account: Account, (market, shard): (MarketIndex, Shard)) {
        if account.is_market_maker() {
            return;
        }
        let Some(holding) = self.holdings.get_mut(&(account, market)) else {
            return;
        };
        let needs = holding.needs(Thought::default());
        let change = needs - holding.reserved;
        holding.reserved = needs;
        self.cash.entry((account, shard)).or_default().reserved += change;
    }

    /// All money there is, with what the positions are worth together: one dollar a pair.
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

    #[cfg(test)]
    pub(crate) fn positions(&self, market: MarketIndex) -> i64 {
        self.holdings
            .iter()
            .filter(|((_, other), _)| *other == market)
            .map(|(_, holding)| holding.position)
            .sum()
    }

    /// Every account's cash, except the market maker's.
    #[cfg(test)]
    pub(crate) fn all_cash(&self) -> impl Iterator<Item = (Account, Cash)> {
        self.cash
            .iter()
            .filter(|((account, _), _)| !account.is_market_maker())
            .map(|((account, _), cash)| (*account, *cash))
    }
}
