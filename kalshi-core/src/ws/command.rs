//! Commands to a connection, and the channels that return their results.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    api::Targets, envelope::Envelope, error::ConnectionError, event::SubscriptionId,
    queue::EventQueue,
};

/// The first acknowledgement of a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) id: SubscriptionId,
    /// The exchange's number for the subscription on that socket.
    pub(super) sid: u64,
    /// Number of the socket, from 1. Each starts with an `Event::Connected`.
    pub(super) socket: u64,
}

/// Channel that returns the result of a command.
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
        /// The subscription's own queue, or `None` for that of the connection.
        queue: Option<EventQueue>,
        reply: ReplySender<Made>,
    },
    Change {
        subscription: SubscriptionId,
        change: Change,
        targets: Vec<String>,
        /// The exchange has acknowledged the change on a subscription that was made again since, so it is made again even without its caller.
        is_acknowledged: bool,
        reply: ReplySender<()>,
    },
    Snapshot {
        subscription: SubscriptionId,
        targets: Vec<String>,
        reply: ReplySender<Vec<RawReply>>,
    },
    /// Like `Snapshot`, with the subscription given by the exchange's number.
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
    /// Returns `true` if a command that waits for its subscription has no effect, because its caller is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Change {
                is_acknowledged,
                reply,
                ..
            } => !is_acknowledged && reply.is_closed(),
            Self::Snapshot { reply, .. } => reply.is_closed(),
            _ => false,
        }
    }

    /// Returns `true` for a change that the exchange acknowledged for a subscription that has ended.
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(
            self,
            Self::Change {
                is_acknowledged: true,
                ..
            }
        )
    }
}

/// A change to the targets of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Remove,
}
