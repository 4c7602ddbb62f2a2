//! Order groups: a limit on the contracts matched in any 15 seconds. Reaching it cancels the orders of the group.

use std::collections::{BTreeSet, VecDeque};

use kalshi_sdk::Contracts;
use uuid::Uuid;

use super::{Account, Shard, State};
use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// Window in which matched contracts are counted.
const WINDOW: Micros = 15 * SECOND;

/// Maximum number of groups per user.
const MAX_GROUPS: usize = 100_000;

/// An order group of an account on one shard.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) account: Account,
    pub(crate) shard: Shard,
    pub(crate) limit: Contracts,
    /// True if the group accepts orders: false from a trigger until a reset.
    pub(crate) armed: bool,
    /// Recent matches: time and hundredths of contracts.
    matched: VecDeque<(Micros, i64)>,
    /// Resting orders of the group.
    pub(crate) orders: BTreeSet<Uuid>,
    /// Sequence number, in order of creation.
    pub(crate) number: u64,
    pub(crate) created: Micros,
}

impl Group {
    /// Returns the hundredths of contracts matched in the 15 seconds before `now`.
    fn matched(&self, now: Micros) -> i64 {
        self.matched
            .iter()
            .filter(|(at, _)| is_in_window(*at, now))
            .map(|(_, count)| count)
            .sum()
    }

    fn is_limit_reached(&self, now: Micros) -> bool {
        self.matched(now) >= self.limit.hundredths()
    }
}

/// Returns true if a match counts. After the clock was set back, matches in the future do not.
fn is_in_window(at: Micros, now: Micros) -> bool {
    at > now - WINDOW && at <= now
}

impl State {
    pub(crate) fn create_group(
        &mut self,
        account: Account,
        shard: Shard,
        limit: Contracts,
    ) -> Result<Uuid, Rejection> {
        if self
            .groups
            .values()
            .filter(|group| group.account.user == account.user)
            .count()
            >= MAX_GROUPS
        {
            return Err(Rejection::bad_request(
                "too_many_order_groups",
                format!("the user already has {MAX_GROUPS}"),
            ));
        }
        let (id, number) = (self.new_id(), self.next_number());
        let group = Group {
            account,
            shard,
            limit,
            armed: true,
            matched: VecDeque::new(),
            orders: BTreeSet::new(),
            number,
            created: self.now,
        };
        self.groups.insert(id, group);
        self.emit_group(id, "created");
        Ok(id)
    }

    /// Returns a group of an account on a shard.
    pub(crate) fn group(
        &self,
        id: Uuid,
        account: Account,
        shard: Shard,
    ) -> Result<&Group, Rejection> {
        self.groups
            .get(&id)
            .filter(|group| group.account == account && group.shard == shard)
            .ok_or_else(|| {
                Rejection::not_found(format!("no order group {id} in this subaccount and shard"))
            })
    }

    /// Triggers a group: cancels its orders and rejects new ones until it is reset.
    pub(crate) fn trigger_group(&mut self, id: Uuid) {
        if self.groups.get(&id).is_some_and(|group| group.armed) {
            self.disarm(id);
            self.emit_group(id, "triggered");
        }
    }

    fn disarm(&mut self, id: Uuid) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.armed = false;
        for order in std::mem::take(&mut group.orders) {
            self.cancel(order);
        }
    }

    /// Resets a group. It counts from zero and accepts orders again.
    pub(crate) fn reset_group(&mut self, id: Uuid) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.matched.clear();
            group.armed = true;
            self.emit_group(id, "reset");
        }
    }

    /// Changes the limit. The group triggers immediately if recent matches reach it.
    pub(crate) fn set_group_limit(&mut self, id: Uuid, limit: Contracts) {
        let now = self.now;
        if let Some(group) = self.groups.get_mut(&id) {
            group.limit = limit;
            let is_limit_reached = group.is_limit_reached(now);
            self.emit_group(id, "limit_updated");
            if is_limit_reached {
                self.trigger_group(id);
            }
        }
    }

    /// Cancels the orders of a group and deletes it.
    pub(crate) fn delete_group(&mut self, id: Uuid) {
        self.disarm(id);
        self.emit_group(id, "deleted");
        self.groups.remove(&id);
        self.versions.forget_group(id);
    }

    /// Returns how many more hundredths of contracts a group may match now.
    pub(super) fn group_allowance(&self, id: Uuid) -> i64 {
        let Some(group) = self.groups.get(&id) else {
            return i64::MAX;
        };
        match group.armed {
            true => (group.limit.hundredths() - group.matched(self.now)).max(0),
            false => 0,
        }
    }

    /// Counts a match and returns true if it reaches the limit.
    pub(super) fn count_group_match(&mut self, id: Uuid, count: Contracts) -> bool {
        let now = self.now;
        let Some(group) = self.groups.get_mut(&id) else {
            return false;
        };
        // Matches in the future would count again when the clock reaches their time.
        group.matched.retain(|(at, _)| is_in_window(*at, now));
        match group.matched.back_mut() {
            Some((at, matched)) if *at == now => *matched += count.hundredths(),
            _ => group.matched.push_back((now, count.hundredths())),
        }
        group.is_limit_reached(now)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn matches_in_the_future_do_not_count() {
        let account = Account {
            user: 1,
            subaccount: 0,
        };
        let mut state = State::new(1, 1_000 * SECOND);
        let group = state.create_group(account, 0, Contracts::from(10)).unwrap();
        let mut matched_at = |seconds: i64, count: i32| {
            state.now = seconds * SECOND;
            let triggers = state.count_group_match(group, Contracts::from(count));
            (triggers, state.group_allowance(group))
        };
        assert_eq!(matched_at(1_000, 6), (false, 400));
        assert_eq!(matched_at(1_016, 6), (false, 400));
        assert_eq!(
            matched_at(1_010, 0),
            (false, 1_000),
            "the clock was set back"
        );
        assert_eq!(matched_at(1_010, 7), (false, 300));
        assert_eq!(
            matched_at(1_016, 0),
            (false, 300),
            "only the last match counts"
        );
        assert_eq!(matched_at(1_016, 3), (true, 0));
    }
}
