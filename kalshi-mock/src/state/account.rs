//! Accounts: a user with one of its subaccounts.

/// A user's subaccount; 0 is the primary account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) subaccount: u8,
}

impl Account {
    /// The market maker that a test controls. Its balance is unlimited.
    pub(crate) const MARKET_MAKER: Self = Self {
        user: 0,
        subaccount: 0,
    };

    pub(crate) fn is_market_maker(self) -> bool {
        self == Self::MARKET_MAKER
    }
}
