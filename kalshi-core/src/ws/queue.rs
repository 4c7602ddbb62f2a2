//! The bounded queue between the connection's task and one reader.

use std::{
    collections::{BTreeSet, VecDeque},
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use tokio::sync::mpsc;

use super::{
    error::ConnectionError,
    event::{RawEvent, RawItem, SubscriptionId},
};

/// Behaviour when messages arrive faster than they are read. In either case, pings are answered and commands are sent.
///
/// Queued messages are also limited by their total size. See [`max_queued_bytes`](super::ConnectionBuilder::max_queued_bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// No message is dropped. Once `capacity` messages are queued, the connection is not read until some have been taken. It is kept alive
    /// in the meantime, but all its subscriptions wait, and the exchange may end one that lags too far (error 25).
    Block {
        /// Maximum number of queued messages.
        capacity: usize,
    },
    /// The oldest messages are dropped. Once `capacity` messages are queued, each new one replaces the oldest, and
    /// [`Event::Lagged`](super::Event::Lagged) reports the number of dropped messages.
    DropOldest {
        /// Maximum number of queued messages.
        capacity: usize,
    },
}

/// Blocks once 65,536 messages are queued.
impl Default for Backpressure {
    fn default() -> Self {
        Self::Block { capacity: 65_536 }
    }
}

/// The reader's end of a queue.
pub(super) struct Receiver {
    items: mpsc::Receiver<RawItem>,
    ready: Arc<Ready>,
    bytes_dequeued: usize,
}

/// Total size of the messages in the channel, and the task that waits for it to fall.
#[derive(Default)]
struct Ready {
    bytes: AtomicUsize,
    /// The connection's task, while it waits for the reader to take messages.
    waker: AtomicWaker,
}

/// Returns the size of an item in bytes. Only messages and lists of targets count.
pub(super) fn bytes_of(item: &RawItem) -> usize {
    item.as_ref().map_or(0, size)
}

fn size(event: &RawEvent) -> usize {
    match event {
        RawEvent::Message(message) => message.text.len(),
        RawEvent::Resubscribed { targets, .. }
        | RawEvent::TargetsRejected { targets, .. }
        | RawEvent::TargetsRemoved { targets, .. }
        | RawEvent::TargetsKept { targets, .. } => targets.iter().map(String::len).sum(),
        _ => 0,
    }
}

/// Returns `true` for an event that a full queue drops: [`Event::Lagged`](super::Event::Lagged) replaces it.
fn is_droppable(event: &RawEvent) -> bool {
    matches!(event, RawEvent::Message(_) | RawEvent::Gap { .. })
}

impl Receiver {
    pub(super) async fn recv(&mut self) -> Option<RawItem> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    pub(super) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<RawItem>> {
        let item = self.items.poll_recv(context);
        if let Poll::Ready(Some(item)) = &item {
            let bytes = bytes_of(item);
            self.bytes_dequeued = self.bytes_dequeued.wrapping_add(bytes);
            if bytes > 0 {
                self.ready.bytes.fetch_sub(bytes, SeqCst);
                self.ready.waker.wake();
            }
        }
        item
    }

    /// Returns the total size of all messages read so far. Wraps around.
    pub(super) fn bytes_dequeued(&self) -> usize {
        self.bytes_dequeued
    }

    pub(super) fn close(&mut self) {
        self.items.close();
        self.ready.waker.wake();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Wake a connection that waits for this reader.
        self.close();
    }
}

/// Maximum capacity of the channel, the first of two stages. Events that do not fit wait in the second.
const MAX_READY: usize = 1_024;

/// Number of waiting events above which those of failed attempts are merged.
const MAX_STATUS_EVENTS: usize = 64;

/// The connection's end of a queue.
pub(super) struct EventQueue {
    ready: Arc<Ready>,
    sender: mpsc::Sender<RawItem>,
    /// Reservation of a slot in the channel, while it is pending.
    slot: Option<Slot>,
    waiting: VecDeque<RawEvent>,
    waiting_bytes: usize,
    max_waiting: usize,
    max_bytes: usize,
    drops: bool,
    dropped: u64,
}

type Permit = Result<mpsc::OwnedPermit<RawItem>, mpsc::error::SendError<()>>;
type Slot = Pin<Box<dyn Future<Output = Permit> + Send>>;

impl EventQueue {
    pub(super) fn new(backpressure: Backpressure, max_bytes: usize) -> (Self, Receiver) {
        let (capacity, drops) = match backpressure {
            Backpressure::Block { capacity } => (capacity, false),
            Backpressure::DropOldest { capacity } => (capacity, true),
        };
        let max_ready = (capacity / 2).clamp(1, MAX_READY);
        let (sender, receiver) = mpsc::channel(max_ready);
        let ready = Arc::new(Ready::default());
        let queue = Self {
            ready: ready.clone(),
            sender,
            slot: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            max_waiting: capacity.saturating_sub(max_ready).max(1),
            max_bytes,
            drops,
            dropped: 0,
        };
        let receiver = Receiver {
            items: receiver,
            ready,
            bytes_dequeued: 0,
        };
        (queue, receiver)
    }

    /// Returns `true` if the reader is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Returns `true` if the connection has to wait for the reader.
    pub(super) fn is_full(&self) -> bool {
        !self.drops
            && (self.waiting.len() >= self.max_waiting || self.bytes() >= self.max_bytes)
            && !self.is_closed()
    }

    /// Returns the total size of the messages that wait for the reader.
    fn bytes(&self) -> usize {
        let ready = self.ready.bytes.load(SeqCst);
        ready.saturating_add(self.waiting_bytes)
    }

    /// Returns `true` if a message of this size may go into the channel now, where it can no longer be dropped.
    fn has_room_for(&self, bytes: usize) -> bool {
        let ready = self.ready.bytes.load(SeqCst);
        ready == 0 || ready.saturating_add(bytes) <= self.max_bytes / 2
    }

    pub(super) fn push(&mut self, event: RawEvent) {
        let bytes = size(&event);
        let is_next = self.waiting.is_empty() && self.dropped == 0;
        let event = match is_next && self.has_room_for(bytes) {
            false => event,
            true => {
                // Count before sending, because the reader may take the message immediately.
                self.ready.bytes.fetch_add(bytes, SeqCst);
                match self.sender.try_send(Ok(event)) {
                    Ok(()) => return,
                    Err(error) => {
                        self.ready.bytes.fetch_sub(bytes, SeqCst);
                        match error {
                            mpsc::error::TrySendError::Full(Ok(event)) => event,
                            _ => return,
                        }
                    }
                }
            }
        };
        if self.is_closed() {
            return;
        }
        match &event {
            RawEvent::Disconnected { .. } => self.merge_failures(),
            RawEvent::Resubscribed { subscription, .. } if self.drops && self.is_over() => {
                self.forget_resubscribed(*subscription);
            }
            RawEvent::TargetsRemoved { sid, targets, .. }
            | RawEvent::TargetsKept { sid, targets, .. }
                if self.drops && self.is_over() =>
            {
                self.forget_targets(*sid, targets);
            }
            _ => {}
        }
        self.waiting_bytes += bytes;
        while self.drops && self.is_over() {
            // Other events are kept: they are few, and order books depend on them.
            let oldest = self.waiting.iter().position(is_droppable);
            let Some(oldest) = oldest.and_then(|oldest| self.waiting.remove(oldest)) else {
                break;
            };
            self.waiting_bytes -= size(&oldest);
            self.dropped += 1;
        }
        self.waiting.push_back(event);
    }

    /// Returns `true` if events wait that a queue of `DropOldest` has no room for.
    fn is_over(&self) -> bool {
        self.waiting.len() >= self.max_waiting || self.bytes() > self.max_bytes
    }

    /// Drops earlier events of a subscription that was made again, because the latest one replaces them.
    fn forget_resubscribed(&mut self, id: SubscriptionId) {
        let waiting_bytes = &mut self.waiting_bytes;
        self.waiting.retain(|event| {
            let is_earlier =
                matches!(event, RawEvent::Resubscribed { subscription, .. } if *subscription == id);
            if is_earlier {
                *waiting_bytes -= size(event);
            }
            !is_earlier
        });
    }

    /// Drops these targets from earlier events of a subscription, because the latest event replaces them.
    fn forget_targets(&mut self, of: u64, latest: &[String]) {
        let latest: BTreeSet<&String> = latest.iter().collect();
        let waiting_bytes = &mut self.waiting_bytes;
        self.waiting.retain_mut(|event| {
            let before = size(event);
            let (RawEvent::TargetsRemoved { sid, targets, .. }
            | RawEvent::TargetsKept { sid, targets, .. }) = &mut *event
            else {
                return true;
            };
            if *sid == of {
                let others = targets.iter().filter(|target| !latest.contains(target));
                *targets = others.cloned().collect();
            }
            let is_needed = !targets.is_empty();
            *waiting_bytes -= before - size(event);
            is_needed
        });
    }

    /// Drops the latest events of failed attempts if many are waiting, so that a long outage does not fill the memory of a program that
    /// reads nothing in the meantime.
    fn merge_failures(&mut self) {
        let is_failure = |event: &RawEvent| {
            matches!(
                event,
                RawEvent::Connected
                    | RawEvent::Disconnected { .. }
                    | RawEvent::Resubscribed { .. }
                    | RawEvent::Idle { .. }
            )
        };
        if self.waiting.len() < MAX_STATUS_EVENTS {
            return;
        }
        let last = self
            .waiting
            .iter()
            .rev()
            .take_while(|event| is_failure(event));
        let mut merged = self.waiting.len() - last.count();
        // Keep the first one, which marks the start of the outage.
        let is_disconnected = |event: &RawEvent| matches!(event, RawEvent::Disconnected { .. });
        match self.waiting.iter().skip(merged).position(is_disconnected) {
            Some(first) => merged += first + 1,
            None => return,
        }
        let merged = self.waiting.drain(merged.max(MAX_STATUS_EVENTS - 1)..);
        self.waiting_bytes -= merged.map(|event| size(&event)).sum::<usize>();
    }

    /// Moves waiting events into the channel. Returns `Ready` once no event is waiting.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(next) = self.waiting.front() {
            let bytes = match self.dropped {
                0 => size(next),
                _ => 0,
            };
            if !self.has_room_for(bytes) && !self.is_closed() {
                self.ready.waker.register(context.waker());
                // The reader may have taken messages before the waker was registered.
                if !self.has_room_for(bytes) {
                    return Poll::Pending;
                }
            }
            let sender = &self.sender;
            let slot = self
                .slot
                .get_or_insert_with(|| Box::pin(sender.clone().reserve_owned()));
            let Poll::Ready(permit) = slot.as_mut().poll(context) else {
                return Poll::Pending;
            };
            self.slot = None;
            let Ok(permit) = permit else {
                self.waiting.clear();
                self.waiting_bytes = 0;
                break;
            };
            let event = match std::mem::take(&mut self.dropped) {
                0 => self.waiting.pop_front(),
                count => Some(RawEvent::Lagged { count }),
            };
            if let Some(event) = event {
                let bytes = size(&event);
                self.waiting_bytes -= bytes;
                self.ready.bytes.fetch_add(bytes, SeqCst);
                permit.send(Ok(event));
            }
        }
        if !self.drops && self.bytes() >= self.max_bytes {
            // The connection waits for the reader although no event is waiting here.
            self.ready.waker.register(context.waker());
        }
        Poll::Ready(())
    }

    /// Delivers all waiting events, and then the error that ended the connection.
    pub(super) async fn finish(mut self, error: Option<ConnectionError>) {
        poll_fn(|context| self.poll_flush(context)).await;
        if let Some(error) = error {
            _ = self.sender.send(Err(error)).await;
        }
    }
}

#[cfg(test)]
mod tests;
