//! How far an order is decreased.

use crate::money::Contracts;

/// How far to decrease a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decrease {
    /// Removes this many resting contracts.
    By(Contracts),
    /// Leaves at most this many contracts resting. Zero cancels the order, and goes ahead of other writes as a cancel does. What the
    /// perpetuals API does if no more than that rest already is not known.
    To(Contracts),
}

impl Decrease {
    /// The counts of a request, `reduce_by` and `reduce_to`, or what is wrong with them.
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
