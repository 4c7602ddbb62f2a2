//! Reads that prove outcomes. They lag behind the exchange's writes, and no endpoint reports by how much.

use kalshi_core::rt::{
    self, Moment,
    orders::{OrderFields, OrderRow, Reader},
};

use crate::{Client, Error, OrderId, operation, types::MarginOrder};

impl Reader for Client {
    const REQUIRES_CURSOR: bool = false;

    async fn reads_are_fresh(&self, _since: Moment) -> Result<bool, Error> {
        Ok(false)
    }
}

#[doc(hidden)]
impl OrderRow for MarginOrder {
    fn fields(&self) -> OrderFields<'_> {
        OrderFields {
            order_id: &self.order_id,
            client_order_id: &self.client_order_id,
            ticker: &self.ticker,
            price: self.price,
            fill_count: self.fill_count,
            remaining_count: self.remaining_count,
            expiration_time: self.expiration_time,
        }
    }
}

impl Client {
    /// Reads an order by its id.
    pub(super) async fn read_order(&self, order_id: &OrderId) -> Result<MarginOrder, Error> {
        let response = self.get_margin_order().order_id(order_id).send().await?;
        if response.order.order_id != *order_id {
            return Err(rt::unexpected_response(
                operation::GET_MARGIN_ORDER,
                response.status(),
                "the response is about another order".to_owned(),
            ));
        }
        Ok(response.into_inner().order)
    }
}
