//! Options of a connection.

use std::time::Duration;

use super::reconnect::ReconnectPolicy;

/// Options of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Maximum time without a frame before the connection is considered dead.
    pub(super) idle_timeout: Duration,
    /// Timeout of a handshake and of the reply to a command.
    pub(super) command_timeout: Duration,
    /// Maximum size of a message, in bytes.
    pub(super) max_message_bytes: usize,
    /// Maximum number of queued message bytes per reader.
    pub(super) max_queued_bytes: usize,
    pub(super) reconnect: ReconnectPolicy,
    /// Messages keep the JSON of their frame.
    pub(super) keep_raw: bool,
}
