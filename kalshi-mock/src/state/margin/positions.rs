//! Positions at an average entry price, and the profit that trades realise.

use kalshi_sdk::{Contracts, Dollars};

use super::{TICK, nearest};
use crate::{
    state::{Account, Fill, Holding, Ledger, MarketIndex, Shard, Side, State, cost},
    time::Micros,
};

/// What a trade did to a position.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Booked {
    /// Entry price of the part that the trade closed, or of the position it opened.
    pub(crate) entry: Dollars,
    /// Realised profit, without fees.
    pub(crate) realized: i64,
}

impl Holding {
    /// Books a margin trade. `cost` is what the position was entered at, long or short.
    pub(crate) fn book_margin(
        &mut self,
        (side, price, count): (Side, Dollars, Contracts),
        fee: i64,
        now: Micros,
    ) -> Booked {
        if self.position == 0 {
            // Figures of the position that begins, not of earlier ones.
            (self.fees, self.realized) = (0, 0);
        }
        let held = self.position.abs();
        let closes = self.reducible(side).min(count).hundredths();
        let opens = count.hundredths() - closes;
        let entry = self.entry_price();
        let mut realized = 0;
        if closes > 0 {
            let share = i128::from(self.cost) * i128::from(closes) / i128::from(held);
            let mut gone = i64::try_from(share).unwrap_or(self.cost);
            if closes < held {
                // Whole ticks; the remainder leaves with the last contracts.
                gone = gone / TICK * TICK;
            }
            let proceeds = cost(price, Contracts::from_hundredths(closes));
            realized = match side {
                Side::Ask => proceeds - gone,
                Side::Bid => gone - proceeds,
            };
            self.cost -= gone;
        }
        self.cost += cost(price, Contracts::from_hundredths(opens));
        self.position += side.signed(count);
        self.realized += realized;
        self.fees += fee;
        if closes > 0 && opens > 0 {
            // The rest of the fee belongs to the position that ended.
            let share = i128::from(fee) * i128::from(opens);
            self.fees = nearest(share, i128::from(count.hundredths()));
            self.realized = 0;
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

    /// Returns the profit at a mark price that is not realised.
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
    /// Returns the position of an account as it was at a time, from the fills until then.
    pub(crate) fn holding_at(
        &self,
        account: Account,
        market: MarketIndex,
        until: Micros,
    ) -> Holding {
        let mut holding = Holding::default();
        let is_it =
            |fill: &&Fill| fill.account == account && fill.market == market && fill.at <= until;
        for fill in self.fills.values().filter(is_it) {
            holding.book_margin((fill.side, fill.price, fill.count), fill.fee, fill.at);
        }
        holding
    }
}
