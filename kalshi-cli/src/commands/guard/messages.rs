//! Messages of guard. Writing them never delays a cancel.

use std::{
    io,
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::Duration,
};

use crate::output;

/// Maximum number of messages in the queue. Further messages are dropped.
const MAX_QUEUED: usize = 1_000;

/// Maximum time to wait at the end for the queue to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes messages to standard error on a separate thread, because a write to a full pipe or to a terminal paused by ctrl-S may block
/// forever.
pub(super) struct MessageWriter {
    sender: SyncSender<String>,
    /// Closed once the thread has written everything.
    written: Receiver<()>,
}

impl MessageWriter {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, texts) = mpsc::sync_channel::<String>(MAX_QUEUED);
        let (writing, written) = mpsc::channel::<()>();
        thread::Builder::new().spawn(move || {
            let _writing = writing;
            for text in texts {
                output::note(&text);
            }
        })?;
        Ok(Self { sender, written })
    }

    pub(super) fn note(&self, text: &str) {
        // A message is dropped if the queue is full.
        let _ = self.sender.try_send(format!("guard: {text}"));
    }

    /// Waits for the messages to be written, for at most [`FLUSH_TIMEOUT`].
    pub(super) fn finish(self) {
        drop(self.sender);
        let _ = self.written.recv_timeout(FLUSH_TIMEOUT);
    }
}
