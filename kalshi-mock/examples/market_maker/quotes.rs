//! The quotes of one market: the target price and the order of each side.

use kalshi_sdk::{
    BookSide, ClientOrderId, Contracts, Dollars, OrderGroupId, OrderId, OutcomeSide,
    orders::{NewOrder, OrderRef},
    types::SelfTradePreventionType,
    ws::{OrderBook, OwnOrder},
};

use super::{Error, account::Account};

/// Size of a quote, in contracts.
pub(crate) const SIZE: i32 = 10;

/// Distance of a quote from the fair price, in cents.
const HALF_SPREAD: i64 = 2;

/// Contracts of inventory that skew the quotes by one cent.
const CONTRACTS_PER_CENT: i64 = 15;

/// An order that rests or may rest.
#[derive(Debug)]
pub(crate) struct Order {
    /// Chosen before the order is sent, so that messages about it are recognised before its placement is acknowledged.
    pub(crate) client_order_id: ClientOrderId,
    /// The id on the exchange, or `None` until the placement is acknowledged.
    pub(crate) order_id: Option<OrderId>,
    price: Dollars,
    pub(crate) remaining: Contracts,
    /// `true` while a request for the order is in flight or its outcome is unknown. No other request is sent in that time.
    pub(crate) is_busy: bool,
}

/// One side of a market.
#[derive(Debug)]
pub(crate) struct Quote {
    side: BookSide,
    pub(crate) target: Option<Dollars>,
    pub(crate) order: Option<Order>,
}

/// A request for a quote.
pub(crate) enum Action {
    Cancel(ClientOrderId, OrderRef),
    Place(ClientOrderId, Box<NewOrder>),
}

impl Quote {
    fn new(side: BookSide) -> Self {
        Self {
            side,
            target: None,
            order: None,
        }
    }

    /// Returns the price of the order, or `None` if there is none.
    pub(crate) fn price(&self) -> Option<Dollars> {
        self.order.as_ref().map(|order| order.price)
    }

    /// Returns `true` if an order at `price` would trade with our own order at `opposite`.
    fn crosses(&self, price: Dollars, opposite: Dollars) -> bool {
        match self.side {
            BookSide::Ask => price <= opposite,
            _ => price >= opposite,
        }
    }

    /// Returns the order as part of the book.
    fn own_order(&self) -> Option<OwnOrder> {
        let order = self.order.as_ref()?;
        let (outcome, price) = match self.side {
            BookSide::Ask => (OutcomeSide::No, order.price.complement()),
            _ => (OutcomeSide::Yes, order.price),
        };
        Some(OwnOrder::new(outcome, price, order.remaining))
    }

    /// Returns the request that brings the order to the target price, and marks the order as busy. An order that crosses our own order on
    /// the other side waits, because that one may still rest at an old price.
    pub(crate) fn act(
        &mut self,
        opposite: &Self,
        ticker: &str,
        group: &OrderGroupId,
        new_id: impl FnOnce() -> ClientOrderId,
    ) -> Result<Option<Action>, Error> {
        let min_remaining = Contracts::from(SIZE / 2);
        let prices = self.target.zip(opposite.price());
        let must_wait = prices.is_some_and(|(target, other)| self.crosses(target, other));
        match (&mut self.order, self.target) {
            (Some(order), _) if order.is_busy => Ok(None),
            (Some(order), Some(target))
                if order.price == target && order.remaining >= min_remaining =>
            {
                Ok(None)
            }
            (Some(order), _) => {
                let Some(order_id) = &order.order_id else {
                    return Ok(None);
                };
                order.is_busy = true;
                let key = OrderRef::new(order_id).with_market(ticker);
                Ok(Some(Action::Cancel(order.client_order_id.clone(), key)))
            }
            (None, Some(_)) if must_wait => Ok(None),
            (None, Some(price)) => {
                let client_order_id = new_id();
                let order = match self.side {
                    BookSide::Ask => NewOrder::sell(ticker, OutcomeSide::Yes, price, SIZE),
                    _ => NewOrder::buy(ticker, OutcomeSide::Yes, price, SIZE),
                };
                let order = order
                    .client_order_id(&client_order_id)
                    .self_trade_prevention(SelfTradePreventionType::Maker)
                    .post_only()
                    .group(group);
                self.order = Some(Order {
                    client_order_id: client_order_id.clone(),
                    order_id: None,
                    price,
                    remaining: SIZE.into(),
                    is_busy: true,
                });
                Ok(Some(Action::Place(client_order_id, Box::new(order))))
            }
            (None, None) => Ok(None),
        }
    }
}

/// One market of the maker.
#[derive(Debug)]
pub(crate) struct Quotes {
    pub(crate) account: Account,
    pub(crate) bid: Quote,
    pub(crate) ask: Quote,
    /// Last mid price of the book without our own orders.
    middle: Option<Dollars>,
    /// `true` if the book or the position changed since the last decision.
    pub(crate) has_changed: bool,
}

impl Quotes {
    pub(crate) fn new() -> Self {
        Self {
            account: Account::default(),
            bid: Quote::new(BookSide::Bid),
            ask: Quote::new(BookSide::Ask),
            middle: None,
            has_changed: true,
        }
    }

    /// Returns the profit if the position is closed at the mid price.
    pub(crate) fn profit(&self) -> Dollars {
        self.account.profit(self.middle.unwrap_or_default())
    }

    pub(crate) fn sides(&mut self) -> [&mut Quote; 2] {
        [&mut self.bid, &mut self.ask]
    }

    /// Sets the target prices from the book, or removes them if the book is not live.
    pub(crate) fn decide(&mut self, book: Option<&OrderBook>) {
        if !std::mem::take(&mut self.has_changed) {
            return;
        }
        // Our own orders would pull the mid price towards themselves.
        let own = [&self.bid, &self.ask]
            .into_iter()
            .filter_map(Quote::own_order);
        let middle = book.and_then(|book| book.without(own).mid(OutcomeSide::Yes));
        self.middle = middle.or(self.middle);
        let skew = self.account.position.hundredths() / 100 / CONTRACTS_PER_CENT;
        let fair = middle.map(|middle| middle.micros() / 10_000 - skew);
        self.bid.target = fair.and_then(|fair| cents(fair - HALF_SPREAD));
        self.ask.target = fair.and_then(|fair| cents(fair + HALF_SPREAD));
    }
}

/// Returns a price in dollars, or `None` if it is not above 0 and below 1 dollar.
fn cents(cents: i64) -> Option<Dollars> {
    (1..=99)
        .contains(&cents)
        .then(|| Dollars::from_micros(cents * 10_000))
}
