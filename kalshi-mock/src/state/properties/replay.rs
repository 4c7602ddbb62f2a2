//! Replays events, to check that a listener can reconstruct books, orders and positions from them.

use std::collections::BTreeMap;

use kalshi_sdk::{Contracts, Dollars};
use uuid::Uuid;

use crate::state::{Account, Event, MarketIndex, Order, Side, State, Status};

/// Books, orders and positions as the events describe them.
#[derive(Default)]
pub(super) struct Replay {
    /// Hundredths of contracts by market, side (true for asks) and price.
    levels: BTreeMap<(MarketIndex, bool, Dollars), i64>,
    clocks: BTreeMap<MarketIndex, u64>,
    orders: BTreeMap<Uuid, Order>,
    positions: BTreeMap<(Account, MarketIndex), (i64, i64)>,
    /// Filled hundredths of contracts by order.
    filled: BTreeMap<Uuid, i64>,
}

impl Replay {
    pub(super) fn apply(&mut self, state: &mut State) {
        for event in state.emitted.drain(..) {
            match event {
                Event::Level(change) => {
                    let clock = self.clocks.entry(change.market).or_default();
                    assert!(*clock <= change.clock, "{change:?}");
                    *clock = change.clock;
                    let key = (change.market, change.side == Side::Ask, change.price);
                    let level = self.levels.entry(key).or_default();
                    *level += change.change;
                    assert!(*level >= 0, "{change:?}");
                    if *level == 0 {
                        self.levels.remove(&key);
                    }
                }
                Event::Order { order, .. } => {
                    self.orders.insert(order.id, *order);
                }
                Event::Fill { fill, position, .. } => {
                    *self.filled.entry(fill.order).or_default() += fill.count.hundredths();
                    let now = self
                        .positions
                        .entry((fill.account, fill.market))
                        .or_default();
                    now.0 += fill.side.signed(fill.count);
                    assert_eq!(now.0, position, "{fill:?}");
                }
                Event::Position(now) => {
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
                let mut replayed: Vec<(Dollars, Contracts)> = self
                    .levels
                    .iter()
                    .filter(|((of, ask, _), _)| *of == index && *ask == is_ask)
                    .map(|((.., price), count)| (*price, Contracts::from_hundredths(*count)))
                    .collect();
                if !is_ask {
                    replayed.reverse();
                }
                assert_eq!(replayed, state.levels(market, side));
            }
        }
        for order in state.orders.values() {
            if order.account.is_market_maker() {
                continue;
            }
            // Orders created from quotes are emitted when they are filled.
            let replayed = &self.orders[&order.id];
            assert_eq!(
                (
                    replayed.status,
                    replayed.remaining,
                    replayed.filled,
                    replayed.price
                ),
                (order.status, order.remaining, order.filled, order.price)
            );
            let filled = self.filled.get(&order.id).copied().unwrap_or_default();
            assert_eq!(filled, order.filled.hundredths());
            assert!(order.status != Status::Resting || order.displayed == order.remaining);
        }
        for ((account, market), replayed) in &self.positions {
            let holding = state.ledger.holding(*account, *market);
            let now = holding.map_or((0, 0), |holding| (holding.position, holding.cost));
            assert_eq!(now, *replayed);
        }
    }
}
