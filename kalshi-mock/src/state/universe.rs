//! A small universe to begin with: four series, their events and markets, quoted and traded.

use std::collections::BTreeMap;

use chrono::Datelike;
use kalshi_sdk::{Contracts, Dollars, fees::Multiplier};

use super::{
    Account, Event, Fees, Market, MarketIndex, MarketStatus, NewOrder, PriceRange, SelfTrade,
    Series, SeriesEvent, Shard, Side, State, Step, TimeInForce, book::Book,
};
use crate::time::{SECOND, stamp};

const DAY: i64 = 24 * 3600 * SECOND;

/// A grid by its name and its ranges, in micros: start, end, step.
type Grid = (&'static str, &'static [(i64, i64, i64)]);

/// Whole cents.
const LINEAR_CENT: Grid = ("linear_cent", &[(0, 1_000_000, 10_000)]);
/// Tenths of a cent.
const DECI_CENT: Grid = ("deci_cent", &[(0, 1_000_000, 1_000)]);
/// Tenths of a cent near 0 and 1, cents between.
const TAPERED: Grid = (
    "tapered_deci_cent",
    &[
        (0, 100_000, 1_000),
        (100_000, 900_000, 10_000),
        (900_000, 1_000_000, 1_000),
    ],
);

/// A series of the universe, with what ends the tickers of its markets.
struct Pattern {
    ticker: &'static str,
    title: &'static str,
    category: &'static str,
    frequency: &'static str,
    grid: Grid,
    shard: Shard,
    maker_fees: bool,
    markets: &'static [&'static str],
}

const UNIVERSE: [Pattern; 4] = [
    Pattern {
        ticker: "KXHIGHNY",
        title: "Highest temperature in New York City",
        category: "Climate and Weather",
        frequency: "daily",
        grid: LINEAR_CENT,
        shard: 0,
        maker_fees: false,
        markets: &["T38", "B39.5", "B41.5", "T43"],
    },
    Pattern {
        ticker: "KXFEDDECISION",
        title: "Federal Reserve decision",
        category: "Economics",
        frequency: "custom",
        grid: DECI_CENT,
        shard: 0,
        maker_fees: false,
        markets: &["C25", "H0", "H25"],
    },
    Pattern {
        ticker: "KXNBAGAME",
        title: "Professional basketball game",
        category: "Sports",
        frequency: "custom",
        grid: LINEAR_CENT,
        shard: 0,
        maker_fees: true,
        markets: &["NYK", "BOS"],
    },
    Pattern {
        ticker: "KXBTCD",
        title: "Bitcoin price",
        category: "Crypto",
        frequency: "hourly",
        grid: TAPERED,
        shard: 1,
        maker_fees: false,
        markets: &["T91999.99", "T92499.99", "T92999.99"],
    },
];

impl State {
    /// Fills an empty exchange. The same seed gives the same books.
    pub(crate) fn populate(&mut self) {
        let day = stamp(self.now + DAY);
        let month = day.format("%b").to_string().to_uppercase();
        let suffix = format!("{:02}{month}{:02}", day.year() % 100, day.day());
        for pattern in UNIVERSE {
            self.add_series(pattern.ticker, pattern.shard);
            if let Some(series) = self.series.get_mut(pattern.ticker) {
                series.title = pattern.title.to_owned();
                series.category = pattern.category.to_owned();
                series.frequency = pattern.frequency;
                series.fees.of_makers = pattern.maker_fees;
            }
            let event = format!("{}-{suffix}", pattern.ticker);
            self.add_event(&event, pattern.ticker, true);
            for end in pattern.markets {
                let market = self.add_market_of(&format!("{event}-{end}"), &event);
                self.set_grid(market, pattern.grid);
                self.quote_market(market);
            }
        }
    }

    /// The series of that ticker, made if there is none.
    pub(crate) fn add_series(&mut self, ticker: &str, shard: Shard) {
        let updated = self.now;
        self.series
            .entry(ticker.to_owned())
            .or_insert_with(|| Series {
                ticker: ticker.to_owned(),
                title: format!("Series {ticker}"),
                category: "Test".to_owned(),
                frequency: "custom",
                fees: Fees {
                    multiplier: Multiplier::ONE,
                    of_makers: false,
                },
                shard,
                updated,
            });
    }

    /// The event of that ticker, made if there is none, and its series too.
    pub(crate) fn add_event(&mut self, ticker: &str, series: &str, mutually_exclusive: bool) {
        self.add_series(series, 0);
        let (number, updated) = (self.next(), self.now);
        if !self.events.contains_key(ticker) {
            self.emit(|_| Some(Event::Listed(ticker.to_owned())));
        }
        self.events
            .entry(ticker.to_owned())
            .or_insert_with(|| SeriesEvent {
                ticker: ticker.to_owned(),
                series: series.to_owned(),
                title: format!("Event {ticker}"),
                mutually_exclusive,
                updated,
                number,
            });
    }

    /// The market of that ticker, made if there is none: open for 30 days, prices in cents.
    pub(crate) fn add_market_of(&mut self, ticker: &str, event: &str) -> MarketIndex {
        if let Some((index, _)) = self.market(ticker) {
            return index;
        }
        let series = event.split('-').next().unwrap_or(event).to_owned();
        self.add_event(event, &series, false);
        let of_event = self
            .events
            .get(event)
            .and_then(|event| self.series.get(&event.series));
        let (fees, shard) = of_event.map_or(
            (
                Fees {
                    multiplier: Multiplier::ONE,
                    of_makers: false,
                },
                0,
            ),
            |series| (series.fees, series.shard),
        );
        let now = self.now;
        let index = self.add_market(Market {
            ticker: ticker.to_owned(),
            event: event.to_owned(),
            title: format!("Market {ticker}"),
            shard,
            status: MarketStatus::Active,
            fees,
            price_level_structure: String::new(),
            price_ranges: Vec::new(),
            created: now,
            updated: now,
            opens: now,
            closes: now + 30 * DAY,
            settled: None,
            last_price: None,
            last_count: Contracts::ZERO,
            volume: Contracts::ZERO,
            hourly: BTreeMap::new(),
            open_interest: Contracts::ZERO,
            book: Book::default(),
            clock: 0,
            perp: None,
        });
        self.set_grid(index, LINEAR_CENT);
        self.emit_step(index, Step::Created);
        index
    }

    fn set_grid(&mut self, index: MarketIndex, (name, ranges): Grid) {
        let dollars = |&(start, end, step): &(i64, i64, i64)| {
            (
                Dollars::from_micros(start),
                Dollars::from_micros(end),
                Dollars::from_micros(step),
            )
        };
        self.set_price_ranges(index, name, &ranges.iter().map(dollars).collect::<Vec<_>>());
    }

    /// Sets a price grid: ranges from the first price to the last by a step, all of them with up to four digits.
    pub(crate) fn set_price_ranges(
        &mut self,
        index: MarketIndex,
        name: &str,
        ranges: &[(Dollars, Dollars, Dollars)],
    ) {
        let is_price = |price: Dollars| price >= Dollars::ZERO && price.micros() % 100 == 0;
        let kept = ranges.iter().filter(|&&(start, end, step)| {
            is_price(start) && is_price(end) && is_price(step) && step > Dollars::ZERO
        });
        if let Some(market) = self.markets.get_mut(index) {
            name.clone_into(&mut market.price_level_structure);
            market.price_ranges = kept
                .map(|&(start, end, step)| PriceRange { start, end, step })
                .collect();
        }
    }

    /// Places an order of the market maker at the next price of the grid. It trades with the orders it crosses.
    pub(crate) fn market_maker_order(
        &mut self,
        index: MarketIndex,
        side: Side,
        price: Dollars,
        count: Contracts,
    ) {
        self.market_maker(index, (side, price, count), TimeInForce::GoodTillCanceled);
    }

    /// Trades with users' orders for the market maker, and rests nothing.
    pub(crate) fn market_maker_trade(
        &mut self,
        index: MarketIndex,
        side: Side,
        price: Dollars,
        count: Contracts,
    ) {
        self.market_maker(index, (side, price, count), TimeInForce::ImmediateOrCancel);
    }

    fn market_maker(
        &mut self,
        index: MarketIndex,
        (side, price, count): (Side, Dollars, Contracts),
        time_in_force: TimeInForce,
    ) {
        let Some(market) = self.markets.get(index) else {
            return;
        };
        let Some(price) = market.nearest_price(side, price) else {
            return;
        };
        let order = NewOrder {
            account: Account::MARKET_MAKER,
            ticker: market.ticker.clone(),
            client_order_id: None,
            side,
            price,
            count,
            expires: None,
            time_in_force,
            post_only: false,
            reduce_only: false,
            self_trade: SelfTrade::Maker,
            cancel_on_pause: false,
            group: None,
            market_version: None,
        };
        // Rejected only if the market is not open for trading, which the test has arranged itself.
        _ = self.create_order(order);
    }

    /// Cancels the market maker's orders in a market.
    pub(crate) fn clear_market_maker(&mut self, index: MarketIndex) {
        let orders: Vec<_> = self
            .markets
            .get(index)
            .into_iter()
            .flat_map(|market| market.book.orders())
            .collect();
        for id in orders {
            if self
                .orders
                .get(&id)
                .is_some_and(|order| order.account.is_market_maker())
            {
                self.cancel(id);
            }
        }
    }

    /// A few levels on both sides of a price, and a few trades before.
    fn quote_market(&mut self, index: MarketIndex) {
        let middle = self.random.i64(15..85) * 10_000;
        for level in 1..=5 {
            for side in [Side::Bid, Side::Ask] {
                let away = level * 10_000;
                let price = Dollars::from_micros(if side == Side::Bid {
                    middle - away
                } else {
                    middle + away
                });
                let count = Contracts::from_hundredths(self.random.i64(1..=40) * 1_250);
                self.market_maker_order(index, side, price, count);
            }
        }
        let now = self.now;
        for minutes in [50, 20, 5] {
            self.now = now - minutes * 60 * SECOND;
            let id = self.id();
            let count = Contracts::from_hundredths(self.random.i64(1..=2_000));
            let side = if self.random.bool() {
                Side::Bid
            } else {
                Side::Ask
            };
            let price = Dollars::from_micros(middle + self.random.i64(-1..=1) * 10_000);
            self.print(id, index, price, count, side);
        }
        self.now = now;
    }
}
