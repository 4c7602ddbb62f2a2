//! Creation of orders, and cancellation on a pause.

use kalshi_sdk::{Contracts, Dollars};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    MarketIndex, State, Timer,
    account::Account,
    matching::{Incoming, Plan},
    order::{MAX_COUNT, Order, SelfTrade, Status},
    side::Side,
};
use crate::{
    Rejection,
    time::{self, SECOND},
};

/// Maximum number of resting orders per user.
const MAX_RESTING: usize = 200_000;

/// Time in force of an order, as the API spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeInForce {
    FillOrKill,
    GoodTillCanceled,
    ImmediateOrCancel,
}

/// An order to place.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) account: Account,
    pub(crate) ticker: String,
    pub(crate) client_order_id: Option<String>,
    pub(crate) side: Side,
    pub(crate) price: Dollars,
    pub(crate) count: Contracts,
    /// Expiration in Unix seconds, or `None` if the order does not expire.
    pub(crate) expires: Option<i64>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) self_trade: SelfTrade,
    pub(crate) cancel_on_pause: bool,
    pub(crate) group: Option<Uuid>,
    /// Version of a margin market that the order expects.
    pub(crate) market_version: Option<i32>,
}

/// An order after a request, with the fills of that request.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) order: Order,
    pub(crate) filled: Contracts,
    pub(crate) cost: i64,
    pub(crate) fees: i64,
}

impl State {
    pub(crate) fn create_order(&mut self, new: NewOrder) -> Result<Placed, Rejection> {
        let (market, incoming) = self.admit(&new)?;
        let plan = self.plan(&incoming);
        plan.reject_crossing(new.post_only)?;
        if new.time_in_force == TimeInForce::FillOrKill && !plan.unmatched.is_zero() {
            return Err(Rejection::conflict(
                "fill_or_kill_insufficient_resting_volume",
                format!(
                    "{} of {} contracts cannot be filled immediately",
                    plan.unmatched, incoming.count
                ),
            ));
        }
        self.check_funds(&incoming, &plan)?;
        let id = self.insert(&new, market, incoming.count);
        let reduced = incoming.count < new.count;
        self.emit_order(id, reduced.then_some("ReduceOnlyCancel"));
        self.match_and_rest(id, &plan, incoming.rests)
    }

    /// Validates an order before matching.
    fn admit(&self, new: &NewOrder) -> Result<(MarketIndex, Incoming), Rejection> {
        let (index, market) = self.tradable_market(&new.ticker)?;
        match &market.perp {
            Some(_) => self.admit_margin(new, index, market)?,
            None => check_price_and_count(market, new.price, new.count)?,
        }
        let rests = new.time_in_force == TimeInForce::GoodTillCanceled;
        match new.expires {
            Some(_) if !rests => {
                return Err(Rejection::invalid(
                    "expiration_time: requires good_till_canceled",
                ));
            }
            Some(expires) if expires > time::MAX_SECONDS => {
                return Err(Rejection::invalid("expiration_time: must be in seconds"));
            }
            Some(expires) if expires <= time::seconds(self.now) => {
                return Err(Rejection::invalid("expiration_time: must be in the future"));
            }
            _ => {}
        }
        if new.post_only && !rests {
            return Err(Rejection::invalid("post_only: requires good_till_canceled"));
        }
        self.reject_repeated_id(new.account, new.client_order_id.as_ref())?;
        if let Some(group) = new.group {
            self.check_order_group(group, new.account, market.shard)?;
        }
        if !new.account.is_market_maker() && self.ledger.cash(new.account, market.shard).is_none() {
            return Err(Rejection::new(
                http::StatusCode::NOT_FOUND,
                "user_not_found",
                format!(
                    "no funded account on shard {}: see Exchange Sharding",
                    market.shard
                ),
            ));
        }
        let mut count = new.count;
        if new.reduce_only {
            if new.time_in_force != TimeInForce::ImmediateOrCancel && market.perp.is_none() {
                return Err(Rejection::invalid(
                    "reduce_only: requires immediate_or_cancel",
                ));
            }
            let held = self.ledger.holding(new.account, index);
            count = count.min(held.map_or(Contracts::ZERO, |holding| holding.reducible(new.side)));
            if count.is_zero() {
                return Err(Rejection::bad_request(
                    "reduce_only_no_position",
                    "the order would not reduce a position",
                ));
            }
        }
        let resting = self.resting.get(&new.account.user).copied().unwrap_or(0);
        if rests && resting >= MAX_RESTING && !new.account.is_market_maker() {
            return Err(Rejection::bad_request(
                "too_many_open_orders",
                format!("{MAX_RESTING} orders are already resting"),
            ));
        }
        Ok((
            index,
            Incoming {
                account: new.account,
                market: index,
                side: new.side,
                limit: new.price,
                count,
                self_trade: new.self_trade,
                group: new.group,
                rests,
            },
        ))
    }

    /// Rejects a client order id that contains a dot or that another order of the user has.
    pub(super) fn reject_repeated_id(
        &self,
        account: Account,
        id: Option<&String>,
    ) -> Result<(), Rejection> {
        // The exchange sends no details.
        if id.is_some_and(|id| id.contains('.')) {
            return Err(Rejection::invalid(""));
        }
        let key = id.map(|id| (account.user, id.clone()));
        match key.filter(|key| self.client_order_ids.contains_key(key)) {
            Some((_, id)) => Err(Rejection::conflict(
                "order_already_exists",
                format!("an order with client_order_id {id} already exists"),
            )),
            None => Ok(()),
        }
    }

    /// Rejects an order for a group that has triggered or does not exist.
    fn check_order_group(
        &self,
        group: Uuid,
        account: Account,
        shard: super::Shard,
    ) -> Result<(), Rejection> {
        let group = self.group(group, account, shard)?;
        if !group.armed {
            return Err(Rejection::bad_request(
                "order_group_triggered",
                "the order group has triggered: reset it first",
            ));
        }
        Ok(())
    }

    fn insert(&mut self, new: &NewOrder, market: MarketIndex, count: Contracts) -> Uuid {
        let (id, number, now) = (self.new_id(), self.next_number(), self.now);
        let order = Order {
            client_order_id: new.client_order_id.clone(),
            expires: new.expires,
            post_only: new.post_only,
            self_trade: new.self_trade,
            group: new.group,
            cancel_on_pause: new.cancel_on_pause,
            ..Order::new(
                (id, number),
                (new.account, market),
                (new.side, new.price, count),
                now,
            )
        };
        if !self.is_unlisted(new.account) {
            self.listed.insert((new.account.user, number), id);
            if let Some(client_order_id) = &new.client_order_id {
                self.client_order_ids
                    .insert((new.account.user, client_order_id.clone()), id);
            }
        }
        *self.resting.entry(new.account.user).or_default() += 1;
        if let Some(group) = new.group.and_then(|group| self.groups.get_mut(&group)) {
            group.orders.insert(id);
        }
        if let Some(expires) = new.expires {
            self.timers.insert(
                (expires.saturating_mul(SECOND), number),
                Timer::ExpireOrder(id),
            );
        }
        self.orders.insert(id, order);
        id
    }

    /// Applies a plan. The rest enters the book or is cancelled.
    pub(super) fn match_and_rest(
        &mut self,
        id: Uuid,
        plan: &Plan,
        rests: bool,
    ) -> Result<Placed, Rejection> {
        let not_found = || Rejection::not_found(format!("no order {id}"));
        let before = self.orders.get(&id).cloned().ok_or_else(not_found)?;
        self.taker = Some(id);
        self.execute_plan(id, plan);
        self.taker = None;
        if rests {
            let is_resting = self
                .orders
                .get(&id)
                .is_some_and(|order| order.status == Status::Resting);
            if is_resting {
                self.rest_or_end(id);
            }
        } else {
            self.cancel(id);
        }
        // Orders of the market maker are dropped when they end.
        let order = self
            .orders
            .get(&id)
            .cloned()
            .unwrap_or_else(|| before.clone());
        Ok(Placed {
            filled: order.filled.checked_sub(before.filled).unwrap_or_default(),
            cost: order.taker_cost - before.taker_cost,
            fees: order.taker_fees - before.taker_fees,
            order,
        })
    }

    /// Returns a resting order of an account on a shard.
    pub(crate) fn resting(
        &self,
        id: Uuid,
        account: Account,
        shard: super::Shard,
    ) -> Result<&Order, Rejection> {
        let on_shard = |order: &&Order| {
            self.markets
                .get(order.market)
                .is_some_and(|market| market.shard == shard)
        };
        self.orders
            .get(&id)
            .filter(|order| order.account == account && order.status == Status::Resting)
            .filter(on_shard)
            .ok_or_else(|| Rejection::not_found(format!("no resting order {id} on shard {shard}")))
    }

    /// Iterates over the resting orders of a user, oldest first.
    pub(crate) fn resting_orders_of(&self, user: u32) -> impl Iterator<Item = &Order> {
        self.orders_of(user)
            .filter(|order| order.status == Status::Resting)
    }

    /// Iterates over the orders of a user, oldest first.
    pub(crate) fn orders_of(&self, user: u32) -> impl DoubleEndedIterator<Item = &Order> {
        self.listed
            .range((user, 0)..=(user, u64::MAX))
            .filter_map(|(_, id)| self.orders.get(id))
    }

    /// Cancels orders with `cancel_on_pause`, in one market or in all of them.
    pub(super) fn cancel_on_pause(&mut self, market: Option<MarketIndex>) {
        let is_affected = |order: &&Order| {
            order.cancel_on_pause
                && order.status == Status::Resting
                && market.is_none_or(|market| order.market == market)
        };
        let mut orders: Vec<(u64, Uuid)> = self
            .orders
            .values()
            .filter(is_affected)
            .map(|order| (order.number, order.id))
            .collect();
        orders.sort_unstable();
        for (_, order) in orders {
            self.cancel_with_reason(order, Some("HaltCancel"));
        }
    }
}

pub(super) fn check_price_and_count(
    market: &super::Market,
    price: Dollars,
    count: Contracts,
) -> Result<(), Rejection> {
    market
        .grid()
        .check(price)
        .map_err(|off| Rejection::bad_request("invalid_price", off.to_string()))?;
    if count <= Contracts::ZERO || count > MAX_COUNT {
        return Err(Rejection::invalid(format!(
            "count: must be gte 0.01 and lte {MAX_COUNT}"
        )));
    }
    Ok(())
}
