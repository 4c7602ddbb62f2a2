//! Funding payments between long and short positions, three times a day.

use kalshi_sdk::Dollars;

use super::{SHARD, TICK};
use crate::{
    state::{Account, Market, MarketIndex, MarketStatus, State, Timer, insert_bounded},
    time::{Micros, SECOND},
};

/// Length of a funding period.
const PERIOD: Micros = 8 * 3600 * SECOND;
/// Time of day of the first funding, UTC.
const FIRST_FUNDING: Micros = 4 * 3600 * SECOND;
/// Maximum time that is caught up after a jump of the clock. Earlier periods are skipped.
const MAX_CATCH_UP: Micros = 90 * PERIOD;
/// A rate of 1, in trillionths.
const ONE: i64 = 1_000_000_000_000;
/// Maximum absolute rate of a period.
pub(crate) const FUNDING_CAP: i64 = ONE / 50;
/// Rates below this become zero.
pub(crate) const FUNDING_DEADBAND: i64 = ONE / 10_000;

/// The funding rate of a market in one period.
#[derive(Clone, Debug)]
pub(crate) struct FundingRate {
    pub(crate) market: MarketIndex,
    /// Rate in trillionths of the notional value. Long positions pay it if it is positive, and receive it if it is negative.
    pub(crate) rate: i64,
    pub(crate) mark: Dollars,
    pub(crate) at: Micros,
}

/// A funding payment of one account.
#[derive(Clone, Debug)]
pub(crate) struct FundingPayment {
    pub(crate) account: Account,
    pub(crate) rate: FundingRate,
    /// Position in hundredths of contracts, negative if short.
    pub(crate) position: i64,
    /// Amount received in millionths of a dollar, negative if paid.
    pub(crate) amount: i64,
}

/// Returns the first funding time after `now`: 04:00, 12:00 or 20:00 UTC.
pub(crate) fn next_funding(now: Micros) -> Micros {
    ((now - FIRST_FUNDING).div_euclid(PERIOD) + 1) * PERIOD + FIRST_FUNDING
}

impl State {
    pub(super) fn schedule_funding(&mut self, at: Micros) {
        self.set_timer(at, Timer::Funding);
    }

    /// Returns the premium of the mark price over the reference price, in trillionths.
    pub(crate) fn premium(&self, market: &Market) -> i64 {
        let Some(perp) = market.perp.as_ref() else {
            return 0;
        };
        let reference = i128::from(perp.reference.micros().max(1));
        let above = i128::from(self.mark(market).micros()) - i128::from(perp.reference.micros());
        i64::try_from(above * i128::from(ONE) / reference).unwrap_or(0)
    }

    /// Returns the rate of the current period: the one set by a test, or else the premium.
    pub(crate) fn funding_rate(&self, market: &Market) -> i64 {
        let fixed = market.perp.as_ref().and_then(|perp| perp.rate);
        let rate = fixed.unwrap_or_else(|| self.premium(market));
        match rate.abs() < FUNDING_DEADBAND {
            true => 0,
            false => rate.clamp(-FUNDING_CAP, FUNDING_CAP),
        }
    }

    /// Pays the funding of the period that ends now, and schedules the next.
    pub(in crate::state) fn fund(&mut self, until: Micros) {
        let at = self.now;
        for index in 0..self.markets.len() {
            let Some(market) = self.markets.get(index) else {
                continue;
            };
            if market.status != MarketStatus::Active {
                continue;
            }
            let rate = FundingRate {
                market: index,
                rate: self.funding_rate(market),
                mark: self.mark(market),
                at,
            };
            self.pay_funding(&rate);
            self.record_rate(rate);
        }
        let skipped = next_funding(until.saturating_sub(MAX_CATCH_UP));
        self.schedule_funding((at + PERIOD).max(skipped));
    }

    pub(super) fn record_rate(&mut self, rate: FundingRate) {
        let number = self.next_number();
        if let Some(margin) = &mut self.margin {
            insert_bounded(&mut margin.rates, number, rate);
        }
    }

    fn pay_funding(&mut self, rate: &FundingRate) {
        if rate.rate == 0 {
            return;
        }
        for account in self.ledger.holders(rate.market) {
            let position = self.position(account, rate.market);
            let value =
                -i128::from(position) * i128::from(rate.mark.micros()) * i128::from(rate.rate);
            // Rounded down to a hundredth of a cent. The exchange keeps the remainder, so that no money is created.
            let divisor = 100 * i128::from(ONE) * i128::from(TICK);
            let amount = i64::try_from(value.div_euclid(divisor))
                .unwrap_or(0)
                .saturating_mul(TICK);
            if position == 0 {
                continue;
            }
            self.ledger.pay(account, SHARD, amount, self.now);
            self.ledger.fees -= amount;
            if account.is_market_maker() {
                continue;
            }
            let number = self.next_number();
            let payment = FundingPayment {
                account,
                rate: rate.clone(),
                position,
                amount,
            };
            if let Some(margin) = &mut self.margin {
                insert_bounded(&mut margin.payments, number, payment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn funding_is_at_four_twelve_and_twenty() {
        let hour = 3600 * SECOND;
        assert_eq!(next_funding(0), 4 * hour);
        assert_eq!(next_funding(4 * hour), 12 * hour);
        assert_eq!(next_funding(12 * hour - 1), 12 * hour);
        assert_eq!(next_funding(20 * hour), 28 * hour);
    }
}
