//! Changes of resting orders: a new price, size or expiry.

use kalshi_core::orders::InvalidExpiry;
use std::time::SystemTime;

use super::{InvalidOrder, OrderRef};
use crate::{BookSide, Contracts, Dollars, UnixSeconds, types::AmendMarginOrderRequest};

/// A new price and size of a resting order.
///
/// The side of an order cannot be changed: use [`buy`](Self::buy) or [`sell`](Self::sell) as the order was placed. A generated
/// [`AmendMarginOrderRequest`] converts to an amendment. If it names no market, that of the [`OrderRef`] is used.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an amendment does nothing until it is sent"]
pub struct Amendment {
    request: AmendMarginOrderRequest,
}

/// The `expiration_time` that removes the expiry of an order.
const NO_EXPIRY: i64 = 0;

impl Amendment {
    /// Returns an amendment of a buy order to a new price and a new total count, which includes the contracts already filled.
    pub fn buy(price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(BookSide::Bid, price, count.into())
    }

    /// Returns an amendment of a sell order to a new price and a new total count, which includes the contracts already filled.
    pub fn sell(price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(BookSide::Ask, price, count.into())
    }

    /// Sets the expiry: Unix seconds, a `DateTime` or a `SystemTime`. The exchange accepts whole seconds, so a fraction is dropped. Sending
    /// an amendment with an expiry in the past returns an error. Defaults to the current expiry.
    pub fn expires_at(mut self, seconds: impl Into<UnixSeconds>) -> Self {
        // Second 0 would remove the expiry.
        self.request.expiration_time = Some(match seconds.into().get() {
            NO_EXPIRY => -1,
            seconds => seconds,
        });
        self
    }

    /// Removes the expiry, so that the order rests until it is cancelled.
    pub fn never_expires(mut self) -> Self {
        self.request.expiration_time = Some(NO_EXPIRY);
        self
    }

    fn new(side: BookSide, price: Dollars, count: Contracts) -> Self {
        Self {
            request: AmendMarginOrderRequest {
                side,
                price,
                count,
                ticker: None,
                market_id: None,
                client_order_id: None,
                expiration_time: None,
                updated_client_order_id: None,
            },
        }
    }

    /// Checks the amendment and returns the request for an order. Its market defaults to that of the order.
    pub(super) fn into_request(
        self,
        order: &OrderRef,
        now: SystemTime,
    ) -> Result<AmendMarginOrderRequest, InvalidOrder> {
        let mut request = self.request;
        InvalidOrder::check_terms(request.price, request.count)?;
        if let Some(time) = request.expiration_time.filter(|time| *time != NO_EXPIRY) {
            InvalidExpiry::check(time, now)?;
        }
        let has_market = |ticker: &String| !ticker.is_empty();
        request.ticker = request.ticker.filter(has_market);
        if request.ticker.is_none() && request.market_id.is_none() {
            let ticker = order.ticker.clone().filter(has_market);
            request.ticker = Some(ticker.ok_or(InvalidOrder::NoMarket)?);
        }
        Ok(request)
    }
}

kalshi_core::amendment_setters!(Amendment);

impl From<AmendMarginOrderRequest> for Amendment {
    fn from(request: AmendMarginOrderRequest) -> Self {
        Self { request }
    }
}
