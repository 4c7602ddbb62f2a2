//! Errors of order books.

use crate::{Dollars, ladder::LadderError};

/// The reason that a snapshot or a change is invalid: something was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// More contracts were removed from a level than it had.
    #[error(
        "more contracts were removed from the level at {price} than it had: request a snapshot"
    )]
    Negative {
        /// Price of the level.
        price: Dollars,
    },
    /// A level of a snapshot has fewer than no contracts.
    #[error("the level at {price} of a snapshot has fewer than no contracts: request another one")]
    NegativeLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// A snapshot lists a level twice.
    #[error("a snapshot lists the level at {price} twice: request another one")]
    DuplicateLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// The side of a change is unknown.
    #[error("the side of a change is unknown: request a snapshot")]
    UnknownSide,
    /// A price is outside the range of the API: above zero, and below one dollar on the Trade API.
    #[error("the price {price} is out of range: request a snapshot")]
    Price {
        /// The price.
        price: Dollars,
    },
}

impl From<LadderError> for BookError {
    fn from(error: LadderError) -> Self {
        match error {
            LadderError::Negative { price } => Self::Negative { price },
            LadderError::NegativeLevel { price } => Self::NegativeLevel { price },
            LadderError::DuplicateLevel { price } => Self::DuplicateLevel { price },
        }
    }
}
