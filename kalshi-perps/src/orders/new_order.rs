//! A new order to buy or sell contracts of a market.

use crate::{
    BookSide, ClientOrderId, Contracts, Dollars,
    types::{CreateMarginOrderRequest, SelfTradePreventionType, TimeInForce},
};

/// A limit order to buy or sell contracts of a market.
///
/// The price is in dollars per contract, with up to four decimal places, and may be above one dollar. Unless set otherwise, an order rests
/// until it is cancelled (`good_till_canceled`), is cancelled if it would trade with one of your own orders (`taker_at_cross`), and is
/// placed in the primary account. An immediate-or-cancel order that matches nothing still counts as placed, with zero contracts filled and
/// zero remaining.
///
/// ```
/// use kalshi_perps::{BookSide, orders::NewOrder, types::CreateMarginOrderRequest};
///
/// let order = NewOrder::sell("KXBTCPERP", "6.2590".parse()?, 2)
///     .post_only()
///     .client_order_id("maker-1");
/// assert_eq!(CreateMarginOrderRequest::from(order).side, BookSide::Ask);
/// # Ok::<(), kalshi_perps::MoneyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an order does nothing until it is placed"]
pub struct NewOrder {
    request: CreateMarginOrderRequest,
}

impl NewOrder {
    /// Returns an order to buy `count` contracts, each for at most `price`: a bid.
    pub fn buy(ticker: impl Into<String>, price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(ticker.into(), BookSide::Bid, price, count.into())
    }

    /// Returns an order to sell `count` contracts, each for at least `price`: an ask. Selling more contracts than you have opens a short
    /// position.
    pub fn sell(ticker: impl Into<String>, price: Dollars, count: impl Into<Contracts>) -> Self {
        Self::new(ticker.into(), BookSide::Ask, price, count.into())
    }

    /// Makes the exchange reject or cancel the order if any of it would fill immediately.
    pub fn post_only(mut self) -> Self {
        self.request.post_only = Some(true);
        self
    }

    /// Restricts the order to reducing a position. Requires [`immediate_or_cancel`](Self::immediate_or_cancel) or
    /// [`fill_or_kill`](Self::fill_or_kill); without either, placing the order returns an error.
    pub fn reduce_only(mut self) -> Self {
        self.request.reduce_only = Some(true);
        self
    }

    /// Sets the client order id. Defaults to a random UUID. Save it before the order is placed, to find the order after a restart. An id
    /// cannot be reused, even after its order has ended.
    pub fn client_order_id(mut self, id: impl Into<ClientOrderId>) -> Self {
        self.request.client_order_id = id.into();
        self
    }

    /// Makes the exchange reject the order with `market_version_mismatch` if the market has another version. Defaults to any version.
    pub fn market_version(mut self, version: i32) -> Self {
        self.request.market_version = Some(version);
        self
    }

    fn new(ticker: String, side: BookSide, price: Dollars, count: Contracts) -> Self {
        Self {
            request: CreateMarginOrderRequest {
                ticker: Some(ticker),
                side,
                price,
                count,
                // Generated when the order is placed.
                client_order_id: ClientOrderId::from(""),
                time_in_force: TimeInForce::GoodTillCanceled,
                self_trade_prevention_type: SelfTradePreventionType::TakerAtCross,
                cancel_order_on_pause: None,
                expiration_time: None,
                market_id: None,
                market_version: None,
                order_group_id: None,
                post_only: None,
                reduce_only: None,
                subaccount: None,
            },
        }
    }
}

kalshi_core::new_order_setters!(NewOrder, TimeInForce, SelfTradePreventionType);

impl From<NewOrder> for CreateMarginOrderRequest {
    fn from(order: NewOrder) -> Self {
        order.request
    }
}
