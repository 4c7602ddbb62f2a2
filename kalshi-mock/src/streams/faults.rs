//! Faults that a test has injected into one connection.

/// Faults to apply to the next messages that have a sequence number.
#[derive(Debug, Default)]
pub(super) struct StreamFaults {
    /// Number of messages to drop.
    pub(super) drop: u32,
    /// Number of messages to send twice.
    pub(super) repeat: u32,
    pub(super) swap: Swap,
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
