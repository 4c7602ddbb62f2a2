//! Exit triggers as records. They never fire.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::Margin;
use crate::{
    Rejection,
    state::{Account, MarketIndex, State},
    time::Micros,
};

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

/// An exit trigger.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) id: Uuid,
    pub(crate) new: NewTrigger,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
}

impl State {
    /// Sets a trigger. It replaces one of the same kind on an isolated position, and one of the same client trigger id.
    pub(crate) fn set_trigger(&mut self, new: NewTrigger) -> Result<Trigger, Rejection> {
        let (id, number, now) = (self.id(), self.next(), self.now);
        let margin = self.margin.as_mut().ok_or_else(no_trigger)?;
        margin.triggers.retain(|_, other| {
            let same_place = other.new.account == new.account
                && other.new.market == new.market
                && other.new.isolated == new.isolated;
            let same = match new.isolated {
                true => other.new.kind == new.kind,
                false => {
                    new.client_trigger_id.is_some()
                        && other.new.client_trigger_id == new.client_trigger_id
                }
            };
            !(same_place && same)
        });
        let trigger = Trigger {
            id,
            new,
            created: now,
            updated: now,
        };
        margin.triggers.insert(number, trigger.clone());
        Ok(trigger)
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
            .ok_or_else(no_trigger)?;
        let known = &mut trigger.new.prices;
        known.stop_loss = prices.stop_loss.or(known.stop_loss);
        known.take_profit = prices.take_profit.or(known.take_profit);
        trigger.updated = now;
        Ok(trigger.clone())
    }

    /// Deletes the triggers that `is_it` selects. Returns false if there are none.
    pub(crate) fn delete_triggers(&mut self, is_it: impl Fn(&Trigger) -> bool) -> bool {
        let Some(margin) = &mut self.margin else {
            return false;
        };
        let before = margin.triggers.len();
        margin.triggers.retain(|_, trigger| !is_it(trigger));
        margin.triggers.len() < before
    }
}

fn triggers_mut(margin: &mut Margin) -> impl Iterator<Item = &mut Trigger> {
    margin.triggers.values_mut()
}

pub(crate) fn no_trigger() -> Rejection {
    Rejection::not_found("no such exit trigger")
}
