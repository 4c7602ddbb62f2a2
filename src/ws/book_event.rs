//! Events of order books.

use std::sync::Arc;

use super::book::BookError;

/// A change of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookEvent {
    /// A live book has changed.
    Changed {
        /// Ticker of the market.
        market_ticker: Arc<str>,
    },
    /// A book is live, for the first time or again.
    Live {
        /// Ticker of the market.
        market_ticker: Arc<str>,
    },
    /// A book must not be used until it is live again.
    Stale {
        /// Ticker of the market.
        market_ticker: Arc<str>,
        /// Why.
        reason: StaleReason,
    },
}

impl BookEvent {
    /// Ticker of the market.
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
    /// A message of the subscription is missing.
    Gap {
        /// The sequence number that should have come.
        expected: u64,
        /// The sequence number that came.
        got: u64,
    },
    /// A change does not fit the book.
    Broken(BookError),
    /// The best bid and the best ask cross.
    Crossed,
    /// A change came before a snapshot of the market.
    NoSnapshot,
    /// A message of the subscription could not be decoded, and may have been a change.
    Malformed,
    /// Messages were dropped because they were not read in time.
    Lagged,
    /// The subscription no longer has the market, or it is unknown whether it has.
    Unsubscribed,
    /// The connection was lost, or the subscription ended.
    Disconnected,
}
