//! References to orders on the exchange.

use super::PlacedOrder;
use crate::{OrderId, SubaccountNumber, types::Order};

/// A reference to an order on the exchange: its id, market, subaccount and shard.
///
/// It converts from an [`Order`] of the REST API, from a message of the `user_orders` channel, from a [`PlacedOrder`], and from an id.
/// The exchange cannot find the shard from the id alone: set the market or the shard as well, unless all your orders are on shard 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRef {
    /// The exchange's id of the order.
    pub order_id: OrderId,
    /// Market of the order. `None` if unknown.
    pub market_ticker: Option<String>,
    /// Subaccount of the order. `None` stands for the primary account, or for the one that the key is locked to.
    pub subaccount: Option<SubaccountNumber>,
    /// Shard of the order. `None` lets the exchange find it by the market.
    pub exchange_index: Option<i64>,
}

impl OrderRef {
    /// Returns a reference to the order of an id.
    #[must_use]
    pub fn new(order_id: impl Into<OrderId>) -> Self {
        Self {
            order_id: order_id.into(),
            market_ticker: None,
            subaccount: None,
            exchange_index: None,
        }
    }

    /// Sets the market.
    #[must_use]
    pub fn with_market(mut self, ticker: impl Into<String>) -> Self {
        self.market_ticker = Some(ticker.into());
        self
    }

    /// Sets the subaccount.
    #[must_use]
    pub fn with_subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.subaccount = Some(subaccount.into());
        self
    }

    /// Sets the shard.
    #[must_use]
    pub fn with_exchange_index(mut self, exchange_index: i64) -> Self {
        self.exchange_index = Some(exchange_index);
        self
    }
}

impl From<&Self> for OrderRef {
    fn from(order: &Self) -> Self {
        order.clone()
    }
}

impl From<&str> for OrderRef {
    fn from(order_id: &str) -> Self {
        Self::new(order_id)
    }
}

impl From<&OrderId> for OrderRef {
    fn from(order_id: &OrderId) -> Self {
        Self::new(order_id)
    }
}

impl From<OrderId> for OrderRef {
    fn from(order_id: OrderId) -> Self {
        Self::new(order_id)
    }
}

impl From<String> for OrderRef {
    fn from(order_id: String) -> Self {
        Self::new(order_id)
    }
}

impl From<&String> for OrderRef {
    fn from(order_id: &String) -> Self {
        Self::new(order_id)
    }
}

impl From<PlacedOrder> for OrderRef {
    fn from(order: PlacedOrder) -> Self {
        Self::from(&order)
    }
}

impl From<&Box<Order>> for OrderRef {
    fn from(order: &Box<Order>) -> Self {
        Self::from(&**order)
    }
}

impl From<&PlacedOrder> for OrderRef {
    fn from(order: &PlacedOrder) -> Self {
        Self {
            order_id: order.order_id.clone(),
            market_ticker: Some(order.ticker.clone()),
            subaccount: order.subaccount,
            exchange_index: order.exchange_index,
        }
    }
}

impl From<&Order> for OrderRef {
    fn from(order: &Order) -> Self {
        Self {
            order_id: order.order_id.clone(),
            market_ticker: Some(order.ticker.clone()),
            subaccount: order.subaccount_number,
            exchange_index: order.exchange_index.map(|index| index.0),
        }
    }
}

#[cfg(feature = "ws")]
impl From<&crate::ws::messages::UserOrder> for OrderRef {
    fn from(order: &crate::ws::messages::UserOrder) -> Self {
        Self {
            order_id: order.order_id.clone(),
            market_ticker: Some(order.ticker.clone()),
            subaccount: order.subaccount_number,
            exchange_index: Some(order.exchange_index),
        }
    }
}
