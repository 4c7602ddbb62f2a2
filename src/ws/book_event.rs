//! What becomes of order books, and what they ask for.

use std::sync::Arc;

use super::BookError;

/// What became of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookEvent {
    /// A live book has changed.
    Changed {
        /// Its market.
        market_ticker: Arc<str>,
    },
    /// A book is live: by its first snapshot, or again.
    Live {
        /// Its market.
        market_ticker: Arc<str>,
    },
    /// A book is not to be trusted any more, until it is live again.
    Stale {
        /// Its market.
        market_ticker: Arc<str>,
        /// Why.
        reason: StaleReason,
    },
}

impl BookEvent {
    /// The market that it is about.
    #[must_use]
    pub fn market_ticker(&self) -> &str {
        match self {
            Self::Changed { market_ticker }
            | Self::Live { market_ticker }
            | Self::Stale { market_ticker, .. } => market_ticker,
        }
    }
}

/// Why a book is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleReason {
    /// A frame of its subscription is missing.
    Gap {
        /// The one that should have come.
        expected: u64,
        /// The one that came.
        got: u64,
    },
    /// A change does not fit the book.
    Broken(BookError),
    /// The best bids meet.
    Crossed,
    /// A change came before any snapshot of the market.
    NoSnapshot,
    /// A frame of its subscription could not be read, and may have been a change.
    Malformed,
    /// Messages were dropped because they were not read fast enough.
    Lagged,
    /// The subscription does not have the market any more, or it is not known whether it has.
    Unsubscribed,
    /// The connection is gone, or the subscription is.
    Disconnected,
}

/// Snapshots to ask for: `update_subscription` with the action `get_snapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRequest {
    /// The subscription.
    pub sid: u64,
    /// The markets.
    pub market_tickers: Vec<String>,
}
