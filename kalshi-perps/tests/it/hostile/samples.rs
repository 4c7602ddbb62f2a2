//! Sample requests.

use kalshi_perps::{orders::NewOrder, types::CreateMarginOrderRequest};

use super::model::ticker;

/// The request for an order.
pub type Request = CreateMarginOrderRequest;

/// Returns an order to buy ten contracts.
pub fn new_order(client_order_id: &str) -> NewOrder {
    let price = "6.2590".parse().unwrap();
    NewOrder::buy(ticker(0, 'A'), price, 10).client_order_id(client_order_id)
}

/// Returns the request for the same order.
pub fn order(client_order_id: &str) -> Request {
    new_order(client_order_id).into()
}
