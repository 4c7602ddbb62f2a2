//! Rules for orders in margin markets: prices, counts, the price band, the notional limit and margin.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{MAX_NOTIONAL, MAX_PRICE, TICK};
use crate::{
    Rejection,
    state::{
        Account, Holding, Market, MarketIndex, NewOrder, Order, Side, State, TimeInForce,
        book::Rank,
        cost,
        ledger::{Hypothetical, OrderFunding},
        matching::{Incoming, Plan},
        order::MAX_COUNT,
    },
};

/// Minimum width of the price band, in ticks.
const BAND_TICKS: i64 = 1_000;
/// Width of the price band, in percent of the best price.
const BAND_PERCENT: i64 = 20;

impl State {
    /// Validates a new order by the rules that only margin markets have.
    pub(in crate::state) fn admit_margin(
        &self,
        new: &NewOrder,
        index: MarketIndex,
        market: &Market,
    ) -> Result<(), Rejection> {
        if !new.account.is_market_maker() {
            self.require_user(new.account.user)?;
            // Checked first, so that a repeated order is never rejected for another reason.
            self.reject_repeated_id(new.account, new.client_order_id.as_ref())?;
        }
        if new.market_version.is_some_and(|version| {
            market
                .perp
                .as_ref()
                .is_some_and(|perp| perp.version != version)
        }) {
            return Err(Rejection::conflict("market_version_mismatch", ""));
        }
        if new.reduce_only && new.time_in_force == TimeInForce::GoodTillCanceled {
            return Err(Rejection::bad_request(
                "invalid_order",
                "reduce_only can only be used with IoC or FoK orders",
            ));
        }
        check(market, new.price, new.count)?;
        if new.account.is_market_maker() {
            return match cost(new.price, new.count) > MAX_NOTIONAL {
                true => Err(Rejection::bad_request("NOTIONAL_RISK_LIMIT_EXCEEDED", "")),
                false => Ok(()),
            };
        }
        self.check_band(market, new.side, new.price)?;
        let rests = new.time_in_force == TimeInForce::GoodTillCanceled;
        self.check_notional(
            (new.account, index),
            (new.side, new.count, rests),
            new.price,
            None,
        )
    }

    /// Validates an amendment by the rules of margin markets.
    pub(in crate::state) fn admit_amendment(
        &self,
        order: &Order,
        market: &Market,
        (price, count): (Dollars, Contracts),
    ) -> Result<(), Rejection> {
        check(market, price, count)?;
        if price != order.price {
            self.check_band(market, order.side, price)?;
        }
        let remaining = count.checked_sub(order.filled).unwrap_or_default();
        self.check_notional(
            (order.account, order.market),
            (order.side, remaining, true),
            price,
            Some(order),
        )
    }

    /// Reduces a resting order, unless that leaves a fraction in a market of whole contracts.
    pub(crate) fn decrease_margin(&mut self, id: Uuid, to: Contracts) -> Result<Order, Rejection> {
        let order = self.orders.get(&id);
        if let Some(market) = order.and_then(|order| self.markets.get(order.market)) {
            check_fraction(market, to)?;
        }
        self.decrease(id, to)
            .ok_or_else(|| Rejection::not_found(""))
    }

    /// Rejects a user who may not trade on margin. As on the exchange, the code contains the user's id.
    pub(crate) fn require_user(&self, user: u32) -> Result<(), Rejection> {
        let user = self.user(user);
        if user.enabled {
            return Ok(());
        }
        Err(Rejection {
            message: Some(format!("user not found: {}", user.id)),
            ..Rejection::bad_request(format!("user_not_found:_{}", user.id), "")
        })
    }

    /// Rejects a bid too far below the best bid, and an ask too far above the best ask.
    fn check_band(&self, market: &Market, side: Side, price: Dollars) -> Result<(), Rejection> {
        let Some((best, _)) = self.best(market, side) else {
            return Ok(());
        };
        let best = best.micros();
        let width = (best / 100 * BAND_PERCENT).max(BAND_TICKS * TICK);
        let is_outside = match side {
            Side::Bid => price.micros() < best - width,
            Side::Ask => price.micros() > best + width,
        };
        match is_outside {
            true => Err(Rejection::bad_request("invalid_price", "")),
            false => Ok(()),
        }
    }

    /// Rejects an order that would exceed the user's notional limit. `replaced` is the order that is being amended, if any.
    fn check_notional(
        &self,
        (account, index): (Account, MarketIndex),
        order: (Side, Contracts, bool),
        price: Dollars,
        replaced: Option<&Order>,
    ) -> Result<(), Rejection> {
        let limit = self
            .margin
            .as_ref()
            .map_or(0, |margin| margin.notional_limit);
        let opening = cost(price, self.opening_count(account, index, order, replaced));
        let before = replaced.map_or(0, |order| cost(order.price, order.remaining));
        let usage = self.notional_usage(account.user, None) - before;
        let grows = cost(price, order.1) > before;
        match opening > 0 && grows && usage.saturating_add(opening) > limit {
            true => Err(Rejection {
                message: Some("NOTIONAL_RISK_LIMIT_EXCEEDED".to_owned()),
                ..Rejection::bad_request("NOTIONAL_RISK_LIMIT_EXCEEDED", "")
            }),
            false => Ok(()),
        }
    }

    /// Rejects an order that requires more margin than is available. Orders that only reduce a position are always accepted. An
    /// amended order is not in the book here.
    pub(in crate::state) fn check_margin_funds(
        &self,
        incoming: &Incoming,
        plan: &Plan,
    ) -> Result<(), Rejection> {
        let Some(market) = self
            .markets
            .get(incoming.market)
            .filter(|_| !incoming.account.is_market_maker())
        else {
            return Ok(());
        };
        if self
            .opening_count(
                incoming.account,
                incoming.market,
                (incoming.side, incoming.count, incoming.rests),
                None,
            )
            .is_zero()
        {
            return Ok(());
        }
        let nothing = Holding::default();
        let before = self
            .ledger
            .holding(incoming.account, incoming.market)
            .unwrap_or(&nothing);
        let mut after = before.clone();
        let mut paid = 0;
        for (_, price, count) in plan.matches() {
            let fee = market.taker_fee(*price, *count);
            let booked = after.book_margin((incoming.side, *price, *count), fee, self.now);
            paid += fee - booked.realized;
        }
        let rests = incoming.rests && !plan.stopped && !plan.unmatched.is_zero();
        let funding = OrderFunding {
            unit_price: market.reserve_per_contract(incoming.side, incoming.limit),
            count: plan.unmatched,
            fees: market.maker_fee(incoming.limit, plan.unmatched),
            notional: 0,
        };
        let rank = Rank::new(incoming.side, incoming.limit, u64::MAX);
        let removed = self.self_trade_ranks(plan, incoming.account);
        let hypothetical = Hypothetical {
            position: after.position - before.position,
            added: rests.then_some((incoming.side, rank, funding)),
            removed: &removed,
        };
        let reserved = before.funding(hypothetical) - before.reserved();
        let balance = self.balance_with_holding(incoming.account, Some((incoming.market, &after)));
        match balance.available() - reserved - paid < 0 {
            true => Err(Rejection {
                message: Some("INSUFFICIENT_BALANCE".to_owned()),
                ..Rejection::bad_request("INSUFFICIENT_BALANCE", "")
            }),
            false => Ok(()),
        }
    }
}

/// Checks price and count of an order.
fn check(market: &Market, price: Dollars, count: Contracts) -> Result<(), Rejection> {
    if price.micros() % TICK != 0 {
        let digits = if price.micros() % 10 == 0 { 5 } else { 6 };
        return Err(Rejection::bad_request(
            "invalid_order",
            format!("invalid price: invalid dollar precision: -{digits}"),
        ));
    }
    if price <= Dollars::ZERO || price > MAX_PRICE {
        return Err(Rejection::bad_request("invalid_price", ""));
    }
    check_fraction(market, count)?;
    if count <= Contracts::ZERO || count > MAX_COUNT {
        return Err(Rejection::bad_request("invalid_order", "invalid count"));
    }
    Ok(())
}

/// Rejects a fraction of a contract in a market of whole contracts.
fn check_fraction(market: &Market, count: Contracts) -> Result<(), Rejection> {
    let fractional = market.perp.as_ref().is_some_and(|perp| perp.fractional);
    match fractional || count.hundredths() % 100 == 0 {
        true => Ok(()),
        false => Err(Rejection::bad_request(
            "invalid_order",
            "invalid count: must be whole",
        )),
    }
}
