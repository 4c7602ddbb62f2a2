//! The two sides of an order book, and changes of their levels.

use chrono::{DateTime, Utc};

use super::error::BookError;
use crate::{
    ladder::Ladder,
    money::{Contracts, Dollars, PriceLevel},
};

/// The ladders of an order book, one for each of its two sides, and the time of the latest change.
///
/// The order books of the API crates wrap it. Ladders with the same levels are equal, regardless of the time.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Ladders<S> {
    sides: [(S, Ladder); 2],
    /// Time of the latest change in Unix milliseconds. `None` if unknown.
    updated_ms: Option<i64>,
}

/// A change of one level.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange<S> {
    pub side: S,
    pub price: Dollars,
    /// Contracts added, or removed if negative.
    pub change: Contracts,
    /// Time of the change in Unix milliseconds. `None` if unknown.
    pub at_ms: Option<i64>,
}

/// A level at which two books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelDifference<S> {
    /// The side of the level.
    pub side: S,
    /// The price of the level.
    pub price: Dollars,
    /// Contracts at the level in this book. Zero if it has no such level.
    pub here: Contracts,
    /// Contracts at the level in the other book. Zero if it has no such level.
    pub there: Contracts,
}

impl<S> LevelChange<S> {
    /// Uses the time at which the exchange sent the change if the change has no time of its own.
    #[must_use]
    pub fn sent_at(mut self, sent_ms: Option<i64>) -> Self {
        self.at_ms = self.at_ms.or(sent_ms);
        self
    }
}

impl<S: Copy + PartialEq> Ladders<S> {
    /// Creates the ladders of two sides. The time of the latest change is unknown.
    #[must_use]
    pub const fn new(sides: [(S, Ladder); 2]) -> Self {
        Self {
            sides,
            updated_ms: None,
        }
    }

    /// Replaces all levels as [`Ladder::with_levels`] does.
    #[must_use]
    pub fn with_levels(self, one: &[PriceLevel], other: &[PriceLevel]) -> Self {
        let [(side, ladder), (other_side, other_ladder)] = self.sides;
        Self::new([
            (side, ladder.with_levels(one)),
            (other_side, other_ladder.with_levels(other)),
        ])
    }

    /// Replaces all levels with those of a snapshot as [`Ladder::with_snapshot`] does, and checks their prices.
    pub fn with_snapshot(
        self,
        one: impl Iterator<Item = PriceLevel> + Clone,
        other: impl Iterator<Item = PriceLevel> + Clone,
        check_price: fn(Dollars) -> Result<(), BookError>,
    ) -> Result<Self, BookError> {
        let [(side, ladder), (other_side, other_ladder)] = self.sides;
        let ladders = Self::new([
            (side, ladder.with_snapshot(one.clone())?),
            (other_side, other_ladder.with_snapshot(other.clone())?),
        ]);
        let mut levels = one.chain(other);
        levels.try_for_each(|level| check_price(level.price))?;
        Ok(ladders)
    }

    /// Sets the time of the latest change.
    #[must_use]
    pub fn updated_at(mut self, updated_ms: Option<i64>) -> Self {
        self.updated_ms = updated_ms;
        self
    }

    /// Returns the ladder of a side, or `None` if the side is unknown.
    pub fn side(&self, side: S) -> Option<&Ladder> {
        let mut sides = self.sides.iter();
        sides.find_map(|(known, ladder)| (*known == side).then_some(ladder))
    }

    /// Adds contracts to a level as [`Ladder::add`] does.
    pub fn add(&mut self, side: S, price: Dollars, change: Contracts) -> Result<(), BookError> {
        let mut sides = self.sides.iter_mut();
        let (_, ladder) = sides
            .find(|(known, _)| *known == side)
            .ok_or(BookError::UnknownSide)?;
        ladder.add(price, change).map_err(BookError::from)
    }

    /// Applies a change and records its time.
    pub fn apply(&mut self, change: &LevelChange<S>) -> Result<(), BookError> {
        self.add(change.side, change.price, change.change)?;
        self.updated_ms = change.at_ms;
        Ok(())
    }

    /// Returns the levels of a side, best first. Empty for an unknown side.
    pub fn levels(&self, side: S) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.side(side).into_iter().flat_map(Ladder::levels)
    }

    /// Returns the contracts at a price, or zero if there is no such level.
    #[must_use]
    pub fn count_at(&self, side: S, price: Dollars) -> Contracts {
        let side = self.side(side);
        side.map_or(Contracts::ZERO, |side| side.count_at(price))
    }

    /// Returns the number of levels of a side.
    #[must_use]
    pub fn depth(&self, side: S) -> usize {
        self.side(side).map_or(0, Ladder::depth)
    }

    /// Returns `true` if there are no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sides.iter().all(|(_, ladder)| ladder.is_empty())
    }

    /// Returns the levels that differ: those of the first side, then those of the second, each from the highest price down.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<LevelDifference<S>> {
        let pairs = self.sides.iter().zip(&other.sides);
        let differences = pairs.flat_map(|((side, own), (_, others))| {
            let levels = own.differences(others).into_iter();
            levels.map(|(price, here, there)| LevelDifference {
                side: *side,
                price,
                here,
                there,
            })
        });
        differences.collect()
    }

    /// Returns the time of the latest change, or `None` if unknown.
    #[must_use]
    pub fn last_update(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.updated_ms?)
    }
}

impl<S: PartialEq> PartialEq for Ladders<S> {
    fn eq(&self, other: &Self) -> bool {
        self.sides == other.sides
    }
}

impl<S: Eq> Eq for Ladders<S> {}
