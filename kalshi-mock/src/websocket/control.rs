//! [`WebSockets`], which inspects open WebSocket connections and injects faults into them.

use std::{fmt, sync::Arc};

use super::{
    error::CommandError, faults::Swap, hub::HandshakeRejection, outbox::Outgoing, socket::Socket,
};
use crate::{pipeline, shared::Shared};

/// The open WebSocket connections of the exchange, and faults to inject into them.
///
/// A fault applies to the connections that are open when it is injected, not to later ones. Frames that are already queued are
/// sent first. A fault in the next messages counts them in the order in which events happen on the exchange.
#[derive(Clone)]
pub struct WebSockets(Arc<Shared>);

impl WebSockets {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.0.hub.count.borrow()
    }

    /// Waits until exactly `connections` connections are open.
    pub async fn wait_for_connections(&self, connections: usize) {
        let mut count = self.0.hub.count.subscribe();
        // The sender is a field of the hub, so this cannot fail.
        _ = count.wait_for(|count| *count == connections).await;
    }

    /// Drops the next `count` messages with a sequence number on each connection. Their numbers are used up, so the client sees a
    /// gap. Acknowledgements are not dropped.
    pub fn drop_frames(&self, count: u32) {
        self.for_each_socket(|socket| socket.faults.drop = count);
    }

    /// Sends the next message with a sequence number twice on each connection. Acknowledgements are not repeated.
    pub fn repeat_frame(&self) {
        self.for_each_socket(|socket| socket.faults.repeat = 1);
    }

    /// Swaps the next two messages with a sequence number on one subscription. The first is held back until the second is sent.
    /// Acknowledgements are not swapped.
    pub fn swap_frames(&self) {
        self.for_each_socket(|socket| socket.faults.swap = Swap::Pending);
    }

    /// Withholds the next `count` order book snapshots on each connection. Commands are still acknowledged, so a subscription that
    /// is merged into an existing one receives only `ok`.
    pub fn withhold_snapshots(&self, count: u32) {
        self.for_each_socket(|socket| socket.faults.withhold = count);
    }

    /// Rejects the next `count` additions of markets on each connection with error 25. The error has the id of the command and no
    /// subscription id. The subscription does not change.
    pub fn reject_additions(&self, count: u32) {
        self.for_each_socket(|socket| socket.faults.reject_additions = count);
    }

    /// Resets the sequence numbers of all subscriptions: the next message has number 1.
    pub fn reset_sequences(&self) {
        self.for_each_socket(|socket| {
            for subscription in socket.subscriptions.values_mut() {
                subscription.reset_seq();
            }
        });
    }

    /// Resets the `clock` of all order books, as after a restart of the exchange.
    pub fn reset_clocks(&self) {
        let mut state = self.0.state();
        for (_, state) in state.instances().states() {
            state.reset_clocks();
        }
    }

    /// Sends `text` as a text frame on each connection, without checking it.
    pub fn send_raw(&self, text: &str) {
        self.for_each_socket(|socket| {
            socket.outbox.push(Outgoing::Text {
                sid: None,
                text: text.to_owned(),
            });
        });
    }

    /// Stops sending, including pings and pongs, until [`resume`](Self::resume). The connection stays open and commands are
    /// executed. Frames are queued.
    pub fn silence(&self) {
        self.for_each_socket(|socket| socket.outbox.connection.set_silent(true));
    }

    /// Sends the frames queued since [`silence`](Self::silence), and resumes sending.
    pub fn resume(&self) {
        self.for_each_socket(|socket| socket.outbox.connection.set_silent(false));
    }

    /// Closes each connection with a code and a reason of up to 123 bytes, after the queued frames. The connection ends when the
    /// client replies, or after 5 seconds.
    pub fn close(&self, code: u16, reason: &str) {
        self.for_each_socket(|socket| {
            socket.outbox.push(Outgoing::Close {
                code,
                reason: reason.to_owned(),
            });
        });
    }

    /// Resets each connection immediately. Queued frames are lost, and no close frame is sent.
    pub fn reset(&self) {
        self.for_each_socket(|socket| {
            socket.outbox.connection.reset();
            socket.outbox.end();
        });
    }

    /// Resets each connection in the middle of the next frame.
    pub fn reset_in_frame(&self) {
        self.for_each_socket(|socket| socket.outbox.break_next());
    }

    /// Ends every subscription with an error and keeps the connections open. Code 10 reports a channel error, and code 25 a client
    /// that reads too slowly.
    pub fn end_subscriptions(&self, code: u8) {
        let text = match code {
            10 => "Channel error",
            25 => "Subscription buffer overflow",
            _ => "injected fault",
        };
        let state = self.0.state();
        let mut inner = self.0.hub.inner();
        for socket in inner.sockets.values_mut() {
            let sids: Vec<u64> = socket.subscriptions.keys().copied().collect();
            for sid in sids {
                socket.end(&state, sid, &CommandError::new(code, text));
            }
        }
    }

    /// Rejects the next `times` handshakes with a status, without checking their signatures. An invalid status becomes 500. A 401
    /// has the code `header_timestamp_expired`.
    pub fn reject_handshakes(&self, status: u16, times: u32) {
        self.reject(status, times, false);
    }

    /// Responds to the next `times` handshakes with a status, which can be 200, and an HTML page, as a proxy does.
    pub fn reject_handshakes_with_html(&self, status: u16, times: u32) {
        self.reject(status, times, true);
    }

    fn reject(&self, status: u16, times: u32, html: bool) {
        self.0.hub.inner().rejections = Some(HandshakeRejection {
            status: pipeline::status_of(status),
            remaining: times,
            html,
        });
    }

    fn for_each_socket(&self, act: impl Fn(&mut Socket)) {
        // Locking the state publishes pending events first.
        drop(self.0.state());
        self.0.hub.inner().sockets.values_mut().for_each(act);
    }
}

impl fmt::Debug for WebSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSockets")
            .field("connections", &self.connections())
            .finish()
    }
}
