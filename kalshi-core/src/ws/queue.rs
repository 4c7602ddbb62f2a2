//! The bounded queue between the connection's task and one reader.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::{
    error::ConnectionError,
    event::{RawEvent, RawItem},
};

/// What happens when messages come faster than they are read. In either case pings are answered and commands are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// No message is dropped: once `capacity` messages wait, the connection is not read until there is room again. It is kept alive in
    /// the meantime, but all its subscriptions wait, and the exchange may end one that lags too far (error 25).
    Block {
        /// Messages that may wait.
        capacity: usize,
    },
    /// The oldest messages are dropped: once `capacity` messages wait, each new one replaces the oldest, and
    /// [`Event::Lagged`](super::Event::Lagged) reports how many were dropped.
    DropOldest {
        /// Messages that may wait.
        capacity: usize,
    },
}

/// Blocks once 65,536 messages wait.
impl Default for Backpressure {
    fn default() -> Self {
        Self::Block { capacity: 65_536 }
    }
}

/// The reader's end of a queue.
pub(super) type Receiver = mpsc::Receiver<RawItem>;

/// Capacity of the first of two stages, a channel without a lock. What does not fit waits in the second.
const MAX_READY: usize = 1_024;

/// The connection's end of a queue.
pub(super) struct EventQueue {
    sender: mpsc::Sender<RawItem>,
    /// A slot in the channel that is being waited for.
    slot: Option<Slot>,
    waiting: VecDeque<RawEvent>,
    max_waiting: usize,
    drops: bool,
    dropped: u64,
}

type Permit = Result<mpsc::OwnedPermit<RawItem>, mpsc::error::SendError<()>>;
type Slot = Pin<Box<dyn Future<Output = Permit> + Send>>;

impl EventQueue {
    pub(super) fn new(backpressure: Backpressure) -> (Self, Receiver) {
        let (capacity, drops) = match backpressure {
            Backpressure::Block { capacity } => (capacity, false),
            Backpressure::DropOldest { capacity } => (capacity, true),
        };
        let ready = (capacity / 2).clamp(1, MAX_READY);
        let (sender, receiver) = mpsc::channel(ready);
        let queue = Self {
            sender,
            slot: None,
            waiting: VecDeque::new(),
            max_waiting: capacity.saturating_sub(ready).max(1),
            drops,
            dropped: 0,
        };
        (queue, receiver)
    }

    /// Returns `true` if the reader has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Returns `true` if the connection has to wait for the reader.
    pub(super) fn is_full(&self) -> bool {
        !self.drops && self.waiting.len() >= self.max_waiting && !self.is_closed()
    }

    pub(super) fn push(&mut self, event: RawEvent) {
        let event = match self.waiting.is_empty() && self.dropped == 0 {
            false => event,
            true => match self.sender.try_send(Ok(event)) {
                Err(mpsc::error::TrySendError::Full(Ok(event))) => event,
                _ => return,
            },
        };
        if self.drops && self.waiting.len() >= self.max_waiting {
            // Events of the connection stay: they are few, and order books depend on them.
            let is_message = |event: &RawEvent| matches!(event, RawEvent::Message(_));
            if let Some(oldest) = self.waiting.iter().position(is_message) {
                self.waiting.remove(oldest);
                self.dropped += 1;
            }
        }
        self.waiting.push_back(event);
    }

    /// Moves waiting events into the channel. Ready once none waits.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.waiting.is_empty() {
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
                break;
            };
            let event = match std::mem::take(&mut self.dropped) {
                0 => self.waiting.pop_front(),
                count => Some(RawEvent::Lagged { count }),
            };
            if let Some(event) = event {
                permit.send(Ok(event));
            }
        }
        Poll::Ready(())
    }

    /// Delivers all waiting events, and then the error that ended the connection.
    pub(super) async fn finish(mut self, error: Option<ConnectionError>) {
        std::future::poll_fn(|context| self.poll_flush(context)).await;
        if let Some(error) = error {
            _ = self.sender.send(Err(error)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{envelope::Envelope, event::RawMessage};

    fn message(number: u64) -> RawEvent {
        let mut envelope = Envelope::default();
        envelope.seq = Some(number);
        RawEvent::Message(RawMessage {
            subscription: None,
            envelope,
            text: "".into(),
            received_ts_ms: None,
        })
    }

    /// Everything that can be read, as numbers; the count of dropped messages is negative.
    async fn read(queue: &mut EventQueue, receiver: &mut Receiver) -> Vec<i64> {
        let mut read = Vec::new();
        loop {
            std::future::poll_fn(|context| {
                _ = queue.poll_flush(context);
                Poll::Ready(())
            })
            .await;
            match receiver.try_recv() {
                Ok(Ok(RawEvent::Message(message))) => {
                    let seq = message.envelope.seq.unwrap_or_default();
                    read.push(i64::try_from(seq).unwrap_or(-1));
                }
                Ok(Ok(RawEvent::Lagged { count })) => read.push(-i64::try_from(count).unwrap_or(1)),
                _ => return read,
            }
        }
    }

    #[tokio::test]
    async fn oldest_messages_are_dropped_and_counted() {
        let (mut queue, mut receiver) = EventQueue::new(Backpressure::DropOldest { capacity: 4 });
        (1..=10).for_each(|number| queue.push(message(number)));
        assert!(!queue.is_full());
        // Two were in the channel already, two may wait.
        assert_eq!(read(&mut queue, &mut receiver).await, [1, 2, -6, 9, 10]);
        queue.push(message(11));
        assert_eq!(read(&mut queue, &mut receiver).await, [11]);
    }

    #[tokio::test]
    async fn blocking_drops_nothing() {
        let (mut queue, mut receiver) = EventQueue::new(Backpressure::Block { capacity: 4 });
        (1..=3).for_each(|number| queue.push(message(number)));
        assert!(!queue.is_full());
        queue.push(message(4));
        assert!(queue.is_full());
        assert_eq!(read(&mut queue, &mut receiver).await, [1, 2, 3, 4]);
        assert!(!queue.is_full());
        (5..=8).for_each(|number| queue.push(message(number)));
        drop(receiver);
        assert!(queue.is_closed() && !queue.is_full());
    }
}
