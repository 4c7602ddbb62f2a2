//! Property tests: random commands, with all invariants recomputed after each one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod checks;
mod commands;
mod replay;

use std::collections::{BTreeMap, BTreeSet};

use kalshi_sdk::{Contracts, Dollars, limits::Tier};
use proptest::prelude::*;
use uuid::Uuid;

use self::{
    commands::{Command, command},
    replay::Replay,
};
use super::*;
use crate::time::SECOND;

const USERS: [u32; 3] = [1, 2, 3];
const MARKETS: [&str; 2] = ["KXA-26-X", "KXB-26-Y"];

/// The state under test, and the model it is compared with.
struct Harness {
    state: State,
    groups: Vec<Uuid>,
    /// Matches of each group since its last reset: time and hundredths of contracts.
    matched: BTreeMap<Uuid, Vec<(Micros, i64)>>,
    /// Number of the last fill that was checked.
    last_fill: u64,
    /// Time priority of each order in the model.
    queue_positions: BTreeMap<Uuid, usize>,
    /// State that a listener reconstructs from the events.
    replay: Replay,
}

impl Harness {
    fn new() -> Self {
        let mut state = State::new(1, 1_000 * SECOND);
        for user in USERS {
            // A small balance, so that some orders cannot be funded.
            assert_eq!(state.add_user(Tier::Basic, false, 3_000), user);
            state.create_subaccount(user, 0).unwrap();
        }
        for ticker in MARKETS {
            let event = ticker.rsplit_once('-').unwrap().0;
            state.add_market_of(ticker, event);
        }
        state.markets[1].fees.charges_makers = true;
        state.has_connections = true;
        Self {
            state,
            groups: Vec::new(),
            matched: BTreeMap::new(),
            last_fill: 0,
            queue_positions: BTreeMap::new(),
            replay: Replay::default(),
        }
    }

    /// Moves an order to the end of its queue.
    fn queue(&mut self, order: Uuid) {
        let last = self
            .queue_positions
            .values()
            .max()
            .map_or(0, |last| last + 1);
        self.queue_positions.insert(order, last);
    }

    /// Adds new orders to the end of their queues, oldest first.
    fn queue_new(&mut self) {
        let mut new: Vec<&Order> = self
            .state
            .orders
            .values()
            .filter(|order| !self.queue_positions.contains_key(&order.id))
            .collect();
        new.sort_by_key(|order| order.number);
        for order in new.into_iter().map(|order| order.id).collect::<Vec<_>>() {
            self.queue(order);
        }
    }

    fn resting(&self, index: usize) -> Option<Uuid> {
        let resting = self
            .state
            .orders
            .values()
            .filter(|order| order.status == Status::Resting);
        let mut orders: Vec<_> = resting
            .filter(|order| !order.account.is_market_maker())
            .collect();
        orders.sort_by_key(|order| order.number);
        orders.get(index).map(|order| order.id)
    }

    fn group(&self, index: usize) -> Option<Uuid> {
        self.groups
            .get(index)
            .copied()
            .filter(|group| self.state.groups.contains_key(group))
    }

    /// Runs a command. Invariants must hold after rejections as well.
    fn run(&mut self, command: Command) {
        let ahead = self.eligible(&command);
        // `Shared::state` does the same.
        self.state.advance_to(self.state.now);
        match command {
            Command::Create {
                user,
                subaccount,
                market,
                side,
                cents,
                count,
                time_in_force,
                self_trade,
                post_only,
                reduce_only,
                expires_in,
                group,
            } => {
                let expires = expires_in.map(|seconds| self.state.now / SECOND + seconds);
                let before = self.state.now;
                let result = self.state.create_order(NewOrder {
                    account: Account {
                        user: USERS[user],
                        subaccount,
                    },
                    ticker: MARKETS[market].to_owned(),
                    client_order_id: None,
                    side,
                    price: Dollars::from_micros(cents * 10_000),
                    count: Contracts::from_hundredths(count),
                    expires,
                    time_in_force,
                    post_only,
                    reduce_only,
                    self_trade,
                    cancel_on_pause: post_only,
                    group: group.and_then(|group| self.group(group)),
                    market_version: None,
                });
                assert_eq!(before, self.state.now);
                if let Ok(placed) = result {
                    assert!(!post_only || placed.filled.is_zero());
                    let rests =
                        self.state.orders.get(&placed.order.id).unwrap().status == Status::Resting;
                    assert!(!rests || time_in_force == TimeInForce::GoodTillCanceled);
                    if time_in_force == TimeInForce::FillOrKill {
                        assert!(placed.filled == placed.order.initial);
                    }
                }
                self.check_priority(&ahead);
            }
            Command::MarketMaker {
                market,
                side,
                cents,
                count,
            } => {
                let price = Dollars::from_micros(cents * 10_000);
                self.state.market_maker_order(
                    market,
                    side,
                    price,
                    Contracts::from_hundredths(count),
                );
                self.check_priority(&ahead);
            }
            Command::ClearMarketMaker { market } => self.state.clear_market_maker(market),
            Command::Amend {
                order,
                cents,
                count,
            } => {
                if let Some(id) = self.resting(order) {
                    let order = self.state.orders[&id].clone();
                    let amendment = Amendment {
                        ticker: self.state.markets[order.market].ticker.clone(),
                        side: order.side,
                        price: Dollars::from_micros(cents * 10_000),
                        count: Contracts::from_hundredths(count),
                        expires: None,
                        client_order_id: None,
                        updated_client_order_id: None,
                    };
                    let amended = self.state.amend(id, &amendment);
                    let grown =
                        amendment.count > order.filled.checked_add(order.remaining).unwrap();
                    if amended.is_ok() && (amendment.price != order.price || grown) {
                        self.queue(id);
                    }
                }
            }
            Command::Decrease { order, to } => {
                if let Some(id) = self.resting(order) {
                    self.state.decrease(id, Contracts::from_hundredths(to));
                }
            }
            Command::Cancel { order } => {
                if let Some(id) = self.resting(order) {
                    self.state.cancel(id);
                }
            }
            Command::Group { user, limit } => {
                let account = Account {
                    user: USERS[user],
                    subaccount: 0,
                };
                let limit = Contracts::from_hundredths(limit);
                self.groups
                    .push(self.state.create_group(account, 0, limit).unwrap());
            }
            Command::Limit { group, limit } => {
                if let Some(group) = self.group(group) {
                    self.state
                        .set_group_limit(group, Contracts::from_hundredths(limit));
                }
            }
            Command::Reset { group } => {
                if let Some(group) = self.group(group) {
                    self.state.reset_group(group);
                    self.matched.remove(&group);
                }
            }
            Command::Trigger { group } => {
                if let Some(group) = self.group(group) {
                    self.state.trigger_group(group);
                    assert!(self.state.groups[&group].orders.is_empty());
                }
            }
            Command::Delete { group } => {
                if let Some(group) = self.group(group) {
                    self.state.delete_group(group);
                }
            }
            Command::Quote {
                requester,
                maker,
                market,
                count,
                cents,
                side,
            } => {
                self.quote(
                    requester,
                    maker,
                    market,
                    Contracts::from_hundredths(count),
                    cents,
                    side,
                );
            }
            Command::Transfer { user, to, cents } => {
                let of = |subaccount| Account {
                    user: USERS[user],
                    subaccount,
                };
                let id = self.state.new_id();
                _ = self
                    .state
                    .transfer_to_subaccount(id, (of(1 - to), of(to)), 0, cents);
            }
            Command::Advance { milliseconds } => {
                let now = self.state.now + milliseconds * 1000;
                self.state.advance_to(now);
            }
            Command::Pause { active } => self.state.set_trading(active),
            Command::Settle { market, cents } => {
                self.state.settle(
                    market,
                    Settlement::Scalar(Dollars::from_micros(cents * 10_000)),
                );
            }
        }
    }

    fn quote(
        &mut self,
        requester: usize,
        maker: usize,
        market: usize,
        count: Contracts,
        cents: i64,
        side: Side,
    ) {
        let now = self.state.now;
        let account = |user: usize| Account {
            user: USERS[user],
            subaccount: 0,
        };
        let rfq = Rfq::new(account(requester), market, Some(count), now);
        // Rejected if the market is not open for trading.
        let Ok(id) = self.state.create_rfq(rfq, |_| true) else {
            return;
        };
        let (number, _) = self.state.rfq(id).unwrap();
        let bids = [cents, 99 - cents].map(|cents| Dollars::from_micros(cents * 10_000));
        let quote = Quote::new(number, account(maker), bids.into(), now);
        let quoted = self.state.create_quote(quote);
        if let Ok(id) = quoted {
            let (number, _) = self.state.quote(id).unwrap();
            self.state.accept_quote(number, side).unwrap();
            self.state.confirm_quote(number).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn invariants_hold_after_random_commands(commands in prop::collection::vec(command(), 1..250)) {
        let mut harness = Harness::new();
        for command in commands {
            harness.run(command);
            harness.check();
        }
        // After settlement, all money is cash and fees.
        for market in 0..MARKETS.len() {
            harness.state.settle(market, Settlement::Yes);
            harness.check();
        }
    }
}

#[test]
fn initial_markets_are_reproducible_by_seed() {
    let books = |seed| {
        let mut state = State::new(seed, 1_800_000_000 * SECOND);
        state.populate();
        let book = |market: &Market| {
            assert!(
                market.book.orders().count() >= 6,
                "{} is quoted",
                market.ticker
            );
            format!(
                "{} {:?} {:?}",
                market.ticker,
                state.levels(market, Side::Bid),
                market.last_price
            )
        };
        let open = state
            .markets
            .iter()
            .filter(|market| market.status == MarketStatus::Active);
        open.map(book).collect::<Vec<_>>()
    };
    assert_eq!(books(1), books(1));
    assert_ne!(books(1), books(2));
    assert_eq!(books(1).len(), 12);
}
