//! Checks orders and amendments before they are sent.

use kalshi_core::{orders::InvalidExpiry, rt::Moment};

use crate::{
    Client, Contracts, Dollars,
    types::{CreateMarginOrderRequest, TimeInForce},
};

/// The reason why an order or an amendment was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOrder {
    /// The price is not above 0.
    #[error("the price {0} is not above 0 dollars")]
    Price(Dollars),
    /// The count is below 0.01 contracts.
    #[error("the count {0} is below 0.01 contracts")]
    Count(Contracts),
    /// `reduce_only` is set, and the time in force is neither immediate-or-cancel nor fill-or-kill.
    #[error(
        "`reduce_only` needs the time in force `immediate_or_cancel` or `fill_or_kill`: the exchange rejects it for orders that may rest"
    )]
    ReduceOnly,
    /// The `expiration_time` is in the past or not in seconds.
    #[error(transparent)]
    Expiry(#[from] InvalidExpiry),
    /// The order has no ticker, or neither the amendment nor the reference to its order has a market. Searches for the order need it.
    #[error("no market is set: set the ticker")]
    NoMarket,
}

impl InvalidOrder {
    /// Checks a price and a count.
    pub(super) fn check_terms(price: Dollars, count: Contracts) -> Result<(), Self> {
        if price <= Dollars::ZERO {
            return Err(Self::Price(price));
        }
        if count <= Contracts::ZERO {
            return Err(Self::Count(count));
        }
        Ok(())
    }
}

impl Client {
    /// Checks an order. The expiry is compared with the earliest possible time, so one that may still be valid passes.
    pub(super) fn check_order(&self, order: &CreateMarginOrderRequest) -> Result<(), InvalidOrder> {
        if order.ticker.as_deref().unwrap_or_default().is_empty() {
            return Err(InvalidOrder::NoMarket);
        }
        InvalidOrder::check_terms(order.price, order.count)?;
        if order.reduce_only == Some(true) && order.time_in_force == TimeInForce::GoodTillCanceled {
            return Err(InvalidOrder::ReduceOnly);
        }
        if let Some(time) = order.expiration_time {
            InvalidExpiry::check(time, Moment::now(&self.core).earliest_time(&self.core))?;
        }
        Ok(())
    }
}
