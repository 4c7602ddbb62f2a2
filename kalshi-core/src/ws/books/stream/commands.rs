//! Commands of a book stream: requests of snapshots, and removals of settled markets.

use std::{collections::HashMap, pin::Pin, time::Duration};

use tokio::time::Instant;

use super::{BookStream, OrderBookApi};
use crate::ws::{
    CommandError, ConnectionError, SnapshotRequest, Subscription, books::tracked::TrackedBook,
};

/// Minimum time between two snapshot requests of one subscription.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// A command in flight.
pub(super) type Request = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Result of a command.
pub(super) enum Done {
    /// Snapshots were requested.
    Requested(SnapshotRequest, Result<(), ConnectionError>),
    /// Settled markets were removed, except for these.
    Removed(Vec<String>),
}

/// Markets of rejected requests. Each group is requested separately, and divided again if it is rejected, until the rejected market is alone.
#[derive(Default)]
pub(super) struct Suspects {
    /// Number of each market's group. All other markets are in group 0.
    groups: HashMap<String, u64>,
    last_group: u64,
}

impl Suspects {
    fn group(&self, market_ticker: &str) -> u64 {
        self.groups.get(market_ticker).copied().unwrap_or(0)
    }

    /// Divides the markets of a rejected request: into those that the error names and the others, or in halves.
    fn divide(&mut self, market_tickers: &[String], error: &CommandError) {
        let is_named = |ticker: &String| error.market_tickers.contains(ticker);
        let (mut named, mut others): (Vec<_>, Vec<_>) =
            market_tickers.iter().partition(|ticker| is_named(ticker));
        if named.is_empty() {
            named = others.split_off(others.len() / 2);
        } else if others.is_empty() {
            others = named.split_off(named.len() / 2);
        }
        for group in [others, named] {
            self.last_group += 1;
            let group = group
                .into_iter()
                .map(|ticker| (ticker.clone(), self.last_group));
            self.groups.extend(group);
        }
    }

    pub(super) fn clear(&mut self) {
        self.groups.clear();
    }
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
        let (paused, suspects) = (&self.next_requests, &self.suspects);
        let is_ready = |sid| !paused.contains_key(&sid);
        let mut groups: HashMap<u64, u64> = HashMap::new();
        for tracked in self.books.due(is_ready) {
            let group = suspects.group(&tracked.ticker);
            let first = groups.entry(tracked.sid).or_insert(group);
            *first = group.min(*first);
        }
        let requests = self.books.drain_requests_of(is_ready, |sid, ticker| {
            groups.get(&sid) == Some(&suspects.group(ticker))
        });
        for request in requests {
            self.next_requests.insert(request.sid, now + REQUEST_PAUSE);
            let handle = self.handle.clone();
            self.requests.push(Box::pin(async move {
                let result = handle.send_request(&request).await;
                Done::Requested(request, result)
            }));
        }
    }

    /// Processes the result of a snapshot request. If the exchange rejected it, it may have rejected only one of the markets.
    pub(super) fn requested(
        &mut self,
        request: &SnapshotRequest,
        result: Result<(), ConnectionError>,
    ) {
        let (sid, tickers) = (request.sid, &request.market_tickers);
        match result {
            Ok(()) => {
                for ticker in tickers {
                    self.suspects.groups.remove(ticker);
                }
            }
            // The books have their own timeout for each snapshot.
            Err(ConnectionError::Timeout(_)) => {}
            Err(ConnectionError::Command(error)) if !error.is_transient() && tickers.len() > 1 => {
                tracing::debug!(sid, %error, "snapshot request divided");
                self.suspects.divide(tickers, &error);
                self.books.retry(request, TrackedBook::request_in_part);
            }
            Err(error) => {
                tracing::debug!(sid, %error, "snapshot request failed");
                self.books.request_failed(request);
            }
        }
    }
}
