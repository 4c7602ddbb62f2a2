//! The fills and orders that were already reported, for as long as they can be delivered again.
//!
//! All times are Unix milliseconds of the exchange's clock.

use std::collections::{HashMap, hash_map::Entry};

use kalshi_core::{Contracts, Dollars, OrderId, TradeId};

use crate::{
    types::{Fill, Order, OrderStatus},
    ws::messages,
};

/// Margin by which entries outlive the window, because the times of a fill's message and of its row differ.
const MARGIN_MS: i64 = 60_000;

/// The time up to which everything is known, and the period before it that may be delivered again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Time up to which everything is known. `None` at first.
    known_until: Option<i64>,
    /// Maximum delay of a message after what it reports, in milliseconds.
    overlap: i64,
    /// Time before which entries were dropped.
    dropped_until: i64,
}

impl Window {
    pub(super) fn new(overlap: i64) -> Self {
        Self {
            known_until: None,
            overlap,
            dropped_until: i64::MIN,
        }
    }

    pub(super) fn set_overlap(&mut self, overlap: i64) {
        self.overlap = overlap;
    }

    /// Records that everything until `time` is known.
    pub(super) fn advance(&mut self, time: i64) {
        self.known_until = self.known_until.max(Some(time));
    }

    /// Returns the start of the window, or `None` while nothing is known. Anything earlier was reported or is irrelevant.
    pub(super) fn start(&self) -> Option<i64> {
        self.known_until
            .map(|time| time.saturating_sub(self.overlap))
    }

    /// Returns the time before which entries are to be dropped, or `None` if it is too early to drop again, because dropping visits every
    /// entry. The time is a margin before the start of the window, so that no accepted row was forgotten.
    fn drop_until(&mut self) -> Option<i64> {
        let until = self.start()?.saturating_sub(MARGIN_MS);
        let interval = self.overlap.saturating_add(MARGIN_MS) / 4;
        if until.saturating_sub(self.dropped_until) < interval {
            return None;
        }
        self.dropped_until = until;
        Some(until)
    }
}

/// The maximum number of entries, and the time up to which entries were forgotten because of it.
#[derive(Clone, Copy, Debug)]
struct Limit {
    max: usize,
    /// Number of entries above which the limit is enforced, which visits every entry.
    check_at: usize,
    /// Latest time of a forgotten entry. `None` if nothing was forgotten.
    forgotten_until: Option<i64>,
}

impl Limit {
    fn new(max: usize) -> Self {
        Self {
            max,
            check_at: max,
            forgotten_until: None,
        }
    }

    /// Returns `true` if the entry of a row of this time may have been forgotten. The time of a row differs from that of its message.
    fn is_forgotten(&self, time: Option<i64>) -> bool {
        self.forgotten_until
            .is_some_and(|until| time.is_none_or(|time| time <= until.saturating_add(MARGIN_MS)))
    }

    /// Returns the time until which entries are to be forgotten, so that half of the limit is left. `unlimited` entries do not count.
    fn forget(&mut self, mut times: Vec<i64>, unlimited: usize) -> Option<i64> {
        self.check_at = self.max.saturating_add(unlimited);
        times.sort_unstable();
        let index = times.len().checked_sub(self.max / 2 + 1)?;
        let until = *times.get(index)?;
        self.forgotten_until = self.forgotten_until.max(Some(until));
        Some(until)
    }
}

/// Trade id and order id. Both fills of a self-trade have the same trade id.
type FillKey = (TradeId, OrderId);

/// The fills that were reported.
#[derive(Debug)]
pub(super) struct Fills {
    pub(super) window: Window,
    /// Time of each fill.
    reported: HashMap<FillKey, i64>,
    limit: Limit,
}

impl Fills {
    pub(super) fn new(overlap: i64, max: usize) -> Self {
        Self {
            window: Window::new(overlap),
            reported: HashMap::new(),
            limit: Limit::new(max),
        }
    }

    pub(super) fn set_max(&mut self, max: usize) {
        self.limit = Limit::new(max);
    }

    pub(super) fn is_forgotten(&self, time: Option<i64>) -> bool {
        self.limit.is_forgotten(time)
    }

    pub(super) fn knows(&self, trade_id: &TradeId, order_id: &OrderId) -> bool {
        let key = (trade_id.clone(), order_id.clone());
        self.reported.contains_key(&key)
    }

    /// Forgets the older fills if there are too many.
    pub(super) fn limit(&mut self) {
        if self.reported.len() > self.limit.check_at
            && let Some(until) = self
                .limit
                .forget(self.reported.values().copied().collect(), 0)
        {
            self.reported.retain(|_, time| *time > until);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.reported.len()
    }

    /// Reports a fill. Returns `false` if it was reported before.
    pub(super) fn report(&mut self, trade_id: TradeId, order_id: OrderId, time: i64) -> bool {
        match self.reported.entry((trade_id, order_id)) {
            Entry::Vacant(entry) => {
                entry.insert(time);
                true
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                *known = time.max(*known);
                false
            }
        }
    }

    pub(super) fn drop_old(&mut self) {
        if let Some(start) = self.window.drop_until() {
            self.reported.retain(|_, time| *time >= start);
        }
    }
}

/// Returns the time of a fill in Unix milliseconds, or `None` if the row has none.
pub(super) fn time_of_fill(fill: &Fill) -> Option<i64> {
    let created = fill.created_time.map(|time| time.timestamp_millis());
    // The last millisecond of the second, so that the fill does not appear earlier than it was.
    created.or(fill
        .ts
        .map(|seconds| seconds.saturating_mul(1_000).saturating_add(999)))
}

/// The fields by which states of an order are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderState {
    /// Time of the last change in Unix milliseconds. `None` if the exchange sent none.
    pub(super) updated: Option<i64>,
    filled: Contracts,
    remaining: Contracts,
    price: Dollars,
    pub(super) has_ended: bool,
}

impl From<&Order> for OrderState {
    fn from(order: &Order) -> Self {
        let updated = order.last_update_time.or(order.created_time);
        Self {
            updated: updated.map(|time| time.timestamp_millis()),
            filled: order.fill_count_fp,
            remaining: order.remaining_count_fp,
            price: order.yes_price_dollars,
            has_ended: crate::orders::has_ended(order),
        }
    }
}

impl From<&messages::UserOrder> for OrderState {
    #[allow(
        deprecated,
        reason = "messages of older servers lack the fields in milliseconds"
    )]
    fn from(order: &messages::UserOrder) -> Self {
        let millis =
            |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| time.timestamp_millis());
        let updated = order.last_updated_ts_ms.or(millis(order.last_update_time));
        let created = order.created_ts_ms.or(millis(order.created_time));
        Self {
            updated: updated.or(created),
            filled: order.fill_count_fp,
            remaining: order.remaining_count_fp,
            price: order.yes_price_dollars,
            has_ended: matches!(order.status, OrderStatus::Canceled | OrderStatus::Executed),
        }
    }
}

impl OrderState {
    /// Returns `true` if this state of an order follows another one. `breaks_ties` decides if both are of the same millisecond.
    pub(super) fn follows(&self, other: &Self, breaks_ties: bool) -> bool {
        // Regardless of timestamps, fills are not reversed and an order that ended does not rest again.
        if self.filled != other.filled {
            return self.filled > other.filled;
        }
        if self.has_ended != other.has_ended {
            return self.has_ended;
        }
        match (self.updated, other.updated) {
            (Some(own), Some(others)) if own != others => own > others,
            _ => breaks_ties && self != other,
        }
    }
}

/// The newest known state of an order.
#[derive(Debug)]
struct KnownOrder {
    state: OrderState,
    /// Epoch of the last subscription or read that began before the state was received.
    epoch: u64,
    /// The later of its last change and its arrival. `None` if both are unknown.
    time: Option<i64>,
}

/// The newest states of orders that were reported.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) window: Window,
    known: HashMap<OrderId, KnownOrder>,
    limit: Limit,
}

impl Orders {
    pub(super) fn new(overlap: i64, max: usize) -> Self {
        Self {
            window: Window::new(overlap),
            known: HashMap::new(),
            limit: Limit::new(max),
        }
    }

    pub(super) fn set_max(&mut self, max: usize) {
        self.limit = Limit::new(max);
    }

    pub(super) fn is_forgotten(&self, time: Option<i64>) -> bool {
        self.limit.is_forgotten(time)
    }

    /// Forgets the older orders that ended, if there are too many.
    pub(super) fn limit(&mut self) {
        if self.known.len() <= self.limit.check_at {
            return;
        }
        let ended = self.known.values().filter(|known| known.state.has_ended);
        let times: Vec<_> = ended.map(|known| known.time.unwrap_or(i64::MIN)).collect();
        let resting = self.known.len() - times.len();
        if let Some(until) = self.limit.forget(times, resting) {
            self.known.retain(|_, known| {
                !known.state.has_ended || known.time.is_some_and(|time| time > until)
            });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns the ids of the orders that have not ended.
    pub(super) fn open(&self) -> Vec<OrderId> {
        let open = self
            .known
            .iter()
            .filter(|(_, known)| !known.state.has_ended);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Reports a state from a message. Returns `false` if a later state was reported before.
    pub(super) fn report_message(
        &mut self,
        id: &OrderId,
        state: OrderState,
        epoch: u64,
        arrival: Option<i64>,
    ) -> bool {
        // Messages arrive in order, so of two in one millisecond the second is later.
        self.report(id.clone(), state, epoch, arrival, |_| true)
    }

    /// Reports a state that was read in an epoch. Returns `false` if a later state was reported before.
    pub(super) fn report_row(&mut self, id: &str, state: OrderState, epoch: u64) -> bool {
        self.report(id.into(), state, epoch, None, |known| known.epoch < epoch)
    }

    fn report(
        &mut self,
        id: OrderId,
        state: OrderState,
        epoch: u64,
        arrival: Option<i64>,
        breaks_ties: impl Fn(&KnownOrder) -> bool,
    ) -> bool {
        if let Some(known) = self.known.get(&id)
            && !state.follows(&known.state, breaks_ties(known))
        {
            return false;
        }
        let time = state.updated.max(arrival);
        self.known.insert(id, KnownOrder { state, epoch, time });
        true
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// Drops an order that the exchange does not have.
    pub(super) fn forget(&mut self, id: &OrderId) {
        self.known.remove(id);
    }

    /// Drops orders that ended before the window. Resting orders are kept regardless of age.
    pub(super) fn drop_old(&mut self) {
        if let Some(start) = self.window.drop_until() {
            self.known.retain(|_, known| {
                !known.state.has_ended || known.time.is_none_or(|time| time >= start)
            });
        }
    }
}
