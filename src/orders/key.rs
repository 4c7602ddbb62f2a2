//! How a program names an order.

use crate::Id;

/// Which order, and where it is. An id alone does not tell the shard: name the market, or the shard itself, where orders are not all on
/// the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderKey {
    /// The exchange's id of the order.
    pub order_id: String,
    /// The market it is in.
    pub market_ticker: Option<String>,
    /// The subaccount it is of; the primary one unless set.
    pub subaccount: Option<i64>,
    /// The shard it is on.
    pub exchange_index: Option<i64>,
}

impl OrderKey {
    /// The order of that id.
    #[must_use]
    pub fn new(order_id: impl Into<String>) -> Self {
        Self {
            order_id: order_id.into(),
            ..Self::default()
        }
    }

    /// The same, in that market.
    #[must_use]
    pub fn with_market(mut self, ticker: impl Into<String>) -> Self {
        self.market_ticker = Some(ticker.into());
        self
    }

    /// The same, of that subaccount.
    #[must_use]
    pub fn with_subaccount(mut self, subaccount: i64) -> Self {
        self.subaccount = Some(subaccount);
        self
    }

    /// The same, on that shard.
    #[must_use]
    pub fn with_exchange_index(mut self, exchange_index: i64) -> Self {
        self.exchange_index = Some(exchange_index);
        self
    }
}

impl From<&str> for OrderKey {
    fn from(order_id: &str) -> Self {
        Self::new(order_id)
    }
}

/// As messages of streams name an order.
impl From<&Id> for OrderKey {
    fn from(order_id: &Id) -> Self {
        Self::new(order_id)
    }
}
