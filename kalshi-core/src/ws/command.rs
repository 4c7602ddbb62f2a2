//! Commands to a connection, and the channels on which they are answered.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    api::Targets, envelope::Envelope, error::ConnectionError, event::SubscriptionId,
    queue::EventQueue,
};

/// Where the result of a command goes.
pub(super) type ReplySender<T> = oneshot::Sender<Result<T, ConnectionError>>;

/// A reply to a command, not decoded yet.
#[derive(Clone, Debug)]
pub(super) struct RawReply {
    pub(super) text: Arc<str>,
    pub(super) envelope: Envelope,
}

/// A command to a connection.
pub(super) enum Command {
    Subscribe {
        channel: String,
        targets: &'static Targets,
        params: Map<String, Value>,
        /// Queue of its own, or `None` for that of the connection.
        queue: Option<EventQueue>,
        reply: ReplySender<SubscriptionId>,
    },
    Change {
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        reply: ReplySender<()>,
    },
    Snapshot {
        subscription: SubscriptionId,
        targets: Vec<String>,
        reply: ReplySender<Vec<RawReply>>,
    },
    /// The same, by the exchange's own number.
    SnapshotBySid {
        sid: u64,
        targets: Vec<String>,
        reply: ReplySender<Vec<RawReply>>,
    },
    Unsubscribe {
        subscription: SubscriptionId,
        reply: Option<ReplySender<()>>,
    },
    Other {
        name: String,
        params: Option<Value>,
        reply: ReplySender<RawReply>,
    },
}

impl Command {
    /// Returns `true` if the caller of a command that waits for its subscription has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Change { reply, .. } => reply.is_closed(),
            Self::Snapshot { reply, .. } => reply.is_closed(),
            _ => false,
        }
    }
}

/// How the targets of a subscription change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Remove,
}
