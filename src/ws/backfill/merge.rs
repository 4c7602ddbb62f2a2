//! Merges the rows of a read with what was observed.

use super::{
    Backfill, BackfillRows, Gap, Missed,
    memory::{OrderState, time_of_fill},
};

/// # Results of reads in another task
impl Backfill {
    /// Returns the rows that were not reported before, and marks them as reported. Returns nothing if rows of a later read were merged
    /// already: those contained all of these rows, and orders may have changed since.
    pub fn merge(&mut self, rows: BackfillRows) -> Missed {
        if rows.number < self.merged {
            return Missed::default();
        }
        self.merged = rows.number;
        let known_until = rows.since.likely_earliest_ms(&self.client.core);
        let known_until = i64::try_from(known_until).unwrap_or(i64::MAX);
        let fills_from = self.fills.window.start();
        let orders_from = self
            .orders
            .window
            .start()
            .unwrap_or(self.start)
            .max(self.start);
        let mut missed = Missed {
            skipped: rows.skipped,
            skipped_count: rows.skipped_count,
            ..Missed::default()
        };
        for fill in rows.fills {
            let time = time_of_fill(&fill);
            let is_old = matches!((time, fills_from), (Some(time), Some(from)) if time < from);
            let (trade_id, order_id) = (fill.trade_id.clone(), fill.order_id.clone());
            if is_old || self.fills.knows(&trade_id, &order_id) {
                continue;
            }
            if self.fills.is_forgotten(time) {
                missed.omitted += 1;
                continue;
            }
            let time = time.unwrap_or(known_until);
            _ = self.fills.report(trade_id, order_id, time);
            missed.fills.push(fill);
        }
        for order in rows.orders {
            let state = OrderState::from(&order);
            let is_old = state.updated.is_some_and(|time| time < orders_from);
            let was_known = self.orders.knows(&order.order_id);
            let is_uncertain = !was_known && self.orders.is_forgotten(state.updated);
            // An old order that has ended would be forgotten immediately.
            if is_old && !was_known && state.has_ended {
                continue;
            }
            let is_new = self.orders.report_row(&order.order_id, state, rows.epoch);
            if is_new && (was_known || !is_old) {
                match is_uncertain {
                    true => missed.omitted += 1,
                    false => missed.orders.push(order),
                }
            }
        }
        for order_id in rows.unfound {
            tracing::warn!(%order_id, "the exchange does not have a reported order");
            self.orders.forget(&order_id);
        }
        // Lists have the newest row first.
        missed.fills.reverse();
        missed.fills.sort_by_key(|fill| {
            let created = fill.created_time.map(|time| time.timestamp_micros());
            created.or(time_of_fill(fill).map(|time| time.saturating_mul(1_000)))
        });
        missed
            .orders
            .sort_by_key(|order| order.last_update_time.or(order.created_time));
        if let Some(Gap {
            end: Some((_, epoch)),
        }) = self.gap
            && epoch <= rows.epoch
        {
            self.gap = None;
        }
        self.fills.window.advance(known_until);
        self.orders.window.advance(known_until);
        self.fills.drop_old();
        self.orders.drop_old();
        // Not earlier: what this merge reports must not cause its own rows to be omitted.
        self.fills.limit();
        self.orders.limit();
        missed
    }
}
