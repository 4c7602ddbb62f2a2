//! The initial markets: four series with future and past events, with quotes and trades.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Decimal, Dollars, fees::Multiplier};

use super::{
    Account, Event, Fees, Market, MarketIndex, MarketStatus, NewOrder, PriceRange, SelfTrade,
    Series, SeriesEvent, Shard, Side, State, Step, Strike, TimeInForce,
    book::Book,
    walk::{Kind, Walk},
};
use crate::time::{Micros, SECOND, to_datetime};

const DAY: i64 = 24 * 3600 * SECOND;

/// A grid by its name and its ranges, in micros: start, end, step.
type Grid = (&'static str, &'static [(i64, i64, i64)]);

/// A grid of whole cents.
const LINEAR_CENT: Grid = ("linear_cent", &[(0, 1_000_000, 10_000)]);
/// A grid of tenths of a cent.
const DECI_CENT: Grid = ("deci_cent", &[(0, 1_000_000, 1_000)]);
/// A grid of tenths of a cent near 0 and 1, and cents between.
const TAPERED: Grid = (
    "tapered_deci_cent",
    &[
        (0, 100_000, 1_000),
        (100_000, 900_000, 10_000),
        (900_000, 1_000_000, 1_000),
    ],
);

/// A series of the initial markets.
struct SeriesTemplate {
    ticker: &'static str,
    title: &'static str,
    category: &'static str,
    frequency: &'static str,
    grid: Grid,
    shard: Shard,
    maker_fees: bool,
    kind: Kind,
    /// End of event tickers, after the date.
    suffix: &'static str,
    /// Time of the day at which markets close, in minutes of Eastern Standard Time.
    closes: i64,
    /// Ends of market tickers, with strikes.
    markets: Vec<(&'static str, Strike)>,
}

/// Returns the series of the initial markets.
fn series_templates() -> [SeriesTemplate; 4] {
    let hundredths = |number: i128| Decimal::new(number, 2).unwrap_or_default();
    [
        SeriesTemplate {
            ticker: "KXHIGHNY",
            title: "Highest temperature in New York City",
            category: "Climate and Weather",
            frequency: "daily",
            grid: LINEAR_CENT,
            shard: 0,
            maker_fees: false,
            kind: Kind::Exclusive,
            suffix: "",
            closes: 23 * 60 + 59,
            markets: vec![
                ("T39", Strike::Less(39.into())),
                ("B39.5", Strike::Between(39.into(), 40.into())),
                ("B41.5", Strike::Between(41.into(), 42.into())),
                ("T42", Strike::Greater(42.into())),
            ],
        },
        SeriesTemplate {
            ticker: "KXFEDDECISION",
            title: "Federal Reserve decision",
            category: "Economics",
            frequency: "custom",
            grid: DECI_CENT,
            shard: 0,
            maker_fees: false,
            kind: Kind::Exclusive,
            suffix: "",
            closes: 13 * 60 + 55,
            markets: vec![
                ("C25", Strike::Named("custom", "Decision", "Cut")),
                ("H0", Strike::Named("custom", "Decision", "No change")),
                ("H25", Strike::Named("custom", "Decision", "Hike")),
            ],
        },
        SeriesTemplate {
            ticker: "KXNBAGAME",
            title: "Professional basketball game",
            category: "Sports",
            frequency: "custom",
            grid: LINEAR_CENT,
            shard: 0,
            maker_fees: true,
            kind: Kind::Exclusive,
            suffix: "NYKBOS",
            closes: 23 * 60,
            markets: vec![
                ("NYK", Strike::Named("structured", "basketball_team", "NYK")),
                ("BOS", Strike::Named("structured", "basketball_team", "BOS")),
            ],
        },
        SeriesTemplate {
            ticker: "KXBTCD",
            title: "Bitcoin price",
            category: "Crypto",
            frequency: "hourly",
            grid: TAPERED,
            shard: 1,
            maker_fees: false,
            kind: Kind::Nested,
            suffix: "17",
            closes: 17 * 60,
            markets: vec![
                ("T91999.99", Strike::Greater(hundredths(9_199_999))),
                ("T92499.99", Strike::Greater(hundredths(9_249_999))),
                ("T92999.99", Strike::Greater(hundredths(9_299_999))),
            ],
        },
    ]
}

/// Eastern Standard Time, west of UTC.
const EASTERN_OFFSET: i64 = 5 * 3600 * SECOND;
/// Time between the listing and the close of a past event.
const LISTED_BEFORE_CLOSE: i64 = 4 * DAY;
/// Time between the close of a market and its settlement.
pub(super) const SETTLEMENT_DELAY: i64 = 1_800 * SECOND;

impl State {
    /// Fills an empty exchange. The same seed gives the same books. Each series has an event that closes tomorrow, one that settled
    /// within the last days, and one in the archive.
    pub(crate) fn populate(&mut self) {
        let now = self.now;
        let today = (now - EASTERN_OFFSET).div_euclid(DAY);
        let mut trades: Vec<(Micros, MarketIndex, i64)> = Vec::new();
        let templates = series_templates();
        for template in &templates {
            self.now = now - LISTED_BEFORE_CLOSE;
            let (walk, _) = self.add_template_event(template, today + 1);
            let recent = [50, 20, 5].map(|minutes| now - minutes * 60 * SECOND);
            let earlier = (1..=96)
                .rev()
                .map(|step| now - (60 + step * 45) * 60 * SECOND);
            self.add_past_trades(&walk, earlier.chain(recent).collect(), &mut trades);
            self.now = now;
            for (index, fair) in walk.markets.iter().zip(&walk.fair) {
                self.quote_market(*index, *fair);
            }
            self.walks.push(walk);
        }
        for template in &templates {
            for days in [2, 66] {
                self.now = now - (days + 4) * DAY;
                let (walk, closes) = self.add_template_event(template, today - days);
                let times = (1..=48).rev().map(|hours| closes - hours * 3600 * SECOND);
                self.add_past_trades(&walk, times.collect(), &mut trades);
                self.now = closes + SETTLEMENT_DELAY;
                for (index, result) in walk.results() {
                    self.settle(index, result);
                }
            }
        }
        // Trades must be numbered in order of time.
        trades.sort_by_key(|(at, ..)| *at);
        for (at, index, price) in trades {
            self.now = at;
            self.record_past_trade(index, price);
        }
        self.now = now;
    }

    /// Adds the event of a series on a day. Returns random fair values of its markets, and the close time.
    fn add_template_event(&mut self, template: &SeriesTemplate, day: i64) -> (Walk, Micros) {
        self.add_series(template.ticker, template.shard);
        if let Some(series) = self.series.get_mut(template.ticker) {
            series.title = template.title.to_owned();
            series.category = template.category.to_owned();
            series.frequency = template.frequency;
            series.fees.charges_makers = template.maker_fees;
        }
        let date = to_datetime(day * DAY)
            .format("%y%b%d")
            .to_string()
            .to_uppercase();
        let event = format!("{}-{date}{}", template.ticker, template.suffix);
        self.add_event(&event, template.ticker, template.kind == Kind::Exclusive);
        let closes = day * DAY + EASTERN_OFFSET + template.closes * 60 * SECOND;
        let mut indices = Vec::new();
        for (end, strike) in &template.markets {
            let index = self.add_market_of(&format!("{event}-{end}"), &event);
            self.set_grid(index, template.grid);
            self.set_close(index, closes);
            if let Some(market) = self.markets.get_mut(index) {
                market.strike = *strike;
                market.title = format!("{}: {}", template.title, strike.outcome());
            }
            indices.push(index);
        }
        let walk = Walk::for_event(template.kind, indices, &mut self.random);
        (walk, closes)
    }

    /// Adds trades at given times to a list, along a walk that ends at the current fair values.
    fn add_past_trades(
        &mut self,
        walk: &Walk,
        times: Vec<Micros>,
        trades: &mut Vec<(Micros, MarketIndex, i64)>,
    ) {
        let past = walk.past(times.len(), &mut self.random);
        for (at, fair) in times.into_iter().zip(past) {
            for (index, fair) in walk.markets.iter().zip(fair) {
                trades.push((at, *index, fair));
            }
        }
    }

    /// Records a trade next to a fair value.
    fn record_past_trade(&mut self, index: MarketIndex, fair: i64) {
        let side = if self.random.bool() {
            Side::Bid
        } else {
            Side::Ask
        };
        let market = self.markets.get(index);
        let price =
            market.and_then(|market| market.nearest_price(side, Dollars::from_micros(fair)));
        if let Some(price) = price {
            let id = self.new_id();
            let count = Contracts::from_hundredths(self.random.i64(1..=2_000));
            self.record_trade(id, index, price, count, side);
        }
    }

    /// Adds a series unless it exists.
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
                    charges_makers: false,
                },
                shard,
                updated,
            });
    }

    /// Adds an event and its series unless they exist.
    pub(crate) fn add_event(&mut self, ticker: &str, series: &str, mutually_exclusive: bool) {
        self.add_series(series, 0);
        let (number, updated) = (self.next_number(), self.now);
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

    /// Returns the market with a ticker. Creates it if necessary: open for 30 days, prices in cents.
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
                    charges_makers: false,
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
            strike: Strike::None,
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

    /// Sets a price grid: ranges of first price, last price and step. Ranges with more than four decimals are ignored.
    pub(crate) fn set_price_ranges(
        &mut self,
        index: MarketIndex,
        name: &str,
        ranges: &[(Dollars, Dollars, Dollars)],
    ) {
        let is_price = |price: Dollars| price >= Dollars::ZERO && price.micros() % 100 == 0;
        let valid = ranges.iter().filter(|&&(start, end, step)| {
            is_price(start) && is_price(end) && is_price(step) && step > Dollars::ZERO
        });
        if let Some(market) = self.markets.get_mut(index) {
            name.clone_into(&mut market.price_level_structure);
            market.price_ranges = valid
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

    /// Trades with users' orders for the market maker. The remainder is cancelled.
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
        // The order is rejected only if the market is not open for trading, which is up to the test.
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

    /// Quotes a few levels on both sides of a fair value.
    fn quote_market(&mut self, index: MarketIndex, middle: i64) {
        for level in 1..=5 {
            for side in [Side::Bid, Side::Ask] {
                let offset = level * 10_000;
                let price = Dollars::from_micros(if side == Side::Bid {
                    middle - offset
                } else {
                    middle + offset
                });
                let count = Contracts::from_hundredths(self.random.i64(1..=40) * 1_250);
                self.market_maker_order(index, side, price, count);
            }
        }
    }
}
