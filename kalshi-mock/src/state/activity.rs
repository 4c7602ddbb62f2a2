//! Simulated trading: seeded participants quote, trade and cancel around a random walk of fair values.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use kalshi_sdk::{Contracts, Dollars, limits::Tier};
use uuid::Uuid;

use super::{
    MarketIndex, NewOrder, SelfTrade, State, TimeInForce, Timer, account::Account,
    event_log::EventLog, initial_markets::SETTLEMENT_DELAY, side::Side, walk::Kind,
};
use crate::time::{Micros, SECOND};

/// Number of simulated participants.
const PARTICIPANTS: u32 = 8;
/// Balance of each participant on each shard, in cents.
const BALANCE: i64 = 1_000_000_000;
/// Shards of the initial markets.
const SHARDS: Range<u32> = 0..2;
/// Maximum number of the participants' resting orders in a market.
const MAX_QUOTES: usize = 40;
/// Position above which a participant only reduces it, in hundredths of contracts.
const MAX_POSITION: i64 = 200_000;
/// Maximum number of steps that are caught up after a jump of the clock.
const MAX_STEPS: i64 = 36_000;

/// Pace of the simulated trading in the initial markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// One action a second.
    Calm,
    /// 30 actions a second.
    Busy,
    /// 500 actions a second.
    Storm,
}

impl Activity {
    /// Returns the time between steps, and the number of actions in a step.
    fn pace(self) -> (Micros, usize) {
        match self {
            Self::Calm => (SECOND, 1),
            Self::Busy => (SECOND / 10, 3),
            Self::Storm => (SECOND / 50, 10),
        }
    }
}

/// The simulated participants and their orders.
pub(super) struct Participants {
    activity: Activity,
    random: fastrand::Rng,
    users: Range<u32>,
    /// Orders of participants by market, oldest first. May include orders that have ended.
    quotes: BTreeMap<MarketIndex, VecDeque<Uuid>>,
}

impl State {
    /// Adds funded participants that trade in the initial markets from now on.
    pub(crate) fn start_activity(&mut self, activity: Activity, seed: u64) {
        let first = u32::try_from(self.users.len()).unwrap_or(u32::MAX);
        for _ in 0..PARTICIPANTS {
            let user = self.add_user(Tier::Basic, false, BALANCE);
            if self.margin.is_none() {
                for shard in SHARDS.skip(1) {
                    self.deposit(user, shard, BALANCE);
                }
            }
        }
        self.participants = first..first + PARTICIPANTS;
        self.activity = Some(Participants {
            activity,
            random: fastrand::Rng::with_seed(seed),
            users: self.participants.clone(),
            quotes: BTreeMap::new(),
        });
        self.event_log = Some(EventLog::default());
        for walk in 0..self.walks.len() {
            self.schedule_walk_settlement(walk);
        }
        self.set_timer(self.now + activity.pace().0, Timer::Activity);
    }

    /// Returns true if simulated trading is enabled.
    pub(crate) fn has_activity(&self) -> bool {
        self.activity.is_some()
    }

    /// Returns true for the market maker and for participants, whose orders and fills are not kept because no client can read them.
    pub(super) fn is_unlisted(&self, account: Account) -> bool {
        account.is_market_maker() || self.participants.contains(&account.user)
    }

    /// Runs one step and schedules the next. After a long jump of the clock to `now`, the oldest steps are skipped.
    pub(super) fn run_activity_step(&mut self, now: Micros) {
        let Some(mut participants) = self.activity.take() else {
            return;
        };
        let (interval, actions) = participants.activity.pace();
        for _ in 0..actions {
            participants.act(self);
        }
        self.activity = Some(participants);
        self.log_events();
        let next = self.now + interval;
        let skipped = (now - MAX_STEPS * interval - next).max(0);
        let steps = (skipped + interval - 1) / interval;
        self.set_timer(next + steps * interval, Timer::Activity);
    }

    /// Reschedules the next step after the clock was moved back to `now`. Otherwise the activity would pause until the clock reached its
    /// previous time.
    pub(super) fn reschedule_activity(&mut self, now: Micros) {
        let Some(participants) = &self.activity else {
            return;
        };
        let next = now + participants.activity.pace().0;
        let mut steps = self
            .timers
            .iter()
            .filter(|(_, timer)| matches!(timer, Timer::Activity));
        if let Some((&key, _)) = steps.next()
            && key.0 > next
        {
            self.timers.remove(&key);
            self.set_timer(next, Timer::Activity);
        }
    }

    fn schedule_walk_settlement(&mut self, index: usize) {
        let Some(walk) = self.walks.get(index).filter(|walk| walk.kind != Kind::Free) else {
            return;
        };
        let markets = walk
            .markets
            .iter()
            .filter_map(|market| self.markets.get(*market));
        if let Some(closes) = markets.map(|market| market.closes).max() {
            self.set_timer(closes + SETTLEMENT_DELAY, Timer::SettleWalk(index));
        }
    }

    /// Settles the closed markets of a walk to its results. Markets whose close was moved settle later.
    pub(super) fn settle_walk(&mut self, walk: usize) {
        let results = self.walks.get(walk).map(|walk| walk.results());
        for (index, result) in results.into_iter().flatten() {
            if self
                .markets
                .get(index)
                .is_some_and(|market| market.closes <= self.now)
            {
                self.settle(index, result);
            } else {
                self.schedule_walk_settlement(walk);
            }
        }
    }
}

impl Participants {
    /// Moves a fair value, or lets a participant quote, cancel or trade in a random market.
    fn act(&mut self, state: &mut State) {
        if state.walks.is_empty() {
            return;
        }
        let index = self.random.usize(..state.walks.len());
        let Some(walk) = state.walks.get_mut(index) else {
            return;
        };
        let is_move = self.random.u8(..4) == 0;
        if is_move {
            walk.step(&mut self.random);
        }
        let position = self.random.usize(..walk.markets.len().max(1));
        let (Some(&index), Some(&fair)) = (walk.markets.get(position), walk.fair.get(position))
        else {
            return;
        };
        let tick = if walk.kind == Kind::Free {
            walk.step_size
        } else {
            10_000
        };
        let perp = state
            .markets
            .get_mut(index)
            .and_then(|market| market.perp.as_mut());
        if let Some(perp) = perp.filter(|_| is_move) {
            perp.reference = Dollars::from_micros(fair);
        }
        match self.random.u8(..10) {
            0..=5 => self.quote(state, index, fair, tick),
            6..=7 => self.cancel(state, index),
            _ => self.take(state, index, fair, tick),
        }
    }

    fn account(&mut self) -> Account {
        Account {
            user: self.random.u32(self.users.clone()),
            subaccount: 0,
        }
    }

    fn side(&mut self) -> Side {
        if self.random.bool() {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    fn quote(&mut self, state: &mut State, index: MarketIndex, fair: i64, tick: i64) {
        let (account, side) = (self.account(), self.side());
        let offset = self.random.i64(1..=6) * tick;
        let price = match side {
            Side::Bid => fair - offset,
            Side::Ask => fair + offset,
        };
        let count = self.random.i64(1..=60);
        let terms = (side, price, count);
        let Some(id) = place_order(state, index, account, terms, TimeInForce::GoodTillCanceled)
        else {
            return;
        };
        let quotes = self.quotes.entry(index).or_default();
        quotes.push_back(id);
        if quotes.len() > MAX_QUOTES
            && let Some(oldest) = quotes.pop_front()
        {
            state.cancel(oldest);
        }
    }

    fn cancel(&mut self, state: &mut State, index: MarketIndex) {
        let Some(quotes) = self
            .quotes
            .get_mut(&index)
            .filter(|quotes| !quotes.is_empty())
        else {
            return;
        };
        let index = self.random.usize(..quotes.len());
        if let Some(id) = quotes.remove(index) {
            state.cancel(id);
        }
    }

    /// Buys below the fair value or sells above it if possible, otherwise trades on either side.
    fn take(&mut self, state: &mut State, index: MarketIndex, fair: i64, tick: i64) {
        let (account, random) = (self.account(), self.side());
        let Some(market) = state.markets.get(index) else {
            return;
        };
        let best = |side| state.best(market, side).map(|(price, _)| price.micros());
        let position = state.position(account, index);
        let side = match (best(Side::Bid), best(Side::Ask)) {
            _ if position > MAX_POSITION => Side::Ask,
            _ if position < -MAX_POSITION => Side::Bid,
            (Some(bid), _) if bid > fair => Side::Ask,
            (_, Some(ask)) if ask < fair => Side::Bid,
            _ => random,
        };
        let Some(price) = best(side.opposite()) else {
            return;
        };
        let price = match side {
            Side::Bid => price + tick,
            Side::Ask => price - tick,
        };
        let terms = (side, price, self.random.i64(1..=40));
        place_order(state, index, account, terms, TimeInForce::ImmediateOrCancel);
    }
}

/// Places an order of a participant, of whole contracts. Returns its id, or `None` if it is rejected: the market may be closed or
/// paused, or a quote would cross.
fn place_order(
    state: &mut State,
    index: MarketIndex,
    account: Account,
    (side, price, count): (Side, i64, i64),
    time_in_force: TimeInForce,
) -> Option<Uuid> {
    let market = state.markets.get(index)?;
    let price = market.nearest_price(side, Dollars::from_micros(price))?;
    let order = NewOrder {
        account,
        ticker: market.ticker.clone(),
        client_order_id: None,
        side,
        price,
        count: Contracts::from_hundredths(count * 100),
        expires: None,
        time_in_force,
        post_only: time_in_force == TimeInForce::GoodTillCanceled,
        reduce_only: false,
        self_trade: SelfTrade::TakerAtCross,
        cancel_on_pause: false,
        group: None,
        market_version: None,
    };
    state.create_order(order).ok().map(|placed| placed.order.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(activity: Activity) -> State {
        let mut state = State::new(1, 1_800_000_000 * SECOND);
        state.populate();
        state.start_activity(activity, 1);
        state
    }

    #[test]
    fn activity_conserves_money_and_keeps_bounded_state() {
        let margin = || {
            let mut state = State::new(1, 1_800_000_000 * SECOND).with_margin();
            state.populate_margin();
            state.start_activity(Activity::Storm, 1);
            state
        };
        for mut state in [started(Activity::Storm), margin()] {
            let mut sizes = Vec::new();
            for _ in 0..4 {
                state.advance_to(state.now + 60 * SECOND);
                let is_margin = state.margin.is_some();
                let total = match is_margin {
                    true => state.ledger.margin_total(),
                    false => state.ledger.total(),
                };
                assert_eq!(total, state.ledger.paid_in);
                for (account, cash) in state.ledger.all_cash() {
                    assert!(
                        is_margin || (0..=cash.amount).contains(&cash.reserved),
                        "{account:?} {cash:?}"
                    );
                }
                for index in 0..state.markets.len() {
                    assert_eq!(state.ledger.positions(index), 0);
                }
                assert!(state.emitted.is_empty() && state.fills.is_empty());
                assert!(state.listed.is_empty() && state.ended.is_empty());
                let max = state.markets.len() * (MAX_QUOTES + 20);
                assert!(state.orders.len() <= max, "{}", state.orders.len());
                sizes.push((state.timers.len(), state.deposits.len(), state.users.len()));
            }
            assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
        }
    }

    #[test]
    fn steps_are_skipped_after_a_long_jump() {
        let mut state = started(Activity::Calm);
        let start = state.now;
        state.advance_to(start + 20 * 3600 * SECOND);
        let recent = state.trades.values().filter(|trade| trade.at > start);
        let first = recent.map(|trade| trade.at).min();
        // The first step runs before the others are skipped.
        let from = start + 10 * 3600 * SECOND;
        assert!(first.is_some_and(|at| at >= from || at == start + SECOND));
        assert!(state.trades.values().any(|trade| trade.at > from));
        let timer = state
            .timers
            .iter()
            .find(|(_, timer)| **timer == Timer::Activity);
        assert_eq!(
            timer.map(|((at, _), _)| *at),
            Some(start + 20 * 3600 * SECOND + SECOND)
        );
    }
}
