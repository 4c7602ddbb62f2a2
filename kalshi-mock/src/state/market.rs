//! Series, events and markets: what is traded, on which grid, and until when.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars, orders::PriceGrid};
use serde::Serialize;

use super::{
    Due, MarketIndex, Shard, State,
    book::{Book, Rank},
    event::Step,
    fees::Fees,
    side::{Side, complement},
};
use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// A pattern of events.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) ticker: String,
    pub(crate) title: String,
    pub(crate) category: String,
    pub(crate) frequency: &'static str,
    pub(crate) fees: Fees,
    pub(crate) shard: Shard,
    pub(crate) updated: Micros,
}

/// One occasion of a series.
#[derive(Clone, Debug)]
pub(crate) struct SeriesEvent {
    pub(crate) ticker: String,
    pub(crate) series: String,
    pub(crate) title: String,
    pub(crate) mutually_exclusive: bool,
    pub(crate) updated: Micros,
    /// Larger for later ones.
    pub(crate) number: u64,
}

/// Where a market is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarketStatus {
    Initialized,
    Inactive,
    Active,
    Closed,
    Finalized,
}

/// One range of the price grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PriceRange {
    pub(crate) start: Dollars,
    pub(crate) end: Dollars,
    pub(crate) step: Dollars,
}

/// One question with a yes and a no.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) ticker: String,
    pub(crate) event: String,
    pub(crate) title: String,
    pub(crate) shard: Shard,
    pub(crate) status: MarketStatus,
    pub(crate) fees: Fees,
    pub(crate) price_level_structure: String,
    pub(crate) price_ranges: Vec<PriceRange>,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
    pub(crate) opens: Micros,
    pub(crate) closes: Micros,
    pub(crate) settled: Option<(Micros, Dollars)>,
    pub(crate) last_price: Option<Dollars>,
    pub(crate) last_count: Contracts,
    pub(crate) volume: Contracts,
    /// Contracts traded in each hour, for the volume of a day.
    pub(crate) hourly: BTreeMap<i64, Contracts>,
    pub(crate) open_interest: Contracts,
    pub(crate) book: Book,
    /// The action that last changed the book.
    pub(crate) clock: u64,
}

impl Market {
    /// The prices that orders may have.
    pub(crate) fn grid(&self) -> PriceGrid {
        let ranges = self.price_ranges.iter();
        PriceGrid::new(ranges.map(|range| (range.start, range.end, range.step)))
    }

    /// Contracts traded within a day.
    pub(crate) fn volume_of_a_day(&self, now: Micros) -> Contracts {
        let from = (now - 24 * 3600 * SECOND).div_euclid(3600 * SECOND);
        let hundredths = self
            .hourly
            .range(from..)
            .map(|(_, count)| count.hundredths())
            .sum();
        Contracts::from_hundredths(hundredths)
    }
}

impl State {
    /// Adds up a side of a book by price, the best price first. Prices are those of YES.
    pub(crate) fn levels(&self, market: &Market, side: Side) -> Vec<(Dollars, Contracts)> {
        let mut levels: Vec<(Dollars, i64)> = Vec::new();
        for order in market
            .book
            .side(side)
            .values()
            .filter_map(|id| self.orders.get(id))
        {
            match levels.last_mut() {
                Some((price, count)) if *price == order.price => {
                    *count += order.remaining.hundredths()
                }
                _ => levels.push((order.price, order.remaining.hundredths())),
            }
        }
        let counted = |(price, count)| (price, Contracts::from_hundredths(count));
        levels.into_iter().map(counted).collect()
    }

    /// The best price of a side, and how much rests there.
    pub(crate) fn best(&self, market: &Market, side: Side) -> Option<(Dollars, Contracts)> {
        let mut best: Option<(Dollars, i64)> = None;
        for order in market
            .book
            .side(side)
            .values()
            .filter_map(|id| self.orders.get(id))
        {
            match &mut best {
                Some((price, _)) if *price != order.price => break,
                Some((_, count)) => *count += order.remaining.hundredths(),
                None => best = Some((order.price, order.remaining.hundredths())),
            }
        }
        best.map(|(price, count)| (price, Contracts::from_hundredths(count)))
    }

    /// Bids for NO, which are asks of YES: the best first, at the prices of NO.
    pub(crate) fn no_bids(&self, market: &Market) -> Vec<(Dollars, Contracts)> {
        let asks = self.levels(market, Side::Ask);
        asks.into_iter()
            .map(|(price, count)| (complement(price), count))
            .collect()
    }

    /// How many contracts have to trade before an order does.
    pub(crate) fn queue_position(&self, market: MarketIndex, side: Side, rank: Rank) -> Contracts {
        let Some(market) = self.markets.get(market) else {
            return Contracts::ZERO;
        };
        let ahead = market
            .book
            .side(side)
            .range(..rank)
            .filter_map(|(_, id)| self.orders.get(id));
        Contracts::from_hundredths(ahead.map(|order| order.remaining.hundredths()).sum())
    }

    pub(crate) fn add_market(&mut self, market: Market) -> MarketIndex {
        let index = self.markets.len();
        let (opens, closes) = (market.opens, market.closes);
        self.tickers.insert(market.ticker.clone(), index);
        self.markets.push(market);
        if opens > self.now {
            self.at(opens, Due::Open(index));
        }
        self.at(closes, Due::Close(index));
        index
    }

    /// Sets when a market closes.
    pub(crate) fn set_close(&mut self, index: MarketIndex, closes: Micros) {
        let now = self.now;
        if let Some(market) = self.markets.get_mut(index) {
            market.closes = closes;
            market.updated = now;
            self.at(closes, Due::Close(index));
            self.emit_step(index, Step::CloseMoved);
        }
    }

    /// Opens a market for trading.
    pub(super) fn open(&mut self, index: MarketIndex) {
        let now = self.now;
        if let Some(market) = self.markets.get_mut(index)
            && market.status == MarketStatus::Initialized
        {
            market.status = MarketStatus::Active;
            market.updated = now;
        }
    }

    /// Stops the trading of one market, or lets it go on.
    pub(crate) fn set_market_active(&mut self, index: MarketIndex, active: bool) {
        let now = self.now;
        let (from, to) = match active {
            true => (MarketStatus::Inactive, MarketStatus::Active),
            false => (MarketStatus::Active, MarketStatus::Inactive),
        };
        let changed = self
            .markets
            .get_mut(index)
            .filter(|market| market.status == from);
        if let Some(market) = changed {
            market.status = to;
            market.updated = now;
            self.emit_step(
                index,
                if active {
                    Step::Activated
                } else {
                    Step::Deactivated
                },
            );
            if !active {
                self.cancel_on_pause(Some(index));
            }
        }
    }

    /// Closes a market for good, if its time has come: what rests is cancelled.
    pub(super) fn close(&mut self, index: MarketIndex) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(index) else {
            return;
        };
        let is_over = matches!(
            market.status,
            MarketStatus::Closed | MarketStatus::Finalized
        );
        if is_over || market.closes > now {
            return;
        }
        market.status = MarketStatus::Closed;
        market.updated = now;
        for order in market.book.orders().collect::<Vec<_>>() {
            self.cancel_for(order, Some("CloseCancel"));
        }
    }

    /// The market of an order that is to be taken, or why none is taken.
    pub(super) fn tradable(&self, ticker: &str) -> Result<(MarketIndex, &Market), Rejection> {
        let (index, market) = self
            .market(ticker)
            .ok_or_else(|| Rejection::no_market(format!("no market {ticker}")))?;
        if !self.is_trading() {
            return Err(Rejection::bad("trading_is_paused", "trading is paused"));
        }
        match market.status {
            MarketStatus::Active => Ok((index, market)),
            status => Err(Rejection::bad(
                "market_not_active",
                format!(
                    "market {ticker} is {}",
                    format!("{status:?}").to_lowercase()
                ),
            )),
        }
    }
}
