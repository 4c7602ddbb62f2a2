//! Finds out where an order is, to prove the outcome of a change.

use kalshi_core::rt::{
    self,
    orders::{LastError, is_absent},
};

use super::{
    OrderRef,
    search::{Ids, Rows, Search},
};
use crate::{
    Client, Error, operation,
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
        match self.get_order().order_id(&key.order_id).send().await {
            Ok(response) if response.order.order_id == key.order_id => {
                return Ok(OrderLocation::new(key, response.into_inner().order));
            }
            Ok(response) => {
                return Err(rt::unexpected_response(
                    operation::GET_ORDER,
                    response.status(),
                    "the response is about another order".to_owned(),
                ));
            }
            Err(error) if rt::is_rejection(&error) && error.api().is_some_and(is_absent) => {}
            Err(error) => return Err(error),
        }
        if key.market_ticker.is_none() && !is_fresh {
            return Ok(OrderLocation::NotFound);
        }
        // Only up-to-date reads can prove that the order does not exist, so all markets are searched only then.
        let ticker = key.market_ticker.as_deref().filter(|_| !is_fresh);
        let search = Search {
            ids: Ids::Exchange(&key.order_id),
            ticker,
            subaccount: None,
            since_ms: None,
            archive: is_fresh,
            proves_absence: is_fresh,
        };
        let is_found = |rows: &Rows| !rows.orders.is_empty();
        let mut found = self.search(search, last_error, is_found).await?;
        match (found.orders.pop(), found.skipped) {
            (Some(order), _) => Ok(OrderLocation::new(key, order)),
            // The row that does not decode may be the order.
            (None, Some(error)) => Err(error),
            (None, None) => Ok(OrderLocation::NotFound),
        }
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
        for (index, key) in keys.iter().enumerate() {
            match listed.iter().find(|order| order.order_id == key.order_id) {
                Some(order) => report(index, OrderLocation::new(key, order.clone())),
                None => match self.locate(key, is_fresh, last_error).await {
                    Ok(location) => report(index, location),
                    Err(error) => result = Err(error),
                },
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
