//! Records the fills and orders that messages of the connection report.

use super::{Backfill, Observation, memory::OrderState};
use crate::ws::{
    CommandError, Received,
    messages::{self, Message},
};

impl Backfill {
    pub(super) fn observe_message(&mut self, received: &Received) -> Observation {
        let is_new = match &received.frame.message {
            Message::Fill(fill) => self.observe_fill(fill, received),
            Message::UserOrder(order) => self.observe_order(order, received),
            Message::Malformed(message) => {
                let may_concern = self.may_concern(received);
                let is_private = match message.kind.as_deref() {
                    Some("fill" | "user_order") => true,
                    // The error may have ended the subscription.
                    Some("error") | None => may_concern,
                    Some(_) => false,
                };
                return match is_private {
                    true => self.lost_some(),
                    false => Observation::Other,
                };
            }
            // A type added in a later version may report fills.
            Message::Unknown(_) if self.may_concern(received) => return self.lost_some(),
            Message::ErrorReply(error) => {
                let error = CommandError::from(error);
                if error.ends_subscription() {
                    self.observe_end(received, error.is_terminal());
                }
                return Observation::Other;
            }
            // The reply to the program's own `unsubscribe` has a `sid` and no subscription.
            Message::UnsubscribedReply => {
                self.observe_end(received, true);
                return Observation::Other;
            }
            _ => return Observation::Other,
        };
        match is_new {
            true => Observation::New,
            false => Observation::Known,
        }
    }

    /// Returns `true` if a message may belong to a private channel. Without a subscription and a `sid`, it may belong to any.
    fn may_concern(&self, received: &Received) -> bool {
        let of = (received.subscription, received.frame.sid);
        of == (None, None) || self.concerns(of.0)
    }

    /// Handles the end of a subscription by the exchange, or of all if `may_end_all` and the message names none. `Event::Resubscribed` or
    /// `Event::Unsubscribed` follows; nothing is delivered until then.
    fn observe_end(&mut self, received: &Received, may_end_all: bool) {
        match received.subscription {
            Some(ended) if !self.are_named || self.subscriptions.contains_key(&ended) => {
                self.lose(|id| id == ended);
            }
            None if received.frame.sid.is_none() && may_end_all => self.lose(|_| true),
            _ => {}
        }
    }

    fn observe_fill(&mut self, fill: &messages::Fill, received: &Received) -> bool {
        let (trade_id, order_id) = (fill.trade_id.clone(), fill.order_id.clone());
        // A fill with too early a time must not be forgotten while its row may still be read.
        let remembered = fill.ts_ms.max(received.received_ts_ms.unwrap_or(i64::MIN));
        let is_new = self.fills.report(trade_id, order_id, remembered);
        // While there is a gap, later fills do not prove that earlier ones were delivered.
        if self.gap.is_none() {
            self.fills.window.advance(not_future(fill.ts_ms, received));
            self.fills.drop_old();
        }
        self.fills.limit();
        is_new
    }

    fn observe_order(&mut self, order: &messages::UserOrder, received: &Received) -> bool {
        if !self.scope.covers(&order.ticker, order.subaccount_number) {
            return true;
        }
        let state = OrderState::from(order);
        let updated = state.updated;
        let arrival = received.received_ts_ms;
        let is_new = self
            .orders
            .report_message(&order.order_id, state, self.epoch, arrival);
        if let (None, Some(updated)) = (self.gap, updated) {
            self.orders.window.advance(not_future(updated, received));
            self.orders.drop_old();
        }
        self.orders.limit();
        is_new
    }
}

/// Returns the time of a message, but at most its time of arrival: a single wrong time must not hide what happened before it.
fn not_future(time: i64, received: &Received) -> i64 {
    received
        .received_ts_ms
        .map_or(time, |arrival| time.min(arrival))
}
