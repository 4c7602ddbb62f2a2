//! Routing of one `sid`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::ws::{api::Targets, event::SubscriptionId, sequence::Sequence};

/// Routing of a `sid`, the exchange's number for one or several subscriptions on the current socket.
#[derive(Default)]
pub(super) struct Route {
    pub(super) channel: Arc<str>,
    /// Kind of target by which its subscriptions select messages.
    pub(super) targets: Option<&'static Targets>,
    /// Targets that no subscription selects, because a command of the user added them: those that the last acknowledgement lists, or
    /// those with a snapshot if none had a list.
    pub(super) extra: BTreeSet<String>,
    /// An acknowledgement has listed the targets.
    pub(super) is_listed: bool,
    /// Targets whose removal has been requested and not answered. The exchange may have removed them.
    pub(super) removing: BTreeMap<String, Removal>,
    /// Targets that were not added with a chunk because their own subscription is removing them.
    pub(super) left_out: BTreeSet<String>,
    /// A removal has been requested.
    pub(super) has_removals: bool,
    /// Targets whose requested snapshot did not arrive. They are requested after all others.
    pub(super) silent: BTreeSet<String>,
    pub(super) sequence: Sequence<Arc<str>>,
    pub(super) subscriptions: Vec<SubscriptionId>,
    pub(super) queues: Vec<u64>,
}

/// A request to remove a target.
#[derive(Clone, Copy)]
pub(super) struct Removal {
    /// Id of the command.
    pub(super) id: u64,
    pub(super) subscription: SubscriptionId,
}

impl Route {
    /// Forgets the removals of these targets that the reply to command `id` answers or makes obsolete. Returns their targets.
    pub(super) fn end_removals(&mut self, id: u64, targets: &[String]) -> Vec<String> {
        let mut ended = Vec::new();
        for target in targets {
            if self
                .removing
                .get(target)
                .is_some_and(|removal| removal.id <= id)
            {
                ended.extend(self.removing.remove_entry(target).map(|(target, _)| target));
            }
        }
        ended
    }

    /// Forgets the removals of these targets after the reply to command `id` acknowledged their addition or removal.
    pub(super) fn acknowledged(&mut self, id: u64, targets: &[String]) {
        self.end_removals(id, targets);
        self.left_out.retain(|target| !targets.contains(target));
    }

    /// Returns `true` if the target is being removed from this subscription.
    pub(super) fn is_removing(&self, subscription: SubscriptionId, target: &str) -> bool {
        let removal = self.removing.get(target);
        removal.is_some_and(|removal| removal.subscription == subscription)
    }

    /// Leaves out targets that this subscription is itself removing. Targets that another subscription is removing are still added, because
    /// their removal was sent first.
    pub(super) fn leave_out_removals(
        &mut self,
        subscription: SubscriptionId,
        targets: &mut Vec<String>,
    ) {
        let removed = targets.extract_if(.., |target| self.is_removing(subscription, target));
        let removed: Vec<_> = removed.collect();
        self.left_out.extend(removed);
    }
}
