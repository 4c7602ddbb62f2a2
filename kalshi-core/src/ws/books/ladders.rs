//! The two sides of an order book, and the changes of their levels.

use chrono::{DateTime, Utc};

use super::error::BookError;
use crate::{
    ladder::Ladder,
    money::{Contracts, Dollars, PriceLevel},
};

/// The ladders of an order book, one for each of its two sides, and the time of the latest change.
///
/// The order books of API crates are made of it. Ladders with the same levels are equal, regardless of the time.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Ladders<S> {
    sides: [(S, Ladder); 2],
    /// Unix milliseconds.
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
    /// Unix milliseconds.
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
    /// Contracts that this book has there.
    pub here: Contracts,
    /// Contracts that the other book has there.
    pub there: Contracts,
}

impl<S> LevelChange<S> {
    /// Sets the time at which the exchange sent the change, in case it did not say when it was made.
    #[must_use]
    pub fn sent_at(mut self, sent_ms: Option<i64>) -> Self {
        self.at_ms = self.at_ms.or(sent_ms);
        self
    }
}

impl<S: Copy + PartialEq> Ladders<S> {
    /// Ladders of these sides.
    #[must_use]
    pub const fn new(sides: [(S, Ladder); 2]) -> Self {
        Self {
            sides,
            updated_ms: None,
        }
    }

    /// Replaces all levels: see [`Ladder::with_levels`].
    #[must_use]
    pub fn with_levels(self, one: &[PriceLevel], other: &[PriceLevel]) -> Self {
        let [(side, ladder), (other_side, other_ladder)] = self.sides;
        Self::new([
            (side, ladder.with_levels(one)),
            (other_side, other_ladder.with_levels(other)),
        ])
    }

    /// Replaces all levels by those of a snapshot, whose prices are checked: see [`Ladder::with_snapshot`].
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

    /// The ladder of a side, or `None` if the side is unknown.
    pub fn side(&self, side: S) -> Option<&Ladder> {
        let mut sides = self.sides.iter();
        sides.find_map(|(known, ladder)| (*known == side).then_some(ladder))
    }

    /// Adds contracts to a level: see [`Ladder::add`].
    pub fn add(&mut self, side: S, price: Dollars, change: Contracts) -> Result<(), BookError> {
        let mut sides = self.sides.iter_mut();
        let (_, ladder) = sides
            .find(|(known, _)| *known == side)
            .ok_or(BookError::UnknownSide)?;
        ladder.add(price, change).map_err(BookError::from)
    }

    /// Applies a change, whose time becomes that of the latest one.
    pub fn apply(&mut self, change: &LevelChange<S>) -> Result<(), BookError> {
        self.add(change.side, change.price, change.change)?;
        self.updated_ms = change.at_ms;
        Ok(())
    }

    /// The levels of a side, best first. Empty for an unknown side.
    pub fn levels(&self, side: S) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.side(side).into_iter().flat_map(Ladder::levels)
    }

    /// Contracts at a price, zero if there is no such level.
    #[must_use]
    pub fn count_at(&self, side: S, price: Dollars) -> Contracts {
        let side = self.side(side);
        side.map_or(Contracts::ZERO, |side| side.count_at(price))
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn depth(&self, side: S) -> usize {
        self.side(side).map_or(0, Ladder::depth)
    }

    /// Returns `true` if there are no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sides.iter().all(|(_, ladder)| ladder.is_empty())
    }

    /// The levels that differ, side by side, each from the highest price.
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

    /// Time of the latest change, or `None` if that is unknown.
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
