//! Checks of invariants, recomputed from scratch after each command.

use super::*;

impl Harness {
    /// Returns the orders that an incoming one may match, in the required order. Omits orders in groups and those of the same user.
    pub(super) fn eligible(&self, command: &Command) -> Vec<(Uuid, Contracts)> {
        let (user, market, side, cents) = match command {
            Command::Create {
                user,
                market,
                side,
                cents,
                ..
            } => (USERS[*user], *market, *side, *cents),
            Command::MarketMaker {
                market,
                side,
                cents,
                ..
            } => (0, *market, *side, *cents),
            _ => return Vec::new(),
        };
        let limit = Dollars::from_micros(cents * 10_000);
        let mut orders: Vec<&Order> = self
            .state
            .orders
            .values()
            .filter(|order| order.status == Status::Resting && order.market == market)
            .filter(|order| order.side == side.opposite() && side.crosses(limit, order.price))
            .filter(|order| order.account.user != user && order.group.is_none())
            .collect();
        // `Rank` is under test here, so it is not used.
        orders.sort_by(|one, other| {
            let price = match side {
                Side::Bid => one.price.cmp(&other.price),
                Side::Ask => other.price.cmp(&one.price),
            };
            price.then(self.queue_positions[&one.id].cmp(&self.queue_positions[&other.id]))
        });
        orders
            .into_iter()
            .map(|order| (order.id, order.remaining))
            .collect()
    }

    /// Checks that no order trades before one with higher priority.
    pub(super) fn check_priority(&self, ahead: &[(Uuid, Contracts)]) {
        let remaining = |id: &Uuid| {
            self.state
                .orders
                .get(id)
                .map_or(Contracts::ZERO, |order| order.remaining)
        };
        let mut may_trade = true;
        for (id, before) in ahead {
            let after = remaining(id);
            assert!(
                may_trade || after == *before,
                "an order traded before its turn"
            );
            may_trade &= after.is_zero();
        }
    }

    pub(super) fn check(&mut self) {
        self.queue_new();
        self.check_money();
        self.check_books();
        self.check_groups();
        self.replay.apply(&mut self.state);
        self.replay.check(&self.state);
    }

    fn check_money(&self) {
        let state = &self.state;
        assert_eq!(
            state.ledger.total(),
            state.ledger.paid_in,
            "money was created or lost"
        );
        for (account, cash) in state.ledger.all_cash() {
            assert!(
                cash.amount >= cash.reserved && cash.reserved >= 0,
                "{account:?} {cash:?}"
            );
            assert_eq!(
                cash.amount % 100,
                0,
                "balances have four decimals: {cash:?}"
            );
        }
        for (index, market) in state.markets.iter().enumerate() {
            assert_eq!(
                state.ledger.positions(index),
                0,
                "YES and NO positions must be equal"
            );
            let held: i64 = state
                .ledger
                .holders(index)
                .into_iter()
                .filter_map(|account| state.ledger.holding(account, index))
                .map(|holding| holding.position.max(0))
                .sum();
            assert_eq!(market.open_interest.hundredths(), held);
        }
        let mut parties = BTreeSet::new();
        for fill in state.fills.values() {
            assert!(
                parties.insert((fill.trade, fill.account.user)),
                "a user traded with itself"
            );
        }
        for order in state.orders.values() {
            let filled: i64 = state
                .fills
                .values()
                .filter(|fill| fill.order == order.id)
                .map(|fill| fill.count.hundredths())
                .sum();
            assert!(order.account.is_market_maker() || filled == order.filled.hundredths());
        }
    }

    fn check_books(&self) {
        let state = &self.state;
        let mut in_books = BTreeSet::new();
        for market in &state.markets {
            if let (Some((bid, _)), Some((ask, _))) =
                (state.best(market, Side::Bid), state.best(market, Side::Ask))
            {
                assert!(bid < ask, "a crossed book: {bid} {ask}");
            }
            in_books.extend(market.book.orders());
        }
        let resting: BTreeSet<Uuid> = state
            .orders
            .values()
            .filter(|order| order.status == Status::Resting)
            .inspect(|order| assert!(order.remaining > Contracts::ZERO))
            .map(|order| order.id)
            .collect();
        assert_eq!(resting, in_books);
    }

    fn check_groups(&mut self) {
        let new: Vec<(u64, Uuid, Micros, i64)> = self
            .state
            .fills
            .range(self.last_fill + 1..)
            .filter_map(|(number, fill)| {
                let group = self.state.orders.get(&fill.order)?.group?;
                Some((*number, group, fill.at, fill.count.hundredths()))
            })
            .collect();
        for (number, group, at, count) in new {
            self.last_fill = self.last_fill.max(number);
            let matched = self.matched.entry(group).or_default();
            // Matches in the future, from before the clock moved back, do not count again.
            matched.retain(|(then, _)| *then <= at);
            matched.push((at, count));
            let within: i64 = matched
                .iter()
                .filter(|(then, _)| *then > at - 15 * SECOND)
                .map(|(_, count)| count)
                .sum();
            if let Some(group) = self.state.groups.get(&group) {
                assert!(
                    within <= group.limit.hundredths(),
                    "matched {within} of {} in 15 s",
                    group.limit
                );
            }
        }
        for (id, group) in &self.state.groups {
            let orders: BTreeSet<Uuid> = self
                .state
                .orders
                .values()
                .filter(|order| order.group == Some(*id) && order.status == Status::Resting)
                .map(|order| order.id)
                .collect();
            assert_eq!(orders, group.orders);
            assert!(group.armed || orders.is_empty());
        }
    }
}
