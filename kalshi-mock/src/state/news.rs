//! What happens in the state, in its order, for whoever listens.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{Account, Fill, MarketIndex, Order, Quote, Rfq, Side, State, Status, Trade};
use crate::time::Micros;

/// One thing that has happened.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A level of a book has grown or shrunk.
    Level(LevelChange),
    Trade(Trade),
    /// An order was filled: with its client order id, and the position afterwards.
    Fill {
        fill: Fill,
        client_order_id: Option<String>,
        position: i64,
    },
    /// An order is new or has changed, for a reason.
    Order {
        order: Box<Order>,
        reason: Option<&'static str>,
    },
    Position(PositionNow),
    /// Something was done to an order group.
    Group {
        id: Uuid,
        account: Account,
        what: &'static str,
        limit: Contracts,
        at: Micros,
    },
    Market {
        market: MarketIndex,
        step: Step,
        at: Micros,
    },
    /// An event was created.
    Event(String),
    RfqCreated(Rfq),
    RfqDeleted(Rfq),
    /// A quote, with the request it is on.
    Quote {
        what: &'static str,
        quote: Box<Quote>,
        rfq: Box<Rfq>,
    },
}

/// A change of a level of a book.
#[derive(Clone, Debug)]
pub(crate) struct LevelChange {
    pub(crate) market: MarketIndex,
    pub(crate) clock: u64,
    pub(crate) side: Side,
    /// Of YES.
    pub(crate) price: Dollars,
    /// Hundredths of contracts.
    pub(crate) change: i64,
    /// Whose order has brought it about: the one that took, where one was taken.
    pub(crate) account: Account,
    pub(crate) client_order_id: Option<String>,
    pub(crate) at: Micros,
}

/// What an account has in a market, after a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositionNow {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) position: i64,
    pub(crate) cost: i64,
    pub(crate) realized: i64,
    pub(crate) fees: i64,
    pub(crate) volume: i64,
}

/// A step in the life of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Created,
    Activated,
    Deactivated,
    CloseMoved,
    GridChanged,
    Determined,
    Settled,
}

impl State {
    /// Notes what has happened, if anybody listens.
    pub(super) fn tell(&mut self, news: impl FnOnce(&Self) -> Option<News>) {
        if self.listened
            && let Some(news) = news(self)
        {
            self.news.push(news);
        }
    }

    /// Takes back what happened to a book and was undone.
    pub(super) fn untell(&mut self, market: MarketIndex, (clock, told): (u64, usize)) {
        self.news.truncate(told);
        if let Some(market) = self.markets.get_mut(market) {
            market.clock = clock;
        }
    }

    /// Lets the book show what remains of an order, or nothing of it.
    pub(super) fn show(&mut self, id: Uuid, shown: bool) {
        let (now, clock) = (self.now, self.actions);
        let taker = self.taker.filter(|taker| self.orders.contains_key(taker));
        let cause = taker.unwrap_or(id);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let shown = if shown {
            order.remaining
        } else {
            Contracts::ZERO
        };
        let before = std::mem::replace(&mut order.shown, shown);
        let change = shown.hundredths() - before.hundredths();
        let Some(market) = self.markets.get_mut(order.market).filter(|_| change != 0) else {
            return;
        };
        market.clock = clock;
        let (market, side, price) = (order.market, order.side, order.price);
        self.tell(|state| {
            let cause = state.orders.get(&cause)?;
            Some(News::Level(LevelChange {
                market,
                clock,
                side,
                price,
                change,
                account: cause.account,
                client_order_id: cause.client_order_id.clone(),
                at: now,
            }))
        });
    }

    /// Tells an order's owner how it stands.
    pub(super) fn tell_order(&mut self, id: Uuid, reason: Option<&'static str>) {
        self.tell(|state| {
            let order = state.orders.get(&id)?;
            let mut order = Box::new(order.clone());
            if order.status == Status::Resting && order.remaining.is_zero() {
                order.status = Status::Executed;
            }
            (!order.account.is_house()).then_some(News::Order { order, reason })
        });
    }

    /// Tells an order's owner of a fill, and of what it does to the order and the position.
    pub(super) fn tell_fill(&mut self, fill: &Fill) {
        let (id, account, market) = (fill.order, fill.account, fill.market);
        self.tell(|state| {
            let client_order_id = state.orders.get(&id)?.client_order_id.clone();
            Some(News::Fill {
                fill: fill.clone(),
                client_order_id,
                position: state.position(account, market),
            })
        });
        self.tell_order(id, Some("Trade"));
        self.tell_position(account, market);
    }

    pub(super) fn tell_position(&mut self, account: Account, market: MarketIndex) {
        self.tell(|state| {
            let holding = state.ledger.holding(account, market)?;
            Some(News::Position(PositionNow {
                account,
                market,
                position: holding.position,
                cost: holding.cost,
                realized: holding.realized,
                fees: holding.fees,
                volume: holding.volume,
            }))
        });
    }

    pub(super) fn tell_group(&mut self, id: Uuid, what: &'static str) {
        self.tell(|state| {
            let group = state.groups.get(&id)?;
            Some(News::Group {
                id,
                account: group.account,
                what,
                limit: group.limit,
                at: state.now,
            })
        });
    }

    pub(crate) fn tell_step(&mut self, market: MarketIndex, step: Step) {
        self.tell(|state| {
            Some(News::Market {
                market,
                step,
                at: state.now,
            })
        });
    }

    pub(super) fn tell_quote(&mut self, number: u64, what: &'static str) {
        self.tell(|state| {
            let quote = state.quotes.get(&number)?;
            let rfq = state.rfqs.get(&quote.rfq)?;
            Some(News::Quote {
                what,
                quote: Box::new(quote.clone()),
                rfq: Box::new(rfq.clone()),
            })
        });
    }
}
