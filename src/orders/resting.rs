//! Lists resting orders, and proves that no others rest.

use std::{collections::HashSet, future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{LastError, MAX_TIMEOUT, until_fresh, walk_up_to},
};
use reqwest::StatusCode;
use tokio::time::timeout;

use super::{Orders, Unresolved, location::has_ended};
use crate::{Client, SubaccountNumber, operation, types::Order};

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
    /// The list is read twice, because the first one may be the response to another request. More than 1,000 orders are read in several
    /// pages. If an order ends between two pages, another one may be missing, so such a list is read again until none has ended since the
    /// list before. That may take longer than the timeout while orders keep ending.
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
    /// client.cancel_all_orders().subaccount(0).send().await?;
    /// match client.orders().resting().subaccount(0).await {
    ///     Ok(orders) => println!("{} orders still rest", orders.len()),
    ///     Err(unresolved) => println!("unknown: {:?}", unresolved.error()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Awaiting it returns an error if the timeout expires, if the exchange rejects a read, if an order in the list does not decode, has
    /// ended, or belongs to another subaccount, or if the list is longer than 256 MiB.
    pub fn resting(&self) -> RestingOrders {
        RestingOrders {
            client: self.client.clone(),
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
    subaccount: Option<SubaccountNumber>,
    timeout: Duration,
}

impl RestingOrders {
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
        let since = Moment::now(&self.client.core);
        let reader = rt::for_evidence(&self.client);
        let list = async {
            let items = |limit| {
                let request = reader.get_orders().limit(limit).status("resting");
                match self.subaccount {
                    Some(subaccount) => request.subaccount(subaccount).by_item(),
                    None => request.by_item(),
                }
            };
            let is_ours = |order: &Order| {
                // The exchange may omit the subaccount. The list was filtered by the request, so the row belongs to it.
                let is_requested = match (self.subaccount, order.subaccount_number) {
                    (Some(wanted), Some(own)) => wanted == own,
                    _ => true,
                };
                !has_ended(order) && is_requested
            };
            // Only signed responses show the exchange's clock. Without them, stale reads would count as up to date if this machine's clock
            // is behind.
            let observe_clock = || walk_up_to(1, items(1), &last_error, |_| true, |_| true);
            observe_clock().await?;
            until_fresh(&reader, since, &last_error, observe_clock).await;
            let walk = || async {
                let mut walk =
                    walk_up_to(usize::MAX, items(1000), &last_error, is_ours, |_| true).await?;
                match walk.skipped.pop() {
                    None => Ok(walk),
                    Some(error) => Err(error),
                }
            };
            let mut last = walk().await?;
            loop {
                let next = walk().await?;
                // Pages miss an order only if one that was already read leaves the list, and then the next list lacks that one.
                let is_whole = last.pages.max(next.pages) == 1 || has_all(&next.kept, &last.kept);
                if is_whole {
                    // The next list may be the response to another request too.
                    last.kept.extend(next.kept);
                    return Ok(latest(last.kept));
                }
                last_error.set(rt::unexpected_response(
                    operation::GET_ORDERS,
                    StatusCode::OK,
                    "orders left the list while its pages were read".to_owned(),
                ));
                last = next;
            }
        };
        match timeout(self.timeout.min(MAX_TIMEOUT), list).await {
            Ok(Ok(orders)) => Ok(orders),
            Ok(Err(error)) => Err(Unresolved::after(Some(Arc::new(error)))),
            Err(_) => Err(Unresolved::after(last_error.take())),
        }
    }
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
