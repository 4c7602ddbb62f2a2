//! One side of an order book: sorted price levels, and the cost of taking liquidity from them.

use std::collections::BTreeMap;

use crate::money::{Contracts, Dollars, PriceLevel};

/// Number of best levels that are searched linearly, because most changes happen there. The others are searched by bisection.
const LINEAR_SEARCH_LEVELS: usize = 16;

/// The price levels of one side of an order book, sorted and exact.
///
/// The levels are stored in a sorted vector with the best price at the end. With the hundreds to few thousand prices of a market,
/// that is faster than a tree: most changes are near the best price, so few levels have to be moved.
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
    /// Sort key and hundredths of contracts, worst level first. The key is the price in millionths of a dollar, negated if
    /// lower prices are better.
    levels: Vec<(i64, i64)>,
    lower_is_better: bool,
}

/// Invalid levels, or an invalid change of a level. A message was missed or is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LadderError {
    /// A change removes more contracts than the level has.
    #[error(
        "more contracts were removed from the level at {price} than it had: request a snapshot"
    )]
    Negative {
        /// Price of the level.
        price: Dollars,
    },
    /// A level has a negative number of contracts.
    #[error("the level at {price} has a negative number of contracts: request a snapshot")]
    NegativeLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// A level is listed twice.
    #[error("the level at {price} is listed twice: request a snapshot")]
    DuplicateLevel {
        /// Price of the level.
        price: Dollars,
    },
}

/// The result of buying from, or selling to, the levels of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sweep {
    /// Contracts that are available, up to the requested number.
    pub filled: Contracts,
    /// Total price of these contracts, without fees.
    pub cost: Dollars,
    /// Worst price of these contracts, or `None` if no contracts are available.
    pub worst: Option<Dollars>,
}

impl Sweep {
    /// Takes up to `count` contracts from `levels`, which must be sorted best first. Levels without contracts are skipped. Stops
    /// before the total would overflow [`Dollars`].
    #[must_use]
    pub fn from_levels(levels: impl IntoIterator<Item = PriceLevel>, count: Contracts) -> Self {
        let wanted = count.hundredths().max(0);
        let (mut left, mut micros) = (wanted, 0_i128);
        let mut worst = None;
        for level in levels {
            // The REST API has been observed to list negative counts.
            if level.count <= Contracts::ZERO {
                continue;
            }
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
    /// Creates an empty side on which higher prices are better, as for bids.
    #[must_use]
    pub const fn bids() -> Self {
        Self {
            levels: Vec::new(),
            lower_is_better: false,
        }
    }

    /// Creates an empty side on which lower prices are better, as for asks.
    #[must_use]
    pub const fn asks() -> Self {
        Self {
            levels: Vec::new(),
            lower_is_better: true,
        }
    }

    /// Replaces all levels. Their order does not matter, and levels without contracts are left out.
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

    /// Replaces all levels with those of a snapshot. Their order does not matter, and levels without contracts are left out.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has a negative number of contracts or is listed twice.
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
        let duplicate = self.levels.windows(2).find_map(|pair| match pair {
            [(one, _), (other, _)] if one == other => Some(*one),
            _ => None,
        });
        if let Some(key) = duplicate {
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

    /// Adds contracts to the level at `price`, or removes them if `change` is negative. A level that becomes empty is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if more contracts are removed than the level has. The levels then remain unchanged.
    pub fn add(&mut self, price: Dollars, change: Contracts) -> Result<(), LadderError> {
        let (key, change) = (self.key(price), change.hundredths());
        let negative = LadderError::Negative { price };
        let (far, near) = self
            .levels
            .split_at(self.levels.len().saturating_sub(LINEAR_SEARCH_LEVELS));
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

    /// Iterates over the levels, best first.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels.iter().rev().map(|&(key, count)| PriceLevel {
            price: self.price(key),
            count: Contracts::from_hundredths(count),
        })
    }

    /// Returns the prices at which two ladders differ, from the highest, each with the contracts of `self` and of `other`.
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

    /// Returns the best level, or `None` if the side is empty.
    #[must_use]
    pub fn best(&self) -> Option<PriceLevel> {
        self.levels().next()
    }

    /// Returns the contracts resting at a price. Zero if there is no such level.
    #[must_use]
    pub fn count_at(&self, price: Dollars) -> Contracts {
        let found = self
            .levels
            .binary_search_by_key(&self.key(price), |(key, _)| *key);
        let count = found.ok().and_then(|index| self.levels.get(index));
        Contracts::from_hundredths(count.map_or(0, |(_, count)| *count))
    }

    /// Returns the number of levels.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Returns `true` if the side has no levels.
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
    fn lowest_ask_is_best() {
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
    fn sweep_skips_levels_without_contracts() {
        let levels = [
            level("0.10", "-3.00"),
            level("0.20", "0"),
            level("0.30", "2"),
        ];
        let sweep = Sweep::from_levels(levels, Contracts::from(5));
        assert_eq!(
            (sweep.filled, sweep.cost, sweep.worst),
            (
                Contracts::from(2),
                "0.60".parse().unwrap(),
                Some("0.30".parse().unwrap())
            )
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
