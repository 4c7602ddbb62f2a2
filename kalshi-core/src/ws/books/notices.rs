//! Notices about markets that are not frames of their subscription: settlements, corporate actions, removals, and stray messages.

use super::{
    Books, MAX_UNLISTED,
    api::{ApiBook, BookMessage},
    event::StaleReason,
    events::BookEvents,
    tracked::Loss,
};

impl<B: ApiBook> Books<B> {
    /// Applies a notice about markets, which is not part of their subscription.
    pub(super) fn apply_notice(&mut self, message: &BookMessage<'_, B>, events: &mut BookEvents) {
        match message {
            BookMessage::Settled(market_ticker) => self.settled(market_ticker, events),
            BookMessage::Restated(Some(market_ticker)) => self.restated(market_ticker, events),
            BookMessage::Restated(None) => {
                self.mark_all_stale(StaleReason::CorporateAction, events);
            }
            _ => {}
        }
    }

    /// Makes all books stale if notices may have been lost with another subscription, which has ended or was made again.
    pub(super) fn lose_notices(&mut self, sid: u64, reason: StaleReason, events: &mut BookEvents) {
        if B::HAS_NOTICES && !self.subscriptions.contains_key(&sid) {
            self.mark_all_stale(reason, events);
        }
    }

    /// Drops the book of a settled market, because no further messages follow.
    fn settled(&mut self, market_ticker: &str, events: &mut BookEvents) {
        if let Some(tracked) = self.books.remove(market_ticker) {
            for subscription in self.subscriptions.values_mut() {
                subscription.tickers.remove(market_ticker);
            }
            tracked.report_dropped(StaleReason::Settled, &mut self.schedule, events);
        }
    }

    /// Requests another snapshot because a corporate action changed the levels of the market.
    fn restated(&mut self, market_ticker: &str, events: &mut BookEvents) {
        if let Some(tracked) = self.books.get_mut(market_ticker)
            && let Some(subscription) = self.subscriptions.get(&tracked.sid)
        {
            let loss = Loss::After(subscription.sequence.position());
            let reason = StaleReason::CorporateAction;
            tracked.lose(loss, reason, &mut self.schedule, events);
        }
    }

    /// Makes a live book stale, because a message about its market came from another subscription. The book stays on its own.
    pub(super) fn doubt(&mut self, market_ticker: &str, events: &mut BookEvents) {
        if let Some(tracked) = self.books.get_mut(market_ticker)
            && !tracked.replica.is_stale()
            && let Some(subscription) = self.subscriptions.get(&tracked.sid)
        {
            let loss = Loss::After(subscription.sequence.position());
            let reason = StaleReason::OtherSubscription;
            tracked.lose(loss, reason, &mut self.schedule, events);
        }
    }

    /// Drops the books of markets that are being removed from a subscription.
    pub(super) fn removing(
        &mut self,
        sid: u64,
        market_tickers: &[String],
        events: &mut BookEvents,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&sid) else {
            return;
        };
        // Before the loop, because the outcome of these removals is open.
        while subscription.removing.len() >= MAX_UNLISTED {
            subscription.removing.pop_first();
        }
        for market_ticker in market_tickers {
            let was_part = subscription.tickers.remove(market_ticker.as_str());
            let removing = subscription.removing.entry(market_ticker.as_str().into());
            *removing.or_default() |= was_part;
            if let Some(tracked) = self.books.remove(market_ticker.as_str()) {
                let reason = StaleReason::Unsubscribed;
                tracked.report_dropped(reason, &mut self.schedule, events);
            }
        }
    }

    /// Requests snapshots of markets whose removal had no effect.
    pub(super) fn kept(&mut self, sid: u64, market_tickers: &[String], events: &mut BookEvents) {
        for market_ticker in market_tickers {
            let subscription = self.subscriptions.get_mut(&sid);
            let removing = subscription.map(|subscription| &mut subscription.removing);
            // A settled market is not kept.
            if removing.and_then(|removing| removing.remove(market_ticker.as_str())) == Some(true) {
                self.expect(sid, market_ticker, events);
                if let Some(tracked) = self.books.get_mut(market_ticker.as_str()) {
                    tracked.request_now(&mut self.schedule);
                }
            }
        }
    }
}
