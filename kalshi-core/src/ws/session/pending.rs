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

/// Time after which an unanswered chunk is sent again. It doubles each time.
const CHUNK_REPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// Number of times that the timeout of a chunk doubles.
const MAX_DOUBLINGS: u32 = 6;

/// Time after which the next snapshots are requested even if some of the previous ones are missing.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time after which a reply is no longer expected.
const MAX_REPLY_TIME: Duration = Duration::from_secs(600);

/// A command that has not been replied to.
pub(super) enum Pending {
    Subscribe(SubscriptionId),
    Change {
        subscription: SubscriptionId,
        channel: Arc<str>,
        change: Change,
        targets: Vec<String>,
        /// Targets left for further commands.
        rest: Vec<String>,
        reply: Option<ReplySender<()>>,
    },
    Snapshot {
        sid: u64,
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
        sid: u64,
        targets: Vec<String>,
        /// Number of times that the chunk was sent before.
        repeats: u32,
        /// The reply is overdue, and another chunk is repeated first.
        is_postponed: bool,
    },
    Unsubscribe(Option<ReplySender<()>>),
    Other(ReplySender<RawReply>),
    /// A command that was sent again, or whose caller is gone. The reply has no effect, except for an error that ends its subscription.
    Obsolete,
}

/// A command that has not been replied to, and the `sid` in its parameters, if any.
pub(super) struct PendingCommand {
    pub(super) sid: Option<u64>,
    /// The command subscribes to channels that were not open, so it concerns no other subscription.
    pub(super) opens_channels: bool,
    pub(super) pending: Pending,
    pub(super) sent: Instant,
}

impl PendingCommand {
    /// Returns `true` if a frame about this subscription may be the reply.
    pub(super) fn may_concern(&self, sid: Option<u64>) -> bool {
        self.sid.is_none() || sid.is_none() || self.sid == sid
    }

    /// Returns the time at which the session continues without the reply. `None` if it waits for as long as the caller does.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let timeout = match &self.pending {
            Pending::Chunk {
                is_postponed: true, ..
            } => CHUNK_REPLY_TIMEOUT,
            Pending::Chunk { repeats, .. } => {
                CHUNK_REPLY_TIMEOUT * 2_u32.pow(MAX_DOUBLINGS.min(*repeats))
            }
            Pending::Snapshot { unsent, .. } if !unsent.is_empty() => SNAPSHOT_TIMEOUT,
            _ => return None,
        };
        Some(self.sent + timeout)
    }

    /// Returns `true` if an error in reply does not show which subscription has ended.
    pub(super) fn may_concern_all(&self) -> bool {
        let is_general = matches!(self.pending, Pending::Other(_) | Pending::Obsolete);
        is_general && self.sid.is_none() && !self.opens_channels
    }

    /// Drops the data for a caller that is gone. Returns `false` if the reply can no longer arrive.
    pub(super) fn is_expected(&mut self) -> bool {
        if self.pending.is_abandoned() {
            self.pending = Pending::Obsolete;
        }
        self.pending.has_caller() || self.sent.elapsed() <= MAX_REPLY_TIME
    }
}

/// Returns the `sid` in the parameters of a command, if there is exactly one.
pub(super) fn sid_in(params: &Value) -> Option<u64> {
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
            Self::Obsolete => true,
            _ => false,
        }
    }

    /// Returns `true` if a caller or the subscription itself waits for the reply.
    pub(super) fn has_caller(&self) -> bool {
        match self {
            Self::Subscribe(_) | Self::Chunk { .. } => true,
            Self::Change { reply, .. } | Self::Unsubscribe(reply) => {
                reply.as_ref().is_some_and(|reply| !reply.is_closed())
            }
            Self::Snapshot { reply, .. } => !reply.is_closed(),
            Self::Other(reply) => !reply.is_closed(),
            Self::Obsolete => false,
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
            Self::Subscribe(_) | Self::Chunk { .. } | Self::Obsolete => {}
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
