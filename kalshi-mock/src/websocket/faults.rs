//! Faults injected into one connection.

/// Faults to apply to the next messages that have a sequence number.
#[derive(Debug, Default)]
pub(super) struct FrameFaults {
    /// Number of messages to drop.
    pub(super) drop: u32,
    /// Number of messages to send twice.
    pub(super) repeat: u32,
    pub(super) swap: Swap,
    /// Number of snapshots to withhold. They do not use up sequence numbers.
    pub(super) withhold: u32,
    /// Number of additions of markets to reject with error 25.
    pub(super) reject_additions: u32,
}

/// Progress of swapping two messages of one subscription.
#[derive(Debug, Default)]
pub(super) enum Swap {
    #[default]
    None,
    /// The next message is held back.
    Pending,
    /// The message held back, with its subscription id. It follows the next message of that subscription.
    Held(u64, String),
}
