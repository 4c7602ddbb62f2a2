//! References to orders on the exchange, and the selection of subaccounts.

use super::PlacedOrder;
use crate::{OrderId, SubaccountNumber, types::MarginOrder};

/// The subaccounts whose orders are listed, searched or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subaccounts {
    /// All subaccounts that the key may use, including the primary account.
    All,
    /// One subaccount. [`SubaccountNumber::PRIMARY`] is the primary account.
    One(SubaccountNumber),
}

impl From<SubaccountNumber> for Subaccounts {
    fn from(number: SubaccountNumber) -> Self {
        Self::One(number)
    }
}

/// A reference to an order on the exchange: its id and subaccount, and its market, which an amendment needs.
///
/// It converts from a [`PlacedOrder`] and from a message of the channel `user_orders`. An order of the REST API does not have its
/// subaccount: use [`from_order`](Self::from_order).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRef {
    /// The exchange's id of the order.
    pub order_id: OrderId,
    /// Subaccount of the order, 0 for the primary account. `None` means the primary account, or the subaccount that the key is restricted
    /// to.
    pub subaccount: Option<SubaccountNumber>,
    /// Ticker of the order's market, which an amendment needs. `None` or empty if unknown.
    pub ticker: Option<String>,
}

impl OrderRef {
    /// Returns a reference to the order with an id in a subaccount. Its market is unknown.
    #[must_use]
    pub fn new(order_id: impl Into<OrderId>, subaccount: impl Into<SubaccountNumber>) -> Self {
        Self {
            order_id: order_id.into(),
            subaccount: Some(subaccount.into()),
            ticker: None,
        }
    }

    /// Returns a reference to an order of the REST API, with its market.
    #[must_use]
    pub fn from_order(order: &MarginOrder, subaccount: impl Into<SubaccountNumber>) -> Self {
        Self::new(&order.order_id, subaccount).with_ticker(&order.ticker)
    }

    /// Sets the market by its ticker. An empty ticker counts as unknown.
    #[must_use]
    pub fn with_ticker(mut self, ticker: impl Into<String>) -> Self {
        self.ticker = Some(ticker.into()).filter(|ticker| !ticker.is_empty());
        self
    }
}

impl From<&Self> for OrderRef {
    fn from(order: &Self) -> Self {
        order.clone()
    }
}

impl From<PlacedOrder> for OrderRef {
    fn from(order: PlacedOrder) -> Self {
        Self::from(&order)
    }
}

impl From<&PlacedOrder> for OrderRef {
    fn from(order: &PlacedOrder) -> Self {
        Self {
            order_id: order.order_id.clone(),
            subaccount: order.subaccount,
            ticker: None,
        }
        .with_ticker(&order.ticker)
    }
}

#[cfg(feature = "ws")]
impl From<&crate::ws::messages::UserOrder> for OrderRef {
    fn from(order: &crate::ws::messages::UserOrder) -> Self {
        Self {
            order_id: order.order_id.clone(),
            subaccount: order.subaccount_number,
            ticker: None,
        }
        .with_ticker(&order.ticker)
    }
}
