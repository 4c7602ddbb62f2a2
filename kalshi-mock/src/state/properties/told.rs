//! Whoever listens from the beginning knows books, orders and positions as they are.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use super::{Account, MarketIndex, News, Order, Side, State, Status};

/// What was told, put together.
#[derive(Default)]
pub(super) struct Told {
    /// Hundredths of contracts by market, whether it is asks, and price.
    levels: BTreeMap<(MarketIndex, bool, Dollars), i64>,
    clocks: BTreeMap<MarketIndex, u64>,
    orders: BTreeMap<Uuid, Order>,
    positions: BTreeMap<(Account, MarketIndex), (i64, i64)>,
    /// What of each order was filled.
    filled: BTreeMap<Uuid, i64>,
}

impl Told {
    pub(super) fn listen(&mut self, state: &mut State) {
        for news in state.news.drain(..) {
            match news {
                News::Level(change) => {
                    let clock = self.clocks.entry(change.market).or_default();
                    assert!(*clock <= change.clock, "{change:?}");
                    *clock = change.clock;
                    let place = (change.market, change.side == Side::Ask, change.price);
                    let level = self.levels.entry(place).or_default();
                    *level += change.change;
                    assert!(*level >= 0, "{change:?}");
                    if *level == 0 {
                        self.levels.remove(&place);
                    }
                }
                News::Order { order, .. } => {
                    self.orders.insert(order.id, *order);
                }
                News::Fill { fill, position, .. } => {
                    *self.filled.entry(fill.order).or_default() += fill.count.hundredths();
                    let now = self
                        .positions
                        .entry((fill.account, fill.market))
                        .or_default();
                    now.0 += fill.side.signed(fill.count);
                    assert_eq!(now.0, position, "{fill:?}");
                }
                News::Position(now) => {
                    self.positions
                        .insert((now.account, now.market), (now.position, now.cost));
                }
                _ => {}
            }
        }
    }

    pub(super) fn check(&self, state: &State) {
        for (index, market) in state.markets.iter().enumerate() {
            assert_eq!(
                market.clock,
                self.clocks.get(&index).copied().unwrap_or_default()
            );
            for side in [Side::Bid, Side::Ask] {
                let is_ask = side == Side::Ask;
                let mut told: Vec<(Dollars, Contracts)> = self
                    .levels
                    .iter()
                    .filter(|((of, ask, _), _)| *of == index && *ask == is_ask)
                    .map(|((.., price), count)| (*price, Contracts::from_hundredths(*count)))
                    .collect();
                if !is_ask {
                    told.reverse();
                }
                assert_eq!(told, state.levels(market, side));
            }
        }
        for order in state.orders.values() {
            if order.account.is_house() {
                continue;
            }
            // Those of quotes are told of when they are filled.
            let told = &self.orders[&order.id];
            assert_eq!(
                (told.status, told.remaining, told.filled, told.price),
                (order.status, order.remaining, order.filled, order.price)
            );
            let filled = self.filled.get(&order.id).copied().unwrap_or_default();
            assert_eq!(filled, order.filled.hundredths());
            assert!(order.status != Status::Resting || order.shown == order.remaining);
        }
        for ((account, market), told) in &self.positions {
            let holding = state.ledger.holding(*account, *market);
            let now = holding.map_or((0, 0), |holding| (holding.position, holding.cost));
            assert_eq!(now, *told);
        }
    }
}
