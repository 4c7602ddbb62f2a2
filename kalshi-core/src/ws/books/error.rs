//! Errors in snapshots and changes of order books.

use crate::{Dollars, ladder::LadderError};

/// The reason why a snapshot or a change is invalid. An invalid change usually means that a message was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// More contracts were removed from a level than it had.
    #[error(
        "more contracts were removed from the level at {price} than it had; request a snapshot"
    )]
    Negative {
        /// Price of the level.
        price: Dollars,
    },
    /// A level of a snapshot has a negative number of contracts.
    #[error(
        "the level at {price} of a snapshot has a negative number of contracts; request another snapshot"
    )]
    NegativeLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// A snapshot lists a level twice.
    #[error("a snapshot lists the level at {price} twice; request another snapshot")]
    DuplicateLevel {
        /// Price of the level.
        price: Dollars,
    },
    /// The side of a change is unknown.
    #[error("the side of a change is unknown; request a snapshot")]
    UnknownSide,
    /// A price is outside the API's range, which is above zero and, on the Trade API, below one dollar.
    #[error("the price {price} is out of range; request a snapshot")]
    Price {
        /// The price that is out of range.
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
