//! Commands that are waiting for their reply.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::ws::{
    api::Targets,
    command::{Change, RawReply, ReplySender},
    error::ConnectionError,
    event::SubscriptionId,
};

/// Time after which the session sends an unanswered command again. It doubles with each repeat of a chunk.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for the reply to the last attempt to make a subscription after an earlier one was rejected.
pub(super) const LAST_REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Number of times that the timeout of a chunk doubles.
const MAX_DOUBLINGS: u32 = 6;

/// Time after which the next snapshots are requested even if some of the previous ones are missing.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time after which a reply is no longer expected.
const MAX_REPLY_TIME: Duration = Duration::from_secs(600);

/// A command that has not been replied to.
pub(super) enum Pending {
    /// An attempt to make a subscription. A reply to an earlier attempt makes it too.
    Subscribe {
        subscription: SubscriptionId,
        /// Targets of the command.
        requested: Arc<[String]>,
    },
    Change {
        subscription: SubscriptionId,
        channel: Arc<str>,
        change: Change,
        targets: Vec<String>,
        /// Targets left for further commands.
        rest: Vec<String>,
        /// Targets for which a later, opposite change has already been made.
        superseded: Vec<String>,
        reply: Option<ReplySender<()>>,
    },
    Snapshot {
        names: &'static Targets,
        missing: BTreeSet<String>,
        /// Targets to request once the missing snapshots have arrived.
        unsent: Vec<String>,
        snapshots: Vec<RawReply>,
        reply: ReplySender<Vec<RawReply>>,
    },
    /// A chunk of a subscription.
    Chunk {
        subscription: SubscriptionId,
        targets: Vec<String>,
        /// Number of times that the chunk was sent before.
        repeats: u32,
        /// The reply is overdue, and another chunk is repeated first.
        is_postponed: bool,
    },
    Unsubscribe(Option<ReplySender<()>>),
    Other(ReplySender<RawReply>),
    /// A command that was sent again, or whose caller is gone. The reply has no effect, except for an error that ends its subscription. If it
    /// acknowledges targets that the subscription no longer selects, they are removed again.
    Obsolete(Option<(SubscriptionId, Arc<[String]>)>),
}

/// A command that has not been replied to.
pub(super) struct PendingCommand {
    pub(super) scope: CommandScope,
    pub(super) pending: Pending,
    pub(super) sent: Instant,
}

/// The subscriptions that a command may concern.
pub(super) enum CommandScope {
    /// The one with this `sid`.
    Sid(u64),
    /// One that has ended. The exchange may have given its `sid` to another one.
    Ended,
    /// Those to these channels.
    Channels(Vec<String>),
    All,
}

impl CommandScope {
    /// Returns the scope of a command with these parameters.
    pub(super) fn new(name: &str, params: Option<&Value>) -> Self {
        let Some(params) = params else {
            return Self::All;
        };
        if name == "subscribe" {
            let channels = params["channels"].as_array().into_iter().flatten();
            return Self::Channels(
                channels
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            );
        }
        sid_in(params).map_or(Self::All, Self::Sid)
    }
}

impl PendingCommand {
    /// Returns the `sid` of the command's subscription, unless it has ended.
    pub(super) fn sid(&self) -> Option<u64> {
        match self.scope {
            CommandScope::Sid(sid) => Some(sid),
            _ => None,
        }
    }

    /// Returns `true` for an attempt to make this subscription.
    pub(super) fn subscribes(&self, id: SubscriptionId) -> bool {
        matches!(self.pending, Pending::Subscribe { subscription, .. } if subscription == id)
    }

    /// Returns `true` if a frame about this subscription may be the reply.
    pub(super) fn may_concern(&self, sid: Option<u64>) -> bool {
        self.sid().is_none() || sid.is_none() || self.sid() == sid
    }

    /// Returns the time at which the session continues without the reply. `None` if it waits for as long as the caller does.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let timeout = match &self.pending {
            Pending::Chunk {
                is_postponed: true, ..
            } => REPLY_TIMEOUT,
            Pending::Chunk { repeats, .. } => {
                REPLY_TIMEOUT * 2_u32.pow(MAX_DOUBLINGS.min(*repeats))
            }
            Pending::Snapshot { unsent, .. } if !unsent.is_empty() => SNAPSHOT_TIMEOUT,
            _ => return None,
        };
        Some(self.sent + timeout)
    }

    /// Drops the data for a caller that is gone. Returns `false` if the reply can no longer arrive.
    pub(super) fn is_expected(&mut self) -> bool {
        if self.pending.is_abandoned() {
            self.pending.make_obsolete();
        }
        self.pending.has_caller() || self.sent.elapsed() <= MAX_REPLY_TIME
    }
}

/// Returns the `sid` in the parameters of a command, if there is exactly one.
fn sid_in(params: &Value) -> Option<u64> {
    match params["sids"].as_array().map(Vec::as_slice) {
        Some([sid]) => sid.as_u64(),
        _ => params["sid"].as_u64(),
    }
}

impl Pending {
    /// Returns `true` if a successful reply would have no effect.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Snapshot { reply, .. } => reply.is_closed(),
            Self::Other(reply) => reply.is_closed(),
            Self::Obsolete(_) => true,
            _ => false,
        }
    }

    /// Keeps only the targets that the command may still add. Returns the rest of its data.
    pub(super) fn make_obsolete(&mut self) -> Self {
        let added = match self {
            Self::Subscribe {
                subscription,
                requested,
            } => Some((*subscription, Arc::clone(requested))),
            Self::Chunk {
                subscription,
                targets,
                ..
            } => Some((*subscription, targets.clone().into())),
            Self::Obsolete(added) => added.take(),
            _ => None,
        };
        std::mem::replace(self, Self::Obsolete(added))
    }

    /// Returns `true` if a caller waits for the reply, or a subscription for the reply to its chunk. A subscription does not wait for the
    /// reply to `subscribe`: it makes another attempt.
    pub(super) fn has_caller(&self) -> bool {
        match self {
            Self::Chunk { .. } => true,
            Self::Change { reply, .. } | Self::Unsubscribe(reply) => {
                reply.as_ref().is_some_and(|reply| !reply.is_closed())
            }
            Self::Snapshot { reply, .. } => !reply.is_closed(),
            Self::Other(reply) => !reply.is_closed(),
            Self::Subscribe { .. } | Self::Obsolete(_) => false,
        }
    }

    /// Returns `true` for a chunk whose reply is overdue.
    pub(super) fn is_postponed(&self) -> bool {
        matches!(
            self,
            Self::Chunk {
                is_postponed: true,
                ..
            }
        )
    }

    /// Returns `true` if an error without an id may be the reply.
    pub(super) fn may_fail(&self) -> bool {
        !self.is_abandoned() && !self.is_postponed()
    }

    pub(super) fn fail(self, error: ConnectionError) {
        // The caller may be gone.
        match self {
            Self::Subscribe { .. } | Self::Chunk { .. } | Self::Obsolete(_) => {}
            Self::Change { reply, .. } | Self::Unsubscribe(reply) => {
                _ = reply.map(|reply| reply.send(Err(error)));
            }
            Self::Snapshot { reply, .. } => _ = reply.send(Err(error)),
            Self::Other(reply) => _ = reply.send(Err(error)),
        }
    }
}

/// Reports success to the caller, if one is waiting.
pub(super) fn done(reply: Option<ReplySender<()>>) {
    _ = reply.map(|reply| reply.send(Ok(())));
}
