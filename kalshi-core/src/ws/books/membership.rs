//! Markets of the subscriptions: which books a subscription has, from its registration to its end.

use std::{
    collections::{BTreeSet, btree_map::Entry},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    Books, MAX_SUBSCRIPTIONS, NO_SUBSCRIPTION, ORPHAN_TIMEOUT,
    api::ApiBook,
    event::StaleReason,
    events::BookEvents,
    evidence::{Listing, Subscription},
    tracked::TrackedBook,
};
use crate::ws::sequence::{Fingerprint, MAX_BUFFERED, Sequence};

impl<B: ApiBook> Books<B> {
    /// Records a subscription if it is new. Books that no subscription includes are dropped later, because they would never be updated.
    pub(super) fn start(&mut self, sid: u64, sequence: Sequence<Fingerprint>) {
        let Entry::Vacant(entry) = self.subscriptions.entry(sid) else {
            return;
        };
        entry.insert(Subscription::new(sequence));
        let drop_at = Instant::now() + ORPHAN_TIMEOUT;
        for tracked in self.books.values_mut() {
            if tracked.sid == NO_SUBSCRIPTION {
                tracked.set_timer(&mut self.schedule, Some(drop_at));
            }
        }
    }

    /// Expects the snapshot of a market, unless the subscription has a book of it.
    pub(super) fn expect(&mut self, sid: u64, ticker: &str, events: &mut BookEvents) {
        let ticker = self.interned(ticker);
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        subscription.removing.remove(&ticker);
        subscription.tickers.insert(Arc::clone(&ticker));
        let (since, has_loss) = (
            subscription.sequence.position(),
            !subscription.sequence.is_complete(),
        );
        let tracked = match self.books.get_mut(&ticker) {
            Some(tracked) if tracked.sid == sid => {
                tracked.replica.limit_buffer(MAX_BUFFERED);
                if std::mem::take(&mut tracked.is_unproven) && tracked.replica.is_stale() {
                    // Earlier requests had no effect, because the market was not part of the subscription.
                    tracked.expect_snapshot(&mut self.schedule);
                }
                return;
            }
            Some(tracked) => {
                tracked.replica.limit_buffer(MAX_BUFFERED);
                tracked.move_to(sid, since, has_loss);
                tracked.report_stale(StaleReason::OtherSubscription, events);
                tracked
            }
            None => {
                let new = TrackedBook::new(Arc::clone(&ticker), sid, since, has_loss);
                self.books.entry(ticker).or_insert(new)
            }
        };
        tracked.expect_snapshot(&mut self.schedule);
    }

    pub(super) fn has(&self, sid: u64, market_ticker: &str) -> bool {
        let subscription = self.subscriptions.get(&sid);
        subscription.is_some_and(|subscription| subscription.tickers.contains(market_ticker))
    }

    /// Processes the list of a subscription's markets in the reply to command `id`. Books of other markets are dropped, because no further
    /// changes follow.
    pub(super) fn listed(
        &mut self,
        sid: u64,
        id: Option<u64>,
        listed: Option<&[String]>,
        events: &mut BookEvents,
    ) {
        let subscription = self.subscriptions.get_mut(&sid);
        let is_current = subscription.is_some_and(|subscription| subscription.acknowledged(id));
        let listed = listed.filter(|_| is_current);
        // Without a list, any market may have been removed. Those that were not return with their next change.
        let reason = match listed {
            Some(_) => StaleReason::Unsubscribed,
            None => StaleReason::UnlistedMarkets,
        };
        let listing = match listed {
            Some(_) => Listing::Current,
            None => Listing::Outdated,
        };
        let has_list = listed.is_some();
        let listed = listed.unwrap_or_default();
        self.drop_unlisted(sid, listed, reason, events);
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        subscription.listing = listing;
        let removing = &mut subscription.removing;
        if has_list {
            let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
            removing.retain(|ticker, _| listed.contains(ticker.as_ref()));
        }
        // The list may be from before the removal of a market.
        let parts = listed.iter().map(String::as_str);
        let parts: Vec<_> = parts.filter(|part| !removing.contains_key(*part)).collect();
        for ticker in parts {
            // A snapshot follows, unless subscriptions were merged.
            self.expect(sid, ticker, events);
        }
    }

    fn drop_unlisted(
        &mut self,
        sid: u64,
        listed: &[String],
        reason: StaleReason,
        events: &mut BookEvents,
    ) {
        let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        let tickers = std::mem::take(&mut subscription.tickers).into_iter();
        let (kept, gone): (BTreeSet<Arc<str>>, BTreeSet<_>) =
            tickers.partition(|ticker| listed.contains(ticker.as_ref()));
        subscription.tickers = kept;
        for ticker in gone {
            if let Some(tracked) = self.books.remove(&ticker) {
                tracked.report_dropped(reason, &mut self.schedule, events);
            }
        }
    }

    /// Drops a subscription that ended permanently.
    pub(super) fn forget(&mut self, sid: u64, reason: StaleReason, events: &mut BookEvents) {
        self.drop_unlisted(sid, &[], reason, events);
        self.subscriptions.remove(&sid);
    }

    /// Remembers an ended subscription, in place of the oldest one if there are many.
    pub(super) fn mark_ended(&mut self, sid: u64) {
        self.ended.insert(sid);
        if self.ended.len() > MAX_SUBSCRIPTIONS {
            self.ended.pop_first();
        }
    }

    /// Ends all subscriptions.
    pub(super) fn end_all(&mut self, reason: StaleReason, events: &mut BookEvents) {
        for sid in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.end(sid, reason, events);
        }
    }

    /// Ends a subscription that is about to be made again.
    pub(super) fn end(&mut self, sid: u64, reason: StaleReason, events: &mut BookEvents) {
        let Some(Subscription { tickers, .. }) = self.subscriptions.remove(&sid) else {
            return;
        };
        self.mark_ended(sid);
        let books = self.books.values_mut();
        // A message may have moved a book to another subscription.
        let is_own =
            |tracked: &TrackedBook<B>| tracked.sid == sid || tickers.contains(&tracked.ticker);
        for tracked in books.filter(|tracked| is_own(tracked)) {
            // The next connection may reuse the number for another subscription.
            tracked.close(NO_SUBSCRIPTION, reason, &mut self.schedule, events);
        }
    }
}
