//! Results of a backfill: observations, missed fills and orders, and errors.

use std::{sync::Arc, time::Duration};

use crate::{
    Error,
    types::{Fill, Order},
};

/// Effect of an event on a program's fills and orders, as returned by [`Backfill::observe`](super::Backfill::observe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a fill that is already known must not be counted again"]
#[non_exhaustive]
pub enum Observation {
    /// A fill, or a state of an order, that was not reported before.
    New,
    /// A fill that was reported before, or a state of an order that is not newer than a reported one: ignore the message.
    Known,
    /// Messages may have been lost, and later ones are delivered: call [`Backfill::fetch`](super::Backfill::fetch).
    FetchNeeded,
    /// Neither a fill nor an order, and no reason to fetch now.
    Other,
}

/// The fills and orders that the WebSocket did not deliver.
#[derive(Debug, Default)]
#[must_use = "fills in it are not returned again"]
#[non_exhaustive]
pub struct Missed {
    /// Fills that were not reported before, oldest first.
    pub fills: Vec<Fill>,
    /// Orders that changed, each in its newest state and once, in the order of their last change.
    pub orders: Vec<Order>,
    /// Errors of rows that do not decode, at most 16. If there are any, fills or orders may be missing: compare positions and orders with
    /// those of the exchange.
    pub skipped: Vec<Error>,
    /// Number of rows that do not decode.
    pub skipped_count: usize,
    /// Number of fills and orders that were read and not returned, because reports from their time were forgotten: see
    /// [`Backfill::max_remembered`](super::Backfill::max_remembered). They may or may not have been reported. If it is not 0, compare
    /// positions and orders with those of the exchange.
    pub omitted: usize,
}

/// Error of reading missed fills and orders. Nothing was marked as reported: read again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackfillError {
    /// Reads were not proven up to date with the new subscriptions in time. If this machine's clock is ahead of the exchange's, the wait is
    /// longer.
    #[error(
        "reads were not up to date within {} ms: fetch again, or set a longer timeout",
        .timeout.as_millis()
    )]
    Stale {
        /// The timeout of the read: see [`Backfill::timeout`](super::Backfill::timeout).
        timeout: Duration,
        /// The last error, or `None` if the exchange responded and its reads lagged behind.
        source: Option<Arc<Error>>,
    },
    /// Reads were up to date, but the lists could not be read completely in time.
    #[error(
        "fills and orders could not be read completely within {} ms: fetch again, or set a longer timeout",
        .timeout.as_millis()
    )]
    Incomplete {
        /// The timeout of the read: see [`Backfill::timeout`](super::Backfill::timeout).
        timeout: Duration,
        /// The last error, or `None` if no read failed before the timeout.
        source: Option<Arc<Error>>,
    },
    /// More rows than a read may keep. Reading again does not help.
    #[error(
        "more than {max_rows} fills or orders were missed: set a larger `max_rows`, or restrict the markets or the subaccount"
    )]
    TooManyRows {
        /// The limit that was exceeded: see [`Backfill::max_rows`](super::Backfill::max_rows).
        max_rows: usize,
    },
}
