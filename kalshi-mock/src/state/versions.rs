//! Earlier states of orders and groups, for reads that lag.

use std::{borrow::Cow, collections::HashMap};

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{
    Group, State,
    order::{Order, Status},
};
use crate::time::{Micros, SECOND};

/// Time for which the margin exchange keeps earlier states even without a fault.
const MARGIN_LAG: Micros = 60 * SECOND;

/// Earlier states, oldest first, each with the time since which it was valid.
type History<T> = Vec<(Micros, T)>;

/// Earlier states of orders and groups.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Longest lag of a read, or `None` if no states are kept.
    lag: Option<Micros>,
    orders: HashMap<Uuid, History<OrderVersion>>,
    /// Limit, and true if the group accepts orders.
    groups: HashMap<Uuid, History<(Contracts, bool)>>,
}

/// The fields of an order that change.
#[derive(Clone, Copy, Debug)]
struct OrderVersion {
    price: Dollars,
    filled: Contracts,
    remaining: Contracts,
    status: Status,
    reason: &'static str,
}

impl Versions {
    /// Returns the versions of the margin exchange, which are kept before a fault is injected.
    pub(super) fn of_margin() -> Self {
        Self {
            lag: Some(MARGIN_LAG),
            ..Self::default()
        }
    }

    fn keep_order(&mut self, order: &Order, now: Micros) {
        let Some(lag) = self.lag else { return };
        let version = OrderVersion {
            price: order.price,
            filled: order.filled,
            remaining: order.remaining,
            status: match order.status {
                Status::Resting if order.remaining.is_zero() => Status::Executed,
                status => status,
            },
            reason: order.reason,
        };
        let versions = self.orders.entry(order.id).or_default();
        push(versions, (order.updated, version), now.saturating_sub(lag));
    }

    fn keep_group(&mut self, id: Uuid, group: &Group, (since, now): (Micros, Micros)) {
        let Some(lag) = self.lag else { return };
        let versions = self.groups.entry(id).or_default();
        let version = (since, (group.limit, group.armed));
        push(versions, version, now.saturating_sub(lag));
    }

    pub(super) fn forget_order(&mut self, id: Uuid) {
        self.orders.remove(&id);
    }

    pub(super) fn forget_group(&mut self, id: Uuid) {
        self.groups.remove(&id);
    }
}

/// Adds a version. Drops those that were replaced by `oldest`, the earliest time that a read can show.
fn push<T>(versions: &mut History<T>, version: (Micros, T), oldest: Micros) {
    versions.push(version);
    let later = versions.iter().skip(1);
    let replaced = later.take_while(|(since, _)| *since <= oldest).count();
    versions.drain(..replaced);
}

/// Returns the version that was valid at a time. The first one also counts for the time before it.
fn version_at<T>(versions: Option<&History<T>>, time: Micros) -> Option<&(Micros, T)> {
    let versions = versions?;
    let valid = versions.iter().rev().find(|(since, _)| *since <= time);
    valid.or(versions.first())
}

impl State {
    /// Keeps earlier states of orders and groups from now on, for reads that lag by up to `lag`.
    pub(crate) fn keep_versions(&mut self, lag: Micros) {
        let before = self.versions.lag;
        self.versions.lag = before.max(Some(lag));
        if before.is_some() {
            return;
        }
        let mut versions = std::mem::take(&mut self.versions);
        for order in self.orders.values() {
            if !self.is_unlisted(order.account) {
                versions.keep_order(order, self.now);
            }
        }
        for (id, group) in &self.groups {
            versions.keep_group(*id, group, (group.created, self.now));
        }
        self.versions = versions;
    }

    /// Drops the earlier states that are kept for a fault.
    pub(crate) fn drop_versions(&mut self) {
        match self.margin {
            Some(_) => self.versions.lag = Some(MARGIN_LAG),
            None => self.versions = Versions::default(),
        }
    }

    /// Keeps the current state of an order, if reads may lag.
    pub(super) fn keep_order_version(&mut self, id: Uuid) {
        if let Some(order) = self.orders.get(&id) {
            self.versions.keep_order(order, self.now);
        }
    }

    /// Keeps the current state of a group, if reads may lag.
    pub(super) fn keep_group_version(&mut self, id: Uuid) {
        if let Some(group) = self.groups.get(&id) {
            self.versions.keep_group(id, group, (self.now, self.now));
        }
    }

    /// Returns an order as of a time, or `None` if it did not exist. Changes from before versions were kept are always visible.
    /// Without a time, returns the current state.
    pub(crate) fn order_as_of<'a>(
        &self,
        order: &'a Order,
        time: Option<Micros>,
    ) -> Option<Cow<'a, Order>> {
        if time.is_some_and(|time| order.created > time) {
            return None;
        }
        let version = time.and_then(|time| version_at(self.versions.orders.get(&order.id), time));
        let Some((since, version)) = version else {
            return Some(Cow::Borrowed(order));
        };
        Some(Cow::Owned(Order {
            updated: *since,
            price: version.price,
            filled: version.filled,
            remaining: version.remaining,
            status: version.status,
            reason: version.reason,
            ..order.clone()
        }))
    }

    /// Returns the limit of a group, and true if it accepts orders, as of a time. Without a time, returns the current values.
    pub(crate) fn group_as_of(
        &self,
        (id, group): (Uuid, &Group),
        time: Option<Micros>,
    ) -> (Contracts, bool) {
        let version = time.and_then(|time| version_at(self.versions.groups.get(&id), time));
        version.map_or((group.limit, group.armed), |(_, version)| *version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Account, Side};

    /// Changes an order in each microsecond and returns the number of versions that are kept.
    fn changed(state: &mut State, id: Uuid) -> usize {
        for _ in 0..100 {
            state.now += 1;
            if let Some(order) = state.orders.get_mut(&id) {
                order.updated = state.now;
            }
            state.keep_order_version(id);
        }
        state.versions.orders.get(&id).map_or(0, Vec::len)
    }

    #[test]
    fn versions_are_kept_for_the_longest_lag_until_faults_are_cleared() {
        let account = Account {
            user: 1,
            subaccount: 0,
        };
        let (price, count) = (Dollars::ZERO, Contracts::ZERO);
        let order = Order::new((Uuid::nil(), 1), (account, 0), (Side::Bid, price, count), 0);
        let id = order.id;
        let mut state = State::new(1, 0);
        state.orders.insert(id, order.clone());
        assert_eq!(changed(&mut state, id), 0);
        state.keep_versions(10);
        assert_eq!(changed(&mut state, id), 11);
        let as_of = |time| {
            state
                .order_as_of(&order, Some(time))
                .map(|order| order.updated)
        };
        assert_eq!((as_of(190), as_of(200)), (Some(190), Some(200)));
        assert_eq!(as_of(1), Some(190), "earlier versions were dropped");
        assert_eq!(as_of(-1), None);
        state.keep_versions(5);
        assert_eq!(changed(&mut state, id), 11, "the longest lag counts");
        state.drop_versions();
        assert_eq!(changed(&mut state, id), 0);
    }
}
