//! Orders in terms of the outcome that is bought or sold.

use super::{InvalidOrder, OffGrid, PriceGrid};
use crate::{
    BookSide, ClientOrderId, Contracts, Dollars, OutcomeSide,
    types::{CreateOrderV2Request, ExchangeIndex, SelfTradePreventionType, TimeInForce},
};

/// A limit order to buy or sell contracts of one outcome, at a price of that outcome.
///
/// The exchange has one book for each market, in terms of YES: buying NO at 0.40 is selling YES at 0.60, and selling NO is buying YES.
/// The conversion to a [`CreateOrderV2Request`] translates side and price.
///
/// Unless set otherwise, an order rests until it is cancelled (`good_till_canceled`), and is cancelled if it would trade with one of your
/// own orders (`taker_at_cross`).
///
/// ```
/// use kalshi_sdk::{BookSide, Dollars, OutcomeSide, orders::NewOrder, types::CreateOrderV2Request};
///
/// let order = NewOrder::buy("KXHIGHNY-26DEC01-T45", OutcomeSide::No, Dollars::from_cents(40), 10)
///     .post_only()
///     .client_order_id("maker-1");
/// let request = CreateOrderV2Request::try_from(order)?;
/// assert_eq!((request.side, request.price), (BookSide::Ask, Dollars::from_cents(60)));
/// # Ok::<(), kalshi_sdk::orders::InvalidOrder>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an order does nothing until it is placed"]
pub struct NewOrder {
    price: OutcomePrice,
    grid: Option<PriceGrid>,
    /// The request without side and price, which the conversion sets.
    request: CreateOrderV2Request,
}

/// A side and a price in terms of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutcomePrice {
    is_buy: bool,
    outcome: OutcomeSide,
    price: Dollars,
}

impl OutcomePrice {
    pub(super) const fn buy(outcome: OutcomeSide, price: Dollars) -> Self {
        Self {
            is_buy: true,
            outcome,
            price,
        }
    }

    pub(super) const fn sell(outcome: OutcomeSide, price: Dollars) -> Self {
        Self {
            is_buy: false,
            outcome,
            price,
        }
    }

    /// Returns side and price on the YES book.
    ///
    /// # Errors
    ///
    /// Returns an error if the outcome is unknown, or the price is not above 0 and below 1 dollar.
    pub(super) fn on_yes_book(self) -> Result<(BookSide, Dollars), InvalidOrder> {
        let price = self.price;
        if price <= Dollars::ZERO || price >= Dollars::ONE {
            return Err(InvalidOrder::Price(price));
        }
        let (side, price) = match self.outcome {
            OutcomeSide::Yes => (BookSide::Bid, Some(price)),
            OutcomeSide::No => (BookSide::Ask, price.checked_complement()),
            OutcomeSide::Unknown(_) => return Err(InvalidOrder::Outcome(self.outcome)),
        };
        let side = if self.is_buy { side } else { side.opposite() };
        Ok((side, price.ok_or(InvalidOrder::Price(self.price))?))
    }

    /// Converts an error about a YES price to prices of this outcome.
    pub(super) fn in_terms(self, error: OffGrid) -> OffGrid {
        match self.outcome {
            OutcomeSide::No => error.complement(),
            _ => error,
        }
    }
}

impl NewOrder {
    /// Returns an order to buy `count` contracts of an outcome, each for at most `price`.
    pub fn buy(
        ticker: impl Into<String>,
        outcome: OutcomeSide,
        price: Dollars,
        count: impl Into<Contracts>,
    ) -> Self {
        Self::new(
            ticker.into(),
            OutcomePrice::buy(outcome, price),
            count.into(),
        )
    }

    /// Returns an order to sell `count` contracts of an outcome, each for at least `price`. Contracts that you do not have are sold by
    /// buying the other outcome.
    pub fn sell(
        ticker: impl Into<String>,
        outcome: OutcomeSide,
        price: Dollars,
        count: impl Into<Contracts>,
    ) -> Self {
        Self::new(
            ticker.into(),
            OutcomePrice::sell(outcome, price),
            count.into(),
        )
    }

    /// Checks the price against the price grid of the market when the order is converted or placed. The grid is in YES prices; the error
    /// has prices of the outcome that the order buys or sells.
    pub fn on_grid(mut self, grid: PriceGrid) -> Self {
        self.grid = Some(grid);
        self
    }

    /// Makes the exchange reject the order if any of it would fill immediately.
    pub fn post_only(mut self) -> Self {
        self.request.post_only = Some(true);
        self
    }

    /// Restricts the order to reducing a position. Requires [`immediate_or_cancel`](Self::immediate_or_cancel); without it, placing the
    /// order returns an error.
    pub fn reduce_only(mut self) -> Self {
        self.request.reduce_only = Some(true);
        self
    }

    /// Sets the client order id. Defaults to a random UUID. Save it before the order is placed, to find the order after a restart.
    pub fn client_order_id(mut self, id: impl Into<ClientOrderId>) -> Self {
        self.request.client_order_id = Some(id.into());
        self
    }

    /// Sets the shard. Defaults to that of the market.
    pub fn exchange_index(mut self, exchange_index: i64) -> Self {
        self.request.exchange_index = Some(ExchangeIndex(exchange_index));
        self
    }

    fn new(ticker: String, price: OutcomePrice, count: Contracts) -> Self {
        Self {
            price,
            grid: None,
            request: CreateOrderV2Request {
                ticker,
                count,
                // Set by the conversion.
                side: BookSide::Bid,
                price: Dollars::ZERO,
                time_in_force: TimeInForce::GoodTillCanceled,
                self_trade_prevention_type: SelfTradePreventionType::TakerAtCross,
                cancel_order_on_pause: None,
                client_order_id: None,
                exchange_index: None,
                expiration_time: None,
                order_group_id: None,
                post_only: None,
                reduce_only: None,
                subaccount: None,
            },
        }
    }
}

kalshi_core::new_order_setters!(NewOrder, TimeInForce, SelfTradePreventionType);

impl TryFrom<NewOrder> for CreateOrderV2Request {
    type Error = InvalidOrder;

    /// Converts the order to the terms of the YES book.
    ///
    /// # Errors
    ///
    /// Returns an error if the outcome is unknown, if the price is not above 0 and below 1 dollar, or if it is not on the grid.
    fn try_from(order: NewOrder) -> Result<Self, InvalidOrder> {
        let (side, price) = order.price.on_yes_book()?;
        if let Some(grid) = &order.grid {
            grid.check(price)
                .map_err(|error| InvalidOrder::OffGrid(order.price.in_terms(error)))?;
        }
        Ok(Self {
            side,
            price,
            ..order.request
        })
    }
}
