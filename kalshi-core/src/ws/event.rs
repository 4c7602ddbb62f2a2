//! What a connection reports: messages and events of the connection, before and after decoding.

use std::{fmt, sync::Arc};

use chrono::TimeDelta;

use super::{envelope::Envelope, error::ConnectionError, frame::Frame, message::Message};

/// Something that a [`Connection`](super::Connection) reports.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all events are messages, which are not worth an allocation each"
)]
#[non_exhaustive]
pub enum Event<T> {
    /// A message of the exchange: [`Received`].
    Message(T),
    /// The connection is established. Subscriptions follow.
    Connected,
    /// The connection was lost, or could not be established again. Another attempt follows.
    Disconnected {
        /// Why.
        reason: Arc<ConnectionError>,
    },
    /// A subscription was made again, on a new connection or after an error that ended it. Messages sent in between are lost.
    Resubscribed {
        /// The subscription.
        subscription: SubscriptionId,
        /// The exchange's number for it on this connection.
        sid: u64,
        /// The requested markets, indices or underlyings. After an overflow they are the first chunk of the selection; the others
        /// are added once the snapshots of that chunk have arrived.
        targets: Arc<[String]>,
    },
    /// A subscription ended: the program ended it, or the exchange rejected it when it was to be made again.
    Unsubscribed {
        /// The subscription.
        subscription: SubscriptionId,
        /// The exchange's error, or `None` if the program ended the subscription.
        error: Option<Arc<ConnectionError>>,
    },
    /// The exchange rejected markets, indices or underlyings when a subscription was made again in chunks. They are no longer part of
    /// it; the others are.
    TargetsRejected {
        /// The subscription.
        subscription: SubscriptionId,
        /// What was rejected.
        targets: Arc<[String]>,
        /// The exchange's error.
        error: Arc<ConnectionError>,
    },
    /// A subscription of this connection ended while its channel stays open for another one that is read elsewhere: no more of its
    /// messages come here.
    Detached {
        /// The subscription.
        subscription: SubscriptionId,
        /// The exchange's number for the channel.
        sid: u64,
    },
    /// Messages of a subscription are missing before the one numbered `got`. Counting continues there; `got` is below `expected` if
    /// the exchange restarted its count. See [`sequence`](super::sequence) for the rules.
    Gap {
        /// The subscription, or `None` if it is not one of this connection's.
        subscription: Option<SubscriptionId>,
        /// The sequence number that should have come.
        expected: u64,
        /// The sequence number that came.
        got: u64,
    },
    /// Messages were dropped because they were not read in time: see
    /// [`Backpressure::DropOldest`](super::Backpressure::DropOldest).
    Lagged {
        /// Number of dropped messages.
        count: u64,
    },
}

/// A message as received.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received<M> {
    /// The subscription it belongs to, the same over all connections. `None` if it belongs to none.
    pub subscription: Option<SubscriptionId>,
    /// The message and its envelope.
    pub frame: Frame<M>,
    /// Time of arrival in Unix milliseconds of the exchange's clock, as far as that is known. `None` if this machine has no clock.
    pub received_ts_ms: Option<i64>,
    /// The text of the frame, if the connection [keeps it](super::ConnectionBuilder::keep_raw).
    pub raw: Option<RawFrame>,
}

/// The text of a frame as received, to record or replay it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    text: Arc<str>,
    received_ts_us: i64,
}

impl RawFrame {
    /// The text. Clones of it, and of the events of other readers of the same frame, share it.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Time of arrival in Unix microseconds of this machine's clock, without a correction.
    #[must_use]
    pub fn received_ts_us(&self) -> i64 {
        self.received_ts_us
    }
}

impl<M: Message> Received<M> {
    /// Time from the exchange sending the message to its arrival, by the exchange's clock. `None` if the message has no sending
    /// time. The exchange's clock is known to about half a second, so a small negative age means nothing.
    #[must_use]
    pub fn age(&self) -> Option<TimeDelta> {
        let sent = self.frame.sending_ts_ms?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(sent)?)
    }

    /// Time from the reported event to the arrival of the message, by its `ts_ms`. `None` if it has none.
    #[must_use]
    pub fn event_age(&self) -> Option<TimeDelta> {
        let happened = self.frame.message.ts_ms()?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(happened)?)
    }
}

/// A subscription of a connection. It stays the same when the exchange's own number, the `sid`, changes with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(super) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An item of a queue: an event, or the error that ended the connection.
pub(super) type RawItem = Result<RawEvent, ConnectionError>;

/// An event whose message is not decoded yet.
pub(super) type RawEvent = Event<RawMessage>;

/// A message as received, not decoded yet.
#[derive(Clone, Debug)]
pub(super) struct RawMessage {
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) envelope: Envelope,
    /// A copy: what tungstenite returns keeps its whole read buffer alive.
    pub(super) text: Arc<str>,
    pub(super) arrival: Arrival,
}

/// Time of arrival of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    /// Unix milliseconds of the exchange's clock.
    pub(super) exchange_ms: Option<i64>,
    /// Unix microseconds of this machine's clock. Set if the text is to be kept.
    pub(super) local_us: Option<i64>,
}

impl<T> Event<T> {
    fn map<U>(self, message: impl FnOnce(T) -> U) -> Event<U> {
        match self {
            Self::Message(inner) => Event::Message(message(inner)),
            Self::Connected => Event::Connected,
            Self::Disconnected { reason } => Event::Disconnected { reason },
            Self::Resubscribed {
                subscription,
                sid,
                targets,
            } => Event::Resubscribed {
                subscription,
                sid,
                targets,
            },
            Self::Unsubscribed {
                subscription,
                error,
            } => Event::Unsubscribed {
                subscription,
                error,
            },
            Self::TargetsRejected {
                subscription,
                targets,
                error,
            } => Event::TargetsRejected {
                subscription,
                targets,
                error,
            },
            Self::Detached { subscription, sid } => Event::Detached { subscription, sid },
            Self::Gap {
                subscription,
                expected,
                got,
            } => Event::Gap {
                subscription,
                expected,
                got,
            },
            Self::Lagged { count } => Event::Lagged { count },
        }
    }
}

impl<M: Message> Event<Received<M>> {
    /// Returns the message, or `None` if the event is about the connection or a subscription.
    #[must_use]
    pub fn message(&self) -> Option<&M> {
        match self {
            Self::Message(received) => Some(&received.frame.message),
            _ => None,
        }
    }

    /// Decodes an event where it is read.
    pub(super) fn decode(raw: RawEvent) -> Self {
        raw.map(|message| Received {
            subscription: message.subscription,
            frame: Frame::decode(&message.text, &message.envelope),
            received_ts_ms: message.arrival.exchange_ms,
            raw: message.arrival.local_us.map(|received_ts_us| RawFrame {
                text: message.text,
                received_ts_us,
            }),
        })
    }
}
