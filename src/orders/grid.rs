//! The valid prices of a market.

use std::fmt;

use crate::{Dollars, OutcomeSide, types::Market};

/// The valid YES prices of a market, from its `price_ranges`. The exchange may change them while the market is open.
///
/// ```
/// # fn example(market: kalshi_sdk::types::Market) {
/// use kalshi_sdk::orders::PriceGrid;
///
/// let grid = PriceGrid::from(&market);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceGrid {
    /// Start, end and step of each range, in millionths of a dollar, in ascending order.
    ranges: Vec<(i64, i64, i64)>,
}

/// The error for a price that is not on a market's price grid, with the nearest valid prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffGrid {
    /// The outcome that the prices are for: YES for a [`PriceGrid`], the outcome of the order for a [`NewOrder`](super::NewOrder).
    pub outcome: OutcomeSide,
    /// The rejected price, in dollars.
    pub price: Dollars,
    /// The next valid price below, or `None` if there is none.
    pub below: Option<Dollars>,
    /// The next valid price above, or `None` if there is none.
    pub above: Option<Dollars>,
}

impl fmt::Display for OffGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} price {} is not on the market's price grid; ",
            self.outcome.as_str().to_uppercase(),
            self.price
        )?;
        match (self.below, self.above) {
            (Some(below), Some(above)) => {
                write!(f, "the nearest valid prices are {below} and {above}")
            }
            (Some(price), None) | (None, Some(price)) => {
                write!(f, "the nearest valid price is {price}")
            }
            (None, None) => f.write_str("the grid has no valid price"),
        }
    }
}

impl std::error::Error for OffGrid {}

impl OffGrid {
    /// Converts the prices to those of the other outcome.
    #[must_use]
    pub fn complement(self) -> Self {
        let complement = Dollars::checked_complement;
        Self {
            outcome: self.outcome.opposite(),
            // A price whose complement overflows is far from any grid.
            price: complement(self.price).unwrap_or(self.price),
            below: self.above.and_then(complement),
            above: self.below.and_then(complement),
        }
    }
}

impl From<&Market> for PriceGrid {
    fn from(market: &Market) -> Self {
        Self::new(
            market
                .price_ranges
                .iter()
                .map(|range| (range.start, range.end, range.step)),
        )
    }
}

impl PriceGrid {
    /// Returns a grid of ranges, each a start, an inclusive end and a step. A range is ignored if its step is not positive, its start is
    /// negative, or its end is below its start.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = (Dollars, Dollars, Dollars)>) -> Self {
        let ranges = ranges
            .into_iter()
            .map(|(start, end, step)| (start.micros(), end.micros(), step.micros()));
        let mut ranges: Vec<_> = ranges
            .filter(|(start, end, step)| *step > 0 && *start >= 0 && end >= start)
            .collect();
        ranges.sort_unstable();
        Self { ranges }
    }

    /// Returns `true` if an order may have the price: it is on the grid, above 0 and below 1 dollar.
    #[must_use]
    pub fn contains(&self, price: Dollars) -> bool {
        self.round_down(price) == Some(price)
    }

    /// Returns the price unchanged if an order may have it.
    ///
    /// # Errors
    ///
    /// Returns an error with the nearest valid prices if the price is not valid.
    pub fn check(&self, price: Dollars) -> Result<Dollars, OffGrid> {
        if self.contains(price) {
            Ok(price)
        } else {
            Err(OffGrid {
                outcome: OutcomeSide::Yes,
                price,
                below: self.round_down(price),
                above: self.round_up(price),
            })
        }
    }

    /// Returns the highest valid price that is at most `price`, or `None` if there is none.
    #[must_use]
    pub fn round_down(&self, price: Dollars) -> Option<Dollars> {
        let price = price.micros();
        let candidates = self
            .ranges
            .iter()
            .filter(|(start, _, _)| *start <= price)
            .filter_map(|(start, end, step)| {
                let steps = (price.min(*end).min(MAX) - start) / step;
                // A range may begin above the highest price of an order.
                (*start <= MAX).then_some(start + steps * step)
            });
        candidates
            .filter(|price| *price >= MIN)
            .max()
            .map(Dollars::from_micros)
    }

    /// Returns the lowest valid price that is at least `price`, or `None` if there is none.
    #[must_use]
    pub fn round_up(&self, price: Dollars) -> Option<Dollars> {
        let price = price.micros().max(MIN);
        let candidates = self.ranges.iter().filter_map(|(start, end, step)| {
            let missing = price.checked_sub(*start).unwrap_or(0).max(0);
            let steps = missing / step + i64::from(missing % step != 0);
            let up = start.checked_add(steps.checked_mul(*step)?)?;
            (up <= *end && up >= MIN).then_some(up)
        });
        candidates
            .filter(|price| *price <= MAX)
            .min()
            .map(Dollars::from_micros)
    }
}

/// Bounds of the price of an order, in millionths of a dollar: above 0 and below 1 dollar.
const MIN: i64 = 1;
const MAX: i64 = 999_999;
