//! The state of an order, which the exchange does not report.

use super::PlacedOrder;
use crate::{Contracts, types::MarginOrder};

/// The state of an order.
///
/// The exchange sends no status and no initial count, and its `last_update_reason` is `Decrease` for a decrease, a cancel, a killed
/// immediate-or-cancel order and the trigger of an order group alike. The state follows from three counts:
///
/// - Contracts remain: the order rests.
/// - None remain, and as many were filled as wanted: it was executed.
/// - None remain, and fewer were filled: it was cancelled, by whatever cause.
///
/// The wanted count is the one of the request, or of the last amendment; a decrease lowers it by as many contracts as it takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Some contracts rest. A read may be out of date: the order may have ended since.
    Resting,
    /// All wanted contracts were filled. The order stays so.
    Executed,
    /// The contracts that were not filled were cancelled. The order stays so.
    Cancelled,
}

impl OrderState {
    /// Returns the state of an order for `wanted` contracts of which `filled` were filled and `remaining` rest.
    #[must_use]
    pub fn from_counts(filled: Contracts, remaining: Contracts, wanted: Contracts) -> Self {
        if remaining > Contracts::ZERO {
            Self::Resting
        } else if filled >= wanted {
            Self::Executed
        } else {
            Self::Cancelled
        }
    }

    /// Returns `true` if nothing of the order rests any more.
    #[must_use]
    pub fn has_ended(self) -> bool {
        self != Self::Resting
    }
}

impl MarginOrder {
    /// Returns the state of the order, given the number of contracts that it is for: see [`OrderState`].
    #[must_use]
    pub fn state(&self, wanted: impl Into<Contracts>) -> OrderState {
        OrderState::from_counts(self.fill_count, self.remaining_count, wanted.into())
    }
}

impl PlacedOrder {
    /// Returns the state of the order right after it was placed, or when it was found.
    #[must_use]
    pub fn state(&self) -> OrderState {
        OrderState::from_counts(self.fill_count, self.remaining_count, self.count)
    }
}
