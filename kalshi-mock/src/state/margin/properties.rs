//! Property tests: random commands on both exchanges. The money of all accounts is recounted after each one.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use kalshi_sdk::{Contracts, Dollars, limits::Tier};
use uuid::Uuid;

use super::SHARD;
use crate::{
    state::{
        Account, Amendment, Fill, Holding, Instance, NewOrder, Order, SelfTrade, Side, State,
        Status, TimeInForce, cost, ledger::Hypothetical,
    },
    time::SECOND,
};

const USERS: [u32; 3] = [1, 2, 3];
const TICKERS: [&str; 2] = ["KXAPERP", "KXBPERP"];
/// Initial balance of each user on each exchange, in cents.
const BALANCE: i64 = 60_000;

/// The two exchanges, and the random number generator that drives them.
struct Harness {
    event: State,
    margin: State,
    random: fastrand::Rng,
    /// Money of both exchanges at the beginning.
    total: i64,
    groups: Vec<Uuid>,
    /// Seed and step, for failure messages.
    at: (u64, usize),
}

impl Harness {
    fn new(seed: u64) -> Self {
        let now = 1_790_000_000 * SECOND;
        let mut event = State::new(seed, now);
        let mut margin = State::new(!seed, now).with_margin();
        for user in USERS {
            event.add_user(Tier::Basic, false, BALANCE);
            let id = event.user(user).id;
            margin.add_margin_user(id, (Tier::Basic, false), BALANCE);
            margin.create_subaccount(user, SHARD).unwrap();
        }
        for (index, ticker) in TICKERS.into_iter().enumerate() {
            margin.add_margin_market(ticker);
            let perp = margin.markets[index].perp.as_mut().unwrap();
            perp.fractional = index == 1;
            perp.leverage = 76_679;
        }
        margin.has_connections = true;
        let total = event.ledger.total() + margin.ledger.margin_total();
        Self {
            event,
            margin,
            random: fastrand::Rng::with_seed(seed),
            total,
            groups: Vec::new(),
            at: (seed, 0),
        }
    }

    fn account(&mut self) -> Account {
        Account {
            user: USERS[self.random.usize(..USERS.len())],
            subaccount: self.random.u8(..2),
        }
    }

    fn side(&mut self) -> Side {
        if self.random.bool() {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Returns a price near the middle, so that most orders trade. It is above a dollar and has four decimals.
    fn price(&mut self) -> Dollars {
        Dollars::from_micros(self.random.i64(62_000..63_200) * 100)
    }

    fn count(&mut self, market: usize) -> Contracts {
        let hundredths = self.random.i64(1..3_000);
        let step = if market == 1 { 1 } else { 100 };
        Contracts::from_hundredths((hundredths / step).max(1) * step)
    }

    fn resting(&mut self) -> Option<Uuid> {
        let mut orders: Vec<_> = self
            .margin
            .orders
            .values()
            .filter(|order| order.status == Status::Resting && !order.account.is_market_maker())
            .map(|order| (order.number, order.id))
            .collect();
        orders.sort_unstable();
        let index = self.random.usize(..orders.len().max(1));
        orders.get(index).map(|(_, id)| *id)
    }

    fn create(&mut self) {
        let market = self.random.usize(..TICKERS.len());
        let time_in_force = match self.random.u8(..6) {
            0 => TimeInForce::ImmediateOrCancel,
            1 => TimeInForce::FillOrKill,
            _ => TimeInForce::GoodTillCanceled,
        };
        let group = self.random.usize(..self.groups.len() * 6 + 1);
        let order = NewOrder {
            account: self.account(),
            ticker: TICKERS[market].to_owned(),
            client_order_id: None,
            side: self.side(),
            price: self.price(),
            count: self.count(market),
            expires: None,
            time_in_force,
            post_only: self.random.u8(..10) == 0,
            reduce_only: self.random.u8(..10) == 0,
            self_trade: if self.random.bool() {
                SelfTrade::Maker
            } else {
                SelfTrade::TakerAtCross
            },
            cancel_on_pause: false,
            group: self.groups.get(group).copied(),
            market_version: None,
        };
        let closes = order.reduce_only || {
            let rests = order.time_in_force == TimeInForce::GoodTillCanceled;
            let resting = |other: &&Order| rests && other.market == market;
            self.closes(order.account, order.side, order.count, market, resting)
        };
        let account = order.account;
        let before = self.margin.balance(account).available();
        let is_accepted = self.margin.create_order(order).is_ok();
        self.check_available(account, before, is_accepted && !closes);
    }

    /// Returns true if an order can only reduce the position that the resting orders selected by `counts` leave.
    fn closes(
        &self,
        account: Account,
        side: Side,
        count: Contracts,
        market: usize,
        counts: impl Fn(&&Order) -> bool,
    ) -> bool {
        let holding = self.margin.ledger.holding(account, market);
        let position = holding.map_or(0, |holding| holding.position);
        let resting: i64 = self
            .margin
            .resting_orders_of(account.user)
            .filter(|order| order.account == account && order.side == side)
            .filter(counts)
            .map(|order| order.remaining.hundredths())
            .sum();
        count.hundredths() + resting <= -position * side.signed(Contracts::from(1)).signum()
    }

    /// Checks that an accepted order did not make the available balance negative. Mark prices must not follow the book.
    fn check_available(&self, account: Account, before: i64, is_accepted: bool) {
        let mut perps = self.margin.markets.iter().flat_map(|market| &market.perp);
        if is_accepted && before >= 0 && perps.all(|perp| perp.mark.is_some()) {
            let after = self.margin.balance(account).available();
            assert!(
                after >= 0,
                "available {before} -> {after}, at {:?}",
                self.at
            );
        }
    }

    fn amend(&mut self) {
        let Some(id) = self.resting() else { return };
        let order = self.margin.orders[&id].clone();
        let amendment = Amendment {
            ticker: TICKERS[order.market].to_owned(),
            side: order.side,
            price: self.price(),
            count: self.count(order.market),
            expires: None,
            client_order_id: None,
            updated_client_order_id: None,
        };
        let remaining = amendment.count.checked_sub(order.filled).unwrap();
        let closes = self.closes(
            order.account,
            order.side,
            remaining,
            order.market,
            |other| other.market == order.market && other.id != id,
        );
        let before = self.margin.balance(order.account).available();
        let is_accepted = self.margin.amend(id, &amendment).is_ok();
        self.check_available(order.account, before, is_accepted && !closes);
    }

    fn move_money(&mut self) {
        let (from, to) = (self.account(), self.account());
        let amount = self.random.i64(1..500_000);
        let primary = Account {
            subaccount: 0,
            ..from
        };
        let own = Account {
            user: from.user,
            ..to
        };
        let id = self.margin.new_id();
        match self.random.u8(..3) {
            0 => {
                let accounts = ((primary, SHARD), (from, SHARD));
                _ = self
                    .event
                    .transfer_to(&mut self.margin, None, accounts.0, accounts.1, amount);
            }
            1 => {
                let accounts = ((from, SHARD), (primary, SHARD));
                _ = self.event.transfer_from(
                    &mut self.margin,
                    None,
                    accounts.0,
                    accounts.1,
                    amount,
                );
            }
            _ => {
                let cents = amount / 100;
                _ = self
                    .margin
                    .transfer_to_subaccount(id, (from, own), SHARD, cents);
            }
        }
    }

    fn step(&mut self) {
        // `Shared::state` does the same.
        let now = self.margin.now;
        self.margin.advance_to(now);
        let market = self.random.usize(..TICKERS.len());
        match self.random.u8(..100) {
            0..45 => self.create(),
            45..60 => {
                let (side, price) = (self.side(), self.price());
                let count = self.count(market);
                self.margin.market_maker_order(market, side, price, count);
            }
            60..62 => self.margin.clear_market_maker(market),
            62..72 => self.amend(),
            72..76 => {
                if let Some(id) = self.resting() {
                    let order = &self.margin.orders[&id];
                    let (market, remaining) = (order.market, order.remaining);
                    let half = Contracts::from_hundredths(50);
                    let to = match self.random.bool() {
                        true => remaining.checked_sub(half).unwrap(),
                        false => self.count(market),
                    };
                    let decreased = self.margin.decrease_margin(id, to);
                    let is_whole = to.hundredths() % 100 == 0;
                    assert_eq!(decreased.is_ok(), market == 1 || is_whole);
                }
            }
            76..82 => {
                if let Some(id) = self.resting() {
                    self.margin.cancel(id);
                }
            }
            82..87 => self.move_money(),
            87..90 => {
                let (price, rate) = (self.price(), self.random.i64(-3_000..3_000));
                let perp = self.margin.markets[market].perp.as_mut().unwrap();
                perp.mark = Some(price);
                perp.rate = Some(rate * 1_000_000);
            }
            90..93 => {
                let (account, limit) = (self.account(), self.count(0));
                self.groups
                    .push(self.margin.create_group(account, SHARD, limit).unwrap());
            }
            93..95 => {
                let index = self.random.usize(..self.groups.len().max(1));
                if let Some(group) = self.groups.get(index) {
                    self.margin.reset_group(*group);
                }
            }
            _ => {
                let hours = Duration::from_secs(self.random.u64(1..50_000));
                let by = i64::try_from(hours.as_micros()).unwrap();
                self.event.advance_to(now + by);
                self.margin.advance_to(now + by);
            }
        }
    }

    fn check(&self) {
        let (margin, at) = (&self.margin, self.at);
        let total = self.event.ledger.total() + margin.ledger.margin_total();
        assert_eq!(total, self.total, "money, at seed and step {at:?}");
        for (index, market) in margin.markets.iter().enumerate() {
            assert_eq!(margin.ledger.positions(index), 0, "positions, at {at:?}");
            let best = |side| margin.best(market, side).map(|(price, _)| price);
            if let (Some(bid), Some(ask)) = (best(Side::Bid), best(Side::Ask)) {
                assert!(bid < ask, "a crossed book, at {at:?}");
            }
        }
        for user in USERS {
            self.check_cash(user);
            for subaccount in 0..2 {
                self.check_account(Account { user, subaccount });
            }
        }
        for order in margin.orders.values() {
            let is_whole = order.remaining.hundredths() % 100 == 0;
            assert!(order.market == 1 || is_whole, "a fraction, at {at:?}");
            if !order.account.is_market_maker() {
                let version = margin.order_as_of(order, Some(margin.now)).unwrap();
                assert_eq!(
                    (
                        version.remaining,
                        version.filled,
                        version.price,
                        version.status
                    ),
                    (order.remaining, order.filled, order.price, order.status),
                    "the last version of an order, at {at:?}"
                );
            }
        }
    }

    /// Recounts the cash of a user from what was paid in, fills, funding and transfers.
    fn check_cash(&self, user: u32) {
        let held: i64 = self
            .margin
            .ledger
            .cash_of_user(user)
            .map(|(.., cash)| cash.amount)
            .sum();
        let fills = self.margin.fills.values();
        let traded: i64 = fills
            .filter(|fill| fill.account.user == user)
            .map(|fill| fill.booked.realized - fill.fee)
            .sum();
        let payments = self.margin.margin.as_ref().unwrap().payments.values();
        let funded: i64 = payments
            .filter(|payment| payment.account.user == user)
            .map(|payment| payment.amount)
            .sum();
        let transfers = self.event.shard_transfers.values();
        let moved: i64 = transfers
            .filter(|transfer| transfer.user == user)
            .map(|transfer| match transfer.instances.1 {
                Instance::Margined => transfer.centi_cents * 100,
                Instance::EventContract => -transfer.centi_cents * 100,
            })
            .sum();
        let expected = BALANCE * 10_000 + traded + funded + moved;
        assert_eq!(held, expected, "cash of user {user}, at {:?}", self.at);
    }

    /// Returns the time of the middle fill.
    fn middle(&self) -> i64 {
        let fills = &self.margin.fills;
        fills
            .values()
            .nth(fills.len() / 2)
            .map_or(0, |fill| fill.at)
    }

    /// Books the fills of an account until a time.
    fn replay(&self, account: Account, market: usize, until: i64) -> Holding {
        let mut holding = Holding::default();
        let is_of_holding =
            |fill: &&Fill| fill.account == account && fill.market == market && fill.at <= until;
        for fill in self.margin.fills.values().filter(is_of_holding) {
            holding.book_margin((fill.side, fill.price, fill.count), fill.fee, fill.at);
        }
        holding
    }

    /// Checks that earlier positions stay correct when the fills before them are dropped.
    fn check_without_old_fills(&mut self) {
        let until = self.middle();
        let mut expected = Vec::new();
        for (user, market) in USERS.into_iter().flat_map(|user| [(user, 0), (user, 1)]) {
            for subaccount in 0..2 {
                let account = Account { user, subaccount };
                let replayed = self.replay(account, market, until);
                expected.push((account, market, replayed.position, replayed.cost));
            }
        }
        self.margin.fills.retain(|_, fill| fill.at > until);
        for (account, market, position, cost) in expected {
            let holding = self.margin.holding_at(account, market, until);
            assert_eq!(
                (holding.position, holding.cost),
                (position, cost),
                "{:?}",
                self.at
            );
        }
    }

    fn check_account(&self, account: Account) {
        let (margin, at) = (&self.margin, self.at);
        let mut reserved = 0;
        for (index, holding) in margin.ledger.holdings_of(account) {
            let replayed = self.replay(account, index, margin.now);
            assert_eq!(
                position_fields(holding),
                position_fields(&replayed),
                "at {at:?}"
            );
            let before = self.middle();
            let earlier = margin.holding_at(account, index, before);
            let replayed = self.replay(account, index, before);
            assert_eq!(
                position_fields(&earlier),
                position_fields(&replayed),
                "earlier, at {at:?}"
            );
            assert!(holding.cost >= 0 && (holding.position != 0 || holding.cost == 0));
            reserved += holding.funding(Hypothetical::default());
        }
        let resting = margin.resting_orders_of(account.user);
        let notional: i64 = resting
            .filter(|order| order.account == account)
            .map(|order| cost(order.price, order.remaining))
            .sum();
        let counted = margin.ledger.holdings_of(account);
        let counted: i64 = counted.map(|(_, holding)| holding.resting_notional()).sum();
        assert_eq!(counted, notional, "notional of resting orders, at {at:?}");
        let cash = margin.ledger.cash(account, SHARD).unwrap();
        assert_eq!(cash.reserved, reserved, "reserved, at {at:?}");
        assert!(reserved >= 0);
    }
}

/// Returns position, cost, fees and realised profit. The last two are 0 without an open position.
fn position_fields(holding: &Holding) -> (i64, i64, i64, i64) {
    match holding.position {
        0 => (0, holding.cost, 0, 0),
        position => (position, holding.cost, holding.fees, holding.realized),
    }
}

#[test]
fn money_is_conserved_under_random_commands() {
    let mut fills = 0;
    for seed in 0..100 {
        let mut harness = Harness::new(seed);
        for step in 0..300 {
            harness.at = (seed, step);
            harness.step();
            harness.check();
        }
        fills += harness.margin.fills.len();
        harness.check_without_old_fills();
        let margin = harness.margin.margin.as_ref().unwrap();
        assert!(!margin.rates.is_empty(), "seed {seed} has funding");
    }
    assert!(fills > 100 * 30, "only {fills} fills");
}
