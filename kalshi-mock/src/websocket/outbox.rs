//! Queue of frames to send to one client.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::{Notify, watch};

use crate::{connection::Connection, sync::lock};

/// Maximum number of queued frames. A client that keeps sending commands and never reads is disconnected.
const MAX_QUEUED: usize = 1_000_000;
/// Maximum size of all queued frames together.
const MAX_QUEUED_BYTES: usize = 256 << 20;

/// A frame to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A text frame; `sid` is the subscription it belongs to, if any.
    Text {
        sid: Option<u64>,
        text: String,
    },
    /// A text frame of which half is sent before the connection is reset.
    Broken(String),
    Close {
        code: u16,
        reason: String,
    },
}

impl Outgoing {
    fn bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } | Self::Broken(text) => text.len(),
            Self::Close { reason, .. } => reason.len(),
        }
    }
}

/// The queue of one connection, in sending order.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    ended: watch::Sender<bool>,
    /// True if the next frame is cut in half.
    breaks_next: AtomicBool,
    pub(super) connection: Connection,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Outgoing>,
    bytes: usize,
    /// True once the connection has ended. Nothing is queued any more.
    ended: bool,
    /// Number of queued frames by subscription.
    by_subscription: HashMap<u64, usize>,
}

impl Queue {
    /// Adds a frame, unless the connection has ended. Returns false if the queue is full.
    fn push(&mut self, frame: Outgoing) -> bool {
        if self.ended {
            return true;
        }
        if let Outgoing::Text { sid: Some(sid), .. } = &frame {
            *self.by_subscription.entry(*sid).or_default() += 1;
        }
        self.bytes += frame.bytes();
        self.frames.push_back(frame);
        self.frames.len() <= MAX_QUEUED && self.bytes <= MAX_QUEUED_BYTES
    }

    fn pop(&mut self) -> Option<Outgoing> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.bytes();
        if let Outgoing::Text { sid: Some(sid), .. } = &frame
            && let Some(waiting) = self.by_subscription.get_mut(sid)
        {
            *waiting = waiting.saturating_sub(1);
        }
        Some(frame)
    }

    fn discard(&mut self, sid: u64) {
        let is_of_subscription =
            |frame: &Outgoing| matches!(frame, Outgoing::Text { sid: Some(of), .. } if *of == sid);
        self.frames.retain(|frame| !is_of_subscription(frame));
        self.bytes = self.frames.iter().map(Outgoing::bytes).sum();
        self.by_subscription.remove(&sid);
    }

    fn end(&mut self) {
        *self = Self {
            ended: true,
            ..Self::default()
        };
    }
}

impl Outbox {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            ended: watch::Sender::new(false),
            breaks_next: AtomicBool::new(false),
            connection,
        }
    }

    pub(super) fn push(&self, frame: Outgoing) {
        let frame = match frame {
            Outgoing::Text { text, .. } if self.breaks_next.swap(false, SeqCst) => {
                Outgoing::Broken(text)
            }
            frame => frame,
        };
        let fits = lock(&self.queue).push(frame);
        if !fits {
            self.end();
        }
        self.filled.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Outgoing> {
        lock(&self.queue).pop()
    }

    /// Returns the number of queued frames of a subscription.
    pub(super) fn queued(&self, sid: u64) -> usize {
        lock(&self.queue)
            .by_subscription
            .get(&sid)
            .copied()
            .unwrap_or(0)
    }

    /// Discards the queued frames of a subscription.
    pub(super) fn discard(&self, sid: u64) {
        lock(&self.queue).discard(sid);
    }

    /// Resets the connection in the middle of the next frame.
    pub(super) fn break_next(&self) {
        self.breaks_next.store(true, SeqCst);
    }

    /// Waits until a frame may have been queued.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Ends the connection immediately, without sending the queued frames.
    pub(super) fn end(&self) {
        lock(&self.queue).end();
        self.ended.send_replace(true);
    }

    /// Waits until [`end`](Self::end) is called.
    pub(super) async fn ended(&self) {
        // The sender is a field of `self`, so this cannot fail.
        _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sid: u64, bytes: usize) -> Outgoing {
        Outgoing::Text {
            sid: Some(sid),
            text: "x".repeat(bytes),
        }
    }

    #[test]
    fn queue_is_limited_in_bytes() {
        let mut queue = Queue::default();
        assert!(queue.push(frame(1, MAX_QUEUED_BYTES - 10)));
        assert!(queue.push(frame(2, 10)));
        assert!(!queue.push(frame(2, 1)));
        queue.discard(1);
        assert_eq!(queue.bytes, 11);
        while queue.pop().is_some() {}
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn ended_queue_stays_empty() {
        let mut queue = Queue::default();
        assert!(queue.push(frame(1, 10)));
        queue.end();
        assert!(queue.push(frame(1, 10)));
        assert!(queue.pop().is_none() && queue.bytes == 0);
    }
}
