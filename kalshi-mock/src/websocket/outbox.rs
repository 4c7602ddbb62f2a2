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
    /// Number of queued frames by subscription.
    by_subscription: HashMap<u64, usize>,
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
        let mut queue = lock(&self.queue);
        if let Outgoing::Text { sid: Some(sid), .. } = &frame {
            *queue.by_subscription.entry(*sid).or_default() += 1;
        }
        queue.frames.push_back(frame);
        let is_full = queue.frames.len() > MAX_QUEUED;
        drop(queue);
        if is_full {
            self.end();
        }
        self.filled.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Outgoing> {
        let mut queue = lock(&self.queue);
        let frame = queue.frames.pop_front()?;
        if let Outgoing::Text { sid: Some(sid), .. } = &frame
            && let Some(waiting) = queue.by_subscription.get_mut(sid)
        {
            *waiting = waiting.saturating_sub(1);
        }
        Some(frame)
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
        let mut queue = lock(&self.queue);
        let is_of_subscription =
            |frame: &Outgoing| matches!(frame, Outgoing::Text { sid: Some(of), .. } if *of == sid);
        queue.frames.retain(|frame| !is_of_subscription(frame));
        queue.by_subscription.remove(&sid);
    }

    /// Resets the connection in the middle of the next frame.
    pub(super) fn break_next(&self) {
        self.breaks_next.store(true, SeqCst);
    }

    /// Waits until a frame may have been queued.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Ends the connection immediately.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Waits until [`end`](Self::end) is called.
    pub(super) async fn ended(&self) {
        // The sender is a field of `self`, so this cannot fail.
        _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
