//! Checks orders before they are sent.

use std::{fmt, time::SystemTime};

use super::{OffGrid, PriceGrid};
use crate::{
    Client, Contracts, Dollars, OrderGroupId, OutcomeSide, SubaccountNumber,
    types::{CreateOrderV2Request, TimeInForce},
};
use kalshi_core::{orders::InvalidExpiry, rt::Moment};

/// Rules for an order in addition to those that every order must pass: the price grid of its market, and its order group.
///
/// Every order must have a price above 0 and below 1 dollar and a count of at least 0.01 contracts. `reduce_only` requires
/// immediate-or-cancel, and `expiration_time` cannot be combined with it. An `expiration_time` must be in Unix seconds,
/// and must not be in the past even allowing for the uncertainty of the clocks.
///
/// ```no_run
/// # async fn example(client: kalshi_sdk::Client, order: kalshi_sdk::types::CreateOrderV2Request) -> Result<(), kalshi_sdk::Error> {
/// use kalshi_sdk::orders::{OrderRules, PriceGrid};
///
/// let market = client.get_market().ticker(&order.ticker).send().await?;
/// let rules = OrderRules::new().with_grid(PriceGrid::from(&market.market));
/// let outcome = client.orders().place_with(order, &rules).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRules {
    grid: Option<PriceGrid>,
    group: Option<OrderGroupRef>,
}

/// An order group, with its shard and subaccount. Its orders must be on the same shard and of the same subaccount.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderGroupRef {
    /// The exchange's id of the order group.
    pub order_group_id: OrderGroupId,
    /// Shard of the group. Defaults to 0.
    pub exchange_index: i64,
    /// Subaccount of the group. Defaults to 0, the primary account.
    pub subaccount: SubaccountNumber,
}

impl OrderGroupRef {
    /// Returns a group of the primary account on shard 0.
    #[must_use]
    pub fn new(order_group_id: impl Into<OrderGroupId>) -> Self {
        Self {
            order_group_id: order_group_id.into(),
            exchange_index: 0,
            subaccount: SubaccountNumber::PRIMARY,
        }
    }

    /// Sets the shard of the group.
    #[must_use]
    pub fn with_exchange_index(mut self, exchange_index: i64) -> Self {
        self.exchange_index = exchange_index;
        self
    }

    /// Sets the subaccount of the group, 0 for the primary account.
    #[must_use]
    pub fn with_subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.subaccount = subaccount.into();
        self
    }
}

/// The reason why an order was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOrder {
    /// The price is not above 0 and below 1 dollar.
    Price(Dollars),
    /// The price is not on the price grid.
    OffGrid(OffGrid),
    /// The count is below 0.01 contracts.
    Count(Contracts),
    /// `reduce_only` is set, and the time in force is not immediate-or-cancel.
    ReduceOnly,
    /// `expiration_time` is set, and the time in force is immediate-or-cancel.
    ExpiringImmediately,
    /// The `expiration_time` is in the past or not in seconds.
    Expiry(InvalidExpiry),
    /// The order names a different order group from the rules. Contains the group of the order.
    OtherGroup(Option<OrderGroupId>),
    /// The order and its group are on different shards. Contains the shard of the order, `None` if it is not set, and that of the group.
    GroupShard(Option<i64>, i64),
    /// The order and its group are of different subaccounts. Contains the subaccount of the order and that of the group.
    GroupSubaccount(SubaccountNumber, SubaccountNumber),
    /// The outcome that the order buys or sells is [`OutcomeSide::Unknown`]. Contains the outcome.
    Outcome(OutcomeSide),
    /// Neither the amendment nor the reference to its order has a market.
    NoMarket,
}

impl fmt::Display for InvalidOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Price(price) => write!(f, "the price {price} is not above 0 and below 1 dollar"),
            Self::OffGrid(error) => error.fmt(f),
            Self::Count(count) => write!(f, "the count {count} is below 0.01 contracts"),
            Self::ReduceOnly => {
                f.write_str("`reduce_only` needs the time in force `immediate_or_cancel`")
            }
            Self::ExpiringImmediately => f.write_str(
                "`expiration_time` cannot be combined with the time in force `immediate_or_cancel`",
            ),
            Self::Expiry(error) => error.fmt(f),
            Self::OtherGroup(group) => {
                write!(
                    f,
                    "the order's group is {group:?}, but the rules require another one"
                )
            }
            Self::GroupShard(own, group) => {
                let own = own.map_or_else(|| "none".to_owned(), |own| own.to_string());
                write!(
                    f,
                    "the order's `exchange_index` is {own}, but its group is on {group}: set it to {group}"
                )
            }
            Self::GroupSubaccount(own, group) => write!(
                f,
                "the order is for subaccount {own}, but its group belongs to subaccount {group}"
            ),
            Self::Outcome(outcome) => write!(f, "the outcome {:?} is unknown", outcome.as_str()),
            Self::NoMarket => f.write_str(
                "an amendment needs the market of its order: use `OrderRef::with_market`",
            ),
        }
    }
}

impl std::error::Error for InvalidOrder {}

impl From<InvalidExpiry> for InvalidOrder {
    fn from(error: InvalidExpiry) -> Self {
        Self::Expiry(error)
    }
}

impl OrderRules {
    /// Returns rules without a price grid and without an order group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the price grid of the market.
    #[must_use]
    pub fn with_grid(mut self, grid: PriceGrid) -> Self {
        self.grid = Some(grid);
        self
    }

    /// Sets the order group that the order must name.
    #[must_use]
    pub fn with_group(mut self, group: OrderGroupRef) -> Self {
        self.group = Some(group);
        self
    }

    /// Returns the price grid of the market, or `None` if only the exchange checks prices against it.
    #[must_use]
    pub fn grid(&self) -> Option<&PriceGrid> {
        self.grid.as_ref()
    }

    /// Returns the order group that the order must name, or `None` if any group or none is allowed.
    #[must_use]
    pub fn group(&self) -> Option<&OrderGroupRef> {
        self.group.as_ref()
    }

    /// Checks an order at the time `now`.
    ///
    /// # Errors
    ///
    /// Returns an error for the first rule that is broken.
    pub fn check(&self, order: &CreateOrderV2Request, now: SystemTime) -> Result<(), InvalidOrder> {
        let immediate = order.time_in_force == TimeInForce::ImmediateOrCancel;
        if order.price <= Dollars::ZERO || order.price >= Dollars::ONE {
            return Err(InvalidOrder::Price(order.price));
        }
        if let Some(grid) = &self.grid {
            grid.check(order.price).map_err(InvalidOrder::OffGrid)?;
        }
        if order.count <= Contracts::ZERO {
            return Err(InvalidOrder::Count(order.count));
        }
        if order.reduce_only == Some(true) && !immediate {
            return Err(InvalidOrder::ReduceOnly);
        }
        if let Some(time) = order.expiration_time {
            if immediate {
                return Err(InvalidOrder::ExpiringImmediately);
            }
            InvalidExpiry::check(time, now)?;
        }
        match &self.group {
            Some(group) => group.check(order),
            // A group is on one shard, so its orders cannot be routed.
            None if order.order_group_id.is_some()
                && order
                    .exchange_index
                    .as_ref()
                    .is_some_and(|index| index.0 < 0) =>
            {
                Err(InvalidOrder::GroupShard(Some(-1), 0))
            }
            None => Ok(()),
        }
    }
}

impl OrderGroupRef {
    fn check(&self, order: &CreateOrderV2Request) -> Result<(), InvalidOrder> {
        if order.order_group_id.as_ref() != Some(&self.order_group_id) {
            return Err(InvalidOrder::OtherGroup(order.order_group_id.clone()));
        }
        // An order without a shard is routed by its market; a group without one is on shard 0.
        let shard = order.exchange_index.as_ref().map(|index| index.0);
        if shard != Some(self.exchange_index) && !(shard.is_none() && self.exchange_index == 0) {
            return Err(InvalidOrder::GroupShard(shard, self.exchange_index));
        }
        let subaccount = order.subaccount.unwrap_or_default();
        if subaccount != self.subaccount {
            return Err(InvalidOrder::GroupSubaccount(subaccount, self.subaccount));
        }
        Ok(())
    }
}

impl Client {
    /// Checks an order against rules. It uses the earliest possible time, so an order whose expiry may still be valid is sent.
    pub(super) fn check_order(
        &self,
        order: &CreateOrderV2Request,
        rules: &OrderRules,
    ) -> Result<(), InvalidOrder> {
        rules.check(order, self.earliest_time())
    }

    /// Returns the earliest possible current time, given the uncertainty of the clocks.
    pub(super) fn earliest_time(&self) -> SystemTime {
        Moment::now(&self.core).earliest_time(&self.core)
    }
}
