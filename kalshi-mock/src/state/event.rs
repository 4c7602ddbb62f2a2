//! Events: changes of the state, in order of occurrence, for WebSocket connections.

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{
    MarketIndex, State,
    account::Account,
    order::{Order, Status},
    quote::{Quote, Rfq},
    side::Side,
    trade::{Fill, Trade},
};
use crate::time::Micros;

/// A change that WebSocket channels report.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A price level of a book changed.
    Level(LevelChange),
    Trade(Trade),
    /// An order was filled. `position` is the position after the fill.
    Fill {
        fill: Fill,
        client_order_id: Option<String>,
        position: i64,
    },
    /// An order was created or changed.
    Order {
        order: Box<Order>,
        reason: Option<&'static str>,
    },
    Position(PositionChange),
    /// An order group was created, changed or deleted.
    Group {
        id: Uuid,
        account: Account,
        kind: &'static str,
        limit: Contracts,
        at: Micros,
    },
    Market {
        market: MarketIndex,
        step: Step,
        at: Micros,
    },
    /// A message about an object that the exchange does not store. Every subscription to its channel receives it.
    Sample {
        kind: &'static str,
        body: serde_json::Value,
    },
    /// An event of a series was listed, with its ticker.
    Listed(String),
    RfqCreated(Rfq),
    RfqDeleted(Rfq),
    /// A quote changed. `rfq` is the request that it responds to.
    Quote {
        kind: &'static str,
        quote: Box<Quote>,
        rfq: Box<Rfq>,
    },
}

/// A change of a price level of a book.
#[derive(Clone, Debug)]
pub(crate) struct LevelChange {
    pub(crate) market: MarketIndex,
    pub(crate) clock: u64,
    pub(crate) side: Side,
    /// YES price of the level.
    pub(crate) price: Dollars,
    /// Signed change in hundredths of contracts.
    pub(crate) change: i64,
    /// Account whose order caused the change. In a trade, it is the taker's.
    pub(crate) account: Account,
    pub(crate) client_order_id: Option<String>,
    pub(crate) at: Micros,
}

/// Position of an account in a market after a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositionChange {
    pub(crate) account: Account,
    pub(crate) market: MarketIndex,
    pub(crate) position: i64,
    pub(crate) cost: i64,
    pub(crate) realized: i64,
    pub(crate) fees: i64,
    pub(crate) volume: i64,
}

/// A step in the lifecycle of a market.
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
    /// Records an event, if a connection is open or events are hashed.
    pub(crate) fn emit(&mut self, event: impl FnOnce(&Self) -> Option<Event>) {
        if (self.has_connections || self.event_log.is_some())
            && let Some(event) = event(self)
        {
            self.emitted.push(event);
        }
    }

    /// Resets the clocks of all books to 0.
    pub(crate) fn reset_clocks(&mut self) {
        self.actions = 0;
        for market in &mut self.markets {
            market.clock = 0;
        }
    }

    /// Discards the events after the first `emitted` and restores the clock of a book, after its changes were undone.
    pub(super) fn rollback(&mut self, market: MarketIndex, (clock, emitted): (u64, usize)) {
        self.emitted.truncate(emitted);
        if let Some(market) = self.markets.get_mut(market) {
            market.clock = clock;
        }
    }

    /// Sets the contracts of an order that the public book includes: all that remain, or none.
    pub(super) fn set_displayed(&mut self, id: Uuid, is_displayed: bool) {
        let (now, clock) = (self.now, self.actions);
        let taker = self.taker.filter(|taker| self.orders.contains_key(taker));
        let cause = taker.unwrap_or(id);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let displayed = if is_displayed {
            order.remaining
        } else {
            Contracts::ZERO
        };
        let before = std::mem::replace(&mut order.displayed, displayed);
        let change = displayed.hundredths() - before.hundredths();
        let Some(market) = self.markets.get_mut(order.market).filter(|_| change != 0) else {
            return;
        };
        market.clock = clock;
        self.book_changed = true;
        let (market, side, price) = (order.market, order.side, order.price);
        self.record_quote_change(market, side, price);
        self.emit(|state| {
            let cause = state.orders.get(&cause)?;
            Some(Event::Level(LevelChange {
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

    /// Emits the state of an order. Orders of the market maker and of participants are not reported.
    pub(super) fn emit_order(&mut self, id: Uuid, reason: Option<&'static str>) {
        let account = self.orders.get(&id).map(|order| order.account);
        if account.is_none_or(|account| self.is_unlisted(account)) {
            return;
        }
        self.keep_order_version(id);
        self.emit(|state| {
            let order = state.orders.get(&id)?;
            let mut order = Box::new(order.clone());
            if order.status == Status::Resting && order.remaining.is_zero() {
                order.status = Status::Executed;
            }
            Some(Event::Order { order, reason })
        });
    }

    /// Emits a fill, followed by the changed order and position.
    pub(super) fn emit_fill(&mut self, fill: &Fill) {
        let (id, account, market) = (fill.order, fill.account, fill.market);
        self.emit(|state| {
            let client_order_id = state.orders.get(&id)?.client_order_id.clone();
            Some(Event::Fill {
                fill: fill.clone(),
                client_order_id,
                position: state.position(account, market),
            })
        });
        self.emit_order(id, Some("Trade"));
        self.emit_position(account, market);
    }

    pub(super) fn emit_position(&mut self, account: Account, market: MarketIndex) {
        self.emit(|state| {
            let holding = state.ledger.holding(account, market)?;
            Some(Event::Position(PositionChange {
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

    pub(super) fn emit_group(&mut self, id: Uuid, kind: &'static str) {
        self.keep_group_version(id);
        self.emit(|state| {
            let group = state.groups.get(&id)?;
            Some(Event::Group {
                id,
                account: group.account,
                kind,
                limit: group.limit,
                at: state.now,
            })
        });
    }

    pub(crate) fn emit_step(&mut self, market: MarketIndex, step: Step) {
        self.emit(|state| {
            Some(Event::Market {
                market,
                step,
                at: state.now,
            })
        });
    }

    pub(super) fn emit_quote(&mut self, number: u64, kind: &'static str) {
        self.emit(|state| {
            let quote = state.quotes.get(number)?;
            let rfq = state.rfqs.get(&quote.rfq)?;
            Some(Event::Quote {
                kind,
                quote: Box::new(quote.clone()),
                rfq: Box::new(rfq.clone()),
            })
        });
    }
}
