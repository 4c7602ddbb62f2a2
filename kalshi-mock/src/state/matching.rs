//! Matching by price-time priority.

use std::collections::HashMap;

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{
    MarketIndex, State,
    account::Account,
    book::Rank,
    event::Event,
    insert_bounded,
    ledger::{Hypothetical, OrderFunding, cash_change},
    margin::Booked,
    order::{Order, SelfTrade, Status},
    side::{Side, cost},
    trade::{Fill, Trade},
};
use crate::{Rejection, time::SECOND};

/// The properties of an incoming order that matching needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) side: Side,
    pub(crate) limit: Dollars,
    pub(crate) count: Contracts,
    pub(crate) self_trade: SelfTrade,
    pub(crate) group: Option<Uuid>,
    /// True if the unmatched rest enters the book.
    pub(crate) rests: bool,
}

/// The result of matching an incoming order, before it is applied.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Matched resting orders: order, price, count.
    matches: Vec<(Uuid, Dollars, Contracts)>,
    /// Resting orders of the same user that self-trade prevention cancels.
    self_trade_cancels: Vec<Uuid>,
    /// Contracts that are not matched.
    pub(crate) unmatched: Contracts,
    /// True if the unmatched rest is cancelled, by self-trade prevention or by the limit of a group.
    pub(crate) stopped: bool,
    /// True if the incoming order met an order of the same user.
    met_own_order: bool,
}

impl Plan {
    /// Returns a plan in which nothing trades.
    pub(crate) fn resting(count: Contracts) -> Self {
        Self {
            unmatched: count,
            ..Self::default()
        }
    }

    /// Returns the matched resting orders, with price and count.
    pub(super) fn matches(&self) -> &[(Uuid, Dollars, Contracts)] {
        &self.matches
    }

    /// Rejects a post-only order that would cross.
    pub(crate) fn reject_crossing(&self, post_only: bool) -> Result<(), Rejection> {
        let crosses =
            !self.matches.is_empty() || !self.self_trade_cancels.is_empty() || self.stopped;
        match post_only && crosses {
            true => Err(Rejection::bad_request("invalid_order", "post only cross")),
            false => Ok(()),
        }
    }
}

impl State {
    /// Matches an order against the book without changing anything.
    pub(crate) fn plan(&self, incoming: &Incoming) -> Plan {
        let mut plan = Plan::resting(incoming.count);
        let Some(market) = self.markets.get(incoming.market) else {
            return plan;
        };
        let mut allowances: HashMap<Uuid, i64> = HashMap::new();
        let mut unmatched = incoming.count.hundredths();
        for maker in market.book.side(incoming.side.opposite()).values() {
            let Some(maker) = self.orders.get(maker) else {
                continue;
            };
            if unmatched == 0 || !incoming.side.crosses(incoming.limit, maker.price) {
                break;
            }
            if maker.account.user == incoming.account.user {
                if incoming.self_trade == SelfTrade::TakerAtCross
                    && !maker.account.is_market_maker()
                {
                    plan.stopped = true;
                    plan.met_own_order = true;
                    break;
                }
                plan.self_trade_cancels.push(maker.id);
                continue;
            }
            let groups = [incoming.group, maker.group];
            let count = groups.into_iter().flatten().fold(
                unmatched.min(maker.remaining.hundredths()),
                |count, group| {
                    let allowance = allowances
                        .entry(group)
                        .or_insert_with(|| self.group_allowance(group));
                    count.min(*allowance)
                },
            );
            for group in groups.into_iter().flatten() {
                if let Some(allowance) = allowances.get_mut(&group) {
                    *allowance -= count;
                }
            }
            if count > 0 {
                plan.matches
                    .push((maker.id, maker.price, Contracts::from_hundredths(count)));
                unmatched -= count;
            }
            if incoming
                .group
                .is_some_and(|group| allowances.get(&group) == Some(&0))
            {
                plan.stopped = true;
                break;
            }
        }
        plan.unmatched = Contracts::from_hundredths(unmatched);
        plan
    }

    /// Rejects an order that the account cannot fund, including its trades with their fees and the rest that enters the book.
    pub(crate) fn check_funds(&self, incoming: &Incoming, plan: &Plan) -> Result<(), Rejection> {
        let Some(market) = self
            .markets
            .get(incoming.market)
            .filter(|_| !incoming.account.is_market_maker())
        else {
            return Ok(());
        };
        if market.perp.is_some() {
            return self.check_margin_funds(incoming, plan);
        }
        let mut held = self.position(incoming.account, incoming.market);
        let (before, mut paid) = (held, 0);
        for (_, price, count) in &plan.matches {
            let unit_price = incoming.side.unit_price(*price);
            paid += market.fees.taker(unit_price, *count)
                - cash_change(held, incoming.side, unit_price, *count);
            held += incoming.side.signed(*count);
        }
        let rests = incoming.rests && !plan.stopped && !plan.unmatched.is_zero();
        let rank = Rank::new(incoming.side, incoming.limit, u64::MAX);
        let unit_price = incoming.side.unit_price(incoming.limit);
        let funding = OrderFunding {
            unit_price,
            count: plan.unmatched,
            fees: market.fees.maker(unit_price, plan.unmatched),
            notional: 0,
        };
        let removed = self.self_trade_ranks(plan, incoming.account);
        let hypothetical = Hypothetical {
            position: held - before,
            added: rests.then_some((incoming.side, rank, funding)),
            removed: &removed,
        };
        let available = self.ledger.available_after(
            incoming.account,
            (incoming.market, market.shard),
            paid,
            hypothetical,
        );
        if available < 0 {
            let (has, lacks) = (
                self.ledger.available(incoming.account, market.shard),
                -available,
            );
            return Err(Rejection::bad_request(
                "insufficient_balance",
                format!(
                    "{} dollars are available on shard {}: {} more are needed",
                    Dollars::from_micros(has),
                    market.shard,
                    Dollars::from_micros(lacks),
                ),
            ));
        }
        Ok(())
    }

    /// Returns the ranks of an account's orders that self-trade prevention cancels.
    pub(super) fn self_trade_ranks(&self, plan: &Plan, account: Account) -> Vec<(Side, Rank)> {
        let orders = plan
            .self_trade_cancels
            .iter()
            .filter_map(|id| self.orders.get(id));
        orders
            .filter(|order| order.account == account)
            .map(|order| (order.side, order.rank()))
            .collect()
    }

    /// Applies a plan to an order that is listed but not in the book.
    pub(crate) fn execute_plan(&mut self, taker: Uuid, plan: &Plan) {
        for id in &plan.self_trade_cancels {
            self.cancel_with_reason(*id, Some("SelfTradeCancel"));
        }
        let mut triggered = Vec::new();
        for (maker, price, count) in &plan.matches {
            let trade = self.new_id();
            let Some(group) = self.orders.get(maker).map(|order| order.group) else {
                continue;
            };
            self.fill(*maker, false, trade, *price, *count);
            self.fill(taker, true, trade, *price, *count);
            let Some(order) = self.orders.get(&taker) else {
                continue;
            };
            let (side, market, taker_group) = (order.side, order.market, order.group);
            self.record_trade(trade, market, *price, *count, side);
            for group in [group, taker_group].into_iter().flatten() {
                if self.count_group_match(group, *count) {
                    triggered.push(group);
                }
            }
        }
        if plan.stopped || plan.unmatched.is_zero() {
            self.cancel_with_reason(taker, plan.met_own_order.then_some("SelfTradeCancel"));
        }
        for group in triggered {
            self.trigger_group(group);
        }
    }

    /// Applies one side of a trade to its order, the ledger and the fills.
    pub(super) fn fill(
        &mut self,
        id: Uuid,
        is_taker: bool,
        trade: Uuid,
        price: Dollars,
        count: Contracts,
    ) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let Some(market) = self.markets.get(order.market) else {
            return;
        };
        let (account, side) = (order.account, order.side);
        let (index, shard) = (order.market, market.shard);
        let unit_price = market.unit_price(side, price);
        let fee = match is_taker {
            _ if account.is_market_maker() => 0,
            true => market.taker_fee(unit_price, count),
            false => {
                let filled = order.maker_fills.0.checked_add(count).unwrap_or(count);
                // Rounding can make the fee of more contracts smaller. Fees are never refunded.
                let fee = (market.maker_fee(unit_price, filled) - order.maker_fills.1).max(0);
                order.maker_fills = (filled, order.maker_fills.1 + fee);
                fee
            }
        };
        if !is_taker {
            order.reason = "Trade";
        }
        order.filled = order.filled.checked_add(count).unwrap_or(order.filled);
        order.remaining = order.remaining.checked_sub(count).unwrap_or_default();
        order.updated = now;
        let paid = cost(unit_price, count);
        let (costs, fees) = match is_taker {
            true => (&mut order.taker_cost, &mut order.taker_fees),
            false => (&mut order.maker_cost, &mut order.maker_fees),
        };
        *costs += paid;
        *fees += fee;
        let before = self.position(account, index);
        let bought = (side, unit_price, count);
        let booked = if market.perp.is_some() {
            self.ledger
                .trade_margin(account, (index, shard), bought, fee, now)
        } else {
            self.ledger.trade(account, (index, shard), bought, fee, now);
            Booked::default()
        };
        self.update_open_interest(index, before, self.position(account, index));
        if !is_taker {
            self.rest_or_end(id);
        }
        if !self.is_unlisted(account) {
            let fill = Fill {
                trade,
                account,
                order: id,
                market: index,
                side,
                price,
                count,
                is_taker,
                fee,
                booked,
                at: now,
            };
            self.emit_fill(&fill);
            let number = self.next_number();
            insert_bounded(&mut self.fills, number, fill);
        }
    }

    /// Records a public trade.
    pub(super) fn record_trade(
        &mut self,
        id: Uuid,
        market: MarketIndex,
        price: Dollars,
        count: Contracts,
        taker_side: Side,
    ) {
        let (number, at) = (self.next_number(), self.now);
        let trade = Trade {
            id,
            market,
            price,
            count,
            taker_side,
            at,
        };
        self.emit(|_| Some(Event::Trade(trade.clone())));
        insert_bounded(&mut self.trades, number, trade);
        if let Some(market) = self.markets.get_mut(market) {
            market.last_price = Some(price);
            market.last_count = count;
            market.volume = market.volume.checked_add(count).unwrap_or(market.volume);
            let hour = market
                .hourly
                .entry(at.div_euclid(3600 * SECOND))
                .or_default();
            *hour = hour.checked_add(count).unwrap_or(*hour);
            if market.hourly.len() > 26 {
                market.hourly.pop_first();
            }
            if let Some(perp) = &mut market.perp {
                perp.count_trade(cost(price, count), at);
            }
        }
    }

    pub(super) fn position(&self, account: Account, market: MarketIndex) -> i64 {
        self.ledger
            .holding(account, market)
            .map_or(0, |holding| holding.position)
    }

    /// Updates the open interest, which is the number of YES contracts held.
    fn update_open_interest(&mut self, market: MarketIndex, before: i64, after: i64) {
        if let Some(market) = self.markets.get_mut(market) {
            let change = after.max(0) - before.max(0);
            market.open_interest =
                Contracts::from_hundredths(market.open_interest.hundredths() + change);
        }
    }

    /// Puts the rest of an order into the book and reserves its funding, or ends the order if nothing is left.
    pub(super) fn rest_or_end(&mut self, id: Uuid) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let Some(market) = self.markets.get_mut(order.market) else {
            return;
        };
        let account = order.account;
        let location = (order.market, market.shard);
        let (side, rank) = (order.side, order.rank());
        if order.status == Status::Resting && !order.remaining.is_zero() {
            market.book.side_mut(side).insert(rank, id);
            let unit_price = market.unit_price(order.side, order.price);
            let total = order
                .maker_fills
                .0
                .checked_add(order.remaining)
                .unwrap_or(order.remaining);
            let fees = (market.maker_fee(unit_price, total) - order.maker_fills.1).max(0);
            let funding = OrderFunding {
                unit_price: market.reserve_per_contract(order.side, order.price),
                count: order.remaining,
                fees,
                notional: market
                    .perp
                    .as_ref()
                    .map_or(0, |_| cost(order.price, order.remaining)),
            };
            self.ledger
                .set_order_funding(account, location, (side, rank), Some(funding));
            self.set_displayed(id, true);
        } else {
            market.book.side_mut(side).remove(&rank);
            self.ledger
                .set_order_funding(account, location, (side, rank), None);
            self.set_displayed(id, false);
            self.end(id);
        }
    }

    /// Cancels the rest of an order and returns its size. A filled order becomes executed.
    pub(crate) fn cancel(&mut self, id: Uuid) -> Contracts {
        self.cancel_with_reason(id, None)
    }

    /// Like [`cancel`](Self::cancel), with a reason that is reported to the owner.
    pub(super) fn cancel_with_reason(
        &mut self,
        id: Uuid,
        reason: Option<&'static str>,
    ) -> Contracts {
        let now = self.now;
        let Some(order) = self
            .orders
            .get_mut(&id)
            .filter(|order| order.status == Status::Resting)
        else {
            return Contracts::ZERO;
        };
        let cancelled = std::mem::take(&mut order.remaining);
        order.status = if cancelled.is_zero() {
            Status::Executed
        } else {
            Status::Canceled
        };
        order.updated = now;
        if !cancelled.is_zero() {
            // The margin exchange reports a cancel as a decrease, and its REST API has no reason for a halt.
            order.reason = match reason {
                None | Some("HaltCancel" | "CloseCancel") => "Decrease",
                Some(reason) => reason,
            };
        }
        // A filled order has been reported with its last fill.
        if !cancelled.is_zero() {
            self.emit_order(id, reason);
        }
        self.rest_or_end(id);
        cancelled
    }

    /// Ends an order and removes it from its group. It is kept until [`MAX_RECORDS`](super::MAX_RECORDS) newer ones have ended.
    fn end(&mut self, id: Uuid) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if order.status == Status::Resting {
            order.status = Status::Executed;
        }
        let (account, group) = (order.account, order.group);
        if let Some(resting) = self.resting.get_mut(&account.user) {
            *resting = resting.saturating_sub(1);
        }
        if let Some(expires) = order.expires {
            self.timers
                .remove(&(expires.saturating_mul(SECOND), order.number));
        }
        if let Some(group) = group.and_then(|group| self.groups.get_mut(&group)) {
            group.orders.remove(&id);
        }
        if self.is_unlisted(account) {
            self.orders.remove(&id);
            return;
        }
        self.ended.push_back(id);
        if self.ended.len() > super::MAX_RECORDS
            && let Some(oldest) = self.ended.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, id: Uuid) {
        let Some(Order {
            account,
            number,
            client_order_id,
            ..
        }) = self.orders.remove(&id)
        else {
            return;
        };
        self.versions.forget_order(id);
        self.listed.remove(&(account.user, number));
        if let Some(client_order_id) = client_order_id {
            self.client_order_ids
                .remove(&(account.user, client_order_id));
        }
    }
}
