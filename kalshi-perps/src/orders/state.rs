//! The state of an order, derived from its counts because the exchange does not report it.

use super::PlacedOrder;
use crate::{Contracts, types::MarginOrder};

/// The state of an order.
///
/// The exchange sends neither a status nor the initial count, and its `last_update_reason` is `Decrease` for a decrease, a cancel, an
/// immediate-or-cancel order that was killed, and the trigger of an order group. The state is therefore derived from three counts:
///
/// - If contracts remain, the order rests.
/// - If no contracts remain and at least the wanted count was filled, the order was executed.
/// - If no contracts remain and fewer were filled, the order was cancelled, for whatever reason.
///
/// The wanted count is that of the request or of the last amendment. A decrease lowers it by the number of contracts that it removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Some contracts rest. Reads lag, so the order may have ended since.
    Resting,
    /// All wanted contracts were filled. The state is final.
    Executed,
    /// The contracts that were not filled were cancelled. The state is final.
    Cancelled,
}

impl OrderState {
    /// Returns the state of an order for `wanted` contracts, of which `filled` were filled and `remaining` rest.
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

    /// Returns `true` if no part of the order rests any longer.
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
