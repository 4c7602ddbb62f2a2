//! Commands of a book stream: requests of snapshots, and removals of settled markets.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    pin::Pin,
    time::Duration,
};

use tokio::time::Instant;

use super::{BookStream, OrderBookApi};
use crate::ws::{
    CommandError, ConnectionError, SnapshotRequest, Subscription, books::tracked::TrackedBook,
};

/// Minimum time between two snapshot requests of one subscription.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// Pause before a failed removal of settled markets is sent again.
const REMOVAL_PAUSE: Duration = Duration::from_secs(5);

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

    /// Returns the group to request next of each subscription, by `sid`. `due` contains the `sid`, the ticker and the previous attempts of
    /// each book.
    ///
    /// It is the largest group, because a rejected market is soon alone and is requested again and again: it must not delay the others. Of
    /// the groups of a size, it is the one with the fewest attempts.
    fn next_groups<'a>(&self, due: impl Iterator<Item = (u64, &'a str, u32)>) -> HashMap<u64, u64> {
        let mut sizes: BTreeMap<(u64, u64), (usize, Reverse<u32>)> = BTreeMap::new();
        for (sid, ticker, attempts) in due {
            let key = (sid, self.group(ticker));
            let (size, fewest) = sizes.entry(key).or_insert((0, Reverse(attempts)));
            *size += 1;
            *fewest = Reverse(attempts).max(*fewest);
        }
        let mut next: HashMap<u64, (u64, (usize, Reverse<u32>))> = HashMap::new();
        for ((sid, group), size) in sizes {
            let best = next.entry(sid).or_insert((group, size));
            if best.1 < size {
                *best = (group, size);
            }
        }
        let groups = next.into_iter().map(|(sid, (group, _))| (sid, group));
        groups.collect()
    }

    /// Forgets a market that is no longer part of a subscription.
    pub(super) fn remove(&mut self, market_ticker: &str) {
        self.groups.remove(market_ticker);
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
                    let is_transient = match error {
                        ConnectionError::Disconnected | ConnectionError::Timeout(_) => true,
                        // The subscription is made again with the settled markets if the error ends it.
                        ConnectionError::Command(error) => {
                            error.is_transient() || error.ends_subscription()
                        }
                        _ => false,
                    };
                    // Retry, or they would be resubscribed after every reconnect.
                    if is_transient {
                        failed.clone_from(&settled);
                    }
                }
                if !failed.is_empty() {
                    tokio::time::sleep(REMOVAL_PAUSE).await;
                }
                Done::Removed(failed)
            }));
        }
        let now = Instant::now();
        self.next_requests.retain(|_, next| *next > now);
        let (paused, suspects) = (&self.next_requests, &self.suspects);
        let is_ready = |sid| !paused.contains_key(&sid);
        let due = self.books.due(is_ready);
        let groups = suspects.next_groups(due.map(|due| (due.sid, &*due.ticker, due.attempts())));
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
                    self.suspects.remove(ticker);
                }
            }
            // The books have their own timeout for each snapshot.
            Err(ConnectionError::Timeout(_)) => self.books.request_lost(request),
            Err(ConnectionError::Command(error)) if !error.is_transient() && tickers.len() > 1 => {
                tracing::debug!(sid, %error, "snapshot request divided");
                let books = &self.books.books;
                let groups = &mut self.suspects.groups;
                groups.retain(|ticker, _| books.contains_key(ticker.as_str()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_markets_do_not_delay_the_others() {
        let mut suspects = Suspects::default();
        let good = ["A", "B", "C", "D", "E"];
        let bad: Vec<_> = (0..20).map(|number| format!("X{number}")).collect();
        let mut due: Vec<_> = good.iter().map(|ticker| (*ticker, 0)).collect();
        due.extend(bad.iter().map(|ticker| (ticker.as_str(), 0)));
        // The exchange names one of the rejected markets at a time.
        for step in 0.. {
            let books = due.iter().map(|(ticker, attempts)| (1, *ticker, *attempts));
            let next = suspects.next_groups(books);
            let in_group = |ticker: &str| next.get(&1) == Some(&suspects.group(ticker));
            let requested = due.iter().filter(|(ticker, _)| in_group(ticker));
            let requested: Vec<_> = requested.map(|(ticker, _)| (*ticker).to_owned()).collect();
            if requested == good {
                assert_eq!(step, bad.len());
                break;
            }
            assert!(requested.len() > good.len(), "{step}: {requested:?}");
            let mut error = CommandError::new(14);
            error.market_tickers = requested.last().cloned().into_iter().collect();
            suspects.divide(&requested, &error);
        }
        // A good market alone is requested before those that were rejected.
        due.retain(|(ticker, _)| !good.contains(ticker));
        due.iter_mut().for_each(|(_, attempts)| *attempts = 1);
        suspects.divide(&["Z".to_owned()], &CommandError::new(14));
        due.push(("Z", 0));
        let next =
            suspects.next_groups(due.iter().map(|(ticker, attempts)| (1, *ticker, *attempts)));
        assert_eq!(next.get(&1), Some(&suspects.group("Z")));
    }
}
