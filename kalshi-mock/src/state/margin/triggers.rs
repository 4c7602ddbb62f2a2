//! Exit triggers, which are stored but never fire.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::Margin;
use crate::{
    Rejection,
    state::{Account, MarketIndex, State, Status},
    time::Micros,
};

/// Maximum number of brackets per position.
const MAX_BRACKETS: usize = 20;
const TRAILING: &str = "trailing";

/// Prices of a trigger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TriggerPrices {
    pub(crate) stop_loss: Option<Dollars>,
    pub(crate) take_profit: Option<Dollars>,
    pub(crate) trail_amount: Option<Dollars>,
    pub(crate) trail_bps: Option<i64>,
}

/// A trigger to create.
#[derive(Clone, Debug)]
pub(crate) struct NewTrigger {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    /// True for an isolated position.
    pub(crate) isolated: bool,
    /// `bracket` or `trailing`.
    pub(crate) kind: String,
    pub(crate) prices: TriggerPrices,
    pub(crate) count: Contracts,
    pub(crate) anchor: Option<String>,
    pub(crate) client_trigger_id: Option<String>,
}

/// A stored exit trigger.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) id: Uuid,
    pub(crate) new: NewTrigger,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
}

impl State {
    /// Sets a trigger. On an isolated position it replaces the trigger of the same kind. On other positions, a trailing stop
    /// replaces the trailing stop. A bracket replaces the trigger with its client trigger id, or the bracket without an id if it
    /// has none.
    pub(crate) fn set_trigger(&mut self, new: NewTrigger) -> Result<Trigger, Rejection> {
        self.check_anchor(&new)?;
        let (id, number, now) = (self.new_id(), self.next_number(), self.now);
        let margin = self.margin.as_mut().ok_or_else(trigger_not_found)?;
        let is_replaced = |other: &NewTrigger| {
            let same_kind = other.kind == new.kind;
            let same_id = other.client_trigger_id == new.client_trigger_id;
            match new.isolated || new.kind == TRAILING {
                true => same_kind,
                false => same_id && (same_kind || new.client_trigger_id.is_some()),
            }
        };
        let same_position = |other: &NewTrigger| {
            (other.account, other.market, other.isolated) == (new.account, new.market, new.isolated)
        };
        let is_kept = |trigger: &Trigger| {
            let other = &trigger.new;
            same_position(other) && other.kind != TRAILING && !is_replaced(other)
        };
        let others = margin.triggers.values().filter(|trigger| is_kept(trigger));
        if new.kind != TRAILING && others.count() >= MAX_BRACKETS {
            return Err(Rejection::invalid("the position already has 20 brackets"));
        }
        let is_removed = |other: &NewTrigger| same_position(other) && is_replaced(other);
        margin.triggers.retain(|_, other| !is_removed(&other.new));
        let trigger = Trigger {
            id,
            new,
            created: now,
            updated: now,
        };
        margin.triggers.insert(number, trigger.clone());
        Ok(trigger)
    }

    /// Rejects a trigger that is anchored to anything but a resting order of its account in its market.
    fn check_anchor(&self, new: &NewTrigger) -> Result<(), Rejection> {
        let Some(anchor) = &new.anchor else {
            return Ok(());
        };
        let order = Uuid::parse_str(anchor).ok();
        let order = order.and_then(|id| self.orders.get(&id));
        match order.is_some_and(|order| {
            order.account == new.account
                && order.market == new.market
                && order.status == Status::Resting
        }) {
            true => Ok(()),
            false => Err(Rejection::conflict("anchor_order_unavailable", "")),
        }
    }

    /// Returns the triggers of a position, newest first.
    pub(crate) fn triggers_of(
        &self,
        account: Account,
        market: MarketIndex,
        isolated: bool,
    ) -> impl Iterator<Item = &Trigger> {
        let all = self
            .margin
            .iter()
            .flat_map(|margin| margin.triggers.values().rev());
        all.filter(move |trigger| {
            trigger.new.account == account
                && trigger.new.market == market
                && trigger.new.isolated == isolated
        })
    }

    /// Changes the prices of a trigger.
    pub(crate) fn update_trigger(
        &mut self,
        account: Account,
        id: Option<Uuid>,
        prices: TriggerPrices,
    ) -> Result<Trigger, Rejection> {
        let now = self.now;
        let triggers = self.margin.iter_mut().flat_map(triggers_mut);
        let trigger = triggers
            .filter(|trigger| trigger.new.account == account && Some(trigger.id) == id)
            .last()
            .ok_or_else(trigger_not_found)?;
        let current = &mut trigger.new.prices;
        current.stop_loss = prices.stop_loss.or(current.stop_loss);
        current.take_profit = prices.take_profit.or(current.take_profit);
        trigger.updated = now;
        Ok(trigger.clone())
    }

    /// Deletes the triggers that pass `filter`. Returns false if there are none.
    pub(crate) fn delete_triggers(&mut self, filter: impl Fn(&Trigger) -> bool) -> bool {
        let Some(margin) = &mut self.margin else {
            return false;
        };
        let before = margin.triggers.len();
        margin.triggers.retain(|_, trigger| !filter(trigger));
        margin.triggers.len() < before
    }
}

fn triggers_mut(margin: &mut Margin) -> impl Iterator<Item = &mut Trigger> {
    margin.triggers.values_mut()
}

pub(crate) fn trigger_not_found() -> Rejection {
    Rejection::not_found("no such exit trigger")
}
