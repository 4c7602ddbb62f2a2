//! The outcome that a contract pays for.

use kalshi_core::BookSide;

kalshi_core::copy_enum! {
    /// The outcome that a contract pays for: YES or NO.
    ///
    /// ```
    /// # use kalshi_sdk::{BookSide, OutcomeSide};
    ///
    /// assert_eq!("yes".parse(), Ok(OutcomeSide::Yes));
    /// assert_eq!(OutcomeSide::Yes.opposite(), OutcomeSide::No);
    /// // Buying NO is selling YES.
    /// assert_eq!(OutcomeSide::No.book_side(), Some(BookSide::Ask));
    /// ```
    pub enum OutcomeSide {
        /// `yes`: pays if the market settles to YES.
        Yes = "yes",
        /// `no`: pays if the market settles to NO.
        No = "no",
    }
}

impl OutcomeSide {
    /// Returns the other outcome. An unknown outcome is returned unchanged.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown(_) => self,
        }
    }

    /// Returns the side of the YES book of an order that buys this outcome, or `None` if the outcome is unknown.
    #[must_use]
    pub const fn book_side(self) -> Option<BookSide> {
        match self {
            Self::Yes => Some(BookSide::Bid),
            Self::No => Some(BookSide::Ask),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the outcome that an order on a side of the YES book buys, or `None` if the side is unknown.
    #[must_use]
    pub const fn from_book_side(side: BookSide) -> Option<Self> {
        match side {
            BookSide::Bid => Some(Self::Yes),
            BookSide::Ask => Some(Self::No),
            _ => None,
        }
    }
}
