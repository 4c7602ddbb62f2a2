//! Where the messages of a subscription wait for whoever reads them: bounded, and never in the way of others.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::{StreamError, StreamEvent};

/// What a stream gives: an event, or at its end the error that ended it.
pub(super) type Item = Result<StreamEvent, StreamError>;

/// What happens when messages come faster than they are read. Either way the socket is read on while there is room, pings are
/// answered, and commands go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// Nothing is lost: once `capacity` messages wait, the connection is not read until there is room again. It is kept alive
    /// meanwhile, but all its subscriptions wait, and the exchange may end one that lags too far (error 25).
    Block {
        /// How many messages may wait.
        capacity: usize,
    },
    /// The newest count: once `capacity` messages wait, the oldest of them goes, and the reader is told how many went by
    /// [`StreamEvent::Lagged`].
    DropOldest {
        /// How many messages may wait.
        capacity: usize,
    },
}

/// 65,536 messages may wait; then the connection does.
impl Default for Backpressure {
    fn default() -> Self {
        Self::Block { capacity: 65_536 }
    }
}

/// The end that is read.
pub(super) type Receiver = mpsc::Receiver<Item>;

/// What the first of two queues holds. It is the one without a lock; what does not fit waits in the second.
const MOST_READY: usize = 1_024;

/// One reader's messages.
pub(super) struct Outlet {
    sender: mpsc::Sender<Item>,
    /// A place in the first queue that is being waited for.
    place: Option<Place>,
    waiting: VecDeque<StreamEvent>,
    most_waiting: usize,
    drops: bool,
    dropped: u64,
}

type Permit = Result<mpsc::OwnedPermit<Item>, mpsc::error::SendError<()>>;
type Place = Pin<Box<dyn Future<Output = Permit> + Send>>;

impl Outlet {
    pub(super) fn new(backpressure: Backpressure) -> (Self, Receiver) {
        let (capacity, drops) = match backpressure {
            Backpressure::Block { capacity } => (capacity, false),
            Backpressure::DropOldest { capacity } => (capacity, true),
        };
        let ready = (capacity / 2).clamp(1, MOST_READY);
        let (sender, receiver) = mpsc::channel(ready);
        let outlet = Self {
            sender,
            place: None,
            waiting: VecDeque::new(),
            most_waiting: capacity.saturating_sub(ready).max(1),
            drops,
            dropped: 0,
        };
        (outlet, receiver)
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether the connection has to wait for it.
    pub(super) fn is_full(&self) -> bool {
        !self.drops && self.waiting.len() >= self.most_waiting && !self.is_closed()
    }

    pub(super) fn push(&mut self, event: StreamEvent) {
        let event = match self.waiting.is_empty() && self.dropped == 0 {
            false => event,
            true => match self.sender.try_send(Ok(event)) {
                Err(mpsc::error::TrySendError::Full(Ok(event))) => event,
                _ => return,
            },
        };
        if self.drops && self.waiting.len() >= self.most_waiting {
            // News of the connection stay: they are few, and books depend on them.
            let is_message = |event: &StreamEvent| matches!(event, StreamEvent::Message(_));
            if let Some(oldest) = self.waiting.iter().position(is_message) {
                self.waiting.remove(oldest);
                self.dropped += 1;
            }
        }
        self.waiting.push_back(event);
    }

    /// Moves what waits into the first queue; ready when nothing waits any more.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.waiting.is_empty() {
            let sender = &self.sender;
            let place = self
                .place
                .get_or_insert_with(|| Box::pin(sender.clone().reserve_owned()));
            let Poll::Ready(permit) = place.as_mut().poll(context) else {
                return Poll::Pending;
            };
            self.place = None;
            let Ok(permit) = permit else {
                self.waiting.clear();
                break;
            };
            let event = match std::mem::take(&mut self.dropped) {
                0 => self.waiting.pop_front(),
                count => Some(StreamEvent::Lagged { count }),
            };
            if let Some(event) = event {
                permit.send(Ok(event));
            }
        }
        Poll::Ready(())
    }

    /// Gives the reader what waits, and the error at the end.
    pub(super) async fn finish(mut self, error: Option<StreamError>) {
        std::future::poll_fn(|context| self.poll_flush(context)).await;
        if let Some(error) = error {
            _ = self.sender.send(Err(error)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{Frame, Received};

    fn message(number: u64) -> StreamEvent {
        StreamEvent::Message(Received {
            subscription: None,
            frame: Frame::read(&format!(r#"{{"type":"x","seq":{number}}}"#)),
            received_ts_ms: None,
        })
    }

    /// Everything that is there to be read, as numbers; a count of what was dropped is negative.
    async fn read(outlet: &mut Outlet, receiver: &mut Receiver) -> Vec<i64> {
        let mut read = Vec::new();
        loop {
            std::future::poll_fn(|context| {
                _ = outlet.poll_flush(context);
                Poll::Ready(())
            })
            .await;
            match receiver.try_recv() {
                Ok(Ok(StreamEvent::Message(received))) => {
                    let seq = received.frame.seq.unwrap_or_default();
                    read.push(i64::try_from(seq).unwrap_or(-1));
                }
                Ok(Ok(StreamEvent::Lagged { count })) => {
                    read.push(-i64::try_from(count).unwrap_or(1))
                }
                _ => return read,
            }
        }
    }

    #[tokio::test]
    async fn the_oldest_go_and_are_counted() {
        let (mut outlet, mut receiver) = Outlet::new(Backpressure::DropOldest { capacity: 4 });
        (1..=10).for_each(|number| outlet.push(message(number)));
        assert!(!outlet.is_full());
        // Two were on their way already, two may wait.
        assert_eq!(read(&mut outlet, &mut receiver).await, [1, 2, -6, 9, 10]);
        outlet.push(message(11));
        assert_eq!(read(&mut outlet, &mut receiver).await, [11]);
    }

    #[tokio::test]
    async fn blocking_loses_nothing() {
        let (mut outlet, mut receiver) = Outlet::new(Backpressure::Block { capacity: 4 });
        (1..=3).for_each(|number| outlet.push(message(number)));
        assert!(!outlet.is_full());
        outlet.push(message(4));
        assert!(outlet.is_full());
        assert_eq!(read(&mut outlet, &mut receiver).await, [1, 2, 3, 4]);
        assert!(!outlet.is_full());
        (5..=8).for_each(|number| outlet.push(message(number)));
        drop(receiver);
        assert!(outlet.is_closed() && !outlet.is_full());
    }
}
