//! Items of a connection: messages and connection events, before and after decoding.

use std::{fmt, sync::Arc};

use chrono::TimeDelta;

use super::{envelope::Envelope, error::ConnectionError, frame::Frame, message::Message};

/// An item reported by a [`Connection`](super::Connection).
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all events are messages, which are not worth an allocation each"
)]
#[non_exhaustive]
pub enum Event<T> {
    /// A message from the exchange, as [`Received`].
    Message(T),
    /// The connection is established. Subscriptions follow.
    Connected,
    /// The connection was lost or could not be re-established. Another attempt follows.
    Disconnected {
        /// Cause of the failure.
        reason: Arc<ConnectionError>,
    },
    /// A subscription was restored, on a new connection or after an error that had ended it. Messages sent in between are lost.
    Resubscribed {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// The exchange's number for the subscription on this connection.
        sid: u64,
        /// The requested markets, indices or underlyings. After an overflow these are only the first chunk of the selection; the others are
        /// added once the snapshots of that chunk have arrived.
        targets: Arc<[String]>,
    },
    /// A subscription was not made again because it has no markets left, and without markets it would cover all of them. It delivers nothing
    /// until markets are added, and [`Event::Resubscribed`] follows.
    Idle {
        /// Id of the subscription.
        subscription: SubscriptionId,
    },
    /// A subscription ended because the program ended it, or because the exchange rejected the attempt to restore it.
    Unsubscribed {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// The exchange's error, or `None` if the program ended the subscription.
        error: Option<Arc<ConnectionError>>,
    },
    /// The exchange rejected markets, indices or underlyings when a subscription was made again in chunks, or when they were added again
    /// because another subscription had removed them. They are no longer part of the subscription; the others are.
    TargetsRejected {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// Rejected markets, indices or underlyings.
        targets: Arc<[String]>,
        /// Error with which the exchange rejected them.
        error: Arc<ConnectionError>,
    },
    /// The program has asked the exchange to remove markets, indices or underlyings from a subscription. Messages of them may still
    /// arrive until the exchange has acted, but may end at any time.
    TargetsRemoved {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// The exchange's number for the subscription on this connection.
        sid: u64,
        /// Markets, indices or underlyings to be removed.
        targets: Arc<[String]>,
    },
    /// Markets, indices or underlyings are part of the subscription although the program asked to remove targets from it: the exchange
    /// rejected the removal, or has acknowledged a later addition. After an addition, this includes targets that were never removed.
    ///
    /// Not every removal without effect is reported. A rejection without an id may belong to another command, and errors 1 and 18 leave open
    /// whether the removal took effect. If the connection is lost, a pending removal is void: [`Event::Resubscribed`] names the targets.
    TargetsKept {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// The exchange's number for the subscription on this connection.
        sid: u64,
        /// Markets, indices or underlyings that are part of the subscription.
        targets: Arc<[String]>,
    },
    /// The program ended the last subscription of this reader to a channel, which another reader's subscription may keep open. No further
    /// messages of it concern this reader. [`Event::Unsubscribed`] follows.
    Detached {
        /// Id of the subscription.
        subscription: SubscriptionId,
        /// The exchange's number for the channel.
        sid: u64,
    },
    /// Messages of a subscription are missing before the one numbered `got`. Counting continues from there; `got` is below `expected` if
    /// the exchange restarted its count. See [`sequence`](super::sequence) for the rules.
    Gap {
        /// Id of the subscription, or `None` if it does not belong to this connection.
        subscription: Option<SubscriptionId>,
        /// The sequence number that was expected.
        expected: u64,
        /// The sequence number that was received.
        got: u64,
    },
    /// Messages were dropped because they were not read in time (see [`Backpressure::DropOldest`](super::Backpressure::DropOldest)), or
    /// because too many arrived before the acknowledgement of their subscription.
    Lagged {
        /// Number of dropped messages. A dropped [`Event::Gap`] counts as one.
        count: u64,
    },
}

/// A message as received.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received<M> {
    /// Id of the message's subscription, which stays the same across reconnects. `None` if the message belongs to no subscription.
    pub subscription: Option<SubscriptionId>,
    /// The message and its envelope.
    pub frame: Frame<M>,
    /// Time of arrival in Unix milliseconds, by this machine's clock, corrected to the exchange's clock once the difference is known.
    /// `None` if this machine has no clock.
    pub received_ts_ms: Option<i64>,
    /// JSON of the frame, if the connection [keeps it](super::ConnectionBuilder::keep_raw).
    pub raw: Option<RawFrame>,
}

/// JSON of a frame as received, to record or replay it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    text: Arc<str>,
    received_ts_us: i64,
}

impl RawFrame {
    /// Returns the JSON. It is shared with clones, and with the events that other readers receive for the same frame.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the time of arrival in Unix microseconds by this machine's clock, without correction.
    #[must_use]
    pub fn received_ts_us(&self) -> i64 {
        self.received_ts_us
    }
}

impl<M: Message> Received<M> {
    /// Returns the time from the sending of the message to its arrival, by the exchange's clock. `None` if the message has no sending time.
    /// The exchange's clock is measured to within about half a second, so a slightly negative age is normal.
    #[must_use]
    pub fn age(&self) -> Option<TimeDelta> {
        let sent = self.frame.sending_ts_ms?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(sent)?)
    }

    /// Returns the time from the reported event, by its `ts_ms`, to the arrival of the message. `None` if the message has no `ts_ms`.
    #[must_use]
    pub fn event_age(&self) -> Option<TimeDelta> {
        let happened = self.frame.message.ts_ms()?;
        TimeDelta::try_milliseconds(self.received_ts_ms?.checked_sub(happened)?)
    }
}

/// Id of a subscription. It stays the same across reconnects, unlike the exchange's own number, the `sid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(super) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An item of a queue: an event, or the error that ended the connection.
pub(super) type RawItem = Result<RawEvent, ConnectionError>;

/// An event with a message that is not decoded yet.
pub(super) type RawEvent = Event<RawMessage>;

/// A message as received, not decoded yet.
#[derive(Clone, Debug)]
pub(super) struct RawMessage {
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) envelope: Envelope,
    /// A copy, because the string that tungstenite returns keeps its whole read buffer alive.
    pub(super) text: Arc<str>,
    pub(super) arrival: Arrival,
}

/// Time of arrival of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    /// Unix milliseconds of the exchange's clock.
    pub(super) exchange_ms: Option<i64>,
    /// Unix microseconds of this machine's clock. Set if the frame's JSON is kept.
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
            Self::Idle { subscription } => Event::Idle { subscription },
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
            Self::TargetsRemoved {
                subscription,
                sid,
                targets,
            } => Event::TargetsRemoved {
                subscription,
                sid,
                targets,
            },
            Self::TargetsKept {
                subscription,
                sid,
                targets,
            } => Event::TargetsKept {
                subscription,
                sid,
                targets,
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

    /// Decodes an event on the reader's side.
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
