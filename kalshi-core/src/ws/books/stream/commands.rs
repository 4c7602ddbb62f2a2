//! Commands of a book stream: requests of snapshots, and removals of settled markets.

use std::{pin::Pin, time::Duration};

use tokio::time::Instant;

use super::{BookStream, OrderBookApi};
use crate::ws::{ConnectionError, ConnectionHandle, SnapshotRequest, Subscription};

/// Minimum time between two snapshot requests of one subscription.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// A command in flight.
pub(super) type Request = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Result of a command.
pub(super) enum Done {
    /// Snapshots were requested. Contains those that failed.
    Requested(Option<SnapshotRequest>),
    /// Settled markets were removed, except for these.
    Removed(Vec<String>),
}

impl<A: OrderBookApi> BookStream<A> {
    /// Sends the commands that are due. Snapshots of a subscription are requested at most once a second.
    pub(super) fn send_requests(&mut self) {
        if !self.is_removing && !self.settled.is_empty() {
            self.is_removing = true;
            let settled = std::mem::take(&mut self.settled);
            let own = self.connection.subscriptions().iter();
            let own = own.filter(|own| *own.channel() == A::BOOK_CHANNEL);
            let ids: Vec<_> = own.map(Subscription::id).collect();
            let handle = self.handle.clone();
            self.requests.push(Box::pin(async move {
                let mut failed = Vec::new();
                for id in ids {
                    let Err(error) = handle.remove_markets(id, settled.clone()).await else {
                        continue;
                    };
                    tracing::debug!(%error, "settled markets not removed");
                    // Retry, or they would be resubscribed after every reconnect.
                    if matches!(
                        error,
                        ConnectionError::Disconnected | ConnectionError::Timeout(_)
                    ) {
                        failed.clone_from(&settled);
                    }
                }
                Done::Removed(failed)
            }));
        }
        let now = Instant::now();
        self.next_requests.retain(|_, next| *next > now);
        let paused = &self.next_requests;
        let requests = self
            .books
            .drain_requests_of(|sid| !paused.contains_key(&sid));
        for request in requests {
            self.next_requests.insert(request.sid, now + REQUEST_PAUSE);
            self.requests
                .push(request_snapshots(self.handle.clone(), request));
        }
    }
}

/// Requests snapshots. An error does not name its market, so each market is then requested separately.
fn request_snapshots<A: OrderBookApi>(
    handle: ConnectionHandle<A>,
    mut request: SnapshotRequest,
) -> Request {
    Box::pin(async move {
        let Err(error) = handle.send_request(&request).await else {
            return Done::Requested(None);
        };
        let sid = request.sid;
        // The books have their own timeout for each snapshot.
        if matches!(error, ConnectionError::Timeout(_)) {
            return Done::Requested(None);
        }
        tracing::debug!(sid, %error, "snapshot request failed");
        let is_of_one = matches!(&error, ConnectionError::Command(error) if !error.is_transient());
        if is_of_one && request.market_tickers.len() > 1 {
            let mut failed = Vec::new();
            for market_ticker in request.market_tickers {
                let alone = SnapshotRequest::new(sid, vec![market_ticker]);
                if handle.send_request(&alone).await.is_err() {
                    failed.extend(alone.market_tickers);
                }
            }
            request = SnapshotRequest::new(sid, failed);
        }
        Done::Requested(Some(request))
    })
}
