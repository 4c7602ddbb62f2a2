//! Listing the orders that rest, as proof of which do.

use std::{future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use kalshi_core::rt::{
    self, Moment,
    orders::{LastError, MAX_TIMEOUT, until_fresh, walk_up_to},
};
use tokio::time::timeout;

use super::{Orders, Unresolved};
use crate::{Client, SubaccountNumber, types::Order};

impl Orders {
    /// Lists the orders that rest, by reads that are up to date with everything written before this call.
    ///
    /// The list has every order that rested when the call began and has not ended since. An empty list proves that none did: this is
    /// for a program that has cancelled orders and must know that they are gone. Since the exchange's reads lag behind its writes,
    /// the call takes at least a second.
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
    /// Awaiting it returns an error if the timeout expires, if the exchange rejects a read, or if an order in the list does not
    /// decode.
    pub fn resting(&self) -> RestingOrders {
        RestingOrders {
            client: self.client.clone(),
            subaccount: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A list of resting orders, made by [`Orders::resting`]. Awaiting it gives the orders.
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
            until_fresh(&reader, since, &last_error).await;
            let mut request = reader.get_orders().limit(1000).status("resting");
            if let Some(subaccount) = self.subaccount {
                request = request.subaccount(subaccount);
            }
            // A row without its subaccount is one of those that were requested.
            let is_ours = |order: &Order| {
                let wanted = self.subaccount;
                wanted.is_none()
                    || order
                        .subaccount_number
                        .is_none_or(|own| Some(own) == wanted)
            };
            walk_up_to(usize::MAX, request.by_item(), &last_error, is_ours, |_| {
                true
            })
            .await
        };
        match timeout(self.timeout.min(MAX_TIMEOUT), list).await {
            Ok(Ok(mut walk)) => match walk.skipped.pop() {
                None => Ok(walk.kept),
                Some(error) => Err(Unresolved::after(Some(Arc::new(error)))),
            },
            Ok(Err(error)) => Err(Unresolved::after(Some(Arc::new(error)))),
            Err(_) => Err(Unresolved::after(last_error.take())),
        }
    }
}

impl IntoFuture for RestingOrders {
    type Output = Result<Vec<Order>, Unresolved>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
