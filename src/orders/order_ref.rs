//! References to orders on the exchange.

use super::PlacedOrder;
use crate::{OrderId, SubaccountNumber, types::Order};

/// A reference to an order on the exchange: its id, market, subaccount and shard.
///
/// It converts from an [`Order`] of the REST API, from a message of the `user_orders` channel, from a [`PlacedOrder`], and from an id.
/// The exchange cannot find the shard from the id alone: set the market or the shard as well, unless all your orders are on shard 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRef {
    pub(super) order_id: OrderId,
    /// Ticker of the market, never empty. `None` if unknown.
    pub(super) market_ticker: Option<String>,
    pub(super) subaccount: Option<SubaccountNumber>,
    pub(super) exchange_index: Option<i64>,
}

impl OrderRef {
    /// Returns a reference to the order with an id.
    #[must_use]
    pub fn new(order_id: impl Into<OrderId>) -> Self {
        Self {
            order_id: order_id.into(),
            market_ticker: None,
            subaccount: None,
            exchange_index: None,
        }
    }

    /// Sets the market by its ticker. An empty ticker counts as unknown.
    #[must_use]
    pub fn with_market(mut self, ticker: impl Into<String>) -> Self {
        self.market_ticker = non_empty(ticker);
        self
    }

    /// Sets the subaccount of the order, 0 for the primary account.
    #[must_use]
    pub fn with_subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.subaccount = Some(subaccount.into());
        self
    }

    /// Sets the shard that the order is on.
    #[must_use]
    pub fn with_exchange_index(mut self, exchange_index: i64) -> Self {
        self.exchange_index = Some(exchange_index);
        self
    }

    /// Returns the exchange's id of the order.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// Returns the ticker of the order's market, or `None` if unknown.
    #[must_use]
    pub fn market_ticker(&self) -> Option<&str> {
        self.market_ticker.as_deref()
    }

    /// Returns the subaccount of the order. `None` means the primary account, or the one that the key is locked to.
    #[must_use]
    pub fn subaccount(&self) -> Option<SubaccountNumber> {
        self.subaccount
    }

    /// Returns the shard of the order, or `None` to let the exchange find it by the market.
    #[must_use]
    pub fn exchange_index(&self) -> Option<i64> {
        self.exchange_index
    }
}

/// Returns a ticker, or `None` if it is empty.
fn non_empty(ticker: impl Into<String>) -> Option<String> {
    Some(ticker.into()).filter(|ticker| !ticker.is_empty())
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
            market_ticker: non_empty(&order.ticker),
            subaccount: order.subaccount,
            exchange_index: order.exchange_index,
        }
    }
}

impl From<&Order> for OrderRef {
    fn from(order: &Order) -> Self {
        Self {
            order_id: order.order_id.clone(),
            market_ticker: non_empty(&order.ticker),
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
            market_ticker: non_empty(&order.ticker),
            subaccount: order.subaccount_number,
            exchange_index: Some(order.exchange_index),
        }
    }
}
