//! Finds out where an order is, to prove the outcome of a change.

use std::collections::BTreeSet;

use kalshi_core::rt::{
    self,
    orders::{LastError, is_absent},
};

use super::{
    OrderRef,
    search::{Ids, Rows, Search},
};
use crate::{
    Client, Error, OrderId, operation,
    types::{Order, OrderStatus},
};

/// The result of looking for an order once.
#[derive(Clone, Debug)]
pub(super) enum OrderLocation {
    /// The order is cancelled or executed, which is final.
    Ended(Order),
    /// The order rests in a different market, in a different subaccount or on a different shard from the one that the change named.
    Elsewhere(Order),
    /// The order rests where the change named it, or its status is unknown.
    Here(Order),
    /// The order was found neither by its id nor in the lists that were searched.
    NotFound,
}

/// Number of single reads that cost as many tokens as a page of orders.
const SINGLE_READS_PER_PAGE: usize = 5;

impl Client {
    /// Looks for an order by its id and, if that is not found, among the orders of its market. Once reads are up to date, it searches all
    /// markets and the archive.
    pub(super) async fn locate(
        &self,
        key: &OrderRef,
        is_fresh: bool,
        last_error: &LastError,
    ) -> Result<OrderLocation, Error> {
        if let Some(order) = self.read_order(&key.order_id).await? {
            return Ok(OrderLocation::new(key, order));
        }
        let (ids, ticker) = ([&key.order_id], key.market_ticker.as_deref());
        let mut found = None;
        let see = |order: &Order| found = Some(order.clone());
        let searched = self.search_ids(&ids, ticker, is_fresh, last_error, see);
        let searched = searched.await;
        match found {
            Some(order) => Ok(OrderLocation::new(key, order)),
            None => searched.map(|()| OrderLocation::NotFound),
        }
    }

    /// Reads an order by its id. Returns `None` if the exchange does not have it.
    async fn read_order(&self, order_id: &OrderId) -> Result<Option<Order>, Error> {
        match self.get_order().order_id(order_id).send().await {
            Ok(response) if response.order.order_id == *order_id => {
                Ok(Some(response.into_inner().order))
            }
            Ok(response) => Err(rt::unexpected_response(
                operation::GET_ORDER,
                response.status(),
                "the response is about another order".to_owned(),
            )),
            Err(error) if rt::is_rejection(&error) && error.api().is_some_and(is_absent) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Searches for orders that reads by id do not find: among the orders of their market or, once reads are up to date, of all markets
    /// and in the archive. Calls `see` with those that it has found after each list.
    ///
    /// # Errors
    ///
    /// Returns an error if the lists may have more of them.
    async fn search_ids(
        &self,
        ids: &[&OrderId],
        ticker: Option<&str>,
        is_fresh: bool,
        last_error: &LastError,
        mut see: impl FnMut(&Order),
    ) -> Result<(), Error> {
        // Only up-to-date reads can prove that an order does not exist, so all markets are searched only then.
        if ticker.is_none() && !is_fresh {
            return Ok(());
        }
        let search = Search {
            ids: Ids::Exchange(ids),
            ticker: ticker.filter(|_| !is_fresh),
            subaccount: None,
            since_ms: None,
            archive: is_fresh,
            proves_absence: is_fresh,
        };
        let mut is_complete = false;
        let is_enough = |rows: &Rows| {
            rows.orders.iter().for_each(&mut see);
            let has = |id: &&OrderId| rows.orders.iter().any(|order| order.order_id == **id);
            is_complete = ids.iter().all(has);
            is_complete
        };
        let rows = self.search(search, last_error, is_enough).await?;
        // The row that does not decode may be an order that was not found.
        rows.skipped.filter(|_| !is_complete).map_or(Ok(()), Err)
    }

    /// Looks for several orders and reports each as it is seen. If a page of a market's orders costs less than single reads, it reads that
    /// page first.
    ///
    /// # Errors
    ///
    /// Returns the last error after it has looked for all orders.
    pub(super) async fn locate_all(
        &self,
        keys: &[&OrderRef],
        is_fresh: bool,
        last_error: &LastError,
        report: impl Fn(usize, OrderLocation),
    ) -> Result<(), Error> {
        let mut result = Ok(());
        let mut listed: Vec<Order> = Vec::new();
        let mut tickers: Vec<_> = keys
            .iter()
            .filter_map(|key| key.market_ticker.as_deref())
            .collect();
        tickers.sort_unstable();
        for market in tickers.chunk_by(|a, b| a == b) {
            if let (Some(ticker), true) = (market.first(), market.len() > SINGLE_READS_PER_PAGE) {
                match self.get_orders().ticker(*ticker).limit(1000).send().await {
                    Ok(page) if page.orders.iter().any(|order| order.ticker != *ticker) => {
                        let message = "the list contains an item that the request excluded";
                        result = Err(rt::unexpected_response(
                            operation::GET_ORDERS,
                            page.status(),
                            message.to_owned(),
                        ));
                    }
                    Ok(page) => listed.extend(page.into_inner().orders),
                    Err(error) => result = Err(error),
                }
            }
        }
        let mut missing = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let order = match listed.iter().find(|order| order.order_id == key.order_id) {
                Some(order) => Ok(Some(order.clone())),
                None => self.read_order(&key.order_id).await,
            };
            match order {
                Ok(Some(order)) => report(index, OrderLocation::new(key, order)),
                Ok(None) => missing.push(index),
                Err(error) => result = Err(error),
            }
        }
        // One search looks for all orders that it can find.
        let ticker = |index: usize| keys[index].market_ticker.as_deref();
        missing.sort_by_key(|index| ticker(*index));
        for group in missing.chunk_by(|a, b| is_fresh || ticker(*a) == ticker(*b)) {
            let ids: Vec<_> = group.iter().map(|index| &keys[*index].order_id).collect();
            let ticker = group.first().and_then(|index| ticker(*index));
            let mut absent: BTreeSet<_> = group.iter().copied().collect();
            // The search may take longer than the caller waits.
            let see = |order: &Order| {
                let is_it = |index: &&usize| keys[**index].order_id == order.order_id;
                for index in group.iter().filter(is_it) {
                    absent.remove(index);
                    report(*index, OrderLocation::new(keys[*index], order.clone()));
                }
            };
            let searched = self.search_ids(&ids, ticker, is_fresh, last_error, see);
            match searched.await {
                Ok(()) => absent
                    .into_iter()
                    .for_each(|index| report(index, OrderLocation::NotFound)),
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl OrderLocation {
    fn new(key: &OrderRef, order: Order) -> Self {
        if has_ended(&order) {
            return Self::Ended(order);
        }
        let shard = order.exchange_index.as_ref().map(|index| index.0);
        // Without a shard the exchange routes by the market, and without a market it uses shard 0.
        let expected = match (
            key.exchange_index.filter(|index| *index >= 0),
            &key.market_ticker,
        ) {
            (None, None) => Some(0),
            (expected, _) => expected,
        };
        fn differs<T: PartialEq>(wanted: Option<T>, found: Option<T>) -> bool {
            matches!((wanted, found), (Some(wanted), Some(found)) if wanted != found)
        }
        let is_elsewhere = key
            .market_ticker
            .as_ref()
            .is_some_and(|ticker| *ticker != order.ticker)
            || differs(expected, shard)
            || differs(key.subaccount, order.subaccount_number);
        if is_elsewhere && order.status == OrderStatus::Resting {
            Self::Elsewhere(order)
        } else {
            Self::Here(order)
        }
    }
}

/// Returns `true` if an order has ended for good. An order with an unknown status may still be open.
pub(crate) fn has_ended(order: &Order) -> bool {
    matches!(order.status, OrderStatus::Canceled | OrderStatus::Executed)
}
