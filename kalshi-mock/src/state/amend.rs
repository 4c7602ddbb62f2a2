//! Changes to resting orders: amend and decrease.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{
    MAX_RECORDS, State, Timer,
    matching::{Incoming, Plan},
    order::Order,
    orders::{Placed, check_price_and_count},
    side::Side,
};
use crate::{
    Rejection,
    time::{self, SECOND},
};

/// A requested change of an order.
#[derive(Clone, Debug)]
pub(crate) struct Amendment {
    pub(crate) ticker: String,
    pub(crate) side: Side,
    pub(crate) price: Dollars,
    /// Total count: filled plus remaining contracts.
    pub(crate) count: Contracts,
    /// Expiration in Unix seconds. `None` keeps it, zero removes it.
    pub(crate) expires: Option<i64>,
    pub(crate) client_order_id: Option<String>,
    pub(crate) updated_client_order_id: Option<String>,
}

impl State {
    pub(crate) fn amend(&mut self, id: Uuid, amendment: &Amendment) -> Result<Placed, Rejection> {
        let order = self
            .orders
            .get(&id)
            .cloned()
            .ok_or_else(|| Rejection::not_found("no such order"))?;
        let (index, market) = self.tradable_market(&amendment.ticker)?;
        if index != order.market || amendment.side != order.side {
            return Err(Rejection::invalid("ticker, side: must match the order"));
        }
        let (expected, current) = (&amendment.client_order_id, &order.client_order_id);
        if expected.is_some() && expected != current {
            return Err(Rejection::invalid(
                "client_order_id: does not match the order",
            ));
        }
        match &market.perp {
            Some(_) => self.admit_amendment(&order, market, (amendment.price, amendment.count))?,
            None => check_price_and_count(market, amendment.price, amendment.count)?,
        }
        let remaining = amendment
            .count
            .checked_sub(order.filled)
            .unwrap_or_default();
        if remaining <= Contracts::ZERO {
            return Err(Rejection::invalid(format!(
                "count: {} contracts are already filled",
                order.filled
            )));
        }
        if amendment
            .expires
            .is_some_and(|expires| expires != 0 && expires <= time::seconds(self.now))
        {
            return Err(Rejection::invalid("expiration_time: must be in the future"));
        }
        if amendment
            .expires
            .is_some_and(|expires| expires > time::MAX_SECONDS)
        {
            return Err(Rejection::invalid("expiration_time: must be in seconds"));
        }
        let new_client_order_id = amendment
            .updated_client_order_id
            .clone()
            .filter(|new| Some(new) != current.as_ref());
        self.reject_repeated_id(order.account, new_client_order_id.as_ref())?;
        let loses_priority = amendment.price != order.price || remaining > order.remaining;
        let incoming = Incoming {
            account: order.account,
            market: index,
            side: order.side,
            limit: amendment.price,
            count: remaining,
            self_trade: order.self_trade,
            group: order.group,
            rests: true,
        };
        // An order that keeps its priority cannot trade.
        let plan = if loses_priority {
            self.plan(&incoming)
        } else {
            Plan::resting(remaining)
        };
        if loses_priority {
            plan.reject_crossing(order.post_only)?;
            let before = (market.clock, self.emitted.len());
            self.remove_from_book(id);
            if let Err(rejection) = self.check_funds(&incoming, &plan) {
                self.rest_or_end(id);
                self.rollback(index, before);
                return Err(rejection);
            }
        }
        self.apply(
            id,
            amendment,
            remaining,
            new_client_order_id,
            loses_priority,
        );
        self.emit_order(id, Some("Amend"));
        if loses_priority {
            self.match_and_rest(id, &plan, true)
        } else {
            self.rest_or_end(id);
            let order = self.orders.get(&id).cloned().unwrap_or(order);
            Ok(Placed {
                order,
                filled: Contracts::ZERO,
                cost: 0,
                fees: 0,
            })
        }
    }

    fn remove_from_book(&mut self, id: Uuid) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let (account, side, rank, index) = (order.account, order.side, order.rank(), order.market);
        if let Some(market) = self.markets.get_mut(index) {
            market.book.side_mut(side).remove(&rank);
            self.ledger
                .set_order_funding(account, (index, market.shard), (side, rank), None);
            self.set_displayed(id, false);
        }
    }

    /// Applies an amendment to an order that is not in the book, or that keeps its priority there.
    fn apply(
        &mut self,
        id: Uuid,
        amendment: &Amendment,
        remaining: Contracts,
        new_client_order_id: Option<String>,
        loses_priority: bool,
    ) {
        let (number, now) = (self.next_number(), self.now);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if loses_priority {
            order.queued = number;
        }
        if order.price != amendment.price {
            order.maker_fills = (Contracts::ZERO, 0);
        }
        order.price = amendment.price;
        order.remaining = remaining;
        order.updated = now;
        order.reason = "Amend";
        let user = order.account.user;
        let earlier = new_client_order_id.and_then(|new| {
            let earlier = order.client_order_id.replace(new.clone());
            self.client_order_ids.insert((user, new), id);
            earlier
        });
        if let Some(expires) = amendment.expires {
            if let Some(before) = order.expires {
                self.timers
                    .remove(&(before.saturating_mul(SECOND), order.number));
            }
            order.expires = (expires != 0).then_some(expires);
            if expires != 0 {
                self.timers.insert(
                    (expires.saturating_mul(SECOND), order.number),
                    Timer::ExpireOrder(id),
                );
            }
        }
        if let Some(earlier) = earlier {
            self.keep_reserved((user, earlier));
        }
    }

    /// Keeps a client order id reserved that an amendment has replaced, until [`MAX_RECORDS`] newer ones were replaced.
    fn keep_reserved(&mut self, earlier: (u32, String)) {
        self.earlier_client_order_ids.push_back(earlier);
        if self.earlier_client_order_ids.len() > MAX_RECORDS
            && let Some(oldest) = self.earlier_client_order_ids.pop_front()
        {
            self.client_order_ids.remove(&oldest);
        }
    }

    /// Reduces a resting order, which keeps its priority. Reducing it to zero cancels it.
    pub(crate) fn decrease(&mut self, id: Uuid, to: Contracts) -> Option<Order> {
        let now = self.now;
        let order = self.orders.get_mut(&id)?;
        if to <= Contracts::ZERO {
            self.cancel(id);
        } else if to < order.remaining {
            order.remaining = to;
            order.updated = now;
            order.reason = "Decrease";
            self.emit_order(id, Some("Decrease"));
            self.rest_or_end(id);
        }
        self.orders.get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_replaced_client_order_ids_is_bounded() {
        let mut state = State::new(1, 1_000 * SECOND);
        for number in 0..=MAX_RECORDS {
            let key = (1, number.to_string());
            state.client_order_ids.insert(key.clone(), Uuid::nil());
            state.keep_reserved(key);
        }
        let is_reserved = |number: usize| {
            let key = (1, number.to_string());
            state.client_order_ids.contains_key(&key)
        };
        assert_eq!(state.client_order_ids.len(), MAX_RECORDS);
        assert!(!is_reserved(0) && is_reserved(1) && is_reserved(MAX_RECORDS));
    }
}
