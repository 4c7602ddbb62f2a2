//! Markets of both exchanges: creation, the market maker's orders, and lifecycle.

use chrono::{DateTime, Utc};
use kalshi_sdk::{Contracts, Decimal, Dollars};
use serde::Deserialize;

use super::{ControlError, Input, routes::Reply, to_json};
#[cfg(feature = "perps")]
use crate::{MarginMarket, state::MAX_PRICE};
use crate::{
    Market, MarketSnapshot, MockExchange, Settlement, Strike, schedule::settlement,
    state::MAX_COUNT,
};

/// Maximum number of ranges of a price grid.
const MAX_RANGES: usize = 20;
/// Upper bound of the digits of a strike, as an integer. A JSON number with more digits is not exact for clients that read it as a double.
const MAX_STRIKE: u128 = 10_u128.pow(15);
/// Smallest step of prices, in millionths of a dollar.
const TICK: i64 = 100;

/// A handle to a market of either exchange.
enum Handle {
    Event(Market),
    #[cfg(feature = "perps")]
    Margin(MarginMarket),
}

/// Calls a method that both handles have.
macro_rules! with {
    ($handle:expr, $market:ident => $act:expr) => {
        match $handle {
            Handle::Event($market) => {
                $act;
            }
            #[cfg(feature = "perps")]
            Handle::Margin($market) => {
                $act;
            }
        }
    };
}

/// Settings of a market. Absent settings are not changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    closes_at: Option<DateTime<Utc>>,
    mutually_exclusive: Option<bool>,
    strike_type: Option<StrikeType>,
    floor_strike: Option<Decimal>,
    cap_strike: Option<Decimal>,
    price_level_structure: Option<String>,
    price_ranges: Option<Vec<Range>>,
    exchange_index: Option<u16>,
    maker_fees: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StrikeType {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    start: Dollars,
    end: Dollars,
    step: Dollars,
}

/// Ranges of prices: first, last, step.
type Grid = Vec<(Dollars, Dollars, Dollars)>;

impl Settings {
    fn strike(&self) -> Result<Option<Strike>, ControlError> {
        let strikes = [self.floor_strike, self.cap_strike];
        let is_exact = |strike: &Decimal| strike.mantissa().unsigned_abs() < MAX_STRIKE;
        if !strikes.iter().flatten().all(is_exact) {
            return Err(ControlError::bad_request("a strike has up to 15 digits"));
        }
        match (self.strike_type, self.floor_strike, self.cap_strike) {
            (None, None, None) => Ok(None),
            (Some(StrikeType::Less), None, Some(cap)) => Ok(Some(Strike::Less(cap))),
            (Some(StrikeType::LessOrEqual), None, Some(cap)) => Ok(Some(Strike::LessOrEqual(cap))),
            (Some(StrikeType::Greater), Some(floor), None) => Ok(Some(Strike::Greater(floor))),
            (Some(StrikeType::GreaterOrEqual), Some(floor), None) => {
                Ok(Some(Strike::GreaterOrEqual(floor)))
            }
            (Some(StrikeType::Between), Some(floor), Some(cap)) if floor <= cap => {
                Ok(Some(Strike::Between(floor, cap)))
            }
            _ => Err(ControlError::bad_request(
                "a strike has a strike_type: less and less_or_equal with cap_strike, greater and greater_or_equal with \
                 floor_strike, between with both, floor_strike not above cap_strike",
            )),
        }
    }

    fn grid(&self) -> Result<Option<Grid>, ControlError> {
        let Some(ranges) = &self.price_ranges else {
            return match self.price_level_structure {
                Some(_) => Err(ControlError::bad_request(
                    "price_level_structure requires price_ranges",
                )),
                None => Ok(None),
            };
        };
        let is_valid = |range: &Range| {
            let prices = [range.start, range.end, range.step];
            prices.iter().all(|price| price.micros() % TICK == 0)
                && Dollars::ZERO <= range.start
                && range.start < range.end
                && range.end <= Dollars::ONE
                && Dollars::ZERO < range.step
                && range.step <= range.end - range.start
        };
        if !(1..=MAX_RANGES).contains(&ranges.len()) || !ranges.iter().all(is_valid) {
            return Err(ControlError::bad_request(format!(
                "price_ranges has 1 to {MAX_RANGES} ranges from 0 to 1 dollars, with steps of at least 0.0001 and up to four decimals"
            )));
        }
        let ranges = ranges.iter();
        Ok(Some(
            ranges
                .map(|range| (range.start, range.end, range.step))
                .collect(),
        ))
    }
}

pub(super) fn put(exchange: &MockExchange, input: &Input) -> Reply {
    let ticker = new_ticker(input)?;
    let settings: Settings = input.body()?;
    let (strike, grid) = (settings.strike()?, settings.grid()?);
    if let Some(existing) = exchange.market_snapshot(ticker) {
        if settings.closes_at.is_some() && ["closed", "finalized"].contains(&existing.status) {
            return Err(ControlError::conflict(format!(
                "the market is {}",
                existing.status
            )));
        }
        let moved = settings
            .exchange_index
            .is_some_and(|index| u32::from(index) != existing.exchange_index);
        if (moved || settings.maker_fees.is_some()) && exchange.market(ticker).has_user_holdings() {
            return Err(ControlError::conflict(
                "exchange_index and maker_fees are fixed once a user has had an order in the market",
            ));
        }
    }
    let market = exchange.market(ticker);
    if let Some(index) = settings.exchange_index {
        market.on_shard(index.into());
    }
    if let Some(paid) = settings.maker_fees {
        market.maker_fees(paid);
    }
    if let Some(exclusive) = settings.mutually_exclusive {
        market.mutually_exclusive(exclusive);
    }
    if let Some(strike) = strike {
        market.strike(strike);
    }
    if let Some(ranges) = grid {
        let name = settings.price_level_structure.as_deref();
        market.price_ranges(name.unwrap_or("custom"), &ranges);
    }
    if let Some(at) = settings.closes_at {
        market.closes_at(at);
    }
    market_reply(exchange, input)
}

/// Settings of a margin market. Absent settings are not changed. Rates are fractions of the notional value.
#[cfg(feature = "perps")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarginSettings {
    mark_price: Option<Dollars>,
    reference_price: Option<Dollars>,
    funding_rate: Option<Dollars>,
    maker_fee_rate: Option<Dollars>,
    taker_fee_rate: Option<Dollars>,
    leverage: Option<Dollars>,
    fractional: Option<bool>,
    version: Option<i32>,
}

#[cfg(feature = "perps")]
pub(super) fn put_margin(exchange: &MockExchange, input: &Input) -> Reply {
    let ticker = new_ticker(input)?;
    let settings: MarginSettings = input.body()?;
    let price = |name: &str, price: Option<Dollars>| match price {
        Some(price) if price <= Dollars::ZERO || price > MAX_PRICE => {
            Err(ControlError::bad_request(format!(
                "{name} must be above 0, and at most a million dollars"
            )))
        }
        price => Ok(price),
    };
    let mark = price("mark_price", settings.mark_price)?;
    let reference = price("reference_price", settings.reference_price)?;
    let rate = |name: &str, rate: Option<Dollars>| match rate {
        Some(rate) if rate < Dollars::ZERO || rate > Dollars::ONE => Err(
            ControlError::bad_request(format!("{name} must be from 0 to 1")),
        ),
        rate => Ok(rate.and_then(|rate| u32::try_from(rate.micros()).ok())),
    };
    let maker = rate("maker_fee_rate", settings.maker_fee_rate)?;
    let taker = rate("taker_fee_rate", settings.taker_fee_rate)?;
    if maker.is_some() != taker.is_some() {
        return Err(ControlError::bad_request(
            "maker_fee_rate and taker_fee_rate must be set together",
        ));
    }
    let funding = match settings.funding_rate.map(Dollars::micros) {
        Some(micros) if !(-20_000..=20_000).contains(&micros) => {
            return Err(ControlError::bad_request(
                "funding_rate must be from -0.02 to 0.02",
            ));
        }
        micros => micros.and_then(|micros| i32::try_from(micros).ok()),
    };
    let leverage = match settings.leverage.map(Dollars::micros) {
        Some(micros) if !(1_000_000..=1_000_000_000).contains(&micros) || micros % 100 != 0 => {
            return Err(ControlError::bad_request(
                "leverage must be from 1 to 1000, with up to four decimals",
            ));
        }
        micros => micros.and_then(|micros| u32::try_from(micros / 100).ok()),
    };
    if leverage.is_some()
        && exchange.margin_market_snapshot(ticker).is_some()
        && exchange.margin_market(ticker).has_user_holdings()
    {
        return Err(ControlError::conflict(
            "leverage is fixed once a user has had an order in the market",
        ));
    }
    let market = exchange.margin_market(ticker);
    if let Some(leverage) = leverage {
        market.leverage(leverage);
    }
    if let (Some(maker), Some(taker)) = (maker, taker) {
        market.fees(maker, taker);
    }
    if let Some(price) = reference {
        market.reference(price);
    }
    if let Some(price) = mark {
        market.mark(price);
    }
    if let Some(rate) = funding {
        market.funding_rate(rate);
    }
    if let Some(allowed) = settings.fractional {
        market.fractional(allowed);
    }
    if let Some(version) = settings.version {
        market.version(version);
    }
    market_reply(exchange, input)
}

/// Returns the ticker of a market that may be created.
fn new_ticker(input: &Input) -> Result<&str, ControlError> {
    let ticker = input.parameter(0);
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // Clients normalise `.` and `..` in a path, so such a ticker could not be requested.
    let is_valid_start = ticker.starts_with(|first: char| first.is_ascii_alphanumeric());
    match is_valid_start && ticker.len() <= 100 && ticker.bytes().all(is_valid) {
        true => Ok(ticker),
        false => Err(ControlError::bad_request(
            "a ticker consists of up to 100 letters, digits, dots, dashes and underscores, and starts with a letter or a digit",
        )),
    }
}

/// Returns the market of the path without creating it.
fn snapshot(exchange: &MockExchange, input: &Input) -> Result<MarketSnapshot, ControlError> {
    let ticker = input.parameter(0);
    let (found, prefix) = match input.margin {
        #[cfg(feature = "perps")]
        true => (exchange.margin_market_snapshot(ticker), "/mock/margin"),
        _ => (exchange.market_snapshot(ticker), "/mock"),
    };
    found.ok_or_else(|| {
        ControlError::not_found(format!(
            "no market {ticker}: create it with PUT {prefix}/markets/{ticker}"
        ))
    })
}

/// Returns a handle to the market of the path, which must exist and have one of these statuses.
fn market_handle(
    exchange: &MockExchange,
    input: &Input,
    statuses: &[&str],
) -> Result<Handle, ControlError> {
    let market = snapshot(exchange, input)?;
    if !statuses.contains(&market.status) {
        return Err(ControlError::conflict(format!(
            "the market is {}, not {}",
            market.status,
            statuses.join(" or ")
        )));
    }
    Ok(match input.margin {
        #[cfg(feature = "perps")]
        true => Handle::Margin(exchange.margin_market(&market.ticker)),
        _ => Handle::Event(exchange.market(&market.ticker)),
    })
}

fn market_reply(exchange: &MockExchange, input: &Input) -> Reply {
    to_json(snapshot(exchange, input)?)
}

pub(super) fn get(exchange: &MockExchange, input: &Input) -> Reply {
    market_reply(exchange, input)
}

pub(super) fn clear(exchange: &MockExchange, input: &Input) -> Reply {
    let all = ["initialized", "inactive", "active", "closed", "finalized"];
    with!(market_handle(exchange, input, &all)?, market => market.clear());
    market_reply(exchange, input)
}

pub(super) fn pause(exchange: &MockExchange, input: &Input) -> Reply {
    with!(market_handle(exchange, input, &["active", "inactive"])?, market => market.pause());
    market_reply(exchange, input)
}

pub(super) fn resume(exchange: &MockExchange, input: &Input) -> Reply {
    with!(market_handle(exchange, input, &["active", "inactive"])?, market => market.resume());
    market_reply(exchange, input)
}

pub(super) fn close(exchange: &MockExchange, input: &Input) -> Reply {
    let open = ["initialized", "inactive", "active"];
    market_handle(exchange, input, &open)?;
    exchange.market(input.parameter(0)).close();
    market_reply(exchange, input)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    result: String,
}

pub(super) fn settle(exchange: &MockExchange, input: &Input) -> Reply {
    let result: Settlement = settlement(&input.body::<Settle>()?.result)
        .map_err(|error| ControlError::bad_request(error.to_string()))?;
    let unsettled = ["initialized", "inactive", "active", "closed"];
    market_handle(exchange, input, &unsettled)?;
    exchange.market(input.parameter(0)).settle(result);
    market_reply(exchange, input)
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Bid,
    Ask,
}

/// An order of the market maker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakerOrder {
    side: Side,
    price: Dollars,
    count: Contracts,
}

/// Places an order of the market maker. The remainder rests in the book.
pub(super) fn quote(exchange: &MockExchange, input: &Input) -> Reply {
    let (handle, order) = order(exchange, input)?;
    match order.side {
        Side::Bid => with!(handle, market => market.bid(order.price, order.count)),
        Side::Ask => with!(handle, market => market.ask(order.price, order.count)),
    }
    market_reply(exchange, input)
}

/// Places an order of the market maker. The remainder is cancelled.
pub(super) fn trade(exchange: &MockExchange, input: &Input) -> Reply {
    let (handle, order) = order(exchange, input)?;
    match order.side {
        Side::Bid => with!(handle, market => market.buy(order.price, order.count)),
        Side::Ask => with!(handle, market => market.sell(order.price, order.count)),
    }
    market_reply(exchange, input)
}

fn order(exchange: &MockExchange, input: &Input) -> Result<(Handle, MakerOrder), ControlError> {
    let order: MakerOrder = input.body()?;
    let (price, count) = (order.price, order.count);
    let (is_in_range, rule) = match input.margin {
        #[cfg(feature = "perps")]
        true => (price <= MAX_PRICE, "at most a million dollars"),
        _ => (price < Dollars::ONE, "below 1 dollar"),
    };
    if price <= Dollars::ZERO || !is_in_range {
        return Err(ControlError::bad_request(format!(
            "price must be above 0, and {rule}"
        )));
    }
    if count <= Contracts::ZERO || count > MAX_COUNT {
        return Err(ControlError::bad_request(
            "count must be above 0, and at most a billion",
        ));
    }
    let handle = market_handle(exchange, input, &["active"])?;
    if !exchange.is_trading(input.margin) {
        return Err(ControlError::conflict("trading is paused"));
    }
    Ok((handle, order))
}
