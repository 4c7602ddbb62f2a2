//! What a message of the connection says about fills and orders.

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
                let is_private = match message.kind.as_deref() {
                    Some(kind) => ["fill", "user_order"].contains(&kind),
                    None => self.concerns(received.subscription),
                };
                return match is_private {
                    true => self.lost_some(),
                    false => Observation::Other,
                };
            }
            Message::ErrorReply(error) if CommandError::from(error).is_terminal() => {
                self.observe_end(received);
                return Observation::Other;
            }
            _ => return Observation::Other,
        };
        match is_new {
            true => Observation::New,
            false => Observation::Known,
        }
    }

    /// The exchange ended a subscription. `Event::Resubscribed` or `Event::Unsubscribed` follows; nothing is delivered until then.
    fn observe_end(&mut self, received: &Received) {
        match received.subscription {
            Some(ended) if !self.are_named || self.subscriptions.contains_key(&ended) => {
                self.lose(|id| id == ended);
            }
            // It ended all of them.
            None if received.frame.sid.is_none() => self.lose(|_| true),
            _ => {}
        }
    }

    fn observe_fill(&mut self, fill: &messages::Fill, received: &Received) -> bool {
        let (trade_id, order_id) = (fill.trade_id.clone(), fill.order_id.clone());
        // A time that is too early must not make it forgotten while its row may still be read.
        let remembered = fill.ts_ms.max(received.received_ts_ms.unwrap_or(i64::MIN));
        let is_new = self.fills.report(trade_id, order_id, remembered);
        // While there is a hole, later fills do not prove that earlier ones came.
        if self.hole.is_none() {
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
        if let (None, Some(updated)) = (self.hole, updated) {
            self.orders.window.advance(not_future(updated, received));
            self.orders.drop_old();
        }
        self.orders.limit();
        is_new
    }
}

/// The time of a message, but not later than its arrival: one wrong time must not hide what happens before it.
fn not_future(time: i64, received: &Received) -> i64 {
    received
        .received_ts_ms
        .map_or(time, |arrival| time.min(arrival))
}
