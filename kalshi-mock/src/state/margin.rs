//! Margin markets: terms, mark prices and margin requirements. A state with [`Margin`] is the margin exchange.
//!
//! Accounts hold cash, and a trade moves only realised profit and fees. The value of a position follows the mark price, and the
//! position requires margin in proportion to its notional value. All amounts are integers: money in millionths of a dollar,
//! counts in hundredths of a contract, rates in trillionths.

mod account;
mod funding;
mod initial_markets;
mod orders;
mod positions;
#[cfg(test)]
mod properties;
mod triggers;

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};

pub(crate) use funding::{FUNDING_CAP, FUNDING_DEADBAND, next_funding};
use funding::{FundingPayment, FundingRate};
pub(in crate::state) use positions::Booked;
pub(crate) use triggers::{NewTrigger, Trigger, TriggerPrices, trigger_not_found};

use super::{Market, MarketIndex, Shard, Side, State, side::cost, versions::Versions};
use crate::time::{Micros, SECOND};

/// Shard of all margin markets and accounts.
pub(crate) const SHARD: Shard = 0;
/// Tick size of all margin markets, in millionths of a dollar.
pub(crate) const TICK: i64 = 100;
/// Initial margin over maintenance margin, in tenths.
pub(crate) const INITIAL_TENTHS: i64 = 13;
/// Default limit of the notional value of an account's positions and resting orders.
const NOTIONAL_LIMIT: i64 = 50_000_000_000;
/// Maximum price of a contract.
pub(crate) const MAX_PRICE: Dollars = Dollars::from_micros(1_000_000_000_000);
/// Maximum notional limit, in millionths of a dollar. Sums of such values fit into 64 bits.
const MAX_NOTIONAL: i64 = 1_000_000_000_000_000;

/// State that only the margin exchange has.
#[derive(Debug)]
pub(crate) struct Margin {
    /// Funding rates of past periods, oldest first.
    pub(crate) rates: BTreeMap<u64, FundingRate>,
    pub(crate) payments: BTreeMap<u64, FundingPayment>,
    /// Exit triggers, which are stored but never fire.
    pub(crate) triggers: BTreeMap<u64, Trigger>,
    /// Limit of the notional value of each account.
    pub(crate) notional_limit: i64,
}

/// Terms and figures of a margin market.
#[derive(Clone, Debug)]
pub(crate) struct Perp {
    /// Units of the underlying in a contract, in millionths.
    pub(crate) contract_size: i64,
    pub(crate) asset_class: &'static str,
    /// Notional value over maintenance margin, in ten-thousandths.
    pub(crate) leverage: i64,
    /// Fees in millionths of the notional value.
    pub(crate) maker_rate: i64,
    pub(crate) taker_rate: i64,
    /// Price of the underlying per contract.
    pub(crate) reference: Dollars,
    /// Mark price set by a test, if any.
    pub(crate) mark: Option<Dollars>,
    /// Funding rate of future periods set by a test, if any, in trillionths.
    pub(crate) rate: Option<i64>,
    pub(crate) version: i32,
    pub(crate) fractional: bool,
    /// Notional value traded, in total and by hour.
    pub(crate) volume: i64,
    pub(crate) hourly: BTreeMap<i64, i64>,
    /// Time of the last trade or change of the best prices and sizes.
    pub(crate) changed: Micros,
}

impl Perp {
    /// Returns the maintenance margin of a notional value, rounded up to a hundredth of a cent.
    pub(crate) fn maintenance(&self, notional: i64) -> i64 {
        ceil(
            i128::from(notional) * 10_000,
            i128::from(self.leverage),
            TICK,
        )
    }

    /// Returns the initial margin of a notional value, rounded up to a hundredth of a cent.
    pub(crate) fn initial(&self, notional: i64) -> i64 {
        let tenths = i128::from(notional) * 10_000 * i128::from(INITIAL_TENTHS);
        ceil(tenths, i128::from(self.leverage) * 10, TICK)
    }

    /// Returns the initial margin of one contract at a price.
    pub(super) fn initial_per_contract(&self, price: Dollars) -> Dollars {
        let tenths = i128::from(price.micros()) * 10_000 * i128::from(INITIAL_TENTHS);
        Dollars::from_micros(ceil(tenths, i128::from(self.leverage) * 10, 1))
    }

    /// Returns the fee of a trade, rounded up to a hundredth of a cent.
    pub(super) fn fee(&self, is_taker: bool, price: Dollars, count: Contracts) -> i64 {
        let rate = if is_taker {
            self.taker_rate
        } else {
            self.maker_rate
        };
        ceil(
            i128::from(cost(price, count)) * i128::from(rate),
            1_000_000,
            TICK,
        )
    }

    /// Adds the notional value of a trade to the volumes.
    pub(super) fn count_trade(&mut self, notional: i64, at: Micros) {
        self.changed = at;
        self.volume = self.volume.saturating_add(notional);
        let hour = self.hourly.entry(at.div_euclid(3600 * SECOND)).or_default();
        *hour = hour.saturating_add(notional);
        if self.hourly.len() > 26 {
            self.hourly.pop_first();
        }
    }

    /// Returns the notional value traded within 24 hours.
    pub(crate) fn volume_24h(&self, now: Micros) -> i64 {
        let from = (now - 24 * 3600 * SECOND).div_euclid(3600 * SECOND);
        self.hourly
            .range(from..)
            .map(|(_, notional)| notional)
            .sum()
    }
}

impl State {
    /// Makes this state the margin exchange, without markets.
    pub(crate) fn with_margin(mut self) -> Self {
        self.margin = Some(Margin {
            rates: BTreeMap::new(),
            payments: BTreeMap::new(),
            triggers: BTreeMap::new(),
            notional_limit: NOTIONAL_LIMIT,
        });
        self.versions = Versions::of_margin();
        self.schedule_funding(next_funding(self.now));
        self
    }

    pub(crate) fn set_notional_limit(&mut self, limit: Dollars) {
        if let Some(margin) = &mut self.margin {
            margin.notional_limit = limit.micros().clamp(0, MAX_NOTIONAL);
        }
    }

    /// Records the time of a change of a level, if it is or was the best one of a margin market.
    pub(super) fn record_quote_change(&mut self, index: MarketIndex, side: Side, price: Dollars) {
        let Some(market) = self
            .markets
            .get(index)
            .filter(|market| market.perp.is_some())
        else {
            return;
        };
        let is_best = self.best(market, side).is_none_or(|(best, _)| match side {
            Side::Bid => price >= best,
            Side::Ask => price <= best,
        });
        let now = self.now;
        let market = self.markets.get_mut(index).filter(|_| is_best);
        if let Some(perp) = market.and_then(|market| market.perp.as_mut()) {
            perp.changed = now;
        }
    }

    /// Returns the mark price: the one set by a test, or else the middle of the book, the last price or the reference price.
    pub(crate) fn mark(&self, market: &Market) -> Dollars {
        let fixed = market.perp.as_ref().and_then(|perp| perp.mark);
        let middle = || {
            let (bid, _) = self.best(market, Side::Bid)?;
            let (ask, _) = self.best(market, Side::Ask)?;
            let sum = i128::from(bid.micros()) + i128::from(ask.micros());
            i64::try_from(sum / 2 / i128::from(TICK) * i128::from(TICK)).ok()
        };
        fixed
            .or_else(|| middle().map(Dollars::from_micros))
            .or(market.last_price)
            .or_else(|| market.perp.as_ref().map(|perp| perp.reference))
            .unwrap_or_default()
    }
}

/// Divides, rounding up to a multiple of `step`.
fn ceil(dividend: i128, divisor: i128, step: i64) -> i64 {
    let step = i128::from(step);
    let divisor = divisor.max(1) * step;
    let steps = dividend.div_euclid(divisor) + i128::from(dividend.rem_euclid(divisor) != 0);
    i64::try_from(steps * step).unwrap_or(i64::MAX)
}

/// Divides to the nearest multiple of a tick.
pub(crate) fn nearest(dividend: i128, divisor: i128) -> i64 {
    let divisor = divisor.max(1) * i128::from(TICK);
    let ticks = (2 * dividend + divisor).div_euclid(2 * divisor);
    i64::try_from(ticks * i128::from(TICK)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn perp() -> Perp {
        Perp {
            contract_size: 100,
            asset_class: "Crypto",
            leverage: 76_679,
            maker_rate: 200,
            taker_rate: 1_200,
            reference: Dollars::from_micros(6_332_900),
            mark: None,
            rate: None,
            version: 1,
            fractional: false,
            volume: 0,
            hourly: BTreeMap::new(),
            changed: 0,
        }
    }

    #[test]
    fn margins_match_the_recorded_position() {
        assert_eq!(perp().maintenance(6_332_900), 825_900);
        assert_eq!(perp().initial(6_332_900), 1_073_700);
    }

    #[test]
    fn fees_round_up_to_a_hundredth_of_a_cent() {
        let (price, count) = (Dollars::from_micros(6_358_700), Contracts::from(1));
        assert_eq!(perp().fee(true, price, count), 7_700, "0.0012 x 6.3587");
        assert_eq!(perp().fee(false, price, count), 1_300, "0.0002 x 6.3587");
    }
}
