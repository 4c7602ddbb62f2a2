//! Finds orders by their client order id. No endpoint does that, so the list of orders is read page by page.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{Finding, LastError, OrderMatch, Reading, SEARCH_MARGIN_MS, inquire, walk},
};

use super::{Orders, Subaccounts};
use crate::{
    BookSide, Client, ClientOrderId, Error, operation,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// Number of orders requested per page.
const PAGE_SIZE: i64 = 1_000;

/// Criteria of a search.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    client_order_id: &'a str,
    /// Ticker of the market. `None` for all markets.
    ticker: Option<&'a str>,
    subaccounts: Subaccounts,
    /// `true` if the request named no subaccount: its order is in the primary account, or in the subaccount that the key is restricted to.
    is_default_subaccount: bool,
    /// Unix time in milliseconds before which no order of interest was created.
    pub(super) since_ms: Option<u64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        client_order_id: &'a str,
        ticker: Option<&'a str>,
        subaccounts: Subaccounts,
    ) -> Self {
        Self {
            client_order_id,
            ticker,
            subaccounts,
            is_default_subaccount: false,
            since_ms: None,
        }
    }

    /// Returns a search in the market and subaccount of a request.
    pub(super) fn for_request(request: &'a CreateMarginOrderRequest) -> Self {
        let subaccounts = Subaccounts::One(request.subaccount.unwrap_or_default());
        let ticker = request.ticker.as_deref();
        Self {
            is_default_subaccount: request.subaccount.is_none(),
            ..Self::new(&request.client_order_id, ticker, subaccounts)
        }
    }
}

impl Client {
    /// Returns the listed orders that have the client order id. The error of a row that does not decode is stored in `last_error`.
    pub(super) async fn search(
        &self,
        search: Search<'_>,
        last_error: &LastError,
    ) -> Result<Vec<MarginOrder>, Error> {
        match self.search_list(search, last_error).await {
            // A key that is restricted to another subaccount may not list the primary account. It lists its own subaccount by default.
            Err(error) if search.is_default_subaccount && rt::is_rejection(&error) => {
                let own = Search {
                    subaccounts: Subaccounts::All,
                    ..search
                };
                let found = self.search_list(own, last_error).await?;
                if found.is_empty() {
                    return Ok(found);
                }
                // Orders do not show their subaccount, and the rejection may be the response to another request. A key without the
                // restriction can list the primary account over another connection.
                let reader = rt::for_evidence(self);
                match reader.search_list(search, last_error).await {
                    Err(error) if rt::is_rejection(&error) => Ok(found),
                    result => result,
                }
            }
            result => result,
        }
    }

    async fn search_list(
        &self,
        search: Search<'_>,
        last_error: &LastError,
    ) -> Result<Vec<MarginOrder>, Error> {
        let is_ours =
            |order: &MarginOrder| search.ticker.is_none_or(|ticker| order.ticker == ticker);
        let keep = |order: &MarginOrder| order.client_order_id == search.client_order_id;
        let mut list = self.margin_orders_of(search.subaccounts).limit(PAGE_SIZE);
        if let Some(ticker) = search.ticker {
            list = list.ticker(ticker);
        }
        if let Some(since_ms) = search.since_ms {
            let seconds = since_ms.saturating_sub(SEARCH_MARGIN_MS) / 1_000;
            list = list.min_ts(i64::try_from(seconds).unwrap_or_default());
        }
        let mut found = walk(list.by_item(), last_error, is_ours, keep).await?;
        if let Some(error) = found.skipped.pop() {
            last_error.set(error);
        }
        // An order may be on two pages, because rows move between them. What was read last is newer.
        found.kept.reverse();
        found.kept.sort_by(|a, b| a.order_id.cmp(&b.order_id));
        found.kept.dedup_by(|a, b| a.order_id == b.order_id);
        Ok(found.kept)
    }
}

/// Compares an order that has the request's client order id with the request, regardless of the order's age.
pub(super) fn compare(request: &CreateMarginOrderRequest, order: &MarginOrder) -> OrderMatch {
    let has_other_side = matches!(
        (order.side, request.side),
        (BookSide::Bid, BookSide::Ask) | (BookSide::Ask, BookSide::Bid)
    );
    if request.ticker.as_ref() != Some(&order.ticker) || has_other_side {
        return OrderMatch::Other;
    }
    let total = order.fill_count.checked_add(order.remaining_count);
    let expiry = order.expiration_time.map(|time| time.timestamp());
    let is_same = order.side == request.side
        && order.price == request.price
        && total.is_some_and(|total| total <= request.count)
        && expiry.unwrap_or_default() == request.expiration_time.unwrap_or_default()
        && kalshi_core::settings_agree!(request, order);
    if is_same {
        OrderMatch::AsSent
    } else {
        OrderMatch::Unclear
    }
}

/// # Finding an order
impl Orders {
    /// Looks up an order by its client order id among the orders of one subaccount or of all.
    ///
    /// The list is read repeatedly until it contains the order or the timeout expires. A lookup never proves that no order has the id. If
    /// an amendment changed the order's client order id, look up the new one.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_perps::Client) {
    /// use kalshi_perps::orders::{OrderLookup, Subaccounts};
    ///
    /// match client.orders().find("maker-1", Subaccounts::All).ticker("KXBTCPERP").await {
    ///     OrderLookup::Found(order) => println!("{} contracts rest", order.remaining_count),
    ///     other => println!("not found, but it may exist: {other:?}"),
    /// }
    /// # }
    /// ```
    pub fn find(
        &self,
        client_order_id: impl Into<ClientOrderId>,
        subaccounts: impl Into<Subaccounts>,
    ) -> FindOrder {
        FindOrder {
            client: self.client.clone(),
            client_order_id: client_order_id.into(),
            ticker: None,
            subaccounts: subaccounts.into(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// A lookup by client order id, returned by [`Orders::find`]. Awaiting it returns an [`OrderLookup`].
#[derive(Clone, Debug)]
#[must_use = "a lookup does nothing until it is awaited"]
pub struct FindOrder {
    client: Client,
    client_order_id: ClientOrderId,
    ticker: Option<String>,
    subaccounts: Subaccounts,
    timeout: Duration,
}

impl FindOrder {
    async fn run(self) -> OrderLookup {
        if self.client_order_id.is_empty() {
            let error = rt::invalid(operation::GET_MARGIN_ORDERS, "the client order id is empty");
            return OrderLookup::Unknown(Unresolved::after(Some(Arc::new(error))));
        }
        let last_error = LastError::default();
        let last = &last_error;
        let search = Search::new(
            &self.client_order_id,
            self.ticker.as_deref(),
            self.subaccounts,
        );
        let look = |client: Client, _| async move {
            let found = client.search(search, last).await?;
            let is_found = !found.is_empty();
            Ok(Reading::new(found, is_found))
        };
        let since = Moment::now(&self.client.core);
        match inquire(&self.client, since, self.timeout, last, look).await {
            Finding::Conclusive(found) | Finding::Fresh(found) => {
                match <[MarginOrder; 1]>::try_from(found) {
                    Ok([order]) => OrderLookup::Found(Box::new(order)),
                    Err(found) => OrderLookup::Unknown(Unresolved::among(found)),
                }
            }
            Finding::TimedOut(error) => OrderLookup::Unknown(Unresolved::after(error)),
        }
    }
}

kalshi_core::find_order_methods!(FindOrder -> OrderLookup);

/// The result of [`Orders::find`]: the order, or no proof. A lookup never proves that an order does not exist.
#[derive(Clone, Debug)]
#[must_use = "an unknown result has to be handled"]
#[non_exhaustive]
pub enum OrderLookup {
    /// The only listed order with the id, in any state. It does not have its subaccount, which [`OrderRef`](super::OrderRef) needs: after a
    /// lookup in all subaccounts, search one at a time to find it.
    Found(Box<MarginOrder>),
    /// The list does not contain the order, which proves nothing, or contains several with the id. Contains the last error or the matching
    /// orders, if any.
    Unknown(Unresolved),
}

/// The reason why a lookup proved nothing: the last error or the matching orders, if any.
///
/// Contained in [`OrderLookup::Unknown`] and [`Reconciliation::Unknown`](super::Reconciliation::Unknown). The order may exist: look it up
/// again later. If there are candidates, compare them with the order that was sent.
pub type Unresolved = kalshi_core::orders::Unresolved<MarginOrder>;
