//! Changes of resting orders: a new price, size or expiry, or fewer contracts.

use std::time::SystemTime;

use kalshi_core::orders::InvalidExpiry;

use super::{InvalidOrder, OrderRef, new_order::OutcomePrice};
use crate::{
    BookSide, ClientOrderId, Contracts, Dollars, OutcomeSide, UnixSeconds,
    types::{AmendOrderV2Request, DecreaseOrderV2Request, ExchangeIndex},
};

/// A new price and size of a resting order, in terms of the outcome that it buys or sells.
///
/// The side of an order cannot be changed: use [`buy`](Self::buy) or [`sell`](Self::sell) with the outcome with which the order was placed.
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
    /// Returns an amendment of an order that buys an outcome, to `price` and to `count` contracts including those that are filled.
    pub fn buy(outcome: OutcomeSide, price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(OutcomePrice::buy(outcome, price), count.into())
    }

    /// Returns an amendment of an order that sells an outcome, to `price` and to `count` contracts including those that are filled.
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

    /// Sets the order's current client order id. If the response is about an order with another id, the outcome is unknown.
    pub fn client_order_id(mut self, id: impl Into<ClientOrderId>) -> Self {
        self.request.client_order_id = Some(id.into());
        self
    }

    /// Sets a new client order id for the order. Defaults to the current one.
    pub fn updated_client_order_id(mut self, id: impl Into<ClientOrderId>) -> Self {
        self.request.updated_client_order_id = Some(id.into());
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

impl From<AmendOrderV2Request> for Amendment {
    fn from(request: AmendOrderV2Request) -> Self {
        Self {
            price: None,
            expiry: None,
            request,
        }
    }
}

/// The size of a decrease of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decrease {
    /// Removes this many resting contracts.
    By(Contracts),
    /// Leaves at most this many contracts resting. Zero cancels the order.
    To(Contracts),
}

impl Decrease {
    /// Returns the request for an order, with the order's market and shard.
    pub(super) fn into_request(self, order: &OrderRef) -> DecreaseOrderV2Request {
        let (reduce_by, reduce_to) = match self {
            Self::By(count) => (Some(count), None),
            Self::To(count) => (None, Some(count)),
        };
        DecreaseOrderV2Request {
            exchange_index: order.exchange_index.map(ExchangeIndex),
            market_ticker: order.market_ticker.clone(),
            reduce_by,
            reduce_to,
        }
    }
}
