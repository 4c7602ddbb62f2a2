//! The side of an order book.

crate::copy_enum! {
    /// A side of an order book. On the Trade API it is that of the YES book: a bid buys YES, and an ask sells YES, which is the same as
    /// buying NO at one dollar minus the price.
    ///
    /// ```
    /// # use kalshi_core::BookSide;
    ///
    /// assert_eq!("bid".parse(), Ok(BookSide::Bid));
    /// assert_eq!(BookSide::Bid.opposite(), BookSide::Ask);
    /// assert_eq!(format!("{:>5}", BookSide::Ask), "  ask");
    /// ```
    pub enum BookSide {
        /// `bid`: buys.
        Bid = "bid",
        /// `ask`: sells.
        Ask = "ask",
    }
}

impl BookSide {
    /// Returns the other side. An unknown side is returned as it is.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
            Self::Unknown(_) => self,
        }
    }
}
