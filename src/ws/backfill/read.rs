//! Reads the fills and orders of a gap, once reads are up to date.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use kalshi_core::{
    OrderId,
    rt::{
        self, Moment,
        orders::{
            Finding, LastError, MAX_SKIPPED, Reading, Walk, inquire, is_absent, retry_transient,
            walk_up_to,
        },
    },
};

use super::{
    BackfillError,
    memory::{OrderState, time_of_fill},
};
use crate::{
    Client, Error, SubaccountNumber, builder, operation,
    types::{Fill, Order, OrderStatus},
};

/// Rows requested for each page.
const PAGE: i64 = 1_000;

/// Maximum number of concurrent lookups of single orders.
const LOOKUPS: usize = 16;

/// Maximum number of markets in the filter of a list of fills.
const MAX_TICKERS: usize = 100;

/// Subtracted from the time that lists are filtered by, because the exchange filters by whole seconds.
const FILTER_MARGIN_MS: i64 = 60_000;

/// The fills and orders that [`Backfill::read`](super::Backfill::read) found, for [`Backfill::merge`](super::Backfill::merge).
#[derive(Debug)]
#[must_use = "pass the rows to `Backfill::merge`"]
pub struct BackfillRows {
    /// Sequence number of the read.
    pub(super) number: u64,
    pub(super) since: Moment,
    pub(super) epoch: u64,
    pub(super) fills: Vec<Fill>,
    pub(super) orders: Vec<Order>,
    /// Ids of orders that neither the exchange nor its archive has.
    pub(super) unfound: Vec<OrderId>,
    /// Errors of rows that do not decode.
    pub(super) skipped: Vec<Error>,
    pub(super) skipped_count: usize,
}

/// The subaccount and the markets that are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `None` for all subaccounts that the key may read.
    pub(super) subaccount: Option<SubaccountNumber>,
    /// Tickers of the markets. Empty for all markets.
    pub(super) market_tickers: BTreeSet<String>,
}

impl Scope {
    pub(super) fn covers(&self, ticker: &str, subaccount: Option<SubaccountNumber>) -> bool {
        let has_market = self.market_tickers.is_empty() || self.market_tickers.contains(ticker);
        let has_subaccount = match (self.subaccount, subaccount) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        has_market && has_subaccount
    }

    /// Returns the market, if there is only one.
    fn only_market(&self) -> Option<&str> {
        match self.market_tickers.len() {
            1 => self.market_tickers.first().map(String::as_str),
            _ => None,
        }
    }

    /// Returns `true` if a list of fills can be filtered by the markets.
    fn can_filter_markets(&self) -> bool {
        (1..=MAX_TICKERS).contains(&self.market_tickers.len())
    }
}

/// Parameters of a read. Times are in Unix milliseconds of the exchange's clock.
#[derive(Debug)]
pub(super) struct Plan {
    /// Number of the read.
    pub(super) number: u64,
    /// The moment that reads must be up to date with.
    pub(super) since: Moment,
    pub(super) epoch: u64,
    pub(super) fills_from: i64,
    pub(super) orders_from: i64,
    /// Ids of the remembered orders that have not ended.
    pub(super) open_orders: Vec<OrderId>,
    pub(super) scope: Scope,
    pub(super) timeout: Duration,
    /// Maximum number of fills, and of orders, that are kept.
    pub(super) max_rows: usize,
}

/// Reads what a plan asks for.
pub(super) async fn read(client: Client, plan: Plan) -> Result<BackfillRows, BackfillError> {
    let last_error = LastError::default();
    let are_fresh = AtomicBool::new(false);
    let finding = inquire(
        &client,
        plan.since,
        plan.timeout,
        &last_error,
        |client, is_fresh| {
            let (plan, last_error, are_fresh) = (&plan, &last_error, &are_fresh);
            async move {
                if !is_fresh {
                    // Only signed responses show the exchange's clock, which determines whether reads are up to date.
                    if !rt::knows_exchange_time(&client.core) {
                        plan.list_orders(&client).limit(1).send().await?;
                    }
                    return Ok(Reading::Tentative(None));
                }
                are_fresh.store(true, Ordering::Relaxed);
                Ok(Reading::Conclusive(Some(
                    plan.read_rows(&client, last_error).await?,
                )))
            }
        },
    )
    .await;
    let (timeout, source) = match finding {
        Finding::Conclusive(Some(read)) | Finding::Fresh(Some(read)) => {
            return read.ok_or(BackfillError::TooManyRows {
                max_rows: plan.max_rows,
            });
        }
        Finding::Conclusive(None) | Finding::Fresh(None) => (plan.timeout, None),
        Finding::TimedOut(source) => (plan.timeout, source),
    };
    Err(match are_fresh.into_inner() {
        true => BackfillError::Incomplete { timeout, source },
        false => BackfillError::Stale { timeout, source },
    })
}

/// Returns the Unix seconds to filter a list by, so that it has everything since `millis`.
fn filter_seconds(millis: i64) -> i64 {
    millis.saturating_sub(FILTER_MARGIN_MS).max(0) / 1_000
}

fn add<T>(to: &mut Walk<T>, found: Walk<T>) {
    to.kept.extend(found.kept);
    to.skipped.extend(found.skipped);
    to.skipped.truncate(MAX_SKIPPED);
    to.skipped_count += found.skipped_count;
}

impl Plan {
    /// Reads everything. Returns `None` if there are more rows than may be kept.
    async fn read_rows(
        &self,
        client: &Client,
        last_error: &LastError,
    ) -> Result<Option<BackfillRows>, Error> {
        let mut fills = self.live_fills(client, last_error).await?;
        if fills.kept.len() > self.max_rows {
            return Ok(None);
        }
        let mut orders = self.live_orders(client, last_error).await?;
        if orders.kept.len() > self.max_rows {
            return Ok(None);
        }
        let mut wanted: HashSet<OrderId> = self.open_orders.iter().cloned().collect();
        wanted.extend(fills.kept.iter().map(|fill| fill.order_id.clone()));
        for order in &orders.kept {
            wanted.remove(order.order_id.as_str());
        }
        let mut unfound = Vec::new();
        let look_up = |order_id: OrderId| async move {
            let order = single_order(client, &order_id, last_error).await;
            (order_id, order)
        };
        let mut looked_up = stream::iter(wanted).map(look_up).buffer_unordered(LOOKUPS);
        while let Some((order_id, order)) = looked_up.next().await {
            match order {
                Ok(Some(order)) => orders.kept.push(order),
                Ok(None) => unfound.push(order_id),
                Err(error) if error.is_decode() => orders.skip(error),
                Err(error) => return Err(error),
            }
        }
        // The cutoff is read after the lists, so that it is later than every row that was archived in between.
        let cutoff = retry_transient(last_error, async || {
            client.get_historical_cutoff().send().await
        });
        let cutoff = cutoff.await?;
        if cutoff.trades_created_ts.timestamp_millis() > self.fills_from {
            add(&mut fills, self.archived_fills(client, last_error).await?);
        }
        if cutoff.orders_updated_ts.timestamp_millis() > self.orders_from {
            let archived = self.archived_orders(client, last_error, &unfound).await?;
            unfound.retain(|id| archived.kept.iter().all(|order| *id != order.order_id));
            add(&mut orders, archived);
        }
        if fills.kept.len().max(orders.kept.len()) > self.max_rows {
            return Ok(None);
        }
        let mut skipped = fills.skipped;
        skipped.extend(orders.skipped);
        skipped.truncate(MAX_SKIPPED);
        Ok(Some(BackfillRows {
            number: self.number,
            since: self.since,
            epoch: self.epoch,
            fills: fills.kept,
            orders: newest(orders.kept),
            unfound,
            skipped,
            skipped_count: fills.skipped_count + orders.skipped_count,
        }))
    }

    /// Returns the number of rows to read: one more than may be kept shows that there are too many.
    fn row_limit(&self) -> usize {
        self.max_rows.saturating_add(1)
    }

    fn keeps_fill(&self, fill: &Fill) -> bool {
        self.scope.covers(&fill.ticker, fill.subaccount_number)
            && time_of_fill(fill).is_none_or(|time| time >= self.fills_from)
    }

    fn keeps_order(&self, order: &Order) -> bool {
        self.scope.covers(&order.ticker, order.subaccount_number)
    }

    async fn live_fills(
        &self,
        client: &Client,
        last_error: &LastError,
    ) -> Result<Walk<Fill>, Error> {
        let mut list = client.get_fills().limit(PAGE);
        list = list.min_ts(filter_seconds(self.fills_from));
        let is_filtered = self.scope.can_filter_markets();
        if is_filtered {
            list = list.tickers(&self.scope.market_tickers);
        }
        if let Some(subaccount) = self.scope.subaccount {
            list = list.subaccount(subaccount);
        }
        let is_ours =
            |fill: &Fill| !is_filtered || self.scope.market_tickers.contains(fill.ticker.as_str());
        let keep = |fill: &Fill| self.keeps_fill(fill);
        walk_up_to(self.row_limit(), list.by_item(), last_error, is_ours, keep).await
    }

    async fn archived_fills(
        &self,
        client: &Client,
        last_error: &LastError,
    ) -> Result<Walk<Fill>, Error> {
        let mut list = client.get_fills_historical().limit(PAGE);
        list = list.min_ts(filter_seconds(self.fills_from));
        let market = self.scope.only_market();
        if let Some(market) = market {
            list = list.ticker(market);
        }
        if let Some(subaccount) = self.scope.subaccount {
            list = list.subaccount(subaccount);
        }
        let is_ours = |fill: &Fill| market.is_none_or(|market| fill.ticker == market);
        let keep = |fill: &Fill| self.keeps_fill(fill);
        walk_up_to(self.row_limit(), list.by_item(), last_error, is_ours, keep).await
    }

    /// Returns a request for the orders of the subaccount and of the market, if there is only one.
    fn list_orders<'a>(&self, client: &'a Client) -> builder::GetOrders<'a> {
        let mut list = client.get_orders();
        if let Some(market) = self.scope.only_market() {
            list = list.ticker(market);
        }
        if let Some(subaccount) = self.scope.subaccount {
            list = list.subaccount(subaccount);
        }
        list
    }

    /// Reads the resting orders, and those placed since. The time filter may be by creation, so an earlier order that ended since may be in
    /// neither list.
    async fn live_orders(
        &self,
        client: &Client,
        last_error: &LastError,
    ) -> Result<Walk<Order>, Error> {
        let market = self.scope.only_market();
        let list = || self.list_orders(client).limit(PAGE);
        let is_ours = |order: &Order| market.is_none_or(|market| order.ticker == market);
        let keep = |order: &Order| self.keeps_order(order);
        let resting = list().status(OrderStatus::Resting).by_item();
        let mut orders = walk_up_to(self.row_limit(), resting, last_error, is_ours, keep).await?;
        let recent = list().min_ts(filter_seconds(self.orders_from)).by_item();
        let recent = walk_up_to(self.row_limit(), recent, last_error, is_ours, keep).await?;
        add(&mut orders, recent);
        Ok(orders)
    }

    /// Reads the archived orders that ended since, and those that were not found elsewhere.
    async fn archived_orders(
        &self,
        client: &Client,
        last_error: &LastError,
        unfound: &[OrderId],
    ) -> Result<Walk<Order>, Error> {
        let mut list = client.get_historical_orders().limit(PAGE);
        if unfound.is_empty() {
            list = list.min_ts(filter_seconds(self.orders_from));
        }
        if let Some(subaccount) = self.scope.subaccount {
            list = list.subaccount(subaccount);
        }
        let keep = |order: &Order| {
            let updated = OrderState::from(order).updated;
            self.keeps_order(order)
                && (updated.is_none_or(|time| time >= self.orders_from)
                    || unfound.contains(&order.order_id))
        };
        walk_up_to(self.row_limit(), list.by_item(), last_error, |_| true, keep).await
    }
}

/// Reads one order, or `None` if the exchange does not have it.
async fn single_order(
    client: &Client,
    order_id: &OrderId,
    last_error: &LastError,
) -> Result<Option<Order>, Error> {
    let send = || client.get_order().order_id(order_id).send();
    let response = match retry_transient(last_error, send).await {
        Ok(response) => response,
        Err(error) if rt::is_rejection(&error) && error.api().is_some_and(is_absent) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if *order_id != response.order.order_id {
        return Err(rt::unexpected_response(
            operation::GET_ORDER,
            response.status(),
            "the response is about another order".to_owned(),
        ));
    }
    Ok(Some(response.into_inner().order))
}

/// Returns the newest state of each order. Of two states of the same millisecond, the one read later wins.
fn newest(orders: Vec<Order>) -> Vec<Order> {
    let mut newest: HashMap<OrderId, Order> = HashMap::new();
    for order in orders {
        match newest.entry(order.order_id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(order);
            }
            Entry::Occupied(mut entry) => {
                if OrderState::from(&order).follows(&OrderState::from(entry.get()), true) {
                    entry.insert(order);
                }
            }
        }
    }
    newest.into_values().collect()
}
