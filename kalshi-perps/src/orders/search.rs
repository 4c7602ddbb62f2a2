//! Finding orders by their client order id. No endpoint does: the list is walked through.

use std::{sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{Finding, LastError, Likeness, Sight, inquire, walk},
};

use super::{Orders, Subaccounts};
use crate::{
    BookSide, Client, ClientOrderId, Error, operation,
    types::{CreateMarginOrderRequest, MarginOrder},
};

/// Subtracted from the time from which orders are searched for: the exchange's filter need not be exact.
const MARGIN_MS: u64 = 3_600_000;

/// Rows of a page.
const PAGE: i64 = 1_000;

/// What to search for.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    client_order_id: &'a str,
    /// The market, or all markets.
    ticker: Option<&'a str>,
    subaccounts: Subaccounts,
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
            since_ms: None,
        }
    }

    /// A search where the order of a request is.
    pub(super) fn of(request: &'a CreateMarginOrderRequest) -> Self {
        let subaccounts = Subaccounts::One(request.subaccount.unwrap_or_default());
        Self::new(
            &request.client_order_id,
            request.ticker.as_deref(),
            subaccounts,
        )
    }
}

impl Client {
    /// Returns the listed orders that have the client order id. A row that does not decode is the last error.
    pub(super) async fn search(
        &self,
        search: Search<'_>,
        last_error: &LastError,
    ) -> Result<Vec<MarginOrder>, Error> {
        let is_ours =
            |order: &MarginOrder| search.ticker.is_none_or(|ticker| order.ticker == ticker);
        let keep = |order: &MarginOrder| order.client_order_id == search.client_order_id;
        let mut list = self.margin_orders_of(search.subaccounts).limit(PAGE);
        if let Some(ticker) = search.ticker {
            list = list.ticker(ticker);
        }
        if let Some(since_ms) = search.since_ms {
            let seconds = since_ms.saturating_sub(MARGIN_MS) / 1_000;
            list = list.min_ts(i64::try_from(seconds).unwrap_or_default());
        }
        let mut found = walk(list.by_item(), last_error, is_ours, keep).await?;
        if let Some(error) = found.skipped.pop() {
            last_error.set(error);
        }
        // Rows move between pages.
        found.kept.sort_by(|a, b| a.order_id.cmp(&b.order_id));
        found.kept.dedup_by(|a, b| a.order_id == b.order_id);
        Ok(found.kept)
    }
}

/// Compares an order that has the request's client order id, whatever its age.
pub(super) fn compare(request: &CreateMarginOrderRequest, order: &MarginOrder) -> Likeness {
    let has_other_side = matches!(
        (order.side, request.side),
        (BookSide::Bid, BookSide::Ask) | (BookSide::Ask, BookSide::Bid)
    );
    if request.ticker.as_ref() != Some(&order.ticker) || has_other_side {
        return Likeness::Other;
    }
    let total = order.fill_count.checked_add(order.remaining_count);
    let expiry = order.expiration_time.map(|time| time.timestamp());
    let is_same = order.side == request.side
        && order.price == request.price
        && total.is_some_and(|total| total <= request.count)
        && expiry.unwrap_or_default() == request.expiration_time.unwrap_or_default()
        && kalshi_core::settings_agree!(request, order);
    if is_same {
        Likeness::AsSent
    } else {
        Likeness::Unclear
    }
}

impl Orders {
    /// Looks for an order by its client order id among the orders of one subaccount or of all.
    ///
    /// The list is walked through, again and again until it has the order or the time is up. A look-up never proves that no order has
    /// the id. An amend may have given the order another client order id; look that up then.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_perps::Client) {
    /// use kalshi_perps::orders::{OrderLookup, Subaccounts};
    ///
    /// match client.orders().find("maker-1", Subaccounts::All).ticker("KXBTCPERP").await {
    ///     OrderLookup::Found(order) => println!("{} contracts rest", order.remaining_count),
    ///     other => println!("it may exist all the same: {other:?}"),
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

/// A look-up by client order id, made by [`Orders::find`]. Awaiting it gives an [`OrderLookup`].
#[derive(Clone, Debug)]
#[must_use = "a look-up does nothing until it is awaited"]
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
            Ok(Sight::new(found, is_found))
        };
        let since = Moment::now(&self.client.core);
        match inquire(&self.client, since, self.timeout, last, look).await {
            Finding::Conclusive(found) | Finding::Fresh(found) => {
                match <[MarginOrder; 1]>::try_from(found) {
                    Ok([order]) => OrderLookup::Found(Box::new(order)),
                    Err(found) => OrderLookup::Unknown(Unresolved::among(found)),
                }
            }
            Finding::Open(error) => OrderLookup::Unknown(Unresolved::after(error)),
        }
    }
}

kalshi_core::find_order_methods!(FindOrder -> OrderLookup);

/// The result of [`Orders::find`].
#[derive(Clone, Debug)]
#[must_use = "an unknown result must be followed up"]
#[non_exhaustive]
pub enum OrderLookup {
    /// The only listed order with the id, in any state. It does not have its subaccount, which [`OrderRef`](super::OrderRef) needs: after
    /// a look-up in all of them, look in one at a time to learn it.
    Found(Box<MarginOrder>),
    /// The list does not show it, which proves nothing, or shows several.
    Unknown(Unresolved),
}

/// Why an inquiry proved nothing.
pub type Unresolved = kalshi_core::orders::Unresolved<MarginOrder>;
