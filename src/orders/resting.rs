//! Lists resting orders, and proves that no others rest.

use std::{collections::HashSet, future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{LastError, MAX_TIMEOUT, Walk, draining_looks, until_fresh, walk_into, walk_up_to},
};
use reqwest::StatusCode;
use tokio::time::timeout;

use super::{Orders, Unresolved, location::has_ended};
use crate::{
    Client, Error, SubaccountNumber, operation,
    pages::Items,
    types::{GetOrdersResponse, Order},
};

/// Maximum number of times that the list is read once reads are up to date. While orders end all the time, no number suffices.
const MAX_WALKS: u32 = 5;

/// # Listing resting orders
impl Orders {
    /// Lists the resting orders, from reads that reflect everything written before this call.
    ///
    /// The list contains every order that rested when the call began and has not ended since, so an empty list proves that none rested. A
    /// program that has cancelled its orders can use it to make sure that they are gone. The call takes at least a second, because the
    /// exchange's reads lag behind its writes.
    ///
    /// An order that is still in flight, such as one whose outcome is unknown, may rest after the call: reconcile it as well. An order that
    /// ends during the call may be in the list.
    ///
    /// The list is read at least twice, because a response may belong to another request. More than 1,000 orders are read in several pages.
    /// If an order ends between two pages, another one may be missing, so such a list is read up to five times, until no order has ended
    /// since the previous one. Two lists are held in memory.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
    /// client.cancel_all_orders().subaccount(0).send().await?;
    /// match client.orders().resting().subaccount(0).await {
    ///     Ok(orders) => println!("{} orders still rest", orders.len()),
    ///     Err(unresolved) => println!(
    ///         "{} orders were read, and others may rest: {:?}",
    ///         unresolved.candidates().len(),
    ///         unresolved.error()
    ///     ),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Awaiting it returns an error if the timeout expires, if the exchange rejects a read, if an order in the list does not decode, has
    /// ended, or belongs to another market or subaccount, if a list is longer than 256 MiB, or if orders keep ending while several pages are
    /// read. The error contains the orders that were read last, perhaps by reads that were not up to date: a program that cancels its orders
    /// can cancel these.
    pub fn resting(&self) -> RestingOrders {
        RestingOrders {
            client: self.client.clone(),
            ticker: None,
            subaccount: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A list of resting orders, returned by [`Orders::resting`]. Awaiting it returns the orders.
#[derive(Clone, Debug)]
#[must_use = "a list is not read until it is awaited"]
pub struct RestingOrders {
    client: Client,
    ticker: Option<String>,
    subaccount: Option<SubaccountNumber>,
    timeout: Duration,
}

impl RestingOrders {
    /// Lists one market only. Defaults to all markets.
    pub fn ticker(mut self, ticker: impl Into<String>) -> Self {
        self.ticker = Some(ticker.into());
        self
    }

    /// Lists one subaccount only. Defaults to all subaccounts that the key may read.
    pub fn subaccount(mut self, subaccount: impl Into<SubaccountNumber>) -> Self {
        self.subaccount = Some(subaccount.into());
        self
    }

    /// Sets the timeout. Defaults to 30 s. A list of many orders has many pages, and each takes tokens of the read bucket.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<Vec<Order>, Unresolved> {
        let last_error = LastError::default();
        let mut walks = [Walk::default(), Walk::default()];
        let proof = self.prove(&mut walks, &last_error);
        let result = timeout(self.timeout.min(MAX_TIMEOUT), proof).await;
        // The last list may be the response to another request too, so it does not replace the one before.
        let mut orders = latest(walks.into_iter().flat_map(|walk| walk.kept).collect());
        let error = match result {
            Ok(Ok(())) => return Ok(orders),
            Ok(Err(error)) => Some(Arc::new(error)),
            Err(_) => last_error.take(),
        };
        orders.retain(|order| self.is_listed(order));
        Err(Unresolved::new(orders, error))
    }

    /// Reads the list until the last two walks together have every order.
    async fn prove(
        &self,
        walks: &mut [Walk<Order>; 2],
        last_error: &LastError,
    ) -> Result<(), Error> {
        let since = Moment::now(&self.client.core);
        let reader = rt::for_evidence(&self.client);
        // If reads never become up to date, the caller can still cancel what this list shows.
        walk_into(&mut walks[1], self.items(&reader, 1000), last_error).await?;
        // Only signed responses show the exchange's clock. Without them, stale reads would count as up to date if this machine's clock is
        // behind.
        let observe_clock = || {
            let one = self.items(&reader, 1);
            walk_up_to(1, one, last_error, |_| true, |_| true)
        };
        until_fresh(&reader, since, last_error, observe_clock).await;
        let draining = draining_looks(&self.client.core);
        for count in 1..=MAX_WALKS + draining {
            walks.swap(0, 1);
            let [last, next] = walks;
            *next = Walk::default();
            walk_into(next, self.items(&reader, 1000), last_error).await?;
            if let Some(error) = next.skipped.pop() {
                return Err(error);
            }
            if !next.kept.iter().all(|order| self.is_listed(order)) {
                return Err(unexpected(
                    "the list contains an item that the request excluded",
                ));
            }
            if count > 1 + draining && is_whole(last, next) {
                return Ok(());
            }
        }
        Err(unexpected("orders left the list while its pages were read"))
    }

    fn items(&self, reader: &Client, limit: i64) -> Items<GetOrdersResponse, Order> {
        let mut request = reader.get_orders().limit(limit).status("resting");
        if let Some(ticker) = &self.ticker {
            request = request.ticker(ticker);
        }
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        request.by_item()
    }

    /// Returns `false` for an order that the request excluded.
    fn is_listed(&self, order: &Order) -> bool {
        // The exchange may omit the subaccount. The list was filtered by the request, so the row belongs to it.
        let is_requested = match (self.subaccount, order.subaccount_number) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        let is_requested = is_requested
            && self
                .ticker
                .as_ref()
                .is_none_or(|ticker| order.ticker == *ticker);
        !has_ended(order) && is_requested
    }
}

/// Returns `true` if two lists, read one after the other, together have every order.
fn is_whole(last: &Walk<Order>, next: &Walk<Order>) -> bool {
    // Pages miss an order only if one that was already read leaves the list, and then the next list lacks that one. If a response to
    // another request ended the last list early, the next one may have more pages.
    next.pages <= last.pages && (last.pages == 1 || has_all(&next.kept, &last.kept))
}

fn unexpected(message: &str) -> Error {
    rt::unexpected_response(operation::GET_ORDERS, StatusCode::OK, message.to_owned())
}

/// Returns `true` if `orders` contains every order of `others`.
fn has_all(orders: &[Order], others: &[Order]) -> bool {
    let ids: HashSet<_> = orders.iter().map(|order| &order.order_id).collect();
    others.iter().all(|order| ids.contains(&order.order_id))
}

/// Returns each order once, in the state that was read last. Rows move between pages, so an order may have been read twice.
fn latest(rows: Vec<Order>) -> Vec<Order> {
    let mut read = HashSet::new();
    let mut orders: Vec<_> = rows
        .into_iter()
        .rev()
        .filter(|order| read.insert(order.order_id.clone()))
        .collect();
    orders.reverse();
    orders
}

impl IntoFuture for RestingOrders {
    type Output = Result<Vec<Order>, Unresolved>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
