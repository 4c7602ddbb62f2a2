//! The sides of an order book.

crate::copy_enum! {
    /// A side of an order book. In the Trade API, it refers to the book of YES: a bid buys YES, and an ask sells YES, which is
    /// equivalent to buying NO at one dollar minus the price.
    ///
    /// ```
    /// # use kalshi_core::BookSide;
    ///
    /// assert_eq!("bid".parse(), Ok(BookSide::Bid));
    /// assert_eq!(BookSide::Bid.opposite(), BookSide::Ask);
    /// assert_eq!(format!("{:>5}", BookSide::Ask), "  ask");
    /// ```
    pub enum BookSide {
        /// `bid`: an order to buy.
        Bid = "bid",
        /// `ask`: an order to sell.
        Ask = "ask",
    }
}

impl BookSide {
    /// Returns the opposite side, or the same one if it is unknown.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
            Self::Unknown(_) => self,
        }
    }
}
