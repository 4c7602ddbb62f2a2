//! Reads that prove outcomes. They may lag behind the exchange's writes.

use kalshi_core::rt::{
    self, Moment,
    orders::{OrderFields, OrderRow, Reader},
};

use crate::{Client, Error, operation, types::Order};

/// Margin for `as_of_time`, the time up to which reads are complete. The exchange calls it approximate.
const FRESHNESS_MARGIN_MS: u64 = 1_000;

impl Reader for Client {
    async fn reads_are_fresh(&self, since: Moment) -> Result<bool, Error> {
        let response = self.get_user_data_timestamp().send().await?;
        let as_of = response.as_of_time.timestamp_millis();
        let as_of = u64::try_from(as_of).unwrap_or_default();
        let now = Moment::now(&self.core).latest_ms(&self.core);
        if as_of > now.saturating_add(FRESHNESS_MARGIN_MS) {
            return Err(rt::unexpected_response(
                operation::GET_USER_DATA_TIMESTAMP,
                response.status(),
                "`as_of_time` is in the future".to_owned(),
            ));
        }
        let needed = since
            .latest_ms(&self.core)
            .saturating_add(FRESHNESS_MARGIN_MS);
        Ok(as_of >= needed)
    }
}

#[doc(hidden)]
impl OrderRow for Order {
    fn fields(&self) -> OrderFields<'_> {
        OrderFields {
            order_id: &self.order_id,
            client_order_id: &self.client_order_id,
            ticker: &self.ticker,
            price: self.yes_price_dollars,
            fill_count: self.fill_count_fp,
            remaining_count: self.remaining_count_fp,
            expiration_time: self.expiration_time,
        }
    }
}
