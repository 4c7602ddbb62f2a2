//! Finds orders by their ids.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use kalshi_core::rt::{
    self, Moment,
    orders::{Finding, LastError, OrderMatch, Reading, SEARCH_MARGIN_MS, Walk, inquire, walk},
};

use super::Orders;
use crate::{
    BookSide, Client, ClientOrderId, Error, OrderId, OutcomeSide, SubaccountNumber, operation,
    types::{CreateOrderV2Request, Order},
};

/// Ids of the orders to find.
#[derive(Clone, Copy)]
pub(super) enum Ids<'a> {
    Client(&'a [&'a str]),
    Exchange(&'a [&'a OrderId]),
}

/// Criteria of a search.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) ids: Ids<'a>,
    /// Ticker of the market. `None` for all markets.
    pub(super) ticker: Option<&'a str>,
    /// `None` for the subaccounts that the exchange lists by default.
    pub(super) subaccount: Option<SubaccountNumber>,
    /// Unix time in milliseconds before which no order of interest was created.
    pub(super) since_ms: Option<u64>,
    /// `true` to search the archive too, which has orders that ended weeks ago.
    pub(super) archive: bool,
    /// `true` if the search is to prove that there is no such order.
    pub(super) proves_absence: bool,
}

/// Orders found by a search.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) orders: Vec<Order>,
    /// The error of a row that does not decode.
    pub(super) skipped: Option<Error>,
}

/// A list of orders.
#[derive(Clone, Copy)]
enum List {
    Live,
    Archive,
}

impl Client {
    /// Searches the account's orders of any status, and then the archive if requested.
    ///
    /// It ends once `is_enough` returns `true` for the orders found until then. A proof of absence reads each list twice: an order that
    /// moves to a page that was already read is missing from a single walk, and an empty list may be the response to another request,
    /// which delays the right response to the next one.
    pub(super) async fn search(
        &self,
        search: Search<'_>,
        last_error: &LastError,
        mut is_enough: impl FnMut(&Rows) -> bool,
    ) -> Result<Rows, Error> {
        let lists: &[List] = match search.archive {
            true => &[List::Live, List::Archive],
            false => &[List::Live],
        };
        let mut rows = Rows::default();
        let walks = if search.proves_absence { 2 } else { 1 };
        for list in lists {
            for _ in 0..walks {
                let mut found = self.walk_list(*list, search, last_error).await?;
                rows.add(found.kept, found.skipped.pop());
                if is_enough(&rows) {
                    return Ok(rows);
                }
            }
        }
        Ok(rows)
    }

    async fn walk_list(
        &self,
        list: List,
        search: Search<'_>,
        last_error: &LastError,
    ) -> Result<Walk<Order>, Error> {
        let keep = |order: &Order| match search.ids {
            Ids::Client(ids) => ids.contains(&order.client_order_id.as_str()),
            Ids::Exchange(ids) => ids.contains(&&order.order_id),
        };
        let is_ours = |order: &Order| {
            let has_other_subaccount = matches!(
                (search.subaccount, order.subaccount_number),
                (Some(wanted), Some(found)) if wanted != found
            );
            search.ticker.is_none_or(|ticker| order.ticker == ticker)
                // An order with the id proves that the id is taken, whatever else its row shows.
                && (!has_other_subaccount || keep(order))
        };
        match list {
            List::Live => {
                let mut live = self.get_orders().limit(1000);
                if let Some(ticker) = search.ticker {
                    live = live.ticker(ticker);
                }
                if let Some(subaccount) = search.subaccount {
                    live = live.subaccount(subaccount);
                }
                if let Some(since_ms) = search.since_ms {
                    let seconds = since_ms.saturating_sub(SEARCH_MARGIN_MS) / 1_000;
                    live = live.min_ts(i64::try_from(seconds).unwrap_or_default());
                }
                walk(live.by_item(), last_error, is_ours, keep).await
            }
            List::Archive => {
                let mut archive = self.get_historical_orders().limit(1000);
                if let Some(ticker) = search.ticker {
                    archive = archive.ticker(ticker);
                }
                if let Some(subaccount) = search.subaccount {
                    archive = archive.subaccount(subaccount);
                }
                walk(archive.by_item(), last_error, is_ours, keep).await
            }
        }
    }
}

/// # Finding an order
impl Orders {
    /// Looks up an order by its client order id: among the account's orders of any status, then in the archive. If no list has the order,
    /// all of them are read again, which takes twice the tokens of the read bucket.
    ///
    /// If an amendment changed the order's client order id, look up the new one.
    ///
    /// Use it after a restart. Save each id before its order is sent, and look the ids up before trading resumes:
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, saved: Vec<(String, String)>) -> Result<(), kalshi_sdk::Error> {
    /// use kalshi_sdk::orders::OrderLookup;
    ///
    /// for (client_order_id, ticker) in &saved {
    ///     match client.orders().find(client_order_id.as_str()).ticker(ticker).await {
    ///         OrderLookup::Found(order) => println!("{client_order_id} is {}", order.status),
    ///         OrderLookup::NotFound => println!("{client_order_id} was never placed"),
    ///         other => println!("{client_order_id} needs another look: {other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn find(&self, client_order_id: impl Into<ClientOrderId>) -> FindOrder {
        FindOrder {
            client: self.client.clone(),
            client_order_id: client_order_id.into(),
            ticker: None,
            subaccount: None,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Rows {
    fn add(&mut self, orders: Vec<Order>, skipped: Option<Error>) {
        for order in orders {
            // The archive and the live list overlap, and rows move between pages. What was read last is newer.
            let mut known = self.orders.iter_mut();
            match known.find(|known| known.order_id == order.order_id) {
                Some(known) => *known = order,
                None => self.orders.push(order),
            }
        }
        self.skipped = skipped.or(self.skipped.take());
    }
}

/// Compares an order that has the request's client order id with the request, regardless of the order's age.
pub(super) fn compare(request: &CreateOrderV2Request, order: &Order) -> OrderMatch {
    let side = order
        .book_side
        .or(order.outcome_side.and_then(OutcomeSide::book_side));
    let has_other_side = matches!(
        (side, request.side),
        (Some(BookSide::Bid), BookSide::Ask) | (Some(BookSide::Ask), BookSide::Bid)
    );
    // Without a subaccount, a request is for the primary account, or for the one that the key is locked to.
    let has_other_subaccount = matches!(
        (request.subaccount, order.subaccount_number),
        (Some(wanted), Some(found)) if wanted != found
    );
    if order.ticker != request.ticker || has_other_side || has_other_subaccount {
        return OrderMatch::Other;
    }
    let expiry = order.expiration_time.map(|time| time.timestamp());
    let is_same = side == Some(request.side)
        && request.subaccount.unwrap_or_default() == order.subaccount_number.unwrap_or_default()
        && order.yes_price_dollars == request.price
        && order.initial_count_fp == request.count
        && expiry.unwrap_or_default() == request.expiration_time.unwrap_or_default()
        && kalshi_core::settings_agree!(request, order);
    if is_same {
        OrderMatch::AsSent
    } else {
        OrderMatch::Unclear
    }
}

/// A lookup by client order id, returned by [`Orders::find`]. Awaiting it returns an [`OrderLookup`].
#[derive(Clone, Debug)]
#[must_use = "a lookup does nothing until it is awaited"]
pub struct FindOrder {
    client: Client,
    client_order_id: ClientOrderId,
    ticker: Option<String>,
    subaccount: Option<SubaccountNumber>,
    timeout: Duration,
}

impl FindOrder {
    /// Searches one subaccount only. Defaults to what the exchange lists: all subaccounts that the key may read.
    pub fn subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.subaccount = Some(subaccount.into());
        self
    }

    async fn run(self) -> OrderLookup {
        if self.client_order_id.is_empty() {
            let error = rt::invalid(operation::GET_ORDERS, "the client order id is empty");
            return OrderLookup::Unknown(Unresolved::after(Some(Arc::new(error))));
        }
        let last_error = LastError::default();
        let since = Moment::now(&self.client.core);
        let (ids, last) = (&[self.client_order_id.as_str()], &last_error);
        let (ticker, subaccount) = (self.ticker.as_deref(), self.subaccount);
        let has_subaccount = |order: &Order| {
            subaccount.is_none_or(|wanted| wanted == order.subaccount_number.unwrap_or_default())
        };
        let seen = Mutex::new(Vec::new());
        let is_first = AtomicBool::new(true);
        let (last_seen, is_first) = (&seen, &is_first);
        let look = |client: Client, is_fresh| async move {
            let search = Search {
                ids: Ids::Client(ids),
                ticker,
                subaccount,
                since_ms: None,
                // It has orders that ended weeks ago, which repeated reads do not add.
                archive: is_fresh || is_first.swap(false, Relaxed),
                proves_absence: is_fresh,
            };
            let is_found = |rows: &Rows| {
                if !rows.orders.is_empty() {
                    let mut seen = last_seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.clone_from(&rows.orders);
                }
                rows.orders.iter().any(has_subaccount)
            };
            let rows = client.search(search, last, is_found).await?;
            let is_conclusive = is_found(&rows);
            Ok(Reading::new(rows, is_conclusive))
        };
        let rows = match inquire(&self.client, since, self.timeout, last, look).await {
            Finding::Conclusive(rows) | Finding::Fresh(rows) => rows,
            Finding::TimedOut(error) => {
                let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
                return OrderLookup::Unknown(Unresolved::new(seen, error));
            }
        };
        match <[Order; 1]>::try_from(rows.orders) {
            Ok([order]) if has_subaccount(&order) => OrderLookup::Found(Box::new(order)),
            Ok(orders) => OrderLookup::Unknown(Unresolved::among(orders.into())),
            Err(orders) if orders.is_empty() => match rows.skipped {
                None => OrderLookup::NotFound,
                Some(error) => OrderLookup::Unknown(Unresolved::after(Some(Arc::new(error)))),
            },
            Err(orders) => OrderLookup::Unknown(Unresolved::among(orders)),
        }
    }
}

kalshi_core::find_order_methods!(FindOrder -> OrderLookup);

/// The result of [`Orders::find`]: the order, or whether it is proven that there is none.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum OrderLookup {
    /// The only order with the id, in any state, among the account's orders or, if they have none, in the archive.
    Found(Box<Order>),
    /// No order with the id had been placed when the lookup began: reads were up to date, and every row decoded. An order that ended weeks
    /// ago may be missing while the exchange moves it to the archive.
    NotFound,
    /// Neither is proven. Contains the last error or the matching orders, if any.
    Unknown(Unresolved),
}

/// The reason why a lookup proved nothing: the last error or the matching orders, if any.
///
/// Contained in [`OrderLookup::Unknown`] and [`Reconciliation::Unknown`](super::Reconciliation::Unknown), and the error of
/// [`Orders::resting`]. The order may exist: look it up again later. If there are candidates, compare them with the order that was sent.
pub type Unresolved = kalshi_core::orders::Unresolved<Order>;
