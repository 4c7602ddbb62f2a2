//! The initial margin markets: one without quotes, and others with quotes and a history of trades and funding rates.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars, fees::Multiplier};

use super::{FundingRate, Perp, TICK, next_funding};
use crate::{
    state::{
        Fees, Market, MarketIndex, MarketStatus, SHARD, Side, State, Strike,
        book::Book,
        walk::{Kind, Walk},
    },
    time::{MAX_SECONDS, SECOND},
};

const HOUR: i64 = 3600 * SECOND;

/// Terms of an initial market.
struct MarketTemplate {
    ticker: &'static str,
    title: &'static str,
    /// Contract size in millionths of the underlying.
    contract_size: i64,
    asset_class: &'static str,
    /// Price of a contract, in ticks.
    price: i64,
    /// Leverage in ten-thousandths.
    leverage: i64,
    /// False for a market that has neither orders nor trades.
    quoted: bool,
}

/// The initial markets. The first has no quotes, so that client tests can rest an order at any price in the first market.
const TEMPLATES: [MarketTemplate; 5] = [
    MarketTemplate {
        ticker: "KXBCHPERP",
        title: "0.01 BCH",
        contract_size: 10_000,
        asset_class: "Crypto",
        price: 51_240,
        leverage: 52_000,
        quoted: false,
    },
    MarketTemplate {
        ticker: "KXBTCPERP",
        title: "0.0001 BTC",
        contract_size: 100,
        asset_class: "Crypto",
        price: 62_590,
        leverage: 76_679,
        quoted: true,
    },
    MarketTemplate {
        ticker: "KXETHPERP",
        title: "0.001 ETH",
        contract_size: 1_000,
        asset_class: "Crypto",
        price: 16_240,
        leverage: 65_000,
        quoted: true,
    },
    MarketTemplate {
        ticker: "KXSOLPERP",
        title: "0.1 SOL",
        contract_size: 100_000,
        asset_class: "Crypto",
        price: 66_120,
        leverage: 52_000,
        quoted: true,
    },
    MarketTemplate {
        ticker: "KXXRPPERP",
        title: "1 XRP",
        contract_size: 1_000_000,
        asset_class: "Crypto",
        price: 11_390,
        leverage: 52_000,
        quoted: true,
    },
];

impl State {
    /// Fills an empty margin exchange. The same seed gives the same books.
    pub(crate) fn populate_margin(&mut self) {
        for template in TEMPLATES {
            let index = self.add_margin_market(template.ticker);
            if let Some(market) = self.markets.get_mut(index) {
                template.title.clone_into(&mut market.title);
                if let Some(perp) = &mut market.perp {
                    perp.contract_size = template.contract_size;
                    perp.asset_class = template.asset_class;
                    perp.leverage = template.leverage;
                    perp.reference = Dollars::from_micros(template.price * TICK);
                }
            }
            if !template.quoted {
                self.record_past_rates(index, template.price, |_| 0);
                continue;
            }
            self.quote_margin_market(index, template.price);
            let fair = template.price * TICK;
            self.walks.push(Walk {
                kind: Kind::Free,
                markets: vec![index],
                fair: vec![fair],
                step_size: TICK * (template.price / 5_000).max(1),
                bounds: (fair / 2, fair * 2),
            });
        }
    }

    /// Returns the margin market with a ticker. Creates it if necessary, with a price of ten dollars and a leverage of 7.6.
    pub(crate) fn add_margin_market(&mut self, ticker: &str) -> MarketIndex {
        if let Some((index, _)) = self.market(ticker) {
            return index;
        }
        let now = self.now;
        self.add_market(Market {
            ticker: ticker.to_owned(),
            event: String::new(),
            title: format!("Market {ticker}"),
            strike: Strike::None,
            shard: SHARD,
            status: MarketStatus::Active,
            fees: Fees {
                multiplier: Multiplier::ONE,
                charges_makers: false,
            },
            price_level_structure: String::new(),
            price_ranges: Vec::new(),
            created: now,
            updated: now,
            opens: now,
            closes: MAX_SECONDS * SECOND,
            settled: None,
            last_price: None,
            last_count: Contracts::ZERO,
            volume: Contracts::ZERO,
            hourly: BTreeMap::new(),
            open_interest: Contracts::ZERO,
            book: Book::default(),
            clock: 0,
            perp: Some(Perp {
                contract_size: 1_000_000,
                asset_class: "Crypto",
                leverage: 76_000,
                maker_rate: 200,
                taker_rate: 1_200,
                reference: Dollars::from_micros(10_000_000),
                mark: None,
                rate: None,
                version: 1,
                fractional: false,
                volume: 0,
                hourly: BTreeMap::new(),
                changed: now,
            }),
        })
    }

    /// Quotes a market around a price in ticks, after two days of trades and 30 days of funding.
    fn quote_margin_market(&mut self, index: MarketIndex, price: i64) {
        let now = self.now;
        let dollars = |ticks: i64| Dollars::from_micros(ticks * TICK);
        // A random walk that ends at the price.
        let mut walk = price;
        let mut past: Vec<i64> = (0..192)
            .map(|_| {
                let ticks = walk;
                walk += self.random.i64(-price / 1_000..=price / 1_000);
                ticks
            })
            .collect();
        past.reverse();
        for (step, &ticks) in (0_i64..).zip(&past) {
            self.now = now - (192 - step) * 15 * 60 * SECOND;
            let id = self.new_id();
            let count = Contracts::from_hundredths(self.random.i64(1..=40) * 100);
            let side = if self.random.bool() {
                Side::Bid
            } else {
                Side::Ask
            };
            self.record_trade(id, index, dollars(ticks), count, side);
        }
        self.now = now;
        self.record_past_rates(index, price, |random| random.i64(-300..=600) * 1_000_000);
        for level in 1..=10 {
            let offset = level * 2 + self.random.i64(0..2);
            for (side, ticks) in [(Side::Bid, price - offset), (Side::Ask, price + offset)] {
                let count = Contracts::from_hundredths(self.random.i64(1..=60) * 500);
                self.market_maker_order(index, side, dollars(ticks), count);
            }
        }
    }

    /// Records the funding rates of the past 30 days, at a mark price in ticks.
    fn record_past_rates(
        &mut self,
        market: MarketIndex,
        price: i64,
        rate: impl Fn(&mut fastrand::Rng) -> i64,
    ) {
        let next = next_funding(self.now);
        for period in (1..=90).rev() {
            let rate = rate(&mut self.random);
            self.record_rate(FundingRate {
                market,
                rate: if rate.abs() < super::FUNDING_DEADBAND {
                    0
                } else {
                    rate
                },
                mark: Dollars::from_micros(price * TICK),
                at: next - period * 8 * HOUR,
            });
        }
    }
}
