//! Events of order books.

use std::{fmt, sync::Arc};

use super::error::BookError;
use crate::{ClientOrderId, ws::sequence::ReplicaStaleReason};

/// A change of the state of an order book.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookEvent {
    /// A live book has changed.
    Changed {
        /// Ticker of the market.
        market_ticker: Arc<str>,
        /// Client order id of your order that caused the change. `None` if the order is not yours or has no such id, or if a
        /// snapshot replaced the book.
        client_order_id: Option<ClientOrderId>,
    },
    /// A book is live, for the first time or again.
    Live {
        /// Ticker of the market.
        market_ticker: Arc<str>,
    },
    /// A live book is crossed and withheld: it is neither live nor stale. A single action can produce several changes, and the book may be
    /// crossed between them. The book is reported as changed when it is no longer crossed, and as stale if it stays crossed.
    Withheld {
        /// Ticker of the market.
        market_ticker: Arc<str>,
    },
    /// A book must not be used until it is live again.
    Stale {
        /// Ticker of the market.
        market_ticker: Arc<str>,
        /// Reason why the book is stale.
        reason: StaleReason,
    },
    /// The book of a market is still stale after several requests for a snapshot. Requests continue.
    SnapshotOverdue {
        /// Ticker of the market.
        market_ticker: Arc<str>,
        /// Number of requests since the book was last live.
        attempts: u32,
    },
}

impl BookEvent {
    /// Ticker of the market.
    #[must_use]
    pub fn market_ticker(&self) -> &str {
        match self {
            Self::Changed { market_ticker, .. }
            | Self::Live { market_ticker }
            | Self::Withheld { market_ticker }
            | Self::Stale { market_ticker, .. }
            | Self::SnapshotOverdue { market_ticker, .. } => market_ticker,
        }
    }
}

/// The reason why a book is stale, for logs and metrics: see [`BookEvent::Stale`]. Each variant is a distinct cause.
///
/// As long as the subscription delivers messages, the book is live again after its next valid snapshot, or after a second one that
/// confirms it. [`BookEvent::Live`] reports that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleReason {
    /// A message of the subscription is missing, or the exchange restarted its count.
    Gap {
        /// The sequence number that was expected.
        expected: u64,
        /// The sequence number that was received.
        got: u64,
    },
    /// A change has a clock at or below that of the snapshot, or below that of the previous change. Maintenance of the
    /// exchange can lower clocks.
    ClockFell {
        /// Clock of the book.
        last: i64,
        /// Clock of the change.
        got: i64,
    },
    /// A snapshot has a clock below that of the book. A second one has to confirm it.
    EarlierSnapshot {
        /// Clock that the snapshot should have reached.
        expected: i64,
        /// Clock of the snapshot.
        got: i64,
    },
    /// A second snapshot did not confirm the first one.
    UnconfirmedSnapshot,
    /// A snapshot is invalid and was not applied.
    InvalidSnapshot(BookError),
    /// A change does not fit the book.
    InvalidChange(BookError),
    /// The best bid and the best ask stayed crossed.
    Crossed,
    /// A change arrived before a snapshot of the market, or an unrequested snapshot arrived although the last list of the subscription's
    /// markets may be outdated, or after sequence numbers fell, so that it may be a repeated or late one. A requested snapshot makes the
    /// book live.
    NoSnapshot,
    /// More changes arrived than are buffered for a stale book.
    BufferOverflow,
    /// A message of the subscription could not be decoded, and may have been a change.
    Malformed,
    /// A message of the subscription has a type that is not in the spec, and may have been a change.
    UnknownMessage,
    /// A change or a snapshot has no sequence number.
    MissingSeq,
    /// A change, a snapshot or an undecodable message has no subscription number.
    MissingSid,
    /// The price mode of the subscription is unknown, so nothing was applied. State it with
    /// [`register_with_mode`](super::Books::register_with_mode). Only on APIs with several modes.
    UnknownPriceMode,
    /// Messages were dropped. See [`Event::Lagged`](crate::ws::Event::Lagged).
    Lagged,
    /// The caller has asked to remove the market from the subscription, an acknowledgement does not list the market, or the subscription has
    /// ended without an error.
    Unsubscribed,
    /// The market has settled. This is reported only if a channel that announces settlements is subscribed to: see the module `ws` of the
    /// API crate.
    Settled,
    /// A corporate action split the market or changed its ticker. Only on APIs with corporate actions.
    CorporateAction,
    /// An acknowledgement did not list the markets of the subscription, so they are unknown.
    UnlistedMarkets,
    /// A message about the market came from another subscription, or the market was registered with another one. The book may lack a change.
    OtherSubscription,
    /// The messages of the subscription are no longer delivered to this reader, because the caller ended the subscription. Another reader may
    /// still receive them.
    Detached,
    /// The exchange ended the subscription with an error. On APIs with corporate actions, this is also the reason if another subscription ended
    /// or was made again, because a notice about the market may have been lost.
    SubscriptionEnded,
    /// The connection was lost.
    Disconnected,
}

impl StaleReason {
    /// Returns the expected and the received number, for the log.
    pub(super) fn numbers(self) -> (Option<i128>, Option<i128>) {
        let numbers = |expected, got| (Some(expected), Some(got));
        match self {
            Self::Gap { expected, got } => numbers(expected.into(), got.into()),
            Self::ClockFell { last, got } => numbers(last.into(), got.into()),
            Self::EarlierSnapshot { expected, got } => numbers(expected.into(), got.into()),
            _ => (None, None),
        }
    }

    /// Returns `true` if the cause is not a fault in the exchange's messages.
    pub(super) fn is_usual(self) -> bool {
        matches!(
            self,
            Self::Unsubscribed
                | Self::Detached
                | Self::Disconnected
                | Self::Settled
                | Self::CorporateAction
        )
    }
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, got } => {
                write!(f, "expected message {expected}, received {got}")
            }
            Self::ClockFell { last, got } => {
                write!(
                    f,
                    "a change has clock {got}, but the book is already at {last}"
                )
            }
            Self::EarlierSnapshot { expected, got } => {
                write!(f, "a snapshot has clock {got}, below {expected}")
            }
            Self::UnconfirmedSnapshot => f.write_str("a second snapshot did not confirm the first"),
            Self::InvalidSnapshot(error) => write!(f, "invalid snapshot: {error}"),
            Self::InvalidChange(error) => write!(f, "a change does not fit the book: {error}"),
            Self::Crossed => f.write_str("the book stayed crossed"),
            Self::NoSnapshot => f.write_str("a change arrived before a snapshot"),
            Self::BufferOverflow => f.write_str("too many changes arrived before a snapshot"),
            Self::Malformed => f.write_str("a message could not be decoded"),
            Self::UnknownMessage => f.write_str("a message has an unknown type"),
            Self::MissingSeq => f.write_str("a message has no sequence number"),
            Self::MissingSid => f.write_str("a message has no subscription"),
            Self::UnknownPriceMode => f.write_str("the price mode of the subscription is unknown"),
            Self::Lagged => f.write_str("messages were dropped"),
            Self::Unsubscribed => f.write_str("unsubscribed"),
            Self::Settled => f.write_str("the market has settled"),
            Self::CorporateAction => f.write_str("corporate action"),
            Self::UnlistedMarkets => {
                f.write_str("an acknowledgement did not list the markets of the subscription")
            }
            Self::OtherSubscription => {
                f.write_str("another subscription has messages about the market")
            }
            Self::Detached => {
                f.write_str("messages of the subscription are no longer delivered here")
            }
            Self::SubscriptionEnded => f.write_str("the exchange ended the subscription"),
            Self::Disconnected => f.write_str("the connection was lost"),
        }
    }
}

impl From<ReplicaStaleReason<BookError>> for StaleReason {
    fn from(cause: ReplicaStaleReason<BookError>) -> Self {
        match cause {
            ReplicaStaleReason::ClockFell { last, got } => Self::ClockFell { last, got },
            ReplicaStaleReason::Change(error) => Self::InvalidChange(error),
            ReplicaStaleReason::Crossed => Self::Crossed,
            ReplicaStaleReason::EarlierSnapshot { expected, got } => {
                Self::EarlierSnapshot { expected, got }
            }
            ReplicaStaleReason::UnconfirmedSnapshot => Self::UnconfirmedSnapshot,
            ReplicaStaleReason::Overflow => Self::BufferOverflow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_clock_is_not_described_as_lower() {
        let reason = StaleReason::ClockFell { last: 5, got: 5 };
        assert_eq!(
            reason.to_string(),
            "a change has clock 5, but the book is already at 5"
        );
    }
}
