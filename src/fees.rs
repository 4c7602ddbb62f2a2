//! Trading fees in exact decimal arithmetic, computed as the exchange does and checked against recorded fills.
//!
//! The general fee of a trade of `C` contracts at a price `P` is `0.07 × C × P × (1 − P)`, times the series' multiplier, for the taker. A
//! maker pays a quarter of that in series with maker fees, and half of it for combos. The total of price and fee is rounded up to a
//! hundredth of a cent, so the fee alone may have more digits.
//!
//! The exchange rounds each fill on its own. The fees of an order with several fills may therefore exceed the fee computed for its whole
//! count, by up to a hundredth of a cent for each fill. [`Fill::fee_cost`](crate::types::Fill::fee_cost) is the fee that was charged.
//!
//! Fee waivers are not considered, because the exchange does not publish what a waiver covers. The fee that is charged may then be
//! lower: see [`Market::has_fee_waiver`].

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    Contracts, Decimal, Dollars, MoneyError,
    types::{EventData, Market, Series},
};

const TAKER_QUARTERS: i128 = 4;
const MAKER_QUARTERS: i128 = 1;
const COMBO_MAKER_QUARTERS: i128 = 2;

/// The `fee_multiplier` of a series or an event, exact to a millionth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiplier(u32);

impl Multiplier {
    /// A multiplier of 1: the general fee.
    pub const ONE: Self = Self(1_000_000);
    /// A multiplier of 0.5: half the general fee.
    pub const HALF: Self = Self(500_000);

    /// Decimal places of a multiplier.
    const DECIMALS: u32 = 6;

    /// Returns a multiplier from a whole number of millionths.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(millionths)
    }

    /// Returns the multiplier as a whole number of millionths.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// Converts a number as the exchange sends it, such as 1 or 0.5.
impl TryFrom<Decimal> for Multiplier {
    type Error = MoneyError;

    fn try_from(value: Decimal) -> Result<Self, MoneyError> {
        let too_precise = MoneyError::TooPrecise {
            decimals: Self::DECIMALS,
        };
        let missing = Self::DECIMALS
            .checked_sub(value.scale())
            .ok_or(too_precise)?;
        let millionths = value.mantissa().checked_mul(10_i128.pow(missing));
        let millionths = millionths.and_then(|value| u32::try_from(value).ok());
        millionths.map(Self).ok_or(MoneyError::OutOfRange)
    }
}

/// Parses a decimal number with up to six decimal places.
impl std::str::FromStr for Multiplier {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        text.parse::<Decimal>()?.try_into()
    }
}

impl fmt::Debug for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Multiplier({})", Dollars::from_micros(i64::from(self.0)))
    }
}

/// Returns the fee of a taker for one fill, in dollars. `price` is the price of the outcome that is bought: for NO, one dollar minus the YES price.
///
/// `None` if the price is not between 0 and 1 dollar, if the count is negative, or on overflow.
///
/// ```
/// use kalshi_sdk::{fees::{self, Multiplier}};
///
/// // One contract at 48 cents.
/// let fee = fees::taker("0.4800".parse()?, 1.into(), Multiplier::ONE);
/// assert_eq!(fee, Some("0.0175".parse()?));
/// # Ok::<(), kalshi_sdk::MoneyError>(())
/// ```
#[must_use]
pub fn taker(price: Dollars, count: Contracts, multiplier: Multiplier) -> Option<Dollars> {
    fee(price, count, multiplier, TAKER_QUARTERS)
}

/// Returns the fee of a maker in a series with maker fees (`quadratic_with_maker_fees`): a quarter of a taker's. In other series makers pay
/// no fee. Returns `None` in the same cases as [`taker`].
#[must_use]
pub fn maker(price: Dollars, count: Contracts, multiplier: Multiplier) -> Option<Dollars> {
    fee(price, count, multiplier, MAKER_QUARTERS)
}

/// Returns the fee of a maker of combos (`quadratic_with_combo_maker_fees`): half of a taker's. Returns `None` as [`taker`] does.
#[must_use]
pub fn combo_maker(price: Dollars, count: Contracts, multiplier: Multiplier) -> Option<Dollars> {
    fee(price, count, multiplier, COMBO_MAKER_QUARTERS)
}

/// The fee schedule of an event's markets.
///
/// The series names a fee type and a multiplier; an event may override either.
///
/// ```no_run
/// # async fn example(client: kalshi_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use kalshi_sdk::fees::FeeSchedule;
///
/// let series = client.get_series().series_ticker("KXTEST").send().await?.into_inner().series;
/// let event = client.get_event().event_ticker("KXTEST-26").send().await?.into_inner().event;
/// let fees = FeeSchedule::new(&series, Some(&event))?;
/// println!("{:?}", fees.taker("0.56".parse()?, 10.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeSchedule {
    /// A maker's fee, in quarters of a taker's.
    maker_quarters: i128,
    multiplier: Multiplier,
}

/// The fees of a market cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeeError {
    /// The fee type is `flat`: its fees are in the exchange's table of specific fees, and have no formula.
    #[error("fees of type `flat` are listed by the exchange and cannot be computed")]
    Flat,
    /// This version does not know the fee type.
    #[error("the fee type `{0}` is unknown: update this crate, or read the fees of fills")]
    UnknownType(String),
    /// The multiplier is negative, too large or has more than six decimal places.
    #[error("the fee multiplier {0} is invalid")]
    Multiplier(String, #[source] MoneyError),
}

impl FeeSchedule {
    /// Returns the fee schedule of an event's markets. If `event` is `None`, overrides of the event are not applied.
    ///
    /// # Errors
    ///
    /// Returns an error if the fee type is `flat` or unknown, or the multiplier is invalid.
    pub fn new(series: &Series, event: Option<&EventData>) -> Result<Self, FeeError> {
        let fee_type = event.and_then(|event| event.fee_type_override.as_deref());
        let maker_quarters = match fee_type.unwrap_or(series.fee_type.as_str()) {
            "quadratic" => 0,
            "quadratic_with_maker_fees" => MAKER_QUARTERS,
            "quadratic_with_combo_maker_fees" => COMBO_MAKER_QUARTERS,
            "flat" => return Err(FeeError::Flat),
            other => return Err(FeeError::UnknownType(other.to_owned())),
        };
        let multiplier = event.and_then(|event| event.fee_multiplier_override);
        let multiplier = multiplier.unwrap_or(series.fee_multiplier);
        let multiplier = Multiplier::try_from(multiplier)
            .map_err(|error| FeeError::Multiplier(multiplier.to_string(), error))?;
        Ok(Self {
            maker_quarters,
            multiplier,
        })
    }

    /// Returns the fee of a taker for one fill: see [`taker`].
    #[must_use]
    pub fn taker(&self, price: Dollars, count: Contracts) -> Option<Dollars> {
        taker(price, count, self.multiplier)
    }

    /// Returns the fee of a maker for one fill, which is zero if the fee type has no maker fees. Returns `None` as [`taker`] does.
    #[must_use]
    pub fn maker(&self, price: Dollars, count: Contracts) -> Option<Dollars> {
        fee(price, count, self.multiplier, self.maker_quarters)
    }
}

/// # Fee waiver
impl Market {
    /// Returns `true` if the exchange reports a fee waiver for the market that ends after `time`. The fees charged may then be lower than
    /// those of a [`FeeSchedule`]; read them from the fills.
    #[must_use]
    pub fn has_fee_waiver(&self, time: DateTime<Utc>) -> bool {
        self.fee_waiver_expiration_time
            .is_some_and(|end| time < end)
    }
}

/// Returns a fee, rounded up so that price and fee together are whole hundredths of a cent.
fn fee(
    price: Dollars,
    count: Contracts,
    multiplier: Multiplier,
    quarters: i128,
) -> Option<Dollars> {
    /// Parts of a dollar in which the fee is exact: 400 for the rate of 0.07 / 4, 100 for the count, and a million each for the price, its
    /// complement and the multiplier.
    const PARTS: i128 = 4 * 100 * 100 * 1_000_000 * 1_000_000 * 1_000_000;
    /// A hundredth of a cent, in these parts.
    const UNIT: i128 = PARTS / 10_000;
    let (price, count) = (i128::from(price.micros()), i128::from(count.hundredths()));
    if !(0..=1_000_000).contains(&price) || count < 0 {
        return None;
    }
    let raw = (7 * quarters * price * (1_000_000 - price))
        .checked_mul(count)?
        .checked_mul(i128::from(multiplier.0))?;
    if raw == 0 {
        // Rounding the total up could make a zero fee positive.
        return Some(Dollars::ZERO);
    }
    // In the same parts: the price of all contracts is micros times hundredths.
    let all = (price * count).checked_mul(PARTS / 100_000_000)?;
    let paid = all.checked_add(raw)?;
    let rounded = (paid / UNIT + i128::from(paid % UNIT != 0)).checked_mul(UNIT)?;
    let fee = rounded - all;
    // Exact if the price of all contracts has at most six decimal places, and otherwise rounded up to a micro.
    let micro = PARTS / 1_000_000;
    dollars(fee / micro + i128::from(fee % micro != 0))
}

fn dollars(micros: i128) -> Option<Dollars> {
    i64::try_from(micros).ok().map(Dollars::from_micros)
}
