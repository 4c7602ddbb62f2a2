//! Reads the fills and orders that a WebSocket connection missed, and reports each once.

mod memory;
mod merge;
mod missed;
mod observe;
mod read;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use kalshi_core::rt::orders::MAX_TIMEOUT;
use kalshi_core::{
    rt::{self, Moment},
    ws::SubscriptionId,
};

use self::{
    memory::{Fills, Orders},
    read::{Plan, Scope},
};
pub use self::{
    missed::{BackfillError, Missed, Observation},
    read::BackfillRows,
};
use super::{Channel, Event, Subscription};
use crate::{Client, SubaccountNumber};

/// Default timeout of a read.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Default maximum time between a fill and its message.
const OVERLAP: Duration = Duration::from_secs(600);

/// Default maximum number of fills, and of orders, that a read keeps.
const MAX_ROWS: usize = 200_000;

/// Default maximum number of remembered fills, and of remembered orders that ended.
const MAX_REMEMBERED: usize = 500_000;

/// Reads the fills and orders that the channels `fill` and `user_orders` did not deliver, and reports nothing twice.
///
/// The exchange does not repeat private messages: what happens between a lost connection and the new subscriptions is not delivered.
/// A backfill observes every event of the connection. Once the subscriptions are back,
/// [`observe`](Self::observe) returns [`Observation::FetchNeeded`], and [`fetch`](Self::fetch) reads what was missed over REST.
///
/// ```no_run
/// use kalshi_sdk::{Client, ws::{Backfill, Channel, Event, Message, Observation}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut connection =
///     client.websocket().channel(Channel::Fill).channel(Channel::UserOrders).connect().await?;
/// let mut backfill = Backfill::new(&client).subscriptions(connection.subscriptions());
/// while let Some(event) = connection.next().await {
///     let event = event?;
///     match backfill.observe(&event) {
///         Observation::New => {
///             if let Event::Message(received) = &event
///                 && let Message::Fill(fill) = &received.frame.message
///             {
///                 println!("filled {} of {}", fill.count_fp, fill.order_id);
///             }
///         }
///         Observation::FetchNeeded => {
///             let missed = loop {
///                 match backfill.fetch().await {
///                     Ok(missed) => break missed,
///                     // Nothing was counted: try again.
///                     Err(error) => eprintln!("{error}"),
///                 }
///             };
///             for fill in &missed.fills {
///                 println!("filled {} of {}", fill.count_fp, fill.order_id);
///             }
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # When reads count
///
/// Reads of the exchange lag behind its trades. A read counts only if `GET /exchange/user_data_timestamp` is later than the moment at which
/// the subscriptions were back, with a margin for clock error. That takes at least a second. A program that must not wait can read in a
/// task: [`read`](Self::read) returns a future that does not borrow the backfill, and [`merge`](Self::merge) takes its result and omits the
/// fills that the WebSocket has delivered since.
///
/// # What is returned
///
/// - Each fill since the backfill was made, unless it was observed or returned before, and possibly some earlier ones: see
///   [below](#positions-at-the-start). Fills are identified by `trade_id` and `order_id`, because both fills of a self-trade have the same
///   `trade_id`.
/// - Each order that changed, in its newest state, unless a later state was observed or returned before: the one with the later
///   `last_update_time`. An order that has ended does not rest again, and its filled count does not fall.
///
/// # Positions at the start
///
/// Fills are filtered by the exchange's time, which the backfill can only estimate, from this machine's clock and the `Date` of recent
/// responses; a `Date` that most of them contradict is ignored. It starts at the earliest time that the exchange's clock may have shown
/// when the backfill was made, so no later fill is omitted. Each read estimates that time again. Some older fills are returned too:
/// about a second's worth if this machine's clock is right, and an hour's worth if it is an hour behind. A program that has already read
/// its positions would count these twice.
///
/// A program that adds fills to positions should therefore read the positions after a first fetch, and add only later fills:
///
/// 1. Connect, make the backfill, and call [`fetch`](Self::fetch). Ignore its fills: the positions contain them.
/// 2. Read the positions.
/// 3. Call [`fetch`](Self::fetch) again. If it returns fills, or fills were observed since the previous fetch, the positions may contain
///    some of them: ignore them and go back to step 2.
///
/// If there are none, the positions contain every fill up to that point and none after it. Events that are queued in the connection during
/// a fetch are observed later, and fills among them that the fetch returned are [`Observation::Known`]. Without resting orders there are no
/// fills, so step 3 succeeds the first time.
///
/// An order that was placed before the backfill was made, and was never observed, is unknown to it. If it ends unfilled while the
/// connection is lost, it is returned only if an earlier [`fetch`](Self::fetch) saw it rest. A program that starts with resting orders calls
/// [`fetch`](Self::fetch) once after it connects.
///
/// # Memory
///
/// A fill is remembered for as long as it can be delivered again: until a fill that was delivered while nothing was missing, or a
/// complete read, is newer than its message by more than the [`overlap`](Self::overlap) plus a minute. An order is remembered while it
/// rests, and then as long as a fill. Until missed messages are fetched, entries are not dropped by age, only beyond
/// [`max_remembered`](Self::max_remembered). Resting orders are not limited.
pub struct Backfill {
    client: Client,
    scope: Scope,
    timeout: Duration,
    max_rows: usize,
    /// The named subscriptions to private channels, and `true` for those that deliver.
    subscriptions: BTreeMap<SubscriptionId, bool>,
    /// Named subscriptions that deliver no private messages: those to other channels, and those that ended.
    ignored: BTreeSet<SubscriptionId>,
    are_named: bool,
    made: Moment,
    /// Earliest time at which the backfill may have been made, in Unix milliseconds of the exchange's clock. Each read estimates it again.
    start: i64,
    /// Number of the latest moment that reads must reflect.
    epoch: u64,
    /// Number of the last read.
    reads: u64,
    /// Number of the last read whose rows were merged.
    merged: u64,
    gap: Option<Gap>,
    fills: Fills,
    orders: Orders,
}

/// A period whose messages may be missing.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The moment from which messages are delivered again, with its epoch. `None` until then.
    end: Option<(Moment, u64)>,
}

/// # Settings, observation and reads
impl Backfill {
    /// Creates a backfill that covers everything from now on, in all markets and subaccounts that the key may read. If this machine's
    /// clock is behind, the first fetch also returns earlier fills: see [positions at the start](Self#positions-at-the-start).
    #[must_use]
    pub fn new(client: &Client) -> Self {
        let overlap = millis(OVERLAP);
        Self {
            client: client.clone(),
            scope: Scope::default(),
            timeout: TIMEOUT,
            max_rows: MAX_ROWS,
            subscriptions: BTreeMap::new(),
            ignored: BTreeSet::new(),
            are_named: false,
            made: Moment::now(&client.core),
            start: i64::MAX,
            epoch: 0,
            reads: 0,
            merged: 0,
            gap: None,
            fills: Fills::new(overlap, MAX_REMEMBERED),
            orders: Orders::new(overlap, MAX_REMEMBERED),
        }
    }

    /// Sets the subscriptions of the connection, of which those to channels other than `fill` and `user_orders` are ignored. After a loss of
    /// the connection, a fetch is needed once all of them have been made again, have ended or are [idle](Event::Idle).
    ///
    /// Any other subscription, such as one made later, is treated as if it might be to a private channel: a fetch is needed after each
    /// of its [`Event::Resubscribed`], [`Event::Unsubscribed`] and [`Event::Gap`], and after each message of an unknown type, but no
    /// fetch waits for it. If this method is not called, all subscriptions are treated this way.
    #[must_use]
    pub fn subscriptions(mut self, subscriptions: &[Subscription]) -> Self {
        self.track(subscriptions);
        self
    }

    /// Restricts reads to one subaccount, 0 for the primary account. Defaults to all that the key may read.
    #[must_use]
    pub fn subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.scope.subaccount = Some(subaccount.into());
        self
    }

    /// Restricts reads to these markets, which should be those of the subscriptions. Defaults to all.
    #[must_use]
    pub fn markets(mut self, tickers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tickers = tickers.into_iter().map(Into::into);
        self.scope.market_tickers.extend(tickers);
        self
    }

    /// Sets the timeout of a read. Defaults to 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets the maximum number of fills, and of orders, that a read may return; a read that finds more fails with
    /// [`BackfillError::TooManyRows`]. Defaults to 200,000, which may take about 300 MB.
    #[must_use]
    pub fn max_rows(mut self, max_rows: usize) -> Self {
        self.max_rows = max_rows;
        self
    }

    /// Sets the maximum number of remembered fills, and of remembered orders that ended. Defaults to 500,000. Above it, usually because
    /// missed messages are never fetched, the older half is forgotten. A later merge cannot tell whether rows from that time were reported:
    /// it does not return them, and counts them in [`Missed::omitted`].
    #[must_use]
    pub fn max_remembered(mut self, max_remembered: usize) -> Self {
        self.fills.set_max(max_remembered);
        self.orders.set_max(max_remembered);
        self
    }

    /// Sets the longest time between a fill or change of an order and its message. Defaults to 10 minutes. Reads begin that much before the
    /// last message. Fills are remembered that much longer, plus a minute because the times of messages and rows differ.
    #[must_use]
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.fills.window.set_overlap(millis(overlap));
        self.orders.window.set_overlap(millis(overlap));
        self
    }

    fn track(&mut self, subscriptions: &[Subscription]) {
        self.are_named = true;
        for subscription in subscriptions {
            match subscription.channel() {
                Channel::Fill | Channel::UserOrders => {
                    self.subscriptions.insert(subscription.id(), true);
                }
                _ => {
                    self.ignored.insert(subscription.id());
                }
            }
        }
    }

    /// Records that the connection's events are no longer observed, because it ended permanently or the program stops. Everything from now
    /// on counts as missed, and [`fetch`](Self::fetch) returns what happened before its call.
    pub fn disconnected(&mut self) {
        self.lose(|_| true);
    }

    /// Opens a gap that ends once the subscriptions that match are back.
    fn lose(&mut self, is_lost: impl Fn(SubscriptionId) -> bool) {
        for (id, live) in &mut self.subscriptions {
            *live &= !is_lost(*id);
        }
        self.gap = Some(Gap { end: None });
    }

    /// Records the end of a subscription whose events are not observed, because another reader receives its messages. Without this call, no
    /// fetch is requested after the next loss of the connection, because the backfill waits for the subscription to be made again. No call
    /// is needed for a subscription that the connection itself reads: [`Event::Unsubscribed`] reports its end.
    ///
    /// Returns [`Observation::FetchNeeded`] if the subscription may be to a private channel and all other private subscriptions are active.
    pub fn unsubscribed(&mut self, subscription: SubscriptionId) -> Observation {
        if !self.concerns(Some(subscription)) {
            return Observation::Other;
        }
        if self.subscriptions.remove(&subscription).is_some() {
            self.ignored.insert(subscription);
        }
        self.resume()
    }

    /// Continues with another connection after the previous one ended permanently. A fetch is then needed.
    pub fn replace_connection(&mut self, subscriptions: &[Subscription]) {
        self.subscriptions.clear();
        self.ignored.clear();
        self.track(subscriptions);
        self.end_gap();
    }

    /// Returns `true` if messages may have been lost and later ones are delivered. Remains so until the connection is lost again or a fetch
    /// succeeds.
    #[must_use]
    pub fn is_fetch_needed(&self) -> bool {
        self.gap.is_some_and(|gap| gap.end.is_some())
    }

    /// Returns `true` while messages may be missing: from the first sign, such as a lost connection, until a fetch has returned what was
    /// missed. Positions and orders that are counted from messages may be wrong then.
    ///
    /// A subscription that ended permanently does not count once the messages that it missed before its end have been fetched.
    #[must_use]
    pub fn may_be_missing_messages(&self) -> bool {
        self.gap.is_some()
    }

    /// Returns the number of remembered fills.
    #[must_use]
    pub fn remembered_fills(&self) -> usize {
        self.fills.len()
    }

    /// Returns the number of remembered orders.
    #[must_use]
    pub fn remembered_orders(&self) -> usize {
        self.orders.len()
    }

    /// Observes an event. Call it for every event of the connection, in order, before the event is used.
    ///
    /// After [`Event::Unsubscribed`] for a private channel, its messages no longer arrive. A fetch is needed, and from then on
    /// [`fetch`](Self::fetch) must be called periodically.
    pub fn observe(&mut self, event: &Event) -> Observation {
        match event {
            Event::Message(received) => self.observe_message(received),
            Event::Disconnected { .. } => {
                self.disconnected();
                Observation::Other
            }
            Event::Resubscribed { subscription, .. } => {
                if !self.concerns(Some(*subscription)) {
                    return Observation::Other;
                }
                if let Some(live) = self.subscriptions.get_mut(subscription) {
                    *live = true;
                }
                self.resume()
            }
            Event::Idle { subscription } => self.observe_idle(*subscription),
            // It also follows `Event::Detached`.
            Event::Unsubscribed { subscription, .. } => self.unsubscribed(*subscription),
            Event::Gap { subscription, .. } if self.concerns(*subscription) => self.lost_some(),
            // Any message may have been dropped.
            Event::Lagged { .. } => self.lost_some(),
            _ => Observation::Other,
        }
    }

    /// Handles a subscription that has no markets after a reconnect. It misses nothing, so nothing waits for it.
    fn observe_idle(&mut self, subscription: SubscriptionId) -> Observation {
        if let Some(live) = self.subscriptions.get_mut(&subscription) {
            *live = true;
        }
        match self.gap {
            Some(Gap { end: None }) if self.concerns(Some(subscription)) => self.resume(),
            _ => Observation::Other,
        }
    }

    /// Returns `true` if a subscription may be one to a private channel.
    fn concerns(&self, subscription: Option<SubscriptionId>) -> bool {
        !self.are_named || subscription.is_some_and(|id| !self.ignored.contains(&id))
    }

    /// Handles the loss of messages on a subscription that still delivers later ones.
    fn lost_some(&mut self) -> Observation {
        match self.gap {
            // They belong to the gap that is still open.
            Some(Gap { end: None }) => Observation::Other,
            _ => self.resume(),
        }
    }

    /// Ends the gap if all private channels deliver.
    fn resume(&mut self) -> Observation {
        if !self.subscriptions.values().all(|live| *live) {
            return Observation::Other;
        }
        self.end_gap();
        Observation::FetchNeeded
    }

    fn end_gap(&mut self) {
        self.epoch += 1;
        let end = (Moment::now(&self.client.core), self.epoch);
        self.gap = Some(Gap { end: Some(end) });
    }

    /// Reads what was missed and returns what was not reported before: [`read`](Self::read) and [`merge`](Self::merge) in one. Events are
    /// queued in the connection during the read. Dropping the future marks nothing as reported.
    ///
    /// # Errors
    ///
    /// Returns an error if reads are not up to date, or not complete, before the timeout. Nothing is then marked as reported, and a later
    /// fetch returns it.
    pub async fn fetch(&mut self) -> Result<Missed, BackfillError> {
        let rows = self.read().await?;
        Ok(self.merge(rows))
    }

    /// Returns a future that waits until reads are up to date with the new subscriptions, and reads the fills and orders since the last
    /// messages before the gap. If no fetch is needed, it reads up to the time of this call.
    ///
    /// It costs one request or more for `GET /exchange/user_data_timestamp`, one for `GET /historical/cutoff`, one for each page of
    /// fills and of resting, recent and archived orders, and one for each other order that was open before or has a new fill.
    ///
    /// # Errors
    ///
    /// The future returns an error if reads are not up to date, or not complete, before the timeout. To retry, call `read` again.
    pub fn read(
        &mut self,
    ) -> impl Future<Output = Result<BackfillRows, BackfillError>> + Send + use<> {
        let end = self.gap.and_then(|gap| gap.end);
        let (since, epoch) = end.unwrap_or_else(|| {
            self.epoch += 1;
            (Moment::now(&self.client.core), self.epoch)
        });
        let made = self.made.likely_earliest_ms(&self.client.core);
        let made = i64::try_from(made).unwrap_or(i64::MAX);
        // An estimate that a majority supports replaces earlier ones, which a single wrong `Date` may have moved.
        self.start = match rt::knows_exchange_time(&self.client.core) {
            true => made,
            false => self.start.min(made),
        };
        self.reads += 1;
        let plan = Plan {
            number: self.reads,
            since,
            epoch,
            fills_from: self
                .start
                .max(self.fills.window.start().unwrap_or(i64::MIN)),
            orders_from: self
                .start
                .max(self.orders.window.start().unwrap_or(i64::MIN)),
            open_orders: self.orders.open(),
            scope: self.scope.clone(),
            timeout: self.timeout,
            max_rows: self.max_rows,
        };
        read::read(self.client.clone(), plan)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Backfill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill")
            .field("subscriptions", &self.subscriptions)
            .field("is_fetch_needed", &self.is_fetch_needed())
            .field("remembered_fills", &self.remembered_fills())
            .field("remembered_orders", &self.remembered_orders())
            .finish_non_exhaustive()
    }
}
