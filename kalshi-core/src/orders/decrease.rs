//! The size of a decrease of a resting order.

use crate::money::Contracts;

/// The size of a decrease of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decrease {
    /// Removes this many resting contracts.
    By(Contracts),
    /// Leaves at most this many contracts resting. Zero cancels the order, with a cancel's priority over other writes. If no more
    /// than this many contracts rest already, the behaviour of the perpetuals API is unknown.
    To(Contracts),
}

impl Decrease {
    /// Returns `reduce_by` and `reduce_to` of the request, or an error message if the count is invalid.
    #[doc(hidden)]
    pub fn counts(self) -> Result<(Option<Contracts>, Option<Contracts>), String> {
        match self {
            Self::By(count) if count <= Contracts::ZERO => Err(format!(
                "a decrease by {count} contracts would not reduce the order; give a positive count"
            )),
            Self::To(count) if count < Contracts::ZERO => Err(format!(
                "an order cannot be decreased to {count} contracts; give 0 or more"
            )),
            Self::By(count) => Ok((Some(count), None)),
            Self::To(count) => Ok((None, Some(count))),
        }
    }
}
