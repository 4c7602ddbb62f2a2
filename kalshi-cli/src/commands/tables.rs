//! Tables of orders, and of the requests of a dry run.

use kalshi_sdk::{Operation, OutcomeSide, orders::OrderRef, types::Order};
use serde::Serialize;

use crate::{
    failure::Failure,
    output::{Cell, Table},
};

/// Returns an empty table of requests, for `--dry-run`.
pub(super) fn requests_table() -> Table {
    Table::new("requests", ["operation", "method", "path", "body"])
}

/// Returns the row of a request. `order_id` is inserted into the path.
pub(super) fn request_row(
    operation: &'static Operation,
    order_id: &str,
    query: &[(&str, String)],
    body: Option<&impl Serialize>,
) -> Result<[Cell; 4], Failure> {
    let mut path = operation.path_with(&[("order_id", order_id)])?;
    for (index, (name, value)) in query.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(&format!("{name}={value}"));
    }
    let body = body.map(serde_json::to_string).transpose()?;
    Ok([
        operation.id.into(),
        operation.method.as_str().into(),
        path.into(),
        body.into(),
    ])
}

/// Returns the query parameters that locate an order: subaccount, shard and market.
pub(super) fn locator_query(order: &OrderRef) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    if let Some(subaccount) = order.subaccount() {
        query.push(("subaccount", subaccount.to_string()));
    }
    if let Some(index) = order.exchange_index() {
        query.push(("exchange_index", index.to_string()));
    }
    if let Some(ticker) = order.market_ticker() {
        query.push(("market_ticker", ticker.to_owned()));
    }
    query
}

/// Returns the outcome that an order or fill buys and its price, as two cells.
pub(super) fn bought_cells(bought: Option<(OutcomeSide, kalshi_sdk::Dollars)>) -> [Cell; 2] {
    match bought {
        Some((outcome, price)) => [outcome.as_str().into(), price.into()],
        None => [Cell::Absent, Cell::Absent],
    }
}

/// Returns a table of orders.
pub(super) fn orders_table(orders: &[Order]) -> Table {
    let mut table = Table::new(
        "orders",
        [
            "order_id",
            "ticker",
            "buys",
            "price",
            "count",
            "filled",
            "remaining",
            "status",
            "created_time",
            "expiration_time",
            "order_group_id",
            "subaccount",
            "client_order_id",
        ],
    );
    for order in orders {
        let [buys, price] = bought_cells(order.bought());
        table.push([
            order.order_id.as_str().into(),
            order.ticker.as_str().into(),
            buys,
            price,
            order.initial_count_fp.into(),
            order.fill_count_fp.into(),
            order.remaining_count_fp.into(),
            order.status.as_str().into(),
            order.created_time.into(),
            order.expiration_time.into(),
            order.order_group_id.as_deref().into(),
            order.subaccount_number.map(|number| number.get()).into(),
            order.client_order_id.as_str().into(),
        ]);
    }
    table
}
