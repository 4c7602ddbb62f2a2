//! Commands that wait until their subscription has a `sid`.

use super::Session;
use crate::ws::{
    command::{Change, Command},
    error::ConnectionError,
    event::SubscriptionId,
};

impl Session {
    /// Queues a command until its subscription has a `sid`, and removes queued commands whose caller is gone.
    pub(super) fn wait(&mut self, command: Command) {
        self.waiting.retain(|waiting| !waiting.is_abandoned());
        // Acknowledged changes are older than those that were not sent.
        let index = match command.is_acknowledged() {
            true => self
                .waiting
                .iter()
                .take_while(|waiting| waiting.is_acknowledged())
                .count(),
            false => self.waiting.len(),
        };
        self.waiting.insert(index, command);
    }

    pub(super) fn resume_waiting(&mut self) {
        for command in std::mem::take(&mut self.waiting) {
            if !command.is_abandoned() {
                self.command(command);
            }
        }
    }

    /// Completes the waiting commands that add targets to a subscription that was just made with them.
    pub(super) fn complete_waiting(&mut self, id: SubscriptionId) {
        let Some(tracked) = self.subscriptions.get(&id) else {
            return;
        };
        let is_done = |command: &Command| match command {
            Command::Change {
                subscription,
                change: Change::Add,
                targets,
                ..
            } => {
                *subscription == id
                    && targets
                        .iter()
                        .all(|target| tracked.selected.contains(target))
            }
            _ => false,
        };
        let (completed, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(is_done);
        self.waiting = waiting;
        for command in completed {
            if let Command::Change { reply, .. } = command {
                _ = reply.send(Ok(()));
            }
        }
    }

    /// Fails the waiting commands that add targets to a subscription.
    pub(super) fn fail_waiting(&mut self, id: SubscriptionId, error: &ConnectionError) {
        for command in std::mem::take(&mut self.waiting) {
            match command {
                Command::Change {
                    subscription,
                    change: Change::Add,
                    reply,
                    ..
                } if subscription == id => _ = reply.send(Err(error.clone())),
                command => self.waiting.push(command),
            }
        }
    }
}
