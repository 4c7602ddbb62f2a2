//! Changes of resting orders: a new price, size or expiry.

use std::time::SystemTime;

use kalshi_core::orders::InvalidExpiry;

use super::{InvalidOrder, OrderRef, new_order::OutcomePrice};
use crate::{
    BookSide, Contracts, Dollars, OutcomeSide, UnixSeconds,
    types::{AmendOrderV2Request, ExchangeIndex},
};

/// A new price and size of a resting order, in terms of the outcome that it buys or sells.
///
/// The side of an order cannot be changed: use [`buy`](Self::buy) if the order buys and [`sell`](Self::sell) if it sells, with the outcome
/// that it was placed for.
/// A generated [`AmendOrderV2Request`], whose price is that of YES, converts to an amendment.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an amendment does nothing until it is sent"]
pub struct Amendment {
    /// `None` if side and price are set in the request.
    price: Option<OutcomePrice>,
    /// Unix time in seconds, checked when the amendment is sent.
    expiry: Option<i64>,
    request: AmendOrderV2Request,
}

/// The `expiration_time` that removes the expiry of an order.
const NO_EXPIRY: i64 = 0;

impl Amendment {
    /// Returns an amendment of an order that buys an outcome. `count` is the new total, including contracts that are already filled.
    pub fn buy(outcome: OutcomeSide, price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(OutcomePrice::buy(outcome, price), count.into())
    }

    /// Returns an amendment of an order that sells an outcome. `count` is the new total, including contracts that are already filled.
    pub fn sell(outcome: OutcomeSide, price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(OutcomePrice::sell(outcome, price), count.into())
    }

    /// Sets the expiry: Unix seconds, a `DateTime` or a `SystemTime`. The exchange accepts whole seconds, so a fraction is dropped. Sending
    /// an amendment with an expiry in the past returns an error. Defaults to the current expiry.
    pub fn expires_at(mut self, seconds: impl Into<UnixSeconds>) -> Self {
        self.expiry = Some(seconds.into().get());
        self
    }

    /// Removes the expiry, so that the order rests until it is cancelled.
    pub fn never_expires(mut self) -> Self {
        self.expiry = None;
        self.request.expiration_time = Some(NO_EXPIRY);
        self
    }

    fn new(price: OutcomePrice, count: Contracts) -> Self {
        Self {
            price: Some(price),
            expiry: None,
            request: AmendOrderV2Request {
                count,
                // Set by `into_request`.
                ticker: String::new(),
                side: BookSide::Bid,
                price: Dollars::ZERO,
                client_order_id: None,
                exchange_index: None,
                expiration_time: None,
                updated_client_order_id: None,
            },
        }
    }

    /// Returns the price in terms of the outcome, or `None` if the request has that of YES.
    pub(super) fn outcome_price(&self) -> Option<OutcomePrice> {
        self.price
    }

    /// Returns the request for an order. Its market and shard default to those of the order.
    pub(super) fn into_request(
        self,
        order: &OrderRef,
        now: SystemTime,
    ) -> Result<AmendOrderV2Request, InvalidOrder> {
        let mut request = self.request;
        request.expiration_time = self.expiry.or(request.expiration_time);
        // In a generated request 0 removes the expiry.
        let has_expiry = |time: &i64| self.expiry.is_some() || *time != NO_EXPIRY;
        if let Some(time) = request.expiration_time.filter(has_expiry) {
            InvalidExpiry::check(time, now)?;
        }
        if let Some(price) = self.price {
            (request.side, request.price) = price.on_yes_book()?;
        }
        if request.ticker.is_empty() {
            let ticker = order.market_ticker.clone();
            request.ticker = ticker.ok_or(InvalidOrder::NoMarket)?;
        }
        let index = order.exchange_index.map(ExchangeIndex);
        request.exchange_index = request.exchange_index.or(index);
        Ok(request)
    }
}

kalshi_core::amendment_setters!(Amendment);

impl From<AmendOrderV2Request> for Amendment {
    fn from(request: AmendOrderV2Request) -> Self {
        Self {
            price: None,
            expiry: None,
            request,
        }
    }
}
