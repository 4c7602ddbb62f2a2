//! `Streams`: the open sockets, and what a test can do to them.

use std::{fmt, sync::Arc};

use super::{
    Hub,
    outbox::Outgoing,
    refusals::Refused,
    socket::{Socket, Swap},
};
use crate::{gate, shared::Shared};

/// The open sockets of the exchange, and what is to go wrong with them.
///
/// Everything strikes all sockets that are open, and none that is opened later. Frames that already wait to be sent come first.
/// What is said of the next messages counts those from now on, in the order in which things happen on the exchange.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

impl Streams {
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How many sockets are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.0.hub.count.borrow()
    }

    /// Until so many sockets are open.
    pub async fn until_connected(&self, connections: usize) {
        let mut count = self.0.hub.count.subscribe();
        // An error would be that nobody can tell any more: this does.
        _ = count.wait_for(|count| *count == connections).await;
    }

    /// The next so many numbered messages of each socket are lost: their numbers are used, and a gap is seen. Answers to commands
    /// are not lost.
    pub fn drop_frames(&self, count: u32) {
        self.each(|socket| socket.mischief.lost = count);
    }

    /// The next numbered message of each socket comes twice, with the same number. Answers to commands do not.
    pub fn repeat_frame(&self) {
        self.each(|socket| socket.mischief.twice = 1);
    }

    /// The next two numbered messages of one subscription come the later first. The first of them waits for the second. Answers to
    /// commands keep their place.
    pub fn swap_frames(&self) {
        self.each(|socket| socket.mischief.swap = Swap::Wanted);
    }

    /// Sends a text as a frame: be it broken, unknown, or what the exchange could have sent.
    pub fn send_raw(&self, text: &str) {
        self.each(|socket| {
            socket.outbox.push(Outgoing::Text {
                sid: None,
                text: text.to_owned(),
            });
        });
    }

    /// Sends nothing any more, be it a ping or the answer to one, until [`resume`](Self::resume). The connection stays open, and
    /// commands are carried out. What would have been sent waits.
    pub fn silence(&self) {
        self.each(|socket| socket.outbox.connection.silence(true));
    }

    /// Sends what has waited since [`silence`](Self::silence), and what follows.
    pub fn resume(&self) {
        self.each(|socket| socket.outbox.connection.silence(false));
    }

    /// Closes with a code and a reason of up to 123 bytes, after what waits. Nothing is sent afterwards; the connection ends when the
    /// client has answered, or 5 seconds later.
    pub fn close(&self, code: u16, reason: &str) {
        self.each(|socket| {
            socket.outbox.push(Outgoing::Close {
                code,
                reason: reason.to_owned(),
            });
        });
    }

    /// Resets the connections at once: what waits is lost, and nothing is said.
    pub fn reset(&self) {
        self.each(|socket| {
            socket.outbox.connection.reset();
            socket.outbox.end();
        });
    }

    /// Resets each connection in the middle of the next frame.
    pub fn reset_in_frame(&self) {
        self.each(|socket| socket.outbox.break_next());
    }

    /// Ends every subscription with an error, and leaves the sockets open: 10 is a failure of the channel, 25 a client that reads too
    /// slowly.
    pub fn end_subscriptions(&self, code: u8) {
        let text = match code {
            10 => "Channel error",
            25 => "Subscription buffer overflow",
            _ => "a fault",
        };
        let state = self.0.state();
        let mut inner = self.0.hub.inner();
        for socket in inner.sockets.values_mut() {
            let sids: Vec<u64> = socket.subscriptions.keys().copied().collect();
            for sid in sids {
                socket.end(&state, sid, &Refused::new(code, text));
            }
        }
    }

    /// Refuses the next so many handshakes with a status, whoever signs them. 500 stands for what is no status.
    pub fn refuse_handshakes(&self, status: u16, times: u32) {
        self.0.hub.inner().refused = Some((gate::status_of(status), times));
    }

    fn each(&self, act: impl Fn(&mut Socket)) {
        // What has happened until now comes before.
        drop(self.0.state());
        self.0.hub.inner().sockets.values_mut().for_each(act);
    }
}

impl Hub {
    /// The status with which a handshake is refused, if it is to be.
    pub(super) fn refuses(&self) -> Option<http::StatusCode> {
        let mut inner = self.inner();
        let (status, left) = inner.refused.filter(|(_, left)| *left > 0)?;
        inner.refused = Some((status, left - 1));
        Some(status)
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("connections", &self.connections())
            .finish()
    }
}
