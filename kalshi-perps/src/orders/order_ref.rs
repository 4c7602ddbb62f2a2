//! References to orders on the exchange, and which subaccounts a request is about.

use super::PlacedOrder;
use crate::{OrderId, SubaccountNumber, types::MarginOrder};

/// The subaccounts that a list or a cancel of all orders is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subaccounts {
    /// Every subaccount that the key may use, the primary one included.
    All,
    /// One subaccount. [`SubaccountNumber::PRIMARY`] is the primary one alone.
    One(SubaccountNumber),
}

impl From<SubaccountNumber> for Subaccounts {
    fn from(number: SubaccountNumber) -> Self {
        Self::One(number)
    }
}

/// A reference to an order on the exchange: its id and its subaccount, and for an amendment its market.
///
/// It converts from a [`PlacedOrder`], which has all of them. Orders of the REST API do not have their subaccount: see
/// [`from_order`](Self::from_order).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRef {
    /// The exchange's id of the order.
    pub order_id: OrderId,
    /// Subaccount of the order.
    pub subaccount: SubaccountNumber,
    /// Market of the order, which an amendment needs. `None` if unknown.
    pub ticker: Option<String>,
}

impl OrderRef {
    /// Returns a reference to the order of an id in a subaccount.
    #[must_use]
    pub fn new(order_id: impl Into<OrderId>, subaccount: impl Into<SubaccountNumber>) -> Self {
        Self {
            order_id: order_id.into(),
            subaccount: subaccount.into(),
            ticker: None,
        }
    }

    /// Returns a reference to an order of the REST API, with its market.
    #[must_use]
    pub fn from_order(order: &MarginOrder, subaccount: impl Into<SubaccountNumber>) -> Self {
        Self {
            ticker: Some(order.ticker.clone()),
            ..Self::new(&order.order_id, subaccount)
        }
    }

    /// Sets the market.
    #[must_use]
    pub fn with_ticker(mut self, ticker: impl Into<String>) -> Self {
        self.ticker = Some(ticker.into());
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
            ticker: Some(order.ticker.clone()),
        }
    }
}
