//! What waits to be sent to one client.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::{Notify, watch};

use crate::{connection::Connection, shared::lock};

/// The most that waits in all. A client that asks on and on and never reads is cut off.
const MOST: usize = 1_000_000;

/// Something to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A frame of text; of a subscription, if it is of one.
    Text {
        sid: Option<u64>,
        text: String,
    },
    /// A frame in the middle of which the connection is reset.
    Broken(String),
    Close {
        code: u16,
        reason: String,
    },
}

/// What waits for one client, in its order.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    ended: watch::Sender<bool>,
    /// Whether the next frame is to break off.
    breaks: AtomicBool,
    pub(super) connection: Connection,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Outgoing>,
    /// How many of each subscription.
    waiting: HashMap<u64, usize>,
}

impl Outbox {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            ended: watch::Sender::new(false),
            breaks: AtomicBool::new(false),
            connection,
        }
    }

    pub(super) fn push(&self, frame: Outgoing) {
        let frame = match frame {
            Outgoing::Text { text, .. } if self.breaks.swap(false, SeqCst) => {
                Outgoing::Broken(text)
            }
            frame => frame,
        };
        let mut queue = lock(&self.queue);
        if let Outgoing::Text { sid: Some(sid), .. } = &frame {
            *queue.waiting.entry(*sid).or_default() += 1;
        }
        queue.frames.push_back(frame);
        let is_full = queue.frames.len() > MOST;
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
            && let Some(waiting) = queue.waiting.get_mut(sid)
        {
            *waiting = waiting.saturating_sub(1);
        }
        Some(frame)
    }

    /// How many frames of a subscription wait.
    pub(super) fn waiting(&self, sid: u64) -> usize {
        lock(&self.queue).waiting.get(&sid).copied().unwrap_or(0)
    }

    /// Forgets what waits of a subscription.
    pub(super) fn forget(&self, sid: u64) {
        let mut queue = lock(&self.queue);
        let is_its =
            |frame: &Outgoing| matches!(frame, Outgoing::Text { sid: Some(of), .. } if *of == sid);
        queue.frames.retain(|frame| !is_its(frame));
        queue.waiting.remove(&sid);
    }

    /// Lets the connection break in the middle of the next frame.
    pub(super) fn break_next(&self) {
        self.breaks.store(true, SeqCst);
    }

    /// Until something may be there.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Ends the connection at once.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Until it is to end at once.
    pub(super) async fn ended(&self) {
        // An error would be that nobody can tell any more: this does.
        _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
