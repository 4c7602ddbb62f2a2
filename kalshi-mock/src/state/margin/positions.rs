//! Positions at an average entry price, and the realised profit of trades.

use kalshi_sdk::{Contracts, Dollars};

use super::{TICK, nearest};
use crate::{
    state::{Account, Fill, Holding, Ledger, MarketIndex, Shard, Side, State, cost},
    time::Micros,
};

/// Effect of a trade on a position.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Booked {
    /// Entry price of the closed part, or of the position if the trade closed nothing.
    pub(crate) entry: Dollars,
    /// Realised profit, without fees.
    pub(crate) realized: i64,
}

impl Holding {
    /// Books a margin trade. `cost` holds the entry value of the position, whether long or short.
    pub(crate) fn book_margin(
        &mut self,
        (side, price, count): (Side, Dollars, Contracts),
        fee: i64,
        now: Micros,
    ) -> Booked {
        if self.position == 0 {
            // Fees and profit are those of the new position, without earlier ones.
            (self.fees, self.realized) = (0, 0);
        }
        let held = self.position.abs();
        let closes = self.reducible(side).min(count).hundredths();
        let opens = count.hundredths() - closes;
        let entry = self.entry_price();
        let mut realized = 0;
        if closes > 0 {
            let share = i128::from(self.cost) * i128::from(closes) / i128::from(held);
            let mut released = i64::try_from(share).unwrap_or(self.cost);
            if closes < held {
                // Rounded to whole ticks. The remainder is removed with the last contracts.
                released = released / TICK * TICK;
            }
            let proceeds = cost(price, Contracts::from_hundredths(closes));
            realized = match side {
                Side::Ask => proceeds - released,
                Side::Bid => released - proceeds,
            };
            self.cost -= released;
        }
        self.cost += cost(price, Contracts::from_hundredths(opens));
        self.position += side.signed(count);
        self.realized += realized;
        self.fees += fee;
        if closes > 0 && opens > 0 {
            // The rest of the fee belongs to the position that was closed.
            (self.fees, self.realized) = (share_of(fee, opens, count), 0);
        }
        self.traded = self.traded.saturating_add(cost(price, count));
        self.volume = self.volume.saturating_add(count.hundredths());
        self.updated = now;
        Booked {
            entry: if closes > 0 {
                entry
            } else {
                self.entry_price()
            },
            realized,
        }
    }

    /// Undoes a margin trade. Returns true if the trade opened the position; fees and realised profit are then not restored.
    fn undo_margin(&mut self, fill: &Fill) -> bool {
        let (price, count) = (fill.price, fill.count);
        self.position -= fill.side.signed(count);
        let closes = self.reducible(fill.side).min(count);
        let opens = Contracts::from_hundredths(count.hundredths() - closes.hundredths());
        let proceeds = cost(price, closes);
        let released = match fill.side {
            Side::Ask => proceeds - fill.booked.realized,
            Side::Bid => proceeds + fill.booked.realized,
        };
        self.cost += released - cost(price, opens);
        self.realized -= fill.booked.realized;
        self.fees -= fill.fee;
        self.traded = self.traded.saturating_sub(cost(price, count));
        self.volume = self.volume.saturating_sub(count.hundredths());
        !opens.is_zero() && (self.position == 0 || !closes.is_zero())
    }

    /// Returns the average entry price, to four decimals.
    pub(crate) fn entry_price(&self) -> Dollars {
        let price = nearest(
            i128::from(self.cost) * 100,
            i128::from(self.position.unsigned_abs()),
        );
        Dollars::from_micros(if self.position == 0 { 0 } else { price })
    }

    /// Returns the notional value at a mark price, positive for both sides.
    pub(crate) fn notional(&self, mark: Dollars) -> i64 {
        cost(mark, Contracts::from_hundredths(self.position.abs()))
    }

    /// Returns the unrealised profit at a mark price.
    pub(crate) fn unrealized(&self, mark: Dollars) -> i64 {
        let value = self.notional(mark);
        match self.position >= 0 {
            true => value.saturating_sub(self.cost),
            false => self.cost.saturating_sub(value),
        }
    }
}

impl Ledger {
    /// Books a margin trade: position, realised profit, fee and cash.
    pub(crate) fn trade_margin(
        &mut self,
        account: Account,
        (market, shard): (MarketIndex, Shard),
        trade: (Side, Dollars, Contracts),
        fee: i64,
        now: Micros,
    ) -> Booked {
        let booked = self
            .holding_mut(account, market)
            .book_margin(trade, fee, now);
        self.fees += fee;
        self.pay(account, shard, booked.realized - fee, now);
        self.reserve(account, (market, shard));
        booked
    }
}

impl State {
    /// Returns the position of an account at a time, by undoing later fills. Adding up earlier fills would not work, because the
    /// oldest are dropped.
    pub(crate) fn holding_at(
        &self,
        account: Account,
        market: MarketIndex,
        time: Micros,
    ) -> Holding {
        let holding = self.ledger.holding(account, market);
        let mut holding = holding.cloned().unwrap_or_default();
        if holding.updated <= time {
            return holding;
        }
        let is_of_holding = |fill: &&Fill| fill.account == account && fill.market == market;
        let mut fills = self.fills.values().rev().filter(is_of_holding).peekable();
        let mut was_reopened = false;
        while let Some(fill) = fills.next_if(|fill| fill.at > time) {
            was_reopened |= holding.undo_margin(fill);
        }
        if was_reopened {
            // Fees and profit of the earlier position were reset when the current one was opened.
            (holding.fees, holding.realized) = fees_and_profit(holding.clone(), fills);
        }
        holding
    }
}

/// Adds up fees and realised profit of a position from its fills, latest first.
fn fees_and_profit<'a>(mut holding: Holding, fills: impl Iterator<Item = &'a Fill>) -> (i64, i64) {
    let (mut fees, mut realized) = (0, 0);
    for fill in fills {
        let after = holding.position.abs();
        if after == 0 {
            break;
        }
        if holding.undo_margin(fill) {
            fees += share_of(fill.fee, after, fill.count);
            break;
        }
        fees += fill.fee;
        realized += fill.booked.realized;
    }
    (fees, realized)
}

/// Returns the share of a fee that belongs to a part of the contracts.
fn share_of(fee: i64, part: i64, count: Contracts) -> i64 {
    let product = i128::from(fee) * i128::from(part);
    nearest(product, i128::from(count.hundredths()))
}
