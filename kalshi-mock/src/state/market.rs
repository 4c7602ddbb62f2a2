//! Series, events and markets, with their price grids and lifecycles.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars, orders::PriceGrid};
use serde::Serialize;

use super::{
    MarketIndex, Shard, State, Timer,
    book::{Book, Rank},
    event::Step,
    fees::Fees,
    margin::{Perp, TICK},
    side::Side,
    strike::Strike,
};
use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// A series of events.
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

/// An event of a series.
#[derive(Clone, Debug)]
pub(crate) struct SeriesEvent {
    pub(crate) ticker: String,
    pub(crate) series: String,
    pub(crate) title: String,
    pub(crate) mutually_exclusive: bool,
    pub(crate) updated: Micros,
    /// Sequence number, in order of creation.
    pub(crate) number: u64,
}

/// Lifecycle state of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarketStatus {
    Initialized,
    Inactive,
    Active,
    Closed,
    Finalized,
}

/// A range of the price grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PriceRange {
    pub(crate) start: Dollars,
    pub(crate) end: Dollars,
    pub(crate) step: Dollars,
}

/// A market of an event, or a margin market.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) ticker: String,
    pub(crate) event: String,
    pub(crate) title: String,
    pub(crate) strike: Strike,
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
    /// Contracts traded by hour, for the 24-hour volume.
    pub(crate) hourly: BTreeMap<i64, Contracts>,
    pub(crate) open_interest: Contracts,
    pub(crate) book: Book,
    /// Number of the action that changed the book last.
    pub(crate) clock: u64,
    /// Terms of a margin market, or `None` for a market of an event.
    pub(crate) perp: Option<Perp>,
}

impl Market {
    /// Returns the grid of valid prices.
    pub(crate) fn grid(&self) -> PriceGrid {
        let ranges = self.price_ranges.iter();
        PriceGrid::new(ranges.map(|range| (range.start, range.end, range.step)))
    }

    /// Returns the price per contract that an order on `side` pays: that of the bought outcome, or of the contract in a margin
    /// market.
    pub(super) fn unit_price(&self, side: Side, price: Dollars) -> Dollars {
        match &self.perp {
            Some(_) => price,
            None => side.unit_price(price),
        }
    }

    /// Returns the amount that a resting order reserves per contract: its price, or its initial margin in a margin market.
    pub(super) fn reserve_per_contract(&self, side: Side, price: Dollars) -> Dollars {
        match &self.perp {
            Some(perp) => perp.initial_per_contract(price),
            None => side.unit_price(price),
        }
    }

    /// Returns the taker fee at a unit price, in millionths of a dollar.
    pub(super) fn taker_fee(&self, unit_price: Dollars, count: Contracts) -> i64 {
        match &self.perp {
            Some(perp) => perp.fee(true, unit_price, count),
            None => self.fees.taker(unit_price, count),
        }
    }

    /// Returns the maker fee at a unit price, in millionths of a dollar.
    pub(super) fn maker_fee(&self, unit_price: Dollars, count: Contracts) -> i64 {
        match &self.perp {
            Some(perp) => perp.fee(false, unit_price, count),
            None => self.fees.maker(unit_price, count),
        }
    }

    /// Returns the nearest price on the grid, not above `price` for a bid and not below it for an ask, if such a price exists.
    pub(super) fn nearest_price(&self, side: Side, price: Dollars) -> Option<Dollars> {
        let ticks = price.micros().div_euclid(TICK);
        if self.perp.is_some() {
            let is_exact = price.micros() % TICK == 0;
            let up = i64::from(side == Side::Ask && !is_exact);
            let micros = (ticks + up).saturating_mul(TICK);
            return Some(Dollars::from_micros(micros));
        }
        let grid = self.grid();
        let (below, above) = (grid.round_down(price), grid.round_up(price));
        match side {
            Side::Bid => below.or(above),
            Side::Ask => above.or(below),
        }
    }

    /// Returns the contracts traded within 24 hours.
    pub(crate) fn volume_24h(&self, now: Micros) -> Contracts {
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
    /// Returns the price levels of a side, best first, at YES prices.
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

    /// Returns the best level of a side.
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

    /// Returns the bids for NO, which are the asks of YES: best first, at NO prices.
    pub(crate) fn no_bids(&self, market: &Market) -> Vec<(Dollars, Contracts)> {
        let asks = self.levels(market, Side::Ask);
        asks.into_iter()
            .map(|(price, count)| (price.complement(), count))
            .collect()
    }

    /// Returns the number of contracts ahead of an order.
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
            self.set_timer(opens, Timer::OpenMarket(index));
        }
        self.set_timer(closes, Timer::CloseMarket(index));
        index
    }

    /// Sets the close time of a market.
    pub(crate) fn set_close(&mut self, index: MarketIndex, closes: Micros) {
        let now = self.now;
        if let Some(market) = self.markets.get_mut(index) {
            market.closes = closes;
            market.updated = now;
            self.set_timer(closes, Timer::CloseMarket(index));
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

    /// Stops or resumes trading in one market.
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

    /// Closes a market if its close time has passed, and cancels its resting orders.
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
            self.cancel_with_reason(order, Some("CloseCancel"));
        }
    }

    /// Returns the market of a new order, or rejects the order if the market is not open for trading.
    pub(super) fn tradable_market(
        &self,
        ticker: &str,
    ) -> Result<(MarketIndex, &Market), Rejection> {
        let (index, market) = self
            .market(ticker)
            .ok_or_else(|| Rejection::no_market(format!("no market {ticker}")))?;
        if !self.is_trading() {
            return Err(Rejection::conflict("trading_is_paused", ""));
        }
        match market.status {
            MarketStatus::Active => Ok((index, market)),
            MarketStatus::Inactive if market.perp.is_none() => {
                Err(Rejection::conflict("trading_is_paused", ""))
            }
            status => Err(Rejection::bad_request(
                "market_not_active",
                format!(
                    "market {ticker} is {}",
                    format!("{status:?}").to_lowercase()
                ),
            )),
        }
    }
}
