//! The fills and orders that were reported already, for as long as they can come again.
//!
//! All times are Unix milliseconds of the exchange's clock.

use std::collections::{HashMap, hash_map::Entry};

use kalshi_core::{Contracts, Dollars, Id};

use crate::{
    types::{Fill, Order},
    ws::messages::{self, UserOrderStatus},
};

/// Time for which entries are remembered beyond the window, because the times of a fill's message and of its row differ.
const MARGIN_MS: i64 = 60_000;

/// The time up to which everything is known, and how far before it something may still come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Everything that happened until then is known. `None` until something is.
    known_until: Option<i64>,
    /// Milliseconds by which a message may come after what it reports.
    overlap: i64,
    /// Entries before this time were dropped.
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

    /// Everything until `time` is known.
    pub(super) fn advance(&mut self, time: i64) {
        self.known_until = self.known_until.max(Some(time));
    }

    /// Start of the window, or `None` while nothing is known. What happened before it was reported, or is not of interest.
    pub(super) fn start(&self) -> Option<i64> {
        self.known_until
            .map(|time| time.saturating_sub(self.overlap))
    }

    /// The time before which entries are to be dropped now: a margin before the start of the window, so that no row that is accepted
    /// was forgotten. Dropping looks at every entry, so it is done rarely.
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

/// Trade id and order id. Both fills of a self-trade have the same trade id.
type FillKey = (Id, Id);

/// The fills that were reported.
#[derive(Debug)]
pub(super) struct Fills {
    pub(super) window: Window,
    /// The time of each.
    reported: HashMap<FillKey, i64>,
}

impl Fills {
    pub(super) fn new(overlap: i64) -> Self {
        Self {
            window: Window::new(overlap),
            reported: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.reported.len()
    }

    /// Reports a fill. Returns `false` if it was reported before.
    pub(super) fn report(&mut self, trade_id: Id, order_id: Id, time: i64) -> bool {
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

/// When a fill happened, in milliseconds. `None` if the row does not say.
pub(super) fn time_of_fill(fill: &Fill) -> Option<i64> {
    let created = fill.created_time.map(|time| time.timestamp_millis());
    // The last millisecond of the second, so that the fill is not taken for an earlier one.
    created.or(fill
        .ts
        .map(|seconds| seconds.saturating_mul(1_000).saturating_add(999)))
}

/// The fields by which states of an order are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderState {
    /// When it changed last. `None` if the exchange does not say.
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
            has_ended: matches!(
                order.status,
                UserOrderStatus::Canceled | UserOrderStatus::Executed
            ),
        }
    }
}

impl OrderState {
    /// Returns `true` if this state of an order follows another one. `breaks_ties` decides if both are of the same millisecond.
    pub(super) fn follows(&self, other: &Self, breaks_ties: bool) -> bool {
        // Fills are not taken back and an order that ended does not rest again, whatever the timestamps say.
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
    /// Number of the last subscription or read that began before the state was received.
    epoch: u64,
    /// The later of its last change and its arrival. `None` if neither is known.
    time: Option<i64>,
}

/// The newest states of orders that were reported.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) window: Window,
    known: HashMap<Id, KnownOrder>,
}

impl Orders {
    pub(super) fn new(overlap: i64) -> Self {
        Self {
            window: Window::new(overlap),
            known: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Orders that have not ended, as far as is known.
    pub(super) fn open(&self) -> Vec<Id> {
        let open = self
            .known
            .iter()
            .filter(|(_, known)| !known.state.has_ended);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Reports a state from a message. Returns `false` if a later one is known.
    pub(super) fn report_message(
        &mut self,
        id: &Id,
        state: OrderState,
        epoch: u64,
        arrival: Option<i64>,
    ) -> bool {
        // Messages come in order: of two in one millisecond the second is the later one.
        self.report(id.clone(), state, epoch, arrival, |_| true)
    }

    /// Reports a state that was read in an epoch. Returns `false` if a later one is known.
    pub(super) fn report_row(&mut self, id: &str, state: OrderState, epoch: u64) -> bool {
        self.report(id.into(), state, epoch, None, |known| known.epoch < epoch)
    }

    fn report(
        &mut self,
        id: Id,
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

    /// Drops an order that reads do not have.
    pub(super) fn forget(&mut self, id: &Id) {
        self.known.remove(id);
    }

    /// Drops orders that ended before the window. Orders that rest are kept, whatever their age.
    pub(super) fn drop_old(&mut self) {
        if let Some(start) = self.window.drop_until() {
            self.known.retain(|_, known| {
                !known.state.has_ended || known.time.is_none_or(|time| time >= start)
            });
        }
    }
}
