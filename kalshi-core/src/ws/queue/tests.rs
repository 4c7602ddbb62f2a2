//! Tests of the queue without a connection.

use super::*;
use crate::ws::{
    envelope::Envelope,
    event::{Arrival, RawMessage},
};

fn message(number: u64) -> RawEvent {
    let mut envelope = Envelope::default();
    envelope.seq = Some(number);
    RawEvent::Message(RawMessage {
        subscription: None,
        envelope,
        text: "".into(),
        arrival: Arrival::default(),
    })
}

/// Reads all available items as sequence numbers. A count of dropped messages is negative.
async fn read(queue: &mut EventQueue, receiver: &mut Receiver) -> Vec<i64> {
    let mut read = Vec::new();
    loop {
        poll_fn(|context| {
            _ = queue.poll_flush(context);
            Poll::Ready(())
        })
        .await;
        let next = poll_fn(|context| Poll::Ready(receiver.poll_recv(context))).await;
        match next {
            Poll::Ready(Some(Ok(RawEvent::Message(message)))) => {
                let seq = message.envelope.seq.unwrap_or_default();
                read.push(i64::try_from(seq).unwrap_or(-1));
            }
            Poll::Ready(Some(Ok(RawEvent::Lagged { count }))) => {
                read.push(-i64::try_from(count).unwrap_or(1));
            }
            _ => return read,
        }
    }
}

#[tokio::test]
async fn oldest_messages_are_dropped_and_counted() {
    let (mut queue, mut receiver) =
        EventQueue::new(Backpressure::DropOldest { capacity: 4 }, usize::MAX);
    (1..=10).for_each(|number| queue.push(message(number)));
    assert!(!queue.is_full());
    // Two were already in the channel, and two may wait.
    assert_eq!(read(&mut queue, &mut receiver).await, [1, 2, -6, 9, 10]);
    queue.push(message(11));
    assert_eq!(read(&mut queue, &mut receiver).await, [11]);
}

#[tokio::test]
async fn blocking_drops_nothing() {
    let (mut queue, mut receiver) =
        EventQueue::new(Backpressure::Block { capacity: 4 }, usize::MAX);
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

fn large(number: u64, bytes: usize) -> RawEvent {
    let mut event = message(number);
    if let RawEvent::Message(message) = &mut event {
        message.text = "x".repeat(bytes).into();
    }
    event
}

#[tokio::test]
async fn drop_oldest_bounds_queued_bytes() {
    let all = Backpressure::DropOldest { capacity: 65_536 };
    let (mut queue, mut receiver) = EventQueue::new(all, 1_000);
    for number in 1..=50 {
        queue.push(large(number, 100));
        assert!(queue.bytes() <= 1_000, "{}", queue.bytes());
    }
    assert!(!queue.is_full());
    // Half of the bytes were already in the channel.
    let read = read(&mut queue, &mut receiver).await;
    assert_eq!(read, [1, 2, 3, 4, 5, -40, 46, 47, 48, 49, 50]);
    assert_eq!(queue.bytes(), 0);
    // A message larger than the limit is kept alone.
    queue.push(large(51, 5_000));
    queue.push(large(52, 5_000));
    assert!(queue.bytes() <= 10_000);
}

#[tokio::test]
async fn queued_bytes_block_the_connection_until_they_are_read() {
    let all = Backpressure::Block { capacity: 65_536 };
    let (mut queue, mut receiver) = EventQueue::new(all, 1_000);
    for number in 1..=9 {
        queue.push(large(number, 100));
    }
    assert!(!queue.is_full());
    queue.push(large(10, 100));
    assert!(queue.is_full());
    // The reader wakes the connection.
    let reader = tokio::spawn(async move {
        let mut read = 0;
        while read < 10 {
            tokio::task::yield_now().await;
            read += u64::from(receiver.recv().await.is_some());
        }
        (read, receiver)
    });
    let flushed = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        poll_fn(|context| queue.poll_flush(context)),
    );
    assert!(flushed.await.is_ok());
    assert!(matches!(reader.await, Ok((10, _))));
    assert!(!queue.is_full() && queue.bytes() == 0);
}

#[tokio::test]
async fn dropped_reader_wakes_a_connection_blocked_on_bytes() {
    let all = Backpressure::Block { capacity: 65_536 };
    let (mut queue, receiver) = EventQueue::new(all, 10);
    queue.push(large(1, 100));
    queue.push(large(2, 100));
    assert!(queue.is_full());
    let leaving = async {
        tokio::task::yield_now().await;
        drop(receiver);
    };
    let flushing = poll_fn(|context| queue.poll_flush(context));
    let both = async { tokio::join!(flushing, leaving) };
    let both = tokio::time::timeout(std::time::Duration::from_secs(5), both).await;
    assert!(both.is_ok());
    assert!(!queue.is_full());
}

/// A reader that reads nothing while every message is a gap and the subscription is made again and again.
#[tokio::test]
async fn drop_oldest_bounds_events_other_than_messages() {
    let all = Backpressure::DropOldest { capacity: 100 };
    let (mut queue, mut receiver) = EventQueue::new(all, 10_000);
    let targets: Arc<[String]> = vec!["x".repeat(1_000)].into();
    for number in 1..=1_000 {
        queue.push(RawEvent::Gap {
            subscription: None,
            expected: 0,
            got: number,
        });
        queue.push(message(number));
        queue.push(RawEvent::Resubscribed {
            subscription: SubscriptionId(number % 2),
            sid: number,
            targets: Arc::clone(&targets),
        });
        assert!(queue.waiting.len() <= 100, "{}", queue.waiting.len());
        assert!(queue.bytes() <= 12_000, "{}", queue.bytes());
    }
    let (mut lagged, mut latest) = (0, 0);
    while let Poll::Ready(Some(Ok(event))) = poll_fn(|context| {
        _ = queue.poll_flush(context);
        Poll::Ready(receiver.poll_recv(context))
    })
    .await
    {
        match event {
            RawEvent::Lagged { count } => lagged += count,
            RawEvent::Resubscribed { sid, .. } => latest = sid,
            _ => {}
        }
    }
    assert!(lagged > 1_900 && latest == 1_000, "{lagged} {latest}");
    assert_eq!((queue.bytes(), queue.waiting_bytes), (0, 0));
}

/// A program that reads nothing while it adds and removes markets.
#[tokio::test]
async fn drop_oldest_keeps_one_event_per_target() {
    let all = Backpressure::DropOldest { capacity: 10 };
    let (mut queue, mut receiver) = EventQueue::new(all, 10_000);
    let subscription = SubscriptionId(1);
    for number in 1..=1_000 {
        let targets: Arc<[String]> = [number % 3, number % 2].map(|of| format!("M{of}")).into();
        queue.push(match number % 4 {
            0 => RawEvent::TargetsKept {
                subscription,
                sid: 1,
                targets,
            },
            _ => RawEvent::TargetsRemoved {
                subscription,
                sid: 1,
                targets,
            },
        });
        assert!(queue.waiting.len() <= 10, "{}", queue.waiting.len());
    }
    assert!(
        matches!(queue.waiting.back(), Some(RawEvent::TargetsKept { targets, .. }) if targets.len() == 2)
    );
    assert_eq!(read(&mut queue, &mut receiver).await, [0; 0]);
    while queue.waiting_bytes > 0 {
        read(&mut queue, &mut receiver).await;
    }
    assert!(queue.waiting.is_empty());
}

#[test]
fn failures_of_a_long_outage_are_merged() {
    let (mut queue, _receiver) = EventQueue::new(Backpressure::Block { capacity: 4 }, 1_000);
    for number in 1..=3 {
        queue.push(message(number));
    }
    for _ in 0..10_000 {
        let reason = std::sync::Arc::new(ConnectionError::Ended);
        queue.push(RawEvent::Connected);
        queue.push(RawEvent::Disconnected { reason });
    }
    assert!(
        queue.waiting.len() <= MAX_STATUS_EVENTS,
        "{}",
        queue.waiting.len()
    );
    let last = queue.waiting.back();
    assert!(matches!(last, Some(RawEvent::Disconnected { .. })));
}
