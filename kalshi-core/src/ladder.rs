//! One side of an order book: price levels in order, and what buying from them costs.

use std::collections::BTreeMap;

use crate::money::{Contracts, Dollars, PriceLevel};

/// Number of best levels that are searched in order, as most changes are there. The others are searched by halves.
const NEAR: usize = 16;

/// The price levels of one side of an order book, exact and in order.
///
/// Levels are kept in a sorted vector. For the hundreds or few thousand prices of a market that beats a tree: most changes are near
/// the best price, which is at the end, so little moves.
///
/// ```
/// # use kalshi_core::{Contracts, Dollars, ladder::Ladder};
/// let mut bids = Ladder::bids();
/// bids.add("0.40".parse()?, "100".parse()?)?;
/// bids.add("0.41".parse()?, "20".parse()?)?;
/// assert_eq!(bids.best().unwrap().price, "0.41".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Sort key and contracts in hundredths: worst level first. The key is the price in millionths of a dollar, negated if
    /// lower prices are better.
    levels: Vec<(i64, i64)>,
    lower_is_better: bool,
}

/// Levels or a change of them are invalid: a message was missed or is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LadderError {
    /// More contracts were removed from a level than it had.
    #[error(
        "more contracts were removed from the level at {price} than it had: request a snapshot"
    )]
    Negative {
        /// Price of the level.
        price: Dollars,
    },
    /// A level was given with fewer than no contracts.
    #[error("the level at {price} has fewer than no contracts: request a snapshot")]
    NegativeLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// A level was given twice.
    #[error("the level at {price} is listed twice: request a snapshot")]
    DuplicateLevel {
        /// Price of the level.
        price: Dollars,
    },
}

/// The result of buying from or selling into a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sweep {
    /// Contracts that are available, at most the number asked for.
    pub filled: Contracts,
    /// Total price, without fees.
    pub cost: Dollars,
    /// Worst price among them, or `None` if nothing is available.
    pub worst: Option<Dollars>,
}

impl Sweep {
    /// Takes at most `count` contracts from levels, best first. Stops before a total that overflows [`Dollars`].
    #[must_use]
    pub fn from_levels(levels: impl IntoIterator<Item = PriceLevel>, count: Contracts) -> Self {
        let wanted = count.hundredths().max(0);
        let (mut left, mut micros) = (wanted, 0_i128);
        let mut worst = None;
        for level in levels {
            let taken = level.count.hundredths().min(left);
            let cost = i128::from(level.price.micros()) * i128::from(taken);
            if taken == 0 || i64::try_from((micros + cost) / 100).is_err() {
                break;
            }
            micros += cost;
            left -= taken;
            worst = Some(level.price);
        }
        Self {
            filled: Contracts::from_hundredths(wanted - left),
            cost: Dollars::from_micros(i64::try_from(micros / 100).unwrap_or(i64::MAX)),
            worst,
        }
    }
}

impl Ladder {
    /// An empty side on which a higher price is better: bids.
    #[must_use]
    pub const fn bids() -> Self {
        Self {
            levels: Vec::new(),
            lower_is_better: false,
        }
    }

    /// An empty side on which a lower price is better: asks.
    #[must_use]
    pub const fn asks() -> Self {
        Self {
            levels: Vec::new(),
            lower_is_better: true,
        }
    }

    /// Replaces all levels. Levels without contracts are left out; the order does not matter.
    #[must_use]
    pub fn with_levels<'a>(mut self, levels: impl IntoIterator<Item = &'a PriceLevel>) -> Self {
        let positive = levels
            .into_iter()
            .filter(|level| level.count > Contracts::ZERO);
        let key = |price| self.key(price);
        self.levels = positive
            .map(|level| (key(level.price), level.count.hundredths()))
            .collect();
        self.levels.sort_unstable();
        self
    }

    /// Replaces all levels by those of a snapshot. Levels without contracts are left out; the order does not matter.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has fewer than no contracts or is listed twice.
    pub fn with_snapshot(
        mut self,
        levels: impl IntoIterator<Item = PriceLevel>,
    ) -> Result<Self, LadderError> {
        self.levels.clear();
        for level in levels {
            let price = level.price;
            if level.count < Contracts::ZERO {
                return Err(LadderError::NegativeLevel { price });
            }
            let key = self.key(price);
            self.levels.push((key, level.count.hundredths()));
        }
        self.levels.sort_unstable();
        let twice = self.levels.windows(2).find_map(|pair| match pair {
            [(one, _), (other, _)] if one == other => Some(*one),
            _ => None,
        });
        if let Some(key) = twice {
            let price = self.price(key);
            return Err(LadderError::DuplicateLevel { price });
        }
        self.levels.retain(|(_, count)| *count > 0);
        Ok(self)
    }

    fn price(&self, key: i64) -> Dollars {
        let sign = if self.lower_is_better { -1 } else { 1 };
        Dollars::from_micros(key.saturating_mul(sign))
    }

    fn key(&self, price: Dollars) -> i64 {
        match self.lower_is_better {
            true => price.micros().saturating_neg(),
            false => price.micros(),
        }
    }

    /// Adds contracts to the level at a price, or removes them if `change` is negative. A level without contracts disappears.
    ///
    /// # Errors
    ///
    /// Returns an error if the level has fewer contracts than are removed. The levels are unchanged then.
    pub fn add(&mut self, price: Dollars, change: Contracts) -> Result<(), LadderError> {
        let (key, change) = (self.key(price), change.hundredths());
        let negative = LadderError::Negative { price };
        let (far, near) = self.levels.split_at(self.levels.len().saturating_sub(NEAR));
        let better = near.iter().rev().take_while(|(other, _)| *other > key);
        let index = match better.count() {
            better if better < near.len() => self.levels.len() - better,
            _ => far.partition_point(|(other, _)| *other <= key),
        };
        let at_or_below = index
            .checked_sub(1)
            .and_then(|below| self.levels.get_mut(below));
        match at_or_below {
            Some((other, held)) if *other == key => {
                *held = held
                    .checked_add(change)
                    .filter(|held| *held >= 0)
                    .ok_or(negative)?;
                if *held == 0 {
                    self.levels.remove(index - 1);
                }
            }
            _ if change < 0 => return Err(negative),
            _ if change == 0 => {}
            _ => self.levels.insert(index, (key, change)),
        }
        Ok(())
    }

    /// The levels, best first.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels.iter().rev().map(|&(key, count)| PriceLevel {
            price: self.price(key),
            count: Contracts::from_hundredths(count),
        })
    }

    /// The prices at which two ladders differ, from the highest, with the contracts of this one and of the other.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(Dollars, Contracts, Contracts)> {
        let mut levels: BTreeMap<Dollars, (Contracts, Contracts)> = BTreeMap::new();
        for level in self.levels() {
            levels.entry(level.price).or_default().0 = level.count;
        }
        for level in other.levels() {
            levels.entry(level.price).or_default().1 = level.count;
        }
        let levels = levels.into_iter().rev();
        levels
            .filter(|(_, (here, there))| here != there)
            .map(|(price, (here, there))| (price, here, there))
            .collect()
    }

    /// The best level, or `None` if the side is empty.
    #[must_use]
    pub fn best(&self) -> Option<PriceLevel> {
        self.levels().next()
    }

    /// Contracts resting at a price; zero if the ladder has no such level.
    #[must_use]
    pub fn count_at(&self, price: Dollars) -> Contracts {
        let found = self
            .levels
            .binary_search_by_key(&self.key(price), |(key, _)| *key);
        let count = found.ok().and_then(|index| self.levels.get(index));
        Contracts::from_hundredths(count.map_or(0, |(_, count)| *count))
    }

    /// Number of levels.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Returns `true` if there are no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(price: &str, count: &str) -> PriceLevel {
        PriceLevel {
            price: price.parse().unwrap(),
            count: count.parse().unwrap(),
        }
    }

    #[test]
    fn falling_side_has_its_lowest_price_first() {
        let levels = [level("1.20", "1"), level("1.10", "2"), level("1.30", "0")];
        let mut asks = Ladder::asks().with_levels(&levels);
        assert_eq!(asks.best(), Some(level("1.10", "2")));
        assert_eq!(asks.depth(), 2);
        asks.add("1.10".parse().unwrap(), Contracts::from(-2))
            .unwrap();
        assert_eq!(asks.best(), Some(level("1.20", "1")));
        let sweep = Sweep::from_levels(asks.levels(), Contracts::from(5));
        assert_eq!(
            (sweep.filled, sweep.cost),
            (Contracts::ONE, "1.20".parse().unwrap())
        );
    }

    #[test]
    fn snapshot_with_a_negative_or_duplicate_level_is_invalid() {
        let price = "1.10".parse().unwrap();
        let twice = [level("1.10", "1"), level("1.20", "1"), level("1.10", "0")];
        for empty in [Ladder::bids(), Ladder::asks()] {
            let snapshot = empty.clone().with_snapshot([level("1.10", "-1")]);
            assert_eq!(snapshot, Err(LadderError::NegativeLevel { price }));
            let snapshot = empty.clone().with_snapshot(twice);
            assert_eq!(snapshot, Err(LadderError::DuplicateLevel { price }));
            let levels = [level("1.20", "0"), level("1.30", "2"), level("1.10", "1")];
            let snapshot = empty.clone().with_snapshot(levels);
            assert_eq!(snapshot, Ok(empty.with_levels(&levels)));
        }
    }

    proptest! {
        #[test]
        fn ladder_equals_a_map_of_levels(
            lower_is_better: bool,
            changes in prop::collection::vec((1..200_i64, -50..100_i64), 0..400),
        ) {
            let mut ladder = if lower_is_better { Ladder::asks() } else { Ladder::bids() };
            let mut model: BTreeMap<i64, i64> = BTreeMap::new();
            for (tick, count) in changes {
                let held = model.get(&tick).copied().unwrap_or(0);
                let result = ladder.add(Dollars::from_micros(tick * 5_000), Contracts::from_hundredths(count));
                prop_assert_eq!(result.is_ok(), held + count >= 0);
                if result.is_ok() {
                    model.insert(tick, held + count);
                    model.retain(|_, count| *count > 0);
                }
                let levels: Vec<_> = ladder.levels().map(|level| (level.price.micros() / 5_000, level.count.hundredths())).collect();
                let mut expected: Vec<_> = model.iter().map(|(tick, count)| (*tick, *count)).collect();
                if !lower_is_better {
                    expected.reverse();
                }
                prop_assert_eq!(levels, expected);
            }
        }
    }
}
